// SPDX-License-Identifier: MIT
/*
 * dma-test: drive the copy engines of mvgpu-edu's vGPUs as a VMM and its guest would, and
 * as no guest should, and print TAP.
 */
#include <getopt.h>
#include <stdio.h>

#include "engine.h"

static const struct group *const groups[] = {
	&group_copy, &group_edge, &group_hostile, &group_unmap, &group_two, &group_load,
	&group_race, NULL,
};

/* What an ordinary build fails */
static const struct group *const hang_groups[] = { &group_quarantine, NULL };

/* What a kernel without VFIO's log of DMA fails */
static const struct group *const log_groups[] = { &group_log, NULL };

static const char usage[] =
	"usage: dma-test [OPTION]... UUID [UUID]...\n"
	"       dma-test --hold UUID\n"
	"       dma-test --poke PCI-ADDRESS DMA-ADDRESS\n"
	"\n"
	"A UUID of an mvgpu-edu vGPU may be a sysfs path. The last one may be of a vGPU with\n"
	"a BAR 0 that can be mapped.\n"
	"\n"
	"  --list           print the names of the tests and stop\n"
	"  --only PATTERN   only tests whose name contains PATTERN or matches it as a glob\n"
	"  --seconds N      how long the tests load and race run (default 5)\n"
	"  --timeout N      when a test counts as hung (default 120 s)\n"
	"  --iommufd        open vGPUs through iommufd and their device files\n"
	"  --hang           only the tests for mvgpu-edu built with CONFIG_MVGPU_TEST_HANG\n"
	"  --log            only the tests of DMA logging, which not every kernel has\n"
	"  --hold           copy until killed\n"
	"  --poke           let the physical engine read from a DMA address\n"
	"  --help           print this\n";

int main(int argc, char **argv)
{
	enum { LIST, ONLY, SECONDS, TIMEOUT, IOMMUFD, HANG, LOG, HOLD, POKE, HELP };
	static const struct option options[] = {
		{ "list", no_argument, NULL, LIST },
		{ "only", required_argument, NULL, ONLY },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "iommufd", no_argument, NULL, IOMMUFD },
		{ "hang", no_argument, NULL, HANG },
		{ "log", no_argument, NULL, LOG },
		{ "hold", no_argument, NULL, HOLD },
		{ "poke", no_argument, NULL, POKE },
		{ "help", no_argument, NULL, HELP },
		{ NULL, 0, NULL, 0 },
	};
	struct env env = { .seconds = 5, .timeout = 120 };
	const struct group *const *which = groups;
	const char *pattern = NULL;
	bool list = false;
	int opt, mode = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case LIST:
			list = true;
			break;
		case ONLY:
			pattern = optarg;
			break;
		case SECONDS:
			env.seconds = strtoul(optarg, NULL, 10);
			break;
		case TIMEOUT:
			env.timeout = strtoul(optarg, NULL, 10);
			break;
		case IOMMUFD:
			env.iommufd = true;
			break;
		case HANG:
			which = hang_groups;
			break;
		case LOG:
			which = log_groups;
			break;
		case HOLD:
		case POKE:
			mode = opt;
			break;
		case HELP:
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	env.uuid = argv + optind;
	env.nr = argc - optind;
	if (!list && env.nr < (mode == POKE ? 2 : 1)) {
		fputs(usage, stderr);
		return 2;
	}
	if (mode == HOLD)
		return hold(&env);
	if (mode == POKE)
		return poke(env.uuid[0], env.uuid[1]);
	return run_tests(&env, which, pattern, list);
}
