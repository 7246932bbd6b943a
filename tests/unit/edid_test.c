// SPDX-License-Identifier: MIT
/*
 * edid_test.c - kernel/mdev/edid.c, decoded as a monitor's EDID is, and physical monitors'
 *
 * VESA E-EDID 1.4 names the offsets. edid-decode, where it is installed, has the last
 * word on the modes that people use.
 */
#include <math.h>
#include <string.h>
#include "mvgpu.h"
#include "unit.h"

static const u16 sizes[][2] = {
	{ 64, 64 }, { 640, 480 }, { 800, 600 }, { 1024, 768 }, { 1280, 800 }, { 1920, 1080 },
	{ 2560, 1440 }, { 3840, 2160 }, { 4095, 64 }, { 64, 4095 }, { 4095, 2160 },
	{ 4095, 4095 },
};

/* A detailed timing descriptor, 3.10.2 */
struct timing {
	u32 clock;		/* 10 kHz */
	u32 width, hblank, hfront, hsync;
	u32 height, vblank, vfront, vsync;
	u32 mm_width, mm_height;
	double refresh;
};

static struct timing decode(const u8 *d)
{
	struct timing t = {
		.clock = d[0] | d[1] << 8,
		.width = d[2] | (d[4] & 0xf0) << 4,
		.hblank = d[3] | (d[4] & 0x0f) << 8,
		.height = d[5] | (d[7] & 0xf0) << 4,
		.vblank = d[6] | (d[7] & 0x0f) << 8,
		.hfront = d[8] | (d[11] & 0xc0) << 2,
		.hsync = d[9] | (d[11] & 0x30) << 4,
		.vfront = d[10] >> 4 | (d[11] & 0x0c) << 2,
		.vsync = (d[10] & 0x0f) | (d[11] & 0x03) << 4,
		.mm_width = d[12] | (d[14] & 0xf0) << 4,
		.mm_height = d[13] | (d[14] & 0x0f) << 8,
	};

	t.refresh = t.clock * 1e4 / ((t.width + t.hblank) * (t.height + t.vblank));
	return t;
}

static void make(u8 *edid, u16 width, u16 height)
{
	memset(edid, 0xee, MVGPU_EDID_SIZE);
	mvgpu_edid(edid, width, height, 0x12345678);
}

static void check_timing(const u8 *edid, u16 width, u16 height)
{
	struct timing t = decode(edid + 54);
	double total = (t.width + t.hblank) * (t.height + t.vblank);
	double step = 1e4 / total;	/* what one unit of the clock changes */

	assert_int_equal(t.width, width);
	assert_int_equal(t.height, height);
	assert_true(t.hfront && t.hsync && t.hfront + t.hsync < t.hblank);
	assert_true(t.vfront && t.vsync && t.vfront + t.vsync < t.vblank);

	/* 60 Hz, or as near as the 16 bits of the pixel clock come */
	if (total * 60 / 1e4 > 65535)
		assert_int_equal(t.clock, 65535);
	else if (fabs(t.refresh - 60) > fmax(0.5, step))
		fail_msg("%ux%u at %.2f Hz", width, height, t.refresh);

	/* Reduced blanking, CVT 1.2, 3.3: at least 460 us of it */
	assert_int_equal(t.hblank, 160);
	assert_true(t.vblank / (t.refresh * (t.height + t.vblank)) >= 0.000459);

	/* Square pixels of 96 dpi; the size in cm agrees with the one in mm */
	assert_true(fabs(t.mm_width - width * 25.4 / 96) <= 1);
	assert_true(fabs(t.mm_height - height * 25.4 / 96) <= 1);
	assert_true(abs((int)t.mm_width - 10 * edid[21]) <= 10);
	assert_true(abs((int)t.mm_height - 10 * edid[22]) <= 10);
	assert_true(edid[21] && edid[22]);
	assert_int_equal(edid[54 + 17] & 0x98, 0x18);	/* progressive, digital separate sync */
}

