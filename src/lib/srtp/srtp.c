/* SRTP packets. A packet becomes one op of the engine (engine.h): where its text and its
 * authenticated part are, its IV, where the tag goes. Outbound jobs are first all given an index
 * and turned into ops, then sealed together; inbound packets are looked up, checked for replay,
 * opened, and only then leave a trace in the state. */
#include "srtp/srtp.h"

#include <openssl/crypto.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "srtp/engine.h"
#include "srtp/stream.h"

enum { RTP_HEADER = 12, RTP_VERSION = 2, RTP_PADDING_BIT = 0x20 };

static struct srtp_key *session_key(struct tr_srtp *srtp, const struct tr_srtp_keys *master,
                                    enum srtp_label first)
{
    bool rtcp = first == SRTP_LABEL_RTCP_KEY;
    /*= rfc5764#4.1.2: SRTP_AES128_CM_HMAC_SHA1_32 has an 80-bit tag for SRTCP */
    enum tr_srtp_profile profile = rtcp && srtp->profile == TR_SRTP_AES128_CM_SHA1_32
                                       ? TR_SRTP_AES128_CM_SHA1_80
                                       : srtp->profile;
    struct srtp_session_keys keys;
    struct srtp_key *key = NULL;

    if (srtp_derive(&keys, profile, master, first) == TR_OK)
        key = srtp->engine->key_create(srtp->engine, profile, srtp->dir, &keys);
    OPENSSL_cleanse(&keys, sizeof(keys));
    return key;
}

struct tr_srtp *tr_srtp_create(struct tr_srtp_engine *engine, enum tr_srtp_profile profile,
                               enum tr_srtp_dir dir, const struct tr_srtp_keys *keys)
{
    struct tr_srtp *srtp;

    if (!tr_srtp_is_gcm(profile) && profile != TR_SRTP_AES128_CM_SHA1_80 &&
        profile != TR_SRTP_AES128_CM_SHA1_32)
        return NULL;
    srtp = tr_alloc(sizeof(*srtp));
    if (!srtp)
        return NULL;
    srtp->engine = engine;
    srtp->profile = profile;
    srtp->dir = dir;
    srtp->rtp = session_key(srtp, keys, SRTP_LABEL_RTP_KEY);
    srtp->rtcp = session_key(srtp, keys, SRTP_LABEL_RTCP_KEY);
    if (!srtp->rtp || !srtp->rtcp) {
        tr_srtp_destroy(srtp);
        return NULL;
    }
    return srtp;
}

void tr_srtp_destroy(struct tr_srtp *srtp)
{
    if (!srtp)
        return;
    srtp->engine->key_destroy(srtp->rtp);
    srtp->engine->key_destroy(srtp->rtcp);
    tr_free(srtp->ssrcs);
    tr_free(srtp->streams);
    tr_free(srtp);
}

const struct tr_srtp_stats *tr_srtp_stats(const struct tr_srtp *srtp)
{
    return &srtp->stats;
}

/*= rfc3711#4.1.1: IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16) */
/*= rfc7714#8.1: IV = (00 00 || SSRC || ROC || SEQ) XOR salt */
/* Both put SSRC, rollover counter and sequence number in a row; they differ in where it starts. */
static void rtp_iv(const struct srtp_key *key, uint32_t ssrc, uint64_t index, uint8_t iv[16])
{
    uint8_t *row = iv + (tr_srtp_is_gcm(key->profile) ? 2 : 4);
    uint64_t halves[2], salt[2];

    memset(iv, 0, 16);
    tr_put32(row, ssrc);
    tr_put32(row + 4, (uint32_t)(index >> 16));
    tr_put16(row + 8, (uint16_t)index);
    memcpy(halves, iv, 16);
    memcpy(salt, key->salt, 16);
    halves[0] ^= salt[0];
    halves[1] ^= salt[1];
    memcpy(iv, halves, 16);
}

