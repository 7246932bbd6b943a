// SPDX-License-Identifier: MIT
/*
 * virtio_revoke_test.c - memory of a guest goes while the hardware may use it:
 * kernel/gvt/virtio/{resource,sched}.c
 */
#include "virtio_command.h"

/* The hardware lets go before the VMM has its memory back; a transfer attaches it again */
static void revoked(void **state)
{
	pthread_t vmm;

	start(1);
	picture(1);
	vmm = begin_unmap(1);
	usleep(50000);
	hw_check();
	run();
	end_unmap(vmm);
	assert_told(CMD(RESOURCE_DETACH_BACKING));
	assert_int_equal(ask(put_transfer(1)), ERR(UNSPEC));
	map_picture();
	assert_ok(put_transfer(1));
	assert_told(CMD(RESOURCE_DETACH_BACKING), CMD(RESOURCE_ATTACH_BACKING),
		    CMD(TRANSFER_TO_HOST_2D));
	assert_int_equal(one.num_ranges, 1);
	stop();
}

static bool held_up;

static void hold_up(struct mvgpu_mapping *m, void *priv)
{
	(void)m;
	(void)priv;
	__atomic_store_n(&held_up, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&held_up, __ATOMIC_ACQUIRE))
		usleep(100);
}

/* Another callback comes first, and the hardware is reset before the resource's turn */
static void revoked_in_line(void **state)
{
	const struct mvgpu_range r = { PICTURE, PAGE_SIZE };
	struct mvgpu_mapping *m;
	pthread_t vmm;

	start(1);
	picture(1);
	m = mvgpu_map(&vgpu, &r, 1, DMA_TO_DEVICE, hold_up, NULL);
	assert_false(IS_ERR(m));
	pthread_create(&vmm, NULL, unmap, NULL);
	while (!__atomic_load_n(&held_up, __ATOMIC_ACQUIRE))
		usleep(100);
	hw_restart(false);
	run();
	/* not attached in between */
	assert_told(CMD(RESOURCE_CREATE_2D), CMD(TRANSFER_TO_HOST_2D));
	__atomic_store_n(&held_up, false, __ATOMIC_RELEASE);
	run();
	end_unmap(vmm);
	mvgpu_unmap(m);
	map_picture();
	assert_ok(put_transfer(1));
	stop();
}

/* The picture's memory goes while the hardware is full, and is back before the rest is run */
static void away_and_back(void)
{
	pthread_t vmm;

	go();
	vmm = begin_unmap(VG_DEPTH);
	while (!detach_waits())
		usleep(100);
	assert_int_equal(hw_run(VG_CONTROLQ, 1), 1);
	assert_int_equal(hw_run(VG_CONTROLQ, VG_DEPTH), VG_DEPTH);
	end_unmap(vmm);
	map_picture();
	run();
}

/*
 * Transfers that the detaching has overtaken are tried again, once their memory is back, and
 * what they have filled is shown again
 */
static void retry(void **state)
{
	unsigned int i, at[2];

	start(1);
	picture(1);
	assert_ok(put_scanout(0, 1));
	for (i = 0; i < VG_DEPTH; i++)
		put_flush(1);
	at[0] = put_transfer(1);
	at[1] = put_transfer(1);
	away_and_back();
	assert_int_equal(answer(at[0]), OK);
	assert_int_equal(answer(at[1]), OK);
	assert_told(CMD(RESOURCE_DETACH_BACKING), CMD(TRANSFER_TO_HOST_2D),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_ATTACH_BACKING),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_FLUSH),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_FLUSH));
	stop();
}

/* What is tried again finds another backing, which is too small for it */
static void retry_smaller(void **state)
{
	unsigned int i, at[2];

	(void)state;
	start(1);
	picture(1);
	for (i = 0; i < VG_DEPTH; i++)
		put_flush(1);
	at[0] = put_transfer(1);
	put_simple(CMD(RESOURCE_DETACH_BACKING), 1);
	put_attach(1, PICTURE, PAGE_SIZE);
	at[1] = put_transfer_of(1, (struct virtio_gpu_rect){ 0, 0, 64, 16 }, 0);
	away_and_back();
	assert_int_equal(answer(at[0]), ERR(UNSPEC));
	assert_int_equal(answer(at[1]), OK);
	stop();
}

/* There is no room for the detaching: the memory stays for as long as the hardware has it */
static void no_room(void **state)
{
	pthread_t vmm;

	start(1);
	picture(1);
	hw.fail_add = 1;
	hw_at_once(true);
	pthread_create(&vmm, NULL, unmap, NULL);
	while (__atomic_load_n(&hw.fail_add, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(20000);
	hw_check();
	shim_advance(1000 * MS);
	end_unmap(vmm);
	hw_settle();
	assert_int_equal(hw.num_res, 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revoked),
		cmocka_unit_test(revoked_in_line),
		cmocka_unit_test(retry),
		cmocka_unit_test(retry_smaller),
		cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
