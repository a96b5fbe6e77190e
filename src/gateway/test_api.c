/* Goal: every verb, event and error code of the API core behaves as Janus clients expect.
 * Method: the core alone, with a double for PeerConnections, clients that write down what they get,
 * and virtual time. */
#include "gateway/test_fake_pc.h"

#include "base/mem.h"
#include "gateway/error.h"
#include "unit.h"

#define ERR(reply, code) CHECK_INT(fake_int((reply), "error.code"), (code))
#define KIND(reply, kind) CHECK_STR(fake_text((reply), "janus"), (kind))

static void rig_up(struct rig *rig, const struct tr_gateway_conf *conf)
{
    if (rig_create(rig, conf) != TR_OK)
        CHECK(false);
}

TEST(api_root_verbs)
{
    struct rig rig;
    rig_up(&rig, NULL);
    const json_t *r = rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':'t1'}");
    KIND(r, "pong");
    CHECK_STR(fake_text(r, "transaction"), "t1");
    r = rig_say(&rig, &rig.ws, "{'janus':'INFO','transaction':'t2'}");
    KIND(r, "server_info");
    CHECK_STR(fake_text(r, "server-name"), "test");
    CHECK_INT(fake_int(r, "session-timeout"), 60);
    CHECK_INT(fake_int(r, "version"), 100);
    CHECK(fake_at(fake_at(r, "plugins"), "none") == NULL);
    CHECK(json_object_get(fake_at(r, "plugins"), "janus.plugin.both") != NULL);
    CHECK(json_object_get(fake_at(r, "transports"), "janus.transport.http") != NULL);
    r = rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'t3'}");
    KIND(r, "success");
    CHECK(fake_int(r, "data.id") > 0 && fake_int(r, "data.id") < (json_int_t)1 << 53);
    CHECK(fake_at(r, "session_id") == NULL);
    r = rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'t4','id':77}");
    CHECK_INT(fake_int(r, "data.id"), 77);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'t5','id':77}"), 468);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'t5','id':-1}"), 467);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'t5','id':9007199254740992}"), 467);
    tr_gateway_set_accepting(rig.gw, false);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'t6'}"), 472);
    rig_destroy(&rig);
}

TEST(api_bad_form)
{
    struct rig rig;
    rig_up(&rig, NULL);
    ERR(rig_say(&rig, &rig.ws, "{"), 454);
    ERR(rig_say(&rig, &rig.ws, "%s", ""), 454);
    ERR(rig_say(&rig, &rig.ws, "[]"), 455);
    ERR(rig_say(&rig, &rig.ws, "7"), 454);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'ping'}"), 456);
    ERR(rig_say(&rig, &rig.ws, "{'transaction':'x'}"), 456);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':5}"), 467);
    ERR(rig_say(&rig, &rig.ws, "{'janus':5,'transaction':'x'}"), 467);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':'x','session_id':'5'}"), 467);
    const json_t *r = rig_say(&rig, &rig.ws, "{'janus':'dance','transaction':'x'}");
    ERR(r, 453);
    CHECK_STR(fake_text(r, "transaction"), "x");
    ERR(rig_say(&rig, &rig.ws,
                "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
        454);
    ERR(rig_post(&rig, &rig.http, 0, 0, "{'janus':'ping','transaction':'x'} {}"), 454);
    rig_destroy(&rig);
}

