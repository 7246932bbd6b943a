// SPDX-License-Identifier: MIT
/*
 * Owns the tests of what takes a vGPU out of service and back: power states,
 * function level reset, VFIO_DEVICE_RESET.
 */
#include "util.h"

#define D0 0
#define D3HOT 3

static void set_power(struct fixture *f, unsigned int state)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	__u32 pmcsr = cfg_read(f, pos, 2);

	cfg_write(f, pos, 2, (pmcsr & ~PCI_PM_CTRL_STATE_MASK) | state);
}

static unsigned int get_power(struct fixture *f)
{
	return cfg_read(f, find_cap(f, PCI_CAP_ID_PM) + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK;
}

static unsigned int mapped_bar(const struct fixture *f)
{
	return f->role == ON_BOCHS ? BAR0 : BAR2;
}

static unsigned int trapped_bar(const struct fixture *f)
{
	return f->role == ON_BOCHS ? BAR2 : BAR0;
}

static void function_level_reset(struct fixture *f)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;

	cfg_write(f, pos, 2, cfg_read(f, pos, 2) | PCI_EXP_DEVCTL_BCR_FLR);
	/* PCIe 4.0, 6.6.2: the function may take 100 ms */
	usleep(100000);
	HEX(cfg_read(f, pos, 2) & PCI_EXP_DEVCTL_BCR_FLR, 0);
}

static void device_reset(struct fixture *f)
{
	struct vgpu_error err;

	DID(vgpu_reset(f->dev, &err), &err);
}

