// SPDX-License-Identifier: GPL-2.0-only
/*
 * mvgpu-bochs - vendor driver for QEMU's bochs-display and standard VGA
 *
 * The hardware is a frame buffer (BAR 0) and Bochs' VBE registers (BAR 2), which say
 * which part of it the screen shows. Each vGPU owns a slice of the frame buffer and has
 * VBE registers and an EDID of its own; it looks like a bochs-display with that much
 * memory. The registers are described in QEMU's docs/specs/standard-vga.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <drm/drm_fourcc.h>
#include <video/vga.h>
#include "mvgpu.h"

/* Offsets in BAR 2 */
#define BOCHS_EDID		0x000
#define BOCHS_VGA		0x400	/* I/O ports 0x3c0 on */
#define BOCHS_VBE		0x500	/* 16-bit registers */
#define BOCHS_QEXT_SIZE		0x600
#define BOCHS_QEXT_ENDIAN	0x604
#define BOCHS_MMIO_SIZE		0x1000
#define QEXT_LITTLE		0x1e1e1e1e
#define QEXT_BIG		0xbebebebe

enum {
	VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH,
	VBE_VIRT_HEIGHT, VBE_X_OFFSET, VBE_Y_OFFSET, VBE_MEMORY_64K, VBE_COUNT
};

#define VBE_ID0			0xb0c0
#define VBE_ID5			0xb0c5
#define VBE_ENABLED		0x01
#define VBE_LFB			0x40
#define VBE_NOCLEAR		0x80

/* Smallest mode that the hardware shows; one of it, zeroed, is the blank screen */
#define MIN_RES			64
#define BLANK_SIZE		SZ_64K

/* The physical GPU */
struct bochs_gpu {
	void __iomem *mmio;
	bool has_vga;
	bool has_qext;
};

/* A vGPU */
struct bochs_vgpu {
	u16 vbe[VBE_COUNT];
	bool big_endian;
	u8 edid[MVGPU_EDID_SIZE];
};

/* A mode is preferred that fits twice, since guests flip between two frames */
static const struct mvgpu_type bochs_types[] = {
	{ "4m", "Bochs display, 4 MiB", SZ_4M, 1, 0, 800, 600 },
	{ "8m", "Bochs display, 8 MiB", SZ_8M, 1, 0, 1024, 768 },
	{ "16m", "Bochs display, 16 MiB", SZ_16M, 1, 0, 1920, 1080 },
	{ "32m", "Bochs display, 32 MiB", SZ_32M, 1, 0, 2560, 1440 },
};

/* ---- the virtual device ---- */

static u64 bochs_mmio_read(struct mvgpu *vgpu, u64 offset, unsigned int size)
{
	struct bochs_vgpu *b = mvgpu_priv(vgpu);
	unsigned int reg = (offset - BOCHS_VBE) / 2, i;
	u64 val = 0;

	if (offset + size <= BOCHS_EDID + MVGPU_EDID_SIZE)
		for (i = 0; i < size; i++, offset++)
			val |= (u64)b->edid[array_index_nospec(offset, MVGPU_EDID_SIZE)] << (8 * i);
	else if (offset >= BOCHS_VBE && reg < VBE_COUNT && size == 2)
		val = b->vbe[array_index_nospec(reg, VBE_COUNT)];
	else if (offset == BOCHS_QEXT_SIZE && size == 4)
		val = 8;
	else if (offset == BOCHS_QEXT_ENDIAN && size == 4)
		val = b->big_endian ? QEXT_BIG : QEXT_LITTLE;
	return val;
}

static void bochs_mmio_write(struct mvgpu *vgpu, u64 offset, unsigned int size, u64 val)
{
	struct bochs_vgpu *b = mvgpu_priv(vgpu);
	unsigned int reg = (offset - BOCHS_VBE) / 2;

	if (offset >= BOCHS_VBE && reg < VBE_COUNT && size == 2) {
		if (reg == VBE_ID || reg == VBE_MEMORY_64K)
			return;
		b->vbe[array_index_nospec(reg, VBE_COUNT)] = val;
	} else if (offset == BOCHS_QEXT_ENDIAN && size == 4) {
		if (val != QEXT_BIG && val != QEXT_LITTLE)
			return;
		b->big_endian = val == QEXT_BIG;
	} else {
		return;
	}
	mvgpu_scanout_changed(vgpu);
}

static const struct mvgpu_bar_ops bochs_mmio_ops = {
	.min_access = 1,
	.max_access = 4,
	.read = bochs_mmio_read,
	.write = bochs_mmio_write,
};

