// SPDX-License-Identifier: MIT
/*
 * map-bench: what mapping guest memory takes in a real kernel: ours, the ancestor's way,
 * and what VFIO and the DMA API take by themselves, for a range at once and a page at a
 * time. All are measured in turns by mvgpu-bench.ko (tests/vm/kmod/bench.c), a million
 * pages tracked in each.
 */
#include <linux/pci_regs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"
#include "mvgpu-vfio.h"
#include "stats.h"

#define PAGE		4096ul
#define LEAF		512u
#define HUGE_PAGE	(LEAF * PAGE)

/* Areas, in pages: a million that are tracked; one in 512 of them is; none is */
#define TRACKED		0x100000u
#define ANCHORED	0x8000u
#define FREE		0x10000u
#define ALL		(TRACKED + ANCHORED + FREE)
#define ANCHORS		TRACKED
#define MISSES		(TRACKED + ANCHORED)

#define FAR_IOVA	(BENCH_FAR_GFN * PAGE)
#define TIB		0x10000000000ull
#define FAR_TIMES	4

static struct vgpu_iommu *iommu;
static struct vgpu_device *dev;
static struct vgpu_region regs;
static struct vgpu_error err;

static void fail(const char *what)
{
	fprintf(stderr, "map-bench: %s\n", what);
	exit(EXIT_FAILURE);
}

