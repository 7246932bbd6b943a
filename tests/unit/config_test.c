// SPDX-License-Identifier: MIT
/*
 * config_test.c - kernel/mdev/config.c
 *
 * The expectations are literal numbers from the PCI specifications, not the macros that
 * the code under test is written with.
 */
#include <string.h>
#include "unit.h"
#include "config.h"

/*
 * One register of the device that build() describes: what it reads at power-on, the bits
 * that a guest may store, those that it clears by writing one. Everything that is not
 * listed reads as zero and ignores writes.
 */
struct expect {
	u16 at;
	u8 size;
	u32 val, rw, w1c;
};

#define PM	0x40
#define EXP	0x48
#define MSI	0x84
#define MSIX	0x9c
#define VNDR	0xa8
#define END	0xb0

static const struct expect full[] = {
	{ 0x00, 2, 0x1234 }, { 0x02, 2, 0x5678 },
	{ 0x04, 2, 0, 0x0546 },		/* Command: memory, master, parity, SERR, INTx off */
	{ 0x06, 2, 0x0010, 0, 0xf900 },	/* Status: list; the error bits */
	{ 0x08, 4, 0x03800042 },	/* class and revision */
	{ 0x0c, 1, 0, 0xff },		/* cache line size */
	{ 0x10, 4, 0x8, 0xff000000 },	/* 16 MiB, 32-bit, prefetchable */
	{ 0x18, 4, 0xc, 0 },		/* 8 GiB, 64-bit, prefetchable */
	{ 0x1c, 4, 0, 0xfffffffe },
	{ 0x20, 4, 0, 0xffffc000 },	/* 16 KiB, 32-bit */
	{ 0x2c, 2, 0x9abc }, { 0x2e, 2, 0xdef0 },
	{ 0x34, 1, PM },
	{ 0x3c, 1, 0, 0xff }, { 0x3d, 1, 1 },

	{ PM + 0, 2, EXP << 8 | 0x01 },
	{ PM + 2, 2, 0x0003 },		/* version 1.2, no PME, no D1, no D2 */
	{ PM + 4, 2, 0x0008, 0x0003 },	/* No_Soft_Reset; PowerState */

	{ EXP + 0, 2, MSI << 8 | 0x10 },
	{ EXP + 2, 2, 0x0002 },		/* version 2, endpoint */
	{ EXP + 4, 4, 0x10008000 },	/* FLR, role-based error reporting */
	{ EXP + 8, 2, 0x2810, 0x78ff },	/* Device Control */
	{ EXP + 10, 2, 0, 0, 0x000f },	/* Device Status */
	{ EXP + 12, 4, 0x00400011 },	/* x1, 2.5 GT/s */
	{ EXP + 16, 2, 0, 0x00c8 }, { EXP + 18, 2, 0x0011 },
	{ EXP + 48, 2, 0x0001, 0x000f },

	{ MSI + 0, 2, MSIX << 8 | 0x05 },
	{ MSI + 2, 2, 0x0186, 0x0071 },	/* 64-bit, maskable, 8 vectors; enable, QSIZE */
	{ MSI + 4, 4, 0, 0xfffffffc }, { MSI + 8, 4, 0, 0xffffffff },
	{ MSI + 12, 2, 0, 0xffff },
	{ MSI + 16, 4, 0, 0x000000ff },

	{ MSIX + 0, 2, VNDR << 8 | 0x11 },
	{ MSIX + 2, 2, 0x0004, 0xc000 },
	{ MSIX + 4, 4, 0x1004 }, { MSIX + 8, 4, 0x1804 },

	{ VNDR + 0, 4, 0xa1080009 }, { VNDR + 4, 4, 0xa5a4a3a2 },
};

static const struct mvgpu_pci_ids ids = {
	.vendor = 0x1234, .device = 0x5678, .subsystem_vendor = 0x9abc, .subsystem = 0xdef0,
	.class = 0x038000, .revision = 0x42,
};

