/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gpu.h - mvgpu-virtio: one physical virtio-gpu, shared by vGPUs that are virtio-gpus
 *
 * A guest's command is taken from its ring, checked and translated (command.c), waits for
 * its turn (sched.c), and goes to the physical control or cursor queue (gpu.c). When the
 * hardware has executed it, the vGPU's work item answers the guest. All that the hardware
 * is ever told are ids of our own and addresses from mvgpu_map() (resource.c).
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
 *				hardware has been told; taken in any context
 */
#ifndef VG_GPU_H
#define VG_GPU_H

#include <linux/completion.h>
#include <linux/idr.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_gpu.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "mvgpu.h"
#include "transport.h"

#define VG_MAX_HEADS		VIRTIO_GPU_MAX_SCANOUTS
#define VG_DEPTH		4	/* commands that the hardware has at once */
#define VG_BYTES		SZ_16M	/* and no more if it has so much to read */
#define VG_MAX_ENTRIES		16384	/* of a backing, as QEMU has it */
#define VG_MAX_EDGE		16384	/* of a picture: the VMM walks the entries for each row */
/* Quotas of a vGPU, beside its type's memory */
#define VG_MAX_RESOURCES	16384
#define VG_MAX_RANGES		(4 * VG_MAX_ENTRIES)	/* or 2 MiB, or pieces for the hardware */
#define VG_MAX_COMMANDS		64	/* of a queue, taken and not answered */
#define VG_MAX_STRIKES		3	/* times that the hardware may hang on it, each within */
#define VG_FORGIVEN		(600ll * NSEC_PER_SEC)	/* of the one before */

/* What the hardware knows of a backing */
enum vg_backing_state {
	VG_BACKING_NEW,		/* nothing, or it has been reset since */
	VG_BACKING_ON,		/* it has been told to attach it */
	VG_BACKING_LEAVING,	/* it has been told to let go, and has not answered */
	VG_BACKING_OFF,		/* it has let go */
};

/*
 * Guest memory behind a resource. Its resource holds a reference, commands about it, and
 * the hardware while it has it; the last one is given back where it is safe to sleep.
 */
struct vg_backing {
	struct kref ref;
	struct vg_resource *res;	/* outlives it */
	struct mvgpu_range *range;	/* the memory as the guest named it */
	unsigned int num;
	u64 len;			/* bytes */
	u32 cost;			/* of VG_MAX_RANGES, by what the host keeps for it */
	bool may_point;			/* few and whole pages, where QEMU 7.2 sees a cursor */
	struct mvgpu_mapping *mapping;	/* and where the hardware finds it */
	enum vg_backing_state state;	/* vg_gpu.lock */
	bool revoked;			/* vg_gpu.lock: the memory goes away or is gone */
	struct completion off;		/* VG_BACKING_OFF */
	struct vg_cmd *detach;		/* for the revoke callback, which can't fail */
};

/*
 * A picture in the hardware's memory, or a blob: guest memory that the hardware reads as it
 * is. The guest holds a reference, commands about it, and the hardware while it has it; a
 * blob counts as the hardware's while its backing is away, for what it has been told of it.
 */
struct vg_resource {
	struct kref ref;
	struct vg_vgpu *v;
	u32 id;				/* as the guest knows it */
	u32 hw_id;			/* as the hardware knows it */
	union {				/* how it is created, but for a blob's backing */
		struct virtio_gpu_resource_create_2d picture;
		struct virtio_gpu_resource_create_blob blob;
	};
	bool is_blob;
	bool may_point;			/* it can be a cursor, whatever backing it will have */
	u64 size;			/* bytes of the hardware's memory */
	struct vg_backing *backing;	/* vg_transport.lock: what the guest has attached */
	u32 came_back;			/* vg_transport.lock: counts revoked memory's returns */
	struct vg_backing *hw_backing;	/* vg_gpu.lock: what the hardware was last given */
	struct list_head hw_node;	/* vg_gpu.lock: vg_vgpu.hw_resources */
};

/* What a command changes of what the hardware knows, for it to be told again */
enum vg_effect {
	VG_NO_EFFECT, VG_CREATES, VG_UNREFS, VG_ATTACHES, VG_DETACHES, VG_SCANS_OUT, VG_CURSOR,
	VG_LOCAL,	/* it needs no hardware */
};

