/* SRTCP packets. Their 31-bit index travels in the packet, so there is nothing to estimate.
 *   AES-CM: header (8) | text | E and index (4) | tag (10); the tag covers all before it
 *   GCM:    header (8) | text | tag (16) | E and index (4); AAD is the header and the last word
 * WebRTC always encrypts (RFC 8827 section 6.5): a packet without the E bit is refused. */
#include "base/assert.h"
#include "srtp/engine.h"
#include "srtp/srtp.h"
#include "srtp/stream.h"

enum { RTCP_HEADER = 8, RTCP_VERSION = 2, WORD = 4 };

static const uint32_t E_BIT = UINT32_C(1) << 31;
static const uint32_t INDEX_MAX = (UINT32_C(1) << 31) - 1;

/*= rfc3711#4.1.1: for SRTCP, i is the 31-bit index */
/*= rfc7714#9.1: IV = (00 00 || SSRC || 00 00 || 0 || index) XOR salt */
static void rtcp_iv(const struct srtp_key *key, uint32_t ssrc, uint32_t index, uint8_t iv[16])
{
    size_t shift = tr_srtp_is_gcm(key->profile) ? 2 : 4;

    memset(iv, 0, 16);
    tr_put32(iv + shift, ssrc);
    tr_put32(iv + shift + 6, index);
    for (size_t i = 0; i < 16; i++)
        iv[i] ^= key->salt[i];
}

static size_t word_offset(enum tr_srtp_profile profile, size_t n)
{
    return tr_srtp_is_gcm(profile) ? n + tr_srtp_overhead(profile) : n;
}

static size_t tag_offset(enum tr_srtp_profile profile, size_t n)
{
    return tr_srtp_is_gcm(profile) ? n : n + WORD;
}

/* Fills in key, IV and what is authenticated. p: the protected packet, n: its header and text. */
static void rtcp_op(struct srtp_op *op, struct srtp_key *key, uint8_t aad[RTCP_HEADER + WORD],
                    const uint8_t *p, size_t n, uint32_t word)
{
    op->key = key;
    op->trail_len = 0;
    rtcp_iv(key, tr_get32(p + 4), word & INDEX_MAX, op->iv);
    if (tr_srtp_is_gcm(key->profile)) {
        memcpy(aad, p, RTCP_HEADER);
        tr_put32(aad + RTCP_HEADER, word);
        op->aad = aad;
        op->aad_len = RTCP_HEADER + WORD;
    } else {
        op->aad = p;
        op->aad_len = n + WORD;
    }
}

enum tr_err tr_srtcp_protect(struct tr_srtp *srtp, struct tr_slice in, struct tr_buf out,
                             size_t *out_len)
{
    struct srtp_op *op = &srtp->engine->ops[0];
    uint8_t aad[RTCP_HEADER + WORD];
    struct srtp_stream *stream;

    TR_ASSERT(srtp->dir == TR_SRTP_OUT);
    if (in.n < RTCP_HEADER || in.p[0] >> 6 != RTCP_VERSION)
        return TR_ERR_BADMSG;
    if (in.n > TR_SRTP_PACKET_MAX || out.n < in.n + tr_srtcp_overhead(srtp->profile))
        return TR_ERR_LIMIT;
    enum tr_err err = srtp_stream_get(srtp, tr_get32(in.p + 4), &stream);
    if (err)
        return err;
    if (stream->rtcp_top > INDEX_MAX)
        return TR_ERR_LIMIT;

    uint32_t word = E_BIT | (uint32_t)stream->rtcp_top++;
    if (out.p != in.p)
        memcpy(out.p, in.p, RTCP_HEADER);
    tr_put32(out.p + word_offset(srtp->profile, in.n), word);
    rtcp_op(op, srtp->rtcp, aad, out.p, in.n, word);
    op->src = in.p + RTCP_HEADER;
    op->dst = out.p + RTCP_HEADER;
    op->n = in.n - RTCP_HEADER;
    op->tag = out.p + tag_offset(srtp->profile, in.n);
    srtp->engine->seal(srtp->engine, op, 1);
    srtp->stats.packets++;
    *out_len = in.n + tr_srtcp_overhead(srtp->profile);
    return TR_OK;
}

static enum tr_err open_rtcp(struct tr_srtp *srtp, struct tr_slice in, size_t n, uint32_t word,
                             uint8_t *out)
{
    struct srtp_op *op = &srtp->engine->ops[0];
    uint8_t aad[RTCP_HEADER + WORD];

    rtcp_op(op, srtp->rtcp, aad, in.p, n, word);
    op->src = in.p + RTCP_HEADER;
    op->dst = out + RTCP_HEADER;
    op->n = n - RTCP_HEADER;
    op->expect = in.p + tag_offset(srtp->profile, n);
    if (!srtp->engine->open(srtp->engine, op)) {
        srtp->stats.auth++;
        return TR_ERR_AUTH;
    }
    if (out != in.p)
        memcpy(out, in.p, RTCP_HEADER);
    return TR_OK;
}

enum tr_err tr_srtcp_unprotect(struct tr_srtp *srtp, struct tr_slice in, struct tr_buf out,
                               size_t *out_len)
{
    size_t overhead = tr_srtcp_overhead(srtp->profile);

    TR_ASSERT(srtp->dir == TR_SRTP_IN);
    if (in.n < RTCP_HEADER + overhead || in.n > TR_SRTP_PACKET_MAX ||
        in.p[0] >> 6 != RTCP_VERSION) {
        srtp->stats.bad++;
        return TR_ERR_BADMSG;
    }
    size_t n = in.n - overhead;
    uint32_t ssrc = tr_get32(in.p + 4), word = tr_get32(in.p + word_offset(srtp->profile, n));
    uint32_t index = word & INDEX_MAX;
    if (!(word & E_BIT)) {
        srtp->stats.bad++;
        return TR_ERR_PROTO;
    }
    if (out.n < n)
        return TR_ERR_LIMIT;
    struct srtp_stream *stream = srtp_stream_find(srtp, ssrc);
    if (stream && stream->rtcp_used &&
        srtp_window_seen(stream->rtcp_ring, TR_SRTCP_WINDOW, stream->rtcp_top, index)) {
        srtp->stats.replayed++;
        return TR_ERR_EXISTS;
    }

    enum tr_err err = open_rtcp(srtp, in, n, word, out.p);
    if (err == TR_OK)
        err = srtp_stream_get(srtp, ssrc, &stream);
    if (err)
        return err;
    if (!stream->rtcp_used)
        stream->rtcp_top = index;
    stream->rtcp_used = true;
    srtp_window_mark(stream->rtcp_ring, TR_SRTCP_WINDOW, &stream->rtcp_top, index);
    srtp->stats.packets++;
    *out_len = n;
    return TR_OK;
}
