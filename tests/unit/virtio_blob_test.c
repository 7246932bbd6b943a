// SPDX-License-Identifier: MIT
/*
 * virtio_blob_test.c - UUIDs and blobs, on hardware that has them:
 * kernel/gvt/virtio/{command,resource,display}.c
 */
#include <drm/drm_fourcc.h>
#include "virtio_command.h"

#define BLOB_SIZE	(64 * 64 * 4)

static unsigned int put_create_blob(u32 id, u64 addr, u32 len)
{
	const struct {
		struct virtio_gpu_resource_create_blob req;
		struct virtio_gpu_mem_entry entry;
	} req = {
		.req.hdr.type = CMD(RESOURCE_CREATE_BLOB), .req.resource_id = id,
		.req.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.req.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE,
		.req.nr_entries = 1, .req.blob_id = 5, .req.size = BLOB_SIZE,
		.entry.addr = addr, .entry.length = len,
	};

	return put(&req, sizeof(req));
}

static const struct virtio_gpu_set_scanout_blob whole = {
	.hdr.type = CMD(SET_SCANOUT_BLOB), .r = { 0, 0, 64, 64 }, .resource_id = 1,
	.width = 64, .height = 64, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .strides[0] = 256,
};

static unsigned int put_scanout_blob(u32 head, u32 id)
{
	struct virtio_gpu_set_scanout_blob req = whole;

	req.scanout_id = head;
	req.resource_id = id;
	return put(&req, sizeof(req));
}

static struct vg_resource *resource(u32 id)
{
	struct vg_resource *res;

	mutex_lock(&one.t.lock);
	res = vg_resource_find(&one, id);
	mutex_unlock(&one.t.lock);
	return res;
}

/* What the hardware does not offer or the guest has not accepted is no command */
static void not_negotiated(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		guest_takes = i ? 0 : UINT_MAX;
		start_with(1, i ? UUID | BLOB : 0);
		bar_write(4, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
		assert_int_equal(bar_read(4, VIRTIO_PCI_COMMON_DF, 4) & (UUID | BLOB),
				 i ? UUID | BLOB : 0);
		picture(1);
		assert_int_equal(ask(put_simple(CMD(RESOURCE_ASSIGN_UUID), 1)), ERR(UNSPEC));
		assert_int_equal(ask(put_create_blob(2, PICTURE, BLOB_SIZE)), ERR(UNSPEC));
		assert_int_equal(ask(put_scanout_blob(0, 0)), ERR(UNSPEC));
		assert_told(CMD(RESOURCE_ATTACH_BACKING));
		stop();
	}
	/* each for itself */
	start_with(1, UUID);
	assert_int_equal(ask(put_create_blob(2, PICTURE, BLOB_SIZE)), ERR(UNSPEC));
	stop();
	start_with(1, BLOB);
	assert_ok(put_create_blob(2, PICTURE, BLOB_SIZE));
	assert_int_equal(ask(put_simple(CMD(RESOURCE_ASSIGN_UUID), 2)), ERR(UNSPEC));
	stop();
}

