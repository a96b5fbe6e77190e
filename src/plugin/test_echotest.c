/* Goal: the echo test speaks as clients of upstream's expect, and what it asks of the media
 * engine is what was agreed. Method: the real core and SDP, offers of real browsers, doubles for
 * media and recorder; transcripts of all that a client is told. */
#include "base/mem.h"
#include "base/utf8.h"
#include "media/media.h"
#include "plugin/echotest.h"
#include "plugin/test_double.h"
#include "unit.h"

#define TOLD(phone, text) CHECK_STR(phone_told(phone), text)

static struct tr_recorder *const recorder = (struct tr_recorder *)&engine;

static struct phone *up(struct stage *stage, struct tr_recorder *rec)
{
    CHECK_INT(stage_up(stage, tr_echotest_create(rec)), TR_OK);
    return stage_phone(stage, "janus.plugin.echotest", NULL);
}

static void offer(struct phone *p, const char *body, const char *file)
{
    phone_send(p, body, "offer", fixture(file), false);
}

TEST(echotest_demo_page_start)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    phone_say(p, "{'audio':true,'video':true}"); /* the page sends this before its offer */
    TOLD(p, "ack; #t {'result':'ok'}");
    CHECK_INT(engine_peers(), 0);
    offer(p, "{'audio':true,'video':true}", "chrome-offer-av-data.sdp");
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine_peers(), 1);
    CHECK_INT(engine_routes(), 2);
    CHECK(engine_route(p->handle, p->handle, 0) && engine_route(p->handle, p->handle, 1));
    CHECK(strstr(p->sdp, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel") != NULL);
    CHECK(strstr(p->sdp, "a=sctp-port:5000") && strstr(p->sdp, "a=max-message-size:262144"));
    CHECK_INT(engine.peers[0].data.port, 5000);
    CHECK_INT(engine.peers[0].data.message_max, 262144);
    const struct double_data_route *data = engine_data_route(p->handle, p->handle);
    CHECK(data && data->patient && strcmp(data->prefix, "Janus EchoTest here! You wrote: ") == 0);
    phone_say(p, "{'bitrate':128000}");
    CHECK(engine_data_route(p->handle, p->handle) == data); /* it stays */
    TOLD(p, "ack; #t {'result':'ok'}");
    CHECK(engine.peers[0].remote);
    stage_media(&s, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, p);
    TOLD(p, "webrtcup");
    phone_verb(p, "hangup");
    TOLD(p, "success; hangup Janus API; {'result':'done'}");
    CHECK_INT(engine_peers(), 0);
    CHECK_INT(engine_routes(), 0);
    CHECK(!engine.data_routes[0].live);
    stage_down(&s);
}

TEST(echotest_without_data_channels_has_no_route_for_them)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    offer(p, "{'audio':true}", "chrome-offer-av.sdp");
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine.data_route_count, 0);
    CHECK_INT(engine.peers[0].data.port, 0);
    stage_down(&s);
}

TEST(echotest_e2ee_is_passed_on)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    phone_send(p, "{'audio':true}", "offer", fixture("chrome-offer-av.sdp"), true);
    TOLD(p, "ack; #t {'result':'ok'} +answer e2ee");
    stage_down(&s);
}

TEST(echotest_wishes_reach_the_routes)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    phone_say(p, "{'video':false,'bitrate':128000}");
    offer(p, "{'substream':1,'temporal':0,'fallback':500000}", "chrome-offer-simulcast.sdp");
    TOLD(p, "ack; #t {'result':'ok'}; ack; #t {'result':'ok'} +answer");
    const struct double_route *audio = engine_route(p->handle, p->handle, 0);
    const struct double_route *video = engine_route(p->handle, p->handle, 1);
    if (!CHECK(audio && video))
        return;
    CHECK(!audio->conf.paused);
    CHECK(video->conf.paused);
    CHECK_INT(video->conf.substream_max, 1);
    CHECK_INT(video->conf.temporal_max, 0);
    CHECK_INT(video->conf.fallback_us, 500000);
    CHECK_INT(engine.peers[0].bitrate, 128000);
    int made = engine.route_count;
    phone_say(p, "{'video':true,'audio':false,'substream':2,'temporal':2,'bitrate':0}");
    CHECK(audio->conf.paused && !video->conf.paused);
    CHECK_INT(video->conf.substream_max, 2);
    CHECK_INT(video->conf.temporal_max, 3); /* no bound */
    CHECK_INT(engine.peers[0].bitrate, 0);
    CHECK_INT(engine.route_count, made);
    phone_say(p, "{'bitrate':4000000000000,'fallback':9000000000000}"); /* bounded, not refused */
    TOLD(p, "ack; #t {'result':'ok'}; ack; #t {'result':'ok'}");
    CHECK(engine.peers[0].bitrate >= 1000000000);
    CHECK_INT(video->conf.fallback_us, 60 * TR_SECOND);
    stage_down(&s);
}

