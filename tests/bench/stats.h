/* SPDX-License-Identifier: MIT */
/* stats.h - medians of what was measured in turns, and tables of them */
#ifndef STATS_H
#define STATS_H

#define STATS_ROUNDS	64

/**
 * struct samples - one figure, once a round
 * @n: rounds
 * @v: the figure
 */
struct samples {
	unsigned int n;
	double v[STATS_ROUNDS];
};

void stats_add(struct samples *s, double v);
double stats_median(const struct samples *s);

/* Width of the middle half, in percent of the median */
double stats_spread(const struct samples *s);

/* The median of the ratios within one round, since noise comes and goes */
double stats_ratio(const struct samples *a, const struct samples *b);

/* @a less @b, round by round */
struct samples stats_less(const struct samples *a, const struct samples *b);

#endif /* STATS_H */
