// SPDX-License-Identifier: MIT
/*
 * Owns the interrupt ioctls: what indexes a vGPU has, and every combination of
 * data and action that VFIO_DEVICE_SET_IRQS knows. Holds no state.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

/**
 * vgpu_irq_get() - ask a vGPU about an interrupt index
 * @dev: the device
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @info: takes the answer
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL when there is no such index.
 */
int vgpu_irq_get(struct vgpu_device *dev, __u32 index, struct vfio_irq_info *info,
		 struct vgpu_error *err)
{
	*info = (struct vfio_irq_info){ .argsz = sizeof(*info), .index = index };
	if (ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, info))
		return vgpu_fail(err, -errno, dev->name, "asking about interrupt index %u", index);
	return 0;
}

/**
 * vgpu_irq_raw() - call VFIO_DEVICE_SET_IRQS with any argument
 * @dev: the device
 * @hdr: passed on as it is, with its argsz
 * @data: what follows the header; may be NULL
 * @data_size: bytes in @data
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0 (or what the ioctl returned), or a negative errno from the kernel.
 */
int vgpu_irq_raw(struct vgpu_device *dev, const struct vfio_irq_set *hdr, const void *data,
		 size_t data_size, struct vgpu_error *err)
{
	struct vfio_irq_set *set;
	int ret;

	set = malloc(sizeof(*set) + data_size);
	if (!set)
		return vgpu_fail(err, -ENOMEM, dev->name, "setting interrupts");
	memcpy(set, hdr, sizeof(*set));
	if (data_size)
		memcpy(set->data, data, data_size);

	ret = ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set);
	if (ret < 0)
		ret = vgpu_fail(err, -errno, dev->name,
				"setting interrupts %u+%u of index %u (flags 0x%x)", hdr->start,
				hdr->count, hdr->index, hdr->flags);
	free(set);
	return ret;
}

static int set_irqs(struct vgpu_device *dev, __u32 flags, __u32 index, __u32 start, __u32 count,
		    const void *data, size_t data_size, struct vgpu_error *err)
{
	struct vfio_irq_set hdr = {
		.argsz = sizeof(hdr) + data_size,
		.flags = flags,
		.index = index,
		.start = start,
		.count = count,
	};

	return vgpu_irq_raw(dev, &hdr, data, data_size, err);
}

/**
 * vgpu_irq_none() - act on interrupts now
 * @dev: the device
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @action: VFIO_IRQ_SET_ACTION_MASK, _UNMASK or _TRIGGER
 * @start: the first interrupt
 * @count: how many
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL for interrupts that do not exist or an index that is not
 * in use; -ENOTTY for an action that the index does not know.
 */
int vgpu_irq_none(struct vgpu_device *dev, __u32 index, __u32 action, __u32 start, __u32 count,
		  struct vgpu_error *err)
{
	return set_irqs(dev, VFIO_IRQ_SET_DATA_NONE | action, index, start, count, NULL, 0, err);
}

/**
 * vgpu_irq_bool() - act now on some interrupts of a range
 * @dev: the device
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @action: VFIO_IRQ_SET_ACTION_MASK, _UNMASK or _TRIGGER
 * @start: the first interrupt
 * @count: how many
 * @which: @count bytes: not zero where to act
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: as vgpu_irq_none().
 */
int vgpu_irq_bool(struct vgpu_device *dev, __u32 index, __u32 action, __u32 start, __u32 count,
		  const __u8 *which, struct vgpu_error *err)
{
	return set_irqs(dev, VFIO_IRQ_SET_DATA_BOOL | action, index, start, count, which, count,
			err);
}

/**
 * vgpu_irq_eventfd() - bind interrupts to eventfds
 * @dev: the device
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @action: _TRIGGER: the device signals the eventfd; _MASK and _UNMASK: the
 *	eventfd masks or unmasks the interrupt
 * @start: the first interrupt
 * @count: how many
 * @fds: @count file descriptors; -1 unbinds
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EBADF for what is no file; -EINVAL for what is no eventfd, and as
 * vgpu_irq_none().
 */
int vgpu_irq_eventfd(struct vgpu_device *dev, __u32 index, __u32 action, __u32 start,
		     __u32 count, const __s32 *fds, struct vgpu_error *err)
{
	return set_irqs(dev, VFIO_IRQ_SET_DATA_EVENTFD | action, index, start, count, fds,
			count * sizeof(*fds), err);
}

/**
 * vgpu_irq_disable() - stop using an interrupt index
 * @dev: the device
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL when it was not in use.
 */
int vgpu_irq_disable(struct vgpu_device *dev, __u32 index, struct vgpu_error *err)
{
	return vgpu_irq_none(dev, index, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, err);
}
