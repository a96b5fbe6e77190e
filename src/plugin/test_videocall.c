/* Goal: calls between users behave as upstream's clients expect in every state and whoever ends
 * them, and the support desk hears of each call once and in order. Method: the real core and
 * SDP, offers of real browsers, doubles for media and recorder; transcripts of all that each
 * phone is told (test_videocall_scene.h). */
#include <stdio.h>
#include <stdlib.h>

#include "plugin/test_videocall_scene.h"
#include "unit.h"

/* --- register and list --- */

TEST(videocall_register_and_list)
{
    struct scene t;
    idle(&t);
    phone_say(t.c, "{'request':'list'}");
    const char *told = phone_told(t.c);
    CHECK(strcmp(told, "ack; #t {'result':{'list':['anna','bert']}}") == 0 ||
          strcmp(told, "ack; #t {'result':{'list':['bert','anna']}}") == 0);
    say(t.c, "register", "anna");
    TOLD(t.c, "ack; #t error 476");
    CHECK(strstr(t.c->error, " already taken") != NULL); /* the demo page looks for this */
    say(t.c, "REGISTER", "carl");
    TOLD(t.c, "ack; #t {'result':{'event':'registered','username':'carl'}}");
    say(t.c, "register", "cora");
    TOLD(t.c, "ack; #t error 477");
    phone_verb(t.c, "detach");
    TOLD(t.c, "success; detached");
    say(t.a, "call", "carl");
    TOLD(t.a, "ack; #t error 478");
    struct phone *d = stage_phone(&t.s, PACKAGE, NULL); /* the name is free again */
    say(d, "register", "carl");
    TOLD(d, "ack; #t {'result':{'event':'registered','username':'carl'}}");
    down(&t);
}

TEST(videocall_names_long_and_hostile)
{
    static const char *const odd[] = { "<script>alert(1)</script>", "a b; drop table", "\\u0001\\n",
                                       "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7", "%s%n%d" };
    struct scene t;
    char name[400];
    idle(&t);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct phone *p = stage_phone(&t.s, PACKAGE, t.c);
        say(p, "register", odd[i]);
        call(t.a, odd[i]);
        CHECK(strstr(phone_told(t.a), "calling") != NULL);
        phone_say(t.a, "{'request':'hangup'}");
        phone_verb(p, "detach");
        hush(&t);
    }
    memset(name, 'x', sizeof name);
    name[128] = '\0';
    say(t.c, "register", name);
    TOLD(t.c, "ack; #t error 474");
    call(t.a, name);
    TOLD(t.a, "ack; #t error 478; hangup Close PC");
    name[127] = '\0';
    say(t.c, "register", name);
    CHECK(strstr(phone_told(t.c), "registered") != NULL);
    call(t.a, name);
    CHECK(strstr(phone_told(t.a), "calling") != NULL);
    name[126] = '\0'; /* a name that differs behind what a map's key holds */
    call(t.b, name);
    TOLD(t.b, "ack; #t error 478; hangup Close PC");
    struct phone *d = stage_phone(&t.s, PACKAGE, NULL);
    name[126] = 'x';
    say(d, "register", name);
    TOLD(d, "ack; #t error 476");
    say(d, "register", "");
    TOLD(d, "ack; #t error 474");
    down(&t);
}

/* --- errors --- */

TEST(videocall_errors_of_form)
{
    static const struct {
        const char *body;
        int code;
    } wrong[] = {
        { "{}", 475 },
        { "{'request':7}", 474 },
        { "{'request':'dance'}", 472 },
        { "{'request':'register'}", 475 },
        { "{'request':'register','username':5}", 474 },
        { "{'request':'register','username':null}", 475 },
        { "{'request':'call'}", 475 },
        { "{'request':'call','username':['bert']}", 474 },
        { "{'request':'call','username':'bert'}", 482 },
        { "{'request':'call','username':'anna'}", 479 },
        { "{'request':'call','username':'nobody'}", 478 },
        { "{'request':'call','username':''}", 478 },
        { "{'request':'accept'}", 481 },
        { "{'request':'set','audio':1}", 474 },
        { "{'request':'set','video':'on'}", 474 },
        { "{'request':'set','bitrate':-1}", 474 },
        { "{'request':'set','record':'yes'}", 474 },
        { "{'request':'set','filename':{}}", 474 },
        { "{'request':'set','restart':0}", 474 },
        { "{'request':'set','substream':3}", 474 },
        { "{'request':'set','temporal':-1}", 474 },
        { "{'request':'set','fallback':'x'}", 474 },
        { "{'request':'hangup','reason':5}", 474 },
    };
    struct scene t;
    idle(&t);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char want[64];
        snprintf(want, sizeof want, "ack; #t error %d", wrong[i].code);
        phone_say(t.a, wrong[i].body);
        if (!CHECK(strcmp(phone_told(t.a), want) == 0))
            unit_note("    %s: %s", wrong[i].body, t.a->text);
    }
    CHECK_STR(desk, "");
    down(&t);
}

