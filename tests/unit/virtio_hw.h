/* SPDX-License-Identifier: MIT */
/*
 * virtio_hw.h - a physical virtio-gpu on the virtio and PCI buses
 *
 * The hardware executes commands when a test says so, or at once. It has a model of what
 * it has been told and ends the program if it is told of an id that nobody has created,
 * of memory that is not mapped for it, or has such memory when it is asked; and if it is
 * reset when it is gone, or its queues are used after they have been deleted.
 */
#ifndef VIRTIO_HW_H
#define VIRTIO_HW_H

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include "unit.h"
#include "shim_vmm.h"
#include "gpu.h"

#define HW_DEPTH	16
#define HW_IDS		(2 * VG_MAX_RESOURCES)
#define HW_SCANOUTS	4
#define HW_LOG		64
#define UUID		BIT(VIRTIO_GPU_F_RESOURCE_UUID)
#define BLOB		BIT(VIRTIO_GPU_F_RESOURCE_BLOB)
#define EDID		BIT(VIRTIO_GPU_F_EDID)
#define HW_SHORT	1u	/* hw.refuse: the answer is missing */

/* What the hardware knows of an id: one that it has refused or forgotten may be named again */
enum hw_known { HW_UNKNOWN, HW_LOST, HW_THERE };

struct hw_res {
	enum hw_known known;
	u32 width;			/* of a picture */
	u64 blob;			/* bytes, 0 if it is none */
	unsigned int num;		/* entries of its backing, 0 without one */
	struct virtio_gpu_mem_entry *entry;
};

struct hw_buf {
	struct vg_cmd *cmd;
	const struct scatterlist *out;
	void *in;
	u32 in_len, len;
};

/* Buffers, ever: given, seen, executed, and given back */
struct hw_queue {
	struct virtqueue vq;
	struct hw_buf buf[HW_DEPTH];
	unsigned int added, told, done, got;
};

static struct vg_gpu *gpu;		/* while gpu.c has it */

/* What it claims to be, from hw_start() on */
static u64 hw_offers, hw_lacks;		/* feature bits that others have not, or have */
static u32 hw_scanouts = HW_SCANOUTS;
static u32 hw_window;			/* of that width, for head 1; 0 for none */
static u32 hw_hangs_on;			/* the type of what it never answers */
static bool hw_not_pci, hw_not_adopted, hw_is_silent;
static bool hw_is_asked;		/* what its heads are, after a reset */
static int hw_no_parent;		/* the framework's errno */
static u32 guest_takes = UINT_MAX;	/* of these, from guest_drive() on */

static struct {
	pthread_mutex_t lock;		/* all that follows */
	struct virtio_driver *driver;
	struct virtio_device vdev;
	struct pci_dev pdev;
	struct virtio_gpu_config config;
	struct virtio_gpu_display_one mode[HW_SCANOUTS];
	struct { u32 size; u8 byte[1024]; } edid[HW_SCANOUTS];
	bool listens, changed;		/* the bus, to changes of the configuration */
	bool queues;			/* there are */
	bool gone;
	struct hw_queue q[VG_NUM_QUEUES];
	vq_callback_t *callback;
	bool on, at_once, busy;
	u32 refuse;			/* how to answer: VIRTIO_GPU_RESP_ERR_* or HW_SHORT */
	unsigned int fail_add;		/* the nth buffer is not taken */
	unsigned int fail_find;		/* the nth time, there are no queues */
	unsigned int late;		/* commands that it executes when it is to be reset */
	unsigned int resets;
	struct hw_res res[HW_IDS];
	unsigned int num_res;		/* that are there */
	u8 uuids;			/* it has given out; the last one has this in all bytes */
	u32 scanout[HW_SCANOUTS];	/* ids */
	u32 cursor[HW_SCANOUTS];	/* ids of what was copied, which may be gone */
	unsigned int executed;		/* from the control queue */
	u64 fence;			/* id of the last one with a fence */
	struct { u32 type, id; const struct vg_vgpu *v; } log[HW_LOG];
	/* what the framework has been asked for */
	struct mvgpu_budget budget;
	unsigned int type, weight[2];
	u64 commands, bytes, ns;
} hw = { .lock = PTHREAD_MUTEX_INITIALIZER };

