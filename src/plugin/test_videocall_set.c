/* Goal: what changes within a call (wishes, new offers of either side, layers, recording) reaches
 * the media engine and the other phone, and nobody else.
 * Method: as in test_videocall.c. */
#include <stdlib.h>

#include "plugin/test_videocall_scene.h"
#include "unit.h"

static void set_offer_of(struct phone *p, const char *offer)
{
    phone_send(p, "{'request':'set'}", "offer", fixture(offer), false);
}

static void set_offer(struct phone *p)
{
    set_offer_of(p, "chrome-offer-av.sdp");
}

static void set_answer(struct phone *p)
{
    phone_send(p, "{'request':'set'}", "answer", phone_answer(p), false);
}

/* --- set --- */

TEST(videocall_set_reaches_the_routes)
{
    struct scene t;
    talking(&t);
    phone_say(t.a, "{'request':'set','audio':false,'bitrate':256000}");
    TOLD(t.a, "ack; #t {'result':{'event':'set'}}");
    TOLD(t.b, "");
    const struct double_route *out = engine_route(t.a->handle, t.b->handle, 0);
    const struct double_route *in = engine_route(t.b->handle, t.a->handle, 1);
    CHECK(out && out->conf.paused);
    CHECK(in && !in->conf.paused);
    CHECK_INT(engine_peer(out->source.peer)->bitrate, 256000);
    CHECK_INT(engine_peer(out->sink.peer)->bitrate, 0);
    phone_say(t.a,
              "{'request':'set','substream':1,'temporal':0,'fallback':0}"); /* of what it gets */
    CHECK_INT(in->conf.substream_max, 1);
    CHECK_INT(in->conf.temporal_max, 0);
    CHECK_INT(engine_route(t.a->handle, t.b->handle, 1)->conf.substream_max, 2);
    phone_say(t.a, "{'request':'set','audio':true}");
    CHECK(!out->conf.paused);
    phone_say(t.a, "{'request':'hangup'}");
    connect_call(t.a, t.b, "bert", "chrome-offer-av.sdp"); /* a new call, new wishes */
    in = engine_route(t.b->handle, t.a->handle, 1);
    CHECK(in && in->conf.substream_max == 2);
    down(&t);
}

TEST(videocall_set_before_the_call)
{
    struct scene t;
    idle(&t);
    phone_say(t.b, "{'request':'set','video':false}");
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}");
    phone_say(t.c, "{'request':'set'}"); /* nobody, nothing */
    TOLD(t.c, "ack; #t {'result':{'event':'set'}}");
    connect_call(t.a, t.b, "bert", "chrome-offer-av.sdp");
    const struct double_route *r = engine_route(t.b->handle, t.a->handle, 1);
    CHECK(r && r->conf.paused);
    down(&t);
}

TEST(videocall_renegotiation_by_the_caller)
{
    struct scene t;
    talking_by(&t, "chrome-offer-pair-audio.sdp");
    CHECK_INT(engine_routes(), 2);
    set_offer_of(t.a, "chrome-offer-pair-added.sdp");
    TOLD(t.a, "ack; #t {'result':{'event':'set'}}");
    TOLD(t.b, "{'result':{'event':'update'}} +offer");
    CHECK_INT(engine_routes(), 2); /* nothing changes before the answer */
    set_answer(t.b);
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}");
    TOLD(t.a, "{'result':{'event':'update'}} +answer");
    CHECK_INT(engine_routes(), 4);
    CHECK_INT(engine_peers(), 2);
    CHECK_STR(desk, "ringing 1 anna>bert; answered 1 anna>bert; answered 1 anna>bert");
    down(&t);
}

TEST(videocall_renegotiation_by_the_callee)
{
    struct scene t;
    talking(&t);
    phone_send(t.b, "{'request':'set','restart':true}", "offer", fixture("chrome-offer-av.sdp"),
               false);
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}");
    TOLD(t.a, "{'result':{'event':'update'}} +offer");
    CHECK_INT(engine.peers[1].restarts, 1); /* bert's leg alone has new credentials */
    CHECK_INT(engine.peers[0].restarts, 0);
    set_answer(t.a);
    TOLD(t.b, "{'result':{'event':'update'}} +answer");
    CHECK_INT(engine_routes(), 4);
    down(&t);
}

