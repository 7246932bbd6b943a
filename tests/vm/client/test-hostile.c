// SPDX-License-Identifier: MIT
/*
 * Owns the tests with arguments that no honest VMM passes: sizes, pointers,
 * flags, ranges, files, unknown ioctls, and buffers inside the device itself.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "util.h"

#define DATA_NONE VFIO_IRQ_SET_DATA_NONE
#define DATA_BOOL VFIO_IRQ_SET_DATA_BOOL
#define DATA_EVENTFD VFIO_IRQ_SET_DATA_EVENTFD

static const struct {
	const char *name;
	unsigned long request;
	__u32 minsz;
	__u32 size;
	bool writes;
} ioctls[] = {
	{ "GET_INFO", VFIO_DEVICE_GET_INFO, offsetof(struct vfio_device_info, cap_offset),
	  sizeof(struct vfio_device_info), true },
	{ "GET_REGION_INFO", VFIO_DEVICE_GET_REGION_INFO, sizeof(struct vfio_region_info),
	  sizeof(struct vfio_region_info), true },
	{ "GET_IRQ_INFO", VFIO_DEVICE_GET_IRQ_INFO, sizeof(struct vfio_irq_info),
	  sizeof(struct vfio_irq_info), true },
	{ "SET_IRQS", VFIO_DEVICE_SET_IRQS, sizeof(struct vfio_irq_set),
	  sizeof(struct vfio_irq_set), false },
	{ "QUERY_GFX_PLANE", VFIO_DEVICE_QUERY_GFX_PLANE,
	  offsetof(struct vfio_device_gfx_plane_info, region_index) + sizeof(__u32),
	  sizeof(struct vfio_device_gfx_plane_info), true },
};

/* The smallest argument that means something, so that only what is varied is wrong. */
static void fill(void *arg, unsigned int which, __u32 argsz)
{
	__u32 *word = arg;

	word[0] = argsz;
	if (ioctls[which].request == VFIO_DEVICE_SET_IRQS) {
		word[1] = DATA_NONE | TRIGGER;
		word[2] = REQ;
	} else if (ioctls[which].request == VFIO_DEVICE_QUERY_GFX_PLANE) {
		word[1] = VFIO_GFX_PLANE_TYPE_REGION;
		word[2] = 1;
	}
}

static bool absent(const struct fixture *f, unsigned int which)
{
	return f->role == ON_TEST && ioctls[which].request == VFIO_DEVICE_QUERY_GFX_PLANE;
}

static void small_argsz(struct fixture *f)
{
	unsigned int i, j;
	void *arg;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		const __u32 bad[] = { 0, 1, 4, 8, ioctls[i].minsz - 4, ioctls[i].minsz - 1 };

		arg = guarded(ioctls[i].minsz);
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			fill(arg, i, bad[j]);
			REFUSED(dev_ioctl(f, ioctls[i].request, arg), EINVAL, ENOTTY);
		}
		fill(arg, i, ioctls[i].minsz);
		if (!absent(f, i))
			OK(!dev_ioctl(f, ioctls[i].request, arg), "%s of %u bytes is refused",
			   ioctls[i].name, ioctls[i].minsz);
	}
}

/* A size is a promise about the buffer, no reason to allocate or to write that much. */
static void huge_argsz(struct fixture *f)
{
	static const __u32 huge[] = { 4096, 1 << 20, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned int i, j;
	void *arg;

	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		if (absent(f, i))
			continue;
		arg = guarded(ioctls[i].size);
		for (j = 0; j < ARRAY_SIZE(huge); j++) {
			fill(arg, i, huge[j]);
			OK(!dev_ioctl(f, ioctls[i].request, arg), "%s with argsz 0x%x: %s",
			   ioctls[i].name, huge[j], strerror(errno));
		}
	}
}

