/* See test_room_rig.h. */
#include "plugin/videoroom/test_room_rig.h"

#include <stdio.h>

#include "media/media.h"
#include "unit.h"

struct tr_recorder *const recorder = (struct tr_recorder *)&engine;
struct stage stage;
static struct tr_rng rng;

struct tr_videoroom_conf conf_default(void)
{
    rng = tr_rng_seeded(3);
    return (struct tr_videoroom_conf){ .rng = &rng, .recorder = recorder };
}

void begin_with(const struct tr_videoroom_conf *conf)
{
    CHECK_INT(stage_up(&stage, tr_videoroom_create(conf, TR_SECOND)), TR_OK);
}

void begin(void)
{
    struct tr_videoroom_conf conf = conf_default();
    begin_with(&conf);
}

struct phone *phone(void)
{
    return stage_phone(&stage, PACKAGE, NULL);
}

void check_has(const struct phone *p, const char *part, int line)
{
    if (!CHECK(strstr(p->text, part) != NULL))
        unit_note("    line %d: \"%s\" is not in \"%s\"", line, part, p->text);
}

void hear(struct phone *p, const char *part)
{
    (void)phone_told(p);
    HAS(p, part);
}

void ask(struct phone *p, const char *body, const char *part)
{
    phone_say(p, body);
    hear(p, part);
}

struct phone *room(const char *more)
{
    char body[512];
    struct phone *p = phone();
    snprintf(body, sizeof body, "{'request':'create','room':1,'secret':'s'%s}", more);
    ask(p, body, "created");
    return p;
}

struct phone *joined(int id)
{
    char body[200];
    struct phone *p = phone();
    snprintf(body, sizeof body,
             "{'request':'join','ptype':'publisher','room':1,'id':%d,'display':'user %d'}", id, id);
    ask(p, body, "'videoroom':'joined'");
    return p;
}

void offer(struct phone *p, const char *body, const char *sdp)
{
    phone_send(p, body, "offer", sdp, false);
}

void up(struct phone *p)
{
    stage_media(&stage, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, p);
}

void down(struct phone *p)
{
    stage_media(&stage,
                (struct tr_media_event){ .kind = TR_MEDIA_PEER_DOWN, .reason = "DTLS alert" }, p);
}

struct phone *publisher(int id)
{
    struct phone *p = joined(id);
    offer(p, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(p, "'configured':'ok'");
    up(p);
    (void)phone_told(p);
    return p;
}

uint32_t bound(const struct phone *p)
{
    const struct double_peer *peer = engine_peer(tr_pc_peer(tr_handle_pc(p->handle)));
    return peer ? peer->bitrate : 0;
}
