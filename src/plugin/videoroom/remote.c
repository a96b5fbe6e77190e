/* Remotizations: all streams of a publisher go to one port of another server, where a remote
 * publisher (remote_publisher.c) stands in a room for it. */
#include <string.h>

#include "base/mem.h"
#include "plugin/videoroom/forward_impl.h"

enum { PORT_MAX = 65535 };

static struct tr_vr *self(struct tr_plugin *plugin)
{
    return (struct tr_vr *)plugin;
}

json_t *tr_vr_success_of(const struct tr_vr_publisher *p)
{
    json_t *data = tr_vr_data("success", p->room);
    json_object_set_new(data, "id", tr_vr_id_json(&p->id));
    return data;
}

static struct tr_vr_remote *find_remote(const struct tr_vr_publisher *p, const char *id)
{
    struct tr_vr_remote *r;
    if (!p->forwards)
        return NULL;
    TAILQ_FOREACH(r, &p->forwards->remotes, of_publisher)
    {
        if (strcmp(r->id, id) == 0)
            return r;
    }
    return NULL;
}

static bool is_forwarded(const struct tr_vr_remote *r, const struct tr_vr_stream *s)
{
    const struct tr_vr_forward *f;
    TAILQ_FOREACH(f, &s->publisher->forwards->list, of_publisher)
    {
        if (f->remote == r && f->stream == s)
            return true;
    }
    return false;
}

static bool has_rtcp(const struct tr_vr_publisher *p, const struct tr_vr_remote *r)
{
    const struct tr_vr_forward *f;
    TAILQ_FOREACH(f, &p->forwards->list, of_publisher)
    {
        if (f->remote == r && f->conf.rtcp_port)
            return true;
    }
    return false;
}

/* One forwarder each layer. The first for video has the RTCP: there is one port for all. */
static bool forward_stream(struct tr_vr_remote *r, struct tr_vr_stream *s, struct tr_vr_error *e)
{
    struct tr_vr_publisher *p = s->publisher;
    struct tr_forward_conf conf = r->to;
    conf.audio_level_id = tr_vr_forward_level_id(s);
    for (int layer = 0; layer < (s->simulcast ? TR_TRACK_LAYERS : 1); layer++) {
        bool rtcp = s->kind == TR_SDP_VIDEO && !has_rtcp(p, r);
        conf.layer = layer;
        conf.ssrc = tr_vr_remote_ssrc(s->mindex, layer);
        conf.rtcp_port = rtcp ? r->to.rtcp_port : 0;
        if (!tr_vr_forward_add(s, p->forwards->media, &conf, r, e))
            return false;
    }
    return true;
}

static bool forward_streams(struct tr_vr_publisher *p, struct tr_vr_remote *r,
                            struct tr_vr_error *e)
{
    for (int i = 0; i < p->stream_count; i++) {
        struct tr_vr_stream *s = p->streams[i];
        bool media = s->kind != TR_SDP_DATA && s->end.peer && !s->disabled;
        if (media && !is_forwarded(r, s) && !forward_stream(r, s, e))
            return false;
    }
    return true;
}

void tr_vr_forwards_follow(struct tr_vr_publisher *p)
{
    struct tr_vr_remote *r;
    struct tr_vr_error e;
    if (!p->forwards)
        return;
    for (int i = 0; i < p->stream_count; i++)
        tr_vr_forwards_flow(p->streams[i]);
    TAILQ_FOREACH(r, &p->forwards->remotes, of_publisher)
    (void)!forward_streams(p, r, &e); /* there is nobody to tell */
}

void tr_vr_remote_remove(struct tr_vr_publisher *p, struct tr_vr_remote *r)
{
    struct tr_vr_forward *f = TAILQ_FIRST(&p->forwards->list), *next;
    for (; f; f = next) {
        next = TAILQ_NEXT(f, of_publisher);
        if (f->remote == r)
            tr_vr_forward_remove(p, f);
    }
    TAILQ_REMOVE(&p->forwards->remotes, r, of_publisher);
    p->forwards->remote_count--;
    tr_free(r->host);
    tr_free(r->id);
    tr_free(r);
}

static struct tr_vr_remote *make_remote(struct tr_vr_publisher *p, const char *id,
                                        const struct tr_forward_conf *to, struct tr_media *media,
                                        struct tr_vr_error *e)
{
    struct tr_vr_forwards *all = tr_vr_forwards_of(p, media, e);
    if (!all)
        return NULL;
    if (all->remote_count == TR_VR_REMOTES_MAX) {
        tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Too many remotizations");
        return NULL;
    }
    struct tr_vr_remote *r = tr_alloc(sizeof *r);
    if (r) {
        r->id = tr_strdup(id);
        r->host = tr_strdup(to->host);
        r->to = *to;
        r->to.host = r->host;
    }
    if (!r || !r->id || !r->host) {
        tr_vr_fail(e, TR_VR_UNKNOWN_ERROR, "Out of memory");
        if (r) {
            tr_free(r->id);
            tr_free(r->host);
        }
        tr_free(r);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&all->remotes, r, of_publisher);
    all->remote_count++;
    if (forward_streams(p, r, e))
        return r;
    tr_vr_remote_remove(p, r);
    return NULL;
}

