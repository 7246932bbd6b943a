// SPDX-License-Identifier: GPL-2.0-only
/*
 * command.c - the guest's commands: taken from its rings, checked, translated, and answered
 *
 * The virtio specification 1.2, section 5.7.6. A command is read once into memory of our
 * own. What has to be answered by the hardware comes back through vg_cmd_pop_done().
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include "gpu.h"

#define BURST	256	/* chains that one run of the work item takes */

/* The fixed part of every command that we know */
union req {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resource_create_2d create;
	struct virtio_gpu_resource_unref unref;
	struct virtio_gpu_set_scanout scanout;
	struct virtio_gpu_resource_flush flush;
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct virtio_gpu_resource_attach_backing attach;
	struct virtio_gpu_resource_detach_backing detach;
	struct virtio_gpu_cmd_get_edid edid;
	struct virtio_gpu_update_cursor cursor;
};

/* Fences are the guest's: whatever has been asked with one is answered with it */
static void copy_fence(struct virtio_gpu_ctrl_hdr *to, const struct virtio_gpu_ctrl_hdr *from)
{
	u32 flags = le32_to_cpu(from->flags) & VIRTIO_GPU_FLAG_FENCE;

	to->flags = cpu_to_le32(flags);
	to->fence_id = flags ? from->fence_id : 0;
	to->ctx_id = flags ? from->ctx_id : 0;
}

/* Nothing is wrong with the guest's queue */
static bool try_later(int ret)
{
	return ret == -EAGAIN || ret == -ENOMEM;
}

/* Answer the guest. 0, -EAGAIN to be called again, or an errno if its queue is broken. */
static int reply(struct vg_queue *q, struct vg_cmd *cmd)
{
	u32 len = min_t(u64, cmd->resp_len, cmd->chain.in_len);
	int ret;

	if (len) {
		copy_fence(cmd->resp, &cmd->hdr);
		ret = vg_chain_write(q, &cmd->chain, 0, cmd->resp, len);
		if (ret)
			return ret;
	}
	return vg_queue_push(q, cmd->chain.head, len);
}

static u32 do_attach(struct vg_vgpu *v, struct vg_queue *q, const struct vg_chain *chain,
		     const struct virtio_gpu_resource_attach_backing *req,
		     struct vg_cmd **cmd)
{
	struct vg_resource *res = vg_resource_find(v, le32_to_cpu(req->resource_id));
	u32 n = le32_to_cpu(req->nr_entries), i;
	struct virtio_gpu_mem_entry *entry;
	struct mvgpu_range *range;

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!n || n > VG_MAX_ENTRIES || chain->out_len < sizeof(*req) + n * sizeof(*entry))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	entry = kvmalloc_array(n, sizeof(*entry), GFP_KERNEL_ACCOUNT);
	range = kvmalloc_array(n, sizeof(*range), GFP_KERNEL_ACCOUNT);
	if (!entry || !range ||
	    vg_chain_read(q, chain, sizeof(*req), entry, n * sizeof(*entry))) {
		kvfree(entry);
		kvfree(range);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	for (i = 0; i < n; i++) {
		range[i].iova = le64_to_cpu(entry[i].addr);
		range[i].len = le32_to_cpu(entry[i].length);
	}
	kvfree(entry);
	return vg_resource_attach(res, range, n, cmd);
}

/* Commands whose fixed part is told the hardware with nothing but the id changed */
static u32 forward(struct vg_vgpu *v, const union req *req, size_t len, __le32 *id,
		   u64 bytes, struct vg_cmd **cmd)
{
	struct vg_resource *res = vg_resource_find(v, le32_to_cpu(*id));

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	*id = cpu_to_le32(res->hw_id);
	*cmd = vg_cmd_new(v, req, len, res, VG_NO_EFFECT, GFP_KERNEL_ACCOUNT);
	if (!*cmd)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	(*cmd)->bytes = bytes;
	return 0;
}

static u32 do_transfer(struct vg_vgpu *v, union req *req, struct vg_cmd **cmd)
{
	struct virtio_gpu_transfer_to_host_2d *t = &req->transfer;
	struct vg_resource *res = vg_resource_find(v, le32_to_cpu(t->resource_id));
	u32 error;

	if (res && vg_resource_lost(res)) {
		error = vg_resource_back_again(res);
		if (error)
			return error;
	}
	return forward(v, req, sizeof(*t), &t->resource_id,
		       4ull * le32_to_cpu(t->r.width) * le32_to_cpu(t->r.height), cmd);
}

