/* Who is recorded follows from the publishers' flags, which "create", "configure" and
 * "enable_recording" set. Each stay of a publisher is a participant of its own: who comes back with
 * other devices has other tracks. When a recording is full of them, another one goes on.
 *
 * A room with a rec_dir in the folder that the configuration names for it leaves .mjr files there,
 * too, under the names that Janus gives them; they are made when the recording has ended. */
#include "plugin/videoroom/record.h"

#include <stdio.h>
#include <string.h>

#include "plugin/side_record.h"
#include "plugin/videoroom/reply.h"
#include "record/journal.h"
#include "record/recorder.h"

enum { MJR_BASE_MAX = 256 };

/* Ids may be texts of strangers: in a file's name they have no slash. */
static const char *file_id(const struct tr_vr_id *id, char out[TR_VR_ID_TEXT])
{
    if (tr_vr_id_text(id, out) != out)
        snprintf(out, TR_VR_ID_TEXT, "%s", tr_vr_id_text(id, out));
    for (char *c = out; *c; c++)
        *c = *c == '/' ? '_' : *c;
    return out;
}

/* What the names of a publisher's .mjr files begin with; NULL: none are wanted, or not there. */
static const char *mjr_base(const struct tr_vr_publisher *p, tr_usec now, char out[MJR_BASE_MAX])
{
    const struct tr_vr *vr = p->room->vr;
    const char *dir = p->room->conf.rec_dir, *top = vr->conf.mjr_dir;
    char room[TR_VR_ID_TEXT], user[TR_VR_ID_TEXT];
    size_t n = top ? strlen(top) : 0;
    int written;
    if (n == 0 || !dir[0] || strstr(dir, "..") ||
        (dir[0] == '/' && (strncmp(dir, top, n) != 0 || (dir[n] != '/' && dir[n] != '\0'))))
        return NULL;
    const char *inner = dir[0] == '/' ? dir + n : dir;
    if (p->filename && p->filename[0] && !strchr(p->filename, '/'))
        written = snprintf(out, MJR_BASE_MAX, "%s/%s/%s", top, inner, p->filename);
    else
        written =
            snprintf(out, MJR_BASE_MAX, "%s/%s/videoroom-%s-user-%s-%lld", top, inner,
                     file_id(&p->room->id, room), file_id(&p->id, user),
                     (long long)(vr->conf.unix_us ? vr->conf.unix_us(vr->conf.arg, now) : now));
    return written < MJR_BASE_MAX ? out : NULL;
}

static bool wanted(const struct tr_vr_publisher *p)
{
    return p->record && p->up && (p->session || p->source);
}

static bool start(struct tr_vr_room *room, const char *name, tr_usec now)
{
    if (!room->recording) {
        room->recorded = room->tracks = 0;
        room->recording =
            tr_recorder_start_new(room->vr->conf.recorder, TR_VR_PACKAGE,
                                  name && name[0] ? name : room->conf.description, now);
    }
    return room->recording != 0;
}

static uint16_t tracks_of(const struct tr_vr_publisher *p)
{
    uint16_t n = 0;
    for (int i = 0; i < p->stream_count; i++)
        n += p->streams[i]->kind != TR_SDP_DATA && !p->streams[i]->disabled;
    return n;
}

/* What is added now. A codec that changes takes another track: then this is a little short. */
static uint16_t more_tracks(const struct tr_vr_publisher *p)
{
    uint16_t is = tracks_of(p), was = p->recorded ? p->tracks : 0;
    return is > was ? is - was : 0;
}

/* A publisher of another server: its streams are all that is known. */
static void put_remote(const struct tr_vr_publisher *p, const char *label, const char *mjr,
                       tr_usec now)
{
    const struct tr_vr_room *room = p->room;
    const struct tr_record_who who = {
        .participant = p->participant, .label = label, .role = "publisher", .mjr = mjr
    };
    for (int i = 0; i < p->stream_count; i++) {
        const struct tr_vr_stream *s = p->streams[i];
        if (s->kind != TR_SDP_DATA && !s->disabled)
            tr_record_end(room->vr->conf.recorder, room->recording, s->end, &s->pt, s->mid, &who,
                          now);
    }
}

static void put(struct tr_vr_publisher *p, tr_usec now)
{
    struct tr_vr_room *room = p->room;
    char text[TR_VR_ID_TEXT], base[MJR_BASE_MAX];
    if (!start(room, p->filename, now)) {
        p->record = false; /* its row says why; not to be tried at every step */
        return;
    }
    room->tracks += more_tracks(p);
    p->tracks = tracks_of(p);
    if (!p->recorded)
        p->participant = room->recorded++;
    p->recorded = true;
    const char *label = p->display ? p->display : tr_vr_id_text(&p->id, text);
    if (p->session)
        tr_record_handle(room->vr->conf.recorder, room->recording, p->session->handle,
                         p->participant, label, "publisher", mjr_base(p, now, base), now);
    else
        put_remote(p, label, mjr_base(p, now, base), now);
}

/* A recording holds so many tracks; the next one goes on with everybody who is there. */
static void begin_again(struct tr_vr_room *room, tr_usec now)
{
    struct tr_vr_publisher *p;
    tr_vr_record_stop(room, now);
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        bool goes_on = p->recorded;
        p->recorded = false;
        if (goes_on)
            put(p, now);
    }
}

static void add(struct tr_vr_publisher *p, tr_usec now)
{
    struct tr_vr_room *room = p->room;
    if (room->recording && room->tracks + more_tracks(p) > TR_JOURNAL_TRACKS_MAX)
        begin_again(room, now);
    put(p, now);
}

static bool anybody(const struct tr_vr_room *room)
{
    const struct tr_vr_publisher *p;
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        if (p->recorded)
            return true;
    }
    return false;
}

void tr_vr_record_leave(struct tr_vr_publisher *p, tr_usec now)
{
    struct tr_vr_room *room = p->room;
    if (!p->recorded)
        return;
    p->recorded = false;
    for (int i = 0; i < p->stream_count; i++)
        tr_recorder_untrack(room->vr->conf.recorder, room->recording, p->streams[i]->end);
    if (!anybody(room))
        tr_vr_record_stop(room, now);
}

void tr_vr_record_update(struct tr_vr_publisher *p, tr_usec now)
{
    if (!p->room->vr->conf.recorder)
        return;
    if (wanted(p))
        add(p, now);
    else
        tr_vr_record_leave(p, now);
}

void tr_vr_record_stop(struct tr_vr_room *room, tr_usec now)
{
    if (room->recording)
        tr_recorder_stop(room->vr->conf.recorder, room->recording, now);
    room->recording = 0;
}

void tr_vr_record_all(struct tr_vr_room *room, bool on, tr_usec now)
{
    struct tr_vr_publisher *p;
    room->conf.record = on;
    TAILQ_FOREACH(p, &room->publishers, of_room)
    {
        p->record = on;
        tr_vr_record_update(p, now);
    }
}
