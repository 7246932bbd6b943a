// SPDX-License-Identifier: MIT
/* fast.c - see fast.h: the allocator, work, and a VMM and a DMA API that cost nothing */
#include <linux/dma-mapping.h>
#include <linux/errno.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/vfio.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "fast.h"

unsigned long volatile jiffies;
_Thread_local struct task_struct shim_task;
struct page *fast_mem_map;
struct fast_memory fast_memory;
long fast_pinned;
bool fast_count;

static unsigned long scattered;		/* pages of odd leaves, a power of two */

static void bug(const char *what)
{
	fprintf(stderr, "fast: %s\n", what);
	abort();
}

void fast_contended(void)
{
	bug("one thread takes a lock twice, or releases what it does not hold");
}

/* Messages that the kernel would log are not expected */
void shim_say(const char *fmt, ...)
{
	bug(fmt);
}

/* Memory */

#define HUGE		(2ul << 20)
#define ARENA		(4ul << 30)
#define CHUNK		(32ul << 10)
#define ACCOUNTING	8	/* struct slabobj_ext, per object */

static const unsigned int class_size[] = {
	8, 16, 32, 64, 96, 128, 192, 256, 512, 576, 1 << 10, 2 << 10, 4 << 10, 8 << 10,
	16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20,
	4 << 20, 8 << 20, 16 << 20,
};

#define CLASSES		ARRAY_SIZE(class_size)
#define SMALL		4096

static struct {
	char *arena;
	size_t used;
	void *free[2][CLASSES];
	u8 of_size[SMALL / 8 + 1];
	u8 of_chunk[ARENA / CHUNK];
	u32 *asked;	/* by address, while fast_count */
} mem;

static void *reserve(size_t len)
{
	char *p = mmap(NULL, len + HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		bug("no address space");
	p = (char *)ALIGN((unsigned long)p, HUGE);
	/* The kernel's own mapping of memory has huge pages, too */
	madvise(p, len, MADV_HUGEPAGE);
	return p;
}

static unsigned int class_of(size_t size)
{
	unsigned int c;

	if (size <= SMALL)
		return mem.of_size[(size + 7) / 8];
	for (c = 0; c < CLASSES && class_size[c] < size; c++)
		;
	if (c == CLASSES)
		bug("allocation too large");
	return c;
}

/* Accounted objects have slabs of their own, so the class of a chunk says it all */
static void refill(unsigned int c, bool accounted)
{
	size_t size = class_size[c], len = ALIGN(size, CHUNK), i;
	char *at = mem.arena + mem.used;

	mem.used += len;
	if (mem.used > ARENA)
		bug("out of memory");
	mem.of_chunk[(at - mem.arena) / CHUNK] = c | (accounted ? 0x80 : 0);
	for (i = len / size; i--;) {
		*(void **)(at + i * size) = mem.free[accounted][c];
		mem.free[accounted][c] = at + i * size;
	}
}

static size_t at_of(const void *ptr)
{
	return (const char *)ptr - mem.arena;
}

static void count_alloc(const void *ptr, size_t size, unsigned int c, bool accounted)
{
	mem.asked[at_of(ptr) / 8] = size;
	fast_memory.asked += size;
	fast_memory.taken += class_size[c] + (accounted ? ACCOUNTING : 0);
	fast_memory.objects++;
}

static void count_free(const void *ptr, unsigned int c, bool accounted)
{
	fast_memory.asked -= mem.asked[at_of(ptr) / 8];
	fast_memory.taken -= class_size[c] + (accounted ? ACCOUNTING : 0);
	fast_memory.objects--;
}

void *kmalloc(size_t size, gfp_t gfp)
{
	unsigned int c = class_of(size);
	bool accounted = gfp & __GFP_ACCOUNT;
	void **p;

	if (!mem.free[accounted][c])
		refill(c, accounted);
	p = mem.free[accounted][c];
	mem.free[accounted][c] = *p;
	if (fast_count)
		count_alloc(p, size, c, accounted);
	if (gfp & __GFP_ZERO)
		memset(p, 0, size);
	return p;
}

void kfree(const void *ptr)
{
	unsigned int c;
	bool accounted;

	if (!ptr)
		return;
	c = mem.of_chunk[at_of(ptr) / CHUNK];
	accounted = c & 0x80;
	c &= 0x7f;
	*(void **)ptr = mem.free[accounted][c];
	mem.free[accounted][c] = (void *)ptr;
	if (fast_count)
		count_free(ptr, c, accounted);
}

static void mem_init(void)
{
	unsigned int i, c = 0;

	mem.arena = reserve(ARENA);
	mem.asked = reserve(ARENA / 8 * sizeof(*mem.asked));
	for (i = 0; i <= SMALL / 8; i++) {
		while (class_size[c] < i * 8)
			c++;
		/* What has 576 bytes has a cache of its own */
		mem.of_size[i] = class_size[c] == 576 && i != 576 / 8 ? c + 1 : c;
	}
}

/* RCU, work, tasks */

static struct rcu_head *rcu_list;
static struct work_struct *work_list, **work_end = &work_list;

void fast_kfree_rcu(void *ptr, struct rcu_head *head)
{
	head->ptr = ptr;
	head->next = rcu_list;
	rcu_list = head;
}

struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags, int max_active)
{
	(void)name;
	(void)flags;
	(void)max_active;
	return (struct workqueue_struct *)&work_list;
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	drain_workqueue(wq);
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	(void)wq;
	if (__atomic_exchange_n(&work->pending, true, __ATOMIC_SEQ_CST))
		return false;
	work->next = NULL;
	*work_end = work;
	work_end = &work->next;
	return true;
}

