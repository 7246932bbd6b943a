/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_OVERFLOW_H
#define SHIM_LINUX_OVERFLOW_H

#define check_add_overflow(a, b, to)	__builtin_add_overflow(a, b, to)
#define check_mul_overflow(a, b, to)	__builtin_mul_overflow(a, b, to)

#endif /* SHIM_LINUX_OVERFLOW_H */
