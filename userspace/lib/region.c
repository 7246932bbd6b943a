// SPDX-License-Identifier: MIT
/*
 * Owns struct vgpu_region: a region of a vGPU, its capability chain, and every
 * access to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/* No region has so many areas that its info is longer than this. */
#define INFO_MAX 65536

static int ask(struct vgpu_device *dev, __u32 index, struct vfio_region_info **out,
	       struct vgpu_error *err)
{
	struct vfio_region_info *info = NULL;
	__u32 argsz = sizeof(*info);
	void *bigger;
	int ret;

	/* The second call knows how much room the capabilities need. */
	for (;;) {
		bigger = realloc(info, argsz);
		if (!bigger) {
			free(info);
			return vgpu_fail(err, -ENOMEM, dev->name, "region %u", index);
		}
		info = bigger;
		memset(info, 0, argsz);
		info->argsz = argsz;
		info->index = index;
		if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info)) {
			ret = vgpu_fail(err, -errno, dev->name, "asking about region %u", index);
			free(info);
			return ret;
		}
		if (info->argsz <= argsz)
			break;
		argsz = info->argsz;
		if (argsz > INFO_MAX) {
			free(info);
			return vgpu_fail(err, -EPROTO, dev->name,
					 "region %u has %u bytes of info", index, argsz);
		}
	}
	info->argsz = argsz;
	*out = info;
	return 0;
}

static int take_sparse(struct vgpu_region *region, const struct vfio_info_cap_header *cap,
		       size_t room)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse = (const void *)cap;

	if (room < sizeof(*sparse) || region->has_sparse ||
	    sparse->nr_areas > (room - sizeof(*sparse)) / sizeof(sparse->areas[0]))
		return -EPROTO;

	region->has_sparse = true;
	region->nr_areas = sparse->nr_areas;
	region->areas = calloc(sparse->nr_areas + 1, sizeof(*region->areas));
	if (!region->areas)
		return -ENOMEM;
	memcpy(region->areas, sparse->areas, sparse->nr_areas * sizeof(*region->areas));
	return 0;
}

static int take_type(struct vgpu_region *region, const struct vfio_info_cap_header *cap,
		     size_t room)
{
	const struct vfio_region_info_cap_type *type = (const void *)cap;

	if (room < sizeof(*type) || region->has_type)
		return -EPROTO;
	region->has_type = true;
	region->type = type->type;
	region->subtype = type->subtype;
	return 0;
}

static int walk_caps(struct vgpu_region *region, const struct vfio_region_info *info)
{
	const struct vfio_info_cap_header *cap;
	__u32 pos, last = 0;
	int ret = 0;

	/* The chain goes forward only, so it ends. */
	for (pos = info->cap_offset; pos && !ret; pos = cap->next) {
		if (pos <= last || pos < sizeof(*info) || pos % 8 ||
		    pos > info->argsz - sizeof(*cap))
			return -EPROTO;
		cap = (const void *)((const char *)info + pos);
		last = pos;
		if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			ret = take_sparse(region, cap, info->argsz - pos);
		else if (cap->id == VFIO_REGION_INFO_CAP_TYPE)
			ret = take_type(region, cap, info->argsz - pos);
	}
	return ret;
}

static int whole_area(struct vgpu_region *region)
{
	region->areas = calloc(1, sizeof(*region->areas));
	if (!region->areas)
		return -ENOMEM;
	region->areas[0].size = region->size;
	region->nr_areas = 1;
	return 0;
}

/**
 * vgpu_region_get() - ask a vGPU about a region
 * @dev: the device
 * @index: the region's index
 * @region: takes the answer; vgpu_region_put() frees it
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL when there is no such index; -EPROTO for a capability
 * chain that is malformed; -ENOMEM.
 */
int vgpu_region_get(struct vgpu_device *dev, __u32 index, struct vgpu_region *region,
		    struct vgpu_error *err)
{
	struct vfio_region_info *info = NULL;
	int ret;

	ret = ask(dev, index, &info, err);
	if (ret)
		return ret;

	*region = (struct vgpu_region){
		.index = index,
		.flags = info->flags,
		.size = info->size,
		.offset = info->offset,
	};
	if (info->flags & VFIO_REGION_INFO_FLAG_CAPS)
		ret = walk_caps(region, info);
	if (!ret && !region->has_sparse && (region->flags & VFIO_REGION_INFO_FLAG_MMAP))
		ret = whole_area(region);
	if (ret) {
		vgpu_fail(err, ret, dev->name, "reading the capabilities of region %u", index);
		vgpu_region_put(region);
	}
	free(info);
	return ret;
}

