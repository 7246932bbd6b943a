// SPDX-License-Identifier: MIT
/*
 * Owns the tests of the graphics plane: what VFIO_DEVICE_QUERY_GFX_PLANE says
 * after a guest has set a mode, and that the scan-out region shows its pixels.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "util.h"

/* drm_fourcc.h and drm_mode.h are not part of the kernel headers that Debian ships */
#define FOURCC(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)
#define DRM_FORMAT_XRGB8888 FOURCC('X', 'R', '2', '4')
#define DRM_FORMAT_BGRX8888 FOURCC('B', 'X', '2', '4')
#define DRM_FORMAT_RGB565 FOURCC('R', 'G', '1', '6')
#define DRM_PLANE_TYPE_OVERLAY 0
#define DRM_PLANE_TYPE_PRIMARY 1
#define DRM_PLANE_TYPE_CURSOR 2

#define PROBE VFIO_GFX_PLANE_TYPE_PROBE
#define DMABUF VFIO_GFX_PLANE_TYPE_DMABUF
#define REGION VFIO_GFX_PLANE_TYPE_REGION

static const struct mode vga = { 640, 480, 32, 640, 0, 0 };
/* lines of one page each, so that every line can be the first */
static const struct mode paged = { 800, 600, 32, 1024, 0, 0 };

static void need_vram(struct fixture *f)
{
	if (f->region[BAR0].size < 4 << 20)
		skip("a slice of 4 MiB is needed");
}

static int query(struct fixture *f, __u32 flags, __u32 type)
{
	struct vfio_device_gfx_plane_info plane = {
		.argsz = sizeof(plane), .flags = flags, .drm_plane_type = type,
	};

	return dev_ioctl(f, VFIO_DEVICE_QUERY_GFX_PLANE, &plane);
}

static void expect_plane(struct fixture *f, const struct mode *mode, __u32 format)
{
	struct vfio_device_gfx_plane_info plane;
	__u32 stride = mode->virt_width * mode->bpp / 8;

	query_plane(f, &plane);
	EQ(plane.width, mode->width);
	EQ(plane.height, mode->height);
	EQ(plane.stride, stride);
	HEX(plane.drm_format, format);
	HEX(plane.drm_format_mod, 0);
	EQ(plane.region_index, GFX_REGION);
	OK(plane.size >= stride * mode->height && plane.size <= f->region[GFX_REGION].size,
	   "the plane has %u bytes", plane.size);
}

static void expect_nothing(struct fixture *f)
{
	struct vfio_device_gfx_plane_info plane;

	query_plane(f, &plane);
	EQ(plane.width, 0);
	EQ(plane.height, 0);
	EQ(plane.size, 0);
	HEX(plane.drm_format, 0);
}

static void probe(struct fixture *f)
{
	EQ(vgpu_gfx_probe(f->dev, REGION, NULL), 0);
	REFUSED(vgpu_gfx_probe(f->dev, DMABUF, NULL), EINVAL);
	REFUSED(query(f, PROBE, DRM_PLANE_TYPE_PRIMARY), EINVAL);
	REFUSED(query(f, PROBE | DMABUF | REGION, DRM_PLANE_TYPE_PRIMARY), EINVAL);
}

static void bad_queries(struct fixture *f)
{
	__u32 dmabuf = 0;

	memory_on(f);
	set_mode(f, &vga);
	REFUSED(query(f, 0, DRM_PLANE_TYPE_PRIMARY), EINVAL);
	REFUSED(query(f, DMABUF, DRM_PLANE_TYPE_PRIMARY), EINVAL);
	REFUSED(query(f, DMABUF | REGION, DRM_PLANE_TYPE_PRIMARY), EINVAL);
	REFUSED(query(f, REGION | 8, DRM_PLANE_TYPE_PRIMARY), EINVAL);
	REFUSED(query(f, 0xffffffff, DRM_PLANE_TYPE_PRIMARY), EINVAL);
	REFUSED(dev_ioctl(f, VFIO_DEVICE_GET_GFX_DMABUF, &dmabuf), ENOTTY, EINVAL);
}

