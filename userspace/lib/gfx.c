// SPDX-License-Identifier: MIT
/*
 * Owns the graphics plane query: what a vGPU shows, and how a VMM gets at it.
 * Holds no state.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "internal.h"

/**
 * vgpu_gfx_probe() - ask whether a vGPU can show its plane in some way
 * @dev: the device
 * @how: VFIO_GFX_PLANE_TYPE_REGION or VFIO_GFX_PLANE_TYPE_DMABUF
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0 when it can; -EINVAL when it cannot; -ENOTTY when it has no display.
 */
int vgpu_gfx_probe(struct vgpu_device *dev, __u32 how, struct vgpu_error *err)
{
	struct vfio_device_gfx_plane_info plane = {
		.argsz = sizeof(plane),
		.flags = VFIO_GFX_PLANE_TYPE_PROBE | how,
	};

	if (ioctl(dev->fd, VFIO_DEVICE_QUERY_GFX_PLANE, &plane))
		return vgpu_fail(err, -errno, dev->name, "a plane of type 0x%x", how);
	return 0;
}

/**
 * vgpu_gfx_query() - ask what a vGPU shows
 * @dev: the device
 * @how: VFIO_GFX_PLANE_TYPE_REGION or VFIO_GFX_PLANE_TYPE_DMABUF
 * @plane_type: DRM_PLANE_TYPE_*
 * @plane: takes the answer; width 0 means that nothing is shown
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL when the vGPU has no such plane or cannot show it in this
 * way; -ENOTTY when it has no display.
 */
int vgpu_gfx_query(struct vgpu_device *dev, __u32 how, __u32 plane_type,
		   struct vfio_device_gfx_plane_info *plane, struct vgpu_error *err)
{
	*plane = (struct vfio_device_gfx_plane_info){
		.argsz = sizeof(*plane),
		.flags = how,
		.drm_plane_type = plane_type,
	};
	if (ioctl(dev->fd, VFIO_DEVICE_QUERY_GFX_PLANE, plane))
		return vgpu_fail(err, -errno, dev->name, "querying plane %u of type 0x%x",
				 plane_type, how);
	return 0;
}
