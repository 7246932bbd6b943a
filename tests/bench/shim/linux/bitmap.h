/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_BITMAP_H
#define FAST_LINUX_BITMAP_H

/* The other shim's, but for what looks at a bit at a time there and at a word here */
#define find_next_bit	slow_find_next_bit
#include_next <linux/bitmap.h>
#undef find_next_bit

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long n,
					  unsigned long i)
{
	unsigned long word;

	for (; i < n; i = (i | (BITS_PER_LONG - 1)) + 1) {
		word = map[i / BITS_PER_LONG] >> (i % BITS_PER_LONG);
		if (word)
			return min(n, i + __builtin_ctzl(word));
	}
	return n;
}

#define find_first_bit(map, n)	find_next_bit(map, n, 0)
#define bitmap_empty(map, n)	(find_next_bit(map, n, 0) == (n))

#endif /* FAST_LINUX_BITMAP_H */
