// SPDX-License-Identifier: MIT
/*
 * Owns the tests of PCI config space: what is fixed, what a guest may write,
 * BAR sizing, the capability list, and access by width.
 */
#include "util.h"

static void identity(struct fixture *f)
{
	bool bochs = f->role == ON_BOCHS;

	HEX(cfg_read(f, PCI_VENDOR_ID, 2), bochs ? 0x1234 : 0x1b36);
	HEX(cfg_read(f, PCI_DEVICE_ID, 2), bochs ? 0x1111 : 0x0001);
	HEX(cfg_read(f, PCI_CLASS_DEVICE, 2), bochs ? 0x0380 : 0xff00);
	HEX(cfg_read(f, PCI_CLASS_PROG, 1), 0);
	HEX(cfg_read(f, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_NORMAL);
	HEX(cfg_read(f, PCI_INTERRUPT_PIN, 1), bochs ? 0 : 1);
	if (bochs)
		/* bochs-drm looks for the QEMU registers from revision 2 on only */
		OK(cfg_read(f, PCI_REVISION_ID, 1) >= 2, "revision %u",
		   cfg_read(f, PCI_REVISION_ID, 1));
}

static void read_only(struct fixture *f)
{
	static const struct {
		__u32 pos;
		unsigned int width;
	} fixed[] = {
		{ PCI_VENDOR_ID, 2 }, { PCI_DEVICE_ID, 2 }, { PCI_REVISION_ID, 1 },
		{ PCI_CLASS_PROG, 1 }, { PCI_CLASS_DEVICE, 2 }, { PCI_HEADER_TYPE, 1 },
		{ PCI_BIST, 1 }, { PCI_CARDBUS_CIS, 4 }, { PCI_SUBSYSTEM_VENDOR_ID, 2 },
		{ PCI_SUBSYSTEM_ID, 2 }, { PCI_CAPABILITY_LIST, 1 }, { 0x35, 1 }, { 0x36, 2 },
		{ 0x38, 4 }, { PCI_INTERRUPT_PIN, 1 }, { PCI_MIN_GNT, 1 }, { PCI_MAX_LAT, 1 },
	};
	__u32 before, value;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(fixed); i++) {
		before = cfg_read(f, fixed[i].pos, fixed[i].width);
		for (j = 0; j < 3; j++) {
			value = j == 0 ? ~0U : j == 1 ? 0 : 0x5aa55aa5;
			cfg_write(f, fixed[i].pos, fixed[i].width, value);
			OK(cfg_read(f, fixed[i].pos, fixed[i].width) == before,
			   "the register at 0x%x took 0x%x", fixed[i].pos, value);
		}
	}
}

static void power_on_state(struct fixture *f)
{
	unsigned int i;

	HEX(cfg_read(f, PCI_COMMAND, 2), 0);
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		HEX(cfg_read(f, PCI_BASE_ADDRESS_0 + 4 * i, 4) & ~0xfU, 0);
	HEX(cfg_read(f, PCI_INTERRUPT_LINE, 1), 0);
}

