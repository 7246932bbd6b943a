// SPDX-License-Identifier: GPL-2.0-only
/*
 * mvgpu-edu - vendor driver for QEMU's edu device, the smallest one that does DMA.
 * Each vGPU is a copy engine: it has the hardware for a page, then it is another's turn. Its
 * registers are those of QEMU's docs/specs/edu, but that both ends of a copy are memory.
 */
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include "mvgpu.h"

#define REG(v, offset)	((v)->reg[array_index_nospec((offset) / 8, EDU_END / 8)])
enum {
	EDU_ID = 0x00, EDU_FACTORIAL = 0x08, EDU_IRQ_STATUS = 0x24, EDU_IRQ_ACK = 0x64,
	EDU_SRC = 0x80, EDU_DST = 0x88, EDU_LEN = 0x90, EDU_CMD = 0x98,	/* 64 bits each */
	EDU_RESULT = 0xa0, EDU_END = 0xa8,	/* errno of the last copy */
	CMD_RUN = 1, CMD_TO_MEMORY = 2, CMD_IRQ = 4, IRQ_DMA = 0x100, EDU_BUFFER = 0x40000
};

static unsigned int dma_bits = 28;	/* of the hardware, see QEMU's dma_mask */
module_param(dma_bits, uint, 0444);

struct edu_gpu {
	struct pci_dev *pdev;
	void __iomem *mmio;
	struct semaphore engine;	/* down for a page; handed over in order */
};

struct edu_vgpu {
	struct mvgpu *vgpu;
	struct edu_gpu *gpu;
	struct work_struct turn;	/* owns SRC to RESULT while CMD_RUN is set */
	struct mutex busy;		/* held while the hardware is at work for this one */
	u64 reg[EDU_END / 8];
	atomic_t irq;
	bool revoked;
};

/* Without bus mastering nothing that the hardware does reaches memory */
static int edu_quiesce(struct mvgpu *vgpu)
{
	struct edu_gpu *gpu = mvgpu_parent_priv(mvgpu_parent(vgpu));

	pci_clear_master(gpu->pdev);
	return 0;
}

static int edu_dma(struct edu_gpu *gpu, u64 addr, u64 len, bool to_memory)
{
	void __iomem *mmio = gpu->mmio;
	u32 now;

	pci_set_master(gpu->pdev);
	writeq(to_memory ? EDU_BUFFER : addr, mmio + EDU_SRC);
	writeq(to_memory ? addr : EDU_BUFFER, mmio + EDU_DST);
	writeq(len, mmio + EDU_LEN);
	writeq(CMD_RUN | to_memory * CMD_TO_MEMORY, mmio + EDU_CMD);
	if (!read_poll_timeout(readl, now, !gpu->pdev->is_busmaster ||
			       !(now & CMD_RUN || IS_ENABLED(CONFIG_MVGPU_TEST_HANG)),
			       1000, 10 * USEC_PER_SEC, false, mmio + EDU_CMD) &&
	    gpu->pdev->is_busmaster)
		return 0;
	pci_clear_master(gpu->pdev);
	msleep(200);	/* by then it has given up */
	return -EIO;
}

/* Either the step sees that it must not begin, or this waits until it is over */
static void edu_revoke(struct mvgpu_mapping *mapping, void *priv)
{
	struct edu_vgpu *v = priv;

	if (IS_ENABLED(CONFIG_MVGPU_TEST_SKIP_REVOKE))
		return;
	WRITE_ONCE(v->revoked, true);
	mutex_lock(&v->busy);
	mutex_unlock(&v->busy);
}

/* One page on either side, so one segment each. -ERESTART if the memory went meanwhile. */
static int edu_step(struct edu_vgpu *v, u64 len)
{
	struct mvgpu_range src = { REG(v, EDU_SRC), len }, dst = { REG(v, EDU_DST), len };
	struct mvgpu_mapping *m[2];
	unsigned int i, n;
	int ret;

	v->revoked = false;
	m[0] = mvgpu_map(v->vgpu, &src, 1, DMA_TO_DEVICE, edu_revoke, v);
	m[1] = mvgpu_map(v->vgpu, &dst, 1, DMA_FROM_DEVICE, edu_revoke, v);
	ret = PTR_ERR_OR_ZERO(m[0]) ?: PTR_ERR_OR_ZERO(m[1]);
	down(&v->gpu->engine);
	mutex_lock(&v->busy);
	for (i = 0; i < 2 && !ret; i++)
		ret = READ_ONCE(v->revoked) ? -ERESTART :
		      edu_dma(v->gpu, mvgpu_mapping_segments(m[i], &n)->addr, len, i);
	mutex_unlock(&v->busy);
	up(&v->gpu->engine);
	mvgpu_unmap(m[1]);
	mvgpu_unmap(m[0]);
	return ret;
}

