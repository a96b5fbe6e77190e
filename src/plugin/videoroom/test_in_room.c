/* Goal: who is in a room and those around them are told what clients of the API expect: settings
 * that change, going and being sent away, moderation, recording.
 * Method: as in test_publishers.c. */
#include <stdio.h>

#include "base/assert.h"
#include "plugin/videoroom/test_room_rig.h"
#include "unit.h"

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
