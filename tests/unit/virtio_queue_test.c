// SPDX-License-Identifier: MIT
/*
 * virtio_queue_test.c - kernel/gvt/virtio/queue.c on the real tracker: what virtio 1.2,
 * section 2.7, says of a split virtqueue, and guests that do what it forbids
 */
#include <pthread.h>
#include <linux/slab.h>
#include "virtio_unit.h"

static struct vg_queue q;

static void start(u16 size, bool event_idx)
{
	guest_start();
	memset(&q, 0, sizeof(q));
	q.size = size;
	q.addr[VG_DESC] = DESC;
	q.addr[VG_AVAIL] = AVAIL;
	q.addr[VG_USED] = USED;
	assert_int_equal(vg_queue_enable(&q, &vgpu, event_idx), 0);
}

static void stop(void)
{
	vg_queue_disable(&q);
	assert_false(q.enabled);
	vg_queue_disable(&q);
	unit_stop();
}

/* What comes of the chain at @head; it is not looked at any closer */
static int pop(u16 head)
{
	struct vg_chain chain;
	int ret;

	guest_add(&q, head);
	ret = vg_queue_pop(&q, &chain);
	if (ret == 1) {
		assert_int_equal(chain.head, head);
		kvfree(chain.range);
	}
	return ret;
}

/* A chain as the specification has it, there and back */
static void chain(void **state)
{
	struct vg_chain c = { };
	char buf[16] = "";

	start(256, false);
	assert_int_equal(vg_queue_pop(&q, &c), 0);
	guest_desc(DESC, 7, DATA, 3, NEXT, 200);
	guest_desc(DESC, 200, DATA + 0x100, 5, NEXT, 255);
	guest_desc(DESC, 255, DATA + 0x200, 4, NEXT | WRITE, 0);
	guest_desc(DESC, 0, DATA + 0x2ffe, 6, WRITE, 99);
	shim_guest_copy(DATA, "abc", 3, true);
	shim_guest_copy(DATA + 0x100, "defgh", 5, true);
	guest_add(&q, 7);

	assert_int_equal(vg_queue_pop(&q, &c), 1);
	vg_queue_unpop(&q);
	kvfree(c.range);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	assert_int_equal(c.head, 7);
	assert_int_equal(c.num_out, 2);
	assert_int_equal(c.num_in, 2);
	assert_int_equal(c.out_len, 8);
	assert_int_equal(c.in_len, 10);
	assert_int_equal(c.range[3].iova, DATA + 0x2ffe);

	assert_int_equal(vg_chain_read(&q, &c, 0, buf, 8), 0);
	assert_string_equal(buf, "abcdefgh");
	assert_int_equal(vg_chain_read(&q, &c, 2, buf, 2), 0);
	assert_memory_equal(buf, "cd", 2);
	assert_int_equal(vg_chain_read(&q, &c, 3, buf, 5), 0);
	assert_memory_equal(buf, "defgh", 5);
	assert_int_equal(vg_chain_read(&q, &c, 8, buf, 0), 0);
	assert_int_equal(vg_chain_read(&q, &c, 0, buf, 9), -EINVAL);
	assert_int_equal(vg_chain_read(&q, &c, 8, buf, 1), -EINVAL);
	assert_int_equal(vg_chain_read(&q, &c, ~0ull, buf, 2), -EINVAL);

	assert_int_equal(vg_chain_write(&q, &c, 1, "123456789", 9), 0);
	assert_int_equal(vg_chain_write(&q, &c, 1, "123456789", 10), -EINVAL);
	assert_int_equal(vg_chain_write(&q, &c, 11, "1", 0), -EINVAL);
	assert_int_equal(guest_get(DATA + 0x200, 5), 0x33323100);
	shim_guest_copy(DATA + 0x2ffe, buf, 7, false);
	assert_string_equal(buf, "456789");

	assert_int_equal(vg_queue_pop(&q, &c), 0);
	assert_int_equal(guest_used(), 0);
	assert_int_equal(vg_queue_push(&q, c.head, 10), 0);
	assert_int_equal(guest_used(), 1);
	assert_int_equal(guest_get(USED + 4, 8), 10ull << 32 | 7);
	kvfree(c.range);
	stop();
}

