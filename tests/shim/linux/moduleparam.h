/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_MODULEPARAM_H
#define SHIM_LINUX_MODULEPARAM_H

/* Nobody sets parameters */
#define module_param(name, type, mode)	extern __typeof__(name) name

#endif /* SHIM_LINUX_MODULEPARAM_H */
