/* The text is copied once into the arena and cut in place: every string of the result points into
 * that copy. One pass over the lines; each line is judged by its letter, each attribute by a sorted
 * table (attr.c). What can only be known at the end is settled in finish(): which codec the fmtp
 * text belongs to, which transport an m-line inherits, and whether WebRTC's rules are kept.
 *
 * The work is linear: every table has a maximum, so the few searches in them are bounded, and a
 * payload type finds its codec by index.
 *
 * Lines may end in CRLF or LF alone, as old clients send it. Other control characters are refused:
 * they have no place in SDP, and what we keep is partly written out again. */
#include "sdp/sdp.h"

#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "sdp/parse_int.h"

enum tr_err tr_sdp_fail(struct tr_sdp_parse *ps, enum tr_err err, const char *reason)
{
    if (!ps->reason)
        ps->reason = reason;
    return err;
}

/* Tables start with 4 items and double: a count that is 0 or a power of two from 4 on is full. */
void *tr_sdp_grow(struct tr_arena *arena, void *items, unsigned count, size_t size)
{
    if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
        return items;
    void *more = tr_arena_alloc(arena, (count ? count * 2u : 4u) * size);
    if (more && count)
        memcpy(more, items, count * size);
    return more;
}

char *tr_sdp_word(char **rest, char sep)
{
    char *p = *rest;
    while (*p == sep)
        p++;
    if (!*p)
        return NULL;
    char *end = strchr(p, sep);
    if (end)
        *end++ = '\0';
    else
        end = p + strlen(p);
    *rest = end;
    return p;
}

bool tr_sdp_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (!text || !*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (digit > max || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

/* Nothing here depends on the numbers of o=, so odd ones are not worth a refusal. */
static enum tr_err line_origin(struct tr_sdp_parse *ps, char *value)
{
    char *user = tr_sdp_word(&value, ' ');
    char *id = user ? tr_sdp_word(&value, ' ') : NULL;
    char *version = id ? tr_sdp_word(&value, ' ') : NULL;
    if (!version)
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "The o= line of the SDP is incomplete");
    (void)tr_sdp_number(id, UINT64_MAX, &ps->sdp->id);
    (void)tr_sdp_number(version, UINT64_MAX, &ps->sdp->version);
    return TR_OK;
}

static bool is_rtp(const char *proto)
{
    return !strcmp(proto, "UDP/TLS/RTP/SAVPF") || !strcmp(proto, "TCP/TLS/RTP/SAVPF") ||
           !strcmp(proto, "UDP/TLS/RTP/SAVP") || !strcmp(proto, "TCP/TLS/RTP/SAVP") ||
           !strcmp(proto, "RTP/SAVPF") || !strcmp(proto, "RTP/SAVP");
}

static bool is_sctp(const char *proto)
{
    return !strcmp(proto, "UDP/DTLS/SCTP") || !strcmp(proto, "TCP/DTLS/SCTP") ||
           !strcmp(proto, "DTLS/SCTP");
}

static enum tr_sdp_kind media_kind(const char *name, const char *proto)
{
    if (!strcmp(name, "audio"))
        return TR_SDP_AUDIO;
    if (!strcmp(name, "video"))
        return TR_SDP_VIDEO;
    return !strcmp(name, "application") && is_sctp(proto) ? TR_SDP_DATA : TR_SDP_OTHER;
}

static enum tr_err add_codec(struct tr_sdp_parse *ps, const char *format)
{
    struct tr_sdp_media *m = ps->media;
    uint64_t pt = 0;
    if (!tr_sdp_number(format, TR_SDP_PT_COUNT - 1, &pt))
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "An m-line of the SDP has a bad payload type");
    if (ps->pt_index[pt])
        return TR_OK;
    if (m->codec_count == TR_SDP_CODEC_MAX)
        return tr_sdp_fail(ps, TR_ERR_LIMIT, "An m-line of the SDP has too many payload types");
    m->codecs = tr_sdp_grow(ps->arena, m->codecs, m->codec_count, sizeof *m->codecs);
    if (!m->codecs)
        return TR_ERR_NOMEM;
    tr_sdp_codec_init(&m->codecs[m->codec_count++], (uint8_t)pt);
    ps->pt_index[pt] = m->codec_count;
    return TR_OK;
}

