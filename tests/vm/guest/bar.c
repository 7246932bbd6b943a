// SPDX-License-Identifier: MIT
/*
 * Reads and writes a PCI BAR through its sysfs resource file, the way a
 * hostile guest would: all of it, past any driver.
 *
 *	bar fill FILE SEED	write a pattern over the whole BAR
 *	bar count FILE SEED	print how many bytes hold that pattern
 *	bar sum FILE		print a checksum of the whole BAR
 *	bar read FILE OFFSET N	read the 16-bit word at OFFSET N times
 *
 * The pattern: the 32-bit word at offset o is SEED ^ (o * 2654435761).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t pattern(uint32_t seed, size_t offset)
{
	return seed ^ ((uint32_t)offset * 2654435761u);
}

static uint64_t sum(const volatile uint32_t *bar, size_t words)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < words; i++)
		hash = (hash ^ bar[i]) * 1099511628211u;
	return hash;
}

int main(int argc, char **argv)
{
	volatile uint32_t *bar;
	uint32_t seed = 0;
	size_t size, words, held = 0;
	struct stat st;
	int fd;

	if (argc < 3) {
		fprintf(stderr, "usage: bar fill|count|sum|read FILE ...\n");
		return 2;
	}
	if (argc > 3)
		seed = strtoul(argv[3], NULL, 0);

	fd = open(argv[2], O_RDWR | O_SYNC);
	if (fd < 0 || fstat(fd, &st)) {
		perror(argv[2]);
		return 1;
	}
	size = st.st_size;
	words = size / sizeof(*bar);
	bar = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED) {
		perror("mmap");
		return 1;
	}

	if (!strcmp(argv[1], "fill")) {
		for (size_t i = 0; i < words; i++)
			bar[i] = pattern(seed, i * sizeof(*bar));
		printf("%zu\n", size);
	} else if (!strcmp(argv[1], "count")) {
		for (size_t i = 0; i < words; i++)
			held += bar[i] == pattern(seed, i * sizeof(*bar));
		printf("%zu\n", held * sizeof(*bar));
	} else if (!strcmp(argv[1], "sum")) {
		printf("%016" PRIx64 "\n", sum(bar, words));
	} else if (!strcmp(argv[1], "read") && argc > 4) {
		volatile uint16_t *word = (void *)((char *)bar + (seed & ~1u));
		unsigned int value = 0;

		if (seed >= size - 1) {
			fprintf(stderr, "offset beyond the BAR\n");
			return 2;
		}
		for (long n = strtol(argv[4], NULL, 0); n > 0; n--)
			value = *word;
		printf("0x%04x\n", value);
	} else {
		fprintf(stderr, "bar: no such operation: %s\n", argv[1]);
		return 2;
	}
	return 0;
}
