// SPDX-License-Identifier: MIT
/*
 * Owns the tests of every command with every field at its limits: each is answered, by what
 * the specification names where it names it, and nobody else is affected.
 */
#include <stdio.h>

#include "gpu.h"

#define ID 5
#define EDGE 64
#define SIZE (EDGE * EDGE * 4)
#define MAX 0xffffffffU

#define OK_NODATA VIRTIO_GPU_RESP_OK_NODATA
#define UNSPEC VIRTIO_GPU_RESP_ERR_UNSPEC
#define NO_MEMORY VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY
#define BAD_SCANOUT VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID
#define BAD_ID VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define BAD_PARAMETER VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER

/* No resource of this vGPU has one of these ids */
static const __u32 bad_ids[] = { 0, 1, ID - 1, ID + 1, NEIGHBOUR_ID, 0x7fffffff, MAX };

/* What rectangles are in a picture of EDGE x EDGE: none of these */
static const struct virtio_gpu_rect bad_rects[] = {
	{ 0, 0, MAX, 1 }, { 0, 0, 1, MAX }, { 0, 0, MAX, MAX }, { 0, 0, EDGE + 1, EDGE },
	{ 0, 0, EDGE, EDGE + 1 }, { MAX, 0, 1, 1 }, { 0, MAX, 1, 1 }, { MAX, MAX, MAX, MAX },
	{ 1, 0, EDGE, EDGE }, { 0, 1, EDGE, EDGE }, { MAX, 0, 2, 1 }, { 1, 0, MAX, 1 },
	{ EDGE, EDGE, MAX - EDGE + 1, MAX - EDGE + 1 }, { 0x80000000, 0, 0x80000000, 1 },
};

/* The vGPU under test has a resource ID with backing */
static struct gpu *bench_open(struct fixture *f, struct bench *b)
{
	struct gpu *g = bench_attach(f, b);

	gpu_start(g);
	make_picture(g, ID, EDGE, EDGE, IOVA + ROOM);
	return g;
}

/* What was there before is, and nothing is broken */
static void close_intact(struct bench *b)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);

	OK(!broken(&b->g), "a command has broken the device");
	ANSWERS(&b->g, "a good transfer afterwards", transfer, OK_NODATA);
	bench_close(b);
}

static void create(struct fixture *f)
{
	static const struct {
		__u32 width, height, want;
	} sizes[] = {
		{ 0, 0, BAD_PARAMETER }, { 0, 1, BAD_PARAMETER }, { 1, 0, BAD_PARAMETER },
		{ 0, MAX, BAD_PARAMETER }, { MAX, 0, BAD_PARAMETER }, { 1, 1, OK_NODATA },
		{ MAX, MAX, BAD_PARAMETER }, { MAX, 1, BAD_PARAMETER }, { 1, MAX, BAD_PARAMETER },
		{ 0x8000, 0x8000, BAD_PARAMETER }, { 0x10000, 0x10000, BAD_PARAMETER },
		{ 0x40000000, 1, BAD_PARAMETER }, { 0x80000000, 0x80000000, BAD_PARAMETER },
		{ 1, 0x4000, OK_NODATA }, { 0x4000, 1, OK_NODATA },
		{ 1, 0x4001, BAD_PARAMETER }, { 0x4001, 1, BAD_PARAMETER },
	};
	static const __u32 formats[] = { 0, 5, 6, 66, 69, 120, 122, 133, 135, 0x7fffffff, MAX };
	struct virtio_gpu_resource_create_2d req;
	struct virtio_gpu_resource_unref unref = unref_req(9);
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char what[64];

		snprintf(what, sizeof(what), "%u x %u", sizes[i].width, sizes[i].height);
		req = create_req(9, sizes[i].width, sizes[i].height);
		ANSWERS(g, what, req, sizes[i].want);
		ANSWERS(g, "forgetting it", unref, ANY_ANSWER);
	}
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		req = create_req(9, 1, 1);
		req.format = formats[i];
		ANSWERS(g, "a format that there isn't", req, BAD_PARAMETER);
	}
	req = create_req(0, 1, 1);
	ANSWERS(g, "id 0", req, BAD_ID);
	req = create_req(ID, 1, 1);
	ANSWERS(g, "an id twice", req, BAD_ID);
	/* another's id is as good as any */
	req = create_req(NEIGHBOUR_ID, 1, 1);
	ANSWERS(g, "the neighbour's id", req, OK_NODATA);
	req = create_req(MAX, 1, 1);
	ANSWERS(g, "the last id", req, OK_NODATA);
	close_intact(&b);
}

