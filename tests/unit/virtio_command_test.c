// SPDX-License-Identifier: MIT
/*
 * virtio_command_test.c - a guest's commands on their way to a physical virtio-gpu and back:
 * kernel/gvt/virtio/{command,resource,display,sched,vgpu,gpu}.c
 */
#include <drm/drm_fourcc.h>
#include "virtio_hw.h"

#define PICTURE		0x100000ull	/* memory for a backing */
#define PICTURE_PAGES	16
#define COMMANDS	0x200000ull	/* and for long commands */
#define COMMANDS_PAGES	65
#define OK		VIRTIO_GPU_RESP_OK_NODATA
#define ERR(n)		VIRTIO_GPU_RESP_ERR_##n
#define CMD(n)		VIRTIO_GPU_CMD_##n
#define MS		1000000ll
#define ALL		UINT_MAX

static void map_picture(void)
{
	shim_vmm_map(PICTURE, PICTURE_PAGES, 5, RW);
}

static void start(unsigned int type)
{
	guest_start();
	map_picture();
	assert_int_equal(hw_start(), 0);
	assert_int_equal(vgpu_start(type), 0);
	guest_drive();
	shim_said("");
}

static void start_with(unsigned int type, u64 offers)
{
	hw_offers = offers;
	start(type);
}

static void stop(void)
{
	hw_offers = 0;
	guest_takes = UINT_MAX;
	vgpu_stop();
	assert_int_equal(hw.num_res, 0);
	hw_stop();
	unit_stop();
}

/* ---- the guest's commands; each returns where its answer will be ---- */

static unsigned int put(const void *req, u32 len)
{
	return guest_cmd(VG_CONTROLQ, req, len, 0x200);
}

static unsigned int put_create(u32 id, u32 width, u32 height)
{
	const struct virtio_gpu_resource_create_2d req = {
		.hdr.type = CMD(RESOURCE_CREATE_2D), .resource_id = id,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = width, .height = height,
	};

	return put(&req, sizeof(req));
}

static unsigned int put_attach(u32 id, u64 addr, u32 len)
{
	const struct {
		struct virtio_gpu_resource_attach_backing req;
		struct virtio_gpu_mem_entry entry;
	} req = {
		.req.hdr.type = CMD(RESOURCE_ATTACH_BACKING), .req.resource_id = id,
		.req.nr_entries = 1, .entry.addr = addr, .entry.length = len,
	};

	return put(&req, sizeof(req));
}

/* Whatever names one resource right after its header */
static unsigned int put_simple(u32 type, u32 id)
{
	const struct virtio_gpu_resource_unref req = { .hdr.type = type, .resource_id = id };

	return put(&req, sizeof(req));
}

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

static unsigned int put_transfer(u32 id)
{
	const struct virtio_gpu_transfer_to_host_2d req = {
		.hdr.type = CMD(TRANSFER_TO_HOST_2D), .resource_id = id, .r = { 0, 0, 64, 64 },
	};

	return put(&req, sizeof(req));
}

static unsigned int put_fenced(u32 type, u32 id, u64 fence)
{
	const struct virtio_gpu_resource_flush req = {
		.hdr = { .type = type, .flags = fence ? VIRTIO_GPU_FLAG_FENCE : 0,
			 .fence_id = fence },
		.r = { 0, 0, 64, 64 }, .resource_id = id,
	};

	return put(&req, sizeof(req));
}

static unsigned int put_flush(u32 id)
{
	return put_fenced(CMD(RESOURCE_FLUSH), id, 0);
}

static unsigned int put_scanout(u32 head, u32 id)
{
	const struct virtio_gpu_set_scanout req = {
		.hdr.type = CMD(SET_SCANOUT), .r = { 0, 0, 64, 64 },
		.scanout_id = head, .resource_id = id,
	};

	return put(&req, sizeof(req));
}

