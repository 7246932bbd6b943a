// SPDX-License-Identifier: MIT
/*
 * Owns struct command and struct opt: reads the options of a command, those that all have
 * among them, and prints its help.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mvgpuctl.h"

#define OPT_LIMIT 16

static const struct opt common[] = {
	{ 'j', "json", NULL, "print JSON, errors too" },
	{ 'h', "help", NULL, "this help" },
	{}
};

static void add_opts(const struct opt *opts, struct option *options, char *letters)
{
	unsigned int n = 0;

	while (options[n].name)
		n++;
	for (; opts->name && n < OPT_LIMIT; opts++, n++) {
		options[n] = (struct option){ opts->name,
					      opts->arg ? required_argument : no_argument, NULL,
					      opts->letter };
		letters += strlen(letters);
		*letters++ = opts->letter;
		if (opts->arg)
			*letters++ = ':';
		*letters = 0;
	}
}

/**
 * next_option() - read an option of a command
 * @cmd: the command
 * @argc: of main(), the command's name first
 * @argv: likewise; the arguments that are no options end up last, from optind on
 *
 * Return: its letter; OPT_END; OPT_HELP or OPT_BAD if option_status() is all that is left.
 */
int next_option(const struct command *cmd, int argc, char **argv)
{
	struct option options[OPT_LIMIT + 1] = {};
	char letters[2 * OPT_LIMIT + 2] = ":";
	int letter;

	add_opts(common, options, letters);
	add_opts(cmd->opts, options, letters);
	for (;;) {
		letter = getopt_long(argc, argv, letters, options, NULL);
		if (letter == 'j')
			say_json();
		else
			break;
	}
	if (letter == ':') {
		usage(cmd, "%s needs an argument", argv[optind - 1]);
		return OPT_BAD;
	}
	/* the letter, but of --name=ARGUMENT where none is taken */
	if (letter == '?' && optopt && !strchr(letters, optopt))
		usage(cmd, "there is no option -%c", optopt);
	else if (letter == '?')
		usage(cmd, "there is no option %s", argv[optind - 1]);
	if (letter == 'h')
		command_help(cmd);
	return letter;
}

/**
 * option_status() - how a command ends whose options were not all read
 * @letter: OPT_HELP or OPT_BAD
 *
 * Return: the status.
 */
enum status option_status(int letter)
{
	return letter == OPT_HELP ? ST_OK : ST_USAGE;
}

/**
 * usage() - a command line is wrong
 * @cmd: the command
 * @fmt: what is wrong with it
 *
 * Return: ST_USAGE.
 */
enum status usage(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	fail(ST_USAGE, "%s: %s", cmd->name, (char *)must_have(text));
	free(text);
	advise("mvgpuctl help %s", cmd->name);
	return ST_USAGE;
}

static void print_opts(const struct opt *opts)
{
	for (; opts->name; opts++) {
		char *name = format("--%s%s%s", opts->name, opts->arg ? "=" : "",
				    opts->arg ? opts->arg : "");

		printf("  -%c, %-20s %s\n", opts->letter, name, opts->help);
		free(name);
	}
}

/**
 * command_help() - print what a command does and takes
 * @cmd: the command
 */
void command_help(const struct command *cmd)
{
	printf("usage: mvgpuctl %s [OPTION]...%s%s\n\n%s\n\n", cmd->name, *cmd->args ? " " : "",
	       cmd->args, cmd->help);
	print_opts(cmd->opts);
	print_opts(common);
}

/**
 * parse_number() - read a number that an option or a command takes
 * @cmd: the command
 * @what: what the number is called
 * @text: what was typed
 * @min: the least that makes sense
 * @max: the most that makes sense
 * @value: takes the number
 *
 * Return: ST_OK or ST_USAGE, which has been said.
 */
enum status parse_number(const struct command *cmd, const char *what, const char *text,
			 unsigned long min, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || *value < min || *value > max)
		return usage(cmd, "%s: '%s' is not a number from %lu to %lu", what, text, min,
			     max);
	return ST_OK;
}
