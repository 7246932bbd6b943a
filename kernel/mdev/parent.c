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

static u64 memory_left(const struct mvgpu_parent *parent)
{
	lockdep_assert_held(&parent->lock);
	return parent->budget.memory - min(parent->memory, parent->budget.memory);
}

/* How many vGPUs of the type could be created now, holes in the carving considered */
unsigned int mvgpu_parent_available(struct mdev_type *mtype)
{
	struct mvgpu_parent_type *ptype = to_parent_type(mtype);
	struct mvgpu_parent *parent = ptype->parent;
	const struct mvgpu_type *type = ptype->desc;
	unsigned int units = type_units(type);
	unsigned long at = 0;
	u64 count = 0;

	mutex_lock(&parent->lock);
	for (;;) {
		at = bitmap_find_next_zero_area(parent->carved, parent->units, at, units, 0);
		if (at >= parent->units)
			break;
		at += units;
		count++;
	}
	if (parent->budget.heads && type->heads)
		count = min_t(u64, count, hweight64(parent->heads) / type->heads);
	if (parent->budget.memory && type->memory)
		count = min(count, div64_u64(memory_left(parent), type->memory));
	mutex_unlock(&parent->lock);
	return count;
}

ssize_t mvgpu_parent_describe(struct mdev_type *mtype, char *buf)
{
	const struct mvgpu_type *type = to_parent_type(mtype)->desc;
	int len = sysfs_emit(buf, "vram=%lluM heads=%u", (type->vram ?: type->memory) / SZ_1M,
			     type->heads);

	if (type->heads)
		len += sysfs_emit_at(buf, len, " max_resolution=%ux%u", type->max_width,
				     type->max_height);
	return len + sysfs_emit_at(buf, len, "\n");
}

/* Whether heads and memory, where they are shared out, are left for another vGPU */
static bool has_left(const struct mvgpu_parent *parent, const struct mvgpu_type *type)
{
	return (!parent->budget.heads || hweight64(parent->heads) >= type->heads) &&
	       (!parent->budget.memory || memory_left(parent) >= type->memory);
}

/* The lowest heads that are free, as many as there are where none are shared out */
static u64 take_heads(struct mvgpu_parent *parent, unsigned int n)
{
	u64 taken = 0;

	while (n--) {
		u64 head = parent->heads & -parent->heads;

		parent->heads &= ~head;
		taken |= head;
	}
	return taken;
}

/**
 * mvgpu_parent_add() - give a new vGPU its slice
 * @parent: the physical GPU
 * @vgpu: the vGPU, its type set
 *
 * Context: process context, may sleep.
 * Return: 0; -ENOSPC if there is not enough left; -ENODEV if the parent is leaving.
 */
