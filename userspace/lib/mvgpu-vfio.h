/* SPDX-License-Identifier: MIT */
/*
 * libmvgpu-vfio: a client of the kernel's VFIO interface for vGPUs.
 *
 * Every function that can fail returns a negative errno and, where the caller
 * passes a struct vgpu_error, a sentence that names the vGPU and what was
 * refused. The library keeps no global state: two threads may use two devices
 * freely, and one device freely as long as none of them closes it.
 */
#ifndef MVGPU_VFIO_H
#define MVGPU_VFIO_H

#include <linux/types.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct vgpu_iommu;
struct vgpu_device;

/**
 * struct vgpu_error - why a call failed
 * @code: the negative errno that the call returned
 * @text: a sentence for the operator, without a newline
 */
struct vgpu_error {
	int code;
	char text[256];
};

/* -------- IOMMU backends: what gives access to devices and maps memory -------- */

int vgpu_container_open(struct vgpu_iommu **iommu, struct vgpu_error *err);
int vgpu_iommufd_open(struct vgpu_iommu **iommu, struct vgpu_error *err);
int vgpu_borrow(pid_t pid, struct vgpu_iommu **iommu, struct vgpu_error *err);
void vgpu_iommu_close(struct vgpu_iommu *iommu);
int vgpu_iommu_fd(const struct vgpu_iommu *iommu);
int vgpu_iommu_map(struct vgpu_iommu *iommu, __u64 iova, void *vaddr, __u64 size, int prot,
		   struct vgpu_error *err);
int vgpu_iommu_unmap(struct vgpu_iommu *iommu, __u64 iova, __u64 size, __u64 *unmapped,
		     struct vgpu_error *err);
int vgpu_iommu_unmap_all(struct vgpu_iommu *iommu, __u64 *unmapped, struct vgpu_error *err);

/* -------- devices -------- */

int vgpu_open(struct vgpu_iommu *iommu, const char *where, struct vgpu_device **dev,
	      struct vgpu_error *err);
void vgpu_close(struct vgpu_device *dev);
int vgpu_fd(const struct vgpu_device *dev);
const char *vgpu_name(const struct vgpu_device *dev);
const char *vgpu_sysfs(const struct vgpu_device *dev);
unsigned int vgpu_num_regions(const struct vgpu_device *dev);
unsigned int vgpu_num_irqs(const struct vgpu_device *dev);
int vgpu_get_info(struct vgpu_device *dev, struct vfio_device_info *info, struct vgpu_error *err);
int vgpu_reset(struct vgpu_device *dev, struct vgpu_error *err);

/* -------- regions -------- */

/**
 * struct vgpu_region - one region and its capabilities, decoded
 * @index: the region's index
 * @flags: VFIO_REGION_INFO_FLAG_*
 * @size: bytes; 0 for a region that the device does not have
 * @offset: where the region starts in the device file
 * @has_type: the region carries VFIO_REGION_INFO_CAP_TYPE
 * @type: its type, where @has_type
 * @subtype: its subtype, where @has_type
 * @has_sparse: the region carries VFIO_REGION_INFO_CAP_SPARSE_MMAP
 * @nr_areas: how many entries @areas has: one area that spans the region
 *	when it can be mapped and has no sparse capability, 0 when it cannot
 * @areas: what may be mapped
 */
struct vgpu_region {
	__u32 index;
	__u32 flags;
	__u64 size;
	__u64 offset;
	bool has_type;
	__u32 type;
	__u32 subtype;
	bool has_sparse;
	unsigned int nr_areas;
	struct vfio_region_sparse_mmap_area *areas;
};

int vgpu_region_get(struct vgpu_device *dev, __u32 index, struct vgpu_region *region,
		    struct vgpu_error *err);
void vgpu_region_put(struct vgpu_region *region);
ssize_t vgpu_region_read(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
			 void *buf, size_t count, struct vgpu_error *err);
ssize_t vgpu_region_write(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
			  const void *buf, size_t count, struct vgpu_error *err);
int vgpu_region_load(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
		     unsigned int width, __u64 *value, struct vgpu_error *err);
int vgpu_region_store(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
		      unsigned int width, __u64 value, struct vgpu_error *err);
int vgpu_region_mmap(struct vgpu_device *dev, const struct vgpu_region *region, __u64 pos,
		     size_t size, int prot, void **ptr, struct vgpu_error *err);

/* -------- interrupts -------- */

int vgpu_irq_get(struct vgpu_device *dev, __u32 index, struct vfio_irq_info *info,
		 struct vgpu_error *err);
int vgpu_irq_none(struct vgpu_device *dev, __u32 index, __u32 action, __u32 start, __u32 count,
		  struct vgpu_error *err);
int vgpu_irq_bool(struct vgpu_device *dev, __u32 index, __u32 action, __u32 start, __u32 count,
		  const __u8 *which, struct vgpu_error *err);
int vgpu_irq_eventfd(struct vgpu_device *dev, __u32 index, __u32 action, __u32 start,
		     __u32 count, const __s32 *fds, struct vgpu_error *err);
int vgpu_irq_disable(struct vgpu_device *dev, __u32 index, struct vgpu_error *err);
int vgpu_irq_raw(struct vgpu_device *dev, const struct vfio_irq_set *hdr, const void *data,
		 size_t data_size, struct vgpu_error *err);

/* -------- PCI config space -------- */

/**
 * struct vgpu_bar - a base address register as sizing shows it
 * @size: bytes that it decodes; 0 for a BAR that is not implemented
 * @is_io: it decodes I/O ports
 * @is_64: it takes the next register as its upper half
 * @prefetchable: it says that reads have no side effects
 */
struct vgpu_bar {
	__u64 size;
	bool is_io;
	bool is_64;
	bool prefetchable;
};

int vgpu_cfg_read(struct vgpu_device *dev, __u32 pos, unsigned int width, __u32 *value,
		  struct vgpu_error *err);
int vgpu_cfg_write(struct vgpu_device *dev, __u32 pos, unsigned int width, __u32 value,
		   struct vgpu_error *err);
int vgpu_cfg_find_cap(struct vgpu_device *dev, __u8 id, struct vgpu_error *err);
int vgpu_cfg_find_ext_cap(struct vgpu_device *dev, __u16 id, struct vgpu_error *err);
int vgpu_cfg_size_bar(struct vgpu_device *dev, unsigned int bar, struct vgpu_bar *out,
		      struct vgpu_error *err);

/* -------- graphics planes -------- */

int vgpu_gfx_probe(struct vgpu_device *dev, __u32 how, struct vgpu_error *err);
int vgpu_gfx_query(struct vgpu_device *dev, __u32 how, __u32 plane_type,
		   struct vfio_device_gfx_plane_info *plane, struct vgpu_error *err);

#endif