/* Empty descriptors are as good as none; a chain of nothing else is a chain */
static void empty(void **state)
{
	struct vg_chain c = { };

	start(8, false);
	guest_desc(DESC, 0, DATA, 0, NEXT | WRITE, 1);
	guest_desc(DESC, 1, DATA, 8, NEXT, 2);
	guest_desc(DESC, 2, ~0ull, 0, 0, 0);
	guest_add(&q, 0);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	assert_int_equal(c.num_out + c.num_in, 1);
	assert_int_equal(c.out_len, 8);
	kvfree(c.range);
	guest_add(&q, 2);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	assert_int_equal(c.num_out + c.num_in + c.out_len + c.in_len, 0);
	assert_int_equal(vg_chain_read(&q, &c, 0, &c, 1), -EINVAL);
	assert_int_equal(vg_chain_write(&q, &c, 0, &c, 0), 0);
	kvfree(c.range);
	stop();
}

/* More than 65536 chains, some at a time, so that all the indices wrap */
static void bursts(bool event_idx)
{
	u64 seed = 1;
	struct vg_chain c;
	unsigned int i, n, want, done;

	start(4, event_idx);
	for (i = 0; i < 4; i++)
		guest_desc(DESC, i, DATA + i * 16, 16, 0, 0);
	for (done = 0; done < 70000; done += n) {
		n = 1 + unit_below(&seed, 4);
		for (i = 0; i < n; i++)
			guest_add(&q, (done + i) % 4);
		for (i = 0; i < n; i++) {
			assert_int_equal(vg_queue_pop(&q, &c), 1);
			assert_int_equal(c.head, (done + i) % 4);
			kvfree(c.range);
		}
		assert_int_equal(vg_queue_pop(&q, &c), 0);
		assert_int_equal(vg_queue_listen(&q), 0);
		if (event_idx)
			assert_int_equal(guest_avail_event(&q), (u16)(done + n));
		for (i = 0; i < n; i++) {
			assert_int_equal(vg_queue_push(&q, (done + i) % 4, done + i), 0);
			assert_int_equal(guest_used(), (u16)(done + i + 1));
			assert_int_equal(guest_get(USED + 4 + (done + i) % 4 * 8, 8),
					 (u64)(done + i) << 32 | (done + i) % 4);
		}
		/* How many more the guest lets pass before it wants to know */
		want = unit_below(&seed, 6);
		guest_want(&q, done + want);
		assert_int_equal(vg_queue_wants_irq(&q), !event_idx || want < n);
		assert_int_equal(vg_queue_wants_irq(&q), 0);
	}
	stop();
}

static void wrap(void **state)
{
	bursts(false);
}

static void wrap_event_idx(void **state)
{
	bursts(true);
}

/* Without event index, flags say who wants to hear of what */
static void flags(void **state)
{
	struct vg_chain c;

	start(8, false);
	guest_desc(DESC, 0, DATA, 8, 0, 0);
	guest_add(&q, 0);
	guest_add(&q, 0);
	assert_int_equal(guest_get(USED, 2), 0);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	kvfree(c.range);
	assert_int_equal(guest_get(USED, 2), VRING_USED_F_NO_NOTIFY);
	assert_int_equal(vg_queue_listen(&q), 1);
	assert_int_equal(guest_get(USED, 2), 0);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	kvfree(c.range);
	assert_int_equal(guest_get(USED, 2), VRING_USED_F_NO_NOTIFY);
	assert_int_equal(vg_queue_listen(&q), 0);
	assert_int_equal(guest_get(USED, 2), 0);

	guest_put(AVAIL, VRING_AVAIL_F_NO_INTERRUPT, 2);
	assert_int_equal(vg_queue_push(&q, 0, 0), 0);
	assert_int_equal(vg_queue_wants_irq(&q), 0);
	guest_put(AVAIL, 0, 2);
	assert_int_equal(vg_queue_wants_irq(&q), 0);	/* nothing new */
	assert_int_equal(vg_queue_push(&q, 0, 0), 0);
	assert_int_equal(vg_queue_wants_irq(&q), 1);
	stop();
}