static void check(int ret)
{
	if (ret)
		fail(err.text);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void store(enum bench_reg reg, uint64_t val)
{
	check(vgpu_region_store(dev, &regs, reg * 8, 8, val, &err));
}

static uint64_t load(enum bench_reg reg)
{
	__u64 val;

	check(vgpu_region_load(dev, &regs, reg * 8, 8, &val, &err));
	return val;
}

static void command(enum bench_reg reg, enum bench_way way)
{
	static char text[80];
	uint64_t error;

	store(reg, way);
	error = load(BENCH_ERROR);
	if (error) {
		snprintf(text, sizeof(text), "command %d, way %d: %s", reg, way, strerror(error));
		fail(text);
	}
}

/**
 * struct job - see tests/vm/kmod/bench.h
 * @name: for the table
 * @gfn: of unit 0
 * @stride: pages from one unit to the next
 * @count: units to choose from
 * @pages: of a unit
 * @buffers: to map
 * @ranges: units in a buffer
 * @segments: that a buffer has, 0 for any number
 */
struct job {
	const char *name;
	uint64_t gfn, stride, count, pages, buffers, ranges, segments;
};

static void set_job(const struct job *job)
{
	store(BENCH_GFN, job->gfn);
	store(BENCH_STRIDE, job->stride);
	store(BENCH_COUNT, job->count);
	store(BENCH_PAGES, job->pages);
	store(BENCH_BUFFERS, job->buffers);
	store(BENCH_RANGES, job->ranges);
	store(BENCH_SEED, random());
}

static const struct job fill = { "", 0, LEAF, TRACKED / LEAF, LEAF, TRACKED / LEAF, 1, 0 };
static const struct job anchors = { "", ANCHORS, LEAF, ANCHORED / LEAF, 1, ANCHORED / LEAF, 1, 0 };

/* 2 MiB with an even number are a huge page, the others are scattered */
static const struct job hits[] = {
	{ "hit: 1 page at random", 0, 1, TRACKED, 1, 1024, 1, 0 },
	{ "hit: 512 contiguous pages", 0, 1024, TRACKED / 1024, LEAF, 16, 1, 1 },
	{ "hit: 512 scattered pages", LEAF, 1024, TRACKED / 1024, LEAF, 16, 1, 0 },
	{ "hit: 512 ranges of 1 page", 0, 1, TRACKED, 1, 2, 512, 0 },
};

static const struct job misses[] = {
	{ "miss: 1 page, others near it tracked", ANCHORS + 1, 8, ANCHORED / 8, 1, 256, 1, 0 },
	{ "miss: 1 page, alone in its 2 MiB", MISSES + 7, LEAF, FREE / LEAF, 1, 128, 1, 0 },
	{ "miss: 512 contiguous pages", MISSES, 1024, FREE / 1024, LEAF, 8, 1, 1 },
	{ "miss: 512 scattered pages", MISSES + LEAF, 1024, FREE / 1024, LEAF, 8, 1, 0 },
	{ "miss: 512 ranges of 1 page", ANCHORS + 1, 8, ANCHORED / 8, 1, 2, 512, 0 },
};

#define HITS	(sizeof(hits) / sizeof(*hits))
#define MISS	(sizeof(misses) / sizeof(*misses))

struct result {
	struct samples way[BENCH_WAYS];
};

static struct result hit_map[HITS], hit_unmap[HITS], miss_map[MISS], miss_unmap[MISS];
static struct result far_page, far_tib;
static struct samples segments[HITS + MISS];

/* The guest's memory */

static char *guest(void)
{
	char *p = mmap(NULL, ALL * PAGE + HUGE_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("no memory");
	return (char *)(((uintptr_t)p + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

/* Pages that come one after another are often neighbours, so they come in any order */
static void populate(char *mem)
{
	unsigned int leaf, i, at, odd = ALL / 2;

	for (leaf = 0; leaf < ALL / LEAF; leaf++)
		madvise(mem + leaf * HUGE_PAGE, HUGE_PAGE,
			leaf & 1 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	for (leaf = 0; leaf < ALL / LEAF; leaf += 2)
		mem[leaf * HUGE_PAGE] = 1;
	for (i = 0; i < odd; i++) {
		at = i * 0x9e3779b1ull % TRACKED;
		if (at < odd)
			mem[(at / LEAF * 2 + 1) * HUGE_PAGE + at % LEAF * PAGE] = 1;
	}
	for (i = 0; i < ALL; i++)
		mem[i * PAGE] = 1;
}

/* Memory that the kernel's slabs take */
static double slab(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[128];

	sleep(1);
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Slab: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024.;
}

static double fill_one(enum bench_way way)
{
	double before = slab();

	set_job(&fill);
	command(BENCH_FILL, way);
	return (slab() - before) / TRACKED;
}

static void fill_all(void)
{
	double vfio, ours, old;

	vfio = fill_one(BENCH_BATCH);
	ours = fill_one(BENCH_OURS);
	old = fill_one(BENCH_OLD);
	printf("Memory of a million tracked pages, bytes a page in slabs:\n\n"
	       "  ours, in buffers of 512, half contiguous, half scattered: %5.1f\n"
	       "  of these, the list of segments of the scattered ones:     %5.1f\n"
	       "  ancestor:                                                 %5.1f\n"
	       "  VFIO's own, in either case:                               %5.1f\n"
	       "  target: ours without the segments <= 16: %s\n\n",
	       ours, 8., old, vfio, ours - 8 <= 16 ? "met" : "MISSED");
	set_job(&anchors);
	command(BENCH_FILL, BENCH_OURS);
	command(BENCH_FILL, BENCH_OLD);
}

/* Leave nothing pinned that VFIO would have to ask for */
static void empty_all(void)
{
	command(BENCH_EMPTY, BENCH_OURS);
	command(BENCH_EMPTY, BENCH_OLD);
	set_job(&fill);
	command(BENCH_EMPTY, BENCH_BATCH);
}

/* Measurements */

static void run(const struct job *job, unsigned int ways, unsigned int round,
		struct result *map, struct result *unmap, struct samples *seg)
{
	double pages = job->buffers * job->ranges * job->pages;
	unsigned int i, way;

	set_job(job);
	for (i = 0; i < ways; i++) {
		way = (i + round) % ways;
		command(BENCH_RUN, way);
		stats_add(&map->way[way], load(BENCH_MAP_NS) / pages);
		stats_add(&unmap->way[way], load(BENCH_UNMAP_NS) / pages);
		if (way == BENCH_OURS)
			stats_add(seg, (double)load(BENCH_SEGMENTS) / job->buffers);
	}
}

/* The VMM takes a range away in which one page is tracked: the whole system call */
static double take_away(char *mem, uint64_t len, uint64_t gfn, enum bench_way way)
{
	double start;
	__u64 unmapped;

	check(vgpu_iommu_map(iommu, FAR_IOVA, mem, len, PROT_READ | PROT_WRITE, &err));
	store(BENCH_GFN, gfn);
	command(BENCH_FAR, way);
	start = now();
	check(vgpu_iommu_unmap(iommu, FAR_IOVA, len, &unmapped, &err));
	return now() - start;
}

static void take_away_all(char *huge, unsigned int round)
{
	uint64_t page = TIB / PAGE / 3;
	double tib = 0, one = 0, old = 0;
	unsigned int i;

	for (i = 0; i < FAR_TIMES; i++) {
		one += take_away(huge, PAGE, BENCH_FAR_GFN, BENCH_OURS);
		tib += take_away(huge, TIB, BENCH_FAR_GFN + page, BENCH_OURS);
		old += take_away(huge, PAGE, BENCH_FAR_GFN, BENCH_OLD);
	}
	stats_add(&far_page.way[BENCH_OURS], one / FAR_TIMES);
	stats_add(&far_page.way[BENCH_OLD], old / FAR_TIMES);
	stats_add(&far_tib.way[BENCH_OURS], tib / FAR_TIMES);
	/* It takes seconds */
	if (!round)
		stats_add(&far_tib.way[BENCH_OLD],
			  take_away(huge, TIB, BENCH_FAR_GFN + page, BENCH_OLD));
}

static void round_of(char *huge, unsigned int round)
{
	unsigned int i;

	for (i = 0; i < HITS; i++)
		run(&hits[i], BENCH_BATCH, round, &hit_map[i], &hit_unmap[i], &segments[i]);
	for (i = 0; i < MISS; i++)
		run(&misses[i], BENCH_WAYS, round, &miss_map[i], &miss_unmap[i],
		    &segments[HITS + i]);
	take_away_all(huge, round);
}

/* The tables */

static void cell(const struct samples *s)
{
	printf(" %10.0f %4.0f%%", stats_median(s), stats_spread(s));
}

static void verdict(double ratio, double target)
{
	printf(" %7.3f", ratio);
	if (target)
		printf(" <= %.2f %-6s", target, ratio <= target ? "met" : "MISSED");
}

static void hit_row(const char *name, const struct result *r, double target)
{
	printf("  %-38s", name);
	cell(&r->way[BENCH_OURS]);
	cell(&r->way[BENCH_OLD]);
	verdict(stats_ratio(&r->way[BENCH_OURS], &r->way[BENCH_OLD]), target);
	printf("\n");
}

static void miss_row(const char *name, const struct result *r, double target)
{
	unsigned int way;

	printf("  %-38s", name);
	for (way = 0; way < BENCH_WAYS; way++)
		cell(&r->way[way]);
	verdict(stats_ratio(&r->way[BENCH_OURS], &r->way[BENCH_OLD]), 0);
	verdict(stats_ratio(&r->way[BENCH_OURS], &r->way[BENCH_BATCH]), target);
	printf("\n");
}

static void own_row(const char *name, const struct result *r, double target)
{
	struct samples ours = stats_less(&r->way[BENCH_OURS], &r->way[BENCH_BATCH]);
	struct samples old = stats_less(&r->way[BENCH_OLD], &r->way[BENCH_SINGLE]);

	printf("  %-38s %10.0f %10.0f", name, stats_median(&ours), stats_median(&old));
	verdict(stats_median(&ours) / stats_median(&old), target);
	printf("\n");
}

static void print_misses(void)
{
	unsigned int i;
	bool buffer;

	printf("\nMisses, ns a page. (b): VFIO and the DMA API alone, for a range at once; (b'):\n"
	       "a page at a time.\n\n  %-38s %16s %16s %16s %16s %7s %7s\n", "", "ours", "ancestor",
	       "(b)", "(b')", "to anc.", "to (b)");
	for (i = 0; i < MISS; i++) {
		miss_row(misses[i].name, &miss_map[i], misses[i].segments == 1 ? 1.15 : 0);
		miss_row("  and its unmap, with unpinning", &miss_unmap[i], 0);
	}
	printf("\nOwn time, ns a page: ours less (b), ancestor's less (b').\n\n"
	       "  %-38s %10s %10s %7s\n", "", "ours", "ancestor", "ratio");
	for (i = 0; i < MISS; i++) {
		buffer = misses[i].pages == LEAF;
		own_row(misses[i].name, &miss_map[i], buffer ? 0.25 : 0);
		own_row("  and its unmap, with unpinning", &miss_unmap[i], 0);
	}
}

static void print_all(void)
{
	double huge = stats_ratio(&far_tib.way[BENCH_OURS], &far_page.way[BENCH_OURS]);
	unsigned int i;

	printf("Hits, ns a page, a million pages tracked (ratio: ours / ancestor):\n\n"
	       "  %-38s %16s %16s %7s\n", "", "ours", "ancestor", "ratio");
	for (i = 0; i < HITS; i++) {
		hit_row(hits[i].name, &hit_map[i], 1 / 3.);
		hit_row("  and its unmap", &hit_unmap[i], 0);
	}
	print_misses();
	printf("\nVFIO_IOMMU_UNMAP_DMA of a range in which one page is tracked, ns a time:\n\n");
	hit_row("that page", &far_page, 0);
	hit_row("1 TiB", &far_tib, 0);
	printf("\n  ours, 1 TiB to one page: %.2f <= 2 %s\n\n", huge,
	       huge <= 2 ? "met" : "MISSED");
	for (i = 0; i < HITS + MISS; i++) {
		const struct job *job = i < HITS ? &hits[i] : &misses[i - HITS];

		if (job->segments && stats_median(&segments[i]) > job->segments * 1.01)
			printf("  beware: %s: %.1f segments a buffer\n", job->name,
			       stats_median(&segments[i]));
	}
}

int main(int argc, char **argv)
{
	unsigned int round, rounds = argc > 2 ? atoi(argv[2]) : 31;
	char *mem, *huge;

	if (argc < 2 || argc > 3 || !rounds || rounds > STATS_ROUNDS) {
		fprintf(stderr, "usage: map-bench UUID-of-a-vGPU [ROUNDS]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	check(vgpu_container_open(&iommu, &err));
	check(vgpu_open(iommu, argv[1], &dev, &err));
	check(vgpu_cfg_write(dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY, &err));
	check(vgpu_region_get(dev, VFIO_PCI_BAR0_REGION_INDEX, &regs, &err));
	huge = mmap(NULL, TIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (huge == MAP_FAILED)
		fail("no address space");
	mem = guest();
	populate(mem);
	check(vgpu_iommu_map(iommu, 0, mem, ALL * PAGE, PROT_READ | PROT_WRITE, &err));
	fill_all();
	for (round = 0; round < rounds; round++)
		round_of(huge, round);
	print_all();
	empty_all();
	vgpu_close(dev);
	vgpu_iommu_close(iommu);
	return 0;
}
