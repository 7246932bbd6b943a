// SPDX-License-Identifier: GPL-2.0-only
/*
 * sched.c - struct vg_cmd on its way to the hardware and back: who is next
 *
 * Weighted fair queueing by the hardware's time. A vGPU pays for a command when it is
 * submitted, by what its commands have taken so far, and settles when it is executed. The
 * one that has had the least for its weight is next; one that was idle starts where the
 * others are, and one that wants little saves up no more than CREDIT. Few commands are with
 * the hardware at once, and fewer large ones, so that whoever comes has not long to wait.
 */
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "gpu.h"

#define WEIGHT_UNIT	100
#define HANG_TIME	(5 * HZ)
#define CREDIT		(NSEC_PER_SEC / 20)

/* @gfp may have __GFP_NOFAIL if @req_len is below a page. NULL without memory; may sleep. */
struct vg_cmd *vg_cmd_alloc(struct vg_vgpu *v, u32 type, size_t req_len, size_t resp_len,
			    gfp_t gfp)
{
	struct virtio_gpu_ctrl_hdr *hdr = req_len < PAGE_SIZE ? kzalloc(req_len, gfp) :
								kvzalloc(req_len, gfp);
	unsigned int pages = is_vmalloc_addr(hdr) ? PFN_UP(req_len) : 0, i;
	struct vg_cmd *cmd;

	cmd = hdr ? kzalloc(struct_size(cmd, sg, pages ?: 1) + resp_len, gfp) : NULL;
	if (!cmd) {
		kvfree(hdr);
		return NULL;
	}
	INIT_LIST_HEAD(&cmd->node);
	cmd->v = v;
	cmd->queue = resp_len ? VG_CONTROLQ : VG_CURSORQ;	/* where nothing is answered */
	cmd->req = hdr;
	cmd->req_len = req_len;
	cmd->resp = (void *)&cmd->sg[pages ?: 1];
	cmd->resp_len = resp_len;
	hdr->type = cpu_to_le32(type);
	sg_init_table(cmd->sg, pages ?: 1);
	if (!pages)
		sg_set_buf(cmd->sg, hdr, req_len);
	for (i = 0; i < pages; i++)
		sg_set_page(&cmd->sg[i], vmalloc_to_page(cmd->req + i * PAGE_SIZE),
			    min_t(size_t, PAGE_SIZE, req_len - i * PAGE_SIZE), 0);
	return cmd;
}

/* The command @req, of whose header only the type counts. @res may be NULL. */
struct vg_cmd *vg_cmd_new(struct vg_vgpu *v, const void *req, size_t len,
			  struct vg_resource *res, enum vg_effect effect, gfp_t gfp)
{
	const struct virtio_gpu_ctrl_hdr *hdr = req;
	const struct virtio_gpu_transfer_to_host_2d *xfer = req;
	u32 type = le32_to_cpu(hdr->type);
	size_t resp_len = type >= VIRTIO_GPU_CMD_UPDATE_CURSOR ? 0 :
			  type == VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID ?
			  sizeof(struct virtio_gpu_resp_resource_uuid) : sizeof(*hdr);
	struct vg_cmd *cmd = vg_cmd_alloc(v, type, len, resp_len, gfp);

	if (!cmd)
		return NULL;
	memcpy(cmd->req + sizeof(*hdr), hdr + 1, len - sizeof(*hdr));
	if (type == VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D)
		cmd->bytes = 4ull * le32_to_cpu(xfer->r.width) * le32_to_cpu(xfer->r.height);
	vg_cmd_set_res(cmd, res, effect);
	return cmd;
}

/* To a list. 0, or -ENOMEM if there is none. */
int vg_cmd_list(struct list_head *cmds, struct vg_cmd *cmd)
{
	if (!cmd)
		return -ENOMEM;
	list_add_tail(&cmd->node, cmds);
	return 0;
}

/* May sleep */
void vg_cmd_free(struct vg_cmd *cmd)
{
	vg_backing_put(cmd->backing);
	if (cmd->res)
		vg_resource_put(cmd->res);
	kvfree(cmd->chain.range);
	kvfree(cmd->req);
	kfree(cmd);
}