static enum tr_err add_formats(struct tr_sdp_parse *ps, char *formats)
{
    struct tr_sdp_media *m = ps->media;
    if (m->kind == TR_SDP_DATA) {
        uint64_t port = 0; /* the form before RFC 8841: m=application 9 DTLS/SCTP 5000 */
        if (tr_sdp_number(formats, UINT16_MAX, &port))
            m->sctp_port = (uint16_t)port;
    }
    if (m->kind == TR_SDP_DATA || m->kind == TR_SDP_OTHER || !is_rtp(m->proto))
        return TR_OK;
    for (char *word; (word = tr_sdp_word(&formats, ' '));) {
        enum tr_err err = add_codec(ps, word);
        if (err)
            return err;
    }
    return TR_OK;
}

/* The codecs are complete when the next m-line or the end comes. */
static void media_end(struct tr_sdp_parse *ps)
{
    struct tr_sdp_media *m = ps->media;
    if (!m)
        return;
    for (unsigned i = 0; i < m->codec_count; i++) {
        struct tr_sdp_codec *c = &m->codecs[i];
        tr_sdp_codec_facts(c);
        c->feedback = (uint8_t)(c->feedback | ps->feedback_all);
        if (!tr_codec_info(c->codec)->main)
            c->feedback = 0;
    }
}

static struct tr_sdp_media *media_new(struct tr_sdp_parse *ps)
{
    struct tr_sdp *sdp = ps->sdp;
    media_end(ps);
    sdp->media = tr_sdp_grow(ps->arena, sdp->media, sdp->media_count, sizeof *sdp->media);
    if (!sdp->media)
        return NULL;
    struct tr_sdp_media *m = &sdp->media[sdp->media_count++];
    m->mid = "";
    m->dir = ps->session_dir;
    m->end_of_cands = ps->session_end_of_cands;
    m->sctp_port = 5000;
    ps->media = m;
    ps->feedback_all = 0;
    memset(ps->pt_index, 0, sizeof ps->pt_index);
    return m;
}

static enum tr_err line_media(struct tr_sdp_parse *ps, char *value)
{
    uint64_t port = 0;
    char *kind = tr_sdp_word(&value, ' ');
    char *port_text = kind ? tr_sdp_word(&value, ' ') : NULL;
    char *proto = port_text ? tr_sdp_word(&value, ' ') : NULL;
    value += strspn(value, " ");
    if (!proto || !*value)
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "An m-line of the SDP is incomplete");
    if (!tr_sdp_number(port_text, UINT16_MAX, &port))
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "An m-line of the SDP has a bad port");
    if (ps->sdp->media_count == TR_SDP_MEDIA_MAX)
        return tr_sdp_fail(ps, TR_ERR_LIMIT, "The SDP has too many m-lines");
    struct tr_sdp_media *m = media_new(ps);
    if (!m)
        return TR_ERR_NOMEM;
    m->port = (uint16_t)port;
    m->kind_name = kind;
    m->kind = media_kind(kind, proto);
    m->proto = proto;
    char *formats = tr_arena_strdup(ps->arena, value);
    if (!formats)
        return TR_ERR_NOMEM;
    m->format = tr_sdp_word(&value, ' ');
    return add_formats(ps, formats);
}

static enum tr_err line_bandwidth(struct tr_sdp_parse *ps, char *value)
{
    uint64_t n = 0;
    if (!ps->media)
        return TR_OK;
    if (!strncmp(value, "TIAS:", 5) && tr_sdp_number(value + 5, UINT32_MAX, &n))
        ps->media->bandwidth_bps = (uint32_t)n;
    else if (!strncmp(value, "AS:", 3) && tr_sdp_number(value + 3, UINT32_MAX / 1000, &n) &&
             !ps->media->bandwidth_bps)
        ps->media->bandwidth_bps = (uint32_t)n * 1000;
    return TR_OK;
}

