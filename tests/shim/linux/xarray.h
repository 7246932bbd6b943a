/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_XARRAY_H
#define SHIM_LINUX_XARRAY_H

#include <limits.h>
#include <linux/lockdep.h>
#include <linux/types.h>

#define XA_PRESENT	8u

struct shim_xa_slot;

/* A sorted array instead of a tree */
struct xarray {
	pthread_mutex_t lock;
	struct shim_xa_slot **slots;
	unsigned long num, room;
};

void xa_init(struct xarray *xa);
void xa_destroy(struct xarray *xa);
void *xa_load(struct xarray *xa, unsigned long index);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
int xa_err(void *entry);
void *xa_erase(struct xarray *xa, unsigned long index);
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter);

#define xa_for_each(xa, index, entry)						\
	for (index = 0;								\
	     (entry = xa_find(xa, &index, ULONG_MAX, XA_PRESENT)); index++)

#endif /* SHIM_LINUX_XARRAY_H */
