/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_KREF_H
#define FAST_LINUX_KREF_H

#include <linux/types.h>

struct kref {
	int refs;
};

static inline void kref_init(struct kref *k)
{
	k->refs = 1;
}

static inline void kref_get(struct kref *k)
{
	__atomic_add_fetch(&k->refs, 1, __ATOMIC_RELAXED);
}

static inline int kref_put(struct kref *k, void (*release)(struct kref *k))
{
	if (__atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL))
		return 0;
	release(k);
	return 1;
}

#endif /* FAST_LINUX_KREF_H */
