/* Every description that we make is built the same way: walk the other side's m-lines in order and
 * make ours beside each, either rejected or with the part of it that both sides can do. The three
 * entry points differ only in the function that makes an m-line.
 *
 * Payload types and extension ids are always those of the side that offered. On a relayed call both
 * legs then speak with the same numbers, and nothing has to be mapped in the packet path.
 *
 * Running out of memory is sticky in the builder and looked at once, at the end. */
#include "sdp/negotiate.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "sdp/choose.h"

enum {
    FEEDBACK_ALL = TR_SDP_FB_NACK | TR_SDP_FB_PLI | TR_SDP_FB_FIR | TR_SDP_FB_REMB |
                   TR_SDP_FB_TWCC | TR_SDP_FB_TMMBR
};

struct build {
    struct tr_arena *arena;
    const struct tr_sdp_policy *policy;
    const struct tr_sdp_local *local;
    const struct tr_sdp *prev; /* offers: our former description on this connection, or NULL */
    struct tr_sdp *sdp;
    struct tr_sdp_transport transport; /* ours, once for all m-lines */
    const char **cands;
    bool has_data; /* one data m-line per connection */
    bool nomem;
};

struct tr_sdp_policy tr_sdp_policy_default(void)
{
    return (struct tr_sdp_policy){
        .audio_count = 4,
        .audio = { TR_CODEC_OPUS, TR_CODEC_G722, TR_CODEC_PCMU, TR_CODEC_PCMA },
        .video_count = 5,
        .video = { TR_CODEC_VP8, TR_CODEC_VP9, TR_CODEC_H264, TR_CODEC_AV1, TR_CODEC_H265 },
        .exts = 1u << TR_EXT_MID | 1u << TR_EXT_RID | 1u << TR_EXT_RRID |
                1u << TR_EXT_ABS_SEND_TIME | 1u << TR_EXT_TRANSPORT_CC | 1u << TR_EXT_AUDIO_LEVEL |
                1u << TR_EXT_DEPENDENCY_DESCRIPTOR,
        .rtx = true,
        .red = true,
        .simulcast = true,
        .data = true,
    };
}

static void *room(struct build *b, size_t count, size_t size)
{
    void *p = count && !b->nomem ? tr_arena_alloc(b->arena, count * size) : NULL;
    b->nomem |= count && !p;
    return p;
}

static const char *dup(struct build *b, const char *s)
{
    const char *copy = s && !b->nomem ? tr_arena_strdup(b->arena, s) : NULL;
    b->nomem |= s && !copy;
    return copy;
}

/* "stream streammid", as Janus names its tracks. */
static const char *make_msid(struct build *b, const char *stream, const char *mid)
{
    size_t n = 2 * strlen(stream) + strlen(mid) + 2;
    char *s = room(b, n, 1);
    if (s)
        (void)snprintf(s, n, "%s %s%s", stream, stream, mid);
    return s;
}

static enum tr_sdp_dir mirror(enum tr_sdp_dir dir)
{
    return (enum tr_sdp_dir)((dir & TR_SDP_SEND ? TR_SDP_RECV : 0) |
                             (dir & TR_SDP_RECV ? TR_SDP_SEND : 0));
}

/*= rfc8842#5.3
 *# an answer to actpass takes either role; otherwise it takes the one that is left */
static enum tr_sdp_setup answer_setup(enum tr_sdp_setup offered, enum tr_sdp_setup wish)
{
    switch (offered) {
    case TR_SDP_ACTIVE: return TR_SDP_PASSIVE;
    case TR_SDP_PASSIVE: return TR_SDP_ACTIVE;
    case TR_SDP_SETUP_NONE:
    case TR_SDP_ACTPASS: break;
    }
    return wish == TR_SDP_ACTIVE ? TR_SDP_ACTIVE : TR_SDP_PASSIVE;
}

