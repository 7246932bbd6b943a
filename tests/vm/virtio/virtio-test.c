// SPDX-License-Identifier: MIT
/*
 * virtio-test: drive mvgpu-virtio's vGPUs as a guest's driver would, and as none should, and
 * print TAP.
 */
#include <getopt.h>
#include <stdio.h>

#include "gpu.h"

static const struct group *const groups[] = {
	&group_command, &group_ring, &group_reset, &group_memory, &group_plane, NULL,
};

/* What must fail, for the others to mean anything */
static const struct group *const silent_groups[] = { &group_silent, NULL };

static const char usage[] =
	"usage: virtio-test [OPTION]... UUID NEIGHBOUR\n"
	"       virtio-test --flood SECONDS WIDTHxHEIGHT UUID\n"
	"       virtio-test --leisure SECONDS RATE UUID\n"
	"       virtio-test --hold UUID\n"
	"       virtio-test --lose FIRST,SECOND UUID\n"
	"\n"
	"A UUID of an mvgpu-virtio vGPU with a head may be a sysfs path.\n"
	"\n"
	"  --list           print the names of the tests and stop\n"
	"  --only PATTERN   only tests whose name contains PATTERN or matches it as a glob\n"
	"  --seconds N      how long tests that change things meanwhile do so (default 5)\n"
	"  --timeout N      when a test counts as hung (default 240 s)\n"
	"  --iommufd        open vGPUs through iommufd and their device files\n"
	"  --silent         only the test that fails: of a command that nobody hears of\n"
	"  --flood SECONDS  keep 32 large transfers queued; print how many were done\n"
	"  --leisure SECONDS\n"
	"                   update a small picture RATE times a second; print how often that\n"
	"                   was done and how long it took\n"
	"  --hold           show a picture until killed\n"
	"  --lose FIRST,SECOND\n"
	"                   show a picture of one colour until killed; at each SIGUSR1, take its\n"
	"                   memory away and paint it in the other, or bring it back\n"
	"  --help           print this\n";

int main(int argc, char **argv)
{
	enum { LIST, ONLY, SECONDS, TIMEOUT, IOMMUFD, SILENT, FLOOD, LEISURE, HOLD, LOSE, HELP };
	static const struct option options[] = {
		{ "list", no_argument, NULL, LIST },
		{ "only", required_argument, NULL, ONLY },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "iommufd", no_argument, NULL, IOMMUFD },
		{ "silent", no_argument, NULL, SILENT },
		{ "flood", required_argument, NULL, FLOOD },
		{ "leisure", required_argument, NULL, LEISURE },
		{ "hold", no_argument, NULL, HOLD },
		{ "lose", required_argument, NULL, LOSE },
		{ "help", no_argument, NULL, HELP },
		{ NULL, 0, NULL, 0 },
	};
	struct env env = { .seconds = 5, .timeout = 240 };
	const struct group *const *which = groups;
	const char *pattern = NULL, *what = NULL;
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
		case FLOOD:
		case LEISURE:
			mode = opt;
			env.seconds = strtoul(optarg, NULL, 10);
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
		case SILENT:
			which = silent_groups;
			break;
		case HOLD:
			mode = opt;
			break;
		case LOSE:
			mode = opt;
			what = optarg;
			break;
		case HELP:
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (mode == FLOOD || mode == LEISURE)
		what = optind < argc ? argv[optind++] : NULL;
	env.uuid = argv + optind;
	env.nr = argc - optind;
	if (!list && env.nr < (mode ? 1 : 2)) {
		fputs(usage, stderr);
		return 2;
	}
	if (mode == FLOOD)
		return flood(&env, what);
	if (mode == LEISURE)
		return leisure(&env, what);
	if (mode == HOLD)
		return hold_picture(&env);
	if (mode == LOSE)
		return lose_picture(&env, what);
	return run_tests(&env, which, pattern, list);
}
