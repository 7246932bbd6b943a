// SPDX-License-Identifier: MIT
/*
 * Owns the tests in which many threads or processes do everything at once to one
 * vGPU: nothing may hang, every answer must be well-formed, and the vGPU must be
 * in order afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "util.h"

#define RW (PROT_READ | PROT_WRITE)

/**
 * struct worker - a thread that does one kind of thing until told to stop
 * @f: the vGPU, shared by all workers
 * @work: does it once
 * @stop: set when the time is up; shared by all workers
 * @seed: its own random numbers
 * @rounds: how often it was done
 * @thread: the thread
 */
struct worker {
	struct fixture *f;
	void (*work)(struct worker *w);
	const int *stop;
	__u64 seed;
	unsigned long rounds;
	pthread_t thread;
};

static __u32 rnd(struct worker *w, __u32 below)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (w->seed >> 16) % below;
}

static unsigned int mapped_bar(const struct fixture *f)
{
	return f->role == ON_BOCHS ? BAR0 : BAR2;
}

static unsigned int trapped_bar(const struct fixture *f)
{
	return f->role == ON_BOCHS ? BAR2 : BAR0;
}

static void well_formed(ssize_t ret, size_t count)
{
	if (ret < 0)
		REFUSED(ret, EIO, EINVAL, EFAULT);
	else
		OK((size_t)ret <= count, "%zd of %zu bytes", ret, count);
}