static void build(struct mvgpu_config *cfg)
{
	static const u8 vendor[] = { 0xa1, 0xa2, 0xa3, 0xa4, 0xa5 };

	memset(cfg, 0xee, sizeof(*cfg));
	mvgpu_config_init(cfg);
	mvgpu_config_set_ids(cfg, &ids);
	assert_int_equal(mvgpu_config_add_bar(cfg, 0, 16ull << 20, MVGPU_BAR_PREFETCH), 0);
	assert_int_equal(mvgpu_config_add_bar(cfg, 2, 8ull << 30,
					      MVGPU_BAR_PREFETCH | MVGPU_BAR_64BIT), 0);
	assert_int_equal(mvgpu_config_add_bar(cfg, 4, 16 << 10, 0), 0);
	assert_int_equal(mvgpu_config_add_intx(cfg), 0);
	assert_int_equal(mvgpu_config_add_pm(cfg), 0);
	assert_int_equal(mvgpu_config_add_pcie(cfg), 0);
	assert_int_equal(mvgpu_config_add_msi(cfg, 8), 0);
	assert_int_equal(mvgpu_config_add_msix(cfg, 5, 4, 0x1000, 0x1800), 0);
	assert_int_equal(mvgpu_config_add_vendor(cfg, vendor, sizeof(vendor)), 0);
	mvgpu_config_seal(cfg);
}

/* The table by bytes, and a device that behaves as it says */
struct model {
	u8 val[4096], rw[4096], w1c[4096];
};

static void model_init(struct model *m)
{
	unsigned int i, b;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < ARRAY_SIZE(full); i++)
		for (b = 0; b < full[i].size; b++) {
			m->val[full[i].at + b] = full[i].val >> 8 * b;
			m->rw[full[i].at + b] = full[i].rw >> 8 * b;
			m->w1c[full[i].at + b] = full[i].w1c >> 8 * b;
		}
}

static u32 model_read(const struct model *m, unsigned int at, unsigned int size)
{
	u32 val = 0;

	while (size--)
		val = val << 8 | (at + size < 4096 ? m->val[at + size] : 0);
	return val;
}

static bool model_asleep(const struct model *m)
{
	return m->val[PM + 4] & 3;
}

static bool model_decodes(const struct model *m)
{
	return m->val[4] & 2 && !model_asleep(m);
}

/* All that gates interrupts, folded into a number */
static u64 model_gate(const struct model *m)
{
	bool intx_off = model_asleep(m) || m->val[5] & 4;
	bool msg_off = model_asleep(m) || !(m->val[4] & 4);
	bool msix_masked = m->val[MSIX + 3] & 0x40;

	return (u64)model_read(m, MSI + 16, 4) << 3 | intx_off << 2 | msg_off << 1 | msix_masked;
}

static u32 model_write(struct model *m, unsigned int at, unsigned int size, u32 val)
{
	bool decoded = model_decodes(m);
	u64 gate = model_gate(m);
	u32 events = 0;

	for (; size--; at++, val >>= 8) {
		u8 byte = val;

		if (at >= 4096 || (at == PM + 4 && ((byte & 3) == 1 || (byte & 3) == 2)))
			continue;
		if (at == EXP + 9 && byte & 0x80)
			events |= MVGPU_CONFIG_FLR;
		m->val[at] &= ~(byte & m->w1c[at]);
		m->val[at] = (m->val[at] & ~m->rw[at]) | (byte & m->rw[at]);
	}
	if (model_decodes(m) != decoded)
		events |= MVGPU_CONFIG_DECODE;
	if (model_gate(m) != gate)
		events |= MVGPU_CONFIG_IRQ;
	return events;
}

static void set_w1c(struct mvgpu_config *cfg, struct model *m)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		cfg->val[i] |= m->w1c[i];
		m->val[i] |= m->w1c[i];
	}
}

static void check_gate(const struct mvgpu_config *cfg, const struct model *m)
{
	struct mvgpu_config_gate gate;

	mvgpu_config_gate(cfg, &gate);
	assert_int_equal((u64)gate.msi_mask << 3 | gate.intx_off << 2 | gate.msg_off << 1 |
			 gate.msix_masked, model_gate(m));
	assert_int_equal(mvgpu_config_decodes(cfg), model_decodes(m));
}

static void check_same(const struct mvgpu_config *cfg, const struct model *m)
{
	unsigned int at;

	for (at = 0; at < 256; at++)
		if (mvgpu_config_read(cfg, at, 1) != m->val[at])
			fail_msg("byte %#x is %#x, not %#x", at, mvgpu_config_read(cfg, at, 1),
				 m->val[at]);
}