static bool build_init(struct build *b, const struct tr_sdp *from, bool answer)
{
    const struct tr_sdp_local *l = b->local;
    int tag = tr_sdp_tag(from);
    enum tr_sdp_setup theirs = tag < 0 ? TR_SDP_ACTPASS : from->media[tag].transport.setup;
    b->transport.ufrag = dup(b, l->ufrag);
    b->transport.pwd = dup(b, l->pwd);
    b->transport.fingerprint = l->fingerprint;
    b->transport.setup = answer ? answer_setup(theirs, l->setup) : TR_SDP_ACTPASS;
    b->cands = room(b, l->cand_count, sizeof *b->cands);
    for (unsigned i = 0; b->cands && i < l->cand_count; i++)
        b->cands[i] = dup(b, l->cands[i]);
    b->sdp = room(b, 1, sizeof *b->sdp);
    struct tr_sdp_media *media = room(b, from->media_count, sizeof *media);
    if (b->nomem)
        return false;
    *b->sdp = (struct tr_sdp){ .id = l->id,
                               .version = l->version,
                               .name = dup(b, l->name ? l->name : "-"),
                               .ice_lite = l->ice_lite,
                               .trickle = l->trickle,
                               .extmap_allow_mixed = from->extmap_allow_mixed,
                               .answer = answer,
                               .media_count = from->media_count,
                               .media = media };
    return true;
}

/* The candidates go to the m-line that carries the transport. */
static enum tr_err build_end(struct build *b, struct tr_sdp **out)
{
    int tag = b->nomem ? -1 : tr_sdp_tag(b->sdp);
    if (tag >= 0) {
        struct tr_sdp_media *m = &b->sdp->media[tag];
        m->cands = b->cands;
        m->cand_count = b->local->cand_count;
        m->end_of_cands = b->local->end_of_cands;
    }
    *out = b->nomem ? NULL : b->sdp;
    return b->nomem ? TR_ERR_NOMEM : TR_OK;
}

static enum tr_err local_check(const struct tr_sdp_local *l)
{
    bool ok = l->ufrag && l->pwd && l->fingerprint.hash != TR_SDP_HASH_NONE;
    return ok ? TR_OK : TR_ERR_INVAL;
}

/* The common head of an m-line; it stays rejected until accept(). */
static struct tr_sdp_media *media_start(struct build *b, const struct tr_sdp_media *from,
                                        unsigned i)
{
    struct tr_sdp_media *m = &b->sdp->media[i];
    m->kind = from->kind;
    m->kind_name = dup(b, from->kind_name);
    m->proto = dup(b, from->proto);
    m->format = dup(b, from->format);
    m->mid = dup(b, from->mid);
    m->rejected = true;
    return m;
}

static void accept(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *from)
{
    m->rejected = false;
    m->port = 9; /* RFC 8840 section 4.1.1: the address comes with the candidates */
    m->bundled = from->bundled;
    m->rtcp_mux = m->kind != TR_SDP_DATA;
    m->rtcp_rsize = from->rtcp_rsize;
    m->extmap_allow_mixed = from->extmap_allow_mixed && !b->sdp->extmap_allow_mixed;
    m->transport = b->transport;
}

static void make_data(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *from)
{
    if (!b->policy->data || b->has_data)
        return;
    b->has_data = true;
    accept(b, m, from);
    m->dir = TR_SDP_SENDRECV;
    m->sctp_port = 5000;
    m->max_message_size = b->local->max_message_size;
}

static bool is_off(const char *const *names, const char *param, size_t n)
{
    size_t key = 0;
    while (key < n && param[key] != '=')
        key++;
    for (; *names; names++) {
        if (strlen(*names) == key && memcmp(*names, param, key) == 0)
            return true;
    }
    return false;
}

/* A copy of "a=1;b=2" without the parameters that the policy does not agree to. */
static const char *fmtp_without(struct build *b, const char *fmtp, const char *const *names)
{
    char *out = room(b, strlen(fmtp) + 1, 1);
    size_t n = 0;
    for (const char *at = fmtp; out && *at;) {
        at += strspn(at, "; ");
        size_t len = strcspn(at, ";");
        if (len > 0 && !is_off(names, at, len)) {
            if (n > 0)
                out[n++] = ';';
            memcpy(out + n, at, len);
            n += len;
        }
        at += len;
    }
    return n > 0 ? out : NULL;
}

