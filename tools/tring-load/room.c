/* Rooms: publishers first, each with an offer of its own; then subscribers, each with one
 * PeerConnection for all streams that it takes. Clients are numbered publishers before subscribers,
 * and each kind room by room. The first publisher of a room creates it; who attaches before that
 * waits. In a meeting the n-th subscriber is the n-th publisher, too, and does not take its own. */
#include <string.h>

#include "tring-load/load.h"

static struct client *publisher_of(const struct client *c, int n)
{
    const struct load *l = c->load;
    int room = (int)(c->host - l->clients) / l->options.publishers;
    return &c->load->clients[room * l->options.publishers + n];
}

static void prepare(struct client *c)
{
    struct load *l = c->load;
    const struct load_options *o = &l->options;
    bool publisher = client_is_publisher(c), meeting = o->scenario == LOAD_MEETING;
    int n = publisher ? c->index : c->index - l->publishers;
    int room = n / (publisher ? o->publishers : o->subscribers);
    c->host = &l->clients[room * o->publishers];
    if (meeting && !publisher)
        c->mate = &l->clients[n];
    if (c == c->host)
        c->room = (json_int_t)(tr_rng_u32(&l->world.rng) >> 2) + 1;
    c->rtc.wish = (struct rtc_wish){ .send = publisher,
                                     .recv = !publisher,
                                     .takers = o->subscribers - meeting };
}

static void create_room(struct client *c)
{
    client_say(c,
               json_pack("{s:s,s:I,s:i,s:b,s:s,s:s,s:s}", "request", "create", "room", c->room,
                         "publishers", c->load->options.publishers, "is_private", 1, "audiocodec",
                         "opus", "videocodec", "vp8", "description", "tring-load"),
               NULL);
}

static void join_to_publish(struct client *c)
{
    client_say(c,
               json_pack("{s:s,s:s,s:I,s:s}", "request", "join", "ptype", "publisher", "room",
                         c->host->room, "display", "tring-load"),
               NULL);
}

static json_t *feeds_for(const struct client *c)
{
    json_t *streams = json_array();
    for (int i = 0; i < c->load->options.publishers; i++) {
        const struct client *p = publisher_of(c, i);
        if (p != c->mate && p->feed)
            json_array_append_new(streams, json_pack("{s:O}", "feed", p->feed));
    }
    return streams;
}

static void join_to_subscribe(struct client *c, tr_usec now)
{
    c->request_us = now;
    client_say(c,
               json_pack("{s:s,s:s,s:I,s:o}", "request", "join", "ptype", "subscriber", "room",
                         c->host->room, "streams", feeds_for(c)),
               NULL);
}

static void attached(struct client *c, tr_usec now)
{
    if (!client_is_publisher(c))
        join_to_subscribe(c, now);
    else if (c == c->host)
        create_room(c);
    else if (c->host->ready)
        join_to_publish(c);
}

static void room_is_there(struct client *host)
{
    host->ready = true;
    for (int i = 0; i < host->load->options.publishers; i++) {
        struct client *p = publisher_of(host, i);
        if (p->attached_us && !p->failed)
            join_to_publish(p);
    }
}

static void publish(struct client *c, tr_usec now, const json_t *plugin)
{
    c->feed = json_incref(json_object_get(plugin, "id"));
    c->request_us = now;
    client_say_with_offer(c, json_pack("{s:s}", "request", "publish"));
}

static void event(struct client *c, tr_usec now, const json_t *plugin, const json_t *jsep)
{
    const char *kind = json_string_value(json_object_get(plugin, "videoroom"));
    if (client_is_error(c, plugin) || !kind)
        return;
    if (strcmp(kind, "created") == 0)
        room_is_there(c);
    else if (strcmp(kind, "joined") == 0 && !c->feed)
        publish(c, now, plugin);
    else if (strcmp(kind, "attached") == 0 && jsep)
        client_say_with_answer(c, now, jsep, json_pack("{s:s}", "request", "start"));
    else if (jsep)
        client_take_answer(c, now, jsep);
}

/* The room goes with the first of its publishers. */
static void bye(struct client *c)
{
    if (c == c->host && c->ready)
        client_say(c, json_pack("{s:s,s:I}", "request", "destroy", "room", c->room), NULL);
}

const struct scenario scenario_room = { "room", "janus.plugin.videoroom", prepare, attached, event,
                                        bye };
