// SPDX-License-Identifier: MIT
/*
 * Owns struct host: the GPUs, types and vGPUs that the kernel shows at one moment, found
 * through libudev; and the ways in which operators name them.
 */
#include <libudev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mvgpuctl.h"

#define PREFIX_MIN 4	/* letters of a UUID that may stand for it */

static unsigned int read_number(const char *dir, const char *name, int base)
{
	char *text = sysfs_read(dir, name);
	unsigned int number = text ? strtoul(text, NULL, base) : 0;

	free(text);
	return number;
}

/* ---- what there is ---- */

static void type_init(struct type *type, const char *dir, const char *id)
{
	char *path = format("%s/%s", dir, id);
	char **used = sysfs_list(path, "devices");
	char **u;

	type->id = must_have(strdup(id));
	type->name = sysfs_read(path, "name");
	type->description = sysfs_read(path, "description");
	type->device_api = sysfs_read(path, "device_api");
	type->available = read_number(path, "available_instances", 10);
	for (u = used; *u; u++)
		type->used++;
	strings_free(used);
	free(path);
}

/**
 * gpu_path_is_parent() - whether a GPU is a parent by now
 * @path: its folder
 */
bool gpu_path_is_parent(const char *path)
{
	return sysfs_has(path, "mvgpu") && sysfs_has(path, "mdev_supported_types");
}

static void gpu_add_types(struct gpu *gpu)
{
	char *dir = format("%s/mdev_supported_types", gpu->path);
	char **ids = sysfs_list(gpu->path, "mdev_supported_types");
	char **id;

	for (id = ids; *id; id++) {
		gpu->types = must_have(reallocarray(gpu->types, gpu->num_types + 1,
						    sizeof(*gpu->types)));
		gpu->types[gpu->num_types] = (struct type){};
		type_init(&gpu->types[gpu->num_types++], dir, *id);
	}
	strings_free(ids);
	free(dir);
}

/* A virtio-gpu is used by the driver of the virtio device below it */
static void gpu_find_driver(struct gpu *gpu)
{
	char **children = sysfs_list(gpu->path, ".");
	char **c, *path;

	for (c = children; *c && !gpu->child; c++)
		if (!strncmp(*c, "virtio", strlen("virtio")))
			gpu->child = must_have(strdup(*c));
	strings_free(children);
	path = gpu->child ? format("%s/%s", gpu->path, gpu->child) : format("%s", gpu->path);
	gpu->driver = sysfs_link(path, "driver");
	free(path);
}

/* At a PCI address, with or without its domain, or with a virtio device of that name */
static bool gpu_is(const struct gpu *gpu, const char *what)
{
	return !strcasecmp(gpu->address, what) ||
	       (!strncmp(gpu->address, "0000:", 5) && !strcasecmp(gpu->address + 5, what)) ||
	       (gpu->child && !strcmp(gpu->child, what));
}

static void gpu_free(struct gpu *gpu)
{
	struct type *type;

	for (type = gpu->types; type < gpu->types + gpu->num_types; type++) {
		free(type->id);
		free(type->name);
		free(type->description);
		free(type->device_api);
	}
	free(gpu->types);
	free(gpu->address);
	free(gpu->path);
	free(gpu->driver);
	free(gpu->child);
}

static void host_add_gpu(struct host *h, const char *path)
{
	struct gpu gpu = {
		.address = must_have(strdup(strrchr(path, '/') + 1)),
		.path = must_have(strdup(path)),
		.ids = { read_number(path, "vendor", 16), read_number(path, "device", 16) },
		.parent = gpu_path_is_parent(path),
	};

	gpu.vendor = vendor_of_ids(gpu.ids[0], gpu.ids[1]);
	gpu_find_driver(&gpu);
	if (!gpu.vendor && !gpu.parent && !(h->also && gpu_is(&gpu, h->also))) {
		gpu_free(&gpu);
		return;
	}
	if (gpu.parent)
		gpu_add_types(&gpu);
	h->gpus = must_have(reallocarray(h->gpus, h->num_gpus + 1, sizeof(*h->gpus)));
	h->gpus[h->num_gpus++] = gpu;
}

static const struct gpu *parent_at(const struct host *h, const char *vgpu)
{
	size_t len = strrchr(vgpu, '/') - vgpu;
	unsigned int i;

	for (i = 0; i < h->num_gpus; i++)
		if (strlen(h->gpus[i].path) == len && !strncmp(h->gpus[i].path, vgpu, len))
			return &h->gpus[i];
	return NULL;
}