/* A refused call ends the PeerConnection that the caller has begun. */
TEST(videocall_errors_of_call_close_the_pc)
{
    struct scene t;
    idle(&t);
    call(t.c, "bert");
    TOLD(t.c, "ack; #t error 473; hangup Close PC");
    call(t.a, "anna");
    TOLD(t.a, "ack; #t error 479; hangup Close PC");
    call(t.a, "nobody");
    TOLD(t.a, "ack; #t error 478; hangup Close PC");
    phone_send(t.a, "{'request':'call'}", "offer", fixture("chrome-offer-av.sdp"), false);
    TOLD(t.a, "ack; #t error 475; hangup Close PC");
    phone_send(t.a, "{'request':'call','username':1}", "offer", fixture("chrome-offer-av.sdp"),
               false);
    TOLD(t.a, "ack; #t error 474; hangup Close PC");
    CHECK_INT(engine_peers(), 0);
    call_with(t.a, "bert", "v=0 rubbish", false);
    TOLD(t.a, "API error 465");
    engine.refuse_peers = true;
    call(t.a, "bert");
    TOLD(t.a, "ack; #t error 483");
    engine.refuse_peers = false;
    TOLD(t.b, "");
    CHECK_STR(desk, "");
    down(&t);
}

TEST(videocall_offer_with_nothing_in_common)
{
    struct scene t;
    idle(&t);
    char *sdp = strdup(fixture("chrome-offer-audio.sdp"));
    static const char *const codecs[] = { "opus", "G722", "PCMU", "PCMA" };
    for (int i = 0; i < 4; i++) {
        char *next = strdup(replaced(sdp, codecs[i], "nosuch"));
        free(sdp);
        sdp = next;
    }
    call_with(t.a, "bert", sdp, false);
    free(sdp);
    TOLD(t.a, "ack; #t error 483; hangup Close PC");
    TOLD(t.b, ""); /* who was called hears nothing of it */
    CHECK_INT(engine_peers(), 0);
    call(t.a, "bert"); /* and both still work */
    TOLD(t.a, "ack; #t {'result':{'event':'calling'}}");
    down(&t);
}

/* --- a call --- */

