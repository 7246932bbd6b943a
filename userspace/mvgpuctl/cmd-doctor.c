// SPDX-License-Identifier: MIT
/*
 * Owns the command doctor, and struct finding: what it looks at, what it finds, and what to
 * type about it.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "mvgpuctl.h"

enum state { FINE, NOTE, WARNING, BLOCKS };

/**
 * struct doctor - an examination
 * @h: the host
 * @need_iommu: no IOMMU is no note, but blocks
 * @findings: JSON, NULL where people read
 * @blocked: whether anything blocks
 */
struct doctor {
	struct host h;
	bool need_iommu;
	json_object *findings;
	bool blocked;
};

static void report_json(json_object *findings, enum state is, const char *what,
			const char *text, const char *advice)
{
	static const char *const states[] = { "fine", "note", "warning", "blocks" };
	json_object *o = must_have(json_object_new_object());

	json_object_object_add(o, "check", json_text(what));
	json_object_object_add(o, "state", json_text(states[is]));
	json_object_object_add(o, "text", json_text(text));
	json_object_object_add(o, "advice", json_text(advice));
	json_object_array_add(findings, o);
}

/* What was found, and what to do about it or NULL */
static void report(struct doctor *d, enum state is, const char *what, const char *advice,
		   const char *fmt, ...) PRINTF(5, 6);

static void report(struct doctor *d, enum state is, const char *what, const char *advice,
		   const char *fmt, ...)
{
	static const char *const marks[] = { "ok", "note", "WARN", "FAIL" };
	static const enum colour colours[] = { GREEN, BOLD, YELLOW, RED };
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	must_have(text);
	d->blocked |= is == BLOCKS;
	if (d->findings) {
		report_json(d->findings, is, what, text, advice);
	} else {
		printf("%s%-5s%s %-10s %s\n", paint(colours[is]), marks[is], paint(PLAIN),
		       what, text);
		if (advice)
			printf("%-16s -> %s\n", "", advice);
	}
	free(text);
}

/* ---- the host ---- */

static void check_kernel(struct doctor *d)
{
	static const char *const tested[] = { "6.1.", "6.12.", "7.2." };
	unsigned int major = 0, minor = 0, i;
	struct utsname uts;

	uname(&uts);
	if (sscanf(uts.release, "%u.%u", &major, &minor) < 2)
		return;
	for (i = 0; i < ARRAY_SIZE(tested); i++)
		if (!strncmp(uts.release, tested[i], strlen(tested[i]))) {
			report(d, FINE, "kernel", NULL, "Linux %s", uts.release);
			return;
		}
	if (major * 1000 + minor < 6001)
		report(d, BLOCKS, "kernel", "apt install linux-image-amd64, then reboot",
		       "Linux %s is older than 6.1", uts.release);
	else
		report(d, NOTE, "kernel", NULL, "Linux %s: mvgpu is tested on 6.1, 6.12 and 7.2",
		       uts.release);
}

static void check_lockdown(struct doctor *d)
{
	if (!module_must_be_signed())
		return;
	if (module_state("mvgpu") == MODULE_LOADED)
		report(d, FINE, "lockdown", NULL,
		       "the kernel loads signed modules only, and knows the key of ours");
	else
		report(d, WARNING, "lockdown", MODULE_SIGN_ADVICE,
		       "the kernel loads only modules that are signed with a key it knows");
}

static void check_module(struct doctor *d, const char *name, bool ours)
{
	char *load = format("modprobe %s", name);

	switch (module_state(name)) {
	case MODULE_LOADED:
		report(d, FINE, "module", NULL, "%s is loaded", name);
		break;
	case MODULE_INSTALLED:
		report(d, NOTE, "module", load, "%s is installed, but not loaded", name);
		break;
	default:
		report(d, BLOCKS, "module", ours ? module_advice() :
		       "boot Debian's own kernel, which has it",
		       "%s is not installed for this kernel", name);
	}
	free(load);
}

