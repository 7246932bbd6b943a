// SPDX-License-Identifier: MIT
/* Owns the command list: everything there is, a line each. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "mvgpuctl.h"

static struct table *gpus_table(const struct host *h)
{
	static const char *const titles[] = { "GPU", "KIND", "IDS", "DRIVER", "IOMMU", "VGPUS" };
	struct table *t = table_new(titles, ARRAY_SIZE(titles));
	unsigned int i;

	table_align_right(t, 5);
	for (i = 0; i < h->num_gpus; i++) {
		const struct gpu *gpu = &h->gpus[i];

		table_cell(t, BOLD, format("%s", gpu->address));
		table_cell(t, PLAIN, format("%s", gpu->vendor ? gpu->vendor->gpu : "-"));
		table_cell(t, PLAIN, format("%04x:%04x", gpu->ids[0], gpu->ids[1]));
		table_cell(t, gpu->parent ? GREEN : PLAIN,
			   format("%s", gpu->driver ? gpu->driver : "-"));
		table_cell(t, PLAIN, format("%s", iommu_text(iommu_mode(gpu))));
		table_cell(t, PLAIN, gpu->parent ? format("%u", gpu_num_vgpus(h, gpu)) :
						   format("-"));
	}
	return t;
}

static struct table *parents_table(const struct host *h)
{
	static const char *const titles[] = { "PARENT", "DRIVER", "VGPUS", "MEMORY",
					      "FOREGROUND" };
	static const char *const names[] = { "memory", "foreground" };
	struct table *t = table_new(titles, ARRAY_SIZE(titles));
	const struct attr *attr;
	struct value value;
	unsigned int i, k;

	table_align_right(t, 2);
	for (i = 0; i < h->num_gpus; i++) {
		const struct gpu *gpu = &h->gpus[i];

		if (!gpu->parent)
			continue;
		table_cell(t, BOLD, format("%s", gpu->address));
		table_cell(t, PLAIN, format("%s", gpu->driver ? gpu->driver : "-"));
		table_cell(t, PLAIN, format("%u", gpu_num_vgpus(h, gpu)));
		for (k = 0; k < ARRAY_SIZE(names); k++) {
			attr = attr_find(names[k], ATTR_PARENT);
			if (attr_get(gpu->path, attr, &value))
				table_cell(t, PLAIN, attr_human(attr, &value));
			else
				table_cell(t, PLAIN, format("-"));
			value_free(&value);
		}
	}
	return t;
}

static struct table *types_table(const struct host *h)
{
	static const char *const titles[] = { "PARENT", "TYPE", "FREE", "USED", "DESCRIPTION" };
	struct table *t = table_new(titles, ARRAY_SIZE(titles));
	unsigned int i, k;

	table_align_right(t, 2);
	table_align_right(t, 3);
	for (i = 0; i < h->num_gpus; i++) {
		for (k = 0; k < h->gpus[i].num_types; k++) {
			const struct type *type = &h->gpus[i].types[k];

			table_cell(t, PLAIN, format("%s", h->gpus[i].address));
			table_cell(t, BOLD, format("%s", type->id));
			table_cell(t, type->available ? GREEN : YELLOW,
				   format("%u", type->available));
			table_cell(t, PLAIN, format("%u", type->used));
			table_cell(t, PLAIN, format("%s", type->name ? type->name : "-"));
		}
	}
	return t;
}

static char *user_of(const struct vgpu *v)
{
	const struct holder *holder = vgpu_holder(v);

	if (holder)
		return format("%s (pid %d)", holder->comm, holder->pid);
	return format(holders_known() ? "-" : "?");
}

static struct table *vgpus_table(const struct host *h)
{
	static const char *const titles[] = { "VGPU", "NAME", "PARENT", "TYPE", "USED BY" };
	struct table *t = table_new(titles, ARRAY_SIZE(titles));
	unsigned int i;

	for (i = 0; i < h->num_vgpus; i++) {
		const struct vgpu *v = &h->vgpus[i];

		table_cell(t, BOLD, format("%s", v->uuid));
		table_cell(t, PLAIN, format("%s", v->name ? v->name : "-"));
		table_cell(t, PLAIN, format("%s", v->parent->address));
		table_cell(t, PLAIN, format("%s", v->type));
		table_cell(t, PLAIN, user_of(v));
	}
	return t;
}

static json_object *list_gpus(const struct host *h)
{
	json_object *list = must_have(json_object_new_array());
	unsigned int i;

	for (i = 0; i < h->num_gpus; i++)
		json_object_array_add(list, gpu_json(h, &h->gpus[i]));
	return list;
}

static json_object *list_parents(const struct host *h)
{
	json_object *list = must_have(json_object_new_array());
	unsigned int i;

	for (i = 0; i < h->num_gpus; i++)
		if (h->gpus[i].parent)
			json_object_array_add(list, gpu_json(h, &h->gpus[i]));
	return list;
}

static json_object *list_vgpus(const struct host *h)
{
	json_object *list = must_have(json_object_new_array());
	unsigned int i;

	for (i = 0; i < h->num_vgpus; i++)
		json_object_array_add(list, vgpu_json(&h->vgpus[i]));
	return list;
}

/* What can be listed. JSON tells the types with their parents. */
static const struct {
	const char *name;
	const char *json;
	struct table *(*table)(const struct host *h);
	json_object *(*list)(const struct host *h);
} kinds[] = {
	{ "gpus", "gpus", gpus_table, list_gpus },
	{ "parents", "parents", parents_table, list_parents },
	{ "types", "parents", types_table, list_parents },
	{ "vgpus", "vgpus", vgpus_table, list_vgpus },
};

