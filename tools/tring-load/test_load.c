/* Goal: what tring-load is told and what it reports are right.
 * Method: command lines as tables; percentiles of known distributions; our own process in /proc. */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tring-load/measure.h"
#include "tring-load/options.h"
#include "unit.h"

enum { WORDS_MAX = 8 };

static enum load_parsed parse(struct load_options *o, const char *const *words)
{
    char *argv[WORDS_MAX + 1] = { (char *)(uintptr_t) "tring-load" };
    int argc = 1;
    for (; argc < WORDS_MAX && words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return load_options_parse(o, argc, argv);
}

TEST(options_good)
{
    struct load_options o;
    CHECK(parse(&o, (const char *[]){ "--echo", "10", NULL }) == LOAD_RUN);
    CHECK(o.scenario == LOAD_ECHO && o.clients == 10 && o.video && o.audio);
    CHECK_STR(o.host, "127.0.0.1");
    CHECK_INT(o.port, 8188);
    CHECK_STR(o.path, "/");
    CHECK(parse(&o, (const char *[]){ "--calls", "3", "--url", "ws://h:81/janus", "--profile",
                                      "sha1", NULL }) == LOAD_RUN);
    CHECK(o.scenario == LOAD_CALLS && o.clients == 6 && o.profile == TR_SRTP_AES128_CM_SHA1_80);
    CHECK_STR(o.host, "h");
    CHECK_INT(o.port, 81);
    CHECK_STR(o.path, "/janus");
    CHECK(!o.http);
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--url", "http://h:8088/janus", NULL }) ==
          LOAD_RUN);
    CHECK(o.http && o.port == 8088);
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--url", "ws://[2001:db8::1]:81/x", NULL }) ==
          LOAD_RUN);
    CHECK_STR(o.host, "2001:db8::1");
    CHECK_INT(o.port, 81);
    CHECK_STR(o.path, "/x");
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--loss", "2.5", "--gro", NULL }) == LOAD_RUN);
    CHECK(o.loss > 0.0249 && o.loss < 0.0251 && o.gro);
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--tcp", NULL }) == LOAD_RUN && o.tcp);
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--help", NULL }) == LOAD_HELP);
}

TEST(options_of_turn)
{
    struct load_options o;
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--turn", "turn:192.0.2.1", NULL }) ==
          LOAD_RUN);
    CHECK(o.turn.on && !o.turn.tls && o.turn.server.port == 3478 && !o.relay_only);
    CHECK_INT(o.turn.server.proto, TR_PROTO_UDP);
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--turn", "turn:[2001:db8::1]:9?transport=tcp",
                                      "--relay-only", NULL }) == LOAD_RUN);
    CHECK(o.turn.server.port == 9 && o.turn.server.proto == TR_PROTO_TCP && o.relay_only);
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--turn", "turns:192.0.2.1", NULL }) ==
          LOAD_RUN);
    CHECK(o.turn.tls && o.turn.server.port == 5349 && o.turn.server.proto == TR_PROTO_TCP);
    static const char *const bad[] = { "192.0.2.1",           "turn:",
                                       "turn:host",           "turn:192.0.2.1:0",
                                       "turn:192.0.2.1:9x",   "turns:192.0.2.1?transport=udp",
                                       "turn:192.0.2.1:70000" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(parse(&o, (const char *[]){ "--echo", "1", "--turn", bad[i], NULL }) == LOAD_WRONG);
    CHECK(parse(&o, (const char *[]){ "--echo", "1", "--relay-only", NULL }) == LOAD_WRONG);
}

