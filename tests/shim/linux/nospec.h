/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_NOSPEC_H
#define SHIM_LINUX_NOSPEC_H

#define array_index_nospec(index, size) ({			\
	__typeof__(index) shim_i = (index);			\
	shim_i < (size) ? shim_i : 0; })

#endif /* SHIM_LINUX_NOSPEC_H */
