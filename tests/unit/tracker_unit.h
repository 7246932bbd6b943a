/* SPDX-License-Identifier: MIT */
/* tracker_unit.h - a vGPU that is nothing but its tracker, on the machine of shim_vmm.h */
#ifndef TRACKER_UNIT_H
#define TRACKER_UNIT_H

#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <string.h>
#include "unit.h"
#include "shim_vmm.h"
#include "tracker.h"

#define RW	(IOMMU_READ | IOMMU_WRITE)

struct mvgpu {
	struct mvgpu_tracker t;
};

static struct mvgpu vgpu;
static struct vfio_device vdev;

struct mvgpu_tracker *mvgpu_tracker(struct mvgpu *v)
{
	return &v->t;
}

static inline void unit_dma_unmap(struct vfio_device *v, u64 iova, u64 len)
{
	(void)v;
	mvgpu_tracker_dma_unmap(&vgpu.t, iova, len);
}

static inline void unit_start(enum shim_backend backend, enum shim_iommu iommu)
{
	memset(&vgpu, 0, sizeof(vgpu));
	shim_vmm_init(backend, iommu, unit_dma_unmap);
	assert_int_equal(mvgpu_tracker_init(&vgpu.t, &vdev), 0);
	mvgpu_tracker_open(&vgpu.t, ULONG_MAX);
}

static inline void unit_settle(void)
{
	drain_workqueue(vgpu.t.wq);
}

/* Law 8: whatever happened before, nothing is left */
static inline void unit_stop(void)
{
	mvgpu_tracker_close(&vgpu.t);
	unit_settle();
	assert_int_equal(shim_pinned(), 0);
	assert_int_equal(shim_mapped(), 0);
	assert_int_equal(shim_referenced(), 0);
	assert_int_equal(shim_vmaps(), 0);
	mvgpu_tracker_fini(&vgpu.t);
	shim_vmm_fini();
	shim_rcu_barrier();
	assert_int_equal(shim_allocs_alive(), 0);
}

#endif /* TRACKER_UNIT_H */
