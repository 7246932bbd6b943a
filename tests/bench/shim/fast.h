/* SPDX-License-Identifier: MIT */
/*
 * fast.h - a second shim, for benchmarks: the portable sources of kernel/ and the
 * ancestor run natively at the speed that they have in the kernel, as far as it is theirs.
 *
 * Put tests/bench/shim before tests/shim in the include path. What has a header in both
 * is fast here and checks nothing; the rest is the other shim's. There is one thread.
 * Locks cost the instructions of an uncontended lock in the kernel. The allocator has
 * the kernel's size classes, the xarray and the rb-trees its node sizes, struct page its
 * size. Pinning and DMA mapping cost a call and next to nothing else, so what is measured
 * is the code's own time.
 */
#ifndef FAST_H
#define FAST_H

#include <linux/types.h>

/* A machine with this much memory. A guest's page is where fast_pfn() says. */
void fast_init(unsigned long pages);

/*
 * 2 MiB of a guest's memory are physically contiguous if their number is even, as with a
 * huge page, and without two neighbours if it is odd.
 */
unsigned long fast_pfn(u64 gfn);

/* Pins that are held */
extern long fast_pinned;

/* Run queued work, free what RCU waits for, return to user space */
void fast_settle(void);

/**
 * struct fast_memory - what is allocated
 * @asked: bytes, as the callers said
 * @taken: bytes of the objects that they got: sizes of the kernel's slabs, plus 8 bytes
 *	for each object that is accounted to a memory cgroup
 * @objects: how many
 */
struct fast_memory {
	long asked;
	long taken;
	long objects;
};

extern struct fast_memory fast_memory;
extern bool fast_count;		/* count; it takes time */

#endif /* FAST_H */
