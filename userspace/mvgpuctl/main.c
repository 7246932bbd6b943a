// SPDX-License-Identifier: MIT
/* Owns the table of commands, and finds the one that was meant. */
#include <stdio.h>
#include <string.h>

#include "main.h"

const struct command *const commands[] = {
	&cmd_list, &cmd_show, &cmd_create, &cmd_remove, &cmd_set, &cmd_adopt, &cmd_release,
	&cmd_top, &cmd_screenshot, &cmd_doctor, &cmd_complete,
};

const unsigned int num_commands = ARRAY_SIZE(commands);

const struct command *command_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < num_commands; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static enum status no_command(const char *name)
{
	struct nearest nearest = { .wanted = name };
	unsigned int i;

	fail(ST_USAGE, "there is no command %s", name);
	for (i = 0; i < num_commands; i++)
		nearest_try(&nearest, commands[i]->name);
	nearest_advise(&nearest, "mvgpuctl help");
	return ST_USAGE;
}

static void print_help(void)
{
	unsigned int i;

	puts("usage: mvgpuctl COMMAND [OPTION]... [ARGUMENT]...\n\n"
	     "Shares physical GPUs: makes them parents, creates, changes and watches their vGPUs.\n");
	for (i = 0; i < num_commands; i++)
		printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
	printf("  %-12s %s\n\n", "help", "this, or what a command does and takes");
	puts("Most commands have --json. Ends with 0, or 1 wrong usage, 2 not found, 3 busy,\n"
	     "4 no permission, 5 the kernel refused, 6 something is missing, 7 no output.");
}

static enum status help(const char *name)
{
	const struct command *cmd = name ? command_named(name) : NULL;

	if (name && !cmd)
		return no_command(name);
	if (cmd)
		command_help(cmd);
	else
		print_help();
	return ST_OK;
}

static bool is_json(const char *arg)
{
	return !strcmp(arg, "--json") || !strcmp(arg, "-j");
}

/* Errors are JSON wherever it is asked for, also those that come before */
static void look_for_json(char **argv)
{
	for (; *argv && strcmp(*argv, "--"); argv++)
		if (is_json(*argv))
			say_json();
}

static enum status run(int argc, char **argv)
{
	const struct command *cmd;

	look_for_json(argv);
	if (argc > 1 && is_json(argv[1])) {
		argc--;
		argv++;
	}
	if (argc < 2) {
		fail(ST_USAGE, "no command is given");
		advise("mvgpuctl help");
		return ST_USAGE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(argv[2]);
	cmd = command_named(argv[1]);
	if (!cmd)
		return no_command(argv[1]);
	return cmd->run(cmd, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	return finish(run(argc, argv));
}
