// SPDX-License-Identifier: MIT
/*
 * Owns the tests of what the engine is for: it copies guest memory, byte for byte, and
 * touches nothing else.
 */
#include "engine.h"

#define WINDOW (8 * PAGE)
#define DATA 1
#define CANARY 2

/**
 * struct stage - a source, and a destination between canaries
 * @src: WINDOW bytes of DATA at IOVA
 * @dst: WINDOW bytes of CANARY at twice IOVA
 * @around: dst and a page that is not mapped on either side of it
 */
struct stage {
	__u8 *src;
	__u8 *dst;
	__u8 *around;
};

static void stage_open(struct fixture *f, struct stage *s)
{
	engine_open(f);
	s->src = memory(WINDOW);
	s->around = memory(WINDOW + 2 * PAGE);
	s->dst = s->around + PAGE;
	fill(s->src, WINDOW, DATA);
	fill(s->around, WINDOW + 2 * PAGE, CANARY);
	map_iova(f, IOVA, s->src, WINDOW, RW);
	map_iova(f, 2 * IOVA, s->dst, WINDOW, RW);
}

/* Copy, and compare everything that could have changed and everything that should not have */
static void stage_copy(struct fixture *f, struct stage *s, size_t from, size_t to, size_t len)
{
	__u8 *want = memory(WINDOW + 2 * PAGE);
	size_t i;

	fill(s->around, WINDOW + 2 * PAGE, CANARY);
	fill(want, WINDOW + 2 * PAGE, CANARY);
	memcpy(want + PAGE + to, s->src + from, len);
	EQ(copy(f, IOVA + from, 2 * IOVA + to, len), 0);
	for (i = 0; i < WINDOW + 2 * PAGE; i++)
		OK(s->around[i] == want[i],
		   "0x%zx bytes from 0x%zx to 0x%zx: at 0x%zx is 0x%02x, expected 0x%02x", len,
		   from, to, i - PAGE, s->around[i], want[i]);
	FILLED("the source", s->src, WINDOW, DATA);
	munmap(want, WINDOW + 2 * PAGE);
}

static void one_page(struct fixture *f)
{
	struct stage s;

	stage_open(f, &s);
	stage_copy(f, &s, 0, 0, PAGE);
	IDLE(f);
	fixture_close(f);
}

static void pages(struct fixture *f)
{
	struct stage s;

	stage_open(f, &s);
	stage_copy(f, &s, 0, 0, WINDOW);
	stage_copy(f, &s, 2 * PAGE, 5 * PAGE, 3 * PAGE);
	IDLE(f);
	fixture_close(f);
}

static void offsets(struct fixture *f)
{
	static const struct {
		size_t from;
		size_t to;
		size_t len;
	} at[] = {
		{ 0, 0, 1 }, { 8, 16, PAGE }, { 1, PAGE - 2, PAGE + 1 },
		{ PAGE / 2, PAGE / 2, PAGE }, { 3, 2 * PAGE + 5, 2 * PAGE - 7 }, { 0, 64, 4 },
	};
	struct stage s;
	unsigned int i;

	stage_open(f, &s);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		stage_copy(f, &s, at[i].from, at[i].to, at[i].len);
	IDLE(f);
	fixture_close(f);
}

/* An access that begins with it */
static void last_byte(struct fixture *f)
{
	struct stage s;

	stage_open(f, &s);
	stage_copy(f, &s, 1, PAGE - 1, PAGE + 1);
	stage_copy(f, &s, PAGE - 1, 0, 2);
	stage_copy(f, &s, WINDOW - 1, WINDOW - 1, 1);
	IDLE(f);
	fixture_close(f);
}

/* Neighbours in IOVA space that the VMM mapped one by one, from memory in another order */
static void seams(struct fixture *f)
{
	const size_t n = 4;
	__u8 *src, *dst;
	size_t i;

	engine_open(f);
	src = memory(n * PAGE);
	dst = memory(n * PAGE);
	fill(src, n * PAGE, DATA);
	fill(dst, n * PAGE, CANARY);
	for (i = 0; i < n; i++) {
		map_iova(f, IOVA + i * PAGE, src + (n - 1 - i) * PAGE, PAGE, RW);
		map_iova(f, IOVA + (n + i) * PAGE, dst + (n - 1 - i) * PAGE, PAGE, RW);
	}
	EQ(copy(f, IOVA + 16, IOVA + n * PAGE + 16, n * PAGE - 32), 0);
	OK(!memcmp(src + PAGE, dst + PAGE, (n - 2) * PAGE), "the pages between arrive changed");
	OK(!memcmp(src + (n - 1) * PAGE + 16, dst + (n - 1) * PAGE + 16, PAGE - 16),
	   "the first page arrives changed");
	OK(!memcmp(src, dst, PAGE - 16), "the last page arrives changed");
	IDLE(f);
	fixture_close(f);
}

