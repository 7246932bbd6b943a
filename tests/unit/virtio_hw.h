/* SPDX-License-Identifier: MIT */
/*
 * virtio_hw.h - a physical virtio-gpu, what gpu.c makes of it, and a vGPU with a driver
 *
 * The hardware executes commands when a test says so, or at once. It has a model of what
 * it has been told and ends the program if it is told of an id that nobody has created,
 * of memory that is not mapped for it, or has such memory when it is asked.
 */
#ifndef VIRTIO_HW_H
#define VIRTIO_HW_H

#include "gpu.h"

static struct vg_vgpu one;

#define transport	one.t
#include "virtio_pci.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#define HW_DEPTH	16
#define HW_IDS		(2 * VG_MAX_RESOURCES)
#define HW_SCANOUTS	4
#define HW_LOG		64
#define UUID		BIT(VIRTIO_GPU_F_RESOURCE_UUID)
#define BLOB		BIT(VIRTIO_GPU_F_RESOURCE_BLOB)
#define HW_SHORT	1u	/* hw.refuse: the answer is missing */

/* What the hardware knows of an id: one that it has refused or forgotten may be named again */
enum hw_known { HW_UNKNOWN, HW_LOST, HW_THERE };

struct hw_res {
	enum hw_known known;
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

static struct vg_gpu gpu;

static u64 hw_offers;			/* feature bits, from hw_start() on */
static u32 guest_takes = UINT_MAX;	/* of these, from guest_drive() on */

static struct {
	pthread_mutex_t lock;		/* all that follows */
	struct virtio_device vdev;
	struct hw_queue q[VG_NUM_QUEUES];
	bool on, at_once, busy;
	u32 refuse;			/* how to answer: VIRTIO_GPU_RESP_ERR_* or HW_SHORT */
	unsigned int fail_add;		/* the nth buffer is not taken */
	struct hw_res res[HW_IDS];
	unsigned int num_res;		/* that are there */
	u8 uuids;			/* it has given out; the last one has this in all bytes */
	u32 scanout[HW_SCANOUTS], cursor[HW_SCANOUTS];	/* ids */
	unsigned int executed;		/* from the control queue */
	u64 fence;			/* id of the last one with a fence */
	struct { u32 type, id; const struct vg_vgpu *v; } log[HW_LOG];
	/* what the framework has been asked for */
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
	for (i = 0; i < HW_SCANOUTS; i++) {
		if (hw.scanout[i] == id)
			hw.scanout[i] = 0;
		if (hw.cursor[i] == id)
			hw.cursor[i] = 0;
	}
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

static inline u32 hw_create(u32 id)
{
	if (!id || id >= HW_IDS || hw.res[id].known == HW_THERE)
		shim_bug("resource %u can't be created", id);
	hw.res[id].known = hw.refuse ? HW_LOST : HW_THERE;
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
	hw_create(req->resource_id);
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

/* The cursor queue overtakes the other one: what is gone when it comes is no picture */
static inline u32 hw_cursor(const struct virtio_gpu_update_cursor *req)
{
	u32 *head = hw_head(hw.cursor, req->pos.scanout_id);

	if (req->resource_id >= HW_IDS)
		shim_bug("a cursor from resource %u", req->resource_id);
	if (req->hdr.type == VIRTIO_GPU_CMD_UPDATE_CURSOR)
		*head = hw.res[req->resource_id].known == HW_THERE ? req->resource_id : 0;
	return VIRTIO_GPU_RESP_OK_NODATA;
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
	const struct virtio_gpu_transfer_to_host_2d *transfer = req;
	const struct virtio_gpu_resource_flush *flush = req;
	const struct virtio_gpu_set_scanout_blob *scanout = req;
	const struct virtio_gpu_resource_unref *other = req;
	const struct virtio_gpu_update_cursor *cursor = req;

	switch (hdr->type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		*id = other->resource_id;
		return hw_create(*id);
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
	}
	shim_bug("the hardware is told %#x", hdr->type);
}

static inline void hw_execute(struct hw_buf *b)
{
	const struct scatterlist *sg = b->out;
	struct virtio_gpu_resp_resource_uuid resp = {};
	u32 len = 0, id = 0;
	u8 *req = NULL;

	do {
		req = realloc(req, len + sg->len);
		memcpy(req + len, sg->addr, sg->len);
		len += sg->len;
	} while (!sg++->last);
	resp.hdr.type = hw_do(req, len, &id);
	if (((struct virtio_gpu_ctrl_hdr *)req)->flags & VIRTIO_GPU_FLAG_FENCE)
		hw.fence = ((struct virtio_gpu_ctrl_hdr *)req)->fence_id;
	if (hw.refuse > HW_SHORT)
		resp.hdr.type = hw.refuse;
	len = sizeof(resp.hdr);
	if (resp.hdr.type == VIRTIO_GPU_RESP_OK_RESOURCE_UUID) {
		memset(resp.uuid, ++hw.uuids, sizeof(resp.uuid));
		len = sizeof(resp);
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

/* Execute up to @n commands of a queue. Returns how many there were. */
static inline unsigned int hw_run(unsigned int queue, unsigned int n)
{
	struct hw_queue *q = &hw.q[queue];
	unsigned int ran;

	pthread_mutex_lock(&hw.lock);
	for (ran = 0; ran < n && q->done != q->told; ran++)
		hw_execute(&q->buf[q->done++ % HW_DEPTH]);
	pthread_mutex_unlock(&hw.lock);
	if (ran)
		vg_sched_interrupt(&gpu, queue);
	return ran;
}

/* Everything, and what comes meanwhile; one thread does at once */
static inline void hw_catch_up(void)
{
	pthread_mutex_lock(&hw.lock);
	if (!hw.busy) {
		hw.busy = true;
		while (hw.at_once && (hw.q[0].done != hw.q[0].told ||
				      hw.q[1].done != hw.q[1].told)) {
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

/* virtio_reset_device() */
static inline void hw_reset(void)
{
	unsigned int i;

	pthread_mutex_lock(&hw.lock);
	hw.on = false;
	for (i = 0; i < VG_NUM_QUEUES; i++)
		hw.q[i].told = hw.q[i].done;
	for (i = 0; i < HW_IDS && hw.num_res; i++)
		if (hw.res[i].known == HW_THERE)
			hw_forget(i, HW_LOST);
	pthread_mutex_unlock(&hw.lock);
}

/* Virtqueues and virtio_device_ready() */
static inline void hw_ready(void)
{
	unsigned int i;

	pthread_mutex_lock(&hw.lock);
	hw.on = true;
	for (i = 0; i < VG_NUM_QUEUES; i++)
		hw.q[i] = (struct hw_queue){ .vq.vdev = &hw.vdev };
	pthread_mutex_unlock(&hw.lock);
	spin_lock_irq(&gpu.lock);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		gpu.vq[i] = &hw.q[i].vq;
	spin_unlock_irq(&gpu.lock);
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

	lockdep_assert_held(&gpu.lock);
	if (out != 1 || in != !!cmd->resp_len || gfp != GFP_ATOMIC)
		shim_bug("a buffer of %u and %u parts", out, in);
	pthread_mutex_lock(&hw.lock);
	if (gpu.stopped)
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
	lockdep_assert_held(&gpu.lock);
	return true;
}

/* Nothing is seen before that */
bool virtqueue_notify(struct virtqueue *vq)
{
	if (shim_spinlocks_held())
		shim_bug("notifying the hardware takes long, under a spinlock");
	pthread_mutex_lock(&hw.lock);
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

	lockdep_assert_held(&gpu.lock);
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
	lockdep_assert_held(&gpu.lock);
}

bool virtqueue_enable_cb(struct virtqueue *vq)
{
	bool none;

	pthread_mutex_lock(&hw.lock);
	none = to_hw(vq)->got == to_hw(vq)->done;
	pthread_mutex_unlock(&hw.lock);
	return none;
}

/* ---- what gpu.c does ---- */

static inline void hw_fail(void)
{
	hw_reset();
	vg_sched_fail(&gpu);
}

/* What freeze and restore do to it; @hung: whatever vg_sched_stop() says */
static inline void hw_restart_locked(bool hung)
{
	struct vg_cmd *cmd, *next;
	struct vg_vgpu *v;
	LIST_HEAD(replay);
	int ret = 0;

	hung |= vg_sched_stop(&gpu, HZ / 2);
	hw_reset();
	vg_sched_requeue(&gpu, hung);
	hw_ready();
	list_for_each_entry(v, &gpu.vgpus, node)
		if (!vg_vgpu_banned(v))
			ret = ret ?: vg_resources_replay(v, &replay) ?:
				     vg_display_replay(v, &replay);
	if (ret) {
		list_for_each_entry_safe(cmd, next, &replay, node)
			vg_cmd_free(cmd);
		hw_fail();
		return;
	}
	vg_sched_restart(&gpu, &replay);
}

static inline void hw_restart(bool hung)
{
	mutex_lock(&gpu.recovery);
	if (!gpu.dead)
		hw_restart_locked(hung);
	mutex_unlock(&gpu.recovery);
}

int vg_gpu_recover(struct vg_gpu *g)
{
	(void)g;
	hw_restart(false);
	return 0;
}

static inline void hw_watchdog(struct work_struct *work)
{
	(void)work;
	vg_gpu_recover(&gpu);
}

static inline void hw_settle(void)
{
	drain_workqueue(gpu.wq);
}

/* It has never been told anything */
static inline void hw_start(struct workqueue_struct *wq)
{
	memset(&gpu, 0, sizeof(gpu));
	memset(&hw.res, 0, sizeof(hw.res));
	memset(&hw.scanout, 0, sizeof(hw.scanout));
	memset(&hw.cursor, 0, sizeof(hw.cursor));
	hw.at_once = false;
	hw.refuse = 0;
	hw.fail_add = 0;
	hw.num_res = 0;
	hw.executed = 0;
	hw.commands = 0;
	hw.bytes = 0;
	hw.ns = 0;
	hw.weight[0] = 100;
	hw.weight[1] = 100;
	hw.uuids = 0;
	hw.vdev.features = hw_offers | 1ull << VIRTIO_F_ACCESS_PLATFORM;
	gpu.wq = wq;
	gpu.vdev = &hw.vdev;
	gpu.num_scanouts = HW_SCANOUTS;
	ida_init(&gpu.ids);
	mutex_init(&gpu.vgpus_lock);
	INIT_LIST_HEAD(&gpu.vgpus);
	mutex_init(&gpu.recovery);
	vg_vgpu_account(&gpu.own, &gpu);
	INIT_DELAYED_WORK(&gpu.watchdog, hw_watchdog);
	spin_lock_init(&gpu.lock);
	INIT_LIST_HEAD(&gpu.urgent);
	INIT_LIST_HEAD(&gpu.ready);
	INIT_LIST_HEAD(&gpu.running);
	init_waitqueue_head(&gpu.idle);
	hw_ready();
}

static inline void hw_stop(void)
{
	mutex_lock(&gpu.recovery);
	hw_fail();
	mutex_unlock(&gpu.recovery);
	cancel_delayed_work_sync(&gpu.watchdog);
	hw_settle();
	ida_destroy(&gpu.ids);
}

/* ---- what the framework does ---- */

int mvgpu_set_dma(struct mvgpu *v, struct device *dev, enum mvgpu_dma_mode mode)
{
	v->t.dma = (struct mvgpu_dma){ .dev = dev, .mode = mode };
	return 0;
}

struct mvgpu_parent *mvgpu_parent(struct mvgpu *v)
{
	(void)v;
	return NULL;
}

void *mvgpu_parent_priv(struct mvgpu_parent *parent)
{
	(void)parent;
	return &gpu;
}

const struct mvgpu_type *mvgpu_type(struct mvgpu *v)
{
	(void)v;
	return &vg_driver.types[hw.type];
}

/* The first one is another vGPU's */
int mvgpu_head(struct mvgpu *v, unsigned int n)
{
	(void)v;
	return n + 1;
}

unsigned int mvgpu_weight(struct mvgpu *v)
{
	return hw.weight[v != &vgpu];
}

void mvgpu_count(struct mvgpu *v, u64 commands, u64 bytes, u64 ns)
{
	if (v != &vgpu)
		return;
	hw.commands += commands;
	hw.bytes += bytes;
	hw.ns += ns;
}

static inline int vgpu_start(unsigned int type)
{
	int ret;

	hw.type = type;
	memset(&pci, 0, sizeof(pci));
	memset(&one, 0, sizeof(one));
	mvgpu_config_init(&pci.cfg);
	ret = vg_driver.init(&vgpu);
	if (ret)
		return ret;
	mvgpu_config_seal(&pci.cfg);
	vg_driver.reset(&vgpu);
	return 0;
}

/* The hardware answers, so that it ends */
static inline void vgpu_stop(void)
{
	hw_at_once(true);
	vg_driver.fini(&vgpu);
	hw_settle();
}

/* ---- the guest's driver ---- */

#define GUEST_SIZE	256		/* of a queue */
#define GUEST_SLOTS	(GUEST_SIZE / 2)
#define GUEST_DESC(q)	(0x1000ull + 0x1000 * (q))
#define GUEST_AVAIL(q)	(0x3000ull + 0x400 * (q))
#define GUEST_USED(q)	(0x4000ull + 0x1000 * (q))
#define GUEST_REQ(q, i)	(0x10000ull + 0x80 * (GUEST_SLOTS * (q) + (i)))
#define GUEST_RESP(i)	(0x20000ull + 0x200 * (i))

static u16 slot[VG_NUM_QUEUES];		/* the next, counting on */

static inline void guest_enable(unsigned int queue)
{
	const u64 place[] = { GUEST_DESC(queue), GUEST_AVAIL(queue), GUEST_USED(queue) };
	unsigned int i;

	slot[queue] = 0;
	guest_put(GUEST_AVAIL(queue) + 2, 0, 2);
	guest_put(GUEST_USED(queue) + 2, 0, 2);
	bar_write(4, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	bar_write(4, VIRTIO_PCI_COMMON_Q_SIZE, 2, GUEST_SIZE);
	bar_write(4, VIRTIO_PCI_COMMON_Q_MSIX, 2, queue + 1);
	for (i = 0; i < ARRAY_SIZE(place); i++)
		bar_write(4, VIRTIO_PCI_COMMON_Q_DESCLO + 8 * i, 4, place[i]);
	bar_write(4, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static inline void guest_drive(void)
{
	unsigned int i;

	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 3);
	bar_write(4, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	bar_write(4, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	bar_write(4, VIRTIO_PCI_COMMON_GF, 4,
		  bar_read(4, VIRTIO_PCI_COMMON_DF, 4) & guest_takes & (UUID | BLOB));
	bar_write(4, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	bar_write(4, VIRTIO_PCI_COMMON_GF, 4, 3 | 1 << (VIRTIO_F_RING_RESET - 32));
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		guest_enable(i);
	bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

/* Make a command available that is at @addr. Returns its slot. */
static inline unsigned int guest_cmd_at(unsigned int queue, u64 addr, u32 len, u32 resp_len)
{
	unsigned int i = slot[queue]++ % GUEST_SLOTS;
	u64 avail = GUEST_AVAIL(queue);

	guest_desc(GUEST_DESC(queue), 2 * i, addr, len, resp_len ? NEXT : 0, 2 * i + 1);
	guest_desc(GUEST_DESC(queue), 2 * i + 1, GUEST_RESP(i), resp_len, WRITE, 0);
	guest_put(avail + 4 + (slot[queue] - 1) % GUEST_SIZE * 2, 2 * i, 2);
	guest_put(avail + 2, slot[queue], 2);
	return i;
}

static inline unsigned int guest_cmd(unsigned int queue, const void *req, u32 len, u32 resp_len)
{
	u64 addr = GUEST_REQ(queue, slot[queue] % GUEST_SLOTS);

	shim_guest_copy(addr, (void *)req, len, true);
	return guest_cmd_at(queue, addr, len, resp_len);
}

static inline void guest_notify(unsigned int queue)
{
	bar_write(4, NOTIFY + 4 * queue, 2, queue);
}

#endif /* VIRTIO_HW_H */
