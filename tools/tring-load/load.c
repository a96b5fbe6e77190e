/* The course of a run, in one loop over three phases: clients connect until all have media (or the
 * limit is over); a warm-up; the measured time. Then half a second for what is still on its way.
 *
 * Where some only publish, they come first; the others begin when their media has flowed for a
 * while, so that memory and set-up times are those of subscribers alone. */
#include "tring-load/load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/clock.h"

enum {
    BAR = 30,
    AT_ONCE_MAX = 64, /* clients that are being set up */
};

#define DRAIN_US (500 * TR_MSEC)
#define GOODBYE_US (300 * TR_MSEC)
#define COUNT_EVERY_US (20 * TR_MSEC)
#define GATE_US (1500 * TR_MSEC)
/* How often connections of the API are looked at: that takes time by their number. */
#define API_EVERY_US (2 * TR_MSEC)
#define API_EVERY_MEASURED_US (20 * TR_MSEC)

/* --- clients --- */

bool client_is_publisher(const struct client *c)
{
    return c->index < c->load->publishers;
}

bool client_has_media(const struct client *c)
{
    return !c->failed && (client_is_publisher(c) ? c->rtc.up : c->rtc.first_media_us != 0);
}

void client_fail(struct client *c, const char *why)
{
    struct load *l = c->load;
    if (c->failed)
        return;
    c->failed = true;
    l->failed++;
    int i = 0;
    while (i < l->reasons_count && strncmp(l->reasons[i].text, why, WHY_MAX - 1) != 0)
        i++;
    if (i == REASONS_MAX)
        return;
    if (i == l->reasons_count)
        snprintf(l->reasons[l->reasons_count++].text, WHY_MAX, "%s", why);
    l->reasons[i].count++;
}

static void on_attached(void *arg)
{
    struct client *c = arg;
    tr_usec now = tr_clock_now();
    c->attached_us = now;
    c->load->scenario->attached(c, now);
}

static void on_event(void *arg, const json_t *plugin, const json_t *jsep)
{
    struct client *c = arg;
    c->load->scenario->event(c, tr_clock_now(), plugin, jsep);
}

static void on_webrtcup(void *arg)
{
    struct client *c = arg;
    if (c->webrtcup_us == 0)
        c->webrtcup_us = tr_clock_now();
}

static void on_failed(void *arg, const char *why)
{
    client_fail(arg, why);
}

static const struct janus_hooks hooks = { on_attached, on_event, on_webrtcup, on_failed };

static void connect_client(struct client *c, tr_usec now)
{
    c->conn = janus_connect(c->load->janus, now, c);
    if (!c->conn)
        client_fail(c, "out of memory");
}

static void start_client(struct load *l, tr_usec now)
{
    struct client *c = &l->clients[l->started++];
    c->start_us = now;
    if (l->scenario->prepare)
        l->scenario->prepare(c);
    if (rtc_init(&c->rtc, &l->world, (uint32_t)c->index) != TR_OK)
        client_fail(c, "no socket");
    else if (!l->options.turn.on)
        connect_client(c, now);
}

/* Those that have been waiting for a relayed address, which their first description tells. */
static void connect_relayed(struct load *l, tr_usec now)
{
    for (int i = 0; l->options.turn.on && i < l->started; i++) {
        struct client *c = &l->clients[i];
        char why[WHY_MAX];
        if (c->conn || c->failed)
            continue;
        snprintf(why, sizeof why, "no TURN allocation: %d", c->rtc.relay.code);
        if (c->rtc.relay.failed)
            client_fail(c, why);
        else if (c->rtc.relay.ready)
            connect_client(c, now);
    }
}

/* --- progress --- */

static void progress(const struct load *l, const char *phase, tr_usec done, tr_usec all)
{
    if (l->options.quiet)
        return;
    double share = all > 0 ? (double)done / (double)all : 1;
    share = share > 1 ? 1 : share;
    char bar[BAR + 1];
    memset(bar, ' ', BAR);
    memset(bar, '=', (size_t)(share * BAR));
    bar[BAR] = '\0';
    bool tty = isatty(STDERR_FILENO);
    fprintf(stderr, "%s%-8s [%s] %3.0f %%  %d of %d clients with media%s", tty ? "\r" : "", phase,
            bar, share * 100, l->with_media, l->options.clients, l->failed ? "" : " ");
    if (l->failed)
        fprintf(stderr, ", %d failed", l->failed);
    fputs(tty ? "\033[K" : "\n", stderr);
}

/* --- the loop --- */

static void count_clients(struct load *l)
{
    l->with_media = 0;
    for (int i = 0; i < l->started; i++) {
        struct client *c = &l->clients[i];
        if (c->rtc.down)
            client_fail(c, c->rtc.down_reason ? c->rtc.down_reason : "the connection was lost");
        l->with_media += client_has_media(c);
    }
}

static void turn(struct load *l, tr_usec until)
{
    static tr_usec api_due;
    tr_usec now = tr_clock_now();
    tr_usec next = tr_usec_min(rtc_world_run(&l->world, now), until);
    if (now >= api_due) {
        janus_service(l->janus, now);
        bool measured = now >= l->world.measure_from && now < l->world.measure_to;
        api_due = now + (measured ? API_EVERY_MEASURED_US : API_EVERY_US);
    }
    next = tr_usec_min(next, api_due);
    tr_usec then = tr_clock_now();
    rtc_world_wait(&l->world, next > then ? next - then : 0);
}

static void run_until(struct load *l, const char *phase, tr_usec end)
{
    tr_usec start = tr_clock_now(), tell = start;
    for (tr_usec now = start; now < end; now = tr_clock_now()) {
        if (phase && now >= tell) {
            count_clients(l);
            progress(l, phase, now - start, end - start);
            tell += TR_SECOND / (isatty(STDERR_FILENO) ? 5 : 1);
        }
        turn(l, end);
    }
}

