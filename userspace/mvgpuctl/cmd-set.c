// SPDX-License-Identifier: MIT
/*
 * Owns the command set. All values are checked before the first is written, and if the
 * kernel refuses one, those before it are put back.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "mvgpuctl.h"

#define MAX_CHANGES 32

struct change {
	const struct attr *attr;
	char *value;
	char *before;
};

/**
 * struct changes - what to change
 * @path: the parent's or vGPU's folder
 * @label: what messages call it
 * @of: ATTR_PARENT or ATTR_VGPU
 * @change: attribute by attribute
 * @count: how many there are
 */
struct changes {
	const char *path;
	const char *label;
	unsigned int of;
	struct change change[MAX_CHANGES];
	unsigned int count;
};

static enum status no_such_attr(const struct changes *c, const char *name, bool known)
{
	struct nearest nearest = { .wanted = name };
	unsigned int i;

	fail(ST_NOT_FOUND, "%s %s: %s %s", c->of == ATTR_VGPU ? "vGPU" : "parent", c->label,
	     known ? "it can't be given an attribute" : "it has no attribute", name);
	for (i = 0; i < num_attrs && !known; i++)
		if ((attrs[i].flags & c->of) && (attrs[i].flags & ATTR_SET))
			nearest_try(&nearest, attrs[i].name);
	nearest_advise(&nearest, "'mvgpuctl help set' tells what can be set");
	return ST_NOT_FOUND;
}

static enum status add_change(const struct command *cmd, const struct host *h,
			      struct changes *c, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	struct change *change = &c->change[c->count];
	struct value before = {};
	enum status status;
	char *name;

	if (!equals || equals == assignment)
		return usage(cmd, "'%s' is not of the form ATTRIBUTE=VALUE", assignment);
	if (c->count == MAX_CHANGES)
		return usage(cmd, "too much at once");
	name = must_have(strndup(assignment, equals - assignment));
	change->attr = attr_find(name, c->of);
	if (!change->attr || !(change->attr->flags & ATTR_SET))
		status = no_such_attr(c, name, change->attr);
	else if (!attr_get(c->path, change->attr, &before))
		status = no_such_attr(c, name, true);
	else
		status = attr_parse(h, change->attr, equals + 1, &change->value);
	free(name);
	if (!status) {
		change->before = before.text;
		c->count++;
	} else {
		value_free(&before);
	}
	return status;
}

static enum status apply(const struct changes *c)
{
	unsigned int i;
	enum status status;
	int ret = 0;

	klog_mark();
	for (i = 0; i < c->count && !ret; i++)
		ret = attr_write(c->path, c->change[i].attr, c->change[i].value);
	if (!ret)
		return ST_OK;
	i--;
	status = fail_errno(ret, "%s %s: %s=%s", c->of == ATTR_VGPU ? "vGPU" : "parent", c->label,
			    c->change[i].attr->name, c->change[i].value);
	explain_refusal(c->label, NULL);
	while (i--)
		if (attr_write(c->path, c->change[i].attr, c->change[i].before))
			inform("%s: %s can't be put back to %s", c->label,
			       c->change[i].attr->name, c->change[i].before);
	return status;
}

static enum status find_target(const struct host *h, const char *what, struct changes *c)
{
	const struct vgpu *v = vgpu_named(h, what);
	const struct gpu *parent;
	enum status status;

	if (v || !(strchr(what, ':') || gpu_named(h, what))) {
		status = v ? ST_OK : find_vgpu(h, what, &v);
		if (!status) {
			c->path = v->path;
			c->label = v->uuid;
			c->of = ATTR_VGPU;
		}
		return status;
	}
	status = find_parent(h, what, &parent);
	if (!status) {
		c->path = parent->path;
		c->label = parent->address;
		c->of = ATTR_PARENT;
	}
	return status;
}

static enum status print_result(const struct changes *c)
{
	json_object *root;

	if (!saying_json())
		return ST_OK;
	root = must_have(json_object_new_object());
	json_object_object_add(root, c->of == ATTR_VGPU ? "uuid" : "address",
			       json_text(c->label));
	json_object_object_add(root, "attributes", attrs_json(c->path, c->of));
	return print_json(root);
}

static enum status set_run(const struct command *cmd, int argc, char **argv)
{
	int letter = next_option(cmd, argc, argv);
	struct changes c = {};
	enum status status;
	struct host h;
	int i;

	if (letter != OPT_END)
		return option_status(letter);
	if (argc - optind < 2)
		return usage(cmd, "name a vGPU or a parent, and what to set");
	status = host_scan(&h, NULL);
	if (!status)
		status = find_target(&h, argv[optind], &c);
	for (i = optind + 1; i < argc && !status; i++)
		status = add_change(cmd, &h, &c, argv[i]);
	if (!status)
		status = apply(&c);
	if (!status)
		status = print_result(&c);
	while (c.count--) {
		free(c.change[c.count].value);
		free(c.change[c.count].before);
	}
	host_free(&h);
	return status;
}

static const struct opt set_opts[] = { {} };

const struct command cmd_set = {
	.name = "set",
	.args = "VGPU|PARENT ATTRIBUTE=VALUE...",
	.summary = "change attributes: weight, quota, foreground, ...",
	.help =
		"Of a vGPU:\n"
		"  weight=1..10000     its share of the GPU's time\n"
		"  quota=PAGES|max     most guest memory that may be pinned; also a size: 64M\n"
		"  cache=PAGES         most of it that may stay pinned idle; also a size\n"
		"  foreground=yes|no   whether the physical screen shows it\n"
		"Of a parent:\n"
		"  foreground=VGPU|none\n"
		"  memory=BYTES        that all vGPUs may own together; also a size: 512M\n"
		"If one can't be set, none is.",
	.opts = set_opts,
	.run = set_run,
};
