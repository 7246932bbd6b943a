// SPDX-License-Identifier: MIT
/*
 * tracker_test.c - kernel/mdev/{tracker,run,mapping,going,quarantine,dirty,dma,guestmem}.c
 *
 * First what single calls promise, then random sequences of everything against a model
 * that knows the nine laws of DESIGN.md, decision 1, and checks them after every step.
 */
#include <string.h>
#include "tracker_unit.h"

#define PAGE(n)		((u64)(n) << PAGE_SHIFT)

/* A mapping as the test sees it */
struct held {
	struct mvgpu_mapping *m;
	struct mvgpu_range range[4];
	unsigned int n;
	bool write;
	int revoked;
	bool stuck;		/* its revoke callback hangs until this is false */
	bool unmaps;		/* its revoke callback unmaps it */
	bool idle;		/* a reset has made the device stop using it before */
};

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t held_cond = PTHREAD_COND_INITIALIZER;

/*
 * What is wrong, if anything: segments cover the ranges, and each page lies where the device
 * finds the guest's page, or what was that before it went to quarantine if @may_be_old.
 */
static const char *wrong_segments(const struct held *h, bool may_be_old)
{
	const struct mvgpu_segment *seg;
	unsigned int i, k = 0, n;
	struct page *page;
	u64 at, in = 0;

	seg = mvgpu_mapping_segments(h->m, &n);
	for (i = 0; i < h->n; i++) {
		for (at = 0; at < h->range[i].len; ) {
			u64 iova = h->range[i].iova + at, left = h->range[i].len - at;
			u64 len = min_t(u64, left, PAGE_SIZE - offset_in_page(iova));

			if (k >= n || seg[k].len < in + len)
				return "the segments are too short";
			page = shim_device_access(seg[k].addr + in, h->write);
			if (!page)
				return "a page is out of the device's reach";
			if (offset_in_page(seg[k].addr + in) != offset_in_page(iova))
				return "a page has the wrong offset";
			if (page != shim_vmm_page(iova >> PAGE_SHIFT) &&
			    !(may_be_old && atomic_long_read(&vgpu.t.quarantined)))
				return "a page is not the guest's";
			at += len;
			in += len;
			if (in == seg[k].len) {
				k++;
				in = 0;
			}
		}
	}
	return k == n ? NULL : "there are too many segments";
}

static void check_segments(const struct held *h)
{
	const char *wrong = wrong_segments(h, false);

	if (wrong)
		fail_msg("%s", wrong);
}

/* Law 4: the hardware may use the buffer until this returns. cmocka is for the main thread. */
static void take_back(struct mvgpu_mapping *m, void *priv)
{
	struct held *h = priv;
	const char *wrong = h->idle ? NULL : wrong_segments(h, true);

	if (m != h->m || h->revoked || wrong)
		shim_bug("revoke: %s", wrong ?: "not of this mapping, or not for the first time");
	pthread_mutex_lock(&held_lock);
	while (h->stuck)
		pthread_cond_wait(&held_cond, &held_lock);
	h->revoked++;
	pthread_mutex_unlock(&held_lock);
	if (h->unmaps)
		mvgpu_unmap(m);
}

static void unstick(struct held *h)
{
	pthread_mutex_lock(&held_lock);
	h->stuck = false;
	pthread_cond_broadcast(&held_cond);
	pthread_mutex_unlock(&held_lock);
}

static int map_ranges(struct held *h)
{
	h->m = mvgpu_map(&vgpu, h->range, h->n, h->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE,
			 take_back, h);
	if (IS_ERR(h->m))
		return PTR_ERR(h->m);
	check_segments(h);
	return 0;
}

static int map_one(struct held *h, u64 iova, u64 len)
{
	memset(h, 0, sizeof(*h));
	h->range[0] = (struct mvgpu_range){ iova, len };
	h->n = 1;
	h->write = true;
	return map_ranges(h);
}

static int start_type1(void **state)
{
	unit_start(SHIM_TYPE1, SHIM_IOMMU_LOW);
	(void)state;
	return 0;
}

static int start_iommufd(void **state)
{
	unit_start(SHIM_IOMMUFD, SHIM_IOMMU_HIGH);
	(void)state;
	return 0;
}

static int stop(void **state)
{
	unit_stop();
	(void)state;
	return 0;
}

/* What is contiguous becomes one call, one DMA mapping, one segment */
static void one_run(void **state)
{
	struct held h;
	unsigned int n;

	shim_vmm_map(0, 512, 512, RW);
	assert_int_equal(map_one(&h, 100, PAGE(512) - 200), 0);
	assert_int_equal(shim_pin_calls(), 1);
	assert_int_equal(shim_mapped(), 1);
	assert_int_equal(shim_pinned(), 512);
	mvgpu_mapping_segments(h.m, &n);
	assert_int_equal(n, 1);
	mvgpu_unmap(h.m);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(shim_mapped(), 0);
	(void)state;
}

