/* Rooms: the table, the checks at their doors, their making and end.
 *
 * What is told to everybody inside is paid from the room's budget by the request that makes it so,
 * the leave that follows a join with the join: a crowd that comes and goes in one room cannot take
 * the control thread away from the others. Who finds the budget spent is told to try again. */
#include "plugin/videoroom/room.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gateway/auth.h"
#include "plugin/videoroom/dummy.h"
#include "plugin/videoroom/publisher.h"
#include "plugin/videoroom/record.h"
#include "plugin/videoroom/subscriber.h"

enum { EVENTS_PER_S = 50000, EVENTS_BURST = 500000, JOIN_EVENTS = 10 /* the work of it */ };

/* --- finding --- */

struct tr_vr_room *tr_vr_room_find(const struct tr_vr *vr, const struct tr_vr_id *id)
{
    return tr_map_get(vr->rooms, tr_vr_id_key(id));
}

struct tr_vr_room *tr_vr_room_of(struct tr_vr *vr, const json_t *body, struct tr_vr_error *e)
{
    struct tr_vr_id id;
    char text[TR_VR_ID_TEXT];
    if (!tr_vr_id_read(vr, body, "room", true, &id, e))
        return NULL;
    struct tr_vr_room *room = tr_vr_room_find(vr, &id);
    if (!room)
        tr_vr_fail(e, TR_VR_NO_SUCH_ROOM, "No such room (%s)", tr_vr_id_text(&id, text));
    return room;
}

bool tr_vr_secret_ok(const json_t *body, const char *name, const char *secret,
                     struct tr_vr_error *e)
{
    const struct tr_field field[] = { { name, TR_FIELD_STRING, true }, { NULL } };
    if (!secret || !secret[0])
        return true;
    if (!tr_vr_check(body, field, e))
        return false;
    if (tr_secret_equal(json_string_value(json_object_get(body, name)), secret))
        return true;
    return tr_vr_fail(e, TR_VR_UNAUTHORIZED, "Unauthorized (wrong %s)", name);
}

struct tr_vr_room *tr_vr_room_owned(struct tr_vr *vr, const json_t *body, struct tr_vr_error *e)
{
    struct tr_vr_room *room = tr_vr_room_of(vr, body, e);
    return room && tr_vr_secret_ok(body, "secret", room->conf.secret, e) ? room : NULL;
}

static bool signed_token_ok(const struct tr_vr_room *room, const char *token, tr_usec now)
{
    const struct tr_videoroom_conf *conf = &room->vr->conf;
    char id[TR_VR_ID_TEXT], descriptor[sizeof "room=" + TR_VR_ID_TEXT];
    snprintf(descriptor, sizeof descriptor, "room=%s", tr_vr_id_text(&room->id, id));
    return conf->unix_us && conf->token_secret[0] &&
           tr_token_signed_ok(conf->token_secret, token, TR_VR_PACKAGE, descriptor,
                              conf->unix_us(conf->arg, now) / TR_SECOND);
}

static bool token_ok(const struct tr_vr_room *room, const json_t *body, tr_usec now,
                     struct tr_vr_error *e)
{
    static const struct tr_field field[] = { { "token", TR_FIELD_STRING, false }, { NULL } };
    if (!room->check_tokens && !room->conf.signed_tokens)
        return true;
    if (!tr_vr_check(body, field, e))
        return false;
    const char *token = json_string_value(json_object_get(body, "token"));
    if (token && (room->conf.signed_tokens ? signed_token_ok(room, token, now)
                                           : tr_vr_token_known(room, token)))
        return true;
    return tr_vr_fail(e, TR_VR_UNAUTHORIZED, "Unauthorized (not in the allowed list)");
}

bool tr_vr_pay(struct tr_vr_budget *budget, uint64_t events, tr_usec now, struct tr_vr_error *e)
{
    uint64_t earned = (uint64_t)(now - budget->at) * EVENTS_PER_S / TR_SECOND;
    if (budget->at == 0 || budget->left + earned >= EVENTS_BURST) {
        budget->left = EVENTS_BURST;
        budget->at = now;
    } else if (earned > 0) {
        budget->left += earned;
        budget->at = now;
    }
    if (budget->left < events)
        return tr_vr_fail(e, TR_VR_UNKNOWN_ERROR,
                          "Too much is going on here, try again in a moment");
    budget->left -= events;
    return true;
}

struct tr_vr_room *tr_vr_room_enter(struct tr_vr *vr, const json_t *body, tr_usec now,
                                    struct tr_vr_error *e)
{
    struct tr_vr_room *room = tr_vr_room_of(vr, body, e);
    bool ok = room && tr_vr_secret_ok(body, "pin", room->conf.pin, e) &&
              token_ok(room, body, now, e) && tr_vr_pay(&room->budget, JOIN_EVENTS, now, e);
    return ok ? room : NULL;
}

struct tr_vr_publisher *tr_vr_publisher_find(const struct tr_vr_room *room,
                                             const struct tr_vr_id *id)
{
    return tr_map_get(room->users, tr_vr_id_key(id));
}

struct tr_vr_publisher *tr_vr_private_owner(const struct tr_vr_room *room, uint64_t private_id)
{
    return tr_map_get(room->private_ids, tr_slice(&private_id, sizeof private_id));
}

struct tr_vr_stream *tr_vr_stream_by_mid(const struct tr_vr_publisher *publisher, const char *mid)
{
    for (int i = 0; i < publisher->stream_count; i++) {
        if (strcmp(publisher->streams[i]->mid, mid) == 0)
            return publisher->streams[i];
    }
    return NULL;
}

/* --- making --- */

