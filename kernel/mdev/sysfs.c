// SPDX-License-Identifier: GPL-2.0-only
/* sysfs.c - the attributes of a vGPU, in the folder mvgpu/ of its mdev device */
#include <linux/sysfs.h>
#include "device.h"

static struct mvgpu *dev_to_mvgpu(struct device *dev)
{
	return dev_get_drvdata(dev);
}

static ssize_t counter_show(const atomic64_t *counter, char *buf)
{
	return sysfs_emit(buf, "%lld\n", atomic64_read(counter));
}

static ssize_t foreground_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct mvgpu *vgpu = dev_to_mvgpu(dev);

	return sysfs_emit(buf, "%d\n", READ_ONCE(vgpu->parent->foreground) == vgpu);
}

static ssize_t foreground_store(struct device *dev, struct device_attribute *attr,
				const char *buf, size_t count)
{
	struct mvgpu *vgpu = dev_to_mvgpu(dev);
	bool on;
	int ret;

	ret = kstrtobool(buf, &on);
	if (ret) {
		dev_err_ratelimited(dev, "foreground: neither 0 nor 1\n");
		return ret;
	}
	if (on) {
		ret = mvgpu_screen_choose(vgpu->parent, vgpu);
		if (ret)
			return ret;
	} else {
		mvgpu_screen_leave(vgpu);
	}
	return count;
}
static DEVICE_ATTR_RW(foreground);

static ssize_t exits_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_mvgpu(dev)->exits, buf);
}
static DEVICE_ATTR_RO(exits);

static ssize_t interrupts_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", mvgpu_irqs_delivered(&dev_to_mvgpu(dev)->irqs));
}
static DEVICE_ATTR_RO(interrupts);

static ssize_t commands_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_mvgpu(dev)->commands, buf);
}
static DEVICE_ATTR_RO(commands);

static ssize_t bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_mvgpu(dev)->bytes, buf);
}
static DEVICE_ATTR_RO(bytes);

static ssize_t busy_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_mvgpu(dev)->busy, buf);
}
static DEVICE_ATTR_RO(busy);

static ssize_t weight_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", mvgpu_weight(dev_to_mvgpu(dev)));
}

static ssize_t weight_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	unsigned int weight;

	if (kstrtouint(buf, 0, &weight) || !weight || weight > MVGPU_WEIGHT_MAX) {
		dev_err_ratelimited(dev, "weight: not a number from 1 to %u\n",
				    MVGPU_WEIGHT_MAX);
		return -EINVAL;
	}
	WRITE_ONCE(dev_to_mvgpu(dev)->weight, weight);
	return count;
}
static DEVICE_ATTR_RW(weight);

static ssize_t vram_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct mvgpu_type *type = dev_to_mvgpu(dev)->type;

	return sysfs_emit(buf, "%llu\n", type->vram ?: type->memory);
}
static DEVICE_ATTR_RO(vram);

static ssize_t mode_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct mvgpu *vgpu = dev_to_mvgpu(dev);
	struct mvgpu_scanout so;

	mutex_lock(&vgpu->lock);
	mvgpu_screen_update(vgpu);
	so = vgpu->scanout;
	mutex_unlock(&vgpu->lock);
	if (!so.format)
		return sysfs_emit(buf, "off\n");
	return sysfs_emit(buf, "%ux%ux%u\n", so.width, so.height, so.bpp);
}
static DEVICE_ATTR_RO(mode);

/* Guest memory, in pages unless it counts events */

static struct mvgpu_tracker *dev_to_tracker(struct device *dev)
{
	return &dev_to_mvgpu(dev)->tracker;
}

static ssize_t pinned_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&dev_to_tracker(dev)->pinned));
}
static DEVICE_ATTR_RO(pinned);

static ssize_t idle_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", mvgpu_tracker_idle(dev_to_tracker(dev)));
}
static DEVICE_ATTR_RO(idle);

static ssize_t quarantined_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&dev_to_tracker(dev)->quarantined));
}
static DEVICE_ATTR_RO(quarantined);

static ssize_t quota_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	unsigned long pages = mvgpu_tracker_quota(dev_to_tracker(dev));

	return pages == ULONG_MAX ? sysfs_emit(buf, "max\n") : sysfs_emit(buf, "%lu\n", pages);
}

