/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_MDEV_H
#define SHIM_LINUX_MDEV_H

/* Only embedded, never looked into, by what is portable */
struct mdev_driver {
	void *unused;
};

#endif /* SHIM_LINUX_MDEV_H */
