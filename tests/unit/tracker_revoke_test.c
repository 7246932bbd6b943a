// SPDX-License-Identifier: MIT
/*
 * tracker_revoke_test.c - kernel/mdev/{tracker,mapping,going,quarantine}.c: memory that goes
 * while it is mapped, and the device that does not let go of it
 */
#include "tracker_held.h"

/* Law 4, the device's side of it is in take_back() */
static void revoked_and_gone(void **state)
{
	struct held h, other;
	dma_addr_t addr;

	shim_vmm_map(0, 8, 4, RW);
	shim_vmm_map(PAGE(8), 8, 8, RW);
	assert_int_equal(map_one(&h, PAGE(2), PAGE(3)), 0);
	assert_int_equal(map_one(&other, PAGE(8), PAGE(3)), 0);
	addr = h.m->segments[0].addr;
	shim_vmm_unmap(0);
	assert_int_equal(h.revoked, 1);
	assert_int_equal(other.revoked, 0);
	assert_null(shim_device_access(addr, false));
	assert_int_equal(shim_pinned(), 3);
	mvgpu_unmap(h.m);
	mvgpu_unmap(other.m);
}

/* A run dies whole: mappings of its other pages are affected, too */
static void revoked_with_the_run(void **state)
{
	struct held h, other;

	shim_vmm_map(0, 8, 8, RW);
	shim_vmm_map(PAGE(8), 8, 8, RW);
	assert_int_equal(map_one(&h, PAGE(6), PAGE(4)), 0);
	assert_int_equal(map_one(&other, PAGE(9), PAGE(1)), 0);
	shim_vmm_unmap(0);
	assert_int_equal(h.revoked, 1);
	assert_int_equal(other.revoked, 1);
	assert_int_equal(shim_pinned(), 0);
	mvgpu_unmap(h.m);
	mvgpu_unmap(other.m);
}

static void unmap_in_revoke(void **state)
{
	struct held h;

	shim_vmm_map(0, 8, 8, RW);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	h.unmaps = true;
	shim_vmm_unmap(0);
	assert_int_equal(h.revoked, 1);
	assert_int_equal(atomic_long_read(&vgpu.t.mappings), 0);
}

/* Law 5: the range is free in time, the memory is not until the hardware is quiet */
static void quarantine(void **state)
{
	struct held h, other;
	struct page *page;
	dma_addr_t addr;

	shim_vmm_map(0, 600, 3, RW);
	assert_int_equal(map_one(&other, PAGE(511), PAGE(2)), 0);
	assert_int_equal(map_one(&h, PAGE(500), PAGE(20)), 0);
	h.stuck = true;
	addr = h.m->segments[0].addr;
	page = shim_vmm_page(500);
	shim_vmm_unmap(0);
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(atomic_long_read(&vgpu.t.quarantined), 20);
	assert_true(shim_said(": 20 pages in quarantine"));
	assert_ptr_equal(shim_device_access(addr, true), page);
	assert_int_equal(page->refs, 1);

	/* Life goes on in the meantime, at the same addresses */
	shim_vmm_map(0, 600, 3, RW);
	mvgpu_unmap(other.m);
	assert_int_equal(map_one(&other, PAGE(490), PAGE(30)), 0);
	assert_ptr_not_equal(shim_vmm_page(500), page);

	unstick(&h);
	mvgpu_unmap(h.m);
	unit_settle();
	assert_null(shim_device_access(addr, false));
	assert_true(shim_said("20 pages leave quarantine"));
	assert_int_equal(shim_referenced(), 0);
	assert_int_equal(shim_pinned(), 30);
	check_segments(&other);
	mvgpu_unmap(other.m);
}

static int reset_hardware(void *arg)
{
	return *(int *)arg;
}

static void unmap_by_reset(u64 iova)
{
	shim_vmm_unmap(iova);
	while (atomic_long_read(&vgpu.t.quarantined))
		usleep(1000);
}

/* What the VMM sees of guest memory, as maps.c has it */
static struct {
	struct held *held;
	unsigned int hidden;
	bool late;
} sight;

static void hide(struct mvgpu_tracker *t)
{
	(void)t;
	if (!sight.held || !mvgpu_mapping_doomed(sight.held->m))
		return;
	sight.late = !shim_device_access(sight.held->m->segments[0].addr, false);
	sight.held = NULL;
	sight.hidden++;
}

