// SPDX-License-Identifier: MIT
/*
 * virtio_transport_test.c - kernel/gvt/virtio/transport.c as a driver sees it: virtio 1.2,
 * sections 2.1, 2.6, 3.1 and 4.1
 */
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include "virtio_pci.h"

#define F(n)	(1ull << VIRTIO_##n)
#define OFFERED	(F(F_VERSION_1) | F(F_ACCESS_PLATFORM) | F(RING_F_INDIRECT_DESC) | \
		 F(RING_F_EVENT_IDX) | F(F_RING_RESET) | 3)

#define ACK		VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER		VIRTIO_CONFIG_S_DRIVER
#define FEATURES_OK	VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK	VIRTIO_CONFIG_S_DRIVER_OK
#define NEEDS_RESET	VIRTIO_CONFIG_S_NEEDS_RESET
#define READY		(ACK | DRIVER | FEATURES_OK)

#define CONFIG_SIZE	16
#define REGISTERS	60	/* bytes of them in the common configuration */

/* The device behind it */
static struct {
	unsigned int resets, notified[VG_NUM_QUEUES];
	u8 config[CONFIG_SIZE];
} dev;

static void dev_reset(struct vg_transport *t)
{
	lockdep_assert_held(&t->lock);
	assert_false(t->queue[0].enabled || t->queue[1].enabled);
	dev.resets++;
}

static void dev_notify(struct vg_transport *t, unsigned int queue)
{
	mutex_lock(&t->lock);	/* it may */
	dev.notified[queue]++;
	mutex_unlock(&t->lock);
}

static u32 dev_config_read(struct vg_transport *t, u32 offset, unsigned int size)
{
	u32 val = 0;

	lockdep_assert_held(&t->lock);
	assert_true(offset + size <= CONFIG_SIZE);
	memcpy(&val, dev.config + offset, size);
	return val;
}

static void dev_config_write(struct vg_transport *t, u32 offset, unsigned int size, u32 val)
{
	lockdep_assert_held(&t->lock);
	assert_true(offset + size <= CONFIG_SIZE);
	memcpy(dev.config + offset, &val, size);
}

static const struct vg_transport_ops ops = {
	.reset = dev_reset, .notify = dev_notify,
	.config_read = dev_config_read, .config_write = dev_config_write,
};

static void start(void)
{
	guest_start();
	memset(&dev, 0, sizeof(dev));
	assert_int_equal(pci_start(&ops, OFFERED, CONFIG_SIZE), 0);
	assert_int_equal(dev.resets, 1);
	dev.resets = 0;
	shim_said("");
}

static void stop(void)
{
	vg_transport_reset(&transport);
	assert_false(shim_said("stopped"));
	unit_stop();
}

/* The common configuration, with the width that each register has */
static unsigned int width(unsigned int reg)
{
	return reg == VIRTIO_PCI_COMMON_STATUS || reg == VIRTIO_PCI_COMMON_CFGGENERATION ? 1 :
	       reg == VIRTIO_PCI_COMMON_MSIX || reg == VIRTIO_PCI_COMMON_NUMQ ||
	       (reg >= VIRTIO_PCI_COMMON_Q_SELECT && reg < VIRTIO_PCI_COMMON_Q_DESCLO) ||
	       reg >= VIRTIO_PCI_COMMON_Q_NDATA ? 2 : 4;
}

static u32 get(unsigned int reg)
{
	return bar_read(4, COMMON + reg, width(reg));
}

static void set(unsigned int reg, u32 val)
{
	bar_write(4, COMMON + reg, width(reg), val);
}

#define get(reg)	get(VIRTIO_PCI_COMMON_##reg)
#define set(reg, val)	set(VIRTIO_PCI_COMMON_##reg, val)

static void accept(u64 features)
{
	set(GFSELECT, 0);
	set(GF, features);
	set(GFSELECT, 1);
	set(GF, features >> 32);
}

/* What a driver does before its queues */
static void negotiate(u64 features)
{
	set(STATUS, ACK);
	set(STATUS, ACK | DRIVER);
	accept(features);
	set(STATUS, READY);
	assert_int_equal(get(STATUS), READY);
}

