// SPDX-License-Identifier: MIT
/*
 * Measures how fast a display takes whole frames, and how long a command is under way.
 *
 *	frames [-d DEVICE] [-c HEAD] [-s WxH] [-p] [-w FIFO] MODE COUNT
 *
 * MODE is one of
 *	dirty	tell the display that all of its one frame has changed
 *	flip	show another frame, of two, and wait until it is on
 *	trip	a command to a virtio GPU and back, and nothing else (roundtrip.h)
 * -p paints every frame first. -w: once all is set up, waits for a writer of FIFO,
 * measures, writes the result into FIFO, too, and stays until killed: between the two
 * nothing else happens. The result is one line:
 *	MODE count=N seconds=S per_second=R [min_us=T median_us=T p99_us=T]
 * The time ends when the display has answered all that it was told.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "roundtrip.h"

struct frame {
	uint32_t pitch, handle, id;
	uint64_t size;
	uint8_t *pixels;
};

struct display {
	int fd;
	uint32_t connector, crtc;
	drmModeModeInfo mode;
	struct frame frames[2];
};

static void fail(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void make_frame(struct display *d, struct frame *f)
{
	struct drm_mode_create_dumb create = {
		.width = d->mode.hdisplay, .height = d->mode.vdisplay, .bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };

	if (drmIoctl(d->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		fail("no buffer of that size");
	f->pitch = create.pitch;
	f->size = create.size;
	f->handle = create.handle;
	if (drmModeAddFB(d->fd, create.width, create.height, 24, 32, f->pitch, f->handle, &f->id))
		fail("no framebuffer of it");
	map.handle = f->handle;
	if (drmIoctl(d->fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		fail("cannot map the buffer");
	f->pixels = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, map.offset);
	if (f->pixels == MAP_FAILED)
		fail("mmap");
	memset(f->pixels, 0x40, f->size);
}

static void pick_mode(struct display *d, int head, const char *size)
{
	drmModeRes *res = drmModeGetResources(d->fd);
	drmModeConnector *c;
	drmModeEncoder *e;
	unsigned int w, h;

	if (!res || head >= res->count_connectors || sscanf(size, "%ux%u", &w, &h) != 2)
		fail("no such head or size");
	c = drmModeGetConnector(d->fd, res->connectors[head]);
	e = c && c->count_encoders ? drmModeGetEncoder(d->fd, c->encoders[0]) : NULL;
	for (int i = 0; e && i < c->count_modes; i++) {
		if (c->modes[i].hdisplay != w || c->modes[i].vdisplay != h)
			continue;
		d->mode = c->modes[i];
		d->connector = c->connector_id;
		for (int j = 0; !d->crtc && j < res->count_crtcs; j++)
			if (e->possible_crtcs & (1u << j))
				d->crtc = res->crtcs[j];
		return;
	}
	fail("the head has no such mode");
}

static void paint(struct frame *f, long n)
{
	memset(f->pixels, n & 255, f->size);
}

static void dirty(struct display *d, bool painted, long n)
{
	drmModeClip all = { .x2 = d->mode.hdisplay, .y2 = d->mode.vdisplay };

	if (painted)
		paint(&d->frames[0], n);
	if (drmModeDirtyFB(d->fd, d->frames[0].id, &all, 1))
		fail("update");
}

static void flipped(int fd, unsigned int sequence, unsigned int sec, unsigned int usec, void *data)
{
	(void)fd;
	(void)sequence;
	(void)sec;
	(void)usec;
	*(bool *)data = true;
}

static void flip(struct display *d, bool painted, long n)
{
	drmEventContext context = { .version = 2, .page_flip_handler = flipped };
	struct frame *f = &d->frames[(n + 1) & 1];
	bool done = false;

	if (painted)
		paint(f, n);
	if (drmModePageFlip(d->fd, d->crtc, f->id, DRM_MODE_PAGE_FLIP_EVENT, &done))
		fail("flip");
	while (!done)
		if (drmHandleEvent(d->fd, &context))
			fail("event");
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void trips(struct display *d, long count, FILE *out)
{
	double *took = calloc(count + 1, sizeof(*took)), start = now(), total;
	uint32_t *handles = calloc(count + 1, sizeof(*handles));

	if (!took || !handles)
		fail("memory");
	for (long n = 0; n < count; n++) {
		double from = now();

		if (roundtrip(d->fd, &handles[n]))
			fail("the GPU doesn't answer");
		took[n] = now() - from;
	}
	total = now() - start;
	/* Later, for what a removal costs is not asked. */
	for (long n = 0; n < count; n++)
		roundtrip_close(d->fd, handles[n]);
	qsort(took, count, sizeof(*took), by_size);
	fprintf(out, "trip count=%ld seconds=%.6f per_second=%.1f ", count, total, count / total);
	fprintf(out, "min_us=%.1f median_us=%.1f p99_us=%.1f\n", took[0] * 1e6,
		took[count / 2] * 1e6, took[count * 99 / 100] * 1e6);
	free(took);
	free(handles);
}

