/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_VIRTIO_CONFIG_H
#define SHIM_LINUX_VIRTIO_CONFIG_H

#include_next <linux/virtio_config.h>
#include <linux/virtio.h>

struct irq_affinity;

typedef void vq_callback_t(struct virtqueue *vq);

struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
};

/* The test's device has them */
struct virtio_config_ops {
	void (*get)(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len);
	void (*set)(struct virtio_device *vdev, unsigned int offset, const void *buf,
		    unsigned int len);
	void (*del_vqs)(struct virtio_device *vdev);
};

int virtio_find_vqs(struct virtio_device *vdev, unsigned int n, struct virtqueue **vqs,
		    struct virtqueue_info *info, struct irq_affinity *desc);
void virtio_device_ready(struct virtio_device *vdev);

/* All that is read and written is 32 bits wide */
#define virtio_cread_le(vdev, type, member, ptr) do {					\
	__le32 shim_val;								\
											\
	(vdev)->config->get(vdev, offsetof(type, member), &shim_val, sizeof(shim_val));	\
	*(ptr) = le32_to_cpu(shim_val);							\
} while (0)

#define virtio_cwrite_le(vdev, type, member, ptr) do {					\
	__le32 shim_val = cpu_to_le32(*(ptr));						\
											\
	(vdev)->config->set(vdev, offsetof(type, member), &shim_val, sizeof(shim_val));	\
} while (0)

#endif /* SHIM_LINUX_VIRTIO_CONFIG_H */
