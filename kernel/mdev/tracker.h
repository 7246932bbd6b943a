/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracker.h - struct mvgpu_tracker: which guest pages a vGPU has pinned, where the GPU
 * finds them, and which mappings hold them. One per vGPU. Portable: kernel and userspace.
 *
 * Words: a leaf covers 512 aligned GFNs; a run is the pages of one pin call, inside one
 * leaf; a stretch is the part of a run that one DMA mapping covers; a piece is the part
 * of a mapping that lies in one leaf.
 *
 * Lock order, outermost first. None of VFIO's own locks is ever waited for with one of
 * ours held, so VFIO may call us with any of its locks held:
 *
 *	mvgpu_tracker.rw	CPU access through VFIO against close (guestmem.c)
 *	mvgpu_maps.plane_lock	and what is inside it, see device.h
 *	mvgpu_dirty.mutex	the VMM starts, stops and reads the log (dirty.c)
 *	  VFIO: vfio_iommu.lock, iommufd_access.ioas_lock, mmap_lock (by pin, unpin, rw)
 *	mvgpu_leaf.lock		the leaf's entries and the pieces in it
 *	mvgpu_tracker.lock	ranges going away, mappings' states, lists of leaves
 *	mvgpu_dirty.lock	the log; taken in any context
 *	  xa_lock of mvgpu_tracker.leaves, wait queues
 *
 * VFIO's device_list_lock and iommufd's unmap wait for our answer. The answer depends on
 * two work items only: one that runs revoke callbacks, one that unpins. The latter waits
 * for vfio_iommu.lock, whose holder may be waiting for device_list_lock, so the answer
 * to VFIO has a time limit (mapping.c).
 */
#ifndef MVGPU_TRACKER_H
#define MVGPU_TRACKER_H

#include <linux/atomic.h>
#include <linux/bitfield.h>
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/vfio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "mvgpu.h"

#define MVGPU_LEAF_SHIFT	9	/* 512 pages */
#define MVGPU_LEAF_PAGES	512u

/*
 * An entry: what the hit path needs of a page.
 *
 * The address of a page is at most 64 bits, 52 without the offset. 40 are stored. The
 * rest is 0 or, with HIGH, mvgpu_tracker.high: an IOMMU hands addresses out from the
 * bottom 4 GiB or from the top of its space downwards.
 */
#define MVGPU_ENTRY_REFS	GENMASK_ULL(19, 0)
#define MVGPU_ENTRY_TRACKED	BIT_ULL(20)
#define MVGPU_ENTRY_BUSY	BIT_ULL(21)	/* coming or going: no new references */
#define MVGPU_ENTRY_RO		BIT_ULL(22)	/* mapped for the device to read */
#define MVGPU_ENTRY_HIGH	BIT_ULL(23)	/* next to the PFN, see mvgpu_entry_follows() */
#define MVGPU_ENTRY_STRETCH	BIT_ULL(0)	/* outside of leaves: a stretch starts here */
#define MVGPU_ENTRY_PFN_SHIFT	24
#define MVGPU_ENTRY_PFN_BITS	40

/* A page's place in its run, and at the run's first page the facts of the run */
#define MVGPU_META_FIRST	GENMASK(8, 0)	/* the run's first page in the leaf */
#define MVGPU_META_START	BIT(9)		/* a stretch starts here */
#define MVGPU_META_PAGES	GENMASK(19, 10)	/* pages in the run */
#define MVGPU_META_LIVE		GENMASK(29, 20)	/* pages in the run with references */
#define MVGPU_META_LENT		BIT(30)		/* quarantine owns the DMA mapping */

/**
 * struct mvgpu_leaf - 512 aligned GFNs of which at least one is tracked
 * @lock: protects the rest but for @index and the nodes
 * @gone: removed from the tracker, about to be freed
 * @tracked: entries with MVGPU_ENTRY_TRACKED
 * @index: GFN >> MVGPU_LEAF_SHIFT
 * @pieces: of the mappings that hold pages here
 * @reap_node: in mvgpu_tracker.reap while @dead is not empty
 * @idle_node: in mvgpu_tracker.idle while @idle may be not empty
 * @dead: the first page of every run that is to be unmapped and unpinned
 * @idle: the first page of every run that the cache keeps
 * @entry: MVGPU_ENTRY_* by page
 * @meta: MVGPU_META_* by page
 * @rcu: to free it
 */
struct mvgpu_leaf {
	spinlock_t lock;	/* see the lock order */
	bool gone;
	u16 tracked;
	u64 index;
	struct list_head pieces;
	struct list_head reap_node;
	struct list_head idle_node;
	DECLARE_BITMAP(dead, MVGPU_LEAF_PAGES);
	DECLARE_BITMAP(idle, MVGPU_LEAF_PAGES);
	u64 *entry;
	u32 *meta;
	struct rcu_head rcu;
};

