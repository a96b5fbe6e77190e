/* Goal: descriptions and requests that are too large, collide or come too often are refused with a
 * clear error and change nothing; who is in the room goes on, and what they cost comes back.
 * Method: as in test_publishers.c; "innocent" publishes all along. */
#include <stdio.h>

#include "base/mem.h"
#include "plugin/videoroom/test_room_rig.h"
#include "unit.h"

enum { SDP_SIZE = 1 << 17 };

static struct phone *innocent;

static void publish(struct phone *p, const char *sdp)
{
    offer(p, "{'request':'publish'}", sdp);
}

static void begin_with_innocent(void)
{
    begin();
    innocent = phone();
    ask(innocent, "{'request':'create','room':1,'publishers':20}", "created");
    ask(innocent, "{'request':'join','ptype':'publisher','room':1,'id':1}", "joined");
    publish(innocent, fixture("chrome-offer-av.sdp"));
    hear(innocent, "'configured':'ok'");
    up(innocent);
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
    publish(p, sdp);
    hear(p, reason);
    check_innocent();
}

TEST(videoroom_descriptions_with_200_m_lines)
{
    static char sdp[SDP_SIZE];
    begin_with_innocent();
    struct phone *p = joined(2);
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
    publish(p, fixture("chrome-offer-av.sdp"));
    hear(p, "'configured':'ok'");
    stage_down(&stage);
}

TEST(videoroom_descriptions_whose_mids_collide)
{
    begin_with_innocent();
    struct phone *p = joined(2);
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
    begin_with_innocent();
    struct phone *p = phone();
    memset(giant, 'x', sizeof giant - 1);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        phone_say(p, replaced(bodies[i], "@", giant));
        hear(p, "error 4");
        check_innocent();
    }
    stage_down(&stage);
}

/* 10,000 joins within a minute, by sessions that come and go: the publisher is answered between
 * all of them, and the memory that they took comes back. */
TEST(videoroom_10000_joins_a_minute)
{
    begin_with_innocent();
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
