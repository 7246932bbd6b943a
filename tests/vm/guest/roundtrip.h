/* SPDX-License-Identifier: MIT */
/*
 * A command's way to a virtio GPU and back. With 2D, the only one that stock drivers
 * let programs wait for is the creation of a resource: here the smallest.
 */
#ifndef MVGPU_TESTS_ROUNDTRIP_H
#define MVGPU_TESTS_ROUNDTRIP_H

#include <stdint.h>
#include <virtgpu_drm.h>
#include <xf86drm.h>

#define ROUNDTRIP_TEXTURE_2D 2	/* virgl's PIPE_TEXTURE_2D */
#define ROUNDTRIP_XRGB8888 2	/* VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM */

/*
 * Returns when the device has answered, and with it what it was told before: 0, and
 * the resource in *handle, or -1.
 */
static inline int roundtrip(int fd, uint32_t *handle)
{
	struct drm_virtgpu_resource_create create = {
		.target = ROUNDTRIP_TEXTURE_2D, .format = ROUNDTRIP_XRGB8888,
		.width = 1, .height = 1, .depth = 1, .array_size = 1, .size = 4096,
	};
	struct drm_virtgpu_3d_wait wait = { 0 };

	if (drmIoctl(fd, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &create))
		return -1;
	*handle = create.bo_handle;
	wait.handle = create.bo_handle;
	return drmIoctl(fd, DRM_IOCTL_VIRTGPU_WAIT, &wait);
}

static inline void roundtrip_close(int fd, uint32_t handle)
{
	struct drm_gem_close gem = { .handle = handle };

	drmIoctl(fd, DRM_IOCTL_GEM_CLOSE, &gem);
}

#endif
