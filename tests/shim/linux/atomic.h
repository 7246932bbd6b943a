/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_ATOMIC_H
#define SHIM_LINUX_ATOMIC_H

#include <linux/types.h>

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)

#define SHIM_ATOMIC(name, type)							\
typedef struct { type v; } name##_t;						\
static inline type name##_read(const name##_t *a)				\
{										\
	return __atomic_load_n(&a->v, __ATOMIC_RELAXED);			\
}										\
static inline void name##_set(name##_t *a, type v)				\
{										\
	__atomic_store_n(&a->v, v, __ATOMIC_RELAXED);				\
}										\
static inline type name##_add_return(type n, name##_t *a)			\
{										\
	return __atomic_add_fetch(&a->v, n, __ATOMIC_SEQ_CST);			\
}										\
static inline type name##_xchg(name##_t *a, type v)				\
{										\
	return __atomic_exchange_n(&a->v, v, __ATOMIC_SEQ_CST);			\
}										\
static inline void name##_add(type n, name##_t *a)				\
{										\
	__atomic_add_fetch(&a->v, n, __ATOMIC_RELAXED);				\
}										\
static inline void name##_sub(type n, name##_t *a)				\
{										\
	__atomic_sub_fetch(&a->v, n, __ATOMIC_RELAXED);				\
}										\
static inline void name##_or(type n, name##_t *a)				\
{										\
	__atomic_or_fetch(&a->v, n, __ATOMIC_SEQ_CST);				\
}										\
static inline void name##_andnot(type v, name##_t *a)				\
{										\
	__atomic_and_fetch(&a->v, ~v, __ATOMIC_SEQ_CST);			\
}										\
static inline void name##_inc(name##_t *a)					\
{										\
	name##_add(1, a);							\
}										\
static inline void name##_dec(name##_t *a)					\
{										\
	name##_sub(1, a);							\
}

SHIM_ATOMIC(atomic, int)
SHIM_ATOMIC(atomic_long, long)
SHIM_ATOMIC(atomic64, s64)

#endif /* SHIM_LINUX_ATOMIC_H */
