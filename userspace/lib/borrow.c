// SPDX-License-Identifier: MIT
/*
 * Owns struct borrowed: a backend that opens nothing, but duplicates the device file that
 * another process, say a VMM, has open. The vGPU's guest does not notice. What it maps stays
 * that process's affair.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"

/**
 * struct borrowed - a process whose files are duplicated
 * @iommu: what every backend has; its file stands for the process
 * @pid: the process
 */
struct borrowed {
	struct vgpu_iommu iommu;
	pid_t pid;
};

/* How sure we are that a file of the process is the one of the vGPU */
enum match { NO, MAYBE, YES };

static struct borrowed *to_borrowed(struct vgpu_iommu *iommu)
{
	return (struct borrowed *)((char *)iommu - offsetof(struct borrowed, iommu));
}

/* Newer kernels tell which device a file of the legacy container is of */
static enum match match_fdinfo(pid_t pid, int fd, const char *sysfs)
{
	static const char key[] = "vfio-device-syspath: ";
	char path[64], line[PATH_MAX + 64];
	enum match match = MAYBE;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	if (!file)
		return NO;
	while (match == MAYBE && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, key, strlen(key)))
			match = strcmp(line + strlen(key), sysfs) ? NO : YES;
	}
	fclose(file);
	return match;
}

/* The number of the vGPU's device file; 0 where the kernel has none */
static dev_t cdev_of(const char *sysfs)
{
	unsigned int major, minor;
	struct dirent *entry;
	char path[PATH_MAX + NAME_MAX + 32];
	dev_t dev = 0;
	FILE *file;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/vfio-dev", sysfs);
	dir = opendir(path);
	while (dir && !dev && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/vfio-dev/%s/dev", sysfs, entry->d_name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%u:%u", &major, &minor) == 2)
			dev = makedev(major, minor);
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	return dev;
}

/* By the device's number, not by a name, which is what the process makes it */
static enum match match_fd(pid_t pid, int fd, const char *sysfs, dev_t cdev)
{
	char path[64], target[64];
	struct statx st;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return NO;
	target[len] = '\0';
	if (!strcmp(target, "anon_inode:[vfio-device]"))
		return match_fdinfo(pid, fd, sysfs);
	if (!cdev || statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) ||
	    !S_ISCHR(st.stx_mode))
		return NO;
	return makedev(st.stx_rdev_major, st.stx_rdev_minor) == cdev ? YES : NO;
}

/* What has been duplicated is still what was found, and open, which O_PATH is not */
static bool is_device(int fd, dev_t cdev)
{
	char path[32], target[64];
	struct stat st;
	ssize_t len;

	if (fcntl(fd, F_GETFL) & O_PATH || fstat(fd, &st))
		return false;
	if (cdev && S_ISCHR(st.st_mode) && st.st_rdev == cdev)
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	return !strcmp(target, "anon_inode:[vfio-device]");
}

/* The file of the vGPU; -EXDEV if there are several that might be */
static int find_fd(struct borrowed *borrowed, const char *sysfs, dev_t cdev)
{
	enum match match, best = NO;
	struct dirent *entry;
	char path[32];
	int fd = -ENODEV;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", borrowed->pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (best != YES && (entry = readdir(dir))) {
		match = entry->d_name[0] == '.' ? NO :
			match_fd(borrowed->pid, atoi(entry->d_name), sysfs, cdev);
		if (match == NO)
			continue;
		fd = match == MAYBE && best == MAYBE ? -EXDEV : atoi(entry->d_name);
		best = match;
	}
	closedir(dir);
	return fd;
}

static int borrowed_attach(struct vgpu_iommu *iommu, const char *name, const char *sysfs, int *fd,
			   void **cookie, struct vgpu_error *err)
{
	struct borrowed *borrowed = to_borrowed(iommu);
	dev_t cdev = cdev_of(sysfs);
	int theirs;

	theirs = find_fd(borrowed, sysfs, cdev);
	if (theirs < 0)
		return vgpu_fail(err, theirs, name, "finding its file in process %d",
				 borrowed->pid);
	*fd = pidfd_getfd(iommu->fd, theirs, 0);
	if (*fd < 0)
		return vgpu_fail(err, -errno, name, "duplicating file %d of process %d", theirs,
				 borrowed->pid);
	if (!is_device(*fd, cdev)) {
		close(*fd);
		return vgpu_fail(err, -ENODEV, name, "taking file %d of process %d for it",
				 theirs, borrowed->pid);
	}
	*cookie = NULL;
	return 0;
}

static void borrowed_detach(struct vgpu_iommu *iommu, void *cookie)
{
	(void)iommu;
	(void)cookie;
}

static int borrowed_map(struct vgpu_iommu *iommu, __u64 iova, void *vaddr, __u64 size, int prot,
			struct vgpu_error *err)
{
	(void)iommu;
	(void)vaddr;
	(void)prot;
	return vgpu_fail(err, -EOPNOTSUPP, NULL, "mapping 0x%llx bytes at IOVA 0x%llx for another",
			 size, iova);
}

static int borrowed_unmap(struct vgpu_iommu *iommu, __u64 iova, __u64 size, bool all,
			  __u64 *unmapped, struct vgpu_error *err)
{
	(void)iommu;
	(void)all;
	(void)unmapped;
	return vgpu_fail(err, -EOPNOTSUPP, NULL,
			 "unmapping 0x%llx bytes at IOVA 0x%llx for another", size, iova);
}

static void borrowed_destroy(struct vgpu_iommu *iommu)
{
	close(iommu->fd);
	free(to_borrowed(iommu));
}

static const struct vgpu_iommu_ops borrowed_ops = {
	.attach = borrowed_attach,
	.detach = borrowed_detach,
	.map = borrowed_map,
	.unmap = borrowed_unmap,
	.destroy = borrowed_destroy,
};

/**
 * vgpu_borrow() - get at vGPUs that another process has open
 * @pid: the process
 * @iommu: takes the backend; vgpu_iommu_close() frees it
 * @err: takes the reason of a failure; may be NULL
 *
 * vgpu_open() then duplicates that process's device file, for which one needs the right to
 * trace it. It fails with -ENODEV if the process does not have the vGPU open, and with -EXDEV
 * if it has several devices open and the kernel does not say which is which.
 *
 * Return: 0; -ESRCH when there is no such process; -ENOMEM; another negative errno.
 */
int vgpu_borrow(pid_t pid, struct vgpu_iommu **iommu, struct vgpu_error *err)
{
	struct borrowed *borrowed;
	int ret;

	borrowed = calloc(1, sizeof(*borrowed));
	if (!borrowed)
		return vgpu_fail(err, -ENOMEM, NULL, "borrowing from process %d", pid);
	borrowed->iommu.ops = &borrowed_ops;
	borrowed->pid = pid;
	borrowed->iommu.fd = pidfd_open(pid, 0);
	if (borrowed->iommu.fd < 0) {
		ret = vgpu_fail(err, -errno, NULL, "borrowing from process %d", pid);
		free(borrowed);
		return ret;
	}
	*iommu = &borrowed->iommu;
	return 0;
}