static void power_on(void **state)
{
	struct mvgpu_config cfg;
	struct model m;

	build(&cfg);
	model_init(&m);
	check_same(&cfg, &m);
	check_gate(&cfg, &m);
	assert_int_equal(mvgpu_config_size(&cfg), 4096);
	assert_int_equal(mvgpu_config_read(&cfg, 0x08, 1), 0x42);
	assert_int_equal(mvgpu_config_read(&cfg, 0x09, 1), 0x00);
	assert_int_equal(mvgpu_config_read(&cfg, 0x0a, 2), 0x0380);
}

static void empty_device(void **state)
{
	struct mvgpu_config_gate gate;
	struct mvgpu_config cfg;
	unsigned int at;

	mvgpu_config_init(&cfg);
	mvgpu_config_seal(&cfg);
	assert_int_equal(mvgpu_config_size(&cfg), 256);
	for (at = 0; at < 256; at++) {
		bool rw = at == 4 || at == 5 || at == 0x0c || at == 0x3c;

		assert_int_equal(mvgpu_config_read(&cfg, at, 1), 0);
		mvgpu_config_write(&cfg, at, 1, 0xff);
		assert_int_equal(!!mvgpu_config_read(&cfg, at, 1), rw);
	}
	mvgpu_config_gate(&cfg, &gate);
	assert_true(gate.intx_off && !gate.msg_off && !gate.msix_masked && !gate.msi_mask);
}

/* Every offset, aligned and not, at every width, for patterns that touch every bit */
static void masks(void **state)
{
	static const u32 patterns[] = {
		0xffffffff, 0, 0x55555555, 0xaaaaaaaa, 0x0f0f0f0f, 0xf0f0f0f0, 0x03030303,
	};
	struct mvgpu_config cfg;
	struct model m;
	unsigned int at, size, p;

	for (size = 1; size <= 4; size *= 2)
		for (at = 0; at < 256; at++) {
			build(&cfg);
			model_init(&m);
			for (p = 0; p < ARRAY_SIZE(patterns); p++) {
				set_w1c(&cfg, &m);
				assert_int_equal(mvgpu_config_write(&cfg, at, size, patterns[p]),
						 model_write(&m, at, size, patterns[p]));
				check_same(&cfg, &m);
				check_gate(&cfg, &m);
			}
		}
}

static void extended_space(void **state)
{
	struct mvgpu_config cfg;
	struct model m;
	unsigned int at, size;

	build(&cfg);
	model_init(&m);
	for (size = 1; size <= 4; size *= 2)
		for (at = 256; at < 4096; at += size) {
			assert_int_equal(mvgpu_config_write(&cfg, at, size, 0xffffffff), 0);
			assert_int_equal(mvgpu_config_read(&cfg, at, size), 0);
		}
	check_same(&cfg, &m);
}

/* No sequence of writes reaches a bit that is not the guest's, and all widths agree */
static void random_writes(void **state)
{
	u64 seed = unit_seed("random_writes");
	struct mvgpu_config cfg;
	struct model m, start;
	unsigned int i, at, b;

	build(&cfg);
	model_init(&m);
	start = m;
	for (i = 0; i < 100000; i++) {
		unsigned int size = 1 << unit_below(&seed, 3);
		u32 val = unit_random(&seed) & (unit_below(&seed, 2) ? ~0u : unit_random(&seed));

		at = unit_below(&seed, unit_below(&seed, 4) ? 256 : 4096);
		if (unit_below(&seed, 4))
			at &= ~(size - 1);
		if (!unit_below(&seed, 16))
			set_w1c(&cfg, &m);
		assert_int_equal(mvgpu_config_write(&cfg, at, size, val),
				 model_write(&m, at, size, val));
		check_gate(&cfg, &m);
		for (b = at & ~3u; b < at + 8 && b < 256; b++) {
			u8 mine = ~(start.rw[b] | start.w1c[b]);
			u8 byte = mvgpu_config_read(&cfg, b, 1);

			assert_int_equal(byte & mine, start.val[b] & mine);
		}
		at = unit_below(&seed, 4096);
		assert_int_equal(mvgpu_config_read(&cfg, at, 4), model_read(&m, at, 4));
		assert_int_equal(mvgpu_config_read(&cfg, at, 2), model_read(&m, at, 2));
		assert_int_equal(mvgpu_config_read(&cfg, at, 1), model_read(&m, at, 1));
		if (!(i % 64))
			check_same(&cfg, &m);
	}
	check_same(&cfg, &m);
	mvgpu_config_reset(&cfg);
	check_same(&cfg, &start);
	check_gate(&cfg, &start);
}

