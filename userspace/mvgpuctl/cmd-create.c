// SPDX-License-Identifier: MIT
/*
 * Owns the commands create and remove. What create makes, it makes all of or nothing of.
 */
#include <ctype.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mvgpuctl.h"

#define COUNT_MAX 4096

/* ---- create ---- */

/**
 * struct order - the vGPUs to create
 * @parent: on which GPU
 * @type: of which type
 * @name: of the vGPU, or what the names of several start with; NULL for none
 * @uuid: of the only one; NULL for random ones
 * @count: how many
 * @uuids: of those that have been created
 * @created: how many these are
 */
struct order {
	const struct gpu *parent;
	const struct type *type;
	const char *name;
	const char *uuid;
	unsigned long count;
	char (*uuids)[UUID_SIZE];
	unsigned long created;
};

/* By its full name, or what follows the driver in it */
static enum status find_type(const struct gpu *parent, const char *what,
			     const struct type **type)
{
	struct nearest nearest = { .wanted = what };
	unsigned int i;

	for (i = 0; i < parent->num_types; i++) {
		const char *id = parent->types[i].id, *dash = strrchr(id, '-');

		*type = &parent->types[i];
		if (!strcmp(id, what) || (dash && !strcmp(dash + 1, what)))
			return ST_OK;
		nearest_try(&nearest, id);
		nearest_try(&nearest, dash ? dash + 1 : NULL);
	}
	fail(ST_NOT_FOUND, "%s: it offers no type %s", parent->address, what);
	nearest_advise(&nearest, "'mvgpuctl list types' shows what there is");
	return ST_NOT_FOUND;
}

static char *nth_name(const struct order *o, unsigned long n)
{
	if (!o->name)
		return NULL;
	return o->count == 1 ? format("%s", o->name) : format("%s-%lu", o->name, n + 1);
}

/* In small letters, as the kernel has them */
static void nth_uuid(const struct order *o, const char *name, char uuid[UUID_SIZE])
{
	char *c;

	if (name)
		name_to_uuid(name, uuid);
	else if (o->uuid)
		snprintf(uuid, UUID_SIZE, "%s", o->uuid);
	else
		uuid_make(uuid);
	for (c = uuid; *c; c++)
		*c = tolower(*c);
}

static enum status type_is_full(const struct host *h, const struct order *o)
{
	const struct gpu *p = o->parent;
	unsigned int i, best = 0;

	fail(ST_BUSY, "%s: %lu of type %s do not fit: %u %s free", p->address, o->count,
	     o->type->id, o->type->available, o->type->available == 1 ? "is" : "are");
	for (i = 1; i < p->num_types; i++)
		if (p->types[i].available > p->types[best].available)
			best = i;
	if (p->types[best].available >= o->count)
		advise("mvgpuctl create -n %lu %s %s, a type that is free; or remove a vGPU",
		       o->count, p->address, p->types[best].id);
	else if (gpu_num_vgpus(h, p))
		advise("'mvgpuctl show %s' shows the vGPUs: remove some", p->address);
	else
		advise("'mvgpuctl list types' shows how many would fit");
	return ST_BUSY;
}

static enum status create_one(struct order *o)
{
	char *name = nth_name(o, o->created), *file;
	char *uuid = o->uuids[o->created];
	enum status status = ST_OK;
	int ret;

	nth_uuid(o, name, uuid);
	file = format("mdev_supported_types/%s/create", o->type->id);
	klog_mark();
	ret = sysfs_write(o->parent->path, file, uuid);
	free(file);
	if (ret) {
		status = fail_errno(ret, "vGPU %s: creating it on %s as %s", name ? name : uuid,
				    o->parent->address, o->type->id);
		explain_refusal(uuid, NULL);
	} else {
		o->created++;
		if (name)
			status = name_record(uuid, name);
	}
	free(name);
	return status;
}

static int remove_uuid(const char *uuid)
{
	char *file = format("%s/remove", uuid);
	int ret = sysfs_write("/sys/bus/mdev/devices", file, "1");

	free(file);
	if (!ret)
		name_forget(uuid);
	return ret;
}

static void undo_all(const struct order *o)
{
	unsigned long i, removed = 0;

	for (i = 0; i < o->created; i++)
		if (remove_uuid(o->uuids[i]))
			inform("vGPU %s: it was created, and can't be removed again", o->uuids[i]);
		else
			removed++;
	if (removed)
		inform("%lu that had been created %s removed again", removed,
		       removed == 1 ? "is" : "are");
}

