// SPDX-License-Identifier: MIT
/* queue_fuzz.c - a virtqueue whose rings and descriptors are the input */
#include "fuzz.h"

#define MAX_CHAINS	16

static struct vg_queue q;
static struct vg_chain chain[MAX_CHAINS];
static unsigned int taken;

enum {
	MEMORY, POP, PUSH, LISTEN, WANTS_IRQ, READ, WRITE_CHAIN, SET_UP, UNPLUG, ADD, UNPOP,
	NUM_STEPS
};

/* 1 byte says how large it is, and whether there is an event index; 2 each where it is */
static void set_up(struct fuzz_input *in)
{
	u8 kind = fuzz_int(in, 1);
	int ret;

	vg_queue_disable(&q);
	q.size = 1 << (kind & 15) % 9;
	q.addr[VG_DESC] = fuzz_int(in, 2);
	q.addr[VG_AVAIL] = fuzz_int(in, 2);
	q.addr[VG_USED] = fuzz_int(in, 2);
	ret = vg_queue_enable(&q, &vgpu, kind & 16);
	fuzz_check(q.enabled == !ret);
}

static void pop(void)
{
	int ret;

	if (taken == MAX_CHAINS)
		return;
	ret = vg_queue_pop(&q, &chain[taken]);
	fuzz_check(ret <= 1);
	if (ret == 1) {
		fuzz_check(q.enabled);
		fuzz_check_chain(&q, &chain[taken++]);
	}
}

/* 2 bytes say from where on, 1 how much */
static void copy(struct fuzz_input *in, bool write)
{
	const struct vg_chain *c;
	u64 offset = fuzz_int(in, 2), len = fuzz_int(in, 1);
	u8 buf[256] = "";
	int ret;

	if (!taken)
		return;
	c = &chain[taken - 1];
	ret = write ? vg_chain_write(&q, c, offset, buf, len) :
		      vg_chain_read(&q, c, offset, buf, len);
	fuzz_check((ret == -EINVAL) == (offset + len > (write ? c->in_len : c->out_len)));
}

/* The guest makes a chain available */
static void add(u16 head)
{
	u16 idx;

	if (!q.enabled || fuzz_gone)
		return;
	idx = guest_get(q.addr[VG_AVAIL] + 2, 2);
	guest_put(q.addr[VG_AVAIL] + 4 + idx % q.size * 2, head, 2);
	guest_put(q.addr[VG_AVAIL] + 2, idx + 1, 2);
}

static void step(struct fuzz_input *in)
{
	switch (fuzz_int(in, 1) % NUM_STEPS) {
	case MEMORY:
		fuzz_write_memory(in);
		break;
	case POP:
		pop();
		break;
	case PUSH:
		if (taken) {
			fuzz_check(vg_queue_push(&q, chain[--taken].head, 1) <= 0);
			kvfree(chain[taken].range);
		}
		break;
	case LISTEN:
		fuzz_check(vg_queue_listen(&q) <= 1);
		break;
	case WANTS_IRQ:
		fuzz_check(vg_queue_wants_irq(&q) <= 1);
		break;
	case READ:
		copy(in, false);
		break;
	case WRITE_CHAIN:
		copy(in, true);
		break;
	case SET_UP:
		set_up(in);
		break;
	case UNPLUG:
		fuzz_memory(fuzz_gone);
		break;
	case ADD:
		add(fuzz_int(in, 1));
		break;
	case UNPOP:
		if (taken) {
			vg_queue_unpop(&q);
			kvfree(chain[--taken].range);
		}
		break;
	}
}

void fuzz_one(struct fuzz_input *in)
{
	memset(&q, 0, sizeof(q));
	set_up(in);
	while (in->left)
		step(in);
	while (taken)
		kvfree(chain[--taken].range);
	vg_queue_disable(&q);
}
