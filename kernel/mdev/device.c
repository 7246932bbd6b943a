// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c - struct mvgpu, one vGPU: what a vendor driver declares of it, its life as a
 * VFIO device, and its ioctls
 */
#include <linux/capability.h>
#include <linux/log2.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "device.h"

/**
 * mvgpu_priv() - the vendor driver's data of a vGPU
 * @vgpu: the vGPU
 *
 * Return: mvgpu_driver.priv_size bytes. Context: any.
 */
void *mvgpu_priv(struct mvgpu *vgpu)
{
	return vgpu->priv;
}
EXPORT_SYMBOL_GPL(mvgpu_priv);

/**
 * mvgpu_type() - what the operator chose
 * @vgpu: the vGPU
 *
 * Return: an entry of mvgpu_driver.types. Context: any.
 */
const struct mvgpu_type *mvgpu_type(struct mvgpu *vgpu)
{
	return vgpu->type;
}
EXPORT_SYMBOL_GPL(mvgpu_type);

/**
 * mvgpu_parent() - the physical GPU that a vGPU is carved from
 * @vgpu: the vGPU
 *
 * Return: the parent. Context: any.
 */
struct mvgpu_parent *mvgpu_parent(struct mvgpu *vgpu)
{
	return vgpu->parent;
}
EXPORT_SYMBOL_GPL(mvgpu_parent);

/**
 * mvgpu_dev() - the vGPU's device, which messages about it are to name
 * @vgpu: the vGPU
 *
 * Return: its device; the name is the UUID. Context: any.
 */
struct device *mvgpu_dev(struct mvgpu *vgpu)
{
	return vgpu->vdev.dev;
}
EXPORT_SYMBOL_GPL(mvgpu_dev);

/**
 * mvgpu_head() - which of the parent's heads a vGPU owns
 * @vgpu: the vGPU
 * @n: a number of the vGPU's, from 0
 *
 * Return: the parent's number of the head, -EINVAL if the vGPU has no such head.
 * Context: any.
 */
int mvgpu_head(struct mvgpu *vgpu, unsigned int n)
{
	u64 heads = vgpu->heads;

	while (n-- && heads)
		heads &= heads - 1;
	return heads ? __ffs64(heads) : -EINVAL;
}
EXPORT_SYMBOL_GPL(mvgpu_head);

/**
 * mvgpu_weight() - a vGPU's share of the GPU's time, as the operator wants it
 * @vgpu: the vGPU
 *
 * Return: from 1 to 10000; 100 if nobody has said otherwise. Context: any.
 */
unsigned int mvgpu_weight(struct mvgpu *vgpu)
{
	return READ_ONCE(vgpu->weight);
}
EXPORT_SYMBOL_GPL(mvgpu_weight);

/**
 * mvgpu_count() - the GPU has executed commands of the guest
 * @vgpu: the vGPU
 * @commands: how many
 * @bytes: how much guest memory it has read or written for them
 * @ns: nanoseconds that it has spent on them
 *
 * Context: any.
 */
void mvgpu_count(struct mvgpu *vgpu, u64 commands, u64 bytes, u64 ns)
{
	atomic64_add(commands, &vgpu->commands);
	atomic64_add(bytes, &vgpu->bytes);
	atomic64_add(ns, &vgpu->busy);
}
EXPORT_SYMBOL_GPL(mvgpu_count);

/**
 * mvgpu_set_ids() - declare the identity of the virtual function
 * @vgpu: the vGPU
 * @ids: the identity
 *
 * Context: mvgpu_driver.init. Return: 0.
 */
int mvgpu_set_ids(struct mvgpu *vgpu, const struct mvgpu_pci_ids *ids)
{
	mvgpu_config_set_ids(&vgpu->cfg, ids);
	return 0;
}
EXPORT_SYMBOL_GPL(mvgpu_set_ids);

/**
 * mvgpu_add_bar() - declare a trapped memory BAR
 * @vgpu: the vGPU
 * @bar: index, of the lower half for a 64-bit BAR
 * @size: bytes, a power of two of at least 4096
 * @flags: MVGPU_BAR_*
 * @ops: what accesses do; must outlive the vGPU
 *
 * Context: mvgpu_driver.init.
 * Return: 0, -EINVAL if the BAR can't be, -EBUSY if its registers are taken.
 */
