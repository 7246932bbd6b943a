/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_DMA_DIRECT_H
#define SHIM_LINUX_DMA_DIRECT_H

#include <linux/types.h>

struct device;

phys_addr_t dma_to_phys(struct device *dev, dma_addr_t addr);

#endif /* SHIM_LINUX_DMA_DIRECT_H */