/**
 * struct mvgpu_piece - the part of a mapping that lies in one leaf
 * @node: in the leaf's list once @leaf is set
 * @mapping: whose it is
 * @leaf: the leaf, NULL before the first reference and after the last
 * @lost: pages whose reference went into quarantine, NULL for none
 * @index: of the leaf
 * @first: first page in the leaf
 * @pages: how many
 * @held: how many of them, from the first on, this piece has a reference to
 * @skip: bytes of the first page that come before the mapping's
 * @len: bytes
 */
struct mvgpu_piece {
	struct list_head node;
	struct mvgpu_mapping *mapping;
	struct mvgpu_leaf *leaf;
	unsigned long *lost;
	u64 index;
	u16 first;
	u16 pages;
	u16 held;
	u16 skip;
	u32 len;
};

/* What happened to a mapping; protected by mvgpu_tracker.lock */
#define MVGPU_MAPPING_BUILT	BIT(0)	/* the vendor driver knows it */
#define MVGPU_MAPPING_REVOKED	BIT(1)	/* to be given up, or given up */
#define MVGPU_MAPPING_RUNNING	BIT(2)	/* in its revoke callback */
#define MVGPU_MAPPING_DONE	BIT(3)	/* its references are given back */

/**
 * struct mvgpu_mapping - a guest buffer that a vendor driver holds mapped
 * @tracker: where
 * @node: in mvgpu_tracker.revokes while its callback is to be run
 * @revoke: the vendor driver's callback
 * @priv: for @revoke
 * @flags: MVGPU_MAPPING_*
 * @users: the vendor driver, the revoke work, a struct mvgpu_scanout
 * @write: the device may write
 * @reports: the vendor driver says what the device has written
 * @num_segments: entries in @segments
 * @segments: what the device is told
 * @few: @segments, if they are few
 * @num_pieces: entries in @pieces
 * @pieces: the pages, in the order of the ranges
 */
struct mvgpu_mapping {
	struct mvgpu_tracker *tracker;
	struct list_head node;
	void (*revoke)(struct mvgpu_mapping *mapping, void *priv);
	void *priv;
	struct kref users;
	u8 flags;
	bool write;
	bool reports;
	u32 num_segments;
	struct mvgpu_segment *segments;
	struct mvgpu_segment few[2];
	u32 num_pieces;
	struct mvgpu_piece pieces[];
};

/**
 * struct mvgpu_dma - how the pages get their DMA addresses
 * @dev: the device that reads and writes them
 * @mode: whether through the DMA API
 */
struct mvgpu_dma {
	struct device *dev;
	enum mvgpu_dma_mode mode;
};

struct mvgpu_dirty_log;

/**
 * struct mvgpu_dirty - what has been written to guest memory (dirty.c)
 * @mutex: held to start, stop and read
 * @lock: protects what is in @log
 * @log: NULL if nobody wants to know; changes under both
 */
struct mvgpu_dirty {
	struct mutex mutex;	/* see the lock order */
	spinlock_t lock;	/* see the lock order */
	struct mvgpu_dirty_log *log;
};

/* What went wrong, for the counters */
enum mvgpu_map_error {
	MVGPU_ERR_ADDRESS,	/* -EFAULT: not the VMM's, or no ordinary memory */
	MVGPU_ERR_INVALID,	/* -EINVAL: empty or wraps */
	MVGPU_ERR_ACCESS,	/* -EPERM: write to read-only memory */
	MVGPU_ERR_QUOTA,	/* -ENOSPC */
	MVGPU_ERR_REACH,	/* -ERANGE: the device can't address it directly */
	MVGPU_ERR_REFS,		/* -EOVERFLOW: too many references to a page */
	MVGPU_ERR_BUSY,		/* -EAGAIN, -EINTR: going away for too long */
	MVGPU_ERR_CLOSED,	/* -ENODEV */
	MVGPU_ERR_OTHER,	/* -ENOMEM and what else VFIO says */
	MVGPU_NUM_ERRS
};

/**
 * struct mvgpu_tracker_stats - counters of a tracker since its creation
 * @maps: mappings made
 * @hits: pages of mappings that were tracked already
 * @misses: pages that had to be pinned
 * @revokes: mappings that were revoked
 * @quarantines: pages that ever went into quarantine
 * @errors: failed mvgpu_map() by kind
 */
struct mvgpu_tracker_stats {
	atomic64_t maps;
	atomic64_t hits;
	atomic64_t misses;
	atomic64_t revokes;
	atomic64_t quarantines;
	atomic64_t errors[MVGPU_NUM_ERRS];
};

