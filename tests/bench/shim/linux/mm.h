/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_MM_H
#define FAST_LINUX_MM_H

#include <linux/kernel.h>
#include <linux/sizes.h>

#define PAGE_SHIFT		12
#define PAGE_SIZE		0x1000ul
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define PFN_UP(x)		(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PHYS_PFN(x)		((unsigned long)((x) >> PAGE_SHIFT))
#define offset_in_page(x)	((unsigned long)(x) & (PAGE_SIZE - 1))

/* As large as the kernel's, so that looking at a page's flags costs as much */
struct page {
	unsigned long flags;
	unsigned long rest[7];
};

#define FAST_RESERVED	1ul
#define FAST_DEVICE	2ul

extern struct page *fast_mem_map;

#define page_to_pfn(page)	((unsigned long)((page) - fast_mem_map))
#define pfn_to_page(pfn)	(fast_mem_map + (pfn))
#define page_to_phys(page)	((phys_addr_t)page_to_pfn(page) << PAGE_SHIFT)
#define PageReserved(page)	((page)->flags & FAST_RESERVED)
#define is_zone_device_page(page) ((page)->flags & FAST_DEVICE)

static inline void get_page(struct page *page)
{
	page->rest[0]++;
}

static inline void put_page(struct page *page)
{
	page->rest[0]--;
}

#endif /* FAST_LINUX_MM_H */
