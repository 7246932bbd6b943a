// SPDX-License-Identifier: MIT
/*
 * Owns the load test: one thread maps and unmaps at random what the engines of all vGPUs
 * copy from and to at random. Memory that is not mapped must keep what we put there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "engine.h"

#define SLOTS 16
#define SLOT_PAGES 3
#define SLOT_SIZE (SLOT_PAGES * PAGE)
#define STRIDE (SLOT_SIZE + PAGE)
#define GUARD ~0ULL
#define MAX_ENGINES 8

/**
 * struct slot - memory that is mapped now and then; a page that never is follows
 * @p: SLOT_SIZE bytes
 * @mapped: whether they are
 * @seed: what they hold while they are not
 */
struct slot {
	__u8 *p;
	bool mapped;
	__u64 seed;
};

/**
 * struct load - the test's state
 * @slots: changed by the mapping thread only
 * @engines: the vGPUs, in one address space
 * @nr: how many
 * @stop: seconds_now() when all threads stop
 * @broken: what went wrong, "" if nothing did
 * @lock: protects @broken
 * @done: copies that came to an end well
 * @refused: copies that did not
 * @unmaps: unmapped slots
 * @longest: seconds that unmapping took at most
 */
struct load {
	struct slot slots[SLOTS];
	struct fixture engines[MAX_ENGINES];
	unsigned int nr;
	double stop;
	char broken[256];
	pthread_mutex_t lock;
	unsigned int done;
	unsigned int refused;
	unsigned int unmaps;
	double longest;
};

static struct load load;

static __u64 slot_iova(unsigned int i)
{
	return IOVA + i * STRIDE;
}

/* The engines may still be at work, so the test can't end here. */
static void broken(const char *what, unsigned int slot, size_t at)
{
	pthread_mutex_lock(&load.lock);
	if (!load.broken[0])
		snprintf(load.broken, sizeof(load.broken),
			 "canary broken: byte 0x%zx of slot %u was written while %s", at, slot,
			 what);
	load.stop = 0;
	pthread_mutex_unlock(&load.lock);
}

static bool over(void)
{
	bool is;

	pthread_mutex_lock(&load.lock);
	is = seconds_now() > load.stop;
	pthread_mutex_unlock(&load.lock);
	return is;
}

static void slot_check(unsigned int i)
{
	struct slot *slot = &load.slots[i];
	ssize_t at;

	if (!slot->mapped) {
		at = differs(slot->p, SLOT_SIZE, slot->seed);
		if (at >= 0)
			broken("it was not mapped", i, at);
	}
	at = differs(slot->p + SLOT_SIZE, PAGE, GUARD);
	if (at >= 0)
		broken("it never was mapped", i, SLOT_SIZE + at);
}

static void slot_unmap(unsigned int i, __u64 seed)
{
	struct slot *slot = &load.slots[i];
	double start = seconds_now(), took;

	unmap_iova(&load.engines[0], slot_iova(i), SLOT_SIZE);
	took = seconds_now() - start;
	if (took > load.longest)
		load.longest = took;
	load.unmaps++;
	fill(slot->p, SLOT_SIZE, seed);
	slot->seed = seed;
	slot->mapped = false;
}

static void *mapper(void *arg)
{
	unsigned int state = *(unsigned int *)arg, i;
	__u64 seed = SLOTS;

	while (!over()) {
		i = rand_r(&state) % SLOTS;
		/* two in three are mapped, so that enough copies begin */
		if (load.slots[i].mapped) {
			if (!(rand_r(&state) % 2))
				slot_unmap(i, ++seed);
		} else {
			slot_check(i);
			map_iova(&load.engines[0], slot_iova(i), load.slots[i].p, SLOT_SIZE, RW);
			load.slots[i].mapped = true;
		}
		usleep(rand_r(&state) % 30000);
	}
	return NULL;
}

static void *driver(void *arg)
{
	struct fixture *f = arg;
	unsigned int state = f - load.engines + 1;
	__u64 src, dst, len;
	int ret;

	while (!over()) {
		len = rand_r(&state) % SLOT_SIZE + 1;
		src = slot_iova(rand_r(&state) % SLOTS) + rand_r(&state) % (SLOT_SIZE - len + 1);
		dst = slot_iova(rand_r(&state) % SLOTS) + rand_r(&state) % (SLOT_SIZE - len + 1);
		ret = copy(f, src, dst, len);
		if (ret)
			REFUSED(ret, EFAULT);
		__atomic_add_fetch(ret ? &load.refused : &load.done, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void load_open(struct fixture *f)
{
	struct vgpu_iommu *iommu;
	unsigned int i;
	__u8 *p;

	pthread_mutex_init(&load.lock, NULL);
	load.stop = seconds_now() + f->env->seconds;
	iommu_open(f->env, &iommu);
	for (i = 0; i < f->env->nr && i < MAX_ENGINES && strcmp(f->env->uuid[i], "-"); i++) {
		load.engines[i].env = f->env;
		engine_attach(&load.engines[i], iommu, i);
	}
	load.nr = i;
	p = memory(SLOTS * STRIDE);
	for (i = 0; i < SLOTS; i++) {
		load.slots[i] = (struct slot){ .p = p + i * STRIDE, .seed = i };
		fill(load.slots[i].p, SLOT_SIZE, i);
		fill(load.slots[i].p + SLOT_SIZE, PAGE, GUARD);
	}
}

/* Also when a canary is broken: nothing may be under way when our memory is freed. */
static void load_finish(void)
{
	unsigned int i;

	for (i = 0; i < load.nr; i++)
		copy_wait(&load.engines[i], 20);
	for (i = 0; i < SLOTS; i++)
		if (load.slots[i].mapped)
			slot_unmap(i, i);
	usleep(600000);
	for (i = 0; i < SLOTS; i++)
		slot_check(i);
	OK(!load.broken[0], "%s", load.broken);
}

static void under_load(struct fixture *f)
{
	unsigned long charged = charged_pages();
	unsigned int seed = getpid(), i;
	pthread_t threads[MAX_ENGINES], map_thread;
	long long revokes = 0;

	load_open(f);
	diag("seed %u, %u vGPUs, %u s", seed, load.nr, f->env->seconds);
	EQ(pthread_create(&map_thread, NULL, mapper, &seed), 0);
	for (i = 0; i < load.nr; i++)
		EQ(pthread_create(&threads[i], NULL, driver, &load.engines[i]), 0);
	pthread_join(map_thread, NULL);
	for (i = 0; i < load.nr; i++)
		pthread_join(threads[i], NULL);
	load_finish();
	for (i = 0; i < load.nr; i++) {
		IDLE(&load.engines[i]);
		revokes += counter(&load.engines[i], "revokes");
	}
	EQ(charged_pages(), charged);
	diag("%u copies done, %u refused; %u unmaps, the longest took %.2f s; %lld revokes",
	     load.done, load.refused, load.unmaps, load.longest, revokes);
	OK(load.done && load.refused && revokes, "not all of it happened, so nothing was tested");
	OK(load.longest < 5, "unmapping took %.1f s", load.longest);
	for (i = 0; i < load.nr; i++)
		fixture_detach(&load.engines[i]);
	vgpu_iommu_close(load.engines[0].iommu);
}

static const struct test tests[] = {
	{ "unmap while the engines copy", ON_NONE, under_load },
};

const struct group group_load = GROUP("load", tests);
