/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_MM_H
#define SHIM_LINUX_MM_H

#include <linux/kernel.h>
#include <linux/sizes.h>

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1ul << PAGE_SHIFT)
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define PFN_UP(x)		(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PHYS_PFN(x)		((unsigned long)((x) >> PAGE_SHIFT))
#define offset_in_page(x)	((unsigned long)(x) & (PAGE_SIZE - 1))

/* @refs: of the code under test; @pins: through VFIO; @dma: DMA mappings of it */
struct page {
	int refs;
	int pins;
	int dma;
	bool reserved;
	bool device;
	bool bounce;
};

unsigned long page_to_pfn(const struct page *page);
struct page *pfn_to_page(unsigned long pfn);
void get_page(struct page *page);
void put_page(struct page *page);

/* What kvmalloc() and friends have is scattered if it may be, its pages being its addresses */
bool is_vmalloc_addr(const void *addr);
#define vmalloc_to_page(addr)	((struct page *)(addr))

#define page_to_phys(page)	((phys_addr_t)page_to_pfn(page) << PAGE_SHIFT)
#define PageReserved(page)	((page)->reserved)
#define is_zone_device_page(page) ((page)->device)

#endif /* SHIM_LINUX_MM_H */