/* PCI 3.0, 6.2.5.1: write ones, read the size back, place it */
static void size_bar(unsigned int bar, u64 size, u32 flags)
{
	unsigned int reg = 0x10 + 4 * bar, i;
	bool wide = flags & MVGPU_BAR_64BIT;
	u32 type = (wide ? 4 : 0) | (flags & MVGPU_BAR_PREFETCH ? 8 : 0);
	u64 mask = wide ? ~0ull : ~0u, where = 0xfedcba9876543210 & mask & ~(size - 1), got;
	struct mvgpu_config cfg;

	mvgpu_config_init(&cfg);
	assert_int_equal(mvgpu_config_add_bar(&cfg, bar, size, flags), 0);
	mvgpu_config_seal(&cfg);
	assert_int_equal(cfg.bar_size[bar], size);
	for (i = 0; i < 6; i++)
		assert_int_equal(mvgpu_config_read(&cfg, 0x10 + 4 * i, 4), i == bar ? type : 0);

	for (i = 0; i < 6; i++)
		mvgpu_config_write(&cfg, 0x10 + 4 * i, 4, 0xffffffff);
	got = mvgpu_config_read(&cfg, reg, 4);
	assert_int_equal(got & 15, type);
	if (wide)
		got |= (u64)mvgpu_config_read(&cfg, reg + 4, 4) << 32;
	assert_int_equal((~(got & ~15ull) & mask) + 1, size);
	for (i = 0; i < 6; i++)
		if (i != bar && !(wide && i == bar + 1))
			assert_int_equal(mvgpu_config_read(&cfg, 0x10 + 4 * i, 4), 0);

	mvgpu_config_write(&cfg, reg, 4, where | 0xf);
	if (wide)
		mvgpu_config_write(&cfg, reg + 4, 4, where >> 32);
	assert_int_equal(mvgpu_config_read(&cfg, reg, 4), (u32)where | type);
	if (wide)
		assert_int_equal(mvgpu_config_read(&cfg, reg + 4, 4), where >> 32);
}

static void bar_sizes(void **state)
{
	unsigned int bar, shift, prefetch;

	for (prefetch = 0; prefetch <= MVGPU_BAR_PREFETCH; prefetch += MVGPU_BAR_PREFETCH) {
		for (bar = 0; bar < 6; bar++)
			for (shift = 12; shift <= 31; shift++)
				size_bar(bar, 1ull << shift, prefetch);
		for (bar = 0; bar < 5; bar++)
			for (shift = 12; shift <= 63; shift++)
				size_bar(bar, 1ull << shift, prefetch | MVGPU_BAR_64BIT);
	}
}

static void bar_errors(void **state)
{
	static const struct {
		unsigned int bar;
		u64 size;
		u32 flags;
	} invalid[] = {
		{ 0, 0, 0 }, { 0, 1, 0 }, { 0, 16, 0 }, { 0, 2048, 0 }, { 0, 4097, 0 },
		{ 0, 3 << 12, 0 }, { 0, 4ull << 30, 0 }, { 0, 1ull << 63, 0 }, { 6, 4096, 0 },
		{ 6, 4096, MVGPU_BAR_64BIT }, { 5, 4096, MVGPU_BAR_64BIT }, { ~0u, 4096, 0 },
		{ ~0u, 4096, MVGPU_BAR_64BIT }, { 0, 3ull << 32, MVGPU_BAR_64BIT },
	};
	struct mvgpu_config cfg, before;
	unsigned int i;

	mvgpu_config_init(&cfg);
	before = cfg;
	for (i = 0; i < ARRAY_SIZE(invalid); i++) {
		assert_int_equal(mvgpu_config_add_bar(&cfg, invalid[i].bar, invalid[i].size,
						      invalid[i].flags), -EINVAL);
		assert_memory_equal(&cfg, &before, sizeof(cfg));
	}
}

/* With BAR 2 declared as the first says, does the second clash? */
static void overlap(u64 size, u32 flags, unsigned int bar, u64 second_size, u32 second_flags)
{
	bool clash = bar == 2 || (bar == 1 && second_flags) || (bar == 3 && flags);
	struct mvgpu_config cfg, before;

	mvgpu_config_init(&cfg);
	assert_int_equal(mvgpu_config_add_bar(&cfg, 2, size, flags), 0);
	before = cfg;
	assert_int_equal(mvgpu_config_add_bar(&cfg, bar, second_size, second_flags),
			 clash ? -EBUSY : 0);
	if (clash)
		assert_memory_equal(&cfg, &before, sizeof(cfg));
}

