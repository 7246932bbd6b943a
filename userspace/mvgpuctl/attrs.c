// SPDX-License-Identifier: MIT
/*
 * Owns struct attr, the table of what the kernel shows of parents and vGPUs in their folders
 * mvgpu/, which every command goes by; and struct value, one of them as it was read.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mvgpuctl.h"

#define FOLDER "mvgpu/"
#define EVENTS (ATTR_VGPU | ATTR_EVENTS)

const struct attr attrs[] = {
	{ "foreground", ATTR_PARENT | ATTR_SET, UNIT_UUID, 0, 0,
	  "vGPU that the physical screen shows, or none" },
	{ "memory", ATTR_PARENT | ATTR_SET, UNIT_BYTES, 0, ULLONG_MAX,
	  "memory that all vGPUs may own together" },
	{ "foreground", ATTR_VGPU | ATTR_SET, UNIT_BOOL, 0, 1, "the physical screen shows it" },
	{ "mode", ATTR_VGPU, UNIT_TEXT, 0, 0, "what its head shows" },
	{ "vram", ATTR_VGPU, UNIT_BYTES, 0, 0, "its memory" },
	{ "weight", ATTR_VGPU | ATTR_SET, UNIT_COUNT, 1, 10000, "its share of the GPU's time" },
	{ "commands", EVENTS, UNIT_COUNT, 0, 0, "commands executed" },
	{ "bytes", EVENTS, UNIT_BYTES, 0, 0, "guest memory read and written for them" },
	{ "busy", EVENTS, UNIT_NS, 0, 0, "time that the GPU has spent on it" },
	{ "exits", EVENTS, UNIT_COUNT, 0, 0, "trapped accesses" },
	{ "interrupts", EVENTS, UNIT_COUNT, 0, 0, "interrupts delivered" },
	{ "pinned", ATTR_VGPU, UNIT_PAGES, 0, 0, "guest memory that the GPU has been given" },
	{ "quota", ATTR_VGPU | ATTR_SET | ATTR_MAX, UNIT_PAGES, 0, LONG_MAX,
	  "most that may be pinned" },
	{ "cache", ATTR_VGPU | ATTR_SET, UNIT_PAGES, 0, LONG_MAX,
	  "most that may stay pinned idle" },
	{ "idle", ATTR_VGPU, UNIT_PAGES, 0, 0, "pinned and idle" },
	{ "quarantined", ATTR_VGPU, UNIT_PAGES, 0, 0, "waits for the hardware to be quiet" },
	{ "quarantines", EVENTS, UNIT_COUNT, 0, 0, "pages that ever had to wait" },
	{ "maps", EVENTS, UNIT_COUNT, 0, 0, "guest buffers mapped" },
	{ "hits", EVENTS, UNIT_COUNT, 0, 0, "pages of them that were pinned already" },
	{ "misses", EVENTS, UNIT_COUNT, 0, 0, "pages of them that had to be pinned" },
	{ "revokes", EVENTS, UNIT_COUNT, 0, 0, "buffers given up for the VMM took them back" },
	{ "errors", EVENTS, UNIT_KINDS, 0, 0, "mappings refused, by kind" },
};

const unsigned int num_attrs = ARRAY_SIZE(attrs);

/**
 * attr_find() - an attribute by its name
 * @name: the name
 * @of: ATTR_PARENT or ATTR_VGPU
 *
 * Return: the attribute, or NULL.
 */
const struct attr *attr_find(const char *name, unsigned int of)
{
	unsigned int i;

	for (i = 0; i < num_attrs; i++)
		if ((attrs[i].flags & of) && !strcmp(attrs[i].name, name))
			return &attrs[i];
	return NULL;
}

/* The sum of lines of a kind and a count each */
static unsigned long long sum_kinds(const char *text)
{
	unsigned long long sum = 0, count;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (sscanf(text, "%*s %llu", &count) == 1)
			sum += count;
	}
	return sum;
}

