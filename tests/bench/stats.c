// SPDX-License-Identifier: MIT
/* stats.c - see stats.h */
#include <stdlib.h>
#include "stats.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value that the fraction @q of all is below */
static double quantile(struct samples s, double q)
{
	if (!s.n)
		return 0;
	qsort(s.v, s.n, sizeof(*s.v), by_value);
	return s.v[(unsigned int)(q * (s.n - 1) + 0.5)];
}

void stats_add(struct samples *s, double v)
{
	if (s->n < STATS_ROUNDS)
		s->v[s->n++] = v;
}

double stats_median(const struct samples *s)
{
	return quantile(*s, 0.5);
}

double stats_spread(const struct samples *s)
{
	double median = stats_median(s);

	return median ? 100 * (quantile(*s, 0.75) - quantile(*s, 0.25)) / median : 0;
}

double stats_ratio(const struct samples *a, const struct samples *b)
{
	struct samples s = { .n = a->n < b->n ? a->n : b->n };
	unsigned int i;

	for (i = 0; i < s.n; i++)
		s.v[i] = b->v[i] ? a->v[i] / b->v[i] : 0;
	return stats_median(&s);
}

struct samples stats_less(const struct samples *a, const struct samples *b)
{
	struct samples s = { .n = a->n < b->n ? a->n : b->n };
	unsigned int i;

	for (i = 0; i < s.n; i++)
		s.v[i] = a->v[i] - b->v[i];
	return s;
}
