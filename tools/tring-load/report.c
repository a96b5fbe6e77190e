/* The result as one JSON object. Rates are over the measured time. Packets that the server has
 * forwarded are the media datagrams that came, but for probing. own_late_us tells whether the
 * figures can be trusted: how late this side was with its own sending. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tring-load/load.h"

static double seconds(const struct load *l)
{
    return (double)(l->to.at - l->from.at) / TR_SECOND;
}

static json_t *json_load(const struct load_options *o)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:b,s:b,s:f}", "video_bps",
                     (json_int_t)o->video_bps, "fps", (json_int_t)o->fps, "packet_bytes",
                     (json_int_t)o->packet_bytes, "packets_per_frame", (json_int_t)o->frame_packets,
                     "keyframe_every", (json_int_t)o->keyframe_every, "audio_bytes",
                     (json_int_t)o->audio_bytes, "audio_packets_per_s",
                     (json_int_t)(o->audio ? o->audio_pps : 0), "layers", o->layers, "twcc",
                     o->twcc, "gro", o->gro, "loss", o->loss);
}

static uint64_t missing(const struct load *l)
{
    uint64_t sum = 0;
    for (int i = 0; i < l->started; i++)
        sum += rtc_flow_missing(&l->clients[i].rtc);
    return sum;
}

static json_t *json_rates(const struct rtc_totals *t, double s)
{
    return json_pack("{s:f,s:f,s:f,s:f}", "packets_per_s_sent", (double)t->sent / s,
                     "bits_per_s_sent", (double)t->sent_bytes * 8 / s, "packets_per_s_received",
                     (double)t->received / s, "bits_per_s_received",
                     (double)t->received_bytes * 8 / s);
}

static json_t *json_flow(const struct load *l)
{
    const struct rtc_totals *t = &l->world.totals;
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {
        { "sent", t->sent },
        { "expected", t->expected },
        { "delivered", t->delivered },
        { "received", t->received },
        { "missing_numbers", missing(l) },
        { "out_of_order", t->out_of_order },
        { "repaired", t->repaired },
        { "duplicate", t->duplicate },
        { "padding", t->padding },
        { "probing", t->probing },
        { "dropped_on_purpose", t->dropped },
        { "undecryptable", t->undecryptable },
        { "damaged", t->damaged },
        { "misrouted", t->misrouted },
        { "refused", t->refused },
        { "nacks_sent", t->nacks_sent },
        { "nacked_by_server", t->nacked },
        { "keyframes_asked", t->keyframes_asked },
    };
    json_t *flow = json_rates(t, seconds(l));
    for (size_t i = 0; i < TR_ARRAY_LEN(counts); i++)
        json_object_set_new(flow, counts[i].name, json_integer((json_int_t)counts[i].count));
    if (l->options.layers > 1)
        json_object_set_new(flow, "delivered_by_layer",
                            json_pack("[I,I,I]", (json_int_t)t->by_layer[0],
                                      (json_int_t)t->by_layer[1], (json_int_t)t->by_layer[2]));
    return flow;
}

/* From when until when, of each client; TR_NEVER where it has not come to pass. */
static json_t *json_times(const struct load *l, tr_usec (*since)(const struct client *c),
                          tr_usec (*until)(const struct client *c))
{
    struct times t = { .us = tr_alloc((size_t)l->options.clients * sizeof *t.us) };
    if (!t.us)
        return json_null();
    for (int i = 0; i < l->started; i++) {
        tr_usec a = since(&l->clients[i]), b = until(&l->clients[i]);
        t.us[t.count++] = a && b ? b - a : TR_NEVER;
    }
    json_t *json = times_json(&t);
    tr_free(t.us);
    return json;
}

static tr_usec at_start(const struct client *c)
{
    return c->start_us;
}

static tr_usec at_allocated(const struct client *c)
{
    return c->rtc.relay.ready_us;
}

static tr_usec at_attached(const struct client *c)
{
    return c->attached_us;
}

/* Of those who are to receive. */
static tr_usec at_request(const struct client *c)
{
    return client_is_publisher(c) ? 0 : c->request_us;
}

static tr_usec at_webrtcup(const struct client *c)
{
    return c->webrtcup_us;
}

static tr_usec at_up(const struct client *c)
{
    return c->rtc.up_us;
}

static tr_usec at_media(const struct client *c)
{
    return c->rtc.first_media_us;
}