int mvgpu_add_bar(struct mvgpu *vgpu, unsigned int bar, u64 size, u32 flags,
		  const struct mvgpu_bar_ops *ops)
{
	int ret;

	if (!is_power_of_2(ops->min_access) || !is_power_of_2(ops->max_access) ||
	    ops->max_access > sizeof(u64) || ops->min_access > ops->max_access)
		return -EINVAL;
	ret = mvgpu_config_add_bar(&vgpu->cfg, bar, size, flags);
	if (ret)
		return ret;
	vgpu->bars[bar].size = size;
	vgpu->bars[bar].ops = ops;
	return 0;
}
EXPORT_SYMBOL_GPL(mvgpu_add_bar);

/**
 * mvgpu_add_slice_bar() - declare a BAR that is the vGPU's slice of the aperture
 * @vgpu: the vGPU
 * @bar: index, of the lower half for a 64-bit BAR
 * @flags: MVGPU_BAR_*
 * @areas: the parts that the guest reaches directly; accesses to the rest are
 *	trapped, and reach the slice as well
 * @num_areas: entries in @areas, at most 4; 0 means the whole BAR
 *
 * Context: mvgpu_driver.init.
 * Return: 0, -EINVAL if the BAR or an area can't be, -EBUSY if its registers are taken.
 */
int mvgpu_add_slice_bar(struct mvgpu *vgpu, unsigned int bar, u32 flags,
			const struct mvgpu_area *areas, unsigned int num_areas)
{
	const struct mvgpu_area whole = { .size = vgpu->type->vram };
	u64 size = vgpu->type->vram;
	unsigned int i;
	int ret;

	if (!num_areas) {
		areas = &whole;
		num_areas = 1;
	}
	if (num_areas > MVGPU_MAX_AREAS)
		return -EINVAL;
	for (i = 0; i < num_areas; i++)
		if (!PAGE_ALIGNED(areas[i].offset | areas[i].size) || !areas[i].size ||
		    areas[i].offset >= size || areas[i].size > size - areas[i].offset)
			return -EINVAL;
	ret = mvgpu_config_add_bar(&vgpu->cfg, bar, size, flags);
	if (ret)
		return ret;
	vgpu->bars[bar].size = size;
	memcpy(vgpu->bars[bar].areas, areas, num_areas * sizeof(*areas));
	vgpu->bars[bar].num_areas = num_areas;
	return 0;
}
EXPORT_SYMBOL_GPL(mvgpu_add_slice_bar);

/**
 * mvgpu_add_intx() - declare the interrupt pin INTA#
 * @vgpu: the vGPU
 *
 * Context: mvgpu_driver.init. Return: 0, -EBUSY if declared before.
 */
int mvgpu_add_intx(struct mvgpu *vgpu)
{
	int ret = mvgpu_config_add_intx(&vgpu->cfg);

	if (!ret)
		vgpu->irqs.count[VFIO_PCI_INTX_IRQ_INDEX] = 1;
	return ret;
}
EXPORT_SYMBOL_GPL(mvgpu_add_intx);

/**
 * mvgpu_add_msi() - declare the MSI capability, with 64-bit addresses and masks
 * @vgpu: the vGPU
 * @vectors: 1, 2, 4, 8, 16 or 32
 *
 * Context: mvgpu_driver.init.
 * Return: 0, -EINVAL, -EBUSY if declared before, -ENOSPC if configuration space is full.
 */
int mvgpu_add_msi(struct mvgpu *vgpu, unsigned int vectors)
{
	int ret = mvgpu_config_add_msi(&vgpu->cfg, vectors);

	if (!ret)
		vgpu->irqs.count[VFIO_PCI_MSI_IRQ_INDEX] = vectors;
	return ret;
}
EXPORT_SYMBOL_GPL(mvgpu_add_msi);

/**
 * mvgpu_add_msix() - declare the MSI-X capability
 * @vgpu: the vGPU
 * @vectors: 1 to 2048
 * @bar: a trapped BAR declared before, which takes 4-byte accesses
 * @table: offset of the vector table in it, a multiple of 8
 * @pba: offset of the pending bits in it, a multiple of 8
 *
 * The framework answers for both ranges; the BAR's hooks never see them.
 *
 * Context: mvgpu_driver.init.
 * Return: 0, -EINVAL, -EBUSY if declared before, -ENOSPC if configuration space is full.
 */
