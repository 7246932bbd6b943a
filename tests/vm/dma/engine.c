// SPDX-License-Identifier: MIT
/*
 * Owns the programming model of the mvgpu-edu vGPU, the contents of guest memory, and the
 * counters that tell what the kernel has pinned for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "engine.h"

/**
 * engine_attach() - open one of the vGPUs that the command line names
 * @f: takes it; @env is set
 * @iommu: through which; belongs to the caller
 * @nr: the number of the vGPU
 */
void engine_attach(struct fixture *f, struct vgpu_iommu *iommu, unsigned int nr)
{
	if (nr >= f->env->nr || !strcmp(f->env->uuid[nr], "-"))
		skip("no vGPU #%u given", nr);
	f->uuid = f->env->uuid[nr];
	f->iommu = iommu;
	fixture_attach(f);
	memory_on(f);
}

/**
 * engine_open() - open the first vGPU in an address space of its own
 * @f: takes it; @env is set; fixture_close() closes it
 */
void engine_open(struct fixture *f)
{
	struct vgpu_iommu *iommu;

	iommu_open(f->env, &iommu);
	engine_attach(f, iommu, 0);
}

/**
 * copy_start() - let the engine begin
 * @f: the vGPU
 * @src: IOVA to read
 * @dst: IOVA to write
 * @len: bytes
 * @flags: E_GO_IRQ or 0
 */
void copy_start(struct fixture *f, __u64 src, __u64 dst, __u64 len, unsigned int flags)
{
	reg_write(f, BAR0, E_SRC, 8, src);
	reg_write(f, BAR0, E_DST, 8, dst);
	reg_write(f, BAR0, E_LEN, 8, len);
	reg_write(f, BAR0, E_COMMAND, 4, E_GO | flags);
}

bool copy_busy(struct fixture *f)
{
	return reg_read(f, BAR0, E_COMMAND, 4) & E_GO;
}

/**
 * copy_wait() - wait for the engine to finish
 * @f: the vGPU
 * @seconds: how long; then the test fails
 *
 * Return: what the copy came to: 0 or a negative errno.
 */
int copy_wait(struct fixture *f, double seconds)
{
	double end = seconds_now() + seconds;

	while (copy_busy(f)) {
		OK(seconds_now() < end, "the copy takes more than %.0f s", seconds);
		usleep(5000);
	}
	return -(int)reg_read(f, BAR0, E_RESULT, 4);
}

/**
 * copy() - copy and wait
 * @f: the vGPU
 * @src: IOVA to read
 * @dst: IOVA to write
 * @len: bytes
 *
 * A page takes 0.2 s on a machine that has nothing else to do.
 *
 * Return: 0 or a negative errno.
 */
int copy(struct fixture *f, __u64 src, __u64 dst, __u64 len)
{
	copy_start(f, src, dst, len, 0);
	return copy_wait(f, 20 + (len < 1 << 20 ? len / PAGE * 2 : 0));
}

/**
 * memory() - memory as a VMM has it for a guest
 * @size: bytes, a multiple of the page size
 *
 * Return: small pages, zeroed.
 */