static int bochs_vgpu_init(struct mvgpu *vgpu)
{
	const struct mvgpu_type *type = mvgpu_type(vgpu);
	struct bochs_vgpu *b = mvgpu_priv(vgpu);
	static const struct mvgpu_pci_ids ids = {
		.vendor = 0x1234,
		.device = 0x1111,
		.subsystem_vendor = PCI_SUBVENDOR_ID_REDHAT_QUMRANET,
		.subsystem = PCI_SUBDEVICE_ID_QEMU,
		.class = PCI_CLASS_DISPLAY_OTHER << 8,
		.revision = 2,
	};

	mvgpu_edid(b->edid, type->max_width, type->max_height, 0);
	return mvgpu_set_ids(vgpu, &ids) ?:
	       mvgpu_add_slice_bar(vgpu, 0, MVGPU_BAR_PREFETCH, NULL, 0) ?:
	       mvgpu_add_bar(vgpu, 2, BOCHS_MMIO_SIZE, 0, &bochs_mmio_ops) ?:
	       mvgpu_add_pm(vgpu) ?:
	       mvgpu_add_pcie(vgpu);
}

static void bochs_vgpu_reset(struct mvgpu *vgpu)
{
	struct bochs_vgpu *b = mvgpu_priv(vgpu);

	memset(b->vbe, 0, sizeof(b->vbe));
	b->vbe[VBE_ID] = VBE_ID5;
	b->vbe[VBE_MEMORY_64K] = mvgpu_type(vgpu)->vram / SZ_64K;
	b->big_endian = false;
}

static int bochs_vgpu_scanout(struct mvgpu *vgpu, struct mvgpu_scanout *so)
{
	struct bochs_vgpu *b = mvgpu_priv(vgpu);
	const u16 *vbe = b->vbe;

	if (!(vbe[VBE_ENABLE] & VBE_ENABLED))
		return -ENODEV;
	if (vbe[VBE_XRES] < MIN_RES || vbe[VBE_YRES] < MIN_RES)
		return -EINVAL;
	if (vbe[VBE_BPP] == 32)
		so->format = b->big_endian ? DRM_FORMAT_BGRX8888 : DRM_FORMAT_XRGB8888;
	else if (vbe[VBE_BPP] == 16)
		so->format = DRM_FORMAT_RGB565;
	else
		return -EINVAL;
	so->bpp = vbe[VBE_BPP];
	so->width = vbe[VBE_XRES];
	so->height = vbe[VBE_YRES];
	so->stride = max(vbe[VBE_XRES], vbe[VBE_VIRT_WIDTH]) * so->bpp / 8;
	so->offset = vbe[VBE_X_OFFSET] * so->bpp / 8 + (u64)vbe[VBE_Y_OFFSET] * so->stride;
	return 0;
}

/* ---- the physical screen ---- */

static void vbe_write(struct bochs_gpu *gpu, unsigned int reg, u16 val)
{
	writew(val, gpu->mmio + BOCHS_VBE + reg * 2);
}

static u16 vbe_read(struct bochs_gpu *gpu, unsigned int reg)
{
	return readw(gpu->mmio + BOCHS_VBE + reg * 2);
}

/* Standard VGA shows nothing without a palette on the screen */
static void bochs_vga_palette(struct bochs_gpu *gpu, bool on)
{
	if (!gpu->has_vga)
		return;
	readb(gpu->mmio + BOCHS_VGA + VGA_IS1_RC - VGA_ATT_W);
	writeb(on ? VGA_AR_ENABLE_DISPLAY : 0, gpu->mmio + BOCHS_VGA);
}

/*
 * Returns whether the hardware shows just that. Standard VGA rounds widths down to eight pixels,
 * clamps what it finds too large, and starts with the first byte of its memory if it knows no
 * better: another vGPU could be seen there.
 */
static bool bochs_set_mode(struct bochs_gpu *gpu, const struct mvgpu_scanout *so, u64 base)
{
	const struct {
		u8 reg;
		u16 val;
	} mode[] = {
		{ VBE_BPP, so->bpp },
		{ VBE_XRES, so->width },
		{ VBE_YRES, so->height },
		{ VBE_VIRT_WIDTH, so->stride * 8 / so->bpp },
		{ VBE_X_OFFSET, base % so->stride * 8 / so->bpp },
		{ VBE_Y_OFFSET, div_u64(base, so->stride) },
	};
	bool exact = true;
	unsigned int i;

	vbe_write(gpu, VBE_ENABLE, 0);
	if (gpu->has_qext)
		writel(so->format == DRM_FORMAT_BGRX8888 ? QEXT_BIG : QEXT_LITTLE,
		       gpu->mmio + BOCHS_QEXT_ENDIAN);
	for (i = 0; i < ARRAY_SIZE(mode); i++)
		vbe_write(gpu, mode[i].reg, mode[i].val);
	vbe_write(gpu, VBE_ENABLE, VBE_ENABLED | VBE_LFB | VBE_NOCLEAR);
	/* VGA forgets the last three when it is switched on */
	for (i = 0; i < ARRAY_SIZE(mode); i++)
		vbe_write(gpu, mode[i].reg, mode[i].val);
	for (i = 0; i < ARRAY_SIZE(mode); i++)
		exact &= vbe_read(gpu, mode[i].reg) == mode[i].val;
	return exact;
}