/* With event index, flags mean nothing; a guest that is not asked again stays silent */
static void event_idx(void **state)
{
	struct vg_chain c;
	unsigned int i;

	start(8, true);
	guest_desc(DESC, 0, DATA, 8, 0, 0);
	for (i = 0; i < 3; i++)
		guest_add(&q, 0);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	kvfree(c.range);
	assert_int_equal(guest_get(USED, 2), 0);
	assert_int_equal(guest_avail_event(&q), 0);
	assert_int_equal(vg_queue_listen(&q), 1);
	assert_int_equal(guest_avail_event(&q), 1);
	for (i = 0; i < 2; i++) {
		assert_int_equal(vg_queue_pop(&q, &c), 1);
		kvfree(c.range);
	}
	assert_int_equal(guest_avail_event(&q), 1);
	assert_int_equal(vg_queue_listen(&q), 0);
	assert_int_equal(guest_avail_event(&q), 3);

	guest_put(AVAIL, VRING_AVAIL_F_NO_INTERRUPT, 2);
	guest_want(&q, 1);
	assert_int_equal(vg_queue_push(&q, 0, 0), 0);
	assert_int_equal(vg_queue_wants_irq(&q), 0);
	assert_int_equal(vg_queue_push(&q, 0, 0), 0);
	assert_int_equal(vg_queue_wants_irq(&q), 1);
	stop();
}

/* 2.7.5.3: a table, alone or behind other descriptors, its WRITE flag without meaning */
static void indirect(void **state)
{
	struct vg_chain c;
	unsigned int direct;

	for (direct = 0; direct < 2; direct++) {
		start(8, true);
		guest_desc(DESC, 3, DATA, 8, NEXT, 5);
		guest_desc(DESC, 5, TABLE + 8, 3 * 16, INDIRECT | (direct ? WRITE : 0), 77);
		guest_desc(TABLE + 8, 0, DATA + 0x100, 16, NEXT, 2);
		guest_desc(TABLE + 8, 2, DATA + 0x200, 32, NEXT, 1);
		guest_desc(TABLE + 8, 1, DATA + 0x300, 64, WRITE, 1);
		guest_add(&q, direct ? 3 : 5);
		assert_int_equal(vg_queue_pop(&q, &c), 1);
		assert_int_equal(c.head, direct ? 3 : 5);
		assert_int_equal(c.num_out, 2 + direct);
		assert_int_equal(c.num_in, 1);
		assert_int_equal(c.out_len, 48 + direct * 8);
		assert_int_equal(c.in_len, 64);
		assert_int_equal(c.range[direct].iova, DATA + 0x100);
		assert_int_equal(c.range[direct + 1].iova, DATA + 0x200);
		assert_int_equal(c.range[direct + 2].iova, DATA + 0x300);
		kvfree(c.range);
		stop();
	}
}

/* The longest chain: as many descriptors as are told of in transport.h, and one more */
static void longest(void **state)
{
	struct vg_chain c;
	unsigned int i;

	start(8, false);
	for (i = 0; i < VG_CHAIN_MAX; i++)
		guest_desc(TABLE, i, DATA, 1, NEXT, i + 1);
	guest_desc(TABLE, VG_CHAIN_MAX - 2, DATA, 1, 0, 0);
	guest_desc(DESC, 0, DATA, 1, NEXT, 1);
	guest_desc(DESC, 1, TABLE, (VG_CHAIN_MAX - 1) * 16, INDIRECT, 0);
	guest_add(&q, 0);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	assert_int_equal(c.num_out, VG_CHAIN_MAX);
	assert_int_equal(c.out_len, VG_CHAIN_MAX);
	kvfree(c.range);
	guest_desc(DESC, 1, TABLE, VG_CHAIN_MAX * 16, INDIRECT, 0);
	assert_int_equal(pop(0), -EPROTO);
	assert_int_equal(vg_queue_pop(&q, &c), -EPROTO);	/* it does not go away */
	stop();

	start(8, false);
	for (i = 0; i < 8; i++)
		guest_desc(DESC, i, DATA, 1, i < 7 ? NEXT : 0, i + 1);
	assert_int_equal(pop(0), 1);
	stop();
}

