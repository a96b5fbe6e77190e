/* Goal: calls are logged as they happen, and /api shows them to those who may see them and to
 * nobody else, whatever names the clients chose. Method: the observer called by hand; requests
 * given straight to the handlers, with doubles of the listener's replies and of the recorder. */
#include <stdlib.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/mem.h"
#include "contact/contact.h"
#include "gateway/transport/test_http.h"
#include "gateway/gateway.h"
#include "gateway/transport/routes.h"
#include "net/log.h"
#include "ops/ops.h"
#include "plugin/side_record.h"
#include "record/recorder.h"
#include "store/calls.h"
#include "unit.h"

/* --- doubles --- */

static int64_t wall_us;
static struct {
    char started[40];
    int starts, stops, tracks[2];
    char label[2][64];
} recorder;

void tr_gateway_counters(const struct tr_gateway *gw, struct tr_gateway_counters *out)
{
    *out = (struct tr_gateway_counters){ .sessions = 3 };
}

tr_id tr_recorder_start(struct tr_recorder *rec, const char *id, tr_usec now)
{
    snprintf(recorder.started, sizeof recorder.started, "%s", id);
    recorder.starts++;
    return 77;
}

void tr_recorder_stop(struct tr_recorder *rec, tr_id recording, tr_usec now)
{
    CHECK_INT(recording, 77);
    recorder.stops++;
}

void tr_recorder_counters(const struct tr_recorder *rec, struct tr_recorder_counters *out)
{
    *out = (struct tr_recorder_counters){ .open = 1 };
}

void tr_record_handle(struct tr_recorder *rec, tr_id recording, const struct tr_handle *handle,
                      uint16_t participant, const char *label, const char *role, const char *mjr,
                      tr_usec now)
{
    recorder.tracks[participant]++;
    snprintf(recorder.label[participant], sizeof recorder.label[0], "%s", label);
}

static struct {
    int calls;
    char call[40];
} ops;

void tr_ops_call(struct tr_ops *some, const struct tr_handle *handle, const char *call)
{
    ops.calls++;
    snprintf(ops.call, sizeof ops.call, "%s", call);
}

static int64_t unix_us(void)
{
    return wall_us;
}

/* --- the desk --- */

struct desk {
    struct tr_sql *db;
    struct tr_rng rng;
    struct tr_contact *contact;
    const struct tr_call_observer *obs;
};

static void quiet(void *arg, const char *line, size_t n)
{
}

static void open_desk(struct desk *d, const char *key)
{
    static char some_recorder, some_gateway;
    tr_log_set_sink(quiet, NULL);
    memset(&recorder, 0, sizeof recorder);
    memset(&ops, 0, sizeof ops);
    http_forget_rows();
    wall_us = 1700000000 * TR_SECOND;
    d->rng = tr_rng_seeded(1);
    CHECK(tr_sql_open(&d->db, ":memory:") == TR_OK);
    CHECK(tr_calls_init(d->db) == TR_OK);
    struct tr_contact_conf conf = {
        .gw = (struct tr_gateway *)(void *)&some_gateway,
        .db = d->db,
        .recorder = (struct tr_recorder *)(void *)&some_recorder,
        .rng = &d->rng,
        .unix_us = unix_us,
        .record_calls = true,
        .agent_key = key,
        .version = "1.2.3",
    };
    CHECK(tr_contact_create(&d->contact, &conf) == TR_OK);
    d->obs = tr_contact_observer(d->contact);
}

static void close_desk(struct desk *d)
{
    http_forget();
    tr_contact_destroy(d->contact);
    tr_sql_close(d->db);
}

static struct tr_http_request local(const char *id)
{
    return (struct tr_http_request){ .method = TR_HTTP_ANY,
                                     .param_count = id ? 1 : 0,
                                     .params = { id },
                                     .headers = { [TR_HTTP_HOST] = "localhost:8088" },
                                     .client = tr_addr_v4(127, 0, 0, 1, 5000) };
}

