// SPDX-License-Identifier: MIT
/*
 * Owns struct vgpu_device: an open vGPU, from its sysfs directory to its
 * device file, and what concerns it as a whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

/**
 * vgpu_open() - open a vGPU
 * @iommu: the backend to open it through; it outlives the device
 * @where: the vGPU's UUID or the path of its sysfs directory
 * @dev: takes the device; vgpu_close() frees it
 * @err: takes the reason of a failure; may be NULL
 *
 * A vGPU may be opened more than once through one backend; each call makes a
 * device file of its own for the same vGPU.
 *
 * Return: 0; -ENODEV when there is no such vGPU or it is being removed; -EBUSY
 * when another process has it; -EPROTO when it is no PCI device; -ENOMEM;
 * another negative errno from the kernel.
 */
int vgpu_open(struct vgpu_iommu *iommu, const char *where, struct vgpu_device **dev,
	      struct vgpu_error *err)
{
	struct vgpu_device *new;
	int ret;

	new = calloc(1, sizeof(*new));
	if (!new)
		return vgpu_fail(err, -ENOMEM, where, "opening it");
	new->iommu = iommu;

	ret = vgpu_find_sysfs(where, new->sysfs, sizeof(new->sysfs), err);
	if (ret)
		goto out_free;
	new->name = strrchr(new->sysfs, '/') + 1;

	ret = iommu->ops->attach(iommu, new->name, new->sysfs, &new->fd, &new->cookie, err);
	if (ret)
		goto out_free;

	ret = vgpu_get_info(new, &new->info, err);
	if (ret)
		goto out_detach;
	if (!(new->info.flags & VFIO_DEVICE_FLAGS_PCI)) {
		ret = vgpu_fail(err, -EPROTO, new->name, "it is no PCI device (flags 0x%x)",
				new->info.flags);
		goto out_detach;
	}
	ret = vgpu_region_get(new, VFIO_PCI_CONFIG_REGION_INDEX, &new->config, err);
	if (ret)
		goto out_detach;
	*dev = new;
	return 0;

out_detach:
	close(new->fd);
	iommu->ops->detach(iommu, new->cookie);
out_free:
	free(new);
	return ret;
}

/**
 * vgpu_close() - close a vGPU
 * @dev: the device; NULL is harmless
 *
 * Mappings of its regions stay valid, and keep the vGPU open in the kernel,
 * until they are unmapped.
 */
void vgpu_close(struct vgpu_device *dev)
{
	if (!dev)
		return;
	vgpu_region_put(&dev->config);
	close(dev->fd);
	dev->iommu->ops->detach(dev->iommu, dev->cookie);
	free(dev);
}

/**
 * vgpu_fd() - the device file of a vGPU
 * @dev: the device
 *
 * Return: a file descriptor that stays the device's.
 */
int vgpu_fd(const struct vgpu_device *dev)
{
	return dev->fd;
}

/**
 * vgpu_name() - the UUID of a vGPU
 * @dev: the device
 *
 * Return: a string that lives as long as the device.
 */
const char *vgpu_name(const struct vgpu_device *dev)
{
	return dev->name;
}

/**
 * vgpu_sysfs() - the sysfs directory of a vGPU
 * @dev: the device
 *
 * Return: a canonical path that lives as long as the device.
 */
const char *vgpu_sysfs(const struct vgpu_device *dev)
{
	return dev->sysfs;
}

/**
 * vgpu_num_regions() - how many region indexes a vGPU has
 * @dev: the device
 *
 * Return: the highest index plus one.
 */
unsigned int vgpu_num_regions(const struct vgpu_device *dev)
{
	return dev->info.num_regions;
}

/**
 * vgpu_num_irqs() - how many interrupt indexes a vGPU has
 * @dev: the device
 *
 * Return: the highest index plus one.
 */
unsigned int vgpu_num_irqs(const struct vgpu_device *dev)
{
	return dev->info.num_irqs;
}

/**
 * vgpu_get_info() - ask a vGPU what it is
 * @dev: the device
 * @info: takes the answer
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0, or a negative errno from the kernel.
 */
int vgpu_get_info(struct vgpu_device *dev, struct vfio_device_info *info, struct vgpu_error *err)
{
	*info = (struct vfio_device_info){ .argsz = sizeof(*info) };
	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, info))
		return vgpu_fail(err, -errno, dev->name, "asking for device info");
	return 0;
}

/**
 * vgpu_reset() - bring a vGPU back to its power-on state
 * @dev: the device
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL when it cannot be reset; another negative errno.
 */
int vgpu_reset(struct vgpu_device *dev, struct vgpu_error *err)
{
	if (ioctl(dev->fd, VFIO_DEVICE_RESET))
		return vgpu_fail(err, -errno, dev->name, "reset");
	return 0;
}