static void ids(struct fixture *f)
{
	struct bench b;
	unsigned int i;
	struct gpu *g;
	__u32 id;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(bad_ids); i++) {
		id = bad_ids[i];
		struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(id, EDGE, EDGE);
		struct virtio_gpu_resource_flush flush = flush_req(id, EDGE, EDGE);
		struct virtio_gpu_set_scanout scanout = scanout_req(0, id, EDGE, EDGE);
		struct virtio_gpu_resource_unref unref = unref_req(id);
		struct virtio_gpu_resource_detach_backing detach = detach_req(id);
		struct attach_one attach = attach_req(id, IOVA + ROOM, SIZE);

		ANSWERS(g, "transfer", transfer, BAD_ID);
		ANSWERS(g, "flush", flush, BAD_ID);
		ANSWERS(g, "unref", unref, BAD_ID);
		ANSWERS(g, "detach", detach, BAD_ID);
		ANSWERS(g, "attach", attach, BAD_ID);
		/* 5.7.6.8: 0 switches it off */
		ANSWERS(g, "scanout", scanout, id ? BAD_ID : OK_NODATA);
	}
	close_intact(&b);
}

/* Each error leaves the resource usable. */
static void repeated(struct fixture *f)
{
	struct virtio_gpu_resource_detach_backing detach = detach_req(ID);
	struct virtio_gpu_resource_unref unref = unref_req(ID);
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);
	struct attach_one attach = attach_req(ID, IOVA + ROOM, SIZE);
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	ANSWERS(g, "attaching twice", attach, ANY_ERROR);
	ANSWERS(g, "detaching", detach, OK_NODATA);
	ANSWERS(g, "detaching twice", detach, ANY_ERROR);
	ANSWERS(g, "a transfer from nothing", transfer, ANY_ERROR);
	ANSWERS(g, "attaching again", attach, OK_NODATA);
	ANSWERS(g, "unref", unref, OK_NODATA);
	ANSWERS(g, "unref twice", unref, BAD_ID);
	make_picture(g, ID, EDGE, EDGE, IOVA + ROOM);
	close_intact(&b);
}

static void rectangles(struct fixture *f)
{
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct virtio_gpu_set_scanout scanout;
	struct virtio_gpu_resource_flush flush;
	struct bench b;
	unsigned int i;
	struct gpu *g;
	char what[64];

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(bad_rects); i++) {
		const struct virtio_gpu_rect *r = &bad_rects[i];

		snprintf(what, sizeof(what), "%ux%u at %u,%u", r->width, r->height, r->x, r->y);
		transfer = transfer_req(ID, 0, 0);
		transfer.r = *r;
		ANSWERS(g, what, transfer, BAD_PARAMETER);
		flush = flush_req(ID, 0, 0);
		flush.r = *r;
		ANSWERS(g, what, flush, BAD_PARAMETER);
		scanout = scanout_req(0, ID, 0, 0);
		scanout.r = *r;
		ANSWERS(g, what, scanout, BAD_PARAMETER);
	}
	/* nothing at all, which hardware may take or not */
	transfer = transfer_req(ID, 0, 0);
	ANSWERS(g, "an empty transfer", transfer, ANY_ANSWER);
	flush = flush_req(ID, 0, 0);
	ANSWERS(g, "an empty flush", flush, ANY_ANSWER);
	scanout = scanout_req(0, ID, 0, 0);
	ANSWERS(g, "an empty scanout", scanout, ANY_ANSWER);
	scanout = scanout_req(0, ID, 1, 1);
	ANSWERS(g, "a scanout of one pixel", scanout, ANY_ANSWER);
	close_intact(&b);
}

