// SPDX-License-Identifier: MIT
/*
 * Owns the tests of read() and write() on regions: registers, memory, every size
 * and alignment, and everything that reaches past an edge.
 */
#include <errno.h>
#include <limits.h>

#include "util.h"

static unsigned int mapped_bar(const struct fixture *f)
{
	return f->role == ON_BOCHS ? BAR0 : BAR2;
}

static unsigned int trapped_bar(const struct fixture *f)
{
	return f->role == ON_BOCHS ? BAR2 : BAR0;
}

static void test_registers(struct fixture *f)
{
	memory_on(f);
	HEX(reg_read(f, BAR0, T_ID, 4), T_ID_VALUE);
	reg_write(f, BAR0, T_ID, 4, 0);
	HEX(reg_read(f, BAR0, T_ID, 4), T_ID_VALUE);
	reg_write(f, BAR0, T_SCRATCH, 4, 0xcafebabe);
	reg_write(f, BAR0, T_SCRATCH64, 8, 0x0123456789abcdef);
	reg_write(f, BAR0, T_SCRATCH8, 1, 0xa5);
	HEX(reg_read(f, BAR0, T_SCRATCH, 4), 0xcafebabe);
	HEX(reg_read(f, BAR0, T_SCRATCH64, 8), 0x0123456789abcdef);
	HEX(reg_read(f, BAR0, T_SCRATCH8, 1), 0xa5);
	/* what is no register reads 0 and takes nothing */
	reg_write(f, BAR0, 0x800, 4, 0xffffffff);
	HEX(reg_read(f, BAR0, 0x800, 4), 0);
	HEX(reg_read(f, BAR0, 0xffc, 4), 0);
}

static void bochs_registers(struct fixture *f)
{
	static const enum vbe rw[] = { VBE_XRES, VBE_YRES, VBE_BPP, VBE_VIRT_WIDTH, VBE_X_OFFSET,
				       VBE_Y_OFFSET };
	__u32 size;
	unsigned int i;

	memory_on(f);
	HEX(vbe_read(f, VBE_ID) & 0xfff0, 0xb0c0);
	HEX(vbe_read(f, VBE_MEMORY_64K) * 0x10000ULL, f->region[BAR0].size);
	vbe_write(f, VBE_ID, 0);
	vbe_write(f, VBE_MEMORY_64K, 0xffff);
	HEX(vbe_read(f, VBE_ID) & 0xfff0, 0xb0c0);
	HEX(vbe_read(f, VBE_MEMORY_64K) * 0x10000ULL, f->region[BAR0].size);
	for (i = 0; i < ARRAY_SIZE(rw); i++) {
		vbe_write(f, rw[i], 0x40 + i);
		HEX(vbe_read(f, rw[i]), 0x40 + i);
	}

	size = reg_read(f, BAR2, B_QEXT_SIZE, 4);
	OK(size >= 8 && size <= 4096, "the QEMU registers have %u bytes", size);
	reg_write(f, BAR2, B_QEXT_ENDIAN, 4, B_BIG);
	HEX(reg_read(f, BAR2, B_QEXT_ENDIAN, 4), B_BIG);
	reg_write(f, BAR2, B_QEXT_ENDIAN, 4, B_LITTLE);
	HEX(reg_read(f, BAR2, B_QEXT_ENDIAN, 4), B_LITTLE);
}

/* What bochs-drm does with the VGA ports must at least be accepted. */
static void vga_ports(struct fixture *f)
{
	__u8 value;

	memory_on(f);
	/* bochs_hw_blank(): miscellaneous output, status, attribute controller */
	reg_write(f, BAR2, B_VGA + 0x3c2 - 0x3c0, 1, 0x01);
	EQ(try_read(f, BAR2, B_VGA + 0x3da - 0x3c0, &value, 1), 1);
	reg_write(f, BAR2, B_VGA, 1, 0x20);
}

