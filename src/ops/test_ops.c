/* Goal: what operators see is right, costs little, and is for operators alone; short calls, silent
 * workers and floods included.
 * Method: the gateway over doubles of PeerConnections and of the media engine (test_fake_pc.h); its
 * answers are written here; requests given straight to the handlers; virtual time. */
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/test_fake_pc.h"
#include "gateway/transport/test_http.h"
#include "net/log.h"
#include "ops/ops_int.h"
#include "unit.h"

static tr_usec now;

/* --- the part under test --- */

struct desk {
    struct rig rig;
    struct tr_sql *db;
    struct tr_ops *ops;
    uint64_t session;
};

static tr_usec clock_now(void)
{
    return now;
}

static int64_t unix_us(void)
{
    return 1700000000 * TR_SECOND + now;
}

static void quiet(void *arg, const char *line, size_t n)
{
}

static void open_desk(struct desk *d)
{
    tr_log_set_sink(quiet, NULL);
    http_forget_rows();
    CHECK_INT(rig_create(&d->rig, &(struct tr_gateway_conf){ .admin_secret = "boss" }), TR_OK);
    now = d->rig.now;
    CHECK_INT(tr_sql_open(&d->db, ":memory:"), TR_OK);
    CHECK_INT(tr_calls_init(d->db), TR_OK);
    const struct tr_ops_conf conf = { .gw = d->rig.gw,
                                      .db = d->db,
                                      .rng = &d->rig.rng,
                                      .clock = clock_now,
                                      .unix_us = unix_us,
                                      .version = "1.2.3" };
    CHECK_INT(tr_ops_create(&d->ops, &conf), TR_OK);
    d->session = rig_session(&d->rig, &d->rig.ws);
}

static void close_desk(struct desk *d)
{
    http_forget();
    rig_destroy(&d->rig);
    tr_ops_destroy(d->ops);
    tr_sql_close(d->db);
}

/* Lets time go by, as the server's loop does. */
static void pass(struct desk *d, tr_usec us)
{
    const tr_usec end = now + us;
    tr_ops_timeout(d->ops, now);
    while (now < end) {
        tr_usec next = tr_ops_next_timeout(d->ops);
        now = next > now && next < end ? next : end;
        d->rig.now = now;
        tr_ops_timeout(d->ops, now);
    }
}

static struct tr_handle *call(struct desk *d, tr_id peer)
{
    uint64_t id = rig_handle(&d->rig, &d->rig.ws, d->session, "janus.plugin.both");
    struct tr_handle *handle = tr_handle_find(d->rig.gw, d->session, id);
    fake_pc_up(handle, peer);
    fake_client_clear(&d->rig.ws);
    return handle;
}

/* n: how long media has flowed, in seconds. */
static struct tr_media_peer_stats *stats_of(int n)
{
    struct tr_media_peer_stats *st = tr_alloc(sizeof *st);
    st->ice_state = "connected";
    st->connected_us = now - n * TR_SECOND;
    st->packets_in = (uint64_t)n * 100;
    st->pairs_count = 1;
    st->pairs[0] = (struct tr_stats_pair){ .local = tr_addr_v4(127, 0, 0, 1, 10000),
                                           .remote = tr_addr_v4(192, 0, 2, 1, 4000),
                                           .selected = true };
    st->bandwidth = (struct tr_stats_bandwidth){ .known = true, .estimate_bps = 900000 };
    st->tracks_count = 1;
    st->tracks[0] = (struct tr_stats_track){ .used = true,
                                             .video = true,
                                             .codec = "VP8",
                                             .clock_rate = 90000,
                                             .layers_count = 1,
                                             .layers = { { .packets = (uint64_t)n * 90,
                                                           .lost = (uint64_t)n * 10,
                                                           .jitter_rtp = 900,
                                                           .bitrate_bps = 500000,
                                                           .last_us = now } },
                                             .sending = true,
                                             .out_packets = (uint64_t)n * 100,
                                             .out_bitrate_bps = 400000,
                                             .remote_lost = (uint32_t)n,
                                             .rtt_us = 20000 };
    return st;
}

/* The worker's answer to the last question. */
static void answer(struct desk *d, struct tr_media_peer_stats *stats)
{
    const struct tr_media_event event = { .kind = TR_MEDIA_STATS,
                                          .peer = fake_pc.query_peer,
                                          .cookie = fake_pc.query_cookie,
                                          .stats = stats };
    CHECK(tr_ops_media_event(d->ops, now, &event));
}