static bool run_work(void)
{
	struct work_struct *work = work_list;

	if (!work)
		return false;
	work_list = work->next;
	if (!work_list)
		work_end = &work_list;
	__atomic_store_n(&work->pending, false, __ATOMIC_RELEASE);
	work->func(work);
	return true;
}

void fast_work_or_deadlock(void)
{
	if (!run_work())
		bug("waits for something that can't happen");
}

void drain_workqueue(struct workqueue_struct *wq)
{
	(void)wq;
	while (run_work())
		;
}

int task_work_add(struct task_struct *task, struct callback_head *work,
		  enum task_work_notify_mode mode)
{
	(void)mode;
	work->next = task->works;
	task->works = work;
	return 0;
}

void fast_settle(void)
{
	struct callback_head *work;
	struct rcu_head *head;

	while (run_work())
		;
	while ((work = current->works)) {
		current->works = work->next;
		work->func(work);
	}
	while ((head = rcu_list)) {
		rcu_list = head->next;
		kfree(head->ptr);
	}
}

/* VFIO and the DMA API */

unsigned long fast_pfn(u64 gfn)
{
	u64 odd, i;

	if (!(gfn & 512))
		return gfn;
	/* One to one among the pages of odd leaves, no two neighbours next to each other */
	i = (gfn >> 10 << 9) | (gfn & 511);
	odd = (i * 0x9e3779b1) & (scattered - 1);
	return (odd >> 9 << 10) | 512 | (odd & 511);
}

int vfio_pin_pages(struct vfio_device *vdev, dma_addr_t iova, int npage, int prot,
		   struct page **pages)
{
	int i;

	(void)vdev;
	(void)prot;
	for (i = 0; i < npage; i++)
		pages[i] = fast_mem_map + fast_pfn((iova >> PAGE_SHIFT) + i);
	fast_pinned += npage;
	return npage;
}

void vfio_unpin_pages(struct vfio_device *vdev, dma_addr_t iova, int npage)
{
	(void)vdev;
	(void)iova;
	fast_pinned -= npage;
}

dma_addr_t dma_map_page_attrs(struct device *dev, struct page *page, size_t offset, size_t size,
			      enum dma_data_direction dir, unsigned long attrs)
{
	(void)dev;
	(void)size;
	(void)dir;
	(void)attrs;
	return page_to_phys(page) + offset;
}

void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, size_t size,
			  enum dma_data_direction dir, unsigned long attrs)
{
	(void)dev;
	(void)addr;
	(void)size;
	(void)dir;
	(void)attrs;
}

int dma_mapping_error(struct device *dev, dma_addr_t addr)
{
	(void)dev;
	return addr == ~0ull ? -ENOMEM : 0;
}

struct iommu_domain *iommu_get_domain_for_dev(struct device *dev)
{
	(void)dev;
	return NULL;
}

phys_addr_t iommu_iova_to_phys(struct iommu_domain *domain, dma_addr_t addr)
{
	(void)domain;
	return addr;
}

phys_addr_t dma_to_phys(struct device *dev, dma_addr_t addr)
{
	(void)dev;
	return addr;
}

void vunmap(const void *addr)
{
	(void)addr;
	bug("a window is closed that nobody has opened");
}

void fast_init(unsigned long pages)
{
	mem_init();
	fast_mem_map = reserve(pages * sizeof(struct page));
	/* Not the one page that is all zeroes */
	memset(fast_mem_map, 0, pages * sizeof(struct page));
	scattered = pages / 2;
}