static bool read_ports(const json_t *body, struct tr_forward_conf *to, struct tr_vr_error *e)
{
    uint32_t port, rtcp_port;
    if (!tr_vr_number_read(body, "port", PORT_MAX, &port, e) ||
        !tr_vr_number_read(body, "rtcp_port", PORT_MAX, &rtcp_port, e))
        return false;
    to->port = (uint16_t)port;
    to->rtcp_port = (uint16_t)rtcp_port;
    return port != 0 ||
           tr_vr_fail(e, TR_VR_INVALID_ELEMENT, "Invalid element (port should not be 0)");
}

json_t *tr_vr_publish_remotely(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = {
        { "remote_id", TR_FIELD_STRING, true },    { "host", TR_FIELD_STRING, true },
        { "host_family", TR_FIELD_STRING, false }, { "port", TR_FIELD_UINT, true },
        { "rtcp_port", TR_FIELD_UINT, false },     { "srtp_suite", TR_FIELD_UINT, false },
        { "srtp_crypto", TR_FIELD_STRING, false }, { NULL, TR_FIELD_STRING, false },
    };
    struct tr_vr *vr = self(plugin);
    struct tr_forward_conf to = { 0 };
    struct tr_vr_error e;
    bool ok = tr_vr_check(msg->body, fields, &e) && tr_vr_forward_allowed(vr, msg->body, &e) &&
              tr_vr_destination_read(msg->body, &to, &e) && read_ports(msg->body, &to, &e);
    struct tr_vr_publisher *p =
        ok ? tr_vr_forward_publisher(vr, msg->body, "publisher_id", &e) : NULL;
    const char *id = json_string_value(json_object_get(msg->body, "remote_id"));
    ok = p && !(p->remote &&
                !tr_vr_fail(&e, TR_VR_INVALID_ELEMENT, "Only local publishers can be remotized"));
    if (ok && find_remote(p, id))
        ok = tr_vr_fail(&e, TR_VR_ID_EXISTS, "Remotization already exists (%.64s)", id);
    if (!ok || !make_remote(p, id, &to, tr_gateway_media(msg->gw), &e))
        return tr_vr_error_json(&e);
    json_t *data = tr_vr_success_of(p);
    json_object_set_new(data, "remote_id", json_string(id));
    return data;
}

json_t *tr_vr_unpublish_remotely(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    static const struct tr_field fields[] = { { "remote_id", TR_FIELD_STRING, true },
                                              { NULL, TR_FIELD_STRING, false } };
    struct tr_vr_error e;
    struct tr_vr_publisher *p =
        tr_vr_check(msg->body, fields, &e)
            ? tr_vr_forward_publisher(self(plugin), msg->body, "publisher_id", &e)
            : NULL;
    const char *id = json_string_value(json_object_get(msg->body, "remote_id"));
    struct tr_vr_remote *r = p ? find_remote(p, id) : NULL;
    if (p && !r)
        tr_vr_fail(&e, TR_VR_NO_SUCH_FEED, "No such remotization (%.64s)", id);
    if (!r)
        return tr_vr_error_json(&e);
    tr_vr_remote_remove(p, r);
    return tr_vr_success_of(p);
}

json_t *tr_vr_list_remotes(struct tr_plugin *plugin, const struct tr_msg *msg)
{
    struct tr_vr_error e;
    const struct tr_vr_remote *r;
    const struct tr_vr_publisher *p =
        tr_vr_forward_publisher(self(plugin), msg->body, "publisher_id", &e);
    if (!p)
        return tr_vr_error_json(&e);
    json_t *list = json_array();
    if (p->forwards) {
        TAILQ_FOREACH(r, &p->forwards->remotes, of_publisher)
        {
            json_t *one = json_pack("{s:s,s:s,s:i}", "remote_id", r->id, "host", r->host, "port",
                                    (int)r->to.port);
            if (r->to.rtcp_port)
                json_object_set_new(one, "rtcp_port", json_integer(r->to.rtcp_port));
            json_array_append_new(list, one);
        }
    }
    json_t *data = tr_vr_success_of(p);
    json_object_set_new(data, "list", list);
    return data;
}
