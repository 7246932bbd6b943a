/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_EXPORT_H
#define SHIM_LINUX_EXPORT_H

#define EXPORT_SYMBOL_GPL(sym)	extern __typeof__(sym) sym

struct module;

#define THIS_MODULE	((struct module *)0)
#define KBUILD_MODNAME	"shim"

#endif /* SHIM_LINUX_EXPORT_H */