/* Bytes that a command has to have, 0 if we don't know it */
static size_t request_size(u32 type)
{
	static const u8 size[] = {
		[VIRTIO_GPU_CMD_GET_DISPLAY_INFO & 0xff] = sizeof_field(union req, hdr),
		[VIRTIO_GPU_CMD_RESOURCE_CREATE_2D & 0xff] = sizeof_field(union req, create),
		[VIRTIO_GPU_CMD_RESOURCE_UNREF & 0xff] = sizeof_field(union req, unref),
		[VIRTIO_GPU_CMD_SET_SCANOUT & 0xff] = sizeof_field(union req, scanout),
		[VIRTIO_GPU_CMD_RESOURCE_FLUSH & 0xff] = sizeof_field(union req, flush),
		[VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D & 0xff] = sizeof_field(union req, transfer),
		[VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING & 0xff] = sizeof_field(union req, attach),
		[VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING & 0xff] = sizeof_field(union req, detach),
		[VIRTIO_GPU_CMD_GET_EDID & 0xff] = sizeof_field(union req, edid),
	};
	u32 n = type - VIRTIO_GPU_CMD_GET_DISPLAY_INFO;

	return n < ARRAY_SIZE(size) ? size[array_index_nospec(n, ARRAY_SIZE(size))] : 0;
}

/* 0 with *@cmd, or VIRTIO_GPU_RESP_ERR_* */
static u32 control(struct vg_vgpu *v, struct vg_queue *q, const struct vg_chain *chain,
		   union req *req, struct vg_cmd **cmd)
{
	u32 type = le32_to_cpu(req->hdr.type);
	struct vg_resource *res;

	if (!request_size(type) || chain->out_len < request_size(type))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	switch (type) {
	case VIRTIO_GPU_CMD_GET_DISPLAY_INFO:
		return vg_display_info(v, cmd);
	case VIRTIO_GPU_CMD_GET_EDID:
		return vg_display_edid(v, le32_to_cpu(req->edid.scanout), cmd);
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		return vg_resource_create(v, &req->create, cmd);
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		return vg_display_scanout(v, &req->scanout, cmd);
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		return forward(v, req, sizeof(req->flush), &req->flush.resource_id, 0, cmd);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		return do_transfer(v, req, cmd);
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		return do_attach(v, q, chain, &req->attach, cmd);
	}
	/* the id is where all that are left have it */
	res = vg_resource_find(v, le32_to_cpu(req->unref.resource_id));
	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return vg_resource_let_go(res, type, cmd);
}

static struct vg_cmd *cursor(struct vg_vgpu *v, const struct vg_chain *chain,
			     const union req *req)
{
	u32 type = le32_to_cpu(req->hdr.type);

	if (chain->out_len < sizeof(req->cursor) ||
	    (type != VIRTIO_GPU_CMD_UPDATE_CURSOR && type != VIRTIO_GPU_CMD_MOVE_CURSOR))
		return NULL;
	return vg_display_cursor(v, &req->cursor);
}

/* Returns as reply(); the chain is freed, or a command has it */
static int handle(struct vg_vgpu *v, struct vg_queue *q, unsigned int queue,
		  struct vg_chain *chain)
{
	struct vg_cmd *cmd = NULL;
	union req req = {};
	u32 error = 0;
	int ret;

	ret = vg_chain_read(q, chain, 0, &req, min_t(u64, chain->out_len, sizeof(req)));
	if (ret)
		goto err_free;
	if (queue == VG_CURSORQ)
		cmd = cursor(v, chain, &req);
	else
		error = control(v, q, chain, &req, &cmd);
	if (!cmd) {
		cmd = vg_cmd_local(v, error, queue == VG_CURSORQ ? 0 : sizeof(*cmd->resp));
		ret = -ENOMEM;
		if (!cmd)
			goto err_free;
		cmd->queue = queue;
	}
	cmd->guest = true;
	cmd->hdr = req.hdr;
	cmd->chain = *chain;
	cmd->epoch = v->epoch[queue];
	cmd->seq = v->taken[queue]++;
	copy_fence(cmd->req, &req.hdr);
	vg_cmd_queue(cmd);
	return 0;

err_free:
	if (try_later(ret))
		vg_queue_unpop(q);
	vg_chain_free(chain);
	return ret;
}