static void add_codec(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_codec *from)
{
    if (b->nomem || tr_sdp_codec_by_pt(m, from->pt))
        return;
    struct tr_sdp_codec *c = &m->codecs[m->codec_count++];
    *c = *from;
    c->name = dup(b, from->name);
    bool cut = b->policy->opus_off && from->codec == TR_CODEC_OPUS && from->fmtp;
    c->fmtp = cut ? fmtp_without(b, from->fmtp, b->policy->opus_off) : dup(b, from->fmtp);
    c->feedback &= FEEDBACK_ALL;
}

/* Behind each codec its retransmission, where the offer has one. */
static void add_with_rtx(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer,
                         const struct tr_sdp_codec *c)
{
    const struct tr_sdp_codec *rtx = b->policy->rtx ? tr_sdp_rtx_of(offer, c->pt) : NULL;
    add_codec(b, m, c);
    if (rtx)
        add_codec(b, m, rtx);
}

static bool has_ext(const struct tr_sdp_media *m, enum tr_ext ext)
{
    for (unsigned i = 0; i < m->ext_count; i++)
        if (m->exts[i].ext == ext)
            return true;
    return false;
}

/* The id that ext has in any m-line of sdp; 0: none. */
static uint8_t id_in(const struct tr_sdp *sdp, enum tr_ext ext)
{
    for (unsigned i = 0; sdp && i < sdp->media_count; i++)
        for (unsigned k = 0; k < sdp->media[i].ext_count; k++)
            if (sdp->media[i].exts[k].ext == ext)
                return sdp->media[i].exts[k].id;
    return 0;
}

static bool id_taken(const struct tr_sdp *sdp, uint8_t id)
{
    for (unsigned i = 0; sdp && i < sdp->media_count; i++)
        for (unsigned k = 0; k < sdp->media[i].ext_count; k++)
            if (sdp->media[i].exts[k].id == id)
                return true;
    return false;
}

/*= rfc8285#5
 *# an id keeps its meaning for the whole session
 * so in a new offer what this peer knew before goes on, whatever the other leg calls it.
 * 0: no id is free for it. */
static uint8_t choose_id(const struct build *b, const struct tr_sdp_ext *e)
{
    uint8_t known = id_in(b->prev, e->ext);
    if (known)
        return known;
    return id_taken(b->prev, e->id) ? 0 : e->id;
}

/* VP8 says itself what a forwarder asks; there the descriptor would be bytes for nothing. */
static bool is_of_use(const struct build *b, const struct tr_sdp_media *m, enum tr_ext ext)
{
    return ext != TR_EXT_DEPENDENCY_DESCRIPTOR || !b->sdp->answer || m->codec_count == 0 ||
           m->codecs[0].codec != TR_CODEC_VP8;
}

/* Our extension set is a subset of the offered one, under its ids. */
static void add_exts(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer)
{
    m->exts = room(b, TR_EXT_COUNT, sizeof *m->exts);
    for (unsigned i = 0; m->exts && i < offer->ext_count; i++) {
        const struct tr_sdp_ext *e = &offer->exts[i];
        uint32_t bit = e->ext < TR_EXT_COUNT ? 1u << e->ext : 0;
        uint8_t id = choose_id(b, e);
        if (!(bit & b->policy->exts) || e->dir == TR_SDP_INACTIVE || !id || has_ext(m, e->ext) ||
            !is_of_use(b, m, e->ext))
            continue;
        m->exts[m->ext_count++] =
            (struct tr_sdp_ext){ .id = id,
                                 .dir = b->sdp->answer ? mirror(e->dir) : TR_SDP_SENDRECV,
                                 .ext = e->ext,
                                 .uri = tr_ext_uri(e->ext) };
    }
}

static bool has_rid(const struct tr_sdp_media *m, const char *rid, enum tr_sdp_dir dir)
{
    for (unsigned i = 0; i < m->rid_count; i++)
        if (m->rids[i].dir == dir && !strcmp(m->rids[i].rid, rid))
            return true;
    return false;
}

/*= rfc8853#5.3.2
 *# the answer keeps the order of streams and names only rids that were offered */
