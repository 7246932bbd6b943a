// SPDX-License-Identifier: MIT
/* trees.c - the fast shim's rb-trees and xarray; see fast.h */
#include <linux/errno.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <string.h>

/* Red-black trees */

#define BLACK	1ul

static struct rb_node *up(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent & ~BLACK);
}

static bool is_black(const struct rb_node *n)
{
	return !n || n->parent & BLACK;
}

static void set_up(struct rb_node *n, struct rb_node *parent)
{
	n->parent = (unsigned long)parent | (n->parent & BLACK);
}

static void set_colour(struct rb_node *n, unsigned long colour)
{
	n->parent = (n->parent & ~BLACK) | colour;
}

/* @new takes the place of @old below @parent */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (!parent)
		root->rb_node = new;
	else if (parent->rb_left == old)
		parent->rb_left = new;
	else
		parent->rb_right = new;
}

static void rotate_left(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *r = n->rb_right;

	n->rb_right = r->rb_left;
	if (r->rb_left)
		set_up(r->rb_left, n);
	set_up(r, up(n));
	replace_child(root, up(n), n, r);
	r->rb_left = n;
	set_up(n, r);
}

static void rotate_right(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *l = n->rb_left;

	n->rb_left = l->rb_right;
	if (l->rb_right)
		set_up(l->rb_right, n);
	set_up(l, up(n));
	replace_child(root, up(n), n, l);
	l->rb_right = n;
	set_up(n, l);
}

/* Two reds in a row below a black grandparent whose other child is black */
static void insert_rotate(struct rb_root *root, struct rb_node *n, struct rb_node *g)
{
	struct rb_node *p = up(n);

	if (p == g->rb_left) {
		if (n == p->rb_right)
			rotate_left(root, p);
		set_colour(g->rb_left, BLACK);
		set_colour(g, 0);
		rotate_right(root, g);
	} else {
		if (n == p->rb_left)
			rotate_right(root, p);
		set_colour(g->rb_right, BLACK);
		set_colour(g, 0);
		rotate_left(root, g);
	}
}

void rb_insert_color(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *p, *g, *uncle;

	while ((p = up(n)) && !is_black(p)) {
		g = up(p);
		uncle = p == g->rb_left ? g->rb_right : g->rb_left;
		if (is_black(uncle)) {
			insert_rotate(root, n, g);
			break;
		}
		set_colour(p, BLACK);
		set_colour(uncle, BLACK);
		set_colour(g, 0);
		n = g;
	}
	set_colour(root->rb_node, BLACK);
}

/* One step for the left child @n of @p, which lacks a black. Returns where it lacks next. */
static struct rb_node *fill_left(struct rb_root *root, struct rb_node *p)
{
	struct rb_node *s = p->rb_right;

	if (!is_black(s)) {
		set_colour(s, BLACK);
		set_colour(p, 0);
		rotate_left(root, p);
		s = p->rb_right;
	}
	if (is_black(s->rb_left) && is_black(s->rb_right)) {
		set_colour(s, 0);
		return p;
	}
	if (is_black(s->rb_right)) {
		set_colour(s->rb_left, BLACK);
		set_colour(s, 0);
		rotate_right(root, s);
		s = p->rb_right;
	}
	set_colour(s, p->parent & BLACK);
	set_colour(p, BLACK);
	set_colour(s->rb_right, BLACK);
	rotate_left(root, p);
	return root->rb_node;
}

static struct rb_node *fill_right(struct rb_root *root, struct rb_node *p)
{
	struct rb_node *s = p->rb_left;

	if (!is_black(s)) {
		set_colour(s, BLACK);
		set_colour(p, 0);
		rotate_right(root, p);
		s = p->rb_left;
	}
	if (is_black(s->rb_left) && is_black(s->rb_right)) {
		set_colour(s, 0);
		return p;
	}
	if (is_black(s->rb_left)) {
		set_colour(s->rb_right, BLACK);
		set_colour(s, 0);
		rotate_left(root, s);
		s = p->rb_left;
	}
	set_colour(s, p->parent & BLACK);
	set_colour(p, BLACK);
	set_colour(s->rb_left, BLACK);
	rotate_right(root, p);
	return root->rb_node;
}

/* The subtree @n of @p, maybe empty, lacks a black node */
static void erase_fill(struct rb_root *root, struct rb_node *n, struct rb_node *p)
{
	while (n != root->rb_node && is_black(n)) {
		n = n == p->rb_left ? fill_left(root, p) : fill_right(root, p);
		p = up(n);
	}
	if (n)
		set_colour(n, BLACK);
}

/* @n has one child at most */
static void erase_simple(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *child = n->rb_left ? n->rb_left : n->rb_right, *p = up(n);

	replace_child(root, p, n, child);
	if (child)
		set_up(child, p);
	if (is_black(n) && root->rb_node)
		erase_fill(root, child, p);
}

