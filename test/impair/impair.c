/* The server is one endpoint of the simulation with perfect links, each client another, whose up
 * and down links are the conditions. Virtual time is dragged along: every entry point first runs
 * the simulation up to the present, so that a datagram enters at the moment at which it came.
 *
 * The simulated server has an address that no client can have, the real one is main's business. */
#include "impair/impair.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sim/sim.h"

enum { WORDS_MAX = 16, LINE_MAX_BYTES = 256, MSEC_MAX = 60000, RATE_KBPS_MAX = 4000000 };

struct flow {
    struct impair *impair;
    struct tr_addr client;
    struct sim_endpoint *endpoint;
};

struct impair {
    struct impair_out out;
    tr_usec start; /* of real time, when virtual time was SIM_START */
    struct sim *sim;
    struct sim_endpoint *server;
    struct sim_link up, down;
    struct flow flows[IMPAIR_FLOWS_MAX];
    unsigned flows_count;
    uint64_t refused;
};

static const struct tr_addr *server_addr(void)
{
    static const struct tr_addr addr = { .port = 0 };
    return &addr;
}

static struct flow *find_flow(struct impair *impair, const struct tr_addr *client)
{
    for (unsigned i = 0; i < impair->flows_count; i++) {
        if (tr_addr_eq(&impair->flows[i].client, client))
            return &impair->flows[i];
    }
    return NULL;
}

static void at_server(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct impair *impair = arg;
    struct flow *flow = find_flow(impair, &path->remote);
    impair->out.to_server(impair->out.arg, (unsigned)(flow - impair->flows), datagram);
}

static void at_client(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    struct flow *flow = arg;
    flow->impair->out.to_client(flow->impair->out.arg, &flow->client, datagram);
}

struct impair *impair_create(uint64_t seed, tr_usec now, const struct impair_out *out)
{
    struct impair *impair = tr_alloc(sizeof *impair);
    if (!impair)
        return NULL;
    impair->out = *out;
    impair->start = now;
    impair->sim = sim_create(seed);
    if (impair->sim)
        impair->server = sim_endpoint_create(impair->sim, *server_addr(), at_server, impair);
    if (!impair->server) {
        impair_destroy(impair);
        return NULL;
    }
    return impair;
}

void impair_destroy(struct impair *impair)
{
    if (!impair)
        return;
    sim_destroy(impair->sim);
    tr_free(impair);
}

static struct flow *add_flow(struct impair *impair, const struct tr_addr *client)
{
    if (impair->flows_count == IMPAIR_FLOWS_MAX)
        return NULL;
    struct flow *flow = &impair->flows[impair->flows_count];
    *flow = (struct flow){ .impair = impair, .client = *client };
    flow->endpoint = sim_endpoint_create(impair->sim, *client, at_client, flow);
    if (!flow->endpoint)
        return NULL;
    sim_endpoint_links(flow->endpoint, &impair->up, &impair->down);
    impair->flows_count++;
    return flow;
}

enum tr_err impair_from_client(struct impair *impair, tr_usec now, const struct tr_addr *client,
                               struct tr_slice datagram)
{
    impair_run(impair, now);
    struct flow *flow = find_flow(impair, client);
    if (!flow)
        flow = add_flow(impair, client);
    if (!flow || datagram.n > SIM_DATAGRAM_MAX) {
        impair->refused++;
        return flow ? TR_ERR_INVAL : TR_ERR_LIMIT;
    }
    sim_send(flow->endpoint, server_addr(), datagram);
    return TR_OK;
}

enum tr_err impair_from_server(struct impair *impair, tr_usec now, unsigned flow,
                               struct tr_slice datagram)
{
    TR_ASSERT(flow < impair->flows_count);
    impair_run(impair, now);
    if (datagram.n > SIM_DATAGRAM_MAX) {
        impair->refused++;
        return TR_ERR_INVAL;
    }
    sim_send(impair->server, &impair->flows[flow].client, datagram);
    return TR_OK;
}

static tr_usec virtual_time(const struct impair *impair, tr_usec now)
{
    return now - impair->start + SIM_START;
}

void impair_run(struct impair *impair, tr_usec now)
{
    tr_usec until = virtual_time(impair, now);
    if (until >= sim_now(impair->sim))
        sim_run(impair->sim, until - sim_now(impair->sim));
}