static void add_simulcast(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer)
{
    if (!b->policy->simulcast || !(m->dir & TR_SDP_RECV) || !has_ext(m, TR_EXT_RID))
        return;
    m->rids = room(b, offer->send_count, sizeof *m->rids);
    m->recv = room(b, offer->send_count, sizeof *m->recv);
    for (unsigned i = 0; m->rids && m->recv && i < offer->send_count; i++) {
        const struct tr_sdp_layer *l = &offer->send[i];
        if (!has_rid(offer, l->rid, TR_SDP_SEND) || has_rid(m, l->rid, TR_SDP_RECV) ||
            l->stream >= TR_SDP_PARAM_RID_MAX)
            continue;
        const char *rid = dup(b, l->rid);
        if (!rid)
            return;
        m->rids[m->rid_count++] = (struct tr_sdp_rid){ .rid = rid, .dir = TR_SDP_RECV };
        m->recv[m->recv_count] = *l;
        m->recv[m->recv_count++].rid = rid;
    }
}

/* A peer that sends us layers would stop when an offer no longer asks for them: it keeps asking. */
static void keep_simulcast(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *was)
{
    static const enum tr_ext needed[] = { TR_EXT_MID, TR_EXT_RID, TR_EXT_RRID };
    if (was->rejected || !was->recv_count || !(m->dir & TR_SDP_RECV) || b->nomem)
        return;
    for (unsigned i = 0; i < TR_ARRAY_LEN(needed); i++) {
        uint8_t id = has_ext(was, needed[i]) ? id_in(b->prev, needed[i]) : 0;
        if (id && !has_ext(m, needed[i]))
            m->exts[m->ext_count++] = (struct tr_sdp_ext){
                .id = id, .dir = TR_SDP_SENDRECV, .ext = needed[i], .uri = tr_ext_uri(needed[i])
            };
    }
    m->rids = room(b, was->recv_count, sizeof *m->rids);
    m->recv = room(b, was->recv_count, sizeof *m->recv);
    for (unsigned i = 0; m->rids && m->recv && i < was->recv_count; i++) {
        const char *rid = dup(b, was->recv[i].rid);
        m->rids[m->rid_count++] = (struct tr_sdp_rid){ .rid = rid, .dir = TR_SDP_RECV };
        m->recv[m->recv_count] = was->recv[i];
        m->recv[m->recv_count++].rid = rid;
    }
}

/* What we send: one stream, its msid after the mid as Janus clients know it, SSRCs when given. */
static void add_ssrcs(struct build *b, struct tr_sdp_media *m, unsigned i)
{
    const struct tr_sdp_local *l = b->local;
    const char *stream = l->stream ? l->stream : "-";
    if (!(m->dir & TR_SDP_SEND) || b->nomem)
        return;
    m->msid = make_msid(b, stream, m->mid);
    struct tr_sdp_local_media ours =
        i < l->media_count ? l->media[i] : (struct tr_sdp_local_media){ 0 };
    if (!ours.ssrc)
        return;
    bool rtx = ours.rtx_ssrc && m->codec_count && tr_sdp_rtx_of(m, m->codecs[0].pt);
    m->ssrcs = room(b, 2, sizeof *m->ssrcs);
    m->groups = room(b, 1, sizeof *m->groups);
    const char *cname = dup(b, stream);
    if (b->nomem)
        return;
    m->ssrcs[m->ssrc_count++] = (struct tr_sdp_ssrc){ .ssrc = ours.ssrc, .cname = cname };
    if (!rtx)
        return;
    m->ssrcs[m->ssrc_count++] = (struct tr_sdp_ssrc){ .ssrc = ours.rtx_ssrc, .cname = cname };
    m->groups[m->group_count++] = (struct tr_sdp_ssrc_group){
        .kind = TR_SDP_GROUP_FID, .count = 2, .ssrc = { ours.ssrc, ours.rtx_ssrc }
    };
}

