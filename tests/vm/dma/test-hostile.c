// SPDX-License-Identifier: MIT
/*
 * Owns the tests with addresses that no honest guest names: each must be refused with the
 * right errno, leave nothing pinned, touch nothing, and leave the engine in order.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "engine.h"

#define DATA 1
#define CANARY 2
#define GOOD (4 * IOVA)

/* Each page alike, so that they can be looked at one by one */
static void fill_pages(__u8 *p, unsigned int pages, __u64 seed)
{
	while (pages--)
		fill(p + pages * PAGE, PAGE, seed);
}

static void expect_pages(int line, const __u8 *p, unsigned int pages, __u64 seed)
{
	while (pages--)
		expect_filled(__FILE__, line, "a page out of bounds", p + pages * PAGE, PAGE, seed);
}

#define UNTOUCHED(p, pages) expect_pages(__LINE__, p, pages, CANARY)

/* Four good pages: a source, a page that may be written, two that may not change */
static __u8 *good_memory(struct fixture *f)
{
	__u8 *p = memory(4 * PAGE);

	fill(p, PAGE, DATA);
	fill_pages(p + PAGE, 3, CANARY);
	map_iova(f, GOOD, p, 4 * PAGE, RW);
	return p;
}

static __u8 *open_good(struct fixture *f)
{
	engine_open(f);
	return good_memory(f);
}

static void close_in_order(struct fixture *f, const __u8 *good)
{
	IDLE(f);
	EQ(copy(f, GOOD, GOOD + PAGE, PAGE), 0);
	FILLED("a good copy", good + PAGE, PAGE, DATA);
	FILLED("its source", good, PAGE, DATA);
	IDLE(f);
	fixture_close(f);
}

/* @bad as the source and as the destination; each time one error more is counted */
static void refused(struct fixture *f, __u64 bad, __u64 len, int reading, int writing)
{
	long long errors = counter(f, "errors");

	REFUSED(copy(f, bad, GOOD + PAGE, len), reading);
	IDLE(f);
	REFUSED(copy(f, GOOD, bad, len), writing);
	IDLE(f);
	if (errors >= 0)
		OK(counter(f, "errors") >= errors + 2, "%lld errors counted, not 2",
		   counter(f, "errors") - errors);
}

static void unmapped(struct fixture *f)
{
	static const __u64 bad[] = {
		0, IOVA, GOOD - PAGE, GOOD + 4 * PAGE, 1ULL << 40, 1ULL << 63, -PAGE,
	};
	unsigned int i;
	__u8 *good;

	good = open_good(f);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		refused(f, bad[i], PAGE, EFAULT, EFAULT);
	close_in_order(f, good);
}

/* It begins in what is mapped and ends in what is not. */
static void half_mapped(struct fixture *f)
{
	__u8 *good, *p = memory(2 * PAGE);

	good = open_good(f);
	fill_pages(p, 2, CANARY);
	map_iova(f, IOVA, p, PAGE, RW);
	REFUSED(copy(f, IOVA, GOOD + PAGE, 2 * PAGE), EFAULT);
	REFUSED(copy(f, GOOD, IOVA, 2 * PAGE), EFAULT);
	UNTOUCHED(p + PAGE, 1);
	UNTOUCHED(good + 3 * PAGE, 1);
	close_in_order(f, good);
}

static void wraps(struct fixture *f)
{
	static const struct {
		__u64 iova;
		__u64 len;
	} bad[] = {
		{ -PAGE, 2 * PAGE }, { -1, 2 }, { -8, PAGE }, { -PAGE + 1, -1 },
		{ GOOD + 4 * PAGE, -GOOD }, { 1ULL << 63, 1ULL << 63 },
	};
	unsigned int i;
	__u8 *good;

	good = open_good(f);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		REFUSED(copy(f, bad[i].iova, GOOD + PAGE, bad[i].len), EFAULT, EINVAL, ENOSPC);
		REFUSED(copy(f, GOOD, bad[i].iova, bad[i].len), EFAULT, EINVAL, ENOSPC);
	}
	IDLE(f);
	UNTOUCHED(good + 2 * PAGE, 2);
	close_in_order(f, good);
}

static void lengths(struct fixture *f)
{
	static const __u64 huge[] = { 1ULL << 32, 1ULL << 40, 1ULL << 63, ~0ULL };
	unsigned int i;
	__u8 *good;
	int ret;

	good = open_good(f);
	ret = copy(f, GOOD, GOOD + 2 * PAGE, 0);
	if (ret)
		REFUSED(ret, EINVAL);
	ret = copy(f, IOVA, 2 * IOVA, 0);
	if (ret)
		REFUSED(ret, EINVAL, EFAULT);
	UNTOUCHED(good + 2 * PAGE, 2);
	for (i = 0; i < ARRAY_SIZE(huge); i++)
		REFUSED(copy(f, GOOD + 3 * PAGE, GOOD + 2 * PAGE, huge[i]), EFAULT, EINVAL, ENOSPC);
	close_in_order(f, good);
}

