/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what the fuzz targets share: a vGPU whose guest is the input
 *
 * The input is a list of steps. The first byte of each says what it does, modulo the
 * number of steps that the target knows, and it takes as many bytes after that as it
 * needs; where there are none left, they are zero.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <linux/slab.h>
#include "virtio_pci.h"

/* What is left of it */
struct fuzz_input {
	const u8 *at;
	size_t left;
};

/* The target: a vGPU is there, and its guest's memory holds zeroes */
void fuzz_one(struct fuzz_input *in);

static inline void fuzz_bytes(struct fuzz_input *in, void *buf, size_t len)
{
	size_t n = min(len, in->left);

	memset(buf, 0, len);
	memcpy(buf, in->at, n);
	in->at += n;
	in->left -= n;
}

static inline u64 fuzz_int(struct fuzz_input *in, size_t size)
{
	u64 val = 0;

	fuzz_bytes(in, &val, size);
	return val;
}

/* Something that must be true whatever the input is */
#define fuzz_check(what)							\
do {										\
	if (!(what))								\
		shim_bug("%s:%d: not so: %s", __FILE__, __LINE__, #what);	\
} while (0)

static bool fuzz_gone;	/* the VMM has taken the memory away */

static inline void fuzz_memory(bool there)
{
	if (there && fuzz_gone)
		guest_map();
	else if (!there && !fuzz_gone)
		shim_vmm_unmap(0);
	fuzz_gone = !there;
}

/* A step: the guest writes to its memory; 2 bytes say where, 1 how much */
static inline void fuzz_write_memory(struct fuzz_input *in)
{
	u64 addr = fuzz_int(in, 2);
	u8 buf[256], len = fuzz_int(in, 1);

	fuzz_bytes(in, buf, len);
	if (!fuzz_gone)
		shim_guest_copy(addr, buf, len, true);
}

/* A chain is what vg_queue_pop() promises */
static inline void fuzz_check_chain(const struct vg_queue *q, const struct vg_chain *chain)
{
	u64 out = 0, in = 0;
	unsigned int i;

	fuzz_check(chain->head < q->size);
	fuzz_check(chain->num_out <= VG_CHAIN_MAX && chain->num_in <= VG_CHAIN_MAX);
	fuzz_check(chain->num_out + chain->num_in <= VG_CHAIN_MAX);
	for (i = 0; i < chain->num_out + chain->num_in; i++) {
		fuzz_check(chain->range[i].len);
		fuzz_check(chain->range[i].iova + (chain->range[i].len - 1) >=
			   chain->range[i].iova);
		*(i < chain->num_out ? &out : &in) += chain->range[i].len;
	}
	fuzz_check(out == chain->out_len && in == chain->in_len);
}

/* Nothing of one input is left when the next one comes */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 zero[GUEST_PAGES << PAGE_SHIFT];
	static bool started;
	struct fuzz_input in = { .at = data, .left = size };
	long allocs;

	if (!started) {
		guest_start();
		started = true;
	}
	fuzz_memory(true);
	shim_guest_copy(0, (void *)zero, sizeof(zero), true);
	unit_settle();
	shim_rcu_barrier();
	allocs = shim_allocs_alive();
	fuzz_one(&in);
	unit_settle();
	shim_rcu_barrier();
	fuzz_check(!shim_pinned() && !shim_mapped() && !shim_vmaps());
	fuzz_check(shim_allocs_alive() == allocs);
	return 0;
}

#endif /* FUZZ_H */
