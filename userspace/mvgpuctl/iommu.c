// SPDX-License-Identifier: MIT
/*
 * Owns the question what stands between a GPU and the memory of the host. Holds no state.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mvgpuctl.h"

#define ACCESS_PLATFORM 33	/* virtio's feature bit: the device obeys the IOMMU */

/* A virtio device that ignores the IOMMU by its own contract */
static bool bypasses(const struct gpu *gpu)
{
	char *path, *features;
	bool bypasses;

	if (!gpu->child)
		return false;
	path = format("%s/%s", gpu->path, gpu->child);
	features = sysfs_read(path, "features");
	bypasses = features && strlen(features) > ACCESS_PLATFORM &&
		   features[ACCESS_PLATFORM] == '0';
	free(features);
	free(path);
	return bypasses;
}

/**
 * iommu_mode() - what stands between a GPU and memory
 * @gpu: the GPU
 *
 * Return: the mode, from the group that the kernel has put the GPU into.
 */
enum iommu_mode iommu_mode(const struct gpu *gpu)
{
	char *type = sysfs_read(gpu->path, "iommu_group/type");
	enum iommu_mode mode;

	if (!type)
		mode = IOMMU_NONE;
	else if (bypasses(gpu))
		mode = IOMMU_BYPASSED;
	else
		mode = strcmp(type, "identity") ? IOMMU_TRANSLATES : IOMMU_PASSTHROUGH;
	free(type);
	return mode;
}

/* The name of a mode, in JSON too */
const char *iommu_text(enum iommu_mode mode)
{
	static const char *const texts[] = {
		[IOMMU_NONE] = "none",
		[IOMMU_PASSTHROUGH] = "passthrough",
		[IOMMU_TRANSLATES] = "translates",
		[IOMMU_BYPASSED] = "bypassed",
	};

	return texts[mode];
}

/**
 * iommu_advice() - how to get a GPU behind an IOMMU that translates
 * @mode: how it is now
 *
 * Return: what to do, or NULL if it is there.
 */
const char *iommu_advice(enum iommu_mode mode)
{
	static const char tables[] = "/sys/firmware/acpi/tables";

	switch (mode) {
	case IOMMU_TRANSLATES:
		return NULL;
	case IOMMU_PASSTHROUGH:
		return "boot with iommu.passthrough=0 and without iommu=pt";
	case IOMMU_BYPASSED:
		return "have the device offer VIRTIO_F_ACCESS_PLATFORM (QEMU: iommu_platform=on)";
	default:
		if (sysfs_has(tables, "DMAR"))
			return "boot with intel_iommu=on: the machine has VT-d";
		if (sysfs_has(tables, "IVRS"))
			return "boot with amd_iommu=on: the machine has AMD-Vi";
		return "switch VT-d or AMD-Vi on in the machine's firmware, which shows none";
	}
}
