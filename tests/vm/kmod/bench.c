// SPDX-License-Identifier: GPL-2.0-only
/*
 * mvgpu-bench - measures mappings of guest memory: ours, the ancestor's, and what VFIO and
 * the DMA API take by themselves
 *
 * The parent is QEMU's edu, of which only the DMA device is used. A vGPU has a BAR of
 * registers, see bench.h, through which tests/bench/map-bench.c runs jobs. Unlike a vendor
 * driver it knows what is inside of struct mvgpu, and calls VFIO.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/vmalloc.h>
#include "ancestor.h"
#include "bench.h"
#include "device.h"

#define HELD		64u	/* buffers of a job that are mapped at a time */
#define MAX_UNITS	BIT_ULL(20)
#define MAX_PAGES	512u
#define MAX_FILLED	16384u

/**
 * struct bench - a vGPU
 * @vgpu: itself
 * @dev: the parent
 * @reg: the registers
 * @ranges: the units of a job, in the order in which they are used
 * @held: our mappings that a job has made and not undone
 * @addr: the DMA addresses that a job uses otherwise
 * @page: the pages of a batch
 * @filled: our mappings that stay
 * @num_filled: entries in @filled
 * @old: the ancestor
 * @far: another one, for what is beyond BENCH_FAR_GFN
 * @far_map: our mapping there
 */
struct bench {
	struct mvgpu *vgpu;
	struct device *dev;
	u64 reg[BENCH_REGS];
	struct mvgpu_range *ranges;
	struct mvgpu_mapping *held[HELD];
	dma_addr_t *addr;
	struct page *page[MAX_PAGES];
	struct mvgpu_mapping **filled;
	u64 num_filled;
	struct ancestor old;
	struct ancestor far;
	struct mvgpu_mapping *far_map;
};

static struct vfio_device_ops bench_ops;
static void (*ours_dma_unmap)(struct vfio_device *vdev, u64 iova, u64 len);

static u64 reg(const struct bench *b, enum bench_reg r)
{
	return b->reg[r];
}

static void revoked(struct mvgpu_mapping *m, void *priv)
{
}

static struct mvgpu_mapping *ours_map(struct bench *b, const struct mvgpu_range *r,
				      unsigned int n)
{
	struct mvgpu_mapping *m = mvgpu_map(b->vgpu, r, n, DMA_BIDIRECTIONAL, revoked, NULL);
	unsigned int segments;

	if (IS_ERR(m))
		return m;
	mvgpu_mapping_segments(m, &segments);
	b->reg[BENCH_SEGMENTS] += segments;
	return m;
}

/* The ways to map and to unmap one buffer, the @i-th that is held */

static dma_addr_t *addr_of(struct bench *b, unsigned int i)
{
	return b->addr + (size_t)i * reg(b, BENCH_RANGES) * reg(b, BENCH_PAGES);
}

static int ours_get(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	b->held[i] = ours_map(b, r, reg(b, BENCH_RANGES));
	return PTR_ERR_OR_ZERO(b->held[i]);
}

static void ours_put(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	mvgpu_unmap(b->held[i]);
}

