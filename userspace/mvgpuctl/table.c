// SPDX-License-Identifier: MIT
/*
 * Owns struct table: text in columns, as wide as what is in them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mvgpuctl.h"

struct cell {
	char *text;
	enum colour as;
};

/**
 * struct table - a table
 * @columns: how many there are
 * @titles: of the columns
 * @right: which columns are aligned to the right
 * @cells: row by row
 * @used: how many cells there are
 */
struct table {
	unsigned int columns;
	const char *const *titles;
	bool *right;
	struct cell *cells;
	unsigned int used;
};

/**
 * table_new() - an empty table
 * @titles: of its columns; they outlive it
 * @columns: how many there are
 *
 * Return: the table, for table_free().
 */
struct table *table_new(const char *const *titles, unsigned int columns)
{
	struct table *t = must_have(calloc(1, sizeof(*t)));

	t->titles = titles;
	t->columns = columns;
	t->right = must_have(calloc(columns, sizeof(*t->right)));
	return t;
}

void table_align_right(struct table *t, unsigned int column)
{
	t->right[column] = true;
}

/**
 * table_cell() - fill the next cell
 * @t: the table
 * @as: how it is painted
 * @text: what is in it, freed with the table
 */
void table_cell(struct table *t, enum colour as, char *text)
{
	t->cells = must_have(reallocarray(t->cells, t->used + 1, sizeof(*t->cells)));
	t->cells[t->used++] = (struct cell){ text, as };
}

static unsigned int column_width(const struct table *t, unsigned int column)
{
	size_t width = strlen(t->titles[column]);
	unsigned int i;

	for (i = column; i < t->used; i += t->columns)
		if (strlen(t->cells[i].text) > width)
			width = strlen(t->cells[i].text);
	return width;
}

/* One row, cut off where the screen ends */
static void print_row(const struct table *t, const char *indent, const struct cell *row,
		      const unsigned int *widths, unsigned int limit)
{
	const char *plain = paint(PLAIN);
	unsigned int i, pad, len, at = strlen(indent);

	fputs(indent, stdout);
	for (i = 0; i < t->columns && at < limit; i++) {
		len = strlen(row[i].text);
		pad = widths[i] - len;
		if (at + len + (t->right[i] ? pad : 0) > limit)
			break;
		printf("%*s%s%s%s", t->right[i] ? (int)pad : 0, "",
		       row[i].as ? paint(row[i].as) : "", row[i].text,
		       row[i].as ? plain : "");
		if (i + 1 < t->columns)
			printf("%*s", (t->right[i] ? 0 : (int)pad) + 2, "");
		at += widths[i] + 2;
	}
	putchar('\n');
}

/**
 * table_print() - print a table, with its titles
 * @t: the table
 * @indent: what each line starts with
 * @lines: how many lines there is room for
 * @width: how many columns of text there is room for
 */
void table_print(struct table *t, const char *indent, unsigned int lines, unsigned int width)
{
	unsigned int *widths = must_have(calloc(t->columns, sizeof(*widths)));
	struct cell *titles = must_have(calloc(t->columns, sizeof(*titles)));
	unsigned int i;

	for (i = 0; i < t->columns; i++) {
		widths[i] = column_width(t, i);
		titles[i] = (struct cell){ (char *)t->titles[i], BOLD };
	}
	print_row(t, indent, titles, widths, width);
	for (i = 0; i + t->columns <= t->used && i / t->columns + 1 < lines; i += t->columns)
		print_row(t, indent, t->cells + i, widths, width);
	free(titles);
	free(widths);
}

void table_free(struct table *t)
{
	while (t->used)
		free(t->cells[--t->used].text);
	free(t->cells);
	free(t->right);
	free(t);
}
