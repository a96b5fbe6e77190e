/* SSRCs sit in an array in order of appearance. Packets come in runs of one SSRC, so most
 * lookups end at the last hit; the others scan four bytes a SSRC. Entries are not taken out by
 * themselves: forgetting one would allow its packets to be replayed (inbound) or its indices to be
 * used again (outbound, where the caller of tr_srtp_retire vouches that they are not). */
#include "srtp/stream.h"

#include "base/assert.h"
#include "base/mem.h"

enum { FIRST_SIZE = 4 };

struct srtp_stream *srtp_stream_find(struct tr_srtp *srtp, uint32_t ssrc)
{
    if (srtp->last < srtp->count && srtp->ssrcs[srtp->last] == ssrc)
        return &srtp->streams[srtp->last];
    for (uint32_t i = 0; i < srtp->count; i++) {
        if (srtp->ssrcs[i] == ssrc) {
            srtp->last = i;
            return &srtp->streams[i];
        }
    }
    return NULL;
}

static enum tr_err grow(struct tr_srtp *srtp)
{
    uint32_t max = srtp->dir == TR_SRTP_IN ? TR_SRTP_IN_SSRC_MAX : TR_SRTP_OUT_SSRC_MAX;
    uint32_t size = srtp->size == 0 ? FIRST_SIZE : srtp->size * 2;

    if (srtp->size >= max)
        return TR_ERR_LIMIT;
    uint32_t *ssrcs = tr_realloc(srtp->ssrcs, size * sizeof(*ssrcs));
    if (!ssrcs)
        return TR_ERR_NOMEM;
    srtp->ssrcs = ssrcs;
    struct srtp_stream *streams = tr_realloc(srtp->streams, size * sizeof(*streams));
    if (!streams)
        return TR_ERR_NOMEM;
    srtp->streams = streams;
    srtp->size = size;
    return TR_OK;
}

enum tr_err srtp_stream_get(struct tr_srtp *srtp, uint32_t ssrc, struct srtp_stream **out)
{
    *out = srtp_stream_find(srtp, ssrc);
    if (*out)
        return TR_OK;
    if (srtp->count == srtp->size) {
        enum tr_err err = grow(srtp);
        if (err) {
            srtp->stats.full += err == TR_ERR_LIMIT;
            return err;
        }
    }
    srtp->last = srtp->count++;
    srtp->ssrcs[srtp->last] = ssrc;
    *out = &srtp->streams[srtp->last];
    memset(*out, 0, sizeof(**out));
    return TR_OK;
}

void tr_srtp_retire(struct tr_srtp *srtp, uint32_t ssrc)
{
    TR_ASSERT(srtp->dir == TR_SRTP_OUT);
    const struct srtp_stream *gone = srtp_stream_find(srtp, ssrc);
    if (!gone)
        return;
    uint32_t at = (uint32_t)(gone - srtp->streams), end = --srtp->count;
    srtp->ssrcs[at] = srtp->ssrcs[end];
    srtp->streams[at] = srtp->streams[end];
    srtp->last = 0;
}
