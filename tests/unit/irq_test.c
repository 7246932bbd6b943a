// SPDX-License-Identifier: MIT
/*
 * irq_test.c - kernel/mdev/irq.c: single steps, failures, and a random walk beside a
 * reference model
 */
#include <linux/pci_regs.h>
#include <string.h>
#include "unit.h"
#include "irq.h"

#define INTX	VFIO_PCI_INTX_IRQ_INDEX
#define MSI	VFIO_PCI_MSI_IRQ_INDEX
#define MSIX	VFIO_PCI_MSIX_IRQ_INDEX
#define ERRX	VFIO_PCI_ERR_IRQ_INDEX
#define REQX	VFIO_PCI_REQ_IRQ_INDEX
#define NONE	VFIO_PCI_NUM_IRQS

#define NUM_MSI		4
#define NUM_MSIX	40	/* more than one word of pending bits */

static struct mvgpu_irqs irqs;
static const struct mvgpu_config_gate open_gate;

/* What the VMM calls; @action and @type without their common prefixes */
#define set(action, type, index, start, count, data)				\
	mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_ACTION_##action |			\
		       VFIO_IRQ_SET_DATA_##type, index, start, count, data)

static int trigger(u32 index, u32 vector, s32 fd)
{
	return set(TRIGGER, EVENTFD, index, vector, 1, &fd);
}

static int disable(u32 index)
{
	return set(TRIGGER, NONE, index, 0, 0, NULL);
}

static u64 signals(int fd)
{
	return shim_eventfd_signals(fd);
}

static void gate(bool intx_off, bool msg_off, bool msix_masked, u32 msi_mask)
{
	const struct mvgpu_config_gate g = { intx_off, msg_off, msix_masked, msi_mask };

	mvgpu_irqs_gate(&irqs, &g);
}

static bool intx_pending(void)
{
	bool intx;
	u32 msi;

	mvgpu_irqs_pending(&irqs, &intx, &msi);
	return intx;
}

static u32 msi_pending(void)
{
	bool intx;
	u32 msi;

	mvgpu_irqs_pending(&irqs, &intx, &msi);
	return msi;
}

/* A guest fills in an entry of the MSI-X table */
static void entry(unsigned int vector, u64 address, u32 ctrl)
{
	mvgpu_irqs_table_write(&irqs, vector * 16, address);
	mvgpu_irqs_table_write(&irqs, vector * 16 + 4, address >> 32);
	mvgpu_irqs_table_write(&irqs, vector * 16 + 12, ctrl);
}

static int setup(void **state)
{
	memset(&irqs, 0, sizeof(irqs));
	return mvgpu_irqs_init(&irqs, true, NUM_MSI, NUM_MSIX);
}

/* However a test ends: the VMM closes, and nothing of it is left */
static int teardown(void **state)
{
	mvgpu_irqs_close(&irqs);
	assert_int_equal(shim_eventfd_all_refs(), 0);
	assert_null(irqs.unmask);
	mvgpu_irqs_fini(&irqs);
	shim_close_all();
	assert_int_equal(shim_allocs_alive(), 0);
	assert_int_equal(shim_warnings(), 0);
	assert_int_equal(shim_run_work(1), 0);
	return 0;
}

static void info(void **state)
{
	u32 flags;

	assert_int_equal(mvgpu_irqs_info(&irqs, INTX, &flags), 1);
	assert_int_equal(flags, 7);	/* eventfd, maskable, automasked */
	assert_int_equal(mvgpu_irqs_info(&irqs, MSI, &flags), NUM_MSI);
	assert_int_equal(flags, 3);
	assert_int_equal(mvgpu_irqs_info(&irqs, MSIX, &flags), NUM_MSIX);
	assert_int_equal(flags, 3);
	assert_int_equal(mvgpu_irqs_info(&irqs, ERRX, &flags), 1);
	assert_int_equal(flags, 9);	/* eventfd, no resize */
	assert_int_equal(mvgpu_irqs_info(&irqs, REQX, &flags), 1);
	assert_int_equal(flags, 9);
	assert_int_equal(mvgpu_irqs_info(&irqs, NONE, &flags), -EINVAL);
	assert_int_equal(mvgpu_irqs_info(&irqs, ~0u, &flags), -EINVAL);
}

/* A device without a kind of interrupt has nothing to raise */
static void no_interrupts(void **state)
{
	u32 flags;

	mvgpu_irqs_fini(&irqs);
	memset(&irqs, 0, sizeof(irqs));
	assert_int_equal(mvgpu_irqs_init(&irqs, false, 0, 0), 0);
	assert_int_equal(mvgpu_irqs_info(&irqs, INTX, &flags), 0);
	mvgpu_irqs_raise(&irqs, 0);
	mvgpu_irqs_raise(&irqs, ~0u);
	assert_false(intx_pending());
	mvgpu_irqs_reset(&irqs);
	mvgpu_irqs_gate(&irqs, &open_gate);
	assert_int_equal(mvgpu_irqs_delivered(&irqs), 0);
	assert_false(mvgpu_irqs_request(&irqs));
}

static void intx_level(void **state)
{
	int fd = shim_eventfd();

	assert_int_equal(trigger(INTX, 0, fd), 0);
	assert_int_equal(shim_eventfd_refs(fd), 1);
	assert_int_equal(signals(fd), 0);

	/* Delivered once, then automasked until the VMM unmasks */
	mvgpu_irqs_raise(&irqs, 7);
	mvgpu_irqs_raise(&irqs, 0);
	assert_int_equal(signals(fd), 1);
	assert_true(intx_pending());
	assert_int_equal(set(UNMASK, NONE, INTX, 0, 1, NULL), 0);
	assert_int_equal(signals(fd), 2);	/* the line is still up */
	mvgpu_irqs_lower(&irqs);
	assert_false(intx_pending());
	assert_int_equal(set(UNMASK, NONE, INTX, 0, 1, NULL), 0);
	assert_int_equal(signals(fd), 2);
	mvgpu_irqs_raise(&irqs, 0);
	assert_int_equal(signals(fd), 3);

	/* Lowered while masked: nothing to deliver */
	mvgpu_irqs_raise(&irqs, 0);
	mvgpu_irqs_lower(&irqs);
	assert_int_equal(set(UNMASK, BOOL, INTX, 0, 1, (u8[]){ 0 }), 0);
	mvgpu_irqs_raise(&irqs, 0);
	assert_int_equal(signals(fd), 3);	/* a false bool unmasks nothing */
	assert_int_equal(set(UNMASK, BOOL, INTX, 0, 1, (u8[]){ 1 }), 0);
	assert_int_equal(signals(fd), 4);
	assert_int_equal(mvgpu_irqs_delivered(&irqs), 4);
}

