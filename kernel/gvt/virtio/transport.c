// SPDX-License-Identifier: GPL-2.0-only
/*
 * transport.c - struct vg_transport: the registers of a modern virtio-pci function, virtio
 * 1.2, section 4.1. Portable: kernel and userspace.
 *
 * BAR 1 holds the MSI-X table, which is the framework's; BAR 4 the rest, a page each.
 */
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/pci_ids.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <asm/byteorder.h>
#include "transport.h"

#define MSIX_BAR		1
#define MSIX_PBA		0x800
#define NUM_VECTORS		(1 + VG_NUM_QUEUES)

#define MODERN_BAR		4
#define AREA_SIZE		SZ_4K
enum { AREA_COMMON, AREA_ISR, AREA_DEVICE, AREA_NOTIFY, NUM_AREAS };
#define NOTIFY_MULTIPLIER	4

#define PCI_DEVICE_ID_MODERN	0x1040	/* 4.1.2.1: the first */
#define PCI_SUBSYSTEM_QEMU	0x1100

#define ISR_QUEUE		BIT(0)
#define ISR_CONFIG		BIT(1)

/* What a driver may set in the device status field */
#define DRIVER_STATUS	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | \
			 VIRTIO_CONFIG_S_FAILED)

/* 4.1.3.1: a register is accessed as a whole, the halves of a 64-bit one each */
#define REG(offset, size)	((offset) << 3 | (size))
#define UPPER_HALF		REG(4, 0)	/* every lower half is at a multiple of 8 */

static void queue_power_on(struct vg_queue *q)
{
	vg_queue_disable(q);
	*q = (struct vg_queue){ .size = VG_QUEUE_SIZE, .vector = VIRTIO_MSI_NO_VECTOR,
				.epoch = q->epoch + 1 };
}

static void power_on(struct vg_transport *t)
{
	unsigned int i;

	lockdep_assert_held(&t->lock);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		queue_power_on(&t->queue[i]);
	t->features = 0;
	WRITE_ONCE(t->status, 0);
	t->config_vector = VIRTIO_MSI_NO_VECTOR;
	t->generation = 0;
	t->device_select = 0;
	t->driver_select = 0;
	t->queue_select = 0;
	mvgpu_irq_lower(t->vgpu);
	atomic_set(&t->isr, 0);
	t->ops->reset(t);
}

/* Bring the function to its power-on state, in mvgpu_driver.reset and .fini. Sleeps. */
void vg_transport_reset(struct vg_transport *t)
{
	mutex_lock(&t->lock);
	power_on(t);
	mutex_unlock(&t->lock);
}

/*
 * Tell the guest that the device configuration is new. vg_transport.lock is held since
 * before the change, so that no guest reads the old generation beside the new configuration.
 */
