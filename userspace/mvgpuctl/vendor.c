// SPDX-License-Identifier: MIT
/*
 * Owns struct vendor: which vendor driver takes which GPU.
 */
#include <string.h>

#include "mvgpuctl.h"

const struct vendor vendors[] = {
	{ "mvgpu-bochs", "Bochs display", 0x1234, 0x1111, false, false },
	{ "mvgpu-edu", "edu copy engine", 0x1234, 0x11e8, true, false },
	{ "mvgpu-virtio", "virtio-gpu", 0x1af4, 0x1050, true, true },
};

const unsigned int num_vendors = ARRAY_SIZE(vendors);

const struct vendor *vendor_of_ids(unsigned int vendor, unsigned int device)
{
	unsigned int i;

	for (i = 0; i < num_vendors; i++)
		if (vendors[i].vendor == vendor && vendors[i].device == device)
			return &vendors[i];
	return NULL;
}

const struct vendor *vendor_of_driver(const char *driver)
{
	unsigned int i;

	for (i = 0; i < num_vendors; i++)
		if (!strcmp(vendors[i].driver, driver))
			return &vendors[i];
	return NULL;
}
