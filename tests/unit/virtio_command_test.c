// SPDX-License-Identifier: MIT
/*
 * virtio_command_test.c - a guest's commands on their way to a physical virtio-gpu and back,
 * and its resets: kernel/gvt/virtio/{command,resource,vgpu}.c
 */
#include "virtio_command.h"

/* Executed and answered in the order in which they were made available */
static void frame(void **state)
{
	unsigned int i;

	start(1);
	put_create(7, 64, 64);
	put_attach(7, PICTURE, 64 * 64 * 4);
	put_transfer(7);
	put_flush(7);
	put_simple(CMD(RESOURCE_DETACH_BACKING), 7);
	put_simple(CMD(RESOURCE_UNREF), 7);
	go();
	assert_int_equal(hw_pending(VG_CONTROLQ), VG_DEPTH);
	for (i = 0; i < 6; i++) {
		assert_int_equal(used(), i);
		hw_run(VG_CONTROLQ, 1);
		hw_settle();
		assert_int_equal(guest_get(GUEST_USED(0) + 4 + 8 * i, 4), 2 * i);
		assert_int_equal(answer(i), OK);
	}
	assert_told(CMD(RESOURCE_CREATE_2D), CMD(RESOURCE_ATTACH_BACKING),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_FLUSH), CMD(RESOURCE_DETACH_BACKING),
		    CMD(RESOURCE_UNREF));
	assert_int_equal(hw.commands, 6);
	assert_int_equal(hw.bytes, 64 * 64 * 4);
	assert_int_equal(one.memory, 0);
	stop();
}

/* A resource goes before the hardware has said that it is there */
static void short_life(void **state)
{
	unsigned int at;

	start(1);
	put_create(1, 64, 64);
	at = put_simple(CMD(RESOURCE_UNREF), 1);
	assert_ok(at);
	assert_int_equal(hw.num_res, 0);
	stop();
}

#define HIGH	BIT_ULL(40)

/* What needs no hardware does not overtake what does, and answers carry their fences */
static void fences(void **state)
{
	unsigned int at[3], i;

	start(1);
	picture(1);
	at[0] = put_fenced(CMD(RESOURCE_FLUSH), 1, HIGH);
	at[1] = put_fenced(CMD(GET_DISPLAY_INFO), 0, HIGH + 1);
	at[2] = put_fenced(CMD(RESOURCE_FLUSH), 1, HIGH + 2);
	go();
	assert_int_equal(used(), 2);
	hw_run(VG_CONTROLQ, 1);
	hw_settle();
	assert_int_equal(used(), 4);
	run();
	assert_int_equal(used(), 5);
	/* of which the hardware, which serves others as well, is told its own */
	assert_int_equal(hw.fence, 2);
	assert_int_equal(answer(at[1]), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	for (i = 0; i < 3; i++) {
		assert_int_equal(guest_get(GUEST_RESP(at[i]) + 4, 4), VIRTIO_GPU_FLAG_FENCE);
		assert_int_equal(guest_get(GUEST_RESP(at[i]) + 8, 8), HIGH + i);
	}
	assert_ok(at[0] = put_flush(1));
	assert_int_equal(guest_get(GUEST_RESP(at[0]) + 4, 4), 0);
	stop();
}

static void nonsense(void **state)
{
	struct virtio_gpu_resource_create_2d create = {
		.hdr.type = CMD(RESOURCE_CREATE_2D), .resource_id = 9, .format = 77,
		.width = 1, .height = 1,
	};
	unsigned int before;

	start(1);
	picture(1);
	before = hw.executed;
	assert_int_equal(ask(put_create(0, 1, 1)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_create(1, 1, 1)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_create(2, 0, 1)), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put_create(2, UINT_MAX, UINT_MAX)), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put_create(2, 1u << 31, 1u << 31)), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put_create(2, 1, VG_MAX_EDGE + 1)), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put_create(2, VG_MAX_EDGE + 1, 1)), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put(&create, sizeof(create))), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put(&create, sizeof(create) - 1)), ERR(UNSPEC));
	assert_int_equal(ask(put_attach(2, PICTURE, 1)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_attach(1, PICTURE, 1)), ERR(UNSPEC));
	assert_int_equal(ask(put_simple(CMD(RESOURCE_UNREF), 2)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_flush(2)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_transfer(2)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_scanout(1, 1)), ERR(INVALID_SCANOUT_ID));
	assert_int_equal(ask(put_scanout(0, 2)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_simple(CMD(GET_EDID), 1)), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put_simple(CMD(GET_EDID) + 1, 1)), ERR(UNSPEC));
	put_cursor(1, 1);
	put_cursor(0, 2);
	guest_notify(VG_CURSORQ);
	run();
	assert_int_equal(guest_get(GUEST_USED(VG_CURSORQ) + 2, 2), 2);
	assert_int_equal(hw.executed, before);
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 1));
	assert_int_equal(ask(put_simple(CMD(RESOURCE_DETACH_BACKING), 1)),
			 ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_attach(1, NOWHERE, 1)), ERR(UNSPEC));
	assert_ok(put_create(2, 1, VG_MAX_EDGE));
	assert_ok(put_create(3, VG_MAX_EDGE, 1));
	stop();
}