static tr_usec at_keyframe(const struct client *c)
{
    return c->rtc.first_keyframe_us;
}

static json_t *json_setup(const struct load *l)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "connect_to_attached",
                     json_times(l, at_start, at_attached), "request_to_keys",
                     json_times(l, at_request, at_up), "request_to_webrtcup",
                     json_times(l, at_request, at_webrtcup), "request_to_first_media",
                     json_times(l, at_request, at_media), "request_to_first_keyframe",
                     json_times(l, at_request, at_keyframe));
}

static json_t *json_carriers(const struct load *l)
{
    return json_pack("{s:i,s:i,s:i}", "udp", l->carried_by[RTC_UDP], "tcp", l->carried_by[RTC_TCP],
                     "turn", l->carried_by[RTC_TURN]);
}

/* How many clients' media goes by the TURN server, and how long they took to get there. */
static json_t *json_turn(const struct load *l)
{
    const struct load_turn *t = &l->options.turn;
    if (!t->on)
        return json_null();
    return json_pack("{s:s,s:i,s:o}", "uri", t->uri, "relayed", l->carried_by[RTC_TURN],
                     "allocation_ms", json_times(l, at_start, at_allocated));
}

/* Memory is by receivers: who only publishes was there before. */
static json_t *json_server(const struct load *l)
{
    const struct process *a = &l->from.server, *b = &l->to.server;
    if (!a->known || !b->known)
        return json_null();
    double cpu = b->cpu_s - a->cpu_s, user = b->user_s - a->user_s, s = seconds(l);
    double both = user + b->system_s - a->system_s; /* in steps */
    uint64_t forwarded = l->world.totals.received - l->world.totals.probing;
    double us = forwarded ? 1e6 / (double)forwarded : 0;
    int receivers = l->started - l->publishers;
    double kib = (double)(b->rss_kib - l->server_before.rss_kib);
    return json_pack("{s:s,s:i,s:f,s:f,s:f,s:f,s:f,s:i,s:i,s:f}", "name", b->name, "pid",
                     (int)l->options.pid, "cpu_us_per_packet", cpu * us, "user_share",
                     both > 0 ? user / both : 0, "cores", cpu / s, "voluntary_switches_per_s",
                     (double)(b->voluntary - a->voluntary) / s, "involuntary_switches_per_s",
                     (double)(b->involuntary - a->involuntary) / s, "rss_kib_before",
                     (int)l->server_before.rss_kib, "rss_kib", (int)b->rss_kib, "kib_per_client",
                     receivers > 0 ? kib / receivers : 0);
}

static json_t *json_failures(const struct load *l)
{
    json_t *all = json_object();
    for (int i = 0; i < l->reasons_count; i++)
        json_object_set_new(all, l->reasons[i].text, json_integer(l->reasons[i].count));
    return all;
}

/* What other programs took of this machine meanwhile. */
static double other_cores(const struct load *l)
{
    const struct span *a = &l->from, *b = &l->to;
    double ours = b->server.cpu_s - a->server.cpu_s + b->self.cpu_s - a->self.cpu_s;
    double others = (b->busy_s - a->busy_s - ours) / seconds(l);
    return others > 0 ? others : 0;
}

json_t *load_report(const struct load *l)
{
    const struct rtc_totals *t = &l->world.totals;
    const struct process *a = &l->from.self, *b = &l->to.self;
    double self = b->cpu_s - a->cpu_s;
    return json_pack(
        "{s:s,s:s,s:i,s:i,s:i,s:o,s:o,s:o,s:s,s:f,s:o,s:o,s:f,s:o,s:o,s:o,s:f,s:f,s:o}", "scenario",
        l->scenario->name, "url", l->options.url, "clients", l->options.clients, "with_media",
        l->with_media, "failed", l->failed, "failures", json_failures(l), "carried_by",
        json_carriers(l), "turn", json_turn(l), "srtp_profile", l->world.profiles, "seconds",
        seconds(l), "load", json_load(&l->options), "media", json_flow(l), "delivered_share",
        t->expected > 0 ? (double)t->delivered / (double)t->expected : 0, "delay_us",
        hist_json(&l->world.delay), "setup_ms", json_setup(l), "server", json_server(l),
        "own_cores", self / seconds(l), "other_cores", other_cores(l), "own_late_us",
        hist_json(&l->world.late));
}
