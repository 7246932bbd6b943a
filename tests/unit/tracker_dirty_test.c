// SPDX-License-Identifier: MIT
/*
 * tracker_dirty_test.c - kernel/mdev/{guestmem,dirty}.c: what the CPU reads and writes, and the
 * log of what was written
 */
#include "tracker_held.h"

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
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		type1(guest_copies), type1(window),
		type1(dirty_unknown), iommufd(dirty_unknown), type1(dirty_reported),
		type1(dirty_by_cpu), type1(dirty_ranges), type1(dirty_batches),
		type1(dirty_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
