// SPDX-License-Identifier: MIT
/*
 * Owns the tests of mappings: what may be mapped, that a mapping and read() see
 * the same memory, and that it is gone when the device says so, however user
 * space has moved, split, copied or inherited it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/wait.h>

#include "util.h"

#define RW (PROT_READ | PROT_WRITE)

static unsigned int mapped_bar(const struct fixture *f)
{
	return f->role == ON_BOCHS ? BAR0 : BAR2;
}

/* How much of the BAR, from its start, can be mapped */
static __u64 mappable(struct fixture *f)
{
	return f->region[mapped_bar(f)].areas[0].size;
}

static void refuse(struct fixture *f, unsigned int region, __u64 pos, size_t size, int prot,
		   int flags)
{
	void *p;

	REFUSED(try_map(f, region, pos, size, prot, flags, &p), EINVAL, EPERM, ENODEV, EACCES,
		EOVERFLOW, ENOMEM);
}

static void coherent(struct fixture *f)
{
	const unsigned int bar = mapped_bar(f);
	const __u64 size = mappable(f);
	__u64 pos, value;
	char *p;

	memory_on(f);
	p = map_region(f, bar, 0, size, RW);
	for (pos = 0; pos < size; pos += size / 64)
		store32(p + pos, 0xa0000000 + pos);
	store32(p + size - 4, 0x1a57);
	for (pos = 0; pos < size; pos += size / 64)
		HEX(reg_read(f, bar, pos, 4), 0xa0000000 + pos);
	HEX(reg_read(f, bar, size - 4, 4), 0x1a57);
	for (pos = 0; pos < size; pos += size / 64)
		reg_write(f, bar, pos + 8, 8, 0xb000000000000000 + pos);
	for (pos = 0; pos < size; pos += size / 64) {
		OK(!touch_load(p + pos + 8, 8, &value), "a fault at 0x%llx", pos);
		HEX(value, 0xb000000000000000 + pos);
	}
	EQ(munmap(p, size), 0);
}

static void partial(struct fixture *f)
{
	const unsigned int bar = mapped_bar(f);
	const __u64 size = mappable(f);
	char *whole, *page, *tail;

	memory_on(f);
	whole = map_region(f, bar, 0, size, RW);
	page = map_region(f, bar, 3 * PAGE, PAGE, RW);
	tail = map_region(f, bar, size - 2 * PAGE, 2 * PAGE, RW);
	store32(whole + 3 * PAGE, 0x33333333);
	HEX(load32(page), 0x33333333);
	store32(tail + PAGE, 0x44444444);
	HEX(load32(whole + size - PAGE), 0x44444444);
	store32(page + PAGE - 4, 0x55555555);
	HEX(reg_read(f, bar, 4 * PAGE - 4, 4), 0x55555555);
}

static void past_end(struct fixture *f)
{
	const unsigned int bar = mapped_bar(f);
	const __u64 size = f->region[bar].size;

	refuse(f, bar, size, PAGE, RW, MAP_SHARED);
	refuse(f, bar, 0, size + PAGE, RW, MAP_SHARED);
	refuse(f, bar, size - PAGE, 2 * PAGE, RW, MAP_SHARED);
	refuse(f, bar, 16 * size, PAGE, RW, MAP_SHARED);
	refuse(f, bar, 0, 1UL << 41, RW, MAP_SHARED);
	refuse(f, bar, 0, 1UL << 46, RW, MAP_SHARED);
	refuse(f, bar, INT64_MAX - PAGE + 1 - f->region[bar].offset, PAGE, RW, MAP_SHARED);
	refuse(f, bar, 1, PAGE, RW, MAP_SHARED);
}

static void private_refused(struct fixture *f)
{
	refuse(f, mapped_bar(f), 0, PAGE, RW, MAP_PRIVATE);
	refuse(f, mapped_bar(f), 0, PAGE, PROT_READ, MAP_PRIVATE);
	if (f->role == ON_BOCHS)
		refuse(f, GFX_REGION, 0, PAGE, PROT_READ, MAP_PRIVATE);
}

static void unmappable(struct fixture *f)
{
	unsigned int i;

	memory_on(f);
	for (i = 0; i < f->nr_regions; i++)
		if (!(f->region[i].flags & VFIO_REGION_INFO_FLAG_MMAP)) {
			refuse(f, i, 0, PAGE, PROT_READ, MAP_SHARED);
			refuse(f, i, 0, PAGE, RW, MAP_SHARED);
		}
	for (i = f->nr_regions; i < 4096; i++) {
		void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, vgpu_fd(f->dev),
				 (__u64)i * f->region[1].offset);

		OK(map == MAP_FAILED, "region %u, which does not exist, can be mapped", i);
	}
}

