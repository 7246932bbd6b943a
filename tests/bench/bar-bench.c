// SPDX-License-Identifier: MIT
/*
 * bar-bench: what a direct mapping of a vGPU's memory is worth, against trapped accesses.
 * All ways are measured in turns within one run, so that noise meets them alike; what
 * counts are the ratios.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <linux/pci_regs.h>
#include "mvgpu-vfio.h"

#define ROUNDS	15
#define FRAME	(1024 * 768 * 4)
#define REGS	2000

struct bench {
	struct vgpu_device *dev;
	struct vgpu_region vram;
	struct vgpu_region regs;
	char *map;
	char frame[FRAME];
};

static void die(const struct vgpu_error *err)
{
	fprintf(stderr, "bar-bench: %s\n", err->text);
	exit(EXIT_FAILURE);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void fill_mapped(struct bench *b)
{
	memcpy(b->map, b->frame, FRAME);
}

static void fill_trapped(struct bench *b)
{
	struct vgpu_error err;

	if (vgpu_region_write(b->dev, &b->vram, 0, b->frame, FRAME, &err) != FRAME)
		die(&err);
}

static void poke_mapped(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < REGS; i++)
		((volatile short *)b->map)[i] = i;
}

static void poke_trapped(struct bench *b)
{
	struct vgpu_error err;
	unsigned int i;

	/* VBE_DISPI_INDEX_BANK, which nothing depends on */
	for (i = 0; i < REGS; i++)
		if (vgpu_region_store(b->dev, &b->regs, 0x50a, 2, i, &err))
			die(&err);
}

static const struct way {
	const char *name;
	void (*run)(struct bench *b);
	double per;
} ways[] = {
	{ "a frame of 1024x768, mapped", fill_mapped, 1 },
	{ "a frame of 1024x768, write()", fill_trapped, 1 },
	{ "a store of 2 bytes, mapped", poke_mapped, REGS },
	{ "a store of 2 bytes, trapped", poke_trapped, REGS },
};

#define WAYS (sizeof(ways) / sizeof(*ways))

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void setup(struct bench *b, const char *where)
{
	struct vgpu_iommu *iommu;
	struct vgpu_error err;
	void *map;

	if (vgpu_container_open(&iommu, &err) || vgpu_open(iommu, where, &b->dev, &err) ||
	    vgpu_cfg_write(b->dev, PCI_COMMAND, 2, PCI_COMMAND_MEMORY, &err) ||
	    vgpu_region_get(b->dev, VFIO_PCI_BAR0_REGION_INDEX, &b->vram, &err) ||
	    vgpu_region_get(b->dev, VFIO_PCI_BAR2_REGION_INDEX, &b->regs, &err) ||
	    vgpu_region_mmap(b->dev, &b->vram, 0, b->vram.size, PROT_READ | PROT_WRITE, &map,
			     &err))
		die(&err);
	b->map = map;
}

int main(int argc, char **argv)
{
	static struct bench b;
	double took[WAYS][ROUNDS], median[WAYS], start;
	unsigned int i, round;

	if (argc != 2) {
		fprintf(stderr, "usage: bar-bench UUID-of-a-Bochs-vGPU\n");
		return 2;
	}
	setup(&b, argv[1]);
	for (i = 0; i < WAYS; i++)
		ways[i].run(&b);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < WAYS; i++) {
			start = now();
			ways[i].run(&b);
			took[i][round] = (now() - start) / ways[i].per;
		}
	}
	printf("%-32s %12s %8s %10s\n", "", "median (ns)", "spread", "ratio");
	for (i = 0; i < WAYS; i++) {
		qsort(took[i], ROUNDS, sizeof(double), by_value);
		median[i] = took[i][ROUNDS / 2];
		/* of the middle half; the ratio is to the mapped way of the same work */
		printf("%-32s %12.0f %7.0f%% %10.1f\n", ways[i].name, median[i],
		       100 * (took[i][ROUNDS * 3 / 4] - took[i][ROUNDS / 4]) / median[i],
		       median[i] / median[i & ~1u]);
	}
	return 0;
}