/* Where a guest can have memory: at 0, below and above 4 GiB, at the end of what VFIO maps */
static void far_apart(struct fixture *f)
{
	static const __u64 at[] = { 0, 0xfffff000, 1ULL << 32, 1ULL << 38, 0x7ffffff000 };
	__u8 *p = memory(ARRAY_SIZE(at) * PAGE);
	unsigned int i;

	engine_open(f);
	fill(p, PAGE, DATA);
	for (i = 0; i < ARRAY_SIZE(at); i++)
		map_iova(f, at[i], p + i * PAGE, PAGE, RW);
	for (i = 1; i < ARRAY_SIZE(at); i++) {
		EQ(copy(f, at[i - 1], at[i], PAGE), 0);
		FILLED("the copy", p + i * PAGE, PAGE, DATA);
	}
	IDLE(f);
	fixture_close(f);
}

/* One page of memory at two IOVAs is one page */
static void alias(struct fixture *f)
{
	__u8 *p = memory(2 * PAGE);

	engine_open(f);
	fill(p, PAGE, DATA);
	map_iova(f, IOVA, p, 2 * PAGE, RW);
	map_iova(f, 2 * IOVA, p, 2 * PAGE, RW);
	EQ(copy(f, IOVA, 2 * IOVA + PAGE, PAGE), 0);
	FILLED("through the other IOVA", p + PAGE, PAGE, DATA);
	/* halves of one page, which one copy both reads and writes */
	EQ(copy(f, IOVA, 2 * IOVA + PAGE / 2, PAGE / 2), 0);
	OK(!memcmp(p, p + PAGE / 2, PAGE / 2), "half a page arrives changed");
	IDLE(f);
	fixture_close(f);
}

/* Memory that the VMM shares with others, and that it has mapped for reading only */
static void read_only_source(struct fixture *f)
{
	__u8 *p = memory(2 * PAGE);

	engine_open(f);
	fill(p, PAGE, DATA);
	EQ(mprotect(p, PAGE, PROT_READ), 0);
	map_iova(f, IOVA, p, PAGE, PROT_READ);
	map_iova(f, 2 * IOVA, p + PAGE, PAGE, RW);
	EQ(copy(f, IOVA, 2 * IOVA, PAGE), 0);
	FILLED("the copy", p + PAGE, PAGE, DATA);
	IDLE(f);
	fixture_close(f);
}

static void expect_irq(struct fixture *f, int fd)
{
	reg_write(f, BAR0, E_IRQ_ACK, 4, ~0U);
	HEX(reg_read(f, BAR0, E_IRQ_STATUS, 4), 0);
	copy_start(f, IOVA, 2 * IOVA, 64, E_GO_IRQ);
	FIRES(fd);
	EQ(copy_wait(f, 1), 0);
	HEX(reg_read(f, BAR0, E_IRQ_STATUS, 4), E_IRQ_COPY);
	reg_write(f, BAR0, E_IRQ_ACK, 4, E_IRQ_COPY);
	HEX(reg_read(f, BAR0, E_IRQ_STATUS, 4), 0);

	/* without being asked for */
	EQ(copy(f, IOVA, 2 * IOVA, 64), 0);
	QUIET(fd);
}

static void interrupts(struct fixture *f)
{
	static const unsigned int indexes[] = { MSI, INTX };
	struct vgpu_error err;
	struct stage s;
	unsigned int i;
	int fd;

	stage_open(f, &s);
	for (i = 0; i < ARRAY_SIZE(indexes); i++) {
		arm(f, indexes[i], 0, 1, &fd);
		expect_irq(f, fd);
		/* of a level-triggered interrupt VFIO masks what it has signalled */
		if (indexes[i] == INTX)
			DID(vgpu_irq_none(f->dev, INTX, UNMASK, 0, 1, &err), &err);
		disarm(f, indexes[i]);
	}
	fixture_close(f);
}

/* What else its guests know from the real device */
static void registers(struct fixture *f)
{
	unsigned int i;

	engine_open(f);
	HEX(reg_read(f, BAR0, E_ID, 4), E_ID_VALUE);
	reg_write(f, BAR0, E_ID, 4, 0);
	HEX(reg_read(f, BAR0, E_ID, 4), E_ID_VALUE);

	reg_write(f, BAR0, E_FACTORIAL, 4, 10);
	for (i = 0; reg_read(f, BAR0, E_STATUS, 4) & E_STATUS_BUSY; i++) {
		OK(i < 1000, "10! takes more than 10 s");
		usleep(10000);
	}
	EQ(reg_read(f, BAR0, E_FACTORIAL, 4), 3628800);
	/* modulo 2^32, in no time */
	reg_write(f, BAR0, E_FACTORIAL, 4, ~0U);
	HEX(reg_read(f, BAR0, E_FACTORIAL, 4), 0);
	fixture_close(f);
}

static const struct test tests[] = {
	{ "one page", ON_NONE, one_page },
	{ "several pages", ON_NONE, pages },
	{ "any offset and length", ON_NONE, offsets },
	{ "across separate mappings", ON_NONE, seams },
	{ "IOVAs far apart", ON_NONE, far_apart },
	{ "one page under two IOVAs", ON_NONE, alias },
	{ "a source that is read-only", ON_NONE, read_only_source },
	{ "interrupts", ON_NONE, interrupts },
	{ "the other registers", ON_NONE, registers },
};

const struct group group_copy = GROUP("copy", tests);

/* QEMU's virtio-iommu fails it: there it takes the mapping of the next page. */
static const struct test edge_tests[] = {
	{ "the last byte of a page", ON_NONE, last_byte },
};

const struct group group_edge = GROUP("edge", edge_tests);
