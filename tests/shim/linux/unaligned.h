/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_UNALIGNED_H
#define SHIM_LINUX_UNALIGNED_H

#include <endian.h>
#include <linux/types.h>
#include <string.h>

#define SHIM_UNALIGNED(order, bits)					\
static inline u##bits get_unaligned_##order##bits(const void *p)	\
{									\
	u##bits val;							\
									\
	memcpy(&val, p, sizeof(val));					\
	return order##bits##toh(val);					\
}									\
									\
static inline void put_unaligned_##order##bits(u##bits val, void *p)	\
{									\
	val = hto##order##bits(val);					\
	memcpy(p, &val, sizeof(val));					\
}

SHIM_UNALIGNED(le, 16)
SHIM_UNALIGNED(le, 32)
SHIM_UNALIGNED(le, 64)
SHIM_UNALIGNED(be, 16)
SHIM_UNALIGNED(be, 32)
SHIM_UNALIGNED(be, 64)

#endif /* SHIM_LINUX_UNALIGNED_H */
