// SPDX-License-Identifier: MIT
/*
 * Lights the first connected connector with a picture that can be told pixel
 * by pixel: MVGPU::Image->picture() computes the same one.
 *
 *	draw [-d DEVICE] [-c HEAD] [-f] SEED [WxH]
 *						show the picture until killed
 *	draw [-d DEVICE] [-c HEAD] [-n N] [-w FIFO] -F COLOUR [WxH]
 *						fill the frame N times, print how
 *						long it took, leave
 *
 * -c takes the connector of that number, from 0, instead, and leaves the other
 * heads to other processes; -f returns to the caller as soon as the picture is
 * on; -w waits for a writer of FIFO between the modeset and the filling, and
 * stays until killed: between the two, and after it, nothing else happens.
 * Prints "READY WxH".
 *
 * The picture of SEED, W by H pixels, h being FNV-1a-32 of SEED:
 *   - the bottom eighth, y >= H - H / 8: a gradient,
 *     red x * 255 / (W - 1), green y & 255, blue h & 255
 *   - above it, quadrant q = (y >= H / 2) * 2 + (x >= W / 2): the flat colour
 *     ((h + q * 0x9e3779b9) * 2654435761 mod 2^32) >> 8
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "roundtrip.h"

struct frame {
	uint32_t width, height, pitch, handle, id;
	uint64_t size;
	uint8_t *pixels;
};

static void fail(const char *what)
{
	fprintf(stderr, "draw: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static uint32_t colour(const struct frame *f, uint32_t h, uint32_t x, uint32_t y)
{
	uint32_t q;

	if (y >= f->height - f->height / 8)
		return (x * 255 / (f->width - 1)) << 16 | (y & 255) << 8 | (h & 255);
	q = (y >= f->height / 2) * 2 + (x >= f->width / 2);
	return ((h + q * 0x9e3779b9u) * 2654435761u) >> 8;
}

static void picture(struct frame *f, const char *seed)
{
	uint32_t h = hash(seed);

	for (uint32_t y = 0; y < f->height; y++) {
		uint32_t *row = (uint32_t *)(f->pixels + (size_t)y * f->pitch);

		for (uint32_t x = 0; x < f->width; x++)
			row[x] = colour(f, h, x, y);
	}
}

static void fill(struct frame *f, uint32_t value, long times)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	while (times-- > 0) {
		for (uint32_t y = 0; y < f->height; y++) {
			uint32_t *row = (uint32_t *)(f->pixels + (size_t)y * f->pitch);

			for (uint32_t x = 0; x < f->width; x++)
				row[x] = value;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("FILLED %.3f s\n", to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
}

static void make_frame(int fd, struct frame *f)
{
	struct drm_mode_create_dumb create = {
		.width = f->width, .height = f->height, .bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };

	if (drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		fail("no buffer of that size");
	f->pitch = create.pitch;
	f->size = create.size;
	f->handle = create.handle;
	if (drmModeAddFB(fd, f->width, f->height, 24, 32, f->pitch, f->handle, &f->id))
		fail("no framebuffer of it");
	map.handle = f->handle;
	if (drmIoctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		fail("cannot map the buffer");
	f->pixels = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, map.offset);
	if (f->pixels == MAP_FAILED)
		fail("mmap");
}

static drmModeConnector *numbered(int fd, const drmModeRes *res, int head)
{
	drmModeConnector *c = head < res->count_connectors ?
		drmModeGetConnector(fd, res->connectors[head]) : NULL;

	if (c && c->connection == DRM_MODE_CONNECTED && c->count_modes)
		return c;
	drmModeFreeConnector(c);
	return NULL;
}

static drmModeConnector *connected(int fd, const drmModeRes *res)
{
	for (int i = 0; i < res->count_connectors; i++) {
		drmModeConnector *c = numbered(fd, res, i);

		if (c)
			return c;
	}
	return NULL;
}

static drmModeModeInfo *pick_mode(drmModeConnector *c, const char *size)
{
	unsigned int w, h;

	if (!size)
		return &c->modes[0];
	if (sscanf(size, "%ux%u", &w, &h) != 2)
		return NULL;
	for (int i = 0; i < c->count_modes; i++)
		if (c->modes[i].hdisplay == w && c->modes[i].vdisplay == h)
			return &c->modes[i];
	return NULL;
}

static uint32_t pick_crtc(int fd, const drmModeRes *res, const drmModeConnector *c)
{
	for (int i = 0; i < c->count_encoders; i++) {
		drmModeEncoder *e = drmModeGetEncoder(fd, c->encoders[i]);

		for (int j = 0; e && j < res->count_crtcs; j++)
			if (e->possible_crtcs & (1u << j))
				return res->crtcs[j];
	}
	return 0;
}

static bool is_virtio(int fd)
{
	drmVersion *v = drmGetVersion(fd);
	bool is = v && !strcmp(v->name, "virtio_gpu");

	drmFreeVersion(v);
	return is;
}

/* The framebuffer is handed over after it is drawn, so that drivers with a
 * shadow copy show it too; those that scan out of it directly need no more.
 * Where commands are answered later, wait for what is the last. One process at
 * a time may set modes: what wants one head lets others have the rest.
 */
