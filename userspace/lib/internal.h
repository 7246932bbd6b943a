/* SPDX-License-Identifier: MIT */
/*
 * What the files of libmvgpu-vfio share and its users do not see.
 */
#ifndef MVGPU_VFIO_INTERNAL_H
#define MVGPU_VFIO_INTERNAL_H

#include <limits.h>

#include "mvgpu-vfio.h"

/**
 * struct vgpu_iommu_ops - what an IOMMU backend does
 * @attach: make the device at sysfs path @sysfs ours and return its device
 *	file in @fd, with what @detach needs to undo it in @cookie
 * @detach: undo @attach; the device file is closed already
 * @map: let the devices reach @size bytes at @vaddr under @iova
 * @unmap: take the range away again, or everything where @all
 * @destroy: free the backend, which no device uses any more
 *
 * A backend embeds struct vgpu_iommu: the legacy container in container.c, iommufd with
 * VFIO's device files in iommufd.c, other processes' files in borrow.c.
 */
struct vgpu_iommu_ops {
	int (*attach)(struct vgpu_iommu *iommu, const char *name, const char *sysfs, int *fd,
		      void **cookie, struct vgpu_error *err);
	void (*detach)(struct vgpu_iommu *iommu, void *cookie);
	int (*map)(struct vgpu_iommu *iommu, __u64 iova, void *vaddr, __u64 size, int prot,
		   struct vgpu_error *err);
	int (*unmap)(struct vgpu_iommu *iommu, __u64 iova, __u64 size, bool all,
		     __u64 *unmapped, struct vgpu_error *err);
	void (*destroy)(struct vgpu_iommu *iommu);
};

/**
 * struct vgpu_iommu - an IOMMU backend
 * @ops: what it does
 * @fd: the file that stands for it
 */
struct vgpu_iommu {
	const struct vgpu_iommu_ops *ops;
	int fd;
};

/**
 * struct vgpu_device - an open vGPU
 * @iommu: the backend that it was opened through
 * @cookie: the backend's own record of the attachment
 * @fd: the device file
 * @sysfs: where the device lives in sysfs
 * @name: the last component of @sysfs: its UUID
 * @info: what VFIO_DEVICE_GET_INFO said when it was opened
 * @config: the PCI config space region
 */
struct vgpu_device {
	struct vgpu_iommu *iommu;
	void *cookie;
	int fd;
	char sysfs[PATH_MAX];
	const char *name;
	struct vfio_device_info info;
	struct vgpu_region config;
};

int vgpu_fail(struct vgpu_error *err, int code, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

int vgpu_find_sysfs(const char *where, char *sysfs, size_t size, struct vgpu_error *err);
int vgpu_find_group(const char *name, const char *sysfs, unsigned int *group,
		    struct vgpu_error *err);

#endif