tr_usec impair_next(const struct impair *impair)
{
    tr_usec next = sim_next(impair->sim);
    return next == TR_NEVER ? TR_NEVER : next - SIM_START + impair->start;
}

/* --- control --- */

static bool set_condition(struct sim_link *link, const char *key, double value)
{
    if (strcmp(key, "rate_kbps") == 0 && value <= RATE_KBPS_MAX)
        link->rate_bps = (uint32_t)(value * 1000);
    else if (strcmp(key, "queue_bytes") == 0 && value <= UINT32_MAX)
        link->queue_bytes = (uint32_t)value;
    else if (strcmp(key, "delay_ms") == 0 && value <= MSEC_MAX)
        link->delay_us = (tr_usec)(value * TR_MSEC);
    else if (strcmp(key, "jitter_ms") == 0 && value <= MSEC_MAX)
        link->jitter_us = (tr_usec)(value * TR_MSEC);
    else if (strcmp(key, "loss_percent") == 0 && value <= 100)
        link->loss_ppm = (unsigned)(value * 10000);
    else
        return false;
    return true;
}

/* words: key, value, key, value ... */
static bool set_conditions(struct sim_link *link, char **words, int count)
{
    for (int i = 0; i + 1 < count; i += 2) {
        char *end;
        double value = strtod(words[i + 1], &end);
        if (end == words[i + 1] || *end || !(value >= 0) || !set_condition(link, words[i], value))
            return false;
    }
    return count % 2 == 0;
}

static int split(char *line, char **words, int max)
{
    int count = 0;
    for (char *at = line + strspn(line, " \t\r\n"); *at && count < max;) {
        words[count++] = at;
        at += strcspn(at, " \t\r\n");
        if (*at)
            *at++ = '\0';
        at += strspn(at, " \t\r\n");
    }
    return count;
}

static void apply(struct impair *impair, const struct sim_link *up, const struct sim_link *down)
{
    impair->up = *up;
    impair->down = *down;
    for (unsigned i = 0; i < impair->flows_count; i++)
        sim_endpoint_links(impair->flows[i].endpoint, up, down);
}

static bool change(struct impair *impair, char **words, int count)
{
    struct sim_link up = impair->up, down = impair->down;
    bool both = strcmp(words[0], "both") == 0;
    bool is_up = both || strcmp(words[0], "up") == 0;
    bool is_down = both || strcmp(words[0], "down") == 0;
    if (strcmp(words[0], "clear") == 0 && count == 1) {
        up = down = (struct sim_link){ 0 };
    } else if ((!is_up && !is_down) || (is_up && !set_conditions(&up, words + 1, count - 1)) ||
               (is_down && !set_conditions(&down, words + 1, count - 1))) {
        return false;
    }
    apply(impair, &up, &down);
    return true;
}

static void tell_stats(const struct impair *impair, char *reply)
{
    const struct sim_stats *s = sim_stats(impair->sim);
    snprintf(reply, IMPAIR_REPLY_MAX,
             "{\"flows\":%u,\"sent\":%ju,\"delivered\":%ju,\"lost\":%ju,\"queue_full\":%ju,"
             "\"refused\":%ju,\"bytes\":%ju}",
             impair->flows_count, (uintmax_t)s->sent, (uintmax_t)s->delivered, (uintmax_t)s->lost,
             (uintmax_t)s->queue_full, (uintmax_t)impair->refused, (uintmax_t)s->bytes);
}

enum tr_err impair_control(struct impair *impair, tr_usec now, const char *line,
                           char reply[IMPAIR_REPLY_MAX])
{
    char copy[LINE_MAX_BYTES], *words[WORDS_MAX];
    snprintf(copy, sizeof copy, "%s", line);
    int count = strlen(line) < sizeof copy ? split(copy, words, WORDS_MAX) : 0;
    impair_run(impair, now);
    if (count == 1 && strcmp(words[0], "stats") == 0) {
        tell_stats(impair, reply);
        return TR_OK;
    }
    bool ok = count > 0 && change(impair, words, count);
    snprintf(reply, IMPAIR_REPLY_MAX, "%s", ok ? "ok" : "error: not understood");
    return ok ? TR_OK : TR_ERR_BADMSG;
}