/* What is beyond the backing is not there to be transferred */
static void offsets(struct fixture *f)
{
	static const __u64 offset[] = {
		1, SIZE - 1, SIZE, SIZE + 1, 1ULL << 31, 1ULL << 32, 1ULL << 63, -1ULL, -SIZE,
	};
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(offset); i++) {
		transfer = transfer_req(ID, EDGE, EDGE);
		transfer.offset = offset[i];
		ANSWERS(g, "an offset beyond", transfer, BAD_PARAMETER);
		transfer = transfer_req(ID, EDGE / 2, EDGE / 2);
		transfer.r.x = EDGE / 4;
		transfer.offset = offset[i];
		ANSWERS(g, "an offset beyond, in parts", transfer,
			offset[i] == 1 ? OK_NODATA : BAD_PARAMETER);
		transfer = transfer_req(ID, 0, EDGE);
		transfer.offset = offset[i];
		ANSWERS(g, "an offset beyond, of nothing", transfer,
			offset[i] == 1 ? OK_NODATA : BAD_PARAMETER);
	}
	close_intact(&b);
}

static void scanouts(struct fixture *f)
{
	struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	struct virtio_gpu_set_scanout scanout;
	unsigned int i, n;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	n = heads(g);
	const __u32 bad[] = { n, n + 1, 15, 16, 0x7fffffff, MAX };

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		scanout = scanout_req(bad[i], ID, EDGE, EDGE);
		ANSWERS(g, "a head too many", scanout, BAD_SCANOUT);
		scanout = scanout_req(bad[i], 0, 0, 0);
		ANSWERS(g, "a head too many, off", scanout, BAD_SCANOUT);
		edid.scanout = bad[i];
		ANSWERS(g, "EDID of a head too many", edid, ANY_ERROR);
	}
	edid.scanout = 0;
	ANSWERS(g, "EDID", edid, VIRTIO_GPU_RESP_OK_EDID);
	/* a resource goes that is on a screen */
	struct virtio_gpu_resource_unref unref = unref_req(ID);

	scanout = scanout_req(0, ID, EDGE, EDGE);
	ANSWERS(g, "a scanout", scanout, OK_NODATA);
	ANSWERS(g, "unref of what is shown", unref, OK_NODATA);
	make_picture(g, ID, EDGE, EDGE, IOVA + ROOM);
	close_intact(&b);
}

/* A request too long for a slot, read from the arena's room for tests */
static __u32 ask_large(struct gpu *g, size_t req_len)
{
	struct ring *r = &g->ring[CONTROL];
	unsigned int slot = r->sent % SLOTS;
	struct vring_used_elem used;

	describe(g, CONTROL, 2 * slot, IOVA + ROOM, req_len, VRING_DESC_F_NEXT, 2 * slot + 1);
	describe(g, CONTROL, 2 * slot + 1, r->iova + 4 * PAGE + slot * SLOT_SIZE + REQ_SIZE,
		 RESP_SIZE, VRING_DESC_F_WRITE, 0);
	offer(g, CONTROL, 2 * slot);
	OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "no answer to a large command");
	EQ(used.id, 2 * slot);
	return slot_answer(g, CONTROL, slot)->type;
}

/* @n entries, of which @given are there, all of them of @len bytes at @addr */
static __u32 attach_many(struct gpu *g, __u32 id, __u32 n, __u32 given, __u64 addr, __u32 len)
{
	struct virtio_gpu_resource_attach_backing *req = (void *)(g->arena + ROOM);
	struct virtio_gpu_mem_entry *entry = (void *)(req + 1);
	size_t size = sizeof(*req) + given * sizeof(*entry);
	unsigned int i;

	OK(size <= ROOM_SIZE, "%u entries are too many for the arena", given);
	*req = (struct virtio_gpu_resource_attach_backing){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		.resource_id = id, .nr_entries = n,
	};
	for (i = 0; i < given; i++)
		entry[i] = (struct virtio_gpu_mem_entry){ .addr = addr, .length = len };
	return ask_large(g, size);
}

