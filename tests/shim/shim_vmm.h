/* SPDX-License-Identifier: MIT */
/*
 * shim_vmm.h - the other side of the tracker: a VMM's memory behind VFIO, a DMA device
 * behind an IOMMU, tasks and work queues. What a test may do to them and ask of them.
 *
 * Rules that end the program when the code under test breaks them:
 * - unpinning what is not pinned or, with SHIM_IOMMUFD, not exactly what was pinned
 * - pinning a GFN of one vGPU twice
 * - unmapping a DMA address with other arguments than it was mapped with
 * - type1: pins left in a range after the eleventh call (BUG_ON in the kernel)
 * - iommufd: pins left after detaching
 * - sleeping under a spinlock or in an RCU read-side critical section
 */
#ifndef SHIM_VMM_H
#define SHIM_VMM_H

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/vfio.h>

#define SHIM_PAGES	8192	/* of physical memory */
#define SHIM_MAX_CALLS	11	/* of dma_unmap by one VFIO_IOMMU_UNMAP_DMA */

enum shim_backend { SHIM_TYPE1, SHIM_IOMMUFD };

/* How DMA addresses come about: no IOMMU; from 4 GiB or from the top of 64 bits downwards */
enum shim_iommu { SHIM_DIRECT, SHIM_IOMMU_LOW, SHIM_IOMMU_HIGH };

struct shim_region;

/* A new machine without mappings. @unmap is the driver's dma_unmap. */
void shim_vmm_init(enum shim_backend backend, enum shim_iommu iommu,
		   void (*unmap)(struct vfio_device *vdev, u64 iova, u64 len));
void shim_vmm_fini(void);

/*
 * VFIO_IOMMU_MAP_DMA: @pages of memory at @iova, physically contiguous in parts of
 * @contig. VFIO_IOMMU_UNMAP_DMA for what begins at @iova, or for everything.
 */
void shim_vmm_map(u64 iova, unsigned int pages, unsigned int contig, int prot);
void shim_vmm_map_reserve(u64 iova, u64 len);
void shim_vmm_unmap(u64 iova);
void shim_vmm_detach(void);
struct page *shim_vmm_page(u64 gfn);

/* The guest's own access to its memory, which must be there */
void shim_guest_copy(u64 iova, void *data, size_t len, bool write);
long shim_vmaps(void);

/* Another device of the container is opened during each dma_unmap, see DESIGN.md law 9 */
void shim_vmm_contend(bool on);

/* Somebody else gets VFIO's lock at each dma_unmap, and keeps it for so many jiffies */
void shim_vmm_hog(unsigned long duration);

/* The @nth call from now fails, 1 being the next; 0 for none */
void shim_fail_pin(unsigned int nth);
void shim_fail_dma(unsigned int nth);

/* Pages pinned, DMA mappings, pages with references of the code under test */
long shim_pinned(void);
long shim_mapped(void);
long shim_referenced(void);
unsigned long shim_pin_calls(void);
unsigned long shim_dma_calls(void);
bool shim_gfn_pinned(u64 gfn);

/* The device reads or writes a byte. NULL: an IOMMU fault. Dies if the page was freed. */
struct page *shim_device_access(dma_addr_t addr, bool write);

/* The task returns to user space; it does at the end of the shim_vmm_*() calls, too */
void shim_return_to_user(void);

void shim_rcu_barrier(void);

/* Time passes: ktime_get() and delayed work; jiffies go on by themselves */
void shim_advance(s64 ns);

/* Look-ups in xarrays, ever */
unsigned long shim_xa_finds(void);

#endif /* SHIM_VMM_H */