/**
 * vgpu_region_put() - free what vgpu_region_get() took
 * @region: the region
 */
void vgpu_region_put(struct vgpu_region *region)
{
	free(region->areas);
	region->areas = NULL;
	region->nr_areas = 0;
}

/**
 * vgpu_region_read() - read from a region
 * @dev: the device
 * @region: the region
 * @pos: where, in bytes from the region's start; passed on as it is
 * @buf: takes the bytes
 * @count: how many bytes
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: how many bytes were read, which may be fewer than asked; -EINVAL,
 * -EIO, -EFAULT or another negative errno from the kernel.
 */
ssize_t vgpu_region_read(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
			 void *buf, size_t count, struct vgpu_error *err)
{
	ssize_t ret;

	ret = pread(dev->fd, buf, count, region->offset + pos);
	if (ret < 0)
		return vgpu_fail(err, -errno, dev->name, "read of %zu bytes at 0x%llx in region %u",
				 count, pos, region->index);
	return ret;
}

/**
 * vgpu_region_write() - write to a region
 * @dev: the device
 * @region: the region
 * @pos: where, in bytes from the region's start; passed on as it is
 * @buf: the bytes
 * @count: how many bytes
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: how many bytes were written, which may be fewer than asked; -EINVAL,
 * -EIO, -EFAULT or another negative errno from the kernel.
 */
ssize_t vgpu_region_write(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
			  const void *buf, size_t count, struct vgpu_error *err)
{
	ssize_t ret;

	ret = pwrite(dev->fd, buf, count, region->offset + pos);
	if (ret < 0)
		return vgpu_fail(err, -errno, dev->name,
				 "write of %zu bytes at 0x%llx in region %u", count, pos,
				 region->index);
	return ret;
}

/**
 * vgpu_region_load() - read one register
 * @dev: the device
 * @region: the region
 * @pos: where, in bytes from the region's start
 * @width: bytes, 1 to 8
 * @value: takes the value
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EIO for a short read; -EINVAL for another @width; another negative
 * errno from vgpu_region_read().
 */
int vgpu_region_load(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
		     unsigned int width, __u64 *value, struct vgpu_error *err)
{
	__u64 got = 0;
	ssize_t ret;

	if (!width || width > sizeof(got))
		return vgpu_fail(err, -EINVAL, dev->name, "a register of %u bytes", width);
	/* A PCI device is little-endian and so is amd64. */
	ret = vgpu_region_read(dev, region, pos, &got, width, err);
	if (ret < 0)
		return ret;
	if (ret != width)
		return vgpu_fail(err, -EIO, dev->name, "%zd of %u bytes at 0x%llx in region %u",
				 ret, width, pos, region->index);
	*value = got;
	return 0;
}

/**
 * vgpu_region_store() - write one register
 * @dev: the device
 * @region: the region
 * @pos: where, in bytes from the region's start
 * @width: bytes, 1 to 8
 * @value: the value
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EIO for a short write; -EINVAL for another @width; another negative
 * errno from vgpu_region_write().
 */
int vgpu_region_store(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
		      unsigned int width, __u64 value, struct vgpu_error *err)
{
	ssize_t ret;

	if (!width || width > sizeof(value))
		return vgpu_fail(err, -EINVAL, dev->name, "a register of %u bytes", width);
	ret = vgpu_region_write(dev, region, pos, &value, width, err);
	if (ret < 0)
		return ret;
	if (ret != width)
		return vgpu_fail(err, -EIO, dev->name, "%zd of %u bytes at 0x%llx in region %u",
				 ret, width, pos, region->index);
	return 0;
}

/**
 * vgpu_region_mmap() - map part of a region
 * @dev: the device
 * @region: the region
 * @pos: where, in bytes from the region's start, page-aligned
 * @size: how many bytes
 * @prot: PROT_READ, PROT_WRITE or both
 * @ptr: takes the mapping, which is shared; munmap() frees it
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL for what may not be mapped; another negative errno.
 */
int vgpu_region_mmap(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
		     size_t size, int prot, void **ptr, struct vgpu_error *err)
{
	void *map;

	map = mmap(NULL, size, prot, MAP_SHARED, dev->fd, region->offset + pos);
	if (map == MAP_FAILED)
		return vgpu_fail(err, -errno, dev->name,
				 "mapping %zu bytes at 0x%llx in region %u", size, pos,
				 region->index);
	*ptr = map;
	return 0;
}