static void size_bars(struct fixture *f)
{
	struct vgpu_error err;
	struct vgpu_bar bar;
	unsigned int i;

	memory_on(f);
	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		DID(vgpu_cfg_size_bar(f->dev, i, &bar, &err), &err);
		OK(bar.size == f->region[i].size,
		   "BAR %u decodes 0x%llx bytes, region info says 0x%llx", i, bar.size,
		   f->region[i].size);
		OK(!bar.is_io, "BAR %u decodes ports", i);
		OK(bar.is_64 == (f->role == ON_TEST && i == 2), "BAR %u: 64-bit is %d", i,
		   bar.is_64);
		if (f->role == ON_BOCHS && i == 0)
			OK(bar.prefetchable, "the VRAM is not prefetchable");
		if (bar.is_64) {
			OK(bar.prefetchable, "BAR %u is 64 bits wide but not prefetchable", i);
			i++;
			OK(!f->region[i].size, "BAR %u is an upper half and a region", i);
		}
	}
	HEX(cfg_read(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
}

static void size_64(struct fixture *f)
{
	const __u32 pos = PCI_BASE_ADDRESS_2;

	cfg_write(f, pos, 4, 0xffffffff);
	HEX(cfg_read(f, pos, 4), (__u32)-T_BAR2_SIZE | PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH);
	cfg_write(f, pos + 4, 4, 0xffffffff);
	HEX(cfg_read(f, pos + 4, 4), 0xffffffff);

	/* an address above 4 GiB sticks, what is below the size does not */
	cfg_write(f, pos, 4, 0xabcdef12);
	cfg_write(f, pos + 4, 4, 0x00000012);
	HEX(cfg_read(f, pos, 4), 0xabc00000 | PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH);
	HEX(cfg_read(f, pos + 4, 4), 0x12);
}

/* An OS may write a BAR in pieces; each piece counts. */
static void bar_by_bytes(struct fixture *f)
{
	__u32 size = f->region[BAR0].size;
	unsigned int i;

	for (i = 0; i < 4; i++)
		cfg_write(f, PCI_BASE_ADDRESS_0 + i, 1, 0xff);
	HEX(cfg_read(f, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK, -size);
	cfg_write(f, PCI_BASE_ADDRESS_0, 2, 0);
	cfg_write(f, PCI_BASE_ADDRESS_0 + 2, 2, 0xc000);
	HEX(cfg_read(f, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK, 0xc0000000);
}

static void absent_bars(struct fixture *f)
{
	unsigned int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (f->region[i].size || (f->role == ON_TEST && i == 3))
			continue;
		cfg_write(f, PCI_BASE_ADDRESS_0 + 4 * i, 4, 0xffffffff);
		HEX(cfg_read(f, PCI_BASE_ADDRESS_0 + 4 * i, 4), 0);
	}
	cfg_write(f, PCI_ROM_ADDRESS, 4, 0xffffffff);
	HEX(cfg_read(f, PCI_ROM_ADDRESS, 4), 0);
}

static void command_bits(struct fixture *f)
{
	static const __u16 must[] = { PCI_COMMAND_MEMORY, PCI_COMMAND_MASTER,
				      PCI_COMMAND_INTX_DISABLE };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(must); i++) {
		cfg_write(f, PCI_COMMAND, 2, must[i]);
		HEX(cfg_read(f, PCI_COMMAND, 2) & must[i], must[i]);
		cfg_write(f, PCI_COMMAND, 2, 0);
		HEX(cfg_read(f, PCI_COMMAND, 2), 0);
	}
	/* reserved, or hard-wired to 0 in PCI Express; no port BAR either */
	cfg_write(f, PCI_COMMAND, 2, 0xffff);
	HEX(cfg_read(f, PCI_COMMAND, 2) & 0xf8b9, 0);
	/* the INTx disable bit is in the upper byte */
	cfg_write(f, PCI_COMMAND + 1, 1, 0);
	HEX(cfg_read(f, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE, 0);
}

static void status_bits(struct fixture *f)
{
	__u32 before = cfg_read(f, PCI_STATUS, 2);

	HEX(before & PCI_STATUS_CAP_LIST, PCI_STATUS_CAP_LIST);
	HEX(before & 0xf900, 0);
	/* writing ones clears, writing zeroes keeps, neither sets */
	cfg_write(f, PCI_STATUS, 2, 0xffff);
	HEX(cfg_read(f, PCI_STATUS, 2), before);
	cfg_write(f, PCI_STATUS, 2, 0);
	HEX(cfg_read(f, PCI_STATUS, 2), before);
	/* a dword write reaches both registers, each by its own rules */
	cfg_write(f, PCI_COMMAND, 4, 0xffff0000 | PCI_COMMAND_MASTER);
	HEX(cfg_read(f, PCI_COMMAND, 4), before << 16 | PCI_COMMAND_MASTER);
}

static void interrupt_line(struct fixture *f)
{
	unsigned int value;

	for (value = 0; value < 256; value += 51) {
		cfg_write(f, PCI_INTERRUPT_LINE, 1, value);
		HEX(cfg_read(f, PCI_INTERRUPT_LINE, 1), value);
	}
	cfg_write(f, PCI_INTERRUPT_LINE, 4, 0xffffff0b);
	HEX(cfg_read(f, PCI_INTERRUPT_LINE, 4), f->role == ON_BOCHS ? 0x0b : 0x10b);
}

static void capability_list(struct fixture *f)
{
	__u8 seen[256] = { 0 };
	unsigned int nr = 0;
	__u32 pos, id;

	for (pos = cfg_read(f, PCI_CAPABILITY_LIST, 1); pos; pos = cfg_read(f, pos + 1, 1)) {
		OK(pos >= PCI_STD_HEADER_SIZEOF && pos % 4 == 0, "a capability at 0x%x", pos);
		OK(++nr <= 48, "the list does not end");
		id = cfg_read(f, pos, 1);
		OK(!seen[id], "capability 0x%x is there twice", id);
		seen[id] = pos;
	}
	OK(seen[PCI_CAP_ID_PM] && seen[PCI_CAP_ID_EXP], "no PM or no PCIe capability");
	if (f->role == ON_TEST) {
		OK(seen[PCI_CAP_ID_MSI], "no MSI capability");
		OK(seen[PCI_CAP_ID_MSIX], "no MSI-X capability");
		OK(seen[PCI_CAP_ID_VNDR], "no vendor-specific capability");
	} else {
		OK(!seen[PCI_CAP_ID_MSI] && !seen[PCI_CAP_ID_MSIX], "MSI without interrupts");
	}
}

static void pcie_capability(struct fixture *f)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_EXP);
	__u32 flags = cfg_read(f, pos + PCI_EXP_FLAGS, 2);

	EQ((flags & PCI_EXP_FLAGS_TYPE) >> 4, PCI_EXP_TYPE_ENDPOINT);
	OK((flags & PCI_EXP_FLAGS_VERS) >= 1, "version %u", flags & PCI_EXP_FLAGS_VERS);
	HEX(cfg_read(f, pos + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR, PCI_EXP_DEVCAP_FLR);
	cfg_write(f, pos + PCI_EXP_FLAGS, 2, 0xffff);
	cfg_write(f, pos + PCI_EXP_DEVCAP, 4, 0);
	HEX(cfg_read(f, pos + PCI_EXP_FLAGS, 2), flags);
	HEX(cfg_read(f, pos + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR, PCI_EXP_DEVCAP_FLR);
}

static void msi_capability(struct fixture *f)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_MSI);
	__u32 flags = cfg_read(f, pos + PCI_MSI_FLAGS, 2);

	HEX(flags & PCI_MSI_FLAGS_ENABLE, 0);
	EQ(1 << ((flags & PCI_MSI_FLAGS_QMASK) >> 1), T_MSI_VECTORS);
	HEX(flags & PCI_MSI_FLAGS_64BIT, PCI_MSI_FLAGS_64BIT);
	HEX(flags & PCI_MSI_FLAGS_MASKBIT, PCI_MSI_FLAGS_MASKBIT);

	/* only the enable bit and the number of vectors can be written */
	cfg_write(f, pos + PCI_MSI_FLAGS, 2, 0xffff);
	HEX(cfg_read(f, pos + PCI_MSI_FLAGS, 2) & ~PCI_MSI_FLAGS_QSIZE,
	    (flags & ~PCI_MSI_FLAGS_QSIZE) | PCI_MSI_FLAGS_ENABLE);
	cfg_write(f, pos + PCI_MSI_FLAGS, 2, 0);
	HEX(cfg_read(f, pos + PCI_MSI_FLAGS, 2), flags & ~PCI_MSI_FLAGS_QSIZE);

	cfg_write(f, pos + PCI_MSI_ADDRESS_LO, 4, 0xffffffff);
	HEX(cfg_read(f, pos + PCI_MSI_ADDRESS_LO, 4), 0xfffffffc);
	cfg_write(f, pos + PCI_MSI_ADDRESS_HI, 4, 0x12345678);
	HEX(cfg_read(f, pos + PCI_MSI_ADDRESS_HI, 4), 0x12345678);
	cfg_write(f, pos + PCI_MSI_DATA_64, 2, 0x4321);
	HEX(cfg_read(f, pos + PCI_MSI_DATA_64, 2), 0x4321);
	cfg_write(f, pos + PCI_MSI_MASK_64, 4, 0xffffffff);
	HEX(cfg_read(f, pos + PCI_MSI_MASK_64, 4), (1 << T_MSI_VECTORS) - 1);
	cfg_write(f, pos + PCI_MSI_PENDING_64, 4, 0xffffffff);
	HEX(cfg_read(f, pos + PCI_MSI_PENDING_64, 4), 0);
}