static int ask_as(const char *pattern, const char *a, const char *b, const char *secret)
{
    char header[64];
    snprintf(header, sizeof header, "Bearer %s", secret ? secret : "");
    const struct tr_http_request request = { .method = TR_HTTP_GET,
                                             .params = { a, b },
                                             .headers = { [TR_HTTP_AUTHORIZATION] =
                                                              secret ? header : NULL },
                                             .client = tr_addr_v4(127, 0, 0, 1, 5000),
                                             .now = now };
    return http_ask(pattern, &request);
}

static int ask(const char *pattern, const char *a, const char *b)
{
    return ask_as(pattern, a, b, "boss");
}

static int ask_handle(const char *pattern, const struct tr_handle *handle)
{
    char session[32], id[32];
    snprintf(session, sizeof session, "%llu", (unsigned long long)tr_handle_session_id(handle));
    snprintf(id, sizeof id, "%llu", (unsigned long long)tr_handle_id(handle));
    return ask(pattern, session, id);
}

#define NOW_LIST "/api/v1/connections"
#define NOW_ONE "/api/v1/connections/:session/:handle"
#define SAMPLES "/api/v1/connections/:session/:handle/samples"
#define PAST_LIST "/api/v1/past-connections"
#define PAST_ONE "/api/v1/past-connections/:id"

/* --- samples --- */

TEST(sample_tells_what_was_lost_since_the_one_before)
{
    struct ops_totals totals = { 0 };
    struct ops_sample s;
    struct tr_media_peer_stats *st = stats_of(1);
    ops_measure(st, 5, &totals, &s);
    CHECK_INT(s.at_ms, 5);
    CHECK_INT(s.v[OPS_LOSS_IN_PPM], 100000);
    CHECK_INT(s.v[OPS_LOSS_OUT_PPM], 10000);
    CHECK_INT(s.v[OPS_RTT_US], 20000);
    CHECK_INT(s.v[OPS_JITTER_IN_US], 10000);
    CHECK_INT(s.v[OPS_VIDEO_IN_BPS], 500000);
    CHECK_INT(s.v[OPS_AUDIO_IN_BPS], OPS_UNKNOWN);
    st->tracks[0].layers[0].packets += 100;
    st->tracks[0].layers[0].lost -= 10; /* repaired */
    ops_measure(st, 6, &totals, &s);
    CHECK_INT(s.v[OPS_LOSS_IN_PPM], 0);
    CHECK_INT(s.v[OPS_LOSS_OUT_PPM], OPS_UNKNOWN); /* nothing was sent */
    st->tracks[0].layers[0].packets = 3;           /* another SSRC */
    ops_measure(st, 7, &totals, &s);
    CHECK_INT(s.v[OPS_LOSS_IN_PPM], 0);
    tr_free(st);
}

TEST(sample_of_nonsense_is_bounded)
{
    struct ops_totals totals = { 0 };
    struct ops_sample s;
    struct tr_media_peer_stats *st = stats_of(1);
    st->tracks_count = 1 << 20;
    st->tracks[0].layers_count = 99;
    st->tracks[0].clock_rate = 0;
    st->tracks[0].rtt_us = INT64_MAX;
    st->tracks[0].layers[0].bitrate_bps = UINT32_MAX;
    st->tracks[0].layers[1].bitrate_bps = UINT32_MAX;
    st->tracks[0].remote_lost = UINT32_MAX;
    ops_measure(st, 0, &totals, &s);
    CHECK_INT(s.v[OPS_RTT_US], OPS_UNKNOWN - 1);
    CHECK_INT(s.v[OPS_VIDEO_IN_BPS], OPS_UNKNOWN - 1);
    CHECK_INT(s.v[OPS_LOSS_OUT_PPM], 1000000);
    CHECK_INT(s.v[OPS_JITTER_IN_US], 0);
    tr_free(st);
}

TEST(who_is_read_from_any_plugin)
{
    struct ops_who who = { 0 };
    json_t *q = json_pack("{s:i, s:i, s:s}", "room", 1234, "id", 7, "type", "publisher");
    ops_who_read(&who, q);
    CHECK_STR(who.user, "7");
    CHECK_STR(who.room, "1234");
    json_object_set_new(q, "display", json_string("Ann"));
    ops_who_read(&who, q);
    CHECK_STR(who.user, "Ann");
    json_decref(q);
    char longest[512];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memcpy(longest + TR_CONNECTION_TEXT_MAX - 2, "\xc3\xa4", 2); /* would be cut in two */
    q = json_pack("{s:s, s:{}, s:n}", "username", longest, "room", "peer");
    ops_who_read(&who, q);
    CHECK_INT(strlen(who.user), TR_CONNECTION_TEXT_MAX - 2);
    CHECK_STR(who.room, "1234"); /* what is no text changes nothing */
    json_decref(q);
    ops_who_read(&who, NULL);
}

