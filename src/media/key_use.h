/* Which SSRCs each SRTP key that others chose has protected here. Two streams with the same key and
 * SSRC begin at the same packet index and so share a key stream, which gives both away (RFC 3711
 * section 9.1), whether they run side by side or one after the other. Control thread only.
 *
 * What is remembered is a hash, for as long as the server runs, of KEY_USES_MAX uses; beyond that
 * nothing can be said to be new, and nothing is. */
#ifndef TR_MEDIA_KEY_USE_H
#define TR_MEDIA_KEY_USE_H

#include "base/err.h"
#include "base/map.h"
#include "srtp/profile.h"

enum { KEY_USES_MAX = 1 << 15 };

/* Zeroed: nothing has been used. */
struct key_uses {
    struct tr_map *taken; /* NULL: none yet */
};

/* EXISTS: used before; LIMIT: it cannot be remembered; NOMEM. seed: of the table, which the first
 * use makes. */
TR_MUST_USE enum tr_err key_use_take(struct key_uses *uses, uint64_t seed,
                                     const struct tr_srtp_keys *keys, uint32_t ssrc);
/* Taken, but nothing was protected with it. */
void key_use_return(struct key_uses *uses, const struct tr_srtp_keys *keys, uint32_t ssrc);
void key_uses_deinit(struct key_uses *uses);

#endif
