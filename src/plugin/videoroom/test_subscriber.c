/* Goal: a subscriber is told and sent what clients of the API rely on: every request, every error,
 * and what publishers do meanwhile.
 * Method: phones in one room, over the real core and SDP side, the media engine a double. What a
 * phone is told is compared as text; members that do not matter to a test are left out of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/test_double.h"
#include "plugin/videoroom/videoroom.h"
#include "unit.h"

#define PACKAGE "janus.plugin.videoroom"

static struct stage stage;

static bool begin(void)
{
    static struct tr_rng rng;
    rng = tr_rng_seeded(7);
    struct tr_videoroom_conf conf = { .rng = &rng, .demo_room = true, .demo_secret = "adminpwd" };
    return stage_up(&stage, tr_videoroom_create(&conf, TR_SECOND)) == TR_OK;
}

static struct phone *phone(void)
{
    return stage_phone(&stage, PACKAGE, NULL);
}

/* The text with values put in. */
__attribute__((format(printf, 1, 2))) static const char *say(const char *fmt, ...)
{
    static char text[16384];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return text;
}

static struct phone *publisher_of(int id, const char *offer)
{
    struct phone *p = phone();
    phone_send(p,
               say("{'request':'joinandconfigure','room':1234,'ptype':'publisher','id':%d,"
                   "'display':'user %d'}",
                   id, id),
               "offer", offer, false);
    CHECK(strstr(phone_told(p), "+answer"));
    stage_media(&stage, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, p);
    (void)phone_told(p);
    return p;
}

static struct phone *publisher(int id)
{
    return publisher_of(id, fixture("chrome-offer-av.sdp"));
}

static void answer(struct phone *p)
{
    phone_send(p, "{'request':'start'}", "answer", phone_answer(p), false);
}

/* A phone that gets these streams already. */
static struct phone *subscriber(const char *streams)
{
    struct phone *p = phone();
    phone_say(p, say("{'request':'join','room':1234,'ptype':'subscriber','streams':%s}", streams));
    CHECK(strstr(phone_told(p), "+offer"));
    answer(p);
    CHECK_STR(phone_told(p), "ack; #t {'room':1234,'started':'ok'}");
    stage_media(&stage, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, p);
    (void)phone_told(p);
    return p;
}

static const struct double_route *route(const struct phone *from, int source,
                                        const struct phone *to, int sink)
{
    for (int i = 0; i < engine.route_count; i++) {
        const struct double_route *r = &engine.routes[i];
        if (r->live && r->source.peer == tr_pc_peer(tr_handle_pc(from->handle)) &&
            r->sink.peer == tr_pc_peer(tr_handle_pc(to->handle)) && r->source.mline == source &&
            r->sink.mline == sink)
            return r;
    }
    return NULL;
}

static int count_of(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        n++;
    return n;
}

/* How often the offer that the phone got last has this line. */
static int offered(const struct phone *p, const char *line)
{
    return count_of(p->sdp, line);
}

static void expect_error(struct phone *p, const char *body, int code)
{
    phone_say(p, body);
    CHECK_STR(phone_told(p), say("ack; #t error %d", code));
}

/* --- join --- */

TEST(a_subscriber_is_offered_what_it_asks_for)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = phone();
    phone_say(s, "{'request':'join','room':1234,'ptype':'subscriber','streams':[{'feed':1}]}");
    CHECK_STR(phone_told(s),
              "ack; #t {'room':1234,'streams':["
              "{'active':true,'codec':'opus','feed_display':'user 1','feed_id':1,'feed_mid':'0',"
              "'mid':'0','mindex':0,'ready':false,'send':true,'type':'audio'},"
              "{'active':true,'codec':'vp8','feed_display':'user 1','feed_id':1,'feed_mid':'1',"
              "'mid':'1','mindex':1,'ready':false,'send':true,'type':'video'}],"
              "'videoroom':'attached'} +offer");
    CHECK_INT(offered(s, "\na=sendonly"), 2);
    CHECK_INT(offered(s, "a=msid:janus janus1\r\n"), 1);
    CHECK_INT(engine_routes(), 0);
    answer(s);
    CHECK_STR(phone_told(s), "ack; #t {'room':1234,'started':'ok'}");
    const struct double_route *r = route(a, 1, s, 1);
    CHECK(route(a, 0, s, 0) && r && !r->conf.paused);
    CHECK(r && r->conf.substream_max == 2 && r->conf.temporal_max == 3);
    phone_say(s, "{'request':'pause'}");
    CHECK_STR(phone_told(s), "ack; #t {'paused':'ok','room':1234}");
    CHECK(route(a, 1, s, 1)->conf.paused);
    phone_say(s, "{'request':'start'}");
    CHECK_STR(phone_told(s), "ack; #t {'room':1234,'started':'ok'}");
    CHECK(!route(a, 1, s, 1)->conf.paused);
    stage_down(&stage);
}

