/* Lines and links. Which stream goes where is decided here; that a line has changed is only noted,
 * and whoever changed it asks for one offer at the end (tr_vr_sub_update).
 *
 * A line that has lost its stream stays in the SDP as a=inactive and is taken for the next stream
 * of its kind, so that a long meeting does not grow a line for everybody who ever came. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "media/data.h"
#include "plugin/videoroom/speakers.h"
#include "plugin/videoroom/subscriber_impl.h"

enum { PT_OPUS = 111, PT_VIDEO = 96 };

/* --- what a line carries --- */

static bool all_alnum(const char *text)
{
    for (; *text; text++)
        if (!(*text >= '0' && *text <= '9') && !(*text >= 'a' && *text <= 'z') &&
            !(*text >= 'A' && *text <= 'Z'))
            return false;
    return true;
}

static void opus_fmtp(char *out, size_t size, const struct tr_vr_stream *s)
{
    (void)snprintf(out, size, "minptime=10%s%s%s", s->opus_fec ? ";useinbandfec=1" : "",
                   s->opus_dtx ? ";usedtx=1" : "",
                   s->opus_stereo ? ";sprop-stereo=1;stereo=1" : "");
}

/* Profiles of publishers on other servers come from a request: what is no profile counts as
 * none. */
static struct tr_vr_format format_of(const struct tr_vr_stream *s)
{
    struct tr_vr_format f = { .codec = s->pt.codec,
                              .pt = s->pt.pt,
                              .svc = s->svc,
                              .descriptor = s->descriptor,
                              .red = s->opus_red };
    const char *profile = all_alnum(s->profile) ? s->profile : "";
    char number[16];
    if (f.codec == TR_CODEC_OPUS) {
        opus_fmtp(f.fmtp, sizeof f.fmtp, s);
    } else if (f.codec == TR_CODEC_VP9) {
        (void)snprintf(f.fmtp, sizeof f.fmtp, "profile-id=%s", profile[0] ? profile : "0");
    } else if (f.codec == TR_CODEC_H264) {
        (void)snprintf(number, sizeof number, "%06x", s->pt.profile ? s->pt.profile : 0x42e01f);
        (void)snprintf(f.fmtp, sizeof f.fmtp,
                       "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=%s",
                       profile[0] ? profile : number);
    }
    return f;
}

static bool same_format(const struct tr_vr_format *a, const struct tr_vr_format *b)
{
    return a->codec == b->codec && a->svc == b->svc && a->descriptor == b->descriptor &&
           a->red == b->red && strcmp(a->fmtp, b->fmtp) == 0;
}

/* Streams that are negotiated away keep their facts of before, for when they come back. */
static void adopt_format(struct tr_vr_line *line, const struct tr_vr_stream *s)
{
    struct tr_vr_format format = format_of(s);
    if (s->disabled || s->kind == TR_SDP_DATA || same_format(&format, &line->format))
        return;
    line->format = format;
    line->sub->changed = true;
}

struct tr_vr_stream *tr_vr_line_stream(const struct tr_vr_line *line)
{
    const struct tr_vr_link *link = LIST_FIRST(&line->links);
    return link && line->kind != TR_SDP_DATA ? link->stream : NULL;
}

bool tr_vr_line_active(const struct tr_vr_line *line)
{
    const struct tr_vr_link *link;
    if (line->speaker)
        return true;
    LIST_FOREACH(link, &line->links, of_line)
    {
        if (!link->stream->disabled)
            return true;
    }
    return false;
}

/* --- finding a line --- */

const char *tr_vr_line_mid(const struct tr_vr_line *line, char out[TR_VR_LINE_MID])
{
    (void)snprintf(out, TR_VR_LINE_MID, "%d", line->mindex);
    return out;
}

struct tr_vr_line *tr_vr_line_by_mid(const struct tr_vr_subscriber *sub, const char *mid)
{
    char text[TR_VR_LINE_MID];
    for (int i = 0; i < sub->line_count; i++)
        if (strcmp(tr_vr_line_mid(sub->lines[i], text), mid) == 0)
            return sub->lines[i];
    return NULL;
}

static bool is_empty(const struct tr_vr_line *line)
{
    return LIST_EMPTY(&line->links) && !line->speaker;
}

/* A line of this kind that takes another stream: an empty one, or the data line. */
static struct tr_vr_line *open_line(const struct tr_vr_subscriber *sub, enum tr_sdp_kind kind)
{
    for (int i = 0; i < sub->line_count; i++) {
        struct tr_vr_line *line = sub->lines[i];
        if (line->kind == kind && (kind == TR_SDP_DATA || is_empty(line)))
            return line;
    }
    return NULL;
}