static void edid(struct fixture *f)
{
	static const __u8 header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	__u8 whole[128], sum = 0;
	unsigned int i;

	memory_on(f);
	for (i = 0; i < sizeof(whole); i++) {
		whole[i] = reg_read(f, BAR2, B_EDID + i, 1);
		sum += whole[i];
	}
	OK(!memcmp(whole, header, sizeof(header)), "no EDID header");
	EQ(sum, 0);
	for (i = 0; i < sizeof(whole); i += 2)
		HEX(reg_read(f, BAR2, B_EDID + i, 2), whole[i] | whole[i + 1] << 8);
	for (i = 0; i < sizeof(whole); i += 4)
		HEX(reg_read(f, BAR2, B_EDID + i, 4), whole[i] | whole[i + 1] << 8 |
		    whole[i + 2] << 16 | (__u32)whole[i + 3] << 24);
	reg_write(f, BAR2, B_EDID + 8, 1, ~whole[8]);
	HEX(reg_read(f, BAR2, B_EDID + 8, 1), whole[8]);
}

/* Registers need not make sense of every access, but the kernel must answer it. */
static void any_width(struct fixture *f)
{
	const unsigned int bars[] = { trapped_bar(f), f->role == ON_TEST ? BAR4 : BAR2 };
	__u8 buf[64];
	unsigned int i, pos, width;
	ssize_t ret;

	memory_on(f);
	for (i = 0; i < ARRAY_SIZE(bars); i++) {
		for (pos = 0; pos < 64; pos++) {
			for (width = 1; width <= 32; width++) {
				memset(buf, 0x5a, sizeof(buf));
				ret = try_read(f, bars[i], pos, buf, width);
				OK((ret > 0 && ret <= width) || ret == -EINVAL,
				   "%u bytes at 0x%x: %zd", width, pos, ret);
				OK(buf[width] == 0x5a, "%u bytes at 0x%x: one more", width, pos);
				ret = try_write(f, bars[i], 0x800 + pos, buf, width);
				OK((ret > 0 && ret <= width) || ret == -EINVAL,
				   "writing %u bytes at 0x%x: %zd", width, pos, ret);
			}
		}
	}
	if (f->role == ON_TEST)
		HEX(reg_read(f, BAR0, T_ID, 4), T_ID_VALUE);
	else
		HEX(vbe_read(f, VBE_ID) & 0xfff0, 0xb0c0);
}

