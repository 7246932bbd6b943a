// SPDX-License-Identifier: MIT
/*
 * Owns struct vgpu_error: the sentence that goes with a negative errno.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/**
 * vgpu_fail() - record why a call fails
 * @err: where to; may be NULL
 * @code: negative errno
 * @name: the vGPU's UUID, or NULL where no single vGPU is concerned
 * @fmt: what was refused, as in "reset"
 *
 * Return: @code, so that a caller can return it in the same statement.
 */
int vgpu_fail(struct vgpu_error *err, int code, const char *name, const char *fmt, ...)
{
	char reason[64];
	size_t used;
	va_list ap;

	if (!err)
		return code;

	err->code = code;
	used = snprintf(err->text, sizeof(err->text), "%s%s: ", name ? "vGPU " : "VFIO",
			name ? name : "");
	if (used < sizeof(err->text)) {
		va_start(ap, fmt);
		used += vsnprintf(err->text + used, sizeof(err->text) - used, fmt, ap);
		va_end(ap);
	}
	if (used < sizeof(err->text))
		snprintf(err->text + used, sizeof(err->text) - used, ": %s",
			 strerror_r(-code, reason, sizeof(reason)));
	return code;
}
