/* The life of a publisher: added, up, down, away. */
#include "plugin/videoroom/publisher.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "plugin/videoroom/forward.h"
#include "plugin/videoroom/record.h"
#include "plugin/videoroom/reply.h"
#include "plugin/videoroom/speakers.h"
#include "plugin/videoroom/room.h"
#include "plugin/videoroom/subscriber.h"

/* --- in --- */

static struct tr_slice private_key(const struct tr_vr_publisher *p)
{
    return tr_slice(&p->private_id, sizeof p->private_id);
}

static bool choose_ids(struct tr_vr_publisher *p, const struct tr_vr_id *id, struct tr_vr_error *e)
{
    const struct tr_vr_room *room = p->room;
    char text[TR_VR_ID_TEXT];
    p->id = *id;
    if (!tr_vr_id_none(id) && tr_vr_publisher_find(room, id))
        return tr_vr_fail(e, TR_VR_ID_EXISTS, "User ID %s already exists", tr_vr_id_text(id, text));
    while (tr_vr_id_none(&p->id) || tr_vr_publisher_find(room, &p->id))
        tr_vr_random_id(room->vr, &p->id);
    do
        p->private_id = 1 + tr_rng_below(room->vr->conf.rng, (1ull << 53) - 1);
    while (tr_vr_private_owner(room, p->private_id));
    return true;
}

static enum tr_err enlist(struct tr_vr_publisher *p)
{
    struct tr_vr_room *room = p->room;
    enum tr_err err = tr_map_add(room->users, tr_vr_id_key(&p->id), p);
    if (err != TR_OK)
        return err;
    err = tr_map_add(room->private_ids, private_key(p), p);
    if (err != TR_OK)
        tr_map_remove(room->users, tr_vr_id_key(&p->id));
    return err;
}

struct tr_vr_publisher *tr_vr_publisher_add(struct tr_vr_room *room, struct tr_vr_session *session,
                                            const struct tr_vr_id *id, struct tr_vr_error *e)
{
    struct tr_vr_publisher *p = tr_alloc(sizeof *p);
    if (!p) {
        tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
        return NULL;
    }
    p->room = room;
    p->session = session;
    p->audio = p->video = p->data = true;
    p->bitrate = room->conf.bitrate;
    p->record = room->conf.record;
    bool chosen = choose_ids(p, id, e);
    enum tr_err err = chosen ? enlist(p) : TR_ERR_EXISTS;
    if (err != TR_OK) {
        if (err == TR_ERR_LIMIT)
            tr_vr_fail(e, TR_VR_PUBLISHERS_FULL,
                       "Maximum number of participants (%u) already reached",
                       (unsigned)room->vr->conf.participants_max);
        else if (chosen)
            tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
        tr_free(p);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&room->publishers, p, of_room);
    room->publisher_count++;
    if (session) {
        session->role = TR_VR_PUBLISHER;
        session->publisher = p;
    }
    return p;
}

uint32_t tr_vr_publishing(const struct tr_vr_room *room)
{
    const struct tr_vr_publisher *p;
    uint32_t n = 0;
    TAILQ_FOREACH(p, &room->publishers, of_room)
    n += p->negotiated || p->remote;
    return n;
}

/* --- up and down --- */

void tr_vr_publisher_announce(const struct tr_vr_publisher *p)
{
    json_t *event = tr_vr_data("event", p->room);
    json_object_set_new(event, "publishers", json_pack("[o]", tr_vr_publisher_json(p)));
    tr_vr_tell_others(p->room, p, event);
}

void tr_vr_publisher_up(struct tr_vr_publisher *p, tr_usec now)
{
    if (!p->negotiated)
        return;
    p->up = true;
    tr_vr_publisher_announce(p);
    tr_vr_record_update(p, now);
    tr_vr_subs_published(p, now);
}

static void tell_that(const struct tr_vr_publisher *p, const char *what, bool names)
{
    json_t *event = tr_vr_data("event", p->room);
    json_object_set_new(event, what, tr_vr_id_json(&p->id));
    if (names)
        tr_vr_add_names(event, p);
    tr_vr_tell_others(p->room, p, event);
}

/* Without a word to anybody in its room but the subscribers, whose streams end. */
static void end_media(struct tr_vr_publisher *p, tr_usec now)
{
    tr_vr_subs_unpublished(p, now);
    tr_vr_record_leave(p, now);
    tr_vr_forwards_end(p);
    tr_vr_streams_free(p);
    p->negotiated = p->up = p->e2ee = false;
    p->audio = p->video = p->data = true;
    p->bitrate = p->room->conf.bitrate;
    p->record = p->room->conf.record;
}

void tr_vr_publisher_down(struct tr_vr_publisher *p, tr_usec now)
{
    bool known = p->up;
    end_media(p, now);
    if (known)
        tell_that(p, "unpublished", false);
}

