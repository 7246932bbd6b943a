// SPDX-License-Identifier: MIT
/*
 * Owns the test of the deadlock that type1 invites drivers into: it calls dma_unmap with
 * its device_list_lock held, while the open or close of another device in the container
 * holds vfio_iommu.lock, which unpinning needs, and waits for device_list_lock.
 */
#include <pthread.h>

#include "engine.h"

#define SIZE (2 * PAGE)

static struct {
	const struct env *env;
	struct vgpu_iommu *iommu;
	bool stop;
	unsigned int opened;
} race;

static void *opener(void *arg)
{
	struct vgpu_device *dev;
	struct vgpu_error err;

	(void)arg;
	while (!__atomic_load_n(&race.stop, __ATOMIC_SEQ_CST)) {
		DID(vgpu_open(race.iommu, race.env->uuid[1], &dev, &err), &err);
		vgpu_close(dev);
		race.opened++;
	}
	return NULL;
}

static void open_while_unmapping(struct fixture *f)
{
	__u8 *p = memory(2 * SIZE);
	unsigned int unmaps = 0;
	double start, took, longest = 0, end;
	pthread_t thread;

	engine_open(f);
	if (f->env->nr < 2)
		skip("one vGPU only");
	race.env = f->env;
	race.iommu = f->iommu;
	EQ(pthread_create(&thread, NULL, opener, NULL), 0);
	for (end = seconds_now() + f->env->seconds; seconds_now() < end; unmaps++) {
		map_iova(f, IOVA, p, SIZE, RW);
		map_iova(f, 2 * IOVA, p + SIZE, SIZE, RW);
		copy_start(f, IOVA, 2 * IOVA, SIZE, 0);
		usleep(unmaps * 7919 % 250000);
		start = seconds_now();
		unmap_iova(f, unmaps % 2 ? IOVA : 2 * IOVA, SIZE);
		unmap_iova(f, unmaps % 2 ? 2 * IOVA : IOVA, SIZE);
		took = seconds_now() - start;
		if (took > longest)
			longest = took;
		copy_wait(f, 20);
	}
	__atomic_store_n(&race.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	diag("%u unmaps, the longest took %.2f s, beside %u opens; %lld revokes", unmaps, longest,
	     race.opened, counter(f, "revokes"));
	OK(race.opened > 10 && unmaps > 5, "too little happened to tell");
	OK(counter(f, "revokes") > 0, "nothing was revoked, so nothing was tested");
	IDLE(f);
	fixture_close(f);
}

static const struct test tests[] = {
	{ "another vGPU of the container comes and goes", ON_NONE, open_while_unmapping },
};

const struct group group_race = GROUP("race", tests);
