// SPDX-License-Identifier: MIT
/*
 * Owns the tests of what a VMM sees of the first head: the guest's own memory, for as long as
 * that is the guest's, and never a signal.
 */
#include <pthread.h>

#include "gpu.h"

#define EDGE 256
#define STRIDE (EDGE * 4UL)
#define SIZE (EDGE * STRIDE)
#define PAGES (SIZE / PAGE)
#define REGION VFIO_GFX_PLANE_TYPE_REGION
#define OVERLAY 0

/* Which resource is where: a picture each in the first two, a wide one in both */
#define FIRST 1
#define SECOND 2
#define WIDE 3
#define WIDTH (8 * EDGE)
#define HEIGHT (EDGE / 4)

#define FOURCC(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)

/**
 * struct attach_two - VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING with two entries
 * @req: the command
 * @entry: the entries
 */
struct attach_two {
	struct virtio_gpu_resource_attach_backing req;
	struct virtio_gpu_mem_entry entry[2];
};

/**
 * struct view - a vGPU with two pictures in its memory, and what the VMM sees
 * @g: the vGPU
 * @backing: the memory
 * @shown: the plane region
 */
struct view {
	struct gpu g;
	char *backing;
	char *shown;
};

/* Give each page of memory a number */
static void stamp(struct view *v, __u32 from)
{
	unsigned int i;

	for (i = 0; i < 2 * PAGES; i++)
		store32(v->backing + i * PAGE, from + i);
}

static struct gpu *view_open(struct fixture *f, struct view *v)
{
	struct gpu *g = &v->g;

	gpu_open(g, f->env, 0);
	v->backing = map_backing(g, 2 * SIZE);
	make_picture(g, FIRST, EDGE, EDGE, BACKING);
	make_picture(g, SECOND, EDGE, EDGE, BACKING + SIZE);
	v->shown = map_region(&g->f, GFX_REGION, 0, g->f.region[GFX_REGION].size, PROT_READ);
	stamp(v, 0xa000);
	return g;
}

static void view_close(struct view *v)
{
	in_order(&v->g);
	munmap(v->shown, v->g.f.region[GFX_REGION].size);
	gpu_close(&v->g);
	munmap(v->backing, 2 * SIZE);
}

/* Let the head show a part of a resource */
static void scan_out(struct gpu *g, __u32 id, __u32 x, __u32 y, __u32 width, __u32 height)
{
	struct virtio_gpu_set_scanout scanout = scanout_req(0, id, width, height);

	scanout.r.x = x;
	scanout.r.y = y;
	ANSWERS(g, "a scanout", scanout, VIRTIO_GPU_RESP_OK_NODATA);
}

static void show(struct gpu *g, __u32 id)
{
	scan_out(g, id, 0, 0, EDGE, EDGE);
}

static void expect_plane(struct gpu *g, __u32 width, __u32 height, __u32 stride)
{
	struct vfio_device_gfx_plane_info plane;

	query_plane(&g->f, &plane);
	EQ(plane.width, width);
	EQ(plane.height, height);
	EQ(plane.stride, stride);
	EQ(plane.size, stride * height);
	HEX(plane.drm_format, FOURCC('X', 'R', '2', '4'));
	EQ(plane.region_index, GFX_REGION);
}

static void expect_nothing(struct gpu *g)
{
	struct vfio_device_gfx_plane_info plane;

	query_plane(&g->f, &plane);
	EQ(plane.width, 0);
	EQ(plane.size, 0);
	HEX(plane.drm_format, 0);
}

/* The region shows that many pages, and nothing behind them */
static void expect_pages(struct view *v, __u32 from, unsigned int pages)
{
	unsigned int i;

	for (i = 0; i < pages; i++)
		HEX(load32(v->shown + i * PAGE), from + i);
	for (; i < 4 * PAGES; i++)
		HEX(load32(v->shown + i * PAGE), 0);
}

static void expect_blank(struct view *v)
{
	expect_pages(v, 0, 0);
	HEX(reg_read(&v->g.f, GFX_REGION, PAGE, 4), 0);
}

static void pixels(struct fixture *f)
{
	struct view v;
	struct gpu *g;

	g = view_open(f, &v);
	OK(g->f.region[GFX_REGION].size >= 4 * SIZE, "the region has 0x%llx bytes",
	   g->f.region[GFX_REGION].size);
	expect_nothing(g);
	expect_blank(&v);
	show(g, FIRST);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xa000, PAGES);
	HEX(reg_read(&g->f, GFX_REGION, 3 * PAGE, 4), 0xa003);
	/* it is the guest's memory, not a copy */
	stamp(&v, 0xb000);
	expect_pages(&v, 0xb000, PAGES);
	show(g, SECOND);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xb000 + PAGES, PAGES);
	/* a smaller picture has fewer pages */
	scan_out(g, SECOND, 0, 0, EDGE, EDGE / 2);
	expect_plane(g, EDGE, EDGE / 2, STRIDE);
	expect_pages(&v, 0xb000 + PAGES, PAGES / 2);
	scan_out(g, 0, 0, 0, 0, 0);
	expect_nothing(g);
	expect_blank(&v);
	view_close(&v);
}

