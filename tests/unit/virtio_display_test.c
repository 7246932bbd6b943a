// SPDX-License-Identifier: MIT
/*
 * virtio_display_test.c - a vGPU's heads: their modes, as the hardware has them, and what the
 * VMM is shown: kernel/gvt/virtio/display.c
 */
#include <drm/drm_fourcc.h>
#include "virtio_command.h"

/* It is told of, and the hardware answers */
static void set_mode(unsigned int head, u32 width, u32 height)
{
	bool was = hw_at_once(true);

	hw_set_mode(head, width, height);
	hw_settle();
	hw_at_once(was);
}

/* A vGPU's heads are other ones of the hardware, with their modes */
static void display(void **state)
{
	unsigned int at;

	start(3);
	set_mode(1, 1024, 768);
	assert_int_equal(bar_read(4, DEVICE, 4), VIRTIO_GPU_EVENT_DISPLAY);
	bar_write(4, DEVICE + 4, 4, VIRTIO_GPU_EVENT_DISPLAY);
	assert_int_equal(bar_read(4, DEVICE, 4), 0);
	at = put_simple(CMD(GET_DISPLAY_INFO), 0);
	assert_int_equal(ask(at), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(guest_get(GUEST_RESP(at) + 24 + 8, 4), 1024);
	assert_int_equal(guest_get(GUEST_RESP(at) + 24 + 24 + 8, 4), 1280);
	assert_int_equal(guest_get(GUEST_RESP(at) + 24 + 48 + 16, 4), 0);
	at = put_simple(CMD(GET_EDID), 1);
	assert_int_equal(ask(at), VIRTIO_GPU_RESP_OK_EDID);
	assert_int_equal(guest_get(GUEST_RESP(at) + 24, 4), MVGPU_EDID_SIZE);
	assert_int_equal(guest_get(GUEST_RESP(at) + 32, 8), 0x00ffffffffffff00);
	picture(1);
	assert_ok(put_scanout(1, 1));
	assert_int_not_equal(hw.scanout[2], 0);
	assert_int_equal(hw.scanout[1], 0);
	stop();
}

/* Whether the guest is told that somebody looks at its head */
static bool is_enabled(unsigned int head)
{
	unsigned int at = put_simple(CMD(GET_DISPLAY_INFO), 0);

	assert_int_equal(ask(at), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	return guest_get(GUEST_RESP(at) + 24 + 24 * head + 16, 4);
}

/* What the guest has been told of since it last was asked */
static bool was_told(void)
{
	bool was = bar_read(4, DEVICE, 4) & VIRTIO_GPU_EVENT_DISPLAY;

	bar_write(4, DEVICE + 4, 4, VIRTIO_GPU_EVENT_DISPLAY);
	return was;
}

/* The physical heads' windows are resized, closed and opened, and others' are */
static void hotplug(void **state)
{
	unsigned int raised;

	(void)state;
	start(3);
	assert_true(is_enabled(0) && is_enabled(1));
	bar_write(4, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	raised = pci.raised;
	set_mode(1, 1024, 768);
	assert_int_equal(hw.config.events_read, 0);
	assert_int_equal(pci.raised, raised + 1);
	assert_int_equal(pci.vector, 0);
	assert_true(was_told());
	assert_true(is_enabled(0) && is_enabled(1));
	set_mode(1, 0, 0);
	assert_true(was_told());
	assert_true(!is_enabled(0) && is_enabled(1));
	/* it can be shown something all the same */
	picture(1);
	assert_ok(put_scanout(0, 1));
	set_mode(1, 640, 480);
	assert_true(was_told());
	assert_true(is_enabled(0));
	set_mode(0, 640, 480);
	set_mode(1, 640, 480);
	assert_false(was_told());
	/* what it was before it had a mode */
	set_mode(1, 1280, 800);
	assert_true(was_told());
	set_mode(1, 0, 0);
	assert_true(was_told());
	assert_false(is_enabled(0));
	stop();
}

/*
 * The answer to our own question comes with those to guests' commands, and whoever asked
 * goes on before these have been dealt with
 */
static void together(void **state)
{
	unsigned int i;

	(void)state;
	start(1);
	picture(1);
	for (i = 0; i < 500; i++) {
		put_flush(1);
		go();
		hw_set_mode(0, 640 + i, 480);
		while (hw_pending(VG_CONTROLQ) != 2)
			usleep(10);
		put_flush(1);
		guest_notify(VG_CONTROLQ);
		assert_int_equal(hw_run(VG_CONTROLQ, ALL), 3);
		hw_settle();
	}
	stop();
}

/* What the hardware says of its heads when it is asked again */
static void asked_again(void **state)
{
	unsigned int i;

	(void)state;
	start(1);
	for (i = 0; i < 2; i++) {
		hw_set_mode(1, 1024 + i, 768);
		while (hw_pending(VG_CONTROLQ) != 1)
			usleep(100);
		assert_int_equal(hw.config.events_read, 0);
		if (i) {
			hw_restart(true);
		} else {
			hw.refuse = ERR(UNSPEC);
			hw_run(VG_CONTROLQ, 1);
			hw.refuse = 0;
		}
		while (hw_pending(VG_CONTROLQ) != 1)
			usleep(100);
		hw_run(VG_CONTROLQ, 1);
		hw_settle();
		assert_true(was_told());
		assert_int_equal(one.mode[0].r.width, 1024 + i);
	}
	/* what is no event is no question */
	hw.config.events_read = ~VIRTIO_GPU_EVENT_DISPLAY;
	hw.driver->config_changed(&hw.vdev);
	hw_settle();
	assert_int_equal(hw_pending(VG_CONTROLQ), 0);
	stop();
}

/* Somebody changes a head's mode while the hardware can't say so */
static void change_silently(unsigned int head, u32 width)
{
	pthread_mutex_lock(&hw.lock);
	hw.mode[head].r = (struct virtio_gpu_rect){ .width = width, .height = 600 };
	hw.mode[head].enabled = 1;
	pthread_mutex_unlock(&hw.lock);
}

/* Whatever has happened while it was reset or the host slept, is asked for, and told if new */
static void stale(void **state)
{
	pthread_t thread;
	unsigned int i;

	(void)state;
	hw_is_asked = true;
	start(3);
	hw_at_once(true);
	for (i = 0; i < 4; i++) {
		change_silently(1, 800 + i / 2);
		if (i % 2) {
			hw_restart(false);
		} else {
			virtio_device_freeze(&hw.vdev);
			virtio_device_restore(&hw.vdev);
		}
		hw_settle();
		assert_int_equal(was_told(), !(i % 2));
		assert_int_equal(one.mode[0].r.width, 800 + i / 2);
	}
	change_silently(1, 1024);
	hw_restart(false);
	hw_settle();
	assert_true(was_told());

	/* not for ever, if it hangs on that */
	hw_hangs_on = CMD(GET_DISPLAY_INFO);
	i = hw.resets;
	thread = begin_time();
	hw_restart(false);
	hw_settle();
	end_time(thread);
	assert_int_equal(hw.resets, i + 3 * 2);
	hw_restart(false);
	hw_settle();
	assert_int_equal(hw.resets, i + 4 * 2);
	assert_int_equal(hw_pending(VG_CONTROLQ), 0);
	hw_hangs_on = 0;
	set_mode(1, 640, 480);
	assert_true(was_told());
	hw_is_asked = false;
	stop();
}

/* What the VMM is told of the first head: what that shows, and where the guest has it */
static void plane(void **state)
{
	struct mvgpu_scanout so = {};

	start(3);
	assert_int_equal(vg_driver.scanout(&vgpu, &so), -ENODEV);
	picture(1);
	assert_ok(put_scanout(1, 1));
	assert_int_equal(vg_driver.scanout(&vgpu, &so), -ENODEV);
	assert_ok(put_scanout(0, 1));
	assert_int_equal(vg_driver.scanout(&vgpu, &so), 0);
	assert_int_equal(so.format, DRM_FORMAT_XRGB8888);
	assert_int_equal(so.bpp, 32);
	assert_int_equal(so.width, 64);
	assert_int_equal(so.height, 64);
	assert_int_equal(so.stride, 64 * 4);
	assert_int_equal(so.offset, 0);
	assert_ptr_equal(so.mapping, one.head[0].res->hw_backing->mapping);
	mvgpu_mapping_put(so.mapping);

	/* the hardware goes on with its copy, of which the VMM has none */
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 1));
	so = (struct mvgpu_scanout){};
	assert_int_equal(vg_driver.scanout(&vgpu, &so), 0);
	assert_int_equal(so.width, 64);
	assert_null(so.mapping);
	assert_ok(put_scanout(0, 0));
	assert_int_equal(vg_driver.scanout(&vgpu, &so), -ENODEV);
	stop();
}

static void point(u32 type, u32 head, u32 id)
{
	put_pointer(type, head, id);
	guest_notify(VG_CURSORQ);
	run();
}

/* The hardware goes on with its copy, until it is told not to: by whoever has the head last */
static void cursor(void **state)
{
	unsigned int i;

	start(3);
	picture(1);
	for (i = 0; i < 2; i++)
		point(CMD(UPDATE_CURSOR), i, 1);
	point(CMD(MOVE_CURSOR), 0, 1);
	assert_ok(put_simple(CMD(RESOURCE_UNREF), 1));
	assert_int_not_equal(hw.cursor[1], 0);
	assert_int_not_equal(hw.cursor[2], 0);
	point(CMD(MOVE_CURSOR), 1, 0);
	assert_int_equal(hw.cursor[2], 0);
	hw_at_once(true);
	guest_drive();
	assert_int_equal(hw.cursor[1], 0);
	hw_at_once(false);

	/* told again, whether the head shows anything else or not, if it is there */
	picture(1);
	for (i = 0; i < 2; i++)
		point(CMD(UPDATE_CURSOR), i, 1);
	point(CMD(MOVE_CURSOR), 1, 0);
	hw_restart(false);
	run();
	assert_int_not_equal(hw.cursor[1], 0);
	assert_int_equal(hw.cursor[2], 0);
	stop();
	assert_int_equal(hw.cursor[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(display),
		cmocka_unit_test(hotplug),
		cmocka_unit_test(together),
		cmocka_unit_test(asked_again),
		cmocka_unit_test(stale),
		cmocka_unit_test(plane),
		cmocka_unit_test(cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
