// SPDX-License-Identifier: GPL-2.0-only
/* vgpu.c - struct vg_vgpu: a vGPU's life, and its device configuration */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include "gpu.h"

#define OFFERED	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |	\
		 BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |	\
		 BIT_ULL(VIRTIO_F_RING_RESET) | BIT_ULL(VIRTIO_GPU_F_EDID))
/* What is offered if the hardware offers it, too */
#define PASSED_ON	(BIT_ULL(VIRTIO_GPU_F_RESOURCE_UUID) | BIT_ULL(VIRTIO_GPU_F_RESOURCE_BLOB))

static const struct mvgpu_type vg_types[] = {
	{ "0h32m", "Virtio GPU, no head, 32 MiB", 0, 0, SZ_32M, 0, 0 },
	{ "1h64m", "Virtio GPU, 1 head, 64 MiB", 0, 1, SZ_64M, 1920, 1200 },
	{ "1h128m", "Virtio GPU, 1 head, 128 MiB", 0, 1, SZ_128M, 2560, 1600 },
	{ "2h256m", "Virtio GPU, 2 heads, 256 MiB", 0, 2, SZ_256M, 2560, 1600 },
};

/* All that the guest has asked for is undone, on the hardware too */
static void vg_reset(struct vg_transport *t)
{
	struct vg_vgpu *v = to_vg_vgpu(t);
	struct vg_cmd *cmd;

	vg_sched_wait(v, true);
	vg_display_off(v);
	vg_resources_drop(v);
	while ((cmd = vg_cmd_pop_done(v)))
		vg_cmd_free(cmd);
	atomic_set(&v->events, 0);
}

static u32 vg_config_read(struct vg_transport *t, u32 offset, unsigned int size)
{
	struct vg_vgpu *v = to_vg_vgpu(t);
	const struct virtio_gpu_config config = {
		.events_read = cpu_to_le32(atomic_read(&v->events)),
		.num_scanouts = cpu_to_le32(max(v->num_heads, 1u)),	/* 5.7.4: at least 1 */
	};
	__le32 val = 0;

	memcpy(&val, (u8 *)&config + offset, size);
	return le32_to_cpu(val);
}

static void vg_config_write(struct vg_transport *t, u32 offset, unsigned int size, u32 val)
{
	if (offset == offsetof(struct virtio_gpu_config, events_clear))
		atomic_andnot(val, &to_vg_vgpu(t)->events);
}

static const struct vg_transport_ops vg_ops = {
	.reset = vg_reset,
	.notify = vg_command_notify,
	.config_read = vg_config_read,
	.config_write = vg_config_write,
};

/* What the scheduler needs of whoever has commands */
void vg_vgpu_account(struct vg_vgpu *v, struct vg_gpu *gpu)
{
	v->gpu = gpu;
	INIT_DELAYED_WORK(&v->work, vg_command_work);
	INIT_LIST_HEAD(&v->hw_resources);
	INIT_LIST_HEAD(&v->waiting);
	INIT_LIST_HEAD(&v->done);
	INIT_LIST_HEAD(&v->ready_node);
}

static int vg_vgpu_init(struct mvgpu *vgpu)
{
	struct vg_gpu *gpu = mvgpu_parent_priv(mvgpu_parent(vgpu));
	enum mvgpu_dma_mode mode = virtio_has_feature(gpu->vdev, VIRTIO_F_ACCESS_PLATFORM) ?
				   MVGPU_DMA_API : MVGPU_DMA_BYPASS;
	u64 offered = OFFERED | (gpu->vdev->features & PASSED_ON);
	struct vg_vgpu *v = mvgpu_priv(vgpu);
	int ret;

	v->vgpu = vgpu;
	vg_vgpu_account(v, gpu);
	xa_init(&v->resources);
	ret = mvgpu_set_dma(vgpu, gpu->vdev->dev.parent, mode) ?:
	      vg_transport_init(&v->t, vgpu, &vg_ops, offered, sizeof(struct virtio_gpu_config));
	if (ret)
		return ret;
	mutex_lock(&gpu->vgpus_lock);
	v->num_heads = mvgpu_type(vgpu)->heads;
	vg_display_changed(v);
	mutex_lock(&gpu->recovery);
	spin_lock_irq(&gpu->lock);
	list_add_tail(&v->node, &gpu->vgpus);
	spin_unlock_irq(&gpu->lock);
	mutex_unlock(&gpu->recovery);
	mutex_unlock(&gpu->vgpus_lock);
	return 0;
}

static void vg_vgpu_reset(struct mvgpu *vgpu)
{
	vg_transport_reset(mvgpu_priv(vgpu));
}

static void vg_vgpu_fini(struct mvgpu *vgpu)
{
	struct vg_vgpu *v = mvgpu_priv(vgpu);
	struct vg_gpu *gpu = v->gpu;

	vg_transport_reset(&v->t);
	mutex_lock(&gpu->vgpus_lock);
	mutex_lock(&gpu->recovery);
	spin_lock_irq(&gpu->lock);
	list_del(&v->node);
	spin_unlock_irq(&gpu->lock);
	mutex_unlock(&gpu->recovery);
	mutex_unlock(&gpu->vgpus_lock);
	cancel_delayed_work_sync(&v->work);
	xa_destroy(&v->resources);
}

/* Only a reset of the whole GPU stops it for certain; the others' work is done again */
static int vg_vgpu_quiesce(struct mvgpu *vgpu)
{
	return vg_gpu_recover(mvgpu_parent_priv(mvgpu_parent(vgpu)));
}

struct mvgpu_driver vg_driver = {
	.name = "mvgpu-virtio",
	.types = vg_types,
	.num_types = ARRAY_SIZE(vg_types),
	.weighted = true,
	.priv_size = sizeof(struct vg_vgpu),
	.init = vg_vgpu_init,
	.fini = vg_vgpu_fini,
	.reset = vg_vgpu_reset,
	.scanout = vg_display_picture,
	.quiesce = vg_vgpu_quiesce,
};
