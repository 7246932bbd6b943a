// SPDX-License-Identifier: GPL-2.0-only
/*
 * gpu.c - struct vg_gpu: the physical virtio-gpu, how an operator hands it over, and how it
 * is restarted when it has hung
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include "compat.h"
#include "gpu.h"

#define MEMORY		SZ_256M		/* what QEMU's virtio-gpu holds, if not told otherwise */
#define MAX_VGPUS	64

static bool gone(struct vg_gpu *gpu)
{
	return !pci_device_is_present(to_pci_dev(gpu->vdev->dev.parent));
}

static void queue_done(struct virtqueue *vq)
{
	vg_sched_interrupt(vq->vdev->priv, vq->index);
}

static int find_queues(struct vg_gpu *gpu)
{
	static const char *const names[] = { "control", "cursor" };
	vq_callback_t *callbacks[] = { queue_done, queue_done };
	struct virtqueue *vqs[VG_NUM_QUEUES];
	int ret;

	ret = mvgpu_find_vqs(gpu->vdev, VG_NUM_QUEUES, vqs, callbacks, names);
	if (ret)
		return ret;
	spin_lock_irq(&gpu->lock);
	memcpy(gpu->vq, vqs, sizeof(vqs));
	spin_unlock_irq(&gpu->lock);
	virtio_device_ready(gpu->vdev);
	return 0;
}

static void delete_queues(struct vg_gpu *gpu)
{
	spin_lock_irq(&gpu->lock);
	memset(gpu->vq, 0, sizeof(gpu->vq));
	spin_unlock_irq(&gpu->lock);
	synchronize_rcu();	/* somebody may be about to notify them */
	gpu->vdev->config->del_vqs(gpu->vdev);
}

/* What the monitor of a head says of itself: nothing, if the hardware has hung since @struck */
static int get_edid(struct vg_gpu *gpu, unsigned int head, ktime_t struck)
{
	struct virtio_gpu_cmd_get_edid *req;
	struct virtio_gpu_resp_edid *resp;
	struct vg_cmd *cmd = vg_cmd_alloc(&gpu->own, VIRTIO_GPU_CMD_GET_EDID, sizeof(*req),
					  sizeof(*resp), GFP_KERNEL);

	if (!cmd)
		return -ENOMEM;
	req = cmd->req;
	req->scanout = cpu_to_le32(head);
	resp = (void *)cmd->resp;
	if (gpu->own.struck != struck || vg_cmd_execute(cmd))
		resp->size = 0;
	spin_lock_irq(&gpu->lock);
	if (mvgpu_monitor_set(&gpu->monitor[head], resp->edid, le32_to_cpu(resp->size)))
		gpu->new_edids |= BIT(head);
	spin_unlock_irq(&gpu->lock);
	vg_cmd_free(cmd);
	return 0;
}

static int get_display_info(struct vg_gpu *gpu)
{
	const struct virtio_gpu_resp_display_info *info;
	const ktime_t struck = gpu->own.struck;
	struct vg_cmd *cmd;
	unsigned int i;
	int ret;

	cmd = vg_cmd_alloc(&gpu->own, VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
			   sizeof(struct virtio_gpu_ctrl_hdr), sizeof(*info), GFP_KERNEL);
	if (!cmd)
		return -ENOMEM;
	ret = vg_cmd_execute(cmd);
	info = (const void *)cmd->resp;
	for (i = 0; !ret && i < gpu->num_scanouts; i++) {
		gpu->scanout[i] = info->pmodes[i].enabled ? info->pmodes[i].r :
							    (struct virtio_gpu_rect){};
		if (!gpu->scanout[i].width)
			continue;
		gpu->had_mode |= BIT(i);
		if (virtio_has_feature(gpu->vdev, VIRTIO_GPU_F_EDID))
			ret = get_edid(gpu, i, struck);
	}
	vg_cmd_free(cmd);
	return ret;
}

static void config_work(struct work_struct *work)
{
	struct vg_gpu *gpu = container_of(work, struct vg_gpu, config_work);
	struct vg_vgpu *v;
	u32 events;

	virtio_cread_le(gpu->vdev, struct virtio_gpu_config, events_read, &events);
	if (!atomic_xchg(&gpu->stale, 0) && !(events & VIRTIO_GPU_EVENT_DISPLAY))
		return;
	virtio_cwrite_le(gpu->vdev, struct virtio_gpu_config, events_clear, &events);
	mutex_lock(&gpu->vgpus_lock);
	/* what it hung on fails */
	if (!get_display_info(gpu) || !get_display_info(gpu)) {
		list_for_each_entry(v, &gpu->vgpus, node)
			vg_display_changed(v);
		gpu->new_edids = 0;
	}
	mutex_unlock(&gpu->vgpus_lock);
}

