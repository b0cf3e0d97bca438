/* SPDX-License-Identifier: MPL-2.0 */
/* Owns memory of answers, in lists by size. */
#include "broker/core/spares.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    SMALLEST_BITS = 8,    /* the smallest memory that is kept has 2 to the power of this bytes */
    CLASSES = 7,          /* by powers of 2: the largest has less than 32 KiB */
    KEPT_BYTES = 262144,  /* at most, by the owner */
    GIVEN_BYTES = 262144, /* at most, from other threads, until the owner sorts it */
    CACHE_LINE = 64       /* bytes */
};

/* At the beginning of memory that is kept. */
typedef struct spare {
    struct spare *next;
    size_t capacity; /* bytes */
} spare_t;

struct spares {
    spare_t
        *kept[CLASSES]; /* lists; class I has 2^(SMALLEST_BITS + I) bytes or more, but less than twice that */
    size_t kept_bytes;
    uint8_t apart[CACHE_LINE]; /* other threads write what follows */
    _Atomic(spare_t *) given;  /* list, of any class */
    atomic_size_t given_bytes;
};

spares_t *spares_new(void)
{
    spares_t *spares = calloc(1, sizeof *spares);
    if (spares == NULL)
        return NULL;
    atomic_init(&spares->given, NULL);
    atomic_init(&spares->given_bytes, 0);
    return spares;
}

static void list_free(spare_t *list)
{
    while (list != NULL) {
        spare_t *next = list->next;
        free(list);
        list = next;
    }
}

void spares_destroy(spares_t **spares)
{
    if (*spares == NULL)
        return;
    for (unsigned i = 0; i < CLASSES; i++)
        list_free((*spares)->kept[i]);
    list_free(atomic_load(&(*spares)->given));
    free(*spares);
    *spares = NULL;
}

/* The class of memory of CAPACITY bytes; CLASSES if there is none. */
static unsigned class_of(size_t capacity)
{
    size_t units = capacity >> SMALLEST_BITS;
    if (units == 0 || units >> CLASSES != 0)
        return CLASSES;
    return 63 - (unsigned)__builtin_clzll(units);
}

/* Keeps or frees DATA. */
static void keep(spares_t *spares, void *data, size_t capacity)
{
    unsigned class = class_of(capacity);
    if (class == CLASSES || spares->kept_bytes + capacity > KEPT_BYTES) {
        free(data);
        return;
    }
    spare_t *spare = data;
    *spare = (spare_t){.next = spares->kept[class], .capacity = capacity};
    spares->kept[class] = spare;
    spares->kept_bytes += capacity;
}

/* Sorts what other threads gave. */
static void given_sort(spares_t *spares)
{
    spare_t *given = atomic_exchange_explicit(&spares->given, NULL, memory_order_acquire);
    size_t bytes = 0;
    while (given != NULL) {
        spare_t *next = given->next;
        bytes += given->capacity;
        keep(spares, given, given->capacity);
        given = next;
    }
    atomic_fetch_sub_explicit(&spares->given_bytes, bytes, memory_order_relaxed);
}

void spares_take(spares_t *spares, size_t size, buffer_t *buffer)
{
    const size_t smallest = (size_t)1 << SMALLEST_BITS;
    unsigned class = class_of(2 * size > smallest ? 2 * size - 1 : smallest); /* has SIZE bytes at least */
    if (class == CLASSES)
        return;
    if (spares->kept[class] == NULL && atomic_load_explicit(&spares->given, memory_order_relaxed) != NULL)
        given_sort(spares);
    while (spares->kept[class] == NULL)
        if (class -- == 0)
            return;
    spare_t *spare = spares->kept[class];
    spares->kept[class] = spare->next;
    spares->kept_bytes -= spare->capacity;
    buffer->capacity = spare->capacity < buffer->limit ? spare->capacity : buffer->limit;
    buffer->data = (uint8_t *)spare;
}

void spares_keep(spares_t *spares, buffer_t *buffer)
{
    if (buffer->data != NULL)
        keep(spares, buffer->data, buffer->capacity);
    buffer_init(buffer, buffer->limit);
}

void spares_give(spares_t *spares, void *data, size_t capacity)
{
    size_t before = atomic_load_explicit(&spares->given_bytes, memory_order_relaxed);
    if (class_of(capacity) == CLASSES || before + capacity > GIVEN_BYTES) {
        free(data);
        return;
    }
    atomic_fetch_add_explicit(&spares->given_bytes, capacity, memory_order_relaxed);
    spare_t *spare = data;
    *spare =
        (spare_t){.next = atomic_load_explicit(&spares->given, memory_order_relaxed), .capacity = capacity};
    while (!atomic_compare_exchange_weak_explicit(&spares->given, &spare->next, spare, memory_order_release,
                                                  memory_order_relaxed)) {
    }
}
