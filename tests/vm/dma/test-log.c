// SPDX-License-Identifier: MIT
/*
 * Owns the tests of VFIO_DEVICE_FEATURE_DMA_LOGGING: what the engine has written is
 * reported, page by page, once, and nothing else is.
 */
#include <errno.h>

#include "engine.h"

#define PAGES 24
#define SRC IOVA
#define DST (2 * IOVA)

#define FEATURE(name) VFIO_DEVICE_FEATURE_DMA_LOGGING_##name
#define MAX_RANGES 2

struct range {
	__u64 iova;
	__u64 len;
};

static int feature(struct fixture *f, __u32 flags, const void *data, size_t size)
{
	struct {
		struct vfio_device_feature head;
		__u8 data[64];
	} arg = { .head = { .argsz = sizeof(arg.head) + size, .flags = flags } };

	OK(size <= sizeof(arg.data), "%zu bytes", size);
	memcpy(arg.data, data, size);
	return dev_ioctl(f, VFIO_DEVICE_FEATURE, &arg);
}

static int log_start_at(struct fixture *f, const void *ranges, unsigned int n, __u64 page_size)
{
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = page_size, .num_ranges = n, .ranges = (uintptr_t)ranges,
	};

	return feature(f, VFIO_DEVICE_FEATURE_SET | FEATURE(START), &control, sizeof(control));
}

static int log_start(struct fixture *f, const struct range *range, unsigned int n)
{
	struct vfio_device_feature_dma_logging_range ranges[MAX_RANGES] = { 0 };
	unsigned int i;

	for (i = 0; i < n; i++) {
		ranges[i].iova = range[i].iova;
		ranges[i].length = range[i].len;
	}
	return log_start_at(f, ranges, n, PAGE);
}

static int log_stop(struct fixture *f)
{
	return feature(f, VFIO_DEVICE_FEATURE_SET | FEATURE(STOP), NULL, 0);
}

static int log_report(struct fixture *f, __u64 iova, __u64 len, __u64 page_size, __u64 *bitmap)
{
	struct vfio_device_feature_dma_logging_report report = {
		.iova = iova, .length = len, .page_size = page_size,
		.bitmap = (uintptr_t)bitmap,
	};

	return feature(f, VFIO_DEVICE_FEATURE_GET | FEATURE(REPORT), &report, sizeof(report));
}

/* What has been written since the last time, a bit for each unit; one word before a hole */
static void expect_log(int line, struct fixture *f, __u64 iova, __u64 len, __u64 unit, __u64 want)
{
	__u64 *bitmap = guarded(sizeof(*bitmap));

	*bitmap = 0;
	check_eq(__FILE__, line, "the report", log_report(f, iova, len, unit, bitmap), 0);
	check_hex(__FILE__, line, "what it says is written", *bitmap, want);
}

#define LOGGED(f, iova, len, unit, want) expect_log(__LINE__, f, iova, len, unit, want)
/* Of all PAGES pages */
#define WRITTEN(f, want) LOGGED(f, DST, PAGES * PAGE, PAGE, want)

static void log_open(struct fixture *f)
{
	static const __u32 features[] = { FEATURE(START), FEATURE(STOP), FEATURE(REPORT) };
	unsigned int i;

	engine_open(f);
	for (i = 0; i < ARRAY_SIZE(features); i++)
		EQ(feature(f, VFIO_DEVICE_FEATURE_PROBE | features[i] |
			   (features[i] == FEATURE(REPORT) ? VFIO_DEVICE_FEATURE_GET :
			    VFIO_DEVICE_FEATURE_SET), NULL, 0), 0);
	map_iova(f, SRC, memory(PAGES * PAGE), PAGES * PAGE, RW);
	map_iova(f, DST, memory(PAGES * PAGE), PAGES * PAGE, RW);
}

static const struct range both[] = { { SRC, PAGES * PAGE }, { DST, PAGES * PAGE } };

static void written(struct fixture *f)
{
	log_open(f);
	EQ(copy(f, SRC, DST, PAGE), 0);
	EQ(log_start(f, both, 2), 0);
	WRITTEN(f, 0);
	EQ(copy(f, SRC, DST + 3 * PAGE, PAGE), 0);
	/* a byte each at the end of page 5 and at the start of page 6 */
	EQ(copy(f, SRC, DST + 6 * PAGE - 1, 2), 0);
	EQ(copy(f, SRC, DST + (PAGES - 1) * PAGE + 64, 8), 0);
	WRITTEN(f, 1 << 3 | 1 << 5 | 1 << 6 | 1 << (PAGES - 1));
	/* said once, and the source was only read */
	WRITTEN(f, 0);
	LOGGED(f, SRC, PAGES * PAGE, PAGE, 0);
	/* the same page again is news again */
	EQ(copy(f, SRC, DST + 3 * PAGE, 8), 0);
	WRITTEN(f, 1 << 3);
	fixture_close(f);
}

/* A report tells of its part only, and leaves the rest for later. */
static void parts(struct fixture *f)
{
	const struct range some = { DST + 4 * PAGE, 8 * PAGE };

	log_open(f);
	EQ(log_start(f, &some, 1), 0);
	/* pages 2 to 5: the first half is not logged */
	EQ(copy(f, SRC, DST + 2 * PAGE, 4 * PAGE), 0);
	EQ(copy(f, SRC, DST + 8 * PAGE, PAGE), 0);
	LOGGED(f, DST + 5 * PAGE, 3 * PAGE, PAGE, 1);
	/* in units of four pages: 0 to 3, 4 to 7, 8 to 11 */
	LOGGED(f, DST, 12 * PAGE, 4 * PAGE, 1 << 1 | 1 << 2);
	WRITTEN(f, 0);
	fixture_close(f);
}