/* A backing of @n pieces */
static unsigned int put_pieces(u32 id, u32 n)
{
	struct virtio_gpu_resource_attach_backing req = {
		.hdr.type = CMD(RESOURCE_ATTACH_BACKING), .resource_id = id, .nr_entries = n,
	};
	struct virtio_gpu_mem_entry entry = { .length = 1 };
	u32 i;

	shim_guest_copy(COMMANDS, &req, sizeof(req), true);
	for (i = 0; i < n; i++) {
		entry.addr = PICTURE + i * 2;
		shim_guest_copy(COMMANDS + sizeof(req) + i * sizeof(entry), &entry, sizeof(entry),
				true);
	}
	return guest_cmd_at(VG_CONTROLQ, COMMANDS, sizeof(req) + n * sizeof(entry), 24);
}

static void put_cursor(u32 head, u32 id)
{
	const struct virtio_gpu_update_cursor req = {
		.hdr.type = CMD(UPDATE_CURSOR), .pos.scanout_id = head, .resource_id = id,
	};

	guest_cmd(VG_CURSORQ, &req, sizeof(req), 0);
}

static u32 answer(unsigned int at)
{
	return guest_get(GUEST_RESP(at), 4);
}

static u16 used(void)
{
	return guest_get(GUEST_USED(VG_CONTROLQ) + 2, 2);
}

static void go(void)
{
	guest_notify(VG_CONTROLQ);
	hw_settle();
}

/* Let the hardware execute all that waits for it */
static void run(void)
{
	do
		hw_settle();
	while (hw_run(VG_CONTROLQ, ALL) + hw_run(VG_CURSORQ, ALL));
}

static u32 ask(unsigned int at)
{
	go();
	run();
	return answer(at);
}

#define assert_ok(at)	assert_int_equal(ask(at), OK)

/* What the hardware was told last, from the first of @n on */
static u32 told(unsigned int n, unsigned int i)
{
	return hw.log[(hw.executed - n + i) % HW_LOG].type;
}

#define assert_told(...)						\
do {									\
	const u32 types[] = { __VA_ARGS__ };				\
	unsigned int t;							\
									\
	for (t = 0; t < ARRAY_SIZE(types); t++)				\
		assert_int_equal(told(ARRAY_SIZE(types), t), types[t]);	\
} while (0)

static struct vg_resource *resource(u32 id)
{
	struct vg_resource *res;

	mutex_lock(&one.t.lock);
	res = vg_resource_find(&one, id);
	mutex_unlock(&one.t.lock);
	return res;
}

/* It is told of, and the hardware answers */
static void set_mode(unsigned int head, u32 width, u32 height)
{
	bool was = hw_at_once(true);

	hw_set_mode(head, width, height);
	hw_settle();
	hw_at_once(was);
}

/* A resource with a backing */
static void picture(u32 id)
{
	assert_ok(put_create(id, 64, 64));
	assert_ok(put_attach(id, PICTURE + 40, 64 * 64 * 4));
}

/* ---- commands ---- */

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
	stop();
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

/* ---- memory that goes ---- */

static void *unmap(void *arg)
{
	shim_vmm_unmap(PICTURE);
	return arg;
}

/* The VMM takes the picture's memory away. Returns when the hardware has @pending commands. */
static pthread_t begin_unmap(unsigned int pending)
{
	pthread_t vmm;

	pthread_create(&vmm, NULL, unmap, NULL);
	while (hw_pending(VG_CONTROLQ) != pending)
		usleep(100);
	return vmm;
}

static void end_unmap(pthread_t vmm)
{
	pthread_join(vmm, NULL);
	hw_check();
}

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

static bool detach_waits(void)
{
	bool waits;

	spin_lock_irq(&gpu->lock);
	waits = !list_empty(&gpu->urgent);
	spin_unlock_irq(&gpu->lock);
	return waits;
}

/*
 * Transfers that the detaching has overtaken are tried again, once their memory is back, and
 * what they have filled is shown again
 */
static void retry(void **state)
{
	unsigned int i, at[2];
	pthread_t vmm;

	start(1);
	picture(1);
	assert_ok(put_scanout(0, 1));
	for (i = 0; i < VG_DEPTH; i++)
		put_flush(1);
	at[0] = put_transfer(1);
	at[1] = put_transfer(1);
	go();
	vmm = begin_unmap(VG_DEPTH);
	while (!detach_waits())
		usleep(100);
	assert_int_equal(hw_run(VG_CONTROLQ, 1), 1);
	assert_int_equal(hw_run(VG_CONTROLQ, VG_DEPTH), VG_DEPTH);
	end_unmap(vmm);
	map_picture();
	run();
	assert_int_equal(answer(at[0]), OK);
	assert_int_equal(answer(at[1]), OK);
	assert_told(CMD(RESOURCE_DETACH_BACKING), CMD(TRANSFER_TO_HOST_2D),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_ATTACH_BACKING),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_FLUSH),
		    CMD(TRANSFER_TO_HOST_2D), CMD(RESOURCE_FLUSH));
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

