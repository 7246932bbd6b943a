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

/*
 * Heads prefer the physical ones' modes, which may be new, and go with them, but those that
 * never had one are there: some hardware has none until somebody looks.
 */
void vg_display_changed(struct vg_vgpu *v)
{
	const struct mvgpu_type *type = mvgpu_type(v->vgpu);
	struct virtio_gpu_display_one *mode = v->mode, was;
	const struct virtio_gpu_rect *theirs;
	bool changed = false;
	u32 n;

	mutex_lock(&v->t.lock);
	for (; mode < v->mode + v->num_heads; mode++) {
		n = mvgpu_head(v->vgpu, mode - v->mode);
		theirs = &v->gpu->scanout[n];
		was = *mode;
		mode->r.width = cpu_to_le32(min_t(u32, le32_to_cpu(theirs->width) ?: DEFAULT_WIDTH,
						  type->max_width));
		mode->r.height = cpu_to_le32(min_t(u32, le32_to_cpu(theirs->height) ?:
						   DEFAULT_HEIGHT, type->max_height));
		mode->enabled = cpu_to_le32(theirs->width || !(v->gpu->had_mode & BIT(n)));
		changed |= memcmp(mode, &was, sizeof(was)) || v->gpu->new_edids & BIT(n);
	}
	if (changed) {
		atomic_or(VIRTIO_GPU_EVENT_DISPLAY, &v->events);
		vg_transport_config_changed(&v->t);
	}
	mutex_unlock(&v->t.lock);
}

/* That of its monitor, if somebody looks and the type surely has the room for it; or one of ours */
void vg_display_edid(struct vg_vgpu *v, u32 n, struct virtio_gpu_resp_edid *resp)
{
	u32 i = array_index_nospec(n, VG_MAX_HEADS), width = le32_to_cpu(v->mode[i].r.width);
	const struct mvgpu_monitor *monitor = &v->gpu->monitor[mvgpu_head(v->vgpu, i)];
	const struct mvgpu_type *type = mvgpu_type(v->vgpu);
	u32 height = le32_to_cpu(v->mode[i].r.height);

	if (!v->mode[i].enabled || width >= type->max_width || height >= type->max_height)
		monitor = NULL;
	spin_lock_irq(&v->gpu->lock);
	resp->size = cpu_to_le32(mvgpu_monitor_edid(monitor, resp->edid, width, height, i));
	spin_unlock_irq(&v->gpu->lock);
}

/* @req, of any type that is about a head, is what the hardware is to be told */
static struct vg_cmd *head_cmd(struct vg_vgpu *v, unsigned int head, const void *req,
			       struct vg_resource *res, gfp_t gfp)
{
	u32 type = le32_to_cpu(((const struct virtio_gpu_ctrl_hdr *)req)->type);
	bool cursor = type >= VIRTIO_GPU_CMD_UPDATE_CURSOR;
	size_t len = cursor ? sizeof(struct virtio_gpu_update_cursor) :
		     type == VIRTIO_GPU_CMD_SET_SCANOUT ? sizeof(struct virtio_gpu_set_scanout) :
		     sizeof(struct virtio_gpu_set_scanout_blob);
	struct vg_cmd *cmd = vg_cmd_new(v, req, len, res, cursor ? VG_CURSOR : VG_SCANS_OUT, gfp);

	if (cmd)
		cmd->head = head;
	return cmd;
}

bool vg_display_within(const struct virtio_gpu_rect *r, __le32 width, __le32 height)
{
	return (u64)le32_to_cpu(r->x) + le32_to_cpu(r->width) <= le32_to_cpu(width) &&
	       (u64)le32_to_cpu(r->y) + le32_to_cpu(r->height) <= le32_to_cpu(height);
}

/* Whether a picture as @req has it is in a blob of @size bytes */
static bool in_blob(const struct virtio_gpu_set_scanout_blob *req, u64 size)
{
	u64 width = le32_to_cpu(req->width), height = le32_to_cpu(req->height);
	u64 stride = le32_to_cpu(req->strides[0]), offset = le32_to_cpu(req->offsets[0]);

	return vg_display_fourcc(le32_to_cpu(req->format)) && stride >= width * 4 &&
	       offset + stride * height <= size &&	/* of 32 bits each: this can't wrap */
	       vg_display_within(&req->r, req->width, req->height);
}

/* Returns 0 and a command, or VIRTIO_GPU_RESP_ERR_* */
u32 vg_display_scanout(struct vg_vgpu *v, struct virtio_gpu_set_scanout_blob *req,
		       struct vg_cmd **cmd)
{
	bool blob = req->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_SET_SCANOUT_BLOB);
	u32 head = le32_to_cpu(req->scanout_id), id = le32_to_cpu(req->resource_id), error;
	struct vg_resource *res = NULL;

	if (head >= v->num_heads)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	head = array_index_nospec(head, VG_MAX_HEADS);
	error = id ? vg_resource_use(v, id, req->hdr.type, &res) : 0;
	if (error)
		return error;
	if (res && blob != res->is_blob)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (res && !(blob ? in_blob(req, le64_to_cpu(res->blob.size)) :
		     vg_display_within(&req->r, res->picture.width, res->picture.height)))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	req->scanout_id = cpu_to_le32(mvgpu_head(v->vgpu, head));
	req->resource_id = cpu_to_le32(res ? res->hw_id : 0);
	*cmd = head_cmd(v, head, req, res, GFP_KERNEL_ACCOUNT);
	if (!*cmd)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	v->head[head].asked = *req;
	v->head[head].asked_res = res;
	return 0;
}

