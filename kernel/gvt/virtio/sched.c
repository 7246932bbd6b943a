// SPDX-License-Identifier: GPL-2.0-only
/*
 * sched.c - struct vg_cmd on its way to the hardware and back: who is next
 *
 * Weighted fair queueing by the hardware's time. A vGPU pays for a command when it is
 * submitted, by what its commands have taken so far, and settles when it is executed. The
 * one that has had the least for its weight is next; one that was idle starts where the
 * others are. Few commands are with the hardware at once, so that whoever comes has not
 * long to wait.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "gpu.h"

#define DEPTH		8	/* commands that the hardware has at once */
#define WEIGHT_UNIT	100
#define HANG_TIME	(5 * HZ)

/**
 * vg_cmd_alloc() - a command for the hardware
 * @v: who pays for it
 * @type: VIRTIO_GPU_CMD_*
 * @req_len: bytes that it reads, the header included
 * @resp_len: bytes that it may answer, the header included; 0 for none
 * @gfp: GFP_KERNEL_ACCOUNT, with __GFP_NOFAIL where @req_len is below a page
 *
 * Context: process context, may sleep.
 * Return: the command, its header's type filled in, or NULL.
 */
struct vg_cmd *vg_cmd_alloc(struct vg_vgpu *v, u32 type, size_t req_len, size_t resp_len,
			    gfp_t gfp)
{
	struct vg_cmd *cmd = kzalloc(sizeof(*cmd) + resp_len, gfp);
	struct virtio_gpu_ctrl_hdr *hdr;
	unsigned int pages, i;

	if (!cmd)
		return NULL;
	hdr = req_len < PAGE_SIZE ? kzalloc(req_len, gfp) : kvzalloc(req_len, gfp);
	if (!hdr)
		goto err_free;
	cmd->v = v;
	cmd->req = hdr;
	cmd->req_len = req_len;
	cmd->resp_len = resp_len;
	hdr->type = cpu_to_le32(type);
	cmd->sg = &cmd->sg_one;
	if (!is_vmalloc_addr(hdr)) {
		sg_init_one(cmd->sg, hdr, req_len);
		return cmd;
	}
	pages = PFN_UP(req_len);
	cmd->sg = kmalloc_array(pages, sizeof(*cmd->sg), gfp);
	if (!cmd->sg)
		goto err_free_req;
	sg_init_table(cmd->sg, pages);
	for (i = 0; i < pages; i++)
		sg_set_page(&cmd->sg[i], vmalloc_to_page(cmd->req + i * PAGE_SIZE),
			    min_t(size_t, PAGE_SIZE, req_len - i * PAGE_SIZE), 0);
	return cmd;

err_free_req:
	kvfree(hdr);
err_free:
	kfree(cmd);
	return NULL;
}

/**
 * vg_cmd_free() - the opposite of vg_cmd_alloc()
 * @cmd: the command, in no list
 *
 * Context: process context, may sleep.
 */
void vg_cmd_free(struct vg_cmd *cmd)
{
	if (cmd->backing)
		vg_backing_put(cmd->backing);
	if (cmd->res)
		vg_resource_put(cmd->res);
	vg_chain_free(&cmd->chain);
	if (cmd->sg != &cmd->sg_one)
		kfree(cmd->sg);
	kvfree(cmd->req);
	kfree(cmd);
}

/**
 * vg_cmd_set_res() - say which resource a command is about
 * @cmd: the command
 * @res: the resource; the command takes a reference
 * @effect: what the command changes of it
 */
void vg_cmd_set_res(struct vg_cmd *cmd, struct vg_resource *res, enum vg_effect effect)
{
	vg_resource_get(res);
	cmd->res = res;
	cmd->effect = effect;
}

/**
 * vg_cmd_set_backing() - say which backing a command is about
 * @cmd: the command
 * @backing: the backing; the command takes a reference
 */
void vg_cmd_set_backing(struct vg_cmd *cmd, struct vg_backing *backing)
{
	vg_backing_get(backing);
	cmd->backing = backing;
}

static u64 price(struct vg_vgpu *v, u64 ns)
{
	return v->vgpu ? div_u64(ns * WEIGHT_UNIT, mvgpu_weight(v->vgpu)) : 0;
}

/* The next command, or NULL */
static struct vg_cmd *pick(struct vg_gpu *gpu)
{
	struct vg_cmd *cmd = list_first_entry_or_null(&gpu->urgent, struct vg_cmd, node);
	struct vg_vgpu *v, *best = NULL;

