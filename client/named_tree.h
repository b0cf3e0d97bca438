/* SPDX-License-Identifier: MPL-2.0 */
/* A balanced tree (tsearch(3)) of nodes by name. A node begins with its name, a bytes_t that must not change
 * while the node is in the tree. The tree is a void pointer, NULL if empty; tdestroy(3) frees it. */
#ifndef KV_CLIENT_NAMED_TREE_H
#define KV_CLIENT_NAMED_TREE_H

#include <search.h>

#include "common/bytes.h"
#include "common/status.h"

static inline int named_tree_compare(const void *a, const void *b)
{
    return bytes_compare(*(const bytes_t *)a, *(const bytes_t *)b);
}

/* The node with NAME, or NULL. */
static inline void *named_tree_find(void *const *tree, bytes_t name)
{
    void *const *place = tfind(&name, tree, named_tree_compare);
    return place == NULL ? NULL : *place;
}

/* Adds NODE, unless the tree has a node with that name. Returns the address of the tree's pointer to the node
 * with that name, new or old; NULL if memory is refused. */
static inline KV_MUST_USE void **named_tree_add(void **tree, void *node)
{
    return tsearch(node, tree, named_tree_compare);
}

/* Removes NODE, which must be in the tree. Does not free it. */
static inline void named_tree_remove(void **tree, const void *node)
{
    (void)tdelete(node, tree, named_tree_compare);
}

#endif