static void bad_pointers(struct fixture *f)
{
	char *edge = guarded(4);
	void *const bad[] = { NULL, (void *)1, edge, edge + 4, (void *)0x7fffffffffff,
			      (void *)0x800000000000, (void *)0xffff888000000000,
			      (void *)0xffffffff81000000, (void *)-1L };
	unsigned int i, j;
	void *page;

	*(__u32 *)edge = 4096;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < ARRAY_SIZE(ioctls); i++) {
		for (j = 0; j < ARRAY_SIZE(bad); j++)
			REFUSED(dev_ioctl(f, ioctls[i].request, bad[j]), EFAULT, ENOTTY);
		if (!ioctls[i].writes || absent(f, i))
			continue;
		/* readable, but the answer has nowhere to go */
		memset(page, 0, PAGE);
		fill(page, i, ioctls[i].size);
		EQ(mprotect(page, PAGE, PROT_READ), 0);
		REFUSED(dev_ioctl(f, ioctls[i].request, page), EFAULT);
		EQ(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0);
	}
}

/* The capability chain does not fit where argsz says that it does. */
static void chain_without_room(struct fixture *f)
{
	struct vfio_region_info *info = guarded(sizeof(*info));

	*info = (struct vfio_region_info){
		.argsz = 4096, .index = f->role == ON_BOCHS ? GFX_REGION : BAR2,
	};
	REFUSED(dev_ioctl(f, VFIO_DEVICE_GET_REGION_INFO, info), EFAULT);
}

static void irq_flags(struct fixture *f)
{
	const __u32 data_mask = VFIO_IRQ_SET_DATA_TYPE_MASK;
	const __u32 action_mask = VFIO_IRQ_SET_ACTION_TYPE_MASK;
	int fds[2];
	__u32 flags, bit;

	memory_on(f);
	arm(f, INTX, 0, 1, fds);
	for (flags = 0; flags < 64; flags++) {
		if (__builtin_popcount(flags & data_mask) == 1 &&
		    __builtin_popcount(flags & action_mask) == 1)
			continue;
		REFUSED(set_irqs(f, 24, flags, INTX, 0, 1, fds, 4), EINVAL, ENOTTY);
	}
	for (bit = 6; bit < 32; bit++)
		REFUSED(set_irqs(f, 24, DATA_NONE | TRIGGER | 1U << bit, INTX, 0, 1, fds, 4),
			EINVAL);
	QUIET(fds[0]);
	/* and none of it has unbound or masked anything */
	reg_write(f, BAR0, T_RAISE, 4, 0);
	FIRES(fds[0]);
}

static void irq_indexes(struct fixture *f)
{
	static const __u32 bad[] = { VFIO_PCI_NUM_IRQS, 6, 31, 32, 255, 0x7fffffff, 0x80000000,
				     0xffffffff };
	int fd = ev_new();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		REFUSED(set_irqs(f, 20, DATA_NONE | TRIGGER, bad[i], 0, 1, NULL, 0), EINVAL);
		REFUSED(set_irqs(f, 20, DATA_NONE | TRIGGER, bad[i], 0, 0, NULL, 0), EINVAL);
		REFUSED(set_irqs(f, 24, DATA_EVENTFD | TRIGGER, bad[i], 0, 1, &fd, 4), EINVAL);
	}
}

static void irq_ranges(struct fixture *f)
{
	static const struct {
		__u32 start;
		__u32 count;
	} bad[] = {
		{ 0, 0xffffffff }, { 0xffffffff, 0 }, { 0xffffffff, 1 }, { 1, 0xffffffff },
		{ 0xfffffffe, 1 }, { 0xfffffffe, 2 }, { 2, 0xfffffffe }, { 0x80000000, 0x80000000 },
		{ 0, 0x40000000 }, { 0, 0x40000001 }, { 0, 0x80000000 }, { 0x7fffffff, 1 },
		{ T_MSIX_VECTORS, 1 }, { T_MSIX_VECTORS - 1, 2 }, { 0, T_MSIX_VECTORS + 1 },
	};
	static const __u32 data[] = { DATA_NONE, DATA_BOOL, DATA_EVENTFD };
	static const __u32 actions[] = { MASK, UNMASK, TRIGGER };
	__u8 buf[4096] = { 0 };
	unsigned int i, j, k, index;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (j = 0; j < ARRAY_SIZE(data); j++)
			for (k = 0; k < ARRAY_SIZE(actions); k++)
				for (index = 0; index < VFIO_PCI_NUM_IRQS; index++)
					REFUSED(set_irqs(f, 20 + sizeof(buf), data[j] | actions[k],
							 index, bad[i].start, bad[i].count, buf,
							 sizeof(buf)), EINVAL, ENOTTY);
}