/* Everything of an accepted RTP m-line but its codecs and direction. */
static void finish_rtp(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer)
{
    unsigned i = (unsigned)(m - b->sdp->media);
    accept(b, m, offer);
    m->ptime = offer->ptime;
    m->maxptime = offer->maxptime;
    add_exts(b, m, offer);
    if (m->kind == TR_SDP_VIDEO && b->sdp->answer)
        add_simulcast(b, m, offer);
    else if (m->kind == TR_SDP_VIDEO && b->prev && i < b->prev->media_count)
        keep_simulcast(b, m, &b->prev->media[i]);
    add_ssrcs(b, m, i);
}

/* RED is taken when all its blocks are of the chosen codec; clients send it when it comes first. */
static void add_with_red(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer,
                         const struct tr_sdp_codec *c)
{
    const struct tr_sdp_codec *red = b->policy->red ? tr_sdp_red_of(offer, c) : NULL;
    bool first = red && (b->policy->red_first || red < c); /* both lie in the offer's order */
    if (first)
        add_codec(b, m, red);
    add_with_rtx(b, m, offer, c);
    if (red && !first)
        add_codec(b, m, red);
}

/* m: to be filled in; answer: of whoever was offered it, where there is one yet. */
typedef void make_rtp(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer,
                      const struct tr_sdp_media *answer);

/* One m-line for each that was offered; answer may be NULL, or has as many. */
static void build_media(struct build *b, const struct tr_sdp *offer, const struct tr_sdp *answer,
                        make_rtp *make)
{
    for (unsigned i = 0; i < offer->media_count && !b->nomem; i++) {
        const struct tr_sdp_media *from = &offer->media[i];
        const struct tr_sdp_media *theirs = answer ? &answer->media[i] : NULL;
        struct tr_sdp_media *m = media_start(b, from, i);
        if (from->rejected || (theirs && theirs->rejected) || from->kind == TR_SDP_OTHER)
            continue;
        if (from->kind == TR_SDP_DATA)
            make_data(b, m, from);
        else
            make(b, m, from, theirs);
    }
}

static void answer_rtp(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer,
                       const struct tr_sdp_media *answer)
{
    (void)answer;
    const struct tr_sdp_codec *c = tr_sdp_choose(b->policy, offer);
    m->codecs = c ? room(b, offer->codec_count, sizeof *m->codecs) : NULL;
    if (!m->codecs)
        return;
    add_with_red(b, m, offer, c);
    for (unsigned i = 0; i < offer->codec_count; i++) { /* telephone-event and the like */
        const struct tr_sdp_codec *aux = &offer->codecs[i];
        if (!tr_codec_info(aux->codec)->main && aux->codec != TR_CODEC_RTX &&
            aux->clock == c->clock && tr_sdp_listed(b->policy, offer->kind, aux->codec))
            add_codec(b, m, aux);
    }
    m->dir = mirror(offer->dir);
    if (b->policy->recv_only)
        m->dir &= TR_SDP_RECV;
    finish_rtp(b, m, offer);
}

enum tr_err tr_sdp_answer(struct tr_arena *arena, const struct tr_sdp *offer,
                          const struct tr_sdp_policy *policy, const struct tr_sdp_local *local,
                          struct tr_sdp **out)
{
    struct build b = { .arena = arena, .policy = policy, .local = local };
    *out = NULL;
    enum tr_err err = local_check(local);
    if (err)
        return err;
    if (!build_init(&b, offer, true))
        return TR_ERR_NOMEM;
    build_media(&b, offer, NULL, answer_rtp);
    return build_end(&b, out);
}

static bool relayed(const struct tr_sdp_policy *policy, const struct tr_sdp_media *offer,
                    const struct tr_sdp_codec *c)
{
    if (c->codec == TR_CODEC_RED)
        return policy->red && tr_sdp_red_wraps(offer, c);
    return tr_sdp_listed(policy, offer->kind, c->codec);
}

static void relay_rtp(struct build *b, struct tr_sdp_media *m, const struct tr_sdp_media *offer,
                      const struct tr_sdp_media *answer)
{
    (void)answer;
    m->codecs = room(b, offer->codec_count, sizeof *m->codecs);
    for (unsigned i = 0; m->codecs && i < offer->codec_count; i++)
        if (relayed(b->policy, offer, &offer->codecs[i]))
            add_with_rtx(b, m, offer, &offer->codecs[i]);
    m->dir = offer->dir;
    if (m->codec_count)
        finish_rtp(b, m, offer);
}

