/* See test_double.h. Nothing here allocates through base/mem.h on its own, so that the tests that
 * let allocations fail meet those of the code under test only. */
#include "plugin/test_double.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "media/media.h"
#include "record/recorder.h"
#include "sdp/negotiate.h"
#include "sdp/write.h"
#include "unit.h"

struct double_engine engine;

/* --- media/media.h --- */

struct double_peer *engine_peer(tr_id id)
{
    for (int i = 0; i < engine.peer_count; i++) {
        if (engine.peers[i].id == id)
            return &engine.peers[i];
    }
    return NULL;
}

static struct double_peer *live_peer(tr_id id)
{
    struct double_peer *p = engine_peer(id);
    return p && p->live ? p : NULL;
}

tr_id tr_media_peer_create(struct tr_media *media, const struct tr_media_peer_conf *conf)
{
    (void)media;
    CHECK(strlen(conf->ufrag) >= 4 && strlen(conf->pwd) >= 22);
    if (engine.refuse_peers || engine.peer_count == DOUBLE_PEERS)
        return 0;
    struct double_peer *p = &engine.peers[engine.peer_count++];
    *p = (struct double_peer){ .id = 1000 + (tr_id)engine.peer_count, .live = true };
    return p->id;
}

void tr_media_peer_remote(struct tr_media *media, tr_id id, const struct tr_peer_remote *remote)
{
    (void)media;
    struct double_peer *p = live_peer(id);
    if (CHECK(p != NULL))
        p->remote = remote->ufrag[0] != '\0';
}

enum tr_err tr_media_peer_restart(struct tr_media *media, tr_id id,
                                  const struct tr_media_peer_conf *conf)
{
    (void)media, (void)conf;
    struct double_peer *p = live_peer(id);
    if (CHECK(p != NULL))
        p->restarts++;
    return TR_OK;
}

enum tr_err tr_media_peer_tracks(struct tr_media *media, tr_id id,
                                 const struct tr_track_conf *tracks, int count)
{
    (void)media, (void)tracks;
    struct double_peer *p = live_peer(id);
    if (engine.refuse_tracks)
        return TR_ERR_NOMEM;
    if (CHECK(p != NULL))
        p->tracks = count;
    return TR_OK;
}

void tr_media_peer_close(struct tr_media *media, tr_id id)
{
    (void)media;
    struct double_peer *p = live_peer(id);
    if (p)
        p->live = false;
    for (int i = 0; i < engine.route_count; i++) {
        struct double_route *r = &engine.routes[i];
        if (r->source.peer == id || r->sink.peer == id)
            r->live = false;
    }
    for (int i = 0; i < engine.data_route_count; i++) {
        struct double_data_route *r = &engine.data_routes[i];
        if (r->from == id || r->to == id)
            r->live = false;
    }
}

void tr_media_peer_bitrate(struct tr_media *media, tr_id id, uint32_t bps)
{
    (void)media;
    struct double_peer *p = live_peer(id);
    if (p)
        p->bitrate = bps;
}

void tr_media_talk(struct tr_media *media, struct tr_media_end source,
                   const struct tr_talk_conf *conf)
{
    (void)media;
    struct double_peer *p = live_peer(source.peer);
    if (p)
        p->talk = *conf;
}

void tr_media_query(struct tr_media *media, tr_id peer, uint64_t cookie)
{
    (void)media, (void)peer, (void)cookie;
}

void tr_media_counters(const struct tr_media *media, struct tr_media_counters *out)
{
    (void)media;
    *out = (struct tr_media_counters){ 0 };
}

const char *tr_drop_name(enum tr_drop drop)
{
    (void)drop;
    return "";
}

tr_id tr_media_route(struct tr_media *media, struct tr_media_end source, struct tr_media_end sink,
                     const struct tr_route_conf *conf)
{
    (void)media;
    CHECK(live_peer(source.peer) && live_peer(sink.peer));
    for (int i = 0; i < engine.route_count; i++) {
        struct double_route *r = &engine.routes[i];
        if (r->sink.peer == sink.peer && r->sink.mline == sink.mline)
            r->live = false;
    }
    if (engine.route_count == DOUBLE_ROUTES)
        return 0;
    struct double_route *r = &engine.routes[engine.route_count++];
    *r = (struct double_route){ .id = 5000 + (tr_id)engine.route_count,
                                .live = true,
                                .source = source,
                                .sink = sink,
                                .conf = *conf };
    return r->id;
}