TEST(api_long_transaction)
{
    struct rig rig;
    char t[400];
    rig_up(&rig, NULL);
    memset(t, 'x', sizeof(t));
    t[sizeof(t) - 1] = 0;
    ERR(rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':'%s'}", t), 467);
    rig_destroy(&rig);
}

TEST(api_several_objects_in_one_text)
{
    struct rig rig;
    rig_up(&rig, NULL);
    rig_say(&rig, &rig.ws,
            "{'janus':'ping','transaction':'1'} {'janus':'ping','transaction':'2'}\n");
    CHECK_INT(rig.ws.count, 2);
    CHECK_STR(fake_text(fake_got(&rig.ws, 1), "transaction"), "2");
    rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':'3'}{");
    CHECK_INT(rig.ws.count, 4);
    ERR(fake_got(&rig.ws, -1), 454);
    rig_destroy(&rig);
}

TEST(api_levels_and_lookups)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    static const char *const root[] = { "ping", "info", "create" };
    static const char *const session[] = { "attach", "destroy", "claim" };
    static const char *const handle[] = { "detach", "hangup", "message", "trickle" };
    for (int i = 0; i < 3; i++) {
        ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'%s','transaction':'x'}", root[i]), 457);
        ERR(rig_post(&rig, &rig.ws, 0, 0, "{'janus':'%s','transaction':'x'}", session[i]), 457);
        ERR(rig_post(&rig, &rig.ws, s, h, "{'janus':'%s','transaction':'x'}", session[i]), 457);
    }
    for (int i = 0; i < 4; i++)
        ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'%s','transaction':'x'}", handle[i]), 457);
    ERR(rig_post(&rig, &rig.ws, s + 1, 0, "{'janus':'keepalive','transaction':'x'}"), 458);
    ERR(rig_post(&rig, &rig.ws, s, h + 1, "{'janus':'hangup','transaction':'x'}"), 459);
    ERR(rig_post(&rig, &rig.ws, s, h, "{'janus':'hangup','transaction':'x','session_id':1}"), 457);
    ERR(rig_post(&rig, &rig.ws, s, h, "{'janus':'hangup','transaction':'x','handle_id':1}"), 457);
    uint64_t other = rig_session(&rig, &rig.ws);
    ERR(rig_post(&rig, &rig.ws, other, h, "{'janus':'hangup','transaction':'x'}"), 459);
    KIND(rig_post(&rig, &rig.ws, s, 0, "{'janus':'keepalive','transaction':'x'}"), "ack");
    rig_destroy(&rig);
}

TEST(api_attach_detach)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws);
    ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'attach','transaction':'x'}"), 456);
    ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'attach','transaction':'x','plugin':'no'}"), 460);
    rig.both.refuse_attach = true;
    ERR(rig_post(&rig, &rig.ws, s, 0,
                 "{'janus':'attach','transaction':'x','plugin':'janus.plugin.both'}"),
        461);
    rig.both.refuse_attach = false;
    uint64_t h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    CHECK(h != 0);
    CHECK_STR(tr_handle_opaque_id(tr_handle_find(rig.gw, s, h)), "op");
    KIND(rig_post(&rig, &rig.ws, s, h, "{'janus':'detach','transaction':'x'}"), "success");
    KIND(fake_got(&rig.ws, -1), "detached");
    CHECK_INT(fake_int(fake_got(&rig.ws, -1), "sender"), (json_int_t)h);
    CHECK_INT(rig.both.detached, 1);
    CHECK_INT(fake_pc.created, fake_pc.destroyed);
    CHECK(tr_handle_find(rig.gw, s, h) == NULL);
    rig_destroy(&rig);
}

