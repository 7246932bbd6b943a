// SPDX-License-Identifier: MIT
/*
 * Owns what mvgpuctl says: errors with the next command to type, on stderr; JSON on stdout;
 * colours, on a terminal only; and the status that it ends with.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mvgpuctl.h"

static bool json;
static bool json_printed;
static char *message;
static char *advice;
static char *where;

/**
 * say_json() - from now on, results and errors are JSON on stdout
 */
void say_json(void)
{
	json = true;
}

bool saying_json(void)
{
	return json;
}

/**
 * must_have() - end the program if there is no memory
 * @memory: what an allocating function has returned
 *
 * Return: @memory.
 */
void *must_have(void *memory)
{
	if (memory)
		return memory;
	fputs("mvgpuctl: out of memory\n", stderr);
	exit(ST_FAILURE);
}

static char *vformat(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	return must_have(text);
}

/**
 * format() - printf() into a string
 * @fmt: as of printf()
 *
 * Return: the string, for free().
 */
char *format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vformat(fmt, ap);
	va_end(ap);
	return text;
}

/**
 * say_where() - what the next errors start with, until it is called again
 * @fmt: the place of what is wrong, or NULL for none
 */
void say_where(const char *fmt, ...)
{
	va_list ap;

	free(where);
	where = NULL;
	if (!fmt)
		return;
	va_start(ap, fmt);
	where = vformat(fmt, ap);
	va_end(ap);
}

static void complain(const char *text)
{
	const bool red = isatty(STDERR_FILENO) && *paint(RED);

	fprintf(stderr, "%smvgpuctl:%s %s\n", red ? "\033[31m" : "", red ? "\033[0m" : "", text);
}

/**
 * fail() - say what went wrong
 * @status: what the program is to end with
 * @fmt: a sentence that names the vGPU or the parent
 *
 * Return: @status.
 */
enum status fail(enum status status, const char *fmt, ...)
{
	va_list ap;
	char *text;

	free(message);
	free(advice);
	advice = NULL;
	va_start(ap, fmt);
	text = vformat(fmt, ap);
	va_end(ap);
	message = format("%s%s%s", where ? where : "", where ? ": " : "", text);
	free(text);
	complain(message);
	return status;
}

/**
 * status_of() - the status that belongs to an errno
 * @err: the errno, of either sign
 *
 * Return: the status.
 */
enum status status_of(int err)
{
	switch (abs(err)) {
	case ENOENT:
	case ENODEV:
		return ST_NOT_FOUND;
	case EBUSY:
	case ENOSPC:
	case EEXIST:
		return ST_BUSY;
	case EPERM:
	case EACCES:
		return ST_PERMISSION;
	default:
		return ST_REFUSED;
	}
}

/**
 * fail_errno() - say what the kernel refused
 * @err: an errno, of either sign
 * @fmt: what was tried
 *
 * Return: the status that belongs to @err.
 */
enum status fail_errno(int err, const char *fmt, ...)
{
	enum status status;
	va_list ap;
	char *what;

	va_start(ap, fmt);
	what = vformat(fmt, ap);
	va_end(ap);
	status = fail(status_of(err), "%s: %s", what, strerror(abs(err)));
	free(what);
	if (status == ST_PERMISSION && geteuid())
		advise("run it as root, say with sudo");
	return status;
}

/**
 * advise() - say what to do about the error that was said last
 * @fmt: an advice, best a command to type
 */
void advise(const char *fmt, ...)
{
	va_list ap;

	free(advice);
	va_start(ap, fmt);
	advice = vformat(fmt, ap);
	va_end(ap);
	inform("-> %s", advice);
}

/**
 * inform() - say something by the way
 * @fmt: as of printf()
 */
void inform(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = vformat(fmt, ap);
	va_end(ap);
	complain(text);
	free(text);
}

/**
 * explain_refusal() - add what the kernel has logged since klog_mark()
 * @who: a UUID or an address that its line names
 * @end: what is said after this belongs to something else; or NULL
 */
void explain_refusal(const char *who, const char *end)
{
	char *reason = klog_reason(who, end);

	if (reason)
		advise("the kernel says: %s", reason);
	free(reason);
}

/**
 * print_json() - print a result
 * @root: an object, which is freed
 *
 * Return: ST_OK, or ST_FAILURE if stdout takes no more.
 */
enum status print_json(json_object *root)
{
	json_object_object_add(root, "schema", must_have(json_object_new_int(1)));
	json_printed = true;
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
	return fflush(stdout) ? ST_FAILURE : ST_OK;
}

/**
 * finish() - the last words
 * @status: how it went
 *
 * Return: @status, or ST_FAILURE if what was printed got lost.
 */
enum status finish(enum status status)
{
	json_object *root, *error;

	if (json && !json_printed && status) {
		root = must_have(json_object_new_object());
		error = must_have(json_object_new_object());
		json_object_object_add(error, "status", json_object_new_int(status));
		json_object_object_add(error, "message", json_text(message));
		json_object_object_add(error, "advice", json_text(advice));
		json_object_object_add(root, "error", error);
		print_json(root);
	}
	free(message);
	free(advice);
	free(where);
	if (fflush(stdout) || ferror(stdout)) {
		complain("the output can't be written");
		return status ? status : ST_FAILURE;
	}
	return status;
}

/**
 * paint() - what switches a terminal to a colour
 * @as: PLAIN to switch back
 *
 * Return: an escape sequence; nothing unless stdout is a terminal that wants colours.
 */
const char *paint(enum colour as)
{
	static const char *const codes[] = {
		[PLAIN] = "\033[0m",
		[BOLD] = "\033[1m",
		[RED] = "\033[31m",
		[GREEN] = "\033[32m",
		[YELLOW] = "\033[33m",
	};
	const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");

	if (!isatty(STDOUT_FILENO) || !term || !strcmp(term, "dumb") ||
	    (no_colour && *no_colour))
		return "";
	return codes[as];
}