TEST(echotest_codec_that_was_asked_for)
{
    static const char *const codecs[] = { "vp8", "vp9", "h264", "av1" };
    static const char *const names[] = { "VP8/90000", "VP9/90000", "H264/90000", "AV1/90000" };
    for (int i = 0; i < 4; i++) {
        struct stage s;
        char body[128];
        struct phone *p = up(&s, NULL);
        snprintf(body, sizeof body, "{'audiocodec':'opus','videocodec':'%s'}", codecs[i]);
        offer(p, body, "chrome-offer-av.sdp");
        TOLD(p, "ack; #t {'result':'ok'} +answer");
        CHECK(strstr(p->sdp, names[i]) != NULL);
        CHECK(strstr(p->sdp, names[(i + 1) % 4]) == NULL);
        stage_down(&s);
    }
}

TEST(echotest_wishes_without_effect_are_accepted)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    phone_say(p, "{'svc':true,'spatial_layer':1,'temporal_layer':1,'videoprofile':'42e01f',"
                 "'opusred':true,'min_delay':-1,'max_delay':20,'audiocodec':'nosuch'}");
    TOLD(p, "ack; #t {'result':'ok'}");
    phone_say(p, "{'audio':null,'video':true}"); /* null is as absent */
    TOLD(p, "ack; #t {'result':'ok'}");
    stage_down(&s);
}

TEST(echotest_errors)
{
    static const char *const wrong[] = {
        "{'audio':1}",
        "{'video':'yes'}",
        "{'bitrate':-1}",
        "{'bitrate':1.5}",
        "{'record':'on'}",
        "{'record':true,'filename':7}",
        "{'substream':'2'}",
        "{'substream':3}",
        "{'substream':-1}",
        "{'temporal':3}",
        "{'temporal':[]}",
        "{'fallback':-5}",
        "{'svc':1}",
        "{'spatial_layer':-1}",
        "{'temporal_layer':{}}",
        "{'audiocodec':false}",
        "{'videocodec':8}",
        "{'videoprofile':[]}",
        "{'opusred':'x'}",
        "{'min_delay':'x'}",
        "{'max_delay':0.5}",
        "{'substream':4294967298}",
        "{}",
        "{'request':'echo'}",
    };
    struct stage s;
    struct phone *p = up(&s, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        phone_say(p, wrong[i]);
        if (!CHECK(strcmp(phone_told(p), "ack; #t error 413") == 0))
            unit_note("    %s: %s", wrong[i], p->text);
    }
    offer(p, "{'substream':7}", "chrome-offer-av.sdp"); /* nothing was begun */
    TOLD(p, "ack; #t error 413");
    CHECK_INT(engine_peers(), 0);
    stage_down(&s);
}

TEST(echotest_wrong_sdp)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    phone_send(p, "{'audio':true}", "answer", fixture("chrome-offer-av.sdp"), false);
    TOLD(p, "API error 469");
    phone_send(p, "{'audio':true}", "offer", "v=0 what", false);
    TOLD(p, "API error 465");
    phone_send(p, "{'audio':true}", "rollback", "", false);
    TOLD(p, "API error 464");
    const char *odd = replaced(fixture("chrome-offer-audio.sdp"), "opus", "nopus");
    for (const char *const *name = (const char *const[]){ "G722", "PCMU", "PCMA", NULL }; *name;
         name++) {
        char *copy = strdup(odd);
        odd = replaced(copy, *name, "nothing");
        free(copy);
    }
    phone_send(p, "{'audio':true}", "offer", odd, false); /* nothing in common */
    TOLD(p, "ack; #t error 414");                         /* what the offer made went with it */
    CHECK_INT(engine_peers(), 0);
    offer(p, "{'audio':true}", "chrome-offer-av.sdp"); /* and the handle still works */
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    stage_down(&s);
}