static struct double_route *live_route(tr_id id)
{
    for (int i = 0; i < engine.route_count; i++) {
        if (engine.routes[i].id == id && engine.routes[i].live)
            return &engine.routes[i];
    }
    return NULL;
}

void tr_media_route_set(struct tr_media *media, tr_id id, const struct tr_route_conf *conf)
{
    (void)media;
    struct double_route *r = live_route(id);
    if (r)
        r->conf = *conf;
}

void tr_media_route_remove(struct tr_media *media, tr_id id)
{
    (void)media;
    struct double_route *r = live_route(id);
    if (r)
        r->live = false;
}

void tr_media_keyframe(struct tr_media *media, struct tr_media_end source)
{
    (void)media, (void)source;
    engine.keyframes++;
}

/* --- media/data.h --- */

enum tr_err tr_media_data_open(struct tr_media *media, tr_id peer, const struct tr_data_conf *conf)
{
    (void)media;
    struct double_peer *p = live_peer(peer);
    if (CHECK(p != NULL))
        p->data = *conf;
    return TR_OK;
}

tr_id tr_media_data_route(struct tr_media *media, tr_id from, tr_id to,
                          const struct tr_data_route_conf *conf)
{
    (void)media;
    CHECK(live_peer(from) && live_peer(to));
    if (engine.data_route_count == DOUBLE_ROUTES)
        return 0;
    struct double_data_route *r = &engine.data_routes[engine.data_route_count++];
    *r = (struct double_data_route){ .id = 7000 + (tr_id)engine.data_route_count,
                                     .live = true,
                                     .from = from,
                                     .to = to,
                                     .paused = conf->paused,
                                     .patient = conf->patient };
    snprintf(r->label, sizeof r->label, "%s", conf->label ? conf->label : "");
    snprintf(r->prefix, sizeof r->prefix, "%s", conf->prefix ? conf->prefix : "");
    return r->id;
}

static struct double_data_route *live_data_route(tr_id id)
{
    for (int i = 0; i < engine.data_route_count; i++) {
        if (engine.data_routes[i].id == id && engine.data_routes[i].live)
            return &engine.data_routes[i];
    }
    return NULL;
}

void tr_media_data_route_pause(struct tr_media *media, tr_id route, bool paused)
{
    (void)media;
    struct double_data_route *r = live_data_route(route);
    if (r)
        r->paused = paused;
}

void tr_media_data_route_remove(struct tr_media *media, tr_id route)
{
    (void)media;
    struct double_data_route *r = live_data_route(route);
    if (r)
        r->live = false;
}

const struct double_data_route *engine_data_route(const struct tr_handle *from,
                                                  const struct tr_handle *to)
{
    for (int i = 0; i < engine.data_route_count; i++) {
        const struct double_data_route *r = &engine.data_routes[i];
        if (r->live && r->from == tr_pc_end(from, 0).peer && r->to == tr_pc_end(to, 0).peer)
            return r;
    }
    return NULL;
}

/* --- media/forward.h, media/plain.h --- */

int engine_forwards(void)
{
    int n = 0;
    for (int i = 0; i < engine.forward_count; i++)
        n += engine.forwards[i].live;
    return n;
}

static struct double_forward *live_forward(tr_id id)
{
    for (int i = 0; i < engine.forward_count; i++) {
        if (engine.forwards[i].id == id && engine.forwards[i].live)
            return &engine.forwards[i];
    }
    return NULL;
}

enum tr_err tr_media_forward_create(struct tr_media *media, struct tr_media_end source,
                                    const struct tr_forward_conf *conf, tr_id *id)
{
    (void)media;
    CHECK(live_peer(source.peer) != NULL);
    if (engine.refuse_forwards != TR_OK)
        return engine.refuse_forwards;
    if (engine.forward_count == DOUBLE_FORWARDS)
        return TR_ERR_LIMIT;
    struct double_forward *f = &engine.forwards[engine.forward_count++];
    *f = (struct double_forward){ .id = 9000 + (tr_id)engine.forward_count,
                                  .live = true,
                                  .paused = conf->paused,
                                  .source = source,
                                  .conf = *conf };
    snprintf(f->host, sizeof f->host, "%s", conf->host);
    *id = f->id;
    return TR_OK;
}

