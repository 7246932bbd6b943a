// SPDX-License-Identifier: MIT
/*
 * Owns the tests of a vGPU's life: open, close, kill, remove, and what is left
 * of it afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "util.h"

#define RW (PROT_READ | PROT_WRITE)

static int open_group(struct fixture *f)
{
	char link[PATH_MAX + 16], target[PATH_MAX], path[64];
	ssize_t len;

	snprintf(link, sizeof(link), "%s/iommu_group", vgpu_sysfs(f->dev));
	len = readlink(link, target, sizeof(target) - 1);
	OK(len > 0, "no group: %s", strerror(errno));
	target[len] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	len = open(path, O_RDWR | O_CLOEXEC);
	return len < 0 ? -errno : len;
}

static void second_group(struct fixture *f)
{
	struct vgpu_iommu *other;
	struct vgpu_device *dev;
	struct vgpu_error err;

	needs_container(f->env);
	REFUSED(open_group(f), EBUSY);
	iommu_open(f->env, &other);
	REFUSED(vgpu_open(other, f->uuid, &dev, &err), EBUSY);
	OK(strstr(err.text, vgpu_name(f->dev)), "the message names no vGPU: %s", err.text);
	vgpu_iommu_close(other);
}

static void second_file(struct fixture *f)
{
	struct vgpu_device *second;
	struct vfio_device_info info;
	struct vgpu_error err;

	needs_container(f->env);
	memory_on(f);
	DID(vgpu_open(f->iommu, f->uuid, &second, &err), &err);
	DID(vgpu_get_info(second, &info, &err), &err);
	vgpu_close(second);
	/* the first file is still open: nothing was reset */
	HEX(cfg_read(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
}

static void dirty(struct fixture *f)
{
	memory_on(f);
	cfg_write(f, PCI_INTERRUPT_LINE, 1, 9);
	if (f->role == ON_TEST) {
		reg_write(f, BAR0, T_SCRATCH, 4, 0x5ec7e7);
		reg_write(f, BAR2, 0x1000, 4, 0x5ec7e7);
		reg_write(f, BAR2, T_BAR2_SIZE - 4, 4, 0x5ec7e7);
	} else {
		reg_write(f, BAR0, 0x1000, 4, 0x5ec7e7);
		reg_write(f, BAR0, f->region[BAR0].size - 4, 4, 0x5ec7e7);
		set_mode(f, &(struct mode){ 640, 480, 32, 640, 0, 0 });
	}
}

/* Nothing of the last user is left for the next: no register, no memory. */
static void clean(struct fixture *f)
{
	const unsigned int bar = f->role == ON_TEST ? BAR2 : BAR0;

	HEX(cfg_read(f, PCI_COMMAND, 2), 0);
	HEX(cfg_read(f, PCI_INTERRUPT_LINE, 1), 0);
	memory_on(f);
	HEX(reg_read(f, bar, 0x1000, 4), 0);
	HEX(reg_read(f, bar, f->region[bar].size - 4, 4), 0);
	if (f->role == ON_TEST)
		HEX(reg_read(f, BAR0, T_SCRATCH, 4), 0);
	else
		HEX(vbe_read(f, VBE_ENABLE), 0);
}

static void reopen(struct fixture *f)
{
	const struct env *env = f->env;
	enum role role = f->role;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		clean(f);
		dirty(f);
		fixture_close(f);
		fixture_open(f, env, role);
	}
	clean(f);
}

static void arm_everything(struct fixture *f, int *fds)
{
	arm(f, ERR, 0, 1, fds);
	arm(f, REQ, 0, 1, fds + 1);
	if (f->role == ON_TEST)
		arm(f, MSIX, 0, T_MSIX_VECTORS, fds + 2);
}

static void close_armed(struct fixture *f)
{
	const struct env *env = f->env;
	enum role role = f->role;
	int fds[16], resample;
	struct vgpu_error err;

	memory_on(f);
	arm_everything(f, fds);
	fixture_close(f);
	fixture_open(f, env, role);
	memory_on(f);
	if (role == ON_BOCHS)
		return;
	reg_write(f, BAR0, T_RAISE, 4, 0);
	QUIET(fds[2]);

	/* with an eventfd that unmasks, and an interrupt asserted */
	arm(f, INTX, 0, 1, fds);
	resample = ev_new();
	DID(vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &resample, &err), &err);
	reg_write(f, BAR0, T_RAISE, 4, 0);
	fixture_close(f);
	ev_write(resample);
	fixture_open(f, env, role);
	ev_write(resample);
}

