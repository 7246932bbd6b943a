/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gpu.h - mvgpu-virtio: one physical virtio-gpu, shared by vGPUs that are virtio-gpus
 *
 * A guest's command is taken from its ring, checked and translated in its vGPU's work
 * item (command.c), waits for its turn (sched.c), and goes to the physical control or
 * cursor queue (gpu.c). When the hardware has answered, the work item answers the guest.
 * All that the hardware is ever told are ids of our own and addresses from mvgpu_map()
 * (resource.c).
 *
 * Lock order, outermost first:
 *
 *	mvgpu.lock		the framework's, held in its hooks
 *	vg_gpu.vgpus_lock	the list of vGPUs
 *	vg_gpu.recovery		one recovery at a time; the list of vGPUs, too. Nothing that is
 *				held while somebody waits for the hardware is taken inside it
 *	vg_transport.lock	a vGPU's queues, registers and resources; held while guest
 *				memory is mapped, so revoke callbacks never take it
 *	vg_gpu.lock		the physical queues, who waits for them, and what the
 *				hardware has been told of backings; taken in any context
 */
#ifndef VG_GPU_H
#define VG_GPU_H

#include <linux/completion.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_gpu.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "mvgpu.h"
#include "transport.h"

#define VG_MAX_HEADS		VIRTIO_GPU_MAX_SCANOUTS
#define VG_MAX_ENTRIES		16384	/* of a backing, as QEMU has it */
/* Quotas of a vGPU, beside its type's memory */
#define VG_MAX_RESOURCES	16384
#define VG_MAX_RANGES		(4 * VG_MAX_ENTRIES)
#define VG_MAX_STRIKES		3
#define VG_MAX_COMMANDS		64	/* taken from its rings and not answered */

struct vg_vgpu;

/**
 * enum vg_backing_state - what the hardware knows of a backing
 * @VG_BACKING_NEW: nothing yet
 * @VG_BACKING_ON: it has been told to attach it
 * @VG_BACKING_LEAVING: it has been told to let go, and has not answered
 * @VG_BACKING_OFF: it has let go
 */
enum vg_backing_state {
	VG_BACKING_NEW,
	VG_BACKING_ON,
	VG_BACKING_LEAVING,
	VG_BACKING_OFF,
};

/**
 * struct vg_backing - guest memory behind a resource
 * @ref: its resource holds it, commands about it, and the hardware while it has it. The
 *	last reference is always given back where it is safe to sleep.
 * @v: whose it is
 * @res: the resource; outlives it
 * @range: the memory as the guest named it
 * @num: ranges
 * @mapping: where the hardware finds it
 * @state: see above; protected by vg_gpu.lock
 * @revoked: the memory goes away or is gone; the same
 * @off: the hardware can't reach the memory any more
 * @detach: for the revoke callback, which can't fail
 */
struct vg_backing {
	struct kref ref;
	struct vg_vgpu *v;
	struct vg_resource *res;
	struct mvgpu_range *range;
	unsigned int num;
	struct mvgpu_mapping *mapping;
	enum vg_backing_state state;
	bool revoked;
	struct completion off;
	struct vg_cmd *detach;
};

/**
 * struct vg_resource - a 2D resource
 * @ref: the guest holds it, commands about it, and the hardware while it has it
 * @v: whose it is
 * @id: as the guest knows it
 * @hw_id: as the hardware knows it
 * @format: VIRTIO_GPU_FORMAT_*
 * @width: pixels
 * @height: pixels
 * @size: bytes that it takes of the hardware's memory
 * @backing: guest memory behind it, or NULL; protected by vg_transport.lock
 * @hw_backing: the backing that the hardware has been given, or NULL; protected by vg_gpu.lock
 * @hw_node: in vg_vgpu.hw_resources while the hardware has it; the same
 */
struct vg_resource {
	struct kref ref;
	struct vg_vgpu *v;
	u32 id;
	u32 hw_id;
	u32 format;
	u32 width;
	u32 height;
	u64 size;
	struct vg_backing *backing;
	struct vg_backing *hw_backing;
	struct list_head hw_node;
};

/* What a command changes of what the hardware knows, for it to be told again */
enum vg_effect {
	VG_NO_EFFECT,
	VG_CREATES,
	VG_UNREFS,
	VG_ATTACHES,
	VG_DETACHES,
	VG_SCANS_OUT,
	VG_CURSOR,
};