int mvgpu_add_msix(struct mvgpu *vgpu, unsigned int vectors, unsigned int bar,
		   u32 table, u32 pba)
{
	u64 table_end = (u64)table + (u64)vectors * MVGPU_MSIX_ENTRY;
	u64 pba_end = (u64)pba + MVGPU_MSIX_PBA(vectors);
	const struct mvgpu_bar *b;
	int ret;

	if (bar >= MVGPU_NUM_BARS)
		return -EINVAL;
	b = &vgpu->bars[bar];
	if (!b->ops || b->ops->max_access < 4 || table_end > b->size || pba_end > b->size ||
	    (table < pba_end && pba < table_end))
		return -EINVAL;
	ret = mvgpu_config_add_msix(&vgpu->cfg, vectors, bar, table, pba);
	if (ret)
		return ret;
	vgpu->msix_bar = bar;
	vgpu->msix_table = table;
	vgpu->msix_pba = pba;
	vgpu->irqs.count[VFIO_PCI_MSIX_IRQ_INDEX] = vectors;
	return 0;
}
EXPORT_SYMBOL_GPL(mvgpu_add_msix);

/**
 * mvgpu_add_pm() - declare the power-management capability: D0 and D3hot
 * @vgpu: the vGPU
 *
 * Context: mvgpu_driver.init.
 * Return: 0, -EBUSY if declared before, -ENOSPC if configuration space is full.
 */
int mvgpu_add_pm(struct mvgpu *vgpu)
{
	return mvgpu_config_add_pm(&vgpu->cfg);
}
EXPORT_SYMBOL_GPL(mvgpu_add_pm);

/**
 * mvgpu_add_pcie() - declare a PCI Express endpoint with function level reset
 * @vgpu: the vGPU
 *
 * Context: mvgpu_driver.init.
 * Return: 0, -EBUSY if declared before, -ENOSPC if configuration space is full.
 */
int mvgpu_add_pcie(struct mvgpu *vgpu)
{
	return mvgpu_config_add_pcie(&vgpu->cfg);
}
EXPORT_SYMBOL_GPL(mvgpu_add_pcie);

/**
 * mvgpu_add_vendor_cap() - declare a vendor-specific capability
 * @vgpu: the vGPU
 * @data: what follows the capability's three header bytes; read-only to the guest
 * @len: bytes in @data
 *
 * Context: mvgpu_driver.init. Return: 0, -ENOSPC if configuration space is full.
 */
int mvgpu_add_vendor_cap(struct mvgpu *vgpu, const void *data, u8 len)
{
	return mvgpu_config_add_vendor(&vgpu->cfg, data, len);
}
EXPORT_SYMBOL_GPL(mvgpu_add_vendor_cap);

/**
 * mvgpu_add_active_cap() - declare a vendor-specific capability that does something
 * @vgpu: the vGPU
 * @data: what follows the capability's three header bytes
 * @writable: the bits of it that the guest may store
 * @len: bytes in @data and in @writable
 * @ops: what accesses to it do; must outlive the vGPU
 *
 * Context: mvgpu_driver.init.
 * Return: 0, -EBUSY if there is one already, -ENOSPC if configuration space is full.
 */
int mvgpu_add_active_cap(struct mvgpu *vgpu, const void *data, const void *writable, u8 len,
			 const struct mvgpu_cap_ops *ops)
{
	int pos;

	if (vgpu->cap_ops)
		return -EBUSY;
	pos = mvgpu_config_add_active(&vgpu->cfg, data, writable, len);
	if (pos < 0)
		return pos;
	vgpu->cap = pos;
	vgpu->cap_ops = ops;
	return 0;
}
EXPORT_SYMBOL_GPL(mvgpu_add_active_cap);

/**
 * mvgpu_set_dma() - declare how the vGPU's GPU reaches guest memory
 * @vgpu: the vGPU
 * @dev: the device that reads and writes it; not used in bypass mode
 * @mode: where its DMA addresses come from
 *
 * Without it, they come from the DMA API for the parent's device.
 *
 * Context: mvgpu_driver.init.
 * Return: 0.
 */
int mvgpu_set_dma(struct mvgpu *vgpu, struct device *dev, enum mvgpu_dma_mode mode)
{
	vgpu->tracker.dma = (struct mvgpu_dma){ .dev = dev, .mode = mode };
	return 0;
}
EXPORT_SYMBOL_GPL(mvgpu_set_dma);

struct mvgpu_tracker *mvgpu_tracker(struct mvgpu *vgpu)
{
	return &vgpu->tracker;
}

