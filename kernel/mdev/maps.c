// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.c - struct mvgpu_maps: what user space has mapped of a vGPU
 *
 * A mapping is filled on a fault and emptied whenever what it should show changes.
 * Every change is made under the semaphore first and the mappings emptied after, so
 * a fault either saw the new state or its entry is taken out again.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "device.h"

#define FAULT_AROUND	PMD_SIZE	/* bytes filled per fault, where the mapping has them */

static u32 pgoff_region(unsigned long pgoff)
{
	return pgoff >> (MVGPU_REGION_SHIFT - PAGE_SHIFT);
}

static u64 pgoff_offset(unsigned long pgoff)
{
	return ((u64)pgoff << PAGE_SHIFT) & MVGPU_REGION_MASK;
}

#if MVGPU_HAVE_INODE

static int track_vma(struct mvgpu *vgpu, struct vm_area_struct *vma)
{
	return 0;
}

static void zap_region(struct mvgpu *vgpu, u32 region)
{
	unmap_mapping_range(vgpu->vdev.inode->i_mapping, MVGPU_REGION_OFFSET(region),
			    mvgpu_region_size(vgpu, region), true);
}

#else

/**
 * struct tracked_vma - a user mapping
 * @node: in mvgpu_maps.vmas
 * @vma: the mapping
 * @zap: the last zap that found it empty, see mvgpu_maps.zap
 */
struct tracked_vma {
	struct list_head node;
	struct vm_area_struct *vma;
	u64 zap;
};

static void add_vma(struct mvgpu *vgpu, struct tracked_vma *t, struct vm_area_struct *vma)
{
	t->vma = vma;
	t->zap = 0;
	mutex_lock(&vgpu->maps.vma_lock);
	list_add(&t->node, &vgpu->maps.vmas);
	mutex_unlock(&vgpu->maps.vma_lock);
}

static int track_vma(struct mvgpu *vgpu, struct vm_area_struct *vma)
{
	struct tracked_vma *t = kmalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return -ENOMEM;
	add_vma(vgpu, t, vma);
	return 0;
}

/*
 * A fork, a split or a move. Entries are copied or moved into the new mapping before its
 * mmap_lock is released, so a zap that is under way meets them there.
 */
static void maps_vma_open(struct vm_area_struct *vma)
{
	add_vma(vma->vm_private_data, kmalloc(sizeof(struct tracked_vma), GFP_KERNEL_ACCOUNT |
					      __GFP_NOFAIL), vma);
}

static void maps_vma_close(struct vm_area_struct *vma)
{
	struct mvgpu *vgpu = vma->vm_private_data;
	struct tracked_vma *t;

	mutex_lock(&vgpu->maps.vma_lock);
	list_for_each_entry(t, &vgpu->maps.vmas, node) {
		if (t->vma == vma) {
			list_del(&t->node);
			kfree(t);
			break;
		}
	}
	mutex_unlock(&vgpu->maps.vma_lock);
}

/* An address space that may still map @region as it was before the current zap */
static struct mm_struct *stale_mm(struct mvgpu *vgpu, u32 region)
{
	struct mm_struct *mm = NULL;
	struct tracked_vma *t;

	mutex_lock(&vgpu->maps.vma_lock);
	list_for_each_entry(t, &vgpu->maps.vmas, node) {
		if (t->zap == vgpu->maps.zap || pgoff_region(t->vma->vm_pgoff) != region)
			continue;
		if (mmget_not_zero(t->vma->vm_mm)) {
			mm = t->vma->vm_mm;
			break;
		}
		/* exiting: it runs no more code, and its mappings go with it */
		t->zap = vgpu->maps.zap;
	}
	mutex_unlock(&vgpu->maps.vma_lock);
	return mm;
}

/* mmap_lock comes before vma_lock, so go from one address space to the next */
static void zap_region(struct mvgpu *vgpu, u32 region)
{
	struct tracked_vma *t;
	struct mm_struct *mm;

	lockdep_assert_held(&vgpu->lock);
	vgpu->maps.zap++;
	while ((mm = stale_mm(vgpu, region))) {
		mmap_read_lock(mm);
		mutex_lock(&vgpu->maps.vma_lock);
		list_for_each_entry(t, &vgpu->maps.vmas, node) {
			if (t->vma->vm_mm != mm || pgoff_region(t->vma->vm_pgoff) != region)
				continue;
			zap_vma_ptes(t->vma, t->vma->vm_start,
				     t->vma->vm_end - t->vma->vm_start);
			t->zap = vgpu->maps.zap;
		}
		mutex_unlock(&vgpu->maps.vma_lock);
		mmap_read_unlock(mm);
		mmput(mm);
	}
}

#endif /* MVGPU_HAVE_INODE */

/* The page behind @offset of a region, which mmap() has checked. 0 if there is none now. */
static unsigned long maps_pfn(struct mvgpu *vgpu, u32 region, u64 offset)
{
	phys_addr_t slice = vgpu->parent->budget.aperture.start + vgpu->slice;
	u64 size = vgpu->type->vram;

	lockdep_assert_held(&vgpu->maps.sem);
	if (vgpu->maps.dummy)
		return page_to_pfn(vgpu->maps.dummy);
	/*
	 * A VMM may go on reading the plane after the guest has changed it; it gets
	 * pages of the slice whatever it reads.
	 */
	if (region == MVGPU_REGION_PLANE)
		return (slice + (vgpu->maps.plane + offset) % size) >> PAGE_SHIFT;
	if (!vgpu->maps.decode || offset >= size)
		return 0;
	return (slice + offset) >> PAGE_SHIFT;
}