static void read_only(struct fixture *f)
{
	__u8 *good, *p = memory(PAGE);

	good = open_good(f);
	fill(p, PAGE, CANARY);
	map_iova(f, IOVA, p, PAGE, PROT_READ);
	REFUSED(copy(f, GOOD, IOVA, PAGE), EPERM);
	UNTOUCHED(p, 1);
	IDLE(f);
	/* reading is allowed, and writing not even while it is being read */
	EQ(copy(f, IOVA, GOOD + PAGE, PAGE), 0);
	REFUSED(copy(f, IOVA, IOVA, PAGE), EPERM);
	UNTOUCHED(p, 1);
	close_in_order(f, good);
}

/* The VMM maps for writing what it has no right to write itself. */
static void vmm_read_only(struct fixture *f)
{
	__u8 *good, *p = memory(PAGE);

	good = open_good(f);
	fill(p, PAGE, CANARY);
	EQ(mprotect(p, PAGE, PROT_READ), 0);
	map_iova(f, IOVA, p, PAGE, RW);
	REFUSED(copy(f, GOOD, IOVA, PAGE), EFAULT, EPERM);
	UNTOUCHED(p, 1);
	close_in_order(f, good);
}

/* The IOVA stays, the memory behind it goes. */
static void memory_gone(struct fixture *f)
{
	__u8 *good, *p = memory(PAGE);

	good = open_good(f);
	map_iova(f, IOVA, p, PAGE, RW);
	EQ(copy(f, GOOD, IOVA, PAGE), 0);
	FILLED("the copy", p, PAGE, DATA);
	munmap(p, PAGE);
	refused(f, IOVA, PAGE, EFAULT, EFAULT);
	close_in_order(f, good);
}

static void truncated(struct fixture *f)
{
	__u8 *good, *p;
	int fd;

	good = open_good(f);
	fd = memfd_create("guest", MFD_CLOEXEC);
	EQ(ftruncate(fd, 2 * PAGE), 0);
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	fill_pages(p, 2, CANARY);
	map_iova(f, IOVA, p, 2 * PAGE, RW);
	EQ(ftruncate(fd, PAGE), 0);
	EQ(copy(f, GOOD, IOVA, PAGE), 0);
	FILLED("the page that stays", p, PAGE, DATA);
	refused(f, IOVA + PAGE, PAGE, EFAULT, EFAULT);

	/* under the engine's hands: the page lives until the engine is done with it */
	copy_start(f, GOOD, IOVA, PAGE, 0);
	usleep(130000);
	EQ(ftruncate(fd, 0), 0);
	EQ(copy_wait(f, 10), 0);
	refused(f, IOVA, PAGE, EFAULT, EFAULT);
	close_in_order(f, good);
}

static void device_memory(struct fixture *f)
{
	struct fixture screen = { .env = f->env };
	struct vgpu_iommu *iommu;
	unsigned int i;
	__u8 *good;
	char *p;

	good = open_good(f);
	/* the last vGPU may be one that has memory of its own to show */
	iommu_open(f->env, &iommu);
	if (f->env->nr < 2)
		skip("one vGPU only");
	engine_attach(&screen, iommu, f->env->nr - 1);
	if (!(screen.region[BAR0].flags & VFIO_REGION_INFO_FLAG_MMAP))
		skip("the last vGPU has no BAR that can be mapped");
	p = map_region(&screen, BAR0, 0, 4 * PAGE, RW);
	for (i = 0; i < 4 * PAGE; i += 4)
		store32(p + i, 0x5c4ee4);
	map_iova(f, IOVA, p, 4 * PAGE, RW);
	refused(f, IOVA, PAGE, EFAULT, EFAULT);
	refused(f, IOVA + 3 * PAGE, 64, EFAULT, EFAULT);
	for (i = 0; i < 4 * PAGE; i += 4)
		HEX(load32(p + i), 0x5c4ee4);
	close_in_order(f, good);
	fixture_close(&screen);
}