/* A register that a BAR has taken can't be taken again, whatever the sizes */
static void bar_overlaps(void **state)
{
	static const struct {
		u64 size;
		u32 flags;
	} kinds[] = {
		{ 4096, 0 }, { 1ull << 31, 0 }, { 4096, MVGPU_BAR_64BIT },
		{ 1ull << 31, MVGPU_BAR_64BIT }, { 1ull << 32, MVGPU_BAR_64BIT },
		{ 1ull << 40, MVGPU_BAR_64BIT }, { 1ull << 63, MVGPU_BAR_64BIT },
	};
	unsigned int i, j, bar;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (j = 0; j < ARRAY_SIZE(kinds); j++)
			for (bar = 1; bar <= 3; bar++)
				overlap(kinds[i].size, kinds[i].flags, bar,
					kinds[j].size, kinds[j].flags);
}

/* Every capability is aligned, none overlaps the next, the last links to nothing */
static unsigned int walk(const struct mvgpu_config *cfg, const u8 *expect, unsigned int n)
{
	unsigned int pos = mvgpu_config_read(cfg, 0x34, 1), i = 0, last = 0;

	while (pos) {
		assert_true(pos >= 0x40 && pos > last && !(pos & 3));
		assert_true(i < n);
		assert_int_equal(mvgpu_config_read(cfg, pos, 1), expect[i++]);
		last = pos;
		pos = mvgpu_config_read(cfg, pos + 1, 1);
	}
	assert_int_equal(i, n);
	assert_int_equal(!!(mvgpu_config_read(cfg, 6, 2) & 0x10), n > 0);
	return last;
}

static void capability_list(void **state)
{
	static const u8 all[] = { 0x01, 0x10, 0x05, 0x11, 0x09 };
	static const u8 data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct mvgpu_config cfg;
	unsigned int len, pos;
	u8 vendors[2] = { 9, 9 };

	mvgpu_config_init(&cfg);
	walk(&cfg, NULL, 0);
	build(&cfg);
	walk(&cfg, all, sizeof(all));

	for (len = 0; len <= 8; len++) {
		mvgpu_config_init(&cfg);
		assert_int_equal(mvgpu_config_add_vendor(&cfg, data, len), 0);
		assert_int_equal(mvgpu_config_add_vendor(&cfg, data, len), 0);
		pos = walk(&cfg, vendors, 2);
		assert_int_equal(pos, 0x40 + ((len + 3 + 3) & ~3u));
		assert_int_equal(mvgpu_config_read(&cfg, pos + 2, 1), len + 3);
		assert_memory_equal(&cfg.val[pos + 3], data, len);
	}
}

/* A vendor-specific capability that the guest may write to, in part */
static void active_capability(void **state)
{
	static const u8 data[] = { 1, 0x22, 0x33, 0x44, 0x55 };
	static const u8 writable[] = { 0, 0xff, 0, 0, 0x0f };
	struct mvgpu_config cfg;
	int pos;

	mvgpu_config_init(&cfg);
	pos = mvgpu_config_add_active(&cfg, data, writable, sizeof(data));
	assert_int_equal(pos, 0x40);
	mvgpu_config_seal(&cfg);
	mvgpu_config_write(&cfg, pos, 4, ~0u);
	mvgpu_config_write(&cfg, pos + 4, 4, ~0u);
	assert_int_equal(mvgpu_config_read(&cfg, pos, 4), 0x01080009);
	assert_int_equal(mvgpu_config_read(&cfg, pos + 4, 4), 0x5f4433ff);
	mvgpu_config_reset(&cfg);
	assert_int_equal(mvgpu_config_read(&cfg, pos + 4, 4), 0x55443322);
	assert_int_equal(mvgpu_config_add_active(&cfg, data, writable, 190), -ENOSPC);
}

