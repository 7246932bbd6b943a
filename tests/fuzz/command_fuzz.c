// SPDX-License-Identifier: MIT
/*
 * command_fuzz.c - a vGPU's driver, the physical virtio-gpu and the VMM as the input has
 * them: commands, answers, memory that goes and comes, resets and restarts
 */
#include "virtio_vgpu.h"
#include "fuzz.h"

#define NUM_REGIONS	4		/* of memory for backings, beside what fuzz.h has */
#define REGION_PAGES	16
#define REGION(i)	(0x100000ull + 0x20000 * (i))
#define MAX_ENTRIES	4		/* of a backing */

static bool there[NUM_REGIONS];

enum {
	COMMAND, NOTIFY_QUEUE, RUN, UNMAP, MAP, DRIVE, RESET, RESTART, MEMORY, TIME, QUEUE_RESET,
	CONFIG, MODES, FAIL_ALLOC, FAIL_ADD, AT_ONCE, FAIL, UNPLUG,
	NUM_STEPS
};

/* What the hardware does while somebody waits for it; TAKES_NONE: until the watchdog comes */
enum { ANSWERS, IS_RESTARTED, HANGS, FAILS, TAKES_NONE };

/* 1 byte a part: region, first page and odd bytes; how long it is */
static u32 fill_entries(struct fuzz_input *in, struct virtio_gpu_mem_entry *entry, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u8 where = fuzz_int(in, 1), len = fuzz_int(in, 1);

		entry[i].addr = REGION(where & 3) + ((where >> 2 & 15) << PAGE_SHIFT) +
				(where >> 6) * 40;
		entry[i].length = len * 256;
		entry[i].padding = 0;
	}
	return n * sizeof(*entry);
}

/*
 * 1 byte says which command and whether it has a fence, 1 which resource, and more may
 * follow. Each is what a driver would send, but for numbers.
 */
static void command(struct fuzz_input *in)
{
	static const u32 types[] = {
		VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, VIRTIO_GPU_CMD_SET_SCANOUT,
		VIRTIO_GPU_CMD_RESOURCE_FLUSH, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
		VIRTIO_GPU_CMD_RESOURCE_UNREF, VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
		VIRTIO_GPU_CMD_GET_EDID, VIRTIO_GPU_CMD_UPDATE_CURSOR,
		VIRTIO_GPU_CMD_MOVE_CURSOR, VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
		VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		VIRTIO_GPU_CMD_GET_CAPSET,
	};
	u8 what = fuzz_int(in, 1), id = fuzz_int(in, 1);
	u32 type = types[(what & 31) % ARRAY_SIZE(types)], len = 64;
	bool cursor = type >= VIRTIO_GPU_CMD_UPDATE_CURSOR;
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_resource_create_2d create;
		struct {
			struct virtio_gpu_resource_attach_backing req;
			struct virtio_gpu_mem_entry entry[MAX_ENTRIES];
		} attach;
		struct {
			struct virtio_gpu_resource_create_blob req;
			struct virtio_gpu_mem_entry entry[MAX_ENTRIES];
		} blob;
		struct virtio_gpu_set_scanout_blob scanout_blob;
		struct virtio_gpu_transfer_to_host_2d transfer;
		struct virtio_gpu_set_scanout scanout;
		struct virtio_gpu_cmd_get_edid edid;
		struct virtio_gpu_update_cursor cursor;
		struct virtio_gpu_resource_unref unref;
		u8 bytes[160];
	} req = {};

	req.hdr.type = type;
	req.hdr.flags = what >> 5;
	req.hdr.fence_id = what;
	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		req.create.resource_id = id;
		req.create.format = fuzz_int(in, 1) ?: VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
		req.create.width = 64 + fuzz_int(in, 2);
		req.create.height = 64;
		break;
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		req.attach.req.resource_id = id;
		req.attach.req.nr_entries = 1 + fuzz_int(in, 1) % MAX_ENTRIES;
		len = sizeof(req.attach.req) +
		      fill_entries(in, req.attach.entry, req.attach.req.nr_entries);
		break;
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
		req.blob.req.resource_id = id;
		req.blob.req.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST;
		req.blob.req.blob_flags = what >> 5;
		req.blob.req.size = 64 * fuzz_int(in, 1);
		req.blob.req.nr_entries = 1 + fuzz_int(in, 1) % MAX_ENTRIES;
		len = sizeof(req.blob.req) +
		      fill_entries(in, req.blob.entry, req.blob.req.nr_entries);
		break;
	case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
		len = sizeof(req.scanout_blob);
		req.scanout_blob.resource_id = id;
		req.scanout_blob.scanout_id = fuzz_int(in, 1);
		req.scanout_blob.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
		req.scanout_blob.width = fuzz_int(in, 4);
		req.scanout_blob.height = fuzz_int(in, 4);
		req.scanout_blob.strides[0] = fuzz_int(in, 4);
		req.scanout_blob.offsets[0] = fuzz_int(in, 4);
		req.scanout_blob.r.width = req.scanout_blob.width;
		req.scanout_blob.r.height = req.scanout_blob.height;
		break;
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		req.transfer.resource_id = id;
		req.transfer.offset = fuzz_int(in, 2);
		req.transfer.r.width = 64;
		req.transfer.r.height = fuzz_int(in, 1);
		break;
	case VIRTIO_GPU_CMD_SET_SCANOUT:
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		req.scanout.r.width = 64;
		req.scanout.r.height = 64;
		req.scanout.scanout_id = type == VIRTIO_GPU_CMD_SET_SCANOUT ? fuzz_int(in, 1) : id;
		req.scanout.resource_id = id;
		break;
	case VIRTIO_GPU_CMD_GET_EDID:
		req.edid.scanout = id;
		break;
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
	case VIRTIO_GPU_CMD_MOVE_CURSOR:
		req.cursor.resource_id = id;
		req.cursor.pos.scanout_id = fuzz_int(in, 1);
		break;
	default:
		req.unref.resource_id = id;
	}
	if (!fuzz_gone)
		guest_cmd(cursor ? VG_CURSORQ : VG_CONTROLQ, &req, len, cursor ? 0 : 0x200);
}