static int ask_local(const char *pattern, const char *id)
{
    struct tr_http_request request = local(id);
    return http_ask(pattern, &request);
}

static void ring(struct desk *d, uint64_t number, const char *caller, const char *callee)
{
    struct tr_call_party party[2] = { { .username = caller }, { .username = callee } };
    wall_us += TR_SECOND;
    d->obs->ringing(d->obs->arg, number, party, 1);
}

static void answer(struct desk *d, uint64_t number, const char *caller, const char *callee)
{
    struct tr_call_party party[2] = { { .username = caller }, { .username = callee } };
    wall_us += 5 * TR_SECOND;
    d->obs->answered(d->obs->arg, number, party, 2);
}

static json_t *first_call(void)
{
    CHECK_INT(ask_local("/api/calls", NULL), 200);
    return json_array_get(json_object_get(reply.body, "calls"), 0);
}

TEST(a_call_is_logged_and_recorded)
{
    struct desk d;
    open_desk(&d, NULL);
    ring(&d, 9, "customer-1", "agent:Ann");
    json_t *call = first_call();
    CHECK_STR(http_word(call, "caller"), "customer-1");
    CHECK_STR(http_word(call, "callee"), "agent:Ann");
    CHECK_INT(http_number(call, "started_ms"), 1700000001000);
    CHECK(json_is_null(json_object_get(call, "answered_ms")));
    CHECK(json_is_null(json_object_get(call, "ended_ms")));
    CHECK_STR(http_word(json_object_get(call, "recording"), "state"), "none");
    CHECK_INT(recorder.starts, 0);

    answer(&d, 9, "customer-1", "agent:Ann");
    answer(&d, 9, "customer-1", "agent:Ann"); /* a renegotiation */
    CHECK_INT(recorder.starts, 1);
    CHECK_INT(recorder.tracks[0], 2);
    CHECK_INT(recorder.tracks[1], 2);
    CHECK_INT(ops.calls, 4); /* both connections, each time */
    CHECK_STR(ops.call, recorder.started);
    CHECK_STR(recorder.label[1], "agent:Ann");
    wall_us += 60 * TR_SECOND;
    d.obs->ended(d.obs->arg, 9, "Hung up", 3);
    d.obs->ended(d.obs->arg, 9, "twice", 3);
    CHECK_INT(recorder.stops, 1);
    call = first_call();
    CHECK_STR(http_word(call, "id"), recorder.started);
    CHECK_STR(http_word(call, "end_reason"), "Hung up");
    CHECK_INT(http_number(call, "answered_ms"), 1700000006000);
    CHECK_INT(http_number(call, "duration_ms"), 65000);
    close_desk(&d);
}

TEST(calls_that_are_up_end_with_the_server)
{
    struct desk d;
    open_desk(&d, NULL);
    ring(&d, 1, "a", "b");
    ring(&d, 2, "c", "d");
    answer(&d, 2, "c", "d");
    d.obs->answered(d.obs->arg, 3, NULL, 3); /* unknown */
    tr_contact_destroy(d.contact);
    d.contact = NULL;
    CHECK_INT(recorder.stops, 1);
    uint32_t open;
    CHECK(tr_calls_recover(d.db, 5, &open) == TR_OK && open == 0);
    close_desk(&d);
}

TEST(hostile_names_are_only_text)
{
    struct desk d;
    char longest[128];
    open_desk(&d, NULL);
    memset(longest, 'x', 126);
    strcpy(longest + 126, "\xc3"); /* half of a character */
    ring(&d, 1, "\"},{\"id\":\"1'; DROP TABLE calls; --", longest);
    const json_t *call = first_call();
    CHECK_STR(http_word(call, "caller"), "\"},{\"id\":\"1'; DROP TABLE calls; --");
    CHECK_INT(strlen(http_word(call, "callee")), 127);
    CHECK(http_word(call, "callee")[126] == '?');
    close_desk(&d);
}

