// SPDX-License-Identifier: GPL-2.0-only
/*
 * display.c - struct vg_head: what a vGPU's heads are, and what they show on the physical
 * heads that it owns
 */
#include <drm/drm_fourcc.h>
#include <linux/nospec.h>
#include "gpu.h"

#define DEFAULT_WIDTH	1280
#define DEFAULT_HEIGHT	800

/* Heads prefer the physical ones' modes, where those have one. Returns if any changes. */
bool vg_display_update(struct vg_vgpu *v)
{
	const struct mvgpu_type *type = mvgpu_type(v->vgpu);
	const struct virtio_gpu_rect *mode;
	struct vg_head *head = v->head;
	bool changed = false;
	u32 width, height;

	for (; head < v->head + v->num_heads; head++) {
		mode = &v->gpu->scanout[mvgpu_head(v->vgpu, head - v->head)];
		width = min_t(u32, le32_to_cpu(mode->width) ?: DEFAULT_WIDTH, type->max_width);
		height = min_t(u32, le32_to_cpu(mode->height) ?: DEFAULT_HEIGHT, type->max_height);
		changed |= head->width != width || head->height != height;
		head->width = width;
		head->height = height;
	}
	return changed;
}

/* What follows returns 0 and a command, or VIRTIO_GPU_RESP_ERR_* */
u32 vg_display_info(struct vg_vgpu *v, struct vg_cmd **cmd)
{
	struct virtio_gpu_resp_display_info *resp;
	unsigned int i;

	*cmd = vg_cmd_local(v, VIRTIO_GPU_RESP_OK_DISPLAY_INFO, sizeof(*resp));
	if (!*cmd)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	resp = (void *)(*cmd)->resp;
	for (i = 0; i < v->num_heads; i++) {
		resp->pmodes[i].enabled = cpu_to_le32(1);
		resp->pmodes[i].r.width = cpu_to_le32(v->head[i].width);
		resp->pmodes[i].r.height = cpu_to_le32(v->head[i].height);
	}
	return 0;
}

u32 vg_display_edid(struct vg_vgpu *v, u32 head, struct vg_cmd **cmd)
{
	struct virtio_gpu_resp_edid *resp;

	if (head >= v->num_heads)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	*cmd = vg_cmd_local(v, VIRTIO_GPU_RESP_OK_EDID, sizeof(*resp));
	if (!*cmd)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	resp = (void *)(*cmd)->resp;
	resp->size = cpu_to_le32(MVGPU_EDID_SIZE);
	mvgpu_edid(resp->edid, v->head[head].width, v->head[head].height, head);
	return 0;
}

static struct vg_cmd *scanout_cmd(struct vg_vgpu *v, unsigned int head,
				  const struct virtio_gpu_set_scanout *from,
				  struct vg_resource *res, gfp_t gfp)
{
	const struct virtio_gpu_set_scanout req = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_SET_SCANOUT),
		.r = from->r,
		.scanout_id = cpu_to_le32(mvgpu_head(v->vgpu, head)),
		.resource_id = cpu_to_le32(res ? res->hw_id : 0),
	};
	struct vg_cmd *cmd = vg_cmd_new(v, &req, sizeof(req), res, VG_SCANS_OUT, gfp);

	if (cmd)
		cmd->head = head;
	return cmd;
}

u32 vg_display_scanout(struct vg_vgpu *v, const struct virtio_gpu_set_scanout *req,
		       struct vg_cmd **cmd)
{
	u32 head = le32_to_cpu(req->scanout_id), id = le32_to_cpu(req->resource_id);
	struct vg_resource *res = vg_resource_find(v, id);	/* none has the id 0 */

