// SPDX-License-Identifier: GPL-2.0-only
/*
 * resource.c - struct vg_resource and struct vg_backing: the guest's pictures in the
 * hardware's memory, and the guest memory that they are filled from; and its blobs
 *
 * Guest memory goes away when the VMM says so, whatever the guest has attached. Then the
 * hardware is told to detach it, and it is attached again when it is next needed.
 *
 * A blob is created with its backing and goes with it: hardware may show the memory of one
 * that was only detached, and may not show it again when it is attached (QEMU does both).
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "gpu.h"

#define BLOB_FLAGS	(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE | \
			 VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE)

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

struct vg_backing *vg_backing_get(struct vg_backing *backing)
{
	if (backing)
		kref_get(&backing->ref);
	return backing;
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
	struct vg_gpu *gpu = backing->res->v->gpu;
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
		detach->backing = vg_backing_get(backing);
	}
	spin_unlock_irq(&gpu->lock);
	if (detach)
		vg_cmd_queue(detach);
	if (state == VG_BACKING_ON || state == VG_BACKING_LEAVING)
		wait_for_completion(&backing->off);
}

/* What takes its backing or all of it from the hardware, as @effect says */
static struct vg_cmd *let_go_cmd(struct vg_resource *res, enum vg_effect effect, gfp_t gfp)
{
	bool detach = effect == VG_DETACHES && !res->is_blob;
	const struct virtio_gpu_resource_unref req = {	/* the other is alike */
		.hdr.type = cpu_to_le32(detach ? VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING :
						 VIRTIO_GPU_CMD_RESOURCE_UNREF),
		.resource_id = cpu_to_le32(res->hw_id),
	};

	return vg_cmd_new(res->v, &req, sizeof(req), res, effect, gfp);
}

static struct vg_cmd *create_cmd(struct vg_resource *res, enum vg_effect effect)
{
	return vg_cmd_new(res->v, &res->picture, sizeof(res->picture), res, effect,
			  GFP_KERNEL_ACCOUNT);
}

/* The guest has no backing there any more */
static void forget_backing(struct vg_resource *res)
{
	struct vg_backing *backing = res->backing;

	res->backing = NULL;
	if (!backing)
		return;
	res->v->num_ranges -= backing->cost;
	vg_backing_put(backing);
}

/* The guest has no such resource any more */
static void forget(struct vg_resource *res)
{
	struct vg_vgpu *v = res->v;
	struct vg_head *head = v->head;

	forget_backing(res);
	for (; head < v->head + v->num_heads; head++)
		if (head->asked_res == res)
			head->asked_res = NULL;
	xa_erase(&v->resources, res->id);
	v->num_resources--;
	v->memory -= res->size;
	vg_resource_put(res);
}

/* What follows returns 0 and what the hardware is to be told, or VIRTIO_GPU_RESP_ERR_* */

/* The guest has another resource, which is like @as */
static u32 resource_add(struct vg_vgpu *v, u32 id, const struct vg_resource *as,
			struct vg_resource **ret)
{
	struct vg_resource *res;
	int hw_id;