static void hole(struct fixture *f)
{
	memory_on(f);
	refuse(f, BAR2, T_BAR2_MAPPED, PAGE, RW, MAP_SHARED);
	refuse(f, BAR2, T_BAR2_SIZE - PAGE, PAGE, RW, MAP_SHARED);
	refuse(f, BAR2, T_BAR2_MAPPED - PAGE, 2 * PAGE, RW, MAP_SHARED);
	refuse(f, BAR2, 0, T_BAR2_SIZE, RW, MAP_SHARED);
	/* reads and writes reach it all the same, and it is no alias of the rest */
	reg_write(f, BAR2, T_BAR2_MAPPED, 4, 0x501e);
	reg_write(f, BAR2, 0, 4, 0x3a77);
	HEX(reg_read(f, BAR2, T_BAR2_MAPPED, 4), 0x501e);
	HEX(reg_read(f, BAR2, 0, 4), 0x3a77);
}

static void executable(struct fixture *f)
{
	void *p;
	int ret;

	memory_on(f);
	ret = try_map(f, mapped_bar(f), 0, PAGE, RW | PROT_EXEC, MAP_SHARED, &p);
	if (ret) {
		REFUSED(ret, EINVAL, EPERM, EACCES);
		return;
	}
	store32(p, 0xc3c3c3c3);
	HEX(load32(p), 0xc3c3c3c3);
	munmap(p, PAGE);
}

static void grow(struct fixture *f)
{
	const __u64 size = mappable(f);
	char *p, *q;

	memory_on(f);
	p = map_region(f, mapped_bar(f), size - PAGE, PAGE, RW);
	store32(p, 1);
	q = mremap(p, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	if (q != MAP_FAILED) {
		OK(faults(q + PAGE), "growing a mapping reaches past its end");
		OK(faults(q + 3 * PAGE), "growing a mapping reaches far past its end");
	}
	/* an old size of 0 asks for a second mapping of the same pages */
	q = mremap(p, 0, 4 * PAGE, MREMAP_MAYMOVE);
	if (q != MAP_FAILED)
		OK(faults(q + PAGE), "a copied mapping reaches past its end");
}

/* Every way in which memory goes off must reach @p, and turning it on bring it back. */
static void check_zap(struct fixture *f, const char *what, void *p, size_t size)
{
	size_t pos;

	for (pos = 0; pos < size; pos += PAGE)
		OK(!faults((char *)p + pos), "%s: a fault with memory on", what);
	memory_off(f);
	for (pos = 0; pos < size; pos += PAGE)
		OK(faults((char *)p + pos), "%s: still there at 0x%zx with memory off", what, pos);
	memory_on(f);
	for (pos = 0; pos < size; pos += PAGE)
		OK(!faults((char *)p + pos), "%s: not back with memory on", what);
}

static void zap(struct fixture *f)
{
	const unsigned int bar = mapped_bar(f);
	const __u64 size = mappable(f);
	char *p;

	/* before memory is on there is nothing to see */
	p = map_region(f, bar, 0, size, RW);
	OK(faults(p), "a mapping is there before memory is on");
	memory_on(f);
	store32(p, 0x600df00d);
	store32(p + size - PAGE, 0x600df11d);
	check_zap(f, "a mapping", p, size > 64 * PAGE ? 64 * PAGE : size);
	check_zap(f, "the end of a mapping", p + size - PAGE, PAGE);
	HEX(load32(p), 0x600df00d);
	HEX(load32(p + size - PAGE), 0x600df11d);

	/* a mapping made while memory is off is none until it is on */
	memory_off(f);
	p = map_region(f, bar, 0, PAGE, RW);
	OK(faults(p), "a new mapping is there with memory off");
	memory_on(f);
	HEX(load32(p), 0x600df00d);
}

static void zap_many(struct fixture *f)
{
	char *p[64];
	unsigned int i, round;

	memory_on(f);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = map_region(f, mapped_bar(f), (i % 8) * PAGE, 2 * PAGE, RW);
		if (i % 3)
			store32(p[i], i);
	}
	for (round = 0; round < 20; round++) {
		memory_off(f);
		for (i = round % 7; i < ARRAY_SIZE(p); i += 7)
			OK(faults(p[i]), "mapping %u is there with memory off", i);
		memory_on(f);
		for (i = round % 5; i < ARRAY_SIZE(p); i += 5)
			OK(!faults(p[i]), "mapping %u is not back", i);
	}
}

static void zap_moved(struct fixture *f)
{
	char *p, *q, *room;

	memory_on(f);
	p = map_region(f, mapped_bar(f), 0, 4 * PAGE, RW);
	store32(p, 0x1111);
	store32(p + 3 * PAGE, 0x4444);
	room = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
	if (q == MAP_FAILED)
		skip("mappings cannot be moved: %s", strerror(errno));
	/* first without touching it in its new place */
	memory_off(f);
	OK(faults(q), "a moved mapping is still there with memory off");
	OK(faults(q + 3 * PAGE), "a moved mapping's end is still there with memory off");
	memory_on(f);
	HEX(load32(q), 0x1111);
	HEX(load32(q + 3 * PAGE), 0x4444);
	check_zap(f, "a moved mapping", q, 4 * PAGE);
}