/* Other mediated devices than ours are none of our business */
static void host_add_vgpu(struct host *h, const char *path)
{
	const struct gpu *parent = parent_at(h, path);
	char *type = sysfs_link(path, "mdev_type");
	struct vgpu *v;

	if (!parent || !type || !sysfs_has(path, "mvgpu")) {
		free(type);
		return;
	}
	h->vgpus = must_have(reallocarray(h->vgpus, h->num_vgpus + 1, sizeof(*h->vgpus)));
	v = &h->vgpus[h->num_vgpus++];
	*v = (struct vgpu){
		.uuid = must_have(strdup(strrchr(path, '/') + 1)),
		.path = must_have(strdup(path)),
		.type = type,
		.parent = parent,
	};
	v->name = name_of(v->uuid);
}

/* By parent, those with names first */
static int compare_vgpus(const void *pa, const void *pb)
{
	const struct vgpu *a = pa, *b = pb;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (!a->name != !b->name)
		return a->name ? -1 : 1;
	return strverscmp(vgpu_label(a), vgpu_label(b));
}

static void host_add_all(struct host *h, struct udev *udev, const char *subsystem,
			 void (*add)(struct host *h, const char *path))
{
	struct udev_enumerate *found = must_have(udev_enumerate_new(udev));
	struct udev_list_entry *entry;

	udev_enumerate_add_match_subsystem(found, subsystem);
	udev_enumerate_scan_devices(found);
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(found))
		add(h, udev_list_entry_get_name(entry));
	udev_enumerate_unref(found);
}

/**
 * host_scan() - look at what there is
 * @h: takes it, for host_free()
 * @also: what an operator calls a PCI device that counts even if nothing says that it is a
 *	GPU, or NULL
 *
 * Return: ST_OK, or ST_MISSING where there is no sysfs.
 */
enum status host_scan(struct host *h, const char *also)
{
	struct udev *udev;

	*h = (struct host){ .also = also };
	if (!sysfs_has("/sys", "bus"))
		return fail(ST_MISSING, "/sys: no sysfs is mounted there");
	udev = must_have(udev_new());
	host_add_all(h, udev, "pci", host_add_gpu);
	host_add_all(h, udev, "mdev", host_add_vgpu);
	udev_unref(udev);
	if (h->num_vgpus)
		qsort(h->vgpus, h->num_vgpus, sizeof(*h->vgpus), compare_vgpus);
	return ST_OK;
}

void host_free(struct host *h)
{
	while (h->num_gpus)
		gpu_free(&h->gpus[--h->num_gpus]);
	free(h->gpus);
	while (h->num_vgpus) {
		struct vgpu *v = &h->vgpus[--h->num_vgpus];

		free(v->uuid);
		free(v->name);
		free(v->path);
		free(v->type);
	}
	free(h->vgpus);
}

unsigned int gpu_num_vgpus(const struct host *h, const struct gpu *gpu)
{
	unsigned int i, n = 0;

	for (i = 0; i < h->num_vgpus; i++)
		n += h->vgpus[i].parent == gpu;
	return n;
}

/**
 * gpu_leaving() - the vGPUs of a GPU that are being removed, but that a VMM has open
 * @gpu: the GPU
 *
 * They are no longer on the mdev bus, but their folders are still there.
 *
 * Return: their UUIDs, then NULL, for strings_free().
 */
char **gpu_leaving(const struct gpu *gpu)
{
	char **names = sysfs_list(gpu->path, ".");
	unsigned int i, n = 0;

	for (i = 0; names[i]; i++) {
		if (uuid_valid(names[i]) && !sysfs_has("/sys/bus/mdev/devices", names[i]))
			names[n++] = names[i];
		else
			free(names[i]);
	}
	names[n] = NULL;
	return names;
}

/* ---- what operators call it ---- */

/* What messages call a vGPU */
const char *vgpu_label(const struct vgpu *v)
{
	return v->name ? v->name : v->uuid;
}

/* How many UUIDs start like that; the last of them */
static unsigned int count_prefix(const struct host *h, const char *prefix,
				 const struct vgpu **match)
{
	unsigned int i, n = 0;

	for (i = 0; i < h->num_vgpus && strlen(prefix) >= PREFIX_MIN; i++) {
		if (strncasecmp(h->vgpus[i].uuid, prefix, strlen(prefix)))
			continue;
		*match = &h->vgpus[i];
		n++;
	}
	return n;
}

/* The vGPU with a UUID, the start of one that no other has, or a name; or NULL */
const struct vgpu *vgpu_named(const struct host *h, const char *what)
{
	const struct vgpu *match;
	char uuid[UUID_SIZE] = "";
	unsigned int i;

	if (name_valid(what))
		name_to_uuid(what, uuid);
	for (i = 0; i < h->num_vgpus; i++)
		if (!strcasecmp(h->vgpus[i].uuid, what) || !strcmp(h->vgpus[i].uuid, uuid))
			return &h->vgpus[i];
	return count_prefix(h, what, &match) == 1 ? match : NULL;
}