/* ---- what the hardware needn't check ---- */

static void rectangles(void **state)
{
	static const struct virtio_gpu_rect bad[] = {
		{ 0, 0, 65, 64 }, { 0, 0, 64, 65 }, { 1, 0, 64, 64 }, { 0, 1, 64, 64 },
		{ UINT_MAX, 0, 1, 1 }, { 0, UINT_MAX, 1, 1 }, { 1, 1, UINT_MAX, UINT_MAX },
	};
	struct virtio_gpu_transfer_to_host_2d transfer = {
		.hdr.type = CMD(TRANSFER_TO_HOST_2D), .resource_id = 1,
	};
	struct virtio_gpu_resource_flush flush = {
		.hdr.type = CMD(RESOURCE_FLUSH), .resource_id = 1,
	};
	struct virtio_gpu_set_scanout scanout = {
		.hdr.type = CMD(SET_SCANOUT), .resource_id = 1,
	};
	unsigned int i, executed;

	(void)state;
	start(1);
	picture(1);
	executed = hw.executed;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		transfer.r = bad[i];
		flush.r = bad[i];
		scanout.r = bad[i];
		assert_int_equal(ask(put(&transfer, sizeof(transfer))), ERR(INVALID_PARAMETER));
		assert_int_equal(ask(put(&flush, sizeof(flush))), ERR(INVALID_PARAMETER));
		assert_int_equal(ask(put(&scanout, sizeof(scanout))), ERR(INVALID_PARAMETER));
	}
	assert_int_equal(hw.executed, executed);
	stop();
}

/* Every row has to begin in what is attached, and to end there, or QEMU dies of it */
static void offsets(void **state)
{
	const u64 len = 64 * 64 * 4;
	const struct {
		struct virtio_gpu_rect r;
		u64 offset;
		u32 answer;
	} cases[] = {
		/* what drivers send: what is damaged, where it is */
		{ { 0, 0, 64, 64 }, 0, OK }, { { 0, 63, 64, 1 }, 63 * 256, OK },
		{ { 63, 63, 1, 1 }, len - 4, OK }, { { 8, 4, 16, 60 }, 4 * 256 + 8 * 4, OK },
		{ { 0, 0, 0, 0 }, len, OK }, { { 0, 0, 64, 0 }, len, OK },
		{ { 0, 0, 0, 64 }, 256, OK },
		{ { 0, 0, 64, 64 }, 1, ERR(INVALID_PARAMETER) },
		{ { 0, 63, 64, 1 }, 63 * 256 + 1, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 1, 2 }, len - 256 - 3, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 1, 1 }, len, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 0, 0 }, len + 1, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 64, 0 }, U64_MAX, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 0, 64 }, 257, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 64, 64 }, -len, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 1, 1 }, 1ull << 32, ERR(INVALID_PARAMETER) },
		{ { 0, 0, 1, 1 }, U64_MAX - 3, ERR(INVALID_PARAMETER) },
	};
	unsigned int i;

	start(1);
	picture(1);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(ask(put_transfer_of(1, cases[i].r, cases[i].offset)),
				 cases[i].answer);
	/* less than the picture is attached, then nothing */
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 1));
	assert_int_equal(ask(put_transfer(1)), ERR(INVALID_PARAMETER));
	assert_ok(put_attach(1, PICTURE, PAGE_SIZE));
	assert_int_equal(ask(put_transfer(1)), ERR(INVALID_PARAMETER));
	assert_ok(put_transfer_of(1, (struct virtio_gpu_rect){ 0, 0, 64, 16 }, 0));
	assert_int_equal(ask(put_transfer_of(1, (struct virtio_gpu_rect){ 0, 0, 64, 17 }, 0)),
			 ERR(INVALID_PARAMETER));
	/* as much is told restarted hardware */
	hw_restart(false);
	run();
	assert_told(CMD(RESOURCE_CREATE_2D), CMD(RESOURCE_ATTACH_BACKING),
		    CMD(TRANSFER_TO_HOST_2D));
	stop();
}