static __u32 next_random(__u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Compare the slice with a copy of it through accesses of any size and alignment. */
static void memory_any_size(struct fixture *f)
{
	const unsigned int bar = mapped_bar(f);
	const size_t window = 0x8000;
	/* for the test vGPU this spans what is mapped and what is trapped */
	const __u64 base = f->role == ON_TEST ? T_BAR2_MAPPED - window / 2 : 0;
	__u8 *shadow = calloc(1, window), *buf = malloc(window);
	__u32 seed = 1, pos, size, i, n;

	memory_on(f);
	EQ(try_write(f, bar, base, shadow, window), window);
	for (n = 0; n < 2000; n++) {
		size = 1 + next_random(&seed) % (n % 2 ? 9000 : 17);
		pos = next_random(&seed) % (window - size);
		if (next_random(&seed) & 1) {
			for (i = 0; i < size; i++)
				shadow[pos + i] = next_random(&seed);
			EQ(try_write(f, bar, base + pos, shadow + pos, size), size);
		} else {
			EQ(try_read(f, bar, base + pos, buf, size), size);
			OK(!memcmp(buf, shadow + pos, size), "%u bytes at 0x%x differ", size, pos);
		}
	}
	EQ(try_read(f, bar, base, buf, window), window);
	OK(!memcmp(buf, shadow, window), "the window differs in the end");
	free(shadow);
	free(buf);
}

static void ends(struct fixture *f)
{
	__u8 buf[64];
	unsigned int i;
	__u64 size;
	ssize_t ret;

	memory_on(f);
	for (i = 0; i < f->nr_regions; i++) {
		size = f->region[i].size;
		ret = try_read(f, i, size, buf, 4);
		OK(ret <= 0, "region %u: %zd bytes behind its end", i, ret);
		ret = try_write(f, i, size, buf, 4);
		OK(ret <= 0, "region %u: %zd bytes written behind its end", i, ret);
		ret = try_read(f, i, size + 0x10000000, buf, 1);
		OK(ret <= 0, "region %u: %zd bytes far behind its end", i, ret);
		if (!size)
			continue;
		memset(buf, 0x5a, sizeof(buf));
		ret = try_read(f, i, size - 4, buf, 16);
		OK(ret == 4 || ret < 0, "region %u: %zd bytes across its end", i, ret);
		OK(buf[4] == 0x5a, "region %u: bytes from behind its end", i);
	}
}

static void absent_regions(struct fixture *f)
{
	__u32 value = 0;
	unsigned int i;

	memory_on(f);
	for (i = 0; i < f->nr_regions; i++) {
		if (f->region[i].size)
			continue;
		REFUSED_ACCESS(try_read(f, i, 0, &value, 4) ?: -EINVAL);
		REFUSED_ACCESS(try_write(f, i, 0, &value, 4) ?: -EINVAL);
	}
	if (f->role == ON_BOCHS) {
		REFUSED(try_write(f, GFX_REGION, 0, &value, 4), EINVAL, EPERM, EBADF);
		EQ(try_read(f, GFX_REGION, 0, &value, 4), 4);
	}
}

static void no_bytes(struct fixture *f)
{
	__u8 byte;

	memory_on(f);
	EQ(try_read(f, trapped_bar(f), 0, &byte, 0), 0);
	EQ(try_write(f, trapped_bar(f), 0, &byte, 0), 0);
	EQ(try_read(f, CONFIG, 0, &byte, 0), 0);
}

static void huge_counts(struct fixture *f)
{
	static const size_t counts[] = { 1UL << 30, INT_MAX, 1UL << 31, 1UL << 40, SSIZE_MAX };
	__u64 size;
	unsigned int i, j;
	ssize_t ret;
	void *buf;

	/* untouched pages cost nothing: the kernel must stop at the region's end */
	buf = mmap(NULL, 1UL << 31, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	OK(buf != MAP_FAILED, "no address space");
	memory_on(f);
	for (i = 0; i < f->nr_regions; i++) {
		size = f->region[i].size;
		for (j = 0; j < ARRAY_SIZE(counts); j++) {
			ret = try_read(f, i, 0, buf, counts[j]);
			OK(ret < 0 || (__u64)ret <= size, "region %u: read %zd of 0x%llx bytes", i,
			   ret, size);
			ret = try_read(f, i, size - 1, buf, counts[j]);
			OK(ret <= 1, "region %u: read %zd bytes at its last", i, ret);
		}
		if (!size || i == CONFIG)
			continue;
		ret = try_write(f, i, size - 1, buf, 1UL << 30);
		OK(ret <= 1, "region %u: wrote %zd bytes at its last", i, ret);
	}
	munmap(buf, 1UL << 31);
}

static void wild_offsets(struct fixture *f)
{
	static const __u64 offsets[] = {
		INT64_MAX, INT64_MAX - 3, INT64_MAX - 4095, 1ULL << 62, 1ULL << 63, ~0ULL, ~3ULL,
		-4096ULL, 0x7fffff0000000000, 0x0000ff0000000000, 0xffff000000000000,
	};
	__u8 buf[8192] = { 0 };
	unsigned int i;
	ssize_t ret;

	memory_on(f);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		ret = pread(vgpu_fd(f->dev), buf, 4, offsets[i]);
		OK(ret < 0, "read %zd bytes at 0x%llx", ret, offsets[i]);
		ret = pwrite(vgpu_fd(f->dev), buf, 4, offsets[i]);
		OK(ret < 0, "wrote %zd bytes at 0x%llx", ret, offsets[i]);
		ret = pread(vgpu_fd(f->dev), buf, sizeof(buf), offsets[i]);
		OK(ret < 0, "read %zd bytes at 0x%llx", ret, offsets[i]);
	}
	/* indexes that do not exist, where the kernel puts them if it numbers regions evenly */
	for (i = f->nr_regions; i < 4096; i++) {
		ret = pread(vgpu_fd(f->dev), buf, 4, (__u64)i * f->region[1].offset);
		OK(ret < 0, "read %zd bytes of region %u", ret, i);
	}
}

static void bad_buffers(struct fixture *f)
{
	char *edge = guarded(2);
	void *const bad[] = { NULL, (void *)1, edge + 2, (void *)0x800000000000,
			      (void *)0xffff888000000000, (void *)-4096L };
	const unsigned int regions[] = { trapped_bar(f), mapped_bar(f), CONFIG };
	unsigned int i, j;
	ssize_t ret;

	memory_on(f);
	for (j = 0; j < ARRAY_SIZE(regions); j++) {
		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			REFUSED(try_read(f, regions[j], 0, bad[i], 4), EFAULT);
			REFUSED(try_write(f, regions[j], 0, bad[i], 4), EFAULT);
		}
		ret = try_read(f, regions[j], 0, edge, 64);
		OK(ret == -EFAULT || (ret >= 0 && ret <= 2), "read %zd bytes into two", ret);
		ret = try_write(f, regions[j], 0, edge, 64);
		OK(ret == -EFAULT || (ret >= 0 && ret <= 2), "wrote %zd bytes out of two", ret);
	}
}