static void show(struct held *h)
{
	vgpu.t.hide = hide;
	sight.held = h;
	sight.hidden = 0;
	sight.late = false;
}

/* Law 4: the VMM is one more that doesn't reach the pages when they go */
static void out_of_sight(void **state)
{
	struct held h, other;

	shim_vmm_map(0, 8, 8, RW);
	assert_int_equal(map_one(&h, 0, PAGE(4)), 0);
	assert_int_equal(map_one(&other, PAGE(4), PAGE(4)), 0);
	show(&h);
	mvgpu_unmap(other.m);
	assert_int_equal(sight.hidden, 0);
	mvgpu_unmap(h.m);
	assert_int_equal(sight.hidden, 1);
	assert_false(sight.late);
	unit_settle();

	assert_int_equal(map_one(&h, 0, PAGE(4)), 0);
	show(&h);
	shim_vmm_unmap(0);
	assert_int_equal(sight.hidden, 1);
	assert_false(sight.late);
	assert_int_equal(h.revoked, 1);
	mvgpu_unmap(h.m);
}

/* Also where the revoke work doesn't get to it, and the hardware is reset */
static void out_of_sight_by_reset(void **state)
{
	struct held stuck, h;
	int fails = 0;

	vgpu.t.quiesce = reset_hardware;
	vgpu.t.quiesce_arg = &fails;
	shim_vmm_map(0, 4, 4, RW);
	shim_vmm_map(PAGE(8), 4, 4, RW);
	assert_int_equal(map_one(&stuck, 0, PAGE(4)), 0);
	assert_int_equal(map_one(&h, PAGE(8), PAGE(4)), 0);
	stuck.stuck = true;
	h.idle = true;
	show(&h);
	unmap_by_reset(0);
	assert_int_equal(sight.hidden, 0);
	unmap_by_reset(PAGE(8));
	unstick(&stuck);
	mvgpu_unmap(stuck.m);
	mvgpu_unmap(h.m);
	unit_settle();
	assert_int_equal(sight.hidden, 1);
	assert_false(sight.late);
}

/* A user outlives the mapping, and its memory does not */
static void looked_at(void **state)
{
	struct mvgpu_scanout so = {};
	struct held h;

	shim_vmm_map(0, 4, 4, RW);
	assert_int_equal(map_one(&h, 0, PAGE(4)), 0);
	mvgpu_scanout_memory(&so, h.m);
	assert_ptr_equal(so.mapping, h.m);
	assert_false(mvgpu_mapping_doomed(so.mapping));
	mvgpu_unmap(h.m);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	assert_true(mvgpu_mapping_doomed(so.mapping));
	mvgpu_mapping_put(so.mapping);
	mvgpu_mapping_put(NULL);
}

/* The vendor driver's reset ends it without the revoke callback */
static void quarantine_ends_by_reset(void **state)
{
	int fails = 0;
	struct held h;

	vgpu.t.quiesce = reset_hardware;
	vgpu.t.quiesce_arg = &fails;
	shim_vmm_map(0, 4, 4, RW);
	assert_int_equal(map_one(&h, 0, PAGE(4)), 0);
	h.stuck = true;
	unmap_by_reset(0);
	assert_int_equal(shim_referenced(), 0);
	unstick(&h);
	mvgpu_unmap(h.m);
	unit_settle();
}

/* A reset makes the hardware quiet, not the CPU: its window waits for its own callback */
static void window_outlives_reset(void **state)
{
	struct mvgpu_window *w;
	struct page *page;
	int fails = 0;
	struct held h;

	vgpu.t.quiesce = reset_hardware;
	vgpu.t.quiesce_arg = &fails;
	shim_vmm_map(0, 16, 16, RW);
	w = mvgpu_window_open(&vgpu, PAGE(8), 64, DMA_BIDIRECTIONAL);
	assert_false(IS_ERR(mvgpu_window_get(w)));
	mvgpu_window_put(w);
	assert_int_equal(map_one(&h, 0, PAGE(2)), 0);
	page = shim_vmm_page(8);
	h.stuck = true;
	shim_vmm_unmap(0);
	while (atomic_long_read(&vgpu.t.quarantined) > 1)
		usleep(1000);
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(shim_vmaps(), 1);
	assert_int_equal(page->refs, 1);
	unstick(&h);
	mvgpu_unmap(h.m);
	unit_settle();
	assert_int_equal(shim_vmaps(), 0);
	assert_int_equal(shim_referenced(), 0);
	mvgpu_window_close(w);
}

