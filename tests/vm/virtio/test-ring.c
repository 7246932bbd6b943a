// SPDX-License-Identifier: MIT
/*
 * Owns the tests of queues that no driver has: a broken one makes the device ask to be reset,
 * after which it works; one that is merely odd is served. Nothing is met with silence.
 */
#include <pthread.h>

#include "gpu.h"

#define OUT 0
#define NEXT VRING_DESC_F_NEXT
#define IN VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define CHAIN_MAX 1024		/* as the device has it */

/* In the arena's room: a command, its answer, and a table */
#define REQUEST (IOVA + ROOM)
#define RESPONSE (REQUEST + PAGE)
#define TABLE (REQUEST + 2 * PAGE)

static struct vring_desc *table(struct gpu *g)
{
	return (void *)(g->arena + ROOM + 2 * PAGE);
}

static void put_request(struct gpu *g)
{
	*(struct virtio_gpu_ctrl_hdr *)(g->arena + ROOM) = (struct virtio_gpu_ctrl_hdr){
		.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
	};
	memset(g->arena + ROOM + PAGE, 0, PAGE);
}

static struct gpu *bench_open(struct fixture *f, struct bench *b)
{
	struct gpu *g = bench_attach(f, b);

	gpu_start(g);
	put_request(g);
	return g;
}

/* The chain from descriptor 0 is answered as display info is */
static void served(struct gpu *g, const char *what)
{
	struct vring_used_elem used;

	put_request(g);
	offer(g, CONTROL, 0);
	OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "%s: no answer, status 0x%llx", what,
	   common_read(g, VIRTIO_PCI_COMMON_STATUS, 1));
	EQ(used.id, 0);
	OK(*(__u32 *)(g->arena + ROOM + PAGE) == VIRTIO_GPU_RESP_OK_DISPLAY_INFO,
	   "%s: a wrong answer", what);
}

static void chain_breaks(struct gpu *g, unsigned int q, __u16 head, const char *what)
{
	offer(g, q, head);
	BREAKS(g, what);
}

/* A chain from 0 of @n descriptors, of which the last refers to @next */
static void long_chain(struct gpu *g, unsigned int q, unsigned int n, __u16 next)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		describe(g, q, i, REQUEST, 8, NEXT, i + 1 < n ? i + 1 : next);
}

static void chains(struct fixture *f)
{
	struct bench b;
	struct gpu *g;
	unsigned int q;

	g = bench_open(f, &b);
	for (q = 0; q < QUEUES; q++) {
		describe(g, q, 0, REQUEST, 24, NEXT, 0);
		chain_breaks(g, q, 0, "one that is its own next");
		long_chain(g, q, 2, 0);
		chain_breaks(g, q, 0, "two in a circle");
		long_chain(g, q, RING_SIZE, 0);
		chain_breaks(g, q, 0, "all in a circle");
		long_chain(g, q, RING_SIZE, RING_SIZE);
		chain_breaks(g, q, 0, "one after the last");
		describe(g, q, 0, REQUEST, 24, NEXT, 0xffff);
		chain_breaks(g, q, 0, "a next of 65535");
		chain_breaks(g, q, RING_SIZE, "a head after the last");
		chain_breaks(g, q, 0xffff, "a head of 65535");
		describe(g, q, 0, RESPONSE, PAGE, IN | NEXT, 1);
		describe(g, q, 1, REQUEST, 24, OUT, 0);
		chain_breaks(g, q, 0, "the answer first");
		describe(g, q, 0, -8ULL, 16, OUT, 0);
		chain_breaks(g, q, 0, "a request that wraps");
		describe(g, q, 0, REQUEST, 24, NEXT, 1);
		describe(g, q, 1, -8ULL, 16, IN, 0);
		chain_breaks(g, q, 0, "an answer that wraps");
		describe(g, q, 0, NOWHERE, 24, OUT, 0);
		chain_breaks(g, q, 0, "a request that is nowhere");
		describe(g, q, 0, 0, 0xffffffff, OUT, 0);
		chain_breaks(g, q, 0, "a request of 4 GiB");
		neighbour_works(&b.other);
	}
	describe(g, CONTROL, 0, REQUEST, 24, NEXT, 1);
	describe(g, CONTROL, 1, NOWHERE, PAGE, IN, 0);
	chain_breaks(g, CONTROL, 0, "an answer that goes nowhere");
	describe(g, CONTROL, 0, REQUEST, 24, NEXT, 1);
	describe(g, CONTROL, 1, IOVA + ARENA_SIZE - 8, PAGE, IN, 0);
	chain_breaks(g, CONTROL, 0, "an answer into what ends too early");
	bench_close(&b);
}

