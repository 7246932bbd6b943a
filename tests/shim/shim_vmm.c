// SPDX-License-Identifier: MIT
/*
 * shim_vmm.c - a VMM's memory behind VFIO and a DMA device behind an IOMMU; see shim_vmm.h
 */
#include <errno.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/vmalloc.h>
#include <linux/lockdep.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <string.h>
#include <unistd.h>
#include "shim.h"
#include "shim_vmm.h"

#define BASE_PFN	0x100000ul
#define MAX_REGIONS	256
#define MAX_DMA		(4 * SHIM_PAGES)

#define load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define add(p, v)	__atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)

/* What VFIO_IOMMU_MAP_DMA made; @gone as soon as an unmap has begun */
struct region {
	u64 first, pages;
	unsigned int *page;	/* NULL: nothing behind it */
	u8 *pins;		/* of the vGPU, by page: 1 once, 2 the first of a range */
	u16 *range;		/* pages of the pinned range that begins here */
	int prot;
	bool used, dying;
};

struct dma {
	dma_addr_t addr;
	phys_addr_t phys;
	size_t size;
	enum dma_data_direction dir;
};

static struct {
	pthread_mutex_t lock;		/* vfio_iommu.lock, ioas_lock: the regions and pins */
	pthread_mutex_t list_lock;	/* device_list_lock */
	pthread_mutex_t dma_lock;	/* the IOMMU and the pages */
	enum shim_backend backend;
	enum shim_iommu iommu;
	void (*unmap)(struct vfio_device *vdev, u64 iova, u64 len);
	struct region region[MAX_REGIONS];
	struct page page[SHIM_PAGES];
	bool taken[SHIM_PAGES];
	struct dma dma[MAX_DMA];
	unsigned int num_dma;
	u64 next_iova;
	unsigned int fail_pin, fail_dma;
	unsigned long pin_calls, dma_calls;
	long pinned;
	bool contend, detached;
	unsigned long hog, called_at;	/* for how long, and since when, in jiffies */
	struct vfio_device vdev;
} vmm = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.list_lock = PTHREAD_MUTEX_INITIALIZER,
	.dma_lock = PTHREAD_MUTEX_INITIALIZER,
};

unsigned long page_to_pfn(const struct page *page)
{
	return BASE_PFN + (page - vmm.page);
}

struct page *pfn_to_page(unsigned long pfn)
{
	if (pfn < BASE_PFN || pfn >= BASE_PFN + SHIM_PAGES)
		shim_bug("PFN %#lx is not memory", pfn);
	return &vmm.page[pfn - BASE_PFN];
}

void get_page(struct page *page)
{
	add(&page->refs, 1);
}

void put_page(struct page *page)
{
	if (add(&page->refs, -1) < 0)
		shim_bug("PFN %#lx: put without a get", page_to_pfn(page));
}

static bool fails(unsigned int *nth)
{
	return load(nth) && !add(nth, -1);
}

/* VFIO */

static struct region *find_region(u64 gfn)
{
	struct region *r;

	for (r = vmm.region; r < vmm.region + MAX_REGIONS; r++)
		if (r->used && gfn >= r->first && gfn - r->first < r->pages)
			return r;
	return NULL;
}

static void pin_one(struct region *r, u64 at, bool first, unsigned int n)
{
	if (r->pins[at])
		shim_bug("GFN %#llx pinned twice", (unsigned long long)(r->first + at));
	r->pins[at] = 1 + first;
	r->range[at] = first ? n : 0;
	add(&vmm.page[r->page[at]].pins, 1);
	add(&vmm.pinned, 1);
}

static void unpin_one(struct region *r, u64 at)
{
	if (!r->pins[at])
		shim_bug("GFN %#llx unpinned, but not pinned", (unsigned long long)(r->first + at));
	r->pins[at] = 0;
	if (add(&vmm.page[r->page[at]].pins, -1) < 0)
		shim_bug("page unpinned too often");
	add(&vmm.pinned, -1);
}

static int pin_check(u64 gfn, int n, int prot)
{
	struct region *r;
	int i;

	if (vmm.detached)
		return -ENOENT;
	for (i = 0; i < n; i++) {
		r = find_region(gfn + i);
		if (!r || !r->page)
			return vmm.backend == SHIM_TYPE1 ? -EINVAL : -ENOENT;
		if (r->dying && vmm.backend == SHIM_IOMMUFD)
			return -EINVAL;
		if ((r->prot & prot) != prot)
			return -EPERM;
	}
	return 0;
}