static void intx_mask_and_gate(void **state)
{
	int fd = shim_eventfd();

	assert_int_equal(trigger(INTX, 0, fd), 0);
	assert_int_equal(set(MASK, NONE, INTX, 0, 1, NULL), 0);
	mvgpu_irqs_raise(&irqs, 0);
	gate(true, false, false, 0);
	assert_int_equal(set(UNMASK, NONE, INTX, 0, 1, NULL), 0);
	assert_int_equal(signals(fd), 0);	/* the gate is still shut */
	assert_true(intx_pending());
	gate(false, true, true, ~0u);		/* these are for messages */
	assert_int_equal(signals(fd), 1);
	gate(true, false, false, 0);
	gate(false, false, false, 0);
	assert_int_equal(signals(fd), 1);	/* automasked */

	mvgpu_irqs_lower(&irqs);
	assert_int_equal(set(UNMASK, NONE, INTX, 0, 1, NULL), 0);
	assert_int_equal(set(MASK, BOOL, INTX, 0, 1, (u8[]){ 1 }), 0);
	mvgpu_irqs_raise(&irqs, 0);
	assert_int_equal(signals(fd), 1);
	mvgpu_irqs_lower(&irqs);
	assert_int_equal(set(UNMASK, NONE, INTX, 0, 1, NULL), 0);
	assert_int_equal(signals(fd), 1);
}

/* The line's level outlives the VMM's set-up */
static void intx_level_before_enable(void **state)
{
	int fd = shim_eventfd(), second = shim_eventfd();

	mvgpu_irqs_raise(&irqs, 0);
	assert_true(intx_pending());
	assert_int_equal(trigger(INTX, 0, fd), 0);
	assert_int_equal(signals(fd), 1);
	assert_int_equal(disable(INTX), 0);
	assert_int_equal(shim_eventfd_refs(fd), 0);
	assert_true(intx_pending());
	assert_int_equal(trigger(INTX, 0, second), 0);
	assert_int_equal(signals(second), 1);
	assert_int_equal(disable(INTX), 0);
	mvgpu_irqs_lower(&irqs);
	assert_int_equal(trigger(INTX, 0, fd), 0);
	assert_int_equal(signals(fd), 1);
}

/*
 * What KVM's resampling does at the guest's EOI. The kernel refuses to signal an eventfd
 * from another's wake-up, so a delivery has to be deferred.
 */
static void intx_unmask_eventfd(void **state)
{
	int fd = shim_eventfd(), eoi = shim_eventfd(), second = shim_eventfd();

	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &eoi), -EINVAL);	/* not active */
	assert_int_equal(trigger(INTX, 0, fd), 0);
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &eoi), 0);
	assert_int_equal(shim_eventfd_refs(eoi), 1);
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &second), -EBUSY);
	assert_int_equal(shim_eventfd_refs(second), 0);

	mvgpu_irqs_raise(&irqs, 0);
	shim_eventfd_write(eoi);
	shim_run_work(9);
	assert_int_equal(shim_warnings(), 0);
	assert_int_equal(signals(fd), 2);
	mvgpu_irqs_lower(&irqs);
	shim_eventfd_write(eoi);
	shim_run_work(9);
	assert_int_equal(signals(fd), 2);
	mvgpu_irqs_raise(&irqs, 0);
	assert_int_equal(signals(fd), 3);

	/* -1 disarms; then it may be armed anew, with what was signalled meanwhile */
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, (s32[]){ -1 }), 0);
	assert_int_equal(shim_eventfd_refs(eoi), 0);
	shim_eventfd_write(eoi);
	shim_eventfd_write(second);
	shim_run_work(9);
	assert_int_equal(signals(fd), 3);
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &second), 0);
	shim_run_work(9);
	assert_int_equal(signals(fd), 4);

	/* Closing the file disarms as well, and so does disabling the index */
	shim_close(second);
	assert_null(irqs.unmask);
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &eoi), 0);
	assert_int_equal(disable(INTX), 0);
	assert_null(irqs.unmask);
	assert_int_equal(shim_eventfd_all_refs(), 0);
}

static void unmask_while_pending_work(void **state)
{
	int fd = shim_eventfd(), eoi = shim_eventfd();

	assert_int_equal(trigger(INTX, 0, fd), 0);
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &eoi), 0);
	mvgpu_irqs_raise(&irqs, 0);
	shim_eventfd_write(eoi);
	assert_int_equal(disable(INTX), 0);
	assert_int_equal(shim_run_work(9), 0);
	assert_int_equal(shim_eventfd_all_refs(), 0);
	assert_int_equal(shim_warnings(), 0);
}

/* A VMM may hand in one eventfd for both; it must not take the host down */
static void same_eventfd(void)
{
	int fd = shim_eventfd();

	if (trigger(INTX, 0, fd) || set(UNMASK, EVENTFD, INTX, 0, 1, &fd))
		return;
	mvgpu_irqs_raise(&irqs, 0);
	shim_run_work(100);
	mvgpu_irqs_lower(&irqs);
	shim_run_work(100);
	mvgpu_irqs_close(&irqs);
	if (shim_eventfd_all_refs() || shim_warnings())
		abort();
}

static void trigger_unmasks_itself(void **state)
{
	assert_survives(same_eventfd);
}