static void vg_config_changed(struct virtio_device *vdev)
{
	struct vg_gpu *gpu = vdev->priv;

	queue_work(gpu->wq, &gpu->config_work);
}

/* Whoever waits for the hardware waits in vain. What it could reach is out of its reach. */
static void give_up(struct vg_gpu *gpu)
{
	if (!gone(gpu))
		virtio_reset_device(gpu->vdev);
	vg_sched_fail(gpu);
}

/* The hardware forgets everything; what it has not executed waits for vg_restore() */
static int vg_freeze(struct virtio_device *vdev)
{
	struct vg_gpu *gpu = vdev->priv;
	struct vg_cmd *hung = vg_sched_stop(gpu, HZ / 2);

	virtio_reset_device(vdev);
	vg_sched_requeue(gpu, hung);
	delete_queues(gpu);
	return 0;
}

static int vg_restore(struct virtio_device *vdev)
{
	struct vg_gpu *gpu = vdev->priv;
	struct vg_cmd *cmd, *next;
	struct vg_vgpu *v;
	LIST_HEAD(replay);
	int ret = find_queues(gpu);

	list_for_each_entry(v, &gpu->vgpus, node)
		if (!vg_vgpu_banned(v))
			ret = ret ?: vg_resources_replay(v, &replay) ?:
				     vg_display_replay(v, &replay);
	if (ret) {
		list_for_each_entry_safe(cmd, next, &replay, node)
			vg_cmd_free(cmd);
		give_up(gpu);
		return ret;
	}
	vg_sched_restart(gpu, &replay);
	/* it has told of no changes meanwhile, and is asked unless it has ever hung on that */
	atomic_set(&gpu->stale, !gpu->own.strikes);
	queue_work(gpu->wq, &gpu->config_work);
	return 0;
}

/*
 * Reset hardware that does not answer, and go on; virtio has no smaller reset. The command
 * that it hung on fails, all others are executed afterwards. When this returns 0, the
 * hardware reaches no memory that it reached before and has not been told of again.
 *
 * Sleeps; no lock is held that somebody holds who waits for the hardware. -EBUSY while the
 * host suspends the device.
 */
int vg_gpu_recover(struct vg_gpu *gpu)
{
	struct device *dev = gpu->vdev->dev.parent;
	unsigned int before = READ_ONCE(gpu->recoveries);
	int ret = 0;

	mutex_lock(&gpu->recovery);
	if (gpu->dead || gpu->recoveries - before > 1) {
		;	/* it has been done while we waited */
	} else if (gone(gpu) || READ_ONCE(gpu->leaving)) {
		give_up(gpu);
	} else if (gpu->stopped || !device_trylock(dev)) {
		ret = -EBUSY;
	} else {
		dev_warn(dev, "mvgpu-virtio: the GPU does not answer: resetting it\n");
		gpu->recovering = true;
		ret = gpu->silent >= VG_MAX_STRIKES ? -ETIMEDOUT :
		      virtio_device_freeze(gpu->vdev) ?: virtio_device_restore(gpu->vdev);
		gpu->recovering = false;
		if (ret) {
			dev_err(dev, "mvgpu-virtio: the GPU does not come back: %d\n", ret);
			give_up(gpu);
			ret = 0;
		}
		device_unlock(dev);
	}
	WRITE_ONCE(gpu->recoveries, gpu->recoveries + !ret);
	mutex_unlock(&gpu->recovery);
	return ret;
}

static void watchdog(struct work_struct *work)
{
	struct vg_gpu *gpu = container_of(to_delayed_work(work), struct vg_gpu, watchdog);

	if (vg_gpu_recover(gpu))
		mod_delayed_work(gpu->wq, &gpu->watchdog, HZ);
}

static int gpu_check(struct virtio_device *vdev)
{
	struct device *dev = vdev->dev.parent;	/* as operators know it */
	u32 scanouts;

	if (!mvgpu_adopted(&vdev->dev))
		return -ENODEV;
	if (!dev_is_pci(dev))
		return dev_err_probe(dev, -ENODEV, "not on the PCI bus: it can't be a parent\n");
	if (!virtio_has_feature(vdev, VIRTIO_F_VERSION_1))
		return dev_err_probe(dev, -ENODEV, "a legacy device is not supported\n");
	if (!virtio_has_feature(vdev, VIRTIO_RING_F_INDIRECT_DESC))
		return dev_err_probe(dev, -ENODEV,
				     "it takes no indirect descriptors: backings would not fit\n");
	virtio_cread_le(vdev, struct virtio_gpu_config, num_scanouts, &scanouts);
	if (!scanouts || scanouts > VG_MAX_HEADS)
		return dev_err_probe(dev, -EINVAL, "it claims to have %u heads\n", scanouts);
	return scanouts;
}

