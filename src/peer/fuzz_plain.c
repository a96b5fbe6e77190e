/* A whole plain session: ports of every kind, what comes in by them, time. Byte 0: bit 0 SRTP, the
 * rest unused. Then records: a byte of port (bits 0-1), sender (bit 2), key frame request (bit 3),
 * other tracks (bit 4) and time step (bits 5-7); a byte of length; the datagram. With SRTP it is
 * protected first when bit 7 of its first byte (RTP's version) is set, so that what lies behind
 * authentication is reached. Whatever passes must lie inside of the packet, and talk must end. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "peer/plain.h"
#include "peer/rtp_meta.h"
#include "peer/stats.h"
#include "rtp/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TRACKS = 3, PORTS = 4, POLLS_MAX = 1000 };

static const struct tr_plain_port ports[PORTS] = {
    { .mline = 0, .layer = 0 },
    { .mline = 1, .layer = TR_PLAIN_BY_SSRC },
    { .mline = TR_PLAIN_BY_SSRC, .layer = TR_PLAIN_BY_SSRC },
    { .mline = TR_PLAIN_BY_SSRC, .layer = TR_PLAIN_BY_SSRC, .rtcp = true },
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void fill_tracks(struct tr_track_conf *t, enum tr_codec video)
{
    static const uint8_t first[TRACKS] = { 0, 10, 20 };
    memset(t, 0, TRACKS * sizeof *t);
    for (int i = 0; i < TRACKS; i++) {
        t[i].used = t[i].recv = true;
        t[i].video = i > 0;
        t[i].codec = i > 0 ? video : TR_CODEC_OPUS;
        t[i].clock_rate = i > 0 ? 90000 : 48000;
        t[i].fb_nack = t[i].fb_pli = i == 1;
        t[i].fb_fir = i == 2;
        t[i].layers_count = i + 1;
        t[i].ext.id[TR_EXT_AUDIO_LEVEL] = 1;
        t[i].ext.id[TR_EXT_DEPENDENCY_DESCRIPTOR] = 2;
        for (int l = 0; i > 0 && l < t[i].layers_count; l++)
            t[i].layers[l].ssrc = 1000u + first[i] + (uint32_t)l;
    }
}

static void speak(struct tr_plain *plain, tr_usec now)
{
    struct tr_plain_out out;
    for (int i = 0; i < POLLS_MAX; i++) {
        tr_plain_poll(plain, now, &out);
        if (out.kind == TR_PLAIN_NONE)
            return;
        must(out.port >= 0 && out.port < PORTS && out.mline < TRACKS &&
             out.layer < TR_TRACK_LAYERS);
        must(out.kind != TR_PLAIN_SEND || (out.data.n >= 8 && out.data.n <= 1500));
    }
    abort();
}

static size_t protect(struct tr_srtp *srtp, uint8_t *p, size_t n, size_t room)
{
    struct tr_rtp rtp;
    struct tr_slice in = tr_slice(p, n);
    size_t len = n;
    if (tr_demux(in) == TR_DEMUX_RTCP)
        return tr_srtcp_protect(srtp, in, (struct tr_buf){ p, room }, &len) == TR_OK ? len : n;
    if (tr_rtp_parse(&rtp, in) != TR_OK)
        return n;
    struct tr_srtp_job job = { .out = p,
                               .out_size = room,
                               .hdr_len = rtp.hdr_len,
                               .payload = tr_slice(p + rtp.hdr_len, n - rtp.hdr_len),
                               .index = TR_SRTP_AUTO };
    return tr_srtp_protect(srtp, &job) == TR_OK ? job.out_len : n;
}

struct run {
    struct tr_plain *plain;
    struct tr_srtp *srtp; /* NULL: in the clear */
    struct tr_pkt *pkt;
    tr_usec now;
};

static void take(struct run *r, uint8_t how, const uint8_t *p, size_t n)
{
    static const tr_usec steps[8] = { 0, 100, 5000, 30000, 250000, 1100000, 20000000, 1ll << 36 };
    uint8_t buf[400];
    struct tr_track_conf tracks[TRACKS];
    struct tr_addr from = tr_addr_v4(192, 0, 2, how >> 2 & 1, 1000);
    int mline = -1;
    r->now += steps[how >> 5];
    memcpy(buf, p, n);
    if (r->srtp && n > 0 && (buf[0] & 0x80))
        n = protect(r->srtp, buf, n, sizeof buf);
    if (tr_plain_input(r->plain, r->now, how & 3, &from, tr_slice(buf, n), r->pkt, &mline) ==
        TR_OK) {
        must(mline >= 0 && mline < TRACKS);
        must(r->pkt->off + r->pkt->len <= TR_PKT_BYTES && tr_rtp_meta(r->pkt)->ext_seq > 0);
        must(tr_rtp_meta(r->pkt)->layer < TR_TRACK_LAYERS);
    }
    if (how & 8)
        tr_plain_request_keyframe(r->plain, n & 3, (int)(n >> 2 & 3));
    if (how & 16) {
        fill_tracks(tracks, n & 1 ? TR_CODEC_H264 : TR_CODEC_VP8);
        must(tr_plain_set_tracks(r->plain, tracks, TRACKS) == TR_OK);
    }
    speak(r->plain, r->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tr_srtp_engine *engine;
    struct tr_rng rng = tr_rng_seeded(1);
    struct tr_track_conf tracks[TRACKS];
    struct tr_media_counters sums = { 0 };
    struct tr_media_peer_stats stats;
    if (size < 1)
        return 0;
    if (!engine)
        engine = tr_srtp_engine_create(TR_SRTP_ENGINE_OPENSSL);
    struct tr_plain_conf conf = { .ports = ports,
                                  .ports_count = PORTS,
                                  .srtp = data[0] & 1 ? TR_SRTP_AES128_CM_SHA1_32 : TR_SRTP_NONE,
                                  .engine = engine,
                                  .rng = &rng };
    struct tr_pkt_pool *pool = tr_pkt_pool_create(1);
    struct run r = { .now = TR_SECOND, .pkt = tr_pkt_alloc(pool) };
    r.plain = tr_plain_create(&conf, r.now);
    if (conf.srtp)
        r.srtp = tr_srtp_create(engine, conf.srtp, TR_SRTP_OUT, &conf.keys);
    fill_tracks(tracks, TR_CODEC_VP8);
    must(r.plain && tr_plain_set_tracks(r.plain, tracks, TRACKS) == TR_OK);
    for (size_t at = 1; at + 2 <= size;) {
        size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        take(&r, data[at], data + at + 2, n);
        at += 2 + n;
    }
    tr_plain_stats(r.plain, &stats);
    tr_plain_take_counters(r.plain, &sums);
    tr_srtp_destroy(r.srtp);
    tr_plain_destroy(r.plain);
    tr_pkt_unref(&r.pkt);
    tr_pkt_pool_destroy(pool);
    return 0;
}