static void msi_vectors(void **state)
{
	int fd[NUM_MSI], i;

	for (i = 0; i < NUM_MSI; i++)
		fd[i] = shim_eventfd();
	mvgpu_irqs_raise(&irqs, 1);	/* before anything is enabled: lost */
	assert_int_equal(set(TRIGGER, EVENTFD, MSI, 0, NUM_MSI, fd), 0);
	for (i = 0; i < NUM_MSI; i++) {
		assert_int_equal(signals(fd[i]), 0);
		mvgpu_irqs_raise(&irqs, i);
		mvgpu_irqs_raise(&irqs, i);
		assert_int_equal(signals(fd[i]), 2);	/* edges */
	}
	mvgpu_irqs_lower(&irqs);
	mvgpu_irqs_raise(&irqs, NUM_MSI);
	mvgpu_irqs_raise(&irqs, ~0u);
	for (i = 0; i < NUM_MSI; i++)
		assert_int_equal(signals(fd[i]), 2);
	assert_int_equal(mvgpu_irqs_delivered(&irqs), 2 * NUM_MSI);
	assert_int_equal(msi_pending(), 0);
}

static void msi_masks(void **state)
{
	int fd[NUM_MSI], i;

	for (i = 0; i < NUM_MSI; i++)
		fd[i] = shim_eventfd();
	assert_int_equal(set(TRIGGER, EVENTFD, MSI, 0, NUM_MSI, fd), 0);

	/* Configuration space's mask, the VMM's and bus mastering, in each order */
	gate(true, false, true, 1 << 2);	/* the first and third are others' */
	mvgpu_irqs_raise(&irqs, 2);
	mvgpu_irqs_raise(&irqs, 2);
	mvgpu_irqs_raise(&irqs, 1);
	assert_int_equal(signals(fd[1]), 1);
	assert_int_equal(signals(fd[2]), 0);
	assert_int_equal(msi_pending(), 1 << 2);
	assert_int_equal(set(MASK, BOOL, MSI, 1, 2, ((u8[]){ 0, 1 })), 0);
	gate(false, true, false, 0);
	assert_int_equal(set(UNMASK, NONE, MSI, 0, NUM_MSI, NULL), 0);
	assert_int_equal(signals(fd[2]), 0);
	assert_int_equal(set(MASK, NONE, MSI, 2, 1, NULL), 0);
	gate(false, false, false, 0);
	assert_int_equal(signals(fd[2]), 0);
	assert_int_equal(msi_pending(), 1 << 2);
	mvgpu_irqs_lower(&irqs);		/* takes no message back */
	assert_int_equal(set(UNMASK, NONE, MSI, 2, 1, NULL), 0);
	assert_int_equal(signals(fd[2]), 1);	/* one, however often it was raised */
	assert_int_equal(msi_pending(), 0);

	/* No trigger: pending until there is one */
	assert_int_equal(trigger(MSI, 3, -1), 0);
	assert_int_equal(shim_eventfd_refs(fd[3]), 0);
	mvgpu_irqs_raise(&irqs, 3);
	assert_int_equal(msi_pending(), 1 << 3);
	assert_int_equal(trigger(MSI, 3, fd[3]), 0);
	assert_int_equal(signals(fd[3]), 1);
}

/* Masks of the VMM and of the table are two; a message waits for both to fall */
static void msix_masks(void **state)
{
	int fd[NUM_MSIX], i;

	for (i = 0; i < NUM_MSIX; i++)
		fd[i] = shim_eventfd();
	entry(0, 0xfee00000, 1);
	entry(33, 0, 1);			/* the mask alone says whose the table is */
	assert_int_equal(set(TRIGGER, EVENTFD, MSIX, 0, NUM_MSIX, fd), 0);
	for (i = 0; i < NUM_MSIX; i++)
		mvgpu_irqs_raise(&irqs, i);
	for (i = 0; i < NUM_MSIX; i++)		/* the VMM keeps what nobody wrote */
		assert_int_equal(signals(fd[i]), i != 0 && i != 33);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 0), 1);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 4), 2);

	/* Table, then function mask, then the VMM */
	gate(false, false, true, 0);
	entry(0, 0xfee00000, 0);
	assert_int_equal(set(MASK, NONE, MSIX, 0, 1, NULL), 0);
	gate(true, false, false, ~0u);
	assert_int_equal(signals(fd[0]), 0);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 0), 1);
	assert_int_equal(set(UNMASK, NONE, MSIX, 0, 1, NULL), 0);
	assert_int_equal(signals(fd[0]), 1);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 0), 0);

	/* The VMM, then bus mastering, then the table */
	assert_int_equal(set(MASK, NONE, MSIX, 33, 1, NULL), 0);
	assert_int_equal(set(UNMASK, NONE, MSIX, 33, 1, NULL), 0);
	assert_int_equal(signals(fd[33]), 0);
	gate(false, true, false, 0);
	entry(33, 0x1000000000, 0);
	entry(33, 0x1000000000, 1);
	gate(false, false, false, 0);
	assert_int_equal(signals(fd[33]), 0);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 4), 2);
	entry(33, 0x1000000000, 0);
	assert_int_equal(signals(fd[33]), 1);

	/* The table falls first, the VMM's mask still holds */
	assert_int_equal(set(MASK, NONE, MSIX, 5, 1, NULL), 0);
	entry(5, 0xfee00000, 1);
	mvgpu_irqs_raise(&irqs, 5);
	entry(5, 0xfee00000, 0);
	assert_int_equal(signals(fd[5]), 1);
	assert_int_equal(set(UNMASK, NONE, MSIX, 5, 1, NULL), 0);
	assert_int_equal(signals(fd[5]), 2);

	/* Nor do writes to the rest of an entry touch the VMM's mask */
	assert_int_equal(set(MASK, NONE, MSIX, 6, 1, NULL), 0);
	mvgpu_irqs_raise(&irqs, 6);
	mvgpu_irqs_table_write(&irqs, 6 * 16, 0xfee00000);
	mvgpu_irqs_table_write(&irqs, 6 * 16 + 8, 0x41);
	assert_int_equal(signals(fd[6]), 1);
	assert_int_equal(set(UNMASK, NONE, MSIX, 6, 1, NULL), 0);
	assert_int_equal(signals(fd[6]), 2);

	/* A reset empties the table, and who keeps it is open again */
	entry(7, 0xfee00000, 1);
	mvgpu_irqs_reset(&irqs);
	mvgpu_irqs_raise(&irqs, 7);
	assert_int_equal(signals(fd[7]), 2);
}

