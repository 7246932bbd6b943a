// SPDX-License-Identifier: MIT
/*
 * Owns the tests of what is charged to the VMM, and of two vGPUs in one address space.
 */
#include <errno.h>
#include <fcntl.h>

#include "engine.h"

#define PAGES 6
#define DATA 1

/**
 * struct pair - two vGPUs of one VMM
 * @f: the vGPUs
 * @p: three times PAGES pages at IOVA: a source, and a destination each
 * @charged: what the VMM was charged before
 */
struct pair {
	struct fixture f[2];
	__u8 *p;
	unsigned long charged;
};

static void pair_open(struct fixture *f, struct pair *pair)
{
	struct vgpu_iommu *iommu;
	unsigned int i;

	pair->charged = charged_pages();
	iommu_open(f->env, &iommu);
	for (i = 0; i < 2; i++) {
		pair->f[i] = (struct fixture){ .env = f->env };
		engine_attach(&pair->f[i], iommu, i);
	}
	pair->p = memory(3 * PAGES * PAGE);
	fill(pair->p, PAGES * PAGE, DATA);
	map_iova(&pair->f[0], IOVA, pair->p, 3 * PAGES * PAGE, RW);
}

static void pair_close(struct pair *pair)
{
	fixture_detach(&pair->f[1]);
	fixture_close(&pair->f[0]);
	EQ(charged_pages(), pair->charged);
}

static __u64 source(void)
{
	return IOVA;
}

static __u64 destination(unsigned int i)
{
	return IOVA + (i + 1) * PAGES * PAGE;
}

/* Both are right, and when one is done the other nearly is. */
static void at_once(struct fixture *f)
{
	unsigned int i, slow, done;
	struct pair pair;
	__u8 *copied;

	pair_open(f, &pair);
	for (i = 0; i < 2; i++)
		copy_start(&pair.f[i], source(), destination(i), PAGES * PAGE, 0);
	while (copy_busy(&pair.f[0]) && copy_busy(&pair.f[1]))
		usleep(5000);
	slow = copy_busy(&pair.f[0]) ? 0 : 1;
	copied = pair.p + (slow + 1) * PAGES * PAGE;
	for (done = 0; done < PAGES; done++)
		if (memcmp(copied + done * PAGE, pair.p + done * PAGE, PAGE))
			break;
	OK(done >= PAGES - 2, "one has copied %u pages, the other %u", PAGES, done);
	for (i = 0; i < 2; i++) {
		EQ(copy_wait(&pair.f[i], 20), 0);
		FILLED("the copy", pair.p + (i + 1) * PAGES * PAGE, PAGES * PAGE, DATA);
		IDLE(&pair.f[i]);
	}
	EQ(charged_pages(), pair.charged);
	pair_close(&pair);
}

/* What one has mapped, the other one's engine can still use after the first has gone. */
static void one_leaves(struct fixture *f)
{
	struct pair pair;

	pair_open(f, &pair);
	copy_start(&pair.f[0], source(), destination(0), PAGES * PAGE, 0);
	copy_start(&pair.f[1], source(), destination(1), PAGES * PAGE, 0);
	usleep(250000);
	fixture_detach(&pair.f[1]);
	EQ(copy_wait(&pair.f[0], 20), 0);
	FILLED("the copy", pair.p + PAGES * PAGE, PAGES * PAGE, DATA);
	IDLE(&pair.f[0]);
	EQ(charged_pages(), pair.charged);
	fixture_close(&pair.f[0]);
	EQ(charged_pages(), pair.charged);
}

static void expect_pages(int line, struct pair *pair, long long first, long long second,
			 unsigned long charged)
{
	double end = seconds_now() + 5;

	while (seconds_now() < end && (counter(&pair->f[0], "pinned") != first ||
				       counter(&pair->f[1], "pinned") != second))
		usleep(5000);
	check_eq(__FILE__, line, "pinned by the first", counter(&pair->f[0], "pinned"), first);
	check_eq(__FILE__, line, "pinned by the second", counter(&pair->f[1], "pinned"), second);
	check_eq(__FILE__, line, "charged", charged_pages() - pair->charged, charged);
}

#define PAGES_ARE(...) expect_pages(__LINE__, __VA_ARGS__)