/* What starts with a page is shown from there on; nothing is shown shifted. */
static void parts(struct fixture *f)
{
	unsigned int i;
	struct view v;
	struct gpu *g;

	g = view_open(f, &v);
	scan_out(g, FIRST, 0, 12, EDGE, EDGE - 12);
	expect_plane(g, EDGE, EDGE - 12, STRIDE);
	expect_pages(&v, 0xa003, PAGES - 3);
	scan_out(g, FIRST, 0, 13, EDGE, EDGE - 13);
	expect_nothing(g);
	expect_blank(&v);
	scan_out(g, FIRST, 16, 12, EDGE - 16, EDGE - 12);
	expect_nothing(g);
	expect_blank(&v);

	/* beside another head's part, in lines of two pages */
	make_picture(g, WIDE, WIDTH, HEIGHT, BACKING);
	scan_out(g, WIDE, WIDTH / 2, 0, WIDTH / 2, HEIGHT);
	expect_plane(g, WIDTH / 2, HEIGHT, WIDTH * 4);
	for (i = 0; i < 2 * PAGES - 1; i++)
		HEX(load32(v.shown + i * PAGE), 0xa001 + i);
	HEX(load32(v.shown + i * PAGE), 0);
	view_close(&v);
}

static void attach_two(struct gpu *g, __u64 addr1, __u32 len1, __u64 addr2, __u32 len2)
{
	struct virtio_gpu_resource_detach_backing detach = detach_req(FIRST);
	struct attach_two attach = {
		.req = attach_req(FIRST, 0, 0).req,
		.entry = { { .addr = addr1, .length = len1 }, { .addr = addr2, .length = len2 } },
	};

	attach.req.nr_entries = 2;
	ANSWERS(g, "detaching", detach, VIRTIO_GPU_RESP_OK_NODATA);
	expect_nothing(g);
	ANSWERS(g, "attaching", attach, VIRTIO_GPU_RESP_OK_NODATA);
}

static void scattered(struct fixture *f)
{
	unsigned int i;
	struct view v;
	struct gpu *g;

	g = view_open(f, &v);
	show(g, FIRST);
	attach_two(g, BACKING + SIZE, SIZE / 2, BACKING, SIZE / 2);
	expect_plane(g, EDGE, EDGE, STRIDE);
	for (i = 0; i < PAGES; i++)
		HEX(load32(v.shown + i * PAGE),
		    0xa000 + (i < PAGES / 2 ? PAGES + i : i - PAGES / 2));

	/* a page that is not whole */
	attach_two(g, BACKING, SIZE / 2 - 64, BACKING + SIZE, SIZE / 2 + 64);
	expect_nothing(g);
	expect_blank(&v);
	attach_two(g, BACKING + 64, SIZE / 2, BACKING + SIZE, SIZE / 2);
	expect_nothing(g);
	expect_blank(&v);
	/* less than the picture */
	attach_two(g, BACKING, SIZE / 2, BACKING + SIZE, SIZE / 4);
	expect_nothing(g);
	expect_blank(&v);
	attach_two(g, BACKING, SIZE / 2, BACKING + SIZE, SIZE / 2);
	expect_plane(g, EDGE, EDGE, STRIDE);
	view_close(&v);
}

static void formats(struct fixture *f)
{
	static const struct { __u32 format, fourcc; } list[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, FOURCC('A', 'R', '2', '4') },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, FOURCC('X', 'R', '2', '4') },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, FOURCC('B', 'A', '2', '4') },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, FOURCC('B', 'X', '2', '4') },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, FOURCC('A', 'B', '2', '4') },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, FOURCC('R', 'X', '2', '4') },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, FOURCC('R', 'A', '2', '4') },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, FOURCC('X', 'B', '2', '4') },
	};
	struct virtio_gpu_resource_create_2d create = create_req(WIDE, EDGE, EDGE);
	struct attach_one attach = attach_req(WIDE, BACKING, SIZE);
	struct virtio_gpu_resource_unref unref = unref_req(WIDE);
	struct vfio_device_gfx_plane_info plane;
	struct view v;
	unsigned int i;
	struct gpu *g;

	g = view_open(f, &v);
	for (i = 0; i < ARRAY_SIZE(list); i++) {
		create.format = list[i].format;
		ANSWERS(g, "creating", create, VIRTIO_GPU_RESP_OK_NODATA);
		ANSWERS(g, "attaching", attach, VIRTIO_GPU_RESP_OK_NODATA);
		show(g, WIDE);
		query_plane(&g->f, &plane);
		HEX(plane.drm_format, list[i].fourcc);
		ANSWERS(g, "giving up", unref, VIRTIO_GPU_RESP_OK_NODATA);
	}
	view_close(&v);
}

