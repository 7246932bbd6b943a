// SPDX-License-Identifier: MIT
/*
 * Owns the tests of what a vGPU says about itself: device, region and interrupt
 * info, and the argsz protocol in which it says so.
 */
#include "util.h"

static void device_info(struct fixture *f)
{
	struct vfio_device_info info;
	struct vgpu_error err;

	DID(vgpu_get_info(f->dev, &info, &err), &err);
	HEX(info.flags & ~VFIO_DEVICE_FLAGS_CAPS, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	EQ(info.num_irqs, VFIO_PCI_NUM_IRQS);
	if (f->role == ON_BOCHS)
		EQ(info.num_regions, VFIO_PCI_NUM_REGIONS + 1);
	else
		OK(info.num_regions >= VFIO_PCI_NUM_REGIONS, "%u regions", info.num_regions);
}

/* The kernel writes no more than argsz says, and no more than it knows. */
static void device_info_argsz(struct fixture *f)
{
	const __u32 minsz = offsetof(struct vfio_device_info, cap_offset);
	struct vfio_device_info *info;
	__u8 big[256];
	unsigned int i;

	info = guarded(minsz);
	info->argsz = minsz;
	EQ(dev_ioctl(f, VFIO_DEVICE_GET_INFO, info), 0);
	EQ(info->num_irqs, VFIO_PCI_NUM_IRQS);

	memset(big, 0xa5, sizeof(big));
	info = (void *)big;
	info->argsz = minsz;
	EQ(dev_ioctl(f, VFIO_DEVICE_GET_INFO, info), 0);
	for (i = minsz; i < sizeof(big); i++)
		OK(big[i] == 0xa5, "byte %u behind argsz was written", i);

	memset(big, 0xa5, sizeof(big));
	info->argsz = sizeof(big);
	EQ(dev_ioctl(f, VFIO_DEVICE_GET_INFO, info), 0);
	OK(info->argsz <= sizeof(big), "argsz grew to %u", info->argsz);
	if (!(info->flags & VFIO_DEVICE_FLAGS_CAPS))
		for (i = sizeof(*info); i < sizeof(big); i++)
			OK(big[i] == 0xa5, "byte %u behind the struct was written", i);
}

struct expected_region {
	__u32 index;
	__u32 flags;
	__u64 size;
};

#define RW (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)
#define ANY_SIZE (~0ULL)

static void check_region(struct fixture *f, const struct expected_region *want)
{
	const struct vgpu_region *got = &f->region[want->index];
	const __u32 access = RW | VFIO_REGION_INFO_FLAG_MMAP;

	OK((got->flags & access) == want->flags, "region %u has flags 0x%x, expected 0x%x",
	   want->index, got->flags, want->flags);
	if (want->size == ANY_SIZE)
		OK(got->size && !(got->size & (got->size - 1)), "region %u has 0x%llx bytes",
		   want->index, got->size);
	else
		OK(got->size == want->size, "region %u has 0x%llx bytes, expected 0x%llx",
		   want->index, got->size, want->size);
}

static void bochs_regions(struct fixture *f)
{
	static const struct expected_region want[] = {
		{ 0, RW | VFIO_REGION_INFO_FLAG_MMAP, ANY_SIZE },
		{ 1, 0, 0 },
		{ 2, RW, 4096 },
		{ 3, 0, 0 },
		{ 4, 0, 0 },
		{ 5, 0, 0 },
		{ VFIO_PCI_ROM_REGION_INDEX, 0, 0 },
		{ VFIO_PCI_CONFIG_REGION_INDEX, RW, 4096 },
		{ VFIO_PCI_VGA_REGION_INDEX, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(want); i++)
		check_region(f, &want[i]);
	EQ(f->region[BAR0].nr_areas, 1);
	HEX(f->region[BAR0].areas[0].offset, 0);
	HEX(f->region[BAR0].areas[0].size, f->region[BAR0].size);
}

static void test_regions(struct fixture *f)
{
	static const struct expected_region want[] = {
		{ 0, RW, 4096 },
		{ 1, 0, 0 },
		{ 2, RW | VFIO_REGION_INFO_FLAG_MMAP, T_BAR2_SIZE },
		{ 3, 0, 0 },
		{ 4, RW, 4096 },
		{ 5, 0, 0 },
		{ VFIO_PCI_ROM_REGION_INDEX, 0, 0 },
		{ VFIO_PCI_CONFIG_REGION_INDEX, RW, 4096 },
		{ VFIO_PCI_VGA_REGION_INDEX, 0, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(want); i++)
		check_region(f, &want[i]);
}

static void sparse_areas(struct fixture *f)
{
	const struct vgpu_region *bar2 = &f->region[BAR2];

	OK(bar2->has_sparse, "BAR2 has no sparse mmap capability");
	EQ(bar2->nr_areas, 1);
	HEX(bar2->areas[0].offset, 0);
	HEX(bar2->areas[0].size, T_BAR2_MAPPED);
}

static void gfx_region(struct fixture *f)
{
	const struct vgpu_region *gfx = &f->region[GFX_REGION];

	HEX(gfx->flags & (RW | VFIO_REGION_INFO_FLAG_MMAP),
	    VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP);
	OK(gfx->size && gfx->size % PAGE == 0, "it has 0x%llx bytes", gfx->size);
	OK(gfx->has_type, "it has no type capability");
	/* QEMU takes this pair for the region that it writes an EDID to. */
	OK(gfx->type != VFIO_REGION_TYPE_GFX || gfx->subtype != VFIO_REGION_SUBTYPE_GFX_EDID,
	   "it says that it is an EDID region");
	diag("type 0x%x, subtype 0x%x, 0x%llx bytes", gfx->type, gfx->subtype, gfx->size);
}

/* Offsets are the kernel's choice, but must keep the regions apart. */
static void region_offsets(struct fixture *f)
{
	const struct vgpu_region *a, *b;
	unsigned int i, j;

	for (i = 0; i < f->nr_regions; i++) {
		a = &f->region[i];
		OK(a->offset % PAGE == 0, "region %u starts at 0x%llx", i, a->offset);
		OK(a->offset + a->size >= a->offset && a->offset + a->size <= INT64_MAX,
		   "region %u ends beyond any file", i);
		for (j = 0; j < i; j++) {
			b = &f->region[j];
			OK(!a->size || !b->size || a->offset >= b->offset + b->size ||
			   b->offset >= a->offset + a->size, "regions %u and %u overlap", i, j);
		}
	}
}

/* Ask with just enough room for the struct, then with what the kernel asked for. */
static void two_steps(struct fixture *f, __u32 index)
{
	struct vfio_region_info *info;
	struct vfio_info_cap_header *cap;
	unsigned int nr = 0;
	__u32 need, pos;
	__u8 *big;

	info = guarded(sizeof(*info));
	*info = (struct vfio_region_info){ .argsz = sizeof(*info), .index = index };
	EQ(dev_ioctl(f, VFIO_DEVICE_GET_REGION_INFO, info), 0);
	OK(info->flags & VFIO_REGION_INFO_FLAG_CAPS, "region %u has no capabilities", index);
	EQ(info->cap_offset, 0);
	need = info->argsz;
	OK(need > sizeof(*info) && need <= PAGE, "%u bytes are needed", need);

	/* One byte less is not enough, and then nothing of the chain is written. */
	big = guarded(need);
	memset(big, 0xa5, need);
	info = (void *)big;
	*info = (struct vfio_region_info){ .argsz = need - 1, .index = index };
	EQ(dev_ioctl(f, VFIO_DEVICE_GET_REGION_INFO, info), 0);
	EQ(info->argsz, need);
	EQ(info->cap_offset, 0);
	for (pos = sizeof(*info); pos < need; pos++)
		OK(big[pos] == 0xa5, "byte %u behind the struct was written", pos);

	*info = (struct vfio_region_info){ .argsz = need, .index = index };
	EQ(dev_ioctl(f, VFIO_DEVICE_GET_REGION_INFO, info), 0);
	OK(info->cap_offset >= sizeof(*info), "the chain starts at %u", info->cap_offset);
	for (pos = info->cap_offset; pos; pos = cap->next) {
		OK(pos % 8 == 0 && pos + sizeof(*cap) <= need, "a capability at %u", pos);
		cap = (void *)(big + pos);
		OK(!cap->next || cap->next > pos, "the chain goes back to %u", cap->next);
		EQ(cap->version, 1);
		nr++;
	}
	OK(nr, "the chain is empty");
}

static void two_step_argsz(struct fixture *f)
{
	two_steps(f, f->role == ON_BOCHS ? GFX_REGION : BAR2);
}

static void index_past_end(struct fixture *f)
{
	const __u32 bad[] = { f->nr_regions, f->nr_regions + 1, 255, 0x7fffffff, 0x80000000,
			      0xffffffff };
	struct vfio_region_info region;
	struct vfio_irq_info irq;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		region = (struct vfio_region_info){ .argsz = sizeof(region), .index = bad[i] };
		REFUSED(dev_ioctl(f, VFIO_DEVICE_GET_REGION_INFO, &region), EINVAL);
		irq = (struct vfio_irq_info){ .argsz = sizeof(irq), .index = bad[i] };
		REFUSED(dev_ioctl(f, VFIO_DEVICE_GET_IRQ_INFO, &irq), EINVAL);
	}
	irq = (struct vfio_irq_info){ .argsz = sizeof(irq), .index = VFIO_PCI_NUM_IRQS };
	REFUSED(dev_ioctl(f, VFIO_DEVICE_GET_IRQ_INFO, &irq), EINVAL);
}

static void irq_counts(struct fixture *f)
{
	static const __u32 bochs[VFIO_PCI_NUM_IRQS] = { 0, 0, 0, 1, 1 };
	static const __u32 test[VFIO_PCI_NUM_IRQS] = { 1, T_MSI_VECTORS, T_MSIX_VECTORS, 1, 1 };
	const __u32 *want = f->role == ON_BOCHS ? bochs : test;
	struct vfio_irq_info info;
	struct vgpu_error err;
	__u32 i;

	for (i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		DID(vgpu_irq_get(f->dev, i, &info, &err), &err);
		OK(info.count == want[i], "index %u has %u interrupts, expected %u", i, info.count,
		   want[i]);
	}
}

static void irq_flags(struct fixture *f)
{
	const __u32 known = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
			    VFIO_IRQ_INFO_AUTOMASKED | VFIO_IRQ_INFO_NORESIZE;
	struct vfio_irq_info info;
	struct vgpu_error err;
	__u32 i;

	for (i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		DID(vgpu_irq_get(f->dev, i, &info, &err), &err);
		OK(info.flags & VFIO_IRQ_INFO_EVENTFD, "index %u has no eventfds", i);
		HEX(info.flags & ~known, 0);
		if (i == INTX)
			HEX(info.flags, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
					VFIO_IRQ_INFO_AUTOMASKED);
		else
			OK(!(info.flags & VFIO_IRQ_INFO_AUTOMASKED), "index %u is a level", i);
	}
}

/* A vGPU of one container answers the same however often it is asked. */
static void info_is_stable(struct fixture *f)
{
	struct vgpu_region again;
	struct vgpu_error err;
	unsigned int i;

	memory_on(f);
	DID(vgpu_reset(f->dev, &err), &err);
	for (i = 0; i < f->nr_regions; i++) {
		DID(vgpu_region_get(f->dev, i, &again, &err), &err);
		HEX(again.size, f->region[i].size);
		HEX(again.flags, f->region[i].flags);
		HEX(again.offset, f->region[i].offset);
		EQ(again.nr_areas, f->region[i].nr_areas);
		vgpu_region_put(&again);
	}
}

static const struct test tests[] = {
	{ "the device is a PCI device that can be reset", ON_BOTH, device_info },
	{ "device info keeps to argsz", ON_BOTH, device_info_argsz },
	{ "every region of the bochs vGPU", ON_BOCHS, bochs_regions },
	{ "every region of the test vGPU", ON_TEST, test_regions },
	{ "BAR2 says which part can be mapped", ON_TEST, sparse_areas },
	{ "the scan-out region has a type of its own", ON_BOCHS, gfx_region },
	{ "regions do not overlap", ON_BOTH, region_offsets },
	{ "capabilities come in two steps of argsz", ON_BOTH, two_step_argsz },
	{ "indexes past the last are refused", ON_BOTH, index_past_end },
	{ "interrupt counts", ON_BOTH, irq_counts },
	{ "interrupt flags", ON_BOTH, irq_flags },
	{ "a reset changes no info", ON_BOTH, info_is_stable },
};

const struct group group_info = GROUP("info", tests);
