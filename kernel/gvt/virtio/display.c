// SPDX-License-Identifier: GPL-2.0-only
/*
 * display.c - struct vg_head: what a vGPU's heads are, and what they show on the physical
 * heads that it owns
 */
#include "gpu.h"

#define DEFAULT_WIDTH	1280
#define DEFAULT_HEIGHT	800

/* What a head of the vGPU is plugged to: the physical one's mode, if that has one */
static void head_update(struct vg_vgpu *v, unsigned int i)
{
	const struct mvgpu_type *type = mvgpu_type(v->vgpu);
	const struct virtio_gpu_rect *mode = &v->gpu->scanout[mvgpu_head(v->vgpu, i)];
	u32 width = le32_to_cpu(mode->width), height = le32_to_cpu(mode->height);

	v->head[i].width = min_t(u32, width ?: DEFAULT_WIDTH, type->max_width);
	v->head[i].height = min_t(u32, height ?: DEFAULT_HEIGHT, type->max_height);
}

/* A new vGPU's heads */
void vg_display_init(struct vg_vgpu *v)
{
	unsigned int i;

	v->num_heads = mvgpu_type(v->vgpu)->heads;
	for (i = 0; i < v->num_heads; i++)
		head_update(v, i);
}

/* Answer VIRTIO_GPU_CMD_GET_DISPLAY_INFO; @resp is zeroed */
void vg_display_info(struct vg_vgpu *v, struct virtio_gpu_resp_display_info *resp)
{
	unsigned int i;

	resp->hdr.type = cpu_to_le32(VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	for (i = 0; i < v->num_heads; i++) {
		resp->pmodes[i].enabled = cpu_to_le32(1);
		resp->pmodes[i].r.width = cpu_to_le32(v->head[i].width);
		resp->pmodes[i].r.height = cpu_to_le32(v->head[i].height);
	}
}

/* Answer VIRTIO_GPU_CMD_GET_EDID; @resp is zeroed */
void vg_display_edid(struct vg_vgpu *v, unsigned int head, struct virtio_gpu_resp_edid *resp)
{
	resp->hdr.type = cpu_to_le32(VIRTIO_GPU_RESP_OK_EDID);
	resp->size = cpu_to_le32(MVGPU_EDID_SIZE);
	mvgpu_edid(resp->edid, v->head[head].width, v->head[head].height, head);
}

static struct vg_cmd *scanout_cmd(struct vg_vgpu *v, unsigned int head,
				  const struct virtio_gpu_set_scanout *from,
				  struct vg_resource *res, gfp_t gfp)
{
	struct virtio_gpu_set_scanout *req;
	struct vg_cmd *cmd;

	cmd = vg_cmd_alloc(v, VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(*req),
			   sizeof(struct virtio_gpu_ctrl_hdr), gfp);
	if (!cmd)
		return NULL;
	req = cmd->req;
	req->r = from->r;
	req->scanout_id = cpu_to_le32(mvgpu_head(v->vgpu, head));
	if (res) {
		req->resource_id = cpu_to_le32(res->hw_id);
		vg_cmd_set_res(cmd, res, VG_SCANS_OUT);
	}
	cmd->effect = VG_SCANS_OUT;
	cmd->head = head;
	return cmd;
}

/* 0 and what the hardware is to be told, or VIRTIO_GPU_RESP_ERR_* */
u32 vg_display_scanout(struct vg_vgpu *v, const struct virtio_gpu_set_scanout *req,
		       struct vg_cmd **cmd)
{
	u32 head = le32_to_cpu(req->scanout_id), id = le32_to_cpu(req->resource_id);
	struct vg_resource *res = NULL;

	if (head >= v->num_heads)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (id) {
		res = vg_resource_find(v, id);
		if (!res)
			return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	}
	*cmd = scanout_cmd(v, head, req, res, GFP_KERNEL_ACCOUNT);
	return *cmd ? 0 : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

static struct vg_cmd *cursor_cmd(struct vg_vgpu *v, unsigned int head,
				 const struct virtio_gpu_update_cursor *from,
				 struct vg_resource *res, gfp_t gfp)
{
	struct virtio_gpu_update_cursor *req;
	struct vg_cmd *cmd;

	cmd = vg_cmd_alloc(v, le32_to_cpu(from->hdr.type), sizeof(*req), 0, gfp);
	if (!cmd)
		return NULL;
	req = cmd->req;
	req->pos = from->pos;
	req->pos.scanout_id = cpu_to_le32(mvgpu_head(v->vgpu, head));
	req->hot_x = from->hot_x;
	req->hot_y = from->hot_y;
	if (res) {
		req->resource_id = cpu_to_le32(res->hw_id);
		vg_cmd_set_res(cmd, res, VG_CURSOR);
	}
	cmd->effect = VG_CURSOR;
	cmd->queue = VG_CURSORQ;
	cmd->head = head;
	return cmd;
}

/* What the hardware is to be told, or NULL if that is nothing */
struct vg_cmd *vg_display_cursor(struct vg_vgpu *v, const struct virtio_gpu_update_cursor *req)
{
	bool moves = req->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_MOVE_CURSOR);
	u32 head = le32_to_cpu(req->pos.scanout_id), id = le32_to_cpu(req->resource_id);
	struct vg_resource *res = id ? vg_resource_find(v, id) : NULL;

	if (head >= v->num_heads || (id && !res && !moves))
		return NULL;
	return cursor_cmd(v, head, req, res, GFP_KERNEL_ACCOUNT);
}

/* The heads of a vGPU, none of whose commands is under way, show nothing any more */
void vg_display_off(struct vg_vgpu *v)
{
	static const struct virtio_gpu_update_cursor no_cursor = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_UPDATE_CURSOR),
	};
	static const struct virtio_gpu_set_scanout blank;
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOFAIL;
	unsigned int i;

	for (i = 0; i < v->num_heads; i++) {
		if (v->head[i].cursor_res)
			vg_cmd_queue(cursor_cmd(v, i, &no_cursor, NULL, gfp));
		if (v->head[i].res)
			vg_cmd_queue(scanout_cmd(v, i, &blank, NULL, gfp));
	}
}

