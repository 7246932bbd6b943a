// SPDX-License-Identifier: MIT
/*
 * virtio_sched_test.c - shares of the hardware's time, and what becomes of who hangs it:
 * kernel/gvt/virtio/sched.c
 */
#include "virtio_command.h"

/* ---- shares ---- */

static struct mvgpu second;
static struct vg_vgpu two;

/* Two vGPUs, of which the second is nothing but commands */
static void start_two(unsigned int weight)
{
	start(1);
	memset(&two, 0, sizeof(two));
	two.vgpu = &second;
	vg_vgpu_account(&two, gpu);
	mutex_init(&two.t.lock);
	hw.weight[1] = weight;
}

static void stop_two(void)
{
	run();
	cancel_delayed_work_sync(&two.work);
	stop();
}

/* A head that nobody has is switched off */
static void blank(struct vg_vgpu *v, unsigned int n)
{
	struct vg_cmd *cmd;

	while (n--) {
		cmd = vg_cmd_alloc(v, CMD(SET_SCANOUT), sizeof(struct virtio_gpu_set_scanout),
				   sizeof(struct virtio_gpu_ctrl_hdr), GFP_KERNEL);
		vg_cmd_queue(cmd);
	}
}

/* How many of the next @n commands are the second one's, each of them taking a millisecond */
static unsigned int share(unsigned int n)
{
	unsigned int seconds = 0;

	while (n--) {
		shim_advance(MS);
		assert_int_equal(hw_run(VG_CONTROLQ, 1), 1);
		seconds += hw.log[(hw.executed - 1) % HW_LOG].v == &two;
	}
	return seconds;
}

static void weights(void **state)
{
	unsigned int seconds;

	start_two(300);
	blank(&one, 200);
	blank(&two, 200);
	share(40);
	seconds = share(100);
	assert_in_range(seconds, 71, 79);
	stop_two();
}

/* What is done together is paid for by how much it is */
static void sizes(void **state)
{
	const u64 ms = MS;
	u64 before;

	(void)state;
	start_two(100);
	shim_vmm_map(COMMANDS, COMMANDS_PAGES, COMMANDS_PAGES, RW);
	assert_ok(put_create(1, 1, 1));
	put_pieces(1, 1000);
	go();
	blank(&two, 1);
	before = hw.ns;
	shim_advance(100 * ms);
	assert_int_equal(hw_run(VG_CONTROLQ, 2), 2);
	assert_in_range(hw.ns - before, 95 * ms, 100 * ms);
	stop_two();
}

/* Who comes has not to wait for several large ones */
static void large(void **state)
{
	const struct virtio_gpu_transfer_to_host_2d req = {
		.hdr.type = CMD(TRANSFER_TO_HOST_2D), .resource_id = 1, .r = { 0, 0, 2048, 2048 },
	};
	unsigned int i;

	(void)state;
	start(1);
	shim_vmm_map(COMMANDS, COMMANDS_PAGES, COMMANDS_PAGES, RW);
	assert_ok(put_create(1, 2048, 2048));
	assert_ok(put_list(1, PICTURE, 256, SZ_64K, 0));
	for (i = 0; i < VG_DEPTH; i++)
		put(&req, sizeof(req));
	go();
	for (i = 0; i < VG_DEPTH; i++) {
		hw_settle();
		assert_int_equal(hw_pending(VG_CONTROLQ), 1);
		hw_run(VG_CONTROLQ, 1);
	}
	hw_settle();
	assert_int_equal(used(), 2 + VG_DEPTH);
	stop();
}

/* Who was idle has not saved anything up */
static void idle(void **state)
{
	start_two(100);
	blank(&one, 200);
	share(100);
	blank(&two, 100);
	share(8);
	assert_in_range(share(40), 17, 23);
	stop_two();
}

/* Nor has who always has one command, which takes no time: it takes 50 ms from the other */
static void leisure(void **state)
{
	unsigned int i;

	start_two(100);
	blank(&one, 2000);
	blank(&two, 1);
	for (i = 0; i < 1000; i++) {
		if (hw_next(&hw.q[VG_CONTROLQ])->cmd->v == &two)
			blank(&two, 1);
		else
			shim_advance(MS);
		assert_int_equal(hw_run(VG_CONTROLQ, 1), 1);
	}
	assert_int_not_equal(two.pending, 0);
	blank(&two, 300);
	assert_in_range(share(150), 85, 110);
	assert_in_range(share(40), 17, 23);
	stop_two();
}

/* ---- hangs ---- */

/* The hardware has two commands, and takes its time */
static void start_two_commands(unsigned int at[2])
{
	start(1);
	picture(1);
	at[0] = put_transfer(1);
	at[1] = put_flush(1);
	go();
}

/* What hung fails, what came after it does not; it is noticed by the watchdog */
static void hang(void **state)
{
	unsigned int at[2];

	start_two_commands(at);
	shim_advance(4900 * HZ / 1000 * MS);
	hw_settle();
	assert_int_equal(used(), 2);
	shim_advance(200 * HZ / 1000 * MS);
	run();
	assert_int_equal(answer(at[0]), ERR(UNSPEC));
	assert_int_equal(answer(at[1]), OK);
	assert_int_equal(one.strikes, 1);
	stop();
}

/* It is executed just before the reset: whoever comes next is not to blame */
static void late(void **state)
{
	unsigned int at;

	start_two(100);
	at = put_create(1, 64, 64);
	go();
	blank(&two, 1);
	hw.late = 1;
	hw_restart(true);
	run();
	assert_int_equal(answer(at), OK);
	assert_int_equal(one.strikes, 0);
	assert_int_equal(two.strikes, 0);
	assert_int_equal(gpu->silent, 0);
	stop_two();
}