void rb_erase(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *next;

	if (!n->rb_left || !n->rb_right) {
		erase_simple(root, n);
		return;
	}
	for (next = n->rb_right; next->rb_left; next = next->rb_left)
		;
	erase_simple(root, next);
	*next = *n;
	replace_child(root, up(n), n, next);
	if (next->rb_left)
		set_up(next->rb_left, next);
	if (next->rb_right)
		set_up(next->rb_right, next);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->rb_node;

	while (n && n->rb_left)
		n = n->rb_left;
	return n;
}

/* The xarray */

#define XA_BITS		6
#define XA_SLOTS	64u

/* As large as the kernel's with its marks */
struct xa_node {
	u8 shift;
	u8 count;
	struct xa_node *parent;
	void *rest[6];
	void *slots[XA_SLOTS];
};

_Static_assert(sizeof(struct xa_node) == 576, "a node has the size of the kernel's");

static bool beyond(const struct xa_node *node, unsigned long index)
{
	return node->shift + XA_BITS < 64 && index >> (node->shift + XA_BITS);
}

static unsigned int slot_of(const struct xa_node *node, unsigned long index)
{
	return index >> node->shift & (XA_SLOTS - 1);
}

void xa_init(struct xarray *xa)
{
	spin_lock_init(&xa->lock);
	xa->head = NULL;
}

static void free_nodes(struct xa_node *node)
{
	unsigned int i;

	for (i = 0; node && node->shift && i < XA_SLOTS; i++)
		free_nodes(node->slots[i]);
	kfree(node);
}

void xa_destroy(struct xarray *xa)
{
	free_nodes(xa->head);
	xa->head = NULL;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	struct xa_node *node = __atomic_load_n(&xa->head, __ATOMIC_RELAXED);

	if (!node || beyond(node, index))
		return NULL;
	while (node && node->shift)
		node = node->slots[slot_of(node, index)];
	return node ? node->slots[slot_of(node, index)] : NULL;
}

void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter)
{
	struct xa_node *node = xa->head;
	unsigned long at = *index;
	unsigned int i;

	(void)filter;
	while (node && at <= max && !beyond(xa->head, at)) {
		for (i = slot_of(node, at); i < XA_SLOTS && !node->slots[i]; i++)
			at = ((at >> node->shift) + 1) << node->shift;
		if (i == XA_SLOTS) {
			node = xa->head;
		} else if (node->shift) {
			node = node->slots[i];
		} else if (at <= max) {
			*index = at;
			return node->slots[i];
		}
	}
	return NULL;
}

static struct xa_node *new_node(struct xa_node *parent, u8 shift, gfp_t gfp)
{
	struct xa_node *node = kzalloc(sizeof(*node), gfp);

	node->parent = parent;
	node->shift = shift;
	if (parent)
		parent->count++;
	return node;
}

static void grow(struct xarray *xa, unsigned long index, gfp_t gfp)
{
	struct xa_node *node;

	if (!xa->head)
		xa->head = new_node(NULL, 0, gfp);
	while (beyond(xa->head, index)) {
		node = new_node(NULL, xa->head->shift + XA_BITS, gfp);
		node->slots[0] = xa->head;
		node->count = 1;
		xa->head->parent = node;
		xa->head = node;
	}
}

int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	struct xa_node *node;
	void **slot;
	int ret = 0;

	spin_lock(&xa->lock);
	grow(xa, index, gfp);
	for (node = xa->head; node->shift; node = *slot) {
		slot = &node->slots[slot_of(node, index)];
		if (!*slot)
			*slot = new_node(node, node->shift - XA_BITS, gfp);
	}
	slot = &node->slots[slot_of(node, index)];
	if (*slot)
		ret = -EBUSY;
	else
		node->count++;
	if (!ret)
		*slot = entry;
	spin_unlock(&xa->lock);
	return ret;
}

static void prune(struct xarray *xa, struct xa_node *node, unsigned long index)
{
	struct xa_node *parent;

	for (; node && !node->count; node = parent) {
		parent = node->parent;
		if (parent) {
			parent->slots[slot_of(parent, index)] = NULL;
			parent->count--;
		} else {
			xa->head = NULL;
		}
		kfree(node);
	}
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	struct xa_node *node = xa->head;
	void *entry = NULL;

	spin_lock(&xa->lock);
	if (node && beyond(node, index))
		node = NULL;
	while (node && node->shift)
		node = node->slots[slot_of(node, index)];
	if (node)
		entry = node->slots[slot_of(node, index)];
	if (entry) {
		node->slots[slot_of(node, index)] = NULL;
		node->count--;
		prune(xa, node, index);
	}
	spin_unlock(&xa->lock);
	return entry;
}
