// SPDX-License-Identifier: MIT
/* Owns the command complete: the words that a shell offers, a line each. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "main.h"
#include "mvgpuctl.h"

static void print_commands(void)
{
	unsigned int i;

	for (i = 0; i < num_commands; i++)
		if (commands[i] != &cmd_complete)
			puts(commands[i]->name);
	puts("help");
}

static void print_options(const char *name)
{
	const struct command *cmd = command_named(name);
	const struct opt *opt;

	for (opt = cmd ? cmd->opts : NULL; opt && opt->name; opt++)
		printf("--%s\n", opt->name);
	puts("--json\n--help");
}

/* Of the options, those that take an argument, in both forms */
static void print_takers(const char *name)
{
	const struct command *cmd = command_named(name);
	const struct opt *opt;

	for (opt = cmd ? cmd->opts : NULL; opt && opt->name; opt++)
		if (opt->arg)
			printf("-%c\n--%s\n", opt->letter, opt->name);
}

static void print_gpus(const struct host *h, bool parents, bool others)
{
	unsigned int i;

	for (i = 0; i < h->num_gpus; i++)
		if (h->gpus[i].parent ? parents : others)
			puts(h->gpus[i].address);
}

static void print_vgpus(const struct host *h)
{
	unsigned int i;

	for (i = 0; i < h->num_vgpus; i++)
		puts(vgpu_label(&h->vgpus[i]));
}

static void print_types(const struct host *h, const char *parent)
{
	const struct gpu *gpu = gpu_named(h, parent);
	unsigned int i;

	for (i = 0; gpu && i < gpu->num_types; i++)
		if (gpu->types[i].available)
			puts(gpu->types[i].id);
}

static void print_attributes(const struct host *h, const char *what)
{
	unsigned int i, of = gpu_named(h, what) ? ATTR_PARENT : ATTR_VGPU;

	for (i = 0; i < num_attrs; i++)
		if ((attrs[i].flags & of) && (attrs[i].flags & ATTR_SET))
			printf("%s=\n", attrs[i].name);
}

static enum status complete_run(const struct command *cmd, int argc, char **argv)
{
	const char *kind, *of;
	enum status status;
	struct host h;
	int letter = next_option(cmd, argc, argv);

	if (letter != OPT_END)
		return option_status(letter);
	if (argc - optind < 1 || argc - optind > 2)
		return usage(cmd, "name a kind of words");
	kind = argv[optind];
	of = argv[optind + 1] ? argv[optind + 1] : "";
	status = host_scan(&h, NULL);
	if (!strcmp(kind, "commands"))
		print_commands();
	else if (!strcmp(kind, "options"))
		print_options(of);
	else if (!strcmp(kind, "takers"))
		print_takers(of);
	else if (!strcmp(kind, "gpus"))
		print_gpus(&h, false, true);
	else if (!strcmp(kind, "parents"))
		print_gpus(&h, true, false);
	else if (!strcmp(kind, "vgpus"))
		print_vgpus(&h);
	else if (!strcmp(kind, "types"))
		print_types(&h, of);
	else if (!strcmp(kind, "attributes"))
		print_attributes(&h, of);
	else
		status = usage(cmd, "there is no kind %s", kind);
	host_free(&h);
	return status;
}

static const struct opt complete_opts[] = { {} };

const struct command cmd_complete = {
	.name = "complete",
	.args = "commands|options|takers|gpus|parents|vgpus|types|attributes [OF]",
	.summary = "words for a shell's completion",
	.help =
		"Prints what could be typed: options of a command, those of them that take an\n"
		"argument, types of a parent, attributes of a parent or vGPU.",
	.opts = complete_opts,
	.run = complete_run,
};