static void msix_table(void **state)
{
	unsigned int i;

	for (i = 0; i < NUM_MSIX * 16; i += 4)
		assert_int_equal(mvgpu_irqs_table_read(&irqs, i), i % 16 == 12);
	for (i = 0; i < NUM_MSIX * 16; i += 4)
		mvgpu_irqs_table_write(&irqs, i, 0xabcd0000 | i);
	for (i = 0; i < NUM_MSIX * 16; i += 4)
		assert_int_equal(mvgpu_irqs_table_read(&irqs, i),
				 i % 16 == 12 ? i & 1 : 0xabcd0000 | i);
	mvgpu_irqs_table_write(&irqs, 12, 0xffffffff);
	assert_int_equal(mvgpu_irqs_table_read(&irqs, 12), 1);	/* the rest is reserved */
	mvgpu_irqs_reset(&irqs);
	for (i = 0; i < NUM_MSIX * 16; i += 4)
		assert_int_equal(mvgpu_irqs_table_read(&irqs, i), i % 16 == 12);
	for (i = 0; i < 8; i += 4)
		assert_int_equal(mvgpu_irqs_pba_read(&irqs, i), 0);
}

/* One kind at a time; the next only after the last was disabled */
static void switching(void **state)
{
	static const u32 kinds[] = { INTX, MSI, MSIX };
	int fd = shim_eventfd(), other = shim_eventfd();
	unsigned int i, j;

	for (i = 0; i < 3; i++)
		for (j = 0; j < 3; j++) {
			u64 before = signals(fd);

			if (i == j)
				continue;
			assert_int_equal(trigger(kinds[i], 0, fd), 0);
			assert_int_equal(trigger(kinds[j], 0, other), -EINVAL);
			assert_int_equal(disable(kinds[j]), -EINVAL);
			assert_int_equal(set(TRIGGER, NONE, kinds[j], 0, 1, NULL), -EINVAL);
			assert_int_equal(set(MASK, NONE, kinds[j], 0, 1, NULL), -EINVAL);
			assert_int_equal(set(UNMASK, NONE, kinds[j], 0, 1, NULL), -EINVAL);
			assert_int_equal(shim_eventfd_refs(other), 0);
			mvgpu_irqs_raise(&irqs, 0);
			mvgpu_irqs_lower(&irqs);
			assert_int_equal(signals(fd), before + 1);

			/* Neither masks nor what is pending go with it */
			assert_int_equal(set(MASK, NONE, kinds[i], 0, 1, NULL), 0);
			mvgpu_irqs_raise(&irqs, 0);
			mvgpu_irqs_lower(&irqs);
			assert_int_equal(disable(kinds[i]), 0);
			assert_int_equal(disable(kinds[i]), 0);
			assert_int_equal(shim_eventfd_refs(fd), 0);
			assert_int_equal(trigger(kinds[j], 0, fd), 0);
			assert_int_equal(signals(fd), before + 1);
			mvgpu_irqs_raise(&irqs, 0);
			mvgpu_irqs_lower(&irqs);
			assert_int_equal(signals(fd), before + 2);
			assert_int_equal(disable(kinds[j]), 0);
		}
}

static void bad_eventfds(void **state)
{
	int old[NUM_MSI], fds[NUM_MSI], bad[4][2], i, j, k;

	for (i = 0; i < NUM_MSI; i++)
		old[i] = shim_eventfd();
	bad[0][0] = 4000, bad[0][1] = -EBADF;
	bad[1][0] = shim_other_file(), bad[1][1] = -EINVAL;
	bad[2][0] = -2, bad[2][1] = -EBADF;
	bad[3][0] = INT_MIN, bad[3][1] = -EBADF;

	/* Not active yet, a bad one does not activate */
	for (k = 0; k < 4; k++)
		assert_int_equal(trigger(INTX, 0, bad[k][0]), bad[k][1]);
	assert_int_equal(set(TRIGGER, EVENTFD, MSI, 0, NUM_MSI, old), 0);

	/* Every place of every bad one, among good ones and a hole */
	for (k = 0; k < 4; k++)
		for (i = 0; i < NUM_MSI; i++) {
			for (j = 0; j < NUM_MSI; j++)
				fds[j] = j == (i + 1) % NUM_MSI ? -1 : shim_eventfd();
			if (fds[i] >= 0)
				shim_close(fds[i]);
			fds[i] = bad[k][0];
			assert_int_equal(set(TRIGGER, EVENTFD, MSI, 0, NUM_MSI, fds), bad[k][1]);
			for (j = 0; j < NUM_MSI; j++) {
				assert_int_equal(shim_eventfd_refs(old[j]), 1);
				if (j != i && fds[j] >= 0)
					assert_int_equal(shim_eventfd_refs(fds[j]), 0);
			}
		}
	assert_int_equal(shim_eventfd_all_refs(), NUM_MSI);
	for (i = 0; i < NUM_MSI; i++) {
		mvgpu_irqs_raise(&irqs, i);
		assert_int_equal(signals(old[i]), 1);
	}

	/* The unmask eventfd and the single ones */
	assert_int_equal(disable(MSI), 0);
	assert_int_equal(trigger(INTX, 0, old[0]), 0);
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &bad[0][0]), -EBADF);
	assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &bad[1][0]), -EINVAL);
	assert_null(irqs.unmask);
	assert_int_equal(trigger(ERRX, 0, old[1]), 0);
	for (k = 0; k < 4; k++)
		assert_int_equal(trigger(ERRX, 0, bad[k][0]), bad[k][1]);
	assert_int_equal(shim_eventfd_refs(old[1]), 1);
}

