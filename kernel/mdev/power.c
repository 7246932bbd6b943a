// SPDX-License-Identifier: GPL-2.0-only
/*
 * power.c - a parent that the host puts to sleep: what its memory and its screen lose, and
 * how they get it back. Owns mvgpu.saved.
 *
 * The freezer comes first. It stops VMMs, and with them guests, and then the work items of
 * freezable workqueues; so nobody draws, maps, opens or removes anything meanwhile. What is
 * left is the hardware, and nobody gives it anything to do.
 */
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/vmalloc.h>
#include "device.h"

/* In builds for tests, GPUs forget everything, and may be left so */
static bool stay_lost;
#if IS_ENABLED(CONFIG_MVGPU_TEST_POWER_LOSS)
module_param(stay_lost, bool, 0644);
#endif

static void __iomem *slice(const struct mvgpu *vgpu)
{
	return vgpu->parent->vram + vgpu->slice;
}

static void power_forget(struct mvgpu_parent *parent)
{
	struct mvgpu *vgpu;

	mutex_lock(&parent->lock);
	list_for_each_entry(vgpu, &parent->vgpus, node) {
		vfree(vgpu->saved);
		vgpu->saved = NULL;
	}
	mutex_unlock(&parent->lock);
}

/*
 * Before any device sleeps, so that a refusal undoes nothing; what is suspended to disk may
 * get memory by swapping here, and only here. Closed vGPUs have nothing.
 */
static int power_prepare(struct device *dev)
{
	struct mvgpu_parent *parent = dev_get_drvdata(dev);
	struct mvgpu *vgpu;
	int ret = 0;

	mutex_lock(&parent->lock);
	list_for_each_entry(vgpu, &parent->vgpus, node) {
		if (!vgpu->type->vram || READ_ONCE(vgpu->tracker.closed))
			continue;
		vgpu->saved = __vmalloc(vgpu->type->vram, GFP_KERNEL | __GFP_NOWARN);
		if (vgpu->saved)
			continue;
		dev_err(vgpu->vdev.dev,
			"can't suspend: no memory to save its %llu MiB. Stop its guest, or free memory\n",
			vgpu->type->vram / SZ_1M);
		ret = -ENOMEM;
		break;
	}
	mutex_unlock(&parent->lock);
	if (ret)
		power_forget(parent);
	return ret;
}

static void power_complete(struct device *dev)
{
	power_forget(dev_get_drvdata(dev));
}

static void power_lose(struct mvgpu_parent *parent)
{
	if (parent->vram)
		memset_io(parent->vram, 0xa5, parent->budget.aperture.size);
	if (parent->drv->present)
		parent->drv->present(parent, NULL, 0);
}

static int power_suspend(struct device *dev)
{
	struct mvgpu_parent *parent = dev_get_drvdata(dev);
	struct mvgpu *vgpu;

	list_for_each_entry(vgpu, &parent->vgpus, node)
		if (vgpu->saved)
			memcpy_fromio(vgpu->saved, slice(vgpu), vgpu->type->vram);
	if (IS_ENABLED(CONFIG_MVGPU_TEST_POWER_LOSS))
		power_lose(parent);
	return 0;
}

static int power_resume(struct device *dev)
{
	struct mvgpu_parent *parent = dev_get_drvdata(dev);
	struct mvgpu *vgpu;

	if (parent->drv->resume)
		parent->drv->resume(parent);
	if (IS_ENABLED(CONFIG_MVGPU_TEST_POWER_LOSS) && stay_lost)
		return 0;
	if (parent->vram)
		memset_io(parent->vram, 0, parent->budget.aperture.reserved);
	list_for_each_entry(vgpu, &parent->vgpus, node)
		if (vgpu->saved)
			memcpy_toio(slice(vgpu), vgpu->saved, vgpu->type->vram);
	mvgpu_screen_again(parent);
	return 0;
}

/* Of parents that the framework binds; whoever binds the others knows when they sleep */
const struct dev_pm_ops mvgpu_power_ops = {
	.prepare = power_prepare,
	.complete = power_complete,
	SYSTEM_SLEEP_PM_OPS(power_suspend, power_resume)
};