static void no_display(struct fixture *f)
{
	REFUSED(vgpu_gfx_probe(f->dev, REGION, NULL), ENOTTY, EINVAL);
	REFUSED(vgpu_gfx_probe(f->dev, DMABUF, NULL), ENOTTY, EINVAL);
	REFUSED(query(f, REGION, DRM_PLANE_TYPE_PRIMARY), ENOTTY, EINVAL);
}

/* QEMU asks for a region with the plane type left at 0, the overlay, and means this one. */
static void qemus_plane(struct fixture *f)
{
	struct vfio_device_gfx_plane_info plane;

	memory_on(f);
	set_mode(f, &vga);
	EQ(vgpu_gfx_query(f->dev, REGION, DRM_PLANE_TYPE_OVERLAY, &plane, NULL), 0);
	EQ(plane.width, vga.width);
	EQ(plane.region_index, GFX_REGION);
}

/* No other plane exists: it is refused or shows nothing. */
static void other_planes(struct fixture *f)
{
	static const __u32 types[] = { DRM_PLANE_TYPE_CURSOR, 3, 0xffffffff };
	struct vfio_device_gfx_plane_info plane;
	unsigned int i;
	int ret;

	memory_on(f);
	set_mode(f, &vga);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		ret = vgpu_gfx_query(f->dev, REGION, types[i], &plane, NULL);
		if (ret)
			REFUSED(ret, EINVAL);
		else
			EQ(plane.width, 0);
	}
}

static void off_at_power_on(struct fixture *f)
{
	expect_nothing(f);
	memory_on(f);
	expect_nothing(f);
}

static void modes(struct fixture *f)
{
	static const struct mode list[] = {
		{ 640, 480, 32, 640, 0, 0 }, { 800, 600, 32, 800, 0, 0 },
		{ 1024, 768, 32, 1024, 0, 0 }, { 64, 64, 32, 64, 0, 0 },
		{ 640, 400, 32, 1024, 0, 0 },
	};
	unsigned int i;

	need_vram(f);
	memory_on(f);
	for (i = 0; i < ARRAY_SIZE(list); i++) {
		set_mode(f, &list[i]);
		expect_plane(f, &list[i], DRM_FORMAT_XRGB8888);
	}
}

static void formats(struct fixture *f)
{
	struct mode rgb565 = vga;
	struct vfio_device_gfx_plane_info plane;

	memory_on(f);
	reg_write(f, BAR2, B_QEXT_ENDIAN, 4, B_BIG);
	set_mode(f, &vga);
	expect_plane(f, &vga, DRM_FORMAT_BGRX8888);
	/* the byte order may change while the mode stays */
	reg_write(f, BAR2, B_QEXT_ENDIAN, 4, B_LITTLE);
	expect_plane(f, &vga, DRM_FORMAT_XRGB8888);

	rgb565.bpp = 16;
	set_mode(f, &rgb565);
	query_plane(f, &plane);
	if (plane.drm_format == DRM_FORMAT_RGB565)
		expect_plane(f, &rgb565, DRM_FORMAT_RGB565);
	else
		OK(!plane.width || plane.drm_format == DRM_FORMAT_XRGB8888, "format 0x%x",
		   plane.drm_format);
}

/* The plane's pixels, through the region, are what the guest wrote into its VRAM. */
static void pixels(struct fixture *f)
{
	struct vfio_device_gfx_plane_info plane;
	char *vram, *shown;
	__u32 x, y;

	memory_on(f);
	vram = map_region(f, BAR0, 0, f->region[BAR0].size, PROT_READ | PROT_WRITE);
	set_mode(f, &vga);
	for (y = 0; y < vga.height; y += 37)
		for (x = 0; x < vga.width; x += 61)
			store32(vram + (y * vga.width + x) * 4, 0xff000000 + y * 1000 + x);
	query_plane(f, &plane);
	shown = map_region(f, plane.region_index, 0, plane.stride * plane.height, PROT_READ);
	for (y = 0; y < vga.height; y += 37)
		for (x = 0; x < vga.width; x += 61)
			HEX(load32(shown + y * plane.stride + x * 4), 0xff000000 + y * 1000 + x);
	HEX(reg_read(f, GFX_REGION, 4 * 61, 4), 0xff000000 + 61);
}

