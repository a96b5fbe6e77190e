/* Goal: publishers and those around them are told what clients of the API expect, whoever joins,
 * publishes, changes, is moderated or goes, and by whatever way; limits have their errors.
 * Method: phones in rooms over the real core and SDP side, offers of real browsers, doubles for
 * media engine and recorder; transcripts of all that each phone is told. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "plugin/test_double.h"
#include "plugin/videoroom/videoroom.h"
#include "unit.h"

#define PACKAGE "janus.plugin.videoroom"
#define TOLD(phone, text) CHECK_STR(phone_told(phone), text)
#define HAS(phone, text) check_has(phone, text, __LINE__)

static struct tr_recorder *const recorder = (struct tr_recorder *)&engine;
static struct stage stage;
static struct tr_rng rng;

static struct tr_videoroom_conf conf_default(void)
{
    rng = tr_rng_seeded(3);
    return (struct tr_videoroom_conf){ .rng = &rng, .recorder = recorder };
}

static void begin_with(const struct tr_videoroom_conf *conf)
{
    CHECK_INT(stage_up(&stage, tr_videoroom_create(conf, TR_SECOND)), TR_OK);
}

static void begin(void)
{
    struct tr_videoroom_conf conf = conf_default();
    begin_with(&conf);
}

static struct phone *phone(void)
{
    return stage_phone(&stage, PACKAGE, NULL);
}

/* Whether a part is in what the phone was told last. */
static void check_has(const struct phone *p, const char *part, int line)
{
    if (!CHECK(strstr(p->text, part) != NULL))
        unit_note("    line %d: \"%s\" is not in \"%s\"", line, part, p->text);
}

static void hear(struct phone *p, const char *part)
{
    (void)phone_told(p);
    HAS(p, part);
}

static void ask(struct phone *p, const char *body, const char *part)
{
    phone_say(p, body);
    hear(p, part);
}

static struct phone *room(const char *more)
{
    char body[512];
    struct phone *p = phone();
    snprintf(body, sizeof body, "{'request':'create','room':1,'secret':'s'%s}", more);
    ask(p, body, "created");
    return p;
}

/* A phone that has joined the room 1 with this id. */
static struct phone *joined(int id)
{
    char body[200];
    struct phone *p = phone();
    snprintf(body, sizeof body,
             "{'request':'join','ptype':'publisher','room':1,'id':%d,'display':'user %d'}", id, id);
    ask(p, body, "'videoroom':'joined'");
    return p;
}

static void offer(struct phone *p, const char *body, const char *sdp)
{
    phone_send(p, body, "offer", sdp, false);
}

static void up(struct phone *p)
{
    stage_media(&stage, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, p);
}

static void down(struct phone *p)
{
    stage_media(&stage,
                (struct tr_media_event){ .kind = TR_MEDIA_PEER_DOWN, .reason = "DTLS alert" }, p);
}