/**
 * mvgpu_irq_raise() - raise an interrupt
 * @vgpu: the vGPU
 * @vector: MSI or MSI-X vector; without meaning while the guest uses INTx, which
 *	stays asserted until mvgpu_irq_lower()
 *
 * A vector that the guest has masked stays pending. Context: any.
 */
void mvgpu_irq_raise(struct mvgpu *vgpu, unsigned int vector)
{
	mvgpu_irqs_raise(&vgpu->irqs, vector);
}
EXPORT_SYMBOL_GPL(mvgpu_irq_raise);

/**
 * mvgpu_irq_lower() - deassert INTx
 * @vgpu: the vGPU
 *
 * Does nothing for MSI and MSI-X, so drivers need not care. Context: any.
 */
void mvgpu_irq_lower(struct mvgpu *vgpu)
{
	mvgpu_irqs_lower(&vgpu->irqs);
}
EXPORT_SYMBOL_GPL(mvgpu_irq_lower);

/* Back to power-on: what VFIO_DEVICE_RESET, a function level reset and an open do */
void mvgpu_device_reset(struct mvgpu *vgpu)
{
	struct mvgpu_config_gate gate;

	lockdep_assert_held(&vgpu->lock);
	mvgpu_config_reset(&vgpu->cfg);
	mvgpu_maps_decode(vgpu, false);
	if (!vgpu->gone)
		vgpu->drv->reset(vgpu);
	/* after what may have been under way until then */
	mvgpu_irqs_reset(&vgpu->irqs);
	mvgpu_config_gate(&vgpu->cfg, &gate);
	mvgpu_irqs_gate(&vgpu->irqs, &gate);
	if (vgpu->gone)
		return;
	mvgpu_tracker_reset(&vgpu->tracker);
	mvgpu_screen_update(vgpu);
}

/* The parent is leaving: from now on nothing of this vGPU touches it */
void mvgpu_device_orphan(struct mvgpu *vgpu)
{
	mutex_lock(&vgpu->lock);
	vgpu->gone = true;
	mvgpu_maps_orphan(vgpu);
	mutex_unlock(&vgpu->lock);
	/* one that began before; what the hook waits for must not need the vGPU's lock */
	flush_work(&vgpu->tracker.quiesce_work);
	mvgpu_tracker_close(&vgpu->tracker);
}

static int device_init(struct vfio_device *vdev)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);
	int ret;

	ret = mvgpu_tracker_init(&vgpu->tracker, vdev);
	if (ret)
		return ret;
	ret = mvgpu_shrink_init(vgpu);
	if (ret) {
		mvgpu_tracker_fini(&vgpu->tracker);
		return ret;
	}
	mutex_init(&vgpu->lock);
	mvgpu_maps_init(vgpu);
	mvgpu_config_init(&vgpu->cfg);
	vgpu->msix_bar = -1;
#if MVGPU_HAVE_LOGGING
	vdev->log_ops = &mvgpu_log_ops;
#endif
	return 0;
}

static void device_release(struct vfio_device *vdev)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);

	mvgpu_shrink_fini(vgpu);
	mvgpu_tracker_fini(&vgpu->tracker);
	mvgpu_irqs_fini(&vgpu->irqs);
	mvgpu_maps_fini(vgpu);
	kfree(vgpu->priv);
	mutex_destroy(&vgpu->lock);
#if MVGPU_RELEASE_FREES
	vfio_free_device(vdev);
#endif
}

/* What the VMM may lock, unless the operator has said otherwise */
static unsigned long default_quota(void)
{
	return capable(CAP_IPC_LOCK) ? ULONG_MAX : rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

/* A VMM opens the vGPU: nothing of the guest before is left */
static int device_open(struct vfio_device *vdev)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);
	int ret = 0;

	mutex_lock(&vgpu->lock);
	if (vgpu->gone) {
		ret = -ENODEV;
	} else {
		if (vgpu->type->vram)
			memset_io(vgpu->parent->vram + vgpu->slice, 0, vgpu->type->vram);
		mvgpu_device_reset(vgpu);
		mvgpu_tracker_open(&vgpu->tracker, default_quota());
	}
	mutex_unlock(&vgpu->lock);
	return ret;
}