TEST(api_messages)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
#define MESSAGE(handle, rest)                                                                      \
    rig_post(&rig, &rig.ws, s, handle, "{'janus':'message','transaction':'m'" rest "}")
    ERR(MESSAGE(h, ""), 456);
    ERR(MESSAGE(h, ",'body':7"), 467);
    const json_t *r = MESSAGE(h, ",'body':{'request':'NOW','level':1}");
    KIND(r, "success");
    CHECK_INT(fake_int(r, "sender"), (json_int_t)h);
    CHECK_STR(fake_text(r, "transaction"), "m");
    CHECK_STR(json_string_value(json_object_get(fake_at(r, "plugindata"), "plugin")),
              "janus.plugin.both");
    CHECK_STR(fake_text(r, "plugindata.data.both"), "done");
    /* what is wrong with a body is told in the plugin's numbers */
    CHECK_INT(fake_int(MESSAGE(h, ",'body':{}"), "plugindata.data.error_code"), 475);
    CHECK_INT(fake_int(MESSAGE(h, ",'body':{'request':4}"), "plugindata.data.error_code"), 474);
    CHECK_INT(fake_int(MESSAGE(h, ",'body':{'request':'fly'}"), "plugindata.data.error_code"), 472);
    CHECK_INT(
        fake_int(MESSAGE(h, ",'body':{'request':'now','level':-1}"), "plugindata.data.error_code"),
        474);
    ERR(MESSAGE(h, ",'body':{'request':'mute'}"), 462);
    /* an asynchronous row: ack, then the event with the same transaction */
    KIND(MESSAGE(h, ",'body':{'request':'later','level':1},'jsep':{'type':'offer','sdp':'v'}"),
         "ack");
    r = fake_got(&rig.ws, -1);
    KIND(r, "event");
    CHECK_STR(fake_text(r, "transaction"), "m");
    CHECK_STR(fake_text(r, "plugindata.data.both"), "event");
    CHECK_STR(fake_text(r, "jsep.type"), "answer");
    KIND(MESSAGE(h, ",'body':{'request':'later'}"), "ack");
    CHECK_INT(fake_int(fake_got(&rig.ws, -1), "plugindata.data.error_code"), 475);

    uint64_t a = rig_handle(&rig, &rig.ws, s, "janus.plugin.async");
    KIND(MESSAGE(a, ",'body':{'request':'fly'}"), "ack");
    KIND(fake_got(&rig.ws, -1), "event");
    CHECK_INT(fake_int(fake_got(&rig.ws, -1), "plugindata.data.error_code"), 472);
    uint64_t one = rig_handle(&rig, &rig.ws, s, "janus.plugin.single");
    KIND(MESSAGE(one, ",'body':{}"), "ack");
    CHECK_STR(fake_text(fake_got(&rig.ws, -1), "plugindata.data.result"), "ok");
    rig_destroy(&rig);
}

TEST(api_jsep_errors)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws),
             h = rig_handle(&rig, &rig.ws, s, "janus.plugin.single");
#define JSEP(jsep) MESSAGE(h, ",'body':{},'jsep':" jsep)
    ERR(JSEP("5"), 455);
    ERR(JSEP("{}"), 456);
    ERR(JSEP("{'type':'offer'}"), 456);
    ERR(JSEP("{'type':5,'sdp':'v'}"), 467);
    ERR(JSEP("{'type':'offer','sdp':'v','trickle':1}"), 467);
    ERR(JSEP("{'type':'pranswer','sdp':'v'}"), 464);
    ERR(JSEP("{'type':'offer','sdp':'bad'}"), 465);
    KIND(JSEP("null"), "ack");
    rig_destroy(&rig);
}

TEST(api_trickle)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
#define TRICKLE(rest) rig_post(&rig, &rig.ws, s, h, "{'janus':'trickle','transaction':'m'" rest "}")
    ERR(TRICKLE(""), 456);
    ERR(TRICKLE(",'candidate':{},'candidates':[]"), 454);
    ERR(TRICKLE(",'candidates':5"), 467);
    ERR(TRICKLE(",'candidate':{}"), 456);
    KIND(TRICKLE(",'candidate':{'completed':true}"), "ack");
    KIND(TRICKLE(",'candidate':null"), "ack");
    KIND(TRICKLE(",'candidates':[{'completed':true},{'sdpMid':'0','candidate':'c'}]"), "ack");
    CHECK_INT(fake_pc.trickled, 4);
    rig_destroy(&rig);
}

TEST(api_hangup_and_media_events)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.async");
    struct tr_handle *handle = tr_handle_find(rig.gw, s, h);
    rig_post(&rig, &rig.ws, s, h, "{'janus':'hangup','transaction':'x'}");
    KIND(fake_got(&rig.ws, -1), "success"); /* nothing to hang up: no event */
    fake_client_clear(&rig.ws);
    fake_pc_up(handle, 42);
