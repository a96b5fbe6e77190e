/* The attributes that the parser knows, one function each, found by name in a sorted table. What
 * the table does not name is ignored. A known attribute that does not parse fails the whole
 * description: a half-understood one leads to calls that connect and stay silent. Items above a
 * table's maximum are dropped where a call works without them (candidates, SSRCs). */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "sdp/parse_int.h"

static enum tr_err bad(struct tr_sdp_parse *ps, const char *reason)
{
    return tr_sdp_fail(ps, TR_ERR_BADMSG, reason);
}

static struct tr_sdp_transport *transport(struct tr_sdp_parse *ps)
{
    return ps->media ? &ps->media->transport : &ps->session;
}

bool tr_sdp_all_of(const char *text, const char *extra)
{
    for (; *text; text++) {
        bool alnum = (*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= 'a' && *text <= 'z');
        if (!alnum && !strchr(extra, *text))
            return false;
    }
    return true;
}

bool tr_sdp_length_ok(const char *text, size_t min, size_t max)
{
    size_t n = strnlen(text, max + 1);
    return n >= min && n <= max;
}

/*= rfc8839#5.4
 *# ice-char = ALPHA / DIGIT / "+" / "/"; ufrag has 4 to 256 of them, pwd 22 to 256.
 * Some older stacks also use - = # _, which does no harm. */
static enum tr_err ice_word(struct tr_sdp_parse *ps, const char *value, size_t min,
                            const char **out)
{
    if (!tr_sdp_length_ok(value, min, TR_SDP_UFRAG_MAX) || !tr_sdp_all_of(value, "+/-=#_"))
        return bad(ps, "The SDP has a malformed a=ice-ufrag or a=ice-pwd");
    *out = value;
    return TR_OK;
}

static enum tr_err on_ufrag(struct tr_sdp_parse *ps, char *value)
{
    return ice_word(ps, value, 4, &transport(ps)->ufrag);
}

static enum tr_err on_pwd(struct tr_sdp_parse *ps, char *value)
{
    return ice_word(ps, value, 22, &transport(ps)->pwd);
}

static enum tr_err on_ice_options(struct tr_sdp_parse *ps, char *value)
{
    for (char *word; (word = tr_sdp_word(&value, ' '));)
        if (!strcmp(word, "trickle"))
            ps->sdp->trickle = true;
    return TR_OK;
}

static enum tr_err on_ice_lite(struct tr_sdp_parse *ps, char *value)
{
    ps->sdp->ice_lite = true;
    return TR_OK;
}

/* A certificate may be announced under several hashes; weak ones do not count. */
static enum tr_err on_fingerprint(struct tr_sdp_parse *ps, char *value)
{
    struct tr_sdp_fingerprint *have = &transport(ps)->fingerprint;
    struct tr_sdp_fingerprint f;
    enum tr_err err = tr_sdp_fingerprint_parse(&f, value);
    if (err == TR_ERR_UNSUPPORTED)
        return TR_OK;
    if (err)
        return bad(ps, "The SDP has a malformed a=fingerprint");
    if (have->hash == TR_SDP_HASH_NONE || (f.hash == TR_SDP_SHA256 && have->hash != f.hash))
        *have = f;
    return TR_OK;
}

static enum tr_err on_setup(struct tr_sdp_parse *ps, char *value)
{
    if (!strcmp(value, "actpass"))
        transport(ps)->setup = TR_SDP_ACTPASS;
    else if (!strcmp(value, "active"))
        transport(ps)->setup = TR_SDP_ACTIVE;
    else if (!strcmp(value, "passive"))
        transport(ps)->setup = TR_SDP_PASSIVE;
    else if (strcmp(value, "holdconn") != 0)
        return bad(ps, "The SDP has a malformed a=setup");
    return TR_OK;
}

static enum tr_err on_group(struct tr_sdp_parse *ps, char *value)
{
    if (ps->media || ps->bundle_count || strncmp(value, "BUNDLE", 6) != 0)
        return TR_OK;
    value += 6;
    for (char *mid; (mid = tr_sdp_word(&value, ' '));) {
        if (ps->bundle_count == TR_SDP_MEDIA_MAX)
            return tr_sdp_fail(ps, TR_ERR_LIMIT, "The BUNDLE group of the SDP is too long");
        ps->bundle[ps->bundle_count++] = mid;
    }
    return TR_OK;
}