static struct phone *publisher(int id)
{
    struct phone *p = joined(id);
    offer(p, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(p, "'configured':'ok'");
    up(p);
    (void)phone_told(p);
    return p;
}

static uint32_t bound(const struct phone *p)
{
    const struct double_peer *peer = engine_peer(tr_pc_peer(tr_handle_pc(p->handle)));
    return peer ? peer->bitrate : 0;
}

/* --- joining --- */

TEST(videoroom_join)
{
    begin();
    (void)room(",'description':'Lab','notify_joining':true");
    struct phone *a = phone(), *b = phone();
    phone_say(a, "{'request':'join','ptype':'publisher','room':1,'id':5,'display':'Anna',"
                 "'metadata':{'k':1}}");
    (void)phone_told(a);
    HAS(a, "ack; #t {'attendees':[],'description':'Lab','id':5,'private_id':");
    HAS(a, ",'publishers':[],'room':1,'videoroom':'joined'}");
    phone_say(b, "{'request':'join','ptype':'PUBLISHER','room':1}");
    (void)phone_told(b);
    HAS(b, "'attendees':[{'display':'Anna','id':5,'metadata':{'k':1}}]");
    hear(a, "{'joining':{'id':");
    stage_down(&stage);
}

TEST(videoroom_join_errors)
{
    static const struct {
        const char *body;
        int code;
        const char *text;
    } bad[] = {
        { "{'request':'configure'}", 424, "Invalid request on unconfigured participant" },
        { "{'request':'leave'}", 424, "Invalid request on unconfigured participant" },
        { "{'request':'join','room':1}", 429, "Missing mandatory element (ptype)" },
        { "{'request':'join','room':1,'ptype':1}", 430,
          "Invalid element type (ptype should be a string)" },
        { "{'request':'join','room':1,'ptype':'king'}", 430, "Invalid element (ptype)" },
        { "{'request':'joinandconfigure','room':1,'ptype':'subscriber'}", 430,
          "Invalid element (ptype)" },
        { "{'request':'join','ptype':'publisher'}", 429, "Missing mandatory element (room)" },
        { "{'request':'join','ptype':'publisher','room':9}", 426, "No such room (9)" },
        { "{'request':'join','ptype':'publisher','room':1,'id':'x'}", 430,
          "Invalid element type (id should be a positive integer)" },
        { "{'request':'join','ptype':'publisher','room':1,'display':1}", 430,
          "Invalid element type (display should be a string)" },
        { "{'request':'join','ptype':'publisher','room':1,'metadata':'x'}", 430,
          "Invalid element type (metadata should be an object)" },
        { "{'request':'join','ptype':'publisher','room':1,'bitrate':-1}", 430,
          "Invalid element type (bitrate should be a positive integer)" },
        { "{'request':'join','ptype':'publisher','room':1,'streams':[1]}", 430,
          "Invalid element type (streams should hold objects)" },
        { "{'request':'join','ptype':'publisher','room':1,'descriptions':[{'mid':'0'}]}", 429,
          "Missing mandatory element (description)" },
        { "{'request':'join','ptype':'publisher','room':1,'id':5}", 436,
          "User ID 5 already exists" },
    };
    begin();
    (void)room("");
    struct phone *a = joined(5), *b = phone();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char want[40];
        snprintf(want, sizeof want, "ack; #t error %d", bad[i].code);
        phone_say(b, bad[i].body);
        TOLD(b, want);
        CHECK_STR(b->error, bad[i].text);
    }
    phone_say(a, "{'request':'join','ptype':'publisher','room':1}");
    TOLD(a, "ack; #t error 425");
    phone_say(a, "{'request':'start'}");
    TOLD(a, "ack; #t error 423");
    stage_down(&stage);
}

TEST(videoroom_join_bounds)
{
    char body[9200];
    struct tr_videoroom_conf conf = conf_default();
    conf.participants_max = 2;
    begin_with(&conf);
    struct phone *p = room("");
    snprintf(body, sizeof body,
             "{'request':'join','ptype':'publisher','room':1,'display':'%01025d'}", 0);
    phone_say(p, body);
    TOLD(p, "ack; #t error 430");
    snprintf(body, sizeof body,
             "{'request':'join','ptype':'publisher','room':1,'metadata':{'a':'%08190d'}}", 0);
    phone_say(p, body);
    TOLD(p, "ack; #t error 430");
    (void)joined(1);
    (void)joined(2);
    phone_say(p, "{'request':'join','ptype':'publisher','room':1}");
    TOLD(p, "ack; #t error 432");
    CHECK_STR(p->error, "Maximum number of participants (2) already reached");
    stage_down(&stage);
}

/* A crowd in one room is told to wait; in the next one nobody notices. */
TEST(videoroom_floods_of_joins)
{
    begin();
    struct phone *p = room("");
    ask(p, "{'request':'create','room':2}", "created");
    for (int i = 10; i < 20; i++) {
        char body[120];
        snprintf(body, sizeof body, "{'request':'join','ptype':'publisher','room':1,'id':%d}", i);
        ask(stage_phone(&stage, PACKAGE, p), body, "ack");
    }
    int refused = 0;
    for (int i = 0; i < 13500; i++) {
        phone_say(p, "{'request':'join','ptype':'publisher','room':1}");
        refused += strstr(phone_told(p), "error 499") != NULL;
        phone_say(p, "{'request':'leave'}");
        (void)phone_told(p);
        for (int k = 0; k < stage.phone_count; k++)
            (void)phone_told(&stage.phones[k]);
    }
    CHECK(refused > 1000 && refused < 10000);
    ask(p, "{'request':'join','ptype':'publisher','room':2}", "joined");
    phone_say(p, "{'request':'leave'}");
    stage_sleep(&stage, TR_SECOND);
    (void)phone_told(p);
    ask(p, "{'request':'join','ptype':'publisher','room':1}", "joined");
    stage_down(&stage);
}

/* --- publishing --- */

