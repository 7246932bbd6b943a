// SPDX-License-Identifier: MIT
/*
 * vfio-test: drive every ioctl and region of mvgpu's vGPUs through the kernel,
 * as a VMM would and as no VMM should, and print TAP.
 */
#include "harness.h"

static const struct group *const groups[] = {
	&group_info, &group_config, &group_power, &group_regions, &group_mmap, &group_intx,
	&group_msi, &group_gfx, &group_lifecycle, &group_hostile, &group_stress, NULL,
};

static const struct client client = {
	.usage = "usage: vfio-test [OPTION]... BOCHS-UUID TEST-UUID [UUID]...\n"
		 "       vfio-test --show BOCHS-UUID 0xRRGGBB WIDTH HEIGHT\n"
		 "\n"
		 "A UUID may be a sysfs path. \"-\" skips the tests that need this vGPU.\n",
	.options = "  --show           show one colour until killed\n",
	.seconds = "each stress test runs",
	.timeout = 120,
	.actions = {
		{ .groups = groups, .nr = 2 },
		{ "show", .run = show_colour, .nr = 4 },
	},
};

int main(int argc, char **argv)
{
	return run_client(&client, argc, argv);
}