	if (!id || vg_resource_find(v, id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (v->num_resources >= VG_MAX_RESOURCES ||
	    as->size > mvgpu_type(v->vgpu)->memory - v->memory)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	res = kmemdup(as, sizeof(*as), GFP_KERNEL_ACCOUNT);
	hw_id = ida_alloc_min(&v->gpu->ids, 1, GFP_KERNEL);
	if (!res || hw_id < 0 || xa_err(xa_store(&v->resources, id, res, GFP_KERNEL_ACCOUNT))) {
		if (hw_id > 0)
			ida_free(&v->gpu->ids, hw_id);
		kfree(res);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	kref_init(&res->ref);
	res->v = v;
	res->id = id;
	res->hw_id = hw_id;
	res->picture.hdr = (struct virtio_gpu_ctrl_hdr){ .type = as->picture.hdr.type };
	res->picture.resource_id = cpu_to_le32(hw_id);	/* where a blob has it, too */
	INIT_LIST_HEAD(&res->hw_node);
	v->num_resources++;
	v->memory += res->size;
	*ret = res;
	return 0;
}

u32 vg_resource_create(struct vg_vgpu *v, const struct virtio_gpu_resource_create_2d *req,
		       struct vg_cmd **cmd)
{
	struct vg_resource *res, as = { .picture = *req, .may_point = true };
	u32 width = le32_to_cpu(req->width), height = le32_to_cpu(req->height), error;

	as.size = 4ull * width * height;
	if (!vg_display_fourcc(le32_to_cpu(req->format)) || !as.size ||
	    width > VG_MAX_EDGE || height > VG_MAX_EDGE)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	error = resource_add(v, le32_to_cpu(req->resource_id), &as, &res);
	if (error)
		return error;
	*cmd = create_cmd(res, VG_CREATES);
	if (*cmd)
		return 0;
	forget(res);
	return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

/* What gives the hardware a backing: it comes with a blob, and is attached to a picture */
static struct vg_cmd *attach_cmd(struct vg_backing *backing)
{
	struct vg_resource *res = backing->res;
	struct virtio_gpu_resource_attach_backing *attach;
	struct virtio_gpu_resource_create_blob *create;
	size_t len = res->is_blob ? sizeof(*create) : sizeof(*attach);
	const struct mvgpu_segment *seg;
	struct virtio_gpu_mem_entry *entry;
	unsigned int i, n;
	struct vg_cmd *cmd;

	seg = mvgpu_mapping_segments(backing->mapping, &n);
	cmd = vg_cmd_alloc(res->v, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			   len + n * sizeof(*entry), sizeof(struct virtio_gpu_ctrl_hdr),
			   GFP_KERNEL_ACCOUNT);
	if (!cmd)
		return NULL;
	create = cmd->req;
	attach = cmd->req;
	if (res->is_blob) {
		*create = res->blob;
		create->nr_entries = cpu_to_le32(n);
	} else {
		attach->resource_id = cpu_to_le32(res->hw_id);
		attach->nr_entries = cpu_to_le32(n);
	}
	entry = cmd->req + len;
	for (i = 0; i < n; i++) {
		entry[i].addr = cpu_to_le64(seg[i].addr);
		entry[i].length = cpu_to_le32(seg[i].len);
	}
	vg_cmd_set_res(cmd, res, VG_ATTACHES);
	cmd->backing = vg_backing_get(backing);
	return cmd;
}

/* Where the hardware finds the memory, in few enough pieces. 0 or VIRTIO_GPU_RESP_ERR_*. */
static u32 backing_map(struct vg_backing *backing, const struct mvgpu_range *range)
{
	const struct vg_resource *res = backing->res;
	struct mvgpu_mapping *mapping;
	const struct mvgpu_segment *seg;
	unsigned int i, n;

	mapping = mvgpu_map(res->v->vgpu, range, backing->num, DMA_TO_DEVICE,
			    backing_revoke, backing);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping) == -ENOMEM ? VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY :
						     VIRTIO_GPU_RESP_ERR_UNSPEC;
	backing->mapping = mapping;
	seg = mvgpu_mapping_segments(mapping, &n);
	backing->cost = max(backing->cost, n);
	backing->may_point = backing->len <= SZ_64K;
	for (i = 0; i < n && seg[i].len <= U32_MAX; i++)
		backing->may_point &= IS_ALIGNED(seg[i].addr | seg[i].len, PAGE_SIZE);
	if (res->is_blob && res->may_point && !backing->may_point)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (i == n && n <= VG_MAX_ENTRIES)
		return 0;
	dev_notice_ratelimited(mvgpu_dev(res->v->vgpu),
			       "resource %u: its backing has %u pieces, the GPU takes %u\n",
			       res->id, n, VG_MAX_ENTRIES);
	return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

/* @range is kvmalloced, and ours unless this fails */
u32 vg_resource_attach(struct vg_resource *res, struct mvgpu_range *range, unsigned int num,
		       struct vg_cmd **cmd)
{
	struct vg_vgpu *v = res->v;
	struct vg_backing *backing = res->backing;
	u32 error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	unsigned int i;
	u64 len = 0, cost;

	for (i = 0; i < num; i++)
		len += range[i].len;
	if (res->is_blob && len < le64_to_cpu(res->blob.size))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	/* what the hardware has refused doesn't count */
	if (backing && !backing->revoked && READ_ONCE(backing->state) == VG_BACKING_OFF)
		forget_backing(res);
	if (res->backing)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	cost = num + (len >> 21);	/* a large range isn't one for the host */
	backing = cost <= VG_MAX_RANGES - v->num_ranges ?
		  kzalloc(sizeof(*backing), GFP_KERNEL_ACCOUNT) : NULL;
	if (!backing)
		return error;
	kref_init(&backing->ref);
	init_completion(&backing->off);
	backing->num = num;
	backing->len = len;
	backing->cost = cost;
	backing->res = res;
	kref_get(&res->ref);
	backing->detach = let_go_cmd(res, VG_DETACHES, GFP_KERNEL_ACCOUNT);
	if (backing->detach)
		error = backing_map(backing, range);
	if (!error && backing->cost > VG_MAX_RANGES - v->num_ranges)
		error = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	*cmd = error ? NULL : attach_cmd(backing);
	if (!*cmd) {
		vg_backing_put(backing);
		return error ?: VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	backing->range = range;
	res->backing = backing;
	v->num_ranges += backing->cost;
	return 0;
}

u32 vg_resource_create_blob(struct vg_vgpu *v, const struct virtio_gpu_resource_create_blob *req,
			    struct mvgpu_range *range, struct vg_cmd **cmd)
{
	struct vg_resource *res, as = { .is_blob = true, .blob = *req };
	u32 error;

	as.blob.blob_id = 0;	/* it names nothing here */
	/* of the hardware's own memory there is none without 3D */
	if (req->blob_mem != cpu_to_le32(VIRTIO_GPU_BLOB_MEM_GUEST) ||
	    le32_to_cpu(req->blob_flags) & ~BLOB_FLAGS || !req->size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	error = resource_add(v, le32_to_cpu(req->resource_id), &as, &res);
	if (error)
		return error;
	error = vg_resource_attach(res, range, le32_to_cpu(req->nr_entries), cmd);
	if (error)
		forget(res);
	else
		res->may_point = res->backing->may_point;
	return error;
}

/* VIRTIO_GPU_CMD_RESOURCE_UNREF and VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING */
u32 vg_resource_let_go(struct vg_resource *res, u32 type, struct vg_cmd **cmd)
{
	bool unref = type == VIRTIO_GPU_CMD_RESOURCE_UNREF;

	if (!unref && !res->backing)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	*cmd = let_go_cmd(res, unref ? VG_UNREFS : VG_DETACHES, GFP_KERNEL_ACCOUNT);
	if (!*cmd)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	(*cmd)->backing = vg_backing_get(res->backing);
	if (unref)
		forget(res);
	else
		forget_backing(res);
	return 0;
}

/* Attach a backing again whose memory went away. 0 or VIRTIO_GPU_RESP_ERR_*. */
u32 vg_resource_back_again(struct vg_resource *res)
{
	struct vg_backing *old = res->backing;
	struct vg_cmd *cmd;
	u32 error;

	vg_backing_get(old);
	forget_backing(res);
	error = vg_resource_attach(res, old->range, old->num, &cmd);
	if (error) {
		/* still what the guest has attached, if it comes back */
		res->backing = old;
		res->v->num_ranges += old->cost;
		return error;
	}
	old->range = NULL;
	vg_backing_put(old);
	res->came_back++;
	vg_cmd_queue(cmd);
	if (res->is_blob)
		vg_display_again(res);
	return 0;
}

/*
 * Whether a command of @type needs memory that the guest has attached and the hardware has
 * not got, as far as is known yet
 */
bool vg_resource_misses(struct vg_resource *res, __le32 type)
{
	const struct vg_backing *backing = res->backing;

	if (!res->is_blob && type != cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D))
		return false;
	return backing && (READ_ONCE(backing->revoked) ||
			   READ_ONCE(backing->state) == VG_BACKING_OFF);
}

/* The resource that a command of @type is about, with its memory. 0 or VIRTIO_GPU_RESP_ERR_*. */
u32 vg_resource_use(struct vg_vgpu *v, u32 id, __le32 type, struct vg_resource **res)
{
	*res = vg_resource_find(v, id);
	if (!*res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return vg_resource_misses(*res, type) ? vg_resource_back_again(*res) : 0;
}

/* The backing that the hardware has, or NULL; to be put */
static struct vg_backing *hw_backing_get(struct vg_resource *res)
{
	struct vg_gpu *gpu = res->v->gpu;
	struct vg_backing *backing;

	spin_lock_irq(&gpu->lock);
	backing = vg_backing_get(res->hw_backing);
	spin_unlock_irq(&gpu->lock);
	return backing;
}

/* A vGPU, none of whose commands is under way, loses all its resources. Sleeps. */
void vg_resources_drop(struct vg_vgpu *v)
{
	struct vg_resource *res, *next;
	struct vg_cmd *cmd;
	unsigned long id;

	/* each leaves the list when its own command has been executed, and not dropped */
	do {
		list_for_each_entry_safe(res, next, &v->hw_resources, hw_node) {
			cmd = let_go_cmd(res, VG_UNREFS, GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
			cmd->backing = hw_backing_get(res);
			vg_cmd_queue(cmd);
		}
		vg_sched_wait(v, false);
	} while (!list_empty(&v->hw_resources));
	xa_for_each(&v->resources, id, res)
		forget(res);
}

/* All rows that the backing has */
static struct vg_cmd *transfer_cmd(struct vg_resource *res, const struct vg_backing *backing)
{
	u64 rows = div_u64(backing->len, 4 * le32_to_cpu(res->picture.width));
	const struct virtio_gpu_transfer_to_host_2d req = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
		.r.width = res->picture.width,
		.r.height = cpu_to_le32(min_t(u64, rows, le32_to_cpu(res->picture.height))),
		.resource_id = cpu_to_le32(res->hw_id),
	};

	return vg_cmd_new(res->v, &req, sizeof(req), res, VG_NO_EFFECT, GFP_KERNEL_ACCOUNT);
}

/* What tells restarted hardware of a vGPU's resources, while that is stopped */
int vg_resources_replay(struct vg_vgpu *v, struct list_head *cmds)
{
	struct vg_backing *backing;
	struct vg_resource *res;
	int ret = 0;

	list_for_each_entry(res, &v->hw_resources, hw_node) {
		backing = hw_backing_get(res);
		if (!res->is_blob)	/* they are listed already */
			ret = ret ?: vg_cmd_list(cmds, create_cmd(res, VG_NO_EFFECT));
		if (backing)
			ret = ret ?: vg_cmd_list(cmds, attach_cmd(backing));
		if (backing && !res->is_blob)
			ret = ret ?: vg_cmd_list(cmds, transfer_cmd(res, backing));
		vg_backing_put(backing);
	}
	return ret;
}
