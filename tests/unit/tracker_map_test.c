// SPDX-License-Identifier: MIT
/*
 * tracker_map_test.c - kernel/mdev/{tracker,run,mapping,dma}.c: what is mapped and pinned,
 * what is refused, and what is left when it fails
 */
#include "tracker_held.h"

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
}

static void bad_calls(void **state)
{
	const struct mvgpu_range r = { 0, 1 };

	assert_int_equal(PTR_ERR(mvgpu_map(&vgpu, &r, 0, DMA_TO_DEVICE, take_back, NULL)), -EINVAL);
	assert_int_equal(PTR_ERR(mvgpu_map(&vgpu, &r, 1, DMA_NONE, take_back, NULL)), -EINVAL);
	assert_int_equal(PTR_ERR(mvgpu_map(&vgpu, &r, 1, DMA_TO_DEVICE, NULL, NULL)), -EINVAL);
	mvgpu_unmap(NULL);
	mvgpu_unmap(ERR_PTR(-EFAULT));
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
}

static void pins_fail(void **state)
{
	fail_nth(shim_fail_pin);
}

static void dma_fails(void **state)
{
	fail_nth(shim_fail_dma);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		type1(one_run), type1(one_pin_per_page), iommufd(one_pin_per_page),
		type1(pages_of_a_part), type1(bad_addresses), iommufd(bad_addresses),
		type1(bad_calls), type1(read_only), iommufd(read_only), type1(quota),
		type1(idle_cache), type1(reference_limit), type1(bypass),
		type1(allocations_fail), type1(pins_fail), type1(dma_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
