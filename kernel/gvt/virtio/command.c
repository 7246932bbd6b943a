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
	struct virtio_gpu_resource_assign_uuid uuid;
	struct virtio_gpu_resource_create_blob blob;
	struct virtio_gpu_set_scanout_blob scanout_blob;
	struct virtio_gpu_update_cursor cursor;
};

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

	if (len) {	/* the fence is the guest's, and all before it is done */
		cmd->resp->flags = cmd->hdr.flags;
		cmd->resp->fence_id = cmd->hdr.fence_id;
		cmd->resp->ctx_id = cmd->hdr.ctx_id;
		ret = vg_chain_write(q, &cmd->chain, 0, cmd->resp, len);
		if (ret)
			return ret;
	}
	return vg_queue_push(q, cmd->chain.head, len);
}

/* VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING and VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB */
static int with_entries(struct vg_vgpu *v, struct vg_queue *q, const struct vg_chain *chain,
			const union req *req, struct vg_cmd **cmd)
{
	bool blob = req->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB);
	u32 n = le32_to_cpu(blob ? req->blob.nr_entries : req->attach.nr_entries), i;
	size_t fixed = blob ? sizeof(req->blob) : sizeof(req->attach);
	struct vg_resource *res = vg_resource_find(v, le32_to_cpu(req->attach.resource_id));
	struct virtio_gpu_mem_entry *entry;
	struct mvgpu_range *range;
	int ret;

	BUILD_BUG_ON(sizeof(*entry) != sizeof(*range));
	if (!blob && !res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!n || n > VG_MAX_ENTRIES || chain->out_len < fixed + n * sizeof(*entry))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	range = kvmalloc_array(n, sizeof(*range), GFP_KERNEL_ACCOUNT);
	entry = (void *)range;	/* each takes the place of one */
	ret = range ? vg_chain_read(q, chain, fixed, entry, n * sizeof(*entry)) : -ENOMEM;
	for (i = 0; i < n && !ret; i++)
		range[i] = (struct mvgpu_range){
			.iova = le64_to_cpu(entry[i].addr), .len = le32_to_cpu(entry[i].length),
		};
	ret = ret ?: blob ? vg_resource_create_blob(v, &req->blob, range, cmd) :
			    vg_resource_attach(res, range, n, cmd);
	if (ret)
		kvfree(range);
	return ret;
}

/*
 * Whether the guest has attached all that @req transfers to a picture. No row may even begin
 * behind it: QEMU before 10.0 dies of that.
 */
static bool in_backing(const struct vg_resource *res,
		       const struct virtio_gpu_transfer_to_host_2d *req)
{
	u64 len = res->backing ? res->backing->len : 0, offset, rows, pixels;

	if (res->is_blob || req->hdr.type != cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D))
		return true;
	offset = le64_to_cpu(req->offset);
	rows = le32_to_cpu(req->r.height);
	/* they are in the picture: this can't wrap */
	pixels = rows ? (rows - 1) * le32_to_cpu(res->picture.width) +
			le32_to_cpu(req->r.width) : 0;
	return offset <= len && 4 * pixels <= len - offset;
}

/*
 * Commands whose fixed part is told the hardware with nothing but the id changed. @r is what
 * they are about, or NULL; of a blob the hardware may read all.
 */
static u32 forward(struct vg_vgpu *v, const union req *req, size_t len, __le32 *id,
		   const struct virtio_gpu_rect *r, struct vg_cmd **cmd)
{
	struct vg_resource *res;
	u32 error;

	error = vg_resource_use(v, le32_to_cpu(*id), req->hdr.type, &res);
	if (error)
		return error;
	if ((r && !res->is_blob &&
	     !vg_display_within(r, res->picture.width, res->picture.height)) ||
	    !in_backing(res, &req->transfer))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	*id = cpu_to_le32(res->hw_id);
	*cmd = vg_cmd_new(v, req, len, res, VG_NO_EFFECT, GFP_KERNEL_ACCOUNT);
	if (!*cmd)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	if (r && res->is_blob)
		(*cmd)->bytes = le64_to_cpu(res->blob.size);
	return 0;
}