/* Chains that no driver makes */
static void broken_chains(void **state)
{
	static const struct {
		struct { u64 addr; u32 len; u16 flags, next; } desc[3], table[3];
		int ret;
	} bad[] = {
		/* Loops, and links to nowhere */
		{ { { DATA, 1, NEXT, 0 } }, { }, -EPROTO },
		{ { { DATA, 1, NEXT, 1 }, { DATA, 1, NEXT, 2 }, { DATA, 1, NEXT, 1 } },
		  { }, -EPROTO },
		{ { { DATA, 1, NEXT, 8 } }, { }, -EPROTO },
		{ { { DATA, 1, NEXT, 0xffff } }, { }, -EPROTO },
		/* What the device reads comes first */
		{ { { DATA, 1, NEXT | WRITE, 1 }, { DATA, 1, 0, 0 } }, { }, -EPROTO },
		/* Round the end of the address space */
		{ { { ~0ull, 2, 0, 0 } }, { }, -EPROTO },
		{ { { ~0ull - 0xffff, 0xffffffff, WRITE, 0 } }, { }, -EPROTO },
		{ { { ~0ull, 1, 0, 0 } }, { }, 1 },
		{ { { 0, 0xffffffff, NEXT, 1 }, { 0, 0xffffffff, WRITE, 0 } }, { }, 1 },
		/* Tables of no descriptors, of halves, of too many; nowhere */
		{ { { TABLE, 0, INDIRECT, 0 } }, { }, -EPROTO },
		{ { { TABLE, 8, INDIRECT, 0 } }, { }, -EPROTO },
		{ { { TABLE, 17, INDIRECT, 0 } }, { }, -EPROTO },
		{ { { TABLE, 0xfffffff0, INDIRECT, 0 } }, { }, -EPROTO },
		{ { { TABLE, (VG_CHAIN_MAX + 1) * 16, INDIRECT, 0 } }, { }, -EPROTO },
		{ { { NOWHERE, 16, INDIRECT, 0 } }, { }, -EFAULT },
		{ { { ~0ull, 16, INDIRECT, 0 } }, { }, -EINVAL },
		/* A table and more, in a table, in circles, out of the table */
		{ { { TABLE, 16, INDIRECT | NEXT, 1 } }, { { DATA, 1, 0, 0 } }, -EPROTO },
		{ { { TABLE, 16, INDIRECT, 0 } }, { { TABLE, 16, INDIRECT, 0 } }, -EPROTO },
		{ { { TABLE, 32, INDIRECT, 0 } },
		  { { DATA, 1, NEXT, 1 }, { DATA, 1, NEXT, 0 } }, -EPROTO },
		{ { { TABLE, 16, INDIRECT, 0 } },
		  { { DATA, 1, NEXT, 1 }, { DATA, 1, 0, 0 } }, -EPROTO },
		{ { { TABLE, 32, INDIRECT, 0 } },
		  { { DATA, 1, NEXT | WRITE, 1 }, { DATA, 1, 0, 0 } }, -EPROTO },
		{ { { DATA, 1, NEXT | WRITE, 1 }, { TABLE, 16, INDIRECT | WRITE, 0 } },
		  { { DATA, 1, 0, 0 } }, -EPROTO },
		{ { { TABLE, 16, INDIRECT, 0 } }, { { ~0ull, 2, 0, 0 } }, -EPROTO },
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		start(8, i & 1);
		for (j = 0; j < 3; j++) {
			guest_desc(DESC, j, bad[i].desc[j].addr, bad[i].desc[j].len,
				   bad[i].desc[j].flags, bad[i].desc[j].next);
			guest_desc(TABLE, j, bad[i].table[j].addr, bad[i].table[j].len,
				   bad[i].table[j].flags, bad[i].table[j].next);
		}
		if (pop(0) != bad[i].ret)
			fail_msg("chain %u", i);
		stop();
	}
}

/* Rings that say what can't be */
static void broken_rings(void **state)
{
	struct vg_chain c;

	start(8, true);
	guest_desc(DESC, 0, DATA, 8, 0, 0);
	assert_int_equal(pop(8), -EPROTO);
	stop();

	start(8, false);
	assert_int_equal(pop(0xffff), -EPROTO);
	stop();

	/* As many as fit, and one more */
	start(8, true);
	guest_desc(DESC, 0, DATA, 8, 0, 0);
	guest_put(AVAIL + 2, 8, 2);
	assert_int_equal(vg_queue_listen(&q), 1);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	kvfree(c.range);
	guest_put(AVAIL + 2, 10, 2);
	assert_int_equal(vg_queue_pop(&q, &c), -EPROTO);
	assert_int_equal(vg_queue_listen(&q), -EPROTO);
	guest_put(AVAIL + 2, 0, 2);		/* backwards */
	assert_int_equal(vg_queue_pop(&q, &c), -EPROTO);
	stop();
}