void tr_media_forward_pause(struct tr_media *media, tr_id id, bool paused)
{
    (void)media;
    struct double_forward *f = live_forward(id);
    if (CHECK(f != NULL))
        f->paused = paused;
}

void tr_media_forward_close(struct tr_media *media, tr_id id)
{
    (void)media;
    struct double_forward *f = live_forward(id);
    if (CHECK(f != NULL))
        f->live = false;
}

/* Numbers are known at once, names never. */
bool tr_media_forward_info(const struct tr_media *media, tr_id id, struct tr_forward_info *info)
{
    (void)media;
    const struct double_forward *f = live_forward(id);
    if (!f)
        return false;
    *info = (struct tr_forward_info){ .ssrc = f->conf.ssrc };
    if (tr_addr_parse_ip(&info->to, f->host, f->conf.port) == TR_OK)
        info->state = TR_FORWARD_READY;
    info->local_rtcp_port = f->conf.rtcp_port ? 4321 : 0;
    return true;
}

enum tr_err tr_media_plain_create(struct tr_media *media, const struct tr_media_plain_conf *conf,
                                  struct tr_addr *locals, tr_id *peer)
{
    (void)media;
    if (engine.refuse_peers || engine.peer_count == DOUBLE_PEERS)
        return TR_ERR_IO;
    struct double_peer *p = &engine.peers[engine.peer_count++];
    *p = (struct double_peer){ .id = 1000 + (tr_id)engine.peer_count,
                               .live = true,
                               .tracks = conf->tracks_count };
    engine.plain = *conf;
    memcpy(engine.plain_tracks, conf->tracks, (size_t)conf->tracks_count * sizeof *conf->tracks);
    memcpy(engine.plain_ports, conf->ports, (size_t)conf->ports_count * sizeof *conf->ports);
    for (int i = 0; i < conf->ports_count; i++) {
        const struct tr_addr *bind = &conf->ports[i].bind;
        locals[i] = tr_addr_v4(0, 0, 0, 0, bind->port ? bind->port : (uint16_t)(5000 + i));
    }
    *peer = p->id;
    return TR_OK;
}

/* --- record/recorder.h --- */

static struct double_recording *recording_of(tr_id id)
{
    for (int i = 0; i < engine.recording_count; i++) {
        if (engine.recordings[i].id == id)
            return &engine.recordings[i];
    }
    return NULL;
}

tr_id tr_recorder_start_new(struct tr_recorder *rec, const char *plugin, const char *label,
                            tr_usec now)
{
    (void)rec, (void)now;
    if (engine.recording_count == DOUBLE_RECORDINGS)
        return 0;
    struct double_recording *r = &engine.recordings[engine.recording_count++];
    *r = (struct double_recording){ .id = 9000 + (tr_id)engine.recording_count,
                                    .live = !engine.refuse_recordings };
    snprintf(r->plugin, sizeof r->plugin, "%s", plugin);
    snprintf(r->name, sizeof r->name, "%s", label);
    return r->live ? r->id : 0;
}

enum tr_err tr_recorder_track(struct tr_recorder *rec, tr_id recording, struct tr_media_end source,
                              const struct tr_meta *meta, tr_usec now)
{
    (void)rec, (void)now;
    struct double_recording *r = recording_of(recording);
    CHECK(r && r->live && live_peer(source.peer));
    if (r) {
        r->tracks++;
        r->last = *meta;
    }
    return TR_OK;
}

void tr_recorder_untrack(struct tr_recorder *rec, tr_id recording, struct tr_media_end source)
{
    (void)rec, (void)source;
    struct double_recording *r = recording_of(recording);
    CHECK(r && r->live);
    if (r)
        r->untracked++;
}

