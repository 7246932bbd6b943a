// SPDX-License-Identifier: MIT
/*
 * Owns the command screenshot: the plane that a vGPU shows, as a PNG.
 *
 * A vGPU can be opened once, and opening it clears it, so the picture of one in use is read
 * through a duplicate of the VMM's own device file; the guest does not notice.
 */
#include <errno.h>
#include <getopt.h>
#include <png.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mvgpu-vfio.h"
#include "mvgpuctl.h"

#define FOURCC(a, b, c, d) ((__u32)(a) | (__u32)(b) << 8 | (__u32)(c) << 16 | (__u32)(d) << 24)
#define RGB565 FOURCC('R', 'G', '1', '6')
#define PRIMARY_PLANE 1		/* DRM_PLANE_TYPE_PRIMARY */
#define TRIES 5

/**
 * struct picture - what a vGPU shows
 * @plane: how it lies in @bytes
 * @bytes: the plane, line by line
 */
struct picture {
	struct vfio_device_gfx_plane_info plane;
	unsigned char *bytes;
};

/* ---- pixels ---- */

/* The top bits once more at the bottom, so that white is white */
static void take_rgb565(const unsigned char *from, png_bytep to)
{
	unsigned int pixel = from[0] | from[1] << 8;
	unsigned int r = pixel >> 11, g = pixel >> 5 & 0x3f, b = pixel & 0x1f;

	to[0] = r << 3 | r >> 2;
	to[1] = g << 2 | g >> 4;
	to[2] = b << 3 | b >> 2;
}

/**
 * struct pixel_format - where a pixel's colours are
 * @fourcc: the DRM's name of it
 * @bytes: of a pixel; where they are 4, each colour has one
 * @red: which
 * @green: which
 * @blue: which
 */
struct pixel_format {
	__u32 fourcc;
	unsigned int bytes;
	unsigned int red;
	unsigned int green;
	unsigned int blue;
};

static const struct pixel_format formats[] = {
	{ FOURCC('X', 'R', '2', '4'), 4, 2, 1, 0 }, { FOURCC('A', 'R', '2', '4'), 4, 2, 1, 0 },
	{ FOURCC('X', 'B', '2', '4'), 4, 0, 1, 2 }, { FOURCC('A', 'B', '2', '4'), 4, 0, 1, 2 },
	{ FOURCC('B', 'X', '2', '4'), 4, 1, 2, 3 }, { FOURCC('B', 'A', '2', '4'), 4, 1, 2, 3 },
	{ FOURCC('R', 'X', '2', '4'), 4, 3, 2, 1 }, { FOURCC('R', 'A', '2', '4'), 4, 3, 2, 1 },
	{ RGB565, 2, 0, 0, 0 },
};

static void take_pixel(const struct pixel_format *format, const unsigned char *from, png_bytep to)
{
	if (format->fourcc == RGB565) {
		take_rgb565(from, to);
		return;
	}
	to[0] = from[format->red];
	to[1] = from[format->green];
	to[2] = from[format->blue];
}

static const struct pixel_format *format_of(__u32 fourcc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].fourcc == fourcc)
			return &formats[i];
	return NULL;
}

/* ---- the file ---- */

/* save() says it, in words of our own */
static void on_png_error(png_structp png, png_const_charp text)
{
	(void)text;
	png_longjmp(png, 1);
}

static bool write_png(FILE *file, const struct picture *p, const struct pixel_format *from)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_png_error,
						  NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	png_bytep row = malloc(3 * (size_t)p->plane.width);
	const unsigned char *pixel;
	bool done = false;
	__u32 x, y;

	if (!info || !row || setjmp(png_jmpbuf(png)))
		goto out;
	png_init_io(png, file);
	png_set_IHDR(png, info, p->plane.width, p->plane.height, 8, PNG_COLOR_TYPE_RGB,
		     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	/* screens are made of flat colours, which shrink most as they are */
	png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
	png_write_info(png, info);
	for (y = 0; y < p->plane.height; y++) {
		pixel = p->bytes + (size_t)y * p->plane.stride;
		for (x = 0; x < p->plane.width; x++, pixel += from->bytes)
			take_pixel(from, pixel, row + 3 * (size_t)x);
		png_write_row(png, row);
	}
	png_write_end(png, NULL);
	done = true;
out:
	free(row);
	if (png)
		png_destroy_write_struct(&png, &info);
	return done;
}

