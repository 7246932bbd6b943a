// SPDX-License-Identifier: MIT
/*
 * Owns struct nearest: of all that there is, what somebody may have meant by a typo.
 */
#include <stdlib.h>
#include <string.h>

#include "mvgpuctl.h"

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* How many letters have to be changed, added or left out, or neighbours swapped */
static unsigned int edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), i, j;
	unsigned int (*d)[lb + 1] = must_have(malloc((la + 1) * sizeof(*d)));
	unsigned int result;

	for (i = 0; i <= la; i++) {
		for (j = 0; j <= lb; j++) {
			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
					d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	result = d[la][lb];
	free(d);
	return result;
}

/**
 * nearest_try() - consider something that there is
 * @n: with @n->wanted set, the rest 0 at first
 * @candidate: a name; outlives @n
 */
void nearest_try(struct nearest *n, const char *candidate)
{
	unsigned int distance;

	/* what nobody types is not worth the time */
	if (!candidate || strlen(n->wanted) > 100)
		return;
	distance = edit_distance(n->wanted, candidate);
	if (distance > strlen(candidate) / 3 + 1 || (n->best && distance >= n->distance))
		return;
	n->best = candidate;
	n->distance = distance;
}

/**
 * nearest_advise() - ask whether the nearest was meant
 * @n: all candidates have been tried
 * @otherwise: the advice where nothing is near
 */
void nearest_advise(const struct nearest *n, const char *otherwise)
{
	if (n->best)
		advise("did you mean %s?", n->best);
	else
		advise("%s", otherwise);
}
