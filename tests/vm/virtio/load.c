// SPDX-License-Identifier: MIT
/*
 * Owns what virtio-test does that is no test: guests that ask for all of the GPU's time, for
 * a little of it at regular times or when told to, for a picture to stay, or for its memory to
 * go.
 */
#include <signal.h>
#include <stdio.h>

#include "gpu.h"

#define QUEUED 32
#define SMALL 64

static bool ended;

static void end_soon(int nr)
{
	(void)nr;
	__atomic_store_n(&ended, true, __ATOMIC_RELAXED);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The one that has been in the queue longest is answered: take it */
static void take(struct gpu *g, unsigned int slot)
{
	struct vring_used_elem used;

	OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "no answer");
	EQ(used.id, 2 * slot);
	HEX(slot_answer(g, CONTROL, slot)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

/**
 * flood() - keep QUEUED large transfers queued
 * @env: the command line: for how many seconds, the size of the resource, and the vGPU
 *
 * Says FLOODING once it does, and in the end how many commands were done. SIGTERM ends it
 * early.
 *
 * Return: an exit status.
 */
int flood(const struct env *env)
{
	struct virtio_gpu_transfer_to_host_2d transfer;
	unsigned int width, height, first, sent = 0, done = 0;
	const char *size = env->uuid[0];
	struct gpu g;
	double end;

	if (sscanf(size, "%ux%u", &width, &height) != 2 || !width || !height || width > 8192 ||
	    height > 8192) {
		fprintf(stderr, "virtio-test: %s is no size\n", size);
		return 2;
	}
	gpu_open(&g, env, 1);
	map_backing(&g, (width * height * 4 + PAGE - 1) & -PAGE);
	make_picture(&g, 1, width, height, BACKING);
	transfer = transfer_req(1, width, height);
	/* commands of the set-up have had the slots before */
	first = g.ring[CONTROL].sent;
	signal(SIGTERM, end_soon);
	end = seconds_now() + strtoul(env->arg, NULL, 10);
	for (; sent < QUEUED; sent++)
		send(&g, CONTROL, &transfer, sizeof(transfer), sizeof(transfer.hdr));
	printf("FLOODING\n");
	fflush(stdout);
	for (; done < sent; done++) {
		take(&g, (first + done) % SLOTS);
		if (__atomic_load_n(&ended, __ATOMIC_RELAXED) || seconds_now() > end)
			continue;
		send(&g, CONTROL, &transfer, sizeof(transfer), sizeof(transfer.hdr));
		sent++;
	}
	printf("%u commands\n", done);
	gpu_close(&g);
	return 0;
}

/**
 * leisure() - update a small picture at regular times
 * @env: the command line: for how many seconds, how often in each, and the vGPU
 *
 * An update that is not done when the next one is due makes that one late; those that are
 * due meanwhile are left out.
 *
 * Return: an exit status.
 */
int leisure(const struct env *env)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(1, SMALL, SMALL);
	struct virtio_gpu_resource_flush flush = flush_req(1, SMALL, SMALL);
	struct virtio_gpu_set_scanout scanout = scanout_req(0, 1, SMALL, SMALL);
	double start, due, began, *latency, period = 1 / strtod(env->uuid[0], NULL);
	unsigned int seconds = strtoul(env->arg, NULL, 10);
	unsigned int done = 0, slot[2], max = seconds / period;
	struct gpu g;

	if (!(period > 0) || !max || max > 1000000) {
		fprintf(stderr, "virtio-test: %s times a second for %u s is no rate\n",
			env->uuid[0], seconds);
		return 2;
	}
	latency = calloc(max, sizeof(*latency));
	OK(latency, "no memory");
	gpu_open(&g, env, 1);
	make_picture(&g, 1, SMALL, SMALL, IOVA + ROOM);
	ANSWERS(&g, "the scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
	start = seconds_now();
	for (due = start; due < start + seconds && done < max; due += period) {
		began = seconds_now();
		if (began > due + period)
			continue;
		if (began < due)
			usleep((due - began) * 1e6);
		began = seconds_now();
		slot[0] = send(&g, CONTROL, &transfer, sizeof(transfer), sizeof(transfer.hdr));
		slot[1] = send(&g, CONTROL, &flush, sizeof(flush), sizeof(flush.hdr));
		take(&g, slot[0]);
		take(&g, slot[1]);
		latency[done++] = seconds_now() - began;
	}
	qsort(latency, done, sizeof(*latency), compare);
	printf("%u of %u updates, median latency %.3f ms\n", done, max,
	       done ? latency[done / 2] * 1e3 : 0);
	gpu_close(&g);
	free(latency);
	return 0;
}

static void block_turn(sigset_t *turn)
{
	sigemptyset(turn);
	sigaddset(turn, SIGUSR1);
	sigprocmask(SIG_BLOCK, turn, NULL);
}

/**
 * transfer_singly() - transfer a picture at each SIGUSR1, for a GPU that hangs on it
 * @env: the command line: how often, and the vGPU
 *
 * Says READY, what is answered each time but for the last, and BROKEN if the device then says
 * that it needs to be reset.
 *
 * Return: an exit status.
 */
int transfer_singly(const struct env *env)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(1, SMALL, SMALL);
	unsigned int n = strtoul(env->arg, NULL, 10);
	sigset_t turn;
	struct gpu g;
	int nr;

	block_turn(&turn);
	gpu_open(&g, env, 0);
	make_picture(&g, 1, SMALL, SMALL, IOVA + ROOM);
	for (printf("READY\n"); n--;) {
		fflush(stdout);
		OK(!sigwait(&turn, &nr), "sigwait");
		if (n)
			printf("0x%x\n", ask(&g, &transfer, sizeof(transfer)));
		else
			send(&g, CONTROL, &transfer, sizeof(transfer), sizeof(transfer.hdr));
	}
	BREAKS(&g, "what the GPU hangs on");
	printf("BROKEN\n");
	gpu_close(&g);
	return 0;
}

/**
 * hold_picture() - show a picture until somebody ends us
 * @env: the command line
 *
 * Says HOLDING once it is there. It is never sent again: who takes it from us is seen.
 *
 * Return: never.
 */
int hold_picture(const struct env *env)
{
	const unsigned int edge = 256;
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(1, edge, edge);
	struct virtio_gpu_resource_flush flush = flush_req(1, edge, edge);
	struct virtio_gpu_set_scanout scanout = scanout_req(0, 1, edge, edge);
	struct gpu g;

	gpu_open(&g, env, 0);
	fill(map_backing(&g, edge * edge * 4), edge * edge * 4, getpid());
	make_picture(&g, 1, edge, edge, BACKING);
	ANSWERS(&g, "the transfer", transfer, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(&g, "the scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(&g, "the flush", flush, VIRTIO_GPU_RESP_OK_NODATA);
	printf("HOLDING\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* A picture of one colour */
static void paint(__u32 *pixels, unsigned int edge, __u32 colour)
{
	unsigned int i;

	for (i = 0; i < edge * edge; i++)
		pixels[i] = colour;
}

#define LOST_EDGE 256
#define LOST_SIZE (LOST_EDGE * LOST_EDGE * 4)

/*
 * Show what @show() makes of memory at BACKING, which goes away and is used for something else:
 * at each SIGUSR1 it goes and is painted in the other colour, or comes back as it is. Says
 * HOLDING first, and then GONE or BACK with what the device answers when @show() asks it to show
 * that. No counters are read, so that it works wherever VFIO has the device.
 */
static int lose(const struct env *env, __u64 also, void (*make)(struct gpu *g),
		void (*show)(struct gpu *g))
{
	unsigned int colour[2], i;
	sigset_t turn;
	struct gpu g;
	void *p;
	int nr;

	if (sscanf(env->arg, "%x,%x", &colour[0], &colour[1]) != 2) {
		fprintf(stderr, "virtio-test: %s are no colours\n", env->arg);
		return 2;
	}
	block_turn(&turn);
	gpu_attach(&g, env, 0);
	g.also = also;
	gpu_start(&g);
	p = map_backing(&g, LOST_SIZE);
	paint(p, LOST_EDGE, colour[0]);
	make(&g);
	printf("HOLDING");
	for (i = 1;; i++) {
		show(&g);
		printf("\n");
		fflush(stdout);
		OK(!sigwait(&turn, &nr), "sigwait");
		if (i % 2) {
			unmap_iova(&g.f, BACKING, LOST_SIZE);
			paint(p, LOST_EDGE, colour[(i + 1) / 2 % 2]);
		} else {
			map_iova(&g.f, BACKING, p, LOST_SIZE, RW);
		}
		printf(i % 2 ? "GONE" : "BACK");
	}
}

static void make_lost_picture(struct gpu *g)
{
	struct virtio_gpu_set_scanout scanout = scanout_req(0, 1, LOST_EDGE, LOST_EDGE);

	make_picture(g, 1, LOST_EDGE, LOST_EDGE, BACKING);
	ANSWERS(g, "the scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
}

static void flush_lost(struct gpu *g)
{
	struct virtio_gpu_resource_flush flush = flush_req(1, LOST_EDGE, LOST_EDGE);

	printf(" 0x%x", ask(g, &flush, sizeof(flush)));
}

static void show_lost_picture(struct gpu *g)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(1, LOST_EDGE, LOST_EDGE);

	printf(" 0x%x", ask(g, &transfer, sizeof(transfer)));
	flush_lost(g);
}

/**
 * lose_picture() - show a picture whose memory goes away and is used for something else
 * @env: the command line; two colours are the option's argument
 *
 * Return: an exit status.
 */
int lose_picture(const struct env *env)
{
	return lose(env, 0, make_lost_picture, show_lost_picture);
}

static void make_lost_blob(struct gpu *g)
{
	struct virtio_gpu_set_scanout_blob scanout = blob_scanout_req(1, LOST_EDGE);
	struct blob_one blob = blob_req(1, BACKING, LOST_SIZE);

	ANSWERS(g, "the blob", blob, VIRTIO_GPU_RESP_OK_NODATA);
	ANSWERS(g, "the scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
}

/**
 * lose_blob() - the same of a blob, which the hardware shows from where it is
 * @env: the command line; two colours are the option's argument
 *
 * Return: an exit status.
 */
int lose_blob(const struct env *env)
{
	return lose(env, 1ULL << VIRTIO_GPU_F_RESOURCE_BLOB, make_lost_blob, flush_lost);
}