/* Whichever comes first, the caller's offer stands. */
TEST(videocall_offers_that_cross)
{
    struct scene t;
    talking(&t);
    set_offer(t.a);
    set_offer(t.b);
    TOLD(t.b, "{'result':{'event':'update'}} +offer; ack; #t error 483");
    TOLD(t.a, "ack; #t {'result':{'event':'set'}}");
    set_answer(t.b);
    TOLD(t.a, "{'result':{'event':'update'}} +answer");
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}");

    set_offer(t.b);
    set_offer(t.a);
    TOLD(t.a, "{'result':{'event':'update'}} +offer; ack; #t {'result':{'event':'set'}}");
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}; {'result':{'event':'update'}} +offer");
    set_answer(t.a); /* to the one that is forgotten */
    TOLD(t.a, "ack; #t error 483");
    set_answer(t.b);
    TOLD(t.a, "{'result':{'event':'update'}} +answer");
    CHECK_INT(engine_routes(), 4);
    (void)phone_told(t.b);

    set_offer(t.b); /* and all is as before */
    (void)phone_told(t.a);
    set_answer(t.a);
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}; {'result':{'event':'update'}} +answer");
    down(&t);
}

TEST(videocall_offer_that_nobody_answers)
{
    struct scene t;
    talking(&t);
    set_offer(t.a);
    hush(&t);
    stage_sleep(&t.s, 11 * TR_SECOND);
    set_offer(t.b);
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}");
    TOLD(t.a, "{'result':{'event':'update'}} +offer");
    set_answer(t.a);
    TOLD(t.b, "{'result':{'event':'update'}} +answer");
    down(&t);
}

TEST(videocall_renegotiation_errors)
{
    struct scene t;
    ringing(&t);
    set_offer(t.a);
    TOLD(t.a, "ack; #t error 481"); /* not answered yet */
    set_offer(t.c);
    TOLD(t.c, "ack; #t error 481");
    accept_call(t.b);
    hush(&t);
    set_offer_of(t.a, "chrome-offer-audio.sdp");
    TOLD(t.a, "ack; #t error 483"); /* m-lines may not go */
    TOLD(t.b, "");
    phone_send(t.a, "{'request':'set'}", "answer", phone_answer(t.b), false);
    TOLD(t.a, "API error 469");
    CHECK_INT(engine_routes(), 4); /* the call goes on */
    down(&t);
}

/* An answer that takes nothing ends no call, but holds for nothing either: the next offer of the
 * same side is compared with what held before. */
TEST(videocall_answer_that_takes_nothing)
{
    struct scene t;
    talking(&t);
    set_offer(t.a);
    hush(&t);
    char *refusal = strdup(replaced(phone_answer(t.b), " 9 UDP/", " 0 UDP/"));
    phone_send(t.b, "{'request':'set'}", "answer", refusal, false);
    free(refusal);
    TOLD(t.b, "ack; #t error 483");
    set_offer(t.b);
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}");
    TOLD(t.a, "{'result':{'event':'update'}} +offer");
    down(&t);
}

/* --- events of the media engine --- */

TEST(videocall_simulcast_events)
{
    struct scene t;
    talking_by(&t, "chrome-offer-simulcast.sdp");
    struct tr_media_event e = {
        .kind = TR_MEDIA_LAYER, .mline = 1, .substream = 1, .temporal = -1
    };
    stage_media(&t.s, e, t.b);
    TOLD(t.b, "{'result':{'event':'simulcast','substream':1,'videocodec':'vp8'}}");
    e.substream = -1, e.temporal = 2;
    stage_media(&t.s, e, t.b);
    TOLD(t.b, "{'result':{'event':'simulcast','temporal':2,'videocodec':'vp8'}}");
    phone_say(t.b, "{'request':'set','substream':1}");
    TOLD(t.b, "ack; {'result':{'event':'simulcast','substream':1,'videocodec':'vp8'}}; "
              "#t {'result':{'event':'set'}}");
    phone_say(t.b, "{'request':'set','substream':2}");
    TOLD(t.b, "ack; #t {'result':{'event':'set'}}");
    TOLD(t.a, "");
    down(&t);
}

