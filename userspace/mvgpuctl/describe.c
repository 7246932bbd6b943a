// SPDX-License-Identifier: MIT
/*
 * Owns the JSON form of vGPUs, types and GPUs, which docs/mvgpuctl.md describes.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "mvgpuctl.h"

/* JSON is UTF-8; what somebody typed may not be */
static void make_utf8(char *text)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL), before;
	mbstate_t state;
	size_t n;

	before = utf8 ? uselocale(utf8) : NULL;
	for (; *text; text += n) {
		state = (mbstate_t){};
		n = mbrlen(text, strlen(text), &state);
		if (n < (size_t)-2)
			continue;
		*text = '?';
		n = 1;
	}
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
}

/* A string, or null for none */
json_object *json_text(const char *text)
{
	json_object *o;
	char *copy;

	if (!text)
		return NULL;
	copy = must_have(strdup(text));
	make_utf8(copy);
	o = must_have(json_object_new_string(copy));
	free(copy);
	return o;
}

static json_object *holder_json(const struct holder *holder)
{
	json_object *o;

	if (!holder)
		return NULL;
	o = must_have(json_object_new_object());
	json_object_object_add(o, "pid", must_have(json_object_new_int(holder->pid)));
	json_object_object_add(o, "command", json_text(holder->comm));
	json_object_object_add(o, "device", json_text(holder->node));
	return o;
}

/**
 * vgpu_json() - all about a vGPU
 * @v: the vGPU
 *
 * Return: an object.
 */
json_object *vgpu_json(const struct vgpu *v)
{
	const struct holder *holder = vgpu_holder(v);
	json_object *o = must_have(json_object_new_object());

	json_object_object_add(o, "uuid", json_text(v->uuid));
	json_object_object_add(o, "name", json_text(v->name));
	json_object_object_add(o, "parent", json_text(v->parent->address));
	json_object_object_add(o, "type", json_text(v->type));
	json_object_object_add(o, "path", json_text(v->path));
	json_object_object_add(o, "in_use", holder || holders_known() ?
			       must_have(json_object_new_boolean(!!holder)) : NULL);
	json_object_object_add(o, "holder", holder_json(holder));
	json_object_object_add(o, "attributes", attrs_json(v->path, ATTR_VGPU));
	return o;
}

static json_object *type_json(const struct type *type)
{
	json_object *o = must_have(json_object_new_object());

	json_object_object_add(o, "id", json_text(type->id));
	json_object_object_add(o, "name", json_text(type->name));
	json_object_object_add(o, "description", json_text(type->description));
	json_object_object_add(o, "device_api", json_text(type->device_api));
	json_object_object_add(o, "available",
			       must_have(json_object_new_int64(type->available)));
	json_object_object_add(o, "used", must_have(json_object_new_int64(type->used)));
	return o;
}

/* What only a parent has */
static void add_parent_json(json_object *o, const struct host *h, const struct gpu *gpu)
{
	json_object *types = must_have(json_object_new_array());
	json_object *vgpus = must_have(json_object_new_array());
	unsigned int i;

	for (i = 0; i < gpu->num_types; i++)
		json_object_array_add(types, type_json(&gpu->types[i]));
	for (i = 0; i < h->num_vgpus; i++)
		if (h->vgpus[i].parent == gpu)
			json_object_array_add(vgpus, json_text(h->vgpus[i].uuid));
	json_object_object_add(o, "attributes", attrs_json(gpu->path, ATTR_PARENT));
	json_object_object_add(o, "types", types);
	json_object_object_add(o, "vgpus", vgpus);
}

/**
 * gpu_json() - all about a physical GPU
 * @h: the host
 * @gpu: the GPU
 *
 * Return: an object.
 */
json_object *gpu_json(const struct host *h, const struct gpu *gpu)
{
	json_object *o = must_have(json_object_new_object());
	char *ids = format("%04x:%04x", gpu->ids[0], gpu->ids[1]);

	json_object_object_add(o, "address", json_text(gpu->address));
	json_object_object_add(o, "ids", json_text(ids));
	json_object_object_add(o, "kind", json_text(gpu->vendor ? gpu->vendor->gpu : NULL));
	json_object_object_add(o, "driver", json_text(gpu->driver));
	json_object_object_add(o, "virtio", json_text(gpu->child));
	json_object_object_add(o, "vendor_driver",
			       json_text(gpu->vendor ? gpu->vendor->driver : NULL));
	json_object_object_add(o, "iommu", json_text(iommu_text(iommu_mode(gpu))));
	json_object_object_add(o, "parent", must_have(json_object_new_boolean(gpu->parent)));
	json_object_object_add(o, "holder",
			       gpu->parent ? NULL : holder_json(gpu_holder(gpu)));
	if (gpu->parent)
		add_parent_json(o, h, gpu);
	free(ids);
	return o;
}