/* A command for the hardware */
struct vg_cmd {
	struct list_head node;		/* in one of the lists of vg_gpu and vg_vgpu */
	struct vg_vgpu *v;		/* who pays for it */
	u8 queue;			/* VG_CONTROLQ or VG_CURSORQ */
	u8 head;			/* of the vGPU, for VG_SCANS_OUT and VG_CURSOR */
	enum vg_effect effect;
	bool guest;			/* the guest waits for the answer */
	bool urgent;			/* it goes before all that waits */
	bool replay;			/* it tells restarted hardware what that knew */
	bool retried;			/* its memory had gone away */
	u32 came_back;			/* vg_resource.came_back when it was taken */
	struct vg_chain chain;		/* the guest's buffers */
	struct virtio_gpu_ctrl_hdr hdr;	/* as the guest sent it, with its fence or none */
	u32 epoch;			/* vg_queue.epoch when it was taken */
	u32 seq;			/* its place among its queue's answers */
	struct vg_resource *res;	/* what it is about, or NULL */
	struct vg_backing *backing;
	u64 bytes;			/* guest memory that the hardware reads for it */
	ktime_t submitted;
	u64 charged;			/* vtime that has been paid in advance */
	struct completion *waiter;	/* who waits for it and then frees it, or NULL */
	u32 req_len, resp_len;
	void *req;			/* what the hardware reads, kvmalloced */
	struct virtio_gpu_ctrl_hdr *resp;	/* what it answers, behind this */
	struct scatterlist sg[];	/* where @req is */
};

/* A head of a vGPU. What it shows is protected by vg_gpu.lock. Scanouts are blobs' or not. */
struct vg_head {
	struct virtio_gpu_set_scanout_blob asked;	/* vg_transport.lock: the last one */
	struct vg_resource *asked_res;	/* the resource in that, NULL if it has been given back */
	struct virtio_gpu_set_scanout_blob scanout;	/* the last one executed */
	struct vg_resource *res;	/* what it shows, or NULL */
	struct virtio_gpu_update_cursor cursor;	/* the last one, its position kept up */
	struct vg_resource *cursor_res;	/* what the cursor was copied from, NULL if it has gone */
	bool cursor_on;			/* it is shown, with or without that */
};

/* A vGPU */
struct vg_vgpu {
	struct vg_transport t;		/* first, see vg_transport_init() */
	struct mvgpu *vgpu;		/* NULL for vg_gpu.own */
	struct vg_gpu *gpu;
	struct list_head node;		/* vg_gpu.vgpus */
	struct delayed_work work;	/* answers the guest and takes its commands */
	atomic_t events;		/* VIRTIO_GPU_EVENT_* that the guest has not cleared */
	unsigned int num_heads;
	struct vg_head head[VG_MAX_HEADS];
	struct virtio_gpu_display_one mode[VG_MAX_HEADS];	/* vg_transport.lock: preferred */
	/* vg_transport.lock */
	u32 taken[VG_NUM_QUEUES];	/* commands, ever */
	u32 answered[VG_NUM_QUEUES];	/* of these */
	struct xarray resources;	/* by the guest's ids */
	unsigned int num_resources;
	unsigned int num_ranges;	/* that their backings cost */
	u64 memory;			/* bytes of the hardware's */
	/* vg_gpu.lock */
	struct list_head hw_resources;	/* those that the hardware has */
	struct list_head waiting;	/* commands that wait for their turn */
	struct list_head done;		/* commands that have been executed */
	struct list_head ready_node;	/* vg_gpu.ready, while any waits */
	unsigned int pending;		/* commands that have not been executed */
	u64 vtime;			/* hardware time that it has had, over its weight */
	u64 cost;			/* ns that its commands take, a moving average */
	unsigned int strikes;		/* times that the hardware has hung on it */
	ktime_t struck;			/* when the last one was */
};

/* A physical virtio-gpu */
struct vg_gpu {
	struct virtio_device *vdev;
	struct mvgpu_parent *parent;
	struct workqueue_struct *wq;	/* where its vGPUs' work runs */
	struct ida ids;			/* its resources' */
	unsigned int num_scanouts;
	struct virtio_gpu_rect scanout[VG_MAX_HEADS];	/* their modes, as it last said */
	u32 had_mode;			/* heads that it has ever said one of, a bit each */
	struct mvgpu_monitor monitor[VG_MAX_HEADS];	/* lock: what shows them */
	u32 new_edids;			/* of these, that vGPUs are to be told of, a bit each */
	struct mutex vgpus_lock;	/* see the lock order */
	struct list_head vgpus;		/* vgpus_lock, recovery and lock */
	struct mutex recovery;		/* see the lock order */
	unsigned int recoveries;	/* how many there have been */
	bool recovering;		/* it may have hung; not so if the host is suspended */
	bool leaving;			/* its driver is being unbound */
	struct vg_vgpu own;		/* who pays for commands of our own */
	struct delayed_work watchdog;	/* notices that it doesn't answer */
	struct work_struct config_work;	/* asks it what has changed */
	atomic_t stale;			/* something may have without its saying so */
	spinlock_t lock;		/* see the lock order */
	struct virtqueue *vq[VG_NUM_QUEUES];	/* NULL while it has none */
	bool stopped;			/* nothing is submitted: it is being restarted */
	bool dead;			/* it is gone for good: what is submitted fails */
	struct list_head urgent;	/* commands that go first */
	struct list_head ready;		/* vGPUs that have commands waiting */
	struct list_head running;	/* commands that it has, by age */
	unsigned int num_running;
	u64 running_bytes;		/* guest memory that it reads for these */
	ktime_t oldest_since;		/* when the first of these became the first */
	ktime_t last_done;		/* when it last finished a command */
	unsigned int silent;		/* times that it has hung since */
	u64 fences;			/* the last that it has been given */
	u64 vtime;			/* of the vGPU that was last served */
	wait_queue_head_t idle;		/* for vg_vgpu.pending to be 0 */
};