/* ---- the hardware is restarted ---- */

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

static bool needs_reset(void)
{
	return bar_read(4, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET;
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

/* ---- hardware that lies ---- */

#define HANG	(5 * HZ * MS)

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

static bool time_stops;

static void *time_flies(void *arg)
{
	while (!__atomic_load_n(&time_stops, __ATOMIC_ACQUIRE)) {
		usleep(1000);
		shim_advance(HZ * MS);
	}
	return arg;
}

static pthread_t begin_time(void)
{
	pthread_t thread;

	time_stops = false;
	pthread_create(&thread, NULL, time_flies, NULL);
	return thread;
}

static void end_time(pthread_t thread)
{
	__atomic_store_n(&time_stops, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
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
		assert_int_equal(one.head[0].width, 1024 + i);
	}
	/* what is no event is no question */
	hw.config.events_read = ~VIRTIO_GPU_EVENT_DISPLAY;
	hw.driver->config_changed(&hw.vdev);
	hw_settle();
	assert_int_equal(hw_pending(VG_CONTROLQ), 0);
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
	assert_ok(put_create(1, 2048, 2048));
	for (i = 0; i < VG_DEPTH; i++)
		put(&req, sizeof(req));
	go();
	for (i = 0; i < VG_DEPTH; i++) {
		hw_settle();
		assert_int_equal(hw_pending(VG_CONTROLQ), 1);
		hw_run(VG_CONTROLQ, 1);
	}
	hw_settle();
	assert_int_equal(used(), 1 + VG_DEPTH);
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

/* ---- UUIDs and blobs ---- */

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
		cmocka_unit_test(frame),
		cmocka_unit_test(short_life),
		cmocka_unit_test(fences),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(display),
		cmocka_unit_test(hotplug),
		cmocka_unit_test(together),
		cmocka_unit_test(plane),
		cmocka_unit_test(revoked),
		cmocka_unit_test(revoked_in_line), cmocka_unit_test(retry),
		cmocka_unit_test(no_room),
		cmocka_unit_test(reset),
		cmocka_unit_test(queue_reset),
		cmocka_unit_test(recovery),
		cmocka_unit_test(hang),
		cmocka_unit_test(suspend),
		cmocka_unit_test(forgiven),
		cmocka_unit_test(strikes),
		cmocka_unit_test(strikes_again),
		cmocka_unit_test(strikes_late),
		cmocka_unit_test(strikes_dropped),
		cmocka_unit_test(gone),
		cmocka_unit_test(lies),
		cmocka_unit_test(half_way),
		cmocka_unit_test(asked_again),
		cmocka_unit_test(no_queues),
		cmocka_unit_test(busy),
		cmocka_unit_test(pulled),
		cmocka_unit_test(unbound),
		cmocka_unit_test(silent),
		cmocka_unit_test(silent_detach),
		cmocka_unit_test(weights),
		cmocka_unit_test(sizes),
		cmocka_unit_test(large),
		cmocka_unit_test(idle),
		cmocka_unit_test(rectangles),
		cmocka_unit_test(memory),
		cmocka_unit_test(resources),
		cmocka_unit_test(ranges),
		cmocka_unit_test(commands),
		cmocka_unit_test(nowhere),
		cmocka_unit_test(notified),
		cmocka_unit_test(not_negotiated),
		cmocka_unit_test(uuid),
		cmocka_unit_test(blob),
		cmocka_unit_test(blob_nonsense),
		cmocka_unit_test(blob_revoked),
		cmocka_unit_test(blob_flip),
		cmocka_unit_test(blob_retry),
		cmocka_unit_test(blob_recovery),
		cmocka_unit_test(blob_plane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