	lockdep_assert_held(&gpu->lock);
	if (cmd)
		return cmd;
	list_for_each_entry(v, &gpu->ready, ready_node)
		if (!best || v->vtime < best->vtime)
			best = v;
	return best ? list_first_entry(&best->waiting, struct vg_cmd, node) : NULL;
}

static void unlink_cmd(struct vg_cmd *cmd)
{
	list_del_init(&cmd->node);
	if (list_empty(&cmd->v->waiting))
		list_del_init(&cmd->v->ready_node);
}

/* The hardware can't reach the backing: its own reference goes, the command has another */
static void backing_off(struct vg_cmd *cmd)
{
	struct vg_backing *backing = cmd->backing;

	backing->state = VG_BACKING_OFF;
	complete_all(&backing->off);
	if (cmd->res->hw_backing == backing) {
		cmd->res->hw_backing = NULL;
		vg_backing_put(backing);
	}
}

/* A command goes to the hardware. False if that is needless: it counts as executed. */
static bool takes_effect(struct vg_cmd *cmd)
{
	struct vg_backing *backing = cmd->backing;

	switch (cmd->effect) {
	case VG_ATTACHES:
		if (backing->revoked) {
			backing_off(cmd);
			return false;
		}
		backing->state = VG_BACKING_ON;
		return true;
	case VG_DETACHES:
		if (backing->state == VG_BACKING_NEW)
			backing_off(cmd);
		if (backing->state != VG_BACKING_ON)
			return false;
		backing->state = VG_BACKING_LEAVING;
		return true;
	case VG_UNREFS:
		if (backing && backing->state == VG_BACKING_NEW)
			backing_off(cmd);
		else if (backing && backing->state == VG_BACKING_ON)
			backing->state = VG_BACKING_LEAVING;
		return !list_empty(&cmd->res->hw_node);
	default:
		return true;
	}
}

/* It has got it */
static void given(struct vg_cmd *cmd)
{
	if (cmd->effect == VG_ATTACHES && cmd->res->hw_backing != cmd->backing) {
		vg_backing_get(cmd->backing);
		cmd->res->hw_backing = cmd->backing;
	}
}

static void show(struct vg_head *head, struct vg_cmd *cmd)
{
	const struct virtio_gpu_set_scanout *req = cmd->req;

	head->scanout = *req;
	head->res = req->resource_id ? cmd->res : NULL;
}

static void point(struct vg_head *head, struct vg_cmd *cmd)
{
	const struct virtio_gpu_update_cursor *req = cmd->req;

	if (req->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_MOVE_CURSOR)) {
		head->cursor.pos = req->pos;
		return;
	}
	head->cursor = *req;
	head->cursor_res = cmd->res;
}

/* The hardware has not got the resource any more; its reference is not the last one */
static void forget_resource(struct vg_resource *res)
{
	struct vg_vgpu *v = res->v;
	unsigned int i;

	if (list_empty(&res->hw_node))
		return;
	list_del_init(&res->hw_node);
	vg_resource_put(res);
	for (i = 0; i < v->num_heads; i++) {
		if (v->head[i].res == res)
			v->head[i].res = NULL;
		if (v->head[i].cursor_res == res)
			v->head[i].cursor_res = NULL;
	}
}

/* The hardware has executed a command: remember what it would have to be told again */
static void took_effect(struct vg_cmd *cmd)
{
	bool ok = cmd->queue == VG_CURSORQ ||
		  le32_to_cpu(cmd->resp->type) < VIRTIO_GPU_RESP_ERR_UNSPEC;
	struct vg_backing *backing = cmd->backing;

	switch (cmd->effect) {
	case VG_CREATES:
		if (!ok)
			break;
		vg_resource_get(cmd->res);
		list_add_tail(&cmd->res->hw_node, &cmd->v->hw_resources);
		break;
	case VG_UNREFS:
		forget_resource(cmd->res);
		if (backing && backing->state != VG_BACKING_OFF)
			backing_off(cmd);
		break;
	case VG_ATTACHES:
		if (!ok && backing->state == VG_BACKING_ON)
			backing_off(cmd);
		break;
	case VG_DETACHES:
		backing_off(cmd);
		break;
	case VG_SCANS_OUT:
		if (ok)
			show(&cmd->v->head[cmd->head], cmd);
		break;
	case VG_CURSOR:
		point(&cmd->v->head[cmd->head], cmd);
		break;
	case VG_NO_EFFECT:
		break;
	}
}

static void finish(struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;

	if (!--v->pending)
		wake_up_all(&v->gpu->idle);
	if (cmd->waiter) {
		complete(cmd->waiter);
		return;
	}
	list_add_tail(&cmd->node, &v->done);
	mod_delayed_work(v->gpu->wq, &v->work, 0);
}

