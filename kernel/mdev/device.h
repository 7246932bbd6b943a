/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device.h - struct mvgpu and struct mvgpu_parent, shared by the framework's files
 *
 * Lock order, outermost first. VFIO calls us with none of ours held.
 *
 *	mvgpu_parent.lock	the list of vGPUs and the carving of the aperture
 *	mvgpu.lock		configuration space, BAR hooks, the vendor's device model
 *	mvgpu_parent.screen_lock  who has the physical screen, and its registers
 *	mvgpu_maps.plane_lock	held to change what the plane shows and to empty its
 *				mappings; guest memory that goes waits for it, so nobody
 *				who has it waits for guest memory
 *	  mmap_lock		to empty mappings, in Linux 6.1
 *	mvgpu_maps.sem		what user mappings show; the fault handler takes it
 *				under mmap_lock and nothing else, and it is never held
 *				across a user copy
 *	mvgpu_irqs.config_lock	the VMM's interrupt set-up
 *	mvgpu_irqs.lock		interrupt state; taken in any context
 *
 * Guest memory has an order of its own, see tracker.h. mvgpu.lock may be held around all
 * of it, so nothing that mvgpu_map() waits for takes it: neither revoke callbacks nor
 * mvgpu_driver.quiesce nor VFIO's dma_unmap.
 */
#ifndef MVGPU_DEVICE_H
#define MVGPU_DEVICE_H

#include <linux/atomic.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/shrinker.h>
#include <linux/vfio.h>
#include "compat.h"
#include "config.h"
#include "irq.h"
#include "mvgpu.h"
#include "tracker.h"

#define MVGPU_CARVE_UNIT	SZ_64K

/* VFIO regions: PCI's own, then the plane that the vGPU's head shows */
#define MVGPU_REGION_PLANE	VFIO_PCI_NUM_REGIONS
#define MVGPU_NUM_REGIONS	(VFIO_PCI_NUM_REGIONS + 1)
#define MVGPU_REGION_SHIFT	40
#define MVGPU_REGION_OFFSET(i)	((u64)(i) << MVGPU_REGION_SHIFT)
#define MVGPU_REGION_MASK	(MVGPU_REGION_OFFSET(1) - 1)

#define MVGPU_MAX_AREAS		4

#define MVGPU_WEIGHT_DEFAULT	100
#define MVGPU_WEIGHT_MAX	10000

/**
 * struct mvgpu_bar - a BAR as the vendor driver declared it
 * @size: bytes, 0 if absent
 * @ops: hooks of a trapped BAR, NULL where the slice is behind it
 * @areas: parts of a slice BAR that user space may map
 * @num_areas: entries in @areas
 */
struct mvgpu_bar {
	u64 size;
	const struct mvgpu_bar_ops *ops;
	struct mvgpu_area areas[MVGPU_MAX_AREAS];
	unsigned int num_areas;
};

/**
 * struct mvgpu_maps - what user mappings of a vGPU show (maps.c)
 * @plane_lock: held to change what the plane shows, until its mappings are empty
 * @sem: protects the rest against the fault handler
 * @decode: the BARs answer
 * @plane: bytes from the start of the slice, or of @memory, to the page that the plane
 *	region starts with
 * @memory: guest memory that the plane shows, NULL for the slice or nothing; alive, for it
 *	is hidden before it ends
 * @pfn: its pages, from @plane on
 * @num_pfns: entries in @pfn
 * @dummy: what mappings show once the parent has gone, NULL before
 * @vma_lock: protects @vmas; taken under mmap_lock, inside @sem
 * @vmas: the user mappings
 * @zap: counts the times that mappings were emptied; protected by @vma_lock
 */
struct mvgpu_maps {
	struct mutex plane_lock;	/* see the lock order */
	struct rw_semaphore sem;
	bool decode;
	u64 plane;
	struct mvgpu_mapping *memory;
	unsigned long *pfn;
	unsigned long num_pfns;
	struct page *dummy;
#if !MVGPU_HAVE_INODE
	struct mutex vma_lock;	/* @vmas */
	struct list_head vmas;
	u64 zap;
#endif
};

