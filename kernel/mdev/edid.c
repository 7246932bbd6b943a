// SPDX-License-Identifier: GPL-2.0-only
/*
 * edid.c - struct mvgpu_monitor: a physical monitor's EDID; and that of a virtual one
 *
 * VESA E-EDID 1.4. A virtual monitor's is one block of 128 bytes. Its preferred mode has the
 * reduced blanking of VESA CVT 1.2 at 60 Hz; the established modes that are no larger come
 * along.
 * Portable.
 */
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include "compat.h"
#include "mvgpu.h"

#define EDID_DTD		54	/* first of four descriptors of 18 bytes */
#define EDID_NAME		72
#define EDID_TEXT		90
#define EDID_DUMMY		108
#define RB_HBLANK		160	/* pixels, CVT 1.2, 3.3 */
#define RB_HFRONT		48
#define RB_HSYNC		32
#define RB_VFRONT		3	/* lines */
#define RB_VSYNC		6
#define RB_MIN_VBLANK_US	460
#define REFRESH			60
#define PNP_ID(a, b, c)		(((a) - '@') << 10 | ((b) - '@') << 5 | ((c) - '@'))
#define DPI			96

static const u8 header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };

static const struct {
	u16 width, height;
	u8 byte, bit;
} established[] = {
	{ 640, 480, 35, 5 },
	{ 800, 600, 35, 0 },
	{ 1024, 768, 36, 3 },
};

static u16 millimetres(u16 pixels)
{
	return pixels * 254u / 10 / DPI;
}

/* Detailed timing descriptor, E-EDID 1.4, 3.10.2 */
static void put_timing(u8 *d, u16 width, u16 height)
{
	u32 vblank = DIV_ROUND_UP(height * RB_MIN_VBLANK_US, 1000000 / REFRESH - RB_MIN_VBLANK_US);
	u32 htotal = width + RB_HBLANK;
	u16 mm_w = millimetres(width), mm_h = millimetres(height);

	vblank = max_t(u32, vblank, RB_VFRONT + RB_VSYNC + 6);
	/* The field ends at 655.35 MHz: a mode that needs more refreshes slower */
	put_unaligned_le16(min_t(u32, htotal * (height + vblank) * REFRESH / 10000, U16_MAX), d);
	d[2] = width;
	d[3] = RB_HBLANK;
	d[4] = (width >> 8) << 4 | RB_HBLANK >> 8;
	d[5] = height;
	d[6] = vblank;
	d[7] = (height >> 8) << 4 | vblank >> 8;
	d[8] = RB_HFRONT;
	d[9] = RB_HSYNC;
	d[10] = RB_VFRONT << 4 | RB_VSYNC;
	d[12] = mm_w;
	d[13] = mm_h;
	d[14] = (mm_w >> 8) << 4 | mm_h >> 8;
	d[17] = 0x1a;	/* digital separate sync, horizontal positive */
}

/* Display descriptor, E-EDID 1.4, 3.10.3 */
static void put_text(u8 *d, u8 tag, const char *text)
{
	size_t len = strlen(text);

	d[3] = tag;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, text, len);
	d[5 + len] = '\n';
}

/**
 * mvgpu_edid() - describe a virtual monitor
 * @edid: the block to fill in
 * @width: preferred width in pixels, 64 to 4095
 * @height: preferred height in pixels, 64 to 4095
 * @serial: serial number, to tell monitors apart
 *
 * Context: any.
 */