/* Of the vendor drivers, those for which there is a GPU */
static void check_modules(struct doctor *d)
{
	unsigned int i, k;

	check_module(d, "vfio_iommu_type1", false);
	check_module(d, "mdev", false);
	check_module(d, "mvgpu", true);
	for (i = 0; i < num_vendors; i++) {
		for (k = 0; k < d->h.num_gpus; k++)
			if (d->h.gpus[k].vendor == &vendors[i])
				break;
		if (k < d->h.num_gpus)
			check_module(d, vendors[i].driver, true);
	}
}

static void check_vmm(struct doctor *d)
{
	if (access("/dev/kvm", F_OK))
		report(d, WARNING, "kvm", "modprobe kvm_intel, or kvm_amd",
		       "there is no /dev/kvm: guests would be emulated");
	else
		report(d, FINE, "kvm", NULL, "/dev/kvm is there");
	if (access("/usr/sbin/mdevctl", X_OK) && access("/usr/bin/mdevctl", X_OK))
		report(d, NOTE, "mdevctl", "apt install mdevctl, if libvirt is to define vGPUs",
		       "mdevctl is not installed; mvgpuctl does without");
	if (!holders_known())
		report(d, NOTE, "root", "sudo mvgpuctl doctor",
		       "only root is told who uses a GPU or a vGPU");
}

/* ---- GPUs ---- */

static void check_iommu(struct doctor *d, const struct gpu *gpu)
{
	enum iommu_mode mode = iommu_mode(gpu);

	if (gpu->vendor && !gpu->vendor->dma)
		return;
	report(d, mode == IOMMU_TRANSLATES ? FINE : d->need_iommu ? BLOCKS : NOTE, "iommu",
	       iommu_advice(mode), "%s: IOMMU: %s", gpu->address, iommu_text(mode));
}

static void check_free_gpu(struct doctor *d, const struct gpu *gpu)
{
	const struct holder *holder = gpu_holder(gpu);
	char *adopt = format("mvgpuctl adopt %s", gpu->address);

	if (holder)
		report(d, WARNING, "gpu", "stop it before the GPU is adopted",
		       "%s: %s (pid %d) has %s open", gpu->address, holder->comm, holder->pid,
		       holder->node);
	report(d, NOTE, "gpu", adopt, "%s: %s, which %s has, can be shared", gpu->address,
	       gpu->vendor ? gpu->vendor->gpu : "GPU", gpu->driver ? gpu->driver : "no driver");
	free(adopt);
}

/* vGPUs that are to go, but whose VMM has not let go of them */
static void check_leaving(struct doctor *d, const struct gpu *gpu)
{
	char **leaving = gpu_leaving(gpu), **uuid;

	for (uuid = leaving; *uuid; uuid++) {
		struct vgpu v = { .uuid = *uuid, .parent = gpu };
		const struct holder *holder;
		char *who;

		v.path = format("%s/%s", gpu->path, *uuid);
		holder = vgpu_holder(&v);
		who = holder ? format("%s (pid %d)", holder->comm, holder->pid) :
			       format("its VMM");
		report(d, WARNING, "vgpu", "unplug it from that VMM, or stop the VMM",
		       "%s: it is being removed, and waits for %s", *uuid, who);
		free(who);
		free(v.path);
	}
	strings_free(leaving);
}

static void check_parent(struct doctor *d, const struct gpu *gpu)
{
	unsigned int i, free_types = 0, vgpus = gpu_num_vgpus(&d->h, gpu);

	for (i = 0; i < gpu->num_types; i++)
		free_types += gpu->types[i].available > 0;
	report(d, FINE, "parent", NULL, "%s: %s has it; vGPUs: %u", gpu->address,
	       gpu->driver ? gpu->driver : "no driver", vgpus);
	if (!free_types)
		report(d, NOTE, "parent", "mvgpuctl remove, to make room",
		       "%s: it is full", gpu->address);
}