/**
 * struct mvgpu - one vGPU
 * @vdev: its VFIO device; first, because VFIO allocates us
 * @parent: the physical GPU it is carved from
 * @drv: its vendor driver
 * @type: its type
 * @node: in the parent's list
 * @lock: see above
 * @cfg: configuration space
 * @bars: the BARs
 * @cap: offset of the capability that does something, if there is one
 * @cap_ops: what it does, NULL if there is none
 * @irqs: the interrupts
 * @msix_bar: BAR with the MSI-X table, -1 if none
 * @msix_table: offset of the table in it
 * @msix_pba: offset of the pending bits in it
 * @heads: the parent's heads that it owns, a bit each
 * @weight: its share of the GPU's time, as the operator sets it
 * @commands: commands of the guest that the GPU has executed
 * @bytes: guest memory that the GPU has read or written for them
 * @busy: nanoseconds that the GPU has spent on them
 * @slice: bytes from the aperture's start to this vGPU's slice
 * @maps: user mappings
 * @tracker: guest memory as the GPU sees it
 * @shrinker: takes idle pages from it under memory pressure
 * @scanout: what the head shows, format 0 if it is off; changes under @lock and the
 *	parent's screen_lock, so either is enough to read it. Its mapping is NULL.
 * @shown: the plane region shows that
 * @gone: the parent is leaving: hooks are not called any more
 * @saved: the slice while the parent sleeps, NULL if there is nothing to keep
 * @exits: trapped BAR accesses since creation
 * @priv: the vendor driver's data
 */
struct mvgpu {
	struct vfio_device vdev;
	struct mvgpu_parent *parent;
	struct mvgpu_driver *drv;
	const struct mvgpu_type *type;
	struct list_head node;
	struct mutex lock;	/* see the lock order */
	struct mvgpu_config cfg;
	struct mvgpu_bar bars[MVGPU_NUM_BARS];
	u8 cap;
	const struct mvgpu_cap_ops *cap_ops;
	struct mvgpu_irqs irqs;
	int msix_bar;
	u32 msix_table;
	u32 msix_pba;
	u64 slice;
	u64 heads;
	unsigned int weight;
	atomic64_t commands;
	atomic64_t bytes;
	atomic64_t busy;
	struct mvgpu_maps maps;
	struct mvgpu_tracker tracker;
#if MVGPU_HAVE_SHRINKER_ALLOC
	struct shrinker *shrinker;
#else
	struct shrinker shrinker;
#endif
	struct mvgpu_scanout scanout;
	bool shown;
	bool gone;
	void *saved;
	atomic64_t exits;
	void *priv;
};

static inline struct mvgpu *to_mvgpu(struct vfio_device *vdev)
{
	return container_of(vdev, struct mvgpu, vdev);
}

/**
 * struct mvgpu_parent_type - a type as one parent offers it
 * @mdev: the mdev core's view
 * @desc: the vendor driver's description
 * @parent: whose it is
 */
struct mvgpu_parent_type {
	struct mdev_type mdev;
	const struct mvgpu_type *desc;
	struct mvgpu_parent *parent;
};

/**
 * struct mvgpu_parent - one physical GPU that has been carved
 * @dev: its PCI device
 * @drv: its vendor driver
 * @priv: the vendor driver's data
 * @mdev: the mdev core's view
 * @types: the types on offer
 * @mdev_types: the same, as the mdev core wants them
 * @lock: see above
 * @vgpus: the vGPUs carved from it
 * @leaving: no vGPU may be added any more
 * @reset_method: the first of its PCI function's, which has none while it is a parent
 * @budget: what there is to share
 * @vram: kernel mapping of it, write-combined
 * @carved: a bit per MVGPU_CARVE_UNIT of the aperture or, without one, per vGPU, set
 *	where taken
 * @units: bits in @carved
 * @heads: the heads that no vGPU owns, a bit each
 * @memory: bytes of memory that vGPUs own
 * @screen_lock: see above
 * @has_screen: there is a screen to choose a vGPU for
 * @foreground: the vGPU that the physical screen shows, NULL if none
 * @foreground_attr: the sysfs attribute that says so and lets operators choose
 * @memory_attr: the sysfs attribute for mvgpu_budget.memory
 * @attrs: all the sysfs attributes
 * @group: the folder that they are in
 */