TEST(videocall_call_accept_hangup)
{
    struct scene t;
    idle(&t);
    call_with(t.a, "bert", fixture("chrome-offer-av-data.sdp"), false);
    TOLD(t.a, "ack; #t {'result':{'event':'calling'}}");
    TOLD(t.b, "{'result':{'event':'incomingcall','username':'anna'}} +offer");
    CHECK_INT(engine_peers(), 2);
    CHECK_INT(engine_routes(), 0);
    CHECK(strstr(t.b->sdp, "a=ice-lite") != NULL);
    CHECK(strstr(t.b->sdp, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel") != NULL);
    CHECK(strstr(t.b->sdp, "ujVMKggJl7XK60NFv9YYF") == NULL); /* nothing of anna's transport */
    accept_call(t.b);
    TOLD(t.b, "ack; #t {'result':{'event':'accepted'}}");
    TOLD(t.a, "{'result':{'event':'accepted','username':'bert'}} +answer");
    CHECK_INT(engine_routes(), 4);
    for (int i = 0; i < 2; i++)
        CHECK(engine_route(t.a->handle, t.b->handle, i) &&
              engine_route(t.b->handle, t.a->handle, i));
    CHECK(engine.peers[0].remote && engine.peers[1].remote);
    const struct double_data_route *there = engine_data_route(t.a->handle, t.b->handle);
    const struct double_data_route *back = engine_data_route(t.b->handle, t.a->handle);
    CHECK(there && there->patient && !there->prefix[0] && !there->label[0]);
    CHECK(back && back->patient);
    phone_say(t.a, "{'request':'hangup'}");
    TOLD(t.a, "ack; #t {'result':{'event':'hangup','reason':'Explicit hangup','username':'anna'}}; "
              "hangup Close PC");
    TOLD(t.b, "{'result':{'event':'hangup','reason':'We did the hangup','username':'anna'}}; "
              "hangup Close PC");
    CHECK_INT(engine_peers(), 0);
    CHECK_STR(desk, "ringing 1 anna>bert; answered 1 anna>bert; ended 1 We did the hangup");
    call(t.b, "anna"); /* the other way round, on the same handles */
    hush(&t);
    call(t.a, "bert");
    hush(&t);
    down(&t);
}

TEST(videocall_every_state_ends_once)
{
    static void (*const states[])(struct scene *) = { ringing, talking };
    for (int state = 0; state < 2; state++) {
        for (int side = 0; side < 2; side++) {
            for (int way = 0; way < 6; way++) {
                struct scene t;
                states[state](&t);
                struct phone *one = side ? t.b : t.a, *other = side ? t.a : t.b;
                char want[256], ends[128];
                const char *reason = way == 0 ? "We did the hangup" : "Remote WebRTC hangup";
                switch (way) {
                case 0: phone_say(one, "{'request':'hangup'}"); break;
                case 1: phone_verb(one, "hangup"); break;
                case 2: phone_verb(one, "detach"); break;
                case 3: phone_verb(one, "destroy"); break;
                case 4: media_down(&t, one); break;
                default: tr_gateway_client_gone(t.s.gw, t.s.now, &one->client); break;
                }
                snprintf(want, sizeof want,
                         "{'result':{'event':'hangup','reason':'%s','username':'%s'}}; "
                         "hangup Close PC",
                         reason, side ? "bert" : "anna");
                TOLD(other, want);
                snprintf(ends, sizeof ends, "ended 1 %s", reason);
                const char *last = strstr(desk, "ended");
                CHECK_STR(last, ends);
                CHECK((strstr(desk, "answered") != NULL) == (state == 1));
                CHECK_INT(engine_peers(), 0);
                CHECK_INT(engine_routes(), 0);
                down(&t);
                CHECK_STR(last, ends); /* nothing more at the end of all */
            }
        }
    }
}

TEST(videocall_session_timeout)
{
    struct scene t;
    talking(&t);
    for (int i = 0; i < 4; i++) {
        stage_sleep(&t.s, 20 * TR_SECOND);
        phone_verb(t.b, "trickle"); /* whatever it says keeps the session */
        (void)phone_told(t.b);
        if (!t.a->handle)
            break;
    }
    CHECK(t.a->handle == NULL && t.b->handle != NULL);
    CHECK_STR(desk, "ringing 1 anna>bert; answered 1 anna>bert; ended 1 Remote WebRTC hangup");
    say(t.b, "call", "anna");
    TOLD(t.b, "ack; #t error 478");
    down(&t);
}

TEST(videocall_both_on_one_session)
{
    struct scene t;
    idle(&t);
    struct phone *d = stage_phone(&t.s, PACKAGE, t.a);
    say(d, "register", "dora");
    call(t.a, "dora");
    CHECK_STR(desk, "ringing 1 anna>dora");
    phone_verb(t.a, "destroy");
    CHECK_STR(desk, "ringing 1 anna>dora; ended 1 Remote WebRTC hangup");
    CHECK_INT(engine_peers(), 0);
    down(&t);
}

TEST(videocall_decline)
{
    struct scene t;
    ringing(&t);
    phone_say(t.b, "{'request':'hangup','reason':'not now'}");
    TOLD(t.b, "ack; #t {'result':{'event':'hangup','reason':'Explicit hangup','username':'bert'}}; "
              "hangup Close PC");
    TOLD(t.a,
         "{'result':{'event':'hangup','reason':'not now','username':'bert'}}; hangup Close PC");
    CHECK_STR(desk, "ringing 1 anna>bert; ended 1 not now");
    down(&t);
}

TEST(videocall_hangup_without_a_call)
{
    struct scene t;
    idle(&t);
    phone_say(t.a, "{'request':'hangup'}");
    TOLD(t.a, "ack; #t {'result':{'event':'hangup','reason':'Explicit hangup','username':'anna'}}");
    phone_say(t.c, "{'request':'hangup'}"); /* not even a name */
    TOLD(t.c, "ack; #t {'result':{'event':'hangup','reason':'Explicit hangup'}}");
    CHECK_STR(desk, "");
    down(&t);
}

TEST(videocall_hangup_reason_is_cut_at_a_character)
{
    struct scene t;
    char body[2048] = "{'request':'hangup','reason':'a";
    talking(&t);
    for (int i = 0; i < 300; i++)
        strcat(body, "\xc3\xa9");
    strcat(body, "'}");
    phone_say(t.a, body);
    CHECK(strstr(phone_told(t.b), "'username':'anna'") != NULL);
    CHECK(strstr(t.b->text, "'reason':'a\xc3\xa9\xc3\xa9") != NULL);
    down(&t);
}

TEST(videocall_busy)
{
    struct scene t;
    ringing(&t);
    say(t.c, "register", "carl");
    (void)phone_told(t.c);
    static const char *const busy[] = { "anna", "bert" };
    for (int i = 0; i < 2; i++) {
        call(t.c, busy[i]);
        TOLD(t.c, "ack; #t {'result':{'event':'hangup','reason':'User busy','username':'carl'}}; "
                  "hangup Close PC");
    }
    TOLD(t.a, "");
    TOLD(t.b, "");
    CHECK_STR(desk, "ringing 1 anna>bert");
    CHECK_INT(engine_peers(), 2);
    down(&t);
}

/* As upstream: who calls while in a call loses that one too. */
TEST(videocall_call_within_a_call)
{
    struct scene t;
    talking(&t);
    say(t.c, "register", "carl");
    (void)phone_told(t.c);
    call(t.a, "carl");
    TOLD(t.a, "ack; #t error 480; hangup Close PC");
    TOLD(t.b, "{'result':{'event':'hangup','reason':'Remote WebRTC hangup','username':'anna'}}; "
              "hangup Close PC");
    TOLD(t.c, "");
    down(&t);
}

TEST(videocall_accept_errors)
{
    struct scene t;
    ringing(&t);
    phone_say(t.b, "{'request':'accept'}");
    TOLD(t.b, "ack; #t error 482");
    phone_send(t.b, "{'request':'accept'}", "offer", fixture("chrome-offer-av.sdp"), false);
    TOLD(t.b, "ack; #t error 483");
    phone_send(t.b, "{'request':'accept'}", "answer", fixture("chrome-offer-audio.sdp"), false);
    TOLD(t.b, "API error 465"); /* not an answer to that offer */
    phone_send(t.a, "{'request':'accept'}", "answer", phone_answer(t.b), false);
    TOLD(t.a, "API error 469"); /* the caller has not been offered anything */
    phone_say(t.a, "{'request':'accept'}");
    TOLD(t.a, "ack; #t error 481");
    CHECK_STR(desk, "ringing 1 anna>bert"); /* it still rings */
    accept_call(t.b);
    TOLD(t.b, "ack; #t {'result':{'event':'accepted'}}");
    phone_say(t.b, "{'request':'accept'}");
    TOLD(t.b, "ack; #t error 481");
    down(&t);
}

TEST(videocall_answer_that_cannot_be_used_ends_the_call)
{
    struct scene t;
    ringing(&t);
    engine.refuse_tracks = true;
    accept_call(t.b);
    TOLD(t.b, "ack; #t error 483; hangup Close PC");
    TOLD(t.a, "{'result':{'event':'hangup','reason':'The answer could not be used',"
              "'username':'bert'}}; hangup Close PC");
    CHECK_STR(desk, "ringing 1 anna>bert; ended 1 The answer could not be used");
    CHECK_INT(engine_peers(), 0);
    down(&t);
}

TEST(videocall_e2ee_is_passed_on)
{
    struct scene t;
    idle(&t);
    call_with(t.a, "bert", fixture("chrome-offer-av.sdp"), true);
    TOLD(t.b, "{'result':{'event':'incomingcall','username':'anna'}} +offer e2ee");
    phone_send(t.b, "{'request':'accept'}", "answer", phone_answer(t.b), true);
    (void)phone_told(t.b);
    TOLD(t.a, "ack; #t {'result':{'event':'calling'}}; "
              "{'result':{'event':'accepted','username':'bert'}} +answer e2ee");
    phone_send(t.a, "{'request':'set'}", "offer", fixture("chrome-offer-av.sdp"), true);
    TOLD(t.b, "{'result':{'event':'update'}} +offer e2ee");
    down(&t);
}

/* --- memory --- */

TEST(videocall_without_observer_and_recorder)
{
    struct stage s;
    CHECK_INT(stage_up(&s, tr_videocall_create(NULL, NULL)), TR_OK);
    struct phone *a = stage_phone(&s, PACKAGE, NULL), *b = stage_phone(&s, PACKAGE, NULL);
    say(a, "register", "anna");
    say(b, "register", "bert");
    phone_say(a, "{'request':'set','record':true}");
    connect_call(a, b, "bert", "chrome-offer-av.sdp");
    CHECK_INT(engine_routes(), 4);
    CHECK_INT(engine.recording_count, 0);
    phone_say(b, "{'request':'hangup'}");
    stage_down(&s);
}

TEST_OOM(videocall_without_memory)
{
    struct stage s;
    enum tr_err err = stage_up(&s, tr_videocall_create(&observer, recorder));
    desk[0] = '\0';
    if (err == TR_OK) {
        struct phone *a = stage_phone(&s, PACKAGE, NULL), *b = stage_phone(&s, PACKAGE, NULL);
        if (a->handle)
            say(a, "register", "anna");
        if (b->handle)
            say(b, "register", "bert");
        if (a->handle)
            call(a, "bert");
        (void)phone_told(b);
        if (b->handle && b->sdp)
            accept_call(b);
        err = strstr(phone_told(a), "'accepted'") ? TR_OK : TR_ERR_NOMEM;
    }
    stage_down(&s);
    return err;
}
