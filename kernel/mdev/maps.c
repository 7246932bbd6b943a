// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.c - struct mvgpu_maps: what user space has mapped of a vGPU
 *
 * A mapping is filled on a fault and emptied whenever what it should show changes.
 * Every change is made under the semaphore first and the mappings emptied after, so
 * a fault either saw the new state or its entry is taken out again.
 *
 * Guest memory that the plane shows is pinned by a mapping of the vendor driver's, which
 * is hidden before its pages can go: whoever changes the plane holds plane_lock until user
 * mappings are empty, so after mvgpu_maps_hide() nobody can have an old entry.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/nospec.h>
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

static void add_vma(struct mvgpu *vgpu, struct tracked_vma *t, struct vm_area_struct *vma,
		    bool empty)
{
	t->vma = vma;
	mutex_lock(&vgpu->maps.vma_lock);
	t->zap = empty ? vgpu->maps.zap : 0;
	list_add(&t->node, &vgpu->maps.vmas);
	mutex_unlock(&vgpu->maps.vma_lock);
}

static int track_vma(struct mvgpu *vgpu, struct vm_area_struct *vma)
{
	struct tracked_vma *t = kmalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return -ENOMEM;
	add_vma(vgpu, t, vma, true);
	return 0;
}

/*
 * A fork, a split or a move. Entries are copied or moved into the new mapping before its
 * mmap_lock is released, so a zap that is under way meets them there.
 */