static inline u32 hw_pending(unsigned int queue)
{
	u32 n;

	pthread_mutex_lock(&hw.lock);
	n = hw.q[queue].told - hw.q[queue].done;
	pthread_mutex_unlock(&hw.lock);
	return n;
}

/* ---- what it does ---- */

static inline struct hw_res *hw_res(u32 id)
{
	if (!id || id >= HW_IDS || hw.res[id].known == HW_UNKNOWN)
		shim_bug("the hardware is told of resource %u, which nobody has created", id);
	return &hw.res[id];
}

static inline void hw_detach(struct hw_res *res)
{
	free(res->entry);
	res->entry = NULL;
	res->num = 0;
	res->blob = 0;
}

static inline void hw_forget(u32 id, enum hw_known known)
{
	unsigned int i;

	hw_detach(&hw.res[id]);
	hw.num_res -= hw.res[id].known == HW_THERE;
	hw.res[id].known = known;
	for (i = 0; i < HW_SCANOUTS; i++)
		if (hw.scanout[i] == id)
			hw.scanout[i] = 0;
}

static inline bool hw_reaches(const struct hw_res *res)
{
	unsigned int i;
	u64 at;

	for (i = 0; i < res->num; i++)
		for (at = res->entry[i].addr & PAGE_MASK;
		     at < res->entry[i].addr + res->entry[i].length; at += PAGE_SIZE)
			if (!shim_device_access(at, false))
				return false;
	return true;
}

static inline void hw_take(struct hw_res *res, u32 id, const void *entry, u32 num)
{
	if (res->num)
		shim_bug("resource %u has a backing already", id);
	res->num = num;
	res->entry = malloc(num * sizeof(*res->entry));
	memcpy(res->entry, entry, num * sizeof(*res->entry));
	if (!hw_reaches(res))
		shim_bug("resource %u: its backing is not mapped for the hardware", id);
}