static void edu_turn(struct work_struct *work)
{
	struct edu_vgpu *v = container_of(work, struct edu_vgpu, turn);
	u64 *src = &REG(v, EDU_SRC), *dst = &REG(v, EDU_DST), *left = &REG(v, EDU_LEN);
	u64 len = min3(*left, PAGE_SIZE - offset_in_page(*src), PAGE_SIZE - offset_in_page(*dst));
	int ret = len ? edu_step(v, len) : 0;

	len = ret ? 0 : len;
	*src += len;
	*dst += len;
	*left -= len;
	if (ret == -ERESTART || (!ret && *left)) {
		queue_work(system_freezable_wq, &v->turn);
		return;
	}
	REG(v, EDU_RESULT) = -ret;
	if (xchg(&REG(v, EDU_CMD), 0) & CMD_IRQ) {
		atomic_or(IRQ_DMA, &v->irq);
		mvgpu_irq_raise(v->vgpu, 0);
		if (!atomic_read(&v->irq))	/* acknowledged meanwhile */
			mvgpu_irq_lower(v->vgpu);
	}
}

static u64 edu_read(struct mvgpu *vgpu, u64 offset, unsigned int size)
{
	struct edu_vgpu *v = mvgpu_priv(vgpu);

	return offset == EDU_IRQ_STATUS ? atomic_read(&v->irq) :
	       offset < EDU_END ? REG(v, offset) >> (offset % 8 * 8) : 0;
}

static void edu_write(struct mvgpu *vgpu, u64 offset, unsigned int size, u64 val)
{
	struct edu_vgpu *v = mvgpu_priv(vgpu);
	u64 n = val, *product = &REG(v, EDU_FACTORIAL), *cmd = &REG(v, EDU_CMD);

	if (offset == EDU_IRQ_ACK && !(atomic_fetch_andnot(val, &v->irq) & ~val)) {
		mvgpu_irq_lower(vgpu);
		if (atomic_read(&v->irq))	/* set again meanwhile */
			mvgpu_irq_raise(vgpu, 0);
	}
	if (offset == EDU_FACTORIAL)	/* modulo 2^32, so 0 from 34 on */
		for (*product = 1; n && *product; n--)
			*product = (u32)(*product * n);
	/* pairs with the xchg() that ends a copy */
	if (offset < EDU_SRC || offset >= EDU_RESULT || smp_load_acquire(cmd) & CMD_RUN)
		return;
	memcpy((u8 *)&REG(v, offset) + offset % 8, &val, size);
	if (offset == EDU_CMD && val & CMD_RUN)
		queue_work(system_freezable_wq, &v->turn);
}

static int edu_init(struct mvgpu *vgpu)
{
	static const struct mvgpu_bar_ops bar = { 4, 8, edu_read, edu_write };
	static const struct mvgpu_pci_ids ids = { 0x1234, 0x11e8, 0x1af4, 0x1100, 0x00ff00, 0x10 };
	struct edu_vgpu *v = mvgpu_priv(vgpu);

	*v = (struct edu_vgpu){ .vgpu = vgpu, .gpu = mvgpu_parent_priv(mvgpu_parent(vgpu)) };
	mutex_init(&v->busy);
	INIT_WORK(&v->turn, edu_turn);
	return mvgpu_set_ids(vgpu, &ids) ?: mvgpu_add_bar(vgpu, 0, SZ_4K, 0, &bar) ?:
	       mvgpu_add_intx(vgpu) ?: mvgpu_add_msi(vgpu, 1) ?: mvgpu_add_pm(vgpu) ?:
	       mvgpu_add_pcie(vgpu);
}

static void edu_reset(struct mvgpu *vgpu)
{
	struct edu_vgpu *v = mvgpu_priv(vgpu);

	cancel_work_sync(&v->turn);
	memset_after(v, 0, busy);
	REG(v, EDU_ID) = 0x010000ed;
}

static struct mvgpu_parent *edu_probe(struct pci_dev *pdev, struct mvgpu_driver *drv)
{
	struct edu_gpu *gpu = devm_kzalloc(&pdev->dev, sizeof(*gpu), GFP_KERNEL);
	void __iomem *mmio = pcim_iomap(pdev, 0, SZ_4K);

	if (!gpu || !mmio || dma_set_mask(&pdev->dev, DMA_BIT_MASK(dma_bits)))
		return ERR_PTR(-EIO);
	*gpu = (struct edu_gpu){ .pdev = pdev, .mmio = mmio };
	sema_init(&gpu->engine, 1);
	return mvgpu_register_parent(&pdev->dev, drv, &(struct mvgpu_budget){ .vgpus = 8 }, gpu);
}

static struct mvgpu_driver edu_driver = {
	.name = "mvgpu-edu", .probe = edu_probe, .priv_size = sizeof(struct edu_vgpu),
	.pci_ids = (const struct pci_device_id[]){ { MVGPU_PCI_ID(0x1234, 0x11e8) }, {} },
	.types = &(const struct mvgpu_type){ "copy", "Copy engine" }, .num_types = 1,
	.init = edu_init, .fini = edu_reset, .reset = edu_reset, .quiesce = edu_quiesce,
};
module_mvgpu_driver(edu_driver);
MODULE_DESCRIPTION("mvgpu vendor driver for QEMU's edu device");
MODULE_LICENSE("GPL");