TEST(echotest_engine_refuses)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    engine.refuse_peers = true;
    offer(p, "{'audio':true}", "chrome-offer-av.sdp");
    TOLD(p, "ack; #t error 414");
    engine.refuse_peers = false;
    engine.refuse_tracks = true;
    offer(p, "{'audio':true}", "chrome-offer-av.sdp");
    TOLD(p, "ack; #t error 414"); /* what the offer made went with it */
    CHECK_INT(engine_peers(), 0);
    stage_down(&s);
}

TEST(echotest_renegotiation)
{
    struct stage s;
    struct phone *p = up(&s, recorder);
    offer(p, "{'record':true,'filename':'tune'}", "chrome-offer-pair-audio.sdp");
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine_routes(), 1);
    CHECK_INT(engine.recordings[0].tracks, 1);
    offer(p, "{}", "chrome-offer-pair-added.sdp"); /* a jsep alone is enough */
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine_routes(), 2);
    CHECK_INT(engine_peers(), 1);
    CHECK_INT(engine.recording_count, 1);
    CHECK_INT(engine.recordings[0].tracks, 3);       /* both again: the recorder knows the first */
    offer(p, "{}", "chrome-offer-pair-stopped.sdp"); /* the video is gone again */
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine_routes(), 1);
    phone_verb(p, "hangup");
    stage_down(&s);
}

/* A route that begins again asks for a key frame. */
TEST(echotest_hold_and_resume)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    offer(p, "{}", "chrome-offer-av.sdp");
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine_routes(), 2);
    phone_send(p, "{}", "offer",
               replaced(fixture("chrome-offer-av.sdp"), "a=sendrecv", "a=inactive"), false);
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine_routes(), 0);
    offer(p, "{}", "chrome-offer-av.sdp");
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine_routes(), 2);
    stage_down(&s);
}

TEST(echotest_ice_restart)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    offer(p, "{}", "chrome-offer-av.sdp");
    phone_send(p, "{}", "offer", replaced(fixture("chrome-offer-av.sdp"), ":dty9", ":dtyA"), false);
    TOLD(p, "ack; #t {'result':'ok'} +answer; ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine.peers[0].restarts, 1);
    CHECK_INT(engine_peers(), 1);
    stage_down(&s);
}

TEST(echotest_layer_events)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    offer(p, "{'video':true}", "chrome-offer-simulcast.sdp");
    (void)phone_told(p);
    struct tr_media_event e = {
        .kind = TR_MEDIA_LAYER, .mline = 1, .substream = 2, .temporal = -1
    };
    stage_media(&s, e, p);
    TOLD(p, "{'substream':2,'videocodec':'vp8'}");
    e.substream = -1, e.temporal = 1;
    stage_media(&s, e, p);
    TOLD(p, "{'temporal':1,'videocodec':'vp8'}");
    e.substream = 0, e.temporal = 0;
    stage_media(&s, e, p);
    TOLD(p, "{'substream':0,'temporal':0,'videocodec':'vp8'}");
    phone_say(p, "{'substream':0}"); /* what it gets already: the client waits for the word */
    TOLD(p, "ack; {'substream':0,'videocodec':'vp8'}; #t {'result':'ok'}");
    phone_say(p, "{'temporal':0}");
    TOLD(p, "ack; {'temporal':0,'videocodec':'vp8'}; #t {'result':'ok'}");
    phone_say(p, "{'substream':2,'temporal':2}");
    TOLD(p, "ack; #t {'result':'ok'}");
    phone_verb(p, "hangup");
    (void)phone_told(p);
    phone_say(p, "{'substream':0}"); /* forgotten with the PeerConnection */
    TOLD(p, "ack; #t {'result':'ok'}");
    stage_down(&s);
}

TEST(echotest_slow_link)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    offer(p, "{'bitrate':64000}", "chrome-offer-av.sdp");
    (void)phone_told(p);
    struct tr_media_event e = { .kind = TR_MEDIA_SLOW_LINK, .mline = 1, .uplink = true, .lost = 9 };
    stage_media(&s, e, p);
    TOLD(p, "slowlink; {'current-bitrate':64000,'event':'slow_link','media':'video'}");
    e.mline = 0;
    stage_media(&s, e, p);
    TOLD(p, "slowlink; {'event':'slow_link','media':'audio'}");
    e.uplink = false;
    stage_media(&s, e, p);
    TOLD(p, "slowlink");
    e.uplink = true, e.mline = 17;
    stage_media(&s, e, p);
    TOLD(p, "slowlink");
    stage_down(&s);
}

