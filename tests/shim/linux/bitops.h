/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_BITOPS_H
#define SHIM_LINUX_BITOPS_H

#include <linux/bits.h>

#define hweight32(n)	__builtin_popcount(n)
#define hweight64(n)	__builtin_popcountll(n)

#endif /* SHIM_LINUX_BITOPS_H */
