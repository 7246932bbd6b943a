// SPDX-License-Identifier: MIT
/*
 * Owns the tests of MSI and MSI-X: vectors, masks in config space and in the
 * MSI-X table, pending bits.
 */
#include "util.h"

static unsigned int vectors(__u32 index)
{
	return index == MSI ? T_MSI_VECTORS : T_MSIX_VECTORS;
}

/* Enable messages as a guest's driver does. */
static void guest_enable(struct fixture *f, __u32 index)
{
	__u32 pos;

	memory_on(f);
	if (index == MSI) {
		pos = find_cap(f, PCI_CAP_ID_MSI);
		/* all four vectors: multiple message enable is 2 */
		cfg_write(f, pos + PCI_MSI_FLAGS, 2,
			  cfg_read(f, pos + PCI_MSI_FLAGS, 2) | PCI_MSI_FLAGS_ENABLE | 2 << 4);
	} else {
		pos = find_cap(f, PCI_CAP_ID_MSIX);
		cfg_write(f, pos + PCI_MSIX_FLAGS, 2,
			  cfg_read(f, pos + PCI_MSIX_FLAGS, 2) | PCI_MSIX_FLAGS_ENABLE);
	}
}

static void raise_vector(struct fixture *f, unsigned int vector)
{
	reg_write(f, BAR0, T_RAISE, 4, vector);
}

static void only(const int *fds, unsigned int count, unsigned int vector)
{
	unsigned int i;

	FIRES(fds[vector]);
	for (i = 0; i < count; i++)
		OK(!ev_take(fds[i]), "vector %u fired with vector %u", i, vector);
}

static void each_vector(struct fixture *f, __u32 index)
{
	const unsigned int count = vectors(index);
	struct vgpu_error err;
	__u8 which[T_MSIX_VECTORS];
	int fds[T_MSIX_VECTORS];
	unsigned int i;

	guest_enable(f, index);
	arm(f, index, 0, count, fds);
	for (i = 0; i < count; i++) {
		DID(vgpu_irq_none(f->dev, index, TRIGGER, i, 1, &err), &err);
		only(fds, count, i);
		memset(which, 0, sizeof(which));
		which[i] = 1;
		DID(vgpu_irq_bool(f->dev, index, TRIGGER, 0, count, which, &err), &err);
		only(fds, count, i);
		raise_vector(f, i);
		only(fds, count, i);
	}
	/* a vector that is not there */
	raise_vector(f, count);
	raise_vector(f, 0xffffffff);
	for (i = 0; i < count; i++)
		QUIET(fds[i]);
	disarm(f, index);
	for (i = 0; i < count; i++) {
		raise_vector(f, i);
		QUIET(fds[i]);
	}
}

static void msi_vectors(struct fixture *f)
{
	each_vector(f, MSI);
}

static void msix_vectors(struct fixture *f)
{
	each_vector(f, MSIX);
}

static void sparse(struct fixture *f, __u32 index)
{
	struct vgpu_error err;
	int fds[4] = { ev_new(), -1, ev_new(), -1 };
	int none = -1, late = ev_new();
	struct vfio_irq_info info;
	unsigned int i;

	guest_enable(f, index);
	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, 0, 4, fds, &err), &err);
	for (i = 0; i < 4; i++)
		raise_vector(f, i);
	FIRES(fds[0]);
	FIRES(fds[2]);

	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, 0, 1, &none, &err), &err);
	raise_vector(f, 0);
	QUIET(fds[0]);
	raise_vector(f, 2);
	FIRES(fds[2]);

	/* within what was set up, a vector may come back at any time */
	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, 3, 1, &late, &err), &err);
	ev_take(late);
	raise_vector(f, 3);
	FIRES(late);

	DID(vgpu_irq_get(f->dev, index, &info, &err), &err);
	disarm(f, index);
	if (info.flags & VFIO_IRQ_INFO_NORESIZE)
		return;
	/* beyond what was set up, only where the set may grow */
	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, 0, 1, fds, &err), &err);
	DID(vgpu_irq_eventfd(f->dev, index, TRIGGER, 3, 1, &late, &err), &err);
	ev_take(late);
	raise_vector(f, 3);
	FIRES(late);
}

