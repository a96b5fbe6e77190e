/* Goal: publishers and those around them are told what clients of the API expect, whoever joins and
 * publishes, and by whatever way; limits have their errors.
 * Method: phones in rooms over the real core and SDP side, offers of real browsers, doubles for
 * media engine and recorder; transcripts of all that each phone is told. */
#include <stdio.h>

#include "plugin/videoroom/test_room_rig.h"
#include "unit.h"

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