static enum tr_err on_extmap_allow_mixed(struct tr_sdp_parse *ps, char *value)
{
    if (ps->media)
        ps->media->extmap_allow_mixed = true;
    else
        ps->sdp->extmap_allow_mixed = true;
    return TR_OK;
}

static enum tr_err set_dir(struct tr_sdp_parse *ps, enum tr_sdp_dir dir)
{
    if (ps->media)
        ps->media->dir = dir;
    else
        ps->session_dir = dir;
    return TR_OK;
}

static enum tr_err on_sendrecv(struct tr_sdp_parse *ps, char *value)
{
    return set_dir(ps, TR_SDP_SENDRECV);
}

static enum tr_err on_sendonly(struct tr_sdp_parse *ps, char *value)
{
    return set_dir(ps, TR_SDP_SEND);
}

static enum tr_err on_recvonly(struct tr_sdp_parse *ps, char *value)
{
    return set_dir(ps, TR_SDP_RECV);
}

static enum tr_err on_inactive(struct tr_sdp_parse *ps, char *value)
{
    return set_dir(ps, TR_SDP_INACTIVE);
}

static enum tr_err on_mid(struct tr_sdp_parse *ps, char *value)
{
    if (!tr_sdp_length_ok(value, 1, TR_SDP_MID_MAX) || !tr_sdp_all_of(value, "!#$%&'*+-.^_`{|}~"))
        return bad(ps, "The SDP has a malformed a=mid");
    ps->media->mid = value;
    return TR_OK;
}

static enum tr_err on_rtcp_mux(struct tr_sdp_parse *ps, char *value)
{
    ps->media->rtcp_mux = true;
    return TR_OK;
}

static enum tr_err on_rtcp_rsize(struct tr_sdp_parse *ps, char *value)
{
    ps->media->rtcp_rsize = true;
    return TR_OK;
}

static enum tr_err on_bundle_only(struct tr_sdp_parse *ps, char *value)
{
    ps->media->bundle_only = true;
    return TR_OK;
}

static enum tr_err on_end_of_candidates(struct tr_sdp_parse *ps, char *value)
{
    if (ps->media)
        ps->media->end_of_cands = true;
    else
        ps->session_end_of_cands = true;
    return TR_OK;
}

/* Kept whole, with the name: that is the form of a trickled candidate as well. */
static enum tr_err on_candidate(struct tr_sdp_parse *ps, char *value)
{
    struct tr_sdp_media *m = ps->media;
    if (m->cand_count == TR_SDP_CAND_MAX)
        return TR_OK;
    m->cands = tr_sdp_grow(ps->arena, m->cands, m->cand_count, sizeof *m->cands);
    if (!m->cands)
        return TR_ERR_NOMEM;
    m->cands[m->cand_count++] = value - strlen("candidate:");
    return TR_OK;
}

static struct tr_sdp_codec *codec_of(struct tr_sdp_parse *ps, const char *pt_text)
{
    uint64_t pt = 0;
    if (!tr_sdp_number(pt_text, TR_SDP_PT_COUNT - 1, &pt) || !ps->pt_index[pt])
        return NULL;
    return &ps->media->codecs[ps->pt_index[pt] - 1];
}

static enum tr_err on_rtpmap(struct tr_sdp_parse *ps, char *value)
{
    uint64_t clock = 0, channels = 1;
    char *pt = tr_sdp_word(&value, ' ');
    char *encoding = pt ? tr_sdp_word(&value, ' ') : NULL;
    char *name = encoding ? tr_sdp_word(&encoding, '/') : NULL;
    char *rate = name ? tr_sdp_word(&encoding, '/') : NULL;
    char *count = rate ? tr_sdp_word(&encoding, '/') : NULL;
    if (!tr_sdp_number(rate, UINT32_MAX, &clock) || clock == 0 ||
        (count && !tr_sdp_number(count, UINT8_MAX, &channels)))
        return bad(ps, "The SDP has a malformed a=rtpmap");
    struct tr_sdp_codec *c = codec_of(ps, pt);
    if (c)
        tr_sdp_codec_name(c, name, (uint32_t)clock, (uint8_t)channels);
    return TR_OK;
}