TEST(a_subscriber_picks_streams_of_many)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *b = publisher(2), *s = phone();
    phone_say(s, "{'request':'join','room':1234,'ptype':'subscriber','use_msid':true,'streams':["
                 "{'feed':2,'mid':'1','crossrefid':'big','substream':0,'temporal':1,'send':false},"
                 "{'feed':1,'mid':'0'}]}");
    const char *told = phone_told(s);
    CHECK(strstr(told, "'crossrefid':'big'"));
    CHECK(strstr(told, "'feed_id':2,'feed_mid':'1','mid':'0'"));
    CHECK(strstr(told, "'feed_id':1,'feed_mid':'0','mid':'1'"));
    CHECK_INT(offered(s, "a=msid:2 1\r\n"), 1);
    CHECK_INT(offered(s, "a=msid:1 0\r\n"), 1);
    answer(s);
    const struct double_route *r = route(b, 1, s, 0);
    CHECK(r && r->conf.paused && r->conf.substream_max == 0 && r->conf.temporal_max == 1);
    CHECK(route(a, 0, s, 1) && !route(a, 0, s, 1)->conf.paused);
    stage_down(&stage);
}

TEST(a_subscriber_of_one_feed)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = phone();
    phone_say(s, "{'request':'join','room':1234,'ptype':'listener','feed':1,'offer_audio':false,"
                 "'video':false,'substream':1}");
    CHECK_STR(phone_told(s),
              "ack; #t {'display':'user 1','id':1,'room':1234,'streams':["
              "{'active':true,'codec':'vp8','feed_display':'user 1','feed_id':1,'feed_mid':'1',"
              "'mid':'0','mindex':0,'ready':false,'send':false,'type':'video'}],"
              "'videoroom':'attached','warning':'deprecated_api'} +offer");
    answer(s);
    CHECK(route(a, 1, s, 0)->conf.paused);
    CHECK_INT(route(a, 1, s, 0)->conf.substream_max, 1);
    (void)phone_told(s);
    phone_say(s, "{'request':'configure','video':true,'substream':2}");
    CHECK_STR(phone_told(s), "ack; #t {'configured':'ok','room':1234}");
    CHECK(!route(a, 1, s, 0)->conf.paused);
    CHECK_INT(route(a, 1, s, 0)->conf.substream_max, 2);
    stage_down(&stage);
}

TEST(a_join_that_cannot_be)
{
#define JOIN "{'request':'join','room':1234,'ptype':'subscriber'"
    if (!CHECK(begin()))
        return;
    (void)publisher(1);
    struct phone *s = phone();
    expect_error(s, "{'request':'join','room':77,'ptype':'subscriber','streams':[{'feed':1}]}",
                 426);
    expect_error(s, JOIN "}", 429);
    expect_error(s, JOIN ",'streams':[]}", 430);
    expect_error(s, JOIN ",'streams':'x'}", 430);
    expect_error(s, JOIN ",'streams':[1]}", 430);
    expect_error(s, JOIN ",'streams':[{}]}", 429);
    expect_error(s, JOIN ",'streams':[{'feed':'x'}]}", 430);
    expect_error(s, JOIN ",'streams':[{'feed':9}]}", 428);
    expect_error(s, JOIN ",'feed':9}", 428);
    expect_error(s, JOIN ",'streams':[{'feed':1,'mid':'7'}]}", 428);
    expect_error(s, JOIN ",'streams':[{'feed':1,'mid':7}]}", 430);
    expect_error(s, JOIN ",'streams':[{'feed':1,'substream':3}]}", 430);
    expect_error(s, JOIN ",'streams':[{'feed':1,'temporal':3}]}", 430);
    expect_error(s, JOIN ",'streams':[{'feed':1,'spatial_layer':-1}]}", 430);
    expect_error(s, JOIN ",'feed':1,'temporal_layer':9}", 430);
    expect_error(s, JOIN ",'feed':1,'offer_audio':false,'offer_video':false}", 437);
    CHECK_INT(engine_peers(), 1);
    phone_say(s, JOIN ",'streams':[{'feed':1}]}");
    CHECK(strstr(phone_told(s), "'attached'"));
    expect_error(s, JOIN ",'streams':[{'feed':1}]}", 425);
    stage_down(&stage);
#undef JOIN
}