/* The same eventfd may stand for several vectors; replacing drops the right reference */
static void replacing(void **state)
{
	int a = shim_eventfd(), b = shim_eventfd();

	assert_int_equal(set(TRIGGER, EVENTFD, MSIX, 3, 3, ((s32[]){ a, a, b })), 0);
	assert_int_equal(shim_eventfd_refs(a), 2);
	assert_int_equal(set(TRIGGER, EVENTFD, MSIX, 4, 2, ((s32[]){ -1, a })), 0);
	assert_int_equal(shim_eventfd_refs(a), 2);
	assert_int_equal(shim_eventfd_refs(b), 0);
	mvgpu_irqs_raise(&irqs, 3);
	mvgpu_irqs_raise(&irqs, 4);
	mvgpu_irqs_raise(&irqs, 5);
	assert_int_equal(signals(a), 2);
	assert_int_equal(trigger(MSIX, 3, a), 0);
	assert_int_equal(shim_eventfd_refs(a), 2);
	shim_close(a);		/* the VMM's file goes, its vectors stay */
	mvgpu_irqs_raise(&irqs, 3);
	assert_int_equal(disable(MSIX), 0);
	assert_int_equal(shim_eventfd_all_refs(), 0);
}

/* An index can be enabled with no vector armed, as VMMs do that add them one by one */
static void enable_without_vectors(void **state)
{
	int fd = shim_eventfd();

	assert_int_equal(trigger(MSIX, 0, -1), 0);
	assert_int_equal(trigger(INTX, 0, fd), -EINVAL);
	mvgpu_irqs_raise(&irqs, 39);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 4), 1 << 7);
	assert_int_equal(trigger(MSIX, 39, fd), 0);
	assert_int_equal(signals(fd), 1);
}

static void loopback(void **state)
{
	int fd[NUM_MSI], i;

	assert_int_equal(set(TRIGGER, NONE, MSI, 0, 1, NULL), -EINVAL);
	for (i = 0; i < NUM_MSI; i++)
		fd[i] = shim_eventfd();
	fd[2] = -1;
	assert_int_equal(set(TRIGGER, EVENTFD, MSI, 0, NUM_MSI, fd), 0);
	assert_int_equal(set(TRIGGER, NONE, MSI, 0, NUM_MSI, NULL), 0);
	assert_int_equal(set(TRIGGER, BOOL, MSI, 1, 3, ((u8[]){ 0, 1, 0xff })), 0);
	assert_int_equal(signals(fd[0]), 1);
	assert_int_equal(signals(fd[1]), 1);
	assert_int_equal(signals(fd[3]), 2);
	assert_int_equal(mvgpu_irqs_delivered(&irqs), 4);
	assert_int_equal(msi_pending(), 0);

	assert_int_equal(disable(MSI), 0);
	assert_int_equal(trigger(INTX, 0, fd[0]), 0);
	assert_int_equal(set(TRIGGER, BOOL, INTX, 0, 1, (u8[]){ 1 }), 0);
	assert_int_equal(signals(fd[0]), 2);
	assert_false(intx_pending());
}

static void error_and_request(void **state)
{
	static const u32 both[] = { ERRX, REQX };
	int fd[2] = { shim_eventfd(), shim_eventfd() };
	unsigned int i;

	assert_false(mvgpu_irqs_request(&irqs));
	for (i = 0; i < 2; i++) {
		assert_int_equal(set(TRIGGER, NONE, both[i], 0, 1, NULL), 0);	/* nobody there */
		assert_int_equal(trigger(both[i], 0, fd[0]), 0);
		assert_int_equal(trigger(both[i], 0, fd[i]), 0);
		assert_int_equal(shim_eventfd_refs(fd[i]), 1);
		assert_int_equal(set(TRIGGER, NONE, both[i], 0, 1, NULL), 0);
		assert_int_equal(set(TRIGGER, BOOL, both[i], 0, 1, (u8[]){ 1 }), 0);
		assert_int_equal(set(TRIGGER, BOOL, both[i], 0, 1, (u8[]){ 0 }), 0);
		assert_int_equal(signals(fd[i]), 2);
		assert_int_equal(set(MASK, NONE, both[i], 0, 1, NULL), -ENOTTY);
		assert_int_equal(set(UNMASK, NONE, both[i], 0, 1, NULL), -ENOTTY);
		assert_int_equal(set(UNMASK, EVENTFD, both[i], 0, 1, &fd[i]), -ENOTTY);
	}
	assert_true(mvgpu_irqs_request(&irqs));
	assert_int_equal(signals(fd[1]), 3);
	assert_int_equal(signals(fd[0]), 2);

	/* They stand beside the others, and a device reset leaves them */
	assert_int_equal(trigger(MSI, 0, fd[0]), 0);
	assert_int_equal(disable(MSI), 0);
	mvgpu_irqs_reset(&irqs);
	assert_true(mvgpu_irqs_request(&irqs));
	assert_int_equal(disable(REQX), 0);
	assert_false(mvgpu_irqs_request(&irqs));
	assert_int_equal(trigger(ERRX, 0, -1), 0);
	assert_int_equal(shim_eventfd_all_refs(), 0);
}

static void error_codes(void **state)
{
	int fd = shim_eventfd();
	u32 actions;

	assert_int_equal(trigger(MSI, 0, fd), 0);
	assert_int_equal(set(MASK, NONE, MSI, 0, 0, NULL), -EINVAL);
	assert_int_equal(set(UNMASK, BOOL, MSI, 0, 0, NULL), -EINVAL);
	assert_int_equal(set(MASK, EVENTFD, MSI, 0, 1, &fd), -ENOTTY);
	assert_int_equal(set(UNMASK, EVENTFD, MSI, 0, 1, &fd), -ENOTTY);
	assert_int_equal(disable(MSI), 0);
	assert_int_equal(trigger(INTX, 0, fd), 0);
	assert_int_equal(set(MASK, EVENTFD, INTX, 0, 1, &fd), -ENOTTY);
	assert_int_equal(shim_eventfd_refs(fd), 1);

	/* A count of none disables, but no data says so */
	assert_int_equal(set(TRIGGER, EVENTFD, INTX, 0, 0, NULL), -EINVAL);
	assert_int_equal(set(TRIGGER, BOOL, INTX, 0, 0, NULL), -EINVAL);
	assert_int_equal(set(TRIGGER, EVENTFD, REQX, 0, 0, NULL), -EINVAL);
	assert_int_equal(set(TRIGGER, BOOL, ERRX, 0, 0, NULL), -EINVAL);
	assert_int_equal(shim_eventfd_refs(fd), 1);

	/* Exactly one action */
	for (actions = 0; actions < 8; actions++)
		assert_int_equal(mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_DATA_NONE | actions << 3,
						INTX, 0, 1, NULL),
				 __builtin_popcount(actions) == 1 ? 0 : -EINVAL);
}