/* The hardware's answer is the guest's */
static void uuid(void **state)
{
	unsigned int at, i;

	(void)state;
	start_with(1, UUID | BLOB);
	picture(1);
	assert_ok(put_create_blob(2, PICTURE, BLOB_SIZE));
	for (i = 1; i <= 2; i++) {
		at = put_simple(CMD(RESOURCE_ASSIGN_UUID), i);
		assert_int_equal(ask(at), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
		assert_int_equal(guest_get(GUEST_RESP(at) + 24, 8), 0x0101010101010101 * i);
		assert_int_equal(guest_get(GUEST_RESP(at) + 32, 8), 0x0101010101010101 * i);
		assert_int_equal(guest_get(GUEST_RESP(at) + 40, 8), 0);
	}
	assert_int_equal(hw.log[(hw.executed - 1) % HW_LOG].id,
			 resource(2)->hw_id);
	assert_int_equal(ask(put_simple(CMD(RESOURCE_ASSIGN_UUID), 3)),
			 ERR(INVALID_RESOURCE_ID));
	hw.refuse = ERR(UNSPEC);
	assert_int_equal(ask(put_simple(CMD(RESOURCE_ASSIGN_UUID), 1)), ERR(UNSPEC));
	hw.refuse = 0;
	stop();
}

/* A blob takes none of the hardware's memory, but counts in all else */
static void blob(void **state)
{
	(void)state;
	start_with(3, BLOB);
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE));
	assert_ok(put_scanout_blob(1, 1));
	assert_ok(put_transfer(1));
	assert_ok(put_flush(1));
	assert_told(CMD(RESOURCE_CREATE_BLOB), CMD(SET_SCANOUT_BLOB), CMD(TRANSFER_TO_HOST_2D),
		    CMD(RESOURCE_FLUSH));
	assert_int_not_equal(hw.scanout[2], 0);
	assert_int_equal(one.num_resources, 1);
	assert_int_equal(one.num_ranges, 1);
	assert_int_equal(one.memory, 0);
	/* without its backing, it is nothing to the hardware */
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 1));
	assert_told(CMD(RESOURCE_UNREF));
	assert_int_equal(hw.num_res, 0);
	assert_int_equal(one.num_ranges, 0);
	assert_int_equal(ask(put_flush(1)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(ask(put_attach(1, PICTURE, BLOB_SIZE - 1)), ERR(INVALID_PARAMETER));
	hw.refuse = ERR(UNSPEC);
	assert_int_equal(ask(put_attach(1, PICTURE, BLOB_SIZE)), ERR(UNSPEC));
	hw.refuse = 0;
	assert_ok(put_attach(1, PICTURE, BLOB_SIZE));
	assert_told(CMD(RESOURCE_CREATE_BLOB));
	assert_int_equal(ask(put_attach(1, PICTURE, BLOB_SIZE)), ERR(UNSPEC));
	assert_ok(put_scanout_blob(0, 0));
	assert_ok(put_simple(CMD(RESOURCE_UNREF), 1));
	assert_told(CMD(SET_SCANOUT_BLOB), CMD(RESOURCE_UNREF));
	assert_int_equal(hw.num_res, 0);
	assert_int_equal(one.num_resources, 0);
	/* one that is not to be found any more */
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE));
	assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), 1));
	assert_ok(put_simple(CMD(RESOURCE_UNREF), 1));
	assert_told(CMD(RESOURCE_CREATE_BLOB), CMD(RESOURCE_UNREF));
	stop();
}

/* Send @req, with @field changed, and put it back */
#define assert_refused(req, field, value, error)				\
do {										\
	typeof((req).field) was = (req).field;					\
										\
	(req).field = (value);							\
	assert_int_equal(ask(put(&(req), sizeof(req))), ERR(error));		\
	(req).field = was;							\
} while (0)