static void msix_capability(struct fixture *f)
{
	const __u16 rw = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;
	__u32 pos = find_cap(f, PCI_CAP_ID_MSIX);
	__u32 flags = cfg_read(f, pos + PCI_MSIX_FLAGS, 2);

	HEX(flags, T_MSIX_VECTORS - 1);
	HEX(cfg_read(f, pos + PCI_MSIX_TABLE, 4), T_MSIX_TABLE | 4);
	HEX(cfg_read(f, pos + PCI_MSIX_PBA, 4), T_MSIX_PBA | 4);
	cfg_write(f, pos + PCI_MSIX_FLAGS, 2, 0xffff);
	HEX(cfg_read(f, pos + PCI_MSIX_FLAGS, 2), flags | rw);
	cfg_write(f, pos + PCI_MSIX_TABLE, 4, 0);
	cfg_write(f, pos + PCI_MSIX_PBA, 4, 0xffffffff);
	HEX(cfg_read(f, pos + PCI_MSIX_TABLE, 4), T_MSIX_TABLE | 4);
	HEX(cfg_read(f, pos + PCI_MSIX_PBA, 4), T_MSIX_PBA | 4);
}

static void vendor_capability(struct fixture *f)
{
	__u32 pos = find_cap(f, PCI_CAP_ID_VNDR);
	__u8 before[8], after[8];
	unsigned int i;

	EQ(try_read(f, CONFIG, pos, before, 8), 8);
	EQ(before[2], 8);
	OK(!memcmp(before + 3, "mvgp", 4), "it says %02x %02x %02x %02x", before[3], before[4],
	   before[5], before[6]);
	for (i = 0; i < 8; i++)
		cfg_write(f, pos + i, 1, ~before[i]);
	EQ(try_read(f, CONFIG, pos, after, 8), 8);
	OK(!memcmp(before, after, 8), "it can be written");
}