/* The GPU that an operator calls so, or NULL */
const struct gpu *gpu_named(const struct host *h, const char *what)
{
	unsigned int i;

	for (i = 0; i < h->num_gpus; i++)
		if (gpu_is(&h->gpus[i], what))
			return &h->gpus[i];
	return NULL;
}

static void advise_vgpu(const struct host *h, const char *what)
{
	struct nearest nearest = { .wanted = what };
	unsigned int i;

	for (i = 0; i < h->num_vgpus; i++) {
		nearest_try(&nearest, h->vgpus[i].uuid);
		nearest_try(&nearest, h->vgpus[i].name);
	}
	nearest_advise(&nearest, "'mvgpuctl list vgpus' shows what there is");
}

static void advise_gpu(const struct host *h, const char *what, bool parents)
{
	struct nearest nearest = { .wanted = what };
	unsigned int i;

	for (i = 0; i < h->num_gpus; i++)
		if (h->gpus[i].parent || !parents)
			nearest_try(&nearest, h->gpus[i].address);
	nearest_advise(&nearest, parents ? "'mvgpuctl list parents' shows what there is" :
					   "'mvgpuctl list gpus' shows what there is");
}

/**
 * find_vgpu() - the vGPU that an operator has named
 * @h: the host
 * @what: its name, its UUID, or the start of its UUID
 * @vgpu: takes it
 *
 * Return: ST_OK, or ST_NOT_FOUND, which has been said.
 */
enum status find_vgpu(const struct host *h, const char *what, const struct vgpu **vgpu)
{
	*vgpu = vgpu_named(h, what);
	if (*vgpu)
		return ST_OK;
	if (count_prefix(h, what, vgpu)) {
		fail(ST_NOT_FOUND, "vGPU %s: several UUIDs start like that", what);
		advise("more of it: 'mvgpuctl list vgpus' shows them");
		return ST_NOT_FOUND;
	}
	fail(ST_NOT_FOUND, "vGPU %s: there is none", what);
	advise_vgpu(h, what);
	return ST_NOT_FOUND;
}

/* An address that PCI knows, but that is no GPU of ours: says so. False for any other. */
static bool not_a_gpu(const char *what)
{
	char *path = format("/sys/bus/pci/devices/%s%s", strlen(what) == 7 ? "0000:" : "", what);
	bool known = !strchr(what, '/') && sysfs_has(path, "vendor");

	if (known) {
		fail(ST_NOT_FOUND, "%s: no vendor driver knows a PCI device %04x:%04x", what,
		     read_number(path, "vendor", 16), read_number(path, "device", 16));
		advise("'mvgpuctl list gpus' shows the GPUs that can be adopted");
	}
	free(path);
	return known;
}

/**
 * find_gpu() - the physical GPU that an operator has named
 * @h: the host
 * @what: its PCI address, or the name of its virtio device
 * @gpu: takes it
 *
 * Return: ST_OK, or ST_NOT_FOUND, which has been said.
 */
enum status find_gpu(const struct host *h, const char *what, const struct gpu **gpu)
{
	*gpu = gpu_named(h, what);
	if (*gpu)
		return ST_OK;
	if (!not_a_gpu(what)) {
		fail(ST_NOT_FOUND, "%s: there is no such GPU", what);
		advise_gpu(h, what, false);
	}
	return ST_NOT_FOUND;
}

/**
 * find_parent() - the parent that an operator has named
 * @h: the host
 * @what: its PCI address, or the name of its virtio device
 * @parent: takes it
 *
 * Return: ST_OK; ST_NOT_FOUND; ST_MISSING for a GPU that has not been adopted. What is
 * wrong has been said.
 */
enum status find_parent(const struct host *h, const char *what, const struct gpu **parent)
{
	*parent = gpu_named(h, what);
	if (!*parent) {
		if (not_a_gpu(what))
			return ST_NOT_FOUND;
		fail(ST_NOT_FOUND, "%s: there is no such parent", what);
		advise_gpu(h, what, true);
		return ST_NOT_FOUND;
	}
	if ((*parent)->parent)
		return ST_OK;
	fail(ST_MISSING, "%s: it is no parent: %s%s has it", (*parent)->address,
	     (*parent)->driver ? "the driver " : "",
	     (*parent)->driver ? (*parent)->driver : "no driver");
	advise("mvgpuctl adopt %s", (*parent)->address);
	return ST_MISSING;
}
