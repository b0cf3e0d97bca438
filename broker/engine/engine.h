/* SPDX-License-Identifier: MPL-2.0 */
/* The storage engine: every client's store, the one sequence of changes, and the expiry of entries. It knows
 * nothing about sessions, names or wire bytes. Reading changes nothing. The same calls that change it, in the
 * same order and with the same times, make the same stores and the same changes. Not thread-safe: one thread
 * owns an engine. Time is an argument: milliseconds of a clock that never goes back. */
#ifndef KV_BROKER_ENGINE_ENGINE_H
#define KV_BROKER_ENGINE_ENGINE_H

#include "broker/engine/entry.h"
#include "broker/engine/tree.h"
#include "common/bytes.h"
#include "common/limits.h"
#include "common/status.h"

typedef struct engine engine_t;

enum {
    ENGINE_EPOCH_SIZE = 23
}; /* bytes of an epoch: 128 random bits as URL-safe base64, and a terminating zero */

enum {
    ENGINE_EXPIRE_MAX = 1000, /* entries that a put expires at most: a fraction of a millisecond */
    ENGINE_PREPARE_MAX = 64   /* lookups of one engine_prepare */
};

/* What happened, PROTOCOL.md 6.1. Each takes the next number of the sequence. */
typedef enum change_kind {
    CHANGE_PUT,
    CHANGE_DEL,
    CHANGE_EXPIRE,
    CHANGE_CONNECT,
    CHANGE_DISCONNECT,
    CHANGE_ROLE,
    CHANGE_DROP,
    CHANGE_KIND_COUNT
} change_kind_t;

/* Who made a change: borrowed texts, empty for the broker itself. */
typedef struct actor {
    bytes_t client;   /* id of the client whose session did it */
    bytes_t user;     /* the account that made that session a manager, or empty */
    uint64_t session; /* id of that session; 0 = the broker itself */
} actor_t;

/* When something changes. */
typedef struct place {
    int64_t now_ms;  /* of a clock that never goes back: for deadlines */
    int64_t time_ms; /* Unix: for the changes */
} place_t;

typedef struct change {
    uint64_t seq;
    uint64_t prev;   /* 0; for on_change to fill in */
    int64_t time_ms; /* Unix */
    change_kind_t kind;
    void *owner;       /* of the store it happened to, as given to engine_open */
    bytes_t key;       /* of PUT, DEL, EXPIRE */
    bytes_t value;     /* of PUT; of DISCONNECT and ROLE their text */
    bool binary;       /* of PUT: the value is bin, not str */
    uint64_t ttl_ms;   /* of PUT; 0 = none */
    const actor_t *by; /* never NULL; borrowed as the texts */
} change_t;

/* Called for each change, in order of seq, after it took effect, within the call that made it. Slices are
 * borrowed until it returns. It must not call the engine. */
typedef void change_fn(void *context, change_t *change);

typedef struct engine_options {
    const limits_t *limits; /* borrowed until engine_configure; key, value, keys_per_client, bytes_per_client,
                               bytes_total are enforced here */
    change_fn *on_change;   /* may be NULL */
    void *context;          /* given to on_change */
} engine_options_t;

/* Makes an engine with a new random epoch and seq 0 (the first change gets 1). NULL if memory is refused.
 */
KV_MUST_USE engine_t *engine_new(const engine_options_t *options);
/* LIMITS (borrowed) apply from now on. Existing entries stay, even above a limit. */
void engine_configure(engine_t *engine, const limits_t *limits);
/* Frees the engine and every store that is still open. */
void engine_destroy(engine_t **engine);

/* A random text, new with every engine, zero-terminated. Lives as long as the engine. */
const char *engine_epoch(const engine_t *engine);
/* The number of the newest change, 0 = none yet. */
uint64_t engine_seq(const engine_t *engine);
/* Keys, and bytes of keys and values, in all open stores. */
uint64_t engine_keys(const engine_t *engine);
uint64_t engine_bytes(const engine_t *engine);

/* Records a change that is not about an entry (CONNECT, DISCONNECT, ROLE, DROP; VALUE its text or empty). */
void engine_record(engine_t *engine, change_kind_t kind, void *owner, bytes_t value, const actor_t *by,
                   const place_t *place);

/* Opens an empty store that belongs to OWNER, which is passed to on_change with each change of the store.
 * Owned by the engine; close with engine_close. NULL if memory is refused. */
KV_MUST_USE store_t *engine_open(engine_t *engine, void *owner);
/* Closes *STORE and sets it to NULL. Its entries are gone at once; no change is recorded for them. Most of
 * its memory is freed by later engine_drain calls, so that a large store causes no pause. */
void engine_close(engine_t *engine, store_t **store);

uint64_t store_keys(const store_t *store);
uint64_t store_bytes(const store_t *store); /* of keys and values */

/* Hashes KEY once for the calls below. Only for this engine: the hash has a random seed. */
lookup_t engine_lookup(const engine_t *engine, bytes_t key);

/* The same for COUNT keys. */
void engine_lookup_all(const engine_t *engine, const bytes_t *keys, unsigned count, lookup_t *lookups);