static void odd_chains(struct fixture *f)
{
	struct vring_used_elem used;
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < 24; i++)
		describe(g, CONTROL, i, REQUEST + i, 1, NEXT, i + 1);
	describe(g, CONTROL, 24, RESPONSE, PAGE, IN, 0);
	served(g, "a byte each");
	for (i = 0; i < 64; i++)
		describe(g, CONTROL, 1 + i, RESPONSE + i, 1, IN | NEXT, i + 2);
	describe(g, CONTROL, 0, REQUEST, 24, NEXT, 1);
	describe(g, CONTROL, 65, RESPONSE + 64, PAGE - 64, IN, 0);
	served(g, "an answer in bytes");
	describe(g, CONTROL, 0, NOWHERE, 0, NEXT, 1);
	describe(g, CONTROL, 1, REQUEST, 24, NEXT, 2);
	describe(g, CONTROL, 2, 0, 0, IN | NEXT, 3);
	describe(g, CONTROL, 3, RESPONSE, PAGE, IN, 0);
	served(g, "empty ones between");
	describe(g, CONTROL, 0, REQUEST, 24, NEXT | 0xfff8, 1);
	describe(g, CONTROL, 1, RESPONSE, PAGE, IN | 0xfff8, 0);
	served(g, "flags that there are not");
	for (i = 0; i < RING_SIZE - 1; i++)
		describe(g, CONTROL, i, REQUEST, i ? 1 : 24, NEXT, i + 1);
	describe(g, CONTROL, RING_SIZE - 1, RESPONSE, PAGE, IN, 0);
	served(g, "all of them in one chain");
	/* nothing to read, nothing to write, neither */
	for (i = 0; i < 3; i++) {
		describe(g, CONTROL, 0, i ? RESPONSE : REQUEST, i == 1 ? 0 : 24,
			 i == 2 ? IN : OUT, 0);
		offer(g, CONTROL, 0);
		OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "half a chain has no answer");
		EQ(used.len, i == 2 ? 24 : 0);
	}
	bench_close(&b);
}

static void tables(struct fixture *f)
{
	static const __u32 lengths[] = {
		0, 1, 15, 17, 24, (CHAIN_MAX + 1) * 16, 65536 * 16, 0x7ffffff0, 0xfffffff0,
	};
	struct vring_desc *t;
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	t = table(g);
	t[0] = (struct vring_desc){ REQUEST, 24, NEXT, 1 };
	t[1] = (struct vring_desc){ RESPONSE, PAGE, IN, 0 };
	describe(g, CONTROL, 0, TABLE, 32, INDIRECT, 0);
	served(g, "an indirect table");
	describe(g, CONTROL, 0, TABLE, 32, INDIRECT | IN, 0);
	served(g, "one that is marked to be written");
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		describe(g, CONTROL, 0, TABLE, lengths[i], INDIRECT, 0);
		chain_breaks(g, CONTROL, 0, "a table of a wrong length");
	}
	describe(g, CONTROL, 0, TABLE, 16, INDIRECT, 0);
	chain_breaks(g, CONTROL, 0, "a table that goes on after its end");
	describe(g, CONTROL, 0, TABLE, 32, INDIRECT | NEXT, 1);
	chain_breaks(g, CONTROL, 0, "a table that is not the last");
	describe(g, CONTROL, 0, NOWHERE, 32, INDIRECT, 0);
	chain_breaks(g, CONTROL, 0, "a table that is nowhere");
	describe(g, CONTROL, 0, -16ULL, 32, INDIRECT, 0);
	chain_breaks(g, CONTROL, 0, "a table that wraps");
	t[0] = (struct vring_desc){ TABLE, 32, INDIRECT, 0 };
	describe(g, CONTROL, 0, TABLE, 32, INDIRECT, 0);
	chain_breaks(g, CONTROL, 0, "a table in a table");
	t[0] = (struct vring_desc){ REQUEST, 24, NEXT, 0 };
	describe(g, CONTROL, 0, TABLE, 32, INDIRECT, 0);
	chain_breaks(g, CONTROL, 0, "a table in a circle");
	t[0] = (struct vring_desc){ REQUEST, 24, NEXT, 2 };
	describe(g, CONTROL, 0, TABLE, 32, INDIRECT, 0);
	chain_breaks(g, CONTROL, 0, "one after a table's last");
	/* the largest: a byte each, and the answer into bytes */
	for (i = 0; i < CHAIN_MAX; i++)
		t[i] = (struct vring_desc){ i < 24 ? REQUEST + i : RESPONSE + i - 24, 1,
					    (i < 24 ? OUT : IN) | (i + 1 < CHAIN_MAX ? NEXT : 0),
					    i + 1 };
	describe(g, CONTROL, 0, TABLE, CHAIN_MAX * 16, INDIRECT, 0);
	served(g, "the largest table");
	describe(g, CONTROL, 0, REQUEST, 1, NEXT, 1);
	describe(g, CONTROL, 1, TABLE, CHAIN_MAX * 16, INDIRECT, 0);
	chain_breaks(g, CONTROL, 0, "one more than the largest chain");
	bench_close(&b);
}