static void blob_nonsense(void **state)
{
	struct {
		struct virtio_gpu_resource_create_blob req;
		struct virtio_gpu_mem_entry entry;
	} create = {
		.req.hdr.type = CMD(RESOURCE_CREATE_BLOB), .req.resource_id = 3,
		.req.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST, .req.nr_entries = 1, .req.size = 4096,
		.entry.addr = PICTURE, .entry.length = 4096,
	};
	struct virtio_gpu_set_scanout_blob show = whole;
	unsigned int before;

	(void)state;
	start_with(1, UUID | BLOB);
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE + 4096));
	picture(2);
	before = hw.executed;
	assert_refused(create, req.resource_id, 0, INVALID_RESOURCE_ID);
	assert_refused(create, req.resource_id, 1, INVALID_RESOURCE_ID);
	assert_refused(create, req.blob_mem, 0, INVALID_PARAMETER);
	assert_refused(create, req.blob_mem, VIRTIO_GPU_BLOB_MEM_HOST3D, INVALID_PARAMETER);
	assert_refused(create, req.blob_mem, VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, INVALID_PARAMETER);
	assert_refused(create, req.blob_flags, 8, INVALID_PARAMETER);
	assert_refused(create, req.size, 0, INVALID_PARAMETER);
	assert_refused(create, req.size, 4097, INVALID_PARAMETER);
	assert_refused(create, req.size, U64_MAX, INVALID_PARAMETER);
	assert_refused(create, req.nr_entries, 0, UNSPEC);
	assert_refused(create, req.nr_entries, 2, UNSPEC);
	assert_refused(create, req.nr_entries, VG_MAX_ENTRIES + 1, UNSPEC);
	assert_refused(create, req.nr_entries, UINT_MAX, UNSPEC);
	assert_refused(create, entry.addr, NOWHERE, UNSPEC);
	assert_refused(create, entry.length, 0, INVALID_PARAMETER);
	assert_int_equal(ask(put(&create, sizeof(create) - 1)), ERR(UNSPEC));

	assert_refused(show, scanout_id, 1, INVALID_SCANOUT_ID);
	assert_refused(show, resource_id, 3, INVALID_RESOURCE_ID);
	assert_refused(show, resource_id, 2, INVALID_RESOURCE_ID);
	assert_int_equal(ask(put_scanout(0, 1)), ERR(INVALID_RESOURCE_ID));
	assert_refused(show, format, 77, INVALID_PARAMETER);
	assert_refused(show, width, 65, INVALID_PARAMETER);
	assert_refused(show, width, 0x40000000, INVALID_PARAMETER);
	assert_refused(show, width, 63, INVALID_PARAMETER);
	assert_refused(show, height, 65, INVALID_PARAMETER);
	assert_refused(show, height, UINT_MAX, INVALID_PARAMETER);
	assert_refused(show, height, 63, INVALID_PARAMETER);
	assert_refused(show, strides[0], 255, INVALID_PARAMETER);
	assert_refused(show, strides[0], 257, INVALID_PARAMETER);
	assert_refused(show, strides[0], UINT_MAX, INVALID_PARAMETER);
	assert_refused(show, offsets[0], 1, INVALID_PARAMETER);
	assert_refused(show, offsets[0], UINT_MAX, INVALID_PARAMETER);
	assert_refused(show, r.x, 1, INVALID_PARAMETER);
	assert_refused(show, r.x, UINT_MAX, INVALID_PARAMETER);
	assert_refused(show, r.y, 1, INVALID_PARAMETER);
	assert_refused(show, r.y, UINT_MAX, INVALID_PARAMETER);
	assert_refused(show, r.width, 65, INVALID_PARAMETER);
	assert_refused(show, r.height, 65, INVALID_PARAMETER);
	assert_int_equal(ask(put(&show, sizeof(show) - 1)), ERR(UNSPEC));
	assert_int_equal(hw.executed, before);
	assert_int_equal(one.num_resources, 2);
	assert_int_equal(one.num_ranges, 2);
	assert_ok(put(&show, sizeof(show)));
	assert_ok(put(&create, sizeof(create)));

	/* what the hardware refuses is none */
	hw.refuse = ERR(UNSPEC);
	assert_int_equal(ask(put_create_blob(4, PICTURE, BLOB_SIZE)), ERR(UNSPEC));
	hw.refuse = 0;
	assert_int_equal(ask(put_flush(4)), ERR(INVALID_RESOURCE_ID));
	assert_int_equal(one.num_resources, 3);
	assert_int_equal(one.num_ranges, 3);
	/* nor if it was asked again, by a command that came before the answer */
	hw.fail_add = 1;
	put_create_blob(4, PICTURE, BLOB_SIZE);
	put_flush(4);
	go();
	run();
	assert_int_equal(one.num_resources, 3);
	assert_int_equal(hw.num_res, 3);
	assert_ok(put_create_blob(4, PICTURE, BLOB_SIZE));
	stop();
}