void tr_srtp_prefetch(const struct tr_srtp *srtp, int near)
{
    if (near > 1) {
        tr_prefetch(srtp, 2);
        return;
    }
    if (srtp->last < srtp->count) {
        tr_prefetch(&srtp->ssrcs[srtp->last], 1);
        tr_prefetch(&srtp->streams[srtp->last], 3);
    }
    tr_prefetch(srtp->rtp, SRTP_KEY_LINES);
}

static enum tr_err job_check(const struct tr_srtp_job *job)
{
    size_t total = job->hdr_len + job->payload.n + job->pad;

    if (job->srtp->dir != TR_SRTP_OUT || job->hdr_len < RTP_HEADER ||
        job->hdr_len > TR_SRTP_PACKET_MAX || job->payload.n > TR_SRTP_PACKET_MAX)
        return TR_ERR_INVAL;
    if (job->out[0] >> 6 != RTP_VERSION || (job->pad > 0 && (job->out[0] & RTP_PADDING_BIT)))
        return TR_ERR_INVAL;
    if (job->index != TR_SRTP_AUTO &&
        (job->index > TR_SRTP_INDEX_MAX || (uint16_t)job->index != tr_get16(job->out + 2)))
        return TR_ERR_INVAL;
    if (total + tr_srtp_overhead(job->srtp->profile) > job->out_size || total > TR_SRTP_PACKET_MAX)
        return TR_ERR_LIMIT;
    return TR_OK;
}

/* Gives the packet its index and notes it as used, before anything is encrypted with it. */
static enum tr_err job_index(struct tr_srtp_job *job)
{
    uint16_t seq = tr_get16(job->out + 2);
    struct srtp_stream *stream;
    enum tr_err err = srtp_stream_get(job->srtp, tr_get32(job->out + 8), &stream);

    if (err)
        return err;
    if (job->index == TR_SRTP_AUTO) {
        uint64_t index = stream->rtp_used ? srtp_index_estimate(stream->rtp_top, seq) : seq;
        if (index > TR_SRTP_INDEX_MAX)
            return TR_ERR_LIMIT;
        if (stream->rtp_used &&
            srtp_window_seen(stream->rtp_ring, TR_SRTP_WINDOW, stream->rtp_top, index)) {
            job->srtp->stats.replayed++;
            return TR_ERR_EXISTS;
        }
        job->index = index;
    }
    if (!stream->rtp_used)
        stream->rtp_top = job->index;
    stream->rtp_used = true;
    srtp_window_mark(stream->rtp_ring, TR_SRTP_WINDOW, &stream->rtp_top, job->index);
    return TR_OK;
}

static void job_op(struct tr_srtp_job *job, struct srtp_op *op)
{
    uint8_t *text = job->out + job->hdr_len;
    size_t n = job->payload.n + job->pad;

    op->key = job->srtp->rtp;
    op->src = job->payload.p;
    op->dst = text;
    op->n = n;
    op->aad = job->out;
    op->aad_len = job->hdr_len;
    op->tag = text + n;
    op->trail_len = 0;
    if (job->pad > 0) { /* the text must be one piece: gather it where it will be encrypted */
        if (job->payload.n > 0 && job->payload.p != text)
            memcpy(text, job->payload.p, job->payload.n);
        memset(text + job->payload.n, 0, job->pad);
        text[n - 1] = job->pad;
        job->out[0] |= RTP_PADDING_BIT;
        op->src = text;
    }
    rtp_iv(op->key, tr_get32(job->out + 8), job->index, op->iv);
    if (!tr_srtp_is_gcm(op->key->profile)) {
        /*= rfc3711#4.2: M = Authenticated Portion || ROC; the tag is written over it later */
        tr_put32(text + n, (uint32_t)(job->index >> 16));
        op->aad_len += n + 4;
    }
    job->out_len = job->hdr_len + n + tr_srtp_overhead(op->key->profile);
}