/* The firmware's: it has struct pages, which is all that VFIO looks for. */
static void reserved_memory(struct fixture *f)
{
	__u8 *good;
	void *p;
	int fd;

	good = open_good(f);
	fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	p = fd < 0 ? MAP_FAILED : mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0xf0000);
	if (p == MAP_FAILED)
		skip("/dev/mem: %s", strerror(errno));
	map_iova(f, IOVA, p, PAGE, PROT_READ);
	REFUSED(copy(f, IOVA, GOOD + PAGE, PAGE), EFAULT);
	REFUSED(copy(f, GOOD, IOVA, PAGE), EFAULT, EPERM);
	close_in_order(f, good);
}

/* A copy needs two pages at a time. */
static void over_quota(struct fixture *f)
{
	long long count;
	__u8 *good;

	good = open_good(f);
	count = refusals(f, "quota");
	set_attribute(f, "quota", "1");
	REFUSED(copy(f, GOOD, GOOD + PAGE, PAGE), ENOSPC);
	EQ(refusals(f, "quota"), count + 1);
	UNTOUCHED(good + PAGE, 1);
	IDLE(f);
	/* one page as both ends of a copy is within it */
	EQ(copy(f, GOOD + 3 * PAGE, GOOD + 3 * PAGE + 64, 8), 0);
	set_attribute(f, "quota", "2");
	EQ(copy(f, GOOD, GOOD + PAGE, PAGE), 0);
	EQ(refusals(f, "quota"), count + 1);
	/* back to what the next VMM may lock */
	set_attribute(f, "quota", "0");
	fixture_close(f);
}

/* What a VMM may lock is its quota, unless it may lock anything. */
static void default_quota(struct fixture *f)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct rlimit limit = { .rlim_cur = PAGE, .rlim_max = PAGE };
	struct __user_cap_data_struct caps[2];
	__u8 *good;

	engine_open(f);
	EQ(counter(f, "quota"), 0);
	fixture_close(f);

	EQ(syscall(SYS_capget, &head, caps), 0);
	caps[0].effective &= ~(1U << CAP_IPC_LOCK);
	EQ(syscall(SYS_capset, &head, caps), 0);
	EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	engine_open(f);
	EQ(counter(f, "quota"), 1);
	good = good_memory(f);
	REFUSED(copy(f, GOOD, GOOD + PAGE, PAGE), ENOSPC);
	UNTOUCHED(good + PAGE, 1);
	fixture_close(f);
}

/* The guest changes its mind while the engine is at work. */
static void changed(struct fixture *f)
{
	__u8 *good;

	good = open_good(f);
	copy_start(f, GOOD, GOOD + PAGE, PAGE, 0);
	reg_write(f, BAR0, E_SRC, 8, IOVA);
	reg_write(f, BAR0, E_DST, 8, GOOD + 2 * PAGE);
	reg_write(f, BAR0, E_LEN, 8, 16 * PAGE);
	reg_write(f, BAR0, E_COMMAND, 4, E_GO);
	if (!copy_busy(f))
		skip("the engine was done before its registers changed");
	EQ(copy_wait(f, 20), 0);
	FILLED("the copy", good + PAGE, PAGE, DATA);
	UNTOUCHED(good + 2 * PAGE, 2);
	close_in_order(f, good);
}

/* Every register in every way */
static void any_access(struct fixture *f)
{
	__u8 buf[16] = { 0 };
	unsigned int pos, width;
	__u8 *good;

	good = open_good(f);
	for (pos = 0; pos < 0x100; pos++) {
		for (width = 1; width <= 8; width *= 2) {
			memset(buf, 0xff, sizeof(buf));
			try_write(f, BAR0, pos, buf, width);
			try_read(f, BAR0, pos, buf, width);
		}
	}
	copy_wait(f, 20);
	reg_write(f, BAR0, E_IRQ_ACK, 4, ~0U);
	close_in_order(f, good);
}

static const struct test tests[] = {
	{ "an IOVA that nobody mapped", ON_NONE, unmapped },
	{ "the end is not mapped", ON_NONE, half_mapped },
	{ "a range that wraps", ON_NONE, wraps },
	{ "no length and huge ones", ON_NONE, lengths },
	{ "a read-only mapping, for writing", ON_NONE, read_only },
	{ "memory that the VMM may not write", ON_NONE, vmm_read_only },
	{ "memory that has gone", ON_NONE, memory_gone },
	{ "a file that is cut short", ON_NONE, truncated },
	{ "device memory", ON_NONE, device_memory },
	{ "reserved memory", ON_NONE, reserved_memory },
	{ "over the operator's quota", ON_NONE, over_quota },
	{ "over what the VMM may lock", ON_NONE, default_quota },
	{ "registers that change meanwhile", ON_NONE, changed },
	{ "any access to any register", ON_NONE, any_access },
};

const struct group group_hostile = GROUP("hostile", tests);
