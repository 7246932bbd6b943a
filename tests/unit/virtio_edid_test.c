// SPDX-License-Identifier: MIT
/*
 * virtio_edid_test.c - the EDIDs of a physical virtio-gpu's monitors on their way to guests:
 * kernel/gvt/virtio/{gpu,display,command}.c
 *
 * The vGPU's heads are the hardware's second and third.
 */
#include "virtio_vgpu.h"

#define ERR(n)		VIRTIO_GPU_RESP_ERR_##n
#define OURS		0		/* fills no monitor's EDID in these tests */
#define RESTART		2		/* resets of hardware that is restarted once */

static void begin(u64 offers)
{
	hw_offers = offers;
	guest_start();
	assert_int_equal(hw_start(), 0);
	hw_at_once(true);
	assert_int_equal(vgpu_start(3), 0);
	guest_drive();
	shim_said("");
}

static void end(void)
{
	hw_offers = 0;
	hw_window = 0;
	hw_hangs_on = 0;
	vgpu_stop();
	hw_stop();
	unit_stop();
}

static unsigned int ask(unsigned int head)
{
	const struct virtio_gpu_cmd_get_edid req = {
		.hdr.type = VIRTIO_GPU_CMD_GET_EDID, .scanout = head,
	};
	unsigned int at = guest_cmd(VG_CONTROLQ, &req, sizeof(req), 0x600);

	guest_notify(VG_CONTROLQ);
	hw_settle();
	return at;
}

/* The guest's EDID of a head is that of a monitor, byte for byte, or one of ours */
static void assert_edid(unsigned int head, u32 size, u8 fill)
{
	struct virtio_gpu_resp_edid resp, right = { .hdr.type = VIRTIO_GPU_RESP_OK_EDID };
	unsigned int at;

	memset(&resp, 0xee, sizeof(resp));
	at = slot[VG_CONTROLQ] % GUEST_SLOTS;
	shim_guest_copy(GUEST_RESP(at), &resp, sizeof(resp), true);
	at = ask(head);
	shim_guest_copy(GUEST_RESP(at), &resp, sizeof(resp), false);
	right.size = size;
	if (fill == OURS) {
		right.size = MVGPU_EDID_SIZE;
		mvgpu_edid(right.edid, one.mode[head].r.width, one.mode[head].r.height, head);
	} else {
		memset(right.edid, fill, size);
		memcpy(right.edid, "\0\xff\xff\xff\xff\xff\xff", 8);
	}
	assert_memory_equal(&resp, &right, sizeof(resp));
}

#define assert_ours(head)	assert_edid(head, 0, OURS)

/* The hardware has an event for several reasons, and the driver has dealt with it */
static void event(void)
{
	hw_listen(true);
	hw_settle();
}

static void set(unsigned int head, u32 width, u32 size, u8 fill)
{
	hw_listen(false);
	hw_set_edid(head, size, fill);
	hw_set_mode(head, width, 600);
	event();
}

/* Whether the guest has been told of something since it last was asked */
static bool was_told(void)
{
	bool was = bar_read(4, DEVICE, 4) & VIRTIO_GPU_EVENT_DISPLAY;

	bar_write(4, DEVICE + 4, 4, VIRTIO_GPU_EVENT_DISPLAY);
	return was;
}

static void passed_on(void **state)
{
	hw_window = 800;
	begin(EDID);
	assert_edid(0, 128, 1);		/* since it was probed */
	assert_ours(1);
	set(1, 1024, 256, 0x11);
	assert_edid(0, 256, 0x11);
	set(2, 640, 1024, 0x22);
	assert_edid(1, 1024, 0x22);
	assert_edid(0, 256, 0x11);
	set(1, 1024, 128, 0x33);
	assert_edid(0, 128, 0x33);
	/* a vGPU that comes later has it, too */
	vgpu_stop();
	assert_int_equal(vgpu_start(3), 0);
	guest_drive();
	assert_edid(0, 128, 0x33);
	/* and so does one after the hardware has been restarted */
	hw_restart(false);
	assert_edid(0, 128, 0x33);
	end();
}

/* One that prefers what is too wide or too high for the type is not the guest's */
static void too_large(void **state)
{
	const struct mvgpu_type *type;
	unsigned int i;

	begin(EDID);
	type = mvgpu_type(&vgpu);
	set(1, type->max_width - 1, 128, 0x11);
	assert_edid(0, 128, 0x11);
	set(1, type->max_width + 1, 128, 0x11);
	assert_int_equal(one.mode[0].r.width, type->max_width);
	assert_ours(0);
	for (i = 0; i < 2; i++) {
		hw_listen(false);
		hw_set_mode(1, 1024, type->max_height - 1 + 2 * i);
		event();
		if (i)
			assert_ours(0);
		else
			assert_edid(0, 128, 0x11);
	}
	end();
}

/* Who looks at no head has no monitor */
static void comes_and_goes(void **state)
{
	begin(EDID);
	assert_ours(0);			/* as nobody ever has */
	set(1, 1024, 128, 0x11);
	assert_edid(0, 128, 0x11);
	set(1, 0, 128, 0x11);
	assert_true(was_told());
	assert_ours(0);
	set(1, 1024, 128, 0x11);
	assert_true(was_told());
	assert_edid(0, 128, 0x11);
	end();
}

static void not_offered(void **state)
{
	hw_window = 800;
	begin(0);
	set(1, 1024, 128, 0x11);
	assert_true(was_told());
	assert_int_equal(one.mode[0].r.width, 1024);
	assert_ours(0);
	end();
}

