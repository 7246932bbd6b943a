// SPDX-License-Identifier: MIT
/*
 * virtio_gpu_test.c - physical virtio-gpus that lie, are restarted, do not come back, and
 * disappear: kernel/gvt/virtio/gpu.c
 */
#include "virtio_command.h"

/* ---- probing ---- */

/* Nothing is left of hardware that was not taken, and it reaches nothing */
static void assert_refused_gpu(int ret, const char *why)
{
	long allocs = shim_allocs_alive();

	shim_said("");
	assert_int_equal(hw_start(), ret);
	assert_true(shim_said(why));
	assert_int_equal(shim_allocs_alive(), allocs);
	assert_false(hw.on);
}

static void lies(void **state)
{
	const struct {
		u32 scanouts;
		u64 lacks;
		bool not_pci, not_adopted;
		int ret;
		const char *why;
	} lie[] = {
		{ 0, 0, false, false, -EINVAL, "it claims to have 0 heads" },
		{ 17, 0, false, false, -EINVAL, "it claims to have 17 heads" },
		{ UINT_MAX, 0, false, false, -EINVAL, "heads" },
		{ 4, BIT_ULL(VIRTIO_F_VERSION_1), false, false, -ENODEV, "legacy" },
		{ 4, BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), false, false, -ENODEV, "indirect" },
		{ 4, 0, true, false, -ENODEV, "not on the PCI bus" },
		{ 4, 0, false, true, -ENODEV, "" },
	};
	unsigned int i;

	(void)state;
	guest_start();
	for (i = 0; i < ARRAY_SIZE(lie); i++) {
		hw_scanouts = lie[i].scanouts;
		hw_lacks = lie[i].lacks;
		hw_not_pci = lie[i].not_pci;
		hw_not_adopted = lie[i].not_adopted;
		assert_refused_gpu(lie[i].ret, lie[i].why);
		assert_int_equal(hw.resets, 0);
	}
	hw_lacks = 0;
	hw_not_pci = false;
	hw_not_adopted = false;
	for (hw_scanouts = 1; hw_scanouts <= 16; hw_scanouts += 15) {
		assert_int_equal(hw_start(), 0);
		assert_int_equal(hw.budget.heads, hw_scanouts);
		hw_stop();
	}
	hw_scanouts = HW_SCANOUTS;
	unit_stop();
}

/* Probing it fails half-way, and in every allocation */
static void half_way(void **state)
{
	pthread_t thread;
	unsigned int i;
	int ret;

	(void)state;
	guest_start();
	hw.fail_find = 1;
	assert_refused_gpu(-ENOENT, "");
	hw_no_parent = -EBUSY;
	assert_refused_gpu(-EBUSY, "");
	assert_int_equal(hw.resets, 1);
	hw_no_parent = 0;

	hw_is_silent = true;
	thread = begin_time();
	assert_refused_gpu(-EIO, "it does not say what its heads are");
	end_time(thread);
	assert_int_equal(hw.resets, 3);
	hw_is_silent = false;

	for (i = 1; ; i++) {
		long allocs = shim_allocs_alive();

		shim_fail_alloc(i);
		ret = hw_start();
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(shim_allocs_alive(), allocs);
	}
	assert_in_range(i, 3, 20);
	shim_fail_alloc(0);
	hw_stop();
	unit_stop();
}

/* ---- restarts ---- */

static void recovery(void **state)
{
	unsigned int at;

	start(3);
	picture(1);
	assert_ok(put_create(2, 64, 64));
	assert_ok(put_scanout(1, 1));
	put_cursor(0, 2);
	assert_ok(put_scanout(0, 2));
	guest_notify(VG_CURSORQ);
	run();
	at = put_flush(1);
	go();
	hw_restart(false);
	run();
	assert_int_equal(answer(at), OK);
	assert_told(CMD(RESOURCE_CREATE_2D), CMD(RESOURCE_ATTACH_BACKING),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_CREATE_2D), CMD(SET_SCANOUT),
		    CMD(RESOURCE_FLUSH), CMD(SET_SCANOUT), CMD(RESOURCE_FLUSH),
		    CMD(RESOURCE_FLUSH));
	assert_int_equal(hw.num_res, 2);
	assert_int_not_equal(hw.scanout[1], 0);
	assert_int_not_equal(hw.scanout[2], 0);
	assert_int_equal(hw.cursor[1], hw.scanout[1]);
	stop();
}

