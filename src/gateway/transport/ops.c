/* /livez: the loop turns. /readyz: calls can be taken. /metrics: everything that is counted. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "gateway/transport/web_impl.h"
#include "media/media.h"

static void reply_plain(const struct tr_http_request *r, int status, const char *text)
{
    tr_http_add_header(r->http, "cache-control", "no-store");
    tr_http_reply_text(r->http, status, "text/plain; charset=utf-8", tr_slice_str(text));
}

static void handle_livez(void *arg, const struct tr_http_request *r)
{
    reply_plain(r, 200, "ok\n");
}

static void handle_readyz(void *arg, const struct tr_http_request *r)
{
    const struct tr_web *web = arg;
    const char *why = web->conf.unready ? web->conf.unready(web->conf.arg) : NULL;
    char text[256];

    if (!why && !tr_gateway_accepting(web->conf.gw))
        why = "not accepting new sessions";
    snprintf(text, sizeof(text), "%s\n", why ? why : "ok");
    reply_plain(r, why ? 503 : 200, text);
}

struct row {
    const char *name, *type, *help;
    double value;
};

static void put_rows(struct tr_metrics *m, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tr_metrics_one(m, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

#define COUNTER(name, help, value)                                                                 \
    {                                                                                              \
        "tring_" name "_total", "counter", help, (double)(value)                                   \
    }
#define GAUGE(name, help, value)                                                                   \
    {                                                                                              \
        "tring_" name, "gauge", help, (double)(value)                                              \
    }

static void put_gateway(struct tr_metrics *m, const struct tr_gateway *gw)
{
    struct tr_gateway_counters c;
    tr_gateway_counters(gw, &c);
    const struct row rows[] = {
        GAUGE("sessions", "API sessions.", c.sessions),
        GAUGE("handles", "Plugin handles.", c.handles),
        GAUGE("peer_connections", "PeerConnections.", c.peers),
        COUNTER("api_requests", "API requests.", c.requests),
        COUNTER("admin_requests", "Admin API requests.", c.requests_admin),
        COUNTER("api_errors", "API requests answered with an error.", c.errors),
        COUNTER("api_auth_failures", "Requests with a wrong or no secret or token.",
                c.auth_failures),
        COUNTER("api_rate_limited", "Requests over the rate limit.", c.rate_limited),
        COUNTER("api_events", "Events pushed or queued.", c.events),
        COUNTER("api_events_dropped", "Events lost because a queue or memory was full.",
                c.events_dropped),
        COUNTER("sessions_created", "Sessions made.", c.sessions_created),
        COUNTER("sessions_timed_out", "Sessions that ended by timeout.", c.sessions_timed_out),
        COUNTER("sessions_claimed", "Sessions moved to another transport.", c.sessions_claimed),
        COUNTER("handles_attached", "Handles made.", c.handles_attached),
        COUNTER("webrtc_up", "PeerConnections that came up.", c.webrtc_up),
        COUNTER("webrtc_down", "PeerConnections that ended.", c.webrtc_down),
    };
    put_rows(m, rows, sizeof(rows) / sizeof(rows[0]));
}

static void put_web(struct tr_metrics *m, const struct tr_web_counters *c)
{
    static const char *const classes[] = { "", "1xx", "2xx", "3xx", "4xx", "5xx" };
    const struct row rows[] = {
        COUNTER("http_requests", "HTTP requests.", c->http_requests),
        GAUGE("http_connections", "Connections, WebSocket included.", c->connections),
        COUNTER("http_connections_refused", "Connections over the limit.", c->refused_connections),
        GAUGE("websocket_connections", "WebSocket connections.", c->ws_connections),
        COUNTER("websocket_opened", "WebSocket connections opened.", c->ws_opened),
        COUNTER("websocket_messages_in", "WebSocket messages received.", c->ws_messages_in),
        COUNTER("websocket_messages_out", "WebSocket messages sent.", c->ws_messages_out),
        COUNTER("websocket_overflows", "WebSockets cut off because they did not read.",
                c->ws_overflows),
    };
    put_rows(m, rows, sizeof(rows) / sizeof(rows[0]));
    tr_metrics_family(m, "tring_http_responses_total", "counter",
                      "HTTP responses by status class.");
    for (int i = 2; i < 6; i++)
        tr_metrics_sample(m, "tring_http_responses_total", "class", classes[i],
                          (double)c->http_by_class[i]);
}

static void put_media(struct tr_metrics *m, const struct tr_media *media)
{
    struct tr_media_counters c;
    tr_media_counters(media, &c);
    const struct row rows[] = {
        GAUGE("media_peers", "WebRTC peers of the media workers.", c.peers),
        GAUGE("media_routes", "Routes of the media graph.", c.routes),
        GAUGE("media_packets_in_use", "Packet buffers in use.", c.packets_in_use),
        GAUGE("media_streams", "TCP connections of clients.", c.streams),
        COUNTER("media_streams_accepted", "TCP connections of clients.", c.streams_accepted),
        COUNTER("media_streams_refused", "TCP connections that had no authenticated check to show.",
                c.streams_refused),
        COUNTER("media_datagrams_received", "Datagrams received.", c.datagrams_in),
        COUNTER("media_bytes_received", "Bytes received.", c.bytes_in),
        COUNTER("media_datagrams_sent", "Datagrams sent.", c.datagrams_out),
        COUNTER("media_bytes_sent", "Bytes sent.", c.bytes_out),
        COUNTER("media_send_calls", "System calls that sent.", c.sends),
        COUNTER("media_receive_calls", "System calls that received.", c.receives),
        COUNTER("media_rtp_received", "RTP packets received.", c.rtp_in),
        COUNTER("media_rtp_forwarded", "RTP packets forwarded.", c.rtp_out),
        COUNTER("media_rtx_sent", "RTP packets sent again.", c.rtx_out),
        COUNTER("media_nacks_received", "NACK messages received.", c.nacks_in),
        COUNTER("media_nacks_sent", "NACK messages sent.", c.nacks_out),
        COUNTER("media_plis_received", "Key frame requests received.", c.plis_in),
        COUNTER("media_plis_sent", "Key frame requests sent.", c.plis_out),
        COUNTER("media_catch_ups", "Clients that began with the last key frame.", c.catch_ups),
        COUNTER("media_catch_ups_refused", "Clients that had to wait for the next key frame.",
                c.catch_ups_refused),
        COUNTER("media_data_received", "Messages received on data channels.", c.data_in),
        COUNTER("media_data_sent", "Messages sent on data channels.", c.data_out),
    };
    put_rows(m, rows, sizeof(rows) / sizeof(rows[0]));
    tr_metrics_family(m, "tring_media_dropped_total", "counter",
                      "Datagrams and packets that were not used, by reason.");
    for (int i = 0; i < TR_DROP_COUNT; i++)
        tr_metrics_sample(m, "tring_media_dropped_total", "reason", tr_drop_name((enum tr_drop)i),
                          (double)c.drops[i]);
}

static void handle_metrics(void *arg, const struct tr_http_request *r)
{
    const struct tr_web *web = arg;
    char *text = tr_alloc(TR_METRICS_BYTES_MAX);

    if (!text) {
        tr_http_reply_empty(r->http, 503);
        return;
    }
    struct tr_metrics m = { tr_wr(text, TR_METRICS_BYTES_MAX) };
    put_gateway(&m, web->conf.gw);
    put_web(&m, &web->counters);
    if (web->conf.media)
        put_media(&m, web->conf.media);
    if (web->conf.metrics)
        web->conf.metrics(web->conf.arg, &m);
    tr_http_add_header(r->http, "cache-control", "no-store");
    tr_http_reply_text(r->http, 200, "text/plain; version=0.0.4; charset=utf-8", tr_wr_slice(&m.w));
    tr_free(text);
}

enum tr_err tr_ops_routes(struct tr_web *web, struct tr_routes *routes)
{
    const struct tr_route rows[] = {
        { TR_HTTP_GET, "/livez", 0, handle_livez, web },
        { TR_HTTP_GET, "/readyz", 0, handle_readyz, web },
        { TR_HTTP_GET, "/metrics", 0, handle_metrics, web },
    };
    return tr_routes_add(routes, rows, TR_ARRAY_LEN(rows));
}