static ssize_t quota_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	unsigned long pages = ULONG_MAX;
	int ret = sysfs_streq(buf, "max") ? 0 : kstrtoul(buf, 0, &pages);

	if (ret) {
		dev_err_ratelimited(dev, "quota: neither a number of pages nor \"max\"\n");
		return ret;
	}
	mvgpu_tracker_set_quota(dev_to_tracker(dev), pages);
	return count;
}
static DEVICE_ATTR_RW(quota);

static ssize_t cache_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(dev_to_tracker(dev)->cache_limit));
}

static ssize_t cache_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	unsigned long pages;
	int ret = kstrtoul(buf, 0, &pages);

	if (ret) {
		dev_err_ratelimited(dev, "cache: not a number of pages\n");
		return ret;
	}
	mvgpu_tracker_set_cache(dev_to_tracker(dev), pages);
	return count;
}
static DEVICE_ATTR_RW(cache);

static ssize_t maps_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_tracker(dev)->stats.maps, buf);
}
static DEVICE_ATTR_RO(maps);

static ssize_t hits_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_tracker(dev)->stats.hits, buf);
}
static DEVICE_ATTR_RO(hits);

static ssize_t misses_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_tracker(dev)->stats.misses, buf);
}
static DEVICE_ATTR_RO(misses);

static ssize_t revokes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_tracker(dev)->stats.revokes, buf);
}
static DEVICE_ATTR_RO(revokes);

static ssize_t quarantines_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return counter_show(&dev_to_tracker(dev)->stats.quarantines, buf);
}
static DEVICE_ATTR_RO(quarantines);

static const char *const error_kinds[MVGPU_NUM_ERRS] = {
	[MVGPU_ERR_ADDRESS] = "address",
	[MVGPU_ERR_INVALID] = "invalid",
	[MVGPU_ERR_ACCESS] = "access",
	[MVGPU_ERR_QUOTA] = "quota",
	[MVGPU_ERR_REACH] = "reach",
	[MVGPU_ERR_REFS] = "references",
	[MVGPU_ERR_BUSY] = "busy",
	[MVGPU_ERR_CLOSED] = "closed",
	[MVGPU_ERR_OTHER] = "other",
};

static ssize_t errors_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const atomic64_t *errors = dev_to_tracker(dev)->stats.errors;
	unsigned int i;
	int at = 0;

	for (i = 0; i < MVGPU_NUM_ERRS; i++)
		at += sysfs_emit_at(buf, at, "%s %lld\n", error_kinds[i],
				    atomic64_read(&errors[i]));
	return at;
}
static DEVICE_ATTR_RO(errors);

static struct attribute *vgpu_attrs[] = {
	&dev_attr_busy.attr,
	&dev_attr_bytes.attr,
	&dev_attr_cache.attr,
	&dev_attr_commands.attr,
	&dev_attr_errors.attr,
	&dev_attr_exits.attr,
	&dev_attr_foreground.attr,
	&dev_attr_hits.attr,
	&dev_attr_idle.attr,
	&dev_attr_interrupts.attr,
	&dev_attr_maps.attr,
	&dev_attr_misses.attr,
	&dev_attr_mode.attr,
	&dev_attr_pinned.attr,
	&dev_attr_quarantined.attr,
	&dev_attr_quarantines.attr,
	&dev_attr_quota.attr,
	&dev_attr_revokes.attr,
	&dev_attr_vram.attr,
	&dev_attr_weight.attr,
	NULL
};

static umode_t vgpu_attr_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	struct mvgpu *vgpu = dev_to_mvgpu(kobj_to_dev(kobj));

	if (attr == &dev_attr_foreground.attr && !vgpu->drv->present)
		return 0;
	if ((attr == &dev_attr_weight.attr || attr == &dev_attr_commands.attr ||
	     attr == &dev_attr_bytes.attr || attr == &dev_attr_busy.attr) &&
	    !vgpu->drv->weighted)
		return 0;
	if (attr == &dev_attr_mode.attr && !vgpu->drv->scanout)
		return 0;
	return attr->mode;
}

static const struct attribute_group vgpu_group = {
	.name = "mvgpu",
	.attrs = vgpu_attrs,
	.is_visible = vgpu_attr_visible,
};

const struct attribute_group *mvgpu_sysfs_groups[] = { &vgpu_group, NULL };
