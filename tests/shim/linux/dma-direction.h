/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_DMA_DIRECTION_H
#define SHIM_LINUX_DMA_DIRECTION_H

#include <linux/types.h>

enum dma_data_direction {
	DMA_BIDIRECTIONAL,
	DMA_TO_DEVICE,
	DMA_FROM_DEVICE,
	DMA_NONE,
};

static inline int valid_dma_direction(enum dma_data_direction dir)
{
	return dir <= DMA_FROM_DEVICE;
}

#endif /* SHIM_LINUX_DMA_DIRECTION_H */
