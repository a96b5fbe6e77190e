/* Goal: descriptions and requests that are too large, collide or come too often are refused with a
 * clear error and change nothing; who is in the room goes on, and what they cost comes back.
 * Method: as in test_publishers.c; "innocent" publishes all along. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/test_double.h"
#include "plugin/videoroom/videoroom.h"
#include "unit.h"

#define PACKAGE "janus.plugin.videoroom"

enum { SDP_SIZE = 1 << 17 };

static struct stage stage;
static struct tr_rng rng;
static struct phone *innocent;

static struct phone *phone(void)
{
    return stage_phone(&stage, PACKAGE, NULL);
}

static void check_has(struct phone *p, const char *part)
{
    const char *told = phone_told(p);
    if (!CHECK(strstr(told, part) != NULL))
        unit_note("    \"%s\" is not in \"%s\"", part, told);
}

static void ask(struct phone *p, const char *body, const char *part)
{
    phone_say(p, body);
    check_has(p, part);
}

static void offer(struct phone *p, const char *sdp)
{
    phone_send(p, "{'request':'publish'}", "offer", sdp, false);
}

static struct phone *joined(void)
{
    struct phone *p = phone();
    ask(p, "{'request':'join','ptype':'publisher','room':1}", "'videoroom':'joined'");
    return p;
}

static void begin(void)
{
    rng = tr_rng_seeded(3);
    struct tr_videoroom_conf conf = { .rng = &rng };
    CHECK_INT(stage_up(&stage, tr_videoroom_create(&conf, TR_SECOND)), TR_OK);
    innocent = phone();
    ask(innocent, "{'request':'create','room':1,'publishers':20}", "created");
    ask(innocent, "{'request':'join','ptype':'publisher','room':1,'id':1}", "joined");
    offer(innocent, fixture("chrome-offer-av.sdp"));
    check_has(innocent, "'configured':'ok'");
    stage_media(&stage, (struct tr_media_event){ .kind = TR_MEDIA_PEER_UP }, innocent);
    (void)phone_told(innocent);
}

/* Nobody has been told anything, and the room still answers. */
static void check_innocent(void)
{
    CHECK_STR(phone_told(innocent), "");
    ask(innocent, "{'request':'listparticipants','room':1}", "'id':1,'publisher':true");
    CHECK_INT(engine_peers(), 1);
}

static void check_refused(struct phone *p, const char *sdp, const char *reason)
{
    offer(p, sdp);
    check_has(p, reason);
    check_innocent();
}

TEST(videoroom_descriptions_with_200_m_lines)
{
    static char sdp[SDP_SIZE];
    begin();
    struct phone *p = joined();
    (void)phone_told(innocent);
    size_t n =
        (size_t)snprintf(sdp, sizeof sdp, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(sdp + n, sizeof sdp - n,
                              "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:%d\r\n"
                              "a=rtpmap:96 VP8/90000\r\n",
                              i);
    check_refused(p, sdp, "API error 465");
    /* Who was refused may try again. */
    offer(p, fixture("chrome-offer-av.sdp"));
    check_has(p, "'configured':'ok'");
    stage_down(&stage);
}

TEST(videoroom_descriptions_whose_mids_collide)
{
    begin();
    struct phone *p = joined();
    (void)phone_told(innocent);
    const char *twice = replaced(fixture("chrome-offer-av.sdp"), "a=mid:1", "a=mid:0");
    check_refused(p, twice, "API error 465");
    stage_down(&stage);
}

/* Refused, and nobody is told. */
TEST(videoroom_giant_texts)
{
    static char giant[30000];
    static const char *const bodies[] = {
        "{'request':'join','ptype':'publisher','room':1,'display':'@'}",
        "{'request':'join','ptype':'publisher','room':1,'metadata':{'k':'@'}}",
        "{'request':'join','ptype':'subscriber','room':1,'streams':[{'feed':1,'mid':'@'}]}",
        "{'request':'create','room':2,'description':'@'}",
        "{'request':'create','room':2,'secret':'@'}",
    };
    begin();
    struct phone *p = phone();
    memset(giant, 'x', sizeof giant - 1);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        phone_say(p, replaced(bodies[i], "@", giant));
        check_has(p, "error 4");
        check_innocent();
    }
    stage_down(&stage);
}

/* 10,000 joins within a minute, by sessions that come and go: the publisher is answered between
 * all of them, and the memory that they took comes back. */
TEST(videoroom_10000_joins_a_minute)
{
    begin();
    struct phone *crowd[8];
    int in = 0, told_to_wait = 0;
    for (int i = 0; i < 8; i++)
        crowd[i] = phone();
    stage_sleep(&stage, TR_SECOND);
    size_t before = 0;
    for (int i = 0; i < 10000; i++) {
        struct phone *p = crowd[i % 8];
        phone_say(p, "{'request':'join','ptype':'publisher','room':1}");
        const char *told = phone_told(p);
        in += strstr(told, "joined") != NULL;
        told_to_wait += strstr(told, "error 499") != NULL;
        phone_say(p, "{'request':'leave'}");
        (void)phone_told(p);
        (void)phone_told(innocent);
        stage_sleep(&stage, 6 * TR_MSEC);
        if (i % 100 == 99)
            ask(innocent, "{'request':'listparticipants','room':1}", "'id':1,'publisher':true");
        if (i == 999)
            before = tr_mem_in_use();
    }
    CHECK(in + told_to_wait == 10000);
    CHECK(tr_mem_in_use() <= before + 4096);
    stage_down(&stage);
}