static void zap_split(struct fixture *f)
{
	char *p;
	unsigned int i;

	memory_on(f);
	p = map_region(f, mapped_bar(f), 0, 8 * PAGE, RW);
	for (i = 0; i < 8; i++)
		store32(p + i * PAGE, i);
	EQ(munmap(p + 3 * PAGE, PAGE), 0);
	EQ(mprotect(p + 5 * PAGE, PAGE, PROT_READ), 0);
	check_zap(f, "the part before a hole", p, 3 * PAGE);
	check_zap(f, "the part behind a hole", p + 4 * PAGE, 4 * PAGE);
	for (i = 4; i < 8; i++)
		HEX(load32(p + i * PAGE), i);
	EQ(touch_store(p + 5 * PAGE, 4, 0), SIGSEGV);
}

static void zap_second_file(struct fixture *f)
{
	struct vgpu_device *second;
	struct vgpu_error err;
	void *p;

	needs_container(f->env);
	DID(vgpu_open(f->iommu, f->uuid, &second, &err), &err);
	memory_on(f);
	DID(vgpu_region_mmap(second, &f->region[mapped_bar(f)], 0, PAGE, RW, &p, &err), &err);
	store32(p, 1);
	check_zap(f, "a mapping of another file", p, PAGE);
	vgpu_close(second);
	check_zap(f, "a mapping of a closed file", p, PAGE);
}

static void wait_child(pid_t pid)
{
	int status;

	EQ(waitpid(pid, &status, 0), pid);
	/* a child that failed has left its reason */
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		_exit(EXIT_FAILURE);
}

static void fork_inherits(struct fixture *f)
{
	int ready, go, on, done;
	pid_t pid;
	char *p;

	ready = ev_new();
	go = ev_new();
	on = ev_new();
	done = ev_new();
	memory_on(f);
	p = map_region(f, mapped_bar(f), 0, 2 * PAGE, RW);
	store32(p, 0x1111);

	pid = fork();
	OK(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		HEX(load32(p), 0x1111);
		store32(p + PAGE, 0x2222);
		ev_write(ready);
		OK(ev_wait(go, 10000), "no word from the parent");
		OK(faults(p), "an inherited mapping is there with memory off");
		OK(faults(p + PAGE), "an inherited mapping's end is there with memory off");
		ev_write(done);
		OK(ev_wait(on, 10000), "no word from the parent");
		HEX(load32(p + PAGE), 0x2222);
		_exit(EXIT_SUCCESS);
	}
	FIRES(ready);
	HEX(load32(p + PAGE), 0x2222);
	memory_off(f);
	OK(faults(p), "the mapping is there with memory off");
	ev_write(go);
	if (!ev_wait(done, 10000))
		wait_child(pid);
	memory_on(f);
	ev_write(on);
	wait_child(pid);
	check_zap(f, "the mapping after the child is gone", p, 2 * PAGE);
}

/* The kernel itself reads and writes through a mapping. */
static void kernel_access(struct fixture *f)
{
	int pipefd[2];
	char *p;

	EQ(pipe(pipefd), 0);
	memory_on(f);
	p = map_region(f, mapped_bar(f), 0, PAGE, RW);
	EQ(write(pipefd[1], p, 64), 64);
	EQ(read(pipefd[0], p, 64), 64);
	memory_off(f);
	EQ(write(pipefd[1], p, 64), -1);
	EQ(errno, EFAULT);
	memory_on(f);
	EQ(write(pipefd[1], p, 64), 64);
}

static const struct test tests[] = {
	{ "a mapping and read/write see the same memory", ON_BOTH, coherent },
	{ "part of a BAR", ON_BOTH, partial },
	{ "beyond the end is refused", ON_BOTH, past_end },
	{ "MAP_PRIVATE is refused", ON_BOTH, private_refused },
	{ "what has no MMAP flag cannot be mapped", ON_BOTH, unmappable },
	{ "the sparse hole cannot be mapped", ON_TEST, hole },
	{ "PROT_EXEC is refused or harmless", ON_BOTH, executable },
	{ "mremap does not reach past the end", ON_BOTH, grow },
	{ "turning memory off removes established pages", ON_BOTH, zap },
	{ "turning memory off removes many mappings", ON_BOTH, zap_many },
	{ "turning memory off removes a moved mapping", ON_BOTH, zap_moved },
	{ "turning memory off removes both halves of a split mapping", ON_BOTH, zap_split },
	{ "turning memory off removes mappings of a second file", ON_BOTH, zap_second_file },
	{ "a child inherits a mapping and loses it, too", ON_BOTH, fork_inherits },
	{ "the kernel may use a mapping as a buffer", ON_BOTH, kernel_access },
};

const struct group group_mmap = GROUP("mmap", tests);
