// SPDX-License-Identifier: MIT
/*
 * Owns the commands of a virtio-gpu, and the vGPU beside the one under test that must not
 * notice anything.
 */
#include "gpu.h"

#define EDGE 64

struct virtio_gpu_resource_create_2d create_req(__u32 id, __u32 width, __u32 height)
{
	return (struct virtio_gpu_resource_create_2d){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = id,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = width, .height = height,
	};
}

struct virtio_gpu_transfer_to_host_2d transfer_req(__u32 id, __u32 width, __u32 height)
{
	return (struct virtio_gpu_transfer_to_host_2d){
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .resource_id = id,
		.r.width = width, .r.height = height,
	};
}

struct virtio_gpu_resource_flush flush_req(__u32 id, __u32 width, __u32 height)
{
	return (struct virtio_gpu_resource_flush){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .resource_id = id,
		.r.width = width, .r.height = height,
	};
}

struct virtio_gpu_set_scanout scanout_req(__u32 scanout, __u32 id, __u32 width, __u32 height)
{
	return (struct virtio_gpu_set_scanout){
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .scanout_id = scanout,
		.resource_id = id, .r.width = width, .r.height = height,
	};
}

struct virtio_gpu_resource_unref unref_req(__u32 id)
{
	return (struct virtio_gpu_resource_unref){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = id,
	};
}

struct virtio_gpu_resource_detach_backing detach_req(__u32 id)
{
	return (struct virtio_gpu_resource_detach_backing){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, .resource_id = id,
	};
}

struct virtio_gpu_update_cursor cursor_req(__u32 type, __u32 scanout, __u32 id)
{
	return (struct virtio_gpu_update_cursor){
		.hdr.type = type, .pos.scanout_id = scanout, .resource_id = id,
	};
}

struct attach_one attach_req(__u32 id, __u64 addr, __u32 len)
{
	return (struct attach_one){
		.req.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		.req.resource_id = id, .req.nr_entries = 1,
		.entry.addr = addr, .entry.length = len,
	};
}

struct blob_one blob_req(__u32 id, __u64 addr, __u32 len)
{
	return (struct blob_one){
		.req.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .req.resource_id = id,
		.req.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST, .req.nr_entries = 1, .req.size = len,
		.entry.addr = addr, .entry.length = len,
	};
}

/* The first head shows a square from the start of a blob */
struct virtio_gpu_set_scanout_blob blob_scanout_req(__u32 id, __u32 edge)
{
	return (struct virtio_gpu_set_scanout_blob){
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, .r = { 0, 0, edge, edge },
		.resource_id = id, .width = edge, .height = edge,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .strides[0] = edge * 4,
	};
}

/**
 * make_picture() - a resource with backing
 * @g: the vGPU
 * @id: the resource's
 * @width: pixels
 * @height: lines
 * @iova: where the memory behind it is
 */
void make_picture(struct gpu *g, __u32 id, __u32 width, __u32 height, __u64 iova)
{
	struct virtio_gpu_resource_create_2d create = create_req(id, width, height);
	struct attach_one attach = attach_req(id, iova, width * height * 4);

	ANSWERS(g, "creating", create, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(g, "attaching", attach, VIRTIO_GPU_RESP_OK_NODATA);
}

/**
 * map_backing() - memory for resources, at BACKING
 * @g: the vGPU
 * @size: bytes
 *
 * Return: the memory.
 */
void *map_backing(struct gpu *g, size_t size)
{
	void *p = memory(size);

	memset(p, 0x5a, size);
	map_iova(&g->f, BACKING, p, size, RW);
	return p;
}

unsigned int heads(struct gpu *g)
{
	const struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	const struct virtio_gpu_resp_display_info *info;
	unsigned int slot = g->ring[CONTROL].sent % SLOTS, i, n = 0;

	EQ(ask(g, &req, sizeof(req)), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	info = (const void *)slot_answer(g, CONTROL, slot);
	for (i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
		n += info->pmodes[i].enabled;
	return n;
}

/**
 * in_order() - the vGPU does what it should, and then leaves nothing behind
 * @g: the vGPU, in whichever state
 *
 * There may be memory at BACKING or not.
 */
void in_order(struct gpu *g)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(1, EDGE, EDGE);
	struct virtio_gpu_resource_flush flush = flush_req(1, EDGE, EDGE);
	struct virtio_gpu_set_scanout scanout = scanout_req(0, 1, EDGE, EDGE);

	memory_on(&g->f);
	gpu_reset(g);
	IDLE(&g->f);
	gpu_start(g);
	make_picture(g, 1, EDGE, EDGE, IOVA + ROOM);
	OK(counter(&g->f, "pinned") > 0, "nothing is pinned for a backing");
	ANSWERS(g, "a good transfer", transfer, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(g, "a good scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(g, "a good flush", flush, VIRTIO_GPU_RESP_OK_NODATA);
	gpu_reset(g);
	IDLE(&g->f);
	gpu_start(g);
}

/**
 * neighbour_open() - another vGPU with a resource NEIGHBOUR_ID on its screen
 * @g: takes it
 * @env: the command line
 */
void neighbour_open(struct gpu *g, const struct env *env)
{
	struct virtio_gpu_set_scanout scanout = scanout_req(0, NEIGHBOUR_ID, EDGE, EDGE);

	gpu_open(g, env, 1);
	make_picture(g, NEIGHBOUR_ID, EDGE, EDGE, IOVA + ROOM);
	ANSWERS(g, "the neighbour's scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
	neighbour_works(g);
}

void neighbour_works(struct gpu *g)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(NEIGHBOUR_ID, EDGE, EDGE);
	struct virtio_gpu_resource_flush flush = flush_req(NEIGHBOUR_ID, EDGE, EDGE);

	ANSWERS(g, "the neighbour's transfer", transfer, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(g, "the neighbour's flush", flush, VIRTIO_GPU_RESP_OK_NODATA);
}

/**
 * bench_attach() - open a neighbour and the vGPU under test, whose driver is not started
 * @f: names them
 * @b: takes both
 *
 * Return: the vGPU under test.
 */
struct gpu *bench_attach(struct fixture *f, struct bench *b)
{
	neighbour_open(&b->other, f->env);
	gpu_attach(&b->g, f->env, 0);
	return &b->g;
}

/* The neighbour hasn't noticed anything, and doesn't when the other is set right */
void bench_close(struct bench *b)
{
	neighbour_works(&b->other);
	in_order(&b->g);
	neighbour_works(&b->other);
	gpu_close(&b->g);
	gpu_close(&b->other);
}
