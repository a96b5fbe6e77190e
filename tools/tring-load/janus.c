/* The order of things is create, attach, messages; each answer leads to the next request. The
 * server's answers are matched by what they are (success with a data.id while we wait for one), as
 * there is one request of that kind at a time. */
#include "tring-load/janus_int.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define KEEPALIVE_US (20 * TR_SECOND)
#define HTTP_PATIENCE_S 60 /* longer than a long poll */

void janus_fail(struct janus_conn *c, const char *why)
{
    if (c->step == JANUS_GONE)
        return;
    bool leaving = c->step == JANUS_LEAVING;
    c->step = JANUS_GONE;
    if (!leaving)
        c->janus->conf.hooks->failed(c->arg, why);
}

/* --- out --- */

static enum tr_err queue_text(struct janus_conn *c, const char *text, json_int_t handle)
{
    size_t n = strlen(text);
    if (c->queued == JANUS_TX_QUEUE || n > JANUS_TX_MAX)
        return TR_ERR_LIMIT;
    struct janus_out *out = tr_alloc(sizeof *out + LWS_PRE + n);
    if (!out)
        return TR_ERR_NOMEM;
    out->session = c->session;
    out->handle = handle;
    out->len = n;
    memcpy(out->room + LWS_PRE, text, n);
    c->queue[c->queued++] = out;
    if (c->janus->conf.http)
        janus_http_kick(c);
    else
        janus_ws_kick(c);
    return TR_OK;
}

struct janus_out *janus_pop(struct janus_conn *c)
{
    if (c->queued == 0)
        return NULL;
    struct janus_out *out = c->queue[0];
    memmove(c->queue, c->queue + 1, (size_t)--c->queued * sizeof c->queue[0]);
    return out;
}

/* Adds what every request carries and sends it; takes request. */
static enum tr_err send_request(struct janus_conn *c, json_t *request)
{
    char transaction[24];
    if (!request || c->step == JANUS_GONE) {
        json_decref(request);
        return request ? TR_ERR_CLOSED : TR_ERR_NOMEM;
    }
    snprintf(transaction, sizeof transaction, "t%u", ++c->transactions);
    json_object_set_new(request, "transaction", json_string(transaction));
    if (c->session)
        json_object_set_new(request, "session_id", json_integer(c->session));
    if (c->janus->conf.secret[0])
        json_object_set_new(request, "apisecret", json_string(c->janus->conf.secret));
    json_int_t handle = json_integer_value(json_object_get(request, "handle_id"));
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    enum tr_err err = text ? queue_text(c, text, handle) : TR_ERR_NOMEM;
    free(text); /* tidy: allow free - jansson hands out malloc memory */
    return err;
}

static void request(struct janus_conn *c, json_t *message)
{
    if (send_request(c, message) != TR_OK)
        janus_fail(c, "a request could not be sent");
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
    if (c->step == JANUS_GONE || c->step == JANUS_LEAVING)
        return;
    if (c->session)
        (void)!send_request(c, json_pack("{s:s}", "janus", "destroy"));
    c->step = JANUS_LEAVING;
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
    if (c->step == JANUS_CREATING && id) {
        c->session = id;
        c->step = JANUS_ATTACHING;
        request(c, json_pack("{s:s,s:s}", "janus", "attach", "plugin", c->janus->conf.plugin));
    } else if (c->step == JANUS_ATTACHING && id) {
        c->handle = id;
        c->step = JANUS_READY;
        c->janus->conf.hooks->attached(c->arg);
    } else if (c->step == JANUS_READY && json_object_get(message, "plugindata")) {
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
    janus_fail(c, why);
}

void janus_take(struct janus_conn *c, const json_t *message)
{
    const char *kind = json_string_value(json_object_get(message, "janus"));
    if (!kind || c->step == JANUS_GONE)
        return;
    if (strcmp(kind, "success") == 0)
        take_success(c, message);
    else if (strcmp(kind, "error") == 0)
        take_error(c, message);
    else if (strcmp(kind, "event") == 0 && c->step == JANUS_READY)
        take_plugin(c, message);
    else if (strcmp(kind, "webrtcup") == 0 && c->step == JANUS_READY)
        c->janus->conf.hooks->webrtcup(c->arg);
    else if (strcmp(kind, "hangup") == 0)
        janus_fail(c, "hangup by the server");
    else if (strcmp(kind, "timeout") == 0)
        janus_fail(c, "the session timed out");
}

bool janus_text_add(struct janus_text *t, const char *in, size_t n)
{
    char *grown = t->n + n > JANUS_RX_MAX ? NULL : tr_realloc(t->p, t->n + n + 1);
    if (!grown)
        return false;
    t->p = grown;
    memcpy(t->p + t->n, in, n);
    t->n += n;
    return true;
}

json_t *janus_text_parse(struct janus_text *t)
{
    json_t *json = t->n > 0 ? json_loadb(t->p, t->n, 0, NULL) : NULL;
    t->n = 0;
    return json;
}

void janus_begin(struct janus_conn *c)
{
    c->step = JANUS_CREATING;
    request(c, json_pack("{s:s}", "janus", "create"));
}

/* --- life --- */

static const struct lws_protocols protocols[] = {
    { .name = "janus-protocol", .callback = janus_ws_callback, .rx_buffer_size = 65536 },
    { .name = "http", .callback = janus_http_callback },
    { 0 },
};

struct janus *janus_create(const struct janus_conf *conf)
{
    struct janus *j = tr_alloc(sizeof *j);
    if (!j)
        return NULL;
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .timeout_secs = HTTP_PATIENCE_S,
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
    tr_free(c->link.rx.p);
    tr_free(c->poll.rx.p);
    tr_free(c);
}

void janus_destroy(struct janus *j)
{
    if (!j)
        return;
    for (struct janus_conn *c = j->conns; c; c = c->next)
        c->step = JANUS_GONE; /* closing the context says so of each */
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
    c->link.conn = c->poll.conn = c;
    c->poll.poll = true;
    if (!(j->conf.http ? janus_http_open : janus_ws_open)(c))
        janus_fail(c, "the server could not be reached");
    return c;
}

void janus_service(struct janus *j, tr_usec now)
{
    lws_service(j->lws, -1);
    for (struct janus_conn *c = j->conns; c; c = c->next) {
        if (c->step != JANUS_READY || now < c->keepalive_due)
            continue;
        c->keepalive_due = now + KEEPALIVE_US;
        request(c, json_pack("{s:s}", "janus", "keepalive"));
    }
}
