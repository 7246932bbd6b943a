/* SPDX-License-Identifier: GPL-2.0-only */
/* compat.h - every difference between the supported kernels: 6.1, 6.12 and 7.2 */
#ifndef MVGPU_COMPAT_H
#define MVGPU_COMPAT_H

#include <linux/eventfd.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

static inline void mvgpu_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/*
 * From 6.10 on, VFIO gives each device an inode, and unmapping a range of it finds
 * every mapping. Before that the device keeps a list of its mappings itself.
 */
#define MVGPU_HAVE_INODE	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0))

/* From 6.19 on, VFIO core copies VFIO_DEVICE_GET_REGION_INFO in and out. */
#define MVGPU_HAVE_REGION_OP	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0))

/*
 * What reports dirty pages to the VMM is in VFIO until 6.7, and then in IOMMUFD, where
 * it has to be selected: Debian's kernels lack it.
 */
#define MVGPU_HAVE_LOGGING \
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0) || IS_ENABLED(CONFIG_IOMMUFD_DRIVER))

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define MVGPU_IMPORT_IOMMUFD	MODULE_IMPORT_NS("IOMMUFD")
#else
#define MVGPU_IMPORT_IOMMUFD	MODULE_IMPORT_NS(IOMMUFD)
#endif

/* From 6.7 on, the kernel allocates shrinkers, and they carry their owner's data. */
#define MVGPU_HAVE_SHRINKER_ALLOC	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0))

/* Until 6.3, a VFIO driver's release frees what VFIO allocated. */
#define MVGPU_RELEASE_FREES	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0))

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define MVGPU_IOMMUFD_OPS						\
	.bind_iommufd = vfio_iommufd_emulated_bind,			\
	.unbind_iommufd = vfio_iommufd_emulated_unbind,			\
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,		\
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
#else
#define MVGPU_IOMMUFD_OPS
#endif

#ifdef _LINUX_VIRTIO_CONFIG_H
/* From 6.11 on, a virtqueue's name and its callback come in one structure. */
static inline int mvgpu_find_vqs(struct virtio_device *vdev, unsigned int n,
				 struct virtqueue **vqs, vq_callback_t **callbacks,
				 const char *const *names)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct virtqueue_info info[4] = {};
	unsigned int i;

	if (n > ARRAY_SIZE(info))
		return -EINVAL;
	for (i = 0; i < n; i++)
		info[i] = (struct virtqueue_info){ names[i], callbacks[i] };
	return virtio_find_vqs(vdev, n, vqs, info, NULL);
#else
	return virtio_find_vqs(vdev, n, vqs, callbacks, (const char **)names, NULL);
#endif
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define vm_flags_set(vma, flags)	((vma)->vm_flags |= (flags))
#define vm_flags_clear(vma, flags)	((vma)->vm_flags &= ~(flags))
#endif

#endif /* MVGPU_COMPAT_H */