/* Write something into everything that a reset must clear. */
static void disturb(struct fixture *f)
{
	memory_on(f);
	command(f, PCI_COMMAND_INTX_DISABLE, 0);
	cfg_write(f, PCI_BASE_ADDRESS_0, 4, 0xe0000000);
	cfg_write(f, PCI_BASE_ADDRESS_2, 4, 0xd0000000);
	cfg_write(f, PCI_INTERRUPT_LINE, 1, 11);
	if (f->role == ON_TEST) {
		reg_write(f, BAR0, T_SCRATCH, 4, 0x12345678);
		reg_write(f, BAR0, T_SCRATCH64, 8, 0x123456789abcdef0);
		reg_write(f, BAR0, T_SCRATCH8, 1, 0x5a);
		cfg_write(f, find_cap(f, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
		cfg_write(f, find_cap(f, PCI_CAP_ID_MSI) + PCI_MSI_ADDRESS_LO, 4, 0xfee00000);
		reg_write(f, BAR4, T_MSIX_TABLE, 4, 0xfee00000);
	} else {
		set_mode(f, &(struct mode){ 640, 480, 32, 640, 0, 0 });
	}
}

static void check_power_on(struct fixture *f)
{
	unsigned int i;

	HEX(cfg_read(f, PCI_COMMAND, 2), 0);
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		HEX(cfg_read(f, PCI_BASE_ADDRESS_0 + 4 * i, 4) & PCI_BASE_ADDRESS_MEM_MASK, 0);
	HEX(cfg_read(f, PCI_INTERRUPT_LINE, 1), 0);
	EQ(get_power(f), D0);
	OK(bar_dead(f, trapped_bar(f), 0), "memory still decodes");

	memory_on(f);
	if (f->role == ON_TEST) {
		HEX(reg_read(f, BAR0, T_ID, 4), T_ID_VALUE);
		HEX(reg_read(f, BAR0, T_SCRATCH, 4), 0);
		HEX(reg_read(f, BAR0, T_SCRATCH64, 8), 0);
		HEX(reg_read(f, BAR0, T_SCRATCH8, 1), 0);
		HEX(cfg_read(f, find_cap(f, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS, 2) &
		    PCI_MSI_FLAGS_ENABLE, 0);
		HEX(cfg_read(f, find_cap(f, PCI_CAP_ID_MSI) + PCI_MSI_ADDRESS_LO, 4), 0);
		HEX(reg_read(f, BAR4, T_MSIX_TABLE, 4), 0);
		HEX(reg_read(f, BAR4, T_MSIX_TABLE + 12, 4), 1);
	} else {
		HEX(vbe_read(f, VBE_ENABLE), 0);
	}
}

static void flr(struct fixture *f)
{
	disturb(f);
	function_level_reset(f);
	check_power_on(f);
}

static void reset(struct fixture *f)
{
	disturb(f);
	device_reset(f);
	check_power_on(f);
}

static void reset_counter(struct fixture *f)
{
	__u64 before;

	memory_on(f);
	before = reg_read(f, BAR0, T_RESETS, 4);
	function_level_reset(f);
	memory_on(f);
	EQ(reg_read(f, BAR0, T_RESETS, 4), before + 1);
	device_reset(f);
	memory_on(f);
	EQ(reg_read(f, BAR0, T_RESETS, 4), before + 2);
}

static void reset_in_d3(struct fixture *f)
{
	disturb(f);
	set_power(f, D3HOT);
	device_reset(f);
	check_power_on(f);
}

/* A reset must reach mappings, too: the device behind them is another one now. */
static void reset_zaps(struct fixture *f)
{
	unsigned int bar = mapped_bar(f);
	void *p;

	memory_on(f);
	p = map_region(f, bar, 0, PAGE, PROT_READ | PROT_WRITE);
	store32(p, 0x600df00d);
	device_reset(f);
	OK(faults(p), "a mapping survives VFIO_DEVICE_RESET");
	memory_on(f);
	OK(!faults(p), "a mapping does not come back after VFIO_DEVICE_RESET");
	function_level_reset(f);
	OK(faults(p), "a mapping survives a function level reset");
	memory_on(f);
	OK(!faults(p), "a mapping does not come back after a function level reset");
}

static void d3hot(struct fixture *f)
{
	unsigned int bar = mapped_bar(f);
	__u32 value;
	void *p;

	memory_on(f);
	p = map_region(f, bar, 0, PAGE, PROT_READ | PROT_WRITE);
	store32(p, 1);
	set_power(f, D3HOT);
	EQ(get_power(f), D3HOT);
	OK(bar_dead(f, trapped_bar(f), 0), "a trapped BAR answers in D3hot");
	OK(bar_dead(f, bar, 0), "a mapped BAR answers reads in D3hot");
	OK(faults(p), "a mapping is there in D3hot");
	value = cfg_read(f, PCI_VENDOR_ID, 4);
	HEX(value, f->role == ON_BOCHS ? 0x11111234 : 0x00011b36);

	set_power(f, D0);
	EQ(get_power(f), D0);
	memory_on(f);
	OK(!bar_dead(f, trapped_bar(f), 0), "a trapped BAR is dead after D3hot");
	OK(!faults(p), "a mapping is gone after D3hot");
}

static void d3hot_and_state(struct fixture *f)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	bool kept = cfg_read(f, pos, 2) & PCI_PM_CTRL_NO_SOFT_RESET;

	memory_on(f);
	cfg_write(f, PCI_BASE_ADDRESS_0, 4, 0xe0000000);
	reg_write(f, BAR0, T_SCRATCH, 4, 0x12345678);
	set_power(f, D3HOT);
	/* what cannot arrive must not change anything */
	try_write(f, BAR0, T_SCRATCH, "\x11\x22\x33\x44", 4);
	set_power(f, D0);

	if (kept) {
		HEX(cfg_read(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
		HEX(cfg_read(f, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK, 0xe0000000);
		HEX(reg_read(f, BAR0, T_SCRATCH, 4), 0x12345678);
	} else {
		HEX(cfg_read(f, PCI_COMMAND, 2), 0);
		HEX(cfg_read(f, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK, 0);
		memory_on(f);
		HEX(reg_read(f, BAR0, T_SCRATCH, 4), 0);
	}
}

/* PCI PM 1.2, 3.2.4: a state that is not supported is not entered */
static void unsupported_states(struct fixture *f)
{
	__u32 pmc = cfg_read(f, find_cap(f, PCI_CAP_ID_PM) + PCI_PM_PMC, 2);

	memory_on(f);
	set_power(f, 1);
	EQ(get_power(f), pmc & PCI_PM_CAP_D1 ? 1 : D0);
	set_power(f, D0);
	set_power(f, 2);
	EQ(get_power(f), pmc & PCI_PM_CAP_D2 ? 2 : D0);
	set_power(f, D0);
	OK(!bar_dead(f, trapped_bar(f), 0), "a BAR is dead in D0");
}

/* Whatever the VMM armed is the VMM's: a reset of the device leaves it armed. */
static void reset_keeps_triggers(struct fixture *f)
{
	__u32 index = f->role == ON_BOCHS ? REQ : MSI;
	struct vgpu_error err;
	int fd;

	arm(f, index, 0, 1, &fd);
	device_reset(f);
	QUIET(fd);
	DID(vgpu_irq_none(f->dev, index, TRIGGER, 0, 1, &err), &err);
	FIRES(fd);
	function_level_reset(f);
	QUIET(fd);
	DID(vgpu_irq_none(f->dev, index, TRIGGER, 0, 1, &err), &err);
	FIRES(fd);
}

static void reset_forgets_pending(struct fixture *f)
{
	struct vgpu_error err;
	int fd;

	memory_on(f);
	arm(f, INTX, 0, 1, &fd);
	DID(vgpu_irq_none(f->dev, INTX, MASK, 0, 1, &err), &err);
	reg_write(f, BAR0, T_RAISE, 4, 0);
	HEX(cfg_read(f, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, PCI_STATUS_INTERRUPT);
	device_reset(f);
	HEX(cfg_read(f, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
	DID(vgpu_irq_none(f->dev, INTX, UNMASK, 0, 1, &err), &err);
	QUIET(fd);
}

static const struct test tests[] = {
	{ "D3hot takes memory away and D0 gives it back", ON_BOTH, d3hot },
	{ "D3hot keeps or resets state as No_Soft_Reset says", ON_TEST, d3hot_and_state },
	{ "unsupported power states are not entered", ON_BOTH, unsupported_states },
	{ "function level reset brings back the power-on state", ON_BOTH, flr },
	{ "VFIO_DEVICE_RESET brings back the power-on state", ON_BOTH, reset },
	{ "VFIO_DEVICE_RESET in D3hot", ON_BOTH, reset_in_d3 },
	{ "each reset reaches the vendor driver once", ON_TEST, reset_counter },
	{ "a reset takes mappings away", ON_BOTH, reset_zaps },
	{ "a reset keeps what the VMM armed", ON_BOTH, reset_keeps_triggers },
	{ "a reset forgets what was pending", ON_TEST, reset_forgets_pending },
};

const struct group group_power = GROUP("power", tests);