void tr_vr_random_id(const struct tr_vr *vr, struct tr_vr_id *id)
{
    *id = (struct tr_vr_id){ 0 };
    if (!vr->conf.string_ids) {
        id->num = 1 + tr_rng_below(vr->conf.rng, (1ull << 53) - 1);
        return;
    }
    uint64_t a = tr_rng_u64(vr->conf.rng), b = tr_rng_u64(vr->conf.rng);
    snprintf(id->text, sizeof id->text, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(0x8000 | (b >> 48 & 0x3fff)), b & 0xffffffffffff);
}

static void room_free(struct tr_vr_room *room)
{
    tr_heap_remove(&room->vr->timers, &room->timer);
    tr_vr_tokens_free(room);
    tr_vr_room_conf_free(&room->conf);
    tr_map_destroy(room->users);
    tr_map_destroy(room->private_ids);
    tr_free(room);
}

static bool describe(struct tr_vr_room *room)
{
    char text[TR_VR_ID_TEXT], description[TR_VR_ID_TEXT + 8];
    if (room->conf.description[0])
        return true;
    snprintf(description, sizeof description, "Room %s", tr_vr_id_text(&room->id, text));
    tr_free(room->conf.description);
    room->conf.description = tr_strdup(description);
    return room->conf.description != NULL;
}

static bool fill(struct tr_vr_room *room, const struct tr_vr_id *id)
{
    struct tr_vr *vr = room->vr;
    room->id = *id;
    while (tr_vr_id_none(&room->id) || (tr_vr_id_none(id) && tr_vr_room_find(vr, &room->id)))
        tr_vr_random_id(vr, &room->id);
    TAILQ_INIT(&room->publishers);
    TAILQ_INIT(&room->subscribers);
    room->users = tr_map_create(vr->conf.participants_max, tr_rng_u64(vr->conf.rng));
    room->private_ids = tr_map_create(vr->conf.participants_max, tr_rng_u64(vr->conf.rng));
    return room->users && room->private_ids && describe(room);
}

struct tr_vr_room *tr_vr_room_make(struct tr_vr *vr, const struct tr_vr_id *id, const json_t *body,
                                   tr_usec now, struct tr_vr_error *e)
{
    char text[TR_VR_ID_TEXT];
    struct tr_vr_room_conf conf;
    if (tr_vr_room_find(vr, id)) {
        tr_vr_fail(e, TR_VR_ROOM_EXISTS, "Room %s already exists", tr_vr_id_text(id, text));
        return NULL;
    }
    if (!tr_vr_room_conf_read(&conf, body, e))
        return NULL;
    struct tr_vr_room *room = tr_alloc(sizeof *room);
    if (!room) {
        tr_vr_room_conf_free(&conf);
        tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
        return NULL;
    }
    room->vr = vr;
    room->conf = conf;
    enum tr_err err =
        fill(room, id) ? tr_map_add(vr->rooms, tr_vr_id_key(&room->id), room) : TR_ERR_NOMEM;
    if (err != TR_OK) {
        room_free(room);
        tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "%s",
                   err == TR_ERR_LIMIT ? "Too many rooms" : "Out of memory");
        return NULL;
    }
    tr_vr_dummy_make(room);
    tr_vr_room_schedule(room, now);
    return room;
}

/* --- the end --- */

static void send_home(struct tr_vr_publisher *publisher, json_t *event, tr_usec now)
{
    struct tr_vr_session *session = publisher->session;
    tr_vr_tell(publisher, json_incref(event));
    tr_vr_publisher_leave(publisher, NULL, now);
    if (session)
        tr_handle_close_pc(session->handle, now);
}

void tr_vr_room_destroy(struct tr_vr_room *room, tr_usec now)
{
    json_t *event = tr_vr_data("destroyed", room);
    while (!TAILQ_EMPTY(&room->publishers))
        send_home(TAILQ_FIRST(&room->publishers), event, now);
    json_decref(event);
    tr_vr_subs_room_destroyed(room, now);
    TR_ASSERT(TAILQ_EMPTY(&room->subscribers));
    tr_vr_record_stop(room, now);
    tr_map_remove(room->vr->rooms, tr_vr_id_key(&room->id));
    room_free(room);
}

/* --- time --- */

void tr_vr_room_schedule(struct tr_vr_room *room, tr_usec now)
{
    tr_usec at = room->conf.fir_freq > 0 ? now + room->conf.fir_freq * TR_SECOND : TR_NEVER;
    (void)!tr_heap_set(&room->vr->timers, &room->timer, at); /* without memory: no key frames */
}

static void ask_for_keyframes(struct tr_vr_room *room)
{
    const struct tr_vr_publisher *p;
    TAILQ_FOREACH(p, &room->publishers, of_room)
    tr_vr_publisher_keyframe(p, NULL);
}

tr_usec tr_vr_rooms_next_timeout(const struct tr_vr *vr)
{
    const struct tr_heap_node *first = tr_heap_min(&vr->timers);
    return first ? first->key : TR_NEVER;
}

void tr_vr_rooms_timeout(struct tr_vr *vr, tr_usec now)
{
    struct tr_heap_node *node;
    while ((node = tr_heap_min(&vr->timers)) && node->key <= now) {
        struct tr_vr_room *room = TR_CONTAINER_OF(node, struct tr_vr_room, timer);
        ask_for_keyframes(room);
        tr_vr_room_schedule(room, now);
    }
}

void tr_vr_rooms_destroy(struct tr_vr *vr, tr_usec now)
{
    for (;;) {
        uint32_t cursor = 0;
        struct tr_slice key;
        void *room;
        if (!vr->rooms || !tr_map_next(vr->rooms, &cursor, &key, &room))
            return;
        tr_vr_room_destroy(room, now);
    }
}