static struct vg_gpu *gpu_alloc(struct virtio_device *vdev, unsigned int scanouts)
{
	struct vg_gpu *gpu = devm_kzalloc(&vdev->dev, sizeof(*gpu), GFP_KERNEL);

	if (!gpu)
		return NULL;
	gpu->wq = alloc_workqueue("mvgpu-virtio/%s", WQ_UNBOUND | WQ_FREEZABLE, 0,
				  dev_name(vdev->dev.parent));
	if (!gpu->wq)
		return NULL;
	gpu->vdev = vdev;
	gpu->num_scanouts = scanouts;
	ida_init(&gpu->ids);
	mutex_init(&gpu->vgpus_lock);
	INIT_LIST_HEAD(&gpu->vgpus);
	mutex_init(&gpu->recovery);
	vg_vgpu_account(&gpu->own, gpu);
	INIT_DELAYED_WORK(&gpu->watchdog, watchdog);
	INIT_WORK(&gpu->config_work, config_work);
	spin_lock_init(&gpu->lock);
	INIT_LIST_HEAD(&gpu->urgent);
	INIT_LIST_HEAD(&gpu->ready);
	INIT_LIST_HEAD(&gpu->running);
	init_waitqueue_head(&gpu->idle);
	vdev->priv = gpu;
	return gpu;
}

static void gpu_free(struct vg_gpu *gpu)
{
	destroy_workqueue(gpu->wq);
	ida_destroy(&gpu->ids);
	mutex_destroy(&gpu->recovery);
	mutex_destroy(&gpu->vgpus_lock);
}

/* No callback runs any more and the hardware reaches no memory */
static void gpu_stop(struct vg_gpu *gpu)
{
	mutex_lock(&gpu->recovery);
	give_up(gpu);
	mutex_unlock(&gpu->recovery);
	cancel_work_sync(&gpu->config_work);
	cancel_delayed_work_sync(&gpu->watchdog);
	delete_queues(gpu);
}

static int vg_probe(struct virtio_device *vdev)
{
	int scanouts = gpu_check(vdev), ret;
	struct mvgpu_budget budget = { .heads = max(scanouts, 0), .memory = MEMORY,
				       .vgpus = MAX_VGPUS };
	struct vg_gpu *gpu;

	if (scanouts < 0)
		return scanouts;
	gpu = gpu_alloc(vdev, scanouts);
	if (!gpu)
		return -ENOMEM;
	ret = find_queues(gpu);
	if (ret)
		goto err_free;
	ret = get_display_info(gpu);
	if (ret) {
		dev_err(&vdev->dev, "it does not say what its heads are\n");
		goto err_stop;
	}
	gpu->parent = mvgpu_register_parent(vdev->dev.parent, &vg_driver, &budget, gpu);
	ret = PTR_ERR_OR_ZERO(gpu->parent);
	if (!ret)
		return 0;

err_stop:
	gpu_stop(gpu);
err_free:
	gpu_free(gpu);
	return ret;
}

static void vg_remove(struct virtio_device *vdev)
{
	struct vg_gpu *gpu = vdev->priv;

	WRITE_ONCE(gpu->leaving, true);
	if (gone(gpu) || gpu->stopped)
		vg_gpu_recover(gpu);
	mvgpu_unregister_parent(gpu->parent);
	gpu_stop(gpu);
	gpu_free(gpu);
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_GPU, VIRTIO_DEV_ANY_ID },
	{}
};

static unsigned int features[] = { VIRTIO_GPU_F_EDID, VIRTIO_GPU_F_RESOURCE_UUID,
				   VIRTIO_GPU_F_RESOURCE_BLOB };

/* No MODULE_DEVICE_TABLE(): nothing may load the driver by itself */
static struct virtio_driver virtio_driver = {
	.driver.name = "mvgpu-virtio",
	.driver.owner = THIS_MODULE,
	.driver.groups = mvgpu_adopt_groups,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.id_table = id_table,
	.probe = vg_probe,
	.remove = vg_remove,
	.config_changed = vg_config_changed,
	.freeze = vg_freeze,
	.restore = vg_restore,
};

static int __init vg_module_init(void)
{
	int ret = mvgpu_register_driver(&vg_driver);

	if (ret)
		return ret;
	ret = register_virtio_driver(&virtio_driver);
	if (ret)
		mvgpu_unregister_driver(&vg_driver);
	return ret;
}
module_init(vg_module_init);

static void __exit vg_module_exit(void)
{
	unregister_virtio_driver(&virtio_driver);
	mvgpu_unregister_driver(&vg_driver);
}
module_exit(vg_module_exit);

MODULE_DESCRIPTION("mvgpu vendor driver for virtio-gpu");
MODULE_AUTHOR("The mvgpu developers");
MODULE_LICENSE("GPL");