static void msi_sparse(struct fixture *f)
{
	sparse(f, MSI);
}

static void msix_sparse(struct fixture *f)
{
	sparse(f, MSIX);
}

/* A call that fails changes nothing, or leaves nothing armed: never a part. */
static void half_bad(struct fixture *f, __u32 index)
{
	int fds[4] = { ev_new(), ev_new(), 9999, ev_new() };
	unsigned int i;

	guest_enable(f, index);
	REFUSED(vgpu_irq_eventfd(f->dev, index, TRIGGER, 0, 4, fds, NULL), EBADF);
	for (i = 0; i < 4; i++)
		raise_vector(f, i);
	QUIET(fds[0]);
	QUIET(fds[1]);
	QUIET(fds[3]);
	/* nor does it leave the index in use */
	fds[2] = ev_new();
	REFUSED(vgpu_irq_none(f->dev, index, TRIGGER, 0, 1, NULL), EINVAL);
	arm(f, INTX, 0, 1, fds);
	disarm(f, INTX);
}

static void msi_half_bad(struct fixture *f)
{
	half_bad(f, MSI);
}

static void msix_half_bad(struct fixture *f)
{
	half_bad(f, MSIX);
}

/* Where the index says that it can be masked through VFIO, it must be so. */
static void vfio_mask(struct fixture *f, __u32 index)
{
	struct vfio_irq_info info;
	struct vgpu_error err;
	int fds[2];

	guest_enable(f, index);
	arm(f, index, 0, 2, fds);
	DID(vgpu_irq_get(f->dev, index, &info, &err), &err);
	if (!(info.flags & VFIO_IRQ_INFO_MASKABLE)) {
		REFUSED(vgpu_irq_none(f->dev, index, MASK, 0, 1, NULL), ENOTTY, EINVAL);
		return;
	}
	DID(vgpu_irq_none(f->dev, index, MASK, 0, 1, &err), &err);
	raise_vector(f, 0);
	raise_vector(f, 1);
	QUIET(fds[0]);
	FIRES(fds[1]);
	DID(vgpu_irq_none(f->dev, index, UNMASK, 0, 1, &err), &err);
	FIRES(fds[0]);
	raise_vector(f, 0);
	FIRES(fds[0]);
}

static void msi_vfio_mask(struct fixture *f)
{
	vfio_mask(f, MSI);
}

static void msix_vfio_mask(struct fixture *f)
{
	vfio_mask(f, MSIX);
}

static void msi_config_mask(struct fixture *f)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_MSI);
	int fds[T_MSI_VECTORS];

	guest_enable(f, MSI);
	arm(f, MSI, 0, T_MSI_VECTORS, fds);
	cfg_write(f, pos + PCI_MSI_MASK_64, 4, 1 << 2);
	raise_vector(f, 2);
	raise_vector(f, 2);
	QUIET(fds[2]);
	HEX(cfg_read(f, pos + PCI_MSI_PENDING_64, 4), 1 << 2);
	raise_vector(f, 1);
	FIRES(fds[1]);
	cfg_write(f, pos + PCI_MSI_MASK_64, 4, 0);
	FIRES(fds[2]);
	HEX(cfg_read(f, pos + PCI_MSI_PENDING_64, 4), 0);
	raise_vector(f, 2);
	FIRES(fds[2]);
}

static __u32 table_entry(unsigned int vector)
{
	return T_MSIX_TABLE + vector * 16;
}

static __u32 pba(struct fixture *f)
{
	return reg_read(f, BAR4, T_MSIX_PBA, 4);
}

