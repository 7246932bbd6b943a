// SPDX-License-Identifier: MIT
/*
 * vfio-test: drive every ioctl and region of mvgpu's vGPUs through the kernel,
 * as a VMM would and as no VMM should, and print TAP.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

static const struct group *const groups[] = {
	&group_info, &group_config, &group_power, &group_regions, &group_mmap, &group_intx,
	&group_msi, &group_gfx, &group_lifecycle, &group_hostile, &group_stress, NULL,
};

static const char usage[] =
	"usage: vfio-test [OPTION]... BOCHS-UUID TEST-UUID [UUID]...\n"
	"\n"
	"A UUID may be a sysfs path. \"-\" skips the tests that need this vGPU.\n"
	"\n"
	"  --list           print the names of the tests and stop\n"
	"  --only PATTERN   only tests whose name contains PATTERN or matches it as a glob\n"
	"  --seconds N      how long each stress test runs (default 5)\n"
	"  --iommufd        open vGPUs through iommufd and their device files\n"
	"  --timeout N      when a test counts as hung (default 120 s)\n"
	"  --help           print this\n";

int main(int argc, char **argv)
{
	enum { LIST, ONLY, SECONDS, TIMEOUT, IOMMUFD, HELP };
	static const struct option options[] = {
		{ "list", no_argument, NULL, LIST },
		{ "only", required_argument, NULL, ONLY },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "iommufd", no_argument, NULL, IOMMUFD },
		{ "help", no_argument, NULL, HELP },
		{ NULL, 0, NULL, 0 },
	};
	struct env env = { .seconds = 5, .timeout = 120 };
	const char *pattern = NULL;
	bool list = false;
	int opt, ret;

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
	if (!list && env.nr < 2) {
		fputs(usage, stderr);
		return 2;
	}

	ret = run_tests(&env, groups, pattern, list);
	if (ret == 2)
		fprintf(stderr, "vfio-test: no test matches \"%s\"\n", pattern);
	return ret;
}
