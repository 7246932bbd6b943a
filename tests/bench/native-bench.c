// SPDX-License-Identifier: MIT
/*
 * native-bench: the tracker as shipped against the ancestor, on this machine instead of
 * in a VM, so that cache misses are real. VFIO and the DMA API cost nothing here (see
 * shim/fast.h): what is left is each one's own time. Both are measured in turns, a million
 * pages tracked in each.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "ancestor.h"
#include "fast.h"
#include "stats.h"
#include "tracker.h"

#define LEAF		MVGPU_LEAF_PAGES
#define TRACKED		2048u		/* leaves that are tracked: a million pages */
#define ANCHORED	512u		/* leaves after those of which one page is */
#define FREE		(TRACKED + ANCHORED)	/* leaves from here on: nothing */
#define LEAVES		4096u
#define MAX_JOB_PAGES	16384u
#define HELD		256u		/* buffers mapped at a time */
#define TIB		BIT_ULL(40)
#define FAR_GFN		1234567ull	/* is tracked in that range */

struct mvgpu {
	struct mvgpu_tracker t;
};

struct mvgpu_tracker *mvgpu_tracker(struct mvgpu *v)
{
	return &v->t;
}

/* A tracker and an ancestor that hold the same pages */
struct world {
	struct mvgpu vgpu;
	struct ancestor old;
	struct vfio_device vdev;
};

/* Buffers to map and then to unmap, all alike */
struct job {
	unsigned int buffers;
	unsigned int ranges;		/* of a buffer */
	unsigned int pages;		/* of a range */
	struct mvgpu_range range[MAX_JOB_PAGES];
};

static struct job job;
static struct mvgpu_mapping *mapping[HELD];
static dma_addr_t addr[HELD * LEAF];
static u64 sum;				/* for what is measured to have a use */