static void closing(void **state)
{
	int fd[NUM_MSIX], eoi = shim_eventfd(), i, round;

	for (i = 0; i < NUM_MSIX; i++)
		fd[i] = shim_eventfd();
	for (round = 0; round < 2; round++) {
		assert_int_equal(trigger(ERRX, 0, fd[0]), 0);
		assert_int_equal(trigger(REQX, 0, fd[0]), 0);
		assert_int_equal(set(TRIGGER, EVENTFD, MSIX, 0, NUM_MSIX, fd), 0);
		assert_int_equal(shim_eventfd_all_refs(), NUM_MSIX + 2);
		mvgpu_irqs_close(&irqs);
		assert_int_equal(shim_eventfd_all_refs(), 0);
		assert_false(mvgpu_irqs_request(&irqs));
		mvgpu_irqs_raise(&irqs, 0);
		mvgpu_irqs_reset(&irqs);

		assert_int_equal(trigger(INTX, 0, fd[0]), 0);
		assert_int_equal(set(UNMASK, EVENTFD, INTX, 0, 1, &eoi), 0);
		assert_int_equal(shim_eventfd_all_refs(), 2);
		mvgpu_irqs_close(&irqs);
		mvgpu_irqs_close(&irqs);
		assert_int_equal(shim_eventfd_all_refs(), 0);
		shim_eventfd_write(eoi);
		assert_int_equal(shim_run_work(9), 0);
	}
}

static void reset(void **state)
{
	int fd = shim_eventfd();

	assert_int_equal(trigger(MSI, 1, fd), 0);
	gate(false, true, false, 0);
	mvgpu_irqs_raise(&irqs, 1);
	mvgpu_irqs_reset(&irqs);
	assert_int_equal(msi_pending(), 0);
	mvgpu_irqs_gate(&irqs, &open_gate);
	assert_int_equal(signals(fd), 0);
	mvgpu_irqs_raise(&irqs, 1);		/* the VMM's set-up is still there */
	assert_int_equal(signals(fd), 1);
	assert_int_equal(disable(MSI), 0);

	assert_int_equal(trigger(INTX, 0, fd), 0);
	mvgpu_irqs_raise(&irqs, 0);
	mvgpu_irqs_reset(&irqs);
	assert_false(intx_pending());
	assert_int_equal(set(UNMASK, NONE, INTX, 0, 1, NULL), 0);
	assert_int_equal(signals(fd), 2);
	mvgpu_irqs_raise(&irqs, 0);
	assert_int_equal(signals(fd), 3);
}

/* What the VMM masked, it did not ask the device to unmask */
static void reset_keeps_the_vmms_masks(void **state)
{
	int fd = shim_eventfd();

	assert_int_equal(trigger(MSI, 1, fd), 0);
	assert_int_equal(set(MASK, NONE, MSI, 1, 1, NULL), 0);
	mvgpu_irqs_reset(&irqs);
	mvgpu_irqs_raise(&irqs, 1);
	assert_int_equal(signals(fd), 0);
	assert_int_equal(set(UNMASK, NONE, MSI, 1, 1, NULL), 0);
	assert_int_equal(signals(fd), 1);
}

/* Every allocation of every path fails once; what was set up before stays */
static void failing_init(void **state)
{
	unsigned int nth;
	int ret;

	for (nth = 1; ; nth++) {
		mvgpu_irqs_fini(&irqs);
		assert_int_equal(shim_allocs_alive(), 0);
		memset(&irqs, 0, sizeof(irqs));
		shim_fail_alloc(nth);
		ret = mvgpu_irqs_init(&irqs, true, NUM_MSI, NUM_MSIX);
		shim_fail_alloc(0);
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
	}
	assert_int_equal(nth, 3);	/* the vectors, the table */
}

static void failing_set(void **state)
{
	int old = shim_eventfd(), fd = shim_eventfd();
	unsigned int kind, nth, failed = 0;
	int ret;

	for (kind = 0; kind < 3; kind++) {
		for (nth = 1; ; nth++) {
			mvgpu_irqs_close(&irqs);
			assert_int_equal(trigger(ERRX, 0, old), 0);
			if (kind)
				assert_int_equal(trigger(INTX, 0, old), 0);
			shim_fail_alloc(nth);
			switch (kind) {
			case 0:
				ret = set(TRIGGER, EVENTFD, MSI, 0, 2, ((s32[]){ fd, fd }));
				break;
			case 1:
				ret = trigger(INTX, 0, fd);
				break;
			default:
				ret = set(UNMASK, EVENTFD, INTX, 0, 1, &fd);
				break;
			}
			shim_fail_alloc(0);
			if (!ret)
				break;
			failed++;
			assert_int_equal(ret, -ENOMEM);
			assert_int_equal(shim_eventfd_refs(fd), 0);
			assert_int_equal(shim_eventfd_refs(old), 1 + !!kind);
			assert_null(irqs.unmask);
			assert_int_equal(trigger(INTX, 0, old), 0);
		}
	}
	assert_true(failed >= 3);
}

/*
 * The reference model. A vector is what was asked for, not how irq.c stores it: the
 * VMM's mask and the table's are two things, and all that is derived is derived anew.
 */
#define NUM_FDS		8
#define BAD_FD		4000
#define MAX_VEC		NUM_MSIX

struct model {
	u32 active;
	int trigger[MAX_VEC];		/* index into fds, -1 for none */
	bool masked[MAX_VEC];
	bool pending[MAX_VEC];
	bool level;
	struct mvgpu_config_gate gate;
	u32 table[NUM_MSIX][4];
	bool written[NUM_MSIX];		/* the guest has written the entry's mask */
	bool armed;
	int err, req;
	u64 signals[NUM_FDS];
	u64 delivered;
};