#define MEDIA(...)                                                                                 \
    tr_gateway_media_event(rig.gw, rig.now, &(struct tr_media_event){ .peer = 42, __VA_ARGS__ })
    MEDIA(.kind = TR_MEDIA_PEER_UP);
    MEDIA(.kind = TR_MEDIA_PEER_UP); /* once is enough */
    CHECK_INT(rig.ws.count, 1);
    KIND(fake_got(&rig.ws, 0), "webrtcup");
    CHECK_INT(rig.async.ups, 1);
    MEDIA(.kind = TR_MEDIA_RECEIVING, .mline = 1, .on = true, .substream = -1);
    const json_t *r = fake_got(&rig.ws, -1);
    KIND(r, "media");
    CHECK_STR(fake_text(r, "mid"), "v1");
    CHECK_STR(fake_text(r, "type"), "video");
    CHECK(json_is_true(fake_at(r, "receiving")) && !fake_at(r, "seconds"));
    CHECK(!fake_at(r, "substream"));
    MEDIA(.kind = TR_MEDIA_RECEIVING, .mline = 1, .on = false, .substream = 2);
    CHECK_INT(fake_int(fake_got(&rig.ws, -1), "seconds"), 1);
    CHECK_INT(fake_int(fake_got(&rig.ws, -1), "substream"), 2);
    MEDIA(.kind = TR_MEDIA_SLOW_LINK, .mline = 0, .uplink = true, .lost = 9);
    r = fake_got(&rig.ws, -1);
    KIND(r, "slowlink");
    CHECK(json_is_false(fake_at(r, "uplink"))); /* seen from the server, which misses packets */
    CHECK_STR(fake_text(r, "media"), "audio");
    CHECK_INT(fake_int(r, "lost"), 9);
    CHECK_INT(rig.async.slow, 1);
    MEDIA(.kind = TR_MEDIA_LAYER, .mline = 1, .substream = 1, .temporal = -1);
    CHECK_INT(rig.async.layers, 1);
    MEDIA(.kind = TR_MEDIA_PEER_DOWN, .reason = "ICE failed");
    KIND(fake_got(&rig.ws, -1), "hangup");
    CHECK_STR(fake_text(fake_got(&rig.ws, -1), "reason"), "ICE failed");
    CHECK_INT(rig.async.downs, 1);
    int count = rig.ws.count;
    MEDIA(.kind = TR_MEDIA_PEER_DOWN, .reason = "ICE failed"); /* stale */
    CHECK_INT(rig.ws.count, count);

    fake_pc_up(handle, 43);
    rig_post(&rig, &rig.ws, s, h, "{'janus':'hangup','transaction':'x'}");
    CHECK_STR(fake_text(fake_got(&rig.ws, -1), "reason"), "Janus API");
    fake_pc_up(handle, 44);
    rig_post(&rig, &rig.ws, s, h, "{'janus':'detach','transaction':'x'}");
    KIND(fake_got(&rig.ws, -1), "detached");
    KIND(fake_got(&rig.ws, rig.ws.count - 2), "hangup");
    CHECK_INT(rig.async.downs, 3);
    CHECK_INT(rig.async.detached, 1);
    rig_destroy(&rig);
}

TEST(api_plugin_closes_its_pc)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.async");
    fake_pc_up(tr_handle_find(rig.gw, s, h), 42);
    fake_client_clear(&rig.ws);
    KIND(MESSAGE(h, ",'body':{'request':'bye'}"), "ack");
    CHECK_INT(rig.ws.count, 3);
    CHECK_STR(fake_text(fake_got(&rig.ws, 1), "reason"), "Close PC");
    CHECK_INT(rig.async.downs, 1);
    CHECK_STR(rig.async.down_reason, "Close PC");
    CHECK(!rig.async.reentered);
    rig_destroy(&rig);
}

TEST(api_destroy_is_silent)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    fake_pc_up(tr_handle_find(rig.gw, s, h), 42);
    fake_client_clear(&rig.ws);
    rig_post(&rig, &rig.ws, s, 0, "{'janus':'destroy','transaction':'x'}");
    CHECK_INT(rig.ws.count, 1);
    CHECK_INT(rig.both.downs, 1);
    CHECK_INT(rig.both.detached, 1);
    CHECK_INT(fake_pc.closed, 1);
    ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'keepalive','transaction':'x'}"), 458);
    rig_destroy(&rig);
}

TEST(api_session_timeout)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws);
    rig_sleep(&rig, 50 * TR_SECOND);
    KIND(rig_post(&rig, &rig.ws, s, 0, "{'janus':'keepalive','transaction':'x'}"), "ack");
    rig_sleep(&rig, 59 * TR_SECOND);
    KIND(fake_got(&rig.ws, -1), "ack");
    rig_sleep(&rig, 2 * TR_SECOND);
    KIND(fake_got(&rig.ws, -1), "timeout");
    CHECK_INT(fake_int(fake_got(&rig.ws, -1), "session_id"), (json_int_t)s);
    ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'keepalive','transaction':'x'}"), 458);
    CHECK(tr_gateway_next_timeout(rig.gw) == TR_NEVER);
    rig_destroy(&rig);
}

