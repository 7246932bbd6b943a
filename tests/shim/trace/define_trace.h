/* SPDX-License-Identifier: MIT */
/* define_trace.h - there is nothing to define, see linux/tracepoint.h */
