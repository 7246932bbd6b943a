// SPDX-License-Identifier: MIT
/* irq_test.c - kernel/mdev/irq.c: single steps, and failures */
#include "irq_unit.h"

static const struct mvgpu_config_gate open_gate;

static int trigger(u32 index, u32 vector, s32 fd)
{
	return set(TRIGGER, EVENTFD, index, vector, 1, &fd);
}

static int disable(u32 index)
{
	return set(TRIGGER, NONE, index, 0, 0, NULL);
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

int main(void)
{
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