int vfio_pin_pages(struct vfio_device *vdev, dma_addr_t iova, int npage, int prot,
		   struct page **pages)
{
	u64 gfn = iova >> PAGE_SHIFT;
	struct region *r;
	int i, ret;

	shim_might_sleep("vfio_pin_pages()");
	if (npage <= 0 || npage > 512)
		shim_bug("vfio_pin_pages() of %d pages", npage);
	add(&vmm.pin_calls, 1);
	if (fails(&vmm.fail_pin))
		return -ENOMEM;
	pthread_mutex_lock(&vmm.lock);
	ret = pin_check(gfn, npage, prot);
	for (i = 0; i < npage && !ret; i++) {
		r = find_region(gfn + i);
		pin_one(r, gfn + i - r->first, !i, npage);
		pages[i] = &vmm.page[r->page[gfn + i - r->first]];
	}
	pthread_mutex_unlock(&vmm.lock);
	(void)vdev;
	return ret ? ret : npage;
}

void vfio_unpin_pages(struct vfio_device *vdev, dma_addr_t iova, int npage)
{
	u64 gfn = iova >> PAGE_SHIFT;
	struct region *r;
	int i;

	shim_might_sleep("vfio_unpin_pages()");
	while (jiffies - load(&vmm.called_at) < load(&vmm.hog))
		usleep(200);
	pthread_mutex_lock(&vmm.lock);
	for (i = 0; i < npage; i++) {
		r = find_region(gfn + i);
		if (!r)
			shim_bug("GFN %#llx unpinned, but not the VMM's",
				 (unsigned long long)(gfn + i));
		if (vmm.backend == SHIM_IOMMUFD &&
		    (r->pins[gfn + i - r->first] != 1 + !i ||
		     (!i && r->range[gfn - r->first] != npage)))
			shim_bug("GFN %#llx unpinned otherwise than it was pinned",
				 (unsigned long long)(gfn + i));
		unpin_one(r, gfn + i - r->first);
	}
	pthread_mutex_unlock(&vmm.lock);
	(void)vdev;
}

static bool region_pinned(const struct region *r)
{
	u64 i;

	for (i = 0; r->page && i < r->pages; i++)
		if (r->pins[i])
			return true;
	return false;
}

static void region_free(struct region *r)
{
	u64 i;

	for (i = 0; r->page && i < r->pages; i++)
		vmm.taken[r->page[i]] = false;
	free(r->page);
	free(r->pins);
	free(r->range);
	r->used = false;
}

/* Opens another device of the container: what vfio_iommu_type1_register_device() does */
static void *open_other(void *arg)
{
	pthread_mutex_lock(&vmm.lock);
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELAXED);
	pthread_mutex_lock(&vmm.list_lock);
	pthread_mutex_unlock(&vmm.list_lock);
	pthread_mutex_unlock(&vmm.lock);
	return arg;
}

/* vfio_notify_dma_unmap() */
static void notify(u64 iova, u64 len)
{
	pthread_t other;
	bool contend = load(&vmm.contend), waits = false;
	int i;

	pthread_mutex_lock(&vmm.list_lock);
	pthread_mutex_unlock(&vmm.lock);
	if (contend) {
		pthread_create(&other, NULL, open_other, &waits);
		/* Unless another unmap has the lock, which does as well */
		for (i = 0; i < 50 && !load(&waits); i++)
			usleep(20);
	}
	__atomic_store_n(&vmm.called_at, jiffies, __ATOMIC_RELAXED);
	vmm.unmap(&vmm.vdev, iova, len);
	pthread_mutex_unlock(&vmm.list_lock);
	if (contend)
		pthread_join(other, NULL);
	pthread_mutex_lock(&vmm.lock);
}

void shim_vmm_unmap(u64 iova)
{
	struct region *r;
	int calls = 0;

	pthread_mutex_lock(&vmm.lock);
	r = find_region(iova >> PAGE_SHIFT);
	if (r) {
		r->dying = true;
		while (region_pinned(r)) {
			if (calls++ == SHIM_MAX_CALLS)
				shim_bug("pins left after %d calls", SHIM_MAX_CALLS);
			notify(r->first << PAGE_SHIFT, r->pages << PAGE_SHIFT);
		}
		region_free(r);
	}
	pthread_mutex_unlock(&vmm.lock);
	shim_return_to_user();
}