void tr_vr_publisher_leave(struct tr_vr_publisher *p, const char *how, tr_usec now)
{
    struct tr_vr_room *room = p->room;
    end_media(p, now);
    tr_vr_subs_owner_left(p, now);
    if (how)
        tell_that(p, how, strcmp(how, "leaving") == 0);
    if (p->session) {
        p->session->role = TR_VR_NOBODY;
        p->session->publisher = NULL;
    }
    TAILQ_REMOVE(&room->publishers, p, of_room);
    room->publisher_count--;
    tr_map_remove(room->users, tr_vr_id_key(&p->id));
    tr_map_remove(room->private_ids, private_key(p));
    tr_vr_remote_end(p);
    json_decref(p->metadata);
    tr_free(p->filename);
    tr_free(p->display);
    tr_free(p);
}

/* --- what it sends --- */

static uint32_t bound_of(const struct tr_vr_publisher *p)
{
    uint32_t room = p->room->conf.bitrate;
    bool above = p->bitrate == 0 || p->bitrate > room;
    return p->room->conf.bitrate_cap && room > 0 && above ? room : p->bitrate;
}

void tr_vr_publisher_bound(const struct tr_vr_publisher *p)
{
    if (p->session && p->negotiated)
        tr_media_peer_bitrate(tr_pc_media(p->session->handle),
                              tr_pc_end(p->session->handle, 0).peer, bound_of(p));
}

/* Whoever begins to talk is to be heard soon: 200 ms of packets decide, at most. */
enum { SPEAKER_PACKETS = 10 };

void tr_vr_publisher_listen(const struct tr_vr_publisher *p)
{
    const struct tr_vr_room_conf *room = &p->room->conf;
    for (int i = 0; p->session && p->negotiated && i < p->stream_count; i++) {
        const struct tr_vr_stream *s = p->streams[i];
        uint32_t packets = s->active_packets ? s->active_packets : room->audio_active_packets;
        if (room->audio_speakers > 0 && packets > SPEAKER_PACKETS)
            packets = SPEAKER_PACKETS;
        uint32_t level = s->level_average ? s->level_average : room->audio_level_average;
        struct tr_talk_conf conf = { .packets =
                                         (uint16_t)(packets < UINT16_MAX ? packets : UINT16_MAX),
                                     .level = (uint8_t)level };
        if (tr_vr_stream_is_heard(s) && s->end.peer)
            tr_media_talk(tr_pc_media(p->session->handle), s->end, &conf);
    }
}

void tr_vr_publisher_keyframe(const struct tr_vr_publisher *p, const char *mid)
{
    for (int i = 0; i < p->stream_count && p->session; i++) {
        const struct tr_vr_stream *s = p->streams[i];
        if (s->kind == TR_SDP_VIDEO && tr_vr_stream_flows(s) && (!mid || strcmp(mid, s->mid) == 0))
            tr_media_keyframe(tr_pc_media(p->session->handle), s->end);
    }
}

void tr_vr_publisher_slow_link(const struct tr_vr_publisher *p)
{
    json_t *event = json_pack("{s:s,s:I}", "videoroom", "slow_link", "current-bitrate",
                              (json_int_t)bound_of(p));
    tr_vr_tell(p, event);
}

void tr_vr_publisher_talking(struct tr_vr_publisher *p, int mline, bool on, int level, tr_usec now)
{
    struct tr_vr_stream *s = mline >= 0 && mline < p->stream_count ? p->streams[mline] : NULL;
    if (!s || !tr_vr_stream_is_heard(s))
        return;
    s->talking = on;
    tr_vr_speakers_talk(s, now);
    if (!tr_vr_stream_tells_talking(s))
        return;
    json_t *event = tr_vr_data(on ? "talking" : "stopped-talking", p->room);
    json_object_set_new(event, "id", tr_vr_id_json(&p->id));
    json_object_set_new(event, "mindex", json_integer(mline));
    json_object_set_new(event, "mid", json_string(s->mid));
    json_object_set_new(event, "audio-level-dBov-avg", json_integer(level));
    tr_vr_tell_others(p->room, NULL, event);
}

json_t *tr_vr_publisher_query(const struct tr_vr_publisher *p)
{
    json_t *o = json_pack("{s:s,s:o,s:o,s:I,s:b,s:I,s:b,s:b}", "type", "publisher", "room",
                          tr_vr_id_json(&p->room->id), "id", tr_vr_id_json(&p->id), "private_id",
                          (json_int_t)p->private_id, "up", p->up, "bitrate",
                          (json_int_t)bound_of(p), "recording", p->recorded, "e2ee", p->e2ee);
    tr_vr_add_streams(o, p);
    tr_vr_add_names(o, p);
    return o;
}