TEST(echotest_recording)
{
    struct stage s;
    struct phone *p = up(&s, recorder);
    phone_say(p, "{'record':true,'filename':'tune'}"); /* there is nothing to record yet */
    CHECK_INT(engine.recording_count, 0);
    offer(p, "{'audio':true}", "chrome-offer-av.sdp");
    CHECK_INT(engine_recordings(), 1);
    CHECK_STR(engine.recordings[0].plugin, "janus.plugin.echotest");
    CHECK_STR(engine.recordings[0].name, "tune");
    CHECK_INT(engine.recordings[0].tracks, 2);
    CHECK_STR(engine.recordings[0].last.codec, "VP8");
    CHECK_INT(engine.recordings[0].last.kind, TR_META_VIDEO);
    CHECK_INT(engine.recordings[0].last.clock, 90000);
    phone_say(p, "{'record':true,'filename':'other'}"); /* goes on */
    CHECK_INT(engine.recording_count, 1);
    phone_say(p, "{'record':false}");
    CHECK_INT(engine_recordings(), 0);
    phone_say(p, "{'record':false}");
    phone_say(p, "{'record':true}");
    CHECK_INT(engine_recordings(), 1);
    CHECK_STR(engine.recordings[1].name, "");
    phone_verb(p, "detach");
    CHECK_INT(engine_recordings(), 0);
    TOLD(p, "ack; #t {'result':'ok'}; ack; #t {'result':'ok'} +answer; ack; #t {'result':'ok'}; "
            "ack; #t {'result':'ok'}; ack; #t {'result':'ok'}; ack; #t {'result':'ok'}; success; "
            "hangup Detach; {'result':'done'}; detached");
    stage_down(&s);
}

TEST(echotest_recording_refused)
{
    struct stage s;
    struct phone *p = up(&s, recorder);
    engine.refuse_recordings = true;
    offer(p, "{'record':true}", "chrome-offer-av.sdp");
    phone_say(p, "{'video':false}");
    phone_say(p, "{'video':true}");
    CHECK_INT(engine.recording_count, 1); /* not tried again until asked again */
    phone_say(p, "{'record':true}");
    CHECK_INT(engine.recording_count, 2);
    stage_down(&s);
}

TEST(echotest_recording_is_off)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    offer(p, "{'record':true}", "chrome-offer-av.sdp");
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK_INT(engine.recording_count, 0);
    stage_down(&s);
}

TEST(echotest_query)
{
    struct stage s;
    struct phone *p = up(&s, recorder);
    phone_say(p, "{'audio':false,'bitrate':5,'substream':0,'temporal':1}");
    offer(p, "{'record':true}", "chrome-offer-av.sdp");
    json_t *q = phone_query(p);
    CHECK(json_is_false(json_object_get(q, "audio_active")));
    CHECK(json_is_true(json_object_get(q, "video_active")));
    CHECK_INT(json_integer_value(json_object_get(q, "bitrate")), 5);
    CHECK_INT(json_integer_value(json_object_get(q, "substream-target")), 0);
    CHECK_INT(json_integer_value(json_object_get(q, "temporal-layer-target")), 1);
    CHECK(json_is_true(json_object_get(q, "recording")));
    json_decref(q);
    stage_down(&s);
}

TEST(echotest_ends_with_its_media_and_its_session)
{
    struct stage s;
    struct phone *p = up(&s, recorder);
    offer(p, "{'record':true,'audio':false}", "chrome-offer-av.sdp");
    (void)phone_told(p);
    stage_media(&s, (struct tr_media_event){ .kind = TR_MEDIA_PEER_DOWN, .reason = "ICE failed" },
                p);
    TOLD(p, "hangup ICE failed; {'result':'done'}");
    CHECK_INT(engine_recordings(), 0);
    offer(p, "{}", "chrome-offer-av.sdp"); /* wishes are new with a new PeerConnection */
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    const struct double_route *r = engine_route(p->handle, p->handle, 0);
    CHECK(r && !r->conf.paused);
    CHECK_INT(engine.recording_count, 1);
    stage_sleep(&s, 61 * TR_SECOND);
    CHECK(p->handle == NULL);
    CHECK_INT(engine_peers(), 0);
    TOLD(p, "timeout");
    stage_down(&s);
}

TEST(echotest_text_is_cut_at_characters)
{
    char out[8];
    tr_utf8_copy(out, sizeof out, "plain");
    CHECK_STR(out, "plain");
    tr_utf8_copy(out, sizeof out, "exactly");
    CHECK_STR(out, "exactly");
    tr_utf8_copy(out, sizeof out, "abcd\xf0\x9f\x98\x80"); /* 8 bytes, the last 4 one character */
    CHECK_STR(out, "abcd");
    tr_utf8_copy(out, sizeof out, "abcdef\xc3\xa9");
    CHECK_STR(out, "abcdef");
    tr_utf8_copy(out, 1, "x");
    CHECK_STR(out, "");
}

