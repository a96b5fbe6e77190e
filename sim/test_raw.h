/* Packets of another make: what a test writes byte by byte is protected with the client's keys and
 * sent to the server. */
#ifndef TR_SIM_TEST_RAW_H
#define TR_SIM_TEST_RAW_H

#include "peer/stats.h"
#include "rtp/rtp.h"
#include "sim/test_world.h"

static inline struct tr_media_peer_stats stats_of(const struct sim_peer *p)
{
    struct tr_media_peer_stats s;
    tr_peer_stats(p->peer, &s);
    return s;
}

struct raw { /* an RTP packet as a test writes it */
    uint32_t ssrc, ts;
    uint16_t seq;
    uint8_t pt;
    const char *mid, *rid, *rrid;
    bool has_twcc;
    uint16_t twcc;
    size_t padding; /* instead of a payload */
    uint16_t osn;   /* of a retransmission */
    uint32_t frame;
    const uint8_t *ext; /* of this many bytes, in words; instead of what is above; NULL: not */
    size_t ext_len;
    uint16_t profile; /* with ext */
};

static inline void put_ext(struct tr_wr *w, uint8_t id, const char *text)
{
    if (!text)
        return;
    tr_wr_u8(w, (uint8_t)(id << 4 | (strlen(text) - 1)));
    tr_wr_str(w, text);
}

static inline enum tr_err send_raw(const struct raw *r)
{
    uint8_t out[600], ext[64];
    struct tr_wr e = tr_wr(ext, sizeof ext), w = tr_wr(out, sizeof out);
    if (r->ext)
        tr_wr_bytes(&e, r->ext, r->ext_len);
    put_ext(&e, 1, r->mid);
    put_ext(&e, 4, r->rid);
    put_ext(&e, 5, r->rrid);
    if (r->has_twcc) {
        tr_wr_u8(&e, 6 << 4 | 1);
        tr_wr_u16(&e, r->twcc);
    }
    while (tr_wr_len(&e) % 4)
        tr_wr_u8(&e, 0);
    tr_rtp_put(&w, true, r->pt, r->seq, r->ts, r->ssrc, true);
    if (r->padding)
        out[0] |= 0x20;
    tr_wr_u16(&w, r->ext ? r->profile : 0xbede);
    tr_wr_u16(&w, (uint16_t)(tr_wr_len(&e) / 4));
    tr_wr_bytes(&w, ext, tr_wr_len(&e));
    if (r->pt == SIM_PT_RTX)
        tr_wr_u16(&w, r->osn);
    if (r->padding) {
        tr_wr_zero(&w, r->padding - 1);
        tr_wr_u8(&w, (uint8_t)r->padding);
    } else {
        struct sim_payload p = { .video = true, .start = true, .frame = r->frame, .count = 1 };
        p.sent_us = sim_now(call.sim);
        sim_payload_write(&p, tr_wr_skip(&w, 100), 100);
    }
    enum tr_err err = sim_peer_send_rtp(sim_client(&call), tr_wr_slice(&w));
    sim_run(call.sim, TR_MSEC);
    return err;
}

static inline void send_many(struct raw r, int n)
{
    for (int i = 0; i < n; i++, r.seq++, r.ts += 3000, r.frame++)
        CHECK_INT(send_raw(&r), TR_OK);
}

static inline struct sim *raw_begin(const struct sim_call_conf *conf)
{
    struct sim *sim = call_begin(1, conf);
    CHECK(sim_call_connect(&call, 5 * TR_SECOND));
    return sim;
}

static inline uint64_t layer_packets(int layer)
{
    return stats_of(sim_server(&call)).tracks[SIM_VIDEO].layers[layer].packets;
}

static inline void simulcast(bool by_rid)
{
    struct tr_track_conf *t = &server_side()->tracks[SIM_VIDEO];
    static const char *const rids[] = { "l", "m", "h" };
    t->layers_count = 3;
    for (int i = 0; i < 3; i++) {
        t->layers[i] = (struct tr_track_layer){ 0 };
        if (by_rid)
            memcpy(t->layers[i].rid, rids[i], 2);
        else
            t->layers[i] =
                (struct tr_track_layer){ .ssrc = 100 + (uint32_t)i, .rtx_ssrc = 200 + (uint32_t)i };
    }
    CHECK_INT(sim_call_set_tracks(&call), TR_OK);
}

#endif
