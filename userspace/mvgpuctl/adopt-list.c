// SPDX-License-Identifier: MIT
/*
 * Owns struct adopt_list: the GPUs that an operator's file lists for adoption. Each line is
 * a PCI address and a vendor driver; what follows a # is a comment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mvgpuctl.h"

#define BLANKS " \t\r\n"

/* As sysfs has it, for free(); NULL if it is no PCI address */
static char *full_address(const char *text)
{
	unsigned int domain = 0, bus, slot, function;
	char *address;

	if (sscanf(text, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4) {
		domain = 0;
		if (sscanf(text, "%x:%x.%x", &bus, &slot, &function) != 3)
			return NULL;
	}
	if (bus > 0xff || slot > 0x1f || function > 7)
		return NULL;
	address = format("%04x:%02x:%02x.%u", domain, bus, slot, function);
	if (!strcasecmp(address, text) ||
	    (!domain && !strcasecmp(strchr(address, ':') + 1, text)))
		return address;
	free(address);
	return NULL;
}

static enum status wrong_line(const struct adopt_list *list)
{
	advise("correct it; then mvgpuctl adopt --list=%s", list->path);
	return ST_USAGE;
}

static enum status add_line(struct adopt_list *list, unsigned int line, char *text,
			    const char *only)
{
	char *typed = strtok(text, BLANKS), *driver = strtok(NULL, BLANKS);
	char *address = typed ? full_address(typed) : NULL;
	struct listed *gpu;

	if (!typed || (only && (!address || strcmp(address, only)))) {
		free(address);
		return ST_OK;
	}
	if (!address) {
		fail(ST_USAGE, "'%s' is no PCI address, such as 0000:00:02.0", typed);
		return wrong_line(list);
	}
	list->gpus = must_have(reallocarray(list->gpus, list->num + 1, sizeof(*list->gpus)));
	gpu = &list->gpus[list->num++];
	*gpu = (struct listed){ .line = line, .address = address };
	if (!driver) {
		fail(ST_USAGE, "%s: no vendor driver follows it", address);
	} else if (strtok(NULL, BLANKS)) {
		fail(ST_USAGE, "%s: something follows the vendor driver %s", address, driver);
	} else {
		gpu->driver = must_have(strdup(driver));
		return ST_OK;
	}
	return wrong_line(list);
}

static void forget_driver(struct listed *gpu)
{
	free(gpu->driver);
	gpu->driver = NULL;
}

/* Of a GPU that is there twice, nobody knows which line is meant */
static enum status drop_doubles(struct adopt_list *list)
{
	enum status status = ST_OK;
	struct listed *a, *b;

	for (b = list->gpus; b < list->gpus + list->num; b++) {
		for (a = list->gpus; a < b && strcmp(a->address, b->address); a++)
			;
		if (a == b)
			continue;
		say_where("%s line %u", list->path, b->line);
		fail(ST_USAGE, "%s: line %u lists it already", b->address, a->line);
		status = wrong_line(list);
		forget_driver(a);
		forget_driver(b);
	}
	say_where(NULL);
	return status;
}

/**
 * adopt_list_read() - read which GPUs are to be adopted
 * @list: takes them, for adopt_list_free()
 * @path: the file; outlives @list
 * @gpu: the address of the only one that matters, or NULL for all
 *
 * Return: ST_OK, or what is wrong with a line or the file, which has been said.
 */
enum status adopt_list_read(struct adopt_list *list, const char *path, const char *gpu)
{
	char *only = gpu ? full_address(gpu) : NULL, *text = NULL;
	enum status status = ST_OK, wrong;
	unsigned int line = 0;
	size_t size = 0;
	FILE *file;

	*list = (struct adopt_list){ .path = path };
	if (gpu && !only)
		return fail(ST_USAGE, "'%s' is no PCI address, which --list takes", gpu);
	file = fopen(path, "re");
	if (!file) {
		free(only);
		return fail_errno(errno, "reading %s", path);
	}
	while (getline(&text, &size, file) > 0) {
		say_where("%s line %u", path, ++line);
		text[strcspn(text, "#")] = 0;
		wrong = add_line(list, line, text, only);
		status = wrong ? wrong : status;
	}
	say_where(NULL);
	if (ferror(file))
		status = fail_errno(errno, "reading %s", path);
	fclose(file);
	free(text);
	free(only);
	wrong = drop_doubles(list);
	return wrong ? wrong : status;
}

void adopt_list_free(struct adopt_list *list)
{
	while (list->num) {
		struct listed *gpu = &list->gpus[--list->num];

		free(gpu->address);
		free(gpu->driver);
	}
	free(list->gpus);
}