TEST(a_room_that_asks_for_private_ids)
{
    if (!CHECK(begin()))
        return;
    struct phone *s = phone(), *a;
    phone_say(s, "{'request':'create','room':5,'require_pvtid':true}");
    (void)phone_told(s);
    a = phone();
    phone_send(a, "{'request':'joinandconfigure','room':5,'ptype':'publisher','id':1}", "offer",
               fixture("chrome-offer-av.sdp"), false);
    const char *at = strstr(phone_told(a), "'private_id':");
    unsigned long long id = at ? strtoull(at + strlen("'private_id':"), NULL, 10) : 0;
    expect_error(s, "{'request':'join','room':5,'ptype':'subscriber','streams':[{'feed':1}]}", 433);
    expect_error(s,
                 "{'request':'join','room':5,'ptype':'subscriber','private_id':1,"
                 "'streams':[{'feed':1}]}",
                 433);
    phone_say(s, say("{'request':'join','room':5,'ptype':'subscriber','private_id':%llu,"
                     "'streams':[{'feed':1}]}",
                     id));
    CHECK(strstr(phone_told(s), "+offer"));
    /* who gave it leave goes, and takes it along */
    phone_say(a, "{'request':'leave'}");
    CHECK(strstr(phone_told(s), "hangup Close PC"));
    stage_down(&stage);
}

/* --- configure --- */

TEST(configure_reaches_the_lines_it_names)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher_of(1, fixture("chrome-offer-simulcast.sdp"));
    struct phone *s = subscriber("[{'feed':1}]");
    int v = route(a, 0, s, 0) && !route(a, 1, s, 1) ? 0 : 1;
    phone_say(s, say("{'request':'configure','streams':[{'mid':'%d','substream':1,'temporal':0,"
                     "'fallback':500000,'send':true}]}",
                     v));
    CHECK_STR(phone_told(s), "ack; #t {'configured':'ok','room':1234}");
    CHECK_INT(route(a, v, s, v)->conf.substream_max, 1);
    CHECK_INT(route(a, v, s, v)->conf.temporal_max, 0);
    CHECK_INT(route(a, v, s, v)->conf.fallback_us, 500000);
    stage_media(&stage,
                (struct tr_media_event){
                    .kind = TR_MEDIA_LAYER, .mline = v, .substream = 1, .temporal = -1 },
                s);
    CHECK_STR(phone_told(s), say("{'mid':'%d','room':1234,'substream':1}", v));
    stage_media(&stage,
                (struct tr_media_event){
                    .kind = TR_MEDIA_LAYER, .mline = v, .substream = -1, .temporal = 0 },
                s);
    CHECK_STR(phone_told(s), say("{'mid':'%d','room':1234,'temporal':0}", v));
    /* what it gets already it is told at once */
    phone_say(s, say("{'request':'configure','mid':'%d','substream':1}", v));
    CHECK_STR(phone_told(s), say("ack; {'mid':'%d','room':1234,'substream':1}; "
                                 "#t {'configured':'ok','room':1234}",
                                 v));
    phone_say(s, say("{'request':'configure','streams':[{'mid':'%d','send':false}]}", v));
    CHECK(route(a, v, s, v)->conf.paused);
    (void)phone_told(s);
    expect_error(s, "{'request':'configure','streams':[{'mid':'9','send':false}]}", 428);
    expect_error(s, "{'request':'configure','streams':[{'mid':'0','substream':7}]}", 430);
    expect_error(s, "{'request':'configure','streams':7}", 430);
    expect_error(s, "{'request':'configure','audio':7}", 430);
    expect_error(s, "{'request':'configure','streams':[{'mid':'0','min_delay':'x'}]}", 430);
    expect_error(s, "{'request':'publish'}", 423);
    stage_down(&stage);
}