static struct model m;
static int fds[NUM_FDS], eoi;
static const u32 counts[NONE] = { 1, NUM_MSI, NUM_MSIX, 1, 1 };

static void model_disable(void)
{
	int i;

	m.active = NONE;
	m.armed = false;
	for (i = 0; i < MAX_VEC; i++) {
		m.trigger[i] = -1;
		m.masked[i] = false;
		m.pending[i] = false;
	}
}

static bool model_held_back(unsigned int i)
{
	switch (m.active) {
	case INTX:
		return m.masked[i] || m.gate.intx_off;
	case MSI:
		return m.masked[i] || m.gate.msg_off || m.gate.msi_mask >> i & 1;
	default:
		return m.masked[i] || m.gate.msg_off || m.gate.msix_masked ||
		       (m.written[i] && m.table[i][3] & 1);
	}
}

static void model_signal(int fd)
{
	if (fd < 0)
		return;
	m.signals[fd]++;
	m.delivered++;
}

/* Whatever can go out does */
static void model_settle(void)
{
	unsigned int i;

	for (i = 0; m.active != NONE && i < counts[m.active]; i++) {
		if (m.active == INTX)
			m.pending[0] = m.level;
		if (!m.pending[i] || m.trigger[i] < 0 || model_held_back(i))
			continue;
		model_signal(m.trigger[i]);
		if (m.active == INTX)
			m.masked[0] = true;
		else
			m.pending[i] = false;
	}
}

static void model_raise(unsigned int vector)
{
	if (m.active == INTX || m.active == NONE)
		m.level = true;
	else if (vector < counts[m.active])
		m.pending[vector] = true;
}

static void step_raise(u64 *seed)
{
	unsigned int vector = unit_below(seed, 8) ? unit_below(seed, NUM_MSI) :
			      unit_below(seed, 2 * NUM_MSIX);

	mvgpu_irqs_raise(&irqs, vector);
	model_raise(vector);
}

static void step_gate(u64 *seed)
{
	struct mvgpu_config_gate g = {
		.intx_off = !unit_below(seed, 3),
		.msg_off = !unit_below(seed, 3),
		.msix_masked = !unit_below(seed, 3),
		.msi_mask = unit_below(seed, 2) ? unit_below(seed, 16) : 0,
	};

	mvgpu_irqs_gate(&irqs, &g);
	m.gate = g;
}

static void step_table(u64 *seed)
{
	unsigned int vector = unit_below(seed, unit_below(seed, 2) ? NUM_MSI : NUM_MSIX);
	unsigned int word = unit_below(seed, 4);
	u32 val = unit_below(seed, 2) ? unit_random(seed) : 0;

	mvgpu_irqs_table_write(&irqs, vector * 16 + word * 4, val);
	m.table[vector][word] = word == 3 ? val & 1 : val;
	m.written[vector] |= word == 3;
	assert_int_equal(mvgpu_irqs_table_read(&irqs, vector * 16 + word * 4),
			 m.table[vector][word]);
}

static void step_reset(u64 *seed)
{
	int i;

	(void)seed;
	mvgpu_irqs_reset(&irqs);
	m.level = false;
	for (i = 0; i < MAX_VEC; i++)
		m.pending[i] = false;
	memset(m.table, 0, sizeof(m.table));
	memset(m.written, 0, sizeof(m.written));
	for (i = 0; i < NUM_MSIX; i++)
		m.table[i][3] = 1;
}

static void step_set_single(u64 *seed, u32 index, u32 count, u32 type, s32 *data, int which)
{
	int *slot = index == ERRX ? &m.err : &m.req;
	int ret = mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_ACTION_TRIGGER | type, index, 0, count, data);

	(void)seed;
	if (!count) {
		*slot = -1;
	} else if (type == VFIO_IRQ_SET_DATA_EVENTFD) {
		if (data[0] == BAD_FD) {
			assert_int_equal(ret, -EBADF);
			return;
		}
		*slot = which;
	} else if (type == VFIO_IRQ_SET_DATA_NONE || *(u8 *)data) {
		model_signal(*slot);
	}
	assert_int_equal(ret, 0);
}

/* VFIO_IRQ_SET_ACTION_TRIGGER, whatever the index and the data */
static void step_trigger(u64 *seed)
{
	static const u32 types[] = {
		VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE, VFIO_IRQ_SET_DATA_BOOL,
	};
	u32 type = types[unit_below(seed, 8) ? 0 : unit_below(seed, 3)];
	u32 index = unit_below(seed, 4) && m.active != NONE ? m.active : unit_below(seed, NONE);
	u32 start = unit_below(seed, counts[index]);
	u32 count = unit_below(seed, 8) ? 1 + unit_below(seed, counts[index] - start) : 0;
	bool bad = false;
	s32 data[MAX_VEC];
	int which[MAX_VEC], ret;
	u32 i;

	if (!count)
		type = VFIO_IRQ_SET_DATA_NONE;
	for (i = 0; i < count; i++) {
		which[i] = (int)unit_below(seed, NUM_FDS + 1) - 1;
		data[i] = which[i] < 0 ? -1 : fds[which[i]];
		if (!unit_below(seed, 40)) {
			data[i] = BAD_FD;
			bad = true;
		}
	}
	if (type == VFIO_IRQ_SET_DATA_BOOL)
		for (i = 0; i < count; i++)
			((u8 *)data)[i] = unit_below(seed, 2);
	if (index == ERRX || index == REQX)
		return step_set_single(seed, index, count, type, data, which[0]);

	ret = mvgpu_irqs_set(&irqs, VFIO_IRQ_SET_ACTION_TRIGGER | type, index, start, count, data);
	if (m.active != index && m.active != NONE) {
		assert_int_equal(ret, -EINVAL);
	} else if (!count) {
		assert_int_equal(ret, 0);
		model_disable();
	} else if (type == VFIO_IRQ_SET_DATA_EVENTFD) {
		assert_int_equal(ret, bad ? -EBADF : 0);
		if (bad)
			return;
		m.active = index;
		for (i = 0; i < count; i++)
			m.trigger[start + i] = which[i];
	} else if (m.active == NONE) {
		assert_int_equal(ret, -EINVAL);
	} else {
		assert_int_equal(ret, 0);
		for (i = 0; i < count; i++)
			if (type == VFIO_IRQ_SET_DATA_NONE || ((u8 *)data)[i])
				model_signal(m.trigger[start + i]);
	}
}