/*= rfc3264#8
 *# m-lines are never removed and keep their place; a rejected one may be reused for another kind */
static bool continues(const struct tr_sdp *prev, const struct tr_sdp *next)
{
    if (prev && next->media_count < prev->media_count)
        return false;
    for (unsigned i = 0; prev && i < prev->media_count; i++) {
        const struct tr_sdp_media *was = &prev->media[i], *is = &next->media[i];
        if (!was->rejected && (was->kind != is->kind || strcmp(was->mid, is->mid) != 0))
            return false;
    }
    return true;
}

enum tr_err tr_sdp_relay_offer(struct tr_arena *arena, const struct tr_sdp *offer,
                               const struct tr_sdp *prev, const struct tr_sdp_policy *policy,
                               const struct tr_sdp_local *local, struct tr_sdp **out)
{
    struct build b = { .arena = arena, .policy = policy, .local = local, .prev = prev };
    *out = NULL;
    enum tr_err err = local_check(local);
    if (err)
        return err;
    if (!continues(prev, offer))
        return TR_ERR_PROTO;
    if (!build_init(&b, offer, false))
        return TR_ERR_NOMEM;
    b.sdp->extmap_allow_mixed = true;
    build_media(&b, offer, NULL, relay_rtp);
    return build_end(&b, out);
}

enum tr_err tr_sdp_check_answer(const struct tr_sdp *offer, const struct tr_sdp *answer,
                                const char **reason)
{
    *reason = NULL;
    if (offer->media_count != answer->media_count)
        *reason = "The answer has another number of m-lines than the offer";
    for (unsigned i = 0; !*reason && i < offer->media_count; i++) {
        const struct tr_sdp_media *o = &offer->media[i], *a = &answer->media[i];
        if (strcmp(o->kind_name, a->kind_name) != 0)
            *reason = "An m-line of the answer is of another kind than in the offer";
        else if (!a->rejected && strcmp(o->mid, a->mid) != 0)
            *reason = "An m-line of the answer has another mid than in the offer";
        else if (o->rejected && !a->rejected)
            *reason = "The answer accepts an m-line that was not offered";
    }
    return *reason ? TR_ERR_PROTO : TR_OK;
}

/* The answerer's choice and parameters, in its order, with what the other leg offered as feedback:
 * feedback and retransmission end at the server, each leg has its own. */
static void relay_answer_rtp(struct build *b, struct tr_sdp_media *m,
                             const struct tr_sdp_media *offer, const struct tr_sdp_media *answer)
{
    m->codecs = room(b, offer->codec_count, sizeof *m->codecs);
    for (unsigned i = 0; m->codecs && i < answer->codec_count; i++) {
        struct tr_sdp_codec c = answer->codecs[i];
        const struct tr_sdp_codec *theirs = tr_sdp_codec_by_pt(offer, c.pt);
        if (!theirs || theirs->codec != c.codec || !relayed(b->policy, offer, theirs))
            continue;
        c.feedback = theirs->feedback;
        add_with_rtx(b, m, offer, &c);
    }
    m->dir = (enum tr_sdp_dir)(answer->dir & mirror(offer->dir));
    if (m->codec_count)
        finish_rtp(b, m, offer);
}

enum tr_err tr_sdp_relay_answer(struct tr_arena *arena, const struct tr_sdp *offer,
                                const struct tr_sdp *answer, const struct tr_sdp_policy *policy,
                                const struct tr_sdp_local *local, struct tr_sdp **out)
{
    struct build b = { .arena = arena, .policy = policy, .local = local };
    const char *reason;
    *out = NULL;
    enum tr_err err = local_check(local);
    err = err ? err : tr_sdp_check_answer(offer, answer, &reason);
    if (err)
        return err;
    if (!build_init(&b, offer, true))
        return TR_ERR_NOMEM;
    build_media(&b, offer, answer, relay_answer_rtp);
    return build_end(&b, out);
}