/* What the hardware is to be told, or NULL if that is nothing */
struct vg_cmd *vg_display_cursor(struct vg_vgpu *v, struct virtio_gpu_update_cursor *req)
{
	bool moves = req->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_MOVE_CURSOR);
	u32 head = le32_to_cpu(req->pos.scanout_id), id = le32_to_cpu(req->resource_id);
	struct vg_resource *res = NULL;

	if ((req->hdr.type != cpu_to_le32(VIRTIO_GPU_CMD_UPDATE_CURSOR) && !moves) ||
	    head >= v->num_heads ||
	    (id && (vg_resource_use(v, id, req->hdr.type, &res) || !res->may_point) && !moves))
		return NULL;
	head = array_index_nospec(head, VG_MAX_HEADS);
	req->pos.scanout_id = cpu_to_le32(mvgpu_head(v->vgpu, head));
	req->resource_id = cpu_to_le32(res ? res->hw_id : 0);
	return head_cmd(v, head, req, res, GFP_KERNEL_ACCOUNT);
}

/* The heads of a vGPU, none of whose commands is under way, show nothing any more */
void vg_display_off(struct vg_vgpu *v)
{
	struct virtio_gpu_update_cursor no_cursor = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_UPDATE_CURSOR),
	};
	struct virtio_gpu_set_scanout_blob blank = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_SET_SCANOUT),
	};
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOFAIL;
	unsigned int i;

	for (i = 0; i < v->num_heads; i++) {
		no_cursor.pos.scanout_id = cpu_to_le32(mvgpu_head(v->vgpu, i));
		blank.scanout_id = no_cursor.pos.scanout_id;
		if (v->head[i].cursor_on)
			vg_cmd_queue(head_cmd(v, i, &no_cursor, NULL, gfp));
		if (v->head[i].res)
			vg_cmd_queue(head_cmd(v, i, &blank, NULL, gfp));
	}
}

static struct vg_cmd *flush_cmd(struct vg_resource *res, struct virtio_gpu_rect r)
{
	const struct virtio_gpu_resource_flush req = {
		.hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
		.r = r, .resource_id = cpu_to_le32(res->hw_id),
	};

	return vg_cmd_new(res->v, &req, sizeof(req), res, VG_NO_EFFECT, GFP_KERNEL_ACCOUNT);
}

/* The heads that are to show it do so again: a blob will be new, or a picture has been filled */
void vg_display_again(struct vg_resource *res)
{
	struct vg_head *head = res->v->head;
	struct vg_cmd *cmd;
	unsigned int i;

	for (i = 0; i < res->v->num_heads; i++, head++) {
		if (head->asked_res != res)
			continue;
		cmd = !res->is_blob ? flush_cmd(res, head->asked.r) :
		      head_cmd(res->v, i, &head->asked, res, GFP_KERNEL_ACCOUNT);
		if (cmd)
			vg_cmd_queue(cmd);
	}
}

/* What tells restarted hardware what a vGPU's heads show, while that is stopped */
int vg_display_replay(struct vg_vgpu *v, struct list_head *cmds)
{
	const struct vg_head *head = v->head;
	const gfp_t gfp = GFP_KERNEL_ACCOUNT;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < v->num_heads; i++, head++) {
		if (head->res)
			ret = ret ?: vg_cmd_list(cmds, head_cmd(v, i, &head->scanout, head->res,
								gfp)) ?:
				     vg_cmd_list(cmds, flush_cmd(head->res, head->scanout.r));
		if (head->cursor_on && head->cursor_res)
			ret = ret ?: vg_cmd_list(cmds, head_cmd(v, i, &head->cursor,
								head->cursor_res, gfp));
	}
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
	const struct virtio_gpu_set_scanout_blob *req = &v->head[0].scanout;
	const struct vg_resource *res;
	bool blob;

	spin_lock_irq(&v->gpu->lock);
	res = v->head[0].res;
	if (res) {
		blob = res->is_blob;
		so->format = vg_display_fourcc(le32_to_cpu(blob ? req->format :
								  res->picture.format));
		so->bpp = 32;
		so->width = le32_to_cpu(req->r.width);
		so->height = le32_to_cpu(req->r.height);
		so->stride = blob ? le32_to_cpu(req->strides[0]) :
				    le32_to_cpu(res->picture.width) * 4;
		so->offset = (blob ? le32_to_cpu(req->offsets[0]) : 0) +
			     (u64)le32_to_cpu(req->r.y) * so->stride +
			     4ull * le32_to_cpu(req->r.x);
		if (res->hw_backing)
			mvgpu_scanout_memory(so, res->hw_backing->mapping);
	}
	spin_unlock_irq(&v->gpu->lock);
	return res ? 0 : -ENODEV;
}