TEST(candidate_type_is_the_clients_word)
{
    json_t *lines =
        json_pack("[s, s, s, s]", "candidate:1 1 udp 2122260223 192.0.2.1 4000 typ host",
                  "candidate:2 1 udp 41885439 198.51.100.9 5000 typ relay raddr 0.0.0.0 "
                  "rport 0",
                  "candidate:3 1 udp 1 x.local 4000 typ host", "garbage");
    struct tr_addr a = tr_addr_v4(192, 0, 2, 1, 4000);
    CHECK_STR(ops_candidate_type(lines, &a), "host");
    a = tr_addr_v4(198, 51, 100, 9, 5000);
    CHECK_STR(ops_candidate_type(lines, &a), "relay");
    a.port = 1;
    CHECK_STR(ops_candidate_type(lines, &a), "prflx");
    CHECK_STR(ops_candidate_type(NULL, &a), "prflx");
    json_decref(lines);
}

/* --- watching --- */

TEST(connection_is_measured_and_summed_up)
{
    struct desk d;
    open_desk(&d);
    struct tr_handle *handle = call(&d, 42);
    CHECK_INT(ask(NOW_LIST, NULL, NULL), 200);
    CHECK_STR(fake_text(reply.body, "connections.0.state"), "connecting");
    CHECK(json_is_null(fake_at(reply.body, "connections.0.latest")));
    tr_ops_call(d.ops, handle, "0123abcd");
    tr_ops_call(NULL, handle, "x");
    pass(&d, TR_SECOND);
    CHECK_INT(fake_pc.queries, 1);
    answer(&d, stats_of(1));
    CHECK_INT(ask(NOW_LIST, NULL, NULL), 200);
    CHECK_INT(fake_int(reply.body, "connections.0.latest.rtt_us"), 20000);
    CHECK_STR(fake_text(reply.body, "connections.0.call"), "0123abcd");
    CHECK_STR(fake_text(reply.body, "connections.0.client"), "192.0.2.1");
    for (int i = 0; i < 200; i++) { /* more than are kept */
        pass(&d, TR_OPS_SAMPLE_US);
        answer(&d, stats_of(i + 2));
    }
    CHECK_INT(fake_pc.queries, 201);
    CHECK_INT(ask_handle(SAMPLES, handle), 200);
    CHECK_INT(json_array_size(fake_at(reply.body, "at_ms")), TR_OPS_SAMPLES_MAX);
    CHECK_INT(fake_int(reply.body, "at_ms.119") - fake_int(reply.body, "at_ms.0"), 119 * 5000);
    CHECK_INT(json_array_size(fake_at(reply.body, "rtt_us")), TR_OPS_SAMPLES_MAX);

    tr_handle_close_pc(handle, now);
    CHECK_INT(fake_pc.queries, 202); /* before the peer is closed */
    answer(&d, stats_of(203));
    pass(&d, 2 * TR_SECOND);
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    CHECK_STR(fake_text(reply.body, "connections.0.reason"), "Close PC");
    CHECK_STR(fake_text(reply.body, "connections.0.call"), "0123abcd");
    CHECK_STR(fake_text(reply.body, "connections.0.codecs"), "VP8");
    CHECK_STR(fake_text(reply.body, "connections.0.path.protocol"), "udp");
    CHECK_STR(fake_text(reply.body, "connections.0.path.type"), "prflx");
    CHECK_INT(fake_int(reply.body, "connections.0.metrics.rtt_us.mean"), 20000);
    CHECK_INT(fake_int(reply.body, "connections.0.totals.packets_in"), 20300);
    CHECK_INT(fake_int(reply.body, "connections.0.ended_ms") -
                  fake_int(reply.body, "connections.0.started_ms"),
              1001000);
    char id[64];
    snprintf(id, sizeof id, "%s", fake_text(reply.body, "connections.0.id"));
    CHECK_INT(ask(PAST_ONE, id, NULL), 200);
    CHECK_INT(json_array_size(fake_at(reply.body, "series.at_ms")), 60); /* two in one */
    CHECK(json_is_null(fake_at(reply.body, "of_call")));                 /* no such call */
    CHECK_INT(ask(PAST_ONE, "no", NULL), 404);
    close_desk(&d);
}