/* What would end the program comes when nothing is left half done */
static enum status create_all(struct order *o)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	enum status status = ST_OK;
	sigset_t ending, before, pending;
	unsigned int i;

	sigemptyset(&ending);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&ending, numbers[i]);
	sigprocmask(SIG_BLOCK, &ending, &before);
	while (!status && o->created < o->count) {
		status = create_one(o);
		sigpending(&pending);
		for (i = 0; !status && i < ARRAY_SIZE(numbers); i++)
			if (sigismember(&pending, numbers[i]))
				status = fail(ST_FAILURE, "%s: interrupted", o->parent->address);
	}
	if (status)
		undo_all(o);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

static enum status print_created(const struct order *o)
{
	json_object *root, *list;
	const struct vgpu *v;
	enum status status;
	unsigned long i;
	struct host h;

	if (!saying_json()) {
		for (i = 0; i < o->created; i++)
			puts(o->uuids[i]);
		return ST_OK;
	}
	status = host_scan(&h, NULL);
	if (!status) {
		root = must_have(json_object_new_object());
		list = must_have(json_object_new_array());
		for (i = 0; i < o->created; i++) {
			v = vgpu_named(&h, o->uuids[i]);
			if (v)
				json_object_array_add(list, vgpu_json(v));
		}
		json_object_object_add(root, "created", list);
		status = print_json(root);
	}
	host_free(&h);
	return status;
}

static enum status check_order(const struct command *cmd, const struct host *h,
			       const struct order *o)
{
	char *name = nth_name(o, o->count - 1);
	char uuid[UUID_SIZE];
	enum status status = ST_OK;
	unsigned long i;

	if (o->uuid && (o->name || o->count > 1)) {
		status = usage(cmd, "a UUID is for one vGPU without a name");
	} else if (o->uuid && !uuid_valid(o->uuid)) {
		status = fail(ST_USAGE, "vGPU %s: that is no UUID", o->uuid);
		advise("leave --uuid out for a random one, or ask uuidgen for one");
	} else if (name && !name_valid(name)) {
		status = usage(cmd,
			       "'%s' is no name: up to 64 letters, digits, ._-; first a letter",
			       name);
	}
	free(name);
	for (i = 0; !status && (o->name || o->uuid) && i < o->count; i++) {
		name = nth_name(o, i);
		nth_uuid(o, name, uuid);
		if (sysfs_has("/sys/bus/mdev/devices", uuid)) {
			status = fail(ST_BUSY, "vGPU %s: it exists already", name ? name : uuid);
			advise("mvgpuctl show %s", name ? name : uuid);
		}
		free(name);
	}
	if (!status && o->type->available < o->count)
		status = type_is_full(h, o);
	return status;
}

static enum status create(const struct command *cmd, struct order *o, const char *parent,
			  const char *type)
{
	enum status status;
	struct host h;

	status = host_scan(&h, NULL);
	if (!status)
		status = find_parent(&h, parent, &o->parent);
	if (!status)
		status = find_type(o->parent, type, &o->type);
	if (!status)
		status = check_order(cmd, &h, o);
	if (!status) {
		o->uuids = must_have(calloc(o->count, sizeof(*o->uuids)));
		status = create_all(o);
	}
	if (!status)
		status = print_created(o);
	free(o->uuids);
	host_free(&h);
	return status;
}

static enum status create_run(const struct command *cmd, int argc, char **argv)
{
	struct order order = { .count = 1 };
	enum status status = ST_OK;
	int letter;

	while (!status && (letter = next_option(cmd, argc, argv)) > 0 && letter != OPT_BAD &&
	       letter != OPT_HELP) {
		if (letter == 'n')
			status = parse_number(cmd, "--count", optarg, 1, COUNT_MAX, &order.count);
		else if (letter == 'N')
			order.name = optarg;
		else
			order.uuid = optarg;
	}
	if (status || letter != OPT_END)
		return status ? status : option_status(letter);
	if (argc - optind != 2)
		return usage(cmd, "name a parent and a type");
	return create(cmd, &order, argv[optind], argv[optind + 1]);
}

static const struct opt create_opts[] = {
	{ 'n', "count", "N", "create N, or none if they don't all fit" },
	{ 'N', "name", "NAME", "its name; NAME-1, NAME-2 and so on with --count" },
	{ 'u', "uuid", "UUID", "its UUID, if not a random one" },
	{}
};

const struct command cmd_create = {
	.name = "create",
	.args = "PARENT TYPE",
	.summary = "create vGPUs",
	.help =
		"Creates vGPUs on a parent and prints their UUIDs. TYPE may leave out the\n"
		"driver: 16m for mvgpu-bochs-16m. A vGPU with a name has a UUID that is\n"
		"computed from the name, the same wherever and whenever it is created.",
	.opts = create_opts,
	.run = create_run,
};

/* ---- remove ---- */

/**
 * struct removal - the vGPUs to remove
 * @wait: also those that a VMM has open
 * @vgpus: which
 * @count: how many
 */