static void device_close(struct vfio_device *vdev)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);

	mvgpu_irqs_close(&vgpu->irqs);
	mutex_lock(&vgpu->lock);
	mvgpu_device_reset(vgpu);
	mutex_unlock(&vgpu->lock);
	mvgpu_tracker_close(&vgpu->tracker);
	mvgpu_dirty_stop(&vgpu->tracker);
}

static void device_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	mvgpu_tracker_dma_unmap(&to_mvgpu(vdev)->tracker, iova, length);
}

static void device_hide(struct mvgpu_tracker *t)
{
	mvgpu_maps_hide(container_of(t, struct mvgpu, tracker));
}

/* Quarantine wants the hardware quiet; runs in a work item, without the vGPU's lock */
static int device_quiesce(void *arg)
{
	struct mvgpu *vgpu = arg;

	return READ_ONCE(vgpu->gone) ? -ENODEV : vgpu->drv->quiesce(vgpu);
}

/* VFIO asks every ten seconds for as long as somebody who wants the vGPU gone waits */
static void device_request(struct vfio_device *vdev, unsigned int count)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);

	if (mvgpu_irqs_request(&vgpu->irqs))
		dev_notice_ratelimited(vdev->dev, "asked the VMM to unplug (#%u)\n", count);
	else if (!count)
		dev_warn(vdev->dev, "in use by a VMM that can't be asked to unplug: close it\n");
}

