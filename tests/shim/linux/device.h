/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_DEVICE_H
#define SHIM_LINUX_DEVICE_H

#include <linux/bits.h>
#include <linux/export.h>
#include <linux/types.h>

struct device;

/* Messages, see shim_said() */
void shim_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define dev_warn(dev, ...)			((void)(dev), shim_say(__VA_ARGS__))
#define dev_err_ratelimited(dev, ...)		((void)(dev), shim_say(__VA_ARGS__))
#define dev_notice_ratelimited(dev, ...)	((void)(dev), shim_say(__VA_ARGS__))

#endif /* SHIM_LINUX_DEVICE_H */
