// SPDX-License-Identifier: MIT
/*
 * dma-test: drive the copy engines of mvgpu-edu's vGPUs as a VMM and its guest would, and
 * as no guest should, and print TAP.
 */
#include "engine.h"

static const struct group *const groups[] = {
	&group_copy, &group_edge, &group_hostile, &group_unmap, &group_two, &group_load,
	&group_race, NULL,
};

/* What an ordinary build fails */
static const struct group *const hang_groups[] = { &group_quarantine, NULL };

/* What a kernel without VFIO's log of DMA fails */
static const struct group *const log_groups[] = { &group_log, NULL };

static const struct client client = {
	.usage =
		"usage: dma-test [OPTION]... UUID [UUID]...\n"
		"       dma-test --hold UUID\n"
		"       dma-test --poke PCI-ADDRESS DMA-ADDRESS\n"
		"\n"
		"A UUID of an mvgpu-edu vGPU may be a sysfs path. The last one may be of a vGPU with\n"
		"a BAR 0 that can be mapped.\n",
	.options =
		"  --hang           only the tests for mvgpu-edu built with CONFIG_MVGPU_TEST_HANG\n"
		"  --log            only the tests of DMA logging, which not every kernel has\n"
		"  --hold           copy until killed\n"
		"  --poke           let the physical engine read from a DMA address\n",
	.seconds = "the tests load and race run",
	.timeout = 120,
	.actions = {
		{ .groups = groups, .nr = 1 },
		{ "hang", .groups = hang_groups, .nr = 1 },
		{ "log", .groups = log_groups, .nr = 1 },
		{ "hold", .run = hold, .nr = 1 },
		{ "poke", .run = poke, .nr = 2 },
	},
};

int main(int argc, char **argv)
{
	return run_client(&client, argc, argv);
}
