/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_VIRTIO_BYTEORDER_H
#define SHIM_LINUX_VIRTIO_BYTEORDER_H

#include <linux/types.h>
#include <linux/virtio_types.h>
#include <asm/byteorder.h>

/* Modern devices are all that there are: @le is true */
static inline u16 __virtio16_to_cpu(bool le, __virtio16 val) { return le16_to_cpu(val); }
static inline u32 __virtio32_to_cpu(bool le, __virtio32 val) { return le32_to_cpu(val); }
static inline u64 __virtio64_to_cpu(bool le, __virtio64 val) { return le64_to_cpu(val); }
static inline __virtio16 __cpu_to_virtio16(bool le, u16 val) { return cpu_to_le16(val); }
static inline __virtio32 __cpu_to_virtio32(bool le, u32 val) { return cpu_to_le32(val); }

#endif /* SHIM_LINUX_VIRTIO_BYTEORDER_H */
