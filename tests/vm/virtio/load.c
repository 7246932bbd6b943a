// SPDX-License-Identifier: MIT
/*
 * Owns what virtio-test does that is no test: guests that ask for all of the GPU's time, for
 * a little of it at regular times, or for a picture to stay.
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
 * @env: the command line; for @seconds
 * @size: of the resource, WIDTHxHEIGHT
 *
 * Says FLOODING once it does, and in the end how many commands were done. SIGTERM ends it
 * early.
 *
 * Return: an exit status.
 */
int flood(const struct env *env, const char *size)
{
	struct virtio_gpu_transfer_to_host_2d transfer;
	unsigned int width, height, first, sent = 0, done = 0;
	struct gpu g;
	double end;

	if (sscanf(size, "%ux%u", &width, &height) != 2 || !width || !height || width > 8192 ||
	    height > 8192) {
		fprintf(stderr, "virtio-test: %s is no size\n", size);
		return 2;
	}
	gpu_open(&g, env, 0);
	map_backing(&g, (width * height * 4 + PAGE - 1) & -PAGE);
	make_picture(&g, 1, width, height, BACKING);
	transfer = transfer_req(1, width, height);
	/* commands of the set-up have had the slots before */
	first = g.ring[CONTROL].sent;
	signal(SIGTERM, end_soon);
	end = seconds_now() + env->seconds;
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
 * @env: the command line; for @seconds
 * @rate: how often a second
 *
 * An update that is not done when the next one is due makes that one late; those that are
 * due meanwhile are left out.
 *
 * Return: an exit status.
 */
int leisure(const struct env *env, const char *rate)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(1, SMALL, SMALL);
	struct virtio_gpu_resource_flush flush = flush_req(1, SMALL, SMALL);
	struct virtio_gpu_set_scanout scanout = scanout_req(0, 1, SMALL, SMALL);
	double start, due, began, *latency, period = 1 / strtod(rate, NULL);
	unsigned int done = 0, slot[2], max = env->seconds / period;
	struct gpu g;

	if (!(period > 0) || !max || max > 1000000) {
		fprintf(stderr, "virtio-test: %s times a second for %u s is no rate\n", rate,
			env->seconds);
		return 2;
	}
	latency = calloc(max, sizeof(*latency));
	OK(latency, "no memory");
	gpu_open(&g, env, 0);
	make_picture(&g, 1, SMALL, SMALL, IOVA + ROOM);
	ANSWERS(&g, "the scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
	start = seconds_now();
	for (due = start; due < start + env->seconds && done < max; due += period) {
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
