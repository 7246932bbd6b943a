// SPDX-License-Identifier: MIT
/*
 * Owns the driver of a virtio-gpu vGPU: its registers and its queues. Virtio 1.2, sections
 * 2.7 and 4.1.
 */
#include <poll.h>

#include "gpu.h"

#define BAR1 VFIO_PCI_BAR1_REGION_INDEX
#define VECTORS (1 + QUEUES)
#define MSIX_ENTRY 16

static void find_areas(struct gpu *g)
{
	unsigned int pos = cfg_read(&g->f, PCI_CAPABILITY_LIST, 1), offset;

	for (; pos; pos = cfg_read(&g->f, pos + PCI_CAP_LIST_NEXT, 1)) {
		if (cfg_read(&g->f, pos, 1) != PCI_CAP_ID_VNDR)
			continue;
		offset = cfg_read(&g->f, pos + VIRTIO_PCI_CAP_OFFSET, 4);
		switch (cfg_read(&g->f, pos + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
		case VIRTIO_PCI_CAP_COMMON_CFG:
			EQ(cfg_read(&g->f, pos + VIRTIO_PCI_CAP_BAR, 1), 4);
			g->common = offset;
			break;
		case VIRTIO_PCI_CAP_DEVICE_CFG:
			g->device = offset;
			break;
		case VIRTIO_PCI_CAP_NOTIFY_CFG:
			g->notify = offset;
			g->notify_step = cfg_read(&g->f, pos + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
			break;
		}
	}
	OK(g->notify && g->device, "no virtio capabilities");
}

/* What a reset of the function undoes */
static void interrupts_on(struct gpu *g)
{
	unsigned int cap = find_cap(&g->f, PCI_CAP_ID_MSIX), i;

	memory_on(&g->f);
	cfg_write(&g->f, cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	for (i = 0; i < VECTORS; i++)
		reg_write(&g->f, BAR1, i * MSIX_ENTRY + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, 0);
}

/**
 * gpu_attach() - open one of the vGPUs that the command line names
 * @g: takes it
 * @env: the command line
 * @nr: the number of the vGPU
 *
 * Its driver is not started.
 */
void gpu_attach(struct gpu *g, const struct env *env, unsigned int nr)
{
	struct vgpu_iommu *iommu;
	unsigned int i;
	__u8 *p;

	*g = (struct gpu){ .f.env = env };
	iommu_open(env, &iommu);
	engine_attach(&g->f, iommu, nr);
	find_areas(g);
	g->arena = memory(ARENA_SIZE);
	map_iova(&g->f, IOVA, g->arena, ARENA_SIZE, RW);
	for (i = 0; i < QUEUES; i++) {
		p = g->arena + i * RING_BYTES;
		g->ring[i].iova = IOVA + i * RING_BYTES;
		g->ring[i].desc = (void *)p;
		g->ring[i].avail = (void *)(p + PAGE);
		g->ring[i].used = (void *)(p + 2 * PAGE);
		g->ring[i].slots = p + 4 * PAGE;
		g->ring[i].fd = -1;
	}
}

void gpu_open(struct gpu *g, const struct env *env, unsigned int nr)
{
	gpu_attach(g, env, nr);
	gpu_start(g);
}

void gpu_close(struct gpu *g)
{
	fixture_close(&g->f);
	munmap(g->arena, ARENA_SIZE);
}

__u64 common_read(struct gpu *g, unsigned int reg, unsigned int width)
{
	return reg_read(&g->f, BAR4, g->common + reg, width);
}

void common_write(struct gpu *g, unsigned int reg, unsigned int width, __u64 value)
{
	reg_write(&g->f, BAR4, g->common + reg, width, value);
}

void set_status(struct gpu *g, __u8 add)
{
	common_write(g, VIRTIO_PCI_COMMON_STATUS, 1,
		     common_read(g, VIRTIO_PCI_COMMON_STATUS, 1) | add);
}

void gpu_reset(struct gpu *g)
{
	common_write(g, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	EQ(common_read(g, VIRTIO_PCI_COMMON_STATUS, 1), 0);
}

/*
 * Neither event index, which some tests would have to get right, nor what we don't know. What a
 * test wants besides has to be offered.
 */
void set_features(struct gpu *g)
{
	const __u64 wanted = g->also | 1ULL << VIRTIO_F_VERSION_1 |
				    1ULL << VIRTIO_F_ACCESS_PLATFORM |
				    1ULL << VIRTIO_RING_F_INDIRECT_DESC |
				    1ULL << VIRTIO_F_RING_RESET | 1ULL << VIRTIO_GPU_F_EDID;
	unsigned int i;
	__u32 offered;

	for (i = 0; i < 2; i++) {
		common_write(g, VIRTIO_PCI_COMMON_DFSELECT, 4, i);
		offered = common_read(g, VIRTIO_PCI_COMMON_DF, 4);
		HEX(~offered & (__u32)(g->also >> 32 * i), 0);
		common_write(g, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		common_write(g, VIRTIO_PCI_COMMON_GF, 4, offered & (wanted >> 32 * i));
	}
	set_status(g, VIRTIO_CONFIG_S_FEATURES_OK);
	OK(common_read(g, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_FEATURES_OK,
	   "the features are refused");
}

static void write64(struct gpu *g, unsigned int reg, __u64 value)
{
	common_write(g, reg, 4, (__u32)value);
	common_write(g, reg + 4, 4, value >> 32);
}

/**
 * place_queue() - tell the device where a queue is, and enable it
 * @g: the vGPU
 * @q: the queue
 * @desc: where its descriptors are
 * @avail: its available ring
 * @used: its used ring
 */
void place_queue(struct gpu *g, unsigned int q, __u64 desc, __u64 avail, __u64 used)
{
	common_write(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	write64(g, VIRTIO_PCI_COMMON_Q_DESCLO, desc);
	write64(g, VIRTIO_PCI_COMMON_Q_AVAILLO, avail);
	write64(g, VIRTIO_PCI_COMMON_Q_USEDLO, used);
	common_write(g, VIRTIO_PCI_COMMON_Q_MSIX, 2, 1 + q);
	common_write(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

void set_queue(struct gpu *g, unsigned int q)
{
	struct ring *r = &g->ring[q];

	memset(r->desc, 0, 4 * PAGE);
	r->sent = 0;
	r->seen = 0;
	place_queue(g, q, r->iova, r->iova + PAGE, r->iova + 2 * PAGE);
}

/* Everything before DRIVER_OK, but the queues */
void gpu_init(struct gpu *g)
{
	struct vgpu_error err;
	int fds[VECTORS];
	unsigned int i;

	interrupts_on(g);
	if (g->ring[0].fd < 0) {
		arm(&g->f, MSIX, 0, VECTORS, fds);
	} else {
		for (i = 0; i < QUEUES; i++)
			fds[1 + i] = g->ring[i].fd;
		fds[0] = -1;
		DID(vgpu_irq_eventfd(g->f.dev, MSIX, TRIGGER, 0, VECTORS, fds, &err), &err);
	}
	for (i = 0; i < QUEUES; i++)
		g->ring[i].fd = fds[1 + i];
	gpu_reset(g);
	set_status(g, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	set_status(g, VIRTIO_CONFIG_S_DRIVER);
	set_features(g);
}

/**
 * gpu_start() - bring the vGPU from whatever state to one that takes commands
 * @g: the vGPU
 */
void gpu_start(struct gpu *g)
{
	unsigned int i;

	gpu_init(g);
	for (i = 0; i < QUEUES; i++)
		set_queue(g, i);
	set_status(g, VIRTIO_CONFIG_S_DRIVER_OK);
}

bool broken(struct gpu *g)
{
	return common_read(g, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

void expect_broken(const char *file, int line, struct gpu *g, const char *what)
{
	double end = seconds_now() + ANSWER_SECONDS;

	while (!broken(g)) {
		if (seconds_now() > end)
			fail(file, line, "%s: the device doesn't ask to be reset", what);
		usleep(2000);
	}
	gpu_start(g);
}

/* -------- queues -------- */

void describe(struct gpu *g, unsigned int q, unsigned int i, __u64 addr, __u32 len, __u16 flags,
	      __u16 next)
{
	g->ring[q].desc[i] = (struct vring_desc){ addr, len, flags, next };
}

void ring_bell(struct gpu *g, unsigned int q)
{
	reg_write(&g->f, BAR4, g->notify + q * g->notify_step, 2, q);
}

/* Make a chain available, without a word about it */
static void put(struct ring *r, __u16 head)
{
	r->avail->ring[r->sent % RING_SIZE] = head;
	__atomic_store_n(&r->avail->idx, ++r->sent, __ATOMIC_RELEASE);
}

/**
 * offer() - make a chain available
 * @g: the vGPU
 * @q: the queue
 * @head: its first descriptor
 */
void offer(struct gpu *g, unsigned int q, __u16 head)
{
	put(&g->ring[q], head);
	ring_bell(g, q);
}

/**
 * send() - make a command available
 * @g: the vGPU
 * @q: the queue
 * @req: the command
 * @len: bytes of it
 * @resp_len: room for the answer
 *
 * Return: the slot that it takes until it is answered.
 */
unsigned int send(struct gpu *g, unsigned int q, const void *req, size_t len, size_t resp_len)
{
	struct ring *r = &g->ring[q];
	unsigned int slot = r->sent % SLOTS;
	__u64 iova = r->iova + 4 * PAGE + slot * SLOT_SIZE;

	OK(len <= REQ_SIZE && resp_len <= RESP_SIZE, "a slot is too small");
	memcpy(r->slots + slot * SLOT_SIZE, req, len);
	memset(r->slots + slot * SLOT_SIZE + REQ_SIZE, 0xee, RESP_SIZE);
	describe(g, q, 2 * slot, iova, len, resp_len ? VRING_DESC_F_NEXT : 0, 2 * slot + 1);
	describe(g, q, 2 * slot + 1, iova + REQ_SIZE, resp_len, VRING_DESC_F_WRITE, 0);
	put(r, 2 * slot);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY))
		ring_bell(g, q);
	return slot;
}

/**
 * answered() - take an entry of the used ring
 * @g: the vGPU
 * @q: the queue
 * @seconds: how long to wait for one
 * @used: takes the entry
 *
 * Return: whether there was one.
 */
bool answered(struct gpu *g, unsigned int q, double seconds, struct vring_used_elem *used)
{
	double end = seconds_now() + seconds;
	struct ring *r = &g->ring[q];

	while (__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) == r->seen) {
		if (seconds_now() >= end)
			return false;
		/* the interrupt is why we wake up, and not what we rely on */
		ev_wait(r->fd, 100);
		ev_take(r->fd);
	}
	*used = r->used->ring[r->seen++ % RING_SIZE];
	return true;
}

const struct virtio_gpu_ctrl_hdr *slot_answer(struct gpu *g, unsigned int q, unsigned int slot)
{
	return (const void *)(g->ring[q].slots + slot * SLOT_SIZE + REQ_SIZE);
}

/**
 * ask_len() - let the device execute a command, and wait
 * @g: the vGPU
 * @req: the command
 * @len: bytes of it
 * @resp_len: room for the answer
 * @used_len: takes how much of that was used
 *
 * Return: VIRTIO_GPU_RESP_*, as far as there is room for it.
 */
__u32 ask_len(struct gpu *g, const void *req, size_t len, size_t resp_len, __u32 *used_len)
{
	unsigned int slot = send(g, CONTROL, req, len, resp_len);
	struct vring_used_elem used;

	OK(answered(g, CONTROL, ANSWER_SECONDS, &used), "no answer to command 0x%x, status 0x%llx",
	   len >= 4 ? *(const __u32 *)req : 0, common_read(g, VIRTIO_PCI_COMMON_STATUS, 1));
	EQ(used.id, 2 * slot);
	*used_len = used.len;
	return slot_answer(g, CONTROL, slot)->type;
}

__u32 ask(struct gpu *g, const void *req, size_t len)
{
	__u32 used;

	return ask_len(g, req, len, RESP_SIZE, &used);
}

static bool is_error(__u32 answer)
{
	return answer >= VIRTIO_GPU_RESP_ERR_UNSPEC &&
	       answer <= VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

void expect_answer(const char *file, int line, struct gpu *g, const char *what, const void *req,
		   size_t len, __u32 want)
{
	__u32 got = ask(g, req, len);
	bool ok = got >= VIRTIO_GPU_RESP_OK_NODATA && got <= VIRTIO_GPU_RESP_OK_EDID;

	if (want == ANY_ERROR ? is_error(got) : want == ANY_ANSWER ? ok || is_error(got) :
								      got == want)
		return;
	fail(file, line, "%s: answer 0x%x, expected 0x%x", what, got, want);
}