static enum tr_err line(struct tr_sdp_parse *ps, char *text)
{
    if (++ps->lines > TR_SDP_LINES_MAX)
        return tr_sdp_fail(ps, TR_ERR_LIMIT, "The SDP has too many lines");
    if (!text[0] || text[1] != '=')
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "The SDP has a line without a type");
    if (ps->lines == 1 && strcmp(text, "v=0") != 0)
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "The SDP does not start with v=0");
    char *value = text + 2;
    switch (text[0]) {
    case 'o': return ps->media ? TR_OK : line_origin(ps, value);
    case 's': ps->sdp->name = ps->media ? ps->sdp->name : value; return TR_OK;
    case 'm': return line_media(ps, value);
    case 'b': return line_bandwidth(ps, value);
    case 'a': return tr_sdp_attr(ps, value);
    default: return TR_OK;
    }
}

static enum tr_err lines(struct tr_sdp_parse *ps, char *text, size_t n)
{
    for (char *p = text, *end = text + n; p < end;) {
        char *nl = memchr(p, '\n', (size_t)(end - p));
        char *stop = nl ? nl : end;
        char *next = nl ? nl + 1 : end;
        if (stop > p && stop[-1] == '\r')
            stop--;
        *stop = '\0';
        for (char *c = p; c < stop; c++)
            if ((unsigned char)*c < ' ' && *c != '\t')
                return tr_sdp_fail(ps, TR_ERR_BADMSG, "The SDP contains control characters");
        enum tr_err err = stop > p ? line(ps, p) : TR_OK;
        if (err)
            return err;
        p = next;
    }
    return TR_OK;
}

static bool in_bundle(const struct tr_sdp_parse *ps, const char *mid)
{
    for (unsigned i = 0; i < ps->bundle_count; i++)
        if (*mid && !strcmp(ps->bundle[i], mid))
            return true;
    return false;
}

static void inherit(struct tr_sdp_transport *t, const struct tr_sdp_transport *from)
{
    if (!t->ufrag && !t->pwd) { /* they belong together: never one of each */
        t->ufrag = from->ufrag;
        t->pwd = from->pwd;
    }
    if (t->fingerprint.hash == TR_SDP_HASH_NONE)
        t->fingerprint = from->fingerprint;
    if (t->setup == TR_SDP_SETUP_NONE)
        t->setup = from->setup;
}

int tr_sdp_tag(const struct tr_sdp *sdp)
{
    int found = -1;
    for (int i = 0; i < sdp->media_count; i++) {
        const struct tr_sdp_media *m = &sdp->media[i];
        if (m->rejected || m->kind == TR_SDP_OTHER)
            continue;
        if (!m->bundle_only)
            return i;
        found = found < 0 ? i : found;
    }
    return found;
}

/* Flags and inheritance between session, tagged m-line and the others. */
static void settle(struct tr_sdp_parse *ps)
{
    struct tr_sdp *sdp = ps->sdp;
    for (unsigned i = 0; i < sdp->media_count; i++) {
        struct tr_sdp_media *m = &sdp->media[i];
        /*= rfc8843#6
         *# port 0 with a=bundle-only offers the bundle's transport, it refuses nothing */
        m->rejected = m->port == 0 && !m->bundle_only;
        m->bundled = in_bundle(ps, m->mid);
        inherit(&m->transport, &ps->session);
    }
    int tag = tr_sdp_tag(sdp);
    for (unsigned i = 0; tag >= 0 && i < sdp->media_count; i++)
        if (!sdp->media[i].rejected)
            inherit(&sdp->media[i].transport, &sdp->media[tag].transport);
}