void tr_recorder_stop(struct tr_recorder *rec, tr_id recording, tr_usec now)
{
    (void)rec, (void)now;
    struct double_recording *r = recording_of(recording);
    if (CHECK(r && r->live))
        r->live = false;
}

/* --- what was asked for --- */

int engine_peers(void)
{
    int n = 0;
    for (int i = 0; i < engine.peer_count; i++)
        n += engine.peers[i].live;
    return n;
}

int engine_routes(void)
{
    int n = 0;
    for (int i = 0; i < engine.route_count; i++)
        n += engine.routes[i].live;
    return n;
}

int engine_recordings(void)
{
    int n = 0;
    for (int i = 0; i < engine.recording_count; i++)
        n += engine.recordings[i].live;
    return n;
}

const struct double_route *engine_route(const struct tr_handle *from, const struct tr_handle *to,
                                        int mline)
{
    for (int i = 0; i < engine.route_count; i++) {
        const struct double_route *r = &engine.routes[i];
        if (r->live && r->source.peer == tr_pc_peer(tr_handle_pc(from)) &&
            r->sink.peer == tr_pc_peer(tr_handle_pc(to)) && r->source.mline == mline &&
            r->sink.mline == mline)
            return r;
    }
    return NULL;
}

/* --- the stage --- */

static int64_t unix_at(void *arg, tr_usec now)
{
    (void)arg;
    return 1700000000 * TR_SECOND + now;
}

enum tr_err stage_up(struct stage *stage, struct tr_plugin *plugin)
{
    static const char *const cands[] = { "candidate:1 1 udp 2130706431 192.0.2.9 5000 typ host" };
    static const struct tr_gateway_conf conf = { .server_name = "stage",
                                                 .session_timeout = 60 * TR_SECOND };
    engine = (struct double_engine){ 0 };
    *stage = (struct stage){ .rng = tr_rng_seeded(11), .now = TR_SECOND };
    stage->pc = (struct tr_pc_services){
        .rng = &stage->rng,
        .session_name = "stage",
        .fingerprint = { .hash = TR_SDP_SHA256, .len = 32, .bytes = { 1, 2, 3 } },
        .cands = cands,
        .cand_count = 1,
    };
    const struct tr_gateway_services services = { .rng = &stage->rng,
                                                  .pc = &stage->pc,
                                                  .unix_us = unix_at };
    enum tr_err err = plugin ? tr_gateway_create(&stage->gw, &conf, &services) : TR_ERR_NOMEM;
    if (err != TR_OK) {
        if (plugin)
            plugin->ops->destroy(plugin);
        return err;
    }
    stage->plugin = plugin;
    return tr_gateway_add_plugin(stage->gw, plugin);
}

void stage_down(struct stage *stage)
{
    for (int i = 0; i < stage->phone_count; i++)
        tr_gateway_client_gone(stage->gw, stage->now, &stage->phones[i].client);
    for (int i = 0; i < stage->phone_count; i++) {
        (void)phone_told(&stage->phones[i]);
        free(stage->phones[i].sdp);
    }
    tr_gateway_destroy(stage->gw, stage->now);
    CHECK_INT(engine_peers(), 0);
    CHECK_INT(engine_routes(), 0);
    CHECK_INT(engine_recordings(), 0);
}

/* A handle of a phone may have gone meanwhile. */
static void find_handles(struct stage *stage)
{
    for (int i = 0; i < stage->phone_count; i++) {
        struct phone *p = &stage->phones[i];
        p->handle = tr_handle_find(stage->gw, p->session, p->id);
    }
}

void stage_sleep(struct stage *stage, tr_usec us)
{
    tr_usec end = stage->now + us;
    for (tr_usec next; (next = tr_gateway_next_timeout(stage->gw)) <= end;) {
        stage->now = next > stage->now ? next : stage->now;
        tr_gateway_timeout(stage->gw, stage->now);
    }
    stage->now = end;
    find_handles(stage);
}

void stage_media(struct stage *stage, struct tr_media_event event, const struct phone *phone)
{
    event.peer = tr_pc_peer(tr_handle_pc(phone->handle));
    tr_gateway_media_event(stage->gw, stage->now, &event);
    find_handles(stage);
}

/* --- phones --- */

