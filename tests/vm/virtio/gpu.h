/* SPDX-License-Identifier: MIT */
/*
 * What the tests of virtio-test share: a driver of a virtio-gpu vGPU that does what it is
 * told, right or wrong.
 */
#ifndef GPU_H
#define GPU_H

#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "../dma/engine.h"

enum { CONTROL, CURSOR, QUEUES };

#define RING_SIZE 256
/* A slot is a request and its response; it has two descriptors of the ring. */
#define SLOTS (RING_SIZE / 2)
#define REQ_SIZE 512
#define RESP_SIZE 1536
#define SLOT_SIZE (REQ_SIZE + RESP_SIZE)

/* What the driver itself keeps in guest memory, from IOVA on, and room for the tests */
#define RING_BYTES (4 * PAGE + SLOTS * SLOT_SIZE)
#define ROOM (QUEUES * RING_BYTES)
#define ROOM_SIZE (512 * 1024UL)
#define ARENA_SIZE (ROOM + ROOM_SIZE)

/* Where tests have the memory behind resources, and where nobody has any */
#define BACKING 0x40000000ULL
#define NOWHERE 0x7000000000ULL

#define ANSWER_SECONDS 30

/**
 * struct ring - a virtqueue, the driver's side
 * @desc: the descriptor table
 * @avail: the available ring
 * @used: the used ring
 * @iova: where @desc is for the device; @avail, @used and @slots follow, a page or more each
 * @slots: requests and responses
 * @sent: chains that were made available, ever
 * @seen: used entries that were looked at, ever
 * @fd: the eventfd of its interrupt
 */
struct ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	__u64 iova;
	__u8 *slots;
	__u16 sent;
	__u16 seen;
	int fd;
};

/**
 * struct gpu - an open vGPU
 * @f: the vGPU
 * @arena: the driver's memory, at IOVA
 * @common: where in BAR4 the common configuration is
 * @device: and the device's own
 * @notify: and the doorbells
 * @notify_step: bytes from one doorbell to the next
 * @also: features that are accepted besides those of every test
 * @ring: its virtqueues
 */
struct gpu {
	struct fixture f;
	__u8 *arena;
	__u32 common;
	__u32 device;
	__u32 notify;
	__u32 notify_step;
	__u64 also;
	struct ring ring[QUEUES];
};

/* -------- the device -------- */
void gpu_attach(struct gpu *g, const struct env *env, unsigned int nr);
void gpu_open(struct gpu *g, const struct env *env, unsigned int nr);
void gpu_close(struct gpu *g);
void gpu_init(struct gpu *g);
void gpu_start(struct gpu *g);
void gpu_reset(struct gpu *g);
__u64 common_read(struct gpu *g, unsigned int reg, unsigned int width);
void common_write(struct gpu *g, unsigned int reg, unsigned int width, __u64 value);
void set_status(struct gpu *g, __u8 add);
void set_features(struct gpu *g);
void place_queue(struct gpu *g, unsigned int q, __u64 desc, __u64 avail, __u64 used);
void set_queue(struct gpu *g, unsigned int q);
bool broken(struct gpu *g);
void expect_broken(const char *file, int line, struct gpu *g, const char *what);

#define BREAKS(g, what) expect_broken(__FILE__, __LINE__, g, what)

/* -------- its queues -------- */
void describe(struct gpu *g, unsigned int q, unsigned int i, __u64 addr, __u32 len, __u16 flags,
	      __u16 next);
void offer(struct gpu *g, unsigned int q, __u16 head);
void ring_bell(struct gpu *g, unsigned int q);
unsigned int send(struct gpu *g, unsigned int q, const void *req, size_t len, size_t resp_len);
bool answered(struct gpu *g, unsigned int q, double seconds, struct vring_used_elem *used);
const struct virtio_gpu_ctrl_hdr *slot_answer(struct gpu *g, unsigned int q, unsigned int slot);
__u32 ask_len(struct gpu *g, const void *req, size_t len, size_t resp_len, __u32 *used_len);
__u32 ask(struct gpu *g, const void *req, size_t len);
void expect_answer(const char *file, int line, struct gpu *g, const char *what, const void *req,
		   size_t len, __u32 want);

/* An answer that is exactly this, or one of the specification's errors */
#define ANY_ERROR 0xe0e0e0e0
/* An answer, whichever */
#define ANY_ANSWER 0xa0a0a0a0

#define ANSWERS(g, what, req, want) \
	expect_answer(__FILE__, __LINE__, g, what, &(req), sizeof(req), want)

/* -------- commands -------- */
struct virtio_gpu_resource_create_2d create_req(__u32 id, __u32 width, __u32 height);
struct virtio_gpu_transfer_to_host_2d transfer_req(__u32 id, __u32 width, __u32 height);
struct virtio_gpu_resource_flush flush_req(__u32 id, __u32 width, __u32 height);
struct virtio_gpu_set_scanout scanout_req(__u32 scanout, __u32 id, __u32 width, __u32 height);
struct virtio_gpu_resource_unref unref_req(__u32 id);
struct virtio_gpu_resource_detach_backing detach_req(__u32 id);
struct virtio_gpu_update_cursor cursor_req(__u32 type, __u32 scanout, __u32 id);

/**
 * struct attach_one - VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING with one entry
 * @req: the command
 * @entry: the entry
 */
struct attach_one {
	struct virtio_gpu_resource_attach_backing req;
	struct virtio_gpu_mem_entry entry;
};

/**
 * struct blob_one - VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB of guest memory, with one entry
 * @req: the command
 * @entry: the entry
 */
struct blob_one {
	struct virtio_gpu_resource_create_blob req;
	struct virtio_gpu_mem_entry entry;
};

struct attach_one attach_req(__u32 id, __u64 addr, __u32 len);
struct blob_one blob_req(__u32 id, __u64 addr, __u32 len);
struct virtio_gpu_set_scanout_blob blob_scanout_req(__u32 id, __u32 edge);
void make_picture(struct gpu *g, __u32 id, __u32 width, __u32 height, __u64 iova);
void *map_backing(struct gpu *g, size_t size);
unsigned int heads(struct gpu *g);
void in_order(struct gpu *g);

/* -------- the neighbour, who must not notice -------- */
void neighbour_open(struct gpu *g, const struct env *env);
void neighbour_works(struct gpu *g);

#define NEIGHBOUR_ID 77

/**
 * struct bench - the vGPU under test, and its neighbour
 * @g: the vGPU
 * @backing: what a test may map as its guest memory
 * @other: the neighbour
 */
struct bench {
	struct gpu g;
	void *backing;
	struct gpu other;
};

struct gpu *bench_attach(struct fixture *f, struct bench *b);
void bench_close(struct bench *b);

/* -------- modes that are no tests -------- */
int flood(const struct env *env);
int leisure(const struct env *env);
int transfer_singly(const struct env *env);
int hold_picture(const struct env *env);
int lose_picture(const struct env *env);
int lose_blob(const struct env *env);

extern const struct group group_command;
extern const struct group group_ring;
extern const struct group group_reset;
extern const struct group group_memory;
extern const struct group group_plane;
extern const struct group group_blob;
extern const struct group group_silent;

#endif
