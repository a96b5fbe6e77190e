/* Each function writes the lines of one concern; the writer's sticky error is looked at once, at
 * the end. Nothing is escaped: the parser let no control character in, local strings are ours. */
#include "sdp/write.h"

#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"

static const char *const dir_names[] = { "inactive", "sendonly", "recvonly", "sendrecv" };

static void write_session(struct tr_wr *w, const struct tr_sdp *sdp)
{
    unsigned bundled = 0;
    tr_wr_fmt(w, "v=0\r\no=- %llu %llu IN IP4 127.0.0.1\r\n", (unsigned long long)sdp->id,
              (unsigned long long)sdp->version);
    tr_wr_fmt(w, "s=%s\r\nt=0 0\r\n", sdp->name && *sdp->name ? sdp->name : "-");
    for (unsigned i = 0; i < sdp->media_count; i++) {
        const struct tr_sdp_media *m = &sdp->media[i];
        if (m->bundled && !m->rejected)
            tr_wr_fmt(w, "%s %s", bundled++ ? "" : "a=group:BUNDLE", m->mid);
    }
    tr_wr_str(w, bundled ? "\r\n" : "");
    tr_wr_str(w, sdp->ice_lite ? "a=ice-lite\r\n" : "");
    tr_wr_str(w, sdp->trickle ? "a=ice-options:trickle\r\n" : "");
    tr_wr_str(w, sdp->extmap_allow_mixed ? "a=extmap-allow-mixed\r\n" : "");
    tr_wr_str(w, "a=msid-semantic: WMS *\r\n");
}

static void write_fingerprint(struct tr_wr *w, const struct tr_sdp_fingerprint *f)
{
    static const char *const names[] = { "", "sha-256", "sha-384", "sha-512" };
    if (f->hash == TR_SDP_HASH_NONE)
        return;
    tr_wr_fmt(w, "a=fingerprint:%s ", names[f->hash]);
    for (unsigned i = 0; i < f->len; i++)
        tr_wr_fmt(w, "%s%02X", i ? ":" : "", f->bytes[i]);
    tr_wr_str(w, "\r\n");
}

static void write_transport(struct tr_wr *w, const struct tr_sdp_transport *t)
{
    static const char *const setups[] = { NULL, "actpass", "active", "passive" };
    if (t->ufrag && t->pwd)
        tr_wr_fmt(w, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", t->ufrag, t->pwd);
    write_fingerprint(w, &t->fingerprint);
    if (setups[t->setup])
        tr_wr_fmt(w, "a=setup:%s\r\n", setups[t->setup]);
}

static void write_feedback(struct tr_wr *w, const struct tr_sdp_codec *c)
{
    static const struct {
        enum tr_sdp_fb bit;
        const char *text;
    } all[] = { { TR_SDP_FB_REMB, "goog-remb" }, { TR_SDP_FB_TWCC, "transport-cc" },
                { TR_SDP_FB_FIR, "ccm fir" },    { TR_SDP_FB_TMMBR, "ccm tmmbr" },
                { TR_SDP_FB_NACK, "nack" },      { TR_SDP_FB_PLI, "nack pli" } };
    for (size_t i = 0; i < TR_ARRAY_LEN(all); i++)
        if (c->feedback & all[i].bit)
            tr_wr_fmt(w, "a=rtcp-fb:%u %s\r\n", c->pt, all[i].text);
}

static void write_codec(struct tr_wr *w, const struct tr_sdp_codec *c)
{
    if (c->name) {
        tr_wr_fmt(w, "a=rtpmap:%u %s/%u", c->pt, c->name, c->clock);
        if (c->channels > 1)
            tr_wr_fmt(w, "/%u", c->channels);
        tr_wr_str(w, "\r\n");
    }
    write_feedback(w, c);
    if (c->fmtp)
        tr_wr_fmt(w, "a=fmtp:%u %s\r\n", c->pt, c->fmtp);
}

static void write_layers(struct tr_wr *w, const char *name, const struct tr_sdp_layer *list,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const char *sep = i == 0 ? name : list[i].stream == list[i - 1].stream ? "," : ";";
        tr_wr_fmt(w, "%s%s%s", sep, list[i].paused ? "~" : "", list[i].rid);
    }
}

static void write_simulcast(struct tr_wr *w, const struct tr_sdp_media *m)
{
    for (unsigned i = 0; i < m->rid_count; i++)
        tr_wr_fmt(w, "a=rid:%s %s\r\n", m->rids[i].rid,
                  m->rids[i].dir == TR_SDP_SEND ? "send" : "recv");
    if (!m->send_count && !m->recv_count)
        return;
    tr_wr_str(w, "a=simulcast:");
    write_layers(w, "send ", m->send, m->send_count);
    write_layers(w, m->send_count ? " recv " : "recv ", m->recv, m->recv_count);
    tr_wr_str(w, "\r\n");
}

static void write_ssrcs(struct tr_wr *w, const struct tr_sdp_media *m)
{
    static const char *const kinds[] = { "FID", "SIM" };
    for (unsigned i = 0; i < m->group_count; i++) {
        const struct tr_sdp_ssrc_group *g = &m->groups[i];
        if (g->kind == TR_SDP_GROUP_OTHER)
            continue;
        tr_wr_fmt(w, "a=ssrc-group:%s", kinds[g->kind]);
        for (unsigned k = 0; k < g->count; k++)
            tr_wr_fmt(w, " %u", g->ssrc[k]);
        tr_wr_str(w, "\r\n");
    }
    for (unsigned i = 0; i < m->ssrc_count; i++) {
        const struct tr_sdp_ssrc *s = &m->ssrcs[i];
        if (s->cname)
            tr_wr_fmt(w, "a=ssrc:%u cname:%s\r\n", s->ssrc, s->cname);
        if (s->msid)
            tr_wr_fmt(w, "a=ssrc:%u msid:%s\r\n", s->ssrc, s->msid);
    }
}

