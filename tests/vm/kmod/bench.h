/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* bench.h - the registers of mvgpu-bench's vGPU, in BAR 0, 8 bytes each */
#ifndef BENCH_H
#define BENCH_H

/*
 * A job is about units of pages, @BENCH_COUNT of them, a power of two, of which unit u is
 * the @BENCH_PAGES pages from @BENCH_GFN + u * @BENCH_STRIDE on. @BENCH_BUFFERS buffers of
 * @BENCH_RANGES units each are made of them, in an order that depends on @BENCH_SEED.
 * Writing an enum bench_way to a command's register runs it.
 */
enum bench_reg {
	BENCH_GFN,
	BENCH_STRIDE,
	BENCH_COUNT,
	BENCH_PAGES,
	BENCH_BUFFERS,
	BENCH_RANGES,
	BENCH_SEED,
	/* commands */
	BENCH_RUN,		/* map and unmap the job's buffers, some at a time */
	BENCH_FILL,		/* map the job's buffers and keep them */
	BENCH_EMPTY,		/* the opposite */
	BENCH_FAR,		/* map the page BENCH_GFN, which is beyond BENCH_FAR_GFN */
	/* results */
	BENCH_ERROR,		/* an errno, not negative; 0 for none */
	BENCH_MAP_NS,		/* in all, of BENCH_RUN */
	BENCH_UNMAP_NS,		/* until all is unpinned */
	BENCH_SEGMENTS,		/* that the buffers had, in all */
	BENCH_REGS
};

enum bench_way {
	BENCH_OURS,
	BENCH_OLD,		/* the ancestor */
	BENCH_BATCH,		/* vfio_pin_pages() and the DMA API, a range at a time */
	BENCH_SINGLE,		/* the same, a page at a time */
	BENCH_WAYS
};

#define BENCH_FAR_GFN	0x20000000ull

#endif /* BENCH_H */
