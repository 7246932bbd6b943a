// SPDX-License-Identifier: MIT
/*
 * Owns the tests of blobs, on a GPU that offers them: guest memory that the hardware shows as
 * it is. Virtio 1.2, 5.7.6.8.
 */
#include <stdio.h>

#include "gpu.h"

#define ID 5
#define EDGE 64
#define SIZE (EDGE * EDGE * 4)
#define MAX 0xffffffffU

#define OK_NODATA VIRTIO_GPU_RESP_OK_NODATA
#define BAD_ID VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define BAD_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER

/* The vGPU under test has a blob ID */
static struct gpu *bench_open(struct fixture *f, struct bench *b)
{
	struct blob_one blob = blob_req(ID, IOVA + ROOM, SIZE);
	struct gpu *g = bench_attach(f, b);

	g->also = 1ULL << VIRTIO_GPU_F_RESOURCE_BLOB;
	gpu_start(g);
	ANSWERS(g, "a blob", blob, OK_NODATA);
	return g;
}

static void close_intact(struct bench *b)
{
	struct virtio_gpu_set_scanout_blob scanout = blob_scanout_req(ID, EDGE);
	struct virtio_gpu_resource_flush flush = flush_req(ID, EDGE, EDGE);

	OK(!broken(&b->g), "a command has broken the device");
	ANSWERS(&b->g, "a good scanout afterwards", scanout, OK_NODATA);
	ANSWERS(&b->g, "a good flush afterwards", flush, OK_NODATA);
	bench_close(b);
}

/* From its creation to its end, several times over */
static void lives(struct fixture *f)
{
	struct virtio_gpu_set_scanout_blob scanout = blob_scanout_req(ID, EDGE);
	struct virtio_gpu_resource_flush flush = flush_req(ID, EDGE, EDGE);
	struct virtio_gpu_resource_detach_backing detach = detach_req(ID);
	struct attach_one attach = attach_req(ID, IOVA + ROOM, SIZE);
	struct blob_one blob = blob_req(ID, IOVA + ROOM, SIZE);
	struct virtio_gpu_resource_unref unref = unref_req(ID);
	unsigned int i;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < 8; i++) {
		ANSWERS(g, "an id twice", blob, BAD_ID);
		ANSWERS(g, "the scanout", scanout, OK_NODATA);
		ANSWERS(g, "the flush", flush, OK_NODATA);
		if (i % 2) {
			ANSWERS(g, "detaching", detach, OK_NODATA);
			ANSWERS(g, "a flush of nothing", flush, ANY_ANSWER);
			ANSWERS(g, "attaching", attach, OK_NODATA);
			ANSWERS(g, "the scanout again", scanout, OK_NODATA);
			ANSWERS(g, "the flush again", flush, OK_NODATA);
		}
		ANSWERS(g, "unref while it is shown", unref, OK_NODATA);
		ANSWERS(g, "unref twice", unref, BAD_ID);
		ANSWERS(g, "a scanout of nothing", scanout, BAD_ID);
		ANSWERS(g, "the next one", blob, OK_NODATA);
	}
	close_intact(&b);
}

static void creation(struct fixture *f)
{
	static const struct {
		__u32 mem, flags, entries, length;
		__u64 addr, size;
	} bad[] = {
		{ 0, 0, 1, SIZE, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_HOST3D, 0, 1, SIZE, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, 0, 1, SIZE, IOVA + ROOM, SIZE },
		{ MAX, 0, 1, SIZE, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, MAX, 1, SIZE, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 1, SIZE, IOVA + ROOM, 0 },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 1, SIZE, IOVA + ROOM, SIZE + 1 },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 1, SIZE, IOVA + ROOM, -1ULL },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 0, SIZE, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 2, SIZE, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, MAX, SIZE, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 1, 0, IOVA + ROOM, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 1, SIZE, NOWHERE, SIZE },
		{ VIRTIO_GPU_BLOB_MEM_GUEST, 0, 1, SIZE, -1ULL, SIZE },
	};
	struct virtio_gpu_resource_unref unref = unref_req(9);
	struct blob_one blob;
	struct bench b;
	unsigned int i;
	struct gpu *g;
	char what[32];

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		blob = blob_req(9, bad[i].addr, bad[i].length);
		blob.req.blob_mem = bad[i].mem;
		blob.req.blob_flags = bad[i].flags;
		blob.req.nr_entries = bad[i].entries;
		blob.req.size = bad[i].size;
		snprintf(what, sizeof(what), "bad blob %u", i);
		ANSWERS(g, what, blob, ANY_ERROR);
		ANSWERS(g, "forgetting it", unref, BAD_ID);
	}
	blob = blob_req(0, IOVA + ROOM, SIZE);
	ANSWERS(g, "id 0", blob, BAD_ID);
	close_intact(&b);
}

/* What of it is shown */
static void scanouts(struct fixture *f)
{
	static const __u32 formats[] = { 0, 5, 66, 120, 135, MAX };
	static const __u32 ids[] = { ID - 1, NEIGHBOUR_ID, MAX };
	struct virtio_gpu_set_scanout_blob scanout;
	unsigned int i;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		scanout = blob_scanout_req(ID, EDGE);
		scanout.format = formats[i];
		ANSWERS(g, "a format that there isn't", scanout, BAD_PARAMETER);
	}
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		scanout = blob_scanout_req(ids[i], EDGE);
		ANSWERS(g, "no resource", scanout, BAD_ID);
	}
	for (i = 0; i < 10; i++) {
		__u32 *const field[] = {
			&scanout.r.x, &scanout.r.y, &scanout.r.width, &scanout.r.height,
			&scanout.width, &scanout.height, &scanout.strides[0], &scanout.offsets[0],
		};

		scanout = blob_scanout_req(ID, EDGE);
		if (i < ARRAY_SIZE(field))
			*field[i] = MAX;
		else if (i == ARRAY_SIZE(field))
			scanout.strides[0] = EDGE * 4 - 1;
		else
			scanout.offsets[0] = 1;
		ANSWERS(g, "more than there is", scanout, BAD_PARAMETER);
	}
	scanout = blob_scanout_req(ID, EDGE);
	scanout.scanout_id = MAX;
	ANSWERS(g, "no head", scanout, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
	scanout = blob_scanout_req(ID, EDGE / 2);
	scanout.offsets[0] = SIZE / 2;
	ANSWERS(g, "a part of it", scanout, OK_NODATA);
	close_intact(&b);
}

static const struct test tests[] = {
	{ "from creation to end", ON_NONE, lives },
	{ "fields of new ones", ON_NONE, creation },
	{ "fields of scanouts", ON_NONE, scanouts },
};

const struct group group_blob = GROUP("blob", tests);
