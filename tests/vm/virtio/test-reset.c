// SPDX-License-Identifier: MIT
/*
 * Owns the tests of a device that is reset: by its driver or by the VMM, at each step of what
 * a driver does, and while there is as much under way as there can be.
 */
#include <pthread.h>

#include "gpu.h"

#define ID 5
#define EDGE 512
#define SIZE (EDGE * EDGE * 4)
#define IN_FLIGHT 64

static struct gpu *bench_open(struct fixture *f, struct bench *b)
{
	struct gpu *g = bench_attach(f, b);

	b->backing = map_backing(g, SIZE);
	return g;
}

enum how { BY_STATUS, BY_VFIO, BY_QUEUE, NR_HOW };

static void reset(struct gpu *g, enum how how)
{
	struct vgpu_error err;
	unsigned int q;

	switch (how) {
	case BY_STATUS:
		gpu_reset(g);
		break;
	case BY_VFIO:
		DID(vgpu_reset(g->f.dev, &err), &err);
		break;
	default:
		/* each queue, and then the rest */
		for (q = 0; q < QUEUES; q++) {
			common_write(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
			common_write(g, VIRTIO_PCI_COMMON_Q_RESET, 2, 1);
			EQ(common_read(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		}
		gpu_reset(g);
	}
	IDLE(&g->f);
}

static void step_features(struct gpu *g)
{
	gpu_init(g);
}

static void step_queue(struct gpu *g)
{
	gpu_init(g);
	set_queue(g, CONTROL);
}

static void step_created(struct gpu *g)
{
	struct virtio_gpu_resource_create_2d create = create_req(ID, EDGE, EDGE);

	gpu_start(g);
	ANSWERS(g, "creating", create, VIRTIO_GPU_RESP_OK_NODATA);
}

static void step_attached(struct gpu *g)
{
	gpu_start(g);
	make_picture(g, ID, EDGE, EDGE, BACKING);
}

/* From here on nobody waits for what was asked for last */
static void step_transfer(struct gpu *g)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);

	step_attached(g);
	send(g, CONTROL, &transfer, sizeof(transfer), RESP_SIZE);
}

static void step_creating(struct gpu *g)
{
	struct virtio_gpu_resource_create_2d create = create_req(ID, EDGE, EDGE);

	gpu_start(g);
	send(g, CONTROL, &create, sizeof(create), RESP_SIZE);
}

static void step_attaching(struct gpu *g)
{
	struct attach_one attach = attach_req(ID, BACKING, SIZE);

	step_created(g);
	send(g, CONTROL, &attach, sizeof(attach), RESP_SIZE);
}

static void step_scanout(struct gpu *g)
{
	struct virtio_gpu_set_scanout scanout = scanout_req(0, ID, EDGE, EDGE);

	step_transfer(g);
	send(g, CONTROL, &scanout, sizeof(scanout), RESP_SIZE);
}

static void step_shown(struct gpu *g)
{
	struct virtio_gpu_set_scanout scanout = scanout_req(0, ID, EDGE, EDGE);
	struct virtio_gpu_resource_flush flush = flush_req(ID, EDGE, EDGE);

	step_attached(g);
	ANSWERS(g, "scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
	send(g, CONTROL, &flush, sizeof(flush), RESP_SIZE);
}

static void step_cursor(struct gpu *g)
{
	struct virtio_gpu_update_cursor cursor = cursor_req(VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, ID);

	step_shown(g);
	send(g, CURSOR, &cursor, sizeof(cursor), 0);
}

static void step_detaching(struct gpu *g)
{
	struct virtio_gpu_resource_detach_backing detach = detach_req(ID);

	step_transfer(g);
	send(g, CONTROL, &detach, sizeof(detach), RESP_SIZE);
}

static void step_unref(struct gpu *g)
{
	struct virtio_gpu_resource_unref unref = unref_req(ID);

	step_cursor(g);
	send(g, CONTROL, &unref, sizeof(unref), RESP_SIZE);
}

/* Memory of the hardware's, to its end: it is all there again after each reset */
static void step_in_flight(struct gpu *g)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);
	struct virtio_gpu_update_cursor cursor = cursor_req(VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, ID);
	unsigned int i;

	step_attached(g);
	for (i = 0; i < IN_FLIGHT; i++) {
		send(g, CONTROL, &transfer, sizeof(transfer), RESP_SIZE);
		send(g, CURSOR, &cursor, sizeof(cursor), 0);
	}
}