struct mvgpu_parent {
	struct device *dev;
	struct mvgpu_driver *drv;
	void *priv;
	struct mdev_parent mdev;
	struct mvgpu_parent_type *types;
	struct mdev_type **mdev_types;
	struct mutex lock;	/* see the lock order */
	struct list_head vgpus;
	bool leaving;
	u8 reset_method;
	struct mvgpu_budget budget;
	void __iomem *vram;
	unsigned long *carved;
	unsigned int units;
	u64 heads;
	u64 memory;
	struct mutex screen_lock;	/* see the lock order */
	bool has_screen;
	struct mvgpu *foreground;
	struct device_attribute foreground_attr;
	struct device_attribute memory_attr;
	struct attribute *attrs[3];
	struct attribute_group group;
};

/* parent.c */
int mvgpu_parent_add(struct mvgpu_parent *parent, struct mvgpu *vgpu);
void mvgpu_parent_del(struct mvgpu *vgpu);
unsigned int mvgpu_parent_available(struct mdev_type *mtype);
ssize_t mvgpu_parent_describe(struct mdev_type *mtype, char *buf);

/* device.c */
int mvgpu_device_probe(struct mdev_device *mdev);
void mvgpu_device_remove(struct mdev_device *mdev);
void mvgpu_device_orphan(struct mvgpu *vgpu);
void mvgpu_device_reset(struct mvgpu *vgpu);

/* region.c */
int mvgpu_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
		      struct vfio_info_cap *caps);
ssize_t mvgpu_region_read(struct vfio_device *vdev, char __user *buf, size_t count,
			  loff_t *ppos);
ssize_t mvgpu_region_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			   loff_t *ppos);
u64 mvgpu_region_size(const struct mvgpu *vgpu, u32 index);

/* maps.c */
void mvgpu_maps_init(struct mvgpu *vgpu);
void mvgpu_maps_fini(struct mvgpu *vgpu);
int mvgpu_maps_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);
void mvgpu_maps_decode(struct mvgpu *vgpu, bool decode);
bool mvgpu_maps_flip(struct mvgpu *vgpu, const struct mvgpu_scanout *so);
void mvgpu_maps_hide(struct mvgpu *vgpu);
bool mvgpu_maps_read(struct mvgpu *vgpu, u64 offset, unsigned int size, void *buf);
void mvgpu_maps_orphan(struct mvgpu *vgpu);

/* screen.c */
void mvgpu_screen_update(struct mvgpu *vgpu);
void mvgpu_screen_leave(struct mvgpu *vgpu);
void mvgpu_screen_again(struct mvgpu_parent *parent);
int mvgpu_screen_query(struct mvgpu *vgpu, struct vfio_device_gfx_plane_info *plane);
int mvgpu_screen_choose(struct mvgpu_parent *parent, struct mvgpu *vgpu);
struct attribute *mvgpu_screen_add_parent(struct mvgpu_parent *parent);
void mvgpu_screen_del_parent(struct mvgpu_parent *parent);

#if MVGPU_HAVE_LOGGING
extern const struct vfio_log_ops mvgpu_log_ops;	/* logging.c */
#endif

extern const struct dev_pm_ops mvgpu_power_ops;	/* power.c */

/* shrink.c */
int mvgpu_shrink_init(struct mvgpu *vgpu);
void mvgpu_shrink_fini(struct mvgpu *vgpu);

extern const struct attribute_group *mvgpu_sysfs_groups[];

#endif /* MVGPU_DEVICE_H */