static enum tr_err on_fmtp(struct tr_sdp_parse *ps, char *value)
{
    char *pt = tr_sdp_word(&value, ' ');
    struct tr_sdp_codec *c = pt ? codec_of(ps, pt) : NULL;
    value += strspn(value, " ");
    if (c && *value && !c->fmtp)
        c->fmtp = value;
    return TR_OK;
}

static uint8_t feedback_bit(const char *text)
{
    static const struct {
        const char *text;
        uint8_t bit;
    } known[] = { { "nack", TR_SDP_FB_NACK },
                  { "nack pli", TR_SDP_FB_PLI },
                  { "ccm fir", TR_SDP_FB_FIR },
                  { "goog-remb", TR_SDP_FB_REMB },
                  { "transport-cc", TR_SDP_FB_TWCC } };
    for (size_t i = 0; i < TR_ARRAY_LEN(known); i++)
        if (!strcmp(text, known[i].text))
            return known[i].bit;
    /* Parameters may follow: "ccm tmmbr smaxpr=120" (RFC 5104 section 7.1). */
    return strncmp(text, "ccm tmmbr", 9) == 0 && (text[9] == '\0' || text[9] == ' ')
               ? TR_SDP_FB_TMMBR
               : 0;
}

static enum tr_err on_rtcp_fb(struct tr_sdp_parse *ps, char *value)
{
    char *pt = tr_sdp_word(&value, ' ');
    uint8_t bit = feedback_bit(value);
    struct tr_sdp_codec *c = pt ? codec_of(ps, pt) : NULL;
    if (pt && !strcmp(pt, "*"))
        ps->feedback_all = (uint8_t)(ps->feedback_all | bit);
    else if (c)
        c->feedback = (uint8_t)(c->feedback | bit);
    return TR_OK;
}

static bool ext_dir(const char *text, enum tr_sdp_dir *dir)
{
    static const char *const names[] = { "inactive", "sendonly", "recvonly", "sendrecv" };
    for (unsigned i = 0; i < TR_ARRAY_LEN(names); i++) {
        if (!strcmp(text, names[i])) {
            *dir = (enum tr_sdp_dir)i;
            return true;
        }
    }
    return false;
}

static enum tr_err on_extmap(struct tr_sdp_parse *ps, char *value)
{
    struct tr_sdp_media *m = ps->media;
    uint64_t id = 0;
    enum tr_sdp_dir dir = TR_SDP_SENDRECV;
    char *head = tr_sdp_word(&value, ' ');
    char *uri = head ? tr_sdp_word(&value, ' ') : NULL;
    char *id_text = uri ? tr_sdp_word(&head, '/') : NULL;
    if (!tr_sdp_number(id_text, UINT16_MAX, &id) || (*head && !ext_dir(head, &dir)))
        return bad(ps, "The SDP has a malformed a=extmap");
    /*= rfc8285#5
     *# 1-14 fit the one-byte form, up to 255 the two-byte one; 15 is reserved */
    if (id == 0 || id == 15 || id > 255 || m->ext_count == TR_SDP_EXT_MAX)
        return TR_OK;
    for (unsigned i = 0; i < m->ext_count; i++)
        if (m->exts[i].id == id)
            return TR_OK;
    m->exts = tr_sdp_grow(ps->arena, m->exts, m->ext_count, sizeof *m->exts);
    if (!m->exts)
        return TR_ERR_NOMEM;
    m->exts[m->ext_count++] = (struct tr_sdp_ext){
        .id = (uint8_t)id, .dir = dir, .ext = tr_ext_from_uri(tr_slice_str(uri)), .uri = uri
    };
    return TR_OK;
}

