// SPDX-License-Identifier: MIT
/*
 * Owns the dealings with kernel modules, through libkmod. Holds no state.
 */
#include <errno.h>
#include <glob.h>
#include <libkmod.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "mvgpuctl.h"

static enum module_state state_of(struct kmod_module *module)
{
	switch (kmod_module_get_initstate(module)) {
	case KMOD_MODULE_BUILTIN:
	case KMOD_MODULE_LIVE:
		return MODULE_LOADED;
	default:
		return kmod_module_get_path(module) ? MODULE_INSTALLED : MODULE_ABSENT;
	}
}

/**
 * module_state() - whether a module is loaded, or could be
 * @name: its name
 *
 * Return: what it is.
 */
enum module_state module_state(const char *name)
{
	struct kmod_ctx *ctx = must_have(kmod_new(NULL, NULL));
	enum module_state state = MODULE_ABSENT;
	struct kmod_module *module;

	kmod_set_log_priority(ctx, 0);
	if (!kmod_module_new_from_name(ctx, name, &module)) {
		state = state_of(module);
		kmod_module_unref(module);
	}
	kmod_unref(ctx);
	return state;
}

/**
 * module_must_be_signed() - whether the kernel loads only what is signed with a key it knows
 */
bool module_must_be_signed(void)
{
	char *mode = sysfs_read("/sys/kernel/security", "lockdown");
	bool locked = mode && !strstr(mode, "[none]");

	free(mode);
	return locked;
}

/* What the kernel says of a module whose key it does not know, locked down or not */
static bool is_about_key(int err)
{
	return err == -EPERM || err == -EKEYREJECTED || err == -ENOKEY;
}

static enum status load(const char *name)
{
	struct kmod_ctx *ctx = must_have(kmod_new(NULL, NULL));
	struct kmod_module *module;
	enum status status;
	int ret;

	kmod_set_log_priority(ctx, 0);
	ret = kmod_module_new_from_name(ctx, name, &module);
	if (!ret) {
		ret = kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST, NULL,
						      NULL, NULL, NULL);
		kmod_module_unref(module);
	}
	kmod_unref(ctx);
	if (!ret)
		return ST_OK;
	if (!geteuid() && is_about_key(ret) && module_must_be_signed()) {
		fail(ST_MISSING, "module %s: the kernel does not know the key that signed it",
		     name);
		advise("%s", MODULE_SIGN_ADVICE);
		return ST_MISSING;
	}
	if (ret > 0)
		status = fail(ST_REFUSED, "module %s: it is blacklisted in /etc/modprobe.d", name);
	else if (status_of(ret) == ST_PERMISSION)
		status = fail_errno(ret, "loading the module %s", name);
	else	/* ENOENT, too, which is a symbol that it lacks */
		status = fail(ST_REFUSED, "loading the module %s: %s", name, strerror(-ret));
	advise("modprobe %s; then look at the end of dmesg", name);
	return status;
}

/* How to install a module of ours that is not there */
const char *module_advice(void)
{
	glob_t found;
	int ret = glob("/usr/src/mvgpu-*/dkms.conf", 0, NULL, &found);

	globfree(&found);
	return ret ? "apt install linux-headers-$(uname -r); make install, in mvgpu's sources" :
		     "apt install linux-headers-$(uname -r); dkms autoinstall";
}

/**
 * module_need() - see to it that a module is loaded
 * @name: its name
 *
 * Return: ST_OK; ST_MISSING if it is not installed, or not signed with a key that the kernel
 * knows; ST_REFUSED or ST_PERMISSION if it can't be loaded. What went wrong has been said.
 */
enum status module_need(const char *name)
{
	struct utsname uts;
	enum status status;

	switch (module_state(name)) {
	case MODULE_LOADED:
		return ST_OK;
	case MODULE_INSTALLED:
		status = load(name);
		if (!status)
			inform("loaded the module %s", name);
		return status;
	default:
		uname(&uts);
		fail(ST_MISSING, "module %s: it is not installed for the kernel %s", name,
		     uts.release);
		advise("%s", module_advice());
		return ST_MISSING;
	}
}