static enum status save(const struct vgpu *v, const char *path, const struct picture *p)
{
	const struct pixel_format *from = format_of(p->plane.drm_format);
	enum status status = ST_OK;
	bool done;
	FILE *file;

	if (!from)
		return fail(ST_REFUSED, "vGPU %s: its pixels have an unknown format %08x",
			    vgpu_label(v), p->plane.drm_format);
	file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	if (!file)
		return fail(ST_FAILURE, "%s: %s", path, strerror(errno));
	done = write_png(file, p, from);
	if (fflush(file) || !done)
		status = fail(ST_FAILURE, "%s: the picture can't be written", path);
	if (file != stdout)
		fclose(file);
	return status;
}

/* ---- the plane ---- */

static bool same_plane(const struct vfio_device_gfx_plane_info *a,
		       const struct vfio_device_gfx_plane_info *b)
{
	return a->drm_format == b->drm_format && a->width == b->width &&
	       a->height == b->height && a->stride == b->stride;
}

/* What fits together: the guest is not asked whether it may change */
static bool plausible(const struct vfio_device_gfx_plane_info *plane)
{
	const struct pixel_format *from = format_of(plane->drm_format);

	return !from || (plane->size >= (__u64)plane->stride * plane->height &&
			 plane->stride / from->bytes >= plane->width);
}

static int read_plane(struct vgpu_device *dev, struct picture *p, struct vgpu_error *err)
{
	struct vgpu_region region;
	size_t done = 0;
	ssize_t n = 1;
	int ret;

	ret = vgpu_region_get(dev, p->plane.region_index, &region, err);
	if (ret)
		return ret;
	free(p->bytes);
	p->bytes = must_have(malloc(p->plane.size));
	while (n > 0 && done < p->plane.size) {
		n = vgpu_region_read(dev, &region, done, p->bytes + done, p->plane.size - done,
				     err);
		done += n > 0 ? n : 0;
	}
	vgpu_region_put(&region);
	if (n < 0)
		return n;
	return done < p->plane.size ? -EIO : 0;
}

/* Once more if the guest changes its mode meanwhile. -ENODATA if it shows nothing. */
static int take_picture(struct vgpu_device *dev, struct picture *p, struct vgpu_error *err)
{
	struct vfio_device_gfx_plane_info now;
	unsigned int i;
	int ret;

	ret = vgpu_gfx_query(dev, VFIO_GFX_PLANE_TYPE_REGION, PRIMARY_PLANE, &now, err);
	for (i = 0; i < TRIES && !ret; i++) {
		p->plane = now;
		if (!now.width)
			return -ENODATA;
		if (!plausible(&now))
			return -EPROTO;
		ret = read_plane(dev, p, err);
		if (!ret)
			ret = vgpu_gfx_query(dev, VFIO_GFX_PLANE_TYPE_REGION, PRIMARY_PLANE, &now,
					     err);
		if (!ret && same_plane(&now, &p->plane))
			return 0;
	}
	return ret ? ret : -EAGAIN;
}

