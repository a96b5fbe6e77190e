/* Text of a session description, in the shape that browsers and Janus clients take: CRLF lines, one
 * bundled transport repeated at each m-line. What tr_sdp_parse accepted and what
 * negotiate.h built always writes to text that parses again. */
#ifndef TR_SDP_WRITE_H
#define TR_SDP_WRITE_H

#include "base/err.h"
#include "base/slice.h"
#include "sdp/sdp.h"

enum { TR_SDP_TEXT_MAX = 512 * 1024 }; /* a buffer of this size always suffices */

/* Appends to w, no NUL. LIMIT: w is too small. */
TR_MUST_USE enum tr_err tr_sdp_write(struct tr_wr *w, const struct tr_sdp *sdp);
/* The same as a string of the arena. NOMEM, LIMIT. */
TR_MUST_USE enum tr_err tr_sdp_text(struct tr_arena *arena, const struct tr_sdp *sdp, char **out);

#endif