/* iommufd_access_change_ioas(): everything goes, and VFIO does not ask twice */
void shim_vmm_detach(void)
{
	struct region *r;

	pthread_mutex_lock(&vmm.lock);
	vmm.detached = true;
	pthread_mutex_unlock(&vmm.lock);
	vmm.unmap(&vmm.vdev, 0, ULONG_MAX);
	pthread_mutex_lock(&vmm.lock);
	for (r = vmm.region; r < vmm.region + MAX_REGIONS; r++)
		if (r->used && region_pinned(r))
			shim_bug("pins left after detaching");
	vmm.detached = false;
	pthread_mutex_unlock(&vmm.lock);
	shim_return_to_user();
}

static struct region *new_region(u64 iova, u64 pages, int prot)
{
	struct region *r;

	for (r = vmm.region; r->used; r++)
		if (r == vmm.region + MAX_REGIONS - 1)
			shim_bug("too many regions");
	memset(r, 0, sizeof(*r));
	r->used = true;
	r->first = iova >> PAGE_SHIFT;
	r->pages = pages;
	r->prot = prot;
	return r;
}

/* The next run of @n free pages, none of them next to the one before */
static unsigned int find_pages(unsigned int n)
{
	static unsigned int at;
	unsigned int i, k, tries;

	for (tries = 0; tries < SHIM_PAGES; tries++) {
		i = (at + 1 + tries) % SHIM_PAGES;
		if (i + n > SHIM_PAGES)
			continue;
		for (k = 0; k < n && !vmm.taken[i + k] && !load(&vmm.page[i + k].refs); k++)
			;
		if (k == n) {
			at = i + n;
			return i;
		}
	}
	shim_bug("out of physical memory");
}

void shim_vmm_map(u64 iova, unsigned int pages, unsigned int contig, int prot)
{
	unsigned int i, n, k, at;
	struct region *r;

	pthread_mutex_lock(&vmm.lock);
	r = new_region(iova, pages, prot);
	r->page = calloc(pages, sizeof(*r->page));
	r->pins = calloc(pages, sizeof(*r->pins));
	r->range = calloc(pages, sizeof(*r->range));
	for (i = 0; i < pages; i += n) {
		n = pages - i < contig ? pages - i : contig;
		at = find_pages(n);
		for (k = 0; k < n; k++) {
			r->page[i + k] = at + k;
			vmm.taken[at + k] = true;
			vmm.page[at + k].reserved = false;
			vmm.page[at + k].device = false;
			vmm.page[at + k].bounce = false;
		}
	}
	pthread_mutex_unlock(&vmm.lock);
}

/* A mapping with no memory that can be pinned: as large as it likes */
void shim_vmm_map_reserve(u64 iova, u64 len)
{
	pthread_mutex_lock(&vmm.lock);
	new_region(iova, len >> PAGE_SHIFT, IOMMU_READ | IOMMU_WRITE);
	pthread_mutex_unlock(&vmm.lock);
}

struct page *shim_vmm_page(u64 gfn)
{
	struct page *page = NULL;
	struct region *r;

	pthread_mutex_lock(&vmm.lock);
	r = find_region(gfn);
	if (r && r->page)
		page = &vmm.page[r->page[gfn - r->first]];
	pthread_mutex_unlock(&vmm.lock);
	return page;
}

bool shim_gfn_pinned(u64 gfn)
{
	struct region *r;
	bool pinned;

	pthread_mutex_lock(&vmm.lock);
	r = find_region(gfn);
	pinned = r && r->page && r->pins[gfn - r->first];
	pthread_mutex_unlock(&vmm.lock);
	return pinned;
}

/* What is in the pages: a file, so that it can be seen at several addresses */

static int memory(void)
{
	static int fd;

	if (!load(&fd)) {
		fd = memfd_create("memory", 0);
		if (fd < 0 || ftruncate(fd, SHIM_PAGES * PAGE_SIZE))
			shim_bug("no memory file");
	}
	return fd;
}

/* One page's part of a copy; vmm.lock is held */
static int copy_page(u64 iova, void *data, size_t len, bool write)
{
	struct region *r = find_region(iova >> PAGE_SHIFT);
	off_t at;

	if (!r || !r->page)
		return -EINVAL;
	if (write && !(r->prot & IOMMU_WRITE))
		return -EPERM;
	at = r->page[(iova >> PAGE_SHIFT) - r->first] * PAGE_SIZE + offset_in_page(iova);
	if ((write ? pwrite(memory(), data, len, at) : pread(memory(), data, len, at)) !=
	    (ssize_t)len)
		shim_bug("copy failed");
	return 0;
}

static int copy(u64 iova, void *data, size_t len, bool write)
{
	size_t n;
	int ret = 0;

	pthread_mutex_lock(&vmm.lock);
	for (; len && !ret; len -= n, iova += n, data += n) {
		n = min_t(size_t, len, PAGE_SIZE - offset_in_page(iova));
		ret = copy_page(iova, data, n, write);
	}
	pthread_mutex_unlock(&vmm.lock);
	return ret;
}

