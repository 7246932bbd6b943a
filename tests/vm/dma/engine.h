/* SPDX-License-Identifier: MIT */
/*
 * What the tests of dma-test share: the copy engine of an mvgpu-edu vGPU, guest memory
 * with known contents, and what the kernel counts.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "../client/util.h"

#define RW (PROT_READ | PROT_WRITE)

/* The registers, in BAR0 */
#define E_ID 0x00
#define E_ID_VALUE 0x010000ed
#define E_FACTORIAL 0x08
#define E_STATUS 0x20
#define E_STATUS_BUSY 0x01
#define E_IRQ_STATUS 0x24
#define E_IRQ_COPY 0x100
#define E_IRQ_ACK 0x64
#define E_SRC 0x80
#define E_DST 0x88
#define E_LEN 0x90
#define E_COMMAND 0x98
#define E_GO 0x01
#define E_GO_IRQ 0x04
#define E_RESULT 0xa0

/* The real device's DMA registers, where they mean something else */
#define EDU_DMA_BUFFER 0x40000
#define EDU_DMA_SIZE 4096

/* An IOVA that no guest memory test uses, and the space between two buffers */
#define IOVA 0x10000000ULL

/* -------- the engine -------- */
void engine_open(struct fixture *f);
void engine_attach(struct fixture *f, struct vgpu_iommu *iommu, unsigned int nr);
void copy_start(struct fixture *f, __u64 src, __u64 dst, __u64 len, unsigned int flags);
bool copy_busy(struct fixture *f);
int copy_wait(struct fixture *f, double seconds);
int copy(struct fixture *f, __u64 src, __u64 dst, __u64 len);

/* -------- guest memory -------- */
void *memory(size_t size);
void map_iova(struct fixture *f, __u64 iova, void *p, size_t size, int prot);
void unmap_iova(struct fixture *f, __u64 iova, size_t size);
void fill(void *p, size_t size, __u64 seed);
ssize_t differs(const void *p, size_t size, __u64 seed);
void expect_filled(const char *file, int line, const char *what, const void *p, size_t size,
		   __u64 seed);

#define FILLED(what, p, size, seed) expect_filled(__FILE__, __LINE__, what, p, size, seed)

/* -------- what the kernel counts -------- */
long long counter(struct fixture *f, const char *name);
long long refusals(struct fixture *f, const char *kind);
void set_attribute(struct fixture *f, const char *name, const char *value);
void expect_idle(const char *file, int line, struct fixture *f);
unsigned long charged_pages(void);
double seconds_now(void);

#define IDLE(f) expect_idle(__FILE__, __LINE__, f)

/* -------- modes that are no tests -------- */
int hold(const struct env *env);
int poke(const struct env *env);

extern const struct group group_copy;
extern const struct group group_edge;
extern const struct group group_unmap;
extern const struct group group_load;
extern const struct group group_two;
extern const struct group group_race;
extern const struct group group_quarantine;
extern const struct group group_log;

#endif