/* However the guest ends a picture, the VMM doesn't see that memory any more. */
static void ends(struct fixture *f)
{
	struct virtio_gpu_resource_detach_backing detach = detach_req(FIRST);
	struct virtio_gpu_resource_unref unref = unref_req(SECOND);
	struct vgpu_error err;
	struct view v;
	struct gpu *g;

	g = view_open(f, &v);
	show(g, FIRST);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xa000, PAGES);
	ANSWERS(g, "detaching", detach, VIRTIO_GPU_RESP_OK_NODATA);
	expect_blank(&v);
	expect_nothing(g);

	show(g, SECOND);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xa000 + PAGES, PAGES);
	ANSWERS(g, "giving up", unref, VIRTIO_GPU_RESP_OK_NODATA);
	expect_blank(&v);
	expect_nothing(g);

	make_picture(g, SECOND, EDGE, EDGE, BACKING + SIZE);
	show(g, SECOND);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xa000 + PAGES, PAGES);
	gpu_reset(g);
	expect_blank(&v);
	expect_nothing(g);

	gpu_start(g);
	make_picture(g, FIRST, EDGE, EDGE, BACKING);
	show(g, FIRST);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xa000, PAGES);
	DID(vgpu_reset(g->f.dev, &err), &err);
	expect_blank(&v);
	expect_nothing(g);
	view_close(&v);
}

static void goes(struct fixture *f)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(FIRST, EDGE, EDGE);
	struct view v;
	struct gpu *g;

	g = view_open(f, &v);
	show(g, FIRST);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xa000, PAGES);
	unmap_iova(&g->f, BACKING, 2 * SIZE);
	expect_blank(&v);
	stamp(&v, 0xdead0000);
	expect_blank(&v);
	expect_nothing(g);
	expect_blank(&v);

	/* it comes back with the first command that needs it */
	map_iova(&g->f, BACKING, v.backing, 2 * SIZE, RW);
	expect_nothing(g);
	ANSWERS(g, "a transfer", transfer, VIRTIO_GPU_RESP_OK_NODATA);
	expect_plane(g, EDGE, EDGE, STRIDE);
	expect_pages(&v, 0xdead0000, PAGES);
	view_close(&v);
}

/**
 * struct watcher - somebody who looks all the time
 * @v: at what
 * @stop: until then
 * @looks: how often
 * @bad: what was seen of memory that had gone, 0 for nothing
 */
struct watcher {
	struct view *v;
	bool stop;
	unsigned int looks;
	__u32 bad;
};

static void *watch(void *arg)
{
	struct vfio_device_gfx_plane_info plane;
	struct watcher *w = arg;
	unsigned int i;
	__u32 value;

	for (; !__atomic_load_n(&w->stop, __ATOMIC_RELAXED); w->looks++) {
		vgpu_gfx_query(w->v->g.f.dev, REGION, OVERLAY, &plane, NULL);
		for (i = 0; i < PAGES; i++) {
			value = *(volatile __u32 *)(w->v->shown + i * PAGE);
			if (value && value != 0xa000 + i && value != 0xa000 + PAGES + i)
				w->bad = value;
		}
	}
	return NULL;
}

static void goes_while_watched(struct fixture *f)
{
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_req(FIRST, EDGE, EDGE);
	double end = seconds_now() + f->env->seconds;
	unsigned int times = 0;
	struct watcher w = {};
	pthread_t thread;
	struct view v;
	struct gpu *g;

	g = view_open(f, &v);
	w.v = &v;
	EQ(pthread_create(&thread, NULL, watch, &w), 0);
	for (; seconds_now() < end; times++) {
		transfer.resource_id = times % 2 ? SECOND : FIRST;
		ANSWERS(g, "a transfer", transfer, VIRTIO_GPU_RESP_OK_NODATA);
		show(g, transfer.resource_id);
		expect_plane(g, EDGE, EDGE, STRIDE);
		usleep(rand() % 3000);
		unmap_iova(&g->f, BACKING, 2 * SIZE);
		stamp(&v, 0xdead0000);
		expect_blank(&v);
		stamp(&v, 0xa000);
		map_iova(&g->f, BACKING, v.backing, 2 * SIZE, RW);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	diag("%u times, and %u looks", times, w.looks);
	HEX(w.bad, 0);
	OK(w.looks > 1, "nobody has looked");
	view_close(&v);
}

static void read_only(struct fixture *f)
{
	struct view v;
	struct gpu *g;
	void *p;

	g = view_open(f, &v);
	show(g, FIRST);
	REFUSED(try_map(&g->f, GFX_REGION, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, &p), EPERM);
	EQ(mprotect(v.shown, PAGE, PROT_READ | PROT_WRITE), -1);
	view_close(&v);
}

static const struct test tests[] = {
	{ "it shows the guest's memory", ON_NONE, pixels },
	{ "parts of a picture", ON_NONE, parts },
	{ "scattered memory", ON_NONE, scattered },
	{ "pixel formats", ON_NONE, formats },
	{ "the guest ends a picture", ON_NONE, ends },
	{ "the memory goes", ON_NONE, goes },
	{ "the memory goes while it is watched", ON_NONE, goes_while_watched },
	{ "it is read-only", ON_NONE, read_only },
};

const struct group group_plane = GROUP("plane", tests);
