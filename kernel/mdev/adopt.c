// SPDX-License-Identifier: GPL-2.0-only
/*
 * adopt.c - how an operator hands over a GPU on a bus without driver_override: the
 * attributes adopt and release of the driver that binds it
 */
#include <linux/device.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include "mvgpu.h"

/* The device that an operator is handing over */
static struct device *adopted;
static DEFINE_MUTEX(adopt_lock);	/* @adopted */

/**
 * mvgpu_adopted() - whether an operator is handing a device over
 * @dev: what a driver with mvgpu_adopt_groups is to bind
 *
 * Context: the probe function of the driver that binds @dev. It takes no other device.
 * Return: true if so. If not, this has been said in the kernel's log.
 */
bool mvgpu_adopted(struct device *dev)
{
	if (READ_ONCE(adopted) == dev)
		return true;
	dev_info(dev, "left alone: no operator has handed it over\n");
	return false;
}
EXPORT_SYMBOL_GPL(mvgpu_adopted);

static int match_name(struct device *dev, const void *name)
{
	return sysfs_streq(name, dev_name(dev)) ||
	       (dev->parent && sysfs_streq(name, dev_name(dev->parent)));
}

/* Do something with the GPU that an operator names; @what returns 0 or an errno */
static ssize_t with_gpu(struct device_driver *drv, const char *name, size_t count,
			int (*what)(struct device_driver *drv, struct device *dev))
{
	struct device *dev = bus_find_device(drv->bus, NULL, name, match_name);
	int ret = -EINVAL;

	if (!dev) {
		pr_err("%s: there is no %s device %.*s\n", drv->name, drv->bus->name,
		       (int)strcspn(name, "\n"), name);
		return -ENODEV;
	}
	if (drv->bus->match(dev, drv))
		ret = what(drv, dev);
	else
		dev_err(dev, "%s: it is no GPU\n", drv->name);
	put_device(dev);
	return ret < 0 ? ret : count;
}

static int adopt(struct device_driver *drv, struct device *dev)
{
	struct device_driver *had;
	int ret = 0;

	mutex_lock(&adopt_lock);
	had = dev->driver;
	if (had != drv) {
		WRITE_ONCE(adopted, dev);
		device_release_driver(dev);
		ret = device_driver_attach(drv, dev);
		WRITE_ONCE(adopted, NULL);
		if (ret) {
			dev_err(dev, "%s: can't take it: %d\n", drv->name, ret);
			if (had && device_attach(dev) <= 0)
				dev_err(dev, "%s: nor can whoever had it\n", drv->name);
		}
	}
	mutex_unlock(&adopt_lock);
	return ret;
}

static ssize_t adopt_store(struct device_driver *drv, const char *buf, size_t count)
{
	return with_gpu(drv, buf, count, adopt);
}
static DRIVER_ATTR_WO(adopt);

static int give_back(struct device_driver *drv, struct device *dev)
{
	if (dev->driver != drv) {
		dev_err(dev, "%s: it is not ours to give back\n", drv->name);
		return -EINVAL;
	}
	device_release_driver(dev);
	return device_attach(dev);
}

static ssize_t release_store(struct device_driver *drv, const char *buf, size_t count)
{
	return with_gpu(drv, buf, count, give_back);
}
static DRIVER_ATTR_WO(release);

static struct attribute *adopt_attrs[] = {
	&driver_attr_adopt.attr,
	&driver_attr_release.attr,
	NULL
};

static const struct attribute_group adopt_group = { .attrs = adopt_attrs };

const struct attribute_group *mvgpu_adopt_groups[] = { &adopt_group, NULL };
EXPORT_SYMBOL_GPL(mvgpu_adopt_groups);