/**
 * struct mvgpu_tracker - the guest memory of one vGPU as its GPU sees it
 * @vdev: through which to pin
 * @dma: how to get DMA addresses
 * @quiesce: make the hardware quiet, see mvgpu_driver.quiesce; NULL if it can't be made
 * @quiesce_arg: for @quiesce
 * @hide: take the pages of doomed mappings from the VMM's sight, NULL if none ever is in it
 * @leaves: struct mvgpu_leaf by GFN >> MVGPU_LEAF_SHIFT
 * @lock: protects the rest but for the atomics and what says otherwise
 * @closed: no VMM: nothing is pinned any more
 * @going: the ranges that VFIO takes away at the moment
 * @reap: leaves with dead runs
 * @idle: leaves with idle runs, the one to evict first in front
 * @revokes: mappings whose callback is to be run
 * @quarantine: runs that the hardware may still reach
 * @revoker: the task that is in a revoke callback
 * @unquiet: mappings that are being revoked, or unmapped and not hidden yet
 * @high: upper bits of DMA addresses with MVGPU_ENTRY_HIGH; set once
 * @pinned: pages tracked or about to be
 * @dying: of these, pages in dead runs
 * @quarantined: pages in quarantine
 * @cached: pages in idle runs
 * @shed: of these, how many memory pressure wants back
 * @progress: runs reaped and callbacks returned, to see that there is some
 * @quiet: when the last revoke callback returned, in jiffies
 * @quota: most pages that may be pinned
 * @quota_set: it is the operator's, not the default
 * @cache_limit: most pages that may be idle
 * @mappings: that the vendor driver has not unmapped
 * @wait: for an entry not to be busy any more, for a range to be through
 * @wq: runs what follows; each of them is its only work item, so runs once at a time
 * @reap_work: unmaps and unpins
 * @revoke_work: runs revoke callbacks
 * @quiesce_work: runs @quiesce
 * @rw: held for reading while VFIO copies for us, for writing to close
 * @dirty: what has been written
 * @stats: counters
 */
struct mvgpu_tracker {
	struct vfio_device *vdev;
	struct mvgpu_dma dma;
	int (*quiesce)(void *arg);
	void *quiesce_arg;
	void (*hide)(struct mvgpu_tracker *t);
	struct xarray leaves;
	spinlock_t lock;	/* see the lock order */
	bool closed;
	struct list_head going;
	struct list_head reap;
	struct list_head idle;
	struct list_head revokes;
	struct list_head quarantine;
	struct task_struct *revoker;
	unsigned int unquiet;
	u16 high;
	atomic_long_t pinned;
	atomic_long_t dying;
	atomic_long_t quarantined;
	atomic_long_t cached;
	atomic_long_t shed;
	atomic_long_t progress;
	unsigned long quiet;
	unsigned long quota;
	bool quota_set;
	unsigned long cache_limit;
	atomic_long_t mappings;
	wait_queue_head_t wait;
	struct workqueue_struct *wq;
	struct work_struct reap_work;
	struct work_struct revoke_work;
	struct work_struct quiesce_work;
	struct rw_semaphore rw;	/* see the lock order */
	struct mvgpu_dirty dirty;
	struct mvgpu_tracker_stats stats;
};

/* Of the vGPU; in the kernel it is in struct mvgpu */
struct mvgpu_tracker *mvgpu_tracker(struct mvgpu *vgpu);

/* tracker.c: leaves, runs and references */
int mvgpu_piece_get(struct mvgpu_tracker *t, struct mvgpu_piece *p);
void mvgpu_piece_put(struct mvgpu_tracker *t, struct mvgpu_piece *p);
void mvgpu_leaf_doom(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf,
		     unsigned int lo, unsigned int hi);
struct mvgpu_leaf *mvgpu_leaf_next(struct mvgpu_tracker *t, u64 *index, u64 last);
void mvgpu_run_kill(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first);
bool mvgpu_leaf_overlap(const struct mvgpu_leaf *leaf, u64 first, u64 last,
			unsigned int *lo, unsigned int *hi);
void mvgpu_leaf_tidy(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf);
void mvgpu_run_set_live(struct mvgpu_leaf *leaf, unsigned int first, unsigned int live);
void mvgpu_run_forget(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first);

/* run.c: pin and map, unmap and unpin */
int mvgpu_run_fill(struct mvgpu_tracker *t, struct mvgpu_piece *p, unsigned int pages);
void mvgpu_reap_work(struct work_struct *work);