static int old_get(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	unsigned int k, p, pages = reg(b, BENCH_PAGES);
	dma_addr_t *addr = addr_of(b, i);
	int ret;

	for (k = 0; k < reg(b, BENCH_RANGES); k++, r++) {
		for (p = 0; p < pages; p++) {
			ret = ancestor_map(&b->old, (r->iova >> PAGE_SHIFT) + p, addr++);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static void old_put(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	unsigned int k, n = reg(b, BENCH_RANGES) * reg(b, BENCH_PAGES);
	dma_addr_t *addr = addr_of(b, i);

	for (k = 0; k < n; k++)
		ancestor_unmap(&b->old, addr[k]);
}

static unsigned int stretch(struct page **page, unsigned int n)
{
	unsigned int i = 1;

	while (i < n && page_to_phys(page[i]) == page_to_phys(page[0]) + i * PAGE_SIZE)
		i++;
	return i;
}

/* Where a stretch begins, its address and its pages are kept */
static int bare_get_range(struct bench *b, u64 iova, unsigned int pages, dma_addr_t *addr)
{
	unsigned int i, n;

	if (vfio_pin_pages(&b->vgpu->vdev, iova, pages, IOMMU_READ | IOMMU_WRITE, b->page) !=
	    pages)
		return -EFAULT;
	for (i = 0; i < pages; i += n) {
		n = stretch(b->page + i, pages - i);
		addr[i] = dma_map_page_attrs(b->dev, b->page[i], 0, n * PAGE_SIZE,
					     DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC);
		if (dma_mapping_error(b->dev, addr[i]))
			return -EIO;
		addr[i] |= n;
	}
	return 0;
}

static void bare_put_range(struct bench *b, u64 iova, unsigned int pages, dma_addr_t *addr)
{
	unsigned int i, n;

	for (i = 0; i < pages; i += n) {
		n = addr[i] & ~PAGE_MASK;
		dma_unmap_page_attrs(b->dev, addr[i] & PAGE_MASK, n * PAGE_SIZE,
				     DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC);
	}
	vfio_unpin_pages(&b->vgpu->vdev, iova, pages);
}

static int bare_get(struct bench *b, unsigned int i, const struct mvgpu_range *r,
		    unsigned int at_once)
{
	unsigned int k, p, pages = reg(b, BENCH_PAGES);
	dma_addr_t *addr = addr_of(b, i);
	int ret = 0;

	for (k = 0; k < reg(b, BENCH_RANGES); k++, r++)
		for (p = 0; p < pages && !ret; p += at_once, addr += at_once)
			ret = bare_get_range(b, r->iova + p * PAGE_SIZE, at_once, addr);
	return ret;
}

static void bare_put(struct bench *b, unsigned int i, const struct mvgpu_range *r,
		     unsigned int at_once)
{
	unsigned int k, p, pages = reg(b, BENCH_PAGES);
	dma_addr_t *addr = addr_of(b, i);

	for (k = 0; k < reg(b, BENCH_RANGES); k++, r++)
		for (p = 0; p < pages; p += at_once, addr += at_once)
			bare_put_range(b, r->iova + p * PAGE_SIZE, at_once, addr);
}

static int batch_get(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	return bare_get(b, i, r, reg(b, BENCH_PAGES));
}

static void batch_put(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	bare_put(b, i, r, reg(b, BENCH_PAGES));
}

static int single_get(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	return bare_get(b, i, r, 1);
}

static void single_put(struct bench *b, unsigned int i, const struct mvgpu_range *r)
{
	bare_put(b, i, r, 1);
}

static const struct way {
	int (*get)(struct bench *b, unsigned int i, const struct mvgpu_range *r);
	void (*put)(struct bench *b, unsigned int i, const struct mvgpu_range *r);
} ways[BENCH_WAYS] = {
	[BENCH_OURS] = { ours_get, ours_put },
	[BENCH_OLD] = { old_get, old_put },
	[BENCH_BATCH] = { batch_get, batch_put },
	[BENCH_SINGLE] = { single_get, single_put },
};

/* Jobs */

static u64 unit_of(const struct bench *b, u64 i)
{
	u64 seed = reg(b, BENCH_SEED);

	return (seed + i * (2 * seed + 0x9e3779b1)) & (reg(b, BENCH_COUNT) - 1);
}

static int job_make(struct bench *b)
{
	u64 i, units = reg(b, BENCH_BUFFERS) * reg(b, BENCH_RANGES);

	if (!units || units > MAX_UNITS || !is_power_of_2(reg(b, BENCH_COUNT)) ||
	    !reg(b, BENCH_PAGES) || reg(b, BENCH_PAGES) > MAX_PAGES)
		return -EINVAL;
	b->ranges = vmalloc_array(units, sizeof(*b->ranges));
	b->addr = vmalloc_array((size_t)HELD * reg(b, BENCH_RANGES) * reg(b, BENCH_PAGES),
				sizeof(*b->addr));
	if (!b->ranges || !b->addr)
		return -ENOMEM;
	for (i = 0; i < units; i++) {
		b->ranges[i].iova = (reg(b, BENCH_GFN) + unit_of(b, i) * reg(b, BENCH_STRIDE))
				    << PAGE_SHIFT;
		b->ranges[i].len = reg(b, BENCH_PAGES) << PAGE_SHIFT;
	}
	return 0;
}

static void job_free(struct bench *b)
{
	vfree(b->ranges);
	vfree(b->addr);
	b->ranges = NULL;
	b->addr = NULL;
}

/* Map @n buffers from the @first on, then unmap them. Unpinning is waited for. */
static int run_some(struct bench *b, const struct way *way, u64 first, unsigned int n)
{
	u64 k = reg(b, BENCH_RANGES), start = ktime_get_ns(), mapped;
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = way->get(b, i, b->ranges + (first + i) * k);
		if (ret)
			return ret;
	}
	mapped = ktime_get_ns();
	for (i = 0; i < n; i++)
		way->put(b, i, b->ranges + (first + i) * k);
	if (way == &ways[BENCH_OURS])
		flush_work(&b->vgpu->tracker.reap_work);
	b->reg[BENCH_MAP_NS] += mapped - start;
	b->reg[BENCH_UNMAP_NS] += ktime_get_ns() - mapped;
	return 0;
}

static int run(struct bench *b, const struct way *way)
{
	u64 i, n = reg(b, BENCH_BUFFERS);
	int ret;

	b->reg[BENCH_MAP_NS] = 0;
	b->reg[BENCH_UNMAP_NS] = 0;
	b->reg[BENCH_SEGMENTS] = 0;
	ret = job_make(b);
	for (i = 0; i < n && !ret; i += HELD) {
		ret = run_some(b, way, i, min_t(u64, HELD, n - i));
		cond_resched();
	}
	job_free(b);
	return ret;
}

static int fill_ours(struct bench *b)
{
	struct mvgpu_mapping *m;
	u64 i;

	if (!b->filled)
		b->filled = vcalloc(MAX_FILLED, sizeof(*b->filled));
	if (!b->filled)
		return -ENOMEM;
	for (i = 0; i < reg(b, BENCH_BUFFERS); i++) {
		if (b->num_filled == MAX_FILLED)
			return -ENOSPC;
		m = ours_map(b, b->ranges + i, 1);
		if (IS_ERR(m))
			return PTR_ERR(m);
		b->filled[b->num_filled++] = m;
		cond_resched();
	}
	return 0;
}

static int fill_old(struct bench *b)
{
	u64 i, p;
	dma_addr_t addr;
	int ret;

	for (i = 0; i < reg(b, BENCH_BUFFERS); i++) {
		for (p = 0; p < reg(b, BENCH_PAGES); p++) {
			ret = ancestor_map(&b->old, (b->ranges[i].iova >> PAGE_SHIFT) + p, &addr);
			if (ret)
				return ret;
		}
		cond_resched();
	}
	return 0;
}

/* Only pinned, and for as long as VFIO likes: what VFIO itself keeps of a page */
static int fill_batch(struct bench *b, bool pin)
{
	u64 i;
	int pages = reg(b, BENCH_PAGES);

	for (i = 0; i < reg(b, BENCH_BUFFERS); i++) {
		if (!pin)
			vfio_unpin_pages(&b->vgpu->vdev, b->ranges[i].iova, pages);
		else if (vfio_pin_pages(&b->vgpu->vdev, b->ranges[i].iova, pages,
					IOMMU_READ | IOMMU_WRITE, b->page) != pages)
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static int fill(struct bench *b, u64 way)
{
	int ret = job_make(b);

	if (!ret && way == BENCH_OURS && reg(b, BENCH_RANGES) == 1)
		ret = fill_ours(b);
	else if (!ret && way == BENCH_OLD)
		ret = fill_old(b);
	else if (!ret && way == BENCH_BATCH)
		ret = fill_batch(b, true);
	else if (!ret)
		ret = -EINVAL;
	job_free(b);
	return ret;
}

static void empty_ours(struct bench *b)
{
	u64 i;

	for (i = 0; i < b->num_filled; i++)
		mvgpu_unmap(b->filled[i]);
	vfree(b->filled);
	b->filled = NULL;
	b->num_filled = 0;
}

static int empty(struct bench *b, u64 way)
{
	int ret = 0;

	if (way == BENCH_OURS) {
		empty_ours(b);
		flush_work(&b->vgpu->tracker.reap_work);
	} else if (way == BENCH_OLD) {
		ancestor_fini(&b->old);
		ancestor_init(&b->old, &b->vgpu->vdev, b->dev);
	} else {
		ret = job_make(b);
		if (!ret)
			ret = fill_batch(b, false);
		job_free(b);
	}
	return ret;
}

static int far(struct bench *b, u64 way)
{
	struct mvgpu_range r = { .iova = reg(b, BENCH_GFN) << PAGE_SHIFT, .len = PAGE_SIZE };
	dma_addr_t addr;

	mvgpu_unmap(b->far_map);
	b->far_map = NULL;
	if (reg(b, BENCH_GFN) < BENCH_FAR_GFN)
		return -EINVAL;
	if (way == BENCH_OLD)
		return ancestor_map(&b->far, reg(b, BENCH_GFN), &addr);
	b->far_map = ours_map(b, &r, 1);
	return PTR_ERR_OR_ZERO(b->far_map);
}

static u64 bench_read(struct mvgpu *vgpu, u64 offset, unsigned int size)
{
	struct bench *b = mvgpu_priv(vgpu);

	return offset / 8 < BENCH_REGS ? b->reg[offset / 8] : 0;
}

static void bench_write(struct mvgpu *vgpu, u64 offset, unsigned int size, u64 val)
{
	struct bench *b = mvgpu_priv(vgpu);
	int ret = 0;

	if (offset / 8 < BENCH_RUN)
		b->reg[offset / 8] = val;
	else if (val >= BENCH_WAYS)
		ret = -EINVAL;
	else if (offset / 8 == BENCH_RUN)
		ret = run(b, &ways[val]);
	else if (offset / 8 == BENCH_FILL)
		ret = fill(b, val);
	else if (offset / 8 == BENCH_EMPTY)
		ret = empty(b, val);
	else if (offset / 8 == BENCH_FAR)
		ret = far(b, val);
	b->reg[BENCH_ERROR] = -ret;
}

/* The ancestor is told of ranges that go, too; far from the rest, either it or we are */
static void bench_dma_unmap(struct vfio_device *vdev, u64 iova, u64 len)
{
	struct bench *b = mvgpu_priv(to_mvgpu(vdev));

	if (iova >> PAGE_SHIFT >= BENCH_FAR_GFN && b->far.pages) {
		ancestor_dma_unmap(&b->far, iova, len);
		return;
	}
	if (iova >> PAGE_SHIFT < BENCH_FAR_GFN && b->old.pages)
		ancestor_dma_unmap(&b->old, iova, len);
	ours_dma_unmap(vdev, iova, len);
}

static int bench_init(struct mvgpu *vgpu)
{
	static const struct mvgpu_pci_ids ids = {
		.vendor = PCI_VENDOR_ID_REDHAT,
		.device = 0x0002,
		.subsystem_vendor = PCI_SUBVENDOR_ID_REDHAT_QUMRANET,
		.subsystem = PCI_SUBDEVICE_ID_QEMU,
		.class = PCI_CLASS_OTHERS << 16,
	};
	static const struct mvgpu_bar_ops bar = {
		.min_access = 8,
		.max_access = 8,
		.read = bench_read,
		.write = bench_write,
	};
	struct bench *b = mvgpu_priv(vgpu);

	b->vgpu = vgpu;
	b->dev = vgpu->parent->dev;
	ancestor_init(&b->old, &vgpu->vdev, b->dev);
	ancestor_init(&b->far, &vgpu->vdev, b->dev);
	if (!ours_dma_unmap) {
		ours_dma_unmap = vgpu->vdev.ops->dma_unmap;
		bench_ops = *vgpu->vdev.ops;
		bench_ops.dma_unmap = bench_dma_unmap;
	}
	vgpu->vdev.ops = &bench_ops;
	return mvgpu_set_ids(vgpu, &ids) ?: mvgpu_add_bar(vgpu, 0, SZ_4K, 0, &bar);
}

/* Whoever leaves early leaves no pin of the ancestor's */
static void bench_reset(struct mvgpu *vgpu)
{
	struct bench *b = mvgpu_priv(vgpu);

	mvgpu_unmap(b->far_map);
	b->far_map = NULL;
	empty_ours(b);
	empty(b, BENCH_OLD);
	memset(b->reg, 0, sizeof(b->reg));
}

static const struct mvgpu_type bench_types[] = {
	{ .name = "bench", .pretty_name = "Bench" },
};

static struct mvgpu_parent *bench_probe(struct pci_dev *pdev, struct mvgpu_driver *drv)
{
	const struct mvgpu_budget budget = { .vgpus = 1 };

	if (dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)))
		return ERR_PTR(-EIO);
	return mvgpu_register_parent(&pdev->dev, drv, &budget, NULL);
}

static const struct pci_device_id bench_ids[] = {
	{ MVGPU_PCI_ID(0x1234, 0x11e8) },
	{}
};

static struct mvgpu_driver bench_driver = {
	.name = "mvgpu-bench",
	.pci_ids = bench_ids,
	.probe = bench_probe,
	.types = bench_types,
	.num_types = ARRAY_SIZE(bench_types),
	.priv_size = sizeof(struct bench),
	.init = bench_init,
	.reset = bench_reset,
};
module_mvgpu_driver(bench_driver);

MODULE_DESCRIPTION("mvgpu benchmark of guest memory mappings");
MODULE_AUTHOR("The mvgpu developers");
MODULE_LICENSE("GPL");
