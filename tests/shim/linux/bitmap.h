/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_BITMAP_H
#define SHIM_LINUX_BITMAP_H

#include <linux/kernel.h>

#define BITS_PER_LONG		64
#define BITS_TO_LONGS(n)	(((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, n)	unsigned long name[BITS_TO_LONGS(n)]

static inline bool test_bit(unsigned long i, const unsigned long *map)
{
	return map[i / BITS_PER_LONG] >> (i % BITS_PER_LONG) & 1;
}

static inline void __set_bit(unsigned long i, unsigned long *map)
{
	map[i / BITS_PER_LONG] |= 1ul << (i % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned long i, unsigned long *map)
{
	map[i / BITS_PER_LONG] &= ~(1ul << (i % BITS_PER_LONG));
}

static inline bool __test_and_clear_bit(unsigned long i, unsigned long *map)
{
	bool was = test_bit(i, map);

	__clear_bit(i, map);
	return was;
}

static inline void bitmap_set(unsigned long *map, unsigned int start, unsigned int n)
{
	for (; n; n--)
		__set_bit(start++, map);
}

static inline void bitmap_clear(unsigned long *map, unsigned int start, unsigned int n)
{
	for (; n; n--)
		__clear_bit(start++, map);
}

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long n,
					  unsigned long i)
{
	while (i < n && !test_bit(i, map))
		i++;
	return i;
}

static inline unsigned long find_next_zero_bit(const unsigned long *map, unsigned long n,
					       unsigned long i)
{
	while (i < n && test_bit(i, map))
		i++;
	return i;
}

static inline unsigned long find_first_bit(const unsigned long *map, unsigned long n)
{
	return find_next_bit(map, n, 0);
}

static inline bool bitmap_empty(const unsigned long *map, unsigned int n)
{
	return find_first_bit(map, n) == n;
}

#define for_each_set_bit(i, map, n)				\
	for ((i) = find_first_bit(map, n); (i) < (n);		\
	     (i) = find_next_bit(map, n, (i) + 1))

#endif /* SHIM_LINUX_BITMAP_H */