/* Laws 1 to 3 */
static void one_pin_per_page(void **state)
{
	unsigned long calls;
	struct held a, b, c;

	shim_vmm_map(PAGE(500), 24, 1, RW);
	assert_int_equal(map_one(&a, PAGE(505), PAGE(10)), 0);
	assert_int_equal(shim_pinned(), 10);
	calls = shim_pin_calls();
	assert_int_equal(map_one(&b, PAGE(505), PAGE(10)), 0);
	assert_int_equal(shim_pin_calls(), calls);
	assert_int_equal(atomic64_read(&vgpu.t.stats.hits), 10);
	assert_int_equal(map_one(&c, PAGE(500), PAGE(24)), 0);
	assert_int_equal(shim_pinned(), 24);
	assert_int_equal(a.m->segments[0].addr, b.m->segments[0].addr);
	mvgpu_unmap(a.m);
	mvgpu_unmap(c.m);
	unit_settle();
	assert_int_equal(shim_pinned(), 10);
	check_segments(&b);
	mvgpu_unmap(b.m);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	(void)state;
}

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
	(void)state;
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
	(void)state;
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
	(void)state;
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
	(void)state;
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
	(void)state;
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
	(void)state;
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
	(void)state;
}

static int parts(struct held *h, const struct mvgpu_range *range, unsigned int n)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->range, range, n * sizeof(*range));
	h->n = n;
	return map_ranges(h);
}