void mvgpu_edid(u8 edid[MVGPU_EDID_SIZE], u16 width, u16 height, u32 serial)
{
	/* sRGB primaries, E-EDID 1.4, 3.7 */
	static const u8 chroma[10] = {
		0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54
	};
	u8 sum = 0;
	int i;

	memset(edid, 0, MVGPU_EDID_SIZE);
	memcpy(edid, header, sizeof(header));
	put_unaligned_be16(PNP_ID('M', 'V', 'G'), edid + 8);
	put_unaligned_le16(1, edid + 10);
	put_unaligned_le32(serial, edid + 12);
	edid[16] = 1;		/* week and year of manufacture */
	edid[17] = 2026 - 1990;
	edid[18] = 1;		/* EDID 1.4 */
	edid[19] = 4;
	edid[20] = 0xa5;	/* digital, 8 bits per colour, DisplayPort */
	edid[21] = millimetres(width) / 10;
	edid[22] = millimetres(height) / 10;
	edid[23] = 120;		/* gamma 2.2 */
	edid[24] = 0x06;	/* sRGB, the preferred mode is native */
	memcpy(edid + 25, chroma, sizeof(chroma));
	for (i = 0; i < ARRAY_SIZE(established); i++)
		if (established[i].width <= width && established[i].height <= height)
			edid[established[i].byte] |= BIT(established[i].bit);
	memset(edid + 38, 1, 16);	/* no standard timings */

	put_timing(edid + EDID_DTD, width, height);
	put_text(edid + EDID_NAME, 0xfc, "mvgpu");
	put_text(edid + EDID_TEXT, 0xfe, "virtual");
	edid[EDID_DUMMY + 3] = 0x10;

	for (i = 0; i < MVGPU_EDID_SIZE - 1; i++)
		sum += edid[i];
	edid[MVGPU_EDID_SIZE - 1] = -sum;
}
EXPORT_SYMBOL_GPL(mvgpu_edid);

/* Whether it is one at all: what its blocks say is for the guest to judge */
static bool is_edid(const u8 *edid, u32 size)
{
	return size <= MVGPU_EDID_ROOM && size % MVGPU_EDID_SIZE == 0 &&
	       !memcmp(edid, header, sizeof(header));
}

/**
 * mvgpu_monitor_set() - remember what a physical monitor says of itself
 * @monitor: the monitor, at first all zero
 * @edid: its EDID as the hardware has it, MVGPU_EDID_ROOM bytes that can be read
 * @size: bytes of that as the hardware has it, 0 if there is none
 *
 * The hardware is not trusted: what is not whole blocks, is longer than MVGPU_EDID_ROOM or
 * does not begin as an EDID does counts as none.
 *
 * Context: any. The caller serialises this and mvgpu_monitor_edid().
 * Return: whether that is another EDID than before.
 */
bool mvgpu_monitor_set(struct mvgpu_monitor *monitor, const u8 edid[MVGPU_EDID_ROOM], u32 size)
{
	if (!is_edid(edid, size))
		size = 0;
	if (monitor->size == size && !memcmp(monitor->edid, edid, size))
		return false;
	monitor->size = size;
	memcpy(monitor->edid, edid, size);
	return true;
}
EXPORT_SYMBOL_GPL(mvgpu_monitor_set);

/**
 * mvgpu_monitor_edid() - the EDID of a vGPU's head
 * @monitor: the monitor that shows the head, or NULL
 * @edid: what to fill in, from its beginning
 * @width: preferred width in pixels without a monitor's EDID, as mvgpu_edid() has it
 * @height: preferred height
 * @serial: serial number
 *
 * The physical monitor's EDID as it is, or what mvgpu_edid() makes where there is none.
 *
 * Context: any. The caller serialises this and mvgpu_monitor_set().
 * Return: its size in bytes.
 */
u32 mvgpu_monitor_edid(const struct mvgpu_monitor *monitor, u8 edid[MVGPU_EDID_ROOM],
		       u16 width, u16 height, u32 serial)
{
	if (monitor && monitor->size) {
		memcpy(edid, monitor->edid, monitor->size);
		return monitor->size;
	}
	mvgpu_edid(edid, width, height, serial);
	return MVGPU_EDID_SIZE;
}
EXPORT_SYMBOL_GPL(mvgpu_monitor_edid);
