// SPDX-License-Identifier: MIT
/*
 * Owns the ways to read, write and list what the kernel shows as files. Holds no state.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mvgpuctl.h"

#define FILE_SIZE 4096	/* of sysfs, at most */

static int open_file(const char *dir, const char *name, int flags)
{
	char *path = format("%s/%s", dir, name);
	int fd = open(path, flags | O_CLOEXEC);

	free(path);
	return fd;
}

/**
 * sysfs_read() - read an attribute
 * @dir: the folder
 * @name: the attribute, or a path from @dir
 *
 * Return: its text without the newline at the end, for free(); NULL with errno set.
 */
char *sysfs_read(const char *dir, const char *name)
{
	char buf[FILE_SIZE + 1];
	int fd = open_file(dir, name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, buf, FILE_SIZE);
	close(fd);
	if (n < 0)
		return NULL;
	while (n && (buf[n - 1] == '\n' || !buf[n - 1]))
		n--;
	buf[n] = 0;
	return must_have(strdup(buf));
}

/**
 * sysfs_write() - write an attribute
 * @dir: the folder
 * @name: the attribute, or a path from @dir
 * @value: what to write; a newline is added
 *
 * Return: 0 or a negative errno.
 */
int sysfs_write(const char *dir, const char *name, const char *value)
{
	int fd = open_file(dir, name, O_WRONLY), ret = 0;
	char *line;

	if (fd < 0)
		return -errno;
	line = format("%s\n", value);
	if (write(fd, line, strlen(line)) < 0)
		ret = -errno;
	free(line);
	close(fd);
	return ret;
}

/**
 * sysfs_link() - the name of what a link leads to
 * @dir: the folder
 * @name: the link
 *
 * Return: the last part of its target, for free(); NULL with errno set.
 */
char *sysfs_link(const char *dir, const char *name)
{
	char *path = format("%s/%s", dir, name);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	char *slash;

	free(path);
	if (n < 0)
		return NULL;
	target[n] = 0;
	slash = strrchr(target, '/');
	return must_have(strdup(slash ? slash + 1 : target));
}

bool sysfs_has(const char *dir, const char *name)
{
	char *path = format("%s/%s", dir, name);
	bool has = !access(path, F_OK);

	free(path);
	return has;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/**
 * sysfs_list() - what is in a folder
 * @dir: the folder that it is in
 * @name: the folder
 *
 * Return: the names in order, then NULL, for strings_free(); nothing if there is no folder.
 */
char **sysfs_list(const char *dir, const char *name)
{
	char *path = format("%s/%s", dir, name);
	struct dirent **entries = NULL;
	int i, n = scandir(path, &entries, visible, versionsort);
	char **names = must_have(calloc((n > 0 ? n : 0) + 1, sizeof(*names)));

	for (i = 0; i < n; i++) {
		names[i] = must_have(strdup(entries[i]->d_name));
		free(entries[i]);
	}
	free(entries);
	free(path);
	return names;
}

void strings_free(char **strings)
{
	char **s;

	for (s = strings; *s; s++)
		free(*s);
	free(strings);
}