TEST(playout_delays_of_both_sides)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = subscriber("[{'feed':1}]");
    CHECK(!route(a, 1, s, 1)->conf.playout.on);
    phone_say(a, "{'request':'configure','streams':[{'mid':'1','min_delay':20,'max_delay':400}]}");
    CHECK(route(a, 1, s, 1)->conf.playout.on && !route(a, 0, s, 0)->conf.playout.on);
    CHECK_INT(route(a, 1, s, 1)->conf.playout.max_ms, 400);
    phone_say(s, "{'request':'configure','streams':[{'mid':'1','min_delay':0,'max_delay':0}]}");
    CHECK(route(a, 1, s, 1)->conf.playout.on);
    CHECK_INT(route(a, 1, s, 1)->conf.playout.max_ms, 0);
    phone_say(s, "{'request':'subscribe','streams':[{'feed':1}]}");
    CHECK(strstr(phone_told(s), "'playout-delay':{'max-delay':0,'min-delay':0}"));
    stage_down(&stage);
}

TEST(a_restart_is_a_new_offer)
{
    if (!CHECK(begin()))
        return;
    (void)publisher(1);
    struct phone *s = subscriber("[{'feed':1}]");
    char before[64];
    (void)snprintf(before, sizeof before, "%.28s", strstr(s->sdp, "a=ice-ufrag:"));
    phone_say(s, "{'request':'configure','restart':true}");
    CHECK_STR(phone_told(s), "ack; #t {'configured':'ok','room':1234} +offer");
    CHECK(!strstr(s->sdp, before));
    CHECK_INT(engine_peer(tr_pc_peer(tr_handle_pc(s->handle)))->restarts, 1);
    answer(s);
    CHECK_STR(phone_told(s), "ack; #t {'room':1234,'started':'ok'}");
    stage_down(&stage);
}

/* --- subscribe, unsubscribe, update --- */

TEST(streams_come_and_go)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *b = publisher(2), *s = subscriber("[{'feed':1}]");
    phone_say(s, "{'request':'subscribe','streams':[{'feed':2,'mid':'1'}]}");
    const char *told = phone_told(s);
    CHECK(!strncmp(told, "ack; #t {'room':1234,'streams':[", 31));
    CHECK(strstr(told, "'videoroom':'updated'} +offer"));
    CHECK_INT(offered(s, "\nm=video 9"), 2);
    answer(s);
    (void)phone_told(s);
    CHECK(route(b, 1, s, 2) && route(a, 1, s, 1));
    /* again: nothing changes */
    phone_say(s, "{'request':'subscribe','streams':[{'feed':2,'mid':'1'}]}");
    told = phone_told(s);
    CHECK(strstr(told, "'videoroom':'updated'}") && !strstr(told, "+offer"));
    /* the line of what goes is taken for what comes */
    phone_say(s, "{'request':'unsubscribe','streams':[{'feed':1,'mid':'1'}]}");
    CHECK(strstr(phone_told(s), "{'active':false,'mid':'1','mindex':1,'ready':true,'send':true,"
                                "'type':'video'}"));
    CHECK_INT(offered(s, "\na=inactive"), 1);
    CHECK(!route(a, 1, s, 1));
    answer(s);
    (void)phone_told(s);
    phone_say(s, "{'request':'update','unsubscribe':[{'sub_mid':'2'}],'subscribe':["
                 "{'feed':1,'mid':'1','crossrefid':'x'},{'feed':2,'mid':'1','crossrefid':'y'}]}");
    CHECK(strstr(phone_told(s), "'updated'} +offer"));
    CHECK_INT(offered(s, "\nm="), 3);
    answer(s);
    (void)phone_told(s);
    CHECK(route(a, 1, s, 1) && route(b, 1, s, 2));
    stage_down(&stage);
}

TEST(one_offer_at_a_time)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *b = publisher(2), *s = phone();
    phone_say(s, "{'request':'join','room':1234,'ptype':'subscriber','streams':[{'feed':1}]}");
    (void)phone_told(s);
    phone_say(s, "{'request':'subscribe','streams':[{'feed':2,'mid':'0'}]}");
    const char *told = phone_told(s);
    CHECK(strstr(told, "'videoroom':'updating'}") && !strstr(told, "+offer"));
    phone_say(s, "{'request':'configure','restart':true}");
    CHECK_STR(phone_told(s), "ack; #t {'configured':'ok','room':1234}");
    phone_say(a, "{'request':'unpublish'}");
    CHECK_STR(phone_told(s), "");
    answer(s);
    told = phone_told(s);
    CHECK(!strncmp(told, "ack; #t {'room':1234,'started':'ok'}; {'room':1234,'streams':[", 62));
    CHECK(strstr(told, "'videoroom':'updated'} +offer"));
    CHECK_INT(count_of(told, "+offer"), 1);
    CHECK_INT(offered(s, "\na=inactive"), 2);
    CHECK_INT(offered(s, "\na=sendonly"), 1);
    answer(s);
    CHECK_STR(phone_told(s), "ack; #t {'room':1234,'started':'ok'}");
    CHECK(route(b, 0, s, 2));
    stage_down(&stage);
}

