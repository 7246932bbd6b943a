/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_BITFIELD_H
#define SHIM_LINUX_BITFIELD_H

#include <linux/bits.h>

#define FIELD_GET(mask, val)	(((val) & (mask)) >> __builtin_ctzll(mask))
#define FIELD_PREP(mask, val)	(((__typeof__(mask))(val) << __builtin_ctzll(mask)) & (mask))

#endif /* SHIM_LINUX_BITFIELD_H */
