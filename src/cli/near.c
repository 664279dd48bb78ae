/* SPDX-License-Identifier: MIT */
#include "near.h"

#include "pycfs/util.h"

#define MAX_WORD 32

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* The optimal string alignment distance of two words of less than MAX_WORD
 * bytes. */
static unsigned count_slips(const char *a, const char *b)
{
	unsigned d[MAX_WORD][MAX_WORD];
	const size_t n = strlen(a), m = strlen(b);

	for (unsigned i = 0; i <= n; i++)
		d[i][0] = i;
	for (unsigned k = 0; k <= m; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= n; i++)
		for (size_t k = 1; k <= m; k++) {
			d[i][k] = least(d[i - 1][k], d[i][k - 1]) + 1;
			d[i][k] = least(d[i][k], d[i - 1][k - 1] + (a[i - 1] !=
								    b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
			    a[i - 2] == b[k - 1])
				d[i][k] = least(d[i][k], d[i - 2][k - 2] + 1);
		}
	return d[n][m];
}

bool px_is_near(const char *word, const char *known, unsigned *best)
{
	/* One slip in a word of three to five characters, three at most. */
	const size_t n = strlen(known), most = n < 9 ? n / 3 : 3;
	unsigned slips;

	if (n >= MAX_WORD || strlen(word) >= MAX_WORD)
		return false;
	slips = count_slips(word, known);
	if (slips > most || slips >= *best)
		return false;
	*best = slips;
	return true;
}
