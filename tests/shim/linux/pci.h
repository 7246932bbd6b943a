/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_PCI_H
#define SHIM_LINUX_PCI_H

#include_next <linux/pci.h>

struct pci_dev;
struct pci_device_id;

/* Part of struct mvgpu_driver, which nothing portable looks into */
struct pci_driver {
	const char *name;
};

#endif /* SHIM_LINUX_PCI_H */