/* The hardware forgets a blob before its memory goes; when next used, it is as it was */
static void blob_revoked(void **state)
{
	pthread_t vmm;

	(void)state;
	start_with(3, UUID | BLOB);
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE));
	assert_ok(put_scanout_blob(0, 1));
	assert_ok(put_scanout_blob(1, 1));
	vmm = begin_unmap(1);
	usleep(50000);
	hw_check();
	run();
	end_unmap(vmm);
	assert_told(CMD(RESOURCE_UNREF));
	assert_int_equal(hw.num_res, 0);
	assert_int_equal(ask(put_flush(1)), ERR(UNSPEC));
	assert_int_equal(ask(put_scanout_blob(0, 1)), ERR(UNSPEC));
	assert_ok(put_scanout_blob(1, 0));
	map_picture();
	assert_ok(put_flush(1));
	assert_told(CMD(RESOURCE_UNREF), CMD(SET_SCANOUT_BLOB), CMD(RESOURCE_CREATE_BLOB),
		    CMD(SET_SCANOUT_BLOB), CMD(RESOURCE_FLUSH));
	assert_int_not_equal(hw.scanout[1], 0);
	assert_int_equal(hw.scanout[2], 0);
	assert_int_equal(one.num_ranges, 1);

	/* a command is tried again once, if the hardware will not have it back */
	vmm = begin_unmap(1);
	run();
	end_unmap(vmm);
	map_picture();
	hw.refuse = ERR(UNSPEC);
	assert_int_equal(ask(put_flush(1)), ERR(UNSPEC));
	hw.refuse = 0;
	assert_ok(put_flush(1));
	assert_int_not_equal(hw.scanout[1], 0);

	/* whichever command needs it, brings it back */
	vmm = begin_unmap(1);
	run();
	end_unmap(vmm);
	map_picture();
	assert_int_equal(ask(put_simple(CMD(RESOURCE_ASSIGN_UUID), 1)),
			 VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
	vmm = begin_unmap(1);
	run();
	end_unmap(vmm);
	map_picture();
	put_cursor(0, 1);
	guest_notify(VG_CURSORQ);
	run();
	assert_int_equal(hw.num_res, 1);

	/* given back meanwhile, or reset */
	vmm = begin_unmap(1);
	run();
	end_unmap(vmm);
	assert_ok(put_create_blob(2, 0x20000, BLOB_SIZE));
	assert_ok(put_simple(CMD(RESOURCE_UNREF), 1));
	assert_told(CMD(RESOURCE_CREATE_BLOB));
	assert_null(one.head[0].res);
	assert_int_equal(one.num_resources, 1);
	map_picture();
	assert_ok(put_create_blob(3, PICTURE, BLOB_SIZE));
	assert_ok(put_scanout_blob(0, 3));
	vmm = begin_unmap(1);
	run();
	end_unmap(vmm);
	hw_at_once(true);
	guest_drive();
	assert_int_equal(hw.num_res, 0);
	assert_int_equal(one.num_resources, 0);
	assert_int_equal(one.num_ranges, 0);
	assert_null(one.head[0].res);
	map_picture();
	stop();
}

static void show_cursor(u32 id)
{
	put_cursor(0, id);
	guest_notify(VG_CURSORQ);
	run();
}

/* What QEMU 7.2 would look for in vain is no cursor, nor becomes the backing of one */
static void blob_cursor(void **state)
{
	unsigned int i;

	(void)state;
	start_with(3, BLOB);
	assert_ok(put_create_blob(1, PICTURE + 40, BLOB_SIZE));
	assert_ok(put_create_blob(2, PICTURE, BLOB_SIZE + 40));
	assert_ok(put_create_blob(3, 0x20000, SZ_64K + PAGE_SIZE));
	for (i = 1; i <= 3; i++)
		show_cursor(i);
	assert_int_equal(guest_get(GUEST_USED(VG_CURSORQ) + 2, 2), 3);
	assert_int_equal(hw.cursor[1], 0);
	assert_ok(put_create_blob(4, PICTURE, SZ_64K));
	show_cursor(4);
	assert_int_equal(hw.cursor[1], resource(4)->hw_id);
	for (i = 1; i <= 4; i++)
		assert_ok(put_simple(CMD(RESOURCE_DETACH_BACKING), i));
	assert_int_equal(ask(put_attach(4, PICTURE + 40, BLOB_SIZE)), ERR(INVALID_PARAMETER));
	assert_int_equal(ask(put_attach(4, 0x20000, SZ_64K + PAGE_SIZE)), ERR(INVALID_PARAMETER));
	assert_ok(put_attach(1, PICTURE + 40, BLOB_SIZE));
	assert_ok(put_attach(4, PICTURE, BLOB_SIZE));
	show_cursor(4);
	assert_int_equal(hw.cursor[1], resource(4)->hw_id);
	stop();
}

