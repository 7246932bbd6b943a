/* SPDX-License-Identifier: MIT */
/*
 * virtio_pci.h - a vGPU's PCI function as its transport sees it: what device.c, region.c
 * and irq.c of the framework do, without VFIO
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "config.h"
#include "virtio_unit.h"

/* Where the areas are in BAR 4 */
#define COMMON	0x0000
#define ISR	0x1000
#define DEVICE	0x2000
#define NOTIFY	0x3000

static struct {
	struct mvgpu_config cfg;
	const struct mvgpu_bar_ops *bar[MVGPU_NUM_BARS];
	const struct mvgpu_cap_ops *cap_ops;
	u8 cap;
	unsigned int vectors, vector_bar, table, pba;
	bool line;
	unsigned int raised;	/* times */
	unsigned int vector;	/* the last */
} pci;

#ifndef transport	/* it may be a part of something larger */
static struct vg_transport transport;
#endif

static inline void *pci_priv(void)
{
	return &transport;
}

void *mvgpu_priv(struct mvgpu *v)
{
	(void)v;
	return pci_priv();
}

struct device *mvgpu_dev(struct mvgpu *v)
{
	(void)v;
	return NULL;
}

int mvgpu_set_ids(struct mvgpu *v, const struct mvgpu_pci_ids *ids)
{
	(void)v;
	mvgpu_config_set_ids(&pci.cfg, ids);
	return 0;
}

int mvgpu_add_bar(struct mvgpu *v, unsigned int bar, u64 size, u32 flags,
		  const struct mvgpu_bar_ops *ops)
{
	(void)v;
	pci.bar[bar] = ops;
	return mvgpu_config_add_bar(&pci.cfg, bar, size, flags);
}

int mvgpu_add_intx(struct mvgpu *v)
{
	(void)v;
	return mvgpu_config_add_intx(&pci.cfg);
}

int mvgpu_add_msix(struct mvgpu *v, unsigned int vectors, unsigned int bar, u32 table, u32 pba)
{
	(void)v;
	pci.vectors = vectors;
	pci.vector_bar = bar;
	pci.table = table;
	pci.pba = pba;
	return mvgpu_config_add_msix(&pci.cfg, vectors, bar, table, pba);
}

int mvgpu_add_pm(struct mvgpu *v)
{
	(void)v;
	return mvgpu_config_add_pm(&pci.cfg);
}

int mvgpu_add_pcie(struct mvgpu *v)
{
	(void)v;
	return mvgpu_config_add_pcie(&pci.cfg);
}

int mvgpu_add_vendor_cap(struct mvgpu *v, const void *data, u8 len)
{
	(void)v;
	return mvgpu_config_add_vendor(&pci.cfg, data, len);
}

int mvgpu_add_active_cap(struct mvgpu *v, const void *data, const void *writable, u8 len,
			 const struct mvgpu_cap_ops *ops)
{
	int pos = mvgpu_config_add_active(&pci.cfg, data, writable, len);

	(void)v;
	pci.cap = pos;
	pci.cap_ops = ops;
	return pos < 0 ? pos : 0;
}

void mvgpu_irq_raise(struct mvgpu *v, unsigned int vector)
{
	(void)v;
	pci.line = true;
	pci.raised++;
	pci.vector = vector;
}

void mvgpu_irq_lower(struct mvgpu *v)
{
	(void)v;
	pci.line = false;
}

static inline u64 bar_read(unsigned int bar, u64 offset, unsigned int size)
{
	return pci.bar[bar]->read ? pci.bar[bar]->read(&vgpu, offset, size) : 0;
}

static inline void bar_write(unsigned int bar, u64 offset, unsigned int size, u64 val)
{
	if (pci.bar[bar]->write)
		pci.bar[bar]->write(&vgpu, offset, size, val);
}

static inline bool pci_is_cap(u16 offset)
{
	return pci.cap_ops && offset >= pci.cap &&
	       offset < pci.cap + pci.cfg.val[pci.cap + PCI_CAP_FLAGS];
}

static inline u32 pci_read(u16 offset, unsigned int size)
{
	if (pci_is_cap(offset))
		pci.cap_ops->access(&vgpu, &pci.cfg.val[pci.cap], offset - pci.cap, false);
	return mvgpu_config_read(&pci.cfg, offset, size);
}

static inline void pci_write(u16 offset, unsigned int size, u32 val)
{
	mvgpu_config_write(&pci.cfg, offset, size, val);
	if (pci_is_cap(offset))
		pci.cap_ops->access(&vgpu, &pci.cfg.val[pci.cap], offset - pci.cap, true);
}

/* The function at power-on */
static inline int pci_start(const struct vg_transport_ops *ops, u64 offered, u32 config_size)
{
	int ret;

	memset(&pci, 0, sizeof(pci));
	memset(&transport, 0, sizeof(transport));
	mvgpu_config_init(&pci.cfg);
	ret = vg_transport_init(&transport, &vgpu, ops, offered, config_size);
	if (ret)
		return ret;
	mvgpu_config_seal(&pci.cfg);
	vg_transport_reset(&transport);
	return 0;
}

#endif /* VIRTIO_PCI_H */