/* Bytes that a command has to have, 0 if we don't know it or the guest hasn't accepted it */
static size_t request_size(struct vg_vgpu *v, u32 type)
{
#define KNOWN(name, field, feature) \
	[VIRTIO_GPU_CMD_##name & 0xff] = { sizeof_field(union req, field), feature }
	static const struct {
		u8 size, feature;	/* 0 if it belongs to none */
	} known[] = {
		KNOWN(GET_DISPLAY_INFO, hdr, 0),
		KNOWN(RESOURCE_CREATE_2D, create, 0),
		KNOWN(RESOURCE_UNREF, unref, 0),
		KNOWN(SET_SCANOUT, scanout, 0),
		KNOWN(RESOURCE_FLUSH, flush, 0),
		KNOWN(TRANSFER_TO_HOST_2D, transfer, 0),
		KNOWN(RESOURCE_ATTACH_BACKING, attach, 0),
		KNOWN(RESOURCE_DETACH_BACKING, detach, 0),
		KNOWN(GET_EDID, edid, 0),
		KNOWN(RESOURCE_ASSIGN_UUID, uuid, VIRTIO_GPU_F_RESOURCE_UUID),
		KNOWN(RESOURCE_CREATE_BLOB, blob, VIRTIO_GPU_F_RESOURCE_BLOB),
		KNOWN(SET_SCANOUT_BLOB, scanout_blob, VIRTIO_GPU_F_RESOURCE_BLOB),
	};
	u32 n = type - VIRTIO_GPU_CMD_GET_DISPLAY_INFO;

	if (n >= ARRAY_SIZE(known))
		return 0;
	n = array_index_nospec(n, ARRAY_SIZE(known));
	return !known[n].feature || v->t.features & BIT_ULL(known[n].feature) ? known[n].size : 0;
}

/* 0 with *@cmd, or what to answer without one, or an errno if the command can't be read */
static int control(struct vg_vgpu *v, struct vg_queue *q, const struct vg_chain *chain,
		   union req *req, struct vg_cmd **cmd)
{
	u32 type = le32_to_cpu(req->hdr.type);
	size_t size = request_size(v, type);
	struct vg_resource *res;

	if (!size || chain->out_len < size)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	switch (type) {
	case VIRTIO_GPU_CMD_GET_DISPLAY_INFO:
		return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
	case VIRTIO_GPU_CMD_GET_EDID:
		return le32_to_cpu(req->edid.scanout) < v->num_heads ?
		       VIRTIO_GPU_RESP_OK_EDID : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		return vg_resource_create(v, &req->create, cmd);
	case VIRTIO_GPU_CMD_SET_SCANOUT:
	case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
		return vg_display_scanout(v, &req->scanout_blob, cmd);
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		return forward(v, req, size, &req->flush.resource_id, &req->flush.r, cmd);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		return forward(v, req, size, &req->transfer.resource_id, &req->transfer.r, cmd);
	case VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID:
		return forward(v, req, size, &req->uuid.resource_id, NULL, cmd);
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
		return with_entries(v, q, chain, req, cmd);
	}
	/* the id is where all that are left have it */
	res = vg_resource_find(v, le32_to_cpu(req->unref.resource_id));
	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return vg_resource_let_go(res, type, cmd);
}

/* A command that needs no hardware to be answered with @type, if its queue has answers */
static struct vg_cmd *local_cmd(struct vg_vgpu *v, const union req *req, unsigned int queue,
				u32 type)
{
	struct virtio_gpu_resp_display_info *info;
	size_t len = queue == VG_CURSORQ ? 0 :
		     type == VIRTIO_GPU_RESP_OK_EDID ? sizeof(struct virtio_gpu_resp_edid) :
		     type == VIRTIO_GPU_RESP_OK_DISPLAY_INFO ? sizeof(*info) : sizeof(req->hdr);
	struct vg_cmd *cmd = vg_cmd_alloc(v, 0, sizeof(req->hdr), len, GFP_KERNEL_ACCOUNT);

	if (!cmd)
		return NULL;
	cmd->effect = VG_LOCAL;
	if (len)
		cmd->resp->type = cpu_to_le32(type);
	info = (void *)cmd->resp;
	if (type == VIRTIO_GPU_RESP_OK_DISPLAY_INFO)
		memcpy(info->pmodes, v->mode, sizeof(v->mode));
	else if (type == VIRTIO_GPU_RESP_OK_EDID)
		vg_display_edid(v, le32_to_cpu(req->edid.scanout), (void *)cmd->resp);
	return cmd;
}

/* Returns as reply(); the chain is freed, or a command has it */
static int handle(struct vg_vgpu *v, struct vg_queue *q, unsigned int queue,
		  struct vg_chain *chain)
{
	struct vg_cmd *cmd = NULL;
	union req req = {};
	int ret;

	ret = vg_chain_read(q, chain, 0, &req, min_t(u64, chain->out_len, sizeof(req)));
	if (ret)
		goto err_free;
	if (queue == VG_CONTROLQ)
		ret = control(v, q, chain, &req, &cmd);
	else if (chain->out_len >= sizeof(req.cursor))
		cmd = vg_display_cursor(v, &req.cursor);
	if (ret < 0)
		goto err_free;
	cmd = cmd ?: local_cmd(v, &req, queue, ret);
	ret = -ENOMEM;
	if (!cmd)
		goto err_free;
	cmd->guest = true;
	cmd->hdr = req.hdr;
	cmd->hdr.flags &= cpu_to_le32(VIRTIO_GPU_FLAG_FENCE);
	if (!cmd->hdr.flags) {
		cmd->hdr.fence_id = 0;
		cmd->hdr.ctx_id = 0;
	}
	cmd->chain = *chain;
	cmd->epoch = q->epoch;
	cmd->seq = v->taken[queue]++;
	cmd->came_back = cmd->res ? cmd->res->came_back : 0;
	((struct virtio_gpu_ctrl_hdr *)cmd->req)->flags = cmd->hdr.flags;
	vg_cmd_queue(cmd);
	return 0;

err_free:
	if (try_later(ret))
		vg_queue_unpop(q);
	kvfree(chain->range);
	return ret;
}

/* It failed only because the memory had gone away: it, or other memory, may be there now */
static bool again(struct vg_cmd *cmd)
{
	struct vg_resource *res = cmd->res;

	if (!res || cmd->backing || cmd->retried || !vg_cmd_failed(cmd) || vg_vgpu_banned(cmd->v) ||
	    (cmd->effect == VG_SCANS_OUT && cmd->v->head[cmd->head].asked_res != res) ||
	    vg_resource_find(cmd->v, res->id) != res || !in_backing(res, cmd->req) ||
	    (vg_resource_misses(res, cmd->hdr.type) && vg_resource_back_again(res)) ||
	    cmd->came_back == res->came_back)
		return false;
	cmd->retried = true;
	return true;
}

/* The guest has no resource of that id, nor the hardware, which may have been asked again */
static bool refused(struct vg_cmd *cmd)
{
	return vg_cmd_failed(cmd) && cmd->res &&
	       (cmd->effect == VG_CREATES ||
		cmd->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB)) &&
	       vg_resource_find(cmd->v, cmd->res->id) == cmd->res;
}