static void maps_vma_open(struct vm_area_struct *vma)
{
	add_vma(vma->vm_private_data, kmalloc(sizeof(struct tracked_vma), GFP_KERNEL_ACCOUNT |
					      __GFP_NOFAIL), vma, false);
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

/* An address space that may still map @region as it was before the @zap */
static struct mm_struct *stale_mm(struct mvgpu *vgpu, u32 region, u64 zap)
{
	struct mm_struct *mm = NULL;
	struct tracked_vma *t;

	mutex_lock(&vgpu->maps.vma_lock);
	list_for_each_entry(t, &vgpu->maps.vmas, node) {
		if (t->zap >= zap || pgoff_region(t->vma->vm_pgoff) != region)
			continue;
		if (mmget_not_zero(t->vma->vm_mm)) {
			mm = t->vma->vm_mm;
			break;
		}
		/* exiting: it runs no more code, and its mappings go with it */
		t->zap = zap;
	}
	mutex_unlock(&vgpu->maps.vma_lock);
	return mm;
}

/*
 * mmap_lock comes before vma_lock, so go from one address space to the next. It is held for
 * writing, for munmap() frees the page tables of mappings that are still listed when others
 * may read.
 */
static void zap_region(struct mvgpu *vgpu, u32 region)
{
	struct tracked_vma *t;
	struct mm_struct *mm;
	u64 zap;

	mutex_lock(&vgpu->maps.vma_lock);
	zap = ++vgpu->maps.zap;
	mutex_unlock(&vgpu->maps.vma_lock);
	while ((mm = stale_mm(vgpu, region, zap))) {
		mmap_write_lock(mm);
		mutex_lock(&vgpu->maps.vma_lock);
		list_for_each_entry(t, &vgpu->maps.vmas, node) {
			if (t->vma->vm_mm != mm || pgoff_region(t->vma->vm_pgoff) != region)
				continue;
			zap_vma_ptes(t->vma, t->vma->vm_start,
				     t->vma->vm_end - t->vma->vm_start);
			t->zap = max(t->zap, zap);
		}
		mutex_unlock(&vgpu->maps.vma_lock);
		mmap_write_unlock(mm);
		mmput_async(mm);
	}
}

#endif /* MVGPU_HAVE_INODE */

/* Whether the plane is in ordinary memory, not in the slice */
static bool plane_in_memory(const struct mvgpu *vgpu)
{
	return vgpu->maps.memory || !vgpu->type->vram;
}

static unsigned long memory_pfn(const struct mvgpu_maps *maps, u64 offset)
{
	u64 n = offset >> PAGE_SHIFT;

	lockdep_assert_held(&maps->sem);
	if (n >= maps->num_pfns)
		return page_to_pfn(ZERO_PAGE(0));
	return maps->pfn[array_index_nospec(n, maps->num_pfns)];
}

/* The page behind @offset of a region, which mmap() has checked. 0 if there is none now. */
static unsigned long maps_pfn(struct mvgpu *vgpu, u32 region, u64 offset)
{
	phys_addr_t slice = vgpu->parent->budget.aperture.start + vgpu->slice;
	u64 size = vgpu->type->vram;

	lockdep_assert_held(&vgpu->maps.sem);
	if (vgpu->maps.dummy)
		return page_to_pfn(vgpu->maps.dummy);
	/*
	 * A VMM may go on reading the plane after the guest has changed it, and a signal
	 * would kill it; it gets pages of the slice, of the picture or of zeroes, whatever
	 * it reads.
	 */
	if (region == MVGPU_REGION_PLANE && plane_in_memory(vgpu))
		return memory_pfn(&vgpu->maps, offset);
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
	bar = &vgpu->bars[array_index_nospec(region, MVGPU_NUM_BARS)];
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
	if (vgpu->type->vram)
		vma->vm_page_prot = pgprot_decrypted(pgprot_writecombine(vma->vm_page_prot));
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

/* @pfn is kvmalloced, and ours from here on */
static void set_plane(struct mvgpu *vgpu, u64 plane, struct mvgpu_mapping *memory,
		      unsigned long *pfn, unsigned long num_pfns)
{
	struct mvgpu_maps *maps = &vgpu->maps;

	lockdep_assert_held(&maps->plane_lock);
	down_write(&maps->sem);
	maps->plane = plane;
	maps->memory = memory;
	swap(maps->pfn, pfn);
	maps->num_pfns = num_pfns;
	up_write(&maps->sem);
	zap_region(vgpu, MVGPU_REGION_PLANE);
	kvfree(pfn);
}

/* Bytes of a picture, from its first pixel to its last */
static u64 picture_len(const struct mvgpu_scanout *so)
{
	return (u64)so->stride * (so->height - 1) + (u64)so->width * so->bpp / 8;
}

/*
 * Show a picture in guest memory, or nothing. Returns whether it can be shown. @pfn is
 * kvmalloced, for all of its pages, or NULL, and ours from here on.
 */
static bool flip_memory(struct mvgpu *vgpu, const struct mvgpu_scanout *so, unsigned long *pfn)
{
	u64 len = picture_len(so);
	unsigned long num_pfns = PFN_UP(len);
	struct mvgpu_maps *maps = &vgpu->maps;

	if (maps->memory == so->mapping && maps->plane == so->offset &&
	    maps->num_pfns == num_pfns) {
		kvfree(pfn);
		return true;
	}
	/* If it is doomed after we have asked, it is hidden as soon as plane_lock is free */
	if (pfn && !mvgpu_mapping_doomed(so->mapping) &&
	    !mvgpu_mapping_pages(so->mapping, so->offset, len, pfn)) {
		set_plane(vgpu, so->offset, so->mapping, pfn, num_pfns);
		return true;
	}
	kvfree(pfn);
	if (maps->memory)
		set_plane(vgpu, 0, NULL, NULL, 0);
	return false;
}

/* The plane region now starts with the picture's page. Returns whether it shows it. */
bool mvgpu_maps_flip(struct mvgpu *vgpu, const struct mvgpu_scanout *so)
{
	u64 plane = so->offset & PAGE_MASK;
	struct mvgpu_maps *maps = &vgpu->maps;
	unsigned long *pfn = NULL;
	bool shown;

	lockdep_assert_held(&vgpu->lock);
	/* Not with plane_lock: what waits for that must not wait for memory */
	if (so->mapping)
		pfn = kvmalloc_array(PFN_UP(picture_len(so)), sizeof(*pfn), GFP_KERNEL_ACCOUNT);
	mutex_lock(&maps->plane_lock);
	if (so->mapping) {
		shown = flip_memory(vgpu, so, pfn);
	} else {
		/* a region can start at any page, but only at a page */
		shown = vgpu->type->vram && plane == so->offset;
		if (maps->memory || maps->plane != plane)
			set_plane(vgpu, plane, NULL, NULL, 0);
	}
	mutex_unlock(&maps->plane_lock);
	return shown;
}

/* If the guest memory that the plane shows is going away, the plane shows nothing */
void mvgpu_maps_hide(struct mvgpu *vgpu)
{
	struct mvgpu_maps *maps = &vgpu->maps;

	if (IS_ENABLED(CONFIG_MVGPU_TEST_SKIP_REVOKE))
		return;
	mutex_lock(&maps->plane_lock);
	if (maps->memory && mvgpu_mapping_doomed(maps->memory))
		set_plane(vgpu, 0, NULL, NULL, 0);
	mutex_unlock(&maps->plane_lock);
}

/* Copy from a page of the plane region, unless it is in the slice: then false */
bool mvgpu_maps_read(struct mvgpu *vgpu, u64 offset, unsigned int size, void *buf)
{
	struct mvgpu_maps *maps = &vgpu->maps;
	bool copied;

	down_read(&maps->sem);
	copied = plane_in_memory(vgpu);
	if (copied)
		memcpy_from_page(buf, pfn_to_page(memory_pfn(maps, offset)),
				 offset_in_page(offset), size);
	up_read(&maps->sem);
	return copied;
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
	mutex_init(&vgpu->maps.plane_lock);
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
	kvfree(vgpu->maps.pfn);
	mutex_destroy(&vgpu->maps.plane_lock);
}