struct removal {
	bool wait;
	const struct vgpu **vgpus;
	unsigned int count;
};

static void add_removal(struct removal *r, const struct vgpu *v)
{
	unsigned int i;

	for (i = 0; i < r->count; i++)
		if (r->vgpus[i] == v)
			return;
	r->vgpus = must_have(reallocarray(r->vgpus, r->count + 1, sizeof(*r->vgpus)));
	r->vgpus[r->count++] = v;
}

/* Idle ones of a parent, of a type unless that is NULL */
static enum status choose(const struct host *h, struct removal *r, unsigned long count,
			  const char *parent, const char *type)
{
	const struct gpu *gpu;
	const struct type *of = NULL;
	enum status status;
	unsigned int i, idle = 0;

	status = find_parent(h, parent, &gpu);
	if (!status && type)
		status = find_type(gpu, type, &of);
	for (i = 0; !status && i < h->num_vgpus && r->count < count; i++) {
		const struct vgpu *v = &h->vgpus[i];

		if (v->parent != gpu || (of && strcmp(v->type, of->id)) || vgpu_holder(v))
			continue;
		idle++;
		add_removal(r, v);
	}
	if (!status && idle < count) {
		status = fail(ST_NOT_FOUND, "%s: only %u vGPUs%s%s are idle", gpu->address, idle,
			      of ? " of type " : "", of ? of->id : "");
		advise("'mvgpuctl list vgpus' shows who uses them");
	}
	return status;
}

static enum status check_idle(const struct removal *r)
{
	const struct holder *holder;
	unsigned int i;

	for (i = 0; i < r->count; i++) {
		holder = vgpu_holder(r->vgpus[i]);
		if (!holder || r->wait)
			continue;
		fail(ST_BUSY, "vGPU %s: %s (pid %d) uses it", vgpu_label(r->vgpus[i]),
		     holder->comm, holder->pid);
		advise("stop that VMM; or ask it to unplug: mvgpuctl remove --wait %s",
		       vgpu_label(r->vgpus[i]));
		return ST_BUSY;
	}
	return ST_OK;
}

static enum status remove_all(const struct removal *r)
{
	json_object *root = must_have(json_object_new_object());
	json_object *list = must_have(json_object_new_array());
	enum status status = ST_OK;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < r->count; i++) {
		klog_mark();
		ret = remove_uuid(r->vgpus[i]->uuid);
		if (ret)
			break;
		json_object_array_add(list, json_text(r->vgpus[i]->uuid));
	}
	if (ret) {
		status = fail_errno(ret, "vGPU %s: removing it", vgpu_label(r->vgpus[i]));
		explain_refusal(r->vgpus[i]->uuid, NULL);
		while (i--)
			inform("vGPU %s: it is removed", vgpu_label(r->vgpus[i]));
	}
	json_object_object_add(root, "removed", list);
	if (saying_json() && !status)
		return print_json(root);
	json_object_put(root);
	return status;
}

static enum status remove_run(const struct command *cmd, int argc, char **argv)
{
	unsigned long count = 0;
	struct removal r = {};
	const struct vgpu *v;
	enum status status = ST_OK;
	struct host h;
	int letter;

	while (!status && (letter = next_option(cmd, argc, argv)) > 0 && letter != OPT_BAD &&
	       letter != OPT_HELP) {
		if (letter == 'n')
			status = parse_number(cmd, "--count", optarg, 1, COUNT_MAX, &count);
		else
			r.wait = true;
	}
	if (status || letter != OPT_END)
		return status ? status : option_status(letter);
	argv += optind;
	argc -= optind;
	if (!argc || (count && argc > 2))
		return usage(cmd, count ? "with --count, name a parent and perhaps a type" :
					  "name at least one vGPU");
	status = host_scan(&h, NULL);
	if (!status && count)
		status = choose(&h, &r, count, argv[0], argv[1]);
	for (; !status && !count && *argv; argv++) {
		status = find_vgpu(&h, *argv, &v);
		if (!status)
			add_removal(&r, v);
	}
	if (!status)
		status = check_idle(&r);
	if (!status)
		status = remove_all(&r);
	free(r.vgpus);
	host_free(&h);
	return status;
}

static const struct opt remove_opts[] = {
	{ 'n', "count", "N", "remove N idle ones of a parent" },
	{ 'w', "wait", NULL, "ask VMMs to unplug what they use, and wait until they have" },
	{}
};

const struct command cmd_remove = {
	.name = "remove",
	.args = "VGPU... | --count=N PARENT [TYPE]",
	.summary = "remove vGPUs",
	.help =
		"Removes the vGPUs that are named, or N idle ones of a parent. Nothing is\n"
		"removed if one of them does not exist or is in use.",
	.opts = remove_opts,
	.run = remove_run,
};