/* A queue is where a queue can be */
static void places(void **state)
{
	static const struct { u64 desc, avail, used; int ret; } place[] = {
		{ DESC, AVAIL, USED, 0 },
		{ DESC + 8, AVAIL, USED, -EINVAL },
		{ DESC, AVAIL + 1, USED, -EINVAL },
		{ DESC, AVAIL, USED + 2, -EINVAL },
		{ -128ull, AVAIL, USED, 0 },		/* 16 * 8 */
		{ -112ull, AVAIL, USED, -EINVAL },
		{ DESC, -22ull, USED, 0 },		/* 6 + 2 * 8 */
		{ DESC, -20ull, USED, -EINVAL },
		{ DESC, AVAIL, -72ull, 0 },		/* 6 + 8 * 8, rounded up */
		{ DESC, AVAIL, -68ull, -EINVAL },
		{ NOWHERE, NOWHERE, NOWHERE, 0 },
	};
	unsigned int i;

	start(8, false);
	for (i = 0; i < ARRAY_SIZE(place); i++) {
		vg_queue_disable(&q);
		q.addr[VG_DESC] = place[i].desc;
		q.addr[VG_AVAIL] = place[i].avail;
		q.addr[VG_USED] = place[i].used;
		if (vg_queue_enable(&q, &vgpu, true) != place[i].ret)
			fail_msg("place %u", i);
		assert_int_equal(q.enabled, !place[i].ret);
	}
	vg_queue_disable(&q);
	q.addr[VG_DESC] = DESC;
	q.addr[VG_AVAIL] = AVAIL;
	q.addr[VG_USED] = USED;
	for (i = 1; i <= 4; i++) {
		shim_fail_alloc(i);
		assert_int_equal(vg_queue_enable(&q, &vgpu, true), -ENOMEM);
		assert_false(q.enabled);
	}
	shim_fail_alloc(5);
	assert_int_equal(vg_queue_enable(&q, &vgpu, true), 0);
	shim_fail_alloc(0);
	stop();
}

/* Any one of the parts may be missing from the guest's memory, or be read-only */
static void missing(void **state)
{
	struct vg_chain c;
	unsigned int part;

	for (part = 0; part < 3; part++) {
		start(8, part & 1);
		guest_desc(DESC, 0, DATA, 8, 0, 0);
		vg_queue_disable(&q);
		q.addr[part] = NOWHERE;
		assert_int_equal(vg_queue_enable(&q, &vgpu, false), 0);
		guest_add(&q, 0);
		assert_int_equal(vg_queue_pop(&q, &c), -EFAULT);
		assert_int_equal(vg_queue_push(&q, 0, 0), part == 2 ? -EFAULT : 0);
		assert_int_equal(vg_queue_wants_irq(&q), part == 0 ? 1 : part == 1 ? -EFAULT : 0);
		assert_int_equal(vg_queue_listen(&q), part == 0 ? 1 : part == 1 ? -EFAULT : 1);
		stop();
	}

	start(8, true);
	shim_vmm_map(NOWHERE, 1, 1, IOMMU_READ);
	vg_queue_disable(&q);
	q.addr[VG_USED] = NOWHERE;
	assert_int_equal(vg_queue_enable(&q, &vgpu, true), 0);
	assert_int_equal(vg_queue_push(&q, 0, 0), -EPERM);
	assert_int_equal(vg_queue_listen(&q), -EPERM);
	stop();
}

/* Memory that goes and comes back between one use and the next */
static void revoked(void **state)
{
	struct vg_chain c;

	start(8, true);
	guest_desc(DESC, 0, DATA, 8, 0, 0);
	assert_int_equal(pop(0), 1);
	assert_int_equal(vg_queue_push(&q, 0, 0), 0);
	assert_true(shim_vmaps() == 3);
	shim_vmm_unmap(0);
	assert_int_equal(shim_vmaps(), 0);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(vg_queue_pop(&q, &c), -EFAULT);
	assert_int_equal(vg_queue_push(&q, 0, 0), -EFAULT);
	assert_int_equal(q.used_idx, 1);
	assert_int_equal(vg_queue_listen(&q), -EFAULT);
	guest_map();
	guest_desc(DESC, 5, DATA, 8, 0, 0);
	assert_int_equal(pop(0), 1);		/* where entry 1 is, 0 is */
	assert_int_equal(vg_queue_push(&q, 5, 6), 0);
	assert_int_equal(guest_get(USED + 12, 8), 6ull << 32 | 5);
	assert_int_equal(guest_used(), 2);
	stop();
}