TEST(videoroom_publish)
{
    begin();
    (void)room("");
    struct phone *a = joined(1), *b = joined(2);
    offer(a,
          "{'request':'publish','bitrate':300000,'descriptions':[{'mid':'0','description':'mic'},"
          "{'mid':'9','description':'none'}]}",
          fixture("chrome-offer-av.sdp"));
    TOLD(a, "ack; #t {'audio_codec':'opus','configured':'ok','room':1,'streams':["
            "{'codec':'opus','description':'mic','fec':true,'mid':'0','mindex':0,'type':'audio'},"
            "{'codec':'vp8','mid':'1','mindex':1,'type':'video'}],'video_codec':'vp8'} +answer");
    CHECK(strstr(a->sdp, "a=recvonly") && !strstr(a->sdp, "a=sendrecv"));
    CHECK_INT(bound(a), 300000);
    TOLD(b, "");
    up(a);
    TOLD(a, "webrtcup");
    TOLD(b, "{'publishers':[{'audio_codec':'opus','display':'user 1','id':1,'streams':["
            "{'codec':'opus','description':'mic','fec':true,'mid':'0','mindex':0,'type':'audio'},"
            "{'codec':'vp8','mid':'1','mindex':1,'type':'video'}],'video_codec':'vp8'}],'room':1}");
    struct phone *c = phone();
    ask(c, "{'request':'join','ptype':'publisher','room':1}",
        "'publishers':[{'audio_codec':'opus','display':'user 1','id':1,");
    ask(c, "{'request':'listparticipants','room':1}",
        "{'display':'user 1','id':1,'publisher':true},{'display':'user 2','id':2,"
        "'publisher':false}");
    stage_down(&stage);
}