static void capability_errors(void **state)
{
	struct mvgpu_config cfg, before;

	build(&cfg);
	before = cfg;
	assert_int_equal(mvgpu_config_add_intx(&cfg), -EBUSY);
	assert_int_equal(mvgpu_config_add_pm(&cfg), -EBUSY);
	assert_int_equal(mvgpu_config_add_pcie(&cfg), -EBUSY);
	assert_int_equal(mvgpu_config_add_msi(&cfg, 1), -EBUSY);
	assert_int_equal(mvgpu_config_add_msix(&cfg, 1, 0, 0, 2048), -EBUSY);
	assert_memory_equal(&cfg, &before, sizeof(cfg));

	mvgpu_config_init(&cfg);
	before = cfg;
	assert_int_equal(mvgpu_config_add_msi(&cfg, 0), -EINVAL);
	assert_int_equal(mvgpu_config_add_msi(&cfg, 3), -EINVAL);
	assert_int_equal(mvgpu_config_add_msi(&cfg, 64), -EINVAL);
	assert_int_equal(mvgpu_config_add_msix(&cfg, 0, 0, 0, 2048), -EINVAL);
	assert_int_equal(mvgpu_config_add_msix(&cfg, 2049, 0, 0, 65536), -EINVAL);
	assert_int_equal(mvgpu_config_add_msix(&cfg, 1, 6, 0, 2048), -EINVAL);
	assert_int_equal(mvgpu_config_add_msix(&cfg, 1, 0, 4, 2048), -EINVAL);
	assert_int_equal(mvgpu_config_add_msix(&cfg, 1, 0, 0, 2049), -EINVAL);
	assert_memory_equal(&cfg, &before, sizeof(cfg));
}

static int add_pm(struct mvgpu_config *cfg) { return mvgpu_config_add_pm(cfg); }
static int add_pcie(struct mvgpu_config *cfg) { return mvgpu_config_add_pcie(cfg); }
static int add_msi(struct mvgpu_config *cfg) { return mvgpu_config_add_msi(cfg, 32); }
static int add_msix(struct mvgpu_config *cfg)
{
	return mvgpu_config_add_msix(cfg, 1, 0, 0, 8);
}

/* A capability that just fits is taken; one byte less and the list stays as it was */
static void capability_space(void **state)
{
	static const struct {
		int (*add)(struct mvgpu_config *cfg);
		u8 id, size;
	} caps[] = {
		{ add_pm, 0x01, 8 }, { add_pcie, 0x10, 60 }, { add_msi, 0x05, 24 },
		{ add_msix, 0x11, 12 },
	};
	static const u8 fill[256];
	struct mvgpu_config cfg, before;
	unsigned int i, len;
	u8 ids[2] = { 9 };

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		len = 192 - caps[i].size - 3;
		ids[1] = caps[i].id;
		mvgpu_config_init(&cfg);
		assert_int_equal(mvgpu_config_add_vendor(&cfg, fill, len), 0);
		assert_int_equal(caps[i].add(&cfg), 0);
		walk(&cfg, ids, 2);
		before = cfg;
		assert_int_equal(mvgpu_config_add_vendor(&cfg, fill, 0), -ENOSPC);
		assert_memory_equal(&cfg, &before, sizeof(cfg));

		mvgpu_config_init(&cfg);
		assert_int_equal(mvgpu_config_add_vendor(&cfg, fill, len + 1), 0);
		before = cfg;
		assert_int_equal(caps[i].add(&cfg), -ENOSPC);
		assert_memory_equal(&cfg, &before, sizeof(cfg));
		walk(&cfg, ids, 1);
	}
	mvgpu_config_init(&cfg);
	before = cfg;
	for (len = 190; len < 256; len++)
		assert_int_equal(mvgpu_config_add_vendor(&cfg, fill, len), -ENOSPC);
	assert_memory_equal(&cfg, &before, sizeof(cfg));
	assert_int_equal(mvgpu_config_add_vendor(&cfg, fill, 189), 0);
	assert_int_equal(mvgpu_config_read(&cfg, 0x42, 1), 192);
	walk(&cfg, ids, 1);
}

/* D0 and D3hot exist; a write of D1 or D2 completes and is forgotten */
static void power_states(void **state)
{
	static const u8 reaches[4][4] = {	/* [from][written] */
		{ 0, 0, 0, 3 }, { 0 }, { 0 }, { 0, 3, 3, 3 },
	};
	struct mvgpu_config cfg;
	unsigned int from, to, size;

	for (from = 0; from < 4; from += 3)
		for (to = 0; to < 4; to++)
			for (size = 1; size <= 4; size *= 2) {
				u32 events = from != reaches[from][to] ?
					     MVGPU_CONFIG_DECODE | MVGPU_CONFIG_IRQ : 0;

				build(&cfg);
				mvgpu_config_write(&cfg, 4, 2, 0x6);
				mvgpu_config_write(&cfg, PM + 4, 2, from);
				assert_int_equal(mvgpu_config_decodes(&cfg), !from);
				assert_int_equal(mvgpu_config_write(&cfg, PM + 4, size, to),
						 events);
				assert_int_equal(mvgpu_config_read(&cfg, PM + 4, 2),
						 0x8 | reaches[from][to]);
				assert_int_equal(mvgpu_config_decodes(&cfg), !reaches[from][to]);
			}
}