static int going_ret[4];

static void while_going(struct mvgpu_mapping *m, void *priv)
{
	struct vg_chain c;

	(void)m;
	(void)priv;
	going_ret[0] = vg_queue_pop(&q, &c);
	going_ret[1] = vg_queue_push(&q, 0, 0);
	going_ret[2] = vg_queue_wants_irq(&q);
	going_ret[3] = vg_queue_listen(&q);
}

/* While memory is on its way, nothing is lost and nothing is broken */
static void going(void **state)
{
	struct mvgpu_range range = { .iova = 0, .len = PAGE_SIZE };
	struct mvgpu_mapping *m;
	unsigned int i;

	start(8, true);
	q.used_idx = 1;
	m = mvgpu_map(&vgpu, &range, 1, DMA_TO_DEVICE, while_going, NULL);
	assert_false(IS_ERR(m));
	shim_vmm_unmap(0);
	for (i = 0; i < ARRAY_SIZE(going_ret); i++)
		assert_int_equal(going_ret[i], -EAGAIN);
	mvgpu_unmap(m);
	assert_int_equal(q.last_avail, 0);
	assert_int_equal(q.used_idx, 1);
	assert_int_equal(q.signalled, 0);
	stop();
}

/* A queue that nobody has enabled, or not any more, has nothing and takes nothing */
static void disabled(void **state)
{
	struct vg_chain c;

	start(8, false);
	guest_desc(DESC, 0, DATA, 8, 0, 0);
	guest_add(&q, 0);
	vg_queue_disable(&q);
	assert_int_equal(vg_queue_pop(&q, &c), 0);
	assert_int_equal(vg_queue_push(&q, 0, 1), 0);
	assert_int_equal(vg_queue_listen(&q), 0);
	assert_int_equal(vg_queue_wants_irq(&q), 0);
	assert_int_equal(guest_get(USED, 8), 0);

	/* It starts over */
	q.last_avail = 77;
	q.used_idx = 78;
	q.signalled = 79;
	q.quiet = true;
	assert_int_equal(vg_queue_enable(&q, &vgpu, false), 0);
	assert_int_equal(vg_queue_pop(&q, &c), 1);
	kvfree(c.range);
	assert_int_equal(guest_get(USED, 2), VRING_USED_F_NO_NOTIFY);
	assert_int_equal(vg_queue_push(&q, 0, 1), 0);
	assert_int_equal(guest_used(), 1);
	assert_int_equal(vg_queue_wants_irq(&q), 1);
	stop();
}

/* Without memory of its own for it, a chain stays where it is */
static void no_memory(void **state)
{
	struct vg_chain c;
	unsigned int i;

	start(8, false);
	guest_desc(DESC, 0, DATA, 8, 0, 0);
	guest_add(&q, 0);
	for (i = 1; ; i++) {
		shim_fail_alloc(i);
		if (vg_queue_pop(&q, &c) == 1)
			break;
		assert_int_equal(q.last_avail, 0);
	}
	shim_fail_alloc(0);
	assert_true(i > 1);
	kvfree(c.range);
	stop();
}

static bool over;

/* A guest that writes whatever comes to its mind, into rings that are in use */
static void *scribble(void *arg)
{
	static const u64 at[] = { DESC, AVAIL, USED, TABLE };
	u64 seed = *(u64 *)arg;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		guest_desc(TABLE, unit_below(&seed, 8), DATA, unit_below(&seed, 3),
			   unit_below(&seed, 8), unit_below(&seed, 9));
		guest_desc(DESC, unit_below(&seed, 8),
			   unit_below(&seed, 2) ? TABLE : unit_random(&seed),
			   unit_below(&seed, 3) ? 16 * unit_below(&seed, 9) : unit_random(&seed),
			   unit_below(&seed, 8), unit_below(&seed, 10));
		guest_put(AVAIL + 2 + 2 * unit_below(&seed, 9), unit_below(&seed, 9), 2);
		if (!unit_below(&seed, 8))
			guest_put(at[unit_below(&seed, 4)] + unit_below(&seed, 128),
				  unit_random(&seed), 1 + unit_below(&seed, 8));
	}
	return NULL;
}

