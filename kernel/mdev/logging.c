// SPDX-License-Identifier: GPL-2.0-only
/*
 * logging.c - VFIO_DEVICE_FEATURE_DMA_LOGGING: lets a VMM ask for what dirty.c knows.
 * Owns no data.
 */
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "device.h"

#if MVGPU_HAVE_LOGGING
static int log_start(struct vfio_device *vdev, struct rb_root_cached *tree, u32 n,
		     u64 *page_size)
{
	struct interval_tree_node *node = interval_tree_iter_first(tree, 0, ULONG_MAX);
	struct mvgpu_range *ranges;
	u32 i;
	int ret;

	ranges = kcalloc(n, sizeof(*ranges), GFP_KERNEL);
	if (!ranges)
		return -ENOMEM;
	for (i = 0; i < n && node; i++) {
		ranges[i].iova = node->start;
		ranges[i].len = node->last - node->start + 1;
		node = interval_tree_iter_next(node, 0, ULONG_MAX);
	}
	ret = mvgpu_dirty_start(&to_mvgpu(vdev)->tracker, ranges, i);
	if (!ret)
		*page_size = PAGE_SIZE;
	kfree(ranges);
	return ret;
}

static int log_stop(struct vfio_device *vdev)
{
	mvgpu_dirty_stop(&to_mvgpu(vdev)->tracker);
	return 0;
}

static void log_report(void *bitmap, u64 iova, u64 len)
{
	iova_bitmap_set(bitmap, iova, len);
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova,
			      unsigned long length, struct iova_bitmap *bitmap)
{
	return mvgpu_dirty_read(&to_mvgpu(vdev)->tracker, iova, length, log_report, bitmap);
}

const struct vfio_log_ops mvgpu_log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};

MVGPU_IMPORT_IOMMUFD;
#endif