TEST(api_no_session_timeout)
{
    struct rig rig;
    rig_up(&rig, &(struct tr_gateway_conf){ .server_name = "x" });
    uint64_t s = rig_session(&rig, &rig.ws);
    CHECK(tr_gateway_next_timeout(rig.gw) == TR_NEVER);
    rig_sleep(&rig, 100000 * TR_SECOND);
    KIND(rig_post(&rig, &rig.ws, s, 0, "{'janus':'keepalive','transaction':'x'}"), "ack");
    rig_destroy(&rig);
}

static enum tr_err poll_for(struct rig *rig, struct fake_client *c, uint64_t s, uint32_t max)
{
    return tr_gateway_poll(rig->gw, rig->now, &c->client,
                           &(struct tr_poll){ .session_id = s, .events_max = max });
}

TEST(api_long_poll)
{
    struct rig rig;
    struct fake_client poll;
    rig_up(&rig, NULL);
    fake_client_init(&poll, true, false);
    uint64_t s = rig_session(&rig, &rig.http),
             h = rig_handle(&rig, &rig.http, s, "janus.plugin.single");
#define LATER rig_post(&rig, &rig.http, s, h, "{'janus':'message','transaction':'%d','body':{}}", i)
    for (int i = 0; i < 5; i++)
        LATER;
    CHECK_INT(poll_for(&rig, &poll, s, 1), TR_OK); /* one: a bare object, the oldest */
    CHECK_STR(fake_text(fake_got(&poll, 0), "transaction"), "0");
    CHECK_INT(poll_for(&rig, &poll, s, 3), TR_OK); /* several: an array, in order */
    CHECK_INT(json_array_size(fake_got(&poll, 1)), 3);
    CHECK_STR(fake_text(fake_got(&poll, 1), "2.transaction"), "3");
    CHECK_INT(poll_for(&rig, &poll, s, 10), TR_OK);
    CHECK_INT(json_array_size(fake_got(&poll, 2)), 1);
    CHECK_INT(poll_for(&rig, &poll, s, 10), TR_OK); /* waits */
    CHECK_INT(poll.count, 3);
    rig_sleep(&rig, TR_SECOND);
    for (int i = 9; i < 10; i++)
        LATER;
    CHECK_INT(poll.count, 4);
    CHECK_STR(fake_text(fake_got(&poll, 3), "0.transaction"), "9");
    /* nothing comes: a keepalive after 30 s, and the session lives through polls alone */
    for (int i = 0; i < 5; i++) {
        CHECK_INT(poll_for(&rig, &poll, s, i % 2 ? 1 : 5), TR_OK);
        rig_sleep(&rig, 31 * TR_SECOND);
    }
    CHECK_STR(fake_text(fake_got(&poll, 4), "0.janus"), "keepalive");
    CHECK_STR(fake_text(fake_got(&poll, 5), "janus"), "keepalive");
    CHECK_INT(poll.count, 9);
    /* the connection goes while it waits */
    CHECK_INT(poll_for(&rig, &poll, s, 5), TR_OK);
    tr_gateway_client_gone(rig.gw, rig.now, &poll.client);
    for (int i = 0; i < 1; i++)
        LATER;
    CHECK_INT(poll.count, 9);
    /* the session ends while another waits */
    CHECK_INT(poll_for(&rig, &poll, s, 1), TR_OK);
    CHECK_INT(poll_for(&rig, &poll, s, 1), TR_OK);
    rig_post(&rig, &rig.http, s, 0, "{'janus':'destroy','transaction':'x'}");
    CHECK_STR(fake_text(fake_got(&poll, -1), "janus"), "keepalive");
    CHECK_INT(poll_for(&rig, &poll, s, 1), TR_OK);
    CHECK_INT(fake_int(fake_got(&poll, -1), "error.code"), 458);
    uint64_t ws = rig_session(&rig, &rig.ws);
    CHECK_INT(poll_for(&rig, &poll, ws, 1), TR_OK); /* pushes, so it cannot be polled */
    CHECK_INT(fake_int(fake_got(&poll, -1), "error.code"), 458);
    tr_gateway_client_gone(rig.gw, rig.now, &poll.client);
    fake_client_clear(&poll);
    rig_destroy(&rig);
}