/* Another one's scanout that waits is not undone by a blob that comes back */
static void blob_flip(void **state)
{
	pthread_t vmm;

	(void)state;
	start_with(1, BLOB);
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE));
	assert_ok(put_create_blob(2, 0x20000, BLOB_SIZE));
	assert_ok(put_scanout_blob(0, 1));
	vmm = begin_unmap(1);
	run();
	end_unmap(vmm);
	map_picture();
	put_scanout_blob(0, 2);
	assert_ok(put_flush(1));
	assert_told(CMD(SET_SCANOUT_BLOB), CMD(RESOURCE_CREATE_BLOB), CMD(RESOURCE_FLUSH));
	assert_ptr_equal(one.head[0].res, resource(2));
	stop();
}

/* What the forgetting overtakes is tried again */
static void blob_retry(void **state)
{
	unsigned int i, at[2];
	pthread_t vmm;

	(void)state;
	start_with(1, BLOB);
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE));
	for (i = 0; i < VG_DEPTH; i++)
		put_flush(1);
	at[0] = put_scanout_blob(0, 1);
	at[1] = put_flush(1);
	go();
	vmm = begin_unmap(VG_DEPTH);
	while (!detach_waits())
		usleep(100);
	hw_run(VG_CONTROLQ, 1);
	hw_run(VG_CONTROLQ, VG_DEPTH);
	end_unmap(vmm);
	map_picture();
	run();
	assert_int_equal(answer(at[0]), OK);
	assert_int_equal(answer(at[1]), OK);
	assert_int_not_equal(hw.scanout[1], 0);
	stop();
}

static void blob_recovery(void **state)
{
	unsigned int at;
	pthread_t vmm;

	(void)state;
	start_with(1, BLOB);
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE));
	assert_ok(put_scanout_blob(0, 1));
	at = put_flush(1);
	go();
	hw_restart(false);
	run();
	assert_int_equal(answer(at), OK);
	assert_told(CMD(RESOURCE_CREATE_BLOB), CMD(SET_SCANOUT_BLOB), CMD(RESOURCE_FLUSH),
		    CMD(RESOURCE_FLUSH));
	assert_int_not_equal(hw.scanout[1], 0);

	/* not of what has gone, but again when it is back */
	vmm = begin_unmap(1);
	hw_restart(false);
	run();
	end_unmap(vmm);
	assert_int_equal(hw.num_res, 0);
	hw_restart(false);
	run();
	assert_int_equal(hw.num_res, 0);
	map_picture();
	assert_ok(put_flush(1));
	assert_int_equal(hw.num_res, 1);
	assert_int_not_equal(hw.scanout[1], 0);
	at = put_create_blob(2, 0x20000, BLOB_SIZE);
	go();
	hw_restart(false);
	run();
	assert_int_equal(answer(at), OK);
	assert_int_equal(hw.num_res, 2);
	stop();
}

static void blob_plane(void **state)
{
	struct virtio_gpu_set_scanout_blob show = whole;
	struct mvgpu_scanout so = {};
	pthread_t vmm;

	(void)state;
	start_with(1, BLOB);
	assert_ok(put_create_blob(1, PICTURE, BLOB_SIZE));
	show.format = VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM;
	show.offsets[0] = 1024;
	show.width = 32;
	show.height = 32;
	show.r = (struct virtio_gpu_rect){ 2, 3, 30, 29 };
	assert_ok(put(&show, sizeof(show)));
	assert_int_equal(vg_driver.scanout(&vgpu, &so), 0);
	assert_int_equal(so.format, DRM_FORMAT_ABGR8888);
	assert_int_equal(so.width, 30);
	assert_int_equal(so.height, 29);
	assert_int_equal(so.stride, 256);
	assert_int_equal(so.offset, 1024 + 3 * 256 + 2 * 4);
	assert_ptr_equal(so.mapping, one.head[0].res->hw_backing->mapping);
	mvgpu_mapping_put(so.mapping);
	vmm = begin_unmap(1);
	run();
	end_unmap(vmm);
	so = (struct mvgpu_scanout){};
	assert_int_equal(vg_driver.scanout(&vgpu, &so), 0);
	assert_null(so.mapping);
	map_picture();
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_negotiated),
		cmocka_unit_test(uuid),
		cmocka_unit_test(blob),
		cmocka_unit_test(blob_nonsense),
		cmocka_unit_test(blob_revoked),
		cmocka_unit_test(blob_cursor),
		cmocka_unit_test(blob_flip),
		cmocka_unit_test(blob_retry),
		cmocka_unit_test(blob_recovery),
		cmocka_unit_test(blob_plane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