	if (head >= v->num_heads)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (id && !res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	*cmd = scanout_cmd(v, head, req, res, GFP_KERNEL_ACCOUNT);
	return *cmd ? 0 : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

static struct vg_cmd *cursor_cmd(struct vg_vgpu *v, unsigned int head,
				 const struct virtio_gpu_update_cursor *from,
				 struct vg_resource *res, gfp_t gfp)
{
	const struct virtio_gpu_update_cursor req = {
		.hdr.type = from->hdr.type,
		.pos.scanout_id = cpu_to_le32(mvgpu_head(v->vgpu, head)),
		.pos.x = from->pos.x,
		.pos.y = from->pos.y,
		.resource_id = cpu_to_le32(res ? res->hw_id : 0),
		.hot_x = from->hot_x,
		.hot_y = from->hot_y,
	};
	struct vg_cmd *cmd = vg_cmd_new(v, &req, sizeof(req), res, VG_CURSOR, gfp);

	if (!cmd)
		return NULL;
	cmd->queue = VG_CURSORQ;
	cmd->resp_len = 0;	/* nothing is answered there */
	cmd->head = head;
	return cmd;
}

/* What the hardware is to be told, or NULL if that is nothing */
struct vg_cmd *vg_display_cursor(struct vg_vgpu *v, const struct virtio_gpu_update_cursor *req)
{
	bool moves = req->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_MOVE_CURSOR);
	u32 head = le32_to_cpu(req->pos.scanout_id), id = le32_to_cpu(req->resource_id);
	struct vg_resource *res = vg_resource_find(v, id);

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

static struct vg_cmd *flush_cmd(struct vg_resource *res, struct virtio_gpu_rect r)
{
	const struct virtio_gpu_resource_flush req = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
		.r = r,
		.resource_id = cpu_to_le32(res->hw_id),
	};

	return vg_cmd_new(res->v, &req, sizeof(req), res, VG_NO_EFFECT, GFP_KERNEL_ACCOUNT);
}

static int replay_head(struct vg_vgpu *v, unsigned int i, struct list_head *cmds)
{
	const struct vg_head *head = &v->head[i];
	const gfp_t gfp = GFP_KERNEL_ACCOUNT;
	int ret;

	if (!head->res)
		return 0;
	ret = vg_cmd_list(cmds, scanout_cmd(v, i, &head->scanout, head->res, gfp)) ?:
	      vg_cmd_list(cmds, flush_cmd(head->res, head->scanout.r));
	if (head->cursor_res)
		ret = ret ?: vg_cmd_list(cmds, cursor_cmd(v, i, &head->cursor, head->cursor_res,
							  gfp));
	return ret;
}

/* The DRM's name of a virtio format, 0 if that has none; each has four bytes a pixel */
u32 vg_display_fourcc(u32 format)
{
	static const u32 fourcc[] = {
		[VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM] = DRM_FORMAT_ARGB8888,
		[VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM] = DRM_FORMAT_XRGB8888,
		[VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM] = DRM_FORMAT_BGRA8888,
		[VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM] = DRM_FORMAT_BGRX8888,
		[VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM] = DRM_FORMAT_ABGR8888,
		[VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM] = DRM_FORMAT_RGBX8888,
		[VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM] = DRM_FORMAT_RGBA8888,
		[VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM] = DRM_FORMAT_XBGR8888,
	};

	return format < ARRAY_SIZE(fourcc) ?
	       fourcc[array_index_nospec(format, ARRAY_SIZE(fourcc))] : 0;
}

/* What the first head shows, where the guest has drawn it */
int vg_display_picture(struct mvgpu *vgpu, struct mvgpu_scanout *so)
{
	struct vg_vgpu *v = mvgpu_priv(vgpu);
	const struct virtio_gpu_rect *r = &v->head[0].scanout.r;
	const struct vg_resource *res;

	spin_lock_irq(&v->gpu->lock);
	res = v->head[0].res;
	if (res) {
		so->format = vg_display_fourcc(res->format);
		so->bpp = 32;
		so->width = le32_to_cpu(r->width);
		so->height = le32_to_cpu(r->height);
		so->stride = res->width * 4;
		so->offset = (u64)le32_to_cpu(r->y) * so->stride + 4ull * le32_to_cpu(r->x);
		if (res->hw_backing)
			mvgpu_scanout_memory(so, res->hw_backing->mapping);
	}
	spin_unlock_irq(&v->gpu->lock);
	return res ? 0 : -ENODEV;
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
	mutex_lock(&v->t.lock);
	if (vg_display_update(v)) {
		atomic_or(VIRTIO_GPU_EVENT_DISPLAY, &v->events);
		vg_transport_config_changed(&v->t);
	}
	mutex_unlock(&v->t.lock);
}