/* The guest hears of another EDID in the same mode, once, and of nobody else's */
static void news(void **state)
{
	begin(EDID);
	set(1, 1024, 128, 0x11);
	assert_true(was_told());
	set(1, 1024, 128, 0x22);
	assert_true(was_told());
	set(1, 1024, 256, 0x22);
	assert_true(was_told());
	set(1, 1024, 256, 0x22);
	assert_false(was_told());
	set(0, 1024, 128, 0x33);
	set(3, 1024, 128, 0x33);
	assert_false(was_told());
	end();
}

/* Whoever asks when it is told gets the new one */
static void told_afterwards(void **state)
{
	unsigned int raised;

	begin(EDID);
	set(1, 1024, 128, 0x11);
	assert_true(was_told());
	bar_write(4, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	raised = pci.raised;
	hw_at_once(false);
	hw_set_edid(1, 256, 0x22);
	hw_set_mode(1, 800, 600);
	while (hw_pending(VG_CONTROLQ) != 1)
		usleep(100);
	assert_int_equal(hw_run(VG_CONTROLQ, 1), 1);
	while (hw_pending(VG_CONTROLQ) != 1)
		usleep(100);
	assert_int_equal(hw.log[(hw.executed - 1) % HW_LOG].type, VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
	assert_false(was_told());
	assert_int_equal(pci.raised, raised);
	hw_run(VG_CONTROLQ, 1);
	hw_settle();
	assert_true(was_told());
	assert_int_equal(pci.raised, raised + 1);
	assert_edid(0, 256, 0x22);
	end();
}

/* What the hardware says is looked at before anybody gets it */
static void nonsense(void **state)
{
	static const u32 size[] = {
		0, 1, 64, 127, 129, 255, 1023, 1025, 1152, 0x80000080, UINT_MAX - 127, UINT_MAX,
	};
	unsigned int i;

	begin(EDID);
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		set(1, 1024, 128, 0x11);
		assert_edid(0, 128, 0x11);
		was_told();
		set(1, 1024, size[i], 0x11);
		assert_true(was_told());
		assert_ours(0);
	}
	for (i = 0; i < 8; i++) {
		set(1, 1024, 128, 0x11);
		hw_listen(false);
		hw_set_edid(1, 128, 0x11);
		hw.edid[1].byte[i] ^= 0x80;
		hw_set_mode(1, 1024, 600);
		event();
		assert_ours(0);
	}
	end();
}

/* An error comes with an EDID, and no answer with none; the next head is asked all the same */
static void refused(void **state)
{
	const u32 how[] = { ERR(UNSPEC), ERR(INVALID_SCANOUT_ID), HW_SHORT };
	unsigned int i;

	begin(EDID);
	set(2, 640, 128, 0x22);
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		set(1, 1024, 128, 0x11);
		hw_at_once(false);
		hw_set_mode(1, 800 + i, 600);
		while (hw_pending(VG_CONTROLQ) != 1)
			usleep(100);
		hw_run(VG_CONTROLQ, 1);
		while (hw_pending(VG_CONTROLQ) != 1)
			usleep(100);
		hw.refuse = how[i];
		hw_run(VG_CONTROLQ, 1);
		hw.refuse = 0;
		hw_at_once(true);
		hw_settle();
		assert_int_equal(one.mode[0].r.width, 800 + i);
		assert_ours(0);
		assert_edid(1, 128, 0x22);
	}
	end();
}

static void in_time(void (*what)(void))
{
	pthread_t thread = begin_time();

	what();
	end_time(thread);
}

static void probe(void)
{
	begin(EDID);
}

/* Hardware that hangs on it costs one reset, and has no EDIDs until it answers */
static void hangs(void **state)
{
	hw_window = 800;
	hw_hangs_on = VIRTIO_GPU_CMD_GET_EDID;
	in_time(probe);
	assert_int_equal(hw.resets, RESTART);
	assert_int_equal(one.mode[0].r.width, 800);
	assert_ours(0);
	hw_hangs_on = 0;
	set(1, 1024, 128, 0x11);
	set(2, 1024, 128, 0x22);
	assert_edid(0, 128, 0x11);
	assert_edid(1, 128, 0x22);
	was_told();
	hw_hangs_on = VIRTIO_GPU_CMD_GET_EDID;
	hw_listen(false);
	hw_set_mode(1, 640, 600);
	in_time(event);
	assert_int_equal(hw.resets, 2 * RESTART);
	assert_true(was_told());
	assert_int_equal(one.mode[0].r.width, 640);
	assert_ours(0);
	assert_ours(1);
	hw_hangs_on = 0;
	set(1, 640, 128, 0x11);
	assert_edid(0, 128, 0x11);
	assert_edid(1, 128, 0x22);
	end();
}

/* Probing it fails in every allocation */
static void no_memory(void **state)
{
	unsigned int i;
	int ret;

	guest_start();
	hw_offers = EDID;
	hw_window = 800;
	for (i = 1; ; i++) {
		long allocs = shim_allocs_alive();

		shim_fail_alloc(i);
		ret = hw_start();
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(shim_allocs_alive(), allocs);
	}
	assert_in_range(i, 6, 20);
	shim_fail_alloc(0);
	hw_offers = 0;
	hw_window = 0;
	hw_stop();
	unit_stop();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(passed_on),
		cmocka_unit_test(too_large),
		cmocka_unit_test(comes_and_goes),
		cmocka_unit_test(not_offered),
		cmocka_unit_test(news),
		cmocka_unit_test(told_afterwards),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(refused),
		cmocka_unit_test(hangs),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
