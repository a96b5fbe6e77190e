/* A room is kept as the body of the "create" that would make it, with its tokens, so that it comes
 * back as closed as it was. Rooms from all three places are made by the same code as a client's. */
#include "plugin/videoroom/permanent.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "plugin/videoroom/reply.h"
#include "plugin/videoroom/room.h"
#include "store/rooms.h"

bool tr_vr_permanent_save(struct tr_vr_room *room)
{
    char id[TR_VR_ID_TEXT];
    json_t *body = tr_vr_room_conf_save(&room->conf);
    json_object_set_new(body, "room", tr_vr_id_json(&room->id));
    if (room->check_tokens)
        json_object_set_new(body, "allowed", tr_vr_tokens_json(room));
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    room->permanent = text && tr_rooms_put(room->vr->conf.db, TR_VR_PACKAGE,
                                           tr_vr_id_text(&room->id, id), text) == TR_OK;
    free(text); /* tidy: allow free - jansson hands out malloc memory */
    return room->permanent;
}

void tr_vr_permanent_forget(struct tr_vr_room *room)
{
    char id[TR_VR_ID_TEXT];
    (void)!tr_rooms_remove(room->vr->conf.db, TR_VR_PACKAGE, tr_vr_id_text(&room->id, id));
    room->permanent = false;
}

struct load {
    struct tr_vr *vr;
    tr_usec now;
};

static struct tr_vr_room *make(const struct load *load, const json_t *body, struct tr_vr_error *e)
{
    struct tr_vr_id id;
    if (!json_is_object(body)) {
        tr_vr_fail(e, TR_VR_INVALID_JSON, "Not a JSON object");
        return NULL;
    }
    if (!tr_vr_id_read(load->vr, body, "room", true, &id, e))
        return NULL;
    struct tr_vr_room *room = tr_vr_room_make(load->vr, &id, body, load->now, e);
    if (!room)
        return NULL;
    if (tr_vr_tokens_take(room, body, e))
        return room;
    tr_vr_room_destroy(room, load->now);
    return NULL;
}

/* Tells which room it is, and never its secrets. */
static void complain(const struct tr_vr *vr, const json_t *body, const char *why)
{
    const struct tr_videoroom_conf *conf = &vr->conf;
    const json_t *room = json_object_get(body, "room");
    char name[TR_VR_ID_TEXT] = "?";
    if (!conf->complain)
        return;
    if (json_is_integer(room))
        snprintf(name, sizeof name, "%" JSON_INTEGER_FORMAT, json_integer_value(room));
    else if (json_is_string(room))
        tr_utf8_copy(name, sizeof name, json_string_value(room));
    conf->complain(conf->arg, name, why);
}

static struct tr_vr_room *load_text(const struct load *load, const char *text)
{
    struct tr_vr_error e;
    json_t *body = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    struct tr_vr_room *room = make(load, body, &e);
    if (!room && e.code != TR_VR_ROOM_EXISTS)
        complain(load->vr, body, e.text);
    json_decref(body);
    return room;
}

/* As in the configuration that Janus comes with, for the demo pages know it; but for the secret,
 * which everybody else would know, too. */
static void load_demo(const struct load *load)
{
    const struct tr_videoroom_conf *conf = &load->vr->conf;
    char text[256], secret[33];
    const char *quote = conf->string_ids ? "\"" : "";
    tr_rng_ice_chars(conf->rng, secret, sizeof secret - 1);
    snprintf(text, sizeof text,
             "{\"room\":%s1234%s,\"description\":\"Demo Room\",\"secret\":\"%s\","
             "\"publishers\":6,\"bitrate\":128000,\"fir_freq\":10}",
             quote, quote, secret);
    json_t *body = json_loads(text, 0, NULL);
    if (conf->demo_secret && conf->demo_secret[0])
        json_object_set_new(body, "secret", json_string(conf->demo_secret));
    struct tr_vr_error e;
    if (!make(load, body, &e) && e.code != TR_VR_ROOM_EXISTS)
        complain(load->vr, body, e.text);
    json_decref(body);
}

static void on_row(void *user, const char *id, const char *conf)
{
    (void)id;
    struct tr_vr_room *room = load_text(user, conf);
    if (room)
        room->permanent = true;
}

enum tr_err tr_vr_permanent_load(struct tr_vr *vr, tr_usec now)
{
    const struct tr_videoroom_conf *conf = &vr->conf;
    struct load load = { vr, now };
    enum tr_err err = conf->db ? tr_rooms_init(conf->db) : TR_OK;
    if (err == TR_OK && conf->db)
        err = tr_rooms_each(conf->db, TR_VR_PACKAGE, on_row, &load);
    if (err != TR_OK)
        return err;
    /* those of the database first: they may be later editions */
    for (int i = 0; i < conf->room_count; i++)
        (void)load_text(&load, conf->rooms[i]);
    if (conf->demo_room)
        load_demo(&load);
    return TR_OK;
}