static vm_fault_t maps_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mvgpu *vgpu = vma->vm_private_data;
	unsigned long start = max(vma->vm_start, ALIGN_DOWN(vmf->address, FAULT_AROUND));
	unsigned long end = min(vma->vm_end, ALIGN_DOWN(vmf->address, FAULT_AROUND) + FAULT_AROUND);
	unsigned long at = vmf->address & PAGE_MASK;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	unsigned long pgoff, pfn;

	down_read(&vgpu->maps.sem);
	/* the page that was asked for decides; its neighbours are a courtesy */
	pfn = maps_pfn(vgpu, pgoff_region(vmf->pgoff), pgoff_offset(vmf->pgoff));
	if (!pfn)
		goto out;
	ret = vmf_insert_pfn(vma, at, pfn);
	if (ret != VM_FAULT_NOPAGE)
		goto out;
	for (at = start; at < end; at += PAGE_SIZE) {
		pgoff = linear_page_index(vma, at);
		pfn = maps_pfn(vgpu, pgoff_region(pgoff), pgoff_offset(pgoff));
		if (!pfn || vmf_insert_pfn(vma, at, pfn) != VM_FAULT_NOPAGE)
			break;
	}
out:
	up_read(&vgpu->maps.sem);
	return ret;
}

static const struct vm_operations_struct maps_vm_ops = {
	.fault = maps_fault,
#if !MVGPU_HAVE_INODE
	.open = maps_vma_open,
	.close = maps_vma_close,
#endif
};

static bool mappable(const struct mvgpu *vgpu, u32 region, u64 start, u64 len)
{
	const struct mvgpu_bar *bar;
	unsigned int i;

	if (region == MVGPU_REGION_PLANE)
		return start + len <= mvgpu_region_size(vgpu, region);
	if (region >= MVGPU_NUM_BARS)
		return false;
	bar = &vgpu->bars[region];
	for (i = 0; i < bar->num_areas; i++)
		if (start >= bar->areas[i].offset &&
		    start + len <= bar->areas[i].offset + bar->areas[i].size)
			return true;
	return false;
}

/* Runs under mmap_lock: must not take mvgpu.lock, which is held while zapping */
int mvgpu_maps_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);
	u32 region = pgoff_region(vma->vm_pgoff);

	if (!(vma->vm_flags & VM_SHARED) ||
	    !mappable(vgpu, region, pgoff_offset(vma->vm_pgoff), vma->vm_end - vma->vm_start))
		return -EINVAL;
	if (region == MVGPU_REGION_PLANE) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	vma->vm_private_data = vgpu;
	vma->vm_ops = &maps_vm_ops;
	return track_vma(vgpu, vma);
}

static void zap_bars(struct mvgpu *vgpu)
{
	u32 bar;

	for (bar = 0; bar < MVGPU_NUM_BARS; bar++)
		if (vgpu->bars[bar].num_areas)
			zap_region(vgpu, bar);
}

/* The BARs start or stop answering */
void mvgpu_maps_decode(struct mvgpu *vgpu, bool decode)
{
	lockdep_assert_held(&vgpu->lock);
	if (vgpu->maps.decode == decode)
		return;
	down_write(&vgpu->maps.sem);
	vgpu->maps.decode = decode;
	up_write(&vgpu->maps.sem);
	if (!decode)
		zap_bars(vgpu);
}

/* The scan-out now starts in the page @plane bytes into the slice */
void mvgpu_maps_flip(struct mvgpu *vgpu, u64 plane)
{
	lockdep_assert_held(&vgpu->lock);
	if (vgpu->maps.plane == plane)
		return;
	down_write(&vgpu->maps.sem);
	vgpu->maps.plane = plane;
	up_write(&vgpu->maps.sem);
	zap_region(vgpu, MVGPU_REGION_PLANE);
}

/* The parent is leaving: mappings must not reach it again, nor kill the VMM */
void mvgpu_maps_orphan(struct mvgpu *vgpu)
{
	struct page *dummy = alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOFAIL);

	lockdep_assert_held(&vgpu->lock);
	down_write(&vgpu->maps.sem);
	vgpu->maps.dummy = dummy;
	up_write(&vgpu->maps.sem);
	zap_bars(vgpu);
	if (vgpu->drv->scanout)
		zap_region(vgpu, MVGPU_REGION_PLANE);
}

void mvgpu_maps_init(struct mvgpu *vgpu)
{
	init_rwsem(&vgpu->maps.sem);
#if !MVGPU_HAVE_INODE
	mutex_init(&vgpu->maps.vma_lock);
	INIT_LIST_HEAD(&vgpu->maps.vmas);
#endif
}

void mvgpu_maps_fini(struct mvgpu *vgpu)
{
	if (vgpu->maps.dummy)
		__free_page(vgpu->maps.dummy);
}
