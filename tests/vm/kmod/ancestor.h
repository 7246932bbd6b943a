/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ancestor.h - what the tracker is measured against: pages pinned and mapped one a call,
 * in two trees, under one mutex. For benchmarks only. Compiles in the kernel, and in user
 * space behind a shim.
 */
#ifndef ANCESTOR_H
#define ANCESTOR_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>

struct device;
struct vfio_device;

/**
 * struct ancestor - the pages of one vGPU
 * @vdev: through which to pin
 * @dev: the device that reads and writes them
 * @lock: protects the rest, held around all that is done
 * @by_gfn: the pages as the guest names them
 * @by_addr: the pages as the device names them
 * @pages: how many there are
 */
struct ancestor {
	struct vfio_device *vdev;
	struct device *dev;
	struct mutex lock;	/* see above */
	struct rb_root by_gfn;
	struct rb_root by_addr;
	unsigned long pages;
};

void ancestor_init(struct ancestor *a, struct vfio_device *vdev, struct device *dev);
void ancestor_fini(struct ancestor *a);
int ancestor_map(struct ancestor *a, u64 gfn, dma_addr_t *addr);
void ancestor_unmap(struct ancestor *a, dma_addr_t addr);
void ancestor_dma_unmap(struct ancestor *a, u64 iova, u64 len);

#endif /* ANCESTOR_H */
