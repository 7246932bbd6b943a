/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_SCATTERLIST_H
#define SHIM_LINUX_SCATTERLIST_H

#include <linux/types.h>

struct page;

/* Where a part of a buffer is, for the test's device, which sees what the CPU sees */
struct scatterlist {
	void *addr;
	unsigned int len;
	bool last;
};

static inline void sg_init_table(struct scatterlist *sg, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		sg[i] = (struct scatterlist){ .last = i == n - 1 };
}

static inline void sg_init_one(struct scatterlist *sg, void *buf, unsigned int len)
{
	*sg = (struct scatterlist){ buf, len, true };
}

static inline void sg_set_buf(struct scatterlist *sg, void *buf, unsigned int len)
{
	sg->addr = buf;
	sg->len = len;
}

/* @page is from vmalloc_to_page() */
static inline void sg_set_page(struct scatterlist *sg, struct page *page, unsigned int len,
			       unsigned int offset)
{
	sg->addr = (void *)page + offset;
	sg->len = len;
}

#endif /* SHIM_LINUX_SCATTERLIST_H */