/* The host is suspended under what takes its time: that is no hang, nor is the pause */
static void suspend(void **state)
{
	unsigned int at[2];

	start_two_commands(at);
	shim_advance(2000 * HZ / 1000 * MS);
	virtio_device_freeze(&hw.vdev);
	shim_advance(60000 * HZ / 1000 * MS);
	hw_settle();
	assert_int_equal(used(), 2);
	virtio_device_restore(&hw.vdev);
	run();
	assert_int_equal(answer(at[0]), OK);
	assert_int_equal(answer(at[1]), OK);
	assert_int_equal(one.strikes, 0);
	stop();
}

/* Hardware that answers in between may hang as often as it likes */
static void forgiven(void **state)
{
	unsigned int i;

	(void)state;
	start(1);
	picture(1);
	for (i = 0; i < VG_MAX_STRIKES + 2; i++) {
		put_flush(1);
		go();
		hw_restart(true);
		hw_settle();
		run();
		assert_ok(put_flush(1));
		shim_advance(601 * 1000 * MS);
	}
	stop();
}

/* Nothing is done for it any more, not even again, and its guest can't change that */
static void strikes(void **state)
{
	unsigned int i, before;
	u64 vtime;

	start(1);
	picture(1);
	vtime = one.vtime;
	for (i = 0; i < VG_MAX_STRIKES; i++) {
		assert_int_equal(bar_read(4, VIRTIO_PCI_COMMON_STATUS, 1), 15);
		put_flush(1);
		put_flush(1);
		go();
		shim_advance(100 * MS);
		hw_restart(true);
		hw_settle();
		before = hw.executed;
		run();
	}
	assert_true(needs_reset());
	assert_int_equal(hw.executed, before);
	assert_true(shim_said("hung"));
	assert_in_range(one.vtime - vtime, 300 * MS, U64_MAX);
	hw_at_once(true);
	/* that a reset is over can be seen */
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	mod_delayed_work(gpu->wq, &one.work, 0);
	hw_settle();
	assert_int_equal(bar_read(4, VIRTIO_PCI_COMMON_STATUS, 1), 0);
	guest_drive();
	put_create(1, 64, 64);
	go();
	assert_true(needs_reset());
	shim_advance(601 * 1000 * MS);
	guest_drive();
	picture(1);
	assert_false(needs_reset());
	stop();
}

static void *close_it(void *arg)
{
	vg_driver.reset(&vgpu);
	return arg;
}

/* What is to be given back is, though the hardware hangs on that and it is banned */
static void strikes_late(void **state)
{
	unsigned int i;
	pthread_t vmm;

	(void)state;
	start(1);
	picture(1);
	assert_ok(put_create(2, 64, 64));
	pthread_create(&vmm, NULL, close_it, NULL);
	for (i = 0; i < VG_MAX_STRIKES; i++) {
		while (!hw_pending(VG_CONTROLQ))
			usleep(100);
		hw_restart(true);
	}
	hw_at_once(true);
	pthread_join(vmm, NULL);
	assert_true(list_empty(&one.hw_resources));
	assert_int_equal(hw.num_res, 0);
	shim_advance(601 * 1000 * MS);
	stop();
}

/* What was to let go of memory when nothing more was done, has: nothing is left in the end */
static void strikes_dropped(void **state)
{
	unsigned int i;

	start(1);
	put_create(1, 64, 64);
	put_create(2, 64, 64);
	put_attach(2, PICTURE, 1);
	go();
	for (i = 0; i < VG_MAX_STRIKES; i++) {
		hw_restart(true);
		hw_settle();
	}
	assert_true(needs_reset());
	stop();
}

/* What it has to be told again may be what it hangs on */
static void strikes_again(void **state)
{
	unsigned int i;

	start(1);
	picture(1);
	hw_restart(false);
	for (i = 0; i < VG_MAX_STRIKES; i++) {
		hw_settle();
		assert_int_not_equal(hw_pending(VG_CONTROLQ), 0);
		hw_restart(true);
	}
	hw_settle();
	assert_int_equal(hw_pending(VG_CONTROLQ), 0);
	stop();
}

/* It never answers again, whoever's commands it gets: after three resets, it is given up */
static void silent(void **state)
{
	unsigned int i, at[6];

	(void)state;
	start_two(100);
	blank(&two, 1);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		at[i] = put_create(1 + i, 64, 64);
	go();
	for (i = 1; i <= VG_MAX_STRIKES; i++) {
		shim_advance(HANG);
		hw_settle();
		assert_int_equal(hw.resets, 2 * i);
		assert_true(shim_said("does not answer"));
	}
	assert_int_not_equal(used(), ARRAY_SIZE(at));
	shim_advance(HANG);
	hw_settle();
	assert_int_equal(hw.resets, 2 * VG_MAX_STRIKES + 1);
	assert_true(shim_said("does not come back"));
	assert_int_equal(used(), ARRAY_SIZE(at));
	for (i = 0; i < ARRAY_SIZE(at); i++)
		assert_int_equal(answer(at[i]), ERR(UNSPEC));
	assert_false(needs_reset());
	assert_int_equal(ask(put_create(9, 1, 1)), ERR(UNSPEC));
	guest_drive();
	stop_two();
	assert_false(hw.on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights),
		cmocka_unit_test(sizes),
		cmocka_unit_test(large),
		cmocka_unit_test(idle),
		cmocka_unit_test(leisure),
		cmocka_unit_test(hang),
		cmocka_unit_test(late),
		cmocka_unit_test(suspend),
		cmocka_unit_test(forgiven),
		cmocka_unit_test(strikes),
		cmocka_unit_test(strikes_again),
		cmocka_unit_test(strikes_late),
		cmocka_unit_test(strikes_dropped),
		cmocka_unit_test(silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
