// SPDX-License-Identifier: GPL-2.0-only
/*
 * region.c - struct mvgpu_bar and the VFIO regions: configuration space, the BARs and
 * the plane, as read(), write() and VFIO_DEVICE_GET_REGION_INFO see them
 *
 * User memory is copied with no lock held. Accesses to trapped BARs are split into
 * naturally aligned ones that the hooks accept; the slice is copied a page at a time.
 */
#include <linux/nospec.h>
#include <linux/pci_regs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/mvgpu.h>
#include "device.h"

u64 mvgpu_region_size(const struct mvgpu *vgpu, u32 index)
{
	if (index < MVGPU_NUM_BARS)
		return vgpu->bars[array_index_nospec(index, MVGPU_NUM_BARS)].size;
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return mvgpu_config_size(&vgpu->cfg);
	if (index == MVGPU_REGION_PLANE && vgpu->drv->scanout)
		return PAGE_ALIGN(max(vgpu->type->vram, vgpu->type->memory));
	return 0;
}

static int sparse_cap(const struct mvgpu_bar *bar, struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_sparse_mmap *sparse;
	size_t size = struct_size(sparse, areas, bar->num_areas);
	unsigned int i;
	int ret;

	sparse = kzalloc(size, GFP_KERNEL);
	if (!sparse)
		return -ENOMEM;
	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->nr_areas = bar->num_areas;
	for (i = 0; i < bar->num_areas; i++) {
		sparse->areas[i].offset = bar->areas[i].offset;
		sparse->areas[i].size = bar->areas[i].size;
	}
	ret = vfio_info_add_capability(caps, &sparse->header, size);
	kfree(sparse);
	return ret;
}

static int plane_cap(const struct mvgpu *vgpu, struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_type type = {
		.header.id = VFIO_REGION_INFO_CAP_TYPE,
		.header.version = 1,
		.type = VFIO_REGION_TYPE_PCI_VENDOR_TYPE |
			mvgpu_config_read(&vgpu->cfg, PCI_VENDOR_ID, 2),
		.subtype = MVGPU_REGION_SUBTYPE_PLANE,
	};

	return vfio_info_add_capability(caps, &type.header, sizeof(type));
}

/* The region's size, offset and flags, and its capabilities into @caps */
int mvgpu_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
		      struct vfio_info_cap *caps)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);
	const struct mvgpu_bar *bar;
	u32 index = info->index;

	if (index >= VFIO_PCI_NUM_REGIONS + !!vgpu->drv->scanout)
		return -EINVAL;
	info->offset = MVGPU_REGION_OFFSET(index);
	info->size = mvgpu_region_size(vgpu, index);
	info->flags = info->size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;

	if (index == MVGPU_REGION_PLANE) {
		info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP;
		return plane_cap(vgpu, caps);
	}
	if (index >= MVGPU_NUM_BARS)
		return 0;
	bar = &vgpu->bars[array_index_nospec(index, MVGPU_NUM_BARS)];
	if (!bar->num_areas)
		return 0;
	info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	if (bar->areas[0].size == bar->size)
		return 0;
	return sparse_cap(bar, caps);
}

/* If the access is to the capability that does something, do it */
static void cap_access(struct mvgpu *vgpu, u64 offset, bool write)
{
	u8 *cap = &vgpu->cfg.val[vgpu->cap];

	if (!vgpu->cap_ops || offset < vgpu->cap || offset >= vgpu->cap + cap[2])
		return;
	vgpu->cap_ops->access(vgpu, cap, offset - vgpu->cap, write);
}

static void config_access(struct mvgpu *vgpu, u64 offset, unsigned int size, u32 *val, bool write)
{
	struct mvgpu_config_gate gate;
	bool intx;
	u32 msi, events;

	if (!write) {
		mvgpu_irqs_pending(&vgpu->irqs, &intx, &msi);
		mvgpu_config_set_pending(&vgpu->cfg, intx, msi);
		cap_access(vgpu, offset, false);
		*val = mvgpu_config_read(&vgpu->cfg, offset, size);
		return;
	}
	events = mvgpu_config_write(&vgpu->cfg, offset, size, *val);
	cap_access(vgpu, offset, true);
	if (events & MVGPU_CONFIG_FLR) {
		mvgpu_device_reset(vgpu);
		return;
	}
	if (events & MVGPU_CONFIG_DECODE)
		mvgpu_maps_decode(vgpu, mvgpu_config_decodes(&vgpu->cfg));
	if (events & MVGPU_CONFIG_IRQ) {
		mvgpu_config_gate(&vgpu->cfg, &gate);
		mvgpu_irqs_gate(&vgpu->irqs, &gate);
	}
}

/*
 * True if the access falls into the MSI-X table or its pending bits, and is done. PCI defines
 * none of less than 4 bytes: they read 0 and change nothing.
 */
static bool msix_access(struct mvgpu *vgpu, unsigned int bar, u64 offset, unsigned int size,
			u64 *val, bool write)
{
	u32 vectors = vgpu->irqs.count[VFIO_PCI_MSIX_IRQ_INDEX];
	u64 table = offset - vgpu->msix_table, pba = offset - vgpu->msix_pba;

	if (bar != vgpu->msix_bar)
		return false;
	if (table >= vectors * MVGPU_MSIX_ENTRY && pba >= MVGPU_MSIX_PBA(vectors))
		return false;
	table = array_index_nospec(table, vectors * MVGPU_MSIX_ENTRY);
	if (size < 4)
		*val = 0;
	else if (pba < MVGPU_MSIX_PBA(vectors))
		*val = mvgpu_irqs_pba_read(&vgpu->irqs, pba);
	else if (write)
		mvgpu_irqs_table_write(&vgpu->irqs, table, *val);
	else
		*val = mvgpu_irqs_table_read(&vgpu->irqs, table);
	return true;
}