static void work_reset(struct worker *w)
{
	static const __u32 flr = PCI_EXP_DEVCTL_BCR_FLR;
	__u32 pos;

	if (rnd(w, 2)) {
		EQ(vgpu_reset(w->f->dev, NULL), 0);
	} else {
		pos = find_cap(w->f, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;
		cfg_write(w->f, pos, 2, flr);
	}
	usleep(rnd(w, 20000));
}

static void work_memory(struct worker *w)
{
	__u16 bits = PCI_COMMAND_MASTER;

	if (rnd(w, 4))
		bits |= PCI_COMMAND_MEMORY;
	if (!rnd(w, 4))
		bits |= PCI_COMMAND_INTX_DISABLE;
	cfg_write(w->f, PCI_COMMAND, 2, bits);
	usleep(rnd(w, 200));
}

static void work_power(struct worker *w)
{
	__u32 pos = find_cap(w->f, PCI_CAP_ID_PM) + PCI_PM_CTRL;

	cfg_write(w->f, pos, 2, rnd(w, 4));
	usleep(rnd(w, 1000));
	cfg_write(w->f, pos, 2, 0);
	usleep(rnd(w, 5000));
}

static void work_access(struct worker *w)
{
	__u8 buf[8192] = { 0 };
	unsigned int region = rnd(w, w->f->nr_regions + 1);
	size_t count = 1 + rnd(w, rnd(w, 4) ? 16 : sizeof(buf));
	__u64 size, pos;

	if (region == w->f->nr_regions)
		region = trapped_bar(w->f);
	size = w->f->region[region].size;
	pos = rnd(w, size ? size + 16 : 16);
	/* config space is written by those who know what they write */
	if (region != CONFIG && rnd(w, 2))
		well_formed(try_write(w->f, region, pos, buf, count), count);
	else
		well_formed(try_read(w->f, region, pos, buf, count), count);
}

static void work_map(struct worker *w)
{
	const struct vgpu_region *bar = &w->f->region[mapped_bar(w->f)];
	__u64 pages = bar->areas[0].size / PAGE, first = rnd(w, pages), i;
	__u64 nr = 1 + rnd(w, pages - first < 64 ? pages - first : 64);
	__u64 value;
	char *p;
	int sig;

	p = map_region(w->f, bar->index, first * PAGE, nr * PAGE, RW);
	for (i = 0; i < nr; i += 1 + rnd(w, 8)) {
		sig = rnd(w, 2) ? touch_load(p + i * PAGE, 4, &value) :
				  touch_store(p + i * PAGE, 4, i);
		OK(!sig || sig == SIGBUS, "signal %d", sig);
	}
	if (nr < 3 || rnd(w, 2)) {
		EQ(munmap(p, nr * PAGE), 0);
		return;
	}
	/* in parts, and none of them twice: the hole may be another worker's by then */
	EQ(munmap(p + PAGE, PAGE), 0);
	EQ(munmap(p, PAGE), 0);
	EQ(munmap(p + 2 * PAGE, (nr - 2) * PAGE), 0);
}

static void work_show(struct worker *w)
{
	struct mode mode = { 64 + rnd(w, 1000), 64 + rnd(w, 700), 32, 1024, 0, rnd(w, 500) };
	struct vfio_device_gfx_plane_info plane;
	__u64 value;
	char *p;
	int sig;

	/* while memory is off nothing of this arrives: that is part of the test */
	try_write(w->f, BAR2, B_VBE + 2 * VBE_XRES, &mode.width, 2);
	try_write(w->f, BAR2, B_VBE + 2 * VBE_YRES, &mode.height, 2);
	try_write(w->f, BAR2, B_VBE + 2 * VBE_BPP, &mode.bpp, 2);
	try_write(w->f, BAR2, B_VBE + 2 * VBE_VIRT_WIDTH, &mode.virt_width, 2);
	try_write(w->f, BAR2, B_VBE + 2 * VBE_Y_OFFSET, &mode.y, 2);
	try_write(w->f, BAR2, B_VBE + 2 * VBE_ENABLE, rnd(w, 4) ? "\x41\0" : "\0\0", 2);
	query_plane(w->f, &plane);
	OK((__u64)plane.stride * plane.height <= w->f->region[BAR0].size,
	   "a plane of %u lines of %u bytes", plane.height, plane.stride);
	if (!plane.width)
		return;
	p = map_region(w->f, GFX_REGION, 0, PAGE, PROT_READ);
	sig = touch_load(p, 4, &value);
	OK(!sig || sig == SIGBUS, "signal %d", sig);
	EQ(munmap(p, PAGE), 0);
}

static void work_interrupt(struct worker *w)
{
	__u32 vector = rnd(w, T_MSIX_VECTORS + 1);

	if (w->f->role == ON_BOCHS) {
		work_show(w);
		return;
	}
	well_formed(try_write(w->f, BAR0, rnd(w, 3) ? T_RAISE : T_LOWER, &vector, 4), 4);
	vector = rnd(w, 2);
	well_formed(try_write(w->f, BAR4, T_MSIX_TABLE + 16 * rnd(w, T_MSIX_VECTORS) + 12, &vector,
			      4), 4);
}

static void work_irqs(struct worker *w)
{
	static const __u32 data[] = { VFIO_IRQ_SET_DATA_NONE, VFIO_IRQ_SET_DATA_BOOL,
				      VFIO_IRQ_SET_DATA_EVENTFD };
	static const __u32 actions[] = { MASK, UNMASK, TRIGGER, TRIGGER };
	__u32 kind = data[rnd(w, 3)], index = rnd(w, VFIO_PCI_NUM_IRQS);
	__u32 start = rnd(w, 4), count = rnd(w, 9);
	int fds[16];
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = rnd(w, 4) ? ev_new() : -1;
	if (rnd(w, 2)) {
		start = 0;
		count = 1;
	}
	ret = set_irqs(w->f, 20 + sizeof(fds), kind | actions[rnd(w, 4)], index, start, count, fds,
		       sizeof(fds));
	if (ret)
		REFUSED(ret, EINVAL, ENOTTY, EBUSY, EBADF);
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0) {
			/* now and then from the other side, before it is closed */
			if (!rnd(w, 4))
				ev_write(fds[i]);
			close(fds[i]);
		}
	if (!rnd(w, 8))
		vgpu_irq_disable(w->f->dev, index, NULL);
}

static void work_info(struct worker *w)
{
	struct vfio_device_info info;
	struct vfio_irq_info irq;
	struct vgpu_region region;
	unsigned int i = rnd(w, w->f->nr_regions);
	struct vgpu_error err;

	DID(vgpu_get_info(w->f->dev, &info, &err), &err);
	EQ(info.num_regions, w->f->nr_regions);
	DID(vgpu_region_get(w->f->dev, i, &region, &err), &err);
	HEX(region.size, w->f->region[i].size);
	vgpu_region_put(&region);
	DID(vgpu_irq_get(w->f->dev, rnd(w, VFIO_PCI_NUM_IRQS), &irq, &err), &err);
}

