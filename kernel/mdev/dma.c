// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma.c - DMA addresses: from the DMA API or, for a device that bypasses the platform's
 * IOMMU by its own contract, physical addresses. Owns no data.
 */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include "tracker.h"

/* The caches are the guest's business: it maps and unmaps nothing of what we do */
#define DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

static enum dma_data_direction dma_dir(bool ro)
{
	return ro ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
}

/* Where in physical memory the device ends up */
static phys_addr_t dma_phys(const struct mvgpu_dma *dma, dma_addr_t addr)
{
	struct iommu_domain *domain;

	if (dma->mode == MVGPU_DMA_BYPASS)
		return addr;
	domain = iommu_get_domain_for_dev(dma->dev);
	if (domain && (domain->type & __IOMMU_DOMAIN_PAGING))
		return iommu_iova_to_phys(domain, addr);
	return dma_to_phys(dma->dev, addr);
}

/**
 * mvgpu_dma_map() - give physically contiguous pages a DMA address
 * @dma: for which device
 * @page: the first page
 * @pages: how many
 * @ro: the device only reads them
 * @addr: the address
 *
 * A bounce buffer would be a copy that nobody ever brings up to date, because both sides
 * use the memory at the same time.
 *
 * Return: 0; -EIO if the DMA API refuses; -ERANGE if it took a bounce buffer.
 */
int mvgpu_dma_map(const struct mvgpu_dma *dma, struct page *page, unsigned int pages, bool ro,
		  dma_addr_t *addr)
{
	size_t len = (size_t)pages << PAGE_SHIFT;
	phys_addr_t phys = page_to_phys(page);

	if (dma->mode == MVGPU_DMA_BYPASS) {
		*addr = phys;
		return 0;
	}
	*addr = dma_map_page_attrs(dma->dev, page, 0, len, dma_dir(ro), DMA_ATTRS);
	if (dma_mapping_error(dma->dev, *addr))
		return -EIO;
	if (dma_phys(dma, *addr) == phys &&
	    dma_phys(dma, *addr + len - PAGE_SIZE) == phys + len - PAGE_SIZE)
		return 0;
	mvgpu_dma_unmap(dma, *addr, pages, ro);
	return -ERANGE;
}

/* The opposite, with the same arguments */
void mvgpu_dma_unmap(const struct mvgpu_dma *dma, dma_addr_t addr, unsigned int pages, bool ro)
{
	if (dma->mode != MVGPU_DMA_BYPASS)
		dma_unmap_page_attrs(dma->dev, addr, (size_t)pages << PAGE_SHIFT, dma_dir(ro),
				     DMA_ATTRS);
}

/* The page that the device reaches at a mapped address */
struct page *mvgpu_dma_page(const struct mvgpu_dma *dma, dma_addr_t addr)
{
	return pfn_to_page(PHYS_PFN(dma_phys(dma, addr)));
}