/* argsz covers less data than count needs, or the data is not there at all. */
static void irq_data(struct fixture *f)
{
	int fds[T_MSIX_VECTORS];
	struct vfio_irq_set *set;
	unsigned int i;

	for (i = 0; i < T_MSIX_VECTORS; i++)
		fds[i] = ev_new();
	for (i = 20; i < 20 + sizeof(fds); i++)
		REFUSED(set_irqs(f, i, DATA_EVENTFD | TRIGGER, MSIX, 0, T_MSIX_VECTORS, fds,
				 sizeof(fds)), EINVAL);
	for (i = 20; i < 20 + T_MSIX_VECTORS; i++)
		REFUSED(set_irqs(f, i, DATA_BOOL | TRIGGER, MSIX, 0, T_MSIX_VECTORS, fds,
				 sizeof(fds)), EINVAL);

	set = guarded(sizeof(*set));
	*set = (struct vfio_irq_set){
		.argsz = 24, .flags = DATA_EVENTFD | TRIGGER, .index = MSIX, .count = 1,
	};
	REFUSED(dev_ioctl(f, VFIO_DEVICE_SET_IRQS, set), EFAULT);
	set->flags = DATA_BOOL | TRIGGER;
	REFUSED(dev_ioctl(f, VFIO_DEVICE_SET_IRQS, set), EFAULT);
	/* nothing came into use by it */
	REFUSED(vgpu_irq_none(f->dev, MSIX, TRIGGER, 0, 1, NULL), EINVAL);
}

static void irq_no_count(struct fixture *f)
{
	static const __u32 data[] = { DATA_NONE, DATA_BOOL, DATA_EVENTFD };
	static const __u32 actions[] = { MASK, UNMASK, TRIGGER };
	unsigned int i, j, index;
	int ret;

	for (index = 0; index < VFIO_PCI_NUM_IRQS; index++)
		for (i = 0; i < ARRAY_SIZE(data); i++)
			for (j = 0; j < ARRAY_SIZE(actions); j++) {
				ret = set_irqs(f, 20, data[i] | actions[j], index, 0, 0, NULL, 0);
				if (ret)
					REFUSED(ret, EINVAL, ENOTTY);
			}
	/* no index is in use after that */
	if (f->role == ON_TEST)
		for (index = INTX; index <= MSIX; index++)
			REFUSED(vgpu_irq_none(f->dev, index, TRIGGER, 0, 1, NULL), EINVAL);
}

static void bad_eventfds(struct fixture *f)
{
	static const __u32 indexes[] = { INTX, MSI, MSIX, ERR, REQ };
	int pipefd[2], none = -1, fd;
	unsigned int i, j;

	EQ(pipe(pipefd), 0);
	{
		const int bad[] = { 1000, 0x7fffffff, pipefd[0], vgpu_fd(f->dev),
				    vgpu_iommu_fd(f->iommu), -2, INT_MIN };

		for (i = 0; i < ARRAY_SIZE(indexes); i++) {
			if (f->role == ON_BOCHS && indexes[i] <= MSIX)
				continue;
			for (j = 0; j < ARRAY_SIZE(bad); j++)
				REFUSED(vgpu_irq_eventfd(f->dev, indexes[i], TRIGGER, 0, 1, &bad[j],
							 NULL), EBADF, EINVAL);
			/* nothing bound, nothing to unbind */
			vgpu_irq_eventfd(f->dev, indexes[i], TRIGGER, 0, 1, &none, NULL);
			vgpu_irq_disable(f->dev, indexes[i], NULL);
		}
		if (f->role == ON_BOCHS)
			return;
		arm(f, INTX, 0, 1, &fd);
		for (j = 0; j < ARRAY_SIZE(bad) - 2; j++) {
			REFUSED(vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &bad[j], NULL), EBADF,
				EINVAL);
			/* the eventfd that was there stays, or is gone for good */
			REFUSED(vgpu_irq_eventfd(f->dev, INTX, TRIGGER, 0, 1, &bad[j], NULL),
				EBADF, EINVAL);
		}
	}
	memory_on(f);
	reg_write(f, BAR0, T_RAISE, 4, 0);
	FIRES(fd);
}

