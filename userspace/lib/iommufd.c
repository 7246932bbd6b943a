// SPDX-License-Identifier: MIT
/*
 * Owns struct iommufd: the IOMMU backend on iommufd, with one address space (an IOAS) that
 * every vGPU is attached to through its own device file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "iommufd-uapi.h"

/**
 * struct iommufd - an iommufd with an address space
 * @iommu: what every backend has
 * @ioas: the address space's id
 */
struct iommufd {
	struct vgpu_iommu iommu;
	__u32 ioas;
};

static struct iommufd *to_iommufd(struct vgpu_iommu *iommu)
{
	return (struct iommufd *)((char *)iommu - offsetof(struct iommufd, iommu));
}

/* The device's only entry in its directory vfio-dev is the name of its device file. */
static int open_cdev(const char *name, const char *sysfs, struct vgpu_error *err)
{
	char path[PATH_MAX + 16];
	struct dirent *entry;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/vfio-dev", sysfs);
	dir = opendir(path);
	if (!dir)
		return vgpu_fail(err, errno == ENOENT ? -ENODEV : -errno, name,
				 "finding its device file");
	do {
		entry = readdir(dir);
	} while (entry && strncmp(entry->d_name, "vfio", 4));
	if (!entry) {
		closedir(dir);
		return vgpu_fail(err, -ENODEV, name, "finding its device file");
	}
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return vgpu_fail(err, -errno, name, "opening %s", path);
	return fd;
}

static int iommufd_attach(struct vgpu_iommu *iommu, const char *name, const char *sysfs, int *fd,
			  void **cookie, struct vgpu_error *err)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommu->fd };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = to_iommufd(iommu)->ioas,
	};
	int ret;

	*cookie = NULL;
	*fd = open_cdev(name, sysfs, err);
	if (*fd < 0)
		return *fd;
	if (ioctl(*fd, VFIO_DEVICE_BIND_IOMMUFD, &bind)) {
		ret = vgpu_fail(err, -errno, name, "binding it to an iommufd");
		goto out_close;
	}
	if (ioctl(*fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach)) {
		ret = vgpu_fail(err, -errno, name, "attaching it to an address space");
		goto out_close;
	}
	return 0;

out_close:
	close(*fd);
	return ret;
}

/* The last close of the device file has detached and unbound it. */
static void iommufd_detach(struct vgpu_iommu *iommu, void *cookie)
{
	(void)iommu;
	(void)cookie;
}

static int iommufd_map(struct vgpu_iommu *iommu, __u64 iova, void *vaddr, __u64 size, int prot,
		       struct vgpu_error *err)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = to_iommufd(iommu)->ioas,
		.user_va = (uintptr_t)vaddr,
		.length = size,
		.iova = iova,
	};

	if (prot & PROT_READ)
		map.flags |= IOMMU_IOAS_MAP_READABLE;
	if (prot & PROT_WRITE)
		map.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	if (ioctl(iommu->fd, IOMMU_IOAS_MAP, &map))
		return vgpu_fail(err, -errno, NULL, "mapping 0x%llx bytes at IOVA 0x%llx",
				 size, iova);
	return 0;
}

/* ENOENT: nothing is mapped there, which is no failure of ours. */
static int iommufd_unmap(struct vgpu_iommu *iommu, __u64 iova, __u64 size, bool all,
			 __u64 *unmapped, struct vgpu_error *err)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = to_iommufd(iommu)->ioas,
		.iova = all ? 0 : iova,
		.length = all ? UINT64_MAX : size,
	};

	if (ioctl(iommu->fd, IOMMU_IOAS_UNMAP, &unmap)) {
		if (errno != ENOENT)
			return vgpu_fail(err, -errno, NULL,
					 "unmapping 0x%llx bytes at IOVA 0x%llx%s", size, iova,
					 all ? " (all)" : "");
		unmap.length = 0;
	}
	if (unmapped)
		*unmapped = unmap.length;
	return 0;
}

static void iommufd_destroy(struct vgpu_iommu *iommu)
{
	close(iommu->fd);
	free(to_iommufd(iommu));
}

static const struct vgpu_iommu_ops iommufd_ops = {
	.attach = iommufd_attach,
	.detach = iommufd_detach,
	.map = iommufd_map,
	.unmap = iommufd_unmap,
	.destroy = iommufd_destroy,
};

/**
 * vgpu_iommufd_open() - make an iommufd with an address space
 * @iommu: takes the iommufd; vgpu_iommu_close() frees it
 * @err: takes the reason of a failure; may be NULL
 *
 * It holds any number of devices. The kernel opens a device once only, and does not tell
 * an unmap that cuts a mapping in two from one where nothing is mapped: neither unmaps
 * anything, and both return 0.
 *
 * Return: 0; -ENOENT where the kernel has no iommufd; -EACCES; -ENOMEM.
 */
int vgpu_iommufd_open(struct vgpu_iommu **iommu, struct vgpu_error *err)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct iommufd *new;
	int ret;

	new = calloc(1, sizeof(*new));
	if (!new)
		return vgpu_fail(err, -ENOMEM, NULL, "opening an iommufd");
	new->iommu.ops = &iommufd_ops;

	new->iommu.fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (new->iommu.fd < 0) {
		ret = vgpu_fail(err, -errno, NULL, "opening /dev/iommu");
		goto out_free;
	}
	if (ioctl(new->iommu.fd, IOMMU_IOAS_ALLOC, &alloc)) {
		ret = vgpu_fail(err, -errno, NULL, "making an address space");
		goto out_close;
	}
	new->ioas = alloc.out_ioas_id;
	*iommu = &new->iommu;
	return 0;

out_close:
	close(new->iommu.fd);
out_free:
	free(new);
	return ret;
}
