/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_TRACEPOINT_H
#define SHIM_LINUX_TRACEPOINT_H

/* Nobody looks: a tracepoint is a function that does nothing, with the right arguments */
#define TP_PROTO(...)		__VA_ARGS__
#define TP_ARGS(...)
#define TRACE_EVENT(name, proto, ...)				\
static inline void trace_##name(proto)				\
{								\
}								\
struct shim_trace_##name
#define DECLARE_EVENT_CLASS(name, ...)	struct shim_trace_##name
#define DEFINE_EVENT(class, name, proto, ...)	TRACE_EVENT(name, TP_PROTO(proto))

#endif /* SHIM_LINUX_TRACEPOINT_H */