TEST(pages_follow_each_other)
{
    struct desk d;
    char last[40];
    open_desk(&d, NULL);
    for (uint64_t i = 0; i < 5; i++)
        ring(&d, i, "a", "b");
    http_arg("limit", "2");
    CHECK_INT(ask_local("/api/calls", NULL), 200);
    json_t *calls = json_object_get(reply.body, "calls");
    CHECK_INT(json_array_size(calls), 2);
    snprintf(last, sizeof last, "%s", http_word(json_array_get(calls, 1), "id"));
    http_arg("before", last);
    CHECK_INT(ask_local("/api/calls", NULL), 200);
    calls = json_object_get(reply.body, "calls");
    CHECK_INT(json_array_size(calls), 3);
    CHECK_INT(http_number(json_array_get(calls, 0), "started_ms"), 1700000003000);
    http_arg("before", "nobody");
    CHECK_INT(ask_local("/api/calls", NULL), 400);
    CHECK_INT(ask_local("/api/calls/:id", last), 200);
    CHECK_STR(http_word(reply.body, "id"), last);
    CHECK_INT(ask_local("/api/calls/:id", "nobody"), 404);
    CHECK_INT(ask_local("/api/calls/:id", "123456789012345678901234567890123456789012345"), 404);
    CHECK_INT(ask_local("/api/status", NULL), 200);
    CHECK_STR(http_word(reply.body, "version"), "1.2.3");
    CHECK_INT(http_number(reply.body, "sessions"), 3);
    close_desk(&d);
}

static const char *const patterns[] = { "/api/calls", "/api/calls/:id", "/api/status",
                                        "/api/calls/:id/recording.webm",
                                        "/api/calls/:id/recording-link" };