static void mapping_outlives_file(struct fixture *f)
{
	const unsigned int bar = f->role == ON_TEST ? BAR2 : BAR0;
	const struct env *env = f->env;
	enum role role = f->role;
	void *p;

	memory_on(f);
	p = map_region(f, bar, 0, PAGE, RW);
	store32(p, 0x0511fe);
	/* the mapping is what keeps the vGPU open now */
	fixture_close(f);
	HEX(load32(p), 0x0511fe);
	EQ(munmap(p, PAGE), 0);
	fixture_open(f, env, role);
	clean(f);
}

static void killed(struct fixture *f)
{
	const unsigned int bar = f->role == ON_TEST ? BAR2 : BAR0;
	const struct env *env = f->env;
	enum role role = f->role;
	int fds[16], status;
	pid_t pid;
	char *p;

	fixture_close(f);
	fds[15] = ev_new();
	pid = fork();
	OK(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		fixture_open(f, env, role);
		dirty(f);
		arm_everything(f, fds);
		p = map_region(f, bar, 0, 16 * PAGE, RW);
		store32(p, 1);
		ev_write(fds[15]);
		for (;;)
			reg_write(f, bar, 0, 4, load32(p) + 1);
	}
	FIRES(fds[15]);
	usleep(20000);
	kill(pid, SIGKILL);
	EQ(waitpid(pid, &status, 0), pid);
	fixture_open(f, env, role);
	clean(f);
}

static void one_container(struct fixture *f)
{
	const struct env *env = f->env;
	struct vgpu_device *dev[32];
	struct vgpu_iommu *iommu;
	struct vgpu_region region;
	struct vgpu_error err;
	unsigned int i, j, nr = 0;
	__u64 value;
	char *memory;

	iommu_open(env, &iommu);
	for (i = 0; i < env->nr && nr < ARRAY_SIZE(dev); i++)
		if (strcmp(env->uuid[i], "-"))
			DID(vgpu_open(iommu, env->uuid[i], &dev[nr++], &err), &err);
	if (nr < 2)
		skip("one vGPU only");

	memory = mmap(NULL, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	DID(vgpu_iommu_map(iommu, 0, memory, 16 * PAGE, RW, &err), &err);

	/* each vGPU has memory of its own, at both ends of its slice */
	for (j = 0; j < 2; j++) {
		for (i = 0; i < nr; i++) {
			DID(vgpu_cfg_write(dev[i], PCI_COMMAND, 2, PCI_COMMAND_MEMORY, &err), &err);
			DID(vgpu_region_get(dev[i], BAR0, &region, &err), &err);
			if (!region.nr_areas) {
				vgpu_region_put(&region);
				DID(vgpu_region_get(dev[i], BAR2, &region, &err), &err);
			}
			if (!j) {
				DID(vgpu_region_store(dev[i], &region, 0, 4, i + 1, &err), &err);
				DID(vgpu_region_store(dev[i], &region, region.size - 4, 4,
						      i + 101, &err), &err);
			} else {
				DID(vgpu_region_load(dev[i], &region, 0, 4, &value, &err), &err);
				EQ(value, i + 1);
				DID(vgpu_region_load(dev[i], &region, region.size - 4, 4, &value,
						     &err), &err);
				EQ(value, i + 101);
			}
			vgpu_region_put(&region);
		}
	}
	while (nr--)
		vgpu_close(dev[nr]);
	vgpu_iommu_close(iommu);
}

static void dma_mappings(struct fixture *f)
{
	const __u64 size = 64 * PAGE;
	struct vgpu_error err;
	unsigned int i;
	__u64 unmapped;
	char *memory;

	memory = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < 50; i++) {
		DID(vgpu_iommu_map(f->iommu, i << 20, memory, size, RW, &err), &err);
		REFUSED(vgpu_iommu_map(f->iommu, i << 20, memory, size, RW, &err), EEXIST);
	}
	DID(vgpu_iommu_unmap(f->iommu, 3 << 20, size, &unmapped, &err), &err);
	EQ(unmapped, size);
	DID(vgpu_iommu_unmap(f->iommu, 3 << 20, size, &unmapped, &err), &err);
	EQ(unmapped, 0);
	if (!f->env->iommufd)
		REFUSED(vgpu_iommu_unmap(f->iommu, (4 << 20) + PAGE, PAGE, &unmapped, &err),
			EINVAL);
	DID(vgpu_iommu_unmap_all(f->iommu, &unmapped, &err), &err);
	EQ(unmapped, 49 * size);
	DID(vgpu_iommu_map(f->iommu, 0, memory, size, PROT_READ, &err), &err);
}

/**
 * struct removal - a vGPU's way out and back
 * @uuid: its UUID
 * @remove: the sysfs file that removes it
 * @create: the sysfs file that makes it again
 * @ret: what removing it returned
 * @done: an eventfd that tells that it returned
 */