static void msix_table(struct fixture *f)
{
	unsigned int i, size;
	__u32 pos;

	memory_on(f);
	for (i = 0; i < T_MSIX_VECTORS; i++) {
		pos = table_entry(i);
		HEX(reg_read(f, BAR4, pos, 4), 0);
		HEX(reg_read(f, BAR4, pos + 12, 4), 1);
		reg_write(f, BAR4, pos, 4, 0xfee00000 + i * 0x1000);
		reg_write(f, BAR4, pos + 4, 4, i);
		reg_write(f, BAR4, pos + 8, 4, 0x4000 + i);
		reg_write(f, BAR4, pos + 12, 4, 0);
	}
	for (i = 0; i < T_MSIX_VECTORS; i++) {
		pos = table_entry(i);
		HEX(reg_read(f, BAR4, pos, 4), 0xfee00000 + i * 0x1000);
		HEX(reg_read(f, BAR4, pos + 4, 4), i);
		HEX(reg_read(f, BAR4, pos + 8, 4), 0x4000 + i);
		HEX(reg_read(f, BAR4, pos + 12, 4), 0);
	}
	/* PCI 3.0, 6.8.2: accesses of 8 bytes are allowed as well */
	HEX(reg_read(f, BAR4, table_entry(1), 8), 0x00000001fee01000);
	reg_write(f, BAR4, table_entry(1) + 8, 8, 0x0000000100001234);
	HEX(reg_read(f, BAR4, table_entry(1) + 8, 4), 0x1234);
	HEX(reg_read(f, BAR4, table_entry(1) + 12, 4), 1);
	HEX(pba(f), 0);
	reg_write(f, BAR4, T_MSIX_PBA, 4, 0xffffffff);
	HEX(pba(f), 0);
	/* what reaches the BAR's hooks reads all ones; shorter accesses don't, and do nothing */
	HEX(reg_read(f, BAR4, T_MSIX_PBA - 1, 1), 0xff);
	for (size = 1; size < 4; size *= 2) {
		reg_write(f, BAR4, table_entry(1) + 8, size, 0x5a);
		HEX(reg_read(f, BAR4, table_entry(1) + 8, size), 0);
		HEX(reg_read(f, BAR4, T_MSIX_PBA, size), 0);
	}
	HEX(reg_read(f, BAR4, table_entry(1) + 8, 4), 0x1234);
}

/* QEMU keeps the table to itself: what VFIO sees of it is the power-on state. */
static void msix_untouched_table(struct fixture *f)
{
	int fds[T_MSIX_VECTORS];

	guest_enable(f, MSIX);
	arm(f, MSIX, 0, T_MSIX_VECTORS, fds);
	HEX(reg_read(f, BAR4, table_entry(3) + 12, 4), 1);
	raise_vector(f, 3);
	FIRES(fds[3]);
	HEX(pba(f), 0);
}

/* What a guest's kernel writes when the table is the device's: with a mask or without */
static void write_entry(struct fixture *f, unsigned int vector, __u32 mask)
{
	reg_write(f, BAR4, table_entry(vector), 4, 0xfee00000);
	reg_write(f, BAR4, table_entry(vector) + 4, 4, 0);
	reg_write(f, BAR4, table_entry(vector) + 8, 4, 0x4020 + vector);
	reg_write(f, BAR4, table_entry(vector) + 12, 4, mask);
}

static void msix_table_mask(struct fixture *f)
{
	int fds[T_MSIX_VECTORS];

	guest_enable(f, MSIX);
	arm(f, MSIX, 0, T_MSIX_VECTORS, fds);
	write_entry(f, 4, 0);
	write_entry(f, 5, 1);
	raise_vector(f, 5);
	raise_vector(f, 4);
	QUIET(fds[5]);
	FIRES(fds[4]);
	HEX(pba(f), 1 << 5);
	reg_write(f, BAR4, table_entry(5) + 12, 4, 0);
	FIRES(fds[5]);
	HEX(pba(f), 0);
}