static enum status explain(const struct vgpu *v, const struct holder *holder, int ret,
			   const struct vgpu_error *err)
{
	const char *label = vgpu_label(v);

	switch (ret) {
	case -ENODATA:
		fail(ST_MISSING, "vGPU %s: it shows nothing now", label);
		advise("try again when its guest's driver has set a mode");
		return ST_MISSING;
	case -ENOTTY:
		return fail(ST_MISSING, "vGPU %s: its type has no head", label);
	case -EXDEV:
		fail(ST_MISSING,
		     "vGPU %s: %s (pid %d) has several devices, and the kernel does not tell them apart",
		     label, holder->comm, holder->pid);
		advise("ask the VMM: 'virsh screenshot', or 'screendump' in QEMU's monitor");
		return ST_MISSING;
	case -EAGAIN:
		return fail(ST_BUSY, "vGPU %s: its guest changes its mode all the time", label);
	case -EPROTO:
		return fail(ST_REFUSED, "vGPU %s: its plane makes no sense", label);
	case -ESRCH:
	case -ENODEV:
		fail(ST_MISSING, "vGPU %s: its VMM, %s (pid %d), has let go of it", label,
		     holder->comm, holder->pid);
		advise("start its guest, then try again");
		return ST_MISSING;
	default:
		return fail(status_of(ret), "vGPU %s: %s", label, err->text);
	}
}

static enum status photograph(const struct vgpu *v, struct picture *p)
{
	const struct holder *holder = vgpu_holder(v);
	struct vgpu_error err = { .text = "taking the picture" };
	struct vgpu_iommu *iommu;
	struct vgpu_device *dev;
	int ret;

	if (!holder && geteuid()) {
		fail(ST_PERMISSION, "vGPU %s: only root is told which VMM has it", vgpu_label(v));
		advise("run it as root, say with sudo");
		return ST_PERMISSION;
	}
	if (!holder) {
		fail(ST_MISSING, "vGPU %s: no VMM has it open, so it shows nothing",
		     vgpu_label(v));
		advise("start its guest first");
		return ST_MISSING;
	}
	ret = vgpu_borrow(holder->pid, &iommu, &err);
	if (ret)
		return explain(v, holder, ret, &err);
	ret = vgpu_open(iommu, v->uuid, &dev, &err);
	if (!ret) {
		ret = take_picture(dev, p, &err);
		vgpu_close(dev);
	}
	vgpu_iommu_close(iommu);
	return ret ? explain(v, holder, ret, &err) : ST_OK;
}

static enum status print_picture(const struct vgpu *v, const char *path, const struct picture *p)
{
	json_object *root;

	if (!saying_json())
		return ST_OK;
	root = must_have(json_object_new_object());
	json_object_object_add(root, "uuid", json_text(v->uuid));
	json_object_object_add(root, "file", json_text(path));
	json_object_object_add(root, "width", must_have(json_object_new_int(p->plane.width)));
	json_object_object_add(root, "height", must_have(json_object_new_int(p->plane.height)));
	return print_json(root);
}

static enum status screenshot_run(const struct command *cmd, int argc, char **argv)
{
	int letter = next_option(cmd, argc, argv);
	struct picture picture = {};
	const struct vgpu *v;
	enum status status;
	const char *path;
	struct host h;

	if (letter != OPT_END)
		return option_status(letter);
	if (argc - optind != 2)
		return usage(cmd, "name a vGPU and a file");
	path = argv[optind + 1];
	if (!strcmp(path, "-") && (saying_json() || isatty(STDOUT_FILENO)))
		return usage(cmd, "a picture can't go to %s",
			     saying_json() ? "where the JSON goes" : "a terminal");
	status = host_scan(&h, NULL);
	if (!status)
		status = find_vgpu(&h, argv[optind], &v);
	if (!status)
		status = photograph(v, &picture);
	if (!status)
		status = save(v, path, &picture);
	if (!status)
		status = print_picture(v, path, &picture);
	free(picture.bytes);
	host_free(&h);
	return status;
}

static const struct opt screenshot_opts[] = { {} };

const struct command cmd_screenshot = {
	.name = "screenshot",
	.args = "VGPU FILE",
	.summary = "what a vGPU shows, as a PNG",
	.help =
		"Saves the picture that the first head of a running vGPU shows, in the foreground\n"
		"or not; FILE may be - for stdout. It reads through the VMM's own device file,\n"
		"which takes root. A cursor that the physical head adds is not in it.",
	.opts = screenshot_opts,
	.run = screenshot_run,
};