/* Everything in the block that does not depend on the mode, and the checksum */
static void check_block(const u8 *edid, u16 width, u16 height)
{
	static const u8 zero[3];
	static const u8 header[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	static const u8 serial[] = { 0x78, 0x56, 0x34, 0x12 };
	unsigned int i, ends, tag;
	u8 sum = 0;

	for (i = 0; i < 128; i++)
		sum += edid[i];
	assert_int_equal(sum, 0);
	assert_memory_equal(edid, header, sizeof(header));
	assert_memory_equal(edid + 8, ((u8[]){ 0x36, 0xc7 }), 2);	/* MVG */
	assert_memory_equal(edid + 12, serial, 4);
	assert_memory_equal(edid + 18, ((u8[]){ 1, 4 }), 2);
	assert_int_equal(edid[20] & 0x80, 0x80);
	assert_int_equal(edid[23], 120);
	assert_int_equal(edid[24] & 0x02, 0x02);	/* the first timing is native */
	assert_int_equal(edid[126], 0);			/* no extension blocks */
	for (i = 38; i < 54; i++)
		assert_int_equal(edid[i], 1);

	/* 640x480, 800x600 and 1024x768 at 60 Hz, none larger than the mode */
	assert_int_equal(edid[35], (width >= 640 && height >= 480 ? 0x20 : 0) |
				   (width >= 800 && height >= 600 ? 0x01 : 0));
	assert_int_equal(edid[36], width >= 1024 && height >= 768 ? 0x08 : 0);
	assert_int_equal(edid[37], 0);

	/* Three display descriptors; texts end in a newline and spaces, 3.10.3 */
	for (i = 72; i < 126; i += 18) {
		assert_memory_equal(edid + i, zero, sizeof(zero));
		assert_int_equal(edid[i + 4], 0);
		tag = edid[i + 3];
		assert_true(tag == 0xfc || tag == 0xfe || tag == 0xff || tag == 0x10);
		if (tag == 0x10)
			continue;
		for (ends = i + 5; edid[ends] != '\n'; ends++)
			assert_true(edid[ends] >= ' ' && edid[ends] < 0x7f && ends < i + 17);
		while (++ends < i + 18)
			assert_int_equal(edid[ends], ' ');
	}
	assert_int_equal(edid[75], 0xfc);	/* the product's name is among them */
}

static void named_sizes(void **state)
{
	u8 edid[MVGPU_EDID_SIZE];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		make(edid, sizes[i][0], sizes[i][1]);
		check_block(edid, sizes[i][0], sizes[i][1]);
		check_timing(edid, sizes[i][0], sizes[i][1]);
	}
}

static void all_sizes(void **state)
{
	u8 edid[MVGPU_EDID_SIZE];
	unsigned int width, height;

	for (width = 64; width <= 4095; width += 31)
		for (height = 64; height <= 4095; height += 29) {
			make(edid, width, height);
			check_block(edid, width, height);
			check_timing(edid, width, height);
		}
}

/*
 * CVT 1.2's totals for reduced blanking. Its clock goes in steps of 0.25 MHz; ours does
 * not, and so comes nearer to 60 Hz.
 */
static void known_timings(void **state)
{
	static const struct {
		u16 width, height;
		u32 htotal, vtotal;
		double mhz;
	} cvt[] = {
		{ 1920, 1080, 2080, 1111, 138.65 }, { 1920, 1200, 2080, 1235, 154.13 },
		{ 2560, 1600, 2720, 1646, 268.63 }, { 1280, 800, 1440, 823, 71.11 },
	};
	u8 edid[MVGPU_EDID_SIZE];
	struct timing t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cvt); i++) {
		make(edid, cvt[i].width, cvt[i].height);
		t = decode(edid + 54);
		assert_int_equal(t.width + t.hblank, cvt[i].htotal);
		assert_int_equal(t.height + t.vblank, cvt[i].vtotal);
		assert_true(fabs(t.clock / 100.0 - cvt[i].mhz) <= 0.02);
	}
}

static void serials(void **state)
{
	u8 a[MVGPU_EDID_SIZE], b[MVGPU_EDID_SIZE];

	mvgpu_edid(a, 1920, 1080, 1);
	mvgpu_edid(b, 1920, 1080, 2);
	assert_int_equal(a[12], 1);
	assert_int_equal(b[12], 2);
	a[12] = 2;
	a[127] -= 1;
	assert_memory_equal(a, b, sizeof(a));
}