static long ioctl_get_info(struct mvgpu *vgpu, struct vfio_device_info __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info = {};

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS + !!vgpu->drv->scanout;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long ioctl_get_irq_info(struct mvgpu *vgpu, struct vfio_irq_info __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;
	int count;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	count = mvgpu_irqs_info(&vgpu->irqs, info.index, &info.flags);
	if (count < 0)
		return count;
	info.count = count;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static long ioctl_set_irqs(struct mvgpu *vgpu, struct vfio_irq_set __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_set hdr;
	size_t size = 0;
	void *data = NULL;
	u32 flags;
	int ret;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	ret = mvgpu_irqs_info(&vgpu->irqs, hdr.index, &flags);
	if (ret < 0)
		return ret;
	ret = vfio_set_irqs_validate_and_prepare(&hdr, ret, VFIO_PCI_NUM_IRQS, &size);
	if (ret)
		return ret;
	if (size) {
		data = memdup_user(arg->data, size);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}
	ret = mvgpu_irqs_set(&vgpu->irqs, hdr.flags, hdr.index, hdr.start, hdr.count, data);
	kfree(data);
	return ret;
}

static long ioctl_query_plane(struct mvgpu *vgpu, struct vfio_device_gfx_plane_info __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_device_gfx_plane_info, region_index);
	struct vfio_device_gfx_plane_info plane = {};
	int ret;

	if (copy_from_user(&plane, arg, minsz))
		return -EFAULT;
	if (plane.argsz < minsz)
		return -EINVAL;
	ret = mvgpu_screen_query(vgpu, &plane);
	if (ret)
		return ret;
	return copy_to_user(arg, &plane, minsz) ? -EFAULT : 0;
}

#if !MVGPU_HAVE_REGION_OP
static long ioctl_get_region_info(struct mvgpu *vgpu, struct vfio_region_info __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info = {};
	struct vfio_info_cap caps = {};
	long ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	ret = mvgpu_region_info(&vgpu->vdev, &info, &caps);
	if (!ret && caps.size) {
		info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
		if (info.argsz < sizeof(info) + caps.size) {
			info.argsz = sizeof(info) + caps.size;
			info.cap_offset = 0;
		} else {
			vfio_info_cap_shift(&caps, sizeof(info));
			if (copy_to_user(arg + 1, caps.buf, caps.size))
				ret = -EFAULT;
			info.cap_offset = sizeof(info);
		}
	}
	if (!ret && copy_to_user(arg, &info, minsz))
		ret = -EFAULT;
	kfree(caps.buf);
	return ret;
}
#endif

static long device_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct mvgpu *vgpu = to_mvgpu(vdev);
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return ioctl_get_info(vgpu, uarg);
#if !MVGPU_HAVE_REGION_OP
	case VFIO_DEVICE_GET_REGION_INFO:
		return ioctl_get_region_info(vgpu, uarg);
#endif
	case VFIO_DEVICE_GET_IRQ_INFO:
		return ioctl_get_irq_info(vgpu, uarg);
	case VFIO_DEVICE_SET_IRQS:
		return ioctl_set_irqs(vgpu, uarg);
	case VFIO_DEVICE_QUERY_GFX_PLANE:
		return ioctl_query_plane(vgpu, uarg);
	case VFIO_DEVICE_RESET:
		mutex_lock(&vgpu->lock);
		mvgpu_device_reset(vgpu);
		mutex_unlock(&vgpu->lock);
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct vfio_device_ops device_ops = {
	.name = "mvgpu",
	.init = device_init,
	.release = device_release,
	.open_device = device_open,
	.close_device = device_close,
	.read = mvgpu_region_read,
	.write = mvgpu_region_write,
	.ioctl = device_ioctl,
#if MVGPU_HAVE_REGION_OP
	.get_region_info_caps = mvgpu_region_info,
#endif
	.mmap = mvgpu_maps_mmap,
	.request = device_request,
	.dma_unmap = device_dma_unmap,
	MVGPU_IOMMUFD_OPS
};

/* No VMM has it open, so nobody asks for it to be quiet any more */
static void device_undeclare(struct mvgpu *vgpu)
{
	flush_work(&vgpu->tracker.quiesce_work);
	if (vgpu->drv->fini)
		vgpu->drv->fini(vgpu);
}

/* Let the vendor driver declare the PCI device, then bring it to power-on */
static int device_declare(struct mvgpu *vgpu)
{
	u32 *count = vgpu->irqs.count;
	int ret;

	vgpu->priv = kzalloc(vgpu->drv->priv_size, GFP_KERNEL);
	if (!vgpu->priv)
		return -ENOMEM;
	ret = vgpu->drv->init(vgpu);
	if (ret)
		return ret;
	ret = mvgpu_irqs_init(&vgpu->irqs, count[VFIO_PCI_INTX_IRQ_INDEX],
			      count[VFIO_PCI_MSI_IRQ_INDEX], count[VFIO_PCI_MSIX_IRQ_INDEX]);
	if (ret) {
		device_undeclare(vgpu);
		return ret;
	}
	mvgpu_config_seal(&vgpu->cfg);
	mutex_lock(&vgpu->lock);
	mvgpu_device_reset(vgpu);
	mutex_unlock(&vgpu->lock);
	return 0;
}

int mvgpu_device_probe(struct mdev_device *mdev)
{
	struct mvgpu_parent_type *ptype =
		container_of(mdev->type, struct mvgpu_parent_type, mdev);
	struct mvgpu_parent *parent = ptype->parent;
	struct mvgpu *vgpu;
	int ret;

	vgpu = vfio_alloc_device(mvgpu, vdev, &mdev->dev, &device_ops);
	if (IS_ERR(vgpu))
		return PTR_ERR(vgpu);
	vgpu->parent = parent;
	vgpu->drv = parent->drv;
	vgpu->type = ptype->desc;
	vgpu->weight = MVGPU_WEIGHT_DEFAULT;
	vgpu->tracker.dma.dev = parent->dev;
	if (vgpu->drv->quiesce) {
		vgpu->tracker.quiesce = device_quiesce;
		vgpu->tracker.quiesce_arg = vgpu;
	}
	if (vgpu->drv->scanout)
		vgpu->tracker.hide = device_hide;

	ret = mvgpu_parent_add(parent, vgpu);
	if (ret) {
		dev_err_ratelimited(&mdev->dev, "no %s left on %s: %s\n", vgpu->type->name,
				    dev_name(parent->dev), ret == -ENOSPC ?
				    "its memory or its heads are taken" : "it is being released");
		goto err_put;
	}
	ret = device_declare(vgpu);
	if (ret) {
		dev_err_ratelimited(&mdev->dev, "%s could not set it up: %d\n",
				    vgpu->drv->name, ret);
		goto err_del;
	}
	ret = vfio_register_emulated_iommu_dev(&vgpu->vdev);
	if (ret)
		goto err_undeclare;
	dev_set_drvdata(&mdev->dev, vgpu);
	return 0;

err_undeclare:
	device_undeclare(vgpu);
err_del:
	mvgpu_parent_del(vgpu);
	mvgpu_screen_leave(vgpu);
err_put:
	vfio_put_device(&vgpu->vdev);
	return ret;
}

void mvgpu_device_remove(struct mdev_device *mdev)
{
	struct mvgpu *vgpu = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&vgpu->vdev);
	device_undeclare(vgpu);
	mvgpu_parent_del(vgpu);
	mvgpu_screen_leave(vgpu);
	vfio_put_device(&vgpu->vdev);
}
