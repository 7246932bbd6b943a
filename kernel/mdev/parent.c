// SPDX-License-Identifier: GPL-2.0-only
/*
 * parent.c - struct mvgpu_parent: a physical GPU, the types it offers, and who owns
 * which part of its memory
 */
#include <linux/aperture.h>
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include "device.h"

static struct mvgpu_parent_type *to_parent_type(struct mdev_type *mtype)
{
	return container_of(mtype, struct mvgpu_parent_type, mdev);
}

/* What a vGPU takes of the parent: of its aperture or, where there is none, of a number */
static unsigned int type_units(const struct mvgpu_type *type)
{
	return type->vram ? type->vram / MVGPU_CARVE_UNIT : 1;
}

/* How many vGPUs of the type could be created now, holes in the carving considered */
unsigned int mvgpu_parent_available(struct mdev_type *mtype)
{
	struct mvgpu_parent_type *ptype = to_parent_type(mtype);
	struct mvgpu_parent *parent = ptype->parent;
	unsigned int units = type_units(ptype->desc), count = 0;
	unsigned long at = 0;

	mutex_lock(&parent->lock);
	for (;;) {
		at = bitmap_find_next_zero_area(parent->carved, parent->units, at, units, 0);
		if (at >= parent->units)
			break;
		at += units;
		count++;
	}
	mutex_unlock(&parent->lock);
	return count;
}

ssize_t mvgpu_parent_describe(struct mdev_type *mtype, char *buf)
{
	const struct mvgpu_type *type = to_parent_type(mtype)->desc;

	if (!type->max_width)
		return sysfs_emit(buf, "vram=%lluM heads=0\n", type->vram / SZ_1M);
	return sysfs_emit(buf, "vram=%lluM heads=1 max_resolution=%ux%u\n",
			  type->vram / SZ_1M, type->max_width, type->max_height);
}

/**
 * mvgpu_parent_add() - give a new vGPU its slice
 * @parent: the physical GPU
 * @vgpu: the vGPU, its type set
 *
 * Context: process context, may sleep.
 * Return: 0; -ENOSPC if the slice doesn't fit any more; -ENODEV if the parent is leaving.
 */
int mvgpu_parent_add(struct mvgpu_parent *parent, struct mvgpu *vgpu)
{
	unsigned int units = type_units(vgpu->type);
	unsigned long at;
	int ret = 0;

	mutex_lock(&parent->lock);
	at = bitmap_find_next_zero_area(parent->carved, parent->units, 0, units, 0);
	if (parent->leaving) {
		ret = -ENODEV;
	} else if (at >= parent->units) {
		ret = -ENOSPC;
	} else {
		bitmap_set(parent->carved, at, units);
		vgpu->slice = (u64)at * MVGPU_CARVE_UNIT;
		list_add_tail(&vgpu->node, &parent->vgpus);
	}
	mutex_unlock(&parent->lock);
	return ret;
}

void mvgpu_parent_del(struct mvgpu *vgpu)
{
	struct mvgpu_parent *parent = vgpu->parent;

	mutex_lock(&parent->lock);
	list_del(&vgpu->node);
	bitmap_clear(parent->carved, vgpu->slice / MVGPU_CARVE_UNIT, type_units(vgpu->type));
	mutex_unlock(&parent->lock);
}

static bool type_valid(const struct mvgpu_type *type, bool aperture)
{
	if (type->max_width > MVGPU_EDID_MAX || type->max_height > MVGPU_EDID_MAX)
		return false;
	return aperture ? type->vram >= MVGPU_CARVE_UNIT && is_power_of_2(type->vram) :
			  !type->vram;
}

static int parent_set_types(struct mvgpu_parent *parent, bool aperture)
{
	struct mvgpu_driver *drv = parent->drv;
	unsigned int i;

	for (i = 0; i < drv->num_types; i++)
		if (!type_valid(&drv->types[i], aperture))
			return -EINVAL;
	parent->types = kcalloc(drv->num_types, sizeof(*parent->types), GFP_KERNEL);
	parent->mdev_types = kcalloc(drv->num_types, sizeof(*parent->mdev_types), GFP_KERNEL);
	if (!parent->types || !parent->mdev_types)
		return -ENOMEM;
	for (i = 0; i < drv->num_types; i++) {
		struct mvgpu_parent_type *ptype = &parent->types[i];

		ptype->desc = &drv->types[i];
		ptype->parent = parent;
		ptype->mdev.sysfs_name = ptype->desc->name;
		ptype->mdev.pretty_name = ptype->desc->pretty_name;
		parent->mdev_types[i] = &ptype->mdev;
	}
	return 0;
}