static bool same_crossref(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct tr_vr_line *line_with(const struct tr_vr_subscriber *sub,
                                    const struct tr_vr_want *want)
{
    const struct tr_vr_link *link;
    LIST_FOREACH(link, &want->stream->links, of_stream)
    {
        if (link->line->sub == sub && !link->line->leaving && !link->line->speaker &&
            (link->line->kind == TR_SDP_DATA ||
             same_crossref(link->line->crossrefid, want->wish.crossrefid)))
            return link->line;
    }
    return NULL;
}

static int open_lines(const struct tr_vr_subscriber *sub, enum tr_sdp_kind kind)
{
    int n = 0;
    for (int i = 0; i < sub->line_count; i++) {
        const struct tr_vr_line *line = sub->lines[i];
        n += line->kind == kind && (kind == TR_SDP_DATA || is_empty(line) || line->leaving);
    }
    return n;
}

bool tr_vr_lines_suffice(const struct tr_vr_subscriber *sub, const struct tr_vr_wants *wants)
{
    int needed[TR_SDP_OTHER] = { 0 }, count = sub->line_count, sources = 0;
    for (int i = 0; i < wants->count; i++)
        if (!line_with(sub, &wants->list[i]))
            needed[wants->list[i].stream->kind]++;
    const struct tr_vr_line *data = open_line(sub, TR_SDP_DATA);
    const struct tr_vr_link *link;
    if (data)
        LIST_FOREACH(link, &data->links, of_line)
    sources++;
    count += wants->speakers;
    sources += needed[TR_SDP_DATA];
    needed[TR_SDP_DATA] = needed[TR_SDP_DATA] > 0;
    for (enum tr_sdp_kind kind = TR_SDP_AUDIO; kind <= TR_SDP_DATA; kind++) {
        int fresh = needed[kind] - open_lines(sub, kind);
        count += fresh > 0 ? fresh : 0;
    }
    return count <= TR_PC_MLINES_MAX && sources <= TR_VR_SOURCES_MAX;
}

/* --- taking a stream --- */

static struct tr_vr_line *add_line(struct tr_vr_subscriber *sub, enum tr_sdp_kind kind)
{
    struct tr_vr_line *line = tr_alloc(sizeof *line);
    void *lines =
        line ? tr_realloc(sub->lines, ((size_t)sub->line_count + 1) * sizeof *sub->lines) : NULL;
    if (!lines) {
        tr_free(line);
        return NULL;
    }
    sub->lines = lines;
    line->sub = sub;
    line->mindex = sub->line_count;
    line->kind = kind;
    line->format.codec = kind == TR_SDP_AUDIO ? TR_CODEC_OPUS : TR_CODEC_VP8;
    line->format.pt = kind == TR_SDP_AUDIO ? PT_OPUS : PT_VIDEO;
    LIST_INIT(&line->links);
    sub->lines[sub->line_count++] = line;
    return line;
}

/* Nothing of the stream that the line carried before goes over to the next one. */
static enum tr_err reset_line(struct tr_vr_line *line, const char *crossrefid)
{
    char *copy = crossrefid ? tr_strdup(crossrefid) : NULL;
    if (crossrefid && !copy)
        return TR_ERR_NOMEM;
    tr_free(line->crossrefid);
    line->crossrefid = copy;
    line->send = true;
    line->substream = line->temporal = TR_VR_LAYER_MAX;
    line->substream_is = line->temporal_is = -1;
    line->fallback_us = 0;
    line->min_delay = line->max_delay = -1;
    return TR_OK;
}

static enum tr_err link_up(struct tr_vr_line *line, struct tr_vr_stream *stream)
{
    struct tr_vr_link *link = tr_alloc(sizeof *link);
    if (!link)
        return TR_ERR_NOMEM;
    link->line = line;
    link->stream = stream;
    LIST_INSERT_HEAD(&stream->links, link, of_stream);
    LIST_INSERT_HEAD(&line->links, link, of_line);
    line->sub->e2ee = line->sub->e2ee || stream->publisher->e2ee;
    if (!line->offered)
        line->sub->changed = true;
    return TR_OK;
}

enum tr_err tr_vr_line_take(struct tr_vr_subscriber *sub, const struct tr_vr_want *want)
{
    if (line_with(sub, want))
        return TR_ERR_EXISTS;
    struct tr_vr_line *line = open_line(sub, want->stream->kind);
    if (!line && sub->line_count == TR_PC_MLINES_MAX)
        return TR_ERR_LIMIT;
    if (!line)
        line = add_line(sub, want->stream->kind);
    if (!line)
        return TR_ERR_NOMEM;
    enum tr_err err = is_empty(line) ? reset_line(line, want->wish.crossrefid) : TR_OK;
    if (err == TR_OK)
        err = link_up(line, want->stream);
    if (err != TR_OK)
        return err;
    adopt_format(line, want->stream);
    tr_vr_line_wish(line, &want->wish);
    return TR_OK;
}

enum tr_err tr_vr_line_reserve(struct tr_vr_subscriber *sub, int slot, struct tr_vr_line **out)
{
    if (sub->line_count == TR_PC_MLINES_MAX)
        return TR_ERR_LIMIT;
    struct tr_vr_line *line = add_line(sub, TR_SDP_AUDIO);
    if (!line)
        return TR_ERR_NOMEM;
    line->speaker = true;
    line->slot = slot;
    sub->changed = true;
    *out = line;
    return reset_line(line, NULL);
}

/* The parameters that were negotiated stay: of one codec they hardly matter to a decoder, and a
 * switch is for being quick. */
enum tr_err tr_vr_line_switch(struct tr_vr_line *line, const struct tr_vr_want *want)
{
    struct tr_vr_link *link = LIST_FIRST(&line->links);
    if (line->kind != want->stream->kind || line->kind == TR_SDP_DATA ||
        line->format.codec != want->stream->pt.codec)
        return TR_ERR_UNSUPPORTED;
    if (link && link->stream == want->stream) {
        tr_vr_line_wish(line, &want->wish);
        return TR_ERR_EXISTS;
    }
    enum tr_err err = link_up(line, want->stream);
    if (err != TR_OK)
        return err;
    if (link) { /* its route: the engine replaces it without a break in the numbering */
        LIST_FIRST(&line->links)->route = 0;
        LIST_REMOVE(link, of_stream);
        LIST_REMOVE(link, of_line);
        tr_free(link);
    }
    line->substream_is = line->temporal_is = -1;
    tr_vr_line_wish(line, &want->wish);
    return TR_OK;
}

void tr_vr_line_wish(struct tr_vr_line *line, const struct tr_vr_wish *wish)
{
    int substream = wish->spatial_layer >= 0 ? wish->spatial_layer : wish->substream;
    int temporal = wish->temporal_layer >= 0 ? wish->temporal_layer : wish->temporal;
    if (wish->send >= 0)
        line->send = wish->send != 0;
    if (substream >= 0)
        line->substream = substream;
    if (temporal >= 0)
        line->temporal = temporal;
    if (wish->fallback_us >= 0)
        line->fallback_us = wish->fallback_us;
    if (wish->min_delay >= 0)
        line->min_delay = wish->min_delay;
    if (wish->max_delay >= 0)
        line->max_delay = wish->max_delay;
}

void tr_vr_line_follow(struct tr_vr_link *link)
{
    struct tr_vr_line *line = link->line;
    adopt_format(line, link->stream);
    if (line->offered != tr_vr_line_active(line))
        line->sub->changed = true;
}

/* --- letting go --- */

static struct tr_media *media_of(const struct tr_vr_line *line)
{
    return tr_pc_media(line->sub->session->handle);
}

static void unroute(struct tr_vr_link *link)
{
    if (!link->route)
        return;
    if (link->line->kind == TR_SDP_DATA)
        tr_media_data_route_remove(media_of(link->line), link->route);
    else
        tr_media_route_remove(media_of(link->line), link->route);
    link->route = 0;
}

void tr_vr_link_end(struct tr_vr_link *link)
{
    struct tr_vr_line *line = link->line;
    unroute(link);
    LIST_REMOVE(link, of_stream);
    LIST_REMOVE(link, of_line);
    tr_free(link);
    line->substream_is = line->temporal_is = -1;
    if (line->offered && !tr_vr_line_active(line))
        line->sub->changed = true;
}

void tr_vr_line_end(struct tr_vr_line *line)
{
    while (!LIST_EMPTY(&line->links))
        tr_vr_link_end(LIST_FIRST(&line->links));
}

void tr_vr_line_free(struct tr_vr_line *line)
{
    tr_vr_line_end(line);
    tr_free(line->crossrefid);
    tr_free(line);
}

/* --- media --- */

bool tr_vr_line_delay(const struct tr_vr_line *line, int *min_ms, int *max_ms)
{
    const struct tr_vr_stream *s = tr_vr_line_stream(line);
    if (!s || line->kind != TR_SDP_VIDEO)
        return false;
    *min_ms = line->min_delay >= 0 ? line->min_delay : s->min_delay;
    *max_ms = line->max_delay >= 0 ? line->max_delay : s->max_delay;
    return *min_ms >= 0 && *max_ms >= 0;
}

static bool is_paused(const struct tr_vr_link *link)
{
    return link->line->sub->paused || !link->line->send || !tr_vr_stream_flows(link->stream);
}

/* What both ends have agreed to fits together. */
static bool can_flow(const struct tr_vr_link *link)
{
    const struct tr_vr_line *line = link->line;
    const struct tr_sdp_media_params *p = tr_pc_mline(line->sub->session->handle, line->mindex);
    if (!p || !p->send || p->kind != line->kind || !link->stream->end.peer)
        return false;
    return line->kind == TR_SDP_DATA ||
           (p->pt_count > 0 && p->pts[0].codec == link->stream->pt.codec);
}

/* The label tells the subscriber who is speaking, for all its publishers share one m-line. */
static void wire_data(struct tr_vr_link *link)
{
    char id[TR_VR_ID_TEXT];
    struct tr_media *media = media_of(link->line);
    struct tr_media_end end = tr_pc_end(link->line->sub->session->handle, link->line->mindex);
    struct tr_data_route_conf conf = { .paused = is_paused(link),
                                       .label = tr_vr_id_text(&link->stream->publisher->id, id) };
    if (link->route)
        tr_media_data_route_pause(media, link->route, conf.paused);
    else
        link->route = tr_media_data_route(media, link->stream->end.peer, end.peer, &conf);
}

static void wire_media(struct tr_vr_link *link)
{
    const struct tr_vr_line *line = link->line;
    struct tr_media *media = media_of(line);
    struct tr_route_conf conf = tr_route_conf_default();
    int min_ms, max_ms;
    conf.paused = is_paused(link);
    conf.substream_max = line->substream;
    /* "all" must also take streams that count more than three layers */
    if (line->temporal < TR_VR_LAYER_MAX)
        conf.temporal_max = line->temporal;
    conf.fallback_us = line->fallback_us;
    if (tr_vr_line_delay(line, &min_ms, &max_ms))
        conf.playout = (struct tr_playout_delay){ true, (uint16_t)min_ms, (uint16_t)max_ms };
    if (link->route)
        tr_media_route_set(media, link->route, &conf);
    else
        link->route = tr_media_route(media, link->stream->end,
                                     tr_pc_end(line->sub->session->handle, line->mindex), &conf);
}

void tr_vr_line_wire(struct tr_vr_line *line)
{
    struct tr_vr_link *link;
    LIST_FOREACH(link, &line->links, of_line)
    {
        if (!can_flow(link))
            unroute(link);
        else if (line->kind == TR_SDP_DATA)
            wire_data(link);
        else
            wire_media(link);
    }
}

void tr_vr_lines_wire(const struct tr_vr_subscriber *sub)
{
    for (int i = 0; i < sub->line_count; i++)
        tr_vr_line_wire(sub->lines[i]);
}

/* --- offers --- */

static uint32_t exts_of(const struct tr_vr_line *line, uint32_t usual)
{
    uint32_t off = tr_vr_room_conf_exts_off(&line->sub->room->conf);
    bool video = line->kind == TR_SDP_VIDEO;
    uint32_t more = line->format.descriptor && video ? 1u << TR_EXT_DEPENDENCY_DESCRIPTOR : 0;
    return (usual & ~off) | more;
}

/* names: room for the id that stands in msid. */
static struct tr_sdp_offer_line offer_line(const struct tr_vr_line *line, char names[TR_VR_ID_TEXT])
{
    const struct tr_vr_stream *s = tr_vr_line_stream(line);
    struct tr_sdp_offer_line out = tr_sdp_offer_line(line->kind, line->format.codec);
    out.send = tr_vr_line_active(line);
    if (line->kind == TR_SDP_DATA)
        return out;
    out.fmtp = line->format.fmtp;
    out.pt = line->format.pt;
    out.exts = exts_of(line, out.exts);
    out.red = line->format.red;
    if (!line->sub->room->conf.transport_wide_cc_ext)
        out.feedback &= (uint8_t)~TR_SDP_FB_TWCC;
    if (line->sub->use_msid && s) {
        out.stream = tr_vr_id_text(&s->publisher->id, names);
        out.stream_track = s->mid;
    }
    return out;
}

enum tr_err tr_vr_lines_offer(struct tr_vr_subscriber *sub, tr_usec now, json_t **jsep)
{
    struct tr_sdp_offer_line lines[TR_PC_MLINES_MAX];
    char names[TR_PC_MLINES_MAX][TR_VR_ID_TEXT];
    for (int i = 0; i < sub->line_count; i++)
        lines[i] = offer_line(sub->lines[i], names[i]);
    enum tr_err err =
        tr_pc_offer(sub->session->handle, lines, sub->line_count, sub->restart, now, jsep);
    if (err != TR_OK)
        return err;
    for (int i = 0; i < sub->line_count; i++)
        sub->lines[i]->offered = lines[i].send;
    sub->changed = sub->restart = false;
    if (sub->e2ee)
        json_object_set_new(*jsep, "e2ee", json_true());
    return TR_OK;
}