TEST(api_event_queue_is_bounded)
{
    struct rig rig;
    rig_up(&rig, &(struct tr_gateway_conf){ .events_max = 10 });
    uint64_t s = rig_session(&rig, &rig.http),
             h = rig_handle(&rig, &rig.http, s, "janus.plugin.single");
    for (int i = 0; i < 25; i++)
        LATER;
    struct tr_gateway_counters counters;
    tr_gateway_counters(rig.gw, &counters);
    CHECK_INT(counters.events_dropped, 15);
    fake_client_clear(&rig.http);
    CHECK_INT(poll_for(&rig, &rig.http, s, 100), TR_OK);
    CHECK_INT(json_array_size(fake_got(&rig.http, 0)), 10);
    CHECK_STR(fake_text(fake_got(&rig.http, 0), "0.transaction"), "15");
    rig_destroy(&rig);
}

/* Many sessions that nobody polls share what there is; who has little keeps it. */
TEST(api_event_queues_are_bounded_together)
{
    enum { HOARDERS = 8, EVENTS = 1000, TOTAL_MAX = 256 << 10 };
    struct rig rig;
    rig_up(&rig, &(struct tr_gateway_conf){ .events_max = EVENTS, .events_bytes_max = TOTAL_MAX });
    uint64_t small = rig_session(&rig, &rig.http), s = small,
             h = rig_handle(&rig, &rig.http, small, "janus.plugin.single");
    for (int i = 0; i < 3; i++)
        LATER;
    for (int k = 0; k < HOARDERS; k++) {
        s = rig_session(&rig, &rig.http);
        h = rig_handle(&rig, &rig.http, s, "janus.plugin.single");
        for (int i = 0; i < EVENTS; i++) {
            LATER;
            fake_client_clear(&rig.http);
        }
    }
    CHECK_INT(poll_for(&rig, &rig.http, small, 100), TR_OK);
    CHECK_INT(json_array_size(fake_got(&rig.http, 0)), 3);
    struct tr_gateway_counters counters;
    tr_gateway_counters(rig.gw, &counters);
    CHECK(counters.events_dropped > HOARDERS * EVENTS / 2);
    fake_client_clear(&rig.http);
    rig_destroy(&rig);
}

TEST(api_many_polls_push_out_the_oldest)
{
    struct rig rig;
    struct fake_client polls[TR_GATEWAY_POLLS_MAX + 1];
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.http);
    for (int i = 0; i <= TR_GATEWAY_POLLS_MAX; i++) {
        fake_client_init(&polls[i], true, false);
        CHECK_INT(poll_for(&rig, &polls[i], s, 1), TR_OK);
    }
    CHECK_STR(fake_text(fake_got(&polls[0], 0), "janus"), "keepalive");
    CHECK_INT(polls[1].count, 0);
    for (int i = 0; i <= TR_GATEWAY_POLLS_MAX; i++) {
        tr_gateway_client_gone(rig.gw, rig.now, &polls[i].client);
        fake_client_clear(&polls[i]);
    }
    rig_destroy(&rig);
}

TEST(api_lost_connection_ends_sessions)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws);
    rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    tr_gateway_client_gone(rig.gw, rig.now, &rig.ws.client);
    CHECK_INT(rig.both.detached, 1);
    ERR(rig_post(&rig, &rig.ws2, s, 0, "{'janus':'claim','transaction':'x'}"), 458);
    rig_destroy(&rig);
}