static inline u32 hw_attach(struct hw_res *res,
			    const struct virtio_gpu_resource_attach_backing *req, u32 len)
{
	if (!req->nr_entries || len != sizeof(*req) + req->nr_entries * sizeof(*res->entry))
		shim_bug("a backing of %u pieces in a command of %u bytes", req->nr_entries, len);
	if (res->known != HW_THERE || hw.refuse)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	hw_take(res, req->resource_id, req + 1, req->nr_entries);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static inline u32 hw_create(u32 id, u32 width)
{
	if (!id || id >= HW_IDS || hw.res[id].known == HW_THERE)
		shim_bug("resource %u can't be created", id);
	hw.res[id].known = hw.refuse ? HW_LOST : HW_THERE;
	hw.res[id].width = width;
	hw.num_res += !hw.refuse;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* A blob is nothing but its memory, and there is no other way to give it some */
static inline u32 hw_create_blob(const struct virtio_gpu_resource_create_blob *req, u32 len)
{
	const struct virtio_gpu_mem_entry *entry = (const void *)(req + 1);
	u64 size = 0;
	u32 i;

	if (!req->nr_entries || len != sizeof(*req) + req->nr_entries * sizeof(*entry))
		shim_bug("a blob of %u pieces in a command of %u bytes", req->nr_entries, len);
	for (i = 0; i < req->nr_entries; i++)
		size += entry[i].length;
	if (req->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST || req->blob_id || req->blob_flags > 7 ||
	    !req->size || req->size > size)
		shim_bug("blob %u is not what it can be", req->resource_id);
	hw_create(req->resource_id, 0);
	if (hw.refuse)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	hw_take(&hw.res[req->resource_id], req->resource_id, entry, req->nr_entries);
	hw.res[req->resource_id].blob = req->size;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static inline u32 *hw_head(u32 *heads, u32 scanout)
{
	if (scanout >= HW_SCANOUTS)
		shim_bug("the hardware has no head %u", scanout);
	return &heads[scanout];
}

static inline u32 hw_scan_out(const struct virtio_gpu_set_scanout_blob *req)
{
	bool blob = req->hdr.type == VIRTIO_GPU_CMD_SET_SCANOUT_BLOB;
	struct hw_res *res = req->resource_id ? hw_res(req->resource_id) : NULL;

	if (res && res->known != HW_THERE)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (res && blob != !!res->blob)
		shim_bug("resource %u is shown as what it is not", req->resource_id);
	if (res && blob &&
	    (req->offsets[0] + (u64)req->strides[0] * req->height > res->blob ||
	     (u64)req->r.x + req->r.width > req->width || req->strides[0] / 4 < req->width ||
	     (u64)req->r.y + req->r.height > req->height))
		shim_bug("the picture is larger than blob %u", req->resource_id);
	if (!hw.refuse)
		*hw_head(hw.scanout, req->scanout_id) = req->resource_id;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/*
 * The cursor queue overtakes the other one: what is gone when it comes is no picture. As QEMU
 * 7.2, it dies of a blob whose pieces are no pages, or too many.
 */
static inline u32 hw_cursor(const struct virtio_gpu_update_cursor *req)
{
	u32 *head = hw_head(hw.cursor, req->pos.scanout_id), i;
	const struct hw_res *res = &hw.res[req->resource_id];
	u64 len = 0;

	if (req->resource_id >= HW_IDS)
		shim_bug("a cursor from resource %u", req->resource_id);
	if (!req->resource_id)
		*head = 0;
	if (req->hdr.type != VIRTIO_GPU_CMD_UPDATE_CURSOR)
		return VIRTIO_GPU_RESP_OK_NODATA;
	for (i = 0; res->blob && i < res->num; i++) {
		len += res->entry[i].length;
		if ((res->entry[i].addr | res->entry[i].length) & ~PAGE_MASK || len > SZ_64K)
			shim_bug("the hardware dies of a cursor from blob %u", req->resource_id);
	}
	*head = hw.res[req->resource_id].known == HW_THERE ? req->resource_id : 0;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* As QEMU before 10.0, it dies of a row that begins behind the backing */
static inline void hw_transfer(const struct hw_res *res,
			       const struct virtio_gpu_transfer_to_host_2d *req)
{
	u64 len = 0, last = req->r.height ? (req->r.height - 1) * 4ull * res->width : 0;
	u32 i;

	for (i = 0; i < res->num; i++)
		len += res->entry[i].length;
	if (res->num && !res->blob && (req->offset > len || last > len - req->offset))
		shim_bug("the hardware dies of a transfer from %#llx, %u rows, of resource %u",
			 req->offset, req->r.height, req->resource_id);
}

/* All that name one resource and nothing else that matters here begin alike */
static inline u32 hw_use(const struct virtio_gpu_ctrl_hdr *hdr, u32 id)
{
	struct hw_res *res = hw_res(id);
	bool there = res->known == HW_THERE;

	if (hdr->type == VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING && res->blob)
		shim_bug("blob %u is detached, but may still be shown", id);
	if (hdr->type == VIRTIO_GPU_CMD_RESOURCE_UNREF)
		hw_forget(id, res->blob || !there ? HW_LOST : HW_UNKNOWN);
	else if (hdr->type == VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING)
		hw_detach(res);
	else if (hdr->type == VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D && !res->num)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return there ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

static inline u32 hw_do(const void *req, u32 len, u32 *id)
{
	const struct virtio_gpu_ctrl_hdr *hdr = req;
	const struct virtio_gpu_resource_create_2d *create = req;
	const struct virtio_gpu_transfer_to_host_2d *transfer = req;
	const struct virtio_gpu_resource_flush *flush = req;
	const struct virtio_gpu_set_scanout_blob *scanout = req;
	const struct virtio_gpu_resource_unref *other = req;
	const struct virtio_gpu_update_cursor *cursor = req;
	const struct virtio_gpu_cmd_get_edid *edid = req;

	switch (hdr->type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		*id = other->resource_id;
		return hw_create(*id, create->width);
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		*id = other->resource_id;
		return hw_attach(hw_res(*id), req, len);
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
	case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
		*id = other->resource_id;
		return hw_use(hdr, *id);
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		*id = flush->resource_id;
		return hw_use(hdr, *id);
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		*id = transfer->resource_id;
		hw_transfer(hw_res(*id), transfer);
		return hw_use(hdr, *id);
	case VIRTIO_GPU_CMD_SET_SCANOUT:
	case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
		*id = scanout->resource_id;
		if (len != (hdr->type == VIRTIO_GPU_CMD_SET_SCANOUT ?
			    sizeof(struct virtio_gpu_set_scanout) : sizeof(*scanout)))
			shim_bug("a scanout of %u bytes", len);
		return hw_scan_out(scanout);
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
		*id = other->resource_id;
		return hw_create_blob(req, len);
	case VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID:
		*id = other->resource_id;
		return hw_use(hdr, *id) == VIRTIO_GPU_RESP_OK_NODATA ?
		       VIRTIO_GPU_RESP_OK_RESOURCE_UUID : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
	case VIRTIO_GPU_CMD_MOVE_CURSOR:
		*id = cursor->resource_id;
		return hw_cursor(req);
	case VIRTIO_GPU_CMD_GET_DISPLAY_INFO:
		return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
	case VIRTIO_GPU_CMD_GET_EDID:
		*id = edid->scanout;
		if (!virtio_has_feature(&hw.vdev, VIRTIO_GPU_F_EDID))
			shim_bug("hardware that has no EDIDs is asked for one");
		if (len != sizeof(*edid) || *id >= HW_SCANOUTS)
			shim_bug("hardware is asked for the EDID of head %u", *id);
		return VIRTIO_GPU_RESP_OK_EDID;
	}
	shim_bug("the hardware is told %#x", hdr->type);
}

static inline void hw_execute(struct hw_buf *b)
{
	const struct scatterlist *sg = b->out;
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_resp_resource_uuid uuid;
		struct virtio_gpu_resp_display_info display;
		struct virtio_gpu_resp_edid edid;
	} resp = {};
	u32 len = 0, id = 0;
	u8 *req = NULL;

	do {
		req = realloc(req, len + sg->len);
		memcpy(req + len, sg->addr, sg->len);
		len += sg->len;
	} while (!sg++->last);
	resp.hdr.type = hw_do(req, len, &id);
	len = sizeof(resp.hdr);
	if (resp.hdr.type == VIRTIO_GPU_RESP_OK_EDID) {	/* it is there if this is an error, too */
		resp.edid.size = hw.edid[id].size;
		memcpy(resp.edid.edid, hw.edid[id].byte, sizeof(resp.edid.edid));
		len = sizeof(resp.edid);
	}
	if (((struct virtio_gpu_ctrl_hdr *)req)->flags & VIRTIO_GPU_FLAG_FENCE)
		hw.fence = ((struct virtio_gpu_ctrl_hdr *)req)->fence_id;
	if (hw.refuse > HW_SHORT)
		resp.hdr.type = hw.refuse;
	if (resp.hdr.type == VIRTIO_GPU_RESP_OK_RESOURCE_UUID) {
		memset(resp.uuid.uuid, ++hw.uuids, sizeof(resp.uuid.uuid));
		len = sizeof(resp.uuid);
	} else if (resp.hdr.type == VIRTIO_GPU_RESP_OK_DISPLAY_INFO) {
		memcpy(resp.display.pmodes, hw.mode, sizeof(hw.mode));
		len = sizeof(resp.display);
	}
	b->len = hw.refuse == HW_SHORT ? 0 : min_t(u32, len, b->in_len);
	if (b->len)
		memcpy(b->in, &resp, b->len);
	if (b->cmd->queue == VG_CONTROLQ) {
		hw.log[hw.executed % HW_LOG].type = ((struct virtio_gpu_ctrl_hdr *)req)->type;
		hw.log[hw.executed % HW_LOG].id = id;
		hw.log[hw.executed++ % HW_LOG].v = b->cmd->v;
	}
	free(req);
}

/* The next command of a queue that it executes, or NULL */
static inline struct hw_buf *hw_next(struct hw_queue *q)
{
	struct hw_buf *b = &q->buf[q->done % HW_DEPTH];
	const struct virtio_gpu_ctrl_hdr *hdr;

	if (q->done == q->told)
		return NULL;
	hdr = b->out->addr;
	return hw_hangs_on && hdr->type == hw_hangs_on ? NULL : b;
}

/* Execute up to @n commands of a queue. Returns how many there were. */
static inline unsigned int hw_run(unsigned int queue, unsigned int n)
{
	struct hw_queue *q = &hw.q[queue];
	struct hw_buf *b;
	unsigned int ran;

	pthread_mutex_lock(&hw.lock);
	for (ran = 0; ran < n && (b = hw_next(q)); ran++, q->done++)
		hw_execute(b);
	pthread_mutex_unlock(&hw.lock);
	if (ran)
		hw.callback(&q->vq);
	return ran;
}

/* Everything, and what comes meanwhile; one thread does at once */
static inline void hw_catch_up(void)
{
	pthread_mutex_lock(&hw.lock);
	if (!hw.busy) {
		hw.busy = true;
		while (hw.at_once && (hw_next(&hw.q[0]) || hw_next(&hw.q[1]))) {
			pthread_mutex_unlock(&hw.lock);
			hw_run(VG_CONTROLQ, UINT_MAX);
			hw_run(VG_CURSORQ, UINT_MAX);
			pthread_mutex_lock(&hw.lock);
		}
		hw.busy = false;
	}
	pthread_mutex_unlock(&hw.lock);
}

/* Whether it executes commands without being told to. Returns whether it did. */
static inline bool hw_at_once(bool on)
{
	bool was;

	pthread_mutex_lock(&hw.lock);
	was = hw.at_once;
	hw.at_once = on;
	pthread_mutex_unlock(&hw.lock);
	hw_catch_up();
	return was;
}

/* It forgets everything */
static inline void hw_off(void)
{
	unsigned int i;

	pthread_mutex_lock(&hw.lock);
	hw.on = false;
	for (i = 0; i < VG_NUM_QUEUES; i++)
		hw.q[i].told = hw.q[i].done;
	for (i = 0; i < HW_IDS && hw.num_res; i++)
		if (hw.res[i].known == HW_THERE)
			hw_forget(i, HW_LOST);
	memset(hw.cursor, 0, sizeof(hw.cursor));
	pthread_mutex_unlock(&hw.lock);
}

/* Surprise removal */
static inline void hw_unplug(void)
{
	__atomic_store_n(&hw.gone, true, __ATOMIC_RELEASE);
	hw_off();
}

/* All memory that it has, it reaches */
static inline void hw_check(void)
{
	unsigned int id, left;

	pthread_mutex_lock(&hw.lock);
	for (id = 0, left = hw.num_res; left; left -= hw.res[id++].known == HW_THERE)
		if (!hw_reaches(&hw.res[id]))
			shim_bug("resource %u has a backing that is not mapped any more", id);
	pthread_mutex_unlock(&hw.lock);
}

/* ---- virtqueues ---- */

static inline struct hw_queue *to_hw(struct virtqueue *vq)
{
	return container_of(vq, struct hw_queue, vq);
}

int virtqueue_add_sgs(struct virtqueue *vq, struct scatterlist *sgs[], unsigned int out,
		      unsigned int in, void *data, gfp_t gfp)
{
	struct hw_queue *q = to_hw(vq);
	struct vg_cmd *cmd = data;
	int ret = 0;

	lockdep_assert_held(&gpu->lock);
	if (out != 1 || in != !!cmd->resp_len || gfp != GFP_ATOMIC)
		shim_bug("a buffer of %u and %u parts", out, in);
	pthread_mutex_lock(&hw.lock);
	if (gpu->stopped)
		shim_bug("the hardware is given a command while it is being restarted");
	if (hw.fail_add && !--hw.fail_add)
		ret = -ENOMEM;
	else if (q->added - q->got == HW_DEPTH)
		ret = -ENOSPC;
	else
		q->buf[q->added++ % HW_DEPTH] = (struct hw_buf){
			.cmd = cmd, .out = sgs[0], .in = in ? sgs[1]->addr : NULL,
			.in_len = in ? sgs[1]->len : 0,
		};
	/* It may never get to it, and of a blob it may not even be told */
	if (cmd->res && (cmd->effect == VG_CREATES || cmd->res->is_blob) &&
	    hw.res[cmd->res->hw_id].known == HW_UNKNOWN)
		hw.res[cmd->res->hw_id].known = HW_LOST;
	pthread_mutex_unlock(&hw.lock);
	return ret;
}

bool virtqueue_kick_prepare(struct virtqueue *vq)
{
	(void)vq;
	lockdep_assert_held(&gpu->lock);
	return true;
}

/* Nothing is seen before that */
bool virtqueue_notify(struct virtqueue *vq)
{
	if (shim_spinlocks_held())
		shim_bug("notifying the hardware takes long, under a spinlock");
	pthread_mutex_lock(&hw.lock);
	if (!hw.queues)
		shim_bug("a queue is notified that has been deleted");
	if (hw.on)
		to_hw(vq)->told = to_hw(vq)->added;
	pthread_mutex_unlock(&hw.lock);
	hw_catch_up();
	return true;
}

static inline void *hw_give_back(struct virtqueue *vq, unsigned int *len, bool unused)
{
	struct hw_queue *q = to_hw(vq);
	struct hw_buf *b = NULL;

	lockdep_assert_held(&gpu->lock);
	pthread_mutex_lock(&hw.lock);
	if (q->got != (unused ? q->added : q->done)) {
		b = &q->buf[q->got++ % HW_DEPTH];
		*len = b->len;
	}
	pthread_mutex_unlock(&hw.lock);
	return b ? b->cmd : NULL;
}

void *virtqueue_get_buf(struct virtqueue *vq, unsigned int *len)
{
	return hw_give_back(vq, len, false);
}

void *virtqueue_detach_unused_buf(struct virtqueue *vq)
{
	unsigned int len;

	if (hw.on)
		shim_bug("buffers are taken back from hardware that has not been reset");
	return hw_give_back(vq, &len, true);
}

void virtqueue_disable_cb(struct virtqueue *vq)
{
	(void)vq;
	lockdep_assert_held(&gpu->lock);
}

bool virtqueue_enable_cb(struct virtqueue *vq)
{
	bool none;

	pthread_mutex_lock(&hw.lock);
	none = to_hw(vq)->got == to_hw(vq)->done;
	pthread_mutex_unlock(&hw.lock);
	return none;
}

/* ---- the virtio bus ---- */

bool pci_device_is_present(struct pci_dev *pdev)
{
	(void)pdev;
	return !__atomic_load_n(&hw.gone, __ATOMIC_ACQUIRE);
}

void *devm_kzalloc(struct device *dev, size_t size, gfp_t gfp)
{
	return dev->managed = kzalloc(size, gfp);
}

/* What is gone never says that it has been reset, and the kernel waits for that */
void virtio_reset_device(struct virtio_device *vdev)
{
	shim_might_sleep("virtio_reset_device()");
	if (!pci_device_is_present(to_pci_dev(vdev->dev.parent)))
		shim_bug("hardware that is gone is reset");
	hw_run(VG_CONTROLQ, hw.late);
	hw.late = 0;
	hw.resets++;
	hw_off();
}

int virtio_find_vqs(struct virtio_device *vdev, unsigned int n, struct virtqueue **vqs,
		    struct virtqueue_info *info, struct irq_affinity *desc)
{
	unsigned int i;

	(void)desc;
	if (n != VG_NUM_QUEUES || hw.queues)
		shim_bug("%u queues", n);
	gpu = vdev->priv;
	if (hw.fail_find && !--hw.fail_find)
		return -ENOENT;
	pthread_mutex_lock(&hw.lock);
	for (i = 0; i < n; i++) {
		hw.q[i] = (struct hw_queue){ .vq = { vdev, i } };
		vqs[i] = &hw.q[i].vq;
		hw.callback = info[i].callback;
	}
	hw.queues = true;
	pthread_mutex_unlock(&hw.lock);
	return 0;
}

static inline void hw_del_vqs(struct virtio_device *vdev)
{
	unsigned int i;

	(void)vdev;
	pthread_mutex_lock(&hw.lock);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		if (hw.queues && (gpu->vq[i] || hw.q[i].got != hw.q[i].added))
			shim_bug("queue %u is deleted while it is used", i);
	hw.queues = false;
	pthread_mutex_unlock(&hw.lock);
}

void virtio_device_ready(struct virtio_device *vdev)
{
	(void)vdev;
	hw.on = true;
}

/* Where there is nothing, all bits are set */
static inline void hw_config_get(struct virtio_device *vdev, unsigned int offset, void *buf,
				 unsigned int len)
{
	(void)vdev;
	pthread_mutex_lock(&hw.lock);
	memcpy(buf, (u8 *)&hw.config + offset, len);
	if (hw.gone)
		memset(buf, 0xff, len);
	pthread_mutex_unlock(&hw.lock);
}

static inline void hw_config_set(struct virtio_device *vdev, unsigned int offset, const void *buf,
				 unsigned int len)
{
	(void)vdev;
	(void)len;
	if (offset != offsetof(struct virtio_gpu_config, events_clear))
		shim_bug("the configuration is written at %u", offset);
	pthread_mutex_lock(&hw.lock);
	hw.config.events_read &= ~*(const __le32 *)buf;
	pthread_mutex_unlock(&hw.lock);
}

/* Changes meanwhile are told of later */
static inline void hw_listen(bool on)
{
	bool tell;

	pthread_mutex_lock(&hw.lock);
	hw.listens = on;
	tell = on && hw.changed;
	hw.changed &= !on;
	pthread_mutex_unlock(&hw.lock);
	if (tell)
		hw.driver->config_changed(&hw.vdev);
}

/* Somebody looks at a head, in a window of that size, or does not any more */
static inline void hw_set_mode(unsigned int head, u32 width, u32 height)
{
	pthread_mutex_lock(&hw.lock);
	hw.mode[head] = (struct virtio_gpu_display_one){
		.r = { .width = width, .height = height }, .enabled = !!width,
	};
	hw.config.events_read |= VIRTIO_GPU_EVENT_DISPLAY;
	hw.changed = true;
	pthread_mutex_unlock(&hw.lock);
	hw_listen(hw.listens);
}

/* A monitor's EDID: the header, and then all bytes alike. Whoever looks is told of it later. */
static inline void hw_set_edid(unsigned int head, u32 size, u8 fill)
{
	pthread_mutex_lock(&hw.lock);
	hw.edid[head].size = size;
	memset(hw.edid[head].byte, 0, sizeof(hw.edid[head].byte));
	memset(hw.edid[head].byte, fill, min_t(u32, size, sizeof(hw.edid[head].byte)));
	memcpy(hw.edid[head].byte, "\0\xff\xff\xff\xff\xff\xff", 8);
	pthread_mutex_unlock(&hw.lock);
}

int virtio_device_freeze(struct virtio_device *vdev)
{
	hw_listen(false);
	return hw.driver->freeze(vdev);
}

int virtio_device_restore(struct virtio_device *vdev)
{
	int ret;

	virtio_reset_device(vdev);
	ret = hw.driver->restore(vdev);
	if (!ret)
		hw_listen(true);
	return ret;
}

int register_virtio_driver(struct virtio_driver *drv)
{
	hw.driver = drv;
	return 0;
}

void unregister_virtio_driver(struct virtio_driver *drv)
{
	if (drv == hw.driver)
		hw.driver = NULL;
}

static inline void hw_unbound(void)
{
	if (hw.queues)
		shim_bug("the driver leaves queues behind");
	kfree(hw.vdev.dev.managed);
	hw.vdev.dev.managed = NULL;
	mutex_destroy(&hw.pdev.dev.mutex);
	gpu = NULL;
}

/* It has never been told anything. 0, or what probing it returned. */
static inline int hw_start(void)
{
	static const struct virtio_config_ops ops = {
		.get = hw_config_get, .set = hw_config_set, .del_vqs = hw_del_vqs,
	};
	u64 known = ~0ull << VIRTIO_TRANSPORT_F_START;
	unsigned int i;
	int ret;

	if (!hw.driver)
		shim_module_init();
	for (i = 0; i < hw.driver->feature_table_size; i++)
		known |= BIT_ULL(hw.driver->feature_table[i]);
	memset(&hw.res, 0, sizeof(hw.res));
	memset(&hw.scanout, 0, sizeof(hw.scanout));
	memset(&hw.cursor, 0, sizeof(hw.cursor));
	memset(&hw.mode, 0, sizeof(hw.mode));
	hw.mode[1] = (struct virtio_gpu_display_one){
		.r = { .width = hw_window, .height = 600 }, .enabled = !!hw_window,
	};
	for (i = 0; i < HW_SCANOUTS; i++)
		hw_set_edid(i, 128, i);
	hw.config = (struct virtio_gpu_config){ .num_scanouts = hw_scanouts };
	hw.changed = false;
	hw.gone = false;
	hw.refuse = 0;
	hw.fail_add = 0;
	hw.num_res = 0;
	hw.commands = 0;
	hw.bytes = 0;
	hw.ns = 0;
	hw.weight[0] = 100;
	hw.weight[1] = 100;
	hw.uuids = 0;
	hw.vdev = (struct virtio_device){ .dev.parent = &hw.pdev.dev, .config = &ops };
	hw.vdev.features = known & ~hw_lacks &
			   (hw_offers | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
			    BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC));
	hw.pdev.dev.is_pci = !hw_not_pci;
	mutex_init(&hw.pdev.dev.mutex);
	hw.resets = 0;
	hw.at_once = !hw_is_silent;
	ret = hw.driver->probe(&hw.vdev);
	hw.at_once = false;
	hw.executed = 0;
	if (ret) {
		hw_unbound();
	} else {
		gpu->own.strikes = !hw_is_asked;
		hw_listen(true);
	}
	return ret;
}

static inline void hw_stop(void)
{
	hw_listen(false);
	hw.driver->remove(&hw.vdev);
	hw_unbound();
}

/* It does not answer, and has not for long if it @hung */
static inline void hw_restart(bool hung)
{
	if (hung)
		shim_advance(jiffies_to_nsecs(HZ / 2));
	vg_gpu_recover(gpu);
}

/* It is gone, and somebody notices */
static inline void hw_fail(void)
{
	hw_unplug();
	vg_gpu_recover(gpu);
}

static inline void hw_settle(void)
{
	drain_workqueue(gpu->wq);
}

#endif /* VIRTIO_HW_H */