static void backings(struct fixture *f)
{
	static const struct {
		__u32 n, given, want;
	} counts[] = {
		{ 0, 0, ANY_ERROR }, { 0, 1, ANY_ERROR }, { 1, 0, UNSPEC }, { 2, 1, UNSPEC },
		{ 16384, 16383, UNSPEC }, { 16385, 16385, ANY_ERROR }, { MAX, 1, UNSPEC },
		{ 0x10000000, 1, UNSPEC }, { 0x10000001, 1, UNSPEC }, { 0x80000000, 2, UNSPEC },
		{ MAX, 16384, UNSPEC },
	};
	static const struct {
		__u64 addr;
		__u32 len;
	} bad[] = {
		{ BACKING, 0 }, { NOWHERE, PAGE }, { 0, PAGE }, { -1ULL, 2 }, { -1ULL, 1 },
		{ -PAGE, 2 * PAGE }, { -PAGE, PAGE }, { 1ULL << 63, MAX }, { BACKING, MAX },
		{ BACKING + SIZE - 1, 2 }, { BACKING - 1, 2 },
	};
	struct virtio_gpu_resource_detach_backing detach = detach_req(9);
	struct virtio_gpu_resource_create_2d create = create_req(9, EDGE, EDGE);
	struct attach_one attach;
	unsigned int i, got;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	map_backing(g, SIZE);
	ANSWERS(g, "a resource", create, OK_NODATA);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		got = attach_many(g, 9, counts[i].n, counts[i].given, BACKING, 16);
		OK(counts[i].want == ANY_ERROR ? got >= UNSPEC && got <= BAD_PARAMETER :
						 got == counts[i].want,
		   "%u entries of %u: answer 0x%x", counts[i].given, counts[i].n, got);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		attach = attach_req(9, bad[i].addr, bad[i].len);
		ANSWERS(g, "an entry that is no memory", attach, ANY_ERROR);
		ANSWERS(g, "detaching what isn't", detach, ANY_ERROR);
	}
	/* nothing that was refused counts, and as many as are allowed work */
	HEX(attach_many(g, 9, 16384, 16384, BACKING, 1), OK_NODATA);
	ANSWERS(g, "detaching it", detach, OK_NODATA);
	close_intact(&b);
}

/* Entries are counted, too: four times the largest list and no more */
static void entry_quota(struct fixture *f)
{
	struct virtio_gpu_resource_create_2d create;
	struct virtio_gpu_resource_unref unref = unref_req(100);
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	map_backing(g, SIZE);
	for (i = 0; i < 5; i++) {
		create = create_req(100 + i, EDGE, EDGE);
		ANSWERS(g, "a resource", create, OK_NODATA);
		/* one is taken already */
		HEX(attach_many(g, 100 + i, 16384, 16384, BACKING, 1),
		    i < 3 ? OK_NODATA : NO_MEMORY);
	}
	ANSWERS(g, "giving one back", unref, OK_NODATA);
	HEX(attach_many(g, 104, 16384, 16384, BACKING, 1), OK_NODATA);
	close_intact(&b);
}