static void place(u64 desc, u64 driver, u64 device)
{
	set(Q_DESCLO, desc);
	set(Q_DESCHI, desc >> 32);
	set(Q_AVAILLO, driver);
	set(Q_AVAILHI, driver >> 32);
	set(Q_USEDLO, device);
	set(Q_USEDHI, device >> 32);
}

static void enable(unsigned int queue)
{
	set(Q_SELECT, queue);
	set(Q_SIZE, 8);
	set(Q_MSIX, queue + 1);
	place(DESC, AVAIL, USED);
	set(Q_ENABLE, 1);
}

static void drive(u64 features)
{
	negotiate(features);
	set(MSIX, 0);
	enable(VG_CONTROLQ);
	enable(VG_CURSORQ);
	set(STATUS, READY | DRIVER_OK);
	assert_int_equal(get(STATUS), READY | DRIVER_OK);
}

/* What a driver's probing finds */
static void function(void **state)
{
	static const struct { u8 type, bar; u32 offset; } found[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, 4, COMMON }, { VIRTIO_PCI_CAP_ISR_CFG, 4, ISR },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, 4, DEVICE }, { VIRTIO_PCI_CAP_NOTIFY_CFG, 4, NOTIFY },
	};
	unsigned int pos, n = 0, others = 0;

	start();
	assert_int_equal(pci_read(PCI_VENDOR_ID, 4), 0x10501af4);
	assert_int_equal(pci_read(PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
	assert_int_equal(pci_read(PCI_CLASS_REVISION, 4), 0x03800001);
	assert_int_equal(pci_read(PCI_INTERRUPT_PIN, 1), 1);
	assert_int_equal(pci_read(PCI_BASE_ADDRESS_1, 4), 0);
	assert_int_equal(pci_read(PCI_BASE_ADDRESS_4, 4), 0xc);
	assert_int_equal(pci.cfg.bar_size[1], 4096);
	assert_int_equal(pci.cfg.bar_size[4], 16384);
	assert_int_equal(pci.vectors, 3);
	assert_int_equal(pci.vector_bar, 1);
	for (pos = pci_read(PCI_CAPABILITY_LIST, 1); pos; pos = pci_read(pos + 1, 1)) {
		if (pci_read(pos, 1) != PCI_CAP_ID_VNDR) {
			others++;
			continue;
		}
		if (pci_read(pos + 3, 1) == VIRTIO_PCI_CAP_PCI_CFG) {
			assert_int_equal(pci_read(pos + 2, 1), 20);
			assert_int_equal(pos, pci.cap);
			continue;
		}
		assert_true(n < ARRAY_SIZE(found));
		assert_int_equal(pci_read(pos + 3, 1), found[n].type);
		assert_int_equal(pci_read(pos + 4, 1), found[n].bar);
		assert_int_equal(pci_read(pos + 8, 4), found[n].offset);
		assert_int_equal(pci_read(pos + 12, 4), 4096);
		if (found[n].type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
			assert_int_equal(pci_read(pos + 2, 1), 20);
			assert_int_equal(pci_read(pos + 16, 4), 4);
		} else {
			assert_int_equal(pci_read(pos + 2, 1), 16);
		}
		n++;
	}
	assert_int_equal(n, ARRAY_SIZE(found));
	assert_true(pci.cap);
	assert_int_equal(others, 3);	/* MSI-X, PM, PCI Express */
	assert_int_equal(bar_read(1, 0x400, 4), 0);
	bar_write(1, 0x400, 4, 1);
	assert_int_equal(bar_read(4, NOTIFY, 4), 0);
	stop();
}

static void features(void **state)
{
	start();
	set(DFSELECT, 0);
	assert_int_equal(get(DF), (u32)OFFERED);
	set(DFSELECT, 1);
	assert_int_equal(get(DF), OFFERED >> 32);
	set(DFSELECT, 2);
	assert_int_equal(get(DF), 0);
	assert_int_equal(get(DFSELECT), 2);

	/* Without VIRTIO_F_VERSION_1; with one too many, in either half */
	set(STATUS, ACK | DRIVER);
	accept(3);
	set(STATUS, READY);
	assert_int_equal(get(STATUS), ACK | DRIVER);
	accept(F(F_VERSION_1) | 4);
	set(STATUS, READY);
	assert_int_equal(get(STATUS), ACK | DRIVER);
	accept(F(F_VERSION_1) | 1ull << 63);
	set(STATUS, READY | DRIVER_OK);
	assert_int_equal(get(STATUS), ACK | DRIVER);

	accept(F(F_VERSION_1) | 1);
	set(GFSELECT, 0);
	assert_int_equal(get(GF), 1);
	set(GFSELECT, 1);
	assert_int_equal(get(GF), 1);
	set(GFSELECT, 2);
	set(GF, ~0u);
	assert_int_equal(get(GF), 0);
	assert_int_equal(get(GFSELECT), 2);
	set(STATUS, READY);
	assert_int_equal(get(STATUS), READY);

	/* Now they are final, and so is that they are */
	accept(OFFERED);
	assert_true(transport.features == (F(F_VERSION_1) | 1));
	set(STATUS, ACK | DRIVER);
	assert_int_equal(get(STATUS), READY);
	set(STATUS, READY | NEEDS_RESET | 0x30);
	assert_int_equal(get(STATUS), READY);
	set(STATUS, VIRTIO_CONFIG_S_FAILED);
	assert_int_equal(get(STATUS), READY | VIRTIO_CONFIG_S_FAILED);
	stop();
}

static void reset(void **state)
{
	u8 before[REGISTERS], after[REGISTERS];
	unsigned int i;

	start();
	for (i = 0; i < REGISTERS; i += width(i))
		memcpy(before + i, (u32 []){ bar_read(4, i, width(i)) }, width(i));
	set(DFSELECT, 1);
	drive(OFFERED);
	set(Q_SELECT, 1);
	mutex_lock(&transport.lock);
	vg_transport_config_changed(&transport);
	mutex_unlock(&transport.lock);
	assert_true(pci.line);
	assert_int_equal(dev.resets, 0);

	set(STATUS, 0);
	assert_int_equal(dev.resets, 1);
	for (i = 0; i < REGISTERS; i += width(i))
		memcpy(after + i, (u32 []){ bar_read(4, i, width(i)) }, width(i));
	assert_memory_equal(before, after, REGISTERS);
	assert_true(!transport.features);
	assert_false(pci.line);
	assert_int_equal(bar_read(4, ISR, 1), 0);

	drive(OFFERED);
	stop();
}

static void queue_registers(void **state)
{
	static const u16 bad_size[] = { 0, 3, 255, 512, 0x8000, 0xffff };
	unsigned int i;

	start();
	assert_int_equal(get(NUMQ), 2);
	negotiate(OFFERED);
	for (i = 0; i < 2; i++) {
		set(Q_SELECT, i);
		assert_int_equal(get(Q_SELECT), i);
		assert_int_equal(get(Q_SIZE), VG_QUEUE_SIZE);
		assert_int_equal(get(Q_NOFF), i);
		assert_int_equal(get(Q_NDATA), i);
		assert_int_equal(get(Q_MSIX), VIRTIO_MSI_NO_VECTOR);
		assert_int_equal(get(Q_ENABLE), 0);
		assert_int_equal(get(Q_RESET), 0);
	}
	set(Q_SIZE, 64);
	assert_int_equal(get(Q_SIZE), 64);
	for (i = 0; i < ARRAY_SIZE(bad_size); i++) {
		set(Q_SIZE, bad_size[i]);
		assert_int_equal(get(Q_SIZE), 64);
	}
	set(Q_SIZE, 1);
	assert_int_equal(get(Q_SIZE), 1);
	for (i = 0; i < 4; i++) {
		set(Q_MSIX, i);
		assert_int_equal(get(Q_MSIX), i < 3 ? i : VIRTIO_MSI_NO_VECTOR);
		set(MSIX, i);
		assert_int_equal(get(MSIX), i < 3 ? i : VIRTIO_MSI_NO_VECTOR);
	}
	place(0x1122334455667788, 0x99aabbccddeeff00, 0x0123456789abcdef);
	assert_int_equal(get(Q_DESCLO), 0x55667788);
	assert_int_equal(get(Q_DESCHI), 0x11223344);
	assert_int_equal(get(Q_AVAILLO), 0xddeeff00);
	assert_int_equal(get(Q_AVAILHI), 0x99aabbcc);
	assert_int_equal(get(Q_USEDLO), 0x89abcdef);
	assert_int_equal(get(Q_USEDHI), 0x01234567);
	set(Q_SELECT, 0);
	assert_int_equal(get(Q_DESCLO), 0);

	/* A queue that there is not */
	for (i = 2; i < 0x10000; i = i * 4 - 1) {
		set(Q_SELECT, i);
		set(Q_SIZE, 8);
		set(Q_MSIX, 0);
		place(DESC, AVAIL, USED);
		set(Q_ENABLE, 1);
		set(Q_RESET, 1);
		assert_int_equal(get(Q_SIZE), 0);
		assert_int_equal(get(Q_MSIX), VIRTIO_MSI_NO_VECTOR);
		assert_int_equal(get(Q_ENABLE), 0);
		assert_int_equal(get(Q_NOFF), 0);
		assert_int_equal(get(Q_DESCLO), 0);
	}
	stop();
}

static void queue_enable(void **state)
{
	start();
	enable(0);			/* too early */
	assert_int_equal(get(Q_ENABLE), 0);
	negotiate(OFFERED);
	set(Q_ENABLE, 2);
	assert_int_equal(get(Q_ENABLE), 0);
	enable(0);
	assert_int_equal(get(Q_ENABLE), 1);
	assert_true(transport.queue[0].event_idx);

	/* Nothing about it changes any more, but the vector */
	set(Q_ENABLE, 0);
	set(Q_ENABLE, 1);
	set(Q_SIZE, 16);
	place(0, 0, 0);
	assert_int_equal(get(Q_ENABLE), 1);
	assert_int_equal(get(Q_SIZE), 8);
	assert_int_equal(get(Q_DESCLO), DESC);
	assert_int_equal(get(Q_AVAILLO), AVAIL);
	assert_int_equal(get(Q_USEDLO), USED);
	set(Q_MSIX, 2);
	assert_int_equal(get(Q_MSIX), 2);
	set(STATUS, 0);

	negotiate(F(F_VERSION_1));
	enable(1);
	assert_true(transport.queue[1].enabled && !transport.queue[1].event_idx);
	set(Q_SELECT, 0);
	assert_int_equal(get(Q_ENABLE), 0);

	/* Where no queue can be */
	place(DESC + 1, AVAIL, USED);
	set(Q_ENABLE, 1);
	assert_int_equal(get(Q_ENABLE), 0);
	assert_int_equal(get(STATUS), READY | NEEDS_RESET);
	assert_true(shim_said("stopped until the guest resets it"));
	assert_int_equal(pci.raised, 0);
	place(DESC, AVAIL, USED);
	set(Q_ENABLE, 1);
	assert_int_equal(get(Q_ENABLE), 0);
	set(STATUS, READY | DRIVER_OK);
	assert_int_equal(get(STATUS), READY | NEEDS_RESET | DRIVER_OK);
	set(STATUS, 0);
	assert_int_equal(get(STATUS), 0);
	stop();
}

/* 2.6.1, 4.1.4.3: one queue goes back to what it was at power-on, the other does not */
static void queue_reset(void **state)
{
	const struct vg_queue *q = transport.queue;
	u32 epoch[VG_NUM_QUEUES];

	start();
	drive(OFFERED);
	epoch[0] = q[0].epoch;
	epoch[1] = q[1].epoch;
	set(Q_SELECT, 0);
	set(Q_RESET, 0);
	assert_int_equal(get(Q_ENABLE), 1);
	set(Q_RESET, 1);
	assert_int_equal(q[0].epoch, epoch[0] + 1);
	assert_int_equal(get(Q_RESET), 0);
	assert_int_equal(get(Q_ENABLE), 0);
	assert_int_equal(get(Q_SIZE), VG_QUEUE_SIZE);
	assert_int_equal(get(Q_MSIX), VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(get(Q_DESCLO), 0);
	set(Q_SELECT, 1);
	assert_int_equal(get(Q_ENABLE), 1);
	assert_int_equal(get(Q_SIZE), 8);
	enable(0);
	assert_int_equal(get(Q_ENABLE), 1);
	assert_int_equal(get(Q_RESET), 0);
	assert_int_equal(q[0].epoch, epoch[0] + 1);
	assert_int_equal(q[1].epoch, epoch[1]);
	assert_int_equal(dev.resets, 0);
	set(STATUS, 0);

	drive(OFFERED & ~F(F_RING_RESET));
	epoch[1] = q[1].epoch;
	set(Q_RESET, 1);
	assert_int_equal(get(Q_ENABLE), 1);
	assert_int_equal(q[1].epoch, epoch[1]);
	stop();
}

/* 4.1.3.1: registers are written as a whole or not at all */
static void access_sizes(void **state)
{
	u8 before[sizeof(transport)];
	unsigned int reg, size, whole;

	start();
	negotiate(OFFERED);
	enable(1);
	for (size = 1; size <= 4; size *= 2)
		for (reg = 0; reg < 4096; reg += size) {
			for (whole = 0; whole < REGISTERS; whole += width(whole))
				if (whole == reg && size == width(whole))
					break;
			if (whole < REGISTERS)
				continue;
			memcpy(before, &transport, sizeof(before));
			assert_int_equal(bar_read(4, COMMON + reg, size), 0);
			bar_write(4, COMMON + reg, size, 1);
			bar_write(4, COMMON + reg, size, 0);
			transport.lock = ((struct vg_transport *)before)->lock;
			assert_memory_equal(before, &transport, sizeof(before));
		}

	/* What says how things are can't be written */
	set(NUMQ, 1);
	set(CFGGENERATION, 9);
	set(DF, 9);
	set(Q_NOFF, 9);
	set(Q_NDATA, 9);
	assert_memory_equal(before, &transport, sizeof(before));
	stop();
}

static void notify(void **state)
{
	unsigned int i, at, size;

	start();
	negotiate(OFFERED);
	enable(0);
	bar_write(4, NOTIFY, 2, 0);
	assert_int_equal(dev.notified[0], 0);
	set(STATUS, READY | DRIVER_OK);
	for (i = 0; i < 2; i++) {
		bar_write(4, NOTIFY + 4 * i, 2, i);
		assert_int_equal(dev.notified[i], 1);
		bar_write(4, NOTIFY + 4 * i, 4, i);
		assert_int_equal(dev.notified[i], 2);
	}
	for (size = 1; size <= 4; size *= 2)
		for (at = 0; at < 4096; at += size)
			if (size == 1 || at % 4 || at >= 8)
				bar_write(4, NOTIFY + at, size, 0);
	assert_int_equal(dev.notified[0] + dev.notified[1], 4);

	mutex_lock(&transport.lock);
	vg_transport_broken(&transport, "a test");
	mutex_unlock(&transport.lock);
	assert_true(shim_said("a test"));
	bar_write(4, NOTIFY, 2, 0);
	assert_int_equal(dev.notified[0], 2);
	stop();
}

static void push(unsigned int queue)
{
	struct vg_queue *q = &transport.queue[queue];

	mutex_lock(&transport.lock);
	assert_int_equal(vg_queue_push(q, 0, 0), 0);
	vg_transport_queue_irq(&transport, q);
	mutex_unlock(&transport.lock);
}

static void interrupts(void **state)
{
	start();
	drive(OFFERED);
	guest_want(&transport.queue[1], 1);	/* not the first, the second */
	push(1);
	assert_int_equal(pci.raised, 0);
	push(1);
	assert_int_equal(pci.raised, 1);
	assert_int_equal(pci.vector, 2);
	assert_true(pci.line);
	assert_int_equal(bar_read(4, ISR + 1, 1), 0);
	bar_write(4, ISR, 1, 0);
	assert_true(pci.line);
	assert_int_equal(bar_read(4, ISR, 1), 1);
	assert_false(pci.line);
	assert_int_equal(bar_read(4, ISR, 1), 0);

	assert_int_equal(get(CFGGENERATION), 0);
	mutex_lock(&transport.lock);
	vg_transport_config_changed(&transport);
	mutex_unlock(&transport.lock);
	assert_int_equal(get(CFGGENERATION), 1);
	assert_int_equal(pci.raised, 2);
	assert_int_equal(pci.vector, 0);
	guest_want(&transport.queue[1], 2);
	push(1);
	assert_int_equal(bar_read(4, ISR, 1), 3);

	/* Without a vector, an interrupt that MSI-X does not have but INTx has */
	set(Q_SELECT, 0);
	set(Q_MSIX, 99);
	guest_want(&transport.queue[0], 0);
	push(0);
	assert_int_equal(pci.vector, VIRTIO_MSI_NO_VECTOR);
	stop();

	/* Nobody is told who has no driver yet */
	start();
	negotiate(OFFERED);
	mutex_lock(&transport.lock);
	vg_transport_config_changed(&transport);
	mutex_unlock(&transport.lock);
	assert_int_equal(get(CFGGENERATION), 1);
	assert_int_equal(pci.raised, 0);
	stop();
}

/* What the guest's memory does not say is taken for a yes, or for the end */
static void interrupt_trouble(void **state)
{
	struct vg_queue *q = &transport.queue[0];

	start();
	drive(OFFERED);
	mutex_lock(&transport.lock);
	assert_int_equal(vg_queue_push(q, 0, 0), 0);
	shim_vmm_unmap(0);
	vg_transport_queue_irq(&transport, q);
	assert_false(q->enabled || transport.queue[1].enabled);
	vg_transport_broken(&transport, "once more");
	mutex_unlock(&transport.lock);
	assert_true(shim_said("available ring"));
	assert_int_equal(get(STATUS), READY | DRIVER_OK | NEEDS_RESET);
	assert_int_equal(pci.raised, 1);
	assert_int_equal(pci.vector, 0);
	assert_int_equal(bar_read(4, ISR, 1), 2);
	set(STATUS, 0);
	assert_int_equal(get(STATUS), 0);
	stop();
}

static void irq_while_going(struct mvgpu_mapping *m, void *priv)
{
	(void)m;
	(void)priv;
	mutex_lock(&transport.lock);
	vg_transport_queue_irq(&transport, &transport.queue[0]);
	mutex_unlock(&transport.lock);
}

static void interrupt_while_going(void **state)
{
	struct mvgpu_range range = { .iova = 0, .len = PAGE_SIZE };
	struct mvgpu_mapping *m;

	start();
	drive(OFFERED);
	m = mvgpu_map(&vgpu, &range, 1, DMA_TO_DEVICE, irq_while_going, NULL);
	assert_false(IS_ERR(m));
	transport.queue[0].used_idx = 1;
	shim_vmm_unmap(0);
	mvgpu_unmap(m);
	assert_int_equal(pci.raised, 1);
	assert_int_equal(pci.vector, 1);
	assert_int_equal(get(STATUS), READY | DRIVER_OK);
	stop();
}

static void device_config(void **state)
{
	start();
	bar_write(4, DEVICE, 4, 0x44332211);
	bar_write(4, DEVICE + 12, 4, 0x88776655);
	assert_int_equal(bar_read(4, DEVICE + 1, 1), 0x22);
	assert_int_equal(bar_read(4, DEVICE + 2, 2), 0x4433);
	assert_int_equal(bar_read(4, DEVICE + 12, 4), 0x88776655);
	assert_int_equal(bar_read(4, DEVICE + 15, 1), 0x88);
	assert_int_equal(bar_read(4, DEVICE + 16, 1), 0);
	assert_int_equal(bar_read(4, DEVICE + 0xffc, 4), 0);
	bar_write(4, DEVICE + 16, 4, 1);
	bar_write(4, DEVICE + 0xfff, 1, 1);
	stop();
}

static void window(u8 bar, u32 offset, u32 len)
{
	pci_write(pci.cap + 4, 1, bar);
	pci_write(pci.cap + 8, 4, offset);
	pci_write(pci.cap + 12, 4, len);
}

/* 4.1.4.9: the registers through configuration space */
static void config_window(void **state)
{
	static const struct { u32 bar, offset, len; } bad[] = {
		{ 1, DEVICE, 4 }, { 0, DEVICE, 4 }, { 255, DEVICE, 4 }, { 4, DEVICE, 0 },
		{ 4, DEVICE, 3 }, { 4, DEVICE, 8 }, { 4, DEVICE, ~0u }, { 4, DEVICE + 1, 4 },
		{ 4, DEVICE + 2, 4 }, { 4, DEVICE + 1, 2 }, { 4, 0x4000, 4 }, { 4, 0xfffffffc, 4 },
	};
	unsigned int i;
	u8 config[CONFIG_SIZE];

	start();
	bar_write(4, DEVICE, 4, 0x44332211);
	window(4, DEVICE, 4);
	assert_int_equal(pci_read(pci.cap + 4, 1), 4);
	assert_int_equal(pci_read(pci.cap + 8, 4), DEVICE);
	assert_int_equal(pci_read(pci.cap + 12, 4), 4);
	assert_int_equal(pci_read(pci.cap + 3, 1), VIRTIO_PCI_CAP_PCI_CFG);
	assert_int_equal(pci_read(pci.cap + 16, 4), 0x44332211);
	pci_write(pci.cap + 16, 4, 0x88776655);
	assert_int_equal(bar_read(4, DEVICE, 4), 0x88776655);
	window(4, DEVICE + 2, 2);
	assert_int_equal(pci_read(pci.cap + 16, 2), 0x8877);
	pci_write(pci.cap + 16, 2, 0x4433);
	assert_int_equal(bar_read(4, DEVICE, 4), 0x44336655);
	window(4, DEVICE + 3, 1);
	assert_int_equal(pci_read(pci.cap + 16, 1), 0x44);
	pci_write(pci.cap + 16, 4, 0xabcdef99);
	assert_int_equal(bar_read(4, DEVICE, 4), 0x99336655);

	/* Registers, with their effects; naming them alone has none */
	dev.resets = 0;
	window(4, VIRTIO_PCI_COMMON_STATUS, 1);
	pci_write(pci.cap + 16, 1, ACK);
	assert_int_equal(get(STATUS), ACK);
	assert_int_equal(pci_read(pci.cap + 16, 1), ACK);
	pci_write(pci.cap + 4, 4, 4);
	assert_int_equal(dev.resets, 0);
	pci_write(pci.cap + 16, 1, 0);
	assert_int_equal(dev.resets, 1);

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(config, dev.config, sizeof(config));
		window(bad[i].bar, bad[i].offset, bad[i].len);
		pci_write(pci.cap + 16, 4, 0x01020304);
		assert_int_equal(pci_read(pci.cap + 16, 4), 0x01020304);
		assert_memory_equal(config, dev.config, sizeof(config));
	}
	/* The rest of the capability is as it was */
	pci_write(pci.cap, 4, ~0u);
	assert_int_equal(pci_read(pci.cap + 2, 2), VIRTIO_PCI_CAP_PCI_CFG << 8 | 20);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(function),
		cmocka_unit_test(features), cmocka_unit_test(reset),
		cmocka_unit_test(queue_registers), cmocka_unit_test(queue_enable),
		cmocka_unit_test(queue_reset), cmocka_unit_test(access_sizes),
		cmocka_unit_test(notify), cmocka_unit_test(interrupts),
		cmocka_unit_test(interrupt_trouble), cmocka_unit_test(interrupt_while_going),
		cmocka_unit_test(device_config), cmocka_unit_test(config_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