/* It failed only because the memory had gone away: it may be back */
static bool again(struct vg_cmd *cmd)
{
	if (cmd->local || cmd->retried || !vg_cmd_failed(cmd) ||
	    cmd->hdr.type != cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D) ||
	    vg_resource_find(cmd->v, cmd->res->id) != cmd->res || !vg_resource_lost(cmd->res) ||
	    vg_resource_back_again(cmd->res))
		return false;
	cmd->retried = true;
	return true;
}

/* A run of the work item answers what has been executed. Returns as reply(). */
static int answer_all(struct vg_vgpu *v)
{
	struct vg_cmd *cmd;
	struct vg_queue *q;
	int ret;

	while ((cmd = vg_cmd_pop_done(v))) {
		if (!cmd->guest) {
			vg_cmd_free(cmd);
			continue;
		}
		q = &v->t.queue[cmd->queue];
		if (again(cmd)) {
			vg_cmd_unpop_done(cmd);
			vg_cmd_queue(cmd);
			continue;
		}
		if (cmd->effect == VG_CREATES && vg_cmd_failed(cmd))
			vg_resource_refused(cmd->res);
		ret = cmd->epoch == v->epoch[cmd->queue] ? reply(q, cmd) : 0;
		if (try_later(ret)) {
			vg_cmd_unpop_done(cmd);
			return ret;
		}
		vg_cmd_free(cmd);
		if (ret)
			return ret;
	}
	return 0;
}

/* 1 if there is more to take, 0 if not, or as reply() */
static int take_all(struct vg_vgpu *v, unsigned int queue)
{
	struct vg_queue *q = &v->t.queue[queue];
	struct vg_chain chain;
	unsigned int n;
	int ret;

	for (n = 0; q->enabled && v->taken[queue] - v->answered[queue] < VG_MAX_COMMANDS; n++) {
		if (n == BURST)
			return 1;
		ret = vg_queue_pop(q, &chain);
		if (ret > 0) {
			ret = handle(v, q, queue, &chain);
		} else if (!ret) {
			ret = vg_queue_listen(q);
			if (!ret)
				return 0;
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Answer the guest, and see what it wants */
static void serve(struct vg_vgpu *v)
{
	struct vg_transport *t = &v->t;
	unsigned int i;
	int ret, more;

	lockdep_assert_held(&t->lock);
	if (READ_ONCE(v->strikes) >= VG_MAX_STRIKES)
		vg_transport_broken(t, "the GPU has hung on its commands");
	ret = answer_all(v);
	for (i = 0; i < VG_NUM_QUEUES && ret >= 0; i++) {
		more = take_all(v, i);
		ret = more < 0 ? more : ret | more;
	}
	for (i = 0; i < VG_NUM_QUEUES; i++)
		if (t->queue[i].enabled)
			vg_transport_queue_irq(t, &t->queue[i]);
	if (ret < 0 && !try_later(ret))
		vg_transport_broken(t, "its queue or what is in it is not the guest's memory");
	else if (ret)
		mod_delayed_work(v->gpu->wq, &v->work, ret > 0 ? 0 : 1);
}

/* A vGPU's work item */
void vg_command_work(struct work_struct *work)
{
	struct vg_vgpu *v = container_of(to_delayed_work(work), struct vg_vgpu, work);

	mutex_lock(&v->t.lock);
	serve(v);
	mutex_unlock(&v->t.lock);
}

/*
 * The guest has put something into a queue. It is served at once, by the vCPU that has
 * waited so long, unless the work item is at it.
 */
void vg_command_notify(struct vg_transport *t, unsigned int queue)
{
	struct vg_vgpu *v = to_vg_vgpu(t);

	if (mutex_trylock(&t->lock)) {
		serve(v);
		mutex_unlock(&t->lock);
	} else {
		mod_delayed_work(v->gpu->wq, &v->work, 0);
	}
}
