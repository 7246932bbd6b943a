/* SPDX-License-Identifier: MIT */
/* tracker_held.h - mappings of a tracker, whose revoke callback can hang */
#ifndef TRACKER_HELD_H
#define TRACKER_HELD_H

#include "tracker_unit.h"

#define PAGE(n)		((u64)(n) << PAGE_SHIFT)

/* A mapping as the test sees it */
struct held {
	struct mvgpu_mapping *m;
	struct mvgpu_range range[4];
	unsigned int n;
	bool write;
	int revoked;
	bool stuck;		/* its revoke callback hangs until this is false */
	bool unmaps;		/* its revoke callback unmaps it */
	bool idle;		/* a reset has made the device stop using it before */
};

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t held_cond = PTHREAD_COND_INITIALIZER;

/*
 * What is wrong, if anything: segments cover the ranges, and each page lies where the device
 * finds the guest's page, or what was that before it went to quarantine if @may_be_old.
 */
static inline const char *wrong_segments(const struct held *h, bool may_be_old)
{
	const struct mvgpu_segment *seg;
	unsigned int i, k = 0, n;
	struct page *page;
	u64 at, in = 0;

	seg = mvgpu_mapping_segments(h->m, &n);
	for (i = 0; i < h->n; i++) {
		for (at = 0; at < h->range[i].len; ) {
			u64 iova = h->range[i].iova + at, left = h->range[i].len - at;
			u64 len = min_t(u64, left, PAGE_SIZE - offset_in_page(iova));

			if (k >= n || seg[k].len < in + len)
				return "the segments are too short";
			page = shim_device_access(seg[k].addr + in, h->write);
			if (!page)
				return "a page is out of the device's reach";
			if (offset_in_page(seg[k].addr + in) != offset_in_page(iova))
				return "a page has the wrong offset";
			if (page != shim_vmm_page(iova >> PAGE_SHIFT) &&
			    !(may_be_old && atomic_long_read(&vgpu.t.quarantined)))
				return "a page is not the guest's";
			at += len;
			in += len;
			if (in == seg[k].len) {
				k++;
				in = 0;
			}
		}
	}
	return k == n ? NULL : "there are too many segments";
}

static inline void check_segments(const struct held *h)
{
	const char *wrong = wrong_segments(h, false);

	if (wrong)
		fail_msg("%s", wrong);
}

/* Law 4: the hardware may use the buffer until this returns. cmocka is for the main thread. */
static inline void take_back(struct mvgpu_mapping *m, void *priv)
{
	struct held *h = priv;
	const char *wrong = h->idle ? NULL : wrong_segments(h, true);

	if (m != h->m || h->revoked || wrong)
		shim_bug("revoke: %s", wrong ?: "not of this mapping, or not for the first time");
	pthread_mutex_lock(&held_lock);
	while (h->stuck)
		pthread_cond_wait(&held_cond, &held_lock);
	h->revoked++;
	pthread_mutex_unlock(&held_lock);
	if (h->unmaps)
		mvgpu_unmap(m);
}

static inline void unstick(struct held *h)
{
	pthread_mutex_lock(&held_lock);
	h->stuck = false;
	pthread_cond_broadcast(&held_cond);
	pthread_mutex_unlock(&held_lock);
}

static inline int map_ranges(struct held *h)
{
	h->m = mvgpu_map(&vgpu, h->range, h->n, h->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE,
			 take_back, h);
	if (IS_ERR(h->m))
		return PTR_ERR(h->m);
	check_segments(h);
	return 0;
}

static inline int map_one(struct held *h, u64 iova, u64 len)
{
	memset(h, 0, sizeof(*h));
	h->range[0] = (struct mvgpu_range){ iova, len };
	h->n = 1;
	h->write = true;
	return map_ranges(h);
}

static inline int start_type1(void **state)
{
	unit_start(SHIM_TYPE1, SHIM_IOMMU_LOW);
	return 0;
}

static inline int start_iommufd(void **state)
{
	unit_start(SHIM_IOMMUFD, SHIM_IOMMU_HIGH);
	return 0;
}

static inline int stop(void **state)
{
	unit_stop();
	return 0;
}

#define type1(f)	cmocka_unit_test_setup_teardown(f, start_type1, stop)
#define iommufd(f)	cmocka_unit_test_setup_teardown(f, start_iommufd, stop)

#endif /* TRACKER_HELD_H */
