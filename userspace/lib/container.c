// SPDX-License-Identifier: MIT
/*
 * Owns struct container: the IOMMU backend on VFIO's legacy container with a
 * type1v2 IOMMU, and the groups that it holds, one struct group each.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/**
 * struct group - an IOMMU group in a container
 * @next: the container's next group
 * @id: its number, as in /dev/vfio/@id
 * @fd: its file
 * @devices: how many devices of it are open
 */
struct group {
	struct group *next;
	unsigned int id;
	int fd;
	unsigned int devices;
};

/**
 * struct container - a VFIO container
 * @iommu: what every backend has
 * @lock: protects @groups and every group's device count
 * @groups: the groups that are in the container
 *
 * The kernel forgets the container's IOMMU, and with it every mapping, when
 * the last group leaves: the first group to come sets it.
 */
struct container {
	struct vgpu_iommu iommu;
	pthread_mutex_t lock;
	struct group *groups;
};

static struct container *to_container(struct vgpu_iommu *iommu)
{
	return (struct container *)((char *)iommu - offsetof(struct container, iommu));
}

static int group_check(const char *name, const struct group *group, struct vgpu_error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(group->fd, VFIO_GROUP_GET_STATUS, &status))
		return vgpu_fail(err, -errno, name, "asking group %u for its status", group->id);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return vgpu_fail(err, -EPERM, name,
				 "group %u has a device that another driver holds", group->id);
	return 0;
}

static int group_join(struct container *container, const char *name, struct group *group,
		      struct vgpu_error *err)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/dev/vfio/%u", group->id);
	group->fd = open(path, O_RDWR | O_CLOEXEC);
	if (group->fd < 0)
		return vgpu_fail(err, -errno, name, "opening its group %s", path);

	ret = group_check(name, group, err);
	if (ret)
		goto out_close;

	if (ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &container->iommu.fd)) {
		ret = vgpu_fail(err, -errno, name, "putting group %u into a container",
				group->id);
		goto out_close;
	}

	/* Closing the group takes it out of the container again. */
	if (!container->groups &&
	    ioctl(container->iommu.fd, VFIO_SET_IOMMU, (unsigned long)VFIO_TYPE1v2_IOMMU)) {
		ret = vgpu_fail(err, -errno, name, "giving its container a type1v2 IOMMU");
		goto out_close;
	}
	return 0;

out_close:
	close(group->fd);
	return ret;
}

static struct group *group_find(struct container *container, unsigned int id)
{
	struct group *group;

	for (group = container->groups; group; group = group->next)
		if (group->id == id)
			return group;
	return NULL;
}

static void group_leave(struct container *container, struct group *group)
{
	struct group **link;

	if (group->devices)
		return;
	for (link = &container->groups; *link != group; link = &(*link)->next)
		;
	*link = group->next;
	close(group->fd);
	free(group);
}

static int group_add(struct container *container, const char *name, unsigned int id,
		     struct group **out, struct vgpu_error *err)
{
	struct group *group;
	int ret;

	group = calloc(1, sizeof(*group));
	if (!group)
		return vgpu_fail(err, -ENOMEM, name, "opening its group %u", id);
	group->id = id;
	ret = group_join(container, name, group, err);
	if (ret) {
		free(group);
		return ret;
	}
	group->next = container->groups;
	container->groups = group;
	*out = group;
	return 0;
}

static int container_attach(struct vgpu_iommu *iommu, const char *name, const char *sysfs,
			    int *fd, void **cookie, struct vgpu_error *err)
{
	struct container *container = to_container(iommu);
	struct group *group;
	unsigned int id;
	int ret;

	ret = vgpu_find_group(name, sysfs, &id, err);
	if (ret)
		return ret;

	pthread_mutex_lock(&container->lock);
	group = group_find(container, id);
	if (!group)
		ret = group_add(container, name, id, &group, err);
	if (ret)
		goto out_unlock;

	*fd = ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, name);
	if (*fd < 0) {
		ret = vgpu_fail(err, -errno, name, "getting its device file");
		group_leave(container, group);
		goto out_unlock;
	}
	group->devices++;
	*cookie = group;
