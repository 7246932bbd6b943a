/* SPDX-License-Identifier: MIT */
/* virtio_command.h - what a test tells a vGPU with a physical virtio-gpu to do, and is answered */
#ifndef VIRTIO_COMMAND_H
#define VIRTIO_COMMAND_H

#include "virtio_vgpu.h"

#define PICTURE		0x100000ull	/* memory for a backing */
#define PICTURE_PAGES	16
#define COMMANDS	0x200000ull	/* and for long commands */
#define COMMANDS_PAGES	65
#define OK		VIRTIO_GPU_RESP_OK_NODATA
#define ERR(n)		VIRTIO_GPU_RESP_ERR_##n
#define CMD(n)		VIRTIO_GPU_CMD_##n
#define MS		1000000ll
#define HANG		(5 * HZ * MS)	/* until the watchdog comes */
#define ALL		UINT_MAX

static inline void map_picture(void)
{
	shim_vmm_map(PICTURE, PICTURE_PAGES, 5, RW);
}

static inline void start(unsigned int type)
{
	guest_start();
	map_picture();
	assert_int_equal(hw_start(), 0);
	assert_int_equal(vgpu_start(type), 0);
	guest_drive();
	shim_said("");
}

static inline void start_with(unsigned int type, u64 offers)
{
	hw_offers = offers;
	start(type);
}

static inline void stop(void)
{
	hw_offers = 0;
	guest_takes = UINT_MAX;
	vgpu_stop();
	assert_int_equal(hw.num_res, 0);
	hw_stop();
	unit_stop();
}

/* ---- the guest's commands; each returns where its answer will be ---- */

static inline unsigned int put(const void *req, u32 len)
{
	return guest_cmd(VG_CONTROLQ, req, len, 0x200);
}

static inline unsigned int put_create(u32 id, u32 width, u32 height)
{
	const struct virtio_gpu_resource_create_2d req = {
		.hdr.type = CMD(RESOURCE_CREATE_2D), .resource_id = id,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = width, .height = height,
	};

	return put(&req, sizeof(req));
}

static inline unsigned int put_attach(u32 id, u64 addr, u32 len)
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
static inline unsigned int put_simple(u32 type, u32 id)
{
	const struct virtio_gpu_resource_unref req = { .hdr.type = type, .resource_id = id };

	return put(&req, sizeof(req));
}

static inline unsigned int put_transfer_of(u32 id, struct virtio_gpu_rect r, u64 offset)
{
	const struct virtio_gpu_transfer_to_host_2d req = {
		.hdr.type = CMD(TRANSFER_TO_HOST_2D), .resource_id = id, .r = r, .offset = offset,
	};

	return put(&req, sizeof(req));
}

static inline unsigned int put_transfer(u32 id)
{
	return put_transfer_of(id, (struct virtio_gpu_rect){ 0, 0, 64, 64 }, 0);
}

static inline unsigned int put_fenced(u32 type, u32 id, u64 fence)
{
	const struct virtio_gpu_resource_flush req = {
		.hdr = { .type = type, .flags = fence ? VIRTIO_GPU_FLAG_FENCE : 0,
			 .fence_id = fence },
		.r = { 0, 0, 64, 64 }, .resource_id = id,
	};

	return put(&req, sizeof(req));
}

static inline unsigned int put_flush(u32 id)
{
	return put_fenced(CMD(RESOURCE_FLUSH), id, 0);
}

static inline unsigned int put_scanout(u32 head, u32 id)
{
	const struct virtio_gpu_set_scanout req = {
		.hdr.type = CMD(SET_SCANOUT), .r = { 0, 0, 64, 64 },
		.scanout_id = head, .resource_id = id,
	};

	return put(&req, sizeof(req));
}

/* A backing of @n pieces of @len bytes, the first at @addr, each @step after the one before */
static inline unsigned int put_list(u32 id, u64 addr, u32 n, u32 len, u32 step)
{
	struct virtio_gpu_resource_attach_backing req = {
		.hdr.type = CMD(RESOURCE_ATTACH_BACKING), .resource_id = id, .nr_entries = n,
	};
	struct virtio_gpu_mem_entry entry = { .length = len };
	u32 i;

	shim_guest_copy(COMMANDS, &req, sizeof(req), true);
	for (i = 0; i < n; i++) {
		entry.addr = addr + i * step;
		shim_guest_copy(COMMANDS + sizeof(req) + i * sizeof(entry), &entry, sizeof(entry),
				true);
	}
	return guest_cmd_at(VG_CONTROLQ, COMMANDS, sizeof(req) + n * sizeof(entry), 24);
}

static inline unsigned int put_pieces(u32 id, u32 n)
{
	return put_list(id, PICTURE, n, 1, 2);
}

static inline void put_pointer(u32 type, u32 head, u32 id)
{
	const struct virtio_gpu_update_cursor req = {
		.hdr.type = type, .pos.scanout_id = head, .resource_id = id,
	};

	guest_cmd(VG_CURSORQ, &req, sizeof(req), 0);
}

static inline void put_cursor(u32 head, u32 id)
{
	put_pointer(CMD(UPDATE_CURSOR), head, id);
}

/* ---- answers ---- */

static inline u32 answer(unsigned int at)
{
	return guest_get(GUEST_RESP(at), 4);
}

static inline u16 used(void)
{
	return guest_get(GUEST_USED(VG_CONTROLQ) + 2, 2);
}

static inline void go(void)
{
	guest_notify(VG_CONTROLQ);
	hw_settle();
}

/* Let the hardware execute all that waits for it */
static inline void run(void)
{
	do
		hw_settle();
	while (hw_run(VG_CONTROLQ, ALL) + hw_run(VG_CURSORQ, ALL));
}

static inline u32 ask(unsigned int at)
{
	go();
	run();
	return answer(at);
}

#define assert_ok(at)	assert_int_equal(ask(at), OK)

/* What the hardware was told last, from the first of @n on */
static inline u32 told(unsigned int n, unsigned int i)
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

static inline bool needs_reset(void)
{
	return bar_read(4, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* A resource with a backing */
static inline void picture(u32 id)
{
	assert_ok(put_create(id, 64, 64));
	assert_ok(put_attach(id, PICTURE + 40, 64 * 64 * 4));
}

/* ---- memory that goes ---- */

static inline void *unmap(void *arg)
{
	shim_vmm_unmap(PICTURE);
	return arg;
}

/* The VMM takes the picture's memory away. Returns when the hardware has @pending commands. */
static inline pthread_t begin_unmap(unsigned int pending)
{
	pthread_t vmm;

	pthread_create(&vmm, NULL, unmap, NULL);
	while (hw_pending(VG_CONTROLQ) != pending)
		usleep(100);
	return vmm;
}

static inline void end_unmap(pthread_t vmm)
{
	pthread_join(vmm, NULL);
	hw_check();
}

static inline bool detach_waits(void)
{
	bool waits;

	spin_lock_irq(&gpu->lock);
	waits = !list_empty(&gpu->urgent);
	spin_unlock_irq(&gpu->lock);
	return waits;
}

#endif /* VIRTIO_COMMAND_H */