static void step_mask(u64 *seed)
{
	u32 index = unit_below(seed, 8) && m.active != NONE ? m.active : unit_below(seed, NONE);
	u32 start = unit_below(seed, counts[index]);
	u32 count = 1 + unit_below(seed, counts[index] - start), i;
	bool bools = unit_below(seed, 2), mask = !unit_below(seed, 3);
	u8 chosen[MAX_VEC];
	int ret;

	for (i = 0; i < count; i++)
		chosen[i] = !bools || unit_below(seed, 2);
	ret = mvgpu_irqs_set(&irqs, (mask ? VFIO_IRQ_SET_ACTION_MASK : VFIO_IRQ_SET_ACTION_UNMASK) |
			     (bools ? VFIO_IRQ_SET_DATA_BOOL : VFIO_IRQ_SET_DATA_NONE),
			     index, start, count, bools ? chosen : NULL);
	if (index == ERRX || index == REQX) {
		assert_int_equal(ret, -ENOTTY);
		return;
	}
	assert_int_equal(ret, m.active == index ? 0 : -EINVAL);
	for (i = 0; !ret && i < count; i++)
		if (chosen[i])
			m.masked[start + i] = mask;
}

static void step_unmask_eventfd(u64 *seed)
{
	s32 fd = unit_below(seed, 3) ? eoi : -1;
	int ret;

	if (m.armed && unit_below(seed, 3)) {
		shim_eventfd_write(eoi);
		shim_run_work(~0u);
		m.masked[0] = false;
		return;
	}
	ret = set(UNMASK, EVENTFD, INTX, 0, 1, &fd);
	if (m.active != INTX) {
		assert_int_equal(ret, -EINVAL);
	} else if (fd == -1) {
		assert_int_equal(ret, 0);
		m.armed = false;
	} else {
		assert_int_equal(ret, m.armed ? -EBUSY : 0);
		m.armed = true;
	}
}

static void step_request(u64 *seed)
{
	(void)seed;
	assert_int_equal(mvgpu_irqs_request(&irqs), m.req >= 0);
	if (m.req >= 0)
		m.signals[m.req]++;
}

static void step_lower(u64 *seed)
{
	(void)seed;
	mvgpu_irqs_lower(&irqs);
	m.level = false;
}

static void step_close(u64 *seed)
{
	if (unit_below(seed, 20))
		return;
	mvgpu_irqs_close(&irqs);
	model_disable();
	m.err = -1;
	m.req = -1;
	assert_int_equal(shim_eventfd_all_refs(), 0);
}

static void compare(void)
{
	u32 msi = 0, pba[2] = { 0 }, got;
	int refs[NUM_FDS] = { 0 };
	bool intx;
	int i;

	for (i = 0; i < MAX_VEC; i++) {
		if (m.trigger[i] >= 0)
			refs[m.trigger[i]]++;
		if (m.pending[i] && m.active == MSI)
			msi |= 1u << i;
		if (m.pending[i] && m.active == MSIX)
			pba[i / 32] |= 1u << i % 32;
	}
	if (m.err >= 0)
		refs[m.err]++;
	if (m.req >= 0)
		refs[m.req]++;
	for (i = 0; i < NUM_FDS; i++) {
		assert_int_equal(signals(fds[i]), m.signals[i]);
		assert_int_equal(shim_eventfd_refs(fds[i]), refs[i]);
	}
	assert_int_equal(shim_eventfd_refs(eoi), m.armed);
	mvgpu_irqs_pending(&irqs, &intx, &got);
	assert_int_equal(intx, m.level);
	assert_int_equal(got, msi);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 0), pba[0]);
	assert_int_equal(mvgpu_irqs_pba_read(&irqs, 4), pba[1]);
	assert_int_equal(mvgpu_irqs_delivered(&irqs), m.delivered);
}

static void random_walk(void **state)
{
	static const struct {
		void (*step)(u64 *seed);
		unsigned int weight;
	} steps[] = {
		{ step_raise, 12 }, { step_lower, 4 }, { step_gate, 6 }, { step_table, 5 },
		{ step_trigger, 6 }, { step_mask, 6 }, { step_unmask_eventfd, 4 },
		{ step_reset, 1 }, { step_request, 1 }, { step_close, 1 },
	};
	u64 seed = unit_seed("random_walk"), busy[NONE + 1] = { 0 };
	unsigned int i, pick, total = 0;
	int n;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		total += steps[i].weight;
	for (i = 0; i < NUM_FDS; i++)
		fds[i] = shim_eventfd();
	eoi = shim_eventfd();
	memset(&m, 0, sizeof(m));
	model_disable();
	m.err = -1;
	m.req = -1;
	for (i = 0; i < NUM_MSIX; i++)
		m.table[i][3] = 1;

	for (n = 0; n < 50000; n++) {
		pick = unit_below(&seed, total);
		for (i = 0; pick >= steps[i].weight; i++)
			pick -= steps[i].weight;
		steps[i].step(&seed);
		model_settle();
		compare();
		busy[m.active]++;
	}
	/* The walk came around */
	for (i = INTX; i <= MSIX; i++)
		assert_true(busy[i] > 1000);
	assert_true(m.delivered > 1000);
}

int main(void)
{
#define test(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)
	static const struct CMUnitTest tests[] = {
		test(info),
		test(no_interrupts),
		test(intx_level),
		test(intx_mask_and_gate),
		test(intx_level_before_enable),
		test(intx_unmask_eventfd),
		test(unmask_while_pending_work),
		test(trigger_unmasks_itself),
		test(msi_vectors),
		test(msi_masks),
		test(msix_masks),
		test(msix_table),
		test(switching),
		test(bad_eventfds),
		test(replacing),
		test(enable_without_vectors),
		test(loopback),
		test(error_and_request),
		test(error_codes),
		test(closing),
		test(reset),
		test(reset_keeps_the_vmms_masks),
		test(failing_init),
		test(failing_set),
		test(random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