/* Whether the next client may begin. */
static bool is_open(struct load *l, tr_usec now)
{
    if (l->publishers == 0 || l->started < l->publishers)
        return true;
    if (l->gate_us == 0) {
        count_clients(l);
        if (l->with_media + l->failed >= l->publishers)
            l->gate_us = now + GATE_US;
    }
    if (l->gate_us == 0 || now < l->gate_us)
        return false;
    if (l->started == l->publishers)
        process_read(&l->server_before, l->options.pid);
    return true;
}

/* Handshakes cost both sides milliseconds: more at once than a machine can do would all be late. */
static bool too_many_begin(struct load *l, tr_usec now)
{
    static tr_usec counted;
    if (l->started - l->with_media - l->failed >= AT_ONCE_MAX && now - counted >= COUNT_EVERY_US) {
        counted = now;
        count_clients(l);
    }
    return l->started - l->with_media - l->failed >= AT_ONCE_MAX;
}

/* Whether one was started. */
static bool start_those_due(struct load *l, tr_usec now, tr_usec *due)
{
    const struct load_options *o = &l->options;
    bool started = false;
    while (l->started < o->clients && now >= *due) {
        if (!is_open(l, now) || too_many_begin(l, now)) {
            *due = now;
            break;
        }
        start_client(l, now);
        started = true;
        *due += (tr_usec)(TR_SECOND / o->ramp);
    }
    return started;
}

static void set_up(struct load *l)
{
    const struct load_options *o = &l->options;
    tr_usec start = tr_clock_now(), tell = start, due = start;
    tr_usec limit = start + o->setup_limit; /* since the last one was started */
    for (tr_usec now = start; now < limit; now = tr_clock_now()) {
        if (start_those_due(l, now, &due))
            limit = (due > now ? due : now) + o->setup_limit;
        connect_relayed(l, now);
        if (now >= tell) {
            count_clients(l);
            progress(l, "set-up", l->with_media + l->failed, o->clients);
            tell += TR_SECOND / (isatty(STDERR_FILENO) ? 5 : 1);
        }
        if (l->started == o->clients && l->with_media + l->failed == o->clients)
            break;
        turn(l, now + 5 * TR_MSEC);
        if (l->started == o->clients)
            count_clients(l);
    }
    for (int i = 0; i < l->started; i++) {
        if (!client_has_media(&l->clients[i]))
            client_fail(&l->clients[i], l->clients[i].rtc.up ? "no media came back in time"
                                                             : "not connected in time");
    }
}

static void mark(struct load *l, struct span *s)
{
    s->at = tr_clock_now();
    process_read(&s->server, l->options.pid);
    process_read(&s->self, getpid());
    s->busy_s = machine_busy_s();
}

static void measure(struct load *l)
{
    struct rtc_world *w = &l->world;
    run_until(l, "warm-up", tr_clock_now() + l->options.warmup);
    rtc_world_reset(w);
    mark(l, &l->from);
    w->measure_from = l->from.at;
    w->measure_to = l->from.at + l->options.duration;
    run_until(l, "measure", w->measure_to);
    mark(l, &l->to);
    for (int i = 0; i < l->started; i++)
        l->carried_by[rtc_carrier(&l->clients[i].rtc)]++;
    struct rtc_totals at_end = w->totals;
    run_until(l, NULL, tr_clock_now() + DRAIN_US);
    at_end.delivered = w->totals.delivered; /* the late ones count, what was made later does not */
    at_end.expected = w->totals.expected;
    w->totals = at_end;
    count_clients(l);
    progress(l, "done", 1, 1);
    if (!l->options.quiet && isatty(STDERR_FILENO))
        fputc('\n', stderr);
}

static void goodbye(struct load *l)
{
    for (int i = 0; i < l->started; i++) {
        struct client *c = &l->clients[i];
        if (c->conn && !c->failed && l->scenario->bye)
            l->scenario->bye(c);
        if (c->conn)
            janus_bye(c->conn);
    }
    run_until(l, NULL, tr_clock_now() + GOODBYE_US);
}

bool load_run(struct load *l)
{
    static const struct scenario *const scenarios[] = { [LOAD_ECHO] = &scenario_echo,
                                                        [LOAD_CALLS] = &scenario_calls,
                                                        [LOAD_ROOM] = &scenario_room,
                                                        [LOAD_MEETING] = &scenario_room };
    const struct load_options *o = &l->options;
    l->scenario = scenarios[o->scenario];
    if (l->scenario == &scenario_room)
        l->publishers = o->rooms * o->publishers;
    l->clients = tr_alloc((size_t)o->clients * sizeof *l->clients);
    if (!l->clients || rtc_world_init(&l->world, o) != TR_OK)
        return false;
    for (int i = 0; i < o->clients; i++) {
        l->clients[i].load = l;
        l->clients[i].index = i;
    }
    struct janus_conf conf = { .host = o->host,
                               .path = o->path,
                               .port = o->port,
                               .http = o->http,
                               .secret = o->secret,
                               .plugin = l->scenario->plugin,
                               .hooks = &hooks };
    l->janus = janus_create(&conf);
    if (!l->janus)
        return false;
    process_read(&l->server_before, o->pid);
    set_up(l);
    measure(l);
    goodbye(l);
    return true;
}

void load_deinit(struct load *l)
{
    janus_destroy(l->janus);
    for (int i = 0; l->clients && i < l->started; i++) {
        rtc_deinit(&l->clients[i].rtc);
        json_decref(l->clients[i].feed);
    }
    if (l->world.options)
        rtc_world_deinit(&l->world);
    tr_free(l->clients);
}
