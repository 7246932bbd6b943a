// SPDX-License-Identifier: MIT
/*
 * tracker_race_test.c - law 9: map, unmap, revoke, close and reset at once, under
 * ThreadSanitizer, with a device that uses what it was given as long as it may
 */
#include "tracker_unit.h"

#define MAPPERS		4
#define REGIONS		4
#define REGION_PAGES	200u
#define ROUNDS		100	/* at least, and until there are that many ... */
#define MAPS		500

static unsigned long maps;

/* One buffer at a time; @lock stands for the engine that works on it */
struct mapper {
	pthread_t thread;
	pthread_mutex_t lock;
	u64 rnd;
	bool usable;		/* the device may use it */
	unsigned long revokes;
};

static struct mapper mappers[MAPPERS];
static bool stop;
static unsigned int stuck_one_in;	/* revoke callbacks that take too long, 0 for none */

static void take_back(struct mvgpu_mapping *m, void *priv)
{
	struct mapper *mapper = priv;

	(void)m;
	if (stuck_one_in && !(mapper->revokes % stuck_one_in))
		usleep(200000);
	pthread_mutex_lock(&mapper->lock);
	mapper->usable = false;
	mapper->revokes++;
	pthread_mutex_unlock(&mapper->lock);
}

static void use(struct mapper *mapper, struct mvgpu_mapping *m)
{
	const struct mvgpu_segment *seg;
	unsigned int i, n;

	seg = mvgpu_mapping_segments(m, &n);
	pthread_mutex_lock(&mapper->lock);
	for (i = 0; i < n && mapper->usable; i++)
		if (!shim_device_access(seg[i].addr, true))
			shim_bug("the device may use a page that is not mapped");
	pthread_mutex_unlock(&mapper->lock);
}

static void *map_and_use(void *arg)
{
	struct mapper *mapper = arg;
	struct mvgpu_range r[2];
	struct mvgpu_mapping *m;
	unsigned int i;
	u64 gfn;

	while (!READ_ONCE(stop)) {
		for (i = 0; i < 2; i++) {
			gfn = unit_below(&mapper->rnd, REGIONS * REGION_PAGES);
			r[i].iova = gfn << PAGE_SHIFT;
			r[i].len = 1 + unit_below(&mapper->rnd, 8 << PAGE_SHIFT);
		}
		pthread_mutex_lock(&mapper->lock);
		mapper->usable = true;
		pthread_mutex_unlock(&mapper->lock);
		m = mvgpu_map(&vgpu, r, 2, DMA_BIDIRECTIONAL, take_back, mapper);
		if (IS_ERR(m))
			continue;
		__atomic_add_fetch(&maps, 1, __ATOMIC_RELAXED);
		for (i = unit_below(&mapper->rnd, 4); i; i--) {
			use(mapper, m);
			mvgpu_mapping_dirty(m, 0, r[0].len);
			usleep(unit_below(&mapper->rnd, 300));
		}
		mvgpu_unmap(m);
	}
	return NULL;
}

static void *unmap_and_map(void *arg)
{
	u64 base = (u64)(uintptr_t)arg * REGION_PAGES << PAGE_SHIFT;
	int i;

	for (i = 0; i < ROUNDS || __atomic_load_n(&maps, __ATOMIC_RELAXED) < MAPS; i++) {
		shim_vmm_unmap(base);
		shim_vmm_map(base, REGION_PAGES, 5, RW);
		usleep(500);
	}
	return NULL;
}

static void *reset_and_close(void *arg)
{
	while (!READ_ONCE(stop)) {
		usleep(20000);
		mvgpu_tracker_reset(&vgpu.t);
		mvgpu_tracker_shrink(&vgpu.t, 10);
		usleep(20000);
		mvgpu_tracker_close(&vgpu.t);
		if (shim_pinned())
			shim_bug("pins after close");
		mvgpu_tracker_open(&vgpu.t, ULONG_MAX);
	}
	return arg;
}

static void told(void *opaque, u64 iova, u64 len)
{
	(void)iova;
	*(u64 *)opaque += len;
}

/* A VMM that wants to know what has been written, and wants to again */
static void *read_log(void *arg)
{
	const struct mvgpu_range all = { 0, (u64)REGIONS * REGION_PAGES << PAGE_SHIFT };
	u64 *written = arg;
	int i;

	while (!READ_ONCE(stop)) {
		if (mvgpu_dirty_start(&vgpu.t, &all, 1))
			shim_bug("the log does not start");
		for (i = 0; i < 10; i++) {
			mvgpu_dirty_read(&vgpu.t, all.iova, all.len, told, written);
			usleep(1000);
		}
		mvgpu_dirty_stop(&vgpu.t);
	}
	return NULL;
}

static void torture(enum shim_backend backend, unsigned int cache, bool contend,
		    unsigned int stuck)
{
	pthread_t unmapper[2], closer, reader;
	u64 seed = unit_seed("torture");
	unsigned long revokes = 0;
	u64 written = 0;
	uintptr_t i;

	unit_start(backend, SHIM_IOMMU_HIGH);
	mvgpu_tracker_set_cache(&vgpu.t, cache);
	stuck_one_in = stuck;
	WRITE_ONCE(stop, false);
	maps = 0;
	for (i = 0; i < REGIONS; i++)
		shim_vmm_map((u64)i * REGION_PAGES << PAGE_SHIFT, REGION_PAGES, 5, RW);
	shim_vmm_contend(contend);
	for (i = 0; i < MAPPERS; i++) {
		mappers[i] = (struct mapper){ .rnd = seed + i };
		pthread_mutex_init(&mappers[i].lock, NULL);
		pthread_create(&mappers[i].thread, NULL, map_and_use, &mappers[i]);
	}
	pthread_create(&closer, NULL, reset_and_close, NULL);
	pthread_create(&reader, NULL, read_log, &written);
	for (i = 0; i < 2; i++)
		pthread_create(&unmapper[i], NULL, unmap_and_map, (void *)(i * 2));
	for (i = 0; i < 2; i++)
		pthread_join(unmapper[i], NULL);
	WRITE_ONCE(stop, true);
	pthread_join(closer, NULL);
	pthread_join(reader, NULL);
	for (i = 0; i < MAPPERS; i++) {
		pthread_join(mappers[i].thread, NULL);
		revokes += mappers[i].revokes;
	}
	shim_vmm_contend(false);
	unit_stop();
	print_message("# %lu maps, %lu revokes\n", maps, revokes);
	assert_true(revokes > 0);
	assert_true(written > 0);
}

static void type1(void **state)
{
	torture(SHIM_TYPE1, 0, false, 0);
}

static void type1_cached(void **state)
{
	torture(SHIM_TYPE1, 50, false, 0);
}

static void iommufd(void **state)
{
	torture(SHIM_IOMMUFD, 0, false, 0);
}

/* Quarantine comes and goes while everything else goes on */
static void slow_hardware(void **state)
{
	torture(SHIM_IOMMUFD, 0, false, 40);
}

/* Other devices of the container are opened all the time */
static void contended(void **state)
{
	torture(SHIM_TYPE1, 0, true, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(type1),
		cmocka_unit_test(type1_cached),
		cmocka_unit_test(iommufd),
		cmocka_unit_test(slow_hardware),
		cmocka_unit_test(contended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
