/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_VIRTIO_H
#define SHIM_LINUX_VIRTIO_H

#include <asm/byteorder.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

struct scatterlist;

struct virtio_config_ops;

struct virtio_device {
	struct device dev;
	const struct virtio_config_ops *config;
	u64 features;
	void *priv;
};

struct virtqueue {
	struct virtio_device *vdev;
	unsigned int index;
};

struct virtio_device_id {
	u32 device, vendor;
};

#define VIRTIO_DEV_ANY_ID	0xffffffff

struct virtio_driver {
	struct device_driver driver;
	const struct virtio_device_id *id_table;
	const unsigned int *feature_table;
	unsigned int feature_table_size;
	int (*probe)(struct virtio_device *vdev);
	void (*remove)(struct virtio_device *vdev);
	void (*config_changed)(struct virtio_device *vdev);
	int (*freeze)(struct virtio_device *vdev);
	int (*restore)(struct virtio_device *vdev);
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
int register_virtio_driver(struct virtio_driver *drv);
void unregister_virtio_driver(struct virtio_driver *drv);
void virtio_reset_device(struct virtio_device *vdev);
int virtio_device_freeze(struct virtio_device *vdev);
int virtio_device_restore(struct virtio_device *vdev);

#endif /* SHIM_LINUX_VIRTIO_H */