static void memory_quota(struct fixture *f)
{
	const unsigned int edge = 1024, max = 1024;	/* 4 MiB each */
	struct virtio_gpu_resource_create_2d create;
	struct virtio_gpu_resource_unref unref;
	unsigned int i, n = 0, first = 0, got;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < 3; i++) {
		for (n = 0; n < max; n++) {
			create = create_req(1000 + n, edge, edge);
			got = ask(g, &create, sizeof(create));
			if (got != OK_NODATA)
				break;
		}
		HEX(got, NO_MEMORY);
		OK(n, "no memory for anything");
		diag("%u resources of 4 MiB", n);
		/* a reset gives everything back, and so what was in use before */
		if (i == 0) {
			unref = unref_req(1000);
			ANSWERS(g, "giving one back", unref, OK_NODATA);
			create = create_req(5000, edge, edge);
			ANSWERS(g, "taking one more", create, OK_NODATA);
			ANSWERS(g, "and another", create, BAD_ID);
			create = create_req(5001, edge, edge);
			ANSWERS(g, "and another", create, NO_MEMORY);
		} else {
			OK(n == first || (i == 1 && n == first + 1), "%u resources, then %u", first,
			   n);
		}
		first = n;
		neighbour_works(&b.other);
		gpu_start(g);
	}
	make_picture(g, ID, EDGE, EDGE, IOVA + ROOM);
	close_intact(&b);
}

/* One-pixel resources, as many as there may be; returns how many there were */
static unsigned int create_tiny(struct gpu *g)
{
	const unsigned int max = 20000, in_flight = 64;
	struct virtio_gpu_resource_create_2d create;
	struct vring_used_elem used;
	unsigned int sent, seen, n = 0;

	for (sent = 0, seen = 0; seen < max; seen++) {
		for (; sent < max && sent < seen + in_flight; sent++) {
			create = create_req(1000 + sent, 1, 1);
			send(g, CONTROL, &create, sizeof(create), RESP_SIZE);
		}
		OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "%u of %u answers", seen, sent);
		n += slot_answer(g, CONTROL, used.id / 2)->type == OK_NODATA;
	}
	return n;
}

static void resource_quota(struct fixture *f)
{
	struct virtio_gpu_resource_create_2d create = create_req(500, 1, 1);
	struct virtio_gpu_resource_unref unref = unref_req(1000);
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < 2; i++) {
		/* one is there already */
		EQ(create_tiny(g), 16383);
		ANSWERS(g, "one more", create, NO_MEMORY);
		ANSWERS(g, "giving one back", unref, OK_NODATA);
		ANSWERS(g, "one more then", create, OK_NODATA);
		neighbour_works(&b.other);
		gpu_start(g);
		make_picture(g, ID, EDGE, EDGE, IOVA + ROOM);
	}
	close_intact(&b);
}

static void types(struct fixture *f)
{
	static const __u32 bad[] = {
		0, 1, 0xff, 0x108, 0x109, 0x10b, 0x10c, 0x10d, 0x1ff, 0x200, 0x201, 0x207,
		0x208, 0x300, 0x301, 0x1100, 0x1101, 0x1200, 0x01000100, 0x80000100, MAX,
	};
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		__u32 req[32] = { bad[i] };

		ANSWERS(g, "an unknown type", req, UNSPEC);
		EQ(ask(g, req, sizeof(struct virtio_gpu_ctrl_hdr)), UNSPEC);
	}
	/* no capsets without 3D: there are none to ask for with 0x108 and 0x109 */
	EQ(reg_read(&g->f, BAR4,
		    g->device + offsetof(struct virtio_gpu_config, num_capsets), 4), 0);
	/* those of the cursor queue */
	__u32 move[32] = { VIRTIO_GPU_CMD_MOVE_CURSOR };
	__u32 update[32] = { VIRTIO_GPU_CMD_UPDATE_CURSOR };

	ANSWERS(g, "a move", move, UNSPEC);
	ANSWERS(g, "an update", update, UNSPEC);
	close_intact(&b);
}

/* Commands of features that have not been accepted, as a driver would send them */
static void features(struct fixture *f)
{
	struct virtio_gpu_resource_assign_uuid uuid = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, .resource_id = ID,
	};
	struct virtio_gpu_set_scanout_blob scanout = blob_scanout_req(ID, EDGE);
	struct blob_one blob = blob_req(9, IOVA + ROOM, SIZE);
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	ANSWERS(g, "a UUID", uuid, UNSPEC);
	ANSWERS(g, "a blob in the guest's memory", blob, UNSPEC);
	blob.req.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D;
	ANSWERS(g, "a blob in the host's memory", blob, UNSPEC);
	ANSWERS(g, "a blob's scanout", scanout, UNSPEC);
	scanout.resource_id = 0;
	ANSWERS(g, "no blob's scanout", scanout, UNSPEC);
	bench_close(&b);
}