TEST_OOM(echotest_without_memory)
{
    struct stage s;
    enum tr_err err = stage_up(&s, tr_echotest_create(recorder));
    if (err == TR_OK) {
        struct phone *p = stage_phone(&s, "janus.plugin.echotest", NULL);
        err = p->handle ? TR_OK : TR_ERR_NOMEM;
        if (p->handle)
            offer(p, "{'record':true}", "chrome-offer-av.sdp");
        if (strcmp(phone_told(p), "ack; #t {'result':'ok'} +answer") != 0)
            err = TR_ERR_NOMEM;
    }
    stage_down(&s);
    return err;
}

static int remote_candidates(const struct phone *p)
{
    json_t *described = tr_pc_describe(tr_handle_pc(p->handle));
    const json_t *candidates = json_object_get(described, "candidates");
    int count = (int)json_array_size(json_object_get(candidates, "remote"));
    json_decref(described);
    return count;
}

static void bring_up(struct stage *s, struct phone *p)
{
    stage_media(s, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, p);
    TOLD(p, "webrtcup");
    phone_verb(p, "hangup");
    TOLD(p, "success; hangup Janus API; {'result':'done'}");
    stage_down(s);
}

#define MDNS "4f6ad2a4-3b6a-4b6f-9f0c-0c7f4a0c1d2e.local"

/* What a browser without permission for the camera offers; nobody asks for the name, for nothing is
 * ever sent to a candidate. */
TEST(echotest_names_in_place_of_addresses)
{
    struct stage s;
    struct phone *p = up(&s, NULL);
    const char *hidden = replaced(fixture("chrome-offer-av.sdp"), " 192.0.2.2 ", " " MDNS " ");
    CHECK(strstr(hidden, MDNS) != NULL);
    phone_send(p, "{'audio':true,'video':true}", "offer", hidden, false);
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    CHECK(strstr(p->sdp, ".local") == NULL);
    int offered = remote_candidates(p);
    phone_trickle(p, "candidate:1 1 udp 2113937151 " MDNS " 54321 typ host generation 0");
    phone_trickle(p, "candidate:1 1 tcp 1518214911 " MDNS " 9 typ host tcptype active");
    TOLD(p, "ack; ack");
    CHECK_INT(remote_candidates(p), offered + 2); /* kept to be shown, no more */
    bring_up(&s, p);
}

TEST(echotest_hostile_candidates)
{
    static const char *const lines[] = {
        "",
        "candidate:",
        "candidate:1 1 udp",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 -1 typ host",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host",
        "candidate:1 1 udp 1 127.0.0.1 22 typ host",
        "candidate:1 1 udp 1 255.255.255.255 5000 typ host",
        "candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype passive",
        "candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype so",
        "candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype wrong",
        "candidate:1 1 tcp 1 192.0.2.1 5000 typ host",
        "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\nm=audio 9 X 0",
    };
    enum { MANY = 100, LONG = 100000 };
    struct stage s;
    struct phone *p = up(&s, NULL);
    char *text = tr_alloc(LONG + 1);
    phone_trickle(p, lines[3]); /* before there is an offer */
    TOLD(p, "ack");
    offer(p, "{'audio':true,'video':true}", "chrome-offer-av.sdp");
    TOLD(p, "ack; #t {'result':'ok'} +answer");
    char *before = tr_strdup(p->sdp);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        phone_trickle(p, lines[i]);
        if (!CHECK(strcmp(phone_told(p), "ack") == 0))
            unit_note("    %s", lines[i]);
    }
    int kept = remote_candidates(p);
    memset(text, 'a', LONG);
    phone_trickle(p, text);
    TOLD(p, "ack");
    CHECK_INT(remote_candidates(p), kept); /* it is too long to be shown */
    for (int i = 0; i < MANY; i++) {
        phone_trickle(p, lines[8]);
        TOLD(p, "ack");
    }
    CHECK(remote_candidates(p) < kept + MANY); /* those of one client are bounded */
    phone_say(p, "{'audio':true}");
    TOLD(p, "ack; #t {'result':'ok'}");
    CHECK_STR(p->sdp, before);
    tr_free(before);
    tr_free(text);
    bring_up(&s, p);
}
