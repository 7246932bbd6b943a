// SPDX-License-Identifier: MIT
/*
 * Owns struct vgpu_iommu: what is the same for every IOMMU backend.
 */
#include "internal.h"

/**
 * vgpu_iommu_close() - free an IOMMU backend
 * @iommu: the backend; NULL is harmless
 *
 * Every device opened through it must be closed. What is mapped is unmapped.
 */
void vgpu_iommu_close(struct vgpu_iommu *iommu)
{
	if (iommu)
		iommu->ops->destroy(iommu);
}

/**
 * vgpu_iommu_fd() - the file that stands for an IOMMU backend
 * @iommu: the backend
 *
 * Return: a file descriptor that stays the backend's.
 */
int vgpu_iommu_fd(const struct vgpu_iommu *iommu)
{
	return iommu->fd;
}

/**
 * vgpu_iommu_map() - let devices reach memory
 * @iommu: the backend, with at least one device open
 * @iova: the address that devices use, in bytes, page-aligned
 * @vaddr: the memory, page-aligned
 * @size: bytes, a multiple of the page size
 * @prot: PROT_READ, PROT_WRITE or both: what devices may do
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL for what is not aligned, wraps, or with no device open;
 * -EEXIST when part of the range is mapped; -EFAULT, -ENOMEM, -ENOSPC.
 */
int vgpu_iommu_map(struct vgpu_iommu *iommu, __u64 iova, void *vaddr, __u64 size, int prot,
		   struct vgpu_error *err)
{
	return iommu->ops->map(iommu, iova, vaddr, size, prot, err);
}

/**
 * vgpu_iommu_unmap() - take memory away from devices
 * @iommu: the backend
 * @iova: the address that devices use, in bytes, page-aligned
 * @size: bytes, a multiple of the page size; no mapping may be cut in two
 * @unmapped: takes the number of bytes that were unmapped; may be NULL
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0, also when nothing was mapped there; -EINVAL for a range that is
 * not aligned, wraps or cuts a mapping.
 */
int vgpu_iommu_unmap(struct vgpu_iommu *iommu, __u64 iova, __u64 size, __u64 *unmapped,
		     struct vgpu_error *err)
{
	return iommu->ops->unmap(iommu, iova, size, false, unmapped, err);
}

/**
 * vgpu_iommu_unmap_all() - take all memory away from devices
 * @iommu: the backend
 * @unmapped: takes the number of bytes that were unmapped; may be NULL
 * @err: takes the reason of a failure; may be NULL
 *
 * Return: 0; -EINVAL with no device open.
 */
int vgpu_iommu_unmap_all(struct vgpu_iommu *iommu, __u64 *unmapped, struct vgpu_error *err)
{
	return iommu->ops->unmap(iommu, 0, 0, true, unmapped, err);
}
