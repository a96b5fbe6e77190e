/* The order of things is create, attach, messages; each answer leads to the next request. The
 * server's answers are matched by what they are (success with a data.id while we wait for one), as
 * there is one request of that kind at a time. */
#include "tring-load/janus.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
    RX_MAX = 256 * 1024,
    TX_MAX = 64 * 1024,
    TX_QUEUE = 16,
};

#define KEEPALIVE_US (20 * TR_SECOND)

enum step { CONNECTING, CREATING, ATTACHING, READY, LEAVING, GONE };

struct outgoing {
    size_t len;
    uint8_t room[]; /* LWS_PRE bytes, then the text */
};

struct janus_conn {
    struct janus *janus;
    struct janus_conn *next;
    void *arg;
    enum step step;
    struct lws *wsi;
    json_int_t session, handle;
    uint32_t transactions;
    tr_usec keepalive_due;
    struct outgoing *queue[TX_QUEUE];
    int queued;
    char *rx;
    size_t rx_len;
};

struct janus {
    struct janus_conf conf;
    struct lws_context *lws;
    struct janus_conn *conns;
    tr_usec now;
};

static void fail(struct janus_conn *c, const char *why)
{
    if (c->step == GONE)
        return;
    bool leaving = c->step == LEAVING;
    c->step = GONE;
    if (!leaving)
        c->janus->conf.hooks->failed(c->arg, why);
}

/* --- out --- */

static enum tr_err queue_text(struct janus_conn *c, const char *text)
{
    size_t n = strlen(text);
    if (c->queued == TX_QUEUE || n > TX_MAX)
        return TR_ERR_LIMIT;
    struct outgoing *out = tr_alloc(sizeof *out + LWS_PRE + n);
    if (!out)
        return TR_ERR_NOMEM;
    out->len = n;
    memcpy(out->room + LWS_PRE, text, n);
    c->queue[c->queued++] = out;
    lws_callback_on_writable(c->wsi);
    return TR_OK;
}

/* Adds what every request carries and sends it; takes request. */
static enum tr_err send_request(struct janus_conn *c, json_t *request)
{
    char transaction[24];
    if (!request || !c->wsi || c->step == GONE) {
        json_decref(request);
        return request ? TR_ERR_CLOSED : TR_ERR_NOMEM;
    }
    snprintf(transaction, sizeof transaction, "t%u", ++c->transactions);
    json_object_set_new(request, "transaction", json_string(transaction));
    if (c->session)
        json_object_set_new(request, "session_id", json_integer(c->session));
    if (c->janus->conf.secret[0])
        json_object_set_new(request, "apisecret", json_string(c->janus->conf.secret));
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    enum tr_err err = text ? queue_text(c, text) : TR_ERR_NOMEM;
    free(text); /* tidy: allow free - jansson hands out malloc memory */
    return err;
}

static void request(struct janus_conn *c, json_t *message)
{
    if (send_request(c, message) != TR_OK)
        fail(c, "a request could not be sent");
}

enum tr_err janus_message(struct janus_conn *c, json_t *body, json_t *jsep)
{
    json_t *m =
        json_pack("{s:s,s:I,s:o}", "janus", "message", "handle_id", c->handle, "body", body);
    if (!m) {
        json_decref(body);
        json_decref(jsep);
        return TR_ERR_NOMEM;
    }
    if (jsep)
        json_object_set_new(m, "jsep", jsep);
    return send_request(c, m);
}

void janus_bye(struct janus_conn *c)
{
    if (c->step == GONE || c->step == LEAVING)
        return;
    if (c->session)
        (void)!send_request(c, json_pack("{s:s}", "janus", "destroy"));
    c->step = LEAVING;
}

static int write_next(struct janus_conn *c)
{
    if (c->queued == 0)
        return 0;
    struct outgoing *out = c->queue[0];
    memmove(c->queue, c->queue + 1, (size_t)--c->queued * sizeof c->queue[0]);
    int n = lws_write(c->wsi, out->room + LWS_PRE, out->len, LWS_WRITE_TEXT);
    tr_free(out);
    if (c->queued > 0)
        lws_callback_on_writable(c->wsi);
    return n < 0 ? -1 : 0;
}

/* --- in --- */

/* A plugin's event, or its answer where it knew that at once. */
static void take_plugin(struct janus_conn *c, const json_t *message)
{
    c->janus->conf.hooks->event(c->arg,
                                json_object_get(json_object_get(message, "plugindata"), "data"),
                                json_object_get(message, "jsep"));
}

static void take_success(struct janus_conn *c, const json_t *message)
{
    json_int_t id = json_integer_value(json_object_get(json_object_get(message, "data"), "id"));
    if (c->step == CREATING && id) {
        c->session = id;
        c->step = ATTACHING;
        request(c, json_pack("{s:s,s:s}", "janus", "attach", "plugin", c->janus->conf.plugin));
    } else if (c->step == ATTACHING && id) {
        c->handle = id;
        c->step = READY;
        c->janus->conf.hooks->attached(c->arg);
    } else if (c->step == READY && json_object_get(message, "plugindata")) {
        take_plugin(c, message);
    }
}

