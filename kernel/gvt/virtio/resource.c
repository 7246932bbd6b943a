// SPDX-License-Identifier: GPL-2.0-only
/*
 * resource.c - struct vg_resource and struct vg_backing: the guest's pictures in the
 * hardware's memory, and the guest memory that they are filled from
 *
 * Guest memory goes away when VFIO says so, whatever the guest has attached. Then the
 * hardware is told to detach it, and it is attached again when it is next needed.
 */
#include <linux/overflow.h>
#include <linux/slab.h>
#include "gpu.h"

/* The guest's resource of that id, or NULL */
struct vg_resource *vg_resource_find(struct vg_vgpu *v, u32 id)
{
	lockdep_assert_held(&v->t.lock);
	return xa_load(&v->resources, id);
}

static void resource_release(struct kref *ref)
{
	struct vg_resource *res = container_of(ref, struct vg_resource, ref);

	ida_free(&res->v->gpu->ids, res->hw_id);
	kfree(res);
}

void vg_resource_put(struct vg_resource *res)
{
	kref_put(&res->ref, resource_release);
}

static void backing_release(struct kref *ref)
{
	struct vg_backing *backing = container_of(ref, struct vg_backing, ref);

	mvgpu_unmap(backing->mapping);
	if (backing->detach)
		vg_cmd_free(backing->detach);
	vg_resource_put(backing->res);
	kvfree(backing->range);
	kfree(backing);
}

/* May sleep, unless somebody else is known to have a reference. NULL is none. */
void vg_backing_put(struct vg_backing *backing)
{
	if (backing)
		kref_put(&backing->ref, backing_release);
}

/*
 * The memory goes away. If the hardware has it, or may have it, it has to answer that it
 * hasn't any more.
 */
static void backing_revoke(struct mvgpu_mapping *mapping, void *priv)
{
	struct vg_backing *backing = priv;
	struct vg_gpu *gpu = backing->v->gpu;
	struct vg_cmd *detach = NULL;
	enum vg_backing_state state;

	if (IS_ENABLED(CONFIG_MVGPU_TEST_SKIP_REVOKE))
		return;
	spin_lock_irq(&gpu->lock);
	backing->revoked = true;
	state = backing->state;
	if (state == VG_BACKING_ON) {
		swap(detach, backing->detach);
		detach->urgent = true;
		/* for as long as the hardware has its own reference */
		vg_cmd_set_backing(detach, backing);
	}
	spin_unlock_irq(&gpu->lock);
	if (detach)
		vg_cmd_queue(detach);
	if (state == VG_BACKING_ON || state == VG_BACKING_LEAVING)
		wait_for_completion(&backing->off);
}

static struct vg_cmd *simple_cmd(struct vg_resource *res, u32 type, enum vg_effect effect,
				 gfp_t gfp)
{
	const struct virtio_gpu_resource_unref req = {	/* others are alike */
		.hdr.type = cpu_to_le32(type),
		.resource_id = cpu_to_le32(res->hw_id),
	};

	return vg_cmd_new(res->v, &req, sizeof(req), res, effect, gfp);
}

static struct vg_cmd *create_cmd(struct vg_resource *res, enum vg_effect effect)
{
	const struct virtio_gpu_resource_create_2d req = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
		.resource_id = cpu_to_le32(res->hw_id),
		.format = cpu_to_le32(res->format),
		.width = cpu_to_le32(res->width),
		.height = cpu_to_le32(res->height),
	};

	return vg_cmd_new(res->v, &req, sizeof(req), res, effect, GFP_KERNEL_ACCOUNT);
}

/* What follows returns 0 and what the hardware is to be told, or VIRTIO_GPU_RESP_ERR_* */
u32 vg_resource_create(struct vg_vgpu *v, const struct virtio_gpu_resource_create_2d *req,
		       struct vg_cmd **cmd)
{
	u32 id = le32_to_cpu(req->resource_id), format = le32_to_cpu(req->format);
	u32 width = le32_to_cpu(req->width), height = le32_to_cpu(req->height);
	struct vg_resource *res;
	int hw_id;
	u64 size;