/* The pages of a picture: in whole, and nothing else */
static void pages_of_a_part(void **state)
{
	const struct mvgpu_range whole[] = { { PAGE(8), PAGE(2) }, { PAGE(3), PAGE(3) } };
	const struct mvgpu_range halves[] = { { PAGE(8), 2048 }, { PAGE(3), PAGE(1) } };
	const struct mvgpu_range crooked[] = { { PAGE(8) + 64, PAGE(2) } };
	const unsigned int gfn[] = { 8, 9, 3, 4, 5 };
	unsigned long pfn[6];
	struct held h;
	unsigned int i;

	shim_vmm_map(0, 16, 4, RW);
	assert_int_equal(parts(&h, whole, 2), 0);
	assert_int_equal(mvgpu_mapping_pages(h.m, 0, PAGE(5), pfn), 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(pfn[i], page_to_pfn(shim_vmm_page(gfn[i])));
	pfn[3] = 0;
	assert_int_equal(mvgpu_mapping_pages(h.m, PAGE(1), PAGE(2) + 1, pfn), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(pfn[i], page_to_pfn(shim_vmm_page(gfn[1 + i])));
	assert_int_equal(pfn[3], 0);
	assert_int_equal(mvgpu_mapping_pages(h.m, PAGE(4), PAGE(1) + 1, pfn), -EINVAL);
	assert_int_equal(mvgpu_mapping_pages(h.m, PAGE(5), 1, pfn), -EINVAL);
	assert_int_equal(mvgpu_mapping_pages(h.m, U64_MAX, 1, pfn), -EINVAL);
	assert_int_equal(mvgpu_mapping_pages(h.m, 4, 8, pfn), -EINVAL);
	mvgpu_unmap(h.m);
	unit_settle();

	assert_int_equal(parts(&h, halves, 2), 0);
	assert_int_equal(mvgpu_mapping_pages(h.m, 0, 2048, pfn), 0);
	assert_int_equal(mvgpu_mapping_pages(h.m, 0, 2049, pfn), -EINVAL);
	assert_int_equal(mvgpu_mapping_pages(h.m, 2048, PAGE(1), pfn), 0);
	assert_int_equal(pfn[0], page_to_pfn(shim_vmm_page(3)));
	mvgpu_unmap(h.m);
	unit_settle();

	assert_int_equal(parts(&h, crooked, 1), 0);
	assert_int_equal(mvgpu_mapping_pages(h.m, 0, 64, pfn), -EINVAL);
	assert_int_equal(mvgpu_mapping_pages(h.m, PAGE(1) - 64, PAGE(1), pfn), 0);
	assert_int_equal(pfn[0], page_to_pfn(shim_vmm_page(9)));
	mvgpu_unmap(h.m);
	(void)state;
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
	(void)state;
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
	(void)state;
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
	(void)state;
}

static void expect_error(u64 iova, u64 len, int error)
{
	struct held h;

	assert_int_equal(map_one(&h, iova, len), error);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(shim_mapped(), 0);
	assert_int_equal(atomic_long_read(&vgpu.t.pinned), 0);
	assert_true(shim_said("refused"));
}

/* Law 6 */
static void bad_addresses(void **state)
{
	shim_vmm_map(PAGE(1), 8, 1, RW);
	expect_error(0, PAGE(1), -EFAULT);
	expect_error(PAGE(8), PAGE(1) + 1, -EFAULT);
	expect_error(PAGE(1), 0, -EINVAL);
	expect_error(U64_MAX - 4095, 4097, -EINVAL);
	expect_error(U64_MAX - 4095, 4096, -EFAULT);
	expect_error(PAGE(1), U64_MAX - PAGE(1), -ENOSPC);
	shim_vmm_page(5)->reserved = true;
	expect_error(PAGE(1), PAGE(8), -EFAULT);
	shim_vmm_page(5)->reserved = false;
	shim_vmm_page(4)->device = true;
	expect_error(PAGE(1), PAGE(8), -EFAULT);
	shim_vmm_page(4)->device = false;
	shim_vmm_page(6)->bounce = true;
	expect_error(PAGE(1), PAGE(8), -ERANGE);
	assert_int_equal(map_one(&(struct held){}, PAGE(9), PAGE(3)), -EFAULT);
	assert_true(shim_said("12288 bytes at IOVA 0x9000: not the guest's memory"));
	assert_int_equal(atomic64_read(&vgpu.t.stats.errors[MVGPU_ERR_ADDRESS]), 6);
	(void)state;
}

static void bad_calls(void **state)
{
	const struct mvgpu_range r = { 0, 1 };

	assert_int_equal(PTR_ERR(mvgpu_map(&vgpu, &r, 0, DMA_TO_DEVICE, take_back, NULL)), -EINVAL);
	assert_int_equal(PTR_ERR(mvgpu_map(&vgpu, &r, 1, DMA_NONE, take_back, NULL)), -EINVAL);
	assert_int_equal(PTR_ERR(mvgpu_map(&vgpu, &r, 1, DMA_TO_DEVICE, NULL, NULL)), -EINVAL);
	mvgpu_unmap(NULL);
	mvgpu_unmap(ERR_PTR(-EFAULT));
	(void)state;
}

/* Law 7 */
static void read_only(void **state)
{
	struct held h, w;

	shim_vmm_map(0, 5, 8, RW);
	shim_vmm_map(PAGE(5), 7, 8, IOMMU_READ);
	expect_error(PAGE(4), PAGE(2), -EPERM);
	memset(&h, 0, sizeof(h));
	h.range[0] = (struct mvgpu_range){ 0, PAGE(12) };
	h.n = 1;
	assert_int_equal(map_ranges(&h), 0);
	assert_int_equal(shim_pinned(), 12);
	assert_int_equal(map_one(&w, 0, PAGE(5)), 0);
	assert_int_equal(map_one(&(struct held){}, PAGE(5), 1), -EPERM);
	assert_null(shim_device_access(h.m->segments[h.m->num_segments - 1].addr, true));
	mvgpu_unmap(w.m);
	mvgpu_unmap(h.m);
	(void)state;
}

static void quota(void **state)
{
	struct held h;

	shim_vmm_map(0, 64, 8, RW);
	mvgpu_tracker_set_quota(&vgpu.t, 10);
	expect_error(0, PAGE(11), -ENOSPC);
	assert_int_equal(map_one(&h, 0, PAGE(10)), 0);
	assert_int_equal(map_one(&(struct held){}, PAGE(10), 1), -ENOSPC);
	/* What is on its way out makes room */
	mvgpu_unmap(h.m);
	assert_int_equal(map_one(&h, PAGE(20), PAGE(10)), 0);
	mvgpu_unmap(h.m);
	(void)state;
}

/* Law 3's cache: bounded, gives way to memory pressure, and stale pages never stay */
static void idle_cache(void **state)
{
	struct held h;

	shim_vmm_map(0, 64, 1, RW);
	mvgpu_tracker_set_cache(&vgpu.t, 8);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	mvgpu_unmap(h.m);
	unit_settle();
	assert_int_equal(shim_pinned(), 8);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	assert_int_equal(atomic64_read(&vgpu.t.stats.misses), 8);
	mvgpu_unmap(h.m);
	assert_int_equal(map_one(&h, PAGE(20), PAGE(4)), 0);
	mvgpu_unmap(h.m);
	unit_settle();
	assert_true(shim_pinned() <= 8);
	mvgpu_tracker_shrink(&vgpu.t, ULONG_MAX);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(map_one(&h, PAGE(2), PAGE(4)), 0);
	mvgpu_unmap(h.m);
	unit_settle();
	assert_int_equal(mvgpu_tracker_idle(&vgpu.t), 4);
	shim_vmm_unmap(0);
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(mvgpu_tracker_idle(&vgpu.t), 0);
	(void)state;
}

static void reference_limit(void **state)
{
	struct held h;

	shim_vmm_map(0, 1, 1, RW);
	assert_int_equal(map_one(&h, 0, 1), 0);
	h.m->pieces[0].leaf->entry[0] |= MVGPU_ENTRY_REFS;
	assert_int_equal(map_one(&(struct held){}, 0, 1), -EOVERFLOW);
	h.m->pieces[0].leaf->entry[0] &= ~MVGPU_ENTRY_REFS;
	h.m->pieces[0].leaf->entry[0]++;
	mvgpu_unmap(h.m);
	(void)state;
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
	(void)state;
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
	mvgpu_tracker_dma_unmap(&vgpu.t, 0, ULONG_MAX);
	shim_return_to_user();
	mvgpu_tracker_open(&vgpu.t, ULONG_MAX);
	assert_int_equal(map_one(&h, 0, PAGE(8)), 0);
	mvgpu_unmap(h.m);
	(void)state;
}

static void bypass(void **state)
{
	struct held h;

	vgpu.t.dma.mode = MVGPU_DMA_BYPASS;
	shim_vmm_map(0, 8, 1, RW);
	h = (struct held){ .range = {{ 0, PAGE(8) }}, .n = 1, .write = true };
	h.m = mvgpu_map(&vgpu, h.range, 1, DMA_BIDIRECTIONAL, take_back, &h);
	assert_false(IS_ERR(h.m));
	assert_int_equal(shim_mapped(), 0);
	assert_int_equal(h.m->segments[0].addr, page_to_phys(shim_vmm_page(0)));
	mvgpu_unmap(h.m);
	(void)state;
}

/* Every allocation and every call of VFIO and of the DMA API fails in turn */
static void fail_nth(void (*make_fail)(unsigned int nth))
{
	struct held h, old;
	unsigned int nth;
	int ret;

	shim_vmm_map(PAGE(400), 300, 3, RW);
	assert_int_equal(map_one(&old, PAGE(450), PAGE(2)), 0);
	for (nth = 1; ; nth++) {
		memset(&h, 0, sizeof(h));
		h.n = 2;
		h.range[0] = (struct mvgpu_range){ PAGE(440) + 5, PAGE(100) };
		h.range[1] = (struct mvgpu_range){ PAGE(600) + 5, PAGE(20) };
		h.write = true;
		make_fail(nth);
		ret = map_ranges(&h);
		make_fail(0);
		if (!ret)
			break;
		assert_true(ret == -ENOMEM || ret == -EIO);
		unit_settle();
		assert_int_equal(shim_pinned(), 2);
		check_segments(&old);
	}
	assert_true(nth > 3);
	mvgpu_unmap(h.m);
	mvgpu_unmap(old.m);
}

static void allocations_fail(void **state)
{
	fail_nth(shim_fail_alloc);
	(void)state;
}

static void pins_fail(void **state)
{
	fail_nth(shim_fail_pin);
	(void)state;
}

static void dma_fails(void **state)
{
	fail_nth(shim_fail_dma);
	(void)state;
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
	(void)state;
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
	(void)state;
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

	for (i = 0; i < h.n; i++)
		h.range[i] = (struct mvgpu_range){ PAGE(i * 16), PAGE(8) };
	shim_vmm_map(0, 48, 16, RW);
	assert_int_equal(map_one(&other, 0, PAGE(48)), 0);
	shim_hook_alloc(2, unmap_meanwhile);
	assert_int_equal(map_ranges(&h), -EFAULT);
	assert_int_equal(atomic64_read(&vgpu.t.stats.quarantines), 48);
	assert_int_equal(other.revoked, 1);
	mvgpu_unmap(other.m);
	(void)state;
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
	(void)state;
}

static void guest_copies(void **state)
{
	char text[] = "across a page", got[sizeof(text)];
	const u64 at = PAGE(3) - 5;

	shim_vmm_map(0, 4, 1, RW);
	shim_vmm_map(PAGE(4), 4, 1, IOMMU_READ);
	assert_int_equal(mvgpu_guest_write(&vgpu, at, text, sizeof(text)), 0);
	shim_guest_copy(at, got, sizeof(got), false);
	assert_string_equal(got, text);
	memset(got, 0, sizeof(got));
	/* A task that is neither the VMM nor the kernel's: through a window */
	current->mm = got;
	assert_int_equal(mvgpu_guest_read(&vgpu, at, got, sizeof(got)), 0);
	assert_string_equal(got, text);
	assert_int_equal(mvgpu_guest_write(&vgpu, at, text, 1), 0);
	assert_int_equal(mvgpu_guest_read(&vgpu, PAGE(8) - 1, got, 2), -EFAULT);
	current->mm = NULL;
	assert_int_equal(mvgpu_guest_read(&vgpu, PAGE(8) - 1, got, 2), -EFAULT);
	assert_int_equal(mvgpu_guest_write(&vgpu, PAGE(4), got, 2), -EPERM);
	assert_int_equal(mvgpu_guest_read(&vgpu, U64_MAX, got, 2), -EINVAL);
	assert_int_equal(mvgpu_guest_read(&vgpu, PAGE(99), got, 0), 0);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	mvgpu_tracker_close(&vgpu.t);
	assert_int_equal(mvgpu_guest_read(&vgpu, 0, got, 2), -ENODEV);
	(void)state;
}

/* A window closes when its memory is taken away, and opens on what is there then */
static void window(void **state)
{
	struct mvgpu_window *w;
	char *ring;

	shim_vmm_map(0, 4, 1, RW);
	assert_int_equal(PTR_ERR(mvgpu_window_open(&vgpu, 0, 0, DMA_TO_DEVICE)), -EINVAL);
	assert_int_equal(PTR_ERR(mvgpu_window_open(&vgpu, 1, PAGE(512), DMA_TO_DEVICE)), -EINVAL);
	w = mvgpu_window_open(&vgpu, PAGE(2) - 8, 16, DMA_BIDIRECTIONAL);
	ring = mvgpu_window_get(w);
	assert_false(IS_ERR(ring));
	memcpy(ring, "0123456789abcdef", 16);
	mvgpu_window_put(w);
	assert_int_equal(shim_pinned(), 2);
	shim_vmm_unmap(0);
	assert_int_equal(shim_vmaps(), 0);
	assert_int_equal(PTR_ERR(mvgpu_window_get(w)), -EFAULT);
	shim_vmm_map(0, 4, 1, RW);
	shim_guest_copy(PAGE(2), "second!", 8, true);
	ring = mvgpu_window_get(w);
	assert_string_equal(ring + 8, "second!");
	mvgpu_window_put(w);
	mvgpu_window_close(w);
	(void)state;
}

/* What has been written, as told: pages of [0, 2048), bytes in all */
static struct { bool page[2048]; u64 bytes; unsigned int calls; } told;

static void tell(void *opaque, u64 iova, u64 len)
{
	u64 gfn;

	assert_ptr_equal(opaque, &told);
	assert_true(len && iova + len <= PAGE(ARRAY_SIZE(told.page)));
	for (gfn = iova >> PAGE_SHIFT; gfn <= (iova + len - 1) >> PAGE_SHIFT; gfn++)
		told.page[gfn] = true;
	told.bytes += len;
	told.calls++;
}

/* Exactly these pages have been written since the last time */
static void expect_dirty(u64 first, u64 pages)
{
	u64 gfn;

	memset(&told, 0, sizeof(told));
	assert_int_equal(mvgpu_dirty_read(&vgpu.t, 0, PAGE(ARRAY_SIZE(told.page)), tell, &told), 0);
	for (gfn = 0; gfn < ARRAY_SIZE(told.page); gfn++)
		assert_int_equal(told.page[gfn], gfn >= first && gfn - first < pages);
	assert_int_equal(told.bytes, PAGE(pages));
}

static void start_log(void)
{
	const struct mvgpu_range all = { 0, PAGE(ARRAY_SIZE(told.page)) };

	assert_int_equal(mvgpu_dirty_start(&vgpu.t, &all, 1), 0);
}

/* Law 7: a mapping about which nobody says anything */
static void dirty_unknown(void **state)
{
	struct held h, ro;

	shim_vmm_map(0, 700, 5, RW);
	memset(&ro, 0, sizeof(ro));
	ro.range[0] = (struct mvgpu_range){ 0, PAGE(600) };
	ro.n = 1;
	assert_int_equal(map_ranges(&ro), 0);
	assert_int_equal(map_one(&h, PAGE(100) + 5, PAGE(500)), 0);
	start_log();
	mvgpu_unmap(h.m);
	expect_dirty(100, 501);
	expect_dirty(0, 0);
	/* Between two questions it is mapped and unmapped, held when asked, revoked */
	assert_int_equal(map_one(&h, PAGE(511), PAGE(2)), 0);
	mvgpu_unmap(h.m);
	expect_dirty(511, 2);
	assert_int_equal(map_one(&h, PAGE(511), PAGE(2)), 0);
	expect_dirty(511, 2);
	expect_dirty(511, 2);
	shim_vmm_unmap(0);
	assert_int_equal(h.revoked, 1);
	expect_dirty(511, 2);
	mvgpu_unmap(h.m);
	mvgpu_unmap(ro.m);
	expect_dirty(0, 0);
	(void)state;
}

/* Law 7: the vendor driver knows */
static void dirty_reported(void **state)
{
	struct held h;

	shim_vmm_map(0, 1200, 5, RW);
	start_log();
	h = (struct held){
		.range = { { PAGE(1000), PAGE(3) }, { PAGE(10) - 10, PAGE(600) } },
		.n = 2,
		.write = true,
	};
	assert_int_equal(map_ranges(&h), 0);
	mvgpu_mapping_dirty(h.m, 0, 0);
	expect_dirty(0, 0);
	mvgpu_mapping_dirty(h.m, PAGE(2) - 1, 1);
	expect_dirty(1001, 1);
	mvgpu_mapping_dirty(h.m, PAGE(3), 10);
	expect_dirty(9, 1);
	mvgpu_mapping_dirty(h.m, PAGE(3) + 10, 1);
	expect_dirty(10, 1);
	mvgpu_mapping_dirty(h.m, PAGE(3) + 10 + PAGE(500), PAGE(4));
	expect_dirty(510, 4);
	mvgpu_mapping_dirty(h.m, PAGE(603) - 1, U64_MAX);
	expect_dirty(609, 1);
	mvgpu_mapping_dirty(h.m, PAGE(603), 1);
	mvgpu_mapping_dirty(h.m, U64_MAX, U64_MAX);
	mvgpu_unmap(h.m);
	expect_dirty(0, 0);
	/* The other way to lose it */
	assert_int_equal(map_one(&h, 0, PAGE(4)), 0);
	mvgpu_mapping_dirty(h.m, PAGE(1), 1);
	shim_vmm_unmap(0);
	expect_dirty(1, 1);
	mvgpu_unmap(h.m);
	(void)state;
}

static void dirty_by_cpu(void **state)
{
	struct mvgpu_window *w, *reader;
	char text[] = "written";

	shim_vmm_map(0, 12, 1, RW);
	start_log();
	assert_int_equal(mvgpu_guest_write(&vgpu, PAGE(3) - 2, text, 4), 0);
	expect_dirty(2, 2);
	assert_int_equal(mvgpu_guest_read(&vgpu, PAGE(3) - 2, text, 4), 0);
	expect_dirty(0, 0);
	current->mm = text;
	assert_int_equal(mvgpu_guest_write(&vgpu, PAGE(5) - 2, text, 4), 0);
	expect_dirty(4, 2);
	current->mm = NULL;
	w = mvgpu_window_open(&vgpu, PAGE(6) + 9, PAGE(2), DMA_BIDIRECTIONAL);
	reader = mvgpu_window_open(&vgpu, PAGE(9), PAGE(2), DMA_TO_DEVICE);
	memcpy(mvgpu_window_get(w), text, sizeof(text));
	assert_false(IS_ERR(mvgpu_window_get(reader)));
	expect_dirty(0, 0);
	mvgpu_window_put(w);
	mvgpu_window_put(reader);
	expect_dirty(6, 3);
	expect_dirty(0, 0);
	mvgpu_window_close(w);
	mvgpu_window_close(reader);
	expect_dirty(0, 0);
	(void)state;
}

/* The VMM gets what it asked for, of what it wanted to be logged */
static void dirty_ranges(void **state)
{
	const struct mvgpu_range some[] = { { PAGE(10), PAGE(5) }, { PAGE(20), PAGE(5) } };

	assert_int_equal(mvgpu_dirty_start(&vgpu.t, some, 2), 0);
	mvgpu_dirty_mark(&vgpu.t, 0, PAGE(30));
	memset(&told, 0, sizeof(told));
	assert_int_equal(mvgpu_dirty_read(&vgpu.t, PAGE(12) + 100, PAGE(10), tell, &told), 0);
	assert_int_equal(told.bytes, PAGE(5));
	assert_true(told.page[12] && told.page[14] && told.page[20] && told.page[22]);
	assert_false(told.page[11] || told.page[15] || told.page[19] || told.page[23]);
	assert_int_equal(mvgpu_dirty_read(&vgpu.t, 0, U64_MAX, tell, &told), 0);
	assert_true(told.page[11] && told.page[23] && told.page[24]);
	assert_false(told.page[9] || told.page[25]);
	expect_dirty(0, 0);
	(void)state;
}

static void dirty_batches(void **state)
{
	const struct mvgpu_range large = { 0, PAGE(100000) };
	u64 i;

	assert_int_equal(mvgpu_dirty_start(&vgpu.t, &large, 1), 0);
	for (i = 0; i < 700; i++)
		mvgpu_dirty_mark(&vgpu.t, PAGE(2 * i), 1);
	mvgpu_dirty_mark(&vgpu.t, PAGE(99999), 1);
	memset(&told, 0, sizeof(told));
	assert_int_equal(mvgpu_dirty_read(&vgpu.t, 0, PAGE(99999), tell, &told), 0);
	assert_int_equal(told.calls, 700);
	mvgpu_dirty_stop(&vgpu.t);
	assert_int_equal(mvgpu_dirty_start(&vgpu.t, &large, 1), 0);
	expect_dirty(0, 0);
	(void)state;
}

static void dirty_refused(void **state)
{
	const struct mvgpu_range empty = { 0, 0 }, wraps = { PAGE(1), U64_MAX };
	const struct mvgpu_range huge = { 0, 1ull << 43 };
	const struct mvgpu_range two[] = { { 0, PAGE(1) }, { PAGE(2), PAGE(1) } };
	unsigned int nth;

	assert_int_equal(mvgpu_dirty_read(&vgpu.t, 0, 1, tell, &told), -EINVAL);
	mvgpu_dirty_stop(&vgpu.t);
	assert_int_equal(mvgpu_dirty_start(&vgpu.t, &empty, 1), -EINVAL);
	assert_int_equal(mvgpu_dirty_start(&vgpu.t, &wraps, 1), -EINVAL);
	assert_int_equal(mvgpu_dirty_start(&vgpu.t, &huge, 1), -E2BIG);
	for (nth = 1; nth <= 3; nth++) {
		shim_fail_alloc(nth);
		assert_int_equal(mvgpu_dirty_start(&vgpu.t, two, 2), -ENOMEM);
		shim_fail_alloc(0);
	}
	assert_int_equal(mvgpu_dirty_start(&vgpu.t, two, 2), 0);
	assert_int_equal(mvgpu_dirty_start(&vgpu.t, two, 2), -EBUSY);
	assert_int_equal(mvgpu_dirty_read(&vgpu.t, 0, 0, tell, &told), -EINVAL);
	assert_int_equal(mvgpu_dirty_read(&vgpu.t, 9, U64_MAX, tell, &told), -EINVAL);
	(void)state;
}

/* The model */

#define REGIONS		5
#define HELD		24

static const struct { u64 first; unsigned int pages, contig; int prot; } layout[REGIONS] = {
	{ 0, 40, 1, RW },
	{ 40, 30, 30, RW },
	{ 500, 30, 7, RW },
	{ 530, 20, 4, IOMMU_READ },
	{ 0x123456789, 600, 50, RW },
};

static struct {
	u64 rnd;
	bool there[REGIONS];
	struct held held[HELD];
} model;

static int region_of(u64 gfn)
{
	int i;

	for (i = 0; i < REGIONS; i++)
		if (gfn >= layout[i].first && gfn < layout[i].first + layout[i].pages)
			return i;
	return -1;
}

static u64 held_refs(const struct held *h, u64 gfn)
{
	unsigned int i;
	u64 refs = 0;

	for (i = 0; h->m && !h->revoked && i < h->n; i++)
		refs += gfn >= h->range[i].iova >> PAGE_SHIFT &&
			gfn <= (h->range[i].iova + h->range[i].len - 1) >> PAGE_SHIFT;
	return refs;
}

static u64 model_refs(u64 gfn)
{
	u64 refs = 0;
	int i;

	for (i = 0; i < HELD; i++)
		refs += held_refs(&model.held[i], gfn);
	return refs;
}

/* Laws 1 and 3 for one page; law 2 and 7 are in check_segments() */
static void check_page(u64 gfn)
{
	struct mvgpu_leaf *leaf = xa_load(&vgpu.t.leaves, gfn >> MVGPU_LEAF_SHIFT);
	unsigned int i = gfn & (MVGPU_LEAF_PAGES - 1), first, k, live = 0;
	u64 entry = leaf ? leaf->entry[i] : 0;

	assert_int_equal(entry & MVGPU_ENTRY_REFS, model_refs(gfn));
	assert_int_equal(!!entry, shim_gfn_pinned(gfn));
	assert_false(entry & MVGPU_ENTRY_BUSY);
	if (!entry)
		return;
	first = mvgpu_meta_first(leaf, i);
	for (k = first; k < first + mvgpu_run_pages(leaf, first); k++)
		live += !!(leaf->entry[k] & MVGPU_ENTRY_REFS);
	assert_true(live || test_bit(first, leaf->idle));
	assert_int_equal(live, FIELD_GET(MVGPU_META_LIVE, leaf->meta[first]));
}

static void check_laws(void)
{
	u64 gfn;
	int i;

	unit_settle();
	for (i = 0; i < REGIONS; i++)
		for (gfn = layout[i].first; gfn < layout[i].first + layout[i].pages; gfn++)
			check_page(gfn);
	for (i = 0; i < HELD; i++)
		if (model.held[i].m && !model.held[i].revoked)
			check_segments(&model.held[i]);
	assert_int_equal(shim_pinned(), atomic_long_read(&vgpu.t.pinned));
	assert_int_equal(shim_referenced(), atomic_long_read(&vgpu.t.quarantined));
	assert_int_equal(atomic_long_read(&vgpu.t.dying), 0);
	assert_true(mvgpu_tracker_idle(&vgpu.t) <= vgpu.t.cache_limit);
}

static void random_range(struct mvgpu_range *r)
{
	int i = unit_below(&model.rnd, REGIONS);
	u64 len = 1 + unit_below(&model.rnd, PAGE(unit_below(&model.rnd, 4) ? 5 : 40));

	r->iova = PAGE(layout[i].first + unit_below(&model.rnd, layout[i].pages)) +
		  unit_below(&model.rnd, PAGE_SIZE);
	r->len = len;
}

/* Which errors the ranges allow: bit 0 none, 1 -EFAULT, 2 -EPERM */
static unsigned int expected(const struct held *h)
{
	unsigned int errors = 0, i;
	u64 gfn;
	int r;

	for (i = 0; i < h->n; i++) {
		for (gfn = h->range[i].iova >> PAGE_SHIFT;
		     gfn <= (h->range[i].iova + h->range[i].len - 1) >> PAGE_SHIFT; gfn++) {
			r = region_of(gfn);
			if (r < 0 || !model.there[r])
				errors |= 2;
			else if (h->write && !(layout[r].prot & IOMMU_WRITE))
				errors |= 4;
		}
	}
	return errors ? errors : 1;
}

static void step_map(struct held *h)
{
	unsigned int i, allowed, inject = unit_below(&model.rnd, 12);
	int ret;

	memset(h, 0, sizeof(*h));
	h->n = 1 + unit_below(&model.rnd, 4);
	h->write = unit_below(&model.rnd, 3);
	for (i = 0; i < h->n; i++)
		random_range(&h->range[i]);
	allowed = expected(h);
	if (inject == 0)
		shim_fail_alloc(1 + unit_below(&model.rnd, 6));
	if (inject == 1)
		shim_fail_pin(1 + unit_below(&model.rnd, 6));
	if (inject == 2)
		shim_fail_dma(1 + unit_below(&model.rnd, 9));
	ret = map_ranges(h);
	shim_fail_alloc(0);
	shim_fail_pin(0);
	shim_fail_dma(0);
	if (ret)
		h->m = NULL;
	if (inject < 3 && (ret == -ENOMEM || ret == -EIO))
		return;
	if (!ret)
		assert_int_equal(allowed, 1);
	else
		assert_true((ret == -EFAULT && allowed & 2) || (ret == -EPERM && allowed & 4));
}

/* A revoke callback that comes must come for a reason, and must have come if there is one */
static void step_unmap_region(int i, bool stuck)
{
	struct held *h, *jam = NULL;
	unsigned int k;
	u64 gfn;

	for (k = 0; k < HELD && stuck && !jam; k++)
		for (gfn = layout[i].first; gfn < layout[i].first + layout[i].pages; gfn++)
			if (held_refs(&model.held[k], gfn))
				jam = &model.held[k];
	if (jam)
		jam->stuck = true;
	shim_vmm_unmap(PAGE(layout[i].first));
	model.there[i] = false;
	for (gfn = layout[i].first; gfn < layout[i].first + layout[i].pages; gfn++)
		assert_false(shim_gfn_pinned(gfn));
	if (jam) {
		assert_true(atomic_long_read(&vgpu.t.quarantined) > 0);
		unstick(jam);
	}
	unit_settle();
	for (h = model.held; h < model.held + HELD; h++)
		for (k = 0; h->m && !h->revoked && k < h->n; k++)
			assert_true(region_of(h->range[k].iova >> PAGE_SHIFT) != i);
}

static void step_close(void)
{
	int k;

	mvgpu_tracker_close(&vgpu.t);
	assert_int_equal(shim_pinned(), 0);
	/* Where callbacks were slow, until quarantine is over */
	unit_settle();
	assert_int_equal(shim_mapped(), 0);
	for (k = 0; k < HELD; k++) {
		if (model.held[k].m) {
			assert_int_equal(model.held[k].revoked, 1);
			mvgpu_unmap(model.held[k].m);
			model.held[k].m = NULL;
		}
	}
	mvgpu_tracker_open(&vgpu.t, ULONG_MAX);
}

static void step(void)
{
	struct held *h = &model.held[unit_below(&model.rnd, HELD)];
	int i = unit_below(&model.rnd, REGIONS), what = unit_below(&model.rnd, 100);

	if (what < 80 && h->m) {
		mvgpu_unmap(h->m);
		h->m = NULL;
	} else if (what < 80) {
		step_map(h);
	} else if (what < 97 && model.there[i]) {
		step_unmap_region(i, what == 96);
	} else if (what < 97) {
		shim_vmm_map(PAGE(layout[i].first), layout[i].pages, layout[i].contig,
			     layout[i].prot);
		model.there[i] = true;
	} else if (what == 97) {
		mvgpu_tracker_set_cache(&vgpu.t, unit_below(&model.rnd, 3) * 20);
	} else if (what == 98) {
		mvgpu_tracker_reset(&vgpu.t);
	} else {
		step_close();
	}
}

static void random_steps(enum shim_backend backend, enum shim_iommu iommu, unsigned int steps)
{
	int i;

	memset(&model, 0, sizeof(model));
	model.rnd = unit_seed("random_steps") + backend * 7 + iommu;
	unit_start(backend, iommu);
	while (steps--) {
		step();
		check_laws();
	}
	for (i = 0; i < HELD; i++)
		mvgpu_unmap(model.held[i].m);
	unit_stop();
}

static void random_type1(void **state)
{
	random_steps(SHIM_TYPE1, SHIM_DIRECT, 2000);
	random_steps(SHIM_TYPE1, SHIM_IOMMU_LOW, 2000);
	(void)state;
}

static void random_iommufd(void **state)
{
	random_steps(SHIM_IOMMUFD, SHIM_IOMMU_HIGH, 2000);
	(void)state;
}

#define type1(f)	cmocka_unit_test_setup_teardown(f, start_type1, stop)
#define iommufd(f)	cmocka_unit_test_setup_teardown(f, start_iommufd, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		type1(one_run), type1(one_pin_per_page), iommufd(one_pin_per_page),
		type1(revoked_and_gone), iommufd(revoked_and_gone),
		type1(revoked_with_the_run), iommufd(revoked_with_the_run),
		type1(unmap_in_revoke), type1(quarantine), iommufd(quarantine),
		type1(quarantine_ends_by_reset), type1(out_of_sight), iommufd(out_of_sight),
		type1(out_of_sight_by_reset), type1(looked_at), type1(pages_of_a_part),
		type1(container_race), iommufd(detach),
		type1(bad_addresses), iommufd(bad_addresses), type1(bad_calls),
		type1(read_only), iommufd(read_only), type1(quota), type1(idle_cache),
		type1(reference_limit), type1(closed), type1(hangs_at_the_end), type1(bypass),
		type1(allocations_fail), type1(pins_fail), type1(dma_fails),
		type1(unmap_without_memory), type1(huge_range),
		type1(quarantined_while_built), iommufd(quarantined_while_built),
		type1(map_waits), type1(guest_copies), type1(window),
		type1(dirty_unknown), iommufd(dirty_unknown), type1(dirty_reported),
		type1(dirty_by_cpu), type1(dirty_ranges), type1(dirty_batches),
		type1(dirty_refused),
		cmocka_unit_test(random_type1), cmocka_unit_test(random_iommufd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
