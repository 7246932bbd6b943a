// SPDX-License-Identifier: MIT
/*
 * Owns what dma-test does that is no test: a VMM in the middle of a copy for others to
 * kill, and the physical engine's registers for a DMA address that must fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "engine.h"

#define HELD_PAGES 64

/**
 * hold() - copy until somebody ends us
 * @env: the command line
 *
 * Says HOLDING once the engine runs. What the vGPU answers then does not matter: it may
 * have lost its parent.
 *
 * Return: never.
 */
int hold(const struct env *env)
{
	struct fixture f = { .env = env };
	__u8 *p = memory(2 * HELD_PAGES * PAGE);
	__u64 value[3] = { IOVA, IOVA + HELD_PAGES * PAGE, HELD_PAGES * PAGE }, go = E_GO;

	engine_open(&f);
	map_iova(&f, IOVA, p, 2 * HELD_PAGES * PAGE, RW);
	for (;;) {
		try_write(&f, BAR0, E_SRC, value, sizeof(value));
		try_write(&f, BAR0, E_COMMAND, &go, 4);
		printf("HOLDING\n");
		fflush(stdout);
		usleep(500000);
	}
}

static void store64(volatile __u8 *bar, unsigned int pos, __u64 value)
{
	*(volatile __u64 *)(bar + pos) = value;
}

/**
 * poke() - let the physical engine read from any DMA address
 * @env: the command line: the PCI address of an edu device, with memory and bus mastering
 *	enabled, and the DMA address
 *
 * Return: the exit status: 0 when the engine has tried.
 */
int poke(const struct env *env)
{
	const char *bdf = env->uuid[0];
	volatile __u8 *bar;
	unsigned int i;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	bar = fd < 0 ? MAP_FAILED : mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	store64(bar, E_SRC, strtoull(env->uuid[1], NULL, 0));
	store64(bar, E_DST, EDU_DMA_BUFFER);
	store64(bar, E_LEN, 64);
	store64(bar, E_COMMAND, E_GO);
	for (i = 0; *(volatile __u32 *)(bar + E_COMMAND) & E_GO; i++) {
		if (i > 500) {
			fprintf(stderr, "%s: still busy\n", bdf);
			return 1;
		}
		usleep(10000);
	}
	return 0;
}