static void decode_and_gates(void **state)
{
	const u32 both = MVGPU_CONFIG_DECODE | MVGPU_CONFIG_IRQ;
	struct mvgpu_config_gate g;
	struct mvgpu_config cfg;

	build(&cfg);
	assert_false(mvgpu_config_decodes(&cfg));
	assert_int_equal(mvgpu_config_write(&cfg, 4, 2, 0x2), MVGPU_CONFIG_DECODE);
	assert_true(mvgpu_config_decodes(&cfg));
	assert_int_equal(mvgpu_config_write(&cfg, 4, 2, 0x2), 0);
	assert_int_equal(mvgpu_config_write(&cfg, 4, 1, 0x6), MVGPU_CONFIG_IRQ);
	assert_int_equal(mvgpu_config_write(&cfg, 5, 1, 0x4), MVGPU_CONFIG_IRQ);
	mvgpu_config_gate(&cfg, &g);
	assert_true(g.intx_off && !g.msg_off && !g.msix_masked && !g.msi_mask);
	assert_int_equal(mvgpu_config_write(&cfg, 4, 2, 0x6), MVGPU_CONFIG_IRQ);
	mvgpu_config_gate(&cfg, &g);
	assert_false(g.intx_off);

	assert_int_equal(mvgpu_config_write(&cfg, PM + 4, 2, 3), both);
	mvgpu_config_gate(&cfg, &g);
	assert_true(g.intx_off && g.msg_off);
	assert_int_equal(mvgpu_config_write(&cfg, 4, 2, 0), 0);
	assert_int_equal(mvgpu_config_write(&cfg, PM + 4, 2, 0), MVGPU_CONFIG_IRQ);
	mvgpu_config_gate(&cfg, &g);
	assert_true(!g.intx_off && g.msg_off);

	assert_int_equal(mvgpu_config_write(&cfg, MSIX + 2, 2, 0x8000), 0);
	assert_int_equal(mvgpu_config_write(&cfg, MSIX + 3, 1, 0xc0), MVGPU_CONFIG_IRQ);
	mvgpu_config_gate(&cfg, &g);
	assert_true(g.msix_masked);
	assert_int_equal(mvgpu_config_write(&cfg, MSIX, 4, 0x80000000), MVGPU_CONFIG_IRQ);

	assert_int_equal(mvgpu_config_write(&cfg, MSI + 2, 2, 1), 0);
	assert_int_equal(mvgpu_config_write(&cfg, MSI + 16, 4, 0xffffffff), MVGPU_CONFIG_IRQ);
	mvgpu_config_gate(&cfg, &g);
	assert_int_equal(g.msi_mask, 0xff);
	assert_int_equal(mvgpu_config_write(&cfg, MSI + 17, 1, 0xff), 0);
	assert_int_equal(mvgpu_config_write(&cfg, MSI + 16, 1, 0x7f), MVGPU_CONFIG_IRQ);

	/* One write, both consequences */
	assert_int_equal(mvgpu_config_write(&cfg, 4, 2, 0x406), both);
}

static void function_level_reset(void **state)
{
	struct mvgpu_config cfg;
	u32 before;

	build(&cfg);
	before = mvgpu_config_read(&cfg, EXP + 8, 4);
	assert_int_equal(mvgpu_config_write(&cfg, EXP + 9, 1, 0x80 | before >> 8),
			 MVGPU_CONFIG_FLR);
	assert_int_equal(mvgpu_config_write(&cfg, EXP + 8, 2, 0x8000 | before),
			 MVGPU_CONFIG_FLR);
	assert_int_equal(mvgpu_config_write(&cfg, EXP + 8, 4, 0x8000 | before),
			 MVGPU_CONFIG_FLR);
	assert_int_equal(mvgpu_config_read(&cfg, EXP + 8, 4), before);
	assert_int_equal(mvgpu_config_write(&cfg, EXP + 8, 4, 0xffff7fff), 0);
	assert_int_equal(mvgpu_config_write(&cfg, EXP + 8, 1, 0x80), 0);
	assert_int_equal(mvgpu_config_write(&cfg, EXP + 10, 2, 0x8000), 0);

	/* Without the capability the same bytes mean nothing */
	mvgpu_config_init(&cfg);
	assert_int_equal(mvgpu_config_write(&cfg, EXP + 8, 4, 0xffffffff), 0);
	assert_int_equal(mvgpu_config_write(&cfg, 8, 4, 0xffffffff), 0);
}