/* ---- quotas ---- */

static void memory(void **state)
{
	start(1);
	assert_ok(put_create(1, 4096, 4095));
	assert_int_equal(ask(put_create(2, 4097, 1)), ERR(OUT_OF_MEMORY));
	assert_ok(put_create(3, 4096, 1));
	assert_int_equal(ask(put_create(2, 1, 1)), ERR(OUT_OF_MEMORY));
	assert_ok(put_simple(CMD(RESOURCE_UNREF), 3));
	assert_ok(put_create(2, 1, 1));
	stop();
}

static void resources(void **state)
{
	unsigned int i;

	start(1);
	hw_at_once(true);
	for (i = 1; i <= VG_MAX_RESOURCES; i++) {
		put_create(i, 1, 1);
		if (i % 32 == 0)
			go();
	}
	assert_int_equal(one.num_resources, VG_MAX_RESOURCES);
	assert_int_equal(hw.num_res, VG_MAX_RESOURCES);
	assert_int_equal(ask(put_create(i, 1, 1)), ERR(OUT_OF_MEMORY));
	assert_ok(put_simple(CMD(RESOURCE_UNREF), 100));
	assert_ok(put_create(i, 1, 1));
	stop();
}

static void ranges(void **state)
{
	unsigned int i;

	start(1);
	shim_vmm_map(COMMANDS, COMMANDS_PAGES, COMMANDS_PAGES, RW);
	for (i = 1; i <= 5; i++)
		assert_ok(put_create(i, 1, 1));
	assert_int_equal(ask(put_pieces(1, VG_MAX_ENTRIES + 1)), ERR(UNSPEC));
	assert_int_equal(ask(put_pieces(1, 0)), ERR(UNSPEC));
	for (i = 1; i <= 4; i++)
		assert_ok(put_pieces(i, VG_MAX_ENTRIES));
	assert_int_equal(ask(put_attach(5, PICTURE, 1)), ERR(OUT_OF_MEMORY));
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 2));
	assert_ok(put_attach(5, PICTURE, 1));
	stop();
}

#define LARGE		0x800000ull	/* in one piece, and in one a page */
#define SCATTERED	0x1000000ull
#define LARGE_PAGES	1024u

/* What is not many ranges may be much to keep for the host: for 2 MiB, and for each piece */
static void costs(void **state)
{
	const u32 len = LARGE_PAGES * PAGE_SIZE, left = 400;
	unsigned long pins;
	unsigned int i;

	start(1);
	shim_vmm_map(COMMANDS, COMMANDS_PAGES, COMMANDS_PAGES, RW);
	shim_vmm_map(LARGE, LARGE_PAGES, LARGE_PAGES, RW);
	shim_vmm_map(SCATTERED, LARGE_PAGES, 1, RW);
	for (i = 1; i <= 6; i++)
		assert_ok(put_create(i, 1, 1));
	for (i = 1; i <= 3; i++)
		assert_ok(put_pieces(i, VG_MAX_ENTRIES));
	assert_ok(put_pieces(4, VG_MAX_ENTRIES - left));
	pins = shim_pin_calls();
	assert_int_equal(ask(put_list(5, LARGE, left / 3 + 1, len, 0)), ERR(OUT_OF_MEMORY));
	assert_int_equal(shim_pin_calls(), pins);
	assert_int_equal(ask(put_attach(5, SCATTERED, len)), ERR(OUT_OF_MEMORY));
	assert_int_equal(one.num_ranges, VG_MAX_RANGES - left);
	assert_ok(put_list(5, LARGE, left / 3, len, 0));
	assert_ok(put_attach(6, PICTURE, 1));
	assert_int_equal(ask(put_simple(CMD(RESOURCE_UNREF), 5)), OK);
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 6));
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 4));
	assert_ok(put_attach(6, SCATTERED, len));
	assert_int_equal(one.num_ranges, 3 * VG_MAX_ENTRIES + LARGE_PAGES);
	/* as much when it is back */
	hw_at_once(true);
	shim_vmm_unmap(SCATTERED);
	shim_vmm_map(SCATTERED, LARGE_PAGES, 1, RW);
	assert_ok(put_transfer_of(6, (struct virtio_gpu_rect){ 0, 0, 1, 1 }, 0));
	assert_int_equal(one.num_ranges, 3 * VG_MAX_ENTRIES + LARGE_PAGES);
	stop();
}