/**
 * attr_get() - read an attribute
 * @path: folder of the parent or vGPU
 * @attr: the attribute
 * @value: takes it, for value_free()
 *
 * Return: whether it is there: most are only where they make sense.
 */
bool attr_get(const char *path, const struct attr *attr, struct value *value)
{
	char *name = format(FOLDER "%s", attr->name);

	*value = (struct value){ .text = sysfs_read(path, name) };
	free(name);
	if (!value->text)
		return false;
	if (attr->unit == UNIT_KINDS)
		value->number = sum_kinds(value->text);
	else if ((attr->flags & ATTR_MAX) && !strcmp(value->text, "max"))
		value->unlimited = true;
	else
		value->number = strtoull(value->text, NULL, 10);
	return true;
}

void value_free(struct value *value)
{
	free(value->text);
	value->text = NULL;
}

static json_object *kinds_json(const char *text)
{
	json_object *kinds = must_have(json_object_new_object());
	unsigned long long count;
	char kind[32];

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (sscanf(text, "%31s %llu", kind, &count) == 2)
			json_object_object_add(kinds, kind,
					       must_have(json_object_new_uint64(count)));
	}
	return kinds;
}

/**
 * attr_json() - a value as JSON
 * @attr: the attribute
 * @value: its value
 *
 * Return: a number in the kernel's own unit, a boolean, a string, or an object of numbers;
 * NULL, which is null, for no limit and for no vGPU.
 */
json_object *attr_json(const struct attr *attr, const struct value *value)
{
	switch (attr->unit) {
	case UNIT_BOOL:
		return must_have(json_object_new_boolean(value->number));
	case UNIT_TEXT:
		return json_text(value->text);
	case UNIT_UUID:
		return strcmp(value->text, "none") ? json_text(value->text) : NULL;
	case UNIT_KINDS:
		return kinds_json(value->text);
	default:
		if (value->unlimited)
			return NULL;
		return must_have(json_object_new_uint64(value->number));
	}
}

/* All attributes that a parent or vGPU has, as an object */
json_object *attrs_json(const char *path, unsigned int of)
{
	json_object *all = must_have(json_object_new_object());
	struct value value;
	unsigned int i;

	for (i = 0; i < num_attrs; i++) {
		if (!(attrs[i].flags & of) || !attr_get(path, &attrs[i], &value))
			continue;
		json_object_object_add(all, attrs[i].name, attr_json(&attrs[i], &value));
		value_free(&value);
	}
	return all;
}

/**
 * human_size() - bytes for people to read
 * @bytes: how many
 *
 * Return: as in "1.5 MiB", for free().
 */
char *human_size(unsigned long long bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = bytes;
	unsigned int i;

	for (i = 0; size >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		size /= 1024;
	return format(size == (unsigned long long)size ? "%.0f %s" : "%.1f %s", size, units[i]);
}

/* As in "quota 3, other 1": only what has happened */
static char *human_kinds(const char *text)
{
	char *all = format("%s", ""), *more;
	unsigned long long count;
	char kind[32];

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (sscanf(text, "%31s %llu", kind, &count) != 2 || !count)
			continue;
		more = format("%s%s%s %llu", all, *all ? ", " : "", kind, count);
		free(all);
		all = more;
	}
	if (*all)
		return all;
	free(all);
	return format("none");
}

/**
 * attr_human() - a value for people to read
 * @attr: the attribute
 * @value: its value
 *
 * Return: a text, for free().
 */
char *attr_human(const struct attr *attr, const struct value *value)
{
	char *size, *text;

	if (attr->unit == UNIT_BOOL)
		return format("%s", value->number ? "yes" : "no");
	if (attr->unit == UNIT_KINDS)
		return human_kinds(value->text);
	if (attr->unit == UNIT_NS)
		return format("%.3f s", value->number / 1e9);
	if (value->unlimited || (attr->unit != UNIT_BYTES && attr->unit != UNIT_PAGES))
		return format("%s", value->text);
	size = human_size(value->number * (attr->unit == UNIT_PAGES ? sysconf(_SC_PAGESIZE) : 1));
	text = attr->unit == UNIT_PAGES ? format("%llu pages, %s", value->number, size) :
					  format("%s", size);
	free(size);
	return text;
}

