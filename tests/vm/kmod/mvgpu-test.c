// SPDX-License-Identifier: GPL-2.0-only
/*
 * mvgpu-test - a vendor driver for tests, with one of everything
 *
 * The parent is QEMU's ivshmem-plain, whose BAR 2 is plain memory that the test rig can
 * read and write from outside. A vGPU has a BAR of registers, a 64-bit BAR of which only
 * the first half is mapped, every kind of interrupt and every capability.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include "mvgpu.h"

#define TEST_ID			0x7476676d

/* BAR 0 */
#define REG_ID			0x00	/* u32, read-only */
#define REG_SCRATCH		0x04	/* u32 */
#define REG_RAISE		0x08	/* u32: raises this vector */
#define REG_LOWER		0x0c	/* u32: lowers INTx */
#define REG_RESETS		0x10	/* u32, read-only: resets seen */
#define REG_SCRATCH64		0x18	/* u64 */
#define REG_SCRATCH8		0x20	/* u8 */

#define TEST_MSI		4
#define TEST_MSIX		8
#define TEST_MSIX_PBA		0x800
#define TEST_VRAM		SZ_1M

struct test_vgpu {
	u32 scratch;
	u32 resets;
	u64 scratch64;
	u8 scratch8;
};

static u64 test_read(struct mvgpu *vgpu, u64 offset, unsigned int size)
{
	struct test_vgpu *t = mvgpu_priv(vgpu);

	if (offset == REG_ID && size == 4)
		return TEST_ID;
	if (offset == REG_SCRATCH && size == 4)
		return t->scratch;
	if (offset == REG_RESETS && size == 4)
		return t->resets;
	if (offset == REG_SCRATCH64 && size == 8)
		return t->scratch64;
	if (offset == REG_SCRATCH8 && size == 1)
		return t->scratch8;
	return 0;
}

static void test_write(struct mvgpu *vgpu, u64 offset, unsigned int size, u64 val)
{
	struct test_vgpu *t = mvgpu_priv(vgpu);

	if (offset == REG_SCRATCH && size == 4)
		t->scratch = val;
	else if (offset == REG_RAISE && size == 4)
		mvgpu_irq_raise(vgpu, val);
	else if (offset == REG_LOWER && size == 4)
		mvgpu_irq_lower(vgpu);
	else if (offset == REG_SCRATCH64 && size == 8)
		t->scratch64 = val;
	else if (offset == REG_SCRATCH8 && size == 1)
		t->scratch8 = val;
}

static const struct mvgpu_bar_ops test_bar_ops = {
	.min_access = 1,
	.max_access = 8,
	.read = test_read,
	.write = test_write,
};

static u64 msix_read(struct mvgpu *vgpu, u64 offset, unsigned int size)
{
	return U64_MAX;
}

static const struct mvgpu_bar_ops msix_bar_ops = {
	.min_access = 1,
	.max_access = 4,
	.read = msix_read,
};

static int test_vgpu_init(struct mvgpu *vgpu)
{
	static const struct mvgpu_pci_ids ids = {
		.vendor = PCI_VENDOR_ID_REDHAT,
		.device = 0x0001,
		.subsystem_vendor = PCI_SUBVENDOR_ID_REDHAT_QUMRANET,
		.subsystem = PCI_SUBDEVICE_ID_QEMU,
		.class = PCI_CLASS_OTHERS << 16,
		.revision = 1,
	};
	static const struct mvgpu_area mapped = { .offset = 0, .size = TEST_VRAM / 2 };

	return mvgpu_set_ids(vgpu, &ids) ?:
	       mvgpu_add_bar(vgpu, 0, SZ_4K, 0, &test_bar_ops) ?:
	       mvgpu_add_slice_bar(vgpu, 2, MVGPU_BAR_64BIT | MVGPU_BAR_PREFETCH, &mapped, 1) ?:
	       mvgpu_add_bar(vgpu, 4, SZ_4K, 0, &msix_bar_ops) ?:
	       mvgpu_add_intx(vgpu) ?:
	       mvgpu_add_pm(vgpu) ?:
	       mvgpu_add_msi(vgpu, TEST_MSI) ?:
	       mvgpu_add_msix(vgpu, TEST_MSIX, 4, 0, TEST_MSIX_PBA) ?:
	       mvgpu_add_pcie(vgpu) ?:
	       mvgpu_add_vendor_cap(vgpu, "mvgpu", 5);
}

static void test_vgpu_reset(struct mvgpu *vgpu)
{
	struct test_vgpu *t = mvgpu_priv(vgpu);
	u32 resets = t->resets;

	*t = (struct test_vgpu){ .resets = resets + 1 };
}

static const struct mvgpu_type test_types[] = {
	{ .name = "1m", .pretty_name = "Test device", .vram = TEST_VRAM },
};

static struct mvgpu_parent *test_probe(struct pci_dev *pdev, struct mvgpu_driver *drv)
{
	const struct mvgpu_budget budget = {
		.aperture = {
			.start = pci_resource_start(pdev, 2),
			.size = pci_resource_len(pdev, 2),
		},
	};

	return mvgpu_register_parent(&pdev->dev, drv, &budget, NULL);
}

static const struct pci_device_id test_ids[] = {
	{ MVGPU_PCI_ID(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{}
};

static struct mvgpu_driver test_driver = {
	.name = "mvgpu-test",
	.pci_ids = test_ids,
	.probe = test_probe,
	.types = test_types,
	.num_types = ARRAY_SIZE(test_types),
	.priv_size = sizeof(struct test_vgpu),
	.init = test_vgpu_init,
	.reset = test_vgpu_reset,
};
module_mvgpu_driver(test_driver);

MODULE_DESCRIPTION("mvgpu vendor driver for tests");
MODULE_AUTHOR("The mvgpu developers");
MODULE_LICENSE("GPL");