void *memory(size_t size)
{
	void *p;

	p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK(p != MAP_FAILED, "no %zu bytes: %s", size, strerror(errno));
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

void map_iova(struct fixture *f, __u64 iova, void *p, size_t size, int prot)
{
	struct vgpu_error err;

	DID(vgpu_iommu_map(f->iommu, iova, p, size, prot, &err), &err);
}

void unmap_iova(struct fixture *f, __u64 iova, size_t size)
{
	struct vgpu_error err;
	__u64 unmapped;

	DID(vgpu_iommu_unmap(f->iommu, iova, size, &unmapped, &err), &err);
	EQ(unmapped, size);
}

/* No two bytes that a copy could confuse are alike: xorshift64* over the position. */
static __u8 pattern(__u64 seed, size_t i)
{
	__u64 x = (seed + 1) * 0x9e3779b97f4a7c15ULL + i / 8 + 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return x * 0x2545f4914f6cdd1dULL >> (8 * (i % 8));
}

/**
 * fill() - give memory contents that are known
 * @p: where
 * @size: bytes
 * @seed: which contents
 */
void fill(void *p, size_t size, __u64 seed)
{
	__u8 *byte = p;
	size_t i;

	for (i = 0; i < size; i++)
		byte[i] = pattern(seed, i);
}

/**
 * differs() - look whether memory has contents that are known
 * @p: where
 * @size: bytes
 * @seed: which contents
 *
 * Return: the first byte that differs, -1 for none.
 */
ssize_t differs(const void *p, size_t size, __u64 seed)
{
	const volatile __u8 *byte = p;
	size_t i;

	for (i = 0; i < size; i++)
		if (byte[i] != pattern(seed, i))
			return i;
	return -1;
}

void expect_filled(const char *file, int line, const char *what, const void *p, size_t size,
		   __u64 seed)
{
	ssize_t at = differs(p, size, seed);

	if (at >= 0)
		fail(file, line, "%s: byte 0x%zx of 0x%zx is 0x%02x, expected 0x%02x", what, at,
		     size, ((const __u8 *)p)[at], pattern(seed, at));
}

static bool attribute(struct fixture *f, const char *name, char *text, size_t size)
{
	char path[512];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/mvgpu/%s", vgpu_sysfs(f->dev), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, size - 1);
	close(fd);
	OK(len >= 0, "reading %s: %s", path, strerror(errno));
	text[len] = '\0';
	return true;
}

/**
 * counter() - one of the vGPU's counters in sysfs
 * @f: the vGPU
 * @name: of the counter
 *
 * Return: the sum of the numbers in it, -1 without such a counter.
 */
long long counter(struct fixture *f, const char *name)
{
	char text[1024], *p = text;
	long long sum = 0;

	if (!attribute(f, name, text, sizeof(text)))
		return -1;
	while (*p) {
		if (*p >= '0' && *p <= '9')
			sum += strtoll(p, &p, 10);
		else
			p++;
	}
	return sum;
}

/**
 * refusals() - how often a mapping was refused for one reason
 * @f: the vGPU
 * @kind: the reason, as the counters of errors name it
 *
 * Return: the number.
 */
long long refusals(struct fixture *f, const char *kind)
{
	char text[1024], *line, *rest = text;
	size_t len = strlen(kind);

	OK(attribute(f, "errors", text, sizeof(text)), "no counters of errors");
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, kind, len) && line[len] == ' ')
			return strtoll(line + len, NULL, 10);
	fail(__FILE__, __LINE__, "no counter of errors named %s", kind);
}

/**
 * set_attribute() - set what the operator can set of a vGPU
 * @f: the vGPU
 * @name: of the attribute in sysfs
 * @value: what to write
 */
void set_attribute(struct fixture *f, const char *name, const char *value)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/mvgpu/%s", vgpu_sysfs(f->dev), name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	OK(fd >= 0, "%s: %s", path, strerror(errno));
	OK(write(fd, value, strlen(value)) == (ssize_t)strlen(value), "%s: %s", path,
	   strerror(errno));
	close(fd);
}

/* Unpinning happens in the background, soon. */
void expect_idle(const char *file, int line, struct fixture *f)
{
	static const char *const names[] = { "pinned", "quarantined" };
	double end = seconds_now() + 5;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		while (counter(f, names[i]) > 0 && seconds_now() < end)
			usleep(10000);
		if (counter(f, names[i]) > 0)
			fail(file, line, "%lld pages are still %s", counter(f, names[i]), names[i]);
	}
}

/**
 * charged_pages() - what is charged to this process as locked or pinned
 *
 * The legacy container charges VmLck, iommufd VmPin.
 *
 * Return: pages.
 */
unsigned long charged_pages(void)
{
	unsigned long kib, sum = 0;
	char line[256];
	FILE *status;

	status = fopen("/proc/self/status", "re");
	OK(status, "no /proc/self/status: %s", strerror(errno));
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmLck: %lu kB", &kib) == 1 ||
		    sscanf(line, "VmPin: %lu kB", &kib) == 1)
			sum += kib * 1024 / PAGE;
	fclose(status);
	return sum;
}

double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}
