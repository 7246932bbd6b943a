/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_VMALLOC_H
#define SHIM_LINUX_VMALLOC_H

#include <linux/types.h>

#define VM_MAP		4ul
#define PAGE_KERNEL	3
#define PAGE_KERNEL_RO	1

struct page;

void *vmap(struct page **pages, unsigned int count, unsigned long flags, int prot);
void vunmap(const void *addr);

#endif /* SHIM_LINUX_VMALLOC_H */