/* The same as fast as it can: what is read twice is rarely the same twice */
static void *flip(void *arg)
{
	struct mvgpu_window *w = mvgpu_window_open(&vgpu, AVAIL, 22, DMA_BIDIRECTIONAL);
	u16 *avail = mvgpu_window_get(w);
	unsigned int i;

	(void)arg;
	for (i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); i++)
		WRITE_ONCE(avail[2 + i % 8], i / 8 % 2 ? 0 : 9);
	mvgpu_window_put(w);
	mvgpu_window_close(w);
	return NULL;
}

static void check_sums(const struct vg_chain *c)
{
	u64 out = 0, in = 0;
	unsigned int i;

	assert_true(c->head < q.size && c->num_out + c->num_in <= VG_CHAIN_MAX);
	for (i = 0; i < c->num_out + c->num_in; i++) {
		assert_true(c->range[i].len);
		assert_true(c->range[i].iova + c->range[i].len - 1 >= c->range[i].iova);
		*(i < c->num_out ? &out : &in) += c->range[i].len;
	}
	assert_true(out == c->out_len && in == c->in_len);
}

/* What was read is what is used, whatever the guest writes meanwhile */
static void changing(void **state)
{
	u64 seed = unit_seed(__func__);
	unsigned int i, chains = 0;
	struct vg_chain c;
	pthread_t guest, other;
	int ret;

	start(8, true);
	over = false;
	pthread_create(&guest, NULL, scribble, &seed);
	pthread_create(&other, NULL, flip, NULL);
	for (i = 0; chains < 20000 && i < 30000000; i++) {
		ret = vg_queue_pop(&q, &c);
		assert_true(ret == 1 || ret == 0 || ret == -EPROTO || ret == -EFAULT ||
			    ret == -EINVAL);
		if (ret != 1) {		/* back to where it is not broken */
			q.last_avail = unit_below(&seed, 9);
			continue;
		}
		chains++;
		check_sums(&c);
		assert_int_equal(vg_queue_push(&q, c.head, 0), 0);
		assert_true(vg_queue_wants_irq(&q) >= 0);
		kvfree(c.range);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(guest, NULL);
	pthread_join(other, NULL);
	print_message("# %u chains in %u attempts\n", chains, i);
	assert_int_equal(chains, 20000);
	stop();
}

/* A VMM that takes the memory away while it is in use, and gives it back */
static void *unplug(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 300; i++) {
		shim_vmm_unmap(0);
		usleep(i % 4 * 50);
		guest_map();
		usleep(i % 8 * 100);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	return NULL;
}

static void leaving(void **state)
{
	unsigned int later = 0, gone = 0, fine = 0;
	pthread_t vmm;
	int ret;

	start(8, false);
	over = false;
	pthread_create(&vmm, NULL, unplug, NULL);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		ret = vg_queue_push(&q, 0, 0) ?: vg_queue_wants_irq(&q);
		if (ret < 0 && ret != -EAGAIN && ret != -EFAULT)
			fail_msg("errno %d", -ret);
		fine += ret >= 0;
		later += ret == -EAGAIN;
		gone += ret == -EFAULT;
	}
	pthread_join(vmm, NULL);
	print_message("# %u times there, %u times gone, %u times on its way\n", fine, gone, later);
	assert_true(fine && gone);
	assert_int_equal(vg_queue_push(&q, 0, 0), 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain), cmocka_unit_test(empty),
		cmocka_unit_test(wrap), cmocka_unit_test(wrap_event_idx),
		cmocka_unit_test(flags), cmocka_unit_test(event_idx),
		cmocka_unit_test(indirect), cmocka_unit_test(longest),
		cmocka_unit_test(broken_chains), cmocka_unit_test(broken_rings),
		cmocka_unit_test(places), cmocka_unit_test(missing), cmocka_unit_test(revoked),
		cmocka_unit_test(going),
		cmocka_unit_test(disabled), cmocka_unit_test(no_memory),
		cmocka_unit_test(changing), cmocka_unit_test(leaving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