static int parent_set_budget(struct mvgpu_parent *parent, const struct mvgpu_aperture *ap)
{
	if (!ap) {
		parent->units = parent->drv->max_vgpus;
		parent->carved = bitmap_zalloc(parent->units, GFP_KERNEL);
		return parent->carved ? 0 : -ENOMEM;
	}
	if (!PAGE_ALIGNED(ap->start) || ap->reserved % MVGPU_CARVE_UNIT ||
	    ap->reserved >= ap->size || ap->size / MVGPU_CARVE_UNIT > INT_MAX)
		return -EINVAL;
	parent->aperture = *ap;
	parent->units = ap->size / MVGPU_CARVE_UNIT;
	parent->carved = bitmap_zalloc(parent->units, GFP_KERNEL);
	if (!parent->carved)
		return -ENOMEM;
	bitmap_set(parent->carved, 0, ap->reserved / MVGPU_CARVE_UNIT);
	parent->vram = ioremap_wc(ap->start, ap->size);
	if (!parent->vram)
		return -ENOMEM;
	memset_io(parent->vram, 0, ap->reserved);
	return 0;
}

static void parent_free(struct mvgpu_parent *parent)
{
	if (parent->vram)
		iounmap(parent->vram);
	bitmap_free(parent->carved);
	kfree(parent->mdev_types);
	kfree(parent->types);
	mutex_destroy(&parent->screen_lock);
	mutex_destroy(&parent->lock);
	kfree(parent);
}

/**
 * mvgpu_register_parent() - offer a physical GPU's types
 * @dev: the GPU's PCI device
 * @drv: the vendor driver
 * @aperture: the memory to carve, NULL if there is none
 * @priv: for mvgpu_parent_priv()
 *
 * The last thing that mvgpu_driver.probe does: operators can create vGPUs at once.
 *
 * Context: process context, may sleep.
 * Return: the parent, or an ERR_PTR: -EINVAL if @dev is no PCI device or @aperture
 * makes no sense, -ENOMEM, or an errno of the mdev core.
 */
struct mvgpu_parent *mvgpu_register_parent(struct device *dev, struct mvgpu_driver *drv,
					   const struct mvgpu_aperture *aperture, void *priv)
{
	struct mvgpu_parent *parent;
	int ret;

	if (!dev_is_pci(dev)) {
		dev_err(dev, "mvgpu: only a PCI device can be a parent\n");
		return ERR_PTR(-EINVAL);
	}
	parent = kzalloc(sizeof(*parent), GFP_KERNEL);
	if (!parent)
		return ERR_PTR(-ENOMEM);
	parent->dev = dev;
	parent->drv = drv;
	parent->priv = priv;
	INIT_LIST_HEAD(&parent->vgpus);
	mutex_init(&parent->lock);
	mutex_init(&parent->screen_lock);

	ret = parent_set_types(parent, aperture);
	if (ret)
		goto err_free;
	ret = parent_set_budget(parent, aperture);
	if (ret)
		goto err_free;
	ret = mvgpu_screen_add_parent(parent);
	if (ret)
		goto err_free;
	ret = mdev_register_parent(&parent->mdev, dev, &drv->mdev, parent->mdev_types,
				   drv->num_types);
	if (ret)
		goto err_screen;
	return parent;

err_screen:
	mvgpu_screen_del_parent(parent);
err_free:
	parent_free(parent);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(mvgpu_register_parent);

/*
 * No hook touches the hardware once the vGPUs have been orphaned, which happens at once:
 * guests read all ones from trapped BARs and scribble on a dummy page. Then VMMs are
 * asked to unplug, and this waits until each has closed its vGPU.
 */
static void unregister_parent(struct mvgpu_parent *parent)
{
	struct mvgpu *vgpu;

	mvgpu_screen_del_parent(parent);
	mutex_lock(&parent->lock);
	parent->leaving = true;
	list_for_each_entry(vgpu, &parent->vgpus, node)
		mvgpu_device_orphan(vgpu);
	mutex_unlock(&parent->lock);
	mdev_unregister_parent(&parent->mdev);
	parent_free(parent);
}

/**
 * mvgpu_parent_priv() - the vendor driver's data of a parent
 * @parent: the parent
 *
 * Return: what mvgpu_register_parent() was given. Context: any.
 */
void *mvgpu_parent_priv(struct mvgpu_parent *parent)
{
	return parent->priv;
}
EXPORT_SYMBOL_GPL(mvgpu_parent_priv);

/* driver_override binds whatever an operator names, so look at the IDs */
static int claim(struct pci_dev *pdev, const struct pci_device_id *id, const char *name)
{
	int bar, ret;

	if (id->vendor != pdev->vendor) {
		pci_err(pdev, "%04x:%04x is no GPU for %s\n", pdev->vendor, pdev->device, name);
		return -ENODEV;
	}
	/* a boot-time frame buffer may still have it */
	ret = aperture_remove_conflicting_pci_devices(pdev, name) ?: pcim_enable_device(pdev);
	if (ret)
		return ret;
	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!(pci_resource_flags(pdev, bar) & IORESOURCE_MEM))
			continue;
		if (!devm_request_mem_region(&pdev->dev, pci_resource_start(pdev, bar),
					     pci_resource_len(pdev, bar), name)) {
			pci_err(pdev, "BAR %d is in use\n", bar);
			return -EBUSY;
		}
	}
	return 0;
}