static void die(const char *what)
{
	fprintf(stderr, "native-bench: %s\n", what);
	exit(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static u64 rnd(u64 n)
{
	static u64 x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x % n;
}

/* Different numbers below @n, in any order */
static void shuffled(unsigned int *v, unsigned int n)
{
	unsigned int i, k, was;

	for (i = 0; i < n; i++)
		v[i] = i;
	for (i = n - 1; i; i--) {
		k = rnd(i + 1);
		was = v[i];
		v[i] = v[k];
		v[k] = was;
	}
}

static void job_range(unsigned int i, u64 leaf, unsigned int page)
{
	job.range[i].iova = (leaf * LEAF + page) << PAGE_SHIFT;
	job.range[i].len = (u64)job.pages << PAGE_SHIFT;
}

static void revoked(struct mvgpu_mapping *m, void *priv)
{
	(void)m;
	(void)priv;
}

static struct mvgpu_mapping *map(struct world *w, const struct mvgpu_range *r, unsigned int n)
{
	struct mvgpu_mapping *m = mvgpu_map(&w->vgpu, r, n, DMA_BIDIRECTIONAL, revoked, NULL);

	if (IS_ERR(m))
		die("a mapping failed");
	return m;
}

/* The jobs */

static void hit_random(void)
{
	unsigned int i;

	job.buffers = MAX_JOB_PAGES;
	job.ranges = 1;
	job.pages = 1;
	for (i = 0; i < job.buffers; i++)
		job_range(i, rnd(TRACKED), rnd(LEAF));
}

static void leaves(unsigned int start, unsigned int n, unsigned int odd)
{
	unsigned int i, order[LEAVES];

	job.buffers = 64;
	job.ranges = 1;
	job.pages = LEAF;
	shuffled(order, n / 2);
	for (i = 0; i < job.buffers; i++)
		job_range(i, start + order[i] * 2 + odd, 0);
}

static void hit_contiguous(void)
{
	leaves(0, TRACKED, 0);
}

static void hit_scattered(void)
{
	leaves(0, TRACKED, 1);
}

static void miss_contiguous(void)
{
	leaves(FREE, LEAVES - FREE, 0);
}

static void miss_scattered(void)
{
	leaves(FREE, LEAVES - FREE, 1);
}

/* Other pages of their leaves are tracked */
static void miss_near(void)
{
	unsigned int i, order[ANCHORED * 8];

	job.buffers = ANCHORED * 8;
	job.ranges = 1;
	job.pages = 1;
	shuffled(order, job.buffers);
	for (i = 0; i < job.buffers; i++)
		job_range(i, TRACKED + order[i] % ANCHORED, 1 + order[i] / ANCHORED * 60);
}

static void miss_alone(void)
{
	unsigned int i, order[LEAVES];

	job.buffers = LEAVES - FREE;
	job.ranges = 1;
	job.pages = 1;
	shuffled(order, job.buffers);
	for (i = 0; i < job.buffers; i++)
		job_range(i, FREE + order[i], rnd(LEAF));
}

/* A page here, a page there: as many ranges as pages */
static void miss_list(void)
{
	unsigned int i, k, order[ANCHORED];

	job.buffers = 16;
	job.ranges = 512;
	job.pages = 1;
	for (i = 0; i < job.buffers; i++) {
		shuffled(order, ANCHORED);
		for (k = 0; k < job.ranges; k++)
			job_range(i * job.ranges + k, TRACKED + order[k], 1 + i * 2);
	}
}

static void hit_list(void)
{
	unsigned int i, k, order[TRACKED];

	job.buffers = 16;
	job.ranges = 512;
	job.pages = 1;
	for (i = 0; i < job.buffers; i++) {
		shuffled(order, TRACKED);
		for (k = 0; k < job.ranges; k++)
			job_range(i * job.ranges + k, order[k], rnd(LEAF));
	}
}

/* How jobs are done: some buffers are mapped, then unmapped, then the next. In ns a page. */

struct took {
	double map, unmap;
};

static void took_per_page(struct took *took)
{
	double pages = (double)job.buffers * job.ranges * job.pages;

	took->map /= pages;
	took->unmap /= pages;
}

/* The time to unmap is with all that the workers do afterwards */
static struct took do_ours(struct world *w)
{
	unsigned int first, i, n, end;
	struct took took = {};

	for (first = 0; first < job.buffers; first = end) {
		end = min(first + HELD, job.buffers);
		took.map -= now();
		for (i = first; i < end; i++) {
			mapping[i - first] = map(w, job.range + i * job.ranges, job.ranges);
			sum += mvgpu_mapping_segments(mapping[i - first], &n)->addr;
		}
		took.map += now();
		took.unmap -= now();
		for (i = first; i < end; i++) {
			mvgpu_unmap(mapping[i - first]);
			fast_settle();
		}
		took.unmap += now();
	}
	took_per_page(&took);
	return took;
}

static dma_addr_t *old_map(struct world *w, const struct mvgpu_range *r, dma_addr_t *at)
{
	const struct mvgpu_range *end = r + job.ranges;
	unsigned int i;

	for (; r < end; r++)
		for (i = 0; i < job.pages; i++)
			if (ancestor_map(&w->old, (r->iova >> PAGE_SHIFT) + i, at++))
				die("the ancestor failed");
	return at;
}

static struct took do_old(struct world *w)
{
	unsigned int first, i, end;
	struct took took = {};
	dma_addr_t *at, *last;

	for (first = 0; first < job.buffers; first = end) {
		end = min(first + HELD, job.buffers);
		last = addr;
		took.map -= now();
		for (i = first; i < end; i++)
			last = old_map(w, job.range + i * job.ranges, last);
		took.map += now();
		took.unmap -= now();
		for (at = addr; at < last; at++)
			ancestor_unmap(&w->old, *at);
		took.unmap += now();
	}
	took_per_page(&took);
	return took;
}

/* What the stand-ins for VFIO and the DMA API cost, in calls of @pages */
static double stand_ins(struct world *w, unsigned int pages)
{
	struct page *page[LEAF];
	double start = now();
	unsigned int i, k;
	u64 gfn;

	for (i = 0; i < 64; i++) {
		for (k = 0; k < LEAF; k += pages) {
			gfn = (u64)i * 2 * LEAF + k;
			vfio_pin_pages(&w->vdev, gfn << PAGE_SHIFT, pages,
				       IOMMU_READ | IOMMU_WRITE, page);
			sum += dma_map_page_attrs(NULL, page[0], 0, pages << PAGE_SHIFT,
						  DMA_BIDIRECTIONAL, 0);
			vfio_unpin_pages(&w->vdev, gfn << PAGE_SHIFT, pages);
		}
	}
	return (now() - start) / (64 * LEAF);
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	if (mvgpu_tracker_init(&w->vgpu.t, &w->vdev))
		die("no tracker");
	mvgpu_tracker_open(&w->vgpu.t, ULONG_MAX);
	ancestor_init(&w->old, &w->vdev, NULL);
}

static void world_fini(struct world *w)
{
	mvgpu_tracker_close(&w->vgpu.t);
	fast_settle();
	mvgpu_tracker_fini(&w->vgpu.t);
	ancestor_fini(&w->old);
	if (fast_pinned)
		die("pins left");
}

/* Memory */

static const struct mvgpu_range *leaf_range(u64 leaf)
{
	static struct mvgpu_range r;

	r.iova = leaf * LEAF << PAGE_SHIFT;
	r.len = (u64)LEAF << PAGE_SHIFT;
	return &r;
}

/* A million pages in buffers of 512, of leaves that are odd, even or both, in any order */
static void fill(struct world *w, struct mvgpu_mapping **held, unsigned int step,
		 unsigned int odd)
{
	unsigned int i, order[TRACKED];

	shuffled(order, TRACKED);
	for (i = 0; i < TRACKED; i++)
		held[i] = map(w, leaf_range(order[i] * step + odd), 1);
}

static void fill_old(struct world *w)
{
	unsigned int i, k, order[TRACKED];
	dma_addr_t a;

	shuffled(order, TRACKED);
	for (i = 0; i < TRACKED; i++)
		for (k = 0; k < LEAF; k++)
			if (ancestor_map(&w->old, (u64)order[i] * LEAF + k, &a))
				die("the ancestor failed");
}

static void fill_single(struct world *w, struct mvgpu_mapping **held)
{
	struct mvgpu_range r = { .len = PAGE_SIZE };
	unsigned int i;

	for (i = 0; i < TRACKED * LEAF; i++) {
		r.iova = (u64)i << PAGE_SHIFT;
		held[i] = map(w, &r, 1);
	}
}

static void unmap_all(struct mvgpu_mapping **held, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		mvgpu_unmap(held[i]);
	fast_settle();
}

static void memory_line(const char *what, struct fast_memory used)
{
	double pages = TRACKED * LEAF;

	printf("  %-48s %8.2f %8.2f %12.4f\n", what, used.asked / pages, used.taken / pages,
	       used.objects / pages);
}

static struct fast_memory less(struct fast_memory a, struct fast_memory b)
{
	return (struct fast_memory){
		a.asked - b.asked, a.taken - b.taken, a.objects - b.objects
	};
}

/* Mapping the same again adds the mappings, and nothing of what is kept of pages */
static void memory_of(struct world *w, const char *what, unsigned int odd,
		      struct mvgpu_mapping **held, bool first)
{
	struct fast_memory empty = fast_memory, once, mappings;
	char line[80];

	fill(w, held, 2, odd);
	once = less(fast_memory, empty);
	fill(w, held + TRACKED, 2, odd);
	mappings = less(less(fast_memory, empty), once);
	if (first)
		memory_line("ours: the tracker", less(once, mappings));
	snprintf(line, sizeof(line), "ours: mappings of 512 %s pages", what);
	memory_line(line, mappings);
	unmap_all(held, TRACKED * 2);
}

static void memory(struct world *w)
{
	struct mvgpu_mapping **held = calloc(TRACKED * LEAF, sizeof(*held));
	struct fast_memory empty;

	printf("Memory, bytes a page at a million pages:\n\n  %-48s %8s %8s %12s\n", "", "asked",
	       "slabs", "objects");
	fast_count = true;
	memory_of(w, "contiguous", 0, held, true);
	memory_of(w, "scattered", 1, held, false);
	empty = fast_memory;
	fill_single(w, held);
	memory_line("ours: all, each page in a mapping of its own", less(fast_memory, empty));
	unmap_all(held, TRACKED * LEAF);
	empty = fast_memory;
	fill_old(w);
	memory_line("ancestor", less(fast_memory, empty));
	fast_count = false;
	ancestor_dma_unmap(&w->old, 0, (u64)LEAVES * LEAF << PAGE_SHIFT);
	free(held);
	printf("\n  target: the tracker <= 16 in slabs\n\n");
}

/* The huge range */

static double ours_going(struct world *w, u64 len)
{
	const u64 iova = FAR_GFN << PAGE_SHIFT;
	struct mvgpu_range r = { .iova = iova, .len = PAGE_SIZE };
	struct mvgpu_mapping *m;
	double start, took = 0;
	unsigned int i, n = 256;

	for (i = 0; i < n; i++) {
		m = map(w, &r, 1);
		start = now();
		mvgpu_tracker_dma_unmap(&w->vgpu.t, len == PAGE_SIZE ? iova : 0, len);
		took += now() - start;
		mvgpu_unmap(m);
		fast_settle();
	}
	return took / n;
}

static double old_going(struct world *w, u64 len)
{
	const u64 gfn = FAR_GFN;
	unsigned int i, n = len == PAGE_SIZE ? 256 : 1;
	double start, took = 0;
	dma_addr_t a;

	for (i = 0; i < n; i++) {
		ancestor_map(&w->old, gfn, &a);
		start = now();
		ancestor_dma_unmap(&w->old, len == PAGE_SIZE ? gfn << PAGE_SHIFT : 0, len);
		took += now() - start;
	}
	return took / n;
}

/* The table */

static const struct row {
	const char *name;
	void (*make)(void);
	double target;		/* ours to the ancestor's, 0 for none */
} rows[] = {
	{ "hit: 1 page at random", hit_random, 1 / 3. },
	{ "hit: 512 contiguous pages", hit_contiguous, 1 / 3. },
	{ "hit: 512 scattered pages", hit_scattered, 1 / 3. },
	{ "hit: 512 ranges of 1 page", hit_list, 1 / 3. },
	{ "miss: 1 page, others near it tracked", miss_near, 0 },
	{ "miss: 1 page, alone in its 2 MiB", miss_alone, 0 },
	{ "miss: 512 contiguous pages", miss_contiguous, 1 / 4. },
	{ "miss: 512 scattered pages", miss_scattered, 1 / 4. },
	{ "miss: 512 ranges of 1 page", miss_list, 0 },
};

#define ROWS	ARRAY_SIZE(rows)

static struct result {
	struct samples ours, old;
} maps[ROWS], unmaps[ROWS], going_page, going_tib;

static int only = -1;			/* this row */

static void print(const char *name, const struct result *r, double target)
{
	double ratio = stats_ratio(&r->ours, &r->old);

	printf("  %-44s %10.1f %5.0f%% %10.1f %5.0f%% %8.3f", name, stats_median(&r->ours),
	       stats_spread(&r->ours), stats_median(&r->old), stats_spread(&r->old), ratio);
	if (target)
		printf("  <= %.3f %s", target, ratio <= target ? "met" : "MISSED");
	printf("\n");
}

static void print_all(void)
{
	double huge = stats_ratio(&going_tib.ours, &going_page.ours);
	char name[80];
	unsigned int i;

	printf("Time, ns a page, a million pages tracked (ratio: ours / ancestor):\n\n"
	       "  %-44s %10s %6s %10s %6s %8s  target\n", "", "ours", "spread", "ancestor",
	       "spread", "ratio");
	for (i = 0; i < ROWS; i++) {
		print(rows[i].name, &maps[i], rows[i].target);
		snprintf(name, sizeof(name), "  and its unmap%s",
			 i < 4 ? "" : ", with unpinning");
		print(name, &unmaps[i], 0);
	}
	printf("\nVFIO takes a range away in which one page is tracked, ns a time:\n\n");
	print("that page", &going_page, 0);
	print("1 TiB", &going_tib, 0);
	printf("\n  ours, 1 TiB to one page: %.2f  <= 2 %s\n", huge, huge <= 2 ? "met" : "MISSED");
}

static void round_of(struct world *big, struct world *small, unsigned int round)
{
	unsigned int i, turn;
	struct took took;

	for (i = 0; i < ROWS; i++) {
		if (only >= 0 && i != only)
			continue;
		rows[i].make();
		for (turn = 0; turn < 2; turn++) {
			if ((turn + round) & 1) {
				took = do_old(big);
				stats_add(&maps[i].old, took.map);
				stats_add(&unmaps[i].old, took.unmap);
			} else {
				took = do_ours(big);
				stats_add(&maps[i].ours, took.map);
				stats_add(&unmaps[i].ours, took.unmap);
			}
		}
	}
	stats_add(&going_page.ours, ours_going(small, PAGE_SIZE));
	stats_add(&going_tib.ours, ours_going(small, TIB));
	stats_add(&going_page.old, old_going(small, PAGE_SIZE));
	/* It takes a second */
	if (round < 3)
		stats_add(&going_tib.old, old_going(small, TIB));
}

/* One page of each of these leaves */
static void anchor(struct world *w, struct mvgpu_mapping **held)
{
	struct mvgpu_range r = { .len = PAGE_SIZE };
	unsigned int i;
	dma_addr_t a;

	for (i = 0; i < ANCHORED; i++) {
		r.iova = (u64)(TRACKED + i) * LEAF << PAGE_SHIFT;
		held[i] = map(w, &r, 1);
		if (ancestor_map(&w->old, r.iova >> PAGE_SHIFT, &a))
			die("the ancestor failed");
	}
}

int main(int argc, char **argv)
{
	static struct mvgpu_mapping *held[TRACKED + ANCHORED];
	unsigned int round, rounds = argc > 1 ? atoi(argv[1]) : 15;
	static struct world big, small;

	if (argc == 3)
		only = atoi(argv[2]);
	if (argc > 3 || !rounds || rounds > STATS_ROUNDS) {
		fprintf(stderr, "usage: native-bench [ROUNDS [ROW]]\n");
		return 2;
	}
	fast_init((unsigned long)LEAVES * LEAF);
	world_init(&big);
	world_init(&small);
	memory(&big);
	fill(&big, held, 1, 0);
	fill_old(&big);
	anchor(&big, held + TRACKED);
	round_of(&big, &small, 0);
	memset(maps, 0, sizeof(maps));
	memset(unmaps, 0, sizeof(unmaps));
	for (round = 0; round < rounds; round++)
		round_of(&big, &small, round);
	print_all();
	printf("  The stand-ins for VFIO and the DMA API take %.1f ns a page in calls of 512\n"
	       "  pages, %.1f in calls of one; they are in the figures.\n\n",
	       stand_ins(&big, LEAF), stand_ins(&big, 1));
	unmap_all(held, TRACKED + ANCHORED);
	world_fini(&big);
	world_fini(&small);
	return sum == 1;
}