static void answer(struct vg_cmd *cmd, u32 type)
{
	if (cmd->resp_len)
		cmd->resp->type = cpu_to_le32(type);
}

static void fail(struct vg_cmd *cmd, u32 error)
{
	answer(cmd, error);
	took_effect(cmd);
}

/* 1 if the hardware has got the command, 0 if it needn't, -ENOSPC if it has no room */
static int submit(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	struct scatterlist in, *sgs[] = { cmd->sg, &in };
	enum vg_backing_state before = cmd->backing ? cmd->backing->state : VG_BACKING_NEW;
	int ret;

	if (!takes_effect(cmd))
		return 0;
	if (cmd->resp_len)
		sg_init_one(&in, cmd->resp, cmd->resp_len);
	ret = virtqueue_add_sgs(gpu->vq[cmd->queue], sgs, 1, !!cmd->resp_len, cmd, GFP_ATOMIC);
	if (!ret) {
		given(cmd);
		return 1;
	}
	if (cmd->backing && cmd->backing->state != VG_BACKING_OFF)
		cmd->backing->state = before;
	return ret;
}

static void start(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;

	cmd->submitted = ktime_get();
	cmd->charged = price(v, v->cost);
	v->vtime += cmd->charged;
	gpu->vtime = max(gpu->vtime, v->vtime - cmd->charged);
	if (!gpu->num_running++)
		mod_delayed_work(gpu->wq, &gpu->watchdog, HANG_TIME);
	list_add_tail(&cmd->node, &gpu->running);
}