static void write_exts(struct tr_wr *w, const struct tr_sdp_media *m)
{
    for (unsigned i = 0; i < m->ext_count; i++) {
        const struct tr_sdp_ext *e = &m->exts[i];
        tr_wr_fmt(w, "a=extmap:%u", e->id);
        if (e->dir != TR_SDP_SENDRECV)
            tr_wr_fmt(w, "/%s", dir_names[e->dir]);
        tr_wr_fmt(w, " %s\r\n", e->uri);
    }
}

static void write_rtp(struct tr_wr *w, const struct tr_sdp_media *m)
{
    tr_wr_fmt(w, "a=%s\r\n", dir_names[m->dir]);
    tr_wr_str(w, m->extmap_allow_mixed ? "a=extmap-allow-mixed\r\n" : "");
    write_exts(w, m);
    tr_wr_str(w, m->rtcp_mux ? "a=rtcp-mux\r\n" : "");
    tr_wr_str(w, m->rtcp_rsize ? "a=rtcp-rsize\r\n" : "");
    for (unsigned i = 0; i < m->codec_count; i++)
        write_codec(w, &m->codecs[i]);
    if (m->ptime)
        tr_wr_fmt(w, "a=ptime:%u\r\n", m->ptime);
    if (m->maxptime)
        tr_wr_fmt(w, "a=maxptime:%u\r\n", m->maxptime);
    if (m->msid)
        tr_wr_fmt(w, "a=msid:%s\r\n", m->msid);
    write_simulcast(w, m);
    write_ssrcs(w, m);
}

/* The form before RFC 8841 has the port where others have the format. */
static bool is_old_data(const struct tr_sdp_media *m)
{
    return strcmp(m->proto, "DTLS/SCTP") == 0;
}

static void write_data(struct tr_wr *w, const struct tr_sdp_media *m)
{
    if (is_old_data(m))
        tr_wr_fmt(w, "a=sctpmap:%u webrtc-datachannel 1024\r\n", m->sctp_port);
    else
        tr_wr_fmt(w, "a=sctp-port:%u\r\n", m->sctp_port);
    if (m->max_message_size)
        tr_wr_fmt(w, "a=max-message-size:%u\r\n", m->max_message_size);
}

static void write_m_line(struct tr_wr *w, const struct tr_sdp_media *m)
{
    tr_wr_fmt(w, "m=%s %u %s", m->kind_name, m->rejected ? 0u : m->port, m->proto);
    if (m->kind == TR_SDP_DATA && !m->rejected && is_old_data(m))
        tr_wr_fmt(w, " %u", m->sctp_port);
    else if (m->kind == TR_SDP_DATA && !m->rejected)
        tr_wr_str(w, " webrtc-datachannel");
    else if (m->rejected || !m->codec_count)
        tr_wr_fmt(w, " %s", m->format);
    else
        for (unsigned i = 0; i < m->codec_count; i++)
            tr_wr_fmt(w, " %u", m->codecs[i].pt);
    tr_wr_str(w, "\r\nc=IN IP4 0.0.0.0\r\n");
}

static void write_media(struct tr_wr *w, const struct tr_sdp_media *m)
{
    write_m_line(w, m);
    if (m->bandwidth_bps && !m->rejected)
        tr_wr_fmt(w, "b=TIAS:%u\r\n", m->bandwidth_bps);
    if (*m->mid)
        tr_wr_fmt(w, "a=mid:%s\r\n", m->mid);
    if (m->rejected) {
        tr_wr_str(w, "a=inactive\r\n");
        return;
    }
    tr_wr_str(w, m->bundle_only && !m->port ? "a=bundle-only\r\n" : "");
    write_transport(w, &m->transport);
    if (m->kind == TR_SDP_DATA)
        write_data(w, m);
    else
        write_rtp(w, m);
    for (unsigned i = 0; i < m->cand_count; i++)
        tr_wr_fmt(w, "a=%s\r\n", m->cands[i]);
    tr_wr_str(w, m->end_of_cands ? "a=end-of-candidates\r\n" : "");
}

enum tr_err tr_sdp_write(struct tr_wr *w, const struct tr_sdp *sdp)
{
    write_session(w, sdp);
    for (unsigned i = 0; i < sdp->media_count; i++)
        write_media(w, &sdp->media[i]);
    return w->bad ? TR_ERR_LIMIT : TR_OK;
}

enum tr_err tr_sdp_text(struct tr_arena *arena, const struct tr_sdp *sdp, char **out)
{
    *out = NULL;
    for (size_t size = 16 * 1024; size <= TR_SDP_TEXT_MAX; size *= 2) {
        char *buf = tr_alloc(size);
        if (!buf)
            return TR_ERR_NOMEM;
        struct tr_wr w = tr_wr(buf, size - 1);
        enum tr_err err = tr_sdp_write(&w, sdp);
        *out = err ? NULL : tr_arena_strdup(arena, buf); /* buf was zeroed: it ends in a NUL */
        tr_free(buf);
        if (err != TR_ERR_LIMIT)
            return *out ? TR_OK : TR_ERR_NOMEM;
    }
    return TR_ERR_LIMIT;
}