/* One access that the BAR's hooks accept. Values are in CPU byte order. */
static int trapped_access(struct mvgpu *vgpu, unsigned int index, u64 offset, unsigned int size,
			  u64 *val, bool write)
{
	const struct mvgpu_bar_ops *ops = vgpu->bars[index].ops;

	if (msix_access(vgpu, index, offset, size, val, write))
		return 0;
	if (size < ops->min_access)
		return -EINVAL;
	if (!write)
		*val = ops->read ? ops->read(vgpu, offset, size) : 0;
	else if (ops->write)
		ops->write(vgpu, offset, size, *val);
	return 0;
}

/* How many bytes of an access go in one step */
static unsigned int step_size(const struct mvgpu *vgpu, u32 index, u64 offset, size_t count)
{
	const struct mvgpu_bar *bar;
	unsigned int max = 4;

	if (index < MVGPU_NUM_BARS) {
		bar = &vgpu->bars[index];
		if (!bar->ops)
			return min_t(u64, count, PAGE_SIZE - offset_in_page(offset));
		max = index == vgpu->msix_bar ? 4 : bar->ops->max_access;
	} else if (index == MVGPU_REGION_PLANE) {
		return min_t(u64, count, PAGE_SIZE - offset_in_page(offset));
	}
	while (max > count || offset % max)
		max /= 2;
	return max;
}

static void slice_access(struct mvgpu *vgpu, u64 offset, unsigned int size, void *buf, bool write)
{
	void __iomem *at = vgpu->parent->vram + vgpu->slice + offset;

	if (write)
		memcpy_toio(at, buf, size);
	else
		memcpy_fromio(buf, at, size);
}

/* One step, to or from kernel memory. @buf has room for a page. */
static int region_step(struct mvgpu *vgpu, u32 index, u64 offset, unsigned int size, void *buf,
		       bool write)
{
	__le64 le = 0;
	u64 val;
	u32 cfg;
	int ret = 0;

	lockdep_assert_held(&vgpu->lock);
	if (index < MVGPU_NUM_BARS)
		atomic64_inc(&vgpu->exits);
	if (vgpu->gone) {
		if (!write)
			memset(buf, 0xff, size);
		return 0;
	}
	if (index == MVGPU_REGION_PLANE) {
		if (!mvgpu_maps_read(vgpu, offset, size, buf))
			slice_access(vgpu, (vgpu->maps.plane + offset) % vgpu->type->vram, size,
				     buf, false);
		return 0;
	}
	if (index < MVGPU_NUM_BARS && !mvgpu_config_decodes(&vgpu->cfg))
		return -EIO;
	if (index < MVGPU_NUM_BARS && !vgpu->bars[index].ops) {
		slice_access(vgpu, offset, size, buf, write);
		return 0;
	}

	if (write)
		memcpy(&le, buf, size);
	val = le64_to_cpu(le);
	if (index == VFIO_PCI_CONFIG_REGION_INDEX) {
		cfg = val;
		config_access(vgpu, offset, size, &cfg, write);
		val = cfg;
	} else {
		ret = trapped_access(vgpu, index, offset, size, &val, write);
	}
	le = cpu_to_le64(val);
	if (!write)
		memcpy(buf, &le, size);
	return ret;
}

static ssize_t region_rw(struct mvgpu *vgpu, char __user *ubuf, size_t count, loff_t *ppos,
			 bool write)
{
	u32 index = *ppos >> MVGPU_REGION_SHIFT;
	u64 offset = *ppos & MVGPU_REGION_MASK;
	u64 size = *ppos < 0 ? 0 : mvgpu_region_size(vgpu, index);
	ssize_t done = 0;
	void *buf;
	int ret = 0;

	if (offset >= size || (write && index == MVGPU_REGION_PLANE))
		return -EINVAL;
	index = array_index_nospec(index, MVGPU_NUM_REGIONS);
	count = min_t(u64, count, size - offset);
	buf = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;

	while (count) {
		unsigned int step = step_size(vgpu, index, offset, count);

		if (write && copy_from_user(buf, ubuf, step)) {
			ret = -EFAULT;
			break;
		}
		mutex_lock(&vgpu->lock);
		ret = region_step(vgpu, index, offset, step, buf, write);
		mutex_unlock(&vgpu->lock);
		if (ret)
			break;
		if (!write && copy_to_user(ubuf, buf, step)) {
			ret = -EFAULT;
			break;
		}
		ubuf += step;
		offset += step;
		count -= step;
		done += step;
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
	}
	kfree(buf);
	*ppos += done;
	return done ?: ret;
}

ssize_t mvgpu_region_read(struct vfio_device *vdev, char __user *buf, size_t count,
			  loff_t *ppos)
{
	return region_rw(to_mvgpu(vdev), buf, count, ppos, false);
}

ssize_t mvgpu_region_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			   loff_t *ppos)
{
	return region_rw(to_mvgpu(vdev), (char __user *)buf, count, ppos, true);
}