/* Nobody may reset it now */
static void busy(void **state)
{
	unsigned int at;

	(void)state;
	start(1);
	at = put_create(1, 64, 64);
	go();
	mutex_lock(&hw.pdev.dev.mutex);
	shim_advance(HANG);
	hw_settle();
	assert_int_equal(hw.resets, 0);
	mutex_unlock(&hw.pdev.dev.mutex);
	shim_advance(HZ * MS);
	hw_settle();
	assert_int_equal(hw.resets, 2);
	run();
	assert_int_equal(answer(at), ERR(UNSPEC));
	stop();
}

/* It does not come back */
static void no_queues(void **state)
{
	unsigned int at;

	(void)state;
	start(1);
	picture(1);
	at = put_flush(1);
	go();
	hw.fail_find = 1;
	shim_advance(HANG);
	hw_settle();
	assert_true(shim_said("does not come back"));
	assert_int_equal(answer(at), ERR(UNSPEC));
	assert_int_equal(ask(put_flush(1)), ERR(UNSPEC));
	assert_false(hw.on);
	shim_vmm_unmap(PICTURE);
	map_picture();
	stop();
}

/* And the VMM has its memory back */
static void silent_detach(void **state)
{
	pthread_t vmm, thread;

	(void)state;
	start(1);
	picture(1);
	vmm = begin_unmap(1);
	thread = begin_time();
	end_unmap(vmm);
	end_time(thread);
	map_picture();
	stop();
}

/* ---- it disappears ---- */

static void gone(void **state)
{
	unsigned int at;

	start(1);
	picture(1);
	at = put_flush(1);
	go();
	hw_fail();
	hw_settle();
	assert_int_equal(answer(at), ERR(UNSPEC));
	assert_int_equal(ask(put_flush(1)), ERR(UNSPEC));
	stop();
}

/* Pulled out while it has commands: who waits goes on, whoever notices */
static void pulled(void **state)
{
	unsigned int at[2];

	(void)state;
	start(1);
	picture(1);
	at[0] = put_transfer(1);
	at[1] = put_flush(1);
	go();
	hw_unplug();
	shim_advance(HANG);
	hw_settle();
	assert_int_equal(answer(at[0]), ERR(UNSPEC));
	assert_int_equal(answer(at[1]), ERR(UNSPEC));
	shim_vmm_unmap(PICTURE);
	assert_int_equal(ask(put_transfer(1)), ERR(UNSPEC));
	map_picture();
	stop();
	assert_int_equal(hw.resets, 0);
}

/* Its driver is unbound with a vGPU left, since it is gone or in order but silent */
static void unbound(void **state)
{
	pthread_t thread;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		start(1);
		picture(1);
		put_transfer(1);
		go();
		if (i)
			thread = begin_time();
		else
			hw_unplug();
		hw_leave = vgpu_go;
		hw_listen(false);
		mutex_lock(&hw.pdev.dev.mutex);
		hw.driver->remove(&hw.vdev);
		mutex_unlock(&hw.pdev.dev.mutex);
		hw_leave = NULL;
		assert_false(hw.on);
		if (i)
			end_time(thread);
		hw_unbound();
		unit_stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lies),
		cmocka_unit_test(half_way),
		cmocka_unit_test(recovery),
		cmocka_unit_test(busy),
		cmocka_unit_test(no_queues),
		cmocka_unit_test(silent_detach),
		cmocka_unit_test(gone),
		cmocka_unit_test(pulled),
		cmocka_unit_test(unbound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