static void on_send(struct tr_client *client, struct tr_slice json)
{
    struct phone *p = (struct phone *)(void *)client;
    json_t *message = json_loadb((const char *)json.p, json.n, 0, NULL);
    if (!message || p->count == PHONE_MESSAGES)
        abort(); /* what we send is JSON */
    p->got[p->count++] = message;
}

static const struct tr_client_ops client_ops = { "janus.transport.websockets", on_send };

static void input(struct phone *p, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    /* without memory the core cannot answer; the tests see what phones were told */
    (void)!tr_gateway_input(p->stage->gw, p->stage->now, &p->client, NULL, tr_slice_str(text));
    free(text);
    find_handles(p->stage);
}

/* The id that an answer to "create" or "attach" brings; 0: an error. */
static uint64_t id_of_answer(struct phone *p)
{
    uint64_t id = 0;
    if (p->count > 0) {
        const json_t *data = json_object_get(p->got[p->count - 1], "data");
        id = (uint64_t)json_integer_value(json_object_get(data, "id"));
        json_decref(p->got[--p->count]);
    }
    return id;
}

struct phone *stage_phone(struct stage *stage, const char *package, struct phone *with)
{
    struct phone *p = &stage->phones[stage->phone_count++];
    p->stage = stage;
    p->client.ops = &client_ops;
    p->client.addr = tr_addr_v4(192, 0, 2, 1, 9);
    p->session = with ? with->session : 0;
    if (!with) {
        input(p, json_pack("{s:s,s:s}", "janus", "create", "transaction", "c"));
        p->session = id_of_answer(p);
    }
    struct phone *talks = with ? with : p;
    input(talks, json_pack("{s:s,s:s,s:I,s:s}", "janus", "attach", "transaction", "a", "session_id",
                           (json_int_t)p->session, "plugin", package));
    p->id = id_of_answer(talks);
    find_handles(stage);
    return p;
}

static json_t *request_of(const struct phone *p, const char *verb)
{
    json_t *request = json_pack("{s:s,s:s,s:I}", "janus", verb, "transaction", "t", "session_id",
                                (json_int_t)p->session);
    if (strcmp(verb, "destroy") != 0)
        json_object_set_new(request, "handle_id", json_integer((json_int_t)p->id));
    return request;
}

void phone_verb(struct phone *phone, const char *verb)
{
    input(phone, request_of(phone, verb));
}

void phone_trickle(struct phone *phone, const char *candidate)
{
    json_t *request = request_of(phone, "trickle");
    json_object_set_new(
        request, "candidate",
        json_pack("{s:s,s:i,s:s}", "sdpMid", "0", "sdpMLineIndex", 0, "candidate", candidate));
    input(phone, request);
}

void phone_send(struct phone *phone, const char *body, const char *type, const char *sdp, bool e2ee)
{
    json_t *request = request_of(phone, "message");
    char *copy = strdup(body);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_t *parsed = json_loads(copy, 0, NULL);
    free(copy);
    CHECK(parsed != NULL);
    json_object_set_new(request, "body", parsed);
    if (type)
        json_object_set_new(request, "jsep", json_pack("{s:s,s:s}", "type", type, "sdp", sdp));
    if (phone->svc)
        json_object_set_new(json_object_get(request, "jsep"), "svc",
                            json_loads(phone->svc, 0, NULL));
    if (e2ee)
        json_object_set_new(json_object_get(request, "jsep"), "e2ee", json_true());
    input(phone, request);
}

void phone_say(struct phone *phone, const char *body)
{
    phone_send(phone, body, NULL, NULL, false);
}

/* --- what phones were told --- */

struct text {
    char *p;
    size_t size, n;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t->p + t->n, t->size - t->n, fmt, ap);
    va_end(ap);
    t->n += n > 0 && (size_t)n < t->size - t->n ? (size_t)n : 0;
}