static void message_controls(void **state)
{
	struct mvgpu_config cfg;
	unsigned int shift;

	for (shift = 0; shift <= 5; shift++) {
		mvgpu_config_init(&cfg);
		assert_int_equal(mvgpu_config_add_msi(&cfg, 1 << shift), 0);
		assert_int_equal(mvgpu_config_read(&cfg, 0x42, 2), 0x0180 | shift << 1);
		mvgpu_config_write(&cfg, 0x42, 2, 0xffff);
		assert_int_equal(mvgpu_config_read(&cfg, 0x42, 2), 0x01f1 | shift << 1);
		mvgpu_config_write(&cfg, 0x50, 4, 0xffffffff);
		assert_int_equal(mvgpu_config_read(&cfg, 0x50, 4), (1ull << (1 << shift)) - 1);
		mvgpu_config_write(&cfg, 0x54, 4, 0xffffffff);
		assert_int_equal(mvgpu_config_read(&cfg, 0x54, 4), 0);
	}
	mvgpu_config_init(&cfg);
	assert_int_equal(mvgpu_config_add_msix(&cfg, 2048, 5, 0x8000, 0xfffffff8), 0);
	assert_int_equal(mvgpu_config_read(&cfg, 0x42, 2), 2047);
	assert_int_equal(mvgpu_config_read(&cfg, 0x44, 4), 0x8005);
	assert_int_equal(mvgpu_config_read(&cfg, 0x48, 4), 0xfffffffd);
	mvgpu_config_write(&cfg, 0x40, 4, 0xffffffff);
	assert_int_equal(mvgpu_config_read(&cfg, 0x42, 2), 2047 | 0xc000);
}

static void pending_bits(void **state)
{
	struct mvgpu_config cfg, before;

	build(&cfg);
	before = cfg;
	mvgpu_config_set_pending(&cfg, true, 0xa5);
	assert_int_equal(mvgpu_config_read(&cfg, 6, 2), 0x0018);
	assert_int_equal(mvgpu_config_read(&cfg, MSI + 20, 4), 0xa5);
	mvgpu_config_write(&cfg, 6, 2, 0xffff);
	mvgpu_config_write(&cfg, MSI + 20, 4, 0);
	assert_int_equal(mvgpu_config_read(&cfg, 6, 2), 0x0018);
	assert_int_equal(mvgpu_config_read(&cfg, MSI + 20, 4), 0xa5);
	mvgpu_config_set_pending(&cfg, false, 0);
	assert_memory_equal(&cfg, &before, sizeof(cfg));

	mvgpu_config_set_pending(&cfg, true, 1);
	mvgpu_config_reset(&cfg);
	assert_memory_equal(&cfg, &before, sizeof(cfg));

	/* No MSI capability: the bits have nowhere to go */
	mvgpu_config_init(&cfg);
	before = cfg;
	mvgpu_config_set_pending(&cfg, false, 0xffffffff);
	assert_memory_equal(&cfg, &before, sizeof(cfg));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_on),
		cmocka_unit_test(empty_device),
		cmocka_unit_test(masks),
		cmocka_unit_test(extended_space),
		cmocka_unit_test(random_writes),
		cmocka_unit_test(bar_sizes),
		cmocka_unit_test(bar_errors),
		cmocka_unit_test(bar_overlaps),
		cmocka_unit_test(capability_list),
		cmocka_unit_test(active_capability),
		cmocka_unit_test(capability_errors),
		cmocka_unit_test(capability_space),
		cmocka_unit_test(power_states),
		cmocka_unit_test(decode_and_gates),
		cmocka_unit_test(function_level_reset),
		cmocka_unit_test(message_controls),
		cmocka_unit_test(pending_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