/* A guest that does not wait has so many commands under way and no more */
static void commands(void **state)
{
	unsigned int i;

	start(1);
	picture(1);
	for (i = 0; i < 100; i++)
		put_flush(1);
	go();
	assert_int_equal(one.pending, VG_MAX_COMMANDS);
	assert_int_equal(hw_pending(VG_CONTROLQ), VG_DEPTH);
	run();
	assert_int_equal(used(), 102);
	stop();
}

/* A list that ends where the guest has no memory breaks its queue, as a command there does */
static void nowhere(void **state)
{
	struct {
		struct virtio_gpu_resource_attach_backing req;
		struct virtio_gpu_mem_entry entry[10];
	} cmd = {
		.req.hdr.type = CMD(RESOURCE_ATTACH_BACKING), .req.resource_id = 1,
		.req.nr_entries = ARRAY_SIZE(cmd.entry),
	};
	const u64 addr = COMMANDS + PAGE_SIZE - offsetof(typeof(cmd), entry[8]);

	(void)state;
	start(1);
	shim_vmm_map(COMMANDS, 1, 30, RW);
	assert_ok(put_create(1, 1, 1));
	shim_guest_copy(addr, &cmd, COMMANDS + PAGE_SIZE - addr, true);
	guest_cmd_at(VG_CONTROLQ, addr, sizeof(cmd), 24);
	go();
	assert_true(needs_reset());
	hw_at_once(true);
	guest_drive();
	assert_ok(put_create(1, 1, 1));
	stop();
}

static bool wants_to_know(void)
{
	return !(guest_get(GUEST_USED(VG_CONTROLQ), 2) & VRING_USED_F_NO_NOTIFY);
}

/* Nobody asks for what would only wait, and nothing is forgotten for that */
static void notified(void **state)
{
	unsigned int i;

	(void)state;
	start(1);
	picture(1);
	for (i = 1; i < VG_DEPTH; i++)
		put_flush(1);
	go();
	assert_true(wants_to_know());
	put_flush(1);
	go();
	assert_false(wants_to_know());
	put_flush(1);
	hw_run(VG_CONTROLQ, 1);
	hw_settle();
	assert_int_equal(one.pending, VG_DEPTH);
	assert_false(wants_to_know());
	run();
	assert_int_equal(used(), 2 + VG_DEPTH + 1);
	assert_true(wants_to_know());
	stop();
}

/* ---- resets ---- */

static void *answer_later(void *arg)
{
	usleep(10000);
	hw_at_once(true);
	return arg;
}

/* What the hardware has is waited for, what it hasn't is dropped, nothing is answered */
static void reset(void **state)
{
	unsigned int i, executed;
	pthread_t thread;

	start(3);
	picture(1);
	assert_ok(put_scanout(0, 1));
	put_cursor(0, 1);
	guest_notify(VG_CURSORQ);
	run();
	assert_int_not_equal(hw.cursor[1], 0);
	for (i = 0; i < 20; i++)
		put_transfer(1);
	go();
	hw_run(VG_CONTROLQ, 2);
	hw_settle();
	i = used();
	executed = hw.executed;
	pthread_create(&thread, NULL, answer_later, NULL);
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	pthread_join(thread, NULL);
	/* what it had, scanout and unref */
	assert_int_equal(hw.executed, executed + VG_DEPTH + 2);
	assert_int_equal(hw.num_res, 0);
	assert_int_equal(hw.scanout[1], 0);
	assert_int_equal(hw.cursor[1], 0);
	assert_int_equal(used(), i);
	assert_int_equal(one.num_resources, 0);
	assert_int_equal(one.memory, 0);
	guest_drive();
	picture(1);
	stop();
}

/* A queue that has been reset gets no answers to what was in it before */
static void queue_reset(void **state)
{
	start(1);
	picture(1);
	put_flush(1);
	go();
	bar_write(4, VIRTIO_PCI_COMMON_Q_SELECT, 2, VG_CONTROLQ);
	bar_write(4, VIRTIO_PCI_COMMON_Q_RESET, 2, 1);
	guest_enable(VG_CONTROLQ);
	run();
	assert_int_equal(used(), 0);
	assert_ok(put_flush(1));
	assert_int_equal(used(), 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame),
		cmocka_unit_test(short_life),
		cmocka_unit_test(fences),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(rectangles),
		cmocka_unit_test(offsets),
		cmocka_unit_test(memory),
		cmocka_unit_test(resources),
		cmocka_unit_test(ranges),
		cmocka_unit_test(costs),
		cmocka_unit_test(commands),
		cmocka_unit_test(nowhere),
		cmocka_unit_test(notified),
		cmocka_unit_test(reset),
		cmocka_unit_test(queue_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