static void indices(struct fixture *f)
{
	static const __u16 ahead[] = { RING_SIZE + 1, 0x7fff, 0x8000, 0xffff };
	struct vring_used_elem used;
	unsigned int i, q;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	for (q = 0; q < QUEUES; q++) {
		for (i = 0; i < ARRAY_SIZE(ahead); i++) {
			describe(g, q, 0, REQUEST, 24, OUT, 0);
			g->ring[q].avail->idx += ahead[i];
			ring_bell(g, q);
			BREAKS(g, "an index that runs away");
		}
	}
	/* once it has been going for a while, and backwards */
	describe(g, CONTROL, 0, REQUEST, 24, NEXT, 1);
	describe(g, CONTROL, 1, RESPONSE, PAGE, IN, 0);
	for (i = 0; i < RING_SIZE + 3; i++)
		served(g, "one after the other");
	g->ring[CONTROL].avail->idx -= 1;
	ring_bell(g, CONTROL);
	BREAKS(g, "an index that goes back");
	/* the same chain as often as the ring has room */
	describe(g, CONTROL, 0, REQUEST, 24, NEXT, 1);
	describe(g, CONTROL, 1, RESPONSE, PAGE, IN, 0);
	memset(g->ring[CONTROL].avail->ring, 0, 2 * RING_SIZE);
	g->ring[CONTROL].avail->idx = RING_SIZE;
	ring_bell(g, CONTROL);
	for (i = 0; i < RING_SIZE; i++)
		OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "%u of %u answers", i, RING_SIZE);
	OK(!broken(g), "a full ring has broken it");
	bench_close(&b);
}

/* Begin anew, up to the queue, which is enabled at these addresses */
static void place(struct gpu *g, __u64 desc, __u64 avail, __u64 used)
{
	unsigned int i;

	gpu_init(g);
	for (i = 0; i < QUEUES; i++)
		set_queue(g, i);
	/* a queue reset makes it movable again */
	common_write(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, CONTROL);
	common_write(g, VIRTIO_PCI_COMMON_Q_RESET, 2, 1);
	place_queue(g, CONTROL, desc, avail, used);
	set_status(g, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void places(struct fixture *f)
{
	static const __u64 bad[] = {
		NOWHERE, 0, -PAGE, -16ULL, 1ULL << 63, IOVA + 1, IOVA + 2, IOVA + 8,
		IOVA + ARENA_SIZE, IOVA + ARENA_SIZE - 16, IOVA - PAGE,
	};
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct vring_used_elem used;
	unsigned int i, which;
	struct bench b;
	struct gpu *g;
	double end;

	g = bench_open(f, &b);
	for (which = 0; which < 3; which++) {
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			__u64 at[3] = { TABLE + 2 * PAGE, TABLE + 6 * PAGE, TABLE + 10 * PAGE };

			at[which] = bad[i];
			place(g, at[0], at[1], at[2]);
			/* a chain where the driver says it has one, too */
			memset(g->arena + ROOM, 0, 16 * PAGE);
			*(__u16 *)(g->arena + ROOM + 8 * PAGE + 2) = 1;
			ring_bell(g, CONTROL);
			for (end = seconds_now() + 1; !broken(g) && seconds_now() < end;)
				usleep(10000);
			/* what is aligned and in memory is a queue, whatever was there */
			if (!broken(g) && !(bad[i] >= IOVA && bad[i] < IOVA + ARENA_SIZE))
				fail(__FILE__, __LINE__, "part %u at 0x%llx works", which, bad[i]);
		}
		neighbour_works(&b.other);
	}
	/* any two or all in one place */
	place(g, REQUEST + 4 * PAGE, REQUEST + 4 * PAGE, REQUEST + 4 * PAGE);
	ring_bell(g, CONTROL);
	place(g, REQUEST + 4 * PAGE, REQUEST + 8 * PAGE, REQUEST + 8 * PAGE);
	ring_bell(g, CONTROL);
	/* never enabled, and notified all the same */
	gpu_init(g);
	set_status(g, VIRTIO_CONFIG_S_DRIVER_OK);
	for (i = 0; i < 16; i++)
		reg_write(&g->f, BAR4, g->notify + 4 * i, 2, 0xffff);
	gpu_start(g);
	send(g, CONTROL, &req, sizeof(req), RESP_SIZE);
	OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "no answer afterwards");
	bench_close(&b);
}

