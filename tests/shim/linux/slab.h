/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <string.h>
#include <linux/types.h>

#define GFP_KERNEL		1u
#define GFP_KERNEL_ACCOUNT	1u
#define GFP_ATOMIC		2u
#define __GFP_ZERO		4u
#define __GFP_NOFAIL		8u

void *kmalloc_array(size_t n, size_t size, gfp_t gfp);
void kfree(const void *ptr);

static inline void *kcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kmalloc_array(n, size, gfp | __GFP_ZERO);
}

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc_array(1, size, gfp | __GFP_ZERO);
}

static inline void *kmalloc(size_t size, gfp_t gfp)
{
	return kmalloc_array(1, size, gfp);
}

#define kvzalloc	kzalloc

static inline void *kmemdup(const void *from, size_t size, gfp_t gfp)
{
	void *to = kmalloc(size, gfp);

	if (to)
		memcpy(to, from, size);
	return to;
}
#define kvcalloc	kcalloc
#define kvmalloc_array	kmalloc_array
#define kvfree		kfree

#endif /* SHIM_LINUX_SLAB_H */