/* As type1: for kernel threads and the VMM, whose mm is NULL and &vmm here */
int vfio_dma_rw(struct vfio_device *vdev, dma_addr_t iova, void *data, size_t len, bool write)
{
	(void)vdev;
	shim_might_sleep("vfio_dma_rw()");
	if (current->mm && current->mm != &vmm)
		return -EFAULT;
	return copy(iova, data, len, write);
}

void shim_guest_copy(u64 iova, void *data, size_t len, bool write)
{
	if (copy(iova, data, len, write))
		shim_bug("the guest's memory is not there");
}

#define MAX_VMAPS	64

static struct { char *addr; size_t len; } vmaps[MAX_VMAPS];
static long num_vmaps;
static pthread_mutex_t vmap_lock = PTHREAD_MUTEX_INITIALIZER;

void *vmap(struct page **pages, unsigned int count, unsigned long flags, int prot)
{
	size_t len = count * PAGE_SIZE;
	unsigned int i, slot;
	char *addr;

	(void)flags;
	shim_might_sleep("vmap()");
	addr = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < count; i++)
		if (mmap(addr + i * PAGE_SIZE, PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED, memory(),
			 (pages[i] - vmm.page) * PAGE_SIZE) == MAP_FAILED)
			shim_bug("vmap failed");
	pthread_mutex_lock(&vmap_lock);
	for (slot = 0; vmaps[slot].addr; slot++)
		if (slot == MAX_VMAPS - 1)
			shim_bug("too many vmaps");
	vmaps[slot].addr = addr;
	vmaps[slot].len = len;
	num_vmaps++;
	pthread_mutex_unlock(&vmap_lock);
	return addr;
}

void vunmap(const void *addr)
{
	unsigned int slot;

	pthread_mutex_lock(&vmap_lock);
	for (slot = 0; vmaps[slot].addr != addr; slot++)
		if (slot == MAX_VMAPS - 1)
			shim_bug("vunmap() of what is not mapped");
	munmap(vmaps[slot].addr, vmaps[slot].len);
	vmaps[slot].addr = NULL;
	num_vmaps--;
	pthread_mutex_unlock(&vmap_lock);
}

long shim_vmaps(void)
{
	return load(&num_vmaps);
}

/* DMA */

static struct dma *find_dma(dma_addr_t addr)
{
	unsigned int i;

	for (i = 0; i < vmm.num_dma; i++)
		if (addr - vmm.dma[i].addr < vmm.dma[i].size)
			return &vmm.dma[i];
	return NULL;
}

static dma_addr_t new_addr(phys_addr_t phys, size_t size)
{
	if (vmm.iommu == SHIM_DIRECT)
		return phys;
	/* With a hole in between, so that only what was mapped at once is contiguous */
	vmm.next_iova -= size + PAGE_SIZE;
	return vmm.next_iova;
}

dma_addr_t dma_map_page_attrs(struct device *dev, struct page *page, size_t offset, size_t size,
			      enum dma_data_direction dir, unsigned long attrs)
{
	dma_addr_t addr;
	struct dma *d;
	size_t i;

	(void)dev;
	shim_might_sleep("the test's dma_map_page_attrs()");
	if (offset || attrs != DMA_ATTR_SKIP_CPU_SYNC)
		shim_bug("dma_map_page_attrs() with offset %zu, attributes %#lx", offset, attrs);
	add(&vmm.dma_calls, 1);
	if (fails(&vmm.fail_dma))
		return ~0ull;
	pthread_mutex_lock(&vmm.dma_lock);
	if (vmm.num_dma == MAX_DMA)
		shim_bug("too many DMA mappings");
	d = &vmm.dma[vmm.num_dma++];
	d->phys = page_to_phys(page);
	addr = new_addr(d->phys, size);
	d->addr = addr;
	d->size = size;
	d->dir = dir;
	for (i = 0; i < size / PAGE_SIZE; i++) {
		if (!load(&page[i].pins))
			shim_bug("mapped for DMA before it is pinned");
		page[i].dma++;
	}
	if (page[size / PAGE_SIZE - 1].bounce)
		d->phys ^= 1ull << 40;
	pthread_mutex_unlock(&vmm.dma_lock);
	return addr;
}

void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, size_t size,
			  enum dma_data_direction dir, unsigned long attrs)
{
	struct page *page;
	struct dma *d;
	size_t i;

