/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_MODULE_H
#define SHIM_LINUX_MODULE_H

#include <linux/export.h>
#include <linux/moduleparam.h>

#define __init
#define __exit

/* The test loads and unloads the one module that it is linked with */
int shim_module_init(void);
void shim_module_exit(void);

#define module_init(f)		int shim_module_init(void) { return f(); } extern int shim_unused
#define module_exit(f)		void shim_module_exit(void) { f(); } extern int shim_unused

#define MODULE_DESCRIPTION(s)	extern int shim_unused
#define MODULE_AUTHOR(s)	extern int shim_unused
#define MODULE_LICENSE(s)	extern int shim_unused

#endif /* SHIM_LINUX_MODULE_H */