static const struct {
	__u32 type;
	size_t size;
} commands[] = {
	{ VIRTIO_GPU_CMD_GET_DISPLAY_INFO, sizeof(struct virtio_gpu_ctrl_hdr) },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, sizeof(struct virtio_gpu_resource_create_2d) },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(struct virtio_gpu_resource_unref) },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(struct virtio_gpu_set_scanout) },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, sizeof(struct virtio_gpu_resource_flush) },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, sizeof(struct virtio_gpu_transfer_to_host_2d) },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
	  sizeof(struct virtio_gpu_resource_attach_backing) },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
	  sizeof(struct virtio_gpu_resource_detach_backing) },
	{ VIRTIO_GPU_CMD_GET_EDID, sizeof(struct virtio_gpu_cmd_get_edid) },
};

static void short_requests(struct fixture *f)
{
	unsigned int i, len;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		__u32 req[REQ_SIZE / 4] = { commands[i].type };

		for (len = 0; len < commands[i].size; len += len < 24 ? 1 : 4) {
			__u32 got = ask(g, req, len);

			OK(got == UNSPEC, "%u bytes of command 0x%x: answer 0x%x", len,
			   commands[i].type, got);
		}
		ANSWERS(g, "more than it has", req, ANY_ANSWER);
	}
	close_intact(&b);
}

/* As much of an answer comes as there is room for, and never more. */
static void small_responses(struct fixture *f)
{
	static const size_t room[] = { 0, 1, 4, 8, 23, 24, 25, 407, 408, 409, 1055, 1056 };
	unsigned int i, k, size, slot;
	const __u8 *resp;
	struct bench b;
	struct gpu *g;
	__u32 used;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		__u32 req[REQ_SIZE / 4] = { commands[i].type };

		ask_len(g, req, commands[i].size, RESP_SIZE, &used);
		size = used;
		OK(size >= sizeof(struct virtio_gpu_ctrl_hdr), "an answer of %u bytes", size);
		for (k = 0; k < ARRAY_SIZE(room); k++) {
			slot = g->ring[CONTROL].sent % SLOTS;
			ask_len(g, req, commands[i].size, room[k], &used);
			EQ(used, room[k] < size ? room[k] : size);
			resp = (const void *)slot_answer(g, CONTROL, slot);
			HEX(resp[used], 0xee);
			HEX(resp[room[k]], 0xee);
		}
	}
	close_intact(&b);
}

static void fences(struct fixture *f)
{
	static const __u32 flags[] = { 0, 1, 2, 3, 0x80000000, MAX };
	const struct virtio_gpu_ctrl_hdr *resp;
	unsigned int i, k, slot;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		for (k = 0; k < ARRAY_SIZE(flags); k++) {
			struct virtio_gpu_ctrl_hdr req[REQ_SIZE / 24] = { {
				.type = commands[i].type, .flags = flags[k],
				.fence_id = -1ULL - k, .ctx_id = MAX,
			} };

			slot = g->ring[CONTROL].sent % SLOTS;
			ask(g, req, sizeof(req));
			resp = slot_answer(g, CONTROL, slot);
			HEX(resp->flags & ~VIRTIO_GPU_FLAG_FENCE, 0);
			HEX(resp->flags, flags[k] & VIRTIO_GPU_FLAG_FENCE);
			HEX(resp->fence_id, resp->flags ? -1ULL - k : 0);
		}
	}
	close_intact(&b);
}

