/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_KREF_H
#define SHIM_LINUX_KREF_H

#include <linux/types.h>

struct kref {
	int refs;
};

void kref_init(struct kref *ref);
void kref_get(struct kref *ref);
int kref_put(struct kref *ref, void (*release)(struct kref *ref));

#endif /* SHIM_LINUX_KREF_H */