static void frames(struct display *d, const char *mode, bool painted, long count, FILE *out)
{
	double start = now(), total;
	uint32_t handle = 0;

	for (long n = 0; n < count; n++) {
		if (!strcmp(mode, "flip"))
			flip(d, painted, n);
		else
			dirty(d, painted, n);
	}
	if (roundtrip(d->fd, &handle))
		fail("the GPU doesn't answer");
	total = now() - start;
	roundtrip_close(d->fd, handle);
	fprintf(out, "%s count=%ld seconds=%.6f per_second=%.1f\n", mode, count, total,
		count / total);
}

int main(int argc, char **argv)
{
	const char *device = "/dev/dri/card0", *size = "1024x768", *fifo = NULL, *mode;
	struct display d = { 0 };
	bool painted = false;
	FILE *out = stdout;
	int opt, head = 0;
	long count;

	while ((opt = getopt(argc, argv, "c:d:ps:w:")) != -1) {
		switch (opt) {
		case 'c':
			head = strtol(optarg, NULL, 0);
			break;
		case 'd':
			device = optarg;
			break;
		case 'p':
			painted = true;
			break;
		case 's':
			size = optarg;
			break;
		case 'w':
			fifo = optarg;
			break;
		default:
			return 2;
		}
	}
	mode = optind + 2 == argc ? argv[optind] : "";
	if (strcmp(mode, "dirty") && strcmp(mode, "flip") && strcmp(mode, "trip")) {
		fputs("usage: frames [-d DEVICE] [-c HEAD] [-s WxH] [-p] [-w FIFO] MODE COUNT\n",
		      stderr);
		return 2;
	}
	count = strtol(argv[optind + 1], NULL, 0);

	d.fd = open(device, O_RDWR | O_CLOEXEC);
	if (d.fd < 0)
		fail(device);
	pick_mode(&d, head, size);
	for (int i = 0; i < 2; i++)
		make_frame(&d, &d.frames[i]);
	if (drmModeSetCrtc(d.fd, d.crtc, d.frames[0].id, 0, 0, &d.connector, 1, &d.mode))
		fail("modeset");
	/* Whatever the modeset was, it is over. */
	frames(&d, "dirty", false, 1, fopen("/dev/null", "w"));
	printf("READY\n");
	fflush(stdout);
	if (fifo) {
		int go = open(fifo, O_RDONLY);
		char c;

		if (go < 0 || read(go, &c, 1) < 0)
			fail(fifo);
		close(go);
		/* It is no reader of its own: this waits for one when the result is there. */
		out = tmpfile();
		if (!out)
			fail("no temporary file");
	}
	if (!strcmp(mode, "trip"))
		trips(&d, count, out);
	else
		frames(&d, mode, painted, count, out);
	if (fifo) {
		char line[256] = "";
		int back;

		rewind(out);
		if (!fgets(line, sizeof(line), out))
			fail("no result");
		back = open(fifo, O_WRONLY);
		if (back < 0 || write(back, line, strlen(line)) < 0)
			fail(fifo);
		close(back);
		pause();
	}
	return 0;
}