void vg_cmd_set_res(struct vg_cmd *cmd, struct vg_resource *res, enum vg_effect effect)
{
	if (res)
		kref_get(&res->ref);
	cmd->res = res;
	cmd->effect = effect;
}

/* Whoever takes the hardware's reference from it, or puts another there, has one, too */
static void set_hw_backing(struct vg_resource *res, struct vg_backing *backing)
{
	vg_backing_get(backing);
	vg_backing_put(res->hw_backing);
	res->hw_backing = backing;
}

/* It can't reach the backing any more */
static void backing_off(struct vg_cmd *cmd)
{
	struct vg_backing *backing = cmd->backing;

	backing->state = VG_BACKING_OFF;
	complete_all(&backing->off);
	if (cmd->res->hw_backing == backing)
		set_hw_backing(cmd->res, NULL);
}

/* Nor need it be told to let go of what it has not got */
static void off_if_new(struct vg_cmd *cmd)
{
	if (cmd->backing && cmd->backing->state == VG_BACKING_NEW)
		backing_off(cmd);
}

static bool on_hardware(const struct vg_resource *res)
{
	return res && !list_empty(&res->hw_node);
}

/* The hardware has the resource; of a blob it is told again and again */
static void remember_resource(struct vg_resource *res)
{
	if (on_hardware(res))
		return;
	kref_get(&res->ref);
	list_add_tail(&res->hw_node, &res->v->hw_resources);
}

/* The hardware has not got the resource any more; its reference is not the last one */
static void forget_resource(struct vg_resource *res)
{
	struct vg_vgpu *v = res->v;
	unsigned int i;

	if (!on_hardware(res))
		return;
	list_del_init(&res->hw_node);
	for (i = 0; i < v->num_heads; i++) {
		if (v->head[i].res == res)
			v->head[i].res = NULL;
		if (v->head[i].cursor_res == res)
			v->head[i].cursor_res = NULL;
	}
	vg_resource_put(res);
}

/* A command goes to the hardware. False if that is needless: it counts as executed. */
static bool takes_effect(struct vg_cmd *cmd)
{
	struct vg_backing *backing = cmd->backing;

	switch (cmd->effect) {
	case VG_LOCAL:
		return false;
	case VG_ATTACHES:
		if (mvgpu_mapping_revoked(backing->mapping) || backing->state == VG_BACKING_OFF) {
			backing_off(cmd);
			return false;
		}
		backing->state = VG_BACKING_ON;
		return true;
	case VG_DETACHES:
		off_if_new(cmd);
		if (backing->state != VG_BACKING_ON)
			return false;
		backing->state = VG_BACKING_LEAVING;
		return true;
	case VG_UNREFS:
		off_if_new(cmd);
		if (backing && backing->state == VG_BACKING_ON) {
			backing->state = VG_BACKING_LEAVING;
		} else if (cmd->res->is_blob) {	/* it went with its backing */
			forget_resource(cmd->res);
			return false;
		}
		return true;	/* it may be about to be created */
	default:
		return true;
	}
}

/* The hardware has not executed the command, and may have been @reset: undo takes_effect() */
static void untake_effect(struct vg_cmd *cmd, bool reset)
{
	struct vg_backing *backing = cmd->backing;

	switch (cmd->effect) {
	case VG_ATTACHES:
		if (backing->state == VG_BACKING_ON)
			backing->state = VG_BACKING_NEW;
		if (!cmd->replay && cmd->res->hw_backing == backing)
			set_hw_backing(cmd->res, NULL);
		break;
	case VG_DETACHES:
	case VG_UNREFS:
		if (!backing || backing->state != VG_BACKING_LEAVING)
			break;
		if (!reset) {
			backing->state = VG_BACKING_ON;
		} else if (backing->revoked) {
			backing_off(cmd);
		} else {
			backing->state = VG_BACKING_NEW;
			if (cmd->res->hw_backing != backing)
				set_hw_backing(cmd->res, backing);
		}
		break;
	default:
		break;
	}
}

static void show(struct vg_head *head, struct vg_cmd *cmd)
{
	memcpy(&head->scanout, cmd->req, cmd->req_len);
	head->res = on_hardware(cmd->res) ? cmd->res : NULL;
}

