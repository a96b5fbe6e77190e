/* Sessions: who gets their events, how long they live, and what waits for them.
 *
 * A session pushes to a WebSocket, or it queues: for long polls (made over HTTP), or until somebody
 * claims it (its WebSocket is lost). The queue is bounded by number and bytes, and more so while
 * all queues together hold too much: sessions are cheap, and one client could have thousands that
 * it never polls. The oldest event goes first.
 *
 * The timer is lazy: a request only notes the time, and one that fires early is set again. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gateway/core.h"

enum { CROWDED_BYTES = 16 * 1024 }; /* of one queue, while all are above events_bytes_max */

static struct tr_slice id_key(const uint64_t *id)
{
    return tr_slice(id, sizeof(*id));
}

struct tr_session *tr_session_find(const struct tr_gateway *gw, uint64_t id)
{
    return tr_map_get(gw->sessions_by_id, id_key(&id));
}

static uint64_t free_id(struct tr_gateway *gw)
{
    uint64_t id;
    do
        id = 1 + tr_rng_below(gw->services.rng, TR_API_ID_END - 1);
    while (tr_session_find(gw, id));
    return id;
}

static tr_usec expiry(const struct tr_session *session)
{
    if (session->orphan)
        return session->last_activity + session->gw->conf.reclaim_session_timeout;
    return session->timeout > 0 ? session->last_activity + session->timeout : TR_NEVER;
}

/* The node is in the heap from the start, so this needs no memory. */
static void set_timer(struct tr_session *session)
{
    enum tr_err err = tr_heap_set(&session->gw->timers, &session->timer,
                                  tr_usec_min(expiry(session), TR_NEVER - 1));
    TR_ASSERT(err == TR_OK);
}

static enum tr_err session_register(struct tr_session *session)
{
    struct tr_gateway *gw = session->gw;
    enum tr_err err = tr_heap_set(&gw->timers, &session->timer, TR_NEVER - 1);
    if (err != TR_OK)
        return err;
    err = tr_map_add(gw->sessions_by_id, id_key(&session->id), session);
    if (err != TR_OK)
        tr_heap_remove(&gw->timers, &session->timer);
    return err;
}

static void set_client(struct tr_session *session, struct tr_client *client)
{
    if (session->client)
        LIST_REMOVE(session, of_client);
    session->client = client && !client->polls ? client : NULL;
    session->polled = client && client->polls;
    session->orphan = !client;
    if (client)
        session->transport = client->ops->package;
    if (session->client)
        LIST_INSERT_HEAD(&client->sessions, session, of_client);
}

struct tr_session *tr_session_create(struct tr_gateway *gw, struct tr_client *client, uint64_t id,
                                     tr_usec now)
{
    if (gw->counters.sessions >= gw->conf.sessions_max)
        return NULL;
    struct tr_session *session = tr_alloc(sizeof(*session));
    if (!session)
        return NULL;
    session->gw = gw;
    session->id = id ? id : free_id(gw);
    session->created = session->last_activity = now;
    session->timeout = gw->conf.session_timeout;
    TAILQ_INIT(&session->events);
    TAILQ_INIT(&session->polls);
    TAILQ_INIT(&session->handles);
    if (session_register(session) != TR_OK) {
        tr_free(session);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&gw->sessions, session, of_gateway);
    set_client(session, client);
    set_timer(session);
    gw->counters.sessions++;
    gw->counters.sessions_created++;
    return session;
}

static void drop_oldest_event(struct tr_session *session)
{
    struct tr_event_text *event = TAILQ_FIRST(&session->events);
    TAILQ_REMOVE(&session->events, event, link);
    session->event_count--;
    session->event_bytes -= event->n;
    session->gw->event_bytes -= event->n;
    tr_free(event);
}

void tr_session_destroy(struct tr_session *session, tr_usec now)
{
    struct tr_gateway *gw = session->gw;

    session->ending = true;
    while (!TAILQ_EMPTY(&session->handles))
        tr_handle_detach(TAILQ_FIRST(&session->handles), now);
    /* Who waits is told nothing new: a client that destroyed its session expects no error. */
    while (!TAILQ_EMPTY(&session->polls))
        tr_poll_end(gw, TAILQ_FIRST(&session->polls));
    while (session->event_count > 0)
        drop_oldest_event(session);
    set_client(session, NULL);
    tr_heap_remove(&gw->timers, &session->timer);
    tr_map_remove(gw->sessions_by_id, id_key(&session->id));
    TAILQ_REMOVE(&gw->sessions, session, of_gateway);
    gw->counters.sessions--;
    tr_free(session);
}