TEST(videocall_slow_link)
{
    struct scene t;
    talking(&t);
    phone_say(t.a, "{'request':'set','bitrate':99}");
    (void)phone_told(t.a);
    struct tr_media_event e = { .kind = TR_MEDIA_SLOW_LINK, .mline = 1, .uplink = true, .lost = 9 };
    stage_media(&t.s, e, t.a);
    TOLD(t.a, "slowlink; "
              "{'result':{'current-bitrate':99,'event':'slow_link','media':'video'}}");
    e.mline = 0;
    stage_media(&t.s, e, t.a);
    TOLD(t.a, "slowlink; "
              "{'result':{'current-bitrate':99,'event':'slow_link','media':'audio'}}");
    e.uplink = false;
    stage_media(&t.s, e, t.a);
    TOLD(t.a, "slowlink");
    down(&t);
}

/* --- recording --- */

TEST(videocall_recording)
{
    struct scene t;
    ringing(&t);
    phone_say(t.a, "{'request':'set','record':true}");
    CHECK_INT(engine.recording_count, 0); /* nothing flows yet */
    accept_call(t.b);
    CHECK_INT(engine_recordings(), 1);
    CHECK_STR(engine.recordings[0].plugin, PACKAGE);
    CHECK_STR(engine.recordings[0].name, "anna");
    CHECK_STR(engine.recordings[0].last.label, "anna");
    phone_say(t.b, "{'request':'set','record':true,'filename':'mine'}"); /* each side its own */
    CHECK_INT(engine_recordings(), 2);
    CHECK_STR(engine.recordings[1].name, "mine");
    phone_say(t.a, "{'request':'set','record':false}");
    CHECK_INT(engine_recordings(), 1);
    phone_say(t.a, "{'request':'hangup'}"); /* ends bert's as well */
    CHECK_INT(engine_recordings(), 0);
    down(&t);
}

TEST(videocall_recording_of_a_long_name)
{
    struct scene t;
    char name[130] = "a";
    idle(&t);
    while (strlen(name) < 126)
        strcat(name, "\xc3\xa9");
    say(t.c, "register", name);
    phone_say(t.c, "{'request':'set','record':true}");
    connect_call(t.c, t.b, "bert", "chrome-offer-av.sdp");
    CHECK_INT(engine.recordings[0].tracks, 2);
    json_t *label = json_string(engine.recordings[0].last.label);
    CHECK(label && json_string_length(label) > 60); /* still UTF-8 */
    json_decref(label);
    down(&t);
}

/* --- Admin API --- */

static void check_query(const struct phone *p, const char *state, const char *peer)
{
    json_t *q = phone_query(p);
    CHECK_STR(json_string_value(json_object_get(q, "state")), state);
    CHECK_STR(json_is_null(json_object_get(q, "peer"))
                  ? "-"
                  : json_string_value(json_object_get(q, "peer")),
              peer);
    json_decref(q);
}

TEST(videocall_query)
{
    struct scene t;
    ringing(&t);
    check_query(t.a, "ringing", "bert");
    check_query(t.c, "idle", "-");
    accept_call(t.b);
    check_query(t.b, "incall", "anna");
    phone_say(t.b, "{'request':'set','bitrate':7,'record':true,'video':false}");
    json_t *q = phone_query(t.b);
    CHECK_STR(json_string_value(json_object_get(q, "username")), "bert");
    CHECK_INT(json_integer_value(json_object_get(q, "bitrate")), 7);
    CHECK(json_is_false(json_object_get(q, "video_active")));
    CHECK(json_is_true(json_object_get(q, "recording")));
    json_decref(q);
    down(&t);
}
