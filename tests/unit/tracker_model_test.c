// SPDX-License-Identifier: MIT
/*
 * tracker_model_test.c - kernel/mdev/{tracker,run,mapping,going,quarantine,dma}.c: random
 * sequences of everything against a model that knows the nine laws of DESIGN.md, decision 1,
 * and checks them after every step
 */
#include "tracker_held.h"

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
}

static void random_iommufd(void **state)
{
	random_steps(SHIM_IOMMUFD, SHIM_IOMMU_HIGH, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_type1), cmocka_unit_test(random_iommufd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