static void by_width(struct fixture *f)
{
	__u8 whole[256];
	__u32 pos;

	command(f, PCI_COMMAND_MASTER, 0);
	EQ(try_read(f, CONFIG, 0, whole, sizeof(whole)), sizeof(whole));
	for (pos = 0; pos < sizeof(whole); pos++)
		HEX(cfg_read(f, pos, 1), whole[pos]);
	/* aligned and not: the kernel splits what a bus would not carry */
	for (pos = 0; pos + 2 <= sizeof(whole); pos++)
		HEX(cfg_read(f, pos, 2), whole[pos] | whole[pos + 1] << 8);
	for (pos = 0; pos + 4 <= sizeof(whole); pos++)
		HEX(cfg_read(f, pos, 4), whole[pos] | whole[pos + 1] << 8 |
					 whole[pos + 2] << 16 | (__u32)whole[pos + 3] << 24);
	HEX(cfg_read(f, 1, 3), whole[1] | whole[2] << 8 | whole[3] << 16);
}

static void extended(struct fixture *f)
{
	__u8 whole[4096];
	__u32 head, pos;
	unsigned int nr = 0;

	EQ(f->region[CONFIG].size, sizeof(whole));
	EQ(try_read(f, CONFIG, 0, whole, sizeof(whole)), sizeof(whole));
	for (pos = 0x100; pos; pos = PCI_EXT_CAP_NEXT(head)) {
		OK(pos >= 0x100 && pos % 4 == 0 && ++nr < 480, "a capability at 0x%x", pos);
		head = cfg_read(f, pos, 4);
		HEX(head, *(__u32 *)(whole + pos));
		if (!head)
			break;
	}
	cfg_write(f, 0x100, 4, 0xffffffff);
	HEX(cfg_read(f, 0x100, 4), *(__u32 *)(whole + 0x100));
}

static void past_end(struct fixture *f)
{
	__u64 size = f->region[CONFIG].size;
	__u8 buf[8192];
	ssize_t ret;

	REFUSED_ACCESS(try_read(f, CONFIG, size, buf, 4) ?: -EINVAL);
	REFUSED_ACCESS(try_write(f, CONFIG, size, "\0\0\0", 4) ?: -EINVAL);
	REFUSED_ACCESS(try_read(f, CONFIG, size + 4096, buf, 1) ?: -EINVAL);
	ret = try_read(f, CONFIG, size - 2, buf, 4);
	if (ret != 2)
		REFUSED_ACCESS(ret);
	ret = try_read(f, CONFIG, 0, buf, sizeof(buf));
	if (ret != (ssize_t)size)
		REFUSED_ACCESS(ret);
}

static const struct test tests[] = {
	{ "IDs, class, header type, interrupt pin", ON_BOTH, identity },
	{ "a fresh vGPU is in its power-on state", ON_BOTH, power_on_state },
	{ "read-only registers stay as they are", ON_BOTH, read_only },
	{ "BAR sizing agrees with region info", ON_BOTH, size_bars },
	{ "both halves of a 64-bit BAR", ON_TEST, size_64 },
	{ "a BAR written in pieces", ON_BOTH, bar_by_bytes },
	{ "absent BARs and ROM are hard-wired to 0", ON_BOTH, absent_bars },
	{ "command register", ON_BOTH, command_bits },
	{ "status register", ON_BOTH, status_bits },
	{ "interrupt line", ON_BOTH, interrupt_line },
	{ "the capability list ends and has what it should", ON_BOTH, capability_list },
	{ "PCIe capability", ON_BOTH, pcie_capability },
	{ "MSI capability", ON_TEST, msi_capability },
	{ "MSI-X capability", ON_TEST, msix_capability },
	{ "vendor-specific capability", ON_TEST, vendor_capability },
	{ "every width and alignment gives the same bytes", ON_BOTH, by_width },
	{ "extended config space", ON_BOTH, extended },
	{ "beyond the end", ON_BOTH, past_end },
};

const struct group group_config = GROUP("config", tests);