TEST(options_of_rooms)
{
    struct load_options o;
    CHECK(parse(&o, (const char *[]){ "--room", "2:40", "--rooms", "3", "--video", "300:1100:10",
                                      NULL }) == LOAD_RUN);
    CHECK(o.scenario == LOAD_ROOM && o.clients == 3 * 42 && o.subscribers == 40);
    CHECK(o.fps == 30 && o.frame_packets == 10 && o.video_bps == 300 * 1100 * 8);
    CHECK(parse(&o, (const char *[]){ "--meeting", "10", "--simulcast", NULL }) == LOAD_RUN);
    CHECK(o.clients == 20 && o.publishers == 10 && o.layers == 3);
    CHECK(parse(&o, (const char *[]){ "--room", "1:1", "--audio", "25:80", "--video-kbps", "0",
                                      NULL }) == LOAD_RUN);
    CHECK(o.audio_pps == 25 && o.audio_bytes == 80 && o.audio_even && !o.video);
}

TEST(options_wrong)
{
    static const char *const wrong[][WORDS_MAX] = {
        { NULL },
        { "--echo" },
        { "--echo", "0" },
        { "--echo", "x" },
        { "--echo", "1", "--calls", "1" },
        { "--echo", "1", "--url", "https://h/" },
        { "--echo", "1", "--url", "ws://:80/" },
        { "--echo", "1", "--url", "ws://h:99999/" },
        { "--echo", "1", "--url", "ws://[::1/" },
        { "--echo", "1", "--profile", "none" },
        { "--echo", "1", "--bind", "localhost" },
        { "--echo", "1", "--nonsense" },
        { "--echo", "1", "--video-kbps", "0", "--audio-bytes", "0" },
        { "--room", "1" },
        { "--room", "1:" },
        { "--room", "1:0" },
        { "--room", "1:2:3" },
        { "--room", "500:1" }, /* 1000 streams for a subscriber */
        { "--room", "1:30000" },
        { "--room", "1:1", "--meeting", "3" },
        { "--room", "1:1", "--video", "300:1100:7" }, /* no whole number of bursts */
        { "--room", "1:1", "--video", "300:1100" },
        { "--meeting", "4", "--simulcast", "--video", "300:1100:10" },
        { "--echo", "1", "--simulcast" },
        { "--meeting", "3", "--rid" },
        { "--echo", "1", "--tcp", "--turn", "turn:192.0.2.1", "--relay-only" },
    };
    struct load_options o;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (!CHECK(parse(&o, wrong[i]) == LOAD_WRONG))
            unit_note("    line %zu", i);
    }
}

TEST(hist_percentiles)
{
    struct hist *h = tr_alloc(sizeof *h);
    CHECK_INT(hist_percentile(h, 0.5), 0);
    for (int i = 0; i < 1000; i++)
        hist_add(h, i * 10); /* 0 .. 9990 us */
    CHECK_INT(hist_percentile(h, 0.5), 5010);
    CHECK_INT(hist_percentile(h, 0.99), 9910);
    hist_add(h, 10 * TR_SECOND); /* beyond the last bucket */
    hist_add(h, -5);
    CHECK_INT(h->max, 10 * TR_SECOND);
    CHECK_INT(h->count, 1002);
    tr_free(h);
}

TEST(times_without_those_who_did_not_get_there)
{
    tr_usec us[] = { 3000, TR_NEVER, 1000, 2000 };
    struct times t = { us, 4 };
    json_t *json = times_json(&t);
    CHECK(json_real_value(json_object_get(json, "p50")) == 2.0);
    CHECK(json_real_value(json_object_get(json, "max")) == 3.0);
    json_decref(json);
    tr_usec never[] = { TR_NEVER };
    struct times none = { never, 1 };
    CHECK(json_is_null(times_json(&none)));
}

TEST(process_of_our_own)
{
    struct process p;
    usleep(1000); /* a young process may not have given its core away yet */
    process_read(&p, getpid());
    CHECK(p.known);
    CHECK(p.rss_kib > 100);
    CHECK(p.cpu_s > 0 && p.cpu_s < 60);
    CHECK(p.voluntary + p.involuntary > 0);
    CHECK_STR(p.name, "test_load");
    CHECK(machine_busy_s() > 0);
    process_read(&p, 0);
    CHECK(!p.known);
}