TEST(api_claim_after_loss)
{
    struct rig rig;
    rig_up(&rig, &(struct tr_gateway_conf){ .session_timeout = 60 * TR_SECOND,
                                            .reclaim_session_timeout = 10 * TR_SECOND });
    uint64_t s = rig_session(&rig, &rig.ws),
             h = rig_handle(&rig, &rig.ws, s, "janus.plugin.single");
    uint64_t lost = rig_session(&rig, &rig.ws);
    tr_gateway_client_gone(rig.gw, rig.now, &rig.ws.client);
    fake_pc_up(tr_handle_find(rig.gw, s, h), 42);
    MEDIA(.kind = TR_MEDIA_PEER_UP); /* kept for whoever claims */
    rig_sleep(&rig, 9 * TR_SECOND);
    const json_t *r =
        rig_say(&rig, &rig.ws2, "{'janus':'claim','transaction':'x','session_id':%" PRIu64 "}", s);
    KIND(r, "success");
    CHECK_INT(fake_int(r, "session_id"), (json_int_t)s);
    KIND(fake_got(&rig.ws2, 1), "webrtcup");
    rig_sleep(&rig, 30 * TR_SECOND);
    KIND(rig_post(&rig, &rig.ws2, s, 0, "{'janus':'keepalive','transaction':'x'}"), "ack");
    ERR(rig_post(&rig, &rig.ws2, lost, 0, "{'janus':'keepalive','transaction':'x'}"), 458);
    rig_destroy(&rig);
}

TEST(api_claim_between_live_transports)
{
    struct rig rig;
    struct fake_client poll;
    rig_up(&rig, NULL);
    fake_client_init(&poll, true, false);
    uint64_t s = rig_session(&rig, &rig.ws),
             h = rig_handle(&rig, &rig.ws, s, "janus.plugin.single");
    rig_post(&rig, &rig.ws2, s, 0, "{'janus':'claim','transaction':'x'}");
    tr_gateway_client_gone(rig.gw, rig.now, &rig.ws.client); /* no longer its session */
    MESSAGE(h, ",'body':{}");
    KIND(fake_got(&rig.ws2, -1), "event");
    rig_post(&rig, &rig.http, s, 0, "{'janus':'claim','transaction':'x'}"); /* to long polls */
    CHECK_INT(poll_for(&rig, &poll, s, 1), TR_OK);
    CHECK_INT(poll.count, 0);
    rig_post(&rig, &rig.ws2, s, 0, "{'janus':'claim','transaction':'x'}"); /* and back */
    CHECK_STR(fake_text(fake_got(&poll, 0), "janus"), "keepalive");
    tr_gateway_client_gone(rig.gw, rig.now, &rig.ws2.client);
    ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'keepalive','transaction':'x'}"), 458);
    fake_client_clear(&poll);
    rig_destroy(&rig);
}

/* A poll is answered even when memory for its events is out; they come with the next one. */
TEST(api_long_poll_out_of_memory)
{
    struct rig rig;
    struct fake_client poll;
    rig_up(&rig, NULL);
    fake_client_init(&poll, true, false);
    uint64_t s = rig_session(&rig, &rig.http),
             h = rig_handle(&rig, &rig.http, s, "janus.plugin.single");
    for (int i = 0; i < 2; i++)
        LATER;
    tr_mem_fail_after(1); /* the poll itself, not the array */
    CHECK_INT(poll_for(&rig, &poll, s, 10), TR_OK);
    tr_mem_fail_after(UINT64_MAX);
    CHECK_STR(fake_text(fake_got(&poll, 0), "0.janus"), "keepalive");
    CHECK_INT(poll_for(&rig, &poll, s, 10), TR_OK);
    CHECK_INT(json_array_size(fake_got(&poll, 1)), 2);
    tr_gateway_client_gone(rig.gw, rig.now, &poll.client);
    fake_client_clear(&poll);
    rig_destroy(&rig);
}