static void take_time(struct mvgpu_mapping *m, void *priv)
{
	usleep(*(unsigned int *)priv);
}

/* Each of 20 callbacks takes so long; a second is HZ milliseconds */
static void unmap_slowly(unsigned int us)
{
	struct mvgpu_mapping *m[20];
	struct mvgpu_range range;
	unsigned int i;

	shim_vmm_map(0, 40, 1, RW);
	for (i = 0; i < 20; i++) {
		range = (struct mvgpu_range){ PAGE(2 * i), PAGE(1) };
		m[i] = mvgpu_map(&vgpu, &range, 1, DMA_BIDIRECTIONAL, take_time, &us);
		assert_false(IS_ERR(m[i]));
	}
	shim_vmm_unmap(0);
	assert_int_equal(shim_pinned(), 0);
	for (i = 0; i < 20; i++)
		mvgpu_unmap(m[i]);
	unit_settle();
}

/* Law 5: many callbacks that take long, but not too long, use up none of VFIO's calls */
static void slow_callbacks(void **state)
{
	unmap_slowly(400 * HZ);
	assert_int_equal(atomic64_read(&vgpu.t.stats.quarantines), 0);
	unmap_slowly(700 * HZ);
	unmap_slowly(1500 * HZ);
}

/* Law 5: nor does VFIO's lock in the hands of others, at each call anew */
static void lock_held_up(void **state)
{
	struct held h;

	shim_vmm_map(0, 8, 8, RW);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	shim_vmm_hog(2 * HZ);
	shim_vmm_unmap(0);
	shim_vmm_hog(0);
	assert_int_equal(h.revoked, 1);
	assert_int_equal(shim_pinned(), 0);
	mvgpu_unmap(h.m);
}

/* Law 9: another device of the container is opened during each call */
static void container_race(void **state)
{
	struct held h[20];
	unsigned int i;

	shim_vmm_map(0, 40, 1, RW);
	for (i = 0; i < 20; i++)
		assert_int_equal(map_one(&h[i], PAGE(2 * i), PAGE(1)), 0);
	shim_vmm_contend(true);
	shim_vmm_unmap(0);
	shim_vmm_contend(false);
	for (i = 0; i < 20; i++) {
		assert_int_equal(h[i].revoked, 1);
		mvgpu_unmap(h[i].m);
	}
}

static void detach(void **state)
{
	struct held h;

	shim_vmm_map(PAGE(1), 600, 7, RW);
	assert_int_equal(map_one(&h, PAGE(1), PAGE(600)), 0);
	shim_vmm_detach();
	assert_int_equal(h.revoked, 1);
	assert_int_equal(shim_pinned(), 0);
	mvgpu_unmap(h.m);
	assert_int_equal(map_one(&h, PAGE(1), PAGE(1)), 0);
	mvgpu_unmap(h.m);
}

static void *unstick_later(void *arg)
{
	usleep(4000000 / HZ);
	unstick(arg);
	return arg;
}

/* A callback that hangs at the very end is waited for, and the log says so */
static void hangs_at_the_end(void **state)
{
	pthread_t helper;
	struct held h;

	shim_vmm_map(0, 8, 8, RW);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	h.stuck = true;
	h.unmaps = true;
	mvgpu_tracker_close(&vgpu.t);
	pthread_create(&helper, NULL, unstick_later, &h);
	mvgpu_tracker_fini(&vgpu.t);
	pthread_join(helper, NULL);
	assert_int_equal(h.revoked, 1);
	assert_true(shim_said("a revoke callback that hangs"));
	assert_int_equal(shim_referenced(), 0);
	assert_int_equal(mvgpu_tracker_init(&vgpu.t, &vdev), 0);
}

static void closed(void **state)
{
	struct held h;

	shim_vmm_map(0, 8, 8, RW);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	mvgpu_tracker_close(&vgpu.t);
	assert_int_equal(h.revoked, 1);
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(map_one(&(struct held){}, 0, 1), -ENODEV);
	mvgpu_unmap(h.m);
	/* by the last close, which returns to nobody before the tracker goes */
	mvgpu_tracker_dma_unmap(&vgpu.t, 0, ULONG_MAX);
	mvgpu_tracker_open(&vgpu.t, ULONG_MAX);
	assert_false(mvgpu_going(&vgpu.t, 0, 7));
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	mvgpu_unmap(h.m);
}