void tr_session_touch(struct tr_session *session, tr_usec now)
{
    if (!session->orphan)
        session->last_activity = now;
}

void tr_session_set_timeout(struct tr_session *session, tr_usec timeout)
{
    session->timeout = timeout;
    set_timer(session);
}

/* --- events --- */

static bool is_too_full(const struct tr_session *session)
{
    const struct tr_gateway *gw = session->gw;
    bool crowded = gw->event_bytes > gw->conf.events_bytes_max;
    size_t most = crowded ? CROWDED_BYTES : TR_GATEWAY_EVENT_BYTES_MAX;
    return session->event_count > gw->conf.events_max ||
           (session->event_bytes > most && session->event_count > 1);
}

static void queue_event(struct tr_session *session, const char *text, size_t n)
{
    struct tr_gateway *gw = session->gw;
    struct tr_event_text *event = tr_alloc(sizeof(*event) + n);
    if (!event) {
        gw->counters.events_dropped++;
        return;
    }
    memcpy(event->text, text, n);
    event->n = n;
    TAILQ_INSERT_TAIL(&session->events, event, link);
    session->event_count++;
    session->event_bytes += n;
    gw->event_bytes += n;
    while (is_too_full(session)) {
        drop_oldest_event(session);
        gw->counters.events_dropped++;
    }
}

static void poll_remove(struct tr_gateway *gw, struct tr_waiting *poll)
{
    poll->client->waiting = NULL;
    TAILQ_REMOVE(&poll->session->polls, poll, of_session);
    poll->session->poll_count--;
    TAILQ_REMOVE(&gw->polls, poll, of_gateway);
    tr_free(poll);
}

static void send_keepalive(struct tr_client *client, uint32_t events_max)
{
    const char *text = events_max > 1 ? "[{\"janus\":\"keepalive\"}]" : "{\"janus\":\"keepalive\"}";
    client->ops->send(client, tr_slice_str(text));
}

/* Sends up to events_max events as one text: bare when events_max is 1, else as an array. */
static void send_events(struct tr_session *session, struct tr_client *client, uint32_t events_max)
{
    struct tr_event_text *event = TAILQ_FIRST(&session->events);
    if (events_max <= 1) {
        client->ops->send(client, tr_slice(event->text, event->n));
        drop_oldest_event(session);
        return;
    }
    size_t room = session->event_bytes + session->event_count + 2;
    char *text = tr_alloc(room);
    if (!text) { /* the events stay for the next poll */
        send_keepalive(client, events_max);
        return;
    }
    struct tr_wr w = tr_wr(text, room);
    tr_wr_u8(&w, '[');
    for (uint32_t i = 0; i < events_max && (event = TAILQ_FIRST(&session->events)); i++) {
        if (i > 0)
            tr_wr_u8(&w, ',');
        tr_wr_bytes(&w, event->text, event->n);
        drop_oldest_event(session);
    }
    tr_wr_u8(&w, ']');
    client->ops->send(client, tr_wr_slice(&w));
    tr_free(text);
}

static void serve_polls(struct tr_session *session, tr_usec now)
{
    struct tr_waiting *poll;
    while (session->event_count > 0 && (poll = TAILQ_FIRST(&session->polls))) {
        struct tr_client *client = poll->client;
        uint32_t events_max = poll->events_max;
        if (client->ops->alive && !client->ops->alive(client)) {
            tr_poll_end(session->gw, poll);
            continue;
        }
        poll_remove(session->gw, poll);
        if (now > 0)
            tr_session_touch(session, now);
        send_events(session, client, events_max);
    }
}

void tr_session_push(struct tr_session *session, json_t *event)
{
    struct tr_gateway *gw = session->gw;
    char *text = event && !session->ending ? json_dumps(event, JSON_COMPACT) : NULL;

    json_decref(event);
    if (!text) {
        gw->counters.events_dropped += !session->ending;
        return;
    }
    gw->counters.events++;
    size_t n = strlen(text);
    if (session->client) {
        session->client->ops->send(session->client, tr_slice(text, n));
    } else {
        queue_event(session, text, n);
        serve_polls(session, 0);
    }
    free(text); /* tidy: allow free - jansson hands out malloc memory */
}

void tr_session_flush(struct tr_session *session)
{
    while (session->client && session->event_count > 0)
        send_events(session, session->client, 1);
}