TEST(api_opaque_id_in_events)
{
    struct rig rig;
    rig_up(&rig, &(struct tr_gateway_conf){ .opaqueid_in_api = true });
    uint64_t s = rig_session(&rig, &rig.ws),
             h = rig_handle(&rig, &rig.ws, s, "janus.plugin.single");
    MESSAGE(h, ",'body':{}");
    CHECK_STR(fake_text(fake_got(&rig.ws, -1), "opaque_id"), "op");
    char longest[TR_GATEWAY_OPAQUE_ID_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[TR_GATEWAY_OPAQUE_ID_MAX + 1] = 0;
#define ATTACH                                                                                     \
    rig_say(&rig, &rig.ws,                                                                         \
            "{'janus':'attach','session_id':%llu,'transaction':'a','opaque_id':'%s',"              \
            "'plugin':'janus.plugin.single'}",                                                     \
            (unsigned long long)s, longest)
    ERR(ATTACH, 467);
    longest[TR_GATEWAY_OPAQUE_ID_MAX] = 0;
    CHECK_STR(fake_text(ATTACH, "janus"), "success");
    rig_destroy(&rig);
}

TEST(api_limits)
{
    struct rig rig;
    rig_up(&rig, &(struct tr_gateway_conf){ .sessions_max = 2,
                                            .handles_per_session_max = 1,
                                            .rate_per_s = 10,
                                            .rate_burst = 8 });
    uint64_t s = rig_session(&rig, &rig.ws);
    rig_session(&rig, &rig.ws);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'x'}"), 472);
    rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    ERR(rig_post(&rig, &rig.ws, s, 0,
                 "{'janus':'attach','transaction':'x','plugin':'janus.plugin.both'}"),
        461);
    for (int i = 0; i < 3; i++)
        KIND(rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':'x'}"), "pong");
    const char *text = "{\"janus\":\"ping\",\"transaction\":\"x\"}";
    CHECK_INT(tr_gateway_input(rig.gw, rig.now, &rig.ws.client, NULL, tr_slice_str(text)),
              TR_ERR_LIMIT);
    rig.now += TR_SECOND / 10;
    KIND(rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':'x'}"), "pong");
    rig_destroy(&rig);
}

TEST(api_secret)
{
    struct rig rig;
    rig_up(&rig, &(struct tr_gateway_conf){ .api_secret = "s3" });
    KIND(rig_say(&rig, &rig.ws, "{'janus':'ping','transaction':'x'}"), "pong");
    ERR(rig_say(&rig, &rig.ws, "{'janus':'info','transaction':'x'}"), 403);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'x'}"), 403);
    ERR(rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'x','apisecret':'s'}"), 403);
    const json_t *r =
        rig_say(&rig, &rig.ws, "{'janus':'create','transaction':'x','apisecret':'s3'}");
    KIND(r, "success");
    uint64_t s = (uint64_t)fake_int(r, "data.id");
    ERR(rig_post(&rig, &rig.ws, s, 0, "{'janus':'destroy','transaction':'x'}"), 403);
    ERR(rig_post(&rig, &rig.ws, s + 1, 0, "{'janus':'destroy','transaction':'x'}"), 403);
    CHECK_INT(poll_for(&rig, &rig.http, s, 1), TR_ERR_AUTH);
    CHECK_INT(rig.http.count, 0);
    rig_destroy(&rig);
}

TEST(api_stop_tells_clients)
{
    struct rig rig;
    rig_up(&rig, NULL);
    uint64_t s = rig_session(&rig, &rig.ws), h = rig_handle(&rig, &rig.ws, s, "janus.plugin.both");
    fake_pc_up(tr_handle_find(rig.gw, s, h), 42);
    tr_gateway_stop(rig.gw, rig.now);
    KIND(fake_got(&rig.ws, -1), "hangup");
    CHECK_INT(rig.both.detached, 1);
    struct tr_gateway_counters c;
    tr_gateway_counters(rig.gw, &c);
    CHECK(c.sessions == 0 && c.handles == 0 && c.peers == 0);
    rig_destroy(&rig);
}

TEST_OOM(api_out_of_memory)
{
    struct rig rig;
    enum tr_err err = rig_create(&rig, NULL);
    if (err != TR_OK)
        return err;
    uint64_t s = rig_session(&rig, &rig.http);
    uint64_t h = s ? rig_handle(&rig, &rig.http, s, "janus.plugin.single") : 0;
    if (h) {
        rig_post(&rig, &rig.http, s, h, "{'janus':'message','transaction':'x','body':{}}");
        (void)!poll_for(&rig, &rig.http, s, 5);
        (void)!poll_for(&rig, &rig.http, s, 5);
    }
    rig_destroy(&rig);
    return s && h ? TR_OK : TR_ERR_NOMEM;
}