TEST(an_update_that_cannot_be)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = subscriber("[{'feed':1}]");
    expect_error(s, "{'request':'subscribe'}", 429);
    expect_error(s, "{'request':'subscribe','streams':[{'feed':4}]}", 428);
    expect_error(s, "{'request':'unsubscribe'}", 429);
    expect_error(s, "{'request':'unsubscribe','streams':[{}]}", 429);
    expect_error(s, "{'request':'unsubscribe','streams':['x']}", 430);
    expect_error(s, "{'request':'unsubscribe','streams':[{'sub_mid':1}]}", 430);
    expect_error(s, "{'request':'update'}", 429);
    /* nothing of it happens */
    expect_error(s, "{'request':'update','unsubscribe':[{'feed':1}],'subscribe':[{'feed':9}]}",
                 428);
    CHECK(route(a, 1, s, 1));
    phone_say(s, "{'request':'unsubscribe','streams':[{'feed':9},{'sub_mid':'9'}]}");
    CHECK(!strstr(phone_told(s), "+offer"));
    stage_down(&stage);
}

TEST(a_subscription_has_a_most)
{
    if (!CHECK(begin()))
        return;
    (void)publisher(1);
    struct phone *s = phone();
    static char body[16384];
    int n = snprintf(body, sizeof body,
                     "{'request':'join','room':1234,'ptype':'subscriber',"
                     "'streams':[{'feed':1}");
    for (int i = 0; i < 62; i++)
        n += snprintf(body + n, sizeof body - (size_t)n, ",{'feed':1,'mid':'1','crossrefid':'%d'}",
                      i);
    char *end = body + n;
    (void)snprintf(end, sizeof body - (size_t)n, ",{'feed':1,'mid':'1','crossrefid':'x'}]}");
    expect_error(s, body, 430);
    (void)snprintf(end, sizeof body - (size_t)n, "]}");
    phone_say(s, body);
    CHECK_INT(s->count, 2);
    for (int i = 0; i < s->count; i++) /* it is longer than a transcript */
        json_decref(s->got[i]);
    s->count = 0;
    phone_say(s, "{'request':'subscribe','streams':[{'feed':1,'mid':'0','crossrefid':'x'}]}");
    CHECK_STR(phone_told(s), "ack; #t error 430");
    stage_down(&stage);
}

/* A browser shows nothing under the SSRC that it knew before. */
TEST(a_line_that_comes_back_has_other_ssrcs)
{
    if (!CHECK(begin()))
        return;
    (void)publisher(1);
    struct phone *s = subscriber("[{'feed':1}]");
    char audio[64], video[64];
    (void)snprintf(audio, sizeof audio, "%.22s", strstr(s->sdp, "a=ssrc:"));
    (void)snprintf(video, sizeof video, "%.30s", strstr(s->sdp, "a=ssrc-group:FID"));
    phone_say(s, "{'request':'unsubscribe','streams':[{'sub_mid':'1'}]}");
    (void)phone_told(s);
    answer(s);
    phone_say(s, "{'request':'subscribe','streams':[{'feed':1,'mid':'1'}]}");
    (void)phone_told(s);
    CHECK_INT(offered(s, audio), 1);
    CHECK_INT(offered(s, "a=ssrc-group:FID"), 1);
    CHECK_INT(offered(s, video), 0);
    stage_down(&stage);
}

/* --- switch --- */

