/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_PCI_H
#define SHIM_LINUX_PCI_H

#include_next <linux/pci.h>
#include <linux/device.h>
#include <linux/kernel.h>

struct pci_device_id;

struct pci_dev {
	struct device dev;
};

#define to_pci_dev(d)	container_of(d, struct pci_dev, dev)
#define dev_is_pci(d)	((d)->is_pci)

bool pci_device_is_present(struct pci_dev *pdev);

/* Part of struct mvgpu_driver, which nothing portable looks into */
struct pci_driver {
	const char *name;
};

#endif /* SHIM_LINUX_PCI_H */
