// SPDX-License-Identifier: MIT
/*
 * Owns the way from what an operator types (a UUID or a sysfs path) to the
 * device's directory and its IOMMU group. Holds no state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define MDEV_DEVICES "/sys/bus/mdev/devices/"

/**
 * vgpu_find_sysfs() - find a vGPU's directory in sysfs
 * @where: its UUID, or a path to its directory (which starts with a slash)
 * @sysfs: takes the canonical path
 * @size: bytes in @sysfs, PATH_MAX at least
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -ENODEV when there is no such vGPU; -ENAMETOOLONG; another
 * negative errno from resolving the path.
 */
int vgpu_find_sysfs(const char *where, char *sysfs, size_t size, struct vgpu_error *err)
{
	const char *dir = where[0] == '/' ? "" : MDEV_DEVICES;
	char path[PATH_MAX];
	char *real;
	int ret = 0;

	if (where[0] != '/' && strchr(where, '/'))
		return vgpu_fail(err, -EINVAL, where, "finding it: neither a UUID nor a path");
	if (snprintf(path, sizeof(path), "%s%s", dir, where) >= (int)sizeof(path))
		return vgpu_fail(err, -ENAMETOOLONG, NULL, "finding a vGPU");

	real = realpath(path, NULL);
	if (!real) {
		ret = errno == ENOENT ? -ENODEV : -errno;
		return vgpu_fail(err, ret, where, "finding it at %s", path);
	}
	if (strlen(real) >= size)
		ret = vgpu_fail(err, -ENAMETOOLONG, where, "finding it");
	else
		strcpy(sysfs, real);
	free(real);
	return ret;
}

/**
 * vgpu_find_group() - find the IOMMU group of a vGPU
 * @name: the vGPU's UUID, for messages
 * @sysfs: its directory
 * @group: takes the group's number
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -ENODEV when the vGPU has no group (no driver bound to it, or it
 * is going away); -EINVAL for a link that names no group.
 */
int vgpu_find_group(const char *name, const char *sysfs, unsigned int *group,
		    struct vgpu_error *err)
{
	char path[PATH_MAX + 16];
	char target[PATH_MAX];
	const char *last;
	char *end;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/iommu_group", sysfs);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return vgpu_fail(err, errno == ENOENT ? -ENODEV : -errno, name,
				 "finding its IOMMU group");
	target[len] = '\0';

	last = strrchr(target, '/');
	if (!last || !last[1])
		return vgpu_fail(err, -EINVAL, name, "finding its IOMMU group in %s", target);
	*group = strtoul(last + 1, &end, 10);
	if (*end)
		return vgpu_fail(err, -EINVAL, name, "finding its IOMMU group in %s", target);
	return 0;
}