/* VFIO takes no error for an answer */
static void unmap_without_memory(void **state)
{
	struct held h;

	shim_vmm_map(0, 8, 8, RW);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	h.stuck = true;
	shim_fail_alloc(1);
	shim_vmm_unmap(0);
	shim_fail_alloc(0);
	assert_int_equal(shim_pinned(), 0);
	unstick(&h);
	mvgpu_unmap(h.m);
}

/* Untracked ranges cost nothing */
static void huge_range(void **state)
{
	unsigned long before;
	struct held h;

	shim_vmm_map(PAGE(1ull << 28), 4, 1, RW);
	assert_int_equal(map_one(&h, PAGE(1ull << 28), PAGE(1)), 0);
	/* as often as VFIO would */
	do {
		before = shim_xa_finds();
		mvgpu_tracker_dma_unmap(&vgpu.t, 0, 1ull << 60);
		assert_true(shim_xa_finds() - before < 20);
	} while (shim_pinned());
	shim_return_to_user();
	unit_settle();
	assert_int_equal(h.revoked, 1);
	mvgpu_unmap(h.m);
}

static void *unmap_first_region(void *arg)
{
	shim_vmm_unmap(0);
	return arg;
}

static void unmap_meanwhile(void)
{
	pthread_t unmapper;

	pthread_create(&unmapper, NULL, unmap_first_region, NULL);
	pthread_join(unmapper, NULL);
}

/* Its pages are in quarantine before the list of segments, which are counted, is written */
static void quarantined_while_built(void **state)
{
	struct held h = { .n = 3, .write = true }, other;
	unsigned int i;
	int ret;

	for (i = 0; i < h.n; i++)
		h.range[i] = (struct mvgpu_range){ PAGE(i * 16), PAGE(8) };
	shim_vmm_map(0, 48, 16, RW);
	assert_int_equal(map_one(&other, 0, PAGE(48)), 0);
	shim_hook_alloc(2, unmap_meanwhile);
	/* the latter if this machine took long over the unmapping */
	ret = map_ranges(&h);
	assert_true(ret == -EFAULT || ret == -EAGAIN);
	assert_int_equal(atomic64_read(&vgpu.t.stats.quarantines), 48);
	assert_int_equal(other.revoked, 1);
	mvgpu_unmap(other.m);
}

static void *unstick_soon(void *arg)
{
	usleep(15000);
	unstick(arg);
	return arg;
}

/* New maps of a range that goes wait until VFIO is through with it, and pin nothing */
static void map_waits(void **state)
{
	pthread_t unmapper, helper;
	struct held h;

	shim_vmm_map(0, 8, 8, RW);
	assert_int_equal(map_one(&h, 0, PAGE(2)), 0);
	h.stuck = true;
	pthread_create(&unmapper, NULL, unmap_first_region, NULL);
	while (!mvgpu_going(&vgpu.t, 0, 7))
		usleep(100);
	pthread_create(&helper, NULL, unstick_soon, &h);
	assert_int_equal(map_one(&(struct held){}, PAGE(1), PAGE(1)), -EFAULT);
	assert_int_equal(h.revoked, 1);
	assert_int_equal(map_one(&(struct held){}, PAGE(5), PAGE(1)), -EFAULT);
	pthread_join(unmapper, NULL);
	pthread_join(helper, NULL);
	mvgpu_unmap(h.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		type1(revoked_and_gone), iommufd(revoked_and_gone),
		type1(revoked_with_the_run), iommufd(revoked_with_the_run),
		type1(unmap_in_revoke), type1(quarantine), iommufd(quarantine),
		type1(quarantine_ends_by_reset), type1(window_outlives_reset),
		type1(slow_callbacks), iommufd(slow_callbacks), type1(lock_held_up),
		type1(out_of_sight), iommufd(out_of_sight),
		type1(out_of_sight_by_reset), type1(looked_at), type1(container_race),
		iommufd(detach), type1(closed), type1(hangs_at_the_end),
		type1(unmap_without_memory), type1(huge_range),
		type1(quarantined_while_built), iommufd(quarantined_while_built),
		type1(map_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
