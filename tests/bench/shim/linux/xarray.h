/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_XARRAY_H
#define FAST_LINUX_XARRAY_H

#include <linux/spinlock.h>
#include <linux/types.h>

#define XA_PRESENT	8u

struct xa_node;

/* A radix tree with nodes of the kernel's size; loads take no lock */
struct xarray {
	spinlock_t lock;	/* the nodes */
	struct xa_node *head;
};

void xa_init(struct xarray *xa);
void xa_destroy(struct xarray *xa);
void *xa_load(struct xarray *xa, unsigned long index);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter);

#endif /* FAST_LINUX_XARRAY_H */
