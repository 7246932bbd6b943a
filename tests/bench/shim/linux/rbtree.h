/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_RBTREE_H
#define FAST_LINUX_RBTREE_H

#include <linux/kernel.h>

/* A red-black tree with nodes of the kernel's size: the lowest bit is the colour */
struct rb_node {
	unsigned long parent;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
} __attribute__((aligned(sizeof(long))));

struct rb_root {
	struct rb_node *rb_node;
};

#define RB_ROOT		((struct rb_root){ NULL })
#define rb_entry(ptr, type, member)	container_of(ptr, type, member)

/* New nodes are red */
static inline void rb_link_node(struct rb_node *node, struct rb_node *parent,
				struct rb_node **link)
{
	node->parent = (unsigned long)parent;
	node->rb_left = NULL;
	node->rb_right = NULL;
	*link = node;
}

void rb_insert_color(struct rb_node *node, struct rb_root *root);
void rb_erase(struct rb_node *node, struct rb_root *root);
struct rb_node *rb_first(const struct rb_root *root);

#endif /* FAST_LINUX_RBTREE_H */
