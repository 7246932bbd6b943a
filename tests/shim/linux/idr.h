/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_IDR_H
#define SHIM_LINUX_IDR_H

#include <linux/types.h>

/* A byte for each id instead of a tree */
struct ida {
	u8 *used;
	unsigned int room;
};

void ida_init(struct ida *ida);
void ida_destroy(struct ida *ida);
int ida_alloc_min(struct ida *ida, unsigned int min, gfp_t gfp);
void ida_free(struct ida *ida, unsigned int id);

#endif /* SHIM_LINUX_IDR_H */