static void point(struct vg_head *head, struct vg_cmd *cmd)
{
	const struct virtio_gpu_update_cursor *req = cmd->req;

	head->cursor_on = !!req->resource_id;
	if (req->hdr.type == cpu_to_le32(VIRTIO_GPU_CMD_MOVE_CURSOR)) {
		head->cursor.pos = req->pos;
		return;
	}
	head->cursor = *req;
	head->cursor_res = on_hardware(cmd->res) ? cmd->res : NULL;
}

/* The hardware has executed a command: remember what it would have to be told again */
static void took_effect(struct vg_cmd *cmd)
{
	struct vg_backing *backing = cmd->backing;

	switch (cmd->effect) {
	case VG_CREATES:
	case VG_ATTACHES:
		if (!vg_cmd_failed(cmd))
			remember_resource(cmd->res);
		else if (backing && backing->state != VG_BACKING_LEAVING)
			backing_off(cmd);
		break;
	case VG_UNREFS:
		forget_resource(cmd->res);
		if (backing && backing->state != VG_BACKING_OFF)
			backing_off(cmd);
		break;
	case VG_DETACHES:
		backing_off(cmd);
		break;
	case VG_SCANS_OUT:
		if (!vg_cmd_failed(cmd))
			show(&cmd->v->head[cmd->head], cmd);
		break;
	case VG_CURSOR:
		point(&cmd->v->head[cmd->head], cmd);
		break;
	default:
		break;
	}
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

static void add_pending(struct vg_vgpu *v)
{
	u64 credit = v->pending++ ? min(v->gpu->vtime, price(v, CREDIT)) : 0;

	if (list_empty(&v->waiting))
		v->vtime = max(v->vtime, v->gpu->vtime - credit);
}

static void add_waiting(struct vg_cmd *cmd, bool first)
{
	struct vg_vgpu *v = cmd->v;

	if (cmd->urgent) {
		list_move(&cmd->node, first ? &v->gpu->urgent : v->gpu->urgent.prev);
		return;
	}
	if (list_empty(&v->waiting))
		list_add_tail(&v->ready_node, &v->gpu->ready);
	list_move(&cmd->node, first ? &v->waiting : v->waiting.prev);
}

static void unlink_waiting(struct vg_cmd *cmd)
{
	list_del_init(&cmd->node);
	if (list_empty(&cmd->v->waiting))
		list_del_init(&cmd->v->ready_node);
}

static void finish(struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;

	if (!--v->pending)
		wake_up_all(&v->gpu->idle);
	if (cmd->waiter) {
		list_del_init(&cmd->node);	/* it may be freed at once */
		complete(cmd->waiter);
		return;
	}
	list_move_tail(&cmd->node, &v->done);
	mod_delayed_work(v->gpu->wq, &v->work, 0);
}

/* What the hardware would have answered */
static void set_answer(struct vg_cmd *cmd, u32 type)
{
	if (cmd->resp_len && cmd->effect != VG_LOCAL)
		cmd->resp->type = cpu_to_le32(type);
}

static void fail(struct vg_cmd *cmd, u32 error)
{
	set_answer(cmd, error);
	took_effect(cmd);
	finish(cmd);
}

/* In builds for tests, how many of the guests' commands the hardware is never to get */
static unsigned int lose;
#if IS_ENABLED(CONFIG_MVGPU_TEST_HANG)
module_param(lose, uint, 0644);
#endif

/* 1 if the hardware has got the command, 0 if it needn't, or an errno */
static int submit(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	struct scatterlist in, *sgs[] = { cmd->sg, &in };
	struct virtio_gpu_ctrl_hdr *hdr = cmd->req;
	int ret;

	if (!takes_effect(cmd))
		return 0;
	if (lose && cmd->guest && lose--)
		return 1;
	if (hdr->flags)		/* the guests' ids mean nothing to one another */
		hdr->fence_id = cpu_to_le64(++gpu->fences);
	sg_init_one(&in, cmd->resp, cmd->resp_len);
	ret = virtqueue_add_sgs(gpu->vq[cmd->queue], sgs, 1, !!cmd->resp_len, cmd, GFP_ATOMIC);
	if (ret) {
		untake_effect(cmd, false);
		return ret;
	}
	if (cmd->effect == VG_ATTACHES && cmd->res->hw_backing != cmd->backing)
		set_hw_backing(cmd->res, cmd->backing);
	return 1;
}

static void start(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;

	cmd->submitted = ktime_get();
	cmd->charged = price(v, v->cost);
	if (!cmd->urgent)
		gpu->vtime = max(gpu->vtime, v->vtime);
	v->vtime += cmd->charged;
	if (!gpu->num_running++) {
		gpu->oldest_since = cmd->submitted;
		mod_delayed_work(gpu->wq, &gpu->watchdog, HANG_TIME);
	}
	gpu->running_bytes += cmd->bytes;
	list_add_tail(&cmd->node, &gpu->running);
}

/* Memory that the hardware has must not be taken for given back because it can't be told */
static bool must_wait(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	if (gpu->dead)
		return false;
	if (gpu->num_running)
		return true;
	if (cmd->effect != VG_DETACHES && cmd->effect != VG_UNREFS)
		return false;
	mod_delayed_work(gpu->wq, &gpu->watchdog, 1);
	return true;
}

/* Returns the queues that the hardware has to be notified of, a bit each */
static unsigned int submit_all(struct vg_gpu *gpu)
{
	unsigned int added = 0, notify = 0, i;
	struct vg_cmd *cmd;
	int ret;

	lockdep_assert_held(&gpu->lock);
	while (!gpu->stopped && gpu->num_running < VG_DEPTH && gpu->running_bytes < VG_BYTES) {
		cmd = pick(gpu);
		if (!cmd)
			break;
		ret = gpu->dead ? -ENODEV : submit(gpu, cmd);
		if (ret < 0 && must_wait(gpu, cmd))
			break;
		unlink_waiting(cmd);
		if (ret > 0) {
			start(gpu, cmd);
			added |= BIT(cmd->queue);
		} else if (ret) {
			fail(cmd, gpu->dead ? VIRTIO_GPU_RESP_ERR_UNSPEC :
					      VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
		} else {
			set_answer(cmd, VIRTIO_GPU_RESP_OK_NODATA);
			finish(cmd);
		}
	}
	for (i = 0; i < VG_NUM_QUEUES; i++)
		if (added & BIT(i) && virtqueue_kick_prepare(gpu->vq[i]))
			notify |= BIT(i);
	return notify;
}

/* Whoever deletes the queues waits for an RCU grace period */
static void submit_and_unlock(struct vg_gpu *gpu, unsigned long flags)
	__releases(&gpu->lock)
{
	unsigned int notify = submit_all(gpu), i;
	struct virtqueue *vq[VG_NUM_QUEUES];

	memcpy(vq, gpu->vq, sizeof(vq));
	rcu_read_lock();
	spin_unlock_irqrestore(&gpu->lock, flags);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		if (notify & BIT(i))
			virtqueue_notify(vq[i]);
	rcu_read_unlock();
}

/* Let a command wait for its turn; those of a vGPU are executed in order */
void vg_cmd_queue(struct vg_cmd *cmd)
{
	struct vg_gpu *gpu = cmd->v->gpu;
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	add_pending(cmd->v);
	add_waiting(cmd, false);
	submit_and_unlock(gpu, flags);
}

/* Let the hardware execute a command of our own. 0 or -EIO; the caller frees it. Sleeps. */
int vg_cmd_execute(struct vg_cmd *cmd)
{
	DECLARE_COMPLETION_ONSTACK(executed);

	cmd->waiter = &executed;
	cmd->urgent = true;
	vg_cmd_queue(cmd);
	wait_for_completion(&executed);
	return vg_cmd_failed(cmd) ? -EIO : 0;
}

/* A command is not with the hardware any more */
static void retire(struct vg_gpu *gpu, struct vg_cmd *cmd)
{
	list_del_init(&cmd->node);
	gpu->num_running--;
	gpu->running_bytes -= cmd->bytes;
}

/* What a command is of the work that it was done with, in pages or entries and then some */
static u64 work_of(const struct vg_cmd *cmd)
{
	return 16 + cmd->req_len / sizeof(struct virtio_gpu_mem_entry) +
	       (vg_cmd_failed(cmd) ? 0 : cmd->bytes >> PAGE_SHIFT);
}

/* The hardware reports several commands at once: its time is theirs by size */
static void settle(struct vg_gpu *gpu, struct list_head *batch)
{
	ktime_t now = ktime_get(), since = gpu->last_done;
	u64 spent, took, work = 0;
	struct vg_cmd *cmd;

	list_for_each_entry(cmd, batch, node)
		work += work_of(cmd);
	cmd = list_first_entry(batch, struct vg_cmd, node);
	spent = ktime_to_ns(ktime_sub(now, max(cmd->submitted, since)));
	gpu->last_done = now;
	gpu->silent = 0;
	list_for_each_entry(cmd, batch, node) {
		struct vg_vgpu *v = cmd->v;

		took = div64_u64(spent * work_of(cmd), work);
		v->vtime += price(v, took) - cmd->charged;
		v->cost += (s64)(took - v->cost) / 8;
		if (v->vgpu)
			mvgpu_count(v->vgpu, cmd->guest, vg_cmd_failed(cmd) ? 0 : cmd->bytes, took);
	}
}

static void rearm_watchdog(struct vg_gpu *gpu, const struct vg_cmd *was_oldest)
{
	const struct vg_cmd *oldest = list_first_entry_or_null(&gpu->running, struct vg_cmd, node);

	if (!oldest) {
		cancel_delayed_work(&gpu->watchdog);
	} else if (oldest != was_oldest) {
		gpu->oldest_since = ktime_get();
		mod_delayed_work(gpu->wq, &gpu->watchdog, HANG_TIME);
	}
}

/* A physical queue's callback; any context */
void vg_sched_interrupt(struct vg_gpu *gpu, unsigned int queue)
{
	struct vg_cmd *cmd, *next, *oldest;
	struct virtqueue *vq;
	unsigned long flags;
	LIST_HEAD(batch);
	u32 len;

	spin_lock_irqsave(&gpu->lock, flags);
	vq = gpu->vq[queue];
	oldest = list_first_entry_or_null(&gpu->running, struct vg_cmd, node);
	if (vq && !gpu->dead) {
		do {
			virtqueue_disable_cb(vq);
			while ((cmd = virtqueue_get_buf(vq, &len))) {
				if (len < min_t(u32, sizeof(*cmd->resp), cmd->resp_len))
					cmd->resp->type = cpu_to_le32(VIRTIO_GPU_RESP_ERR_UNSPEC);
				retire(gpu, cmd);
				list_add_tail(&cmd->node, &batch);
			}
		} while (!virtqueue_enable_cb(vq));
		if (!list_empty(&batch))
			settle(gpu, &batch);
		list_for_each_entry_safe(cmd, next, &batch, node) {
			took_effect(cmd);
			finish(cmd);
		}
		rearm_watchdog(gpu, oldest);
	}
	submit_and_unlock(gpu, flags);
}

/*
 * A command that has been executed, or NULL. The guest's come in the order in which it
 * made them available, for a fence stands for all before it.
 */
struct vg_cmd *vg_cmd_pop_done(struct vg_vgpu *v)
{
	struct vg_cmd *cmd, *found = NULL;

	spin_lock_irq(&v->gpu->lock);
	list_for_each_entry(cmd, &v->done, node) {
		if (cmd->guest && cmd->seq != v->answered[cmd->queue])
			continue;
		list_del_init(&cmd->node);
		v->answered[cmd->queue] += cmd->guest;
		found = cmd;
		break;
	}
	spin_unlock_irq(&v->gpu->lock);
	return found;
}

/* It is to be popped again, or queued again */
void vg_cmd_unpop_done(struct vg_cmd *cmd)
{
	struct vg_vgpu *v = cmd->v;

	spin_lock_irq(&v->gpu->lock);
	v->answered[cmd->queue] -= cmd->guest;
	list_add(&cmd->node, &v->done);
	spin_unlock_irq(&v->gpu->lock);
}

/*
 * Give the hardware nothing more. Returns the command that it has hung on, for @limit jiffies,
 * or NULL; it may still be executed, and freed.
 */
struct vg_cmd *vg_sched_stop(struct vg_gpu *gpu, unsigned long limit)
{
	struct vg_cmd *hung = NULL;

	spin_lock_irq(&gpu->lock);
	if (gpu->recovering &&
	    ktime_to_ns(ktime_sub(ktime_get(), gpu->oldest_since)) >= jiffies_to_nsecs(limit))
		hung = list_first_entry_or_null(&gpu->running, struct vg_cmd, node);
	gpu->stopped = true;
	spin_unlock_irq(&gpu->lock);
	return hung;
}

/* The hardware has been reset or is gone: it answers nothing any more */
static void take_back(struct vg_gpu *gpu)
{
	unsigned int i;

	cancel_delayed_work(&gpu->watchdog);
	for (i = 0; i < VG_NUM_QUEUES; i++)
		while (gpu->vq[i] && virtqueue_detach_unused_buf(gpu->vq[i]))
			;
}

static void drop_waiting(struct vg_vgpu *v)
{
	struct vg_cmd *cmd, *next;

	list_for_each_entry_safe(cmd, next, &v->waiting, node) {
		unlink_waiting(cmd);
		off_if_new(cmd);
		finish(cmd);
	}
}

/* The hardware has hung on what it was told for a vGPU, which pays for that */
static void strike(struct vg_vgpu *v)
{
	v->strikes = ktime_sub(ktime_get(), v->struck) < VG_FORGIVEN ? v->strikes + 1 : 1;
	v->struck = ktime_get();
	v->vtime += price(v, ktime_to_ns(ktime_sub(ktime_get(), v->gpu->oldest_since)));
}

/*
 * The hardware has been reset: what it had waits again. What it knew of backings it has
 * forgotten: the memory is out of its reach. The command that it @hung on, if it still had
 * that, fails.
 */
void vg_sched_requeue(struct vg_gpu *gpu, const struct vg_cmd *hung)
{
	struct vg_cmd *cmd, *next;
	struct vg_resource *res;
	struct vg_vgpu *v;

	spin_lock_irq(&gpu->lock);
	take_back(gpu);
	cmd = list_first_entry_or_null(&gpu->running, struct vg_cmd, node);
	if (cmd && cmd == hung) {
		gpu->silent++;
		strike(cmd->v);
		retire(gpu, cmd);
		fail(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC);
	}
	list_for_each_entry_safe_reverse(cmd, next, &gpu->running, node) {
		retire(gpu, cmd);
		cmd->v->vtime -= cmd->charged;
		untake_effect(cmd, true);
		add_waiting(cmd, true);
	}
	list_for_each_entry_safe(cmd, next, &gpu->urgent, node)
		if (cmd->replay)
			finish(cmd);
	list_for_each_entry(v, &gpu->vgpus, node) {
		list_for_each_entry(res, &v->hw_resources, hw_node)
			if (res->hw_backing && res->hw_backing->state == VG_BACKING_ON)
				res->hw_backing->state = VG_BACKING_NEW;
		if (vg_vgpu_banned(v))
			drop_waiting(v);
	}
	spin_unlock_irq(&gpu->lock);
}

/* The hardware has queues again: first it is told what it knew */
void vg_sched_restart(struct vg_gpu *gpu, struct list_head *replay)
{
	struct vg_cmd *cmd;
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	list_for_each_entry(cmd, replay, node) {
		cmd->replay = true;
		cmd->urgent = true;
		add_pending(cmd->v);
	}
	list_splice_init(replay, &gpu->urgent);
	gpu->stopped = false;
	submit_and_unlock(gpu, flags);
}

/*
 * The hardware is gone for good, and has been reset, so that no memory is within its reach:
 * whatever it had, and whatever else it is given, fails.
 */
void vg_sched_fail(struct vg_gpu *gpu)
{
	struct vg_cmd *cmd, *next;
	unsigned long flags;

	spin_lock_irqsave(&gpu->lock, flags);
	take_back(gpu);
	gpu->dead = true;
	gpu->stopped = false;
	list_for_each_entry_safe(cmd, next, &gpu->running, node) {
		retire(gpu, cmd);
		fail(cmd, VIRTIO_GPU_RESP_ERR_UNSPEC);
	}
	submit_and_unlock(gpu, flags);
}

/* Wait until all commands of a vGPU have been executed, or need not be if @drop */
void vg_sched_wait(struct vg_vgpu *v, bool drop)
{
	spin_lock_irq(&v->gpu->lock);
	if (drop)
		drop_waiting(v);
	wait_event_lock_irq(v->gpu->idle, !v->pending, v->gpu->lock);
	spin_unlock_irq(&v->gpu->lock);
}