static void work_open(struct worker *w)
{
	struct vgpu_device *dev;
	struct vgpu_error err;
	__u32 id;

	/* a device file is opened once only */
	if (w->f->env->iommufd)
		return;
	DID(vgpu_open(w->f->iommu, w->f->uuid, &dev, &err), &err);
	DID(vgpu_cfg_read(dev, PCI_VENDOR_ID, 2, &id, &err), &err);
	HEX(id, w->f->role == ON_BOCHS ? 0x1234 : 0x1b36);
	vgpu_close(dev);
}

static void work_dma(struct worker *w)
{
	const __u64 iova = (__u64)rnd(w, 64) << 20;
	void *memory;
	int ret;

	memory = mmap(NULL, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK(memory != MAP_FAILED, "no memory");
	ret = vgpu_iommu_map(w->f->iommu, iova, memory, 64 * PAGE, RW, NULL);
	if (ret)
		REFUSED(ret, EEXIST);
	else
		EQ(vgpu_iommu_unmap(w->f->iommu, iova, 64 * PAGE, NULL, NULL), 0);
	EQ(munmap(memory, 64 * PAGE), 0);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
		w->work(w);
		w->rounds++;
	}
	return NULL;
}

static void run_workers(struct fixture *f, void (*const *work)(struct worker *w), unsigned int nr,
			unsigned int seconds)
{
	struct worker workers[16];
	int stop = 0;
	unsigned int i;

	OK(nr <= ARRAY_SIZE(workers), "too many workers");
	for (i = 0; i < nr; i++) {
		workers[i] = (struct worker){
			.f = f, .work = work[i], .stop = &stop,
			.seed = 0x9e3779b97f4a7c15 * (i + 1),
		};
		EQ(pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]), 0);
	}
	sleep(seconds);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < nr; i++)
		EQ(pthread_join(workers[i].thread, NULL), 0);
	for (i = 0; i < nr; i++)
		OK(workers[i].rounds, "worker %u did nothing in %u s", i, seconds);
}

/* The vGPU must work as if nothing had happened. */
static void in_order(struct fixture *f)
{
	struct vgpu_error err;
	unsigned int i;
	int fd;
	void *p;

	for (i = 0; i < VFIO_PCI_NUM_IRQS; i++)
		vgpu_irq_disable(f->dev, i, NULL);
	DID(vgpu_reset(f->dev, &err), &err);
	HEX(cfg_read(f, PCI_COMMAND, 2), 0);
	memory_on(f);
	p = map_region(f, mapped_bar(f), 0, PAGE, RW);
	store32(p, 0x600df00d);
	HEX(reg_read(f, mapped_bar(f), 0, 4), 0x600df00d);
	memory_off(f);
	OK(faults(p), "a mapping is there with memory off");
	memory_on(f);
	if (f->role == ON_BOCHS) {
		HEX(vbe_read(f, VBE_ID) & 0xfff0, 0xb0c0);
		return;
	}
	HEX(reg_read(f, BAR0, T_ID, 4), T_ID_VALUE);
	arm(f, INTX, 0, 1, &fd);
	QUIET(fd);
	reg_write(f, BAR0, T_RAISE, 4, 0);
	FIRES(fd);
}

static void everything(struct fixture *f)
{
	static void (*const work[])(struct worker *w) = {
		work_reset, work_memory, work_power, work_access, work_access, work_map, work_map,
		work_interrupt, work_irqs, work_irqs, work_info, work_open, work_dma,
	};

	run_workers(f, work, ARRAY_SIZE(work), f->env->seconds);
	in_order(f);
}

/* Without resets and power states, so that the rest gets further. */
static void interrupts(struct fixture *f)
{
	static void (*const work[])(struct worker *w) = {
		work_interrupt, work_interrupt, work_irqs, work_irqs, work_irqs, work_irqs,
	};

	memory_on(f);
	run_workers(f, work, ARRAY_SIZE(work), f->env->seconds);
	in_order(f);
}