static __u64 report(struct fixture *f)
{
	__u64 bitmap = 0;

	EQ(log_report(f, DST, PAGES * PAGE, PAGE, &bitmap), 0);
	return bitmap;
}

/*
 * Memory that is taken away in the middle of a copy may have been written. What is mapped
 * for writing is told as often as is asked.
 */
static void taken_away(struct fixture *f)
{
	__u64 first, second, third, all, done;

	log_open(f);
	EQ(log_start(f, both, 2), 0);
	copy_start(f, SRC, DST, PAGES * PAGE, 0);
	while (counter(f, "pinned") < 2)
		usleep(1000);
	first = report(f);
	second = report(f);
	unmap_iova(f, DST, PAGES * PAGE);
	REFUSED(copy_wait(f, 10), EFAULT);
	third = report(f);
	OK(first && second && third, "told are 0x%llx, 0x%llx, 0x%llx", first, second, third);
	done = (reg_read(f, BAR0, E_DST, 8) - DST) / PAGE;
	all = first | second | third;
	/* the page that was under way, unless none was at that moment */
	OK(all == (2ULL << done) - 1 || all == (1ULL << done) - 1,
	   "told is 0x%llx after %llu pages", all, done);
	WRITTEN(f, 0);
	fixture_close(f);
}

static void start_and_stop(struct fixture *f)
{
	__u64 bitmap = 0;

	log_open(f);
	REFUSED(log_report(f, DST, PAGES * PAGE, PAGE, &bitmap), EINVAL);
	EQ(log_stop(f), 0);
	EQ(log_start(f, both, 2), 0);
	REFUSED(log_start(f, both, 2), EBUSY);
	EQ(copy(f, SRC, DST, PAGE), 0);
	EQ(log_stop(f), 0);
	REFUSED(log_report(f, DST, PAGES * PAGE, PAGE, &bitmap), EINVAL);
	EQ(copy(f, SRC, DST + PAGE, PAGE), 0);
	EQ(log_start(f, both, 2), 0);
	WRITTEN(f, 0);
	EQ(copy(f, SRC, DST + 2 * PAGE, PAGE), 0);
	WRITTEN(f, 1 << 2);
	fixture_close(f);

	/* the next VMM's log is its own */
	log_open(f);
	REFUSED(log_report(f, DST, PAGES * PAGE, PAGE, &bitmap), EINVAL);
	EQ(log_start(f, both, 2), 0);
	WRITTEN(f, 0);
	fixture_close(f);
}

/* Each is refused, and nothing is logged after it. */
static void bad_ranges(struct fixture *f)
{
	static const struct range empty = { DST, 0 }, wraps = { -PAGE, 2 * PAGE },
		unaligned = { DST + 1, PAGE }, odd = { DST, PAGE + 1 },
		overlap[] = { { DST, 2 * PAGE }, { DST + PAGE, PAGE } },
		huge = { 0, 1ULL << 62 };
	static const struct {
		const struct range *range;
		unsigned int n;
		int error[2];
	} bad[] = {
		{ &empty, 0, { EINVAL } }, { &empty, 1, { EINVAL } },
		{ &wraps, 1, { EOVERFLOW, EINVAL } }, { &unaligned, 1, { EINVAL } },
		{ &odd, 1, { EINVAL } }, { overlap, 2, { EINVAL } }, { &huge, 1, { E2BIG } },
	};
	__u64 bitmap = 0;
	unsigned int i;

	log_open(f);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		check_errno(__FILE__, __LINE__, "logging bad ranges",
			    log_start(f, bad[i].range, bad[i].n),
			    (const int[]){ bad[i].error[0], bad[i].error[1], 0 });
		REFUSED(log_report(f, DST, PAGE, PAGE, &bitmap), EINVAL);
	}
	REFUSED(log_start_at(f, NULL, 1, PAGE), EFAULT);
	REFUSED(log_start_at(f, (void *)PAGE, ~0U, PAGE), E2BIG, EINVAL);
	EQ(log_start(f, both, 2), 0);
	fixture_close(f);
}

static void bad_reports(struct fixture *f)
{
	__u64 bitmap = 0;
	int ret;

	log_open(f);
	EQ(log_start(f, both, 2), 0);
	EQ(copy(f, SRC, DST, PAGE), 0);
	REFUSED(log_report(f, DST, PAGE, 0, &bitmap), EINVAL);
	REFUSED(log_report(f, DST, PAGE, PAGE / 2, &bitmap), EINVAL);
	REFUSED(log_report(f, DST, PAGE, 3 * PAGE, &bitmap), EINVAL);
	REFUSED(log_report(f, -PAGE, 2 * PAGE, PAGE, &bitmap), EOVERFLOW, EINVAL);
	HEX(bitmap, 0);
	/* newer kernels look at the bitmap only to set a bit, and then say nothing */
	ret = log_report(f, DST, PAGE, PAGE, NULL);
	if (ret)
		REFUSED(ret, EFAULT);
	EQ(copy(f, SRC, DST, PAGE), 0);
	/* what no log covers has not been written */
	LOGGED(f, 8 * IOVA, PAGES * PAGE, PAGE, 0);
	WRITTEN(f, 1);
	fixture_close(f);
}

static const struct test tests[] = {
	{ "exactly what is written", ON_NONE, written },
	{ "parts and larger units", ON_NONE, parts },
	{ "memory that is taken away", ON_NONE, taken_away },
	{ "start and stop", ON_NONE, start_and_stop },
	{ "bad ranges", ON_NONE, bad_ranges },
	{ "bad reports", ON_NONE, bad_reports },
};

const struct group group_log = GROUP("log", tests);