static void msix_masked_before_armed(struct fixture *f)
{
	int fds[T_MSIX_VECTORS];

	guest_enable(f, MSIX);
	write_entry(f, 6, 0);
	write_entry(f, 7, 1);
	arm(f, MSIX, 0, T_MSIX_VECTORS, fds);
	raise_vector(f, 7);
	raise_vector(f, 6);
	FIRES(fds[6]);
	QUIET(fds[7]);
	HEX(pba(f), 1 << 7);
	reg_write(f, BAR4, table_entry(7) + 12, 4, 0);
	FIRES(fds[7]);
}

static void msix_function_mask(struct fixture *f)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS;
	int fds[T_MSIX_VECTORS];

	guest_enable(f, MSIX);
	arm(f, MSIX, 0, T_MSIX_VECTORS, fds);
	cfg_write(f, pos, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	raise_vector(f, 0);
	raise_vector(f, 7);
	QUIET(fds[0]);
	QUIET(fds[7]);
	HEX(pba(f), 1 << 7 | 1);
	cfg_write(f, pos, 2, PCI_MSIX_FLAGS_ENABLE);
	FIRES(fds[0]);
	FIRES(fds[7]);
	HEX(pba(f), 0);
}

/* A message is a write to memory: a function that is no master cannot send it. */
static void bus_master(struct fixture *f)
{
	int fds[T_MSI_VECTORS];

	guest_enable(f, MSI);
	arm(f, MSI, 0, T_MSI_VECTORS, fds);
	command(f, 0, PCI_COMMAND_MASTER);
	raise_vector(f, 1);
	QUIET(fds[1]);
	command(f, PCI_COMMAND_MASTER, 0);
	raise_vector(f, 1);
	OK(ev_wait(fds[1], 5000), "no event");
}

static void ranges(struct fixture *f)
{
	static const __u32 kinds[] = { MSI, MSIX };
	unsigned int i, n;
	int fds[T_MSIX_VECTORS + 1];

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = ev_new();
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		n = vectors(kinds[i]);
		REFUSED(vgpu_irq_eventfd(f->dev, kinds[i], TRIGGER, 0, n + 1, fds, NULL), EINVAL);
		REFUSED(vgpu_irq_eventfd(f->dev, kinds[i], TRIGGER, n, 1, fds, NULL), EINVAL);
		REFUSED(vgpu_irq_eventfd(f->dev, kinds[i], TRIGGER, n - 1, 2, fds, NULL), EINVAL);
		REFUSED(vgpu_irq_none(f->dev, kinds[i], TRIGGER, 0, 1, NULL), EINVAL);
	}
}

static const struct test tests[] = {
	{ "each MSI vector fires alone", ON_TEST, msi_vectors },
	{ "each MSI-X vector fires alone", ON_TEST, msix_vectors },
	{ "MSI vectors come and go one by one", ON_TEST, msi_sparse },
	{ "MSI-X vectors come and go one by one", ON_TEST, msix_sparse },
	{ "a bad eventfd among good ones for MSI", ON_TEST, msi_half_bad },
	{ "a bad eventfd among good ones for MSI-X", ON_TEST, msix_half_bad },
	{ "masking MSI through VFIO", ON_TEST, msi_vfio_mask },
	{ "masking MSI-X through VFIO", ON_TEST, msix_vfio_mask },
	{ "masking MSI in config space", ON_TEST, msi_config_mask },
	{ "MSI-X table and pending bits", ON_TEST, msix_table },
	{ "MSI-X fires when the VMM keeps the table to itself", ON_TEST, msix_untouched_table },
	{ "masking MSI-X in the table", ON_TEST, msix_table_mask },
	{ "MSI-X masked in the table before it is armed", ON_TEST, msix_masked_before_armed },
	{ "masking all of MSI-X", ON_TEST, msix_function_mask },
	{ "messages need bus mastering", ON_TEST, bus_master },
	{ "vectors past the last are refused", ON_TEST, ranges },
};

const struct group group_msi = GROUP("msi", tests);
