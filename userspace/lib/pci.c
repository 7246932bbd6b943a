// SPDX-License-Identifier: MIT
/*
 * Owns what an operating system does with PCI config space: access by width,
 * capability lists, BAR sizing. Holds no state.
 */
#include <errno.h>
#include <linux/pci_regs.h>

#include "internal.h"

/* As many as fit behind the header: a longer list is a loop. */
#define CAPS_MAX ((PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / 4)
#define EXT_CAPS_MAX ((PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8)

/**
 * vgpu_cfg_read() - read from PCI config space
 * @dev: the device
 * @pos: where, in bytes
 * @width: bytes, 1 to 4
 * @value: takes the value
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0, or a negative errno as vgpu_region_load().
 */
int vgpu_cfg_read(struct vgpu_device *dev, __u32 pos, unsigned int width, __u32 *value,
		  struct vgpu_error *err)
{
	__u64 got;
	int ret;

	if (width > sizeof(*value))
		return vgpu_fail(err, -EINVAL, dev->name, "a config register of %u bytes", width);
	ret = vgpu_region_load(dev, &dev->config, pos, width, &got, err);
	if (!ret)
		*value = got;
	return ret;
}

/**
 * vgpu_cfg_write() - write to PCI config space
 * @dev: the device
 * @pos: where, in bytes
 * @width: bytes, 1 to 4
 * @value: the value
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0, or a negative errno as vgpu_region_store().
 */
int vgpu_cfg_write(struct vgpu_device *dev, __u32 pos, unsigned int width, __u32 value,
		   struct vgpu_error *err)
{
	if (width > sizeof(value))
		return vgpu_fail(err, -EINVAL, dev->name, "a config register of %u bytes", width);
	return vgpu_region_store(dev, &dev->config, pos, width, value, err);
}

/**
 * vgpu_cfg_find_cap() - find a capability
 * @dev: the device
 * @id: PCI_CAP_ID_*
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: its offset in config space; -ENOENT when there is none; -EPROTO for a
 * list that loops or leaves config space; another negative errno from reading.
 */
int vgpu_cfg_find_cap(struct vgpu_device *dev, __u8 id, struct vgpu_error *err)
{
	__u32 status, pos, head;
	int ret, n;

	ret = vgpu_cfg_read(dev, PCI_STATUS, 2, &status, err);
	if (ret)
		return ret;
	if (!(status & PCI_STATUS_CAP_LIST))
		return vgpu_fail(err, -ENOENT, dev->name, "it has no capability list");
	ret = vgpu_cfg_read(dev, PCI_CAPABILITY_LIST, 1, &pos, err);

	for (n = 0; !ret && pos && n < CAPS_MAX; n++) {
		if (pos < PCI_STD_HEADER_SIZEOF || pos % 4)
			return vgpu_fail(err, -EPROTO, dev->name, "capability at 0x%x", pos);
		ret = vgpu_cfg_read(dev, pos, 2, &head, err);
		if (ret)
			return ret;
		if ((head & 0xff) == id)
			return pos;
		pos = head >> 8;
	}
	if (ret)
		return ret;
	if (pos)
		return vgpu_fail(err, -EPROTO, dev->name, "its capability list loops");
	return vgpu_fail(err, -ENOENT, dev->name, "it has no capability 0x%x", id);
}

/**
 * vgpu_cfg_find_ext_cap() - find a PCIe extended capability
 * @dev: the device
 * @id: PCI_EXT_CAP_ID_*
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: its offset in config space; -ENOENT when there is none, or no
 * extended config space; -EPROTO for a list that loops or leaves it; another
 * negative errno from reading.
 */