/* The cache keeps pages where we can count them. */
static void charged_once(struct fixture *f)
{
	struct pair pair;

	pair_open(f, &pair);
	unmap_iova(&pair.f[0], IOVA, 3 * PAGES * PAGE);
	map_iova(&pair.f[0], IOVA, pair.p, PAGE, RW);
	map_iova(&pair.f[0], IOVA + PAGE, pair.p + PAGE, PAGE, RW);
	map_iova(&pair.f[0], IOVA + 2 * PAGE, pair.p + 2 * PAGE, PAGE, RW);
	PAGES_ARE(&pair, 0, 0, 0);
	set_attribute(&pair.f[0], "cache", "64");
	set_attribute(&pair.f[1], "cache", "64");

	/* one page as both ends of a copy */
	EQ(copy(&pair.f[0], IOVA, IOVA + 64, 64), 0);
	PAGES_ARE(&pair, 1, 0, 1);
	EQ(copy(&pair.f[0], IOVA, IOVA + PAGE, PAGE), 0);
	PAGES_ARE(&pair, 2, 0, 2);
	EQ(copy(&pair.f[0], IOVA, IOVA + PAGE, PAGE), 0);
	PAGES_ARE(&pair, 2, 0, 2);
	/* the other vGPU: the source is charged already */
	EQ(copy(&pair.f[1], IOVA, IOVA + 2 * PAGE, PAGE), 0);
	PAGES_ARE(&pair, 2, 2, 3);
	unmap_iova(&pair.f[0], IOVA + PAGE, PAGE);
	PAGES_ARE(&pair, 1, 2, 2);
	/* one gives it up, the other still holds it */
	set_attribute(&pair.f[0], "cache", "0");
	PAGES_ARE(&pair, 0, 2, 2);
	unmap_iova(&pair.f[0], IOVA, PAGE);
	PAGES_ARE(&pair, 0, 1, 1);
	set_attribute(&pair.f[1], "cache", "0");
	PAGES_ARE(&pair, 0, 0, 0);
	pair_close(&pair);
}

static void memory_gets_short(void)
{
	static const char path[] = "/proc/sys/vm/drop_caches";
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	OK(fd >= 0 && write(fd, "2", 1) == 1, "%s: %s", path, strerror(errno));
	close(fd);
}

/* Pages that the cache keeps are found again, until memory gets short. */
static void memory_pressure(struct fixture *f)
{
	long long hits, misses;
	struct pair pair;

	pair_open(f, &pair);
	set_attribute(&pair.f[0], "cache", "64");
	EQ(copy(&pair.f[0], source(), destination(0), PAGE), 0);
	/* nothing that is not asked for takes them away */
	usleep(500000);
	PAGES_ARE(&pair, 2, 0, 2);
	EQ(counter(&pair.f[0], "idle"), 2);
	hits = counter(&pair.f[0], "hits");
	misses = counter(&pair.f[0], "misses");
	EQ(copy(&pair.f[0], source(), destination(0), PAGE), 0);
	EQ(counter(&pair.f[0], "hits"), hits + 2);
	EQ(counter(&pair.f[0], "misses"), misses);

	memory_gets_short();
	PAGES_ARE(&pair, 0, 0, 0);
	EQ(counter(&pair.f[0], "idle"), 0);
	EQ(copy(&pair.f[0], source(), destination(0), PAGE), 0);
	EQ(counter(&pair.f[0], "misses"), misses + 2);
	FILLED("the copy", pair.p + PAGES * PAGE, PAGE, DATA);
	set_attribute(&pair.f[0], "cache", "0");
	PAGES_ARE(&pair, 0, 0, 0);
	pair_close(&pair);
}

static void charged_while_copying(struct fixture *f)
{
	struct pair pair;
	double end;

	pair_open(f, &pair);
	copy_start(&pair.f[0], source(), destination(0), PAGES * PAGE, 0);
	/* a page counts as pinned before VFIO charges it */
	end = seconds_now() + 20;
	while (counter(&pair.f[0], "pinned") != 2 || charged_pages() - pair.charged != 2)
		OK(seconds_now() < end, "a copy pins %lld pages and is charged %lu, not 2",
		   counter(&pair.f[0], "pinned"), charged_pages() - pair.charged);
	EQ(copy_wait(&pair.f[0], 20), 0);
	PAGES_ARE(&pair, 0, 0, 0);
	pair_close(&pair);
}

static const struct test tests[] = {
	{ "both copy at once", ON_NONE, at_once },
	{ "one leaves", ON_NONE, one_leaves },
	{ "a copy is charged its pages", ON_NONE, charged_while_copying },
	{ "pages are charged once", ON_NONE, charged_once },
	{ "memory pressure empties the cache", ON_NONE, memory_pressure },
};

const struct group group_two = GROUP("two", tests);