/* Whatever it says there, the cursor queue answers with nothing but the chain. */
static void cursor_queue(struct fixture *f)
{
	static const __u32 limits[] = { 0, 1, ID, NEIGHBOUR_ID, 0x80000000, MAX };
	struct virtio_gpu_update_cursor req;
	struct vring_used_elem used;
	unsigned int i, k, slot, n = 0;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		for (k = 0; k < 12; k++, n++) {
			req = cursor_req(k & 1 ? VIRTIO_GPU_CMD_MOVE_CURSOR :
						 VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, ID);
			if (k / 2 == 0)
				req.pos.scanout_id = limits[i];
			else if (k / 2 == 1)
				req.resource_id = limits[i];
			else if (k / 2 == 2)
				req.pos.x = limits[i];
			else if (k / 2 == 3)
				req.pos.y = limits[i];
			else if (k / 2 == 4)
				req.hot_x = limits[i];
			else
				req.hot_y = limits[i];
			slot = send(g, CURSOR, &req, sizeof(req), n % 3 ? 0 : RESP_SIZE);
			OK(answered(g, CURSOR, ANSWER_SECONDS, &used), "a cursor is not answered");
			EQ(used.id, 2 * slot);
			EQ(used.len, 0);
		}
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		__u32 bad[REQ_SIZE / 4] = { commands[i].type };

		for (k = 0; k <= sizeof(req); k += 7) {
			slot = send(g, CURSOR, bad, k, k % 2 ? RESP_SIZE : 0);
			OK(answered(g, CURSOR, ANSWER_SECONDS, &used), "command %u", i);
			EQ(used.id, 2 * slot);
			EQ(used.len, 0);
		}
	}
	/* as many as there is room for, and the resource goes meanwhile */
	struct virtio_gpu_resource_unref unref = unref_req(ID);

	req = cursor_req(VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, ID);
	for (i = 0; i < SLOTS; i++)
		send(g, CURSOR, &req, sizeof(req), 0);
	ANSWERS(g, "unref of a cursor", unref, OK_NODATA);
	for (i = 0; i < SLOTS; i++)
		OK(answered(g, CURSOR, ANSWER_SECONDS, &used), "cursor %u of %u", i, SLOTS);
	make_picture(g, ID, EDGE, EDGE, IOVA + ROOM);
	close_intact(&b);
}

/* Bytes that a generator says, in what is a command otherwise */
static void random_commands(struct fixture *f)
{
	static const __u32 values[] = { 0, 1, 2, ID, EDGE, SIZE, NEIGHBOUR_ID, 0x7fffffff, MAX };
	unsigned int i, k, n = 0;
	double end = seconds_now() + f->env->seconds;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	srand(1);
	while (seconds_now() < end) {
		__u32 req[REQ_SIZE / 4] = { 0 };

		i = rand() % ARRAY_SIZE(commands);
		req[0] = commands[i].type;
		for (k = 1; k < ARRAY_SIZE(req); k++)
			req[k] = rand() % 4 ? values[rand() % ARRAY_SIZE(values)] : (__u32)rand();
		ask(g, req, commands[i].size + rand() % 64);
		n++;
	}
	diag("%u commands", n);
	gpu_start(g);
	make_picture(g, ID, EDGE, EDGE, IOVA + ROOM);
	close_intact(&b);
}

static const struct test tests[] = {
	{ "sizes, formats and ids of new resources", ON_NONE, create },
	{ "ids that there are not", ON_NONE, ids },
	{ "everything twice", ON_NONE, repeated },
	{ "rectangles beyond", ON_NONE, rectangles },
	{ "offsets beyond", ON_NONE, offsets },
	{ "heads that there are not", ON_NONE, scanouts },
	{ "backings of any number of entries", ON_NONE, backings },
	{ "the quota of entries", ON_NONE, entry_quota },
	{ "the quota of memory", ON_NONE, memory_quota },
	{ "the quota of resources", ON_NONE, resource_quota },
	{ "unknown types", ON_NONE, types },
	{ "features that are off", ON_NONE, features },
	{ "short requests", ON_NONE, short_requests },
	{ "no room for the answer", ON_NONE, small_responses },
	{ "fences", ON_NONE, fences },
	{ "the cursor queue", ON_NONE, cursor_queue },
	{ "random fields", ON_NONE, random_commands },
};

const struct group group_command = GROUP("command", tests);
