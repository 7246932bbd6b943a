/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_VIRTIO_H
#define SHIM_LINUX_VIRTIO_H

#include <asm/byteorder.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

struct scatterlist;

struct device {
	struct device *parent;
};

struct virtio_device {
	struct device dev;
	u64 features;
};

struct virtqueue {
	struct virtio_device *vdev;
};

static inline bool virtio_has_feature(const struct virtio_device *vdev, unsigned int bit)
{
	return vdev->features >> bit & 1;
}

/* The test's device has them */
int virtqueue_add_sgs(struct virtqueue *vq, struct scatterlist *sgs[], unsigned int out,
		      unsigned int in, void *data, gfp_t gfp);
bool virtqueue_kick_prepare(struct virtqueue *vq);
bool virtqueue_notify(struct virtqueue *vq);
void *virtqueue_get_buf(struct virtqueue *vq, unsigned int *len);
void virtqueue_disable_cb(struct virtqueue *vq);
bool virtqueue_enable_cb(struct virtqueue *vq);
void *virtqueue_detach_unused_buf(struct virtqueue *vq);

#endif /* SHIM_LINUX_VIRTIO_H */