/* mapping.c: mappings */
void mvgpu_mapping_doom(struct mvgpu_mapping *m);
bool mvgpu_mapping_doomed(struct mvgpu_mapping *m);
void mvgpu_mapping_put(struct mvgpu_mapping *m);
int mvgpu_mapping_pages(const struct mvgpu_mapping *m, u64 offset, u64 len, unsigned long *pfn);
void mvgpu_revoke_work(struct work_struct *work);

/* going.c: ranges going away, the life of a tracker */
int mvgpu_tracker_init(struct mvgpu_tracker *t, struct vfio_device *vdev);
void mvgpu_tracker_fini(struct mvgpu_tracker *t);
void mvgpu_tracker_open(struct mvgpu_tracker *t, unsigned long quota);
void mvgpu_tracker_close(struct mvgpu_tracker *t);
void mvgpu_tracker_reset(struct mvgpu_tracker *t);
void mvgpu_tracker_dma_unmap(struct mvgpu_tracker *t, u64 iova, u64 len);
bool mvgpu_going(struct mvgpu_tracker *t, u64 first, u64 last);

void mvgpu_tracker_set_quota(struct mvgpu_tracker *t, unsigned long pages);
unsigned long mvgpu_tracker_quota(struct mvgpu_tracker *t);
void mvgpu_tracker_set_cache(struct mvgpu_tracker *t, unsigned long pages);
unsigned long mvgpu_tracker_idle(struct mvgpu_tracker *t);
void mvgpu_tracker_shrink(struct mvgpu_tracker *t, unsigned long pages);

/* quarantine.c: what hardware that did not get quiet in time may still reach */
void mvgpu_quarantine(struct mvgpu_tracker *t, u64 first, u64 last);
void mvgpu_quarantine_release(struct mvgpu_tracker *t);
void mvgpu_quiesce_work(struct work_struct *work);

/* dirty.c: what has been written */
void mvgpu_dirty_init(struct mvgpu_tracker *t);
int mvgpu_dirty_start(struct mvgpu_tracker *t, const struct mvgpu_range *ranges, unsigned int n);
void mvgpu_dirty_stop(struct mvgpu_tracker *t);
void mvgpu_dirty_mark(struct mvgpu_tracker *t, u64 iova, u64 len);
void mvgpu_dirty_ended(const struct mvgpu_mapping *m);
int mvgpu_dirty_read(struct mvgpu_tracker *t, u64 iova, u64 len,
		     void (*report)(void *opaque, u64 iova, u64 len), void *opaque);

/* guestmem.c: the CPU's access to guest memory */
bool mvgpu_mapping_is_window(const struct mvgpu_mapping *m);

/* dma.c: DMA addresses */
int mvgpu_dma_map(const struct mvgpu_dma *dma, struct page *page, unsigned int pages, bool ro,
		  dma_addr_t *addr);
void mvgpu_dma_unmap(const struct mvgpu_dma *dma, dma_addr_t addr, unsigned int pages, bool ro);
struct page *mvgpu_dma_page(const struct mvgpu_dma *dma, dma_addr_t addr);

static inline u64 mvgpu_leaf_gfn(const struct mvgpu_leaf *leaf, unsigned int i)
{
	return (leaf->index << MVGPU_LEAF_SHIFT) + i;
}

/* The DMA address in an entry */
static inline dma_addr_t mvgpu_entry_addr(const struct mvgpu_tracker *t, u64 entry)
{
	u64 pfn = entry >> MVGPU_ENTRY_PFN_SHIFT;

	if (entry & MVGPU_ENTRY_HIGH)
		pfn |= (u64)READ_ONCE(t->high) << MVGPU_ENTRY_PFN_BITS;
	return pfn << PAGE_SHIFT;
}

/* Whether a page's address continues that of the page before: one more, with the same HIGH */
static inline bool mvgpu_entry_follows(u64 before, u64 entry)
{
	const unsigned int shift = MVGPU_ENTRY_PFN_SHIFT - 1;

	return (entry >> shift) - (before >> shift) == 2;
}

static inline unsigned int mvgpu_meta_first(const struct mvgpu_leaf *leaf, unsigned int i)
{
	return FIELD_GET(MVGPU_META_FIRST, leaf->meta[i]);
}

static inline unsigned int mvgpu_run_pages(const struct mvgpu_leaf *leaf, unsigned int first)
{
	return FIELD_GET(MVGPU_META_PAGES, leaf->meta[first]);
}

/* Pages of the stretch that starts at the first of these entries, outside of a leaf */
static inline unsigned int mvgpu_stretch(const u64 *entry, unsigned int pages)
{
	unsigned int n = 1;

	while (n < pages && !(entry[n] & MVGPU_ENTRY_STRETCH))
		n++;
	return n;
}

#endif /* MVGPU_TRACKER_H */