TEST(silent_worker_costs_the_figures_only)
{
    struct desk d;
    open_desk(&d);
    struct tr_handle *handle = call(&d, 42);
    pass(&d, 30 * TR_SECOND);
    CHECK_INT(fake_pc.queries, 6);
    answer(&d, NULL);
    tr_handle_close_pc(handle, now);
    pass(&d, 4 * TR_SECOND);
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    CHECK_STR(fake_text(reply.body, "connections.0.reason"), "Close PC");
    CHECK(json_is_null(fake_at(reply.body, "connections.0.up_ms")));
    CHECK(json_is_null(fake_at(reply.body, "connections.0.path")));
    answer(&d, stats_of(1)); /* too late: freed */
    close_desk(&d);
}

TEST(others_answers_are_left_alone)
{
    struct desk d;
    open_desk(&d);
    const struct tr_media_event gateways = { .kind = TR_MEDIA_STATS, .cookie = 7 };
    const struct tr_media_event other = { .kind = TR_MEDIA_PEER_UP, .cookie = OPS_COOKIE };
    CHECK(!tr_ops_media_event(d.ops, now, &gateways));
    CHECK(!tr_ops_media_event(d.ops, now, &other));
    close_desk(&d);
}

/* Not every peer at once, and no more than so many a second. */
TEST(peers_are_asked_evenly)
{
    enum { PEERS = 250 };
    struct desk d;
    open_desk(&d);
    for (int i = 0; i < PEERS; i++)
        call(&d, (tr_id)(1000 + i));
    pass(&d, TR_SECOND + TR_MSEC);
    CHECK_INT(fake_pc.queries, TR_OPS_ASK_PER_S / 5);
    pass(&d, TR_SECOND / 4);
    CHECK_INT(fake_pc.queries, PEERS);
    pass(&d, 10 * TR_SECOND);
    CHECK_INT(fake_pc.queries, 3 * PEERS);
    rig_post(&d.rig, &d.rig.admin, d.session, 0,
             "{'janus':'destroy_session','transaction':'x','admin_secret':'boss'}");
    CHECK_INT(fake_pc.queries, 4 * PEERS); /* each a last time */
    d.session = rig_session(&d.rig, &d.rig.ws2);
    pass(&d, 4 * TR_SECOND); /* none answers */
    CHECK_INT(ask("/api/v1/server", NULL, NULL), 200);
    CHECK_INT(fake_int(reply.body, "watching.written"), PEERS);
    CHECK_INT(fake_int(reply.body, "watching.lost"), 0);
    CHECK_INT(fake_int(reply.body, "watching.peers"), 0);
    http_arg("limit", "100");
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    CHECK_INT(json_array_size(fake_at(reply.body, "connections")), 100);
    char last[64];
    snprintf(last, sizeof last, "%s", fake_text(reply.body, "connections.99.id"));
    http_arg("before", last);
    http_arg("limit", "500");
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    CHECK_INT(json_array_size(fake_at(reply.body, "connections")), 150);
    close_desk(&d);
}

TEST(summaries_are_bounded)
{
    struct desk d;
    open_desk(&d);
    for (int i = 0; i < 20; i++) {
        struct tr_connection row = { .started_us = i, .ended_us = i, .summary = "{}" };
        snprintf(row.id, sizeof row.id, "%d", i);
        CHECK_INT(tr_connections_add(d.db, &row), TR_OK);
        CHECK_INT(tr_connections_add(d.db, &row), TR_ERR_EXISTS);
    }
    char *huge = tr_alloc(TR_CONNECTION_SERIES_MAX + 1);
    memset(huge, 'x', TR_CONNECTION_SERIES_MAX);
    CHECK_INT(tr_connections_add(
                  d.db, &(struct tr_connection){ .id = "h", .summary = "{}", .series = huge }),
              TR_ERR_LIMIT);
    CHECK_INT(tr_connections_add(d.db, &(struct tr_connection){ .id = "h", .summary = huge }),
              TR_ERR_LIMIT);
    tr_free(huge);
    CHECK_INT(tr_connections_prune(d.db, 5, 10), TR_OK); /* by age 0..4, by count 5..9 */
    http_arg("limit", "500");
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    CHECK_INT(json_array_size(fake_at(reply.body, "connections")), 10);
    CHECK_STR(fake_text(reply.body, "connections.9.id"), "10");
    CHECK_INT(tr_sql_exec(d.db, "UPDATE connections SET summary = '[nonsense', series = '3'"),
              TR_OK);
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    CHECK_INT(ask(PAST_ONE, "10", NULL), 200);
    CHECK_INT(json_object_size(fake_at(reply.body, "series")), 0);
    close_desk(&d);
}

/* --- requests --- */

