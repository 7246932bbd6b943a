// SPDX-License-Identifier: GPL-2.0-only
/*
 * ancestor.c - pages pinned and mapped one a call, in two trees, under one mutex: how
 * i915's GVT-g does it, written anew to be measured. See ancestor.h.
 */
#include <linux/dma-mapping.h>
#include <linux/errno.h>
#include <linux/iommu.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vfio.h>
#include "ancestor.h"

struct page_map {
	struct ancestor *owner;
	struct rb_node gfn_node;
	struct rb_node addr_node;
	u64 gfn;
	dma_addr_t addr;
	unsigned long size;
	struct kref refs;
};

static struct page_map *find_gfn(struct ancestor *a, u64 gfn)
{
	struct rb_node *node = a->by_gfn.rb_node;
	struct page_map *m;

	while (node) {
		m = rb_entry(node, struct page_map, gfn_node);
		if (gfn == m->gfn)
			return m;
		node = gfn < m->gfn ? node->rb_left : node->rb_right;
	}
	return NULL;
}

static struct page_map *find_addr(struct ancestor *a, dma_addr_t addr)
{
	struct rb_node *node = a->by_addr.rb_node;
	struct page_map *m;

	while (node) {
		m = rb_entry(node, struct page_map, addr_node);
		if (addr == m->addr)
			return m;
		node = addr < m->addr ? node->rb_left : node->rb_right;
	}
	return NULL;
}

static void link_gfn(struct ancestor *a, struct page_map *new)
{
	struct rb_node **link = &a->by_gfn.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = new->gfn < rb_entry(parent, struct page_map, gfn_node)->gfn ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->gfn_node, parent, link);
	rb_insert_color(&new->gfn_node, &a->by_gfn);
}

static void link_addr(struct ancestor *a, struct page_map *new)
{
	struct rb_node **link = &a->by_addr.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = new->addr < rb_entry(parent, struct page_map, addr_node)->addr ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->addr_node, parent, link);
	rb_insert_color(&new->addr_node, &a->by_addr);
}

static void give_back(struct ancestor *a, u64 gfn, dma_addr_t addr, unsigned long size)
{
	dma_unmap_page_attrs(a->dev, addr, size, DMA_BIDIRECTIONAL, DMA_ATTR_SKIP_CPU_SYNC);
	vfio_unpin_pages(a->vdev, gfn << PAGE_SHIFT, 1);
}

static void forget(struct page_map *m)
{
	struct ancestor *a = m->owner;

	give_back(a, m->gfn, m->addr, m->size);
	rb_erase(&m->gfn_node, &a->by_gfn);
	rb_erase(&m->addr_node, &a->by_addr);
	a->pages--;
	kfree(m);
}

static void release(struct kref *refs)
{
	forget(container_of(refs, struct page_map, refs));
}

static int add_page(struct ancestor *a, u64 gfn, dma_addr_t *addr)
{
	struct page_map *m;
	struct page *page;
	int ret;

	ret = vfio_pin_pages(a->vdev, gfn << PAGE_SHIFT, 1, IOMMU_READ | IOMMU_WRITE, &page);
	if (ret != 1)
		return ret < 0 ? ret : -EFAULT;
	*addr = dma_map_page_attrs(a->dev, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL,
				   DMA_ATTR_SKIP_CPU_SYNC);
	if (dma_mapping_error(a->dev, *addr)) {
		vfio_unpin_pages(a->vdev, gfn << PAGE_SHIFT, 1);
		return -ENOMEM;
	}
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m) {
		give_back(a, gfn, *addr, PAGE_SIZE);
		return -ENOMEM;
	}
	m->owner = a;
	m->gfn = gfn;
	m->addr = *addr;
	m->size = PAGE_SIZE;
	kref_init(&m->refs);
	link_gfn(a, m);
	link_addr(a, m);
	a->pages++;
	return 0;
}

/* Have one more reference to a page, and its address. 0 or an errno. */
int ancestor_map(struct ancestor *a, u64 gfn, dma_addr_t *addr)
{
	struct page_map *m;
	int ret = 0;

	mutex_lock(&a->lock);
	m = find_gfn(a, gfn);
	if (m) {
		kref_get(&m->refs);
		*addr = m->addr;
	} else {
		ret = add_page(a, gfn, addr);
	}
	mutex_unlock(&a->lock);
	return ret;
}

/* Give one reference back */
void ancestor_unmap(struct ancestor *a, dma_addr_t addr)
{
	struct page_map *m;

	mutex_lock(&a->lock);
	m = find_addr(a, addr);
	if (m)
		kref_put(&m->refs, release);
	mutex_unlock(&a->lock);
}

/* VFIO takes a range away: look at every page that it could hold */
void ancestor_dma_unmap(struct ancestor *a, u64 iova, u64 len)
{
	u64 gfn = iova >> PAGE_SHIFT, end = gfn + (len >> PAGE_SHIFT);
	struct page_map *m;

	mutex_lock(&a->lock);
	for (; gfn < end; gfn++) {
		m = find_gfn(a, gfn);
		if (m)
			forget(m);
	}
	mutex_unlock(&a->lock);
}

void ancestor_init(struct ancestor *a, struct vfio_device *vdev, struct device *dev)
{
	a->vdev = vdev;
	a->dev = dev;
	a->by_gfn = RB_ROOT;
	a->by_addr = RB_ROOT;
	a->pages = 0;
	mutex_init(&a->lock);
}

void ancestor_fini(struct ancestor *a)
{
	struct rb_node *node;

	mutex_lock(&a->lock);
	while ((node = rb_first(&a->by_gfn)))
		forget(rb_entry(node, struct page_map, gfn_node));
	mutex_unlock(&a->lock);
	mutex_destroy(&a->lock);
}