struct removal {
	char uuid[64];
	char remove[PATH_MAX + 16];
	char create[PATH_MAX + 16];
	int ret;
	int done;
};

static int write_file(const char *path, const char *text)
{
	int fd, ret = 0;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

static void *remove_thread(void *arg)
{
	struct removal *r = arg;

	r->ret = write_file(r->remove, "1");
	ev_write(r->done);
	return NULL;
}

static void removal_init(struct fixture *f, struct removal *r)
{
	char path[PATH_MAX + 16];
	char *type;

	snprintf(path, sizeof(path), "%s/mdev_type", vgpu_sysfs(f->dev));
	type = realpath(path, NULL);
	OK(type, "no mdev_type: %s", strerror(errno));
	snprintf(r->create, sizeof(r->create), "%s/create", type);
	snprintf(r->remove, sizeof(r->remove), "%s/remove", vgpu_sysfs(f->dev));
	snprintf(r->uuid, sizeof(r->uuid), "%s", vgpu_name(f->dev));
	r->done = ev_new();
	free(type);
}

/* The vGPU is not there; made again, it is as new */
static void removal_undo(struct fixture *f, const struct removal *r)
{
	struct vgpu_iommu *iommu;
	struct vgpu_device *dev;
	struct vgpu_error err;
	int ret;

	iommu_open(f->env, &iommu);
	REFUSED(vgpu_open(iommu, r->uuid, &dev, &err), ENODEV);
	OK(strstr(err.text, r->uuid), "the message names no vGPU: %s", err.text);
	vgpu_iommu_close(iommu);
	ret = write_file(r->create, r->uuid);
	OK(!ret, "making %s again: %s", r->uuid, strerror(-ret));
	fixture_open(f, f->env, f->role);
	clean(f);
}

static void remove_closed(struct fixture *f)
{
	struct removal r;

	removal_init(f, &r);
	fixture_close(f);
	EQ(write_file(r.remove, "1"), 0);
	removal_undo(f, &r);
}

static void remove_open(struct fixture *f)
{
	struct removal r;
	pthread_t thread;
	int request;

	removal_init(f, &r);
	memory_on(f);
	arm(f, REQ, 0, 1, &request);
	EQ(pthread_create(&thread, NULL, remove_thread, &r), 0);

	/* the VMM is asked, and works on until it has an answer */
	OK(ev_wait(request, 15000), "nobody asked the VMM to let go");
	ev_take(request);
	HEX(cfg_read(f, PCI_VENDOR_ID, 2), f->role == ON_BOCHS ? 0x1234 : 0x1b36);
	dirty(f);
	QUIET(r.done);

	fixture_close(f);
	OK(ev_wait(r.done, 30000), "the removal does not finish after the last close");
	pthread_join(thread, NULL);
	EQ(r.ret, 0);
	removal_undo(f, &r);
}

/* A VMM that dies instead of answering must not hold the operator up. */
static void remove_and_kill(struct fixture *f)
{
	struct removal r;
	pthread_t thread;
	int ready, status;
	pid_t pid;

	removal_init(f, &r);
	fixture_close(f);
	ready = ev_new();
	pid = fork();
	OK(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		fixture_open(f, f->env, f->role);
		dirty(f);
		ev_write(ready);
		for (;;)
			pause();
	}
	FIRES(ready);
	EQ(pthread_create(&thread, NULL, remove_thread, &r), 0);
	QUIET(r.done);
	kill(pid, SIGKILL);
	EQ(waitpid(pid, &status, 0), pid);
	OK(ev_wait(r.done, 30000), "the removal does not finish after the VMM died");
	pthread_join(thread, NULL);
	EQ(r.ret, 0);
	removal_undo(f, &r);
}

static const struct test tests[] = {
	{ "a group has one owner", ON_BOTH, second_group },
	{ "a second file of the same owner", ON_BOTH, second_file },
	{ "the next user finds nothing of the last", ON_BOTH, reopen },
	{ "close with everything armed", ON_BOTH, close_armed },
	{ "a mapping keeps the vGPU open", ON_BOTH, mapping_outlives_file },
	{ "a VMM that was killed leaves nothing", ON_BOTH, killed },
	{ "many vGPUs in one container", ON_NONE, one_container },
	{ "mapping and unmapping memory", ON_BOTH, dma_mappings },
	{ "removing a vGPU that nobody has", ON_BOTH, remove_closed },
	{ "removing a vGPU that a VMM has", ON_BOTH, remove_open },
	{ "removing a vGPU whose VMM is killed", ON_BOTH, remove_and_kill },
};

const struct group group_lifecycle = GROUP("lifecycle", tests);
