/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_SLAB_H
#define FAST_LINUX_SLAB_H

#include <linux/types.h>

#define GFP_KERNEL		1u
#define GFP_KERNEL_ACCOUNT	(GFP_KERNEL | 16u)
#define GFP_ATOMIC		2u
#define __GFP_ZERO		4u
#define __GFP_NOFAIL		8u
#define __GFP_ACCOUNT		16u

/* Size classes as the kernel's, without a header at the object */
void *kmalloc(size_t size, gfp_t gfp);
void kfree(const void *ptr);

static inline void *kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	return n && size > ~(size_t)0 / n ? NULL : kmalloc(n * size, gfp);
}

static inline void *kcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kmalloc_array(n, size, gfp | __GFP_ZERO);
}

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | __GFP_ZERO);
}

#define kvzalloc	kzalloc
#define kvcalloc	kcalloc
#define kvmalloc_array	kmalloc_array
#define kvfree		kfree

#endif /* FAST_LINUX_SLAB_H */