	if (!id || vg_resource_find(v, id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!vg_display_fourcc(format) ||
	    check_mul_overflow((u64)width * 4, (u64)height, &size) || !size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (v->num_resources >= VG_MAX_RESOURCES ||
	    size > mvgpu_type(v->vgpu)->memory - v->memory)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	res = kzalloc(sizeof(*res), GFP_KERNEL_ACCOUNT);
	hw_id = ida_alloc_min(&v->gpu->ids, 1, GFP_KERNEL);
	if (!res || hw_id < 0)
		goto err_free;
	*res = (struct vg_resource){
		.v = v, .id = id, .hw_id = hw_id, .format = format,
		.width = width, .height = height, .size = size,
	};
	kref_init(&res->ref);
	INIT_LIST_HEAD(&res->hw_node);
	*cmd = create_cmd(res, VG_CREATES);
	if (!*cmd)
		goto err_free;
	if (xa_err(xa_store(&v->resources, id, res, GFP_KERNEL_ACCOUNT))) {
		vg_cmd_free(*cmd);
		*cmd = NULL;
		vg_resource_put(res);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	v->num_resources++;
	v->memory += size;
	return 0;

err_free:
	if (hw_id > 0)
		ida_free(&v->gpu->ids, hw_id);
	kfree(res);
	return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

/* The guest has no backing there any more */
static void forget_backing(struct vg_resource *res)
{
	struct vg_backing *backing = res->backing;

	res->backing = NULL;
	if (!backing)
		return;
	res->v->num_ranges -= backing->num;
	vg_backing_put(backing);
}

/* The guest has no such resource any more */
static void forget(struct vg_resource *res)
{
	struct vg_vgpu *v = res->v;

	forget_backing(res);
	xa_erase(&v->resources, res->id);
	v->num_resources--;
	v->memory -= res->size;
	vg_resource_put(res);
}

/* The hardware has not created it, so the guest has none by that id */
void vg_resource_refused(struct vg_resource *res)
{
	if (vg_resource_find(res->v, res->id) == res)
		forget(res);
}

static struct vg_cmd *attach_cmd(struct vg_backing *backing)
{
	struct virtio_gpu_resource_attach_backing *req;
	const struct mvgpu_segment *seg;
	struct virtio_gpu_mem_entry *entry;
	unsigned int i, n;
	struct vg_cmd *cmd;

	seg = mvgpu_mapping_segments(backing->mapping, &n);
	cmd = vg_cmd_alloc(backing->v, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			   sizeof(*req) + n * sizeof(*entry),
			   sizeof(struct virtio_gpu_ctrl_hdr), GFP_KERNEL_ACCOUNT);
	if (!cmd)
		return NULL;
	req = cmd->req;
	req->resource_id = cpu_to_le32(backing->res->hw_id);
	req->nr_entries = cpu_to_le32(n);
	entry = (void *)(req + 1);
	for (i = 0; i < n; i++) {
		entry[i].addr = cpu_to_le64(seg[i].addr);
		entry[i].length = cpu_to_le32(seg[i].len);
	}
	vg_cmd_set_res(cmd, backing->res, VG_ATTACHES);
	vg_cmd_set_backing(cmd, backing);
	return cmd;
}

/* Where the hardware finds the memory, in few enough pieces. 0 or VIRTIO_GPU_RESP_ERR_*. */
static u32 backing_map(struct vg_backing *backing)
{
	struct mvgpu_mapping *mapping;
	const struct mvgpu_segment *seg;
	unsigned int i, n;

	mapping = mvgpu_map(backing->v->vgpu, backing->range, backing->num, DMA_TO_DEVICE,
			    backing_revoke, backing);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping) == -ENOMEM ? VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY :
						     VIRTIO_GPU_RESP_ERR_UNSPEC;
	backing->mapping = mapping;
	seg = mvgpu_mapping_segments(mapping, &n);
	for (i = 0; i < n && seg[i].len <= U32_MAX; i++)
		;
	if (i == n && n <= VG_MAX_ENTRIES)
		return 0;
	dev_notice_ratelimited(mvgpu_dev(backing->v->vgpu),
			       "resource %u: its backing has %u pieces, the GPU takes %u\n",
			       backing->res->id, n, VG_MAX_ENTRIES);
	return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

/* @range is kvmalloced and ours */
u32 vg_resource_attach(struct vg_resource *res, struct mvgpu_range *range, unsigned int num,
		       struct vg_cmd **cmd)
{
	struct vg_vgpu *v = res->v;
	struct vg_backing *backing = NULL;
	u32 error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;

	/* what the hardware has refused doesn't count */
	if (vg_resource_lost(res) && !res->backing->revoked)
		forget_backing(res);
	if (res->backing)
		error = VIRTIO_GPU_RESP_ERR_UNSPEC;
	else if (num <= VG_MAX_RANGES - v->num_ranges)
		backing = kzalloc(sizeof(*backing), GFP_KERNEL_ACCOUNT);
	if (!backing) {
		kvfree(range);
		return error;
	}
	kref_init(&backing->ref);
	init_completion(&backing->off);
	backing->v = v;
	backing->range = range;
	backing->num = num;
	backing->res = res;
	kref_get(&res->ref);
	backing->detach = simple_cmd(res, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, VG_DETACHES,
				     GFP_KERNEL_ACCOUNT);
	if (backing->detach)
		error = backing_map(backing);
	*cmd = error ? NULL : attach_cmd(backing);
	if (!*cmd) {
		vg_backing_put(backing);
		return error ?: VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	res->backing = backing;
	v->num_ranges += num;
	return 0;
}

/* VIRTIO_GPU_CMD_RESOURCE_UNREF and VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING */
u32 vg_resource_let_go(struct vg_resource *res, u32 type, struct vg_cmd **cmd)
{
	bool unref = type == VIRTIO_GPU_CMD_RESOURCE_UNREF;

	if (!unref && !res->backing)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	*cmd = simple_cmd(res, type, unref ? VG_UNREFS : VG_DETACHES, GFP_KERNEL_ACCOUNT);
	if (!*cmd)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	vg_cmd_set_backing(*cmd, res->backing);
	if (unref)
		forget(res);
	else
		forget_backing(res);
	return 0;
}

/* Whether the hardware has not got what the guest has attached, as far as is known yet */
bool vg_resource_lost(struct vg_resource *res)
{
	const struct vg_backing *backing = res->backing;

	return backing && (READ_ONCE(backing->revoked) ||
			   READ_ONCE(backing->state) == VG_BACKING_OFF);
}

/* Attach a backing again whose memory went away. 0 or VIRTIO_GPU_RESP_ERR_*. */
u32 vg_resource_back_again(struct vg_resource *res)
{
	struct vg_backing *old = res->backing;
	struct mvgpu_range *range;
	struct vg_cmd *cmd;
	u32 error;

	range = kvmalloc_array(old->num, sizeof(*range), GFP_KERNEL_ACCOUNT);
	if (!range)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	memcpy(range, old->range, old->num * sizeof(*range));
	kref_get(&old->ref);
	forget_backing(res);
	error = vg_resource_attach(res, range, old->num, &cmd);
	if (error) {
		/* still what the guest has attached, if it comes back */
		res->backing = old;
		res->v->num_ranges += old->num;
		return error;
	}
	vg_backing_put(old);
	vg_cmd_queue(cmd);
	return 0;
}

/* The backing that the hardware has, or NULL; to be put */
static struct vg_backing *hw_backing_get(struct vg_resource *res)
{
	struct vg_gpu *gpu = res->v->gpu;
	struct vg_backing *backing;

	spin_lock_irq(&gpu->lock);
	backing = res->hw_backing;
	if (backing)
		kref_get(&backing->ref);
	spin_unlock_irq(&gpu->lock);
	return backing;
}

/* A vGPU, none of whose commands is under way, loses all its resources. Sleeps. */
void vg_resources_drop(struct vg_vgpu *v)
{
	struct vg_resource *res, *next;
	struct vg_cmd *cmd;
	unsigned long id;

	/* each leaves the list when its own command has been executed */
	list_for_each_entry_safe(res, next, &v->hw_resources, hw_node) {
		cmd = simple_cmd(res, VIRTIO_GPU_CMD_RESOURCE_UNREF, VG_UNREFS,
				 GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
		cmd->backing = hw_backing_get(res);
		vg_cmd_queue(cmd);
	}
	vg_sched_wait(v, false);
	xa_for_each(&v->resources, id, res)
		forget(res);
}

static struct vg_cmd *transfer_cmd(struct vg_resource *res)
{
	const struct virtio_gpu_transfer_to_host_2d req = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
		.r.width = cpu_to_le32(res->width),
		.r.height = cpu_to_le32(res->height),
		.resource_id = cpu_to_le32(res->hw_id),
	};

	return vg_cmd_new(res->v, &req, sizeof(req), res, VG_NO_EFFECT, GFP_KERNEL_ACCOUNT);
}

static int replay_one(struct vg_resource *res, struct list_head *cmds)
{
	struct vg_backing *backing = hw_backing_get(res);
	int ret = vg_cmd_list(cmds, create_cmd(res, VG_NO_EFFECT));	/* it is listed already */

	if (backing)
		ret = ret ?: vg_cmd_list(cmds, attach_cmd(backing)) ?:
			     vg_cmd_list(cmds, transfer_cmd(res));
	vg_backing_put(backing);
	return ret;
}

/* What tells restarted hardware of a vGPU's resources, while that is stopped */
int vg_resources_replay(struct vg_vgpu *v, struct list_head *cmds)
{
	struct vg_resource *res;
	int ret = 0;

	list_for_each_entry(res, &v->hw_resources, hw_node)
		ret = ret ?: replay_one(res, cmds);
	return ret;
}