/**
 * struct vg_cmd - a command for the hardware
 * @node: in one of the lists of vg_gpu and vg_vgpu
 * @v: who pays for it
 * @queue: VG_CONTROLQ or VG_CURSORQ
 * @guest: the guest waits for the answer
 * @local: it needed no hardware
 * @replay: it tells restarted hardware what that knew before
 * @chain: the guest's buffers
 * @hdr: the header that the guest sent
 * @res: the resource that it is about, or NULL
 * @backing: the backing that it is about, or NULL
 * @effect: see above
 * @head: of the vGPU, where @effect is VG_SCANS_OUT or VG_CURSOR
 * @epoch: vg_vgpu.epoch of its queue when it was taken
 * @retried: it has been sent again after its backing had been revoked
 * @bytes: guest memory that the hardware reads for it
 * @submitted: when the hardware got it
 * @charged: nanoseconds that its vGPU has paid in advance
 * @waiter: who waits for it and then frees it, or NULL
 * @req_len: bytes in @req
 * @resp_len: bytes that the hardware may write to @resp
 * @req: what the hardware reads, kvmalloced
 * @sg: where that is
 * @sg_one: @sg, where it is in one piece
 * @resp: what it answers
 */
struct vg_cmd {
	struct list_head node;
	struct vg_vgpu *v;
	u8 queue;
	bool guest;
	bool local;
	bool replay;
	struct vg_chain chain;
	struct virtio_gpu_ctrl_hdr hdr;
	struct vg_resource *res;
	struct vg_backing *backing;
	enum vg_effect effect;
	u8 head;
	u32 epoch;
	bool retried;
	u64 bytes;
	ktime_t submitted;
	u64 charged;
	struct completion *waiter;
	u32 req_len;
	u32 resp_len;
	void *req;
	struct scatterlist *sg;
	struct scatterlist sg_one;
	struct virtio_gpu_ctrl_hdr resp[];
};

/**
 * struct vg_head - a head of a vGPU
 * @width: pixels of the mode that it prefers, 0 while it is unplugged
 * @height: lines of that mode
 * @scanout: the last SET_SCANOUT that the hardware has executed for it
 * @res: the resource that it shows, or NULL; protected by vg_gpu.lock
 * @cursor: the last UPDATE_CURSOR, its position updated by MOVE_CURSOR
 * @cursor_res: the resource that is the cursor, or NULL; the same
 */
struct vg_head {
	u32 width;
	u32 height;
	struct virtio_gpu_set_scanout scanout;
	struct vg_resource *res;
	struct virtio_gpu_update_cursor cursor;
	struct vg_resource *cursor_res;
};

/**
 * struct vg_vgpu - a vGPU
 * @t: what the guest sees of it; first, see vg_transport_init()
 * @vgpu: the framework's view; NULL for vg_gpu.own
 * @gpu: the physical GPU
 * @node: in vg_gpu.vgpus
 * @work: takes commands from its rings and answers them
 * @epoch: counts the times that a queue has been reset
 * @outstanding: the guest's commands from when they are taken until they are answered
 * @events: VIRTIO_GPU_EVENT_* that the guest has not cleared
 * @num_heads: entries in @head
 * @head: its heads
 * @resources: by the guest's ids; protected by vg_transport.lock
 * @num_resources: how many
 * @num_ranges: how many ranges are in their backings
 * @memory: how many bytes of the hardware's memory they take
 * The rest is protected by vg_gpu.lock:
 * @hw_resources: the resources that the hardware has
 * @waiting: commands that wait for their turn
 * @done: commands that have been executed
 * @ready_node: in vg_gpu.ready while @waiting is not empty
 * @pending: commands that have not been executed
 * @vtime: the hardware's time that it has had, divided by its weight
 * @cost: what a command takes, nanoseconds, a moving average
 * @strikes: times that the hardware has hung on it
 */
struct vg_vgpu {
	struct vg_transport t;
	struct mvgpu *vgpu;
	struct vg_gpu *gpu;
	struct list_head node;
	struct delayed_work work;
	u32 epoch[VG_NUM_QUEUES];
	unsigned int outstanding;
	atomic_t events;
	unsigned int num_heads;
	struct vg_head head[VG_MAX_HEADS];
	struct xarray resources;
	unsigned int num_resources;
	unsigned int num_ranges;
	u64 memory;
	struct list_head hw_resources;
	struct list_head waiting;
	struct list_head done;
	struct list_head ready_node;
	unsigned int pending;
	u64 vtime;
	u64 cost;
	unsigned int strikes;
};

/**
 * struct vg_gpu - a physical virtio-gpu
 * @vdev: its virtio device
 * @parent: the framework's view
 * @wq: where its vGPUs' work runs
 * @ids: its resources' ids
 * @num_scanouts: its heads
 * @scanout: what they prefer to show, as it last said
 * @vgpus_lock: see the lock order
 * @vgpus: the vGPUs carved from it; changes under @vgpus_lock, @recovery and @lock
 * @recovery: see the lock order
 * @hung: what is being recovered from is a hang
 * @own: who pays for commands of our own
 * @watchdog: notices that it doesn't answer
 * @config_work: asks it what has changed
 * @lock: protects the rest
 * @vq: its control and cursor queue, NULL while they are not there
 * @stopped: nothing is submitted: it is being restarted
 * @dead: it is gone for good: whatever is submitted fails
 * @urgent: commands of our own, which go first
 * @ready: vGPUs that have commands waiting
 * @running: commands that the hardware has, in the order of submission
 * @num_running: how many
 * @vtime: of the vGPU that was last served
 * @last_done: when it last finished a command
 * @idle: somebody waits for commands to be finished
 */