static void check_gpus(struct doctor *d)
{
	unsigned int i;

	if (!d->h.num_gpus)
		report(d, BLOCKS, "gpu", "'lspci -nn' shows what there is",
		       "there is no GPU that a vendor driver knows");
	for (i = 0; i < d->h.num_gpus; i++) {
		const struct gpu *gpu = &d->h.gpus[i];

		if (gpu->parent)
			check_parent(d, gpu);
		else
			check_free_gpu(d, gpu);
		check_leaving(d, gpu);
		check_iommu(d, gpu);
	}
}

/* ---- vGPUs ---- */

/* What a kind of refused mapping asks for */
static const char *error_advice(const char *errors)
{
	static const struct {
		const char *kind;
		const char *advice;
	} advices[] = {
		{ "quota ", "mvgpuctl set VGPU quota=max, or more pages" },
		{ "reach ", "boot with an IOMMU, or without swiotlb=force" },
		{ "other ", "raise the VMM's limit of locked memory (ulimit -l)" },
		{ "busy ", "look at dmesg: the hardware is slow to let go of memory" },
	};
	unsigned int i;
	const char *at;

	for (i = 0; i < ARRAY_SIZE(advices); i++) {
		at = strstr(errors, advices[i].kind);
		if (at && atoll(at + strlen(advices[i].kind)))
			return advices[i].advice;
	}
	return "look at dmesg: its guest's driver asks for what it can't have";
}

static void check_vgpu(struct doctor *d, const struct vgpu *v)
{
	const struct attr *errors = attr_find("errors", ATTR_VGPU);
	const struct attr *quarantined = attr_find("quarantined", ATTR_VGPU);
	struct value value;
	char *text;

	if (attr_get(v->path, errors, &value) && value.number) {
		text = attr_human(errors, &value);
		report(d, WARNING, "vgpu", error_advice(value.text),
		       "%s: mappings of its guest were refused: %s", vgpu_label(v), text);
		free(text);
	}
	value_free(&value);
	if (attr_get(v->path, quarantined, &value) && value.number)
		report(d, WARNING, "vgpu", "the hardware hangs: look at dmesg",
		       "%s: %llu pages are in quarantine", vgpu_label(v), value.number);
	value_free(&value);
}

static enum status examine(struct doctor *d)
{
	json_object *root;
	unsigned int i;

	check_kernel(d);
	check_lockdown(d);
	check_modules(d);
	check_vmm(d);
	check_gpus(d);
	for (i = 0; i < d->h.num_vgpus; i++)
		check_vgpu(d, &d->h.vgpus[i]);
	if (d->findings) {
		root = must_have(json_object_new_object());
		json_object_object_add(root, "findings", d->findings);
		json_object_object_add(root, "blocked",
				       must_have(json_object_new_boolean(d->blocked)));
		print_json(root);
	}
	return d->blocked ? ST_MISSING : ST_OK;
}

static enum status doctor_run(const struct command *cmd, int argc, char **argv)
{
	struct doctor d = {};
	enum status status;
	int letter;

	while ((letter = next_option(cmd, argc, argv)) == 'i')
		d.need_iommu = true;
	if (letter != OPT_END)
		return option_status(letter);
	if (argc != optind)
		return usage(cmd, "it takes no arguments");
	status = host_scan(&d.h, NULL);
	if (!status) {
		if (saying_json())
			d.findings = must_have(json_object_new_array());
		status = examine(&d);
	}
	host_free(&d.h);
	return status;
}

static const struct opt doctor_opts[] = {
	{ 'i', "need-iommu", NULL, "without an IOMMU that translates, something blocks" },
	{}
};

const struct command cmd_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "what is there, what blocks, and what to type",
	.help =
		"Looks at the kernel, the modules, the IOMMU, the GPUs and who has them, and\n"
		"the vGPUs. Says of each problem what to do about it. Ends with 6 if something\n"
		"blocks.",
	.opts = doctor_opts,
	.run = doctor_run,
};