static void step_broken(struct gpu *g)
{
	step_in_flight(g);
	g->ring[CONTROL].avail->idx += 0x4000;
	ring_bell(g, CONTROL);
}

static void (*const steps[])(struct gpu *g) = {
	gpu_reset, step_features, step_queue, gpu_start, step_creating, step_created,
	step_attaching, step_attached, step_transfer, step_scanout, step_shown, step_cursor,
	step_detaching, step_unref, step_in_flight, step_broken,
};

static void any_step(struct fixture *f, enum how how)
{
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		memory_on(&g->f);
		steps[i](g);
		reset(g, how);
		/* and at a later moment */
		memory_on(&g->f);
		steps[i](g);
		usleep(rand() % 20000);
		reset(g, how);
		neighbour_works(&b.other);
	}
	bench_close(&b);
}

static void by_status(struct fixture *f)
{
	any_step(f, BY_STATUS);
}

static void by_vfio(struct fixture *f)
{
	any_step(f, BY_VFIO);
}

static void by_queue(struct fixture *f)
{
	any_step(f, BY_QUEUE);
}

/* A queue is reset alone: what it had under way is not answered, the rest stays */
static void one_queue(struct fixture *f)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(ID, EDGE, EDGE);
	struct vring_used_elem used;
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < 20; i++) {
		step_in_flight(g);
		usleep(rand() % 20000);
		common_write(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, CONTROL);
		common_write(g, VIRTIO_PCI_COMMON_Q_RESET, 2, 1);
		common_write(g, VIRTIO_PCI_COMMON_Q_MSIX, 2, 1);
		set_queue(g, CONTROL);
		ANSWERS(g, "a transfer after the reset", transfer, VIRTIO_GPU_RESP_OK_NODATA);
		OK(!answered(g, CONTROL, 0.05, &used), "answered in spite of the reset");
		OK(!broken(g), "the reset of a queue has broken the device");
	}
	bench_close(&b);
}

/**
 * struct notifier - who rings the bells without end
 * @g: whose
 * @stop: set to end it
 */
struct notifier {
	struct gpu *g;
	bool stop;
};

static void *ring_bells(void *data)
{
	struct notifier *n = data;
	__u64 value = 0;

	while (!__atomic_load_n(&n->stop, __ATOMIC_RELAXED)) {
		/* it may not decode just now */
		try_write(&n->g->f, BAR4, n->g->notify, &value, 2);
		try_write(&n->g->f, BAR4, n->g->notify + n->g->notify_step, &value, 2);
	}
	return NULL;
}

/* Another vCPU goes on using the device meanwhile. */
static void meanwhile(struct fixture *f)
{
	double end = seconds_now() + f->env->seconds;
	struct notifier n = { 0 };
	unsigned int resets = 0;
	pthread_t thread;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	gpu_start(g);
	n.g = g;
	EQ(pthread_create(&thread, NULL, ring_bells, &n), 0);
	while (seconds_now() < end) {
		step_in_flight(g);
		usleep(rand() % 10000);
		reset(g, resets++ % NR_HOW);
		memory_on(&g->f);
	}
	__atomic_store_n(&n.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	diag("%u resets", resets);
	bench_close(&b);
}

/* Nobody resets anything: the VMM goes, in whatever state the device is */
static void closed(struct fixture *f)
{
	struct bench b;
	unsigned int i;

	neighbour_open(&b.other, f->env);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		gpu_attach(&b.g, f->env, 0);
		map_backing(&b.g, SIZE);
		steps[i](&b.g);
		gpu_close(&b.g);
		neighbour_works(&b.other);
	}
	gpu_attach(&b.g, f->env, 0);
	bench_close(&b);
}

static const struct test tests[] = {
	{ "by the driver, after every step", ON_NONE, by_status },
	{ "by the VMM, after every step", ON_NONE, by_vfio },
	{ "queue by queue, after every step", ON_NONE, by_queue },
	{ "of one queue", ON_NONE, one_queue },
	{ "while another vCPU rings the bells", ON_NONE, meanwhile },
	{ "by closing, after every step", ON_NONE, closed },
};

const struct group group_reset = GROUP("reset", tests);
