/* Slots are the room's, not each subscriber's: what there is to decide is decided once, and a new
 * speaker is one switch of a route for each who listens. */
#include "plugin/videoroom/speakers.h"

#include "plugin/videoroom/subscriber_impl.h"

static int slots_of(const struct tr_vr_room *room)
{
    return (int)room->conf.audio_speakers;
}

static int slot_of(const struct tr_vr_room *room, const struct tr_vr_stream *stream)
{
    for (int i = 0; i < slots_of(room); i++) {
        if (room->slots[i].stream == stream)
            return i;
    }
    return -1;
}

/* Nobody hears itself: a subscriber that told whose it is does not get that one's audio. */
static bool is_own(const struct tr_vr_subscriber *sub, const struct tr_vr_stream *stream)
{
    return sub->private_id != 0 && stream->publisher->private_id == sub->private_id;
}

static void put_on_line(struct tr_vr_line *line, struct tr_vr_stream *stream)
{
    struct tr_vr_want want = { .stream = stream, .wish = tr_vr_wish_none() };
    if (!stream || is_own(line->sub, stream))
        tr_vr_line_end(line);
    else if (tr_vr_line_switch(line, &want) != TR_OK)
        return; /* it is there already, or of no use to this line */
    tr_vr_line_wire(line);
}

static json_t *line_json(const struct tr_vr_line *line)
{
    const struct tr_vr_stream *s = tr_vr_line_stream(line);
    char mid[TR_VR_LINE_MID];
    json_t *o = json_pack("{s:s}", "mid", tr_vr_line_mid(line, mid));
    if (!s)
        return o;
    json_object_set_new(o, "feed", tr_vr_id_json(&s->publisher->id));
    if (s->publisher->display)
        json_object_set_new(o, "display", json_string(s->publisher->display));
    return o;
}

static void tell(const struct tr_vr_line *line)
{
    json_t *data = tr_vr_data("event", line->sub->room);
    json_object_set_new(data, "speakers", json_pack("[o]", line_json(line)));
    tr_handle_event(line->sub->session->handle, NULL, data, NULL);
}

static void assign(struct tr_vr_room *room, int slot, struct tr_vr_stream *stream, tr_usec now)
{
    struct tr_vr_subscriber *sub;
    room->slots[slot] = (struct tr_vr_slot){ .stream = stream, .heard = now };
    TAILQ_FOREACH(sub, &room->subscribers, of_room)
    {
        for (int i = 0; i < sub->line_count; i++) {
            if (!sub->lines[i]->speaker || sub->lines[i]->slot != slot)
                continue;
            put_on_line(sub->lines[i], stream);
            tell(sub->lines[i]);
        }
    }
}

/* A free slot, or that of who has been silent longest; -1: all talk. */
static int cheapest(const struct tr_vr_room *room)
{
    int best = -1;
    for (int i = 0; i < slots_of(room); i++) {
        const struct tr_vr_slot *slot = &room->slots[i];
        if (!slot->stream)
            return i;
        if (!slot->stream->talking && (best < 0 || slot->heard < room->slots[best].heard))
            best = i;
    }
    return best;
}

static bool may_speak(const struct tr_vr_stream *s)
{
    return s->talking && s->kind == TR_SDP_AUDIO && s->pt.codec == TR_CODEC_OPUS &&
           tr_vr_stream_flows(s);
}

/* Who talks without having a slot. */
static struct tr_vr_stream *waiting(const struct tr_vr_room *room)
{
    const struct tr_vr_publisher *p;
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        for (int i = 0; i < p->stream_count; i++) {
            if (may_speak(p->streams[i]) && slot_of(room, p->streams[i]) < 0)
                return p->streams[i];
        }
    }
    return NULL;
}

static void give_to_waiting(struct tr_vr_room *room, tr_usec now)
{
    struct tr_vr_stream *next = waiting(room);
    int slot = next ? cheapest(room) : -1;
    if (slot >= 0)
        assign(room, slot, next, now);
}

void tr_vr_speakers_talk(struct tr_vr_stream *stream, tr_usec now)
{
    struct tr_vr_room *room = stream->publisher->room;
    int slot = slot_of(room, stream);
    if (slot >= 0)
        room->slots[slot].heard = now;
    if (slots_of(room) > 0)
        give_to_waiting(room, now);
}

void tr_vr_speakers_leave(struct tr_vr_stream *stream, tr_usec now)
{
    struct tr_vr_room *room = stream->publisher->room;
    int slot = slot_of(room, stream);
    stream->talking = false;
    if (slot < 0)
        return;
    assign(room, slot, NULL, now);
    give_to_waiting(room, now);
}

enum tr_err tr_vr_speakers_lines(struct tr_vr_subscriber *sub, int count)
{
    bool have[TR_VR_SPEAKERS_MAX] = { false };
    for (int i = 0; i < sub->line_count; i++) {
        if (sub->lines[i]->speaker)
            have[sub->lines[i]->slot] = true;
    }
    for (int slot = 0; slot < count && slot < slots_of(sub->room); slot++) {
        struct tr_vr_line *line = NULL;
        enum tr_err err = have[slot] ? TR_OK : tr_vr_line_reserve(sub, slot, &line);
        if (err != TR_OK)
            return err;
        if (line)
            put_on_line(line, sub->room->slots[slot].stream);
    }
    return TR_OK;
}