/* QEMU maps the region as a whole, once, and reads on while the guest flips. */
static void flip(struct fixture *f)
{
	const __u64 size = f->region[GFX_REGION].size;
	struct mode mode = paged;
	char *vram, *shown;
	unsigned int y;

	need_vram(f);
	memory_on(f);
	vram = map_region(f, BAR0, 0, f->region[BAR0].size, PROT_READ | PROT_WRITE);
	for (y = 0; y < 1024; y++)
		store32(vram + y * PAGE, 0xf11b0000 + y);
	set_mode(f, &mode);
	shown = map_region(f, GFX_REGION, 0, size, PROT_READ);
	HEX(load32(shown), 0xf11b0000);
	HEX(load32(shown + 599 * PAGE), 0xf11b0000 + 599);

	for (y = 0; y < 400; y += 57) {
		vbe_write(f, VBE_Y_OFFSET, y);
		HEX(load32(shown), 0xf11b0000 + y);
		HEX(load32(shown + 599 * PAGE), 0xf11b0000 + y + 599);
		HEX(reg_read(f, GFX_REGION, 0, 4), 0xf11b0000 + y);
	}
	mode.y = y - 57;
	expect_plane(f, &mode, DRM_FORMAT_XRGB8888);

	/* a column offset of a page, with lines of two */
	mode = (struct mode){ 800, 300, 32, 2048, 1024, 3 };
	set_mode(f, &mode);
	HEX(load32(shown), 0xf11b0000 + 7);
	expect_plane(f, &mode, DRM_FORMAT_XRGB8888);
	set_mode(f, &paged);
	HEX(load32(shown), 0xf11b0000);
}

/* Whatever the region shows, it is pages of this vGPU or nothing. */
static void behind_the_picture(struct fixture *f)
{
	const __u64 size = f->region[GFX_REGION].size;
	__u64 pos, value;
	char *shown;
	int sig;

	need_vram(f);
	memory_on(f);
	set_mode(f, &paged);
	vbe_write(f, VBE_Y_OFFSET, 100);
	shown = map_region(f, GFX_REGION, 0, size, PROT_READ);
	for (pos = 0; pos < size; pos += PAGE) {
		sig = touch_load(shown + pos, 4, &value);
		OK(!sig || sig == SIGBUS, "signal %d at 0x%llx", sig, pos);
		if (!sig)
			HEX(value, 0);
	}
}

static void flip_below_a_page(struct fixture *f)
{
	struct vfio_device_gfx_plane_info plane;
	struct mode mode = vga;

	memory_on(f);
	mode.virt_width = 700;
	mode.x = 13;
	mode.y = 7;
	set_mode(f, &mode);
	/* a region starts at a page: this cannot be shown, and must not be shown shifted */
	query_plane(f, &plane);
	EQ(plane.width, 0);
	mode.x = 0;
	mode.y = 0;
	set_mode(f, &mode);
	expect_plane(f, &mode, DRM_FORMAT_XRGB8888);
}

static void unset(struct fixture *f)
{
	memory_on(f);
	set_mode(f, &vga);
	expect_plane(f, &vga, DRM_FORMAT_XRGB8888);
	vbe_write(f, VBE_ENABLE, 0);
	expect_nothing(f);
	vbe_write(f, VBE_ENABLE, VBE_ENABLED | VBE_LFB);
	expect_plane(f, &vga, DRM_FORMAT_XRGB8888);
}

static void reset(struct fixture *f)
{
	struct vgpu_error err;

	memory_on(f);
	set_mode(f, &vga);
	DID(vgpu_reset(f->dev, &err), &err);
	expect_nothing(f);
}