static inline struct vg_vgpu *to_vg_vgpu(struct vg_transport *t)
{
	return container_of(t, struct vg_vgpu, t);
}

/* Nothing more is done for whoever makes the hardware hang */
static inline bool vg_vgpu_banned(const struct vg_vgpu *v)
{
	return READ_ONCE(v->strikes) >= VG_MAX_STRIKES &&
	       ktime_sub(ktime_get(), READ_ONCE(v->struck)) < VG_FORGIVEN;
}

static inline bool vg_cmd_failed(const struct vg_cmd *cmd)
{
	return cmd->resp_len && le32_to_cpu(cmd->resp->type) >= VIRTIO_GPU_RESP_ERR_UNSPEC;
}

/* gpu.c */
int vg_gpu_recover(struct vg_gpu *gpu);

/* vgpu.c */
extern struct mvgpu_driver vg_driver;
void vg_vgpu_account(struct vg_vgpu *v, struct vg_gpu *gpu);

/* sched.c */
struct vg_cmd *vg_cmd_alloc(struct vg_vgpu *v, u32 type, size_t req_len, size_t resp_len,
			    gfp_t gfp);
struct vg_cmd *vg_cmd_new(struct vg_vgpu *v, const void *req, size_t len,
			  struct vg_resource *res, enum vg_effect effect, gfp_t gfp);
int vg_cmd_list(struct list_head *cmds, struct vg_cmd *cmd);
void vg_cmd_free(struct vg_cmd *cmd);
void vg_cmd_set_res(struct vg_cmd *cmd, struct vg_resource *res, enum vg_effect effect);
void vg_cmd_queue(struct vg_cmd *cmd);
int vg_cmd_execute(struct vg_cmd *cmd);
struct vg_cmd *vg_cmd_pop_done(struct vg_vgpu *v);
void vg_cmd_unpop_done(struct vg_cmd *cmd);
void vg_sched_interrupt(struct vg_gpu *gpu, unsigned int queue);
struct vg_cmd *vg_sched_stop(struct vg_gpu *gpu, unsigned long limit);
void vg_sched_requeue(struct vg_gpu *gpu, const struct vg_cmd *hung);
void vg_sched_restart(struct vg_gpu *gpu, struct list_head *replay);
void vg_sched_fail(struct vg_gpu *gpu);
void vg_sched_wait(struct vg_vgpu *v, bool drop);

/* command.c */
void vg_command_work(struct work_struct *work);
void vg_command_notify(struct vg_transport *t, unsigned int queue);

/* resource.c */
struct vg_resource *vg_resource_find(struct vg_vgpu *v, u32 id);
u32 vg_resource_use(struct vg_vgpu *v, u32 id, __le32 type, struct vg_resource **res);
void vg_resource_put(struct vg_resource *res);
struct vg_backing *vg_backing_get(struct vg_backing *backing);
void vg_backing_put(struct vg_backing *backing);
u32 vg_resource_create(struct vg_vgpu *v, const struct virtio_gpu_resource_create_2d *req,
		       struct vg_cmd **cmd);
u32 vg_resource_create_blob(struct vg_vgpu *v, const struct virtio_gpu_resource_create_blob *req,
			    struct mvgpu_range *range, struct vg_cmd **cmd);
u32 vg_resource_attach(struct vg_resource *res, struct mvgpu_range *range, unsigned int num,
		       struct vg_cmd **cmd);
u32 vg_resource_let_go(struct vg_resource *res, u32 type, struct vg_cmd **cmd);
u32 vg_resource_back_again(struct vg_resource *res);
bool vg_resource_misses(struct vg_resource *res, __le32 type);
void vg_resources_drop(struct vg_vgpu *v);
int vg_resources_replay(struct vg_vgpu *v, struct list_head *cmds);

/* display.c */
void vg_display_changed(struct vg_vgpu *v);
bool vg_display_within(const struct virtio_gpu_rect *r, __le32 width, __le32 height);
void vg_display_edid(struct vg_vgpu *v, u32 n, struct virtio_gpu_resp_edid *resp);
u32 vg_display_scanout(struct vg_vgpu *v, struct virtio_gpu_set_scanout_blob *req,
		       struct vg_cmd **cmd);
void vg_display_again(struct vg_resource *res);
struct vg_cmd *vg_display_cursor(struct vg_vgpu *v, struct virtio_gpu_update_cursor *req);
void vg_display_off(struct vg_vgpu *v);
u32 vg_display_fourcc(u32 format);
int vg_display_picture(struct mvgpu *vgpu, struct mvgpu_scanout *so);
int vg_display_replay(struct vg_vgpu *v, struct list_head *cmds);

#endif /* VG_GPU_H */
