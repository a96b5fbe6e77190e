/* The Janus API and the Admin API over WebSocket: one connection is one client of the core.
 *
 * Messages are put together up to a limit (1009), and wait in a queue while the socket is slow; a
 * client that does not read is cut off when its queue is full. A message goes out in one frame. */
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "gateway/transport/web_impl.h"

static void client_send(struct tr_client *client, struct tr_slice json)
{
    struct tr_ws *ws = TR_CONTAINER_OF(client, struct tr_ws, client);
    struct tr_web *web = ws->web;

    if (ws->overflow)
        return;
    struct tr_ws_message *m = NULL;
    if (ws->out_bytes + json.n <= web->conf.ws_queue_max)
        m = tr_alloc(sizeof(*m) + LWS_PRE + json.n);
    if (!m) {
        ws->overflow = true;
        web->counters.ws_overflows++;
        lws_set_timeout(ws->wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
        lws_cancel_service(web->context); /* or the loop does not see that timer (loop.h) */
        return;
    }
    memcpy(m->bytes + LWS_PRE, json.p, json.n);
    m->n = json.n;
    if (STAILQ_EMPTY(&ws->out))
        tr_web_busy(web, 1);
    STAILQ_INSERT_TAIL(&ws->out, m, link);
    ws->out_bytes += json.n;
    lws_callback_on_writable(ws->wsi);
}

static const struct tr_client_ops client_ops = { "janus.transport.websockets", client_send, NULL };

static void drop_first(struct tr_ws *ws)
{
    struct tr_ws_message *m = STAILQ_FIRST(&ws->out);
    STAILQ_REMOVE_HEAD(&ws->out, link);
    ws->out_bytes -= m->n;
    tr_free(m);
    if (STAILQ_EMPTY(&ws->out))
        tr_web_busy(ws->web, -1);
}

/* --- opening and closing --- */

static bool path_ok(struct lws *wsi, const struct listener *listener)
{
    char uri[256];
    if (listener->kind == LISTEN_WS)
        return true;
    const struct tr_web_conf *conf = &listener->web->conf;
    const char *base = listener->kind == LISTEN_ADMIN ? conf->admin_path : conf->base_path;
    int n = lws_hdr_copy(wsi, uri, sizeof(uri), WSI_TOKEN_GET_URI);
    return n > 0 && (strcmp(uri, "/") == 0 || strcmp(uri, base) == 0);
}

/* Sub-protocol, path, origin. */
static int on_filter(struct lws *wsi, const char *protocol)
{
    const struct listener *listener = tr_web_listener(wsi);
    char origin[256];
    int n = lws_hdr_copy(wsi, origin, sizeof(origin), WSI_TOKEN_ORIGIN);

    if (lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) <= 0 || !path_ok(wsi, listener))
        return -1;
    if (n < 0) /* longer than any that is allowed */
        return -1;
    return tr_web_origin_allowed(listener->web, n > 0 ? origin : NULL) ? 0 : -1;
}

static void on_open(struct tr_ws *ws, struct lws *wsi)
{
    const struct listener *listener = tr_web_listener(wsi);

    *ws = (struct tr_ws){ .wsi = wsi, .web = listener->web, .open = true };
    STAILQ_INIT(&ws->out);
    ws->client = (struct tr_client){ .ops = &client_ops,
                                     .addr = tr_web_client(listener->web, wsi),
                                     .admin = listener->kind == LISTEN_ADMIN };
    ws->web->counters.ws_opened++;
    ws->web->counters.ws_connections++;
}

static void on_close(struct tr_ws *ws)
{
    if (!ws || !ws->open)
        return;
    ws->open = false;
    ws->overflow = true; /* nothing more is queued */
    tr_gateway_client_gone(ws->web->conf.gw, web_now(ws->web), &ws->client);
    while (!STAILQ_EMPTY(&ws->out))
        drop_first(ws);
    tr_free(ws->in);
    ws->in = NULL;
    ws->web->counters.ws_connections--;
}

/* --- in --- */

static int refuse(struct lws *wsi, enum lws_close_status status)
{
    lws_close_reason(wsi, status, NULL, 0);
    return -1;
}

static void too_often(struct tr_ws *ws)
{
    client_send(&ws->client, tr_slice_str("{\"janus\":\"error\",\"error\":{\"code\":490,\"reason\":"
                                          "\"Too many requests from this address\"}}"));
}

static void take_message(struct tr_ws *ws, struct tr_slice text)
{
    ws->web->counters.ws_messages_in++;
    if (tr_gateway_input(ws->web->conf.gw, web_now(ws->web), &ws->client, NULL, text) != TR_OK)
        too_often(ws);
}

static bool append(struct tr_ws *ws, const uint8_t *p, size_t n)
{
    if (n == 0)
        return true; /* an empty frame, before there is a buffer */
    if (ws->in_n + n > ws->in_room) {
        size_t room = (ws->in_n + n) * 2 > 4096 ? (ws->in_n + n) * 2 : 4096;
        uint8_t *grown = ws->in ? tr_realloc(ws->in, room) : tr_alloc(room);
        if (!grown)
            return false;
        ws->in = grown;
        ws->in_room = room;
    }
    memcpy(ws->in + ws->in_n, p, n);
    ws->in_n += n;
    return true;
}

static int on_receive(struct tr_ws *ws, const uint8_t *p, size_t n)
{
    struct lws *wsi = ws->wsi;
    size_t max = ws->web->conf.ws_message_max;
    bool end = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;

    if (lws_frame_is_binary(wsi))
        return refuse(wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE);
    if (n > max - ws->in_n || lws_remaining_packet_payload(wsi) > max - ws->in_n - n)
        return refuse(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
    if (end && ws->in_n == 0) { /* the usual: a whole message at once */
        take_message(ws, tr_slice(p, n));
        return 0;
    }
    if (!append(ws, p, n))
        return refuse(wsi, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION);
    if (end) {
        size_t whole = ws->in_n;
        ws->in_n = 0;
        take_message(ws, tr_slice(ws->in, whole));
        tr_free(ws->in);
        ws->in = NULL;
        ws->in_room = 0;
    }
    return 0;
}

static int on_writable(struct tr_ws *ws)
{
    struct tr_ws_message *m = STAILQ_FIRST(&ws->out);
    if (!m)
        return 0;
    int sent = lws_write(ws->wsi, m->bytes + LWS_PRE, m->n, LWS_WRITE_TEXT);
    ws->web->counters.ws_messages_out++;
    drop_first(ws);
    if (sent < 0)
        return -1;
    if (!STAILQ_EMPTY(&ws->out))
        lws_callback_on_writable(ws->wsi);
    return 0;
}

int tr_ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    struct tr_ws *ws = user;
    struct listener *listener = tr_web_listener(wsi);

    if (listener && reason != LWS_CALLBACK_EVENT_WAIT_CANCELLED)
        listener->web->callbacks++;
    switch ((int)reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return on_filter(wsi, in);
    case LWS_CALLBACK_ESTABLISHED: on_open(ws, wsi); return 0;
    case LWS_CALLBACK_RECEIVE: return ws->open ? on_receive(ws, in, len) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE: return ws->open ? on_writable(ws) : -1;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL: on_close(ws); return 0;
    default: return 0;
    }
}