/* Somebody waits for the hardware; once there is something to wait for, it may need help */
struct help {
	unsigned int how;
	bool over;
};

static void *helper(void *arg)
{
	struct help *help = arg;

	while (!__atomic_load_n(&help->over, __ATOMIC_ACQUIRE) &&
	       (help->how == TAKES_NONE || !(hw_pending(VG_CONTROLQ) || hw_pending(VG_CURSORQ)))) {
		usleep(20);
		if (help->how == TAKES_NONE)
			shim_advance(1000000);
	}
	if (help->how == TAKES_NONE)
		return NULL;
	if (help->how == FAILS)
		hw_fail();
	else
		hw_restart(help->how == HANGS);
	hw_at_once(true);
	return NULL;
}

static void waits(unsigned int how, void (*what)(u64 arg), u64 arg)
{
	struct help help = { .how = hw.fail_add ? TAKES_NONE : how };
	bool was = hw.at_once;
	pthread_t thread;

	hw_settle();
	if (help.how == ANSWERS || help.how == TAKES_NONE)
		hw_at_once(true);
	if (help.how != ANSWERS)
		pthread_create(&thread, NULL, helper, &help);
	what(arg);
	__atomic_store_n(&help.over, true, __ATOMIC_RELEASE);
	if (help.how != ANSWERS)
		pthread_join(thread, NULL);
	hw_settle();
	hw_at_once(was);
}

static void unmap(u64 i)
{
	shim_vmm_unmap(REGION(i));
	there[i] = false;
	hw_check();
}

static void map(unsigned int i)
{
	if (!there[i])
		shim_vmm_map(REGION(i), REGION_PAGES, 1 + i * 5, RW);
	there[i] = true;
}