	(void)dev;
	if (attrs != DMA_ATTR_SKIP_CPU_SYNC)
		shim_bug("dma_unmap_page_attrs() with attributes %#lx", attrs);
	pthread_mutex_lock(&vmm.dma_lock);
	d = find_dma(addr);
	if (!d || d->addr != addr || d->size != size || d->dir != dir)
		shim_bug("DMA address %#llx unmapped otherwise than mapped",
			 (unsigned long long)addr);
	page = pfn_to_page((d->phys & ~(1ull << 40)) >> PAGE_SHIFT);
	for (i = 0; i < size / PAGE_SIZE; i++) {
		if (!load(&page[i].pins) && !load(&page[i].refs))
			shim_bug("page given back before its DMA mapping");
		page[i].dma--;
	}
	*d = vmm.dma[--vmm.num_dma];
	pthread_mutex_unlock(&vmm.dma_lock);
}

int dma_mapping_error(struct device *dev, dma_addr_t addr)
{
	(void)dev;
	return addr == ~0ull ? -ENOMEM : 0;
}

struct iommu_domain *iommu_get_domain_for_dev(struct device *dev)
{
	static struct iommu_domain domain = { .type = __IOMMU_DOMAIN_PAGING };

	(void)dev;
	return vmm.iommu == SHIM_DIRECT ? NULL : &domain;
}

phys_addr_t iommu_iova_to_phys(struct iommu_domain *domain, dma_addr_t addr)
{
	phys_addr_t phys = 0;
	struct dma *d;

	(void)domain;
	pthread_mutex_lock(&vmm.dma_lock);
	d = find_dma(addr);
	if (d)
		phys = d->phys + (addr - d->addr);
	pthread_mutex_unlock(&vmm.dma_lock);
	return phys;
}

phys_addr_t dma_to_phys(struct device *dev, dma_addr_t addr)
{
	phys_addr_t phys = addr;
	struct page *page;

	(void)dev;
	page = pfn_to_page(addr >> PAGE_SHIFT);
	if (page->bounce)
		phys ^= 1ull << 40;
	return phys;
}

struct page *shim_device_access(dma_addr_t addr, bool write)
{
	struct page *page = NULL;
	struct dma *d;

	pthread_mutex_lock(&vmm.dma_lock);
	d = find_dma(addr);
	if (d && (!write || d->dir != DMA_TO_DEVICE)) {
		page = pfn_to_page((d->phys + (addr - d->addr)) >> PAGE_SHIFT);
		if (!load(&page->pins) && !load(&page->refs))
			shim_bug("the device reaches a page that was given back");
	}
	pthread_mutex_unlock(&vmm.dma_lock);
	return page;
}

/* The test's controls */

void shim_vmm_init(enum shim_backend backend, enum shim_iommu iommu,
		   void (*unmap)(struct vfio_device *vdev, u64 iova, u64 len))
{
	vmm.backend = backend;
	vmm.iommu = iommu;
	vmm.unmap = unmap;
	vmm.next_iova = iommu == SHIM_IOMMU_HIGH ? -PAGE_SIZE : 1ull << 32;
}

void shim_vmm_fini(void)
{
	struct region *r;

	for (r = vmm.region; r < vmm.region + MAX_REGIONS; r++)
		if (r->used)
			region_free(r);
	shim_fail_pin(0);
	shim_fail_dma(0);
	shim_vmm_contend(false);
}

void shim_vmm_hog(unsigned long duration)
{
	__atomic_store_n(&vmm.hog, duration, __ATOMIC_RELAXED);
}

void shim_vmm_contend(bool on)
{
	__atomic_store_n(&vmm.contend, on, __ATOMIC_RELAXED);
}

void shim_fail_pin(unsigned int nth)
{
	__atomic_store_n(&vmm.fail_pin, nth, __ATOMIC_RELAXED);
}

void shim_fail_dma(unsigned int nth)
{
	__atomic_store_n(&vmm.fail_dma, nth, __ATOMIC_RELAXED);
}

long shim_pinned(void)
{
	return load(&vmm.pinned);
}

long shim_mapped(void)
{
	long n;

	pthread_mutex_lock(&vmm.dma_lock);
	n = vmm.num_dma;
	pthread_mutex_unlock(&vmm.dma_lock);
	return n;
}

long shim_referenced(void)
{
	long n = 0;
	int i;

	for (i = 0; i < SHIM_PAGES; i++)
		n += load(&vmm.page[i].refs);
	return n;
}

unsigned long shim_pin_calls(void)
{
	return load(&vmm.pin_calls);
}

unsigned long shim_dma_calls(void)
{
	return load(&vmm.dma_calls);
}