static enum status print_lists(const struct host *h, const char *which)
{
	json_object *root = saying_json() ? must_have(json_object_new_object()) : NULL;
	bool first = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct table *t;

		if (which && strcmp(kinds[i].name, which))
			continue;
		if (root) {
			if (!json_object_object_get_ex(root, kinds[i].json, NULL))
				json_object_object_add(root, kinds[i].json, kinds[i].list(h));
			continue;
		}
		if (!first)
			putchar('\n');
		first = false;
		t = kinds[i].table(h);
		table_print(t, "", UINT_MAX, UINT_MAX);
		table_free(t);
	}
	return root ? print_json(root) : ST_OK;
}

static enum status list_run(const struct command *cmd, int argc, char **argv)
{
	int letter = next_option(cmd, argc, argv);
	struct nearest nearest = {};
	const char *which;
	enum status status;
	unsigned int i;
	struct host h;

	if (letter != OPT_END)
		return option_status(letter);
	which = argv[optind];
	nearest.wanted = which;
	if (which && argv[optind + 1])
		return usage(cmd, "one kind at a time, or all");
	for (i = 0; which && i < ARRAY_SIZE(kinds) && strcmp(kinds[i].name, which); i++)
		nearest_try(&nearest, kinds[i].name);
	if (which && i == ARRAY_SIZE(kinds)) {
		fail(ST_USAGE, "list: there is no kind %s", which);
		nearest_advise(&nearest, "mvgpuctl help list");
		return ST_USAGE;
	}
	status = host_scan(&h, NULL);
	if (!status)
		status = print_lists(&h, which);
	host_free(&h);
	return status;
}

static const struct opt list_opts[] = { {} };

const struct command cmd_list = {
	.name = "list",
	.args = "[gpus|parents|types|vgpus]",
	.summary = "GPUs, parents, types with what is free, vGPUs",
	.help =
		"Lists the physical GPUs that a vendor driver knows, the parents, the types\n"
		"that they offer and how many vGPUs of each could be created, and the vGPUs\n"
		"with who uses them. Only root is told about other users' VMMs.",
	.opts = list_opts,
	.run = list_run,
};
