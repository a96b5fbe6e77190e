/* One WebSocket; the queue goes out as it becomes writable. */
#include "base/mem.h"
#include "tring-load/janus_int.h"

static int write_next(struct janus_conn *c)
{
    struct janus_out *out = janus_pop(c);
    if (!out)
        return 0;
    int n = lws_write(c->link.wsi, out->room + LWS_PRE, out->len, LWS_WRITE_TEXT);
    tr_free(out);
    if (c->queued > 0)
        lws_callback_on_writable(c->link.wsi);
    return n < 0 ? -1 : 0;
}

static int take_bytes(struct janus_link *l, const char *in, size_t n, bool last)
{
    if (!janus_text_add(&l->rx, in, n))
        return -1;
    if (!last)
        return 0;
    json_t *message = janus_text_parse(&l->rx);
    if (!message)
        return -1;
    janus_take(l->conn, message);
    json_decref(message);
    return 0;
}

static int closed(struct janus_link *l, const char *why)
{
    l->wsi = NULL;
    janus_fail(l->conn, why);
    return 0;
}

int janus_ws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                      size_t len)
{
    struct janus_link *l = user;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED: janus_begin(l->conn); return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return take_bytes(l, in, len,
                          lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0);
    case LWS_CALLBACK_CLIENT_WRITEABLE: return write_next(l->conn);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        return closed(l, "the WebSocket could not be opened");
    case LWS_CALLBACK_CLIENT_CLOSED: return closed(l, "the WebSocket was closed");
    default: return 0;
    }
}

bool janus_ws_open(struct janus_conn *c)
{
    const struct janus_conf *conf = &c->janus->conf;
    struct lws_client_connect_info info = { .context = c->janus->lws,
                                            .address = conf->host,
                                            .port = conf->port,
                                            .path = conf->path,
                                            .host = conf->host,
                                            .origin = conf->host,
                                            .protocol = "janus-protocol",
                                            .userdata = &c->link,
                                            .pwsi = &c->link.wsi };
    return lws_client_connect_via_info(&info) != NULL;
}

void janus_ws_kick(struct janus_conn *c)
{
    if (c->link.wsi)
        lws_callback_on_writable(c->link.wsi);
}