/* At most SRTP_BATCH jobs. */
static size_t protect_some(struct tr_srtp_engine *engine, struct tr_srtp_job *jobs, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        struct tr_srtp_job *job = &jobs[i];
        TR_ASSERT(job->srtp->engine == engine);
        job->out_len = 0;
        job->err = job_check(job);
        if (job->err == TR_OK)
            job->err = job_index(job);
        if (job->err == TR_OK) {
            job_op(job, &engine->ops[count++]);
            job->srtp->stats.packets++;
        }
    }
    engine->seal(engine, engine->ops, count);
    return count;
}

size_t tr_srtp_protect_batch(struct tr_srtp_engine *engine, struct tr_srtp_job *jobs, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i += SRTP_BATCH)
        count += protect_some(engine, jobs + i, n - i < SRTP_BATCH ? n - i : SRTP_BATCH);
    return count;
}

size_t tr_srtp_protect_run(struct tr_srtp *srtp, struct tr_srtp_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jobs[i].srtp = srtp;
    return tr_srtp_protect_batch(srtp->engine, jobs, n);
}

enum tr_err tr_srtp_protect(struct tr_srtp *srtp, struct tr_srtp_job *job)
{
    tr_srtp_protect_run(srtp, job, 1);
    return job->err;
}

static enum tr_err open_rtp(struct tr_srtp *srtp, struct tr_slice in, size_t hdr_len, uint8_t *dst,
                            uint64_t index)
{
    size_t tag_len = tr_srtp_overhead(srtp->profile);
    size_t n = in.n - hdr_len - tag_len;
    struct srtp_op *op = &srtp->engine->ops[0];

    op->key = srtp->rtp;
    op->src = in.p + hdr_len;
    op->dst = dst;
    op->n = n;
    op->aad = in.p;
    op->aad_len = hdr_len;
    op->expect = in.p + hdr_len + n;
    op->trail_len = 0;
    rtp_iv(op->key, tr_get32(in.p + 8), index, op->iv);
    if (!tr_srtp_is_gcm(srtp->profile)) {
        op->aad_len = hdr_len + n;
        tr_put32(op->trail, (uint32_t)(index >> 16));
        op->trail_len = 4;
    }
    if (!srtp->engine->open(srtp->engine, op)) {
        srtp->stats.auth++;
        return TR_ERR_AUTH;
    }
    return TR_OK;
}

enum tr_err tr_srtp_unprotect(struct tr_srtp *srtp, struct tr_slice in, size_t hdr_len,
                              struct tr_buf dst, size_t *payload_len, uint64_t *index)
{
    size_t tag_len = tr_srtp_overhead(srtp->profile);

    TR_ASSERT(srtp->dir == TR_SRTP_IN);
    if (hdr_len < RTP_HEADER || in.n > TR_SRTP_PACKET_MAX || in.n < hdr_len + tag_len ||
        in.p[0] >> 6 != RTP_VERSION) {
        srtp->stats.bad++;
        return TR_ERR_BADMSG;
    }
    if (dst.n < in.n - hdr_len - tag_len)
        return TR_ERR_LIMIT;

    uint32_t ssrc = tr_get32(in.p + 8);
    uint16_t seq = tr_get16(in.p + 2);
    struct srtp_stream *stream = srtp_stream_find(srtp, ssrc);
    bool known = stream && stream->rtp_used;
    uint64_t i = known ? srtp_index_estimate(stream->rtp_top, seq) : seq;
    if (i > TR_SRTP_INDEX_MAX ||
        (known && srtp_window_seen(stream->rtp_ring, TR_SRTP_WINDOW, stream->rtp_top, i))) {
        srtp->stats.replayed++;
        return TR_ERR_EXISTS;
    }

    enum tr_err err = open_rtp(srtp, in, hdr_len, dst.p, i);
    if (err == TR_OK)
        err = srtp_stream_get(srtp, ssrc, &stream);
    if (err)
        return err;
    if (!stream->rtp_used)
        stream->rtp_top = i;
    stream->rtp_used = true;
    srtp_window_mark(stream->rtp_ring, TR_SRTP_WINDOW, &stream->rtp_top, i);
    srtp->stats.packets++;
    *payload_len = in.n - hdr_len - tag_len;
    *index = i;
    return TR_OK;
}