/* One eventfd as everything at once, its own unmask included. */
static void one_eventfd(struct fixture *f)
{
	int fd, all[T_MSIX_VECTORS];
	unsigned int i;

	memory_on(f);
	fd = ev_new();
	for (i = 0; i < T_MSIX_VECTORS; i++)
		all[i] = fd;
	EQ(vgpu_irq_eventfd(f->dev, MSIX, TRIGGER, 0, T_MSIX_VECTORS, all, NULL), 0);
	for (i = 0; i < T_MSIX_VECTORS; i++)
		reg_write(f, BAR0, T_RAISE, 4, i);
	EQ(ev_take(fd), T_MSIX_VECTORS);
	disarm(f, MSIX);
	reg_write(f, BAR0, T_LOWER, 4, 0);

	/* signalling it unmasks what signals it: a level that stays is a loop of the VMM's own */
	EQ(vgpu_irq_eventfd(f->dev, INTX, TRIGGER, 0, 1, &fd, NULL), 0);
	EQ(vgpu_irq_eventfd(f->dev, INTX, UNMASK, 0, 1, &fd, NULL), 0);
	reg_write(f, BAR0, T_RAISE, 4, 0);
	usleep(100000);
	reg_write(f, BAR0, T_LOWER, 4, 0);
	disarm(f, INTX);
	ev_take(fd);
	QUIET(fd);
}

static void unknown_ioctls(struct fixture *f)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		/* 100 is where VFIO begins; 107 to 123 are the device's */
		if (nr < 107 || nr > 140) {
			REFUSED(dev_ioctl(f, _IO(VFIO_TYPE, nr), &info), ENOTTY);
			REFUSED(dev_ioctl(f, _IO(VFIO_TYPE, nr), NULL), ENOTTY);
		}
		REFUSED(dev_ioctl(f, _IO('Z', nr), &info), ENOTTY);
		REFUSED(dev_ioctl(f, _IOWR(VFIO_TYPE, nr, __u64), NULL), ENOTTY);
	}
	REFUSED(dev_ioctl(f, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info), ENOTTY);
	REFUSED(dev_ioctl(f, VFIO_DEVICE_PCI_HOT_RESET, &info), ENOTTY);
	REFUSED(dev_ioctl(f, VFIO_DEVICE_IOEVENTFD, &info), ENOTTY, EINVAL);
}

static void device_feature(struct fixture *f)
{
	struct vfio_device_feature feature = { .argsz = sizeof(feature) };
	unsigned int i;
	int ret;

	feature.flags = VFIO_DEVICE_FEATURE_PROBE | 0xfff0;
	REFUSED(dev_ioctl(f, VFIO_DEVICE_FEATURE, &feature), ENOTTY);
	feature.argsz = sizeof(feature) - 1;
	REFUSED(dev_ioctl(f, VFIO_DEVICE_FEATURE, &feature), EINVAL);
	REFUSED(dev_ioctl(f, VFIO_DEVICE_FEATURE, NULL), EFAULT);
	feature.argsz = sizeof(feature);
	feature.flags = VFIO_DEVICE_FEATURE_PROBE | 1U << 31;
	REFUSED(dev_ioctl(f, VFIO_DEVICE_FEATURE, &feature), EINVAL);
	for (i = 0; i < 32; i++) {
		/* no data behind it: whatever is supported must notice */
		feature.flags = VFIO_DEVICE_FEATURE_GET | i;
		ret = dev_ioctl(f, VFIO_DEVICE_FEATURE, &feature);
		OK(ret < 0, "feature %u was read into nothing", i);
		feature.flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET | i;
		REFUSED(dev_ioctl(f, VFIO_DEVICE_FEATURE, &feature), EINVAL);
	}
}