static int replay_head(struct vg_vgpu *v, unsigned int i, struct list_head *cmds)
{
	struct vg_head *head = &v->head[i];
	struct virtio_gpu_resource_flush *req;
	struct vg_cmd *cmd;

	if (!head->res)
		return 0;
	cmd = scanout_cmd(v, i, &head->scanout, head->res, GFP_KERNEL_ACCOUNT);
	if (!cmd)
		return -ENOMEM;
	list_add_tail(&cmd->node, cmds);
	cmd = vg_cmd_alloc(v, VIRTIO_GPU_CMD_RESOURCE_FLUSH, sizeof(*req),
			   sizeof(struct virtio_gpu_ctrl_hdr), GFP_KERNEL_ACCOUNT);
	if (!cmd)
		return -ENOMEM;
	req = cmd->req;
	req->r = head->scanout.r;
	req->resource_id = cpu_to_le32(head->res->hw_id);
	list_add_tail(&cmd->node, cmds);
	if (!head->cursor_res)
		return 0;
	cmd = cursor_cmd(v, i, &head->cursor, head->cursor_res, GFP_KERNEL_ACCOUNT);
	if (!cmd)
		return -ENOMEM;
	list_add_tail(&cmd->node, cmds);
	return 0;
}

/* What tells restarted hardware what a vGPU's heads show, while that is stopped */
int vg_display_replay(struct vg_vgpu *v, struct list_head *cmds)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < v->num_heads; i++)
		ret = ret ?: replay_head(v, i, cmds);
	return ret;
}

/* The physical heads may have other modes than before */
void vg_display_changed(struct vg_vgpu *v)
{
	bool changed = false;
	unsigned int i;

	mutex_lock(&v->t.lock);
	for (i = 0; i < v->num_heads; i++) {
		struct vg_head before = v->head[i];

		head_update(v, i);
		changed |= before.width != v->head[i].width || before.height != v->head[i].height;
	}
	if (changed) {
		atomic_or(VIRTIO_GPU_EVENT_DISPLAY, &v->events);
		vg_transport_config_changed(&v->t);
	}
	mutex_unlock(&v->t.lock);
}