void vg_transport_config_changed(struct vg_transport *t)
{
	lockdep_assert_held(&t->lock);
	t->generation++;
	if (!(t->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	atomic_or(ISR_CONFIG, &t->isr);
	mvgpu_irq_raise(t->vgpu, t->config_vector);
}

/* Give up on what the guest does until it resets the device: the queues are disabled */
void vg_transport_broken(struct vg_transport *t, const char *why)
{
	unsigned int i;

	lockdep_assert_held(&t->lock);
	if (t->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	dev_err_ratelimited(mvgpu_dev(t->vgpu), "stopped until the guest resets it: %s\n", why);
	WRITE_ONCE(t->status, t->status | VIRTIO_CONFIG_S_NEEDS_RESET);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		vg_queue_disable(&t->queue[i]);
	vg_transport_config_changed(t);
}

/* Interrupt the guest, if it wants to hear of what was pushed */
void vg_transport_queue_irq(struct vg_transport *t, struct vg_queue *q)
{
	int wants;

	lockdep_assert_held(&t->lock);
	wants = vg_queue_wants_irq(q);
	if (wants < 0 && wants != -EAGAIN) {
		vg_transport_broken(t, "its available ring can't be read");
	} else if (wants) {	/* after -EAGAIN, too: one too many is better than none */
		atomic_or(ISR_QUEUE, &t->isr);
		mvgpu_irq_raise(t->vgpu, q->vector);
	}
}

/* The queue that is selected, or NULL */
static struct vg_queue *selected(struct vg_transport *t)
{
	if (t->queue_select >= VG_NUM_QUEUES)
		return NULL;
	return &t->queue[array_index_nospec(t->queue_select, VG_NUM_QUEUES)];
}

static u32 half(u64 val, u32 select)
{
	return select == 0 ? lower_32_bits(val) : select == 1 ? upper_32_bits(val) : 0;
}

static void set_half(u64 *val, bool upper, u32 to)
{
	*val = upper ? (u64)to << 32 | lower_32_bits(*val) : (*val & ~(u64)U32_MAX) | to;
}

/* The address that a register has a half of, or NULL */
static u64 *queue_addr(struct vg_queue *q, u32 reg)
{
	u32 n = (reg & ~UPPER_HALF) - REG(VIRTIO_PCI_COMMON_Q_DESCLO, 4);

	if (n % REG(8, 0) || n / REG(8, 0) >= VG_NUM_PARTS)
		return NULL;
	return &q->addr[array_index_nospec(n / REG(8, 0), VG_NUM_PARTS)];
}

static u32 queue_read(struct vg_transport *t, u32 reg)
{
	struct vg_queue *q = selected(t);
	const u64 *addr;

	if (!q)
		return reg == REG(VIRTIO_PCI_COMMON_Q_MSIX, 2) ? VIRTIO_MSI_NO_VECTOR : 0;
	switch (reg) {
	case REG(VIRTIO_PCI_COMMON_Q_SIZE, 2):
		return q->size;
	case REG(VIRTIO_PCI_COMMON_Q_MSIX, 2):
		return q->vector;
	case REG(VIRTIO_PCI_COMMON_Q_ENABLE, 2):
		return q->enabled;
	case REG(VIRTIO_PCI_COMMON_Q_NOFF, 2):
	case REG(VIRTIO_PCI_COMMON_Q_NDATA, 2):
		return q - t->queue;
	default:		/* a reset is over before it can be asked for */
		addr = queue_addr(q, reg);
		return addr ? half(*addr, !!(reg & UPPER_HALF)) : 0;
	}
}

static u32 common_read(struct vg_transport *t, u32 offset, unsigned int size)
{
	u32 reg = REG(offset, size);

	switch (reg) {
	case REG(VIRTIO_PCI_COMMON_DFSELECT, 4):
		return t->device_select;
	case REG(VIRTIO_PCI_COMMON_DF, 4):
		return half(t->offered, t->device_select);
	case REG(VIRTIO_PCI_COMMON_GFSELECT, 4):
		return t->driver_select;
	case REG(VIRTIO_PCI_COMMON_GF, 4):
		return half(t->features, t->driver_select);
	case REG(VIRTIO_PCI_COMMON_MSIX, 2):
		return t->config_vector;
	case REG(VIRTIO_PCI_COMMON_NUMQ, 2):
		return VG_NUM_QUEUES;
	case REG(VIRTIO_PCI_COMMON_STATUS, 1):
		return t->status;
	case REG(VIRTIO_PCI_COMMON_CFGGENERATION, 1):
		return t->generation;
	case REG(VIRTIO_PCI_COMMON_Q_SELECT, 2):
		return t->queue_select;
	default:
		return queue_read(t, reg);
	}
}

/* 4.1.5.1.2: a vector that there is, or none */
static u16 vector_of(u32 val)
{
	return val < NUM_VECTORS ? val : VIRTIO_MSI_NO_VECTOR;
}

static void queue_enable(struct vg_transport *t, struct vg_queue *q)
{
	if ((t->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_NEEDS_RESET)) !=
	    VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	if (vg_queue_enable(q, t->vgpu, t->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX)))
		vg_transport_broken(t, "it has put a queue where none can be");
}

static void queue_write(struct vg_transport *t, u32 reg, u32 val)
{
	struct vg_queue *q = selected(t);
	u64 *addr;

	if (!q)
		return;
	addr = queue_addr(q, reg);
	if (reg == REG(VIRTIO_PCI_COMMON_Q_MSIX, 2))
		q->vector = vector_of(val);
	else if (reg == REG(VIRTIO_PCI_COMMON_Q_RESET, 2) && val == 1 &&
		 t->features & BIT_ULL(VIRTIO_F_RING_RESET))
		queue_power_on(q);	/* 2.6.1: as after a reset of the device */
	else if (q->enabled)	/* where and how large it is stays, while it is used */
		return;
	else if (reg == REG(VIRTIO_PCI_COMMON_Q_ENABLE, 2) && val == 1)
		queue_enable(t, q);
	else if (addr)
		set_half(addr, reg & UPPER_HALF, val);
	else if (reg == REG(VIRTIO_PCI_COMMON_Q_SIZE, 2) &&
		 val <= VG_QUEUE_SIZE && is_power_of_2(val))
		q->size = val;
}

/* 3.1.1: bits are added, and some only if what has come before them allows it */
static void status_write(struct vg_transport *t, u8 val)
{
	u8 status = t->status | (val & DRIVER_STATUS);

	if (!val) {
		power_on(t);
		return;
	}
	if (t->features & ~t->offered || !(t->features & BIT_ULL(VIRTIO_F_VERSION_1)))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!(status & VIRTIO_CONFIG_S_FEATURES_OK))
		status &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	WRITE_ONCE(t->status, status);
}

static void common_write(struct vg_transport *t, u32 offset, unsigned int size, u32 val)
{
	u32 reg = REG(offset, size);

	if (reg == REG(VIRTIO_PCI_COMMON_DFSELECT, 4))
		t->device_select = val;
	else if (reg == REG(VIRTIO_PCI_COMMON_GFSELECT, 4))
		t->driver_select = val;
	else if (reg == REG(VIRTIO_PCI_COMMON_GF, 4) &&
		 !(t->status & VIRTIO_CONFIG_S_FEATURES_OK) && t->driver_select <= 1)
		set_half(&t->features, t->driver_select, val);
	else if (reg == REG(VIRTIO_PCI_COMMON_MSIX, 2))
		t->config_vector = vector_of(val);
	else if (reg == REG(VIRTIO_PCI_COMMON_STATUS, 1))
		status_write(t, val);
	else if (reg == REG(VIRTIO_PCI_COMMON_Q_SELECT, 2))
		t->queue_select = val;
	else
		queue_write(t, reg, val);
}

/* 4.1.4.4: the driver says where it notifies by where it writes */
static void notify(struct vg_transport *t, u32 offset, unsigned int size)
{
	const u8 mask = VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET;
	u32 queue = offset / NOTIFY_MULTIPLIER;

	if (size < 2 || offset % NOTIFY_MULTIPLIER || queue >= VG_NUM_QUEUES)
		return;
	if ((READ_ONCE(t->status) & mask) == VIRTIO_CONFIG_S_DRIVER_OK)
		t->ops->notify(t, array_index_nospec(queue, VG_NUM_QUEUES));
}

static u64 modern_read(struct mvgpu *vgpu, u64 offset, unsigned int size)
{
	struct vg_transport *t = mvgpu_priv(vgpu);
	u32 area = offset / AREA_SIZE, at = offset % AREA_SIZE, val = 0;

	if (area == AREA_ISR) {
		/*
		 * 4.1.4.5: reading clears. The line goes first: if a worker is about to raise it
		 * again, its bit is read here or its interrupt comes afterwards.
		 */
		if (!at)
			mvgpu_irq_lower(vgpu);
		return at ? 0 : atomic_xchg(&t->isr, 0);
	}
	mutex_lock(&t->lock);
	if (area == AREA_COMMON)
		val = common_read(t, at, size);
	else if (area == AREA_DEVICE && at + size <= t->config_size)
		val = t->ops->config_read(t, at, size);
	mutex_unlock(&t->lock);
	return val;
}

static void modern_write(struct mvgpu *vgpu, u64 offset, unsigned int size, u64 val)
{
	struct vg_transport *t = mvgpu_priv(vgpu);
	u32 area = offset / AREA_SIZE, at = offset % AREA_SIZE;

	if (area == AREA_NOTIFY) {	/* must not wait for the worker */
		notify(t, at, size);
		return;
	}
	mutex_lock(&t->lock);
	if (area == AREA_COMMON)
		common_write(t, at, size, val);
	else if (area == AREA_DEVICE && at + size <= t->config_size)
		t->ops->config_write(t, at, size, val);
	mutex_unlock(&t->lock);
}

/*
 * 4.1.4.9: the registers through configuration space. An access to pci_cfg_data is one to
 * what the other fields name, if they name anything.
 */
static void cfg_access(struct mvgpu *vgpu, void *data, unsigned int accessed, bool write)
{
	const size_t at = offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
	struct virtio_pci_cap cap;
	u32 offset, size;
	__le32 val = 0;

	memcpy(&cap, data, sizeof(cap));
	offset = le32_to_cpu(cap.offset);
	size = le32_to_cpu(cap.length);
	if (accessed < at || cap.bar != MODERN_BAR || (size != 1 && size != 2 && size != 4) ||
	    offset >= NUM_AREAS * AREA_SIZE || offset % size)
		return;
	if (write) {
		memcpy(&val, data + at, size);
		modern_write(vgpu, offset, size, le32_to_cpu(val));
	} else {
		val = cpu_to_le32(modern_read(vgpu, offset, size));
		memcpy(data + at, &val, size);
	}
}

/* What follows the three bytes that every vendor-specific capability begins with */
#define CAP_BODY	offsetof(struct virtio_pci_cap, cfg_type)

static int add_area(struct mvgpu *vgpu, u8 type, unsigned int area)
{
	struct virtio_pci_notify_cap cap = {
		.cap.cfg_type = type, .cap.bar = MODERN_BAR,
		.cap.offset = cpu_to_le32(area * AREA_SIZE), .cap.length = cpu_to_le32(AREA_SIZE),
		.notify_off_multiplier = cpu_to_le32(NOTIFY_MULTIPLIER),
	};
	u8 len = type == VIRTIO_PCI_CAP_NOTIFY_CFG ? sizeof(cap) : sizeof(cap.cap);

	return mvgpu_add_vendor_cap(vgpu, (u8 *)&cap + CAP_BODY, len - CAP_BODY);
}

static int add_cfg_window(struct mvgpu *vgpu)
{
	static const struct mvgpu_cap_ops ops = { .access = cfg_access };
	const struct virtio_pci_cfg_cap cap = { .cap.cfg_type = VIRTIO_PCI_CAP_PCI_CFG };
	const struct virtio_pci_cfg_cap writable = {
		.cap.bar = U8_MAX,
		.cap.offset = cpu_to_le32(U32_MAX), .cap.length = cpu_to_le32(U32_MAX),
		.pci_cfg_data = { U8_MAX, U8_MAX, U8_MAX, U8_MAX },
	};

	return mvgpu_add_active_cap(vgpu, (u8 *)&cap + CAP_BODY, (u8 *)&writable + CAP_BODY,
				    sizeof(cap) - CAP_BODY, &ops);
}

/*
 * Declare a vGPU to be a virtio-gpu.
 * Context: mvgpu_driver.init. vg_transport_reset() has to follow before the guest is let in.
 * Return: 0, or an errno of the framework's builders.
 */
int vg_transport_init(struct vg_transport *t, struct mvgpu *vgpu,
		      const struct vg_transport_ops *ops, u64 offered, u32 config_size)
{
	static const struct mvgpu_pci_ids ids = {
		.vendor = PCI_VENDOR_ID_REDHAT_QUMRANET,
		.device = PCI_DEVICE_ID_MODERN + VIRTIO_ID_GPU,
		.subsystem_vendor = PCI_VENDOR_ID_REDHAT_QUMRANET, .subsystem = PCI_SUBSYSTEM_QEMU,
		.class = PCI_CLASS_DISPLAY_OTHER << 8, .revision = 1,
	};
	static const struct mvgpu_bar_ops msix = { 1, 4 };	/* the table, and nothing else */
	static const struct mvgpu_bar_ops modern = { 1, 4, modern_read, modern_write };

	*t = (struct vg_transport){
		.vgpu = vgpu, .ops = ops, .offered = offered, .config_size = config_size,
	};
	mutex_init(&t->lock);
	return mvgpu_set_ids(vgpu, &ids) ?:
	       mvgpu_add_bar(vgpu, MSIX_BAR, SZ_4K, 0, &msix) ?:
	       mvgpu_add_bar(vgpu, MODERN_BAR, NUM_AREAS * AREA_SIZE,
			     MVGPU_BAR_64BIT | MVGPU_BAR_PREFETCH, &modern) ?:
	       mvgpu_add_intx(vgpu) ?:
	       mvgpu_add_msix(vgpu, NUM_VECTORS, MSIX_BAR, 0, MSIX_PBA) ?:
	       add_area(vgpu, VIRTIO_PCI_CAP_COMMON_CFG, AREA_COMMON) ?:
	       add_area(vgpu, VIRTIO_PCI_CAP_ISR_CFG, AREA_ISR) ?:
	       add_area(vgpu, VIRTIO_PCI_CAP_DEVICE_CFG, AREA_DEVICE) ?:
	       add_area(vgpu, VIRTIO_PCI_CAP_NOTIFY_CFG, AREA_NOTIFY) ?:
	       add_cfg_window(vgpu) ?:
	       mvgpu_add_pm(vgpu) ?:
	       mvgpu_add_pcie(vgpu);
}