int vgpu_cfg_find_ext_cap(struct vgpu_device *dev, __u16 id, struct vgpu_error *err)
{
	__u32 pos = PCI_CFG_SPACE_SIZE;
	__u32 head;
	int ret, n;

	if (dev->config.size <= PCI_CFG_SPACE_SIZE)
		return vgpu_fail(err, -ENOENT, dev->name, "it has no extended config space");

	for (n = 0; pos && n < EXT_CAPS_MAX; n++) {
		if (pos < PCI_CFG_SPACE_SIZE || pos % 4)
			return vgpu_fail(err, -EPROTO, dev->name, "capability at 0x%x", pos);
		ret = vgpu_cfg_read(dev, pos, 4, &head, err);
		if (ret)
			return ret;
		if (head && PCI_EXT_CAP_ID(head) == id)
			return pos;
		pos = head ? PCI_EXT_CAP_NEXT(head) : 0;
	}
	if (pos)
		return vgpu_fail(err, -EPROTO, dev->name, "its extended capability list loops");
	return vgpu_fail(err, -ENOENT, dev->name, "it has no extended capability 0x%x", id);
}

/* Write ones, read which stick, put back what was there (PCI 3.0, 6.2.5.1). */
static int size_register(struct vgpu_device *dev, __u32 pos, __u32 *mask, struct vgpu_error *err)
{
	__u32 saved;
	int ret;

	ret = vgpu_cfg_read(dev, pos, 4, &saved, err);
	if (!ret)
		ret = vgpu_cfg_write(dev, pos, 4, ~0U, err);
	if (!ret)
		ret = vgpu_cfg_read(dev, pos, 4, mask, err);
	if (!ret)
		ret = vgpu_cfg_write(dev, pos, 4, saved, err);
	return ret;
}

static int size_bar(struct vgpu_device *dev, unsigned int bar, struct vgpu_bar *out,
		    struct vgpu_error *err)
{
	__u32 pos = PCI_BASE_ADDRESS_0 + 4 * bar;
	__u32 low, high = ~0U;
	__u64 mask;
	int ret;

	ret = size_register(dev, pos, &low, err);
	if (ret || !low)
		return ret;

	out->is_io = low & PCI_BASE_ADDRESS_SPACE_IO;
	if (out->is_io) {
		out->size = -(low & PCI_BASE_ADDRESS_IO_MASK) & 0xffff;
		return 0;
	}
	out->prefetchable = low & PCI_BASE_ADDRESS_MEM_PREFETCH;
	out->is_64 = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (out->is_64) {
		if (bar == PCI_STD_NUM_BARS - 1)
			return vgpu_fail(err, -EPROTO, dev->name, "the last BAR is 64 bits wide");
		ret = size_register(dev, pos + 4, &high, err);
		if (ret)
			return ret;
	}
	mask = (__u64)high << 32 | (low & PCI_BASE_ADDRESS_MEM_MASK);
	out->size = -mask;
	return 0;
}

/**
 * vgpu_cfg_size_bar() - size a BAR through config space, as an OS does
 * @dev: the device
 * @bar: 0 to 5
 * @out: takes the answer
 * @err: takes the reason of a failure; may be NULL
 *
 * Decoding is off meanwhile. The BAR and the command register are as before
 * afterwards.
 *
 * Return: 0; -EINVAL for another @bar; -EPROTO for a BAR that makes no sense;
 * another negative errno from config space.
 */
int vgpu_cfg_size_bar(struct vgpu_device *dev, unsigned int bar, struct vgpu_bar *out,
		      struct vgpu_error *err)
{
	__u32 command;
	int ret, ret2;

	*out = (struct vgpu_bar){ 0 };
	if (bar >= PCI_STD_NUM_BARS)
		return vgpu_fail(err, -EINVAL, dev->name, "BAR %u", bar);

	ret = vgpu_cfg_read(dev, PCI_COMMAND, 2, &command, err);
	if (!ret)
		ret = vgpu_cfg_write(dev, PCI_COMMAND, 2,
				     command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY), err);
	if (ret)
		return ret;

	ret = size_bar(dev, bar, out, err);
	ret2 = vgpu_cfg_write(dev, PCI_COMMAND, 2, command, ret ? NULL : err);
	return ret ? ret : ret2;
}
