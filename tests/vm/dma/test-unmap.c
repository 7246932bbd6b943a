// SPDX-License-Identifier: MIT
/*
 * Owns the tests that take memory away from a copy that is under way, one way at a time.
 * What a page holds after that is ours alone: the engine must not write it any more.
 */
#include <errno.h>

#include "engine.h"

#define PAGES 2
#define SIZE (PAGES * PAGE)
#define DATA 1
#define CANARY 2

/**
 * struct flight - a copy that is under way
 * @src: SIZE bytes at IOVA
 * @dst: SIZE bytes at twice IOVA
 * @revokes: what the vGPU had counted before
 */
struct flight {
	__u8 *src;
	__u8 *dst;
	long long revokes;
};

static void flight_start(struct fixture *f, struct flight *c, useconds_t delay)
{
	c->src = memory(SIZE);
	c->dst = memory(SIZE);
	fill(c->src, SIZE, DATA);
	map_iova(f, IOVA, c->src, SIZE, RW);
	map_iova(f, 2 * IOVA, c->dst, SIZE, RW);
	c->revokes = counter(f, "revokes");
	copy_start(f, IOVA, 2 * IOVA, SIZE, 0);
	usleep(delay);
}

/* Longer than the engine takes for all that it could still have in hand */
static void flight_over(const struct flight *c)
{
	fill(c->dst, SIZE, CANARY);
	usleep(600000);
	FILLED("written after it was taken away", c->dst, SIZE, CANARY);
}

static void take_away(struct fixture *f, __u64 iova)
{
	static const useconds_t delays[] = { 0, 30000, 90000, 110000, 150000, 190000, 230000 };
	struct flight c;
	unsigned int i;

	engine_open(f);
	for (i = 0; i < ARRAY_SIZE(delays); i++) {
		flight_start(f, &c, delays[i]);
		if (iova)
			unmap_iova(f, iova, SIZE);
		else
			DID(vgpu_iommu_unmap_all(f->iommu, NULL, NULL), &(struct vgpu_error){});
		if (iova != IOVA)
			flight_over(&c);
		REFUSED(copy_wait(f, 10), EFAULT);
		if (iova)
			unmap_iova(f, 3 * IOVA - iova, SIZE);
		IDLE(f);
		munmap(c.src, SIZE);
		munmap(c.dst, SIZE);
	}
	OK(counter(f, "revokes") > 0, "nothing was revoked, so nothing was tested");
	fixture_close(f);
}

static void destination(struct fixture *f)
{
	take_away(f, 2 * IOVA);
}

static void source(struct fixture *f)
{
	take_away(f, IOVA);
}

static void everything(struct fixture *f)
{
	take_away(f, 0);
}

/* What nobody has mapped goes without a revoke, and without waiting for the engine. */
static void neighbour(struct fixture *f)
{
	struct flight c;
	double start;

	engine_open(f);
	flight_start(f, &c, 30000);
	map_iova(f, 4 * IOVA, memory(SIZE), SIZE, RW);
	start = seconds_now();
	unmap_iova(f, 4 * IOVA, SIZE);
	OK(seconds_now() - start < 0.15, "unmapping an untracked range took %.3f s",
	   seconds_now() - start);
	EQ(counter(f, "revokes"), c.revokes);
	EQ(copy_wait(f, 20), 0);
	FILLED("the copy", c.dst, SIZE, DATA);
	IDLE(f);
	fixture_close(f);
}

static void in_order(struct fixture *f)
{
	struct flight c;

	flight_start(f, &c, 0);
	EQ(copy_wait(f, 20), 0);
	FILLED("the copy", c.dst, SIZE, DATA);
	IDLE(f);
}

static void reset(struct fixture *f)
{
	struct vgpu_error err;
	struct flight c;

	engine_open(f);
	flight_start(f, &c, 130000);
	DID(vgpu_reset(f->dev, &err), &err);
	IDLE(f);
	flight_over(&c);
	memory_on(f);
	EQ(copy_busy(f), false);
	HEX(reg_read(f, BAR0, E_SRC, 8), 0);
	unmap_iova(f, IOVA, SIZE);
	unmap_iova(f, 2 * IOVA, SIZE);
	in_order(f);
	fixture_close(f);
}

static void function_level_reset(struct fixture *f)
{
	struct flight c;
	__u32 cap;

	engine_open(f);
	cap = find_cap(f, PCI_CAP_ID_EXP);
	flight_start(f, &c, 130000);
	cfg_write(f, cap + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	IDLE(f);
	flight_over(&c);
	memory_on(f);
	EQ(copy_busy(f), false);
	unmap_iova(f, IOVA, SIZE);
	unmap_iova(f, 2 * IOVA, SIZE);
	in_order(f);
	fixture_close(f);
}

static void close_in_flight(struct fixture *f)
{
	unsigned long charged = charged_pages();
	struct flight c;

	engine_open(f);
	flight_start(f, &c, 130000);
	fixture_close(f);
	EQ(charged_pages(), charged);
	flight_over(&c);
	engine_open(f);
	IDLE(f);
	in_order(f);
	fixture_close(f);
}

/* The VMM gives the pages back to the kernel, which may give them to anybody. */
static void discard(struct fixture *f)
{
	struct flight c;
	__u8 *other;

	engine_open(f);
	flight_start(f, &c, 130000);
	unmap_iova(f, 2 * IOVA, SIZE);
	EQ(munmap(c.dst, SIZE), 0);
	other = memory(64 * PAGE);
	fill(other, 64 * PAGE, CANARY);
	usleep(600000);
	FILLED("memory that was freed and used anew", other, 64 * PAGE, CANARY);
	REFUSED(copy_wait(f, 10), EFAULT);
	fixture_close(f);
}

static const struct test tests[] = {
	{ "the destination goes", ON_NONE, destination },
	{ "the source goes", ON_NONE, source },
	{ "everything goes", ON_NONE, everything },
	{ "a neighbour goes", ON_NONE, neighbour },
	{ "reset", ON_NONE, reset },
	{ "function level reset", ON_NONE, function_level_reset },
	{ "close", ON_NONE, close_in_flight },
	{ "freed at once", ON_NONE, discard },
};

const struct group group_unmap = GROUP("unmap", tests);
