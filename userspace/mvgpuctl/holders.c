// SPDX-License-Identifier: MIT
/*
 * Owns the list of processes that have devices open, as /proc tells. Others than root are told
 * only about their own processes. What counts is the device's number: names of files and of
 * processes are what their users make them.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mvgpuctl.h"

static struct holder *holders;
static unsigned int num_holders;
static bool known;

static void add_holder(const char *pid, dev_t dev)
{
	char *dir = format("/proc/%s", pid), *comm = sysfs_read(dir, "comm"), *c;
	struct holder *holder;

	holders = must_have(reallocarray(holders, num_holders + 1, sizeof(*holders)));
	holder = &holders[num_holders++];
	*holder = (struct holder){ .pid = atoi(pid), .dev = dev };
	snprintf(holder->comm, sizeof(holder->comm), "%s", comm ? comm : "?");
	for (c = holder->comm; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	free(comm);
	free(dir);
}

/* Anybody may name a device file (O_PATH), which opens nothing */
static bool names_only(const char *pid, const char *fd)
{
	char *dir = format("/proc/%s/fdinfo", pid), *info = sysfs_read(dir, fd);
	const char *flags = info ? strstr(info, "flags:") : NULL;
	bool path = !flags || strtoul(flags + strlen("flags:"), NULL, 8) & O_PATH;

	free(info);
	free(dir);
	return path;
}

/* Without asking a file system, which may be somebody's program */
static bool is_device(const char *path, dev_t *dev)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) || !S_ISCHR(st.stx_mode))
		return false;
	*dev = makedev(st.stx_rdev_major, st.stx_rdev_minor);
	return true;
}

static void look_at(const char *pid)
{
	char *dir = format("/proc/%s/fd", pid), *path;
	char **fds = sysfs_list(dir, "."), **fd;
	dev_t dev;

	for (fd = fds; *fd; fd++) {
		path = format("%s/%s", dir, *fd);
		if (is_device(path, &dev) && !names_only(pid, *fd))
			add_holder(pid, dev);
		free(path);
	}
	strings_free(fds);
	free(dir);
}

/**
 * holders_forget() - who has what is to be looked up again
 */
void holders_forget(void)
{
	free(holders);
	holders = NULL;
	num_holders = 0;
	known = false;
}

/* Who has the device open that a folder in sysfs stands for; its file is for messages */
static const struct holder *holder_of(const char *dir, const char *node)
{
	char *number = sysfs_read(dir, "dev");
	unsigned int major, minor, i;
	char **pids, **pid;
	bool is = number && sscanf(number, "%u:%u", &major, &minor) == 2;

	free(number);
	if (!is)
		return NULL;
	if (!known) {
		known = true;
		pids = sysfs_list("/proc", ".");
		for (pid = pids; *pid; pid++)
			if (isdigit(**pid) && atoi(*pid) != getpid())
				look_at(*pid);
		strings_free(pids);
	}
	for (i = 0; i < num_holders; i++)
		if (holders[i].dev == makedev(major, minor)) {
			snprintf(holders[i].node, sizeof(holders[i].node), "%s", node);
			return &holders[i];
		}
	return NULL;
}

/* Whether /proc tells about all processes */
bool holders_known(void)
{
	return !geteuid();
}

/* The first process that has one of the devices open whose folders are in a folder */
static const struct holder *holder_in(const char *path, const char *folder, const char *dev)
{
	const struct holder *holder = NULL;
	char **names = sysfs_list(path, folder), **name;
	char *dir, *node;

	for (name = names; *name && !holder; name++) {
		dir = format("%s/%s/%s", path, folder, *name);
		node = format("%s%s", dev, *name);
		holder = holder_of(dir, node);
		free(node);
		free(dir);
	}
	strings_free(names);
	return holder;
}

static const struct holder *holder_of_group(const char *path)
{
	const struct holder *holder;
	char *group = sysfs_link(path, "iommu_group"), *dir, *node;

	if (!group)
		return NULL;
	dir = format("/sys/class/vfio/%s", group);
	node = format("/dev/vfio/%s", group);
	holder = holder_of(dir, node);
	free(node);
	free(dir);
	free(group);
	return holder;
}

/* Through a container or iommufd */
static const struct holder *vfio_holder(const char *path)
{
	const struct holder *holder = holder_of_group(path);

	return holder ? holder : holder_in(path, "vfio-dev", "/dev/vfio/devices/");
}

/**
 * vgpu_holder() - the VMM that has a vGPU open
 * @v: the vGPU
 *
 * Return: the process, or NULL if none is known.
 */
const struct holder *vgpu_holder(const struct vgpu *v)
{
	return vfio_holder(v->path);
}

static const struct holder *screen_holder(const char *path)
{
	const struct holder *holder = holder_in(path, "drm", "/dev/dri/");

	return holder ? holder : holder_in(path, "graphics", "/dev/");
}

/**
 * gpu_holder() - a process that has a GPU open which is no parent
 * @gpu: the GPU
 *
 * Return: the process, or NULL if none is known.
 */
const struct holder *gpu_holder(const struct gpu *gpu)
{
	const struct holder *holder = screen_holder(gpu->path);
	char *path;

	/* where a virtio-gpu's screens are depends on the kernel */
	if (!holder && gpu->child) {
		path = format("%s/%s", gpu->path, gpu->child);
		holder = screen_holder(path);
		free(path);
	}
	return holder ? holder : vfio_holder(gpu->path);
}