static struct tr_sdp_ssrc *ssrc_entry(struct tr_sdp_parse *ps, uint32_t ssrc, enum tr_err *err)
{
    struct tr_sdp_media *m = ps->media;
    *err = TR_OK;
    for (unsigned i = 0; i < m->ssrc_count; i++)
        if (m->ssrcs[i].ssrc == ssrc)
            return &m->ssrcs[i];
    if (m->ssrc_count == TR_SDP_SSRC_MAX)
        return NULL;
    m->ssrcs = tr_sdp_grow(ps->arena, m->ssrcs, m->ssrc_count, sizeof *m->ssrcs);
    if (!m->ssrcs) {
        *err = TR_ERR_NOMEM;
        return NULL;
    }
    m->ssrcs[m->ssrc_count] = (struct tr_sdp_ssrc){ .ssrc = ssrc };
    return &m->ssrcs[m->ssrc_count++];
}

static enum tr_err on_ssrc(struct tr_sdp_parse *ps, char *value)
{
    uint64_t ssrc = 0;
    char *number = tr_sdp_word(&value, ' ');
    if (!tr_sdp_number(number, UINT32_MAX, &ssrc))
        return bad(ps, "The SDP has a malformed a=ssrc");
    enum tr_err err;
    struct tr_sdp_ssrc *s = ssrc_entry(ps, (uint32_t)ssrc, &err);
    if (s && !strncmp(value, "cname:", 6))
        s->cname = value + 6;
    else if (s && !strncmp(value, "msid:", 5))
        s->msid = value + 5;
    return err;
}

static enum tr_err on_ssrc_group(struct tr_sdp_parse *ps, char *value)
{
    struct tr_sdp_media *m = ps->media;
    char *kind = tr_sdp_word(&value, ' ');
    if (!kind)
        return bad(ps, "The SDP has a malformed a=ssrc-group");
    if (m->group_count == TR_SDP_GROUP_MAX)
        return TR_OK;
    m->groups = tr_sdp_grow(ps->arena, m->groups, m->group_count, sizeof *m->groups);
    if (!m->groups)
        return TR_ERR_NOMEM;
    struct tr_sdp_ssrc_group *g = &m->groups[m->group_count++];
    *g = (struct tr_sdp_ssrc_group){ .kind = !strcmp(kind, "FID")   ? TR_SDP_GROUP_FID
                                             : !strcmp(kind, "SIM") ? TR_SDP_GROUP_SIM
                                                                    : TR_SDP_GROUP_OTHER };
    for (char *word; (word = tr_sdp_word(&value, ' ')) && g->count < TR_SDP_GROUP_SSRC_MAX;) {
        uint64_t ssrc = 0;
        if (!tr_sdp_number(word, UINT32_MAX, &ssrc))
            return bad(ps, "The SDP has a malformed a=ssrc-group");
        g->ssrc[g->count++] = (uint32_t)ssrc;
    }
    return TR_OK;
}

static enum tr_err on_msid(struct tr_sdp_parse *ps, char *value)
{
    if (!ps->media->msid)
        ps->media->msid = value;
    return TR_OK;
}

static enum tr_err on_sctp_port(struct tr_sdp_parse *ps, char *value)
{
    uint64_t port = 0;
    if (!tr_sdp_number(value, UINT16_MAX, &port))
        return bad(ps, "The SDP has a malformed a=sctp-port");
    ps->media->sctp_port = (uint16_t)port;
    return TR_OK;
}

/* The form before RFC 8841: a=sctpmap:5000 webrtc-datachannel 1024. */
static enum tr_err on_sctpmap(struct tr_sdp_parse *ps, char *value)
{
    char *port = tr_sdp_word(&value, ' ');
    return on_sctp_port(ps, port ? port : value);
}

static enum tr_err on_max_message_size(struct tr_sdp_parse *ps, char *value)
{
    uint64_t n = 0;
    if (!tr_sdp_number(value, UINT64_MAX, &n))
        return bad(ps, "The SDP has a malformed a=max-message-size");
    /*= rfc8841#6.1
     *# 0 means any size */
    ps->media->max_message_size = n == 0 || n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    return TR_OK;
}