/* Call this before reading or writing several keys of STORE. Finds the entries of LOOKUPS (ENGINE_PREPARE_MAX
 * at most), makes the processor fetch all of them at once, and notes in each lookup where its entry is. In a
 * large store, this takes a fraction of the time. The lookups can then be used only for STORE. Returns the
 * lookups whose keys are absent: bit I stands for lookup I. */
uint64_t engine_prepare(const engine_t *engine, const store_t *store, lookup_t *lookups, unsigned count);
/* Does the same for KEYS that engine_prepare has not found and that are about to be put. */
void engine_prepare_new(const engine_t *engine, const store_t *store, const bytes_t *keys, unsigned count);
/* A hint: KEYS will be read or written soon, key I in STORES[I]. COUNT is at most ENGINE_PREPARE_MAX. Makes
 * the processor fetch their entries, and changes nothing. */
void engine_foresee(const engine_t *engine, const store_t *const *stores, const bytes_t *keys,
                    unsigned count);
/* Whether STORE is so large that engine_prepare and engine_prepare_new pay off. */
KV_MUST_USE bool engine_prepares(const engine_t *engine, const store_t *store);

/* Reads the entry KEY. STATUS_NOT_FOUND if there is none, or if it is due. */
KV_MUST_USE status_t engine_get(const engine_t *engine, const store_t *store, bytes_t key, lookup_t lookup,
                                int64_t now_ms, entry_t *entry);

/* Reads the values of COUNT keys at once. The bytes of those that engine_get would not find are NULL. */
void engine_values(const engine_t *engine, const store_t *store, const bytes_t *keys, const lookup_t *lookups,
                   unsigned count, int64_t now_ms, value_t *values);

/* Writes a whole entry. STATUS_OK: *REVISION is its new revision. STATUS_FAILED_PRECONDITION: *REVISION is
 * the one that it has, 0 = it is absent. STATUS_RESOURCE_EXHAUSTED: it would exceed the limit
 * keys_per_client, bytes_per_client or bytes_total; *LIMIT is that configuration key (static storage).
 * STATUS_UNAVAILABLE: memory is refused. On an error, the entry has not changed.
 *
 * Before a put is refused because of a limit, due entries are expired (and their changes recorded). If that
 * needs more than ENGINE_EXPIRE_MAX, the status is STATUS_RESOURCE_EXHAUSTED with *LIMIT = NULL: call again
 * in another turn.
 *
 * The caller must check the sizes of key and value (asserted). Neither may be borrowed from the engine: the
 * old entry is freed while they are in use. */
KV_MUST_USE status_t engine_put(engine_t *engine, store_t *store, const put_t *put, const actor_t *by,
                                const place_t *place, uint64_t *revision, const char **limit);

/* Deletes an entry; *REVISION is the seq of the deletion. STATUS_NOT_FOUND if there is none (and if_revision
 * was REVISION_ANY or 0); STATUS_FAILED_PRECONDITION as for put. KEY may not be borrowed from the engine. */
KV_MUST_USE status_t engine_del(engine_t *engine, store_t *store, bytes_t key, lookup_t lookup,
                                uint64_t if_revision, const actor_t *by, const place_t *place,
                                uint64_t *revision);

/* A walk over a store's entries in byte order of the keys. The engine must not change between begin and the
 * last next. */
typedef struct engine_walk {
    bytes_t prefix;
    int64_t now_ms;
    const store_t *store;
    tree_cursor_t cursor; /* private to the engine */
} engine_walk_t;

/* Begins a walk over the entries whose keys begin with PREFIX (empty = all) and sort after AFTER (may be
 * NULL: from the first one). PREFIX is borrowed during the walk. */
void engine_walk_begin(engine_walk_t *walk, const engine_t *engine, const store_t *store, bytes_t prefix,
                       const bytes_t *after, int64_t now_ms);
/* Gives the next entry, or returns false at the end. Skips due entries. ENTRY's slices are borrowed until the
 * next call. */
KV_MUST_USE bool engine_walk_next(engine_walk_t *walk, entry_t *entry);

/* The store's digest, PROTOCOL.md section 7. Due entries must have expired (engine_due). The first call
 * visits all entries (some 0.2 us each); from then on each change updates the digest, and a call takes
 * constant time. */
uint64_t engine_digest(engine_t *engine, store_t *store);
/* Does that first work for at most BUDGET entries. Returns whether engine_digest now takes constant time. If
 * not, call this again, with other requests in between, so that a large store causes no pause. */
KV_MUST_USE bool engine_digest_prepare(engine_t *engine, store_t *store, unsigned budget);

/* When the next entry expires: ms; INT64_MAX = none does. */
int64_t engine_due(const engine_t *engine);
/* Expires due entries, BUDGET at most: the earliest first, and of equal times the lowest revision. Returns
 * whether more are due. */
bool engine_expire(engine_t *engine, const place_t *place, unsigned budget);

/* Expires the entry KEY if it is due. */
void engine_expire_key(engine_t *engine, store_t *store, bytes_t key, lookup_t lookup, const place_t *place);

/* Frees memory of closed stores and of removed entries, BUDGET pieces at most. Returns whether there is more.
 * This is no change of the state: engines with the same state may differ in it. */
bool engine_drain(engine_t *engine, unsigned budget);
/* Whether engine_drain has something to do. */
KV_MUST_USE bool engine_drains(const engine_t *engine);

#endif
