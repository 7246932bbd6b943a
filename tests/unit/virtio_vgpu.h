/* SPDX-License-Identifier: MIT */
/*
 * virtio_vgpu.h - a vGPU on the physical virtio-gpu of virtio_hw.h, with a driver in its guest,
 * and what the rest of the framework does for both
 */
#ifndef VIRTIO_VGPU_H
#define VIRTIO_VGPU_H

#include "virtio_hw.h"

static struct vg_vgpu one;

#define transport	one.t
#include "virtio_pci.h"

/* ---- what the framework does ---- */

int mvgpu_set_dma(struct mvgpu *v, struct device *dev, enum mvgpu_dma_mode mode)
{
	v->t.dma = (struct mvgpu_dma){ .dev = dev, .mode = mode };
	return 0;
}

struct mvgpu_parent *mvgpu_parent(struct mvgpu *v)
{
	(void)v;
	return NULL;
}

void *mvgpu_parent_priv(struct mvgpu_parent *parent)
{
	(void)parent;
	return gpu;
}

const struct attribute_group *mvgpu_adopt_groups[] = { NULL };

bool mvgpu_adopted(struct device *dev)
{
	(void)dev;
	return !hw_not_adopted;
}

int __mvgpu_register_driver(struct mvgpu_driver *drv, struct module *owner, const char *mod_name)
{
	(void)owner;
	(void)mod_name;
	return drv == &vg_driver ? 0 : -EINVAL;
}

void mvgpu_unregister_driver(struct mvgpu_driver *drv)
{
	(void)drv;
}

struct mvgpu_parent *mvgpu_register_parent(struct device *dev, struct mvgpu_driver *drv,
					   const struct mvgpu_budget *budget, void *priv)
{
	if (dev != &hw.pdev.dev || drv != &vg_driver || priv != gpu)
		shim_bug("this is no parent");
	hw.budget = *budget;
	return hw_no_parent ? ERR_PTR(hw_no_parent) : NULL;
}

static void (*hw_leave)(void);		/* how vGPUs that are left go */

void mvgpu_unregister_parent(struct mvgpu_parent *parent)
{
	(void)parent;
	if (hw_leave)
		hw_leave();
	if (!list_empty(&gpu->vgpus))
		shim_bug("there are vGPUs left");
}

const struct mvgpu_type *mvgpu_type(struct mvgpu *v)
{
	(void)v;
	return &vg_driver.types[hw.type];
}

/* The first one is another vGPU's */
int mvgpu_head(struct mvgpu *v, unsigned int n)
{
	(void)v;
	return n + 1;
}

unsigned int mvgpu_weight(struct mvgpu *v)
{
	return hw.weight[v != &vgpu];
}

void mvgpu_count(struct mvgpu *v, u64 commands, u64 bytes, u64 ns)
{
	if (v != &vgpu)
		return;
	hw.commands += commands;
	hw.bytes += bytes;
	hw.ns += ns;
}

static inline int vgpu_start(unsigned int type)
{
	int ret;

	hw.type = type;
	memset(&pci, 0, sizeof(pci));
	memset(&one, 0, sizeof(one));
	mvgpu_config_init(&pci.cfg);
	ret = vg_driver.init(&vgpu);
	if (ret)
		return ret;
	mvgpu_config_seal(&pci.cfg);
	vg_driver.reset(&vgpu);
	return 0;
}

static inline void vgpu_go(void)
{
	vg_driver.fini(&vgpu);
	hw_settle();
}

/* The hardware answers, so that it ends */
static inline void vgpu_stop(void)
{
	hw_at_once(true);
	vgpu_go();
}

/* ---- the guest's driver ---- */

#define GUEST_SIZE	256		/* of a queue */
#define GUEST_SLOTS	(GUEST_SIZE / 2)
#define GUEST_DESC(q)	(0x1000ull + 0x1000 * (q))
#define GUEST_AVAIL(q)	(0x3000ull + 0x400 * (q))
#define GUEST_USED(q)	(0x4000ull + 0x1000 * (q))
#define GUEST_REQ(q, i)	(0x10000ull + 0x80 * (GUEST_SLOTS * (q) + (i)))
#define GUEST_RESP(i)	(0x20000ull + 0x200 * (i))

static u16 slot[VG_NUM_QUEUES];		/* the next, counting on */

static inline void guest_enable(unsigned int queue)
{
	const u64 place[] = { GUEST_DESC(queue), GUEST_AVAIL(queue), GUEST_USED(queue) };
	unsigned int i;

	slot[queue] = 0;
	guest_put(GUEST_AVAIL(queue) + 2, 0, 2);
	guest_put(GUEST_USED(queue) + 2, 0, 2);
	bar_write(4, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	bar_write(4, VIRTIO_PCI_COMMON_Q_SIZE, 2, GUEST_SIZE);
	bar_write(4, VIRTIO_PCI_COMMON_Q_MSIX, 2, queue + 1);
	for (i = 0; i < ARRAY_SIZE(place); i++)
		bar_write(4, VIRTIO_PCI_COMMON_Q_DESCLO + 8 * i, 4, place[i]);
	bar_write(4, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static inline void guest_drive(void)
{
	unsigned int i;

	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 3);
	bar_write(4, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	bar_write(4, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	bar_write(4, VIRTIO_PCI_COMMON_GF, 4,
		  bar_read(4, VIRTIO_PCI_COMMON_DF, 4) & guest_takes & (UUID | BLOB));
	bar_write(4, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	bar_write(4, VIRTIO_PCI_COMMON_GF, 4, 3 | 1 << (VIRTIO_F_RING_RESET - 32));
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		guest_enable(i);
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

/* Make a command available that is at @addr. Returns its slot. */
static inline unsigned int guest_cmd_at(unsigned int queue, u64 addr, u32 len, u32 resp_len)
{
	unsigned int i = slot[queue]++ % GUEST_SLOTS;
	u64 avail = GUEST_AVAIL(queue);

	guest_desc(GUEST_DESC(queue), 2 * i, addr, len, resp_len ? NEXT : 0, 2 * i + 1);
	guest_desc(GUEST_DESC(queue), 2 * i + 1, GUEST_RESP(i), resp_len, WRITE, 0);
	guest_put(avail + 4 + (slot[queue] - 1) % GUEST_SIZE * 2, 2 * i, 2);
	guest_put(avail + 2, slot[queue], 2);
	return i;
}

static inline unsigned int guest_cmd(unsigned int queue, const void *req, u32 len, u32 resp_len)
{
	u64 addr = GUEST_REQ(queue, slot[queue] % GUEST_SLOTS);

	shim_guest_copy(addr, (void *)req, len, true);
	return guest_cmd_at(queue, addr, len, resp_len);
}

static inline void guest_notify(unsigned int queue)
{
	bar_write(4, NOTIFY + 4 * queue, 2, queue);
}

/* ---- time that passes while somebody waits for it: a second in each millisecond ---- */

static bool time_stops;

static inline void *time_flies(void *arg)
{
	while (!__atomic_load_n(&time_stops, __ATOMIC_ACQUIRE)) {
		usleep(1000);
		shim_advance(HZ * 1000000ll);
	}
	return arg;
}

static inline pthread_t begin_time(void)
{
	pthread_t thread;

	time_stops = false;
	pthread_create(&thread, NULL, time_flies, NULL);
	return thread;
}

static inline void end_time(pthread_t thread)
{
	__atomic_store_n(&time_stops, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

#endif /* VIRTIO_VGPU_H */
