// SPDX-License-Identifier: MIT
/*
 * Owns the tests of guest memory that goes away: from under transfers, from under the queues,
 * and over what the operator allows.
 */
#include "gpu.h"

#define ID 5
#define EDGE 1024
#define SIZE (EDGE * EDGE * 4UL)
#define QUEUED 32

static struct gpu *bench_open(struct fixture *f, struct bench *b)
{
	struct gpu *g = bench_attach(f, b);

	gpu_start(g);
	b->backing = map_backing(g, SIZE);
	make_picture(g, ID, EDGE, EDGE, BACKING);
	return g;
}

/* As BREAKS(), but nothing is started again: its queues are gone */
static void must_break(struct gpu *g)
{
	double end = seconds_now() + ANSWER_SECONDS;

	while (!broken(g)) {
		OK(seconds_now() < end, "a queue that is gone, and no request for a reset");
		usleep(1000);
	}
}

static void send_transfers(struct gpu *g)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);
	unsigned int i;

	for (i = 0; i < QUEUED; i++)
		send(g, CONTROL, &transfer, sizeof(transfer), RESP_SIZE);
}

/* Each is answered, by success or by an error; returns how many successes */
static unsigned int take_transfers(struct gpu *g)
{
	struct vring_used_elem used;
	unsigned int i, good = 0;
	__u32 type;

	for (i = 0; i < QUEUED; i++) {
		OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "%u of %u transfers answered", i,
		   QUEUED);
		type = slot_answer(g, CONTROL, used.id / 2)->type;
		OK(type == VIRTIO_GPU_RESP_OK_NODATA ||
		   (type >= VIRTIO_GPU_RESP_ERR_UNSPEC &&
		    type <= VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER), "answer 0x%x", type);
		good += type == VIRTIO_GPU_RESP_OK_NODATA;
	}
	return good;
}

static void from_under_transfers(struct fixture *f)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);
	struct virtio_gpu_resource_flush flush = flush_req(ID, EDGE, EDGE);
	unsigned int i, good = 0;
	struct bench b;
	long long pins, now;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < 10; i++) {
		ANSWERS(g, "a transfer, all being there", transfer, VIRTIO_GPU_RESP_OK_NODATA);
		pins = counter(&g->f, "pinned");
		send_transfers(g);
		usleep(rand() % 6000);
		unmap_iova(&g->f, BACKING, SIZE);
		good += take_transfers(g);
		ANSWERS(g, "a transfer from what isn't there", transfer, ANY_ERROR);
		/* counts as pinned what an attempt to pin is charged for, so not before the last */
		now = counter(&g->f, "pinned");
		OK(now <= pins - (long long)(SIZE / PAGE),
		   "%lld pages pinned, of %lld before the memory went", now, pins);
		ANSWERS(g, "a flush all the same", flush, VIRTIO_GPU_RESP_OK_NODATA);
		OK(!broken(g), "it has broken the device");
		neighbour_works(&b.other);
		map_iova(&g->f, BACKING, b.backing, SIZE, RW);
	}
	diag("%u of %u transfers came before their memory went", good, i * QUEUED);
	bench_close(&b);
}

/* It goes and comes so fast that commands meet it in any state. */
static void comes_and_goes(struct fixture *f)
{
	double end = seconds_now() + f->env->seconds;
	struct virtio_gpu_resource_detach_backing detach = detach_req(ID);
	struct attach_one attach = attach_req(ID, BACKING, SIZE);
	unsigned int times = 0, good = 0;
	struct vring_used_elem used;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (; seconds_now() < end; times++) {
		send_transfers(g);
		send(g, CONTROL, &detach, sizeof(detach), RESP_SIZE);
		unmap_iova(&g->f, BACKING, SIZE);
		map_iova(&g->f, BACKING, b.backing, SIZE, RW);
		send(g, CONTROL, &attach, sizeof(attach), RESP_SIZE);
		good += take_transfers(g);
		OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "no answer to a detach");
		OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "no answer to an attach");
	}
	diag("%u times, %u of %u transfers succeeded", times, good, times * QUEUED);
	bench_close(&b);
}

/* Everything goes, with the queues in it. */
static void all_goes(struct fixture *f)
{
	struct vgpu_error err;
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < 6; i++) {
		gpu_start(g);
		make_picture(g, ID, EDGE, EDGE, BACKING);
		send_transfers(g);
		usleep(rand() % 20000);
		if (i % 2) {
			unmap_iova(&g->f, IOVA, ARENA_SIZE);
		} else if (f->env->iommufd) {
			unmap_iova(&g->f, IOVA, ARENA_SIZE);
			unmap_iova(&g->f, BACKING, SIZE);
		} else {
			DID(vgpu_iommu_unmap_all(g->f.iommu, NULL, &err), &err);
		}
		ring_bell(g, CONTROL);
		map_iova(&g->f, IOVA + (1ULL << 40), g->arena, ARENA_SIZE, RW);
		/* an arena somewhere else is none */
		must_break(g);
		unmap_iova(&g->f, IOVA + (1ULL << 40), ARENA_SIZE);
		neighbour_works(&b.other);
		map_iova(&g->f, IOVA, g->arena, ARENA_SIZE, RW);
		if (!(i % 2))
			map_iova(&g->f, BACKING, b.backing, SIZE, RW);
	}
	bench_close(&b);
}

/* Memory that is there for the device to read, and not to write */
static void read_only(struct fixture *f)
{
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	unmap_iova(&g->f, BACKING, SIZE);
	map_iova(&g->f, BACKING, b.backing, SIZE, PROT_READ);
	ANSWERS(g, "a transfer only reads", transfer, VIRTIO_GPU_RESP_OK_NODATA);
	unmap_iova(&g->f, IOVA, ARENA_SIZE);
	map_iova(&g->f, IOVA, g->arena, ARENA_SIZE, PROT_READ);
	send(g, CONTROL, &req, sizeof(req), RESP_SIZE);
	must_break(g);
	unmap_iova(&g->f, IOVA, ARENA_SIZE);
	map_iova(&g->f, IOVA, g->arena, ARENA_SIZE, RW);
	bench_close(&b);
}

static void over_quota(struct fixture *f)
{
	struct attach_one attach = attach_req(9, BACKING, SIZE);
	struct virtio_gpu_resource_create_2d create = create_req(9, EDGE, EDGE);
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	gpu_start(g);
	set_attribute(&g->f, "quota", "512");
	ANSWERS(g, "creating", create, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(g, "more than may be pinned", attach, ANY_ERROR);
	attach.entry.length = SIZE / 4;
	ANSWERS(g, "as much as may be", attach, VIRTIO_GPU_RESP_OK_NODATA);
	gpu_reset(g);
	IDLE(&g->f);
	set_attribute(&g->f, "quota", "max");
	gpu_start(g);
	ANSWERS(g, "creating", create, VIRTIO_GPU_RESP_OK_NODATA);
	attach.entry.length = SIZE;
	ANSWERS(g, "without a quota", attach, VIRTIO_GPU_RESP_OK_NODATA);
	/* back to what the next VMM may lock */
	set_attribute(&g->f, "quota", "0");
	bench_close(&b);
}

static const struct test tests[] = {
	{ "goes from under transfers", ON_NONE, from_under_transfers },
	{ "comes and goes", ON_NONE, comes_and_goes },
	{ "goes with the queues in it", ON_NONE, all_goes },
	{ "may not be written", ON_NONE, read_only },
	{ "over the operator's quota", ON_NONE, over_quota },
};

const struct group group_memory = GROUP("memory", tests);