TEST(view_waits_for_the_worker)
{
    struct desk d;
    open_desk(&d);
    struct tr_handle *handle = call(&d, 42);
    CHECK_INT(ask_handle(NOW_ONE, handle), 0);
    answer(&d, stats_of(1));
    CHECK_INT(reply.status, 200);
    CHECK_STR(fake_text(reply.body, "info.webrtc.ice.state"), "connected");
    CHECK_STR(fake_text(reply.body, "info.plugin_specific.mood"), "fine");
    http_forget();
    answer(&d, stats_of(1)); /* twice: nobody waits any more */
    CHECK_INT(reply.status, 0);

    CHECK_INT(ask_handle(NOW_ONE, handle), 0); /* no answer */
    pass(&d, 2 * TR_SECOND);
    CHECK_INT(reply.status, 200);
    CHECK_INT(json_object_size(fake_at(reply.body, "info.webrtc")), 0);

    CHECK_INT(ask_handle(NOW_ONE, handle), 0); /* the asker goes */
    http_gone = true;
    answer(&d, stats_of(1));
    CHECK_INT(reply.status, 0);
    http_gone = false;

    for (int i = 0; i < TR_OPS_VIEWS_MAX; i++)
        CHECK_INT(ask_handle(NOW_ONE, handle), 0);
    CHECK_INT(ask_handle(NOW_ONE, handle), 503);
    http_forget();
    uint64_t cookie = fake_pc.query_cookie;
    rig_post(&d.rig, &d.rig.ws, d.session, tr_handle_id(handle), /* the handle goes */
             "{'janus':'detach','transaction':'x'}");
    fake_pc.query_cookie = cookie;
    answer(&d, stats_of(1));
    CHECK_INT(reply.status, 404);
    close_desk(&d); /* with requests that wait */
}

TEST(all_is_behind_the_secret)
{
    static const char *const patterns[] = { "/api/v1/server", NOW_LIST,  NOW_ONE,
                                            SAMPLES,          PAST_LIST, PAST_ONE };
    struct desk d;
    open_desk(&d);
    call(&d, 42);
    CHECK_INT(http_rows(), 7);
    CHECK_INT(ask_as("/api/v1/here", NULL, NULL, NULL), 204); /* the one that tells nothing */
    for (int i = 0; i < 6; i++) {
        CHECK_INT(ask_as(patterns[i], "1", "1", NULL), 403);
        CHECK_INT(ask_as(patterns[i], "1", "1", "bosss"), 403);
        CHECK(reply.body == NULL);
    }
    for (int i = 0; i < 14; i++)
        CHECK_INT(ask_as(NOW_LIST, NULL, NULL, ""), 403);
    for (int i = 0; i < 6; i++)
        CHECK_INT(ask_as(patterns[i], "1", "1", "boss"), 429); /* a flood: not looked at */
    CHECK_STR(reply.code, "too_many");
    pass(&d, TR_SECOND + 1);
    CHECK_INT(ask(NOW_LIST, NULL, NULL), 200);
    close_desk(&d);
}

TEST(hostile_arguments_find_nothing)
{
    static const char *const ids[] = {
        "", "0", "-1", "1e3", "18446744073709551616", "9007199254740992", "0x1", " 1", "1 ", "\xff"
    };
    char huge[4096];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    struct desk d;
    open_desk(&d);
    call(&d, 42);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        CHECK_INT(ask(NOW_ONE, ids[i], "1"), 404);
        CHECK_INT(ask(SAMPLES, "1", ids[i]), 404);
        CHECK_INT(ask(PAST_ONE, ids[i], NULL), 404);
    }
    http_arg("q", "nobody");
    CHECK_INT(ask(NOW_LIST, NULL, NULL), 200);
    CHECK_INT(fake_int(reply.body, "handles"), 1);
    CHECK_INT(fake_int(reply.body, "matching"), 0);
    http_arg("q", "PLUGIN.BOTH"); /* in any case */
    CHECK_INT(ask(NOW_LIST, NULL, NULL), 200);
    CHECK_INT(fake_int(reply.body, "matching"), 1);
    http_arg("q", "'; DROP TABLE connections; --");
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    http_arg("q", huge); /* too long to be anything: all */
    CHECK_INT(ask(NOW_LIST, NULL, NULL), 200);
    CHECK_INT(fake_int(reply.body, "matching"), 1);
    http_arg("limit", "99999999999999999999");
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    http_arg("limit", "0");
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 200);
    http_arg("before", "nobody");
    CHECK_INT(ask(PAST_LIST, NULL, NULL), 400);
    close_desk(&d);
}