TEST(a_switch_needs_no_offer)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *b = publisher(2), *s = subscriber("[{'feed':1}]");
    tr_id sink = tr_pc_peer(tr_handle_pc(s->handle));
    phone_say(s, "{'request':'switch','streams':[{'feed':2,'mid':'1','sub_mid':'1',"
                 "'substream':0}]}");
    const char *told = phone_told(s);
    CHECK(!strncmp(told, "ack; #t {'changes':1,'room':1234,'streams':[", 43));
    CHECK(strstr(told, "'feed_id':2,'feed_mid':'1','mid':'1'"));
    CHECK(strstr(told, "],'switched':'ok'}") && !strstr(told, "+offer"));
    CHECK(!route(a, 1, s, 1) && route(b, 1, s, 1) && route(a, 0, s, 0));
    CHECK_INT(route(b, 1, s, 1)->conf.substream_max, 0);
    phone_say(s, "{'request':'switch','feed':2}");
    told = phone_told(s);
    CHECK(strstr(told, "{'changes':1,'display':'user 2','id':2,"));
    CHECK(route(b, 0, s, 0) && route(b, 1, s, 1) && !route(a, 0, s, 0));
    /* another kind is no change; another publisher's end is none to it */
    phone_say(s, "{'request':'switch','streams':[{'feed':1,'mid':'0','sub_mid':'1'}]}");
    CHECK(strstr(phone_told(s), "'changes':0"));
    phone_say(a, "{'request':'unpublish'}");
    CHECK_STR(phone_told(s), "");
    CHECK(tr_pc_peer(tr_handle_pc(s->handle)) == sink);
    expect_error(s, "{'request':'switch'}", 429);
    expect_error(s, "{'request':'switch','feed':1}", 428);
    expect_error(s, "{'request':'switch','streams':[{'feed':2,'mid':'1'}]}", 429);
    expect_error(s, "{'request':'switch','streams':[{'feed':2,'mid':'9','sub_mid':'1'}]}", 428);
    expect_error(s, "{'request':'switch','streams':[{'feed':2,'mid':'1','sub_mid':'9'}]}", 428);
    expect_error(s,
                 "{'request':'switch','streams':[{'feed':2,'mid':'1','sub_mid':'1',"
                 "'temporal':5}]}",
                 430);
    stage_down(&stage);
}

/* --- what publishers do --- */

TEST(a_publisher_goes)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *b = publisher(2);
    struct phone *s = subscriber("[{'feed':1},{'feed':2}]"), *quiet = phone(), *closing = phone();
    phone_say(quiet, "{'request':'join','room':1234,'ptype':'subscriber','autoupdate':false,"
                     "'streams':[{'feed':1}]}");
    (void)phone_told(quiet);
    answer(quiet);
    phone_say(closing, "{'request':'join','room':1234,'ptype':'subscriber','close_pc':true,"
                       "'feed':1}");
    (void)phone_told(closing);
    answer(closing);
    (void)phone_told(quiet), (void)phone_told(closing);
    phone_verb(a, "hangup");
    const char *told = phone_told(s);
    CHECK(strstr(told, "'videoroom':'updated'} +offer"));
    CHECK_INT(count_of(told, "'active':false"), 2);
    CHECK_INT(offered(s, "\na=inactive"), 2);
    CHECK_STR(phone_told(quiet), "");
    CHECK_STR(phone_told(closing), "hangup Close PC");
    answer(s);
    (void)phone_told(s);
    CHECK_INT(engine_routes(), 2);
    phone_say(b, "{'request':'leave'}");
    CHECK(strstr(phone_told(s), "'updated'} +offer"));
    CHECK_INT(offered(s, "\na=inactive"), 4);
    CHECK_INT(engine_routes(), 0);
    /* who is closed may come back */
    (void)publisher(3);
    phone_say(closing, "{'request':'join','room':1234,'ptype':'subscriber','feed':3}");
    CHECK(strstr(phone_told(closing), "+offer"));
    stage_down(&stage);
}

TEST(a_publisher_is_muted)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = subscriber("[{'feed':1}]");
    phone_say(a, "{'request':'configure','video':false}");
    CHECK(route(a, 1, s, 1)->conf.paused && !route(a, 0, s, 0)->conf.paused);
    phone_say(a, "{'request':'configure','video':true}");
    CHECK(!route(a, 1, s, 1)->conf.paused);
    CHECK_STR(phone_told(s), "");
    stage_down(&stage);
}

TEST(a_publisher_takes_its_streams_away_and_back)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = subscriber("[{'feed':1}]");
    phone_send(a, "{'request':'configure'}", "offer",
               replaced(fixture("chrome-offer-av.sdp"), "a=sendrecv", "a=recvonly"), false);
    const char *told = phone_told(s);
    CHECK(strstr(told, "'videoroom':'updated'} +offer"));
    CHECK_INT(count_of(told, "'active':false"), 2);
    CHECK_INT(offered(s, "\na=inactive"), 2);
    CHECK(route(a, 1, s, 1)->conf.paused);
    answer(s);
    (void)phone_told(s);
    phone_send(a, "{'request':'configure'}", "offer", fixture("chrome-offer-av.sdp"), false);
    told = phone_told(s);
    CHECK(strstr(told, "'videoroom':'updated'} +offer"));
    CHECK_INT(count_of(told, "'active':true"), 2);
    answer(s);
    CHECK(route(a, 1, s, 1) && !route(a, 1, s, 1)->conf.paused);
    stage_down(&stage);
}

