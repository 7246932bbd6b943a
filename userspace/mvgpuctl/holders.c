// SPDX-License-Identifier: MIT
/*
 * Owns the list of processes that have a GPU or a vGPU open, as /proc tells. Others than
 * root are told only about their own processes.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mvgpuctl.h"

static struct holder *holders;
static unsigned int num_holders;

static bool interesting(const char *target)
{
	static const char *const prefixes[] = { "/dev/vfio/", "/dev/dri/", "/dev/fb" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(target, prefixes[i], strlen(prefixes[i])))
			return strcmp(target, "/dev/vfio/vfio");
	return false;
}

static void add_holder(const char *pid, const char *node)
{
	char *dir = format("/proc/%s", pid), *comm = sysfs_read(dir, "comm");
	struct holder *holder;

	holders = must_have(reallocarray(holders, num_holders + 1, sizeof(*holders)));
	holder = &holders[num_holders++];
	holder->pid = atoi(pid);
	snprintf(holder->comm, sizeof(holder->comm), "%s", comm ? comm : "?");
	snprintf(holder->node, sizeof(holder->node), "%s", node);
	free(comm);
	free(dir);
}

static void look_at(const char *pid)
{
	char *dir = format("/proc/%s/fd", pid);
	char **fds = sysfs_list(dir, "."), **fd;
	char target[64], *path;
	ssize_t n;

	for (fd = fds; *fd; fd++) {
		path = format("%s/%s", dir, *fd);
		n = readlink(path, target, sizeof(target) - 1);
		free(path);
		if (n <= 0)
			continue;
		target[n] = 0;
		if (interesting(target))
			add_holder(pid, target);
	}
	strings_free(fds);
	free(dir);
}

static void forget(void)
{
	free(holders);
}

static const struct holder *holder_of(const char *node)
{
	static bool known;
	char **pids, **pid;
	unsigned int i;

	if (!known) {
		known = true;
		atexit(forget);
		pids = sysfs_list("/proc", ".");
		for (pid = pids; *pid; pid++)
			if (isdigit(**pid) && atoi(*pid) != getpid())
				look_at(*pid);
		strings_free(pids);
	}
	for (i = 0; i < num_holders; i++)
		if (!strcmp(holders[i].node, node))
			return &holders[i];
	return NULL;
}

/* Whether /proc tells about all processes */
bool holders_known(void)
{
	return !geteuid();
}

/* The first process that has one of the devices open whose names are in a folder */
static const struct holder *holder_in(const char *path, const char *folder, const char *dev)
{
	const struct holder *holder = NULL;
	char **names = sysfs_list(path, folder), **name;
	char *node;

	for (name = names; *name && !holder; name++) {
		node = format("%s%s", dev, *name);
		holder = holder_of(node);
		free(node);
	}
	strings_free(names);
	return holder;
}

static const struct holder *holder_of_group(const char *path)
{
	const struct holder *holder;
	char *group = sysfs_link(path, "iommu_group"), *node;

	if (!group)
		return NULL;
	node = format("/dev/vfio/%s", group);
	holder = holder_of(node);
	free(node);
	free(group);
	return holder;
}

/**
 * vgpu_holder() - the VMM that has a vGPU open
 * @v: the vGPU
 *
 * Return: the process, or NULL if none is known.
 */
const struct holder *vgpu_holder(const struct vgpu *v)
{
	const struct holder *holder = holder_of_group(v->path);

	return holder ? holder : holder_in(v->path, "vfio-dev", "/dev/vfio/devices/");
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
	return holder ? holder : holder_of_group(gpu->path);
}