static const char *member(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

static void put_data(struct phone *p, struct text *t, json_t *data)
{
    const json_t *code = json_object_get(data, "error_code");
    static const char *const tags[] = { "videocall", "echotest", "videoroom" };
    bool tagged = false;
    for (int i = 0; i < 3; i++) {
        tagged = tagged || member(data, tags[i])[0];
        if (strcmp(member(data, tags[i]), "event") == 0)
            json_object_del(data, tags[i]);
    }
    CHECK(tagged);
    if (code) {
        put(t, "error %d", (int)json_integer_value(code));
        snprintf(p->error, sizeof p->error, "%s", member(data, "error"));
        return;
    }
    char *text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS);
    for (char *at = text; (at = strchr(at, '"')) != NULL;)
        *at = '\'';
    put(t, "%s", text);
    free(text);
}

static void put_jsep(struct phone *p, struct text *t, const json_t *jsep)
{
    if (!jsep)
        return;
    put(t, " +%s%s", member(jsep, "type"),
        json_is_true(json_object_get(jsep, "e2ee")) ? " e2ee" : "");
    free(p->sdp);
    p->sdp = strdup(member(jsep, "sdp"));
}

static void put_message(struct phone *p, struct text *t, const json_t *m)
{
    const char *kind = member(m, "janus");
    put(t, "%s", t->n ? "; " : "");
    json_t *plugindata = json_object_get(m, "plugindata");
    if (plugindata) {
        bool event = strcmp(kind, "event") == 0;
        put(t, "%s", !event ? "success " : json_object_get(m, "transaction") ? "#t " : "");
        put_data(p, t, json_object_get(plugindata, "data"));
        put_jsep(p, t, json_object_get(m, "jsep"));
    } else if (strcmp(kind, "error") == 0) {
        put(t, "API error %d",
            (int)json_integer_value(json_object_get(json_object_get(m, "error"), "code")));
    } else {
        put(t, "%s%s%s", kind, member(m, "reason")[0] ? " " : "", member(m, "reason"));
    }
}

const char *phone_told(struct phone *phone)
{
    struct text t = { .p = phone->text, .size = sizeof phone->text };
    phone->text[0] = '\0';
    for (int i = 0; i < phone->count; i++) {
        put_message(phone, &t, phone->got[i]);
        json_decref(phone->got[i]);
    }
    phone->count = 0;
    return phone->text;
}

json_t *phone_query(const struct phone *phone)
{
    struct tr_plugin *plugin = phone->stage->plugin;
    return plugin->ops->query(plugin, phone->handle);
}

/* --- SDP --- */

const char *fixture(const char *name)
{
    static char text[64 * 1024];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", SDP_CORPUS, name);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    CHECK(n > 0);
    text[n] = '\0';
    return text;
}

const char *replaced(const char *text, const char *from, const char *to)
{
    static char out[128 * 1024];
    size_t n = 0;
    for (const char *at; (at = strstr(text, from)) != NULL; text = at + strlen(from))
        n += (size_t)snprintf(out + n, sizeof out - n, "%.*s%s", (int)(at - text), text, to);
    snprintf(out + n, sizeof out - n, "%s", text);
    return out;
}

const char *phone_answer(const struct phone *phone)
{
    static char out[64 * 1024];
    static const struct tr_sdp_local_media streams[] = { { 71, 72 }, { 73, 74 }, { 75, 76 } };
    const struct tr_sdp_local local = {
        .id = 5,
        .version = 1,
        .name = "-",
        .stream = "phone",
        .ufrag = "phon",
        .pwd = "0123456789012345678901",
        .fingerprint = { .hash = TR_SDP_SHA256, .len = 32, .bytes = { 9 } },
        .setup = TR_SDP_ACTIVE,
        .trickle = true,
        .media_count = 3,
        .media = streams,
    };
    struct tr_sdp_policy policy = tr_sdp_policy_default();
    struct tr_arena *arena = tr_arena_create(4 * TR_SDP_ARENA_MAX);
    struct tr_sdp *offer, *answer;
    const char *reason;
    char *text = NULL;
    out[0] = '\0';
    if (arena && tr_sdp_parse(arena, tr_slice_str(phone->sdp), &offer, &reason) == TR_OK &&
        tr_sdp_answer(arena, offer, &policy, &local, &answer) == TR_OK &&
        tr_sdp_text(arena, answer, &text) == TR_OK)
        snprintf(out, sizeof out, "%s", text);
    tr_arena_destroy(arena);
    return out;
}