/* What a zap and a fault do to each other. */
static void mappings(struct fixture *f)
{
	static void (*const work[])(struct worker *w) = {
		work_map, work_map, work_map, work_memory, work_memory, work_interrupt,
	};

	run_workers(f, work, ARRAY_SIZE(work), f->env->seconds);
	in_order(f);
}

static void mappings_and_forks(struct fixture *f)
{
	static void (*const work[])(struct worker *w) = { work_map, work_memory };
	unsigned int i;
	int status;
	pid_t pid;
	void *p;

	p = map_region(f, mapped_bar(f), 0, 16 * PAGE, RW);
	for (i = 0; i < 20; i++) {
		pid = fork();
		OK(pid >= 0, "fork: %s", strerror(errno));
		if (!pid) {
			faults(p);
			run_workers(f, work, ARRAY_SIZE(work), 1);
			_exit(EXIT_SUCCESS);
		}
		memory_on(f);
		faults(p);
		if (i % 2) {
			usleep(100000);
			kill(pid, SIGKILL);
		}
		memory_off(f);
		EQ(waitpid(pid, &status, 0), pid);
		OK(i % 2 || (WIFEXITED(status) && !WEXITSTATUS(status)), "a child failed");
	}
	in_order(f);
}

/* One process after another dies in the middle of everything. */
static void die_often(struct fixture *f)
{
	static void (*const work[])(struct worker *w) = {
		work_reset, work_memory, work_access, work_map, work_interrupt, work_irqs,
		work_open, work_dma,
	};
	const struct env *env = f->env;
	enum role role = f->role;
	unsigned int i;
	int status;
	pid_t pid;

	fixture_close(f);
	for (i = 0; i < 4 * env->seconds; i++) {
		pid = fork();
		OK(pid >= 0, "fork: %s", strerror(errno));
		if (!pid) {
			fixture_open(f, env, role);
			run_workers(f, work, ARRAY_SIZE(work), 60);
			_exit(EXIT_SUCCESS);
		}
		usleep(20000 + i * 10000 % 300000);
		kill(pid, SIGKILL);
		EQ(waitpid(pid, &status, 0), pid);
		OK(WIFSIGNALED(status), "a child failed before it was killed");
	}
	fixture_open(f, env, role);
	in_order(f);
}

/* Processes that want the same vGPU: one has it, the others are told so. */
static void compete(struct fixture *f)
{
	const struct env *env = f->env;
	enum role role = f->role;
	unsigned int i, n, won;
	struct vgpu_iommu *iommu;
	struct vgpu_device *dev;
	pid_t pid[6];
	int status, ret;

	fixture_close(f);
	for (i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = fork();
		OK(pid[i] >= 0, "fork: %s", strerror(errno));
		if (pid[i])
			continue;
		for (won = 0, n = 0; won < 20 && n < 200000; n++) {
			iommu_open(env, &iommu);
			ret = vgpu_open(iommu, role_uuid(env, role), &dev, NULL);
			if (!ret) {
				won++;
				vgpu_close(dev);
			} else {
				/* a device file is refused with EINVAL while another is bound */
				REFUSED(ret, EBUSY, env->iommufd ? EINVAL : EBUSY);
			}
			vgpu_iommu_close(iommu);
			usleep(n % 7 * 500);
		}
		OK(won == 20, "a process got the vGPU %u times only", won);
		_exit(EXIT_SUCCESS);
	}
	for (i = 0; i < ARRAY_SIZE(pid); i++) {
		EQ(waitpid(pid[i], &status, 0), pid[i]);
		OK(WIFEXITED(status) && !WEXITSTATUS(status), "a process failed");
	}
	fixture_open(f, env, role);
	in_order(f);
}

static const struct test tests[] = {
	{ "everything at once", ON_BOTH, everything },
	{ "interrupts against SET_IRQS", ON_BOTH, interrupts },
	{ "faults against memory decoding", ON_BOTH, mappings },
	{ "faults in children against memory decoding", ON_BOTH, mappings_and_forks },
	{ "VMMs killed in the middle of everything", ON_BOTH, die_often },
	{ "processes compete for a vGPU", ON_BOTH, compete },
};

const struct group group_stress = GROUP("stress", tests);