static enum status bad_value(const struct attr *attr, const char *text, const char *should)
{
	fail(ST_USAGE, "%s=%s: not %s", attr->name, text, should);
	advise("mvgpuctl help set");
	return ST_USAGE;
}

/* A number, with K, M, G or T where it is a size */
static bool parse_size(const char *text, bool sizes, unsigned long long *number, bool *suffix)
{
	static const char suffixes[] = "KMGT";
	unsigned int shift = 0;
	const char *s;
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-' || *text == '+')
		return false;
	s = sizes && *end ? strchr(suffixes, *end) : NULL;
	*suffix = s;
	if (s) {
		shift = 10 * (s - suffixes + 1);
		end++;
		if (!strcmp(end, "iB"))
			end += 2;
	}
	if (*end || *number << shift >> shift != *number)
		return false;
	*number <<= shift;
	return true;
}

static enum status parse_number_of(const struct attr *attr, const char *text, char **value)
{
	bool sizes = attr->unit == UNIT_BYTES || attr->unit == UNIT_PAGES, suffix = false;
	const unsigned long page = sysconf(_SC_PAGESIZE);
	unsigned long long number;
	char *should = NULL;

	if ((attr->flags & ATTR_MAX) && !strcmp(text, "max")) {
		*value = format("max");
		return ST_OK;
	}
	if (parse_size(text, sizes, &number, &suffix)) {
		/* a little more than was wanted rather than 0, which means something else */
		if (suffix && attr->unit == UNIT_PAGES)
			number = number / page + !!(number % page);
		if (number >= attr->min && number <= attr->max) {
			*value = format("%llu", number);
			return ST_OK;
		}
	}
	if (sizes)
		bad_value(attr, text, attr->unit == UNIT_BYTES ?
			  "a number of bytes, or a size like 512M" :
			  attr->flags & ATTR_MAX ? "a number of pages, a size like 64M, or max" :
			  "a number of pages, or a size like 64M");
	else
		should = format("a number from %llu to %llu", attr->min, attr->max);
	if (should)
		bad_value(attr, text, should);
	free(should);
	return ST_USAGE;
}

static enum status parse_bool(const struct attr *attr, const char *text, char **value)
{
	static const char *const words[] = { "0", "1", "no", "yes", "off", "on" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], text))
			continue;
		*value = format("%u", i % 2);
		return ST_OK;
	}
	return bad_value(attr, text, "yes or no");
}

static enum status parse_uuid(const struct host *h, const char *text, char **value)
{
	const struct vgpu *v;
	enum status status;

	if (!strcmp(text, "none")) {
		*value = format("none");
		return ST_OK;
	}
	status = find_vgpu(h, text, &v);
	if (!status)
		*value = format("%s", v->uuid);
	return status;
}

/**
 * attr_parse() - turn what an operator wants into what the kernel takes
 * @h: the host
 * @attr: the attribute, one with ATTR_SET
 * @text: what was typed
 * @value: takes the text to write, for free()
 *
 * Return: ST_OK, or ST_USAGE or ST_NOT_FOUND, which has been said.
 */
enum status attr_parse(const struct host *h, const struct attr *attr, const char *text,
		       char **value)
{
	switch (attr->unit) {
	case UNIT_BOOL:
		return parse_bool(attr, text, value);
	case UNIT_UUID:
		return parse_uuid(h, text, value);
	default:
		return parse_number_of(attr, text, value);
	}
}

/**
 * attr_write() - set an attribute
 * @path: folder of the parent or vGPU
 * @attr: the attribute
 * @value: what attr_parse() or attr_get() gave
 *
 * Return: 0 or a negative errno.
 */
int attr_write(const char *path, const struct attr *attr, const char *value)
{
	char *name = format(FOLDER "%s", attr->name);
	int ret = sysfs_write(path, name, value);

	free(name);
	return ret;
}