/* The offset registers have 16 bits, so narrow modes can't reach far into the memory */
static int bochs_present(struct mvgpu_parent *parent, const struct mvgpu_scanout *so, u64 base)
{
	static const struct mvgpu_scanout blank = {
		.format = DRM_FORMAT_XRGB8888,
		.bpp = 32,
		.width = MIN_RES,
		.height = MIN_RES,
		.stride = MIN_RES * 4,
	};
	struct bochs_gpu *gpu = mvgpu_parent_priv(parent);
	bool shown;

	bochs_vga_palette(gpu, false);
	shown = so && div_u64(base, so->stride) <= U16_MAX && bochs_set_mode(gpu, so, base);
	if (!shown)
		bochs_set_mode(gpu, &blank, 0);
	bochs_vga_palette(gpu, true);
	return so && !shown ? -ERANGE : 0;
}

/* ---- the physical device ---- */

/* Standard VGA shows nothing until it has colour emulation, too */
static void bochs_enable_vga(struct bochs_gpu *gpu)
{
	if (!gpu->has_vga)
		return;
	writeb(VGA_MIS_COLOR, gpu->mmio + BOCHS_VGA + VGA_MIS_W - VGA_ATT_W);
	bochs_vga_palette(gpu, true);
}

static int bochs_gpu_init(struct bochs_gpu *gpu, struct pci_dev *pdev,
			  struct mvgpu_aperture *aperture)
{
	u16 id = vbe_read(gpu, VBE_ID);

	if ((id & 0xfff0) != VBE_ID0) {
		pci_err(pdev, "VBE ID %#x is not that of a Bochs display\n", id);
		return -ENODEV;
	}
	aperture->start = pci_resource_start(pdev, 0);
	aperture->size = min_t(u64, pci_resource_len(pdev, 0),
			       (u64)vbe_read(gpu, VBE_MEMORY_64K) * SZ_64K);
	aperture->reserved = BLANK_SIZE;
	gpu->has_vga = pdev->class >> 8 == PCI_CLASS_DISPLAY_VGA;
	gpu->has_qext = pdev->revision >= 2 && readl(gpu->mmio + BOCHS_QEXT_SIZE) >= 8;
	bochs_enable_vga(gpu);
	return 0;
}

static void bochs_resume(struct mvgpu_parent *parent)
{
	bochs_enable_vga(mvgpu_parent_priv(parent));
}

static struct mvgpu_parent *bochs_probe(struct pci_dev *pdev, struct mvgpu_driver *drv)
{
	struct mvgpu_budget budget = {};
	struct bochs_gpu *gpu;
	int ret;

	gpu = devm_kzalloc(&pdev->dev, sizeof(*gpu), GFP_KERNEL);
	if (!gpu)
		return ERR_PTR(-ENOMEM);
	if (pci_resource_len(pdev, 2) < BOCHS_MMIO_SIZE) {
		pci_err(pdev, "no registers in BAR 2: they are I/O ports only\n");
		return ERR_PTR(-ENODEV);
	}
	gpu->mmio = devm_ioremap(&pdev->dev, pci_resource_start(pdev, 2), BOCHS_MMIO_SIZE);
	if (!gpu->mmio)
		return ERR_PTR(-ENOMEM);
	ret = bochs_gpu_init(gpu, pdev, &budget.aperture);
	if (ret)
		return ERR_PTR(ret);
	return mvgpu_register_parent(&pdev->dev, drv, &budget, gpu);
}

static const struct pci_device_id bochs_ids[] = {
	{ MVGPU_PCI_ID(0x1234, 0x1111) },
	{}
};

static struct mvgpu_driver bochs_driver = {
	.name = "mvgpu-bochs",
	.pci_ids = bochs_ids,
	.probe = bochs_probe,
	.types = bochs_types,
	.num_types = ARRAY_SIZE(bochs_types),
	.priv_size = sizeof(struct bochs_vgpu),
	.init = bochs_vgpu_init,
	.reset = bochs_vgpu_reset,
	.scanout = bochs_vgpu_scanout,
	.present = bochs_present,
	.resume = bochs_resume,
};
module_mvgpu_driver(bochs_driver);

MODULE_DESCRIPTION("mvgpu vendor driver for QEMU's Bochs display");
MODULE_AUTHOR("The mvgpu developers");
MODULE_LICENSE("GPL");
