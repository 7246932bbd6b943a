/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_DEVICE_H
#define SHIM_LINUX_DEVICE_H

#include <linux/bits.h>
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct attribute_group;

struct device_driver {
	const char *name;
	struct module *owner;
	const struct attribute_group **groups;
};

/* @managed: memory that the test frees when it unbinds the driver */
struct device {
	struct device *parent;
	struct mutex mutex;
	bool is_pci;
	void *managed;
};

void *devm_kzalloc(struct device *dev, size_t size, gfp_t gfp);

static inline const char *dev_name(const struct device *dev)
{
	return dev->is_pci ? "0000:00:01.0" : "virtio0";
}

static inline int device_trylock(struct device *dev)
{
	return mutex_trylock(&dev->mutex);
}

static inline void device_unlock(struct device *dev)
{
	mutex_unlock(&dev->mutex);
}

/* Messages, see shim_said() */
void shim_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define dev_err(dev, ...)			((void)(dev), shim_say(__VA_ARGS__))
#define dev_warn(dev, ...)			((void)(dev), shim_say(__VA_ARGS__))
#define dev_err_ratelimited(dev, ...)		((void)(dev), shim_say(__VA_ARGS__))
#define dev_notice_ratelimited(dev, ...)	((void)(dev), shim_say(__VA_ARGS__))
#define dev_err_probe(dev, err, ...)		((void)(dev), shim_say(__VA_ARGS__), err)

#endif /* SHIM_LINUX_DEVICE_H */
