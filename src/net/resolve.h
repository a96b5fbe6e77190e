/* Names to addresses without waiting: the system's resolver blocks, so it runs on a thread of its
 * own, which is started with the first name. One thread asks and takes; drop policy: beyond
 * TR_RESOLVE_MAX names that wait, a new one is refused. */
#ifndef TR_RESOLVE_H
#define TR_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

enum { TR_RESOLVE_MAX = 256, TR_RESOLVE_NAME_MAX = 253 };

struct tr_resolver;

struct tr_resolved {
    uint64_t cookie;
    bool found;
    struct tr_addr addr; /* port 0 */
};

/* wake: called on any thread when there is something to take. NULL when memory is out. */
struct tr_resolver *tr_resolver_create(void (*wake)(void *arg), void *arg);
/* A look-up that is under way goes on by itself and its answer is dropped. NULL is fine. */
void tr_resolver_destroy(struct tr_resolver *resolver);
/* family: 4, 6, or 0 for any. LIMIT, NOMEM, INVAL (no name, or too long). */
TR_MUST_USE enum tr_err tr_resolver_ask(struct tr_resolver *resolver, const char *name, int family,
                                        uint64_t cookie);
/* The next answer; false: none now. */
bool tr_resolver_take(struct tr_resolver *resolver, struct tr_resolved *out);

#endif
