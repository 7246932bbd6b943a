// SPDX-License-Identifier: MIT
/* Owns the command show: one vGPU or GPU, all of it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mvgpuctl.h"

static void line(const char *name, char *value, const char *meaning)
{
	if (meaning)
		printf("  %-12s %-24s %s\n", name, value, meaning);
	else
		printf("  %-12s %s\n", name, value);
	free(value);
}

static void show_attributes(const char *path, unsigned int of, bool explain)
{
	struct value value;
	unsigned int i;

	for (i = 0; i < num_attrs; i++) {
		if (!(attrs[i].flags & of) || !attr_get(path, &attrs[i], &value))
			continue;
		line(attrs[i].name, attr_human(&attrs[i], &value),
		     explain ? attrs[i].meaning : NULL);
		value_free(&value);
	}
}

static void show_vgpu(const struct vgpu *v, bool explain)
{
	const struct holder *holder = vgpu_holder(v);

	printf("%svGPU %s%s\n", paint(BOLD), v->uuid, paint(PLAIN));
	if (v->name)
		line("name", format("%s", v->name), NULL);
	line("parent", format("%s", v->parent->address), NULL);
	line("type", format("%s", v->type), NULL);
	line("path", format("%s", v->path), NULL);
	if (holder)
		line("used by", format("%s (pid %d)", holder->comm, holder->pid), NULL);
	else
		line("used by", format(holders_known() ? "nobody" : "unknown: only root is told"),
		     NULL);
	show_attributes(v->path, ATTR_VGPU, explain);
}

static void show_vgpus_of(const struct host *h, const struct gpu *gpu)
{
	unsigned int i;

	for (i = 0; i < h->num_vgpus; i++)
		if (h->vgpus[i].parent == gpu)
			line("vGPU", format("%s %s%s%s", h->vgpus[i].uuid, h->vgpus[i].type,
					    h->vgpus[i].name ? " " : "",
					    h->vgpus[i].name ? h->vgpus[i].name : ""), NULL);
}

static void show_gpu(const struct host *h, const struct gpu *gpu, bool explain)
{
	const struct holder *holder = gpu->parent ? NULL : gpu_holder(gpu);
	unsigned int i;

	printf("%s%s %s%s\n", paint(BOLD), gpu->parent ? "parent" : "GPU", gpu->address,
	       paint(PLAIN));
	line("kind", format("%s (%04x:%04x)", gpu->vendor ? gpu->vendor->gpu : "unknown",
			    gpu->ids[0], gpu->ids[1]), NULL);
	line("driver", format("%s", gpu->driver ? gpu->driver : "none"), NULL);
	line("iommu", format("%s", iommu_text(iommu_mode(gpu))), NULL);
	if (holder)
		line("used by", format("%s (pid %d, %s)", holder->comm, holder->pid,
				       holder->node), NULL);
	show_attributes(gpu->path, ATTR_PARENT, explain);
	for (i = 0; i < gpu->num_types; i++)
		line("type", format("%s: %u free, %u used; %s", gpu->types[i].id,
				    gpu->types[i].available, gpu->types[i].used,
				    gpu->types[i].description ? gpu->types[i].description : "-"),
		     NULL);
	show_vgpus_of(h, gpu);
}

static enum status show_one(const struct host *h, const char *what, bool explain)
{
	const struct vgpu *v = vgpu_named(h, what);
	const struct gpu *gpu = v ? NULL : gpu_named(h, what);
	json_object *root;

	/* what has colons is no vGPU */
	if (!v && !gpu)
		return strchr(what, ':') ? find_gpu(h, what, &gpu) : find_vgpu(h, what, &v);
	if (saying_json()) {
		root = must_have(json_object_new_object());
		if (v)
			json_object_object_add(root, "vgpu", vgpu_json(v));
		else
			json_object_object_add(root, "gpu", gpu_json(h, gpu));
		return print_json(root);
	}
	if (v)
		show_vgpu(v, explain);
	else
		show_gpu(h, gpu, explain);
	return ST_OK;
}

static enum status show_run(const struct command *cmd, int argc, char **argv)
{
	bool explain = false;
	enum status status;
	struct host h;
	int letter;

	while ((letter = next_option(cmd, argc, argv)) == 'e')
		explain = true;
	if (letter != OPT_END)
		return option_status(letter);
	if (argc - optind != 1)
		return usage(cmd, "name one vGPU or GPU");
	status = host_scan(&h, NULL);
	if (!status)
		status = show_one(&h, argv[optind], explain);
	host_free(&h);
	return status;
}

static const struct opt show_opts[] = {
	{ 'e', "explain", NULL, "say what each attribute means" },
	{}
};

const struct command cmd_show = {
	.name = "show",
	.args = "VGPU|GPU",
	.summary = "one vGPU or GPU with all its attributes",
	.help =
		"A vGPU is named by its UUID, the start of it, or its name; a GPU by its PCI\n"
		"address or by the name of its virtio device.",
	.opts = show_opts,
	.run = show_run,
};