static int parent_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct mvgpu_driver *drv =
		container_of(pdev->dev.driver, struct mvgpu_driver, pci.driver);
	struct mvgpu_parent *parent;
	int ret;

	ret = claim(pdev, id, drv->name);
	if (ret)
		return ret;
	parent = drv->probe(pdev, drv);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	pci_set_drvdata(pdev, parent);
	return 0;
}

static void parent_remove(struct pci_dev *pdev)
{
	unregister_parent(pci_get_drvdata(pdev));
}

/**
 * __mvgpu_register_driver() - announce a vendor driver
 * @drv: the driver
 * @owner: its module; can't be unloaded while a vGPU is open
 * @mod_name: name of its module
 *
 * Use module_mvgpu_driver() or mvgpu_register_driver().
 *
 * Context: process context, may sleep.
 * Return: 0, -EINVAL if @drv is incomplete, or an errno of the mdev or PCI bus.
 */
int __mvgpu_register_driver(struct mvgpu_driver *drv, struct module *owner,
			    const char *mod_name)
{
	int ret;

	if (!drv->name || !drv->num_types || !drv->pci_ids || !drv->probe || !drv->init ||
	    !drv->reset) {
		pr_err("mvgpu: the driver %s lacks a name, types, IDs or hooks\n", mod_name);
		return -EINVAL;
	}
	drv->mdev = (struct mdev_driver) {
		.device_api = VFIO_DEVICE_API_PCI_STRING,
		.probe = mvgpu_device_probe,
		.remove = mvgpu_device_remove,
		.get_available = mvgpu_parent_available,
		.show_description = mvgpu_parent_describe,
		.driver = {
			.name = drv->name,
			.owner = owner,
			.mod_name = mod_name,
			.dev_groups = mvgpu_sysfs_groups,
		},
	};
	drv->pci = (struct pci_driver) {
		.name = drv->name,
		.id_table = drv->pci_ids,
		.probe = parent_probe,
		.remove = parent_remove,
	};
	ret = mdev_register_driver(&drv->mdev);
	if (ret)
		return ret;
	ret = __pci_register_driver(&drv->pci, owner, mod_name);
	if (ret)
		mdev_unregister_driver(&drv->mdev);
	return ret;
}
EXPORT_SYMBOL_GPL(__mvgpu_register_driver);

/**
 * mvgpu_unregister_driver() - the opposite of mvgpu_register_driver()
 * @drv: the driver
 *
 * Its parents go first, as if each had been unbound.
 *
 * Context: process context, may sleep for as long as VMMs take to close their vGPUs.
 */
void mvgpu_unregister_driver(struct mvgpu_driver *drv)
{
	pci_unregister_driver(&drv->pci);
	mdev_unregister_driver(&drv->mdev);
}
EXPORT_SYMBOL_GPL(mvgpu_unregister_driver);

MODULE_DESCRIPTION("Mediated vGPU framework");
MODULE_AUTHOR("The mvgpu developers");
MODULE_LICENSE("GPL");