static void access_all(struct gpu *g, __u64 to)
{
	/* common configuration, ISR, device configuration, doorbells: a page each */
	static const unsigned int sizes[] = { 0x40, 8, 0x18, 0x10 };
	unsigned int area, pos, width;
	__u64 value;

	for (area = 0; area < ARRAY_SIZE(sizes); area++) {
		for (pos = area * PAGE; pos < area * PAGE + sizes[area]; pos++) {
			for (width = 1; width <= 4; width *= 2) {
				value = to;
				try_write(&g->f, BAR4, pos, &value, width);
				try_read(&g->f, BAR4, pos, &value, width);
			}
		}
	}
}

/* Every register with every width and what it may not be */
static void registers(struct fixture *f)
{
	static const __u64 values[] = { 0, 1, 2, 3, 0xff, 0x100, 0x101, 0x8000, 0xffff, -1ULL };
	struct bench b;
	unsigned int i;
	struct gpu *g;

	g = bench_open(f, &b);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		gpu_init(g);
		access_all(g, values[i]);
		gpu_start(g);
		access_all(g, values[i]);
		neighbour_works(&b.other);
		in_order(g);
	}
	bench_close(&b);
}

/**
 * struct flipper - who changes a chain while it is read
 * @g: whose
 * @stop: set to end it
 */
struct flipper {
	struct gpu *g;
	bool stop;
};

#define set(p, value) __atomic_store_n(p, value, __ATOMIC_RELAXED)

static void *flip(void *data)
{
	static const __u64 addr[] = { REQUEST, RESPONSE, TABLE, NOWHERE, -8ULL, IOVA, 0 };
	static const __u32 len[] = { 24, 16, 32, PAGE, 0, 8, 0xffffffff, 4096 * 16 };
	struct flipper *fl = data;
	struct vring_desc *d, *t = table(fl->g);
	unsigned int seed = 1, i;

	while (!__atomic_load_n(&fl->stop, __ATOMIC_RELAXED)) {
		i = rand_r(&seed) % 8;
		d = i < 4 ? &fl->g->ring[CONTROL].desc[i] : &t[i - 4];
		switch (rand_r(&seed) % 8) {
		case 0:
			set(&d->addr, addr[rand_r(&seed) % ARRAY_SIZE(addr)]);
			break;
		case 1:
			set(&d->len, len[rand_r(&seed) % ARRAY_SIZE(len)]);
			break;
		case 2:
			set(&d->flags, rand_r(&seed) % 8);
			break;
		case 3:
			set(&d->next, rand_r(&seed) % 6);
			break;
		case 4:
			set((__u32 *)(fl->g->arena + ROOM), 0x100 + rand_r(&seed) % 12);
			break;
		default:
			/* right again, mostly */
			set(&d->addr, i % 2 ? RESPONSE : REQUEST);
			set(&d->len, i % 2 ? PAGE : 24);
			set(&d->flags, i % 2 ? IN : NEXT);
			set(&d->next, i % 4 + 1);
		}
	}
	return NULL;
}

static void changing(struct fixture *f)
{
	double end = seconds_now() + f->env->seconds, wait;
	unsigned int answers = 0, resets = 0;
	struct vring_used_elem used;
	struct flipper fl = { 0 };
	pthread_t thread;
	struct bench b;
	struct gpu *g;

	g = bench_open(f, &b);
	fl.g = g;
	EQ(pthread_create(&thread, NULL, flip, &fl), 0);
	while (seconds_now() < end) {
		offer(g, CONTROL, rand() % 4);
		wait = seconds_now() + ANSWER_SECONDS;
		while (!answered(g, CONTROL, 0, &used) && !broken(g))
			OK(seconds_now() < wait, "neither an answer nor a request for a reset");
		if (broken(g)) {
			resets++;
			gpu_start(g);
		} else {
			answers++;
		}
	}
	__atomic_store_n(&fl.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	diag("%u answers, %u resets", answers, resets);
	OK(answers && resets, "it was always right or always wrong");
	gpu_start(g);
	bench_close(&b);
}

static const struct test tests[] = {
	{ "broken chains", ON_NONE, chains },
	{ "odd chains", ON_NONE, odd_chains },
	{ "indirect tables", ON_NONE, tables },
	{ "indices that run away", ON_NONE, indices },
	{ "rings in places where none can be", ON_NONE, places },
	{ "any value in any register", ON_NONE, registers },
	{ "descriptors that change while they are read", ON_NONE, changing },
};

const struct group group_ring = GROUP("ring", tests);