static enum tr_err check_media(struct tr_sdp_parse *ps, const struct tr_sdp_media *m, bool alone)
{
    const struct tr_sdp_transport *t = &m->transport;
    if (m->kind != TR_SDP_DATA && !is_rtp(m->proto))
        return tr_sdp_fail(ps, TR_ERR_PROTO,
                           "The SDP asks for unencrypted media; UDP/TLS/RTP/SAVPF is needed");
    if (m->kind != TR_SDP_DATA && !m->rtcp_mux)
        return tr_sdp_fail(ps, TR_ERR_PROTO, "An m-line of the SDP lacks a=rtcp-mux");
    if (!alone && !m->bundled)
        return tr_sdp_fail(ps, TR_ERR_PROTO,
                           "The m-lines of the SDP are not all in one BUNDLE group");
    if (!t->ufrag || !t->pwd)
        return tr_sdp_fail(ps, TR_ERR_PROTO, "The SDP lacks a=ice-ufrag or a=ice-pwd");
    if (t->fingerprint.hash == TR_SDP_HASH_NONE)
        return tr_sdp_fail(ps, TR_ERR_PROTO, "The SDP lacks a usable a=fingerprint (sha-256)");
    return TR_OK;
}

static enum tr_err check(struct tr_sdp_parse *ps)
{
    const struct tr_sdp *sdp = ps->sdp;
    unsigned active = 0;
    if (!sdp->media_count)
        return tr_sdp_fail(ps, TR_ERR_PROTO, "The SDP has no m-line");
    for (unsigned i = 0; i < sdp->media_count; i++)
        active += !sdp->media[i].rejected && sdp->media[i].kind != TR_SDP_OTHER;
    for (unsigned i = 0; i < sdp->media_count; i++) {
        const struct tr_sdp_media *m = &sdp->media[i];
        for (unsigned k = 0; *m->mid && k < i; k++)
            if (!strcmp(sdp->media[k].mid, m->mid))
                return tr_sdp_fail(ps, TR_ERR_PROTO, "Two m-lines of the SDP have the same mid");
        if (m->rejected || m->kind == TR_SDP_OTHER)
            continue;
        enum tr_err err = check_media(ps, m, active == 1);
        if (err)
            return err;
    }
    return TR_OK;
}

static enum tr_err parse(struct tr_sdp_parse *ps, struct tr_slice text)
{
    if (text.n == 0)
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "The SDP is empty");
    if (text.n > TR_SDP_BYTES_MAX)
        return tr_sdp_fail(ps, TR_ERR_LIMIT, "The SDP is too long");
    char *copy = tr_arena_alloc(ps->arena, text.n + 1);
    ps->sdp = tr_arena_alloc(ps->arena, sizeof *ps->sdp);
    if (!copy || !ps->sdp)
        return TR_ERR_NOMEM;
    memcpy(copy, text.p, text.n);
    ps->sdp->name = "-";
    ps->session_dir = TR_SDP_SENDRECV;
    enum tr_err err = lines(ps, copy, text.n);
    if (err)
        return err;
    media_end(ps);
    settle(ps);
    return check(ps);
}

enum tr_err tr_sdp_parse(struct tr_arena *arena, struct tr_slice text, struct tr_sdp **out,
                         const char **reason)
{
    struct tr_sdp_parse ps = { .arena = arena };
    enum tr_err err = parse(&ps, text);
    *out = err ? NULL : ps.sdp;
    *reason = err ? ps.reason ? ps.reason : "Out of memory" : NULL;
    return err;
}

const struct tr_sdp_codec *tr_sdp_codec_by_pt(const struct tr_sdp_media *m, uint8_t pt)
{
    for (unsigned i = 0; i < m->codec_count; i++)
        if (m->codecs[i].pt == pt)
            return &m->codecs[i];
    return NULL;
}

const struct tr_sdp_codec *tr_sdp_rtx_of(const struct tr_sdp_media *m, uint8_t pt)
{
    for (unsigned i = 0; i < m->codec_count; i++)
        if (m->codecs[i].codec == TR_CODEC_RTX && m->codecs[i].apt == pt)
            return &m->codecs[i];
    return NULL;
}
