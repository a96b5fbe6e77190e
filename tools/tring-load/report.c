/* The result as one JSON object. Rates are over the measured time. Packets that the server has
 * forwarded are the media datagrams that came, whatever this side then did to them. own_late_us
 * tells whether the figures can be trusted: how late this side was with its own sending. */
#include <string.h>

#include "base/mem.h"
#include "tring-load/load.h"

static double seconds(const struct load *l)
{
    return (double)(l->to.at - l->from.at) / TR_SECOND;
}

static json_t *json_load(const struct load_options *o)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:f}", "video_bps", (json_int_t)o->video_bps, "fps",
                     (json_int_t)o->fps, "packet_bytes", (json_int_t)o->packet_bytes,
                     "keyframe_every", (json_int_t)o->keyframe_every, "audio_bytes",
                     (json_int_t)o->audio_bytes, "loss", o->loss);
}

static json_t *json_flow(const struct load *l)
{
    const struct rtc_totals *t = &l->world.totals;
    double s = seconds(l);
    return json_pack("{s:f,s:f,s:f,s:f,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
                     "packets_per_s_sent", (double)t->sent / s, "bits_per_s_sent",
                     (double)t->sent_bytes * 8 / s, "packets_per_s_received",
                     (double)t->received / s, "bits_per_s_received",
                     (double)t->received_bytes * 8 / s, "sent", (json_int_t)t->sent, "received",
                     (json_int_t)t->received, "dropped_on_purpose", (json_int_t)t->dropped,
                     "repaired", (json_int_t)t->repaired, "duplicate", (json_int_t)t->duplicate,
                     "damaged", (json_int_t)t->damaged, "refused", (json_int_t)t->refused,
                     "nacks_sent", (json_int_t)t->nacks_sent, "nacked_by_server",
                     (json_int_t)t->nacked, "keyframes_asked", (json_int_t)t->keyframes_asked);
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

static tr_usec at_attached(const struct client *c)
{
    return c->attached_us;
}

static tr_usec at_offer(const struct client *c)
{
    return c->offer_us;
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

static json_t *json_setup(const struct load *l)
{
    return json_pack("{s:o,s:o,s:o,s:o}", "connect_to_attached",
                     json_times(l, at_start, at_attached), "offer_to_keys",
                     json_times(l, at_offer, at_up), "offer_to_webrtcup",
                     json_times(l, at_offer, at_webrtcup), "offer_to_first_media",
                     json_times(l, at_offer, at_media));
}

static json_t *json_server(const struct load *l)
{
    const struct process *a = &l->from.server, *b = &l->to.server;
    if (!a->known || !b->known)
        return json_null();
    double user = b->user_s - a->user_s, system = b->system_s - a->system_s, s = seconds(l);
    double packets = (double)l->world.totals.received;
    double voluntary = (double)(b->voluntary - a->voluntary);
    double involuntary = (double)(b->involuntary - a->involuntary);
    int clients = l->with_media > 0 ? l->with_media : 1;
    return json_pack(
        "{s:s,s:i,s:f,s:f,s:f,s:f,s:f,s:i,s:i,s:f}", "name", b->name, "pid", (int)l->options.pid,
        "cpu_us_per_packet", packets > 0 ? (user + system) * 1e6 / packets : 0, "cores",
        (user + system) / s, "user_share", user + system > 0 ? user / (user + system) : 0,
        "voluntary_switches_per_s", voluntary / s, "involuntary_switches_per_s", involuntary / s,
        "rss_kib_before", (int)l->server_before.rss_kib, "rss_kib", (int)b->rss_kib,
        "kib_per_client", (double)(b->rss_kib - l->server_before.rss_kib) / clients);
}

static json_t *json_failures(const struct load *l)
{
    json_t *all = json_object();
    for (int i = 0; i < l->reasons_count; i++)
        json_object_set_new(all, l->reasons[i].text, json_integer(l->reasons[i].count));
    return all;
}

json_t *load_report(const struct load *l)
{
    const struct rtc_totals *t = &l->world.totals;
    const struct process *a = &l->from.self, *b = &l->to.self;
    double self = b->user_s + b->system_s - a->user_s - a->system_s;
    return json_pack(
        "{s:s,s:s,s:i,s:i,s:i,s:o,s:s,s:f,s:o,s:o,s:f,s:o,s:o,s:o,s:f,s:o}", "scenario",
        l->scenario->name, "url", l->options.url, "clients", l->options.clients, "with_media",
        l->with_media, "failed", l->failed, "failures", json_failures(l), "srtp_profile",
        l->world.profiles, "seconds", seconds(l), "load", json_load(&l->options), "media",
        json_flow(l), "delivered_share", t->sent > 0 ? (double)t->delivered / (double)t->sent : 0,
        "delay_us", hist_json(&l->world.delay), "setup_ms", json_setup(l), "server", json_server(l),
        "own_cores", self / seconds(l), "own_late_us", hist_json(&l->world.late));
}