out_unlock:
	pthread_mutex_unlock(&container->lock);
	return ret;
}

static void container_detach(struct vgpu_iommu *iommu, void *cookie)
{
	struct container *container = to_container(iommu);
	struct group *group = cookie;

	pthread_mutex_lock(&container->lock);
	group->devices--;
	group_leave(container, group);
	pthread_mutex_unlock(&container->lock);
}

static int container_map(struct vgpu_iommu *iommu, __u64 iova, void *vaddr, __u64 size, int prot,
			 struct vgpu_error *err)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.vaddr = (uintptr_t)vaddr,
		.iova = iova,
		.size = size,
	};

	if (prot & PROT_READ)
		map.flags |= VFIO_DMA_MAP_FLAG_READ;
	if (prot & PROT_WRITE)
		map.flags |= VFIO_DMA_MAP_FLAG_WRITE;
	if (ioctl(iommu->fd, VFIO_IOMMU_MAP_DMA, &map))
		return vgpu_fail(err, -errno, NULL, "mapping 0x%llx bytes at IOVA 0x%llx",
				 size, iova);
	return 0;
}

static int container_unmap(struct vgpu_iommu *iommu, __u64 iova, __u64 size, bool all,
			   __u64 *unmapped, struct vgpu_error *err)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = all ? VFIO_DMA_UNMAP_FLAG_ALL : 0,
		.iova = iova,
		.size = size,
	};

	if (ioctl(iommu->fd, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return vgpu_fail(err, -errno, NULL, "unmapping 0x%llx bytes at IOVA 0x%llx%s",
				 size, iova, all ? " (all)" : "");
	if (unmapped)
		*unmapped = unmap.size;
	return 0;
}

static void container_destroy(struct vgpu_iommu *iommu)
{
	struct container *container = to_container(iommu);

	close(iommu->fd);
	pthread_mutex_destroy(&container->lock);
	free(container);
}

static const struct vgpu_iommu_ops container_ops = {
	.attach = container_attach,
	.detach = container_detach,
	.map = container_map,
	.unmap = container_unmap,
	.destroy = container_destroy,
};

static int container_check(int fd, struct vgpu_error *err)
{
	int version;

	version = ioctl(fd, VFIO_GET_API_VERSION);
	if (version < 0)
		return vgpu_fail(err, -errno, NULL, "asking for the API's version");
	if (version != VFIO_API_VERSION)
		return vgpu_fail(err, -EPROTO, NULL, "API version %d, this client speaks %d",
				 version, VFIO_API_VERSION);
	if (ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0)
		return vgpu_fail(err, -EOPNOTSUPP, NULL,
				 "no type1v2 IOMMU (is vfio_iommu_type1 loaded?)");
	return 0;
}

/**
 * vgpu_container_open() - make a legacy container
 * @iommu: takes the container; vgpu_iommu_close() frees it
 * @err: takes the reason of a failure; may be NULL
 *
 * The container gets its type1v2 IOMMU with the first device that is opened
 * through it, and holds any number of devices.
 *
 * Return: 0; -ENOENT without VFIO; -EACCES; -EPROTO for another VFIO API
 * version; -EOPNOTSUPP without type1v2; -ENOMEM.
 */
int vgpu_container_open(struct vgpu_iommu **iommu, struct vgpu_error *err)
{
	struct container *container;
	int ret;

	container = calloc(1, sizeof(*container));
	if (!container)
		return vgpu_fail(err, -ENOMEM, NULL, "opening a container");
	container->iommu.ops = &container_ops;
	pthread_mutex_init(&container->lock, NULL);

	container->iommu.fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (container->iommu.fd < 0) {
		ret = vgpu_fail(err, -errno, NULL, "opening /dev/vfio/vfio");
		goto out_free;
	}
	ret = container_check(container->iommu.fd, err);
	if (ret)
		goto out_close;
	*iommu = &container->iommu;
	return 0;

out_close:
	close(container->iommu.fd);
out_free:
	pthread_mutex_destroy(&container->lock);
	free(container);
	return ret;
}