static void modes(u64 how)
{
	static const u32 size[] = { 128, 256, 1024, 0, 129, 1152, UINT_MAX, 64 };
	unsigned int head = how % HW_SCANOUTS;
	u32 i;

	hw_set_edid(head, size[how / 16 % ARRAY_SIZE(size)], how);
	hw.edid[head].byte[how % 16] ^= how & 2;
	hw_set_mode(head, how / 16 * 80, how * 10);
	hw_settle();
	for (i = 0; i < HW_SCANOUTS; i++)
		fuzz_check(gpu->monitor[i].size <= 1024 && gpu->monitor[i].size % 128 == 0);
}

static void reset(u64 how)
{
	if (how)
		bar_write(4, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	else
		vg_driver.reset(&vgpu);
	fuzz_check(!one.pending && !one.num_resources && !one.num_ranges && !one.memory);
	fuzz_check(!hw.num_res);
}

static void drive(u64 arg)
{
	(void)arg;
	if (!fuzz_gone)
		guest_drive();
}

static void queue_reset(unsigned int queue)
{
	bar_write(4, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	bar_write(4, VIRTIO_PCI_COMMON_Q_RESET, 2, 1);
	if (!fuzz_gone)
		guest_enable(queue);
}

/* 1 byte says which queue, how many, and how they are answered */
static void run(u8 how)
{
	static const u32 refuse[] = {
		0, 0, VIRTIO_GPU_RESP_ERR_UNSPEC, HW_SHORT,
	};

	hw.refuse = refuse[how >> 6];
	hw_run(how & 1, 1 + (how >> 1 & 31));
	hw.refuse = 0;
}

static void step(struct fuzz_input *in)
{
	u8 what = fuzz_int(in, 1) % NUM_STEPS, how = fuzz_int(in, 1);

	switch (what) {
	case COMMAND:
		for (how &= 7; ; how--) {
			command(in);
			if (!how || !in->left)
				break;
		}
		break;
	case NOTIFY_QUEUE:
		guest_notify(how % 2);
		break;
	case RUN:
		run(how);
		break;
	case UNMAP:
		waits(how >> 2 & 3, unmap, how % NUM_REGIONS);
		break;
	case MAP:
		map(how % NUM_REGIONS);
		break;
	case DRIVE:
		waits(how & 3, drive, 0);
		break;
	case RESET:
		waits(how & 3, reset, how & 4);
		break;
	case RESTART:
		hw_settle();
		hw_restart(how & 1);
		break;
	case MEMORY:
		fuzz_write_memory(in);
		break;
	case TIME:
		shim_advance(how * 100000000ll);
		break;
	case QUEUE_RESET:
		queue_reset(how % 2);
		break;
	case CONFIG:
		bar_read(4, DEVICE + (how & 12), 4);
		bar_write(4, DEVICE + (how & 12), 4, how >> 4);
		break;
	case MODES:
		waits(how >> 2 & 3, modes, how);
		break;
	case FAIL_ALLOC:
		shim_fail_alloc(how);
		break;
	case FAIL_ADD:
		hw.fail_add = how % 16;
		break;
	case AT_ONCE:
		hw_at_once(how & 1);
		break;
	case FAIL:
		hw_fail();
		break;
	case UNPLUG:
		fuzz_memory(fuzz_gone);
		break;
	}
	hw_settle();
	hw_check();
	fuzz_check(one.num_resources <= VG_MAX_RESOURCES);
	fuzz_check(one.memory <= mvgpu_type(&vgpu)->memory);
	/* What the guest has given back, the hardware has not kept */
	fuzz_check(one.pending || hw.num_res <= one.num_resources);
}

/* Before the first input: these live on */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	hw_offers = UUID | BLOB | EDID;
	return 0;
}

void fuzz_one(struct fuzz_input *in)
{
	unsigned int i;

	for (i = 0; i < NUM_REGIONS; i++)
		map(i);
	fuzz_check(!hw_start());
	fuzz_check(!vgpu_start(3));
	guest_drive();
	while (in->left)
		step(in);
	shim_fail_alloc(0);
	hw.fail_add = 0;
	vgpu_stop();
	fuzz_check(!hw.num_res);
	hw_stop();
	for (i = 0; i < NUM_REGIONS; i++)
		if (there[i])
			unmap(i);
	shim_said("");
}