static void take_error(struct janus_conn *c, const json_t *message)
{
    char why[200];
    const json_t *error = json_object_get(message, "error");
    const char *reason = json_string_value(json_object_get(error, "reason"));
    snprintf(why, sizeof why, "error %d: %s",
             (int)json_integer_value(json_object_get(error, "code")), reason ? reason : "");
    fail(c, why);
}

static void take_message(struct janus_conn *c, const json_t *message)
{
    const char *kind = json_string_value(json_object_get(message, "janus"));
    if (!kind || c->step == GONE)
        return;
    if (strcmp(kind, "success") == 0)
        take_success(c, message);
    else if (strcmp(kind, "error") == 0)
        take_error(c, message);
    else if (strcmp(kind, "event") == 0 && c->step == READY)
        take_plugin(c, message);
    else if (strcmp(kind, "webrtcup") == 0 && c->step == READY)
        c->janus->conf.hooks->webrtcup(c->arg);
    else if (strcmp(kind, "hangup") == 0)
        fail(c, "hangup by the server");
    else if (strcmp(kind, "timeout") == 0)
        fail(c, "the session timed out");
}

static int take_bytes(struct janus_conn *c, const char *in, size_t n, bool last)
{
    if (c->rx_len + n > RX_MAX)
        return -1;
    char *grown = tr_realloc(c->rx, c->rx_len + n + 1);
    if (!grown)
        return -1;
    c->rx = grown;
    memcpy(c->rx + c->rx_len, in, n);
    c->rx_len += n;
    if (!last)
        return 0;
    json_t *message = json_loadb(c->rx, c->rx_len, 0, NULL);
    c->rx_len = 0;
    if (!message)
        return -1;
    take_message(c, message);
    json_decref(message);
    return 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct janus_conn *c = user;
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        c->step = CREATING;
        request(c, json_pack("{s:s}", "janus", "create"));
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return take_bytes(c, in, len,
                          lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0);
    case LWS_CALLBACK_CLIENT_WRITEABLE: return write_next(c);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        c->wsi = NULL;
        fail(c, "the WebSocket could not be opened");
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        c->wsi = NULL;
        fail(c, "the WebSocket was closed");
        return 0;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {
    { .name = "janus-protocol", .callback = callback, .rx_buffer_size = 65536 },
    { 0 },
};

/* --- life --- */

struct janus *janus_create(const struct janus_conf *conf)
{
    struct janus *j = tr_alloc(sizeof *j);
    if (!j)
        return NULL;
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols, .gid = (gid_t)-1, .uid = (uid_t)-1
    };
    j->conf = *conf;
    j->lws = lws_create_context(&info);
    if (!j->lws) {
        tr_free(j);
        return NULL;
    }
    return j;
}

static void free_conn(struct janus_conn *c)
{
    for (int i = 0; i < c->queued; i++)
        tr_free(c->queue[i]);
    tr_free(c->rx);
    tr_free(c);
}

void janus_destroy(struct janus *j)
{
    if (!j)
        return;
    for (struct janus_conn *c = j->conns; c; c = c->next)
        c->step = GONE; /* closing the context says so of each */
    lws_context_destroy(j->lws);
    while (j->conns) {
        struct janus_conn *c = j->conns;
        j->conns = c->next;
        free_conn(c);
    }
    tr_free(j);
}

struct janus_conn *janus_connect(struct janus *j, tr_usec now, void *arg)
{
    struct janus_conn *c = tr_alloc(sizeof *c);
    if (!c)
        return NULL;
    c->janus = j;
    c->arg = arg;
    c->keepalive_due = now + KEEPALIVE_US;
    c->next = j->conns;
    j->conns = c;
    struct lws_client_connect_info info = { .context = j->lws,
                                            .address = j->conf.host,
                                            .port = j->conf.port,
                                            .path = j->conf.path,
                                            .host = j->conf.host,
                                            .origin = j->conf.host,
                                            .protocol = protocols[0].name,
                                            .userdata = c,
                                            .pwsi = &c->wsi };
    if (!lws_client_connect_via_info(&info))
        fail(c, "the WebSocket could not be opened");
    return c;
}

void janus_service(struct janus *j, tr_usec now)
{
    j->now = now;
    lws_service(j->lws, -1);
    for (struct janus_conn *c = j->conns; c; c = c->next) {
        if (c->step != READY || now < c->keepalive_due)
            continue;
        c->keepalive_due = now + KEEPALIVE_US;
        request(c, json_pack("{s:s}", "janus", "keepalive"));
    }
}