TEST(videoroom_publish_errors)
{
    begin();
    (void)room(",'publishers':1,'videocodec':'vp9'");
    struct phone *a = joined(1), *b = joined(2);
    phone_say(a, "{'request':'unpublish'}");
    TOLD(a, "ack; #t error 435");
    offer(a, "{'request':'publish','videocodec':'vp8'}", fixture("chrome-offer-av.sdp"));
    TOLD(a, "ack; #t error 430");
    CHECK_STR(a->error, "Invalid element (videocodec is unavailable in this room)");
    offer(a, "{'request':'publish'}", fixture("chrome-offer-data.sdp"));
    (void)phone_told(a);
    phone_verb(a, "hangup");
    (void)phone_told(a);
    offer(a, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(a, "'codec':'vp9'");
    offer(a, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    TOLD(a, "ack; #t error 434");
    offer(b, "{'request':'configure'}", fixture("chrome-offer-av.sdp"));
    TOLD(b, "ack; #t error 432");
    CHECK_STR(b->error, "Maximum number of publishers (1) already reached");
    phone_send(b, "{'request':'publish'}", "answer", fixture("chrome-offer-av.sdp"), false);
    TOLD(b, "API error 469");
    stage_down(&stage);
}

/* A room takes its own codecs only; what has nothing else comes to nothing. */
TEST(videoroom_codecs_of_the_room)
{
    begin();
    struct phone *p = room(",'videocodec':'h264,vp8','audiocodec':'pcmu'");
    struct phone *a = joined(1);
    offer(a, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(a, "'audio_codec':'pcmu'");
    HAS(a, "'codec':'h264','h264_profile':'");
    offer(a, "{'request':'configure','videocodec':'vp8'}", fixture("chrome-offer-av.sdp"));
    hear(a, "'video_codec':'vp8'");
    ask(p, "{'request':'create','room':2,'audiocodec':'isac16','videocodec':'av1'}", "created");
    struct phone *b = phone();
    ask(b, "{'request':'join','ptype':'publisher','room':2}", "joined");
    offer(b, "{'request':'publish'}", fixture("chrome-offer-audio.sdp"));
    TOLD(b, "ack; #t error 437");
    CHECK_INT(engine_peers(), 1);
    stage_down(&stage);
}

TEST(videoroom_joinandconfigure)
{
    begin();
    (void)room(",'publishers':1,'notify_joining':true");
    struct phone *a = phone(), *b = phone(), *c = joined(3);
    const char *body = "{'request':'joinandconfigure','ptype':'publisher','room':1,'id':4}";
    offer(a, body, fixture("chrome-offer-av.sdp"));
    (void)phone_told(a);
    HAS(a, "'videoroom':'joined'} +answer");
    HAS(a, "'streams':[{");
    TOLD(c, "{'joining':{'id':4},'room':1}");
    /* what fails has joined nobody and is told to nobody */
    offer(b, "{'request':'joinandconfigure','ptype':'publisher','room':1,'id':5}",
          fixture("chrome-offer-av.sdp"));
    TOLD(b, "ack; #t error 432");
    TOLD(c, "");
    ask(b, "{'request':'joinandconfigure','ptype':'publisher','room':1,'id':5}", "joined");
    stage_down(&stage);
}

TEST(videoroom_e2ee)
{
    begin();
    (void)room(",'require_e2ee':true");
    struct phone *a = joined(1);
    offer(a, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    TOLD(a, "ack; #t error 433");
    CHECK_STR(a->error, "Room requires end-to-end encrypted media");
    phone_send(a, "{'request':'publish'}", "offer", fixture("chrome-offer-av.sdp"), true);
    hear(a, "+answer e2ee");
    stage_down(&stage);
}

TEST(videoroom_renegotiation)
{
    begin();
    (void)room("");
    struct phone *a = joined(1), *b = joined(2);
    offer(a, "{'request':'configure'}", fixture("chrome-offer-pair-audio.sdp"));
    hear(a, "'configured':'ok'");
    up(a);
    hear(b, "'publishers':[{'audio_codec':'opus'");
    offer(a, "{'request':'configure','update':true}", fixture("chrome-offer-pair-added.sdp"));
    hear(a, "'video_codec':'vp8'");
    hear(b, "'video_codec':'vp8'");
    offer(a, "{'request':'configure'}", fixture("chrome-offer-pair-stopped.sdp"));
    hear(a, "'disabled':true");
    hear(b, "'disabled':true");
    stage_down(&stage);
}

TEST(videoroom_simulcast_is_told)
{
    begin();
    (void)room("");
    struct phone *a = joined(1);
    offer(a, "{'request':'publish'}", fixture("chrome-offer-simulcast.sdp"));
    hear(a, "'simulcast':true");
    stage_down(&stage);
}

TEST(videoroom_svc_is_told)
{
    begin();
    (void)room(",'videocodec':'vp9'");
    struct phone *a = joined(1);
    a->svc = "[{\"mid\":\"1\",\"svc\":\"L3T3\"},{\"mindex\":99},7,{\"mindex\":0,\"svc\":\"L2T1\"}]";
    offer(a, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(a, "{'codec':'vp9','mid':'1','mindex':1,'svc':true,'type':'video'");
    a->svc = "[{\"mindex\":1,\"svc\":\"L1T1\"}]";
    offer(a, "{'request':'configure'}", fixture("chrome-offer-av.sdp"));
    CHECK(!strstr(phone_told(a), "svc"));
    stage_down(&stage);
}

TEST(videoroom_opus_of_the_room)
{
    begin();
    (void)room(",'opus_fec':false,'opus_dtx':true");
    struct phone *a = joined(1);
    const char *sdp =
        replaced(fixture("chrome-offer-av.sdp"), "useinbandfec=1", "useinbandfec=1;usedtx=1");
    offer(a, "{'request':'publish'}", sdp);
    hear(a, "{'codec':'opus','dtx':true,'mid':'0'");
    CHECK(strstr(a->sdp, "usedtx=1") && !strstr(a->sdp, "useinbandfec"));
    stage_down(&stage);
}

TEST(videoroom_talking)
{
    struct tr_media_event talk = { .kind = TR_MEDIA_TALKING, .on = true, .level = 30 };
    begin();
    struct phone *p = room(",'audiolevel_event':true");
    struct phone *a = publisher(1), *b = joined(2);
    const struct double_peer *peer = engine_peer(tr_pc_peer(tr_handle_pc(a->handle)));
    CHECK(peer && peer->talk.packets == 100 && peer->talk.level == 25);
    ask(a, "{'request':'configure','audio_active_packets':50}", "'configured':'ok'");
    CHECK(peer && peer->talk.packets == 50);
    (void)phone_told(a);
    stage_media(&stage, talk, a);
    const char *told = "{'audio-level-dBov-avg':30,'id':1,'mid':'0','mindex':0,'room':1,"
                       "'videoroom':'talking'}";
    TOLD(a, told);
    TOLD(b, told);
    ask(p, "{'request':'listparticipants','room':1}", "'talking':true");
    talk.on = false;
    stage_media(&stage, talk, a);
    hear(b, "'videoroom':'stopped-talking'");
    talk.mline = 1; /* video does not talk */
    stage_media(&stage, talk, a);
    TOLD(b, "");
    stage_down(&stage);
}

/* --- settings --- */

TEST(videoroom_bitrates)
{
    begin();
    struct phone *p = room(",'bitrate':200000,'bitrate_cap':true");
    struct phone *a = publisher(1);
    CHECK_INT(bound(a), 200000);
    ask(a, "{'request':'configure','bitrate':500000}", "'configured':'ok'");
    CHECK_INT(bound(a), 200000);
    ask(a, "{'request':'configure','bitrate':0}", "'configured':'ok'");
    CHECK_INT(bound(a), 200000);
    ask(a, "{'request':'configure','bitrate':100000}", "'configured':'ok'");
    CHECK_INT(bound(a), 100000);
    ask(p, "{'request':'create','room':2,'bitrate':128000}", "created");
    struct phone *b = phone();
    ask(b, "{'request':'join','ptype':'publisher','room':2,'bitrate':900000}", "joined");
    offer(b, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(b, "configured");
    CHECK_INT(bound(b), 900000);
    stage_media(&stage,
                (struct tr_media_event){ .kind = TR_MEDIA_SLOW_LINK, .uplink = true, .lost = 9 },
                b);
    hear(b, "{'current-bitrate':900000,'videoroom':'slow_link'}");
    stage_media(&stage, (struct tr_media_event){ .kind = TR_MEDIA_SLOW_LINK, .lost = 9 }, b);
    CHECK(!strstr(phone_told(b), "slow_link"));
    stage_down(&stage);
}

TEST(videoroom_display_changes)
{
    begin();
    (void)room("");
    struct phone *a = joined(1), *b = joined(2);
    phone_say(a, "{'request':'configure','display':'New','metadata':{'x':true}}");
    TOLD(a, "ack; #t {'configured':'ok','room':1}");
    TOLD(b, "{'display':'New','id':1,'metadata':{'x':true},'room':1}");
    phone_say(a, "{'request':'configure','keyframe':true,'audio':false}");
    TOLD(a, "ack; #t {'configured':'ok','room':1}");
    TOLD(b, "");
    stage_down(&stage);
}

TEST(videoroom_fir_freq)
{
    begin();
    struct phone *p = room(",'fir_freq':2");
    struct phone *a = publisher(1);
    engine.keyframes = 0;
    ask(a, "{'request':'configure','keyframe':true}", "configured");
    CHECK_INT(engine.keyframes, 1);
    stage_sleep(&stage, 5 * TR_SECOND);
    CHECK_INT(engine.keyframes, 3);
    ask(a, "{'request':'configure','video':false}", "configured");
    stage_sleep(&stage, 5 * TR_SECOND);
    CHECK_INT(engine.keyframes, 3);
    ask(p, "{'request':'edit','room':1,'secret':'s','new_fir_freq':0}", "edited");
    ask(a,
        "{'request':'configure','streams':[{'mid':'1','send':true,'keyframe':true},"
        "{'mid':'77','send':false},{}]}",
        "configured");
    CHECK_INT(engine.keyframes, 4);
    stage_sleep(&stage, 20 * TR_SECOND);
    CHECK_INT(engine.keyframes, 4);
    stage_down(&stage);
}

/* --- going --- */

TEST(videoroom_unpublish_and_leave)
{
    begin();
    (void)room("");
    struct phone *a = publisher(1), *b = joined(2);
    phone_say(a, "{'request':'unpublish'}");
    TOLD(a, "ack; #t {'room':1,'unpublished':'ok'}; hangup Close PC");
    TOLD(b, "{'room':1,'unpublished':1}");
    CHECK_INT(engine_peers(), 0);
    offer(a, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(a, "'configured':'ok'");
    up(a);
    (void)phone_told(a);
    hear(b, "'publishers':[{");
    down(a);
    TOLD(a, "hangup DTLS alert");
    TOLD(b, "{'room':1,'unpublished':1}");
    phone_say(a, "{'request':'leave'}");
    TOLD(a, "ack; #t {'leaving':'ok','room':1}");
    TOLD(b, "{'display':'user 1','leaving':1,'room':1}");
    ask(a, "{'request':'join','ptype':'publisher','room':1,'id':1}", "joined");
    phone_verb(b, "detach");
    TOLD(a, "{'display':'user 2','leaving':2,'room':1}");
    stage_down(&stage);
}

TEST(videoroom_leave_while_publishing)
{
    begin();
    (void)room("");
    struct phone *a = publisher(1), *b = joined(2);
    phone_say(a, "{'request':'leave'}");
    TOLD(a, "ack; #t {'leaving':'ok','room':1}; hangup Close PC");
    TOLD(b, "{'display':'user 1','leaving':1,'room':1}");
    CHECK_INT(engine_peers(), 0);
    struct phone *c = publisher(3);
    hear(b, "'id':3");
    phone_verb(c, "detach");
    hear(b, "{'room':1,'unpublished':3}; {'display':'user 3','leaving':3,'room':1}");
    stage_down(&stage);
}

TEST(videoroom_destroy_sends_home)
{
    begin();
    struct phone *p = room("");
    struct phone *a = publisher(1), *b = joined(2);
    (void)phone_told(a);
    ask(p, "{'request':'destroy','room':1,'secret':'s'}", "'videoroom':'destroyed'");
    TOLD(a, "{'room':1,'videoroom':'destroyed'}; hangup Close PC");
    TOLD(b, "{'room':1,'videoroom':'destroyed'}");
    phone_say(a, "{'request':'configure'}");
    TOLD(a, "ack; #t error 424");
    (void)room("");
    ask(a, "{'request':'join','ptype':'publisher','room':1}", "joined");
    stage_down(&stage);
}

/* --- moderators --- */

TEST(videoroom_kick)
{
    begin();
    struct phone *p = room("");
    struct phone *a = publisher(1), *b = joined(2);
    ask(p, "{'request':'kick','room':1,'id':1}", "error 429");
    ask(p, "{'request':'kick','room':1,'secret':'x','id':1}", "error 433");
    ask(p, "{'request':'kick','room':1,'secret':'s'}", "error 429");
    ask(p, "{'request':'kick','room':1,'secret':'s','id':9}", "error 428");
    CHECK_STR(p->error, "No such user 9 in room 1");
    ask(p, "{'request':'kick','room':2,'secret':'s','id':9}", "error 426");
    (void)phone_told(a);
    phone_say(p, "{'request':'kick','room':1,'secret':'s','id':1}");
    TOLD(p, "success {'videoroom':'success'}");
    TOLD(a, "{'leaving':'ok','reason':'kicked','room':1}; hangup Close PC");
    TOLD(b, "{'kicked':1,'room':1}");
    phone_say(a, "{'request':'configure'}");
    TOLD(a, "ack; #t error 424");
    phone_say(p, "{'request':'listparticipants','room':1}");
    TOLD(p, "success {'participants':[{'display':'user 2','id':2,'publisher':false}],'room':1,"
            "'videoroom':'participants'}");
    stage_down(&stage);
}

TEST(videoroom_moderate)
{
    begin();
    struct phone *p = room("");
    struct phone *a = publisher(1), *b = joined(2);
    const char *mute = "{'request':'moderate','room':1,'secret':'s','id':1,'mid':'1','mute':true}";
    (void)phone_told(a);
    ask(p, "{'request':'moderate','room':1,'secret':'s','id':1,'mute':true}", "error 429");
    ask(p, "{'request':'moderate','room':1,'secret':'s','id':1,'mid':'1','mute':1}", "error 430");
    ask(p, "{'request':'moderate','room':1,'id':1,'mid':'1','mute':true}", "error 429");
    ask(p, "{'request':'moderate','room':1,'secret':'s','id':7,'mid':'1','mute':true}",
        "error 428");
    ask(p, "{'request':'moderate','room':1,'secret':'s','id':1,'mid':'7','mute':true}",
        "error 428");
    phone_say(p, mute);
    TOLD(p, "success {'videoroom':'success'}");
    TOLD(a, "{'id':1,'mid':'1','moderation':'muted','room':1}");
    TOLD(b, "{'id':1,'mid':'1','moderation':'muted','room':1}");
    ask(p, mute, "success");
    TOLD(b, "");
    struct phone *c = phone();
    ask(c, "{'request':'join','ptype':'publisher','room':1}", "'moderated':true");
    ask(p, "{'request':'moderate','room':1,'secret':'s','id':1,'mid':'1','mute':false}", "success");
    TOLD(a, "{'id':1,'mid':'1','moderation':'unmuted','room':1}");
    stage_down(&stage);
}

/* --- recording --- */

TEST(videoroom_recording_of_a_room)
{
    begin();
    struct phone *p = room(",'description':'Lab'");
    struct phone *a = publisher(1), *b = publisher(2);
    ask(p, "{'request':'enable_recording','room':1,'secret':'s'}", "error 429");
    ask(p, "{'request':'enable_recording','room':1,'record':true}", "error 429");
    CHECK_INT(engine_recordings(), 0);
    phone_say(p, "{'request':'enable_recording','room':1,'secret':'s','record':true}");
    TOLD(p, "success {'record':true,'videoroom':'success'}");
    CHECK_INT(engine_recordings(), 1);
    CHECK_STR(engine.recordings[0].plugin, PACKAGE);
    CHECK_STR(engine.recordings[0].name, "Lab");
    CHECK_INT(engine.recordings[0].tracks, 4);
    CHECK_INT(engine.recordings[0].last.participant, 1);
    CHECK_STR(engine.recordings[0].last.label, "user 2");
    phone_say(b, "{'request':'unpublish'}");
    CHECK_INT(engine.recordings[0].untracked, 2);
    (void)publisher(3);
    CHECK_INT(engine.recordings[0].tracks, 6);
    CHECK_INT(engine.recordings[0].last.participant, 2);
    CHECK_INT(engine_recordings(), 1);
    phone_say(p, "{'request':'enable_recording','room':1,'secret':'s','record':false}");
    TOLD(p, "success {'record':false,'videoroom':'success'}");
    CHECK_INT(engine_recordings(), 0);
    (void)a;
    stage_down(&stage);
}

/* 64 tracks a recording: the 31st stay makes the next one, with those who are there. */
TEST(videoroom_recording_goes_on)
{
    begin();
    (void)room(",'record':true");
    struct phone *a = publisher(1), *b = publisher(2);
    for (int i = 0; i < 30; i++) {
        ask(b, "{'request':'unpublish'}", "ok");
        offer(b, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
        up(b);
        (void)phone_told(b);
        (void)phone_told(a);
    }
    CHECK_INT(engine.recording_count, 1);
    CHECK_INT(engine.recordings[0].tracks, 64);
    ask(b, "{'request':'unpublish'}", "ok");
    offer(b, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    up(b);
    CHECK_INT(engine.recording_count, 2);
    CHECK_INT(engine_recordings(), 1);
    CHECK_INT(engine.recordings[1].tracks, 4);
    (void)a;
    stage_down(&stage);
}

TEST(videoroom_recording_by_publishers)
{
    begin();
    struct phone *p = room(",'lock_record':true");
    struct phone *a = publisher(1);
    ask(a, "{'request':'configure','record':true}", "error 429");
    ask(a, "{'request':'configure','record':true,'secret':'x'}", "error 433");
    ask(a, "{'request':'configure','record':true,'secret':'s','filename':'mine'}", "configured");
    CHECK_INT(engine_recordings(), 1);
    CHECK_STR(engine.recordings[0].name, "mine");
    ask(a, "{'request':'configure','record':false,'secret':'s'}", "configured");
    CHECK_INT(engine_recordings(), 0);
    ask(p, "{'request':'create','room':2,'record':true}", "created");
    struct phone *b = phone();
    ask(b, "{'request':'join','ptype':'publisher','room':2}", "joined");
    offer(b, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    CHECK_INT(engine_recordings(), 0);
    up(b);
    CHECK_INT(engine_recordings(), 1);
    ask(p, "{'request':'destroy','room':2}", "destroyed");
    CHECK_INT(engine_recordings(), 0);
    engine.refuse_recordings = true;
    ask(a, "{'request':'configure','record':true,'secret':'s'}", "configured");
    ask(a, "{'request':'configure','video':true}", "configured");
    CHECK_INT(engine.recording_count, 3);
    stage_down(&stage);
}

TEST(videoroom_mjr_files)
{
    static const struct {
        const char *rec_dir, *filename, *mjr; /* of the last track; NULL: some name of Janus' */
    } table[] = {
        { "/rec/a", "mine", "/rec//a/mine-video-1.mjr" },
        { "a", "mine", "/rec/a/mine-video-1.mjr" },
        { "/rec", "", NULL },
        { "/rec/a", "../x", NULL }, /* no way out: such a name is not used */
        { "/rec/../etc", "mine", "" },
        { "/record", "mine", "" },
        { "/tmp", "mine", "" },
        { "", "mine", "" },
    };
    for (size_t i = 0; i < TR_ARRAY_LEN(table); i++) {
        struct tr_videoroom_conf conf = conf_default();
        char text[200];
        conf.mjr_dir = "/rec";
        begin_with(&conf);
        snprintf(text, sizeof text, ",'rec_dir':'%s'", table[i].rec_dir);
        (void)room(text);
        struct phone *a = publisher(1);
        snprintf(text, sizeof text, "{'request':'configure','record':true,'filename':'%s'}",
                 table[i].filename);
        ask(a, text, "configured");
        CHECK_INT(engine.recordings[0].tracks, 2);
        const char *mjr = engine.recordings[0].last.mjr;
        if (table[i].mjr)
            CHECK_STR(mjr, table[i].mjr);
        else
            CHECK(strncmp(mjr, "/rec/", 5) == 0 && strstr(mjr, "/videoroom-1-user-1-") &&
                  strstr(mjr, "-video-1.mjr"));
        stage_down(&stage);
    }
}

/* --- the rest --- */

TEST(videoroom_dummies)
{
    begin();
    struct phone *p = room(",'dummy_publisher':true,'videocodec':'vp8,h264','publishers':1");
    struct phone *a = phone();
    ask(a, "{'request':'join','ptype':'publisher','room':1}",
        "'publishers':[{'audio_codec':'opus','display':'Dummy publisher','dummy':true,'id':");
    HAS(a, "{'codec':'h264','mid':'2','mindex':2,'type':'video'}]");
    offer(a, "{'request':'publish'}", fixture("chrome-offer-av.sdp"));
    hear(a, "configured");
    ask(p, "{'request':'listparticipants','room':1}", "'dummy':true");
    ask(p,
        "{'request':'create','room':2,'dummy_publisher':true,'dummy_streams':[{'codec':'h264',"
        "'fmtp':'profile-level-id=42e01f;packetization-mode=1'},{'codec':'opus'},{'codec':'x'}]}",
        "created");
    phone_say(a, "{'request':'leave'}");
    (void)phone_told(a);
    ask(a, "{'request':'join','ptype':'publisher','room':2}",
        "'streams':[{'codec':'h264','h264_profile':'42e01f','mid':'0','mindex':0,'type':'video'},"
        "{'codec':'opus','mid':'1','mindex':1,'type':'audio'}]");
    stage_down(&stage);
}

TEST(videoroom_query)
{
    begin();
    (void)room("");
    struct phone *a = phone();
    json_t *o = phone_query(a);
    CHECK_STR(json_string_value(json_object_get(o, "type")), "none");
    json_decref(o);
    a = publisher(1);
    o = phone_query(a);
    CHECK_STR(json_string_value(json_object_get(o, "type")), "publisher");
    CHECK_INT(json_array_size(json_object_get(o, "streams")), 2);
    json_decref(o);
    stage_down(&stage);
}

/* Several requests of one handle are answered in their order. */
TEST(videoroom_answers_in_order)
{
    begin();
    (void)room("");
    struct phone *a = phone();
    phone_say(a, "{'request':'join','ptype':'publisher','room':1,'id':1}");
    phone_say(a, "{'request':'exists','room':1}");
    phone_say(a, "{'request':'configure','display':'x'}");
    phone_say(a, "{'request':'leave'}");
    phone_say(a, "{'request':'join','ptype':'publisher','room':1,'id':2}");
    const char *told = phone_told(a);
    const char *at = strstr(told, "'id':1");
    static const char *const next[] = { "'exists':true", "'configured':'ok'", "'leaving':'ok'",
                                        "'id':2" };
    for (size_t i = 0; i < sizeof next / sizeof next[0]; i++)
        at = at ? strstr(at, next[i]) : NULL;
    CHECK(at != NULL);
    stage_down(&stage);
}

TEST_OOM(videoroom_publish_without_memory)
{
    struct tr_videoroom_conf conf = conf_default();
    if (stage_up(&stage, tr_videoroom_create(&conf, TR_SECOND)) != TR_OK)
        return TR_ERR_NOMEM;
    struct phone *p = phone();
    bool published = false;
    if (p->handle) {
        phone_say(p, "{'request':'create','room':1,'record':true}");
        phone_say(p, "{'request':'join','ptype':'publisher','room':1,'display':'x'}");
        offer(p, "{'request':'publish','descriptions':[{'mid':'0','description':'d'}]}",
              fixture("chrome-offer-av.sdp"));
        published = strstr(phone_told(p), "'description':'d'") != NULL;
        up(p);
        (void)phone_told(p);
    }
    stage_down(&stage);
    return published ? TR_OK : TR_ERR_NOMEM;
}