/* Returns the queues that the hardware has to be notified of, a bit each */
static unsigned int submit_all(struct vg_gpu *gpu)
{
	unsigned int added = 0, notify = 0, i;
	struct vg_cmd *cmd;
	int ret;

	lockdep_assert_held(&gpu->lock);
	while (!gpu->stopped && gpu->num_running < DEPTH) {
		cmd = pick(gpu);
		if (!cmd)
			break;
		ret = gpu->dead ? -ENODEV : submit(gpu, cmd);
		if (ret < 0 && gpu->num_running && !gpu->dead)
			break;
		unlink_cmd(cmd);
		if (ret > 0) {
			start(gpu, cmd);
			added |= BIT(cmd->queue);
			continue;
		}
		if (ret)
			fail(cmd, gpu->dead ? VIRTIO_GPU_RESP_ERR_UNSPEC :
				  VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
		else
			answer(cmd, VIRTIO_GPU_RESP_OK_NODATA);
		finish(cmd);
	}
	for (i = 0; i < VG_NUM_QUEUES; i++)
		if (added & BIT(i) && virtqueue_kick_prepare(gpu->vq[i]))
			notify |= BIT(i);
	return notify;
}

static void notify_queues(struct vg_gpu *gpu, unsigned int queues)
{
	unsigned int i;

	for (i = 0; i < VG_NUM_QUEUES; i++)
		if (queues & BIT(i))
			virtqueue_notify(gpu->vq[i]);
}

/**
 * vg_cmd_queue() - let a command wait for its turn
 * @cmd: the command
 *
 * Those of a vGPU are executed in order. Context: any.
 */
void vg_cmd_queue(struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;
	struct vg_gpu *gpu = v->gpu;
	unsigned long flags;
	unsigned int notify;

	spin_lock_irqsave(&gpu->lock, flags);
	if (!v->pending++)
		v->vtime = max(v->vtime, gpu->vtime);
	if (list_empty(&v->waiting))
		list_add_tail(&v->ready_node, &gpu->ready);
	list_add_tail(&cmd->node, &v->waiting);
	notify = submit_all(gpu);
	spin_unlock_irqrestore(&gpu->lock, flags);
	notify_queues(gpu, notify);
}

/**
 * vg_cmd_urgent() - send a command before all that waits
 * @cmd: the command
 *
 * Context: any.
 */
void vg_cmd_urgent(struct vg_cmd *cmd)
{
	struct vg_gpu *gpu = cmd->v->gpu;
	unsigned long flags;
	unsigned int notify;

	spin_lock_irqsave(&gpu->lock, flags);
	cmd->v->pending++;
	list_add_tail(&cmd->node, &gpu->urgent);
	notify = submit_all(gpu);
	spin_unlock_irqrestore(&gpu->lock, flags);
	notify_queues(gpu, notify);
}

/* A command is not with the hardware any more */
static void retire(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	list_del_init(&cmd->node);
	gpu->num_running--;
}

static void settle(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	ktime_t now = ktime_get(), since = max(cmd->submitted, gpu->last_done);
	u64 took = ktime_to_ns(ktime_sub(now, since));
	struct vg_vgpu *v = cmd->v;

	gpu->last_done = now;
	v->vtime += price(v, took) - cmd->charged;
	v->cost += (s64)(took - v->cost) / 8;
	if (cmd->guest)
		mvgpu_count(v->vgpu, 1, cmd->bytes);
}

/**
 * vg_sched_done() - a queue's interrupt
 * @gpu: the hardware
 * @queue: VG_CONTROLQ or VG_CURSORQ
 *
 * Context: any.
 */
void vg_sched_done(struct vg_gpu *gpu, unsigned int queue)
{
	struct virtqueue *vq;
	unsigned long flags;
	unsigned int notify;
	struct vg_cmd *cmd;
	u32 len;

	spin_lock_irqsave(&gpu->lock, flags);
	vq = gpu->vq[queue];
	if (!vq) {
		spin_unlock_irqrestore(&gpu->lock, flags);
		return;
	}
	do {
		virtqueue_disable_cb(vq);
		while ((cmd = virtqueue_get_buf(vq, &len))) {
			if (len < min_t(u32, sizeof(*cmd->resp), cmd->resp_len))
				answer(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC);
			retire(gpu, cmd);
			settle(gpu, cmd);
			took_effect(cmd);
			finish(cmd);
		}
	} while (!virtqueue_enable_cb(vq));
	if (gpu->num_running)
		mod_delayed_work(gpu->wq, &gpu->watchdog, HANG_TIME);
	else
		cancel_delayed_work(&gpu->watchdog);
	notify = submit_all(gpu);
	spin_unlock_irqrestore(&gpu->lock, flags);
	notify_queues(gpu, notify);
}

/**
 * vg_sched_stop() - give the hardware nothing more
 * @gpu: the hardware
 *
 * Context: any.
 */
void vg_sched_stop(struct vg_gpu *gpu)
{
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	gpu->stopped = true;
	spin_unlock_irqrestore(&gpu->lock, flags);
	cancel_delayed_work(&gpu->watchdog);
}

/* The hardware has been reset before it executed the command: undo takes_effect() */
static void untake_effect(struct vg_cmd *cmd)
{
	struct vg_backing *backing = cmd->backing;

	switch (cmd->effect) {
	case VG_ATTACHES:
		if (backing->state != VG_BACKING_ON)
			break;
		backing->state = VG_BACKING_NEW;
		cmd->res->hw_backing = NULL;
		vg_backing_put(backing);
		break;
	case VG_DETACHES:
	case VG_UNREFS:
		if (backing && backing->state == VG_BACKING_LEAVING)
			backing_off(cmd);
		break;
	default:
		break;
	}
}

static void wait_again(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;

	untake_effect(cmd);
	if (!cmd->guest) {
		list_add(&cmd->node, &gpu->urgent);
		return;
	}
	if (list_empty(&v->waiting))
		list_add_tail(&v->ready_node, &gpu->ready);
	list_add(&cmd->node, &v->waiting);
}

static void drop_replay(struct vg_gpu *gpu)
{
	struct vg_cmd *cmd, *next;

	list_for_each_entry_safe(cmd, next, &gpu->urgent, node) {
		if (!cmd->replay)
			continue;
		list_del_init(&cmd->node);
		finish(cmd);
	}
}

/**
 * vg_sched_requeue() - the hardware has been reset: what it had waits again
 * @gpu: the hardware, stopped
 * @hung: it hung on the command that it has had for longest, which fails
 *
 * What the hardware knew of backings it has forgotten: the memory is out of its reach.
 *
 * Context: any.
 */
void vg_sched_requeue(struct vg_gpu *gpu, bool hung)
{
	struct vg_vgpu *v;
	struct vg_cmd *cmd, *next;
	struct vg_resource *res;
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	cmd = list_first_entry_or_null(&gpu->running, struct vg_cmd, node);
	if (hung && cmd && (cmd->guest || cmd->waiter)) {
		cmd->v->strikes++;
		retire(gpu, cmd);
		fail(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC);
		finish(cmd);
	}
	list_for_each_entry_safe_reverse(cmd, next, &gpu->running, node) {
		retire(gpu, cmd);
		wait_again(gpu, cmd);
	}
	drop_replay(gpu);
	list_for_each_entry(v, &gpu->vgpus, node)
		list_for_each_entry(res, &v->hw_resources, hw_node)
			if (res->hw_backing && res->hw_backing->state == VG_BACKING_ON)
				res->hw_backing->state = VG_BACKING_NEW;
	spin_unlock_irqrestore(&gpu->lock, flags);
}

/**
 * vg_sched_restart() - the opposite of vg_sched_stop()
 * @gpu: the hardware, its queues there again
 * @replay: commands that tell it what it knew
 *
 * Context: any.
 */
void vg_sched_restart(struct vg_gpu *gpu, struct list_head *replay)
{
	unsigned long flags;
	unsigned int notify;
	struct vg_cmd *cmd;

	spin_lock_irqsave(&gpu->lock, flags);
	list_for_each_entry(cmd, replay, node)
		cmd->v->pending++;
	list_splice_init(replay, &gpu->urgent);
	gpu->stopped = false;
	notify = submit_all(gpu);
	spin_unlock_irqrestore(&gpu->lock, flags);
	notify_queues(gpu, notify);
}

/**
 * vg_sched_fail() - the hardware is gone for good
 * @gpu: the hardware; it has been reset, so that no memory is within its reach
 *
 * Whatever it had, and whatever else it is given, fails.
 *
 * Context: any.
 */
void vg_sched_fail(struct vg_gpu *gpu)
{
	struct vg_cmd *cmd, *next;
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	gpu->dead = true;
	gpu->stopped = false;
	list_for_each_entry_safe(cmd, next, &gpu->running, node) {
		retire(gpu, cmd);
		fail(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC);
		finish(cmd);
	}
	submit_all(gpu);
	spin_unlock_irqrestore(&gpu->lock, flags);
}

/**
 * vg_sched_execute() - let the hardware execute a command of our own
 * @cmd: the command; freed by the caller
 *
 * Context: process context, sleeps.
 * Return: 0, or -EIO if the hardware has answered with an error or not at all.
 */
int vg_sched_execute(struct vg_cmd *cmd)
{
	DECLARE_COMPLETION_ONSTACK(executed);

	cmd->waiter = &executed;
	vg_cmd_urgent(cmd);
	wait_for_completion(&executed);
	return le32_to_cpu(cmd->resp->type) < VIRTIO_GPU_RESP_ERR_UNSPEC ? 0 : -EIO;
}

/**
 * vg_sched_answered() - a command that needed no hardware
 * @cmd: the command, its answer filled in
 *
 * Context: any.
 */
void vg_sched_answered(struct vg_cmd *cmd)
{
	struct vg_gpu *gpu = cmd->v->gpu;
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	cmd->v->pending++;
	finish(cmd);
	spin_unlock_irqrestore(&gpu->lock, flags);
}

/**
 * vg_sched_drop() - a vGPU's commands that wait need not be executed
 * @v: the vGPU
 *
 * Context: any.
 */
void vg_sched_drop(struct vg_vgpu *v)
{
	struct vg_gpu *gpu = v->gpu;
	struct vg_cmd *cmd, *next;
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	list_for_each_entry_safe(cmd, next, &v->waiting, node) {
		unlink_cmd(cmd);
		finish(cmd);
	}
	spin_unlock_irqrestore(&gpu->lock, flags);
}

static bool all_executed(struct vg_vgpu *v)
{
	unsigned long flags;
	bool executed;

	spin_lock_irqsave(&v->gpu->lock, flags);
	executed = !v->pending;
	spin_unlock_irqrestore(&v->gpu->lock, flags);
	return executed;
}

/**
 * vg_sched_wait() - wait until all commands of a vGPU have been executed
 * @v: the vGPU
 *
 * Context: process context, sleeps.
 */
void vg_sched_wait(struct vg_vgpu *v)
{
	wait_event(v->gpu->idle, all_executed(v));
}

/**
 * vg_sched_pop_done() - a command that has been executed
 * @v: whose
 *
 * Context: any. Return: the command, or NULL if there is none.
 */
struct vg_cmd *vg_sched_pop_done(struct vg_vgpu *v)
{
	struct vg_cmd *cmd;
	unsigned long flags;

	spin_lock_irqsave(&v->gpu->lock, flags);
	cmd = list_first_entry_or_null(&v->done, struct vg_cmd, node);
	if (cmd)
		list_del_init(&cmd->node);
	spin_unlock_irqrestore(&v->gpu->lock, flags);
	return cmd;
}

/**
 * vg_sched_unpop_done() - undo vg_sched_pop_done()
 * @cmd: what that has returned
 *
 * Context: any.
 */
void vg_sched_unpop_done(struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;
	unsigned long flags;

	spin_lock_irqsave(&v->gpu->lock, flags);
	list_add(&cmd->node, &v->done);
	spin_unlock_irqrestore(&v->gpu->lock, flags);
}