static void refused_everywhere(enum tr_http_header header, const char *value)
{
    struct tr_http_request request = local("x");
    request.headers[header] = value;
    for (unsigned i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        CHECK_INT(http_ask(patterns[i], &request), 403);
}

TEST(without_a_key_only_this_machine_may_read)
{
    struct desk d;
    open_desk(&d, "");
    struct tr_http_request away = local("x"), own = local("x");
    away.client = tr_addr_v4(192, 0, 2, 1, 5000);
    for (unsigned i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        CHECK_INT(http_ask(patterns[i], &away), 403);
    away.headers[TR_HTTP_AUTHORIZATION] = "Bearer ";
    CHECK_INT(http_ask("/api/calls", &away), 403); /* no key is not the empty key */
    refused_everywhere(TR_HTTP_X_FORWARDED_FOR, "127.0.0.1");
    refused_everywhere(TR_HTTP_FORWARDED, "for=127.0.0.1");
    refused_everywhere(TR_HTTP_X_REAL_IP, "127.0.0.1");
    refused_everywhere(TR_HTTP_VIA, "1.1 proxy");
    refused_everywhere(TR_HTTP_ORIGIN, "http://localhost.evil.example");
    refused_everywhere(TR_HTTP_ORIGIN, "null");
    own.headers[TR_HTTP_ORIGIN] = "http://localhost:8088";
    CHECK_INT(http_ask("/api/calls", &own), 200);
    close_desk(&d);
}

/* DNS rebinding: a page of evil.example, whose name was made to lead to 127.0.0.1, asks its own
 * origin, so the browser sends no Origin; the Host tells. */
TEST(a_name_that_leads_here_is_not_this_machine)
{
    struct desk d;
    open_desk(&d, NULL);
    refused_everywhere(TR_HTTP_HOST, "evil.example:8088");
    refused_everywhere(TR_HTTP_HOST, "localhost.evil.example");
    refused_everywhere(TR_HTTP_HOST, "127.0.0.1.evil.example:8088");
    refused_everywhere(TR_HTTP_HOST, "");
    refused_everywhere(TR_HTTP_HOST, NULL);
    static const char *const own[] = { "localhost", "LocalHost:80", "127.0.0.1:8088",
                                       "[::1]:8088" };
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct tr_http_request request = local("x");
        request.headers[TR_HTTP_HOST] = own[i];
        CHECK_INT(http_ask("/api/calls", &request), 200);
    }
    close_desk(&d);
}

/* A proxy on this machine may bring strangers in by loopback without a sign of it. */
TEST(where_there_is_a_key_all_must_bring_it)
{
    struct desk d;
    open_desk(&d, "the key");
    struct tr_http_request away = local("x"), near = local("x");
    away.client = tr_addr_v4(192, 0, 2, 1, 5000);
    for (unsigned i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        CHECK_INT(http_ask(patterns[i], &away), 403);
        CHECK_INT(http_ask(patterns[i], &near), 403);
    }
    away.headers[TR_HTTP_AUTHORIZATION] = near.headers[TR_HTTP_AUTHORIZATION] = "Bearer the kex";
    CHECK_INT(http_ask("/api/calls", &away), 403);
    CHECK_INT(http_ask("/api/calls", &near), 403);
    away.headers[TR_HTTP_AUTHORIZATION] = near.headers[TR_HTTP_AUTHORIZATION] = "Bearer the key";
    CHECK_INT(http_ask("/api/calls", &away), 200);
    CHECK_INT(http_ask("/api/calls", &near), 200);
    close_desk(&d);
}

/* Splits "...?expires=E&sig=S" into the arguments of the next request. */
static void follow(const char *url, char *expires, char *sig)
{
    CHECK(sscanf(url, "%*[^?]?expires=%31[0-9]&sig=%79[0-9a-f]", expires, sig) == 2);
    http_arg("expires", expires);
    http_arg("sig", sig);
}

TEST(a_link_opens_one_recording_for_an_hour)
{
    struct desk d;
    char file[] = "/tmp/tring-contact-XXXXXX", id[40], url[256], expires[32], sig[80];
    const char *const get = "/api/calls/:id/recording.webm";
    const char *const link = "/api/calls/:id/recording-link";
    open_desk(&d, NULL);
    int fd = mkstemp(file);
    CHECK(write(fd, "webm", 4) == 4);
    close(fd);
    ring(&d, 1, "a", "b");
    snprintf(id, sizeof id, "%s", http_word(first_call(), "id"));
    CHECK_INT(ask_local(link, id), 404); /* not recorded */
    CHECK(tr_calls_processing(d.db, id, 50) == TR_OK);
    CHECK_INT(ask_local(link, id), 409);
    CHECK_INT(ask_local(get, id), 409);
    CHECK(tr_calls_ready(d.db, id, file, 4, 61000) == TR_OK);
    const json_t *rec = json_object_get(first_call(), "recording");
    CHECK_STR(http_word(rec, "state"), "ready");
    CHECK_INT(http_number(rec, "bytes"), 4);
    CHECK(strstr(http_word(rec, "url"), id) != NULL);
    CHECK_INT(ask_local(get, id), 200);
    CHECK(reply.file && reply.file_bytes == 4 && reply.no_store && !reply.attachment);
    CHECK_INT(ask_local(link, id), 200);
    snprintf(url, sizeof url, "%s", http_word(reply.body, "url"));

    struct tr_http_request away = local(id);
    away.client = tr_addr_v4(192, 0, 2, 1, 5000);
    CHECK_INT(http_ask(get, &away), 403);
    follow(url, expires, sig);
    CHECK_INT(http_ask(get, &away), 200);
    follow(url, expires, sig);
    sig[0] = sig[0] == '0' ? '1' : '0';
    CHECK_INT(http_ask(get, &away), 403);
    follow(url, expires, sig);
    expires[9]++;
    CHECK_INT(http_ask(get, &away), 403);
    struct tr_http_request other = away;
    other.params[0] = "another";
    follow(url, expires, sig);
    CHECK_INT(http_ask(get, &other), 403);
    follow(url, expires, sig);
    wall_us += TR_CONTACT_LINK_US + TR_SECOND;
    CHECK_INT(http_ask(get, &away), 403);
    unlink(file);
    CHECK_INT(ask_local(get, id), 404); /* the file is gone */
    close_desk(&d);
}
