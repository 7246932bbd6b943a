// SPDX-License-Identifier: GPL-2.0-only
/*
 * screen.c - struct mvgpu_scanout: what each vGPU's head shows, to the VMM as a plane and,
 * for the vGPU that the operator put in the foreground, on the parent's physical screen
 */
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/uuid.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_plane.h>
#include "device.h"

/* Bytes from the first pixel to the end of the last visible line */
static u64 scanout_size(const struct mvgpu_scanout *so)
{
	return (u64)so->stride * so->height;
}

static bool scanout_fits(const struct mvgpu *vgpu, const struct mvgpu_scanout *so)
{
	bool slice = vgpu->type->vram && !so->mapping;
	u64 size = scanout_size(so), offset = slice ? so->offset : 0;
	u64 room = slice ? vgpu->type->vram : mvgpu_region_size(vgpu, MVGPU_REGION_PLANE);

	/* a parent's own screen shows slices */
	if (so->mapping && vgpu->parent->drv->present)
		return false;
	return so->width && so->height && offset <= room && size <= room - offset &&
	       (u64)so->width * so->bpp / 8 <= so->stride;
}

/* Make the physical screen show @vgpu, or nothing */
static void present(struct mvgpu_parent *parent, struct mvgpu *vgpu)
{
	int ret;

	lockdep_assert_held(&parent->screen_lock);
	if (vgpu && !vgpu->scanout.format)
		vgpu = NULL;
	ret = parent->drv->present(parent, vgpu ? &vgpu->scanout : NULL,
				   vgpu ? vgpu->slice + vgpu->scanout.offset : 0);
	if (ret)
		dev_notice_ratelimited(vgpu ? vgpu->vdev.dev : parent->dev,
				       "%s can't show this mode on its screen: %d\n",
				       dev_name(parent->dev), ret);
}

static void show(struct mvgpu *vgpu, struct mvgpu_scanout *so)
{
	struct mvgpu_parent *parent = vgpu->parent;

	vgpu->shown = mvgpu_maps_flip(vgpu, so);
	so->mapping = NULL;
	if (!memcmp(so, &vgpu->scanout, sizeof(*so)))
		return;
	mutex_lock(&parent->screen_lock);
	vgpu->scanout = *so;
	if (parent->foreground == vgpu)
		present(parent, vgpu);
	mutex_unlock(&parent->screen_lock);
}

/* Ask the vendor driver what the head shows now, and tell everybody who watches it */
void mvgpu_screen_update(struct mvgpu *vgpu)
{
	struct mvgpu_mapping *mapping;
	struct mvgpu_scanout so;
	int ret;

	lockdep_assert_held(&vgpu->lock);
	if (!vgpu->drv->scanout || vgpu->gone)
		return;
	memset(&so, 0, sizeof(so));
	ret = vgpu->drv->scanout(vgpu, &so);
	mapping = so.mapping;
	if (!ret && !scanout_fits(vgpu, &so))
		ret = -EINVAL;
	if (ret)
		memset(&so, 0, sizeof(so));
	if (ret != -EINVAL)
		show(vgpu, &so);
	mvgpu_mapping_put(mapping);
}

/**
 * mvgpu_scanout_changed() - the guest changed something that the head's picture depends on
 * @vgpu: the vGPU
 *
 * Calls mvgpu_driver.scanout. A picture that the slice can't hold is refused as the
 * hardware does it: the head keeps what it shows. Who has no slice need not call this: the
 * VMM's looking is what calls the hook.
 *
 * Context: a hook of the vGPU; may sleep.
 */
void mvgpu_scanout_changed(struct mvgpu *vgpu)
{
	mvgpu_screen_update(vgpu);
}
EXPORT_SYMBOL_GPL(mvgpu_scanout_changed);

/*
 * VFIO_DEVICE_QUERY_GFX_PLANE: the only plane there is, as a region. QEMU leaves the plane
 * type at 0, the overlay, when it asks for a region; a cursor is in the picture already.
 */
int mvgpu_screen_query(struct mvgpu *vgpu, struct vfio_device_gfx_plane_info *plane)
{
	const u32 probe = VFIO_GFX_PLANE_TYPE_PROBE | VFIO_GFX_PLANE_TYPE_REGION;
	struct mvgpu_scanout so;

	if (!vgpu->drv->scanout)
		return -ENOTTY;
	if (plane->flags == probe)
		return 0;
	if (plane->flags != VFIO_GFX_PLANE_TYPE_REGION ||
	    plane->drm_plane_type > DRM_PLANE_TYPE_CURSOR)
		return -EINVAL;

	mutex_lock(&vgpu->lock);
	mvgpu_screen_update(vgpu);
	so = vgpu->scanout;
	if (plane->drm_plane_type == DRM_PLANE_TYPE_CURSOR || !vgpu->shown)
		memset(&so, 0, sizeof(so));
	mutex_unlock(&vgpu->lock);

	plane->drm_format = so.format;
	plane->drm_format_mod = DRM_FORMAT_MOD_LINEAR;
	plane->width = so.width;
	plane->height = so.height;
	plane->stride = so.stride;
	plane->size = scanout_size(&so);
	plane->x_pos = 0;
	plane->y_pos = 0;
	plane->x_hot = 0;
	plane->y_hot = 0;
	plane->region_index = MVGPU_REGION_PLANE;
	return 0;
}