/* edid-decode's exit status; what it has to say, where it complains */
static int conforms(const u8 *edid)
{
	static const char command[] =
		"said=$(edid-decode --check - 2>&1) && exit;"
		"printf '%s\\n' \"$said\" | sed 's/^/# /'; exit 1";
	FILE *pipe = popen(command, "w");

	assert_non_null(pipe);
	assert_int_equal(fwrite(edid, MVGPU_EDID_SIZE, 1, pipe), 1);
	return pclose(pipe);
}

static void edid_decode(void **state)
{
	u8 edid[MVGPU_EDID_SIZE];
	unsigned int i;

	if (system("command -v edid-decode >/dev/null")) {
		print_message("# edid-decode is not installed\n");
		skip();
	}
	fflush(stdout);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		make(edid, sizes[i][0], sizes[i][1]);
		/* It takes a clock below 10 MHz for garbage, which 3.10.2 allows */
		if (decode(edid + 54).clock >= 1000)
			assert_int_equal(conforms(edid), 0);
	}
	print_message("# the complaint that follows is asked for\n");
	fflush(stdout);
	edid[0] ^= 1;
	assert_int_not_equal(conforms(edid), 0);
}

/* What a guest gets of a monitor: @size bytes of @right, or ours without */
static void check_monitor(const struct mvgpu_monitor *monitor, const u8 *right, u32 size)
{
	u8 edid[MVGPU_EDID_ROOM + 1], ours[MVGPU_EDID_SIZE];

	memset(edid, 0xee, sizeof(edid));
	mvgpu_edid(ours, 1024, 768, 3);
	assert_int_equal(mvgpu_monitor_edid(monitor, edid, 1024, 768, 3), size ?: sizeof(ours));
	assert_memory_equal(edid, size ? right : ours, size ?: sizeof(ours));
	assert_int_equal(edid[size ?: sizeof(ours)], 0xee);
}

/* A physical monitor's is passed on as it is, if it is one */
static void monitors(void **state)
{
	static const u32 wrong[] = { 1, 127, 129, 1025, 1152, 0x80000000, UINT_MAX };
	struct mvgpu_monitor monitor = {};
	u8 edid[MVGPU_EDID_ROOM];
	u32 size, i;

	for (i = 0; i < sizeof(edid); i++)
		edid[i] = i < MVGPU_EDID_SIZE ? 0xff : i >> 3;
	edid[0] = 0;
	edid[7] = 0;
	check_monitor(NULL, NULL, 0);
	check_monitor(&monitor, NULL, 0);
	assert_false(mvgpu_monitor_set(&monitor, edid, 0));
	for (size = sizeof(edid); size; size -= MVGPU_EDID_SIZE) {
		assert_true(mvgpu_monitor_set(&monitor, edid, size));
		assert_false(mvgpu_monitor_set(&monitor, edid, size));
		check_monitor(&monitor, edid, size);
		edid[size - 1] ^= 1;
		assert_true(mvgpu_monitor_set(&monitor, edid, size));
		check_monitor(&monitor, edid, size);
	}
	check_monitor(NULL, NULL, 0);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_true(mvgpu_monitor_set(&monitor, edid, wrong[i]));
		check_monitor(&monitor, NULL, 0);
		assert_false(mvgpu_monitor_set(&monitor, edid, 0));
		assert_true(mvgpu_monitor_set(&monitor, edid, sizeof(edid)));
	}
	for (i = 0; i < 8; i++) {
		edid[i] ^= 1;
		assert_true(mvgpu_monitor_set(&monitor, edid, sizeof(edid)));
		check_monitor(&monitor, NULL, 0);
		edid[i] ^= 1;
		assert_true(mvgpu_monitor_set(&monitor, edid, sizeof(edid)));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_sizes),
		cmocka_unit_test(all_sizes),
		cmocka_unit_test(known_timings),
		cmocka_unit_test(serials),
		cmocka_unit_test(monitors),
		cmocka_unit_test(edid_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