/* A mode that the slice cannot hold leaves the old picture or none, never this mode. */
static void too_big(struct fixture *f)
{
	static const struct mode bad[] = {
		{ 65535, 65535, 32, 65535, 0, 0 },
		{ 4096, 65535, 32, 4096, 0, 0 },
		{ 640, 480, 32, 65535, 0, 65535 },
		{ 640, 480, 32, 640, 65535, 65535 },
		{ 0, 0, 32, 0, 0, 0 },
		{ 640, 0, 32, 640, 0, 0 },
		{ 1, 1, 32, 1, 0, 0 },
		{ 640, 480, 0, 640, 0, 0 },
		{ 640, 480, 255, 640, 0, 0 },
	};
	struct vfio_device_gfx_plane_info plane;
	__u64 vram = f->region[BAR0].size;
	unsigned int i;

	memory_on(f);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		set_mode(f, &vga);
		expect_plane(f, &vga, DRM_FORMAT_XRGB8888);
		set_mode(f, &bad[i]);
		query_plane(f, &plane);
		OK(!plane.width || (plane.width == vga.width && plane.height == vga.height),
		   "mode %u gives a plane of %ux%u", i, plane.width, plane.height);
		OK((__u64)plane.stride * plane.height <= vram && plane.size <= vram,
		   "mode %u gives a plane of %u bytes", i, plane.size);
	}
	set_mode(f, &vga);
	expect_plane(f, &vga, DRM_FORMAT_XRGB8888);
}

static void read_only(struct fixture *f)
{
	void *p;

	memory_on(f);
	set_mode(f, &vga);
	REFUSED(try_map(f, GFX_REGION, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, &p), EPERM,
		EACCES, EINVAL);
	p = map_region(f, GFX_REGION, 0, PAGE, PROT_READ);
	EQ(mprotect(p, PAGE, PROT_READ | PROT_WRITE), -1);
	EQ(errno, EACCES);
}

/* The picture is the VMM's to show, whatever the guest does to its memory decoding. */
static void decode_off(struct fixture *f)
{
	char *shown;
	__u64 value;
	int sig;

	memory_on(f);
	set_mode(f, &vga);
	shown = map_region(f, GFX_REGION, 0, PAGE, PROT_READ);
	load32(shown);
	memory_off(f);
	sig = touch_load(shown, 4, &value);
	OK(!sig, "the picture is gone with memory off: QEMU would die of signal %d", sig);
	memory_on(f);
	load32(shown);
}

static const struct test tests[] = {
	{ "a region can be had, a dma-buf cannot", ON_BOCHS, probe },
	{ "bad queries are refused", ON_BOCHS, bad_queries },
	{ "a vGPU without a display says so", ON_TEST, no_display },
	{ "QEMU's query shows the primary plane", ON_BOCHS, qemus_plane },
	{ "the cursor and unknown planes show nothing", ON_BOCHS, other_planes },
	{ "nothing is shown at power-on", ON_BOCHS, off_at_power_on },
	{ "modes", ON_BOCHS, modes },
	{ "pixel formats", ON_BOCHS, formats },
	{ "the region shows the guest's pixels", ON_BOCHS, pixels },
	{ "a flip changes an established mapping", ON_BOCHS, flip },
	{ "behind the picture is nothing foreign", ON_BOCHS, behind_the_picture },
	{ "an offset below a page shows nothing", ON_BOCHS, flip_below_a_page },
	{ "an unset mode shows nothing", ON_BOCHS, unset },
	{ "a reset shows nothing", ON_BOCHS, reset },
	{ "modes that do not fit are not shown", ON_BOCHS, too_big },
	{ "the region is read-only", ON_BOCHS, read_only },
	{ "the picture survives memory decoding off", ON_BOCHS, decode_off },
};

const struct group group_gfx = GROUP("gfx", tests);

/**
 * show_colour() - let a guest show one colour until somebody ends us
 * @env: the command line: a bochs vGPU, 0xRRGGBB, and the mode's width and height
 *
 * Says SHOWN once the mode is set.
 *
 * Return: never.
 */
int show_colour(const struct env *env)
{
	__u32 colour = strtoul(env->uuid[1], NULL, 0);
	struct mode mode = { .bpp = 32 };
	struct fixture f;
	__u64 pos;
	char *vram;

	mode.width = strtoul(env->uuid[2], NULL, 0);
	mode.virt_width = mode.width;
	mode.height = strtoul(env->uuid[3], NULL, 0);
	fixture_open(&f, env, ON_BOCHS);
	memory_on(&f);
	vram = map_region(&f, BAR0, 0, f.region[BAR0].size, PROT_READ | PROT_WRITE);
	for (pos = 0; pos < f.region[BAR0].size; pos += 4)
		store32(vram + pos, colour);
	set_mode(&f, &mode);
	printf("SHOWN\n");
	fflush(stdout);
	for (;;)
		pause();
}