/*
 * The argument lies in a mapping of the very device that reads it: a kernel that
 * copies with a lock held that its own fault handler needs hangs here.
 */
static void own_memory(struct fixture *f)
{
	const unsigned int bar = f->role == ON_BOCHS ? BAR0 : BAR2;
	struct vfio_region_info *info;
	struct vfio_irq_set *set;
	char *p, *fresh;
	int fd;

	memory_on(f);
	p = map_region(f, bar, 0, 16 * PAGE, PROT_READ | PROT_WRITE);
	store32(p, 0x600df00d);

	/* from itself into itself, through pages that are not there yet */
	fresh = map_region(f, bar, 0, 16 * PAGE, PROT_READ | PROT_WRITE);
	EQ(try_read(f, bar, 0, fresh + 4 * PAGE, 4 * PAGE), 4 * PAGE);
	HEX(load32(p + 4 * PAGE), 0x600df00d);
	fresh = map_region(f, bar, 0, 16 * PAGE, PROT_READ | PROT_WRITE);
	EQ(try_write(f, bar, 8 * PAGE, fresh, 4 * PAGE), 4 * PAGE);
	HEX(load32(p + 8 * PAGE), 0x600df00d);
	fresh = map_region(f, bar, 0, PAGE, PROT_READ | PROT_WRITE);
	EQ(try_read(f, CONFIG, 0, fresh, 256), 256);

	info = (void *)map_region(f, bar, 0, PAGE, PROT_READ | PROT_WRITE);
	*info = (struct vfio_region_info){ .argsz = PAGE, .index = BAR2 };
	EQ(dev_ioctl(f, VFIO_DEVICE_GET_REGION_INFO, info), 0);

	fd = ev_new();
	set = (void *)(p + 2 * PAGE);
	*set = (struct vfio_irq_set){
		.argsz = 24, .flags = DATA_EVENTFD | TRIGGER, .index = REQ, .count = 1,
	};
	memcpy(set->data, &fd, 4);
	EQ(dev_ioctl(f, VFIO_DEVICE_SET_IRQS, set), 0);
	EQ(vgpu_irq_none(f->dev, REQ, TRIGGER, 0, 1, NULL), 0);
	FIRES(fd);

	/* the write that turns memory off comes from that memory, and so does the next */
	store32(p + 3 * PAGE, 0);
	EQ(try_write(f, CONFIG, PCI_COMMAND, p + 3 * PAGE, 2), 2);
	REFUSED(try_write(f, CONFIG, PCI_COMMAND, p + 3 * PAGE, 2), EFAULT);
	REFUSED(try_read(f, CONFIG, 0, p, 64), EFAULT);
	REFUSED(dev_ioctl(f, VFIO_DEVICE_GET_REGION_INFO, info), EFAULT);
	REFUSED(dev_ioctl(f, VFIO_DEVICE_SET_IRQS, set), EFAULT);
	memory_on(f);
	HEX(load32(p + 3 * PAGE), 0);
}

static const struct test tests[] = {
	{ "argsz that is too small", ON_BOTH, small_argsz },
	{ "argsz that is far too big", ON_BOTH, huge_argsz },
	{ "bad pointers", ON_BOTH, bad_pointers },
	{ "a capability chain without room", ON_BOTH, chain_without_room },
	{ "SET_IRQS with bad flags", ON_TEST, irq_flags },
	{ "SET_IRQS with bad indexes", ON_BOTH, irq_indexes },
	{ "SET_IRQS with ranges that overflow", ON_BOTH, irq_ranges },
	{ "SET_IRQS with too little data", ON_TEST, irq_data },
	{ "SET_IRQS with a count of 0", ON_BOTH, irq_no_count },
	{ "SET_IRQS with files that are no eventfds", ON_BOTH, bad_eventfds },
	{ "SET_IRQS with one eventfd for everything", ON_TEST, one_eventfd },
	{ "unknown ioctls", ON_BOTH, unknown_ioctls },
	{ "VFIO_DEVICE_FEATURE", ON_BOTH, device_feature },
	{ "arguments in the device's own memory", ON_BOTH, own_memory },
};

const struct group group_hostile = GROUP("hostile", tests);
