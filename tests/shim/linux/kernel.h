/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_KERNEL_H
#define SHIM_LINUX_KERNEL_H

#include <limits.h>
#include <linux/bits.h>
#include <linux/types.h>

#define U8_MAX		((u8)~0u)
#define U16_MAX		((u16)~0u)
#define U32_MAX		((u32)~0u)
#define U64_MAX		((u64)~0ull)

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define ALIGN(x, a)		(((x) + (__typeof__(x))(a) - 1) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)
#define lower_32_bits(n)	((u32)((n) & 0xffffffff))
#define upper_32_bits(n)	((u32)(((u64)(n)) >> 32))

/* What is only for tests on real machines is left out */
#define IS_ENABLED(option)	0

#define swap(a, b) do {						\
	__typeof__(a) shim_a = (a);				\
	(a) = (b);						\
	(b) = shim_a;						\
} while (0)

#define BUILD_BUG_ON(cond)		_Static_assert(!(cond), #cond)
#define sizeof_field(type, member)	sizeof(((type *)NULL)->member)

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* One type for both operands, as the kernel's min() and max() insist on */
#define shim_pick(a, op, b) ({					\
	__typeof__(a) shim_a = (a);				\
	__typeof__(b) shim_b = (b);				\
	(void)(&shim_a == &shim_b);				\
	shim_a op shim_b ? shim_a : shim_b; })
#define min(a, b)		shim_pick(a, <, b)
#define max(a, b)		shim_pick(a, >, b)
#define struct_size(p, member, n)	(sizeof(*(p)) + sizeof(*(p)->member) * (size_t)(n))
#define might_sleep()			shim_might_sleep(__func__)
#define min3(a, b, c)		({ __typeof__(a) shim_m = min(a, b); min(shim_m, c); })
#define max3(a, b, c)		({ __typeof__(a) shim_m = max(a, b); max(shim_m, c); })
#define min_t(type, a, b)	({ type shim_x = (a), shim_y = (b); min(shim_x, shim_y); })
#define max_t(type, a, b)	({ type shim_x = (a), shim_y = (b); max(shim_x, shim_y); })
#define clamp_t(type, v, lo, hi) min_t(type, max_t(type, v, lo), hi)

#endif /* SHIM_LINUX_KERNEL_H */
