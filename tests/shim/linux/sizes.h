/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_SIZES_H
#define SHIM_LINUX_SIZES_H

#define SZ_4K	0x00001000
#define SZ_64K	0x00010000
#define SZ_1M	0x00100000
#define SZ_16M	0x01000000
#define SZ_1G	0x40000000
#define SZ_2G	0x80000000
#define SZ_4G	0x100000000ull

#endif /* SHIM_LINUX_SIZES_H */
