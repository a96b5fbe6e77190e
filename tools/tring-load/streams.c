/* One set, because one descriptor more is what the swarm looks at while it waits. */
#include "tring-load/streams.h"

#include "net/stream.h"
#include "net/stream_quota.h"
#include "net/tls.h"
#include "tring-load/rtc.h"

static void on_stream(void *arg, const struct tr_stream_event *event)
{
    (void)arg;
    if (!event->user)
        return;
    if (event->tag == STREAM_RELAY)
        relay_event(event->user, event);
    else
        tcp_event(event->user, event);
}

enum tr_err streams_open(struct rtc_world *w)
{
    const struct load_options *o = w->options;
    bool relay = o->turn.on && o->turn.server.proto == TR_PROTO_TCP;
    uint32_t most = (uint32_t)o->clients * (TCP_STREAMS_MAX + 1);
    const struct tr_stream_bounds bounds = { .connections_max = most, .handshakes_max = most };
    struct tr_streams_conf conf = { .seed = tr_rng_u64(&w->rng) };
    struct tr_tls_conf tls = { .alpn = { "stun.turn" } };
    if (!relay && !o->tcp)
        return TR_OK;
    if (o->turn.tls && !(w->tls = tr_tls_create(&tls)))
        return TR_ERR_NOMEM;
    conf.quota = w->streams_quota = tr_stream_quota_create(&bounds, conf.seed);
    if (!conf.quota)
        return TR_ERR_NOMEM;
    enum tr_err err = tr_streams_open(&w->streams, &conf, on_stream, w);
    return err == TR_OK ? tr_swarm_watch(w->swarm, tr_streams_fd(w->streams)) : err;
}

void streams_close(struct rtc_world *w)
{
    tr_streams_close(w->streams);
    tr_stream_quota_destroy(w->streams_quota);
    tr_tls_destroy(w->tls);
}

void streams_run(struct rtc_world *w, tr_usec now)
{
    if (!w->streams)
        return;
    tr_streams_run(w->streams, now);
    tr_streams_flush(w->streams, now);
}

tr_usec streams_next(const struct rtc_world *w)
{
    return w->streams ? tr_streams_next_timeout(w->streams) : TR_NEVER;
}