/* A run of the work item answers what has been executed. Returns as reply(). */
static int answer_all(struct vg_vgpu *v)
{
	struct vg_cmd *cmd, *unref;
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
			vg_display_again(cmd->res);	/* flushes have overtaken it */
			continue;
		}
		if (refused(cmd) &&
		    !vg_resource_let_go(cmd->res, VIRTIO_GPU_CMD_RESOURCE_UNREF, &unref))
			vg_cmd_queue(unref);
		ret = cmd->epoch == q->epoch ? reply(q, cmd) : 0;
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

/* Take what there is, as far as there may be more to answer. Returns as reply(). */
static int take_all(struct vg_vgpu *v, unsigned int queue)
{
	struct vg_queue *q = &v->t.queue[queue];
	struct vg_chain chain;
	int ret;

	while (q->enabled && v->taken[queue] - v->answered[queue] < VG_MAX_COMMANDS) {
		ret = vg_queue_pop(q, &chain);
		if (ret > 0) {
			ret = handle(v, q, queue, &chain);
		} else if (v->taken[queue] - v->answered[queue] >= VG_DEPTH) {
			/* More would only wait: whoever answers these looks for it */
			return ret;
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
	int ret;

	lockdep_assert_held(&t->lock);
	if (t->status && vg_vgpu_banned(v))	/* a reset has to be seen to be over */
		vg_transport_broken(t, "the GPU has hung on its commands");
	ret = answer_all(v);
	for (i = 0; i < VG_NUM_QUEUES && !ret; i++)
		ret = take_all(v, i);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		if (t->queue[i].enabled)
			vg_transport_queue_irq(t, &t->queue[i]);
	if (try_later(ret))
		mod_delayed_work(v->gpu->wq, &v->work, 1);
	else if (ret)
		vg_transport_broken(t, "its queue or what is in it is not the guest's memory");
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
