/* SPDX-License-Identifier: MIT */
/* mvgpu.h - what user space sees of mvgpu beyond VFIO's own interface */
#ifndef UAPI_MVGPU_H
#define UAPI_MVGPU_H

/*
 * A vGPU with a head has one region after VFIO's own. Its type is
 * VFIO_REGION_TYPE_PCI_VENDOR_TYPE | the vGPU's PCI vendor ID, its subtype this. Its
 * first page is the one in which the picture starts that VFIO_DEVICE_QUERY_GFX_PLANE
 * describes. It can be read and mapped, not written.
 */
#define MVGPU_REGION_SUBTYPE_PLANE	1

#endif /* UAPI_MVGPU_H */