/**
 * mvgpu_screen_choose() - what the physical screen shows, as the operator wants it
 * @parent: the physical GPU
 * @vgpu: one of its vGPUs, or NULL for a blank screen
 *
 * Context: process context, may sleep.
 * Return: 0, -ENODEV if the parent has no screen or is leaving.
 */
int mvgpu_screen_choose(struct mvgpu_parent *parent, struct mvgpu *vgpu)
{
	int ret = 0;

	mutex_lock(&parent->screen_lock);
	if (!parent->has_screen) {
		ret = -ENODEV;
	} else if (parent->foreground != vgpu) {
		parent->foreground = vgpu;
		present(parent, vgpu);
	}
	mutex_unlock(&parent->screen_lock);
	return ret;
}

/* The vGPU's guest is no longer to be seen, if it was */
void mvgpu_screen_leave(struct mvgpu *vgpu)
{
	struct mvgpu_parent *parent = vgpu->parent;

	mutex_lock(&parent->screen_lock);
	if (parent->foreground == vgpu) {
		parent->foreground = NULL;
		present(parent, NULL);
	}
	mutex_unlock(&parent->screen_lock);
}

/* The hardware has forgotten what its screen shows */
void mvgpu_screen_again(struct mvgpu_parent *parent)
{
	mutex_lock(&parent->screen_lock);
	if (parent->has_screen)
		present(parent, parent->foreground);
	mutex_unlock(&parent->screen_lock);
}

static struct mvgpu_parent *attr_to_parent(struct device_attribute *attr)
{
	return container_of(attr, struct mvgpu_parent, foreground_attr);
}

static ssize_t parent_foreground_show(struct device *dev, struct device_attribute *attr,
				      char *buf)
{
	struct mvgpu_parent *parent = attr_to_parent(attr);
	ssize_t len;

	mutex_lock(&parent->screen_lock);
	len = sysfs_emit(buf, "%s\n", parent->foreground ?
			 dev_name(parent->foreground->vdev.dev) : "none");
	mutex_unlock(&parent->screen_lock);
	return len;
}

static ssize_t parent_foreground_store(struct device *dev, struct device_attribute *attr,
				       const char *buf, size_t count)
{
	struct mvgpu_parent *parent = attr_to_parent(attr);
	struct mvgpu *vgpu;
	int ret = -ENOENT;
	guid_t uuid;

	if (sysfs_streq(buf, "none"))
		return mvgpu_screen_choose(parent, NULL) ?: count;
	if (count < UUID_STRING_LEN || count > UUID_STRING_LEN + 1 || guid_parse(buf, &uuid)) {
		dev_err_ratelimited(dev, "foreground: neither a UUID nor \"none\"\n");
		return -EINVAL;
	}
	mutex_lock(&parent->lock);
	list_for_each_entry(vgpu, &parent->vgpus, node) {
		if (guid_equal(&to_mdev_device(vgpu->vdev.dev)->uuid, &uuid)) {
			ret = mvgpu_screen_choose(parent, vgpu);
			break;
		}
	}
	mutex_unlock(&parent->lock);
	if (ret == -ENOENT)
		dev_err_ratelimited(dev, "foreground: there is no vGPU %pUl here\n", &uuid);
	return ret ?: count;
}

/* A blank screen to start with. Returns the parent's attribute, NULL without a screen. */
struct attribute *mvgpu_screen_add_parent(struct mvgpu_parent *parent)
{
	if (!parent->drv->present)
		return NULL;
	parent->foreground_attr = (struct device_attribute)
		__ATTR(foreground, 0644, parent_foreground_show, parent_foreground_store);
	sysfs_attr_init(&parent->foreground_attr.attr);
	mutex_lock(&parent->screen_lock);
	parent->has_screen = true;
	present(parent, NULL);
	mutex_unlock(&parent->screen_lock);
	return &parent->foreground_attr.attr;
}

/* After this, nobody can choose a vGPU and nothing is presented any more */
void mvgpu_screen_del_parent(struct mvgpu_parent *parent)
{
	if (!parent->drv->present)
		return;
	mutex_lock(&parent->screen_lock);
	parent->has_screen = false;
	parent->foreground = NULL;
	present(parent, NULL);
	mutex_unlock(&parent->screen_lock);
}