static void show(int fd, struct frame *f, drmModeConnector *c, drmModeModeInfo *mode,
		 uint32_t crtc, bool share)
{
	uint32_t handle;

	if (drmModeSetCrtc(fd, crtc, f->id, 0, 0, &c->connector_id, 1, mode))
		fail("modeset");
	drmModeDirtyFB(fd, f->id, NULL, 0);
	if (is_virtio(fd) && roundtrip(fd, &handle))
		fail("the GPU doesn't answer");
	if (share && drmDropMaster(fd))
		fail("cannot share the device");
}

int main(int argc, char **argv)
{
	const char *device = "/dev/dri/card0", *flat = NULL, *size = NULL, *seed = NULL;
	const char *fifo = NULL;
	struct frame frame = { 0 };
	drmModeConnector *c;
	drmModeModeInfo *mode;
	drmModeRes *res;
	bool background = false;
	long times = 1;
	int fd, opt, head = -1;

	while ((opt = getopt(argc, argv, "c:d:fn:w:F:")) != -1) {
		switch (opt) {
		case 'c':
			head = strtol(optarg, NULL, 0);
			break;
		case 'd':
			device = optarg;
			break;
		case 'f':
			background = true;
			break;
		case 'n':
			times = strtol(optarg, NULL, 0);
			break;
		case 'w':
			fifo = optarg;
			break;
		case 'F':
			flat = optarg;
			break;
		default:
			return 2;
		}
	}
	if (!flat)
		seed = argv[optind++];
	if (!flat && !seed) {
		fprintf(stderr, "usage: draw [-d DEVICE] [-c HEAD] [-f] SEED [WxH]\n"
			"       draw [-d DEVICE] [-c HEAD] [-n N] [-w FIFO] -F COLOUR [WxH]\n");
		return 2;
	}
	if (optind < argc)
		size = argv[optind];

	fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(device);
	res = drmModeGetResources(fd);
	if (!res)
		fail("not a display device");
	c = head < 0 ? connected(fd, res) : numbered(fd, res, head);
	if (!c) {
		fprintf(stderr, "draw: nothing is connected\n");
		return 1;
	}
	mode = pick_mode(c, size);
	if (!mode) {
		fprintf(stderr, "draw: no such mode: %s\n", size);
		return 1;
	}
	frame.width = mode->hdisplay;
	frame.height = mode->vdisplay;
	make_frame(fd, &frame);

	if (flat) {
		uint32_t value = strtoul(flat, NULL, 16);

		fill(&frame, value, 1);
		show(fd, &frame, c, mode, pick_crtc(fd, res, c), head >= 0);
		/* The modeset is over: from here on only pixels are written. */
		printf("READY %ux%u\n", frame.width, frame.height);
		fflush(stdout);
		if (fifo && open(fifo, O_RDONLY) < 0)
			fail(fifo);
		fill(&frame, value, times);
		fflush(stdout);
		if (fifo)
			pause();
		return 0;
	}

	picture(&frame, seed);
	show(fd, &frame, c, mode, pick_crtc(fd, res, c), head >= 0);
	printf("READY %ux%u\n", frame.width, frame.height);
	fflush(stdout);
	if (background && daemon(0, 0))
		fail("daemon");
	for (;;)
		pause();
}