static void decode_off(struct fixture *f)
{
	const unsigned int trapped = trapped_bar(f), mapped = mapped_bar(f);
	__u64 before;

	memory_on(f);
	if (f->role == ON_TEST)
		reg_write(f, BAR0, T_SCRATCH, 4, 0x11111111);
	reg_write(f, mapped, 0x1000, 4, 0x22222222);
	before = reg_read(f, trapped, T_SCRATCH, 4);

	memory_off(f);
	OK(bar_dead(f, trapped, 0), "a trapped BAR answers");
	OK(bar_dead(f, mapped, 0x1000), "a mapped BAR answers");
	try_write(f, trapped, T_SCRATCH, "\x99\x99\x99\x99", 4);
	try_write(f, mapped, 0x1000, "\x99\x99\x99\x99", 4);

	memory_on(f);
	HEX(reg_read(f, trapped, T_SCRATCH, 4), before);
	HEX(reg_read(f, mapped, 0x1000, 4), 0x22222222);
}

static void seek_and_stream(struct fixture *f)
{
	__u8 buf[4];

	/* VFIO devices are positioned files only by accident: it must be harmless */
	lseek(vgpu_fd(f->dev), f->region[CONFIG].offset, SEEK_SET);
	OK(read(vgpu_fd(f->dev), buf, 4) <= 4, "too many bytes");
	HEX(cfg_read(f, PCI_VENDOR_ID, 2), f->role == ON_BOCHS ? 0x1234 : 0x1b36);
}

static const struct test tests[] = {
	{ "registers of the test vGPU", ON_TEST, test_registers },
	{ "registers of the bochs vGPU", ON_BOCHS, bochs_registers },
	{ "VGA ports take what bochs-drm writes", ON_BOCHS, vga_ports },
	{ "EDID", ON_BOCHS, edid },
	{ "trapped BARs answer accesses of every size and alignment", ON_BOTH, any_width },
	{ "memory is consistent in every size and alignment", ON_BOTH, memory_any_size },
	{ "nothing is behind a region's end", ON_BOTH, ends },
	{ "absent and read-only regions refuse access", ON_BOTH, absent_regions },
	{ "reading and writing no bytes", ON_BOTH, no_bytes },
	{ "huge counts stop at the region's end", ON_BOTH, huge_counts },
	{ "wild offsets are refused", ON_BOTH, wild_offsets },
	{ "bad buffers are refused", ON_BOTH, bad_buffers },
	{ "BARs are dead while memory decoding is off", ON_BOTH, decode_off },
	{ "lseek and read are harmless", ON_BOTH, seek_and_stream },
};

const struct group group_regions = GROUP("regions", tests);
