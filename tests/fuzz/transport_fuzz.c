// SPDX-License-Identifier: MIT
/* transport_fuzz.c - a driver that reads and writes the registers that the input names */
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/slab.h>
#include "fuzz.h"

#define CONFIG_SIZE	16
#define MAX_BURST	32

static u8 config[CONFIG_SIZE];

enum {
	BAR_READ, BAR_WRITE, CONFIG_READ, CONFIG_WRITE, MEMORY, WORK, RESET, CHANGE, DRIVE, UNPLUG,
	NUM_STEPS
};

static void dev_reset(struct vg_transport *t)
{
	lockdep_assert_held(&t->lock);
	fuzz_check(!t->queue[0].enabled && !t->queue[1].enabled);
}

static void dev_notify(struct vg_transport *t, unsigned int queue)
{
	fuzz_check(queue < VG_NUM_QUEUES && t->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

static u32 dev_config_read(struct vg_transport *t, u32 offset, unsigned int size)
{
	u32 val = 0;

	lockdep_assert_held(&t->lock);
	memcpy(&val, config + offset, size);
	return val;
}

static void dev_config_write(struct vg_transport *t, u32 offset, unsigned int size, u32 val)
{
	lockdep_assert_held(&t->lock);
	memcpy(config + offset, &val, size);
}

static const struct vg_transport_ops ops = {
	.reset = dev_reset, .notify = dev_notify,
	.config_read = dev_config_read, .config_write = dev_config_write,
};

/* What is true between any two accesses */
static void check(void)
{
	const struct vg_transport *t = &transport;
	unsigned int i;

	for (i = 0; i < VG_NUM_QUEUES; i++) {
		const struct vg_queue *q = &t->queue[i];

		fuzz_check(q->size && q->size <= VG_QUEUE_SIZE && !(q->size & (q->size - 1)));
		fuzz_check(q->vector <= VG_NUM_QUEUES || q->vector == VIRTIO_MSI_NO_VECTOR);
		fuzz_check(!q->enabled || t->status & VIRTIO_CONFIG_S_FEATURES_OK);
		fuzz_check(!q->enabled || !(t->status & VIRTIO_CONFIG_S_NEEDS_RESET));
	}
	if (t->status & VIRTIO_CONFIG_S_FEATURES_OK)
		fuzz_check(!(t->features & ~t->offered) &&
			   t->features & 1ull << VIRTIO_F_VERSION_1);
	fuzz_check(!(t->status & VIRTIO_CONFIG_S_DRIVER_OK) ||
		   t->status & VIRTIO_CONFIG_S_FEATURES_OK);
	fuzz_check(pci.line || !atomic_read(&t->isr));
}

/* The vGPU's worker: every chain is read, answered and given back */
static void work_on(struct vg_queue *q)
{
	struct vg_chain chain;
	unsigned int n;
	int ret = 0;
	u8 buf[64];

	for (n = 0; n < MAX_BURST && ret >= 0; n++) {
		ret = vg_queue_pop(q, &chain);
		if (ret <= 0)
			break;
		fuzz_check_chain(q, &chain);
		ret = vg_chain_read(q, &chain, 0, buf, min_t(u64, chain.out_len, sizeof(buf))) ?:
		      vg_chain_write(q, &chain, 0, buf, min_t(u64, chain.in_len, sizeof(buf))) ?:
		      vg_queue_push(q, chain.head, min_t(u64, chain.in_len, sizeof(buf)));
		kvfree(chain.range);
	}
	if (!ret)
		ret = vg_queue_listen(q);
	if (ret < 0 && ret != -EAGAIN)
		vg_transport_broken(&transport, "the input");
	vg_transport_queue_irq(&transport, q);
}

static void work(void)
{
	unsigned int i;

	mutex_lock(&transport.lock);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		work_on(&transport.queue[i]);
	mutex_unlock(&transport.lock);
}

/* What a driver does until its queues work. 1 byte says which of the features it takes. */
static void drive(struct fuzz_input *in)
{
	static const u32 place[] = { DESC, 0, AVAIL, 0, USED, 0 };
	u32 i, j, take = fuzz_int(in, 1), optional = VIRTIO_RING_F_INDIRECT_DESC;

	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 3);
	bar_write(4, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	bar_write(4, VIRTIO_PCI_COMMON_GF, 4, 1 | (take & 4 ? 1 << (VIRTIO_F_RING_RESET - 32) : 0));
	bar_write(4, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	bar_write(4, VIRTIO_PCI_COMMON_GF, 4, (take & 3) << optional);
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (i = 0; i < VG_NUM_QUEUES; i++) {
		bar_write(4, VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		bar_write(4, VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
		bar_write(4, VIRTIO_PCI_COMMON_Q_MSIX, 2, i + 1);
		for (j = 0; j < ARRAY_SIZE(place); j++)
			bar_write(4, VIRTIO_PCI_COMMON_Q_DESCLO + 4 * j, 4, place[j]);
		bar_write(4, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 15);
	fuzz_check(transport.queue[0].enabled && transport.queue[1].enabled);
}

static void step(struct fuzz_input *in)
{
	u8 what = fuzz_int(in, 1);
	unsigned int size = 1 << (what >> 4) % 3;
	u32 offset;

	switch ((what & 15) % NUM_STEPS) {
	case BAR_READ:	/* 2 bytes say where; a third of BAR 4's step says how much */
		bar_read(4, (fuzz_int(in, 2) & 0x3fff) & -size, size);
		break;
	case BAR_WRITE:
		offset = (fuzz_int(in, 2) & 0x3fff) & -size;
		bar_write(4, offset, size, fuzz_int(in, size));
		break;
	case CONFIG_READ:	/* 1 byte says where */
		pci_read(fuzz_int(in, 1) & -size, size);
		break;
	case CONFIG_WRITE:
		offset = fuzz_int(in, 1) & -size;
		pci_write(offset, size, fuzz_int(in, size));
		break;
	case MEMORY:
		fuzz_write_memory(in);
		break;
	case WORK:
		work();
		break;
	case RESET:
		mvgpu_config_reset(&pci.cfg);
		vg_transport_reset(&transport);
		fuzz_check(!transport.status);
		break;
	case CHANGE:
		mutex_lock(&transport.lock);
		vg_transport_config_changed(&transport);
		mutex_unlock(&transport.lock);
		break;
	case DRIVE:
		drive(in);
		break;
	case UNPLUG:
		fuzz_memory(fuzz_gone);
		break;
	}
	check();
}

void fuzz_one(struct fuzz_input *in)
{
	const u64 offered = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_RING_RESET |
			    1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_RING_F_INDIRECT_DESC;

	fuzz_check(!pci_start(&ops, offered, CONFIG_SIZE));
	while (in->left)
		step(in);
	vg_transport_reset(&transport);
	shim_said("");
}