struct vg_gpu {
	struct virtio_device *vdev;
	struct mvgpu_parent *parent;
	struct workqueue_struct *wq;
	struct ida ids;
	unsigned int num_scanouts;
	struct virtio_gpu_rect scanout[VG_MAX_HEADS];
	struct mutex vgpus_lock;	/* see the lock order */
	struct list_head vgpus;
	struct mutex recovery;		/* see the lock order */
	bool hung;
	struct vg_vgpu own;
	struct delayed_work watchdog;
	struct work_struct config_work;
	spinlock_t lock;		/* see the lock order */
	struct virtqueue *vq[VG_NUM_QUEUES];
	bool stopped;
	bool dead;
	struct list_head urgent;
	struct list_head ready;
	struct list_head running;
	unsigned int num_running;
	u64 vtime;
	ktime_t last_done;
	wait_queue_head_t idle;
};

static inline struct vg_vgpu *to_vg_vgpu(struct vg_transport *t)
{
	return container_of(t, struct vg_vgpu, t);
}

/* gpu.c */
int vg_gpu_recover(struct vg_gpu *gpu);

/* vgpu.c */
extern struct mvgpu_driver vg_driver;
void vg_vgpu_account(struct vg_vgpu *v, struct vg_gpu *gpu);

/* sched.c */
struct vg_cmd *vg_cmd_alloc(struct vg_vgpu *v, u32 type, size_t req_len, size_t resp_len,
			    gfp_t gfp);
void vg_cmd_free(struct vg_cmd *cmd);
void vg_cmd_set_res(struct vg_cmd *cmd, struct vg_resource *res, enum vg_effect effect);
void vg_cmd_set_backing(struct vg_cmd *cmd, struct vg_backing *backing);
void vg_cmd_queue(struct vg_cmd *cmd);
void vg_cmd_urgent(struct vg_cmd *cmd);
void vg_sched_done(struct vg_gpu *gpu, unsigned int queue);
void vg_sched_stop(struct vg_gpu *gpu);
void vg_sched_requeue(struct vg_gpu *gpu, bool hung);
void vg_sched_restart(struct vg_gpu *gpu, struct list_head *replay);
void vg_sched_fail(struct vg_gpu *gpu);
int vg_sched_execute(struct vg_cmd *cmd);
void vg_sched_answered(struct vg_cmd *cmd);
void vg_sched_drop(struct vg_vgpu *v);
void vg_sched_wait(struct vg_vgpu *v);
struct vg_cmd *vg_sched_pop_done(struct vg_vgpu *v);
void vg_sched_unpop_done(struct vg_cmd *cmd);

/* command.c */
void vg_command_work(struct work_struct *work);
void vg_command_notify(struct vg_vgpu *v);

/* resource.c */
struct vg_resource *vg_resource_find(struct vg_vgpu *v, u32 id);
void vg_resource_get(struct vg_resource *res);
void vg_resource_put(struct vg_resource *res);
void vg_backing_get(struct vg_backing *backing);
void vg_backing_put(struct vg_backing *backing);
u32 vg_resource_create(struct vg_vgpu *v, const struct virtio_gpu_resource_create_2d *req,
		       struct vg_cmd **cmd);
u32 vg_resource_unref(struct vg_resource *res, struct vg_cmd **cmd);
u32 vg_resource_attach(struct vg_resource *res, struct mvgpu_range *range, unsigned int num,
		       struct vg_cmd **cmd);
u32 vg_resource_detach(struct vg_resource *res, struct vg_cmd **cmd);
u32 vg_resource_back_again(struct vg_resource *res);
bool vg_resource_lost(struct vg_resource *res);
void vg_resources_drop(struct vg_vgpu *v);
int vg_resources_replay(struct vg_vgpu *v, struct list_head *cmds);

/* display.c */
void vg_display_init(struct vg_vgpu *v);
void vg_display_info(struct vg_vgpu *v, struct virtio_gpu_resp_display_info *resp);
void vg_display_edid(struct vg_vgpu *v, unsigned int head, struct virtio_gpu_resp_edid *resp);
u32 vg_display_scanout(struct vg_vgpu *v, const struct virtio_gpu_set_scanout *req,
		       struct vg_cmd **cmd);
struct vg_cmd *vg_display_cursor(struct vg_vgpu *v, const struct virtio_gpu_update_cursor *req);
void vg_display_off(struct vg_vgpu *v);
int vg_display_replay(struct vg_vgpu *v, struct list_head *cmds);
void vg_display_changed(struct vg_vgpu *v);

#endif /* VG_GPU_H */