/* --- the end --- */

TEST(a_subscriber_leaves_and_comes_back)
{
    if (!CHECK(begin()))
        return;
    (void)publisher(1);
    struct phone *s = subscriber("[{'feed':1}]");
    phone_say(s, "{'request':'leave'}");
    CHECK_STR(phone_told(s), "ack; #t {'left':'ok','room':1234}; hangup Close PC");
    CHECK_INT(engine_routes(), 0);
    expect_error(s, "{'request':'start'}", 424);
    phone_say(s, "{'request':'join','room':1234,'ptype':'subscriber','streams':[{'feed':1}]}");
    CHECK(strstr(phone_told(s), "+offer"));
    phone_verb(s, "hangup");
    (void)phone_told(s);
    expect_error(s, "{'request':'start'}", 424);
    stage_down(&stage);
}

static void talk(struct phone *p, bool on)
{
    struct tr_media_event ev = { .kind = TR_MEDIA_TALKING, .on = on, .level = on ? 10 : 100 };
    stage_media(&stage, ev, p);
}

/* Two slots, three who talk: who has been silent longest gives way, nothing is renegotiated. */
TEST(speakers_share_the_lines_of_a_large_room)
{
    if (!CHECK(begin()))
        return;
    struct phone *a[4], *s = phone();
    phone_say(s, "{'request':'create','room':9,'audio_speakers':2,'publishers':10}");
    for (int i = 1; i <= 3; i++) {
        a[i] = phone();
        phone_send(a[i],
                   say("{'request':'joinandconfigure','room':9,'ptype':'publisher','id':%d}", i),
                   "offer", fixture("chrome-offer-av.sdp"), false);
        stage_media(&stage, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, a[i]);
    }
    talk(a[1], true);
    (void)phone_told(s);
    phone_say(s, "{'request':'join','room':9,'ptype':'subscriber','streams':[{'speakers':5},"
                 "{'feed':1,'mid':'1'}]}");
    CHECK_INT(count_of(phone_told(s), "'speaker':true"), 2);
    CHECK_INT(offered(s, "\na=sendonly"), 3);
    answer(s);
    (void)phone_told(s);
    CHECK(route(a[1], 0, s, 1) && route(a[1], 1, s, 0)); /* who talked already is there */
    talk(a[2], true);
    CHECK_STR(phone_told(s), "{'room':9,'speakers':[{'feed':2,'mid':'2'}]}");
    CHECK(route(a[2], 0, s, 2));
    talk(a[3], true); /* nobody is silent: has to wait */
    CHECK_STR(phone_told(s), "");
    talk(a[1], false);
    CHECK_STR(phone_told(s), "{'room':9,'speakers':[{'feed':3,'mid':'1'}]}");
    CHECK(route(a[3], 0, s, 1) && !route(a[1], 0, s, 1));
    phone_say(a[2], "{'request':'unpublish'}");
    CHECK(strstr(phone_told(s), "'speakers':[{'mid':'2'}]"));
    CHECK(route(a[3], 0, s, 1) && engine_routes() == 2);
    talk(a[1], true);
    CHECK(strstr(phone_told(s), "'speakers':[{'feed':1,'mid':'2'}]"));
    CHECK_INT(offered(s, "\na=sendonly"), 3); /* the first offer still holds */
    phone_say(s, "{'request':'unsubscribe','streams':[{'feed':3}]}"); /* is no feed's line */
    (void)phone_told(s);
    CHECK(route(a[3], 0, s, 1));
    expect_error(phone(),
                 "{'request':'join','room':1234,'ptype':'subscriber','streams':[{'speakers':1}]}",
                 430);
    stage_down(&stage);
}

TEST(a_room_ends)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = subscriber("[{'feed':1}]");
    phone_say(a, "{'request':'destroy','room':1234,'secret':'adminpwd'}");
    CHECK(strstr(phone_told(s), "{'room':1234,'videoroom':'destroyed'}; hangup Close PC"));
    CHECK_INT(engine_routes(), 0);
    expect_error(s, "{'request':'start'}", 424);
    stage_down(&stage);
}

