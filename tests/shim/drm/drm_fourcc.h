/* SPDX-License-Identifier: MIT */
#ifndef SHIM_DRM_FOURCC_H
#define SHIM_DRM_FOURCC_H

#include <linux/types.h>

#define fourcc_code(a, b, c, d)	((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

#define DRM_FORMAT_XRGB8888	fourcc_code('X', 'R', '2', '4')
#define DRM_FORMAT_XBGR8888	fourcc_code('X', 'B', '2', '4')
#define DRM_FORMAT_RGBX8888	fourcc_code('R', 'X', '2', '4')
#define DRM_FORMAT_BGRX8888	fourcc_code('B', 'X', '2', '4')
#define DRM_FORMAT_ARGB8888	fourcc_code('A', 'R', '2', '4')
#define DRM_FORMAT_ABGR8888	fourcc_code('A', 'B', '2', '4')
#define DRM_FORMAT_RGBA8888	fourcc_code('R', 'A', '2', '4')
#define DRM_FORMAT_BGRA8888	fourcc_code('B', 'A', '2', '4')

#endif /* SHIM_DRM_FOURCC_H */
