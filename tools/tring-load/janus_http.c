/* Requests are POSTs, one at a time; the next goes when the former was answered. Events come by a
 * long poll, which is asked for anew as soon as it has been answered. Each is a connection of its
 * own, as the library would else put many clients behind each other's long polls. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tring-load/janus_int.h"

enum { PATH_MAX_BYTES = 256, READ_BYTES = 4096 };

static bool start(struct janus_link *l, const char *method, const char *path)
{
    const struct janus_conf *conf = &l->conn->janus->conf;
    struct lws_client_connect_info info = { .context = l->conn->janus->lws,
                                            .address = conf->host,
                                            .port = conf->port,
                                            .path = path,
                                            .host = conf->host,
                                            .origin = conf->host,
                                            .method = method,
                                            .protocol = "http",
                                            .alpn = "http/1.1",
                                            .userdata = l,
                                            .pwsi = &l->wsi };
    l->rx.n = 0;
    return lws_client_connect_via_info(&info) != NULL;
}

/* The queue's first entry stays there until it was written: l->conn->queue[0]. */
static void post_next(struct janus_conn *c)
{
    char path[PATH_MAX_BYTES];
    if (c->link.wsi || c->queued == 0 || c->step == JANUS_GONE)
        return;
    const struct janus_out *out = c->queue[0];
    int n = snprintf(path, sizeof path, "%s", c->janus->conf.path);
    if (out->session)
        n += snprintf(path + n, sizeof path - (size_t)n, "/%lld", (long long)out->session);
    if (out->handle)
        snprintf(path + n, sizeof path - (size_t)n, "/%lld", (long long)out->handle);
    if (!start(&c->link, "POST", path))
        janus_fail(c, "a POST could not be sent");
}

static void poll_next(struct janus_conn *c)
{
    char path[PATH_MAX_BYTES];
    if (c->poll.wsi || !c->session || c->step >= JANUS_LEAVING)
        return;
    int n =
        snprintf(path, sizeof path, "%s/%lld?maxev=10", c->janus->conf.path, (long long)c->session);
    if (c->janus->conf.secret[0])
        snprintf(path + n, sizeof path - (size_t)n, "&apisecret=%s", c->janus->conf.secret);
    if (!start(&c->poll, "GET", path))
        janus_fail(c, "a long poll could not be sent");
}

static int add_headers(const struct janus_link *l, struct lws *wsi, unsigned char **at, size_t room)
{
    static const char type[] = "application/json";
    char length[24];
    unsigned char *end = *at + room;
    if (l->poll || l->conn->queued == 0)
        return 0;
    int n = snprintf(length, sizeof length, "%zu", l->conn->queue[0]->len);
    if (lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, (const unsigned char *)type,
                                     sizeof type - 1, at, end) ||
        lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH,
                                     (const unsigned char *)length, n, at, end))
        return -1;
    lws_client_http_body_pending(wsi, 1);
    lws_callback_on_writable(wsi);
    return 0;
}

static int write_body(const struct janus_link *l, struct lws *wsi)
{
    struct janus_out *out = l->poll ? NULL : janus_pop(l->conn);
    if (!out)
        return 0;
    lws_client_http_body_pending(wsi, 0);
    int n = lws_write(wsi, out->room + LWS_PRE, out->len, LWS_WRITE_HTTP_FINAL);
    tr_free(out);
    return n < 0 ? -1 : 0;
}

static int read_some(struct lws *wsi)
{
    char room[LWS_PRE + READ_BYTES], *p = room + LWS_PRE;
    int n = READ_BYTES;
    return lws_http_client_read(wsi, &p, &n) < 0 ? -1 : 0;
}

/* A long poll brings one message or an array of them. */
static void take_answer(struct janus_link *l)
{
    json_t *answer = janus_text_parse(&l->rx), *message;
    size_t i;
    if (!answer)
        janus_fail(l->conn, "the server's answer is no JSON");
    else if (json_is_array(answer))
        json_array_foreach(answer, i, message) janus_take(l->conn, message);
    else
        janus_take(l->conn, answer);
    json_decref(answer);
}

static int closed(struct janus_link *l, bool failed)
{
    l->wsi = NULL;
    if (failed)
        janus_fail(l->conn, "an HTTP connection failed");
    post_next(l->conn);
    poll_next(l->conn);
    return 0;
}

int janus_http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                        size_t len)
{
    struct janus_link *l = user;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: return add_headers(l, wsi, in, len);
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE: return write_body(l, wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP: return read_some(wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ: return janus_text_add(&l->rx, in, len) ? 0 : -1;
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP: take_answer(l); return 0;
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP: return closed(l, false);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: return closed(l, true);
    default: return 0;
    }
}

bool janus_http_open(struct janus_conn *c)
{
    janus_begin(c);
    return true;
}

void janus_http_kick(struct janus_conn *c)
{
    post_next(c);
}