static enum tr_err ms_value(struct tr_sdp_parse *ps, const char *value, uint16_t *out)
{
    uint64_t n = 0;
    if (!tr_sdp_number(value, UINT16_MAX, &n))
        return bad(ps, "The SDP has a malformed a=ptime or a=maxptime");
    *out = (uint16_t)n;
    return TR_OK;
}

static enum tr_err on_ptime(struct tr_sdp_parse *ps, char *value)
{
    return ms_value(ps, value, &ps->media->ptime);
}

static enum tr_err on_maxptime(struct tr_sdp_parse *ps, char *value)
{
    return ms_value(ps, value, &ps->media->maxptime);
}

enum { MEDIA_ONLY = 1, VALUE = 2 };

static const struct attr {
    const char *name;
    enum tr_err (*fn)(struct tr_sdp_parse *ps, char *value);
    unsigned needs;
} attrs[] = {
    /* sorted by name */
    { "bundle-only", on_bundle_only, MEDIA_ONLY },
    { "candidate", on_candidate, MEDIA_ONLY | VALUE },
    { "end-of-candidates", on_end_of_candidates, 0 },
    { "extmap", on_extmap, MEDIA_ONLY | VALUE },
    { "extmap-allow-mixed", on_extmap_allow_mixed, 0 },
    { "fingerprint", on_fingerprint, VALUE },
    { "fmtp", on_fmtp, MEDIA_ONLY | VALUE },
    { "group", on_group, VALUE },
    { "ice-lite", on_ice_lite, 0 },
    { "ice-options", on_ice_options, VALUE },
    { "ice-pwd", on_pwd, VALUE },
    { "ice-ufrag", on_ufrag, VALUE },
    { "inactive", on_inactive, 0 },
    { "max-message-size", on_max_message_size, MEDIA_ONLY | VALUE },
    { "maxptime", on_maxptime, MEDIA_ONLY | VALUE },
    { "mid", on_mid, MEDIA_ONLY | VALUE },
    { "msid", on_msid, MEDIA_ONLY | VALUE },
    { "ptime", on_ptime, MEDIA_ONLY | VALUE },
    { "recvonly", on_recvonly, 0 },
    { "rid", tr_sdp_attr_rid, MEDIA_ONLY | VALUE },
    { "rtcp-fb", on_rtcp_fb, MEDIA_ONLY | VALUE },
    { "rtcp-mux", on_rtcp_mux, MEDIA_ONLY },
    { "rtcp-mux-only", on_rtcp_mux, MEDIA_ONLY },
    { "rtcp-rsize", on_rtcp_rsize, MEDIA_ONLY },
    { "rtpmap", on_rtpmap, MEDIA_ONLY | VALUE },
    { "sctp-port", on_sctp_port, MEDIA_ONLY | VALUE },
    { "sctpmap", on_sctpmap, MEDIA_ONLY | VALUE },
    { "sendonly", on_sendonly, 0 },
    { "sendrecv", on_sendrecv, 0 },
    { "setup", on_setup, VALUE },
    { "simulcast", tr_sdp_attr_simulcast, MEDIA_ONLY | VALUE },
    { "ssrc", on_ssrc, MEDIA_ONLY | VALUE },
    { "ssrc-group", on_ssrc_group, MEDIA_ONLY | VALUE },
};

static int attr_cmp(const void *key, const void *item)
{
    const struct tr_slice *name = key;
    const struct attr *a = item;
    int order = strncmp((const char *)name->p, a->name, name->n);
    return order ? order : a->name[name->n] ? -1 : 0;
}

enum tr_err tr_sdp_attr(struct tr_sdp_parse *ps, char *line)
{
    struct tr_slice name = tr_slice(line, strcspn(line, ":"));
    const struct attr *a = bsearch(&name, attrs, TR_ARRAY_LEN(attrs), sizeof attrs[0], attr_cmp);
    if (!a || ((a->needs & MEDIA_ONLY) && !ps->media))
        return TR_OK;
    bool has_value = line[name.n] == ':';
    if ((a->needs & VALUE) && !has_value)
        return bad(ps, "An attribute of the SDP lacks its value");
    return a->fn(ps, line + name.n + has_value);
}
