/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_IOMMU_H
#define SHIM_LINUX_IOMMU_H

#include <linux/types.h>

#define IOMMU_READ		1
#define IOMMU_WRITE		2
#define __IOMMU_DOMAIN_PAGING	1

struct device;

struct iommu_domain {
	unsigned int type;
};

struct iommu_domain *iommu_get_domain_for_dev(struct device *dev);
phys_addr_t iommu_iova_to_phys(struct iommu_domain *domain, dma_addr_t addr);

#endif /* SHIM_LINUX_IOMMU_H */
