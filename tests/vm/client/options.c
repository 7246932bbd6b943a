// SPDX-License-Identifier: MIT
/*
 * Owns the command line: what all clients understand, and what one of them adds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

static void print_usage(FILE *to, const struct client *client)
{
	fputs(client->usage, to);
	fprintf(to,
		"\n"
		"  --list           print the names of the tests and stop\n"
		"  --only PATTERN   only tests whose name contains PATTERN or matches it as a glob\n"
		"  --seconds N      how long %s (default 5)\n"
		"  --timeout N      when a test counts as hung (default %u s)\n"
		"  --iommufd        open vGPUs through iommufd and their device files\n",
		client->seconds, client->timeout);
	fprintf(to, "%s  --help           print this\n", client->options ?: "");
}

/**
 * run_client() - do what the command line asks for
 * @client: who understands it
 * @argc: main's
 * @argv: main's
 *
 * Return: an exit status.
 */
int run_client(const struct client *client, int argc, char **argv)
{
	enum { LIST, ONLY, SECONDS, TIMEOUT, IOMMUFD, HELP, OWN };
	struct option options[OWN + MAX_ACTIONS] = {
		{ "list", no_argument, NULL, LIST },
		{ "only", required_argument, NULL, ONLY },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "iommufd", no_argument, NULL, IOMMUFD },
		{ "help", no_argument, NULL, HELP },
	};
	const struct action *action = client->actions;
	struct env env = { .seconds = 5, .timeout = client->timeout };
	const char *pattern = NULL;
	bool list = false;
	int opt, ret;

	/* actions[0] needs no option */
	for (opt = OWN; action[opt - HELP].option; opt++)
		options[opt] = (struct option){
			action[opt - HELP].option, action[opt - HELP].has_arg, NULL, opt,
		};
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
			print_usage(stdout, client);
			return 0;
		case '?':
			print_usage(stderr, client);
			return 2;
		default:
			action = &client->actions[opt - HELP];
			env.arg = optarg;
		}
	}
	env.uuid = argv + optind;
	env.nr = argc - optind;
	if (env.nr < action->nr && (!list || action->run)) {
		print_usage(stderr, client);
		return 2;
	}
	if (action->run)
		return action->run(&env);

	ret = run_tests(&env, action->groups, pattern, list);
	if (ret == 2)
		fprintf(stderr, "%s: no test matches \"%s\"\n", program_invocation_short_name,
			pattern);
	return ret;
}