/* --- long polls --- */

void tr_poll_end(struct tr_gateway *gw, struct tr_waiting *poll)
{
    struct tr_client *client = poll->client;
    uint32_t events_max = poll->events_max;
    poll_remove(gw, poll);
    send_keepalive(client, events_max);
}

static void poll_wait(struct tr_session *session, struct tr_client *client, uint32_t events_max,
                      tr_usec now)
{
    struct tr_gateway *gw = session->gw;
    if (session->poll_count >= TR_GATEWAY_POLLS_MAX)
        tr_poll_end(gw, TAILQ_FIRST(&session->polls));
    struct tr_waiting *poll = client->waiting ? NULL : tr_alloc(sizeof(*poll));
    if (!poll) {
        send_keepalive(client, events_max);
        return;
    }
    poll->client = client;
    poll->session = session;
    poll->events_max = events_max;
    poll->deadline = now + TR_GATEWAY_POLL_US;
    client->waiting = poll;
    TAILQ_INSERT_TAIL(&session->polls, poll, of_session);
    session->poll_count++;
    TAILQ_INSERT_TAIL(&gw->polls, poll, of_gateway);
}

enum tr_err tr_gateway_poll(struct tr_gateway *gw, tr_usec now, struct tr_client *client,
                            const struct tr_poll *poll)
{
    if (!tr_ratelimit_take(gw->limit, &client->addr, now)) {
        gw->counters.rate_limited++;
        return TR_ERR_LIMIT;
    }
    gw->counters.requests++;
    int64_t unix_s = gw->services.unix_us(gw->services.arg, now) / 1000000;
    if (!tr_auth_check(gw->auth, poll->apisecret, poll->token, unix_s)) {
        gw->counters.auth_failures++;
        return TR_ERR_AUTH;
    }
    struct tr_session *session = tr_session_find(gw, poll->session_id);
    if (!session || !session->polled) {
        json_t *error = json_pack("{s:s, s:o}", "janus", "error", "error",
                                  tr_error_object(TR_API_SESSION_NOT_FOUND, "No such session"));
        gw->counters.errors++;
        tr_client_send(gw, client, error);
        return TR_OK;
    }
    tr_session_touch(session, now);
    uint32_t events_max = poll->events_max < 1 ? 1 : poll->events_max;
    if (events_max > TR_GATEWAY_POLL_EVENTS)
        events_max = TR_GATEWAY_POLL_EVENTS;
    poll_wait(session, client, events_max, now);
    serve_polls(session, now);
    return TR_OK;
}

/* --- whose session --- */

void tr_session_claim(struct tr_session *session, struct tr_client *client, tr_usec now)
{
    while (!TAILQ_EMPTY(&session->polls))
        tr_poll_end(session->gw, TAILQ_FIRST(&session->polls));
    set_client(session, client);
    session->last_activity = now;
    set_timer(session);
    session->gw->counters.sessions_claimed++;
}

static void lose_sessions(struct tr_gateway *gw, tr_usec now, struct tr_client *client)
{
    struct tr_session *session;
    while ((session = LIST_FIRST(&client->sessions))) {
        if (gw->conf.reclaim_session_timeout <= 0) {
            tr_session_destroy(session, now);
            continue;
        }
        set_client(session, NULL);
        session->last_activity = now;
        set_timer(session);
    }
}

void tr_gateway_client_gone(struct tr_gateway *gw, tr_usec now, struct tr_client *client)
{
    if (client->waiting)
        poll_remove(gw, client->waiting);
    while (!LIST_EMPTY(&client->pending))
        tr_pending_free(gw, LIST_FIRST(&client->pending));
    lose_sessions(gw, now, client);
    tr_gateway_settle(gw, now);
}

/* --- time --- */

static void session_timer(struct tr_session *session, tr_usec now)
{
    if (!TAILQ_EMPTY(&session->polls))
        session->last_activity = now; /* somebody is there */
    if (expiry(session) > now) {
        set_timer(session);
        return;
    }
    session->gw->counters.sessions_timed_out++;
    tr_session_push(session, json_pack("{s:s, s:I}", "janus", "timeout", "session_id",
                                       (json_int_t)session->id));
    tr_session_destroy(session, now);
}

void tr_session_expire(struct tr_gateway *gw, tr_usec now)
{
    struct tr_heap_node *node;
    while ((node = tr_heap_min(&gw->timers)) && node->key <= now)
        session_timer(TR_CONTAINER_OF(node, struct tr_session, timer), now);
}