TEST(answers_that_cannot_be)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher(1), *s = phone();
    phone_say(s, "{'request':'join','room':1234,'ptype':'subscriber','streams':[{'feed':1}]}");
    (void)phone_told(s);
    phone_send(s, "{'request':'start'}", "offer", fixture("chrome-offer-av.sdp"), false);
    CHECK_STR(phone_told(s), "ack; #t error 431");
    phone_send(s, "{'request':'start'}", "answer", fixture("chrome-offer-audio.sdp"), false);
    CHECK_STR(phone_told(s), "API error 465");
    answer(s);
    CHECK_STR(phone_told(s), "ack; #t {'room':1234,'started':'ok'}");
    CHECK(route(a, 1, s, 1));
    phone_send(s, "{'request':'start'}", "answer", phone_answer(s), false);
    CHECK_STR(phone_told(s), "API error 469");
    stage_down(&stage);
}

TEST(handle_info_of_a_subscriber)
{
    if (!CHECK(begin()))
        return;
    (void)publisher(1);
    struct phone *s = subscriber("[{'feed':1}]");
    json_t *info = phone_query(s);
    CHECK_STR(json_string_value(json_object_get(info, "type")), "subscriber");
    CHECK_INT(json_array_size(json_object_get(info, "streams")), 2);
    json_decref(info);
    stage_down(&stage);
}

/* All publishers' data channels come on one m-line, told apart by their labels. */
TEST(vr_data_channels_are_called_as_their_publishers)
{
    if (!CHECK(begin()))
        return;
    struct phone *ann = publisher_of(11, fixture("chrome-offer-av-data.sdp"));
    struct phone *bea = publisher_of(12, fixture("chrome-offer-av-data.sdp"));
    struct phone *bob = subscriber("[{'feed':11},{'feed':12}]");
    const struct double_data_route *from_ann = engine_data_route(ann->handle, bob->handle);
    const struct double_data_route *from_bea = engine_data_route(bea->handle, bob->handle);
    CHECK(from_ann && strcmp(from_ann->label, "11") == 0);
    CHECK(from_bea && strcmp(from_bea->label, "12") == 0);
    CHECK(from_ann && !from_ann->patient && !from_ann->paused);
    const char *line = strstr(bob->sdp, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
    CHECK(line && !strstr(line + 1, "m=application"));
    phone_say(bob, "{'request':'pause'}");
    CHECK(from_ann->paused && from_bea->paused);
    phone_say(bob, "{'request':'start'}");
    CHECK(!from_ann->paused && !from_bea->paused);
    stage_down(&stage);
}

TEST(data_sources_come_and_go)
{
    if (!CHECK(begin()))
        return;
    struct phone *a = publisher_of(1, fixture("chrome-offer-av-data.sdp"));
    struct phone *b = publisher_of(2, fixture("firefox-offer-av-data.sdp"));
    struct phone *s = subscriber("[{'feed':1}]");
    phone_say(s, "{'request':'subscribe','streams':[{'feed':2}]}");
    CHECK(strstr(phone_told(s), "'source_ids':[2,1],'sources':2,'type':'data'"));
    CHECK_INT(offered(s, "\nm=application"), 1);
    CHECK(engine_data_route(b->handle, s->handle));
    phone_say(a, "{'request':'unpublish'}");
    CHECK(!engine_data_route(a->handle, s->handle) && engine_data_route(b->handle, s->handle));
    stage_down(&stage);
}

/* Whatever memory is missing, a join leaves nothing behind. */
TEST_OOM(vr_subscriber_join)
{
    struct phone *s = NULL;
    enum tr_err err = begin() ? TR_OK : TR_ERR_NOMEM;
    if (err == TR_OK)
        (void)stage_phone(&stage, PACKAGE, NULL);
    if (err == TR_OK && stage.phones[0].handle) {
        phone_send(&stage.phones[0],
                   "{'request':'joinandconfigure','room':1234,'ptype':'publisher','id':1}", "offer",
                   fixture("chrome-offer-av.sdp"), false);
        s = stage_phone(&stage, PACKAGE, NULL);
    }
    bool joined = false;
    if (s && s->handle) {
        phone_say(s, "{'request':'join','room':1234,'ptype':'subscriber','streams':[{'feed':1}]}");
        joined = strstr(phone_told(s), "+offer") != NULL;
    }
    if (joined) {
        answer(s);
        joined = strstr(phone_told(s), "'started'") != NULL && engine_routes() == 2;
    }
    if (stage.gw)
        stage_down(&stage);
    return err == TR_OK && joined ? TR_OK : TR_ERR_NOMEM;
}