int mvgpu_parent_add(struct mvgpu_parent *parent, struct mvgpu *vgpu)
{
	const struct mvgpu_type *type = vgpu->type;
	unsigned int units = type_units(type);
	unsigned long at;
	int ret = 0;

	mutex_lock(&parent->lock);
	at = bitmap_find_next_zero_area(parent->carved, parent->units, 0, units, 0);
	if (parent->leaving) {
		ret = -ENODEV;
	} else if (at >= parent->units || !has_left(parent, type)) {
		ret = -ENOSPC;
	} else {
		bitmap_set(parent->carved, at, units);
		vgpu->heads = take_heads(parent, type->heads);
		parent->memory += type->memory;
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
	parent->heads |= vgpu->heads;
	parent->memory -= vgpu->type->memory;
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

static int parent_set_budget(struct mvgpu_parent *parent, const struct mvgpu_budget *budget)
{
	const struct mvgpu_aperture *ap = &budget->aperture;

	if (budget->heads > MVGPU_MAX_HEADS)
		return -EINVAL;
	parent->budget = *budget;
	parent->heads = budget->heads ? GENMASK_ULL(budget->heads - 1, 0) : 0;
	if (!ap->size) {
		parent->units = budget->vgpus;
		parent->carved = bitmap_zalloc(parent->units, GFP_KERNEL);
		return parent->carved ? 0 : -ENOMEM;
	}
	if (!PAGE_ALIGNED(ap->start) || ap->reserved % MVGPU_CARVE_UNIT ||
	    ap->reserved >= ap->size || ap->size / MVGPU_CARVE_UNIT > INT_MAX)
		return -EINVAL;
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

static ssize_t memory_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct mvgpu_parent *parent = container_of(attr, struct mvgpu_parent, memory_attr);
	ssize_t len;

	mutex_lock(&parent->lock);
	len = sysfs_emit(buf, "%llu\n", parent->budget.memory);
	mutex_unlock(&parent->lock);
	return len;
}

static ssize_t memory_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	struct mvgpu_parent *parent = container_of(attr, struct mvgpu_parent, memory_attr);
	u64 memory;
	int ret = kstrtou64(buf, 0, &memory);

	if (ret) {
		dev_err_ratelimited(dev, "memory: not a number of bytes\n");
		return ret;
	}
	mutex_lock(&parent->lock);
	if (memory < parent->memory) {
		dev_err_ratelimited(dev, "memory: vGPUs own %llu bytes already\n",
				    parent->memory);
		ret = -EBUSY;
	} else {
		parent->budget.memory = memory;
	}
	mutex_unlock(&parent->lock);
	return ret ?: count;
}

/* What operators see of the parent itself, in the folder mvgpu/ of its device */
static int parent_add_attributes(struct mvgpu_parent *parent)
{
	struct attribute *foreground = mvgpu_screen_add_parent(parent);
	unsigned int n = 0;

	if (foreground)
		parent->attrs[n++] = foreground;
	if (parent->budget.memory) {
		parent->memory_attr = (struct device_attribute)__ATTR_RW(memory);
		sysfs_attr_init(&parent->memory_attr.attr);
		parent->attrs[n++] = &parent->memory_attr.attr;
	}
	parent->group.name = "mvgpu";
	parent->group.attrs = parent->attrs;
	return sysfs_create_group(&parent->dev->kobj, &parent->group);
}

/*
 * A reset would lose what guests have under way, and no driver can refuse one that has begun:
 * so there is none to choose, unless an operator insists and writes to reset_method.
 */
static void forbid_resets(struct mvgpu_parent *parent)
{
	struct pci_dev *pdev = to_pci_dev(parent->dev);

	parent->reset_method = pdev->reset_methods[0];
	pdev->reset_methods[0] = 0;
}

static void allow_resets(struct mvgpu_parent *parent)
{
	struct pci_dev *pdev = to_pci_dev(parent->dev);

	if (!pdev->reset_methods[0])
		pdev->reset_methods[0] = parent->reset_method;
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
 * @budget: what there is to share
 * @priv: for mvgpu_parent_priv()
 *
 * The last thing that mvgpu_driver.probe does: operators can create vGPUs at once. Only
 * parents that mvgpu_driver.probe did not register need mvgpu_unregister_parent().
 *
 * Context: process context, may sleep.
 * Return: the parent, or an ERR_PTR: -EINVAL if @dev is no PCI device or @budget
 * makes no sense, -ENOMEM, or an errno of the mdev core.
 */
struct mvgpu_parent *mvgpu_register_parent(struct device *dev, struct mvgpu_driver *drv,
					   const struct mvgpu_budget *budget, void *priv)
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

	ret = parent_set_types(parent, budget->aperture.size);
	if (ret)
		goto err_free;
	ret = parent_set_budget(parent, budget);
	if (ret)
		goto err_free;
	ret = parent_add_attributes(parent);
	if (ret)
		goto err_screen;
	forbid_resets(parent);
	ret = mdev_register_parent(&parent->mdev, dev, &drv->mdev, parent->mdev_types,
				   drv->num_types);
	if (ret)
		goto err_attributes;
	return parent;

err_attributes:
	allow_resets(parent);
	sysfs_remove_group(&dev->kobj, &parent->group);
err_screen:
	mvgpu_screen_del_parent(parent);
err_free:
	parent_free(parent);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(mvgpu_register_parent);

/**
 * mvgpu_unregister_parent() - the opposite of mvgpu_register_parent()
 * @parent: the parent
 *
 * No hook but mvgpu_driver.fini is called once the vGPUs have been orphaned, which happens
 * at once: guests read all ones from trapped BARs and scribble on a dummy page. Then VMMs
 * are asked to unplug, and this waits until each has closed its vGPU.
 *
 * Context: process context, may sleep for as long as VMMs take.
 */
void mvgpu_unregister_parent(struct mvgpu_parent *parent)
{
	struct mvgpu *vgpu;

	sysfs_remove_group(&parent->dev->kobj, &parent->group);
	mvgpu_screen_del_parent(parent);
	mutex_lock(&parent->lock);
	parent->leaving = true;
	list_for_each_entry(vgpu, &parent->vgpus, node)
		mvgpu_device_orphan(vgpu);
	mutex_unlock(&parent->lock);
	mdev_unregister_parent(&parent->mdev);
	allow_resets(parent);
	parent_free(parent);
}
EXPORT_SYMBOL_GPL(mvgpu_unregister_parent);

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
	mvgpu_unregister_parent(pci_get_drvdata(pdev));
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

	if (!drv->name || !drv->num_types || !drv->pci_ids != !drv->probe || !drv->init ||
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
		.driver.pm = pm_sleep_ptr(&mvgpu_power_ops),
	};
	ret = mdev_register_driver(&drv->mdev);
	if (ret || !drv->pci_ids)
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
 * Its parents on the PCI bus go first, as if each had been unbound.
 *
 * Context: process context, may sleep for as long as VMMs take to close their vGPUs.
 */
void mvgpu_unregister_driver(struct mvgpu_driver *drv)
{
	if (drv->pci_ids)
		pci_unregister_driver(&drv->pci);
	mdev_unregister_driver(&drv->mdev);
}
EXPORT_SYMBOL_GPL(mvgpu_unregister_driver);

MODULE_DESCRIPTION("Mediated vGPU framework");
MODULE_AUTHOR("The mvgpu developers");
MODULE_LICENSE("GPL");
