/* SPDX-License-Identifier: GPL-2.0-only */
/* trace.h - tracepoints, in /sys/kernel/tracing/events/mvgpu/. In userspace they are empty. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mvgpu

#if !defined(MVGPU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MVGPU_TRACE_H

#include <linux/tracepoint.h>
#include "tracker.h"

/*
 * A mapping is made, or refused with an error. @mapping is only a name here: it may have
 * been revoked and freed already.
 */
TRACE_EVENT(mvgpu_map,
	    TP_PROTO(const struct mvgpu_tracker *t, const struct mvgpu_mapping *mapping,
		     const struct mvgpu_range *ranges, unsigned int n),
	    TP_ARGS(t, mapping, ranges, n),
	    TP_STRUCT__entry(__array(char, vgpu, UUID_STRING_LEN + 1)
			     __field(const void *, mapping)
			     __field(u64, iova)
			     __field(u64, len)
			     __field(unsigned int, ranges)
			     __field(int, error)),
	    TP_fast_assign(strscpy(__entry->vgpu, dev_name(t->vdev->dev), sizeof(__entry->vgpu));
			   __entry->mapping = IS_ERR(mapping) ? NULL : mapping;
			   __entry->iova = ranges->iova;
			   __entry->len = ranges->len;
			   __entry->ranges = n;
			   __entry->error = PTR_ERR_OR_ZERO(mapping);),
	    TP_printk("%s mapping=%p iova=%#llx len=%#llx ranges=%u error=%d",
		      __entry->vgpu, __entry->mapping, __entry->iova, __entry->len,
		      __entry->ranges, __entry->error)
);

DECLARE_EVENT_CLASS(mvgpu_mapping,
		    TP_PROTO(const struct mvgpu_tracker *t,
			     const struct mvgpu_mapping *mapping),
		    TP_ARGS(t, mapping),
		    TP_STRUCT__entry(__array(char, vgpu, UUID_STRING_LEN + 1)
				     __field(const void *, mapping)),
		    TP_fast_assign(strscpy(__entry->vgpu, dev_name(t->vdev->dev),
					   sizeof(__entry->vgpu));
				   __entry->mapping = mapping;),
		    TP_printk("%s mapping=%p", __entry->vgpu, __entry->mapping)
);

/* The vendor driver gives a mapping back */
DEFINE_EVENT(mvgpu_mapping, mvgpu_unmap,
	     TP_PROTO(const struct mvgpu_tracker *t, const struct mvgpu_mapping *mapping),
	     TP_ARGS(t, mapping)
);

/* Its revoke callback is about to run */
DEFINE_EVENT(mvgpu_mapping, mvgpu_revoke,
	     TP_PROTO(const struct mvgpu_tracker *t, const struct mvgpu_mapping *mapping),
	     TP_ARGS(t, mapping)
);

DECLARE_EVENT_CLASS(mvgpu_pages,
		    TP_PROTO(const struct mvgpu_tracker *t, u64 iova, unsigned int pages),
		    TP_ARGS(t, iova, pages),
		    TP_STRUCT__entry(__array(char, vgpu, UUID_STRING_LEN + 1)
				     __field(u64, iova)
				     __field(unsigned int, pages)),
		    TP_fast_assign(strscpy(__entry->vgpu, dev_name(t->vdev->dev),
					   sizeof(__entry->vgpu));
				   __entry->iova = iova;
				   __entry->pages = pages;),
		    TP_printk("%s iova=%#llx pages=%u",
			      __entry->vgpu, __entry->iova, __entry->pages)
);

/* A run of pages has been pinned */
DEFINE_EVENT(mvgpu_pages, mvgpu_pin,
	     TP_PROTO(const struct mvgpu_tracker *t, u64 iova, unsigned int pages),
	     TP_ARGS(t, iova, pages)
);

/* It has been unpinned, exactly as it was pinned */
DEFINE_EVENT(mvgpu_pages, mvgpu_unpin,
	     TP_PROTO(const struct mvgpu_tracker *t, u64 iova, unsigned int pages),
	     TP_ARGS(t, iova, pages)
);

/* It goes into quarantine, and is unpinned next */
DEFINE_EVENT(mvgpu_pages, mvgpu_quarantine,
	     TP_PROTO(const struct mvgpu_tracker *t, u64 iova, unsigned int pages),
	     TP_ARGS(t, iova, pages)
);

#endif /* MVGPU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
