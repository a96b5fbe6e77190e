/* handle_info: what the control thread knows of a handle at once, and what its media worker answers
 * a moment later, in the layout that tools for the Admin API read. An answer that does not come in
 * time is sent without the media part. */
#include <string.h>

#include "base/mem.h"
#include "gateway/api.h"

#define ANSWER_US (2 * TR_SECOND)

/* --- what waits --- */

struct tr_pending *tr_pending_find(const struct tr_gateway *gw, uint64_t cookie)
{
    struct tr_pending *p;
    for (p = TAILQ_FIRST(&gw->pending); p; p = TAILQ_NEXT(p, of_gateway))
        if (p->cookie == cookie)
            break;
    return p;
}

void tr_pending_free(struct tr_gateway *gw, struct tr_pending *pending)
{
    LIST_REMOVE(pending, of_client);
    TAILQ_REMOVE(&gw->pending, pending, of_gateway);
    gw->pending_count--;
    tr_free(pending);
}

static struct tr_pending *pending_add(const struct tr_api *api)
{
    struct tr_gateway *gw = api->gw;
    size_t n = strlen(api->transaction) + 1;

    if (gw->pending_count >= TR_GATEWAY_PENDING_MAX)
        return NULL;
    struct tr_pending *p = tr_alloc(sizeof(*p) + n);
    if (!p)
        return NULL;
    memcpy(p->transaction, api->transaction, n);
    p->cookie = ++gw->cookie;
    p->client = api->client;
    p->session_id = api->session_id;
    p->handle_id = api->handle_id;
    p->deadline = api->now + ANSWER_US;
    LIST_INSERT_HEAD(&api->client->pending, p, of_client);
    TAILQ_INSERT_TAIL(&gw->pending, p, of_gateway);
    gw->pending_count++;
    return p;
}

/* --- what the control thread knows --- */

static json_t *handle_object(const struct tr_handle *handle, tr_usec now)
{
    const struct tr_session *s = handle->session;
    json_t *info =
        json_pack("{s:I, s:I, s:s, s:I}", "session_id", (json_int_t)s->id, "session_last_activity",
                  (json_int_t)s->last_activity, "session_transport",
                  s->transport ? s->transport : "", "handle_id", (json_int_t)handle->id);
    if (handle->opaque_id)
        json_object_set_new(info, "opaque_id", json_string(handle->opaque_id));
    json_object_set_new(info, "created", json_integer(handle->created));
    json_object_set_new(info, "current_time", json_integer(now));
    json_object_set_new(info, "plugin", json_string(handle->plugin->ops->package));
    return info;
}

static void add_plugin(json_t *info, struct tr_handle *handle)
{
    struct tr_plugin *plugin = handle->plugin;
    json_t *specific = plugin->ops->query ? plugin->ops->query(plugin, handle) : NULL;
    json_object_set_new(info, "plugin_specific", specific ? specific : json_object());
}

static void add_control(json_t *info, const struct tr_handle *handle)
{
    json_object_set_new(info, "ice-mode", json_string("lite"));
    json_object_set_new(info, "ice-role", json_string("controlled"));
    json_object_set_new(info, "queued-packets", json_integer(0));
    json_t *described = tr_pc_describe(handle->pc); /* sdps, flags */
    if (json_is_object(described))
        json_object_update(info, described);
    json_decref(described);
}

/* --- what the worker knows --- */

static json_t *pair_text(const struct tr_stats_pair *pair)
{
    char local[TR_ADDR_STR_MAX], remote[TR_ADDR_STR_MAX];
    return json_sprintf("%s [host,udp] <-> %s [prflx,udp]", tr_addr_str(&pair->local, local),
                        tr_addr_str(&pair->remote, remote));
}

static json_t *ice_object(const struct tr_media_peer_stats *st)
{
    json_t *pairs = json_array(), *ice = json_object();

    json_object_set_new(ice, "stream_id", json_integer(1));
    json_object_set_new(ice, "component_id", json_integer(1));
    json_object_set_new(ice, "state", json_string(st->ice_state ? st->ice_state : "new"));
    for (int i = 0; i < st->pairs_count; i++) {
        json_array_append_new(pairs, pair_text(&st->pairs[i]));
        if (st->pairs[i].selected)
            json_object_set_new(ice, "selected-pair", pair_text(&st->pairs[i]));
    }
    json_object_set_new(ice, "pairs", pairs);
    json_object_set_new(ice, "checks", json_integer((json_int_t)st->ice_checks));
    json_object_set_new(ice, "checks-refused", json_integer((json_int_t)st->ice_refused));
    json_object_set_new(ice, "connected", json_integer(st->connected_us));
    json_object_set_new(ice, "ready", json_boolean(st->connected_us > 0));
    json_object_set_new(ice, "worker", json_integer(st->worker));
    return ice;
}

static json_t *traffic(uint64_t packets, uint64_t bytes)
{
    return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

static json_t *drops_object(const struct tr_media_peer_stats *st)
{
    json_t *drops = json_object();
    for (int i = 0; i < TR_DROP_COUNT; i++)
        if (st->drops[i])
            json_object_set_new(drops, tr_drop_name((enum tr_drop)i),
                                json_integer((json_int_t)st->drops[i]));
    return drops;
}

static json_t *dtls_object(const struct tr_media_peer_stats *st)
{
    json_t *dtls = json_object();

    json_object_set_new(dtls, "remote-fingerprint", json_string(st->remote_fingerprint));
    json_object_set_new(dtls, "dtls-role", json_string(st->dtls_role ? st->dtls_role : ""));
    json_object_set_new(dtls, "dtls-state", json_string(st->dtls_state ? st->dtls_state : "new"));
    json_object_set_new(dtls, "cipher", json_string(st->dtls_cipher));
    json_object_set_new(dtls, "retransmissions", json_integer(st->dtls_retransmissions));
    json_object_set_new(dtls, "valid", json_boolean(st->connected_us > 0));
    if (st->srtp_profile)
        json_object_set_new(dtls, "srtp-profile", json_string(st->srtp_profile));
    json_object_set_new(dtls, "ready", json_boolean(st->srtp_profile != NULL));
    json_object_set_new(dtls, "stats",
                        json_pack("{s:o, s:o, s:o}", "in", traffic(st->packets_in, st->bytes_in),
                                  "out", traffic(st->packets_out, st->bytes_out), "dropped",
                                  drops_object(st)));
    return dtls;
}

static json_t *layer_object(const struct tr_stats_layer *l)
{
    json_t *layer = traffic(l->packets, l->bytes);

    json_object_set_new(layer, "ssrc", json_integer(l->ssrc));
    json_object_set_new(layer, "ssrc-rtx", json_integer(l->rtx_ssrc));
    if (l->rid[0])
        json_object_set_new(layer, "rid", json_string(l->rid));
    json_object_set_new(layer, "lost", json_integer((json_int_t)l->lost));
    json_object_set_new(layer, "retransmissions", json_integer((json_int_t)l->rtx_packets));
    json_object_set_new(layer, "jitter-local", json_integer(l->jitter_rtp));
    json_object_set_new(layer, "bitrate", json_integer(l->bitrate_bps));
    json_object_set_new(layer, "nacks", json_integer(l->nacks));
    json_object_set_new(layer, "plis", json_integer(l->plis));
    json_object_set_new(layer, "last-packet", json_integer(l->last_us));
    return layer;
}

static json_t *out_object(const struct tr_stats_track *t)
{
    json_t *out = traffic(t->out_packets, t->out_bytes);

    json_object_set_new(out, "ssrc", json_integer(t->out_ssrc));
    json_object_set_new(out, "ssrc-rtx", json_integer(t->out_rtx_ssrc));
    json_object_set_new(out, "retransmissions", json_integer((json_int_t)t->out_rtx_packets));
    json_object_set_new(out, "bitrate", json_integer(t->out_bitrate_bps));
    json_object_set_new(out, "nacks", json_integer(t->out_nacks));
    json_object_set_new(out, "plis", json_integer(t->out_plis));
    return out;
}

static json_t *track_object(const struct tr_stats_track *t, int mindex)
{
    json_t *in = json_array(), *track = json_object();

    json_object_set_new(track, "mid", json_string(t->mid));
    json_object_set_new(track, "mindex", json_integer(mindex));
    json_object_set_new(track, "type", json_string(t->video ? "video" : "audio"));
    json_object_set_new(
        track, "codecs",
        json_pack("{s:s, s:i, s:i}", "codec", t->codec, "pt", t->pt, "rtx-pt", t->rtx_pt));
    for (int i = 0; i < t->layers_count; i++)
        json_array_append_new(in, layer_object(&t->layers[i]));
    json_object_set_new(track, "stats", json_pack("{s:o, s:o}", "in", in, "out", out_object(t)));
    json_object_set_new(
        track, "rtcp",
        json_pack("{s:{s:I, s:I, s:i, s:I}}", "main", "rtt-us", (json_int_t)t->rtt_us,
                  "lost-by-remote", (json_int_t)t->remote_lost, "fraction-lost-by-remote",
                  t->remote_fraction_lost, "jitter-remote", (json_int_t)t->remote_jitter_rtp));
    return track;
}

/* What the client lets us send it, by its own word and by our estimate. */
static json_t *bwe_object(const struct tr_media_peer_stats *st)
{
    const struct tr_stats_bandwidth *b = &st->bandwidth;
    json_t *bwe = json_pack("{s:I}", "remb", (json_int_t)st->remb_bps);
    if (b->known)
        json_object_update_new(
            bwe, json_pack("{s:b, s:I, s:I, s:I, s:f, s:I, s:I, s:I}", "transport-cc",
                           b->transport_cc, "estimate", (json_int_t)b->estimate_bps, "received",
                           (json_int_t)b->acked_bps, "sent", (json_int_t)b->sent_bps, "loss",
                           b->loss_ppm / 1e6, "overuses", (json_int_t)b->overuses, "probes",
                           (json_int_t)b->probes, "probes-good", (json_int_t)b->probes_good));
    return bwe;
}

static json_t *webrtc_object(const struct tr_media_peer_stats *st)
{
    json_t *media = json_object();
    for (int i = 0; i < st->tracks_count && i < TR_STATS_TRACKS_MAX; i++) {
        const struct tr_stats_track *t = &st->tracks[i];
        if (t->used)
            json_object_set_new(media, t->mid[0] ? t->mid : "?", track_object(t, i));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "ice", ice_object(st), "dtls", dtls_object(st), "bwe",
                     bwe_object(st), "media", media);
}

/* --- the request and its answers --- */

void tr_admin_answer(struct tr_gateway *gw, struct tr_pending *pending,
                     const struct tr_media_peer_stats *stats, tr_usec now)
{
    struct tr_api api = { .gw = gw,
                          .client = pending->client,
                          .now = now,
                          .transaction = pending->transaction,
                          .session_id = pending->session_id,
                          .handle_id = pending->handle_id };
    struct tr_handle *handle = tr_handle_find(gw, pending->session_id, pending->handle_id);

    if (!handle) {
        tr_api_error(&api, TR_API_HANDLE_NOT_FOUND, "No such handle");
    } else {
        json_t *info = handle_object(handle, now);
        add_plugin(info, handle);
        add_control(info, handle);
        json_object_set_new(info, "webrtc", stats ? webrtc_object(stats) : json_object());
        json_t *reply = tr_api_reply(&api, "success");
        json_object_set_new(reply, "handle_id", json_integer((json_int_t)api.handle_id));
        json_object_set_new(reply, "info", info);
        tr_api_send(&api, reply);
    }
    tr_pending_free(gw, pending);
}

void tr_admin_handle_info(struct tr_api *api)
{
    bool plugin_only = json_is_true(json_object_get(api->request, "plugin_only"));

    if (plugin_only) {
        json_t *info = handle_object(api->handle, api->now);
        add_plugin(info, api->handle);
        json_t *reply = tr_api_reply(api, "success");
        json_object_set_new(reply, "handle_id", json_integer((json_int_t)api->handle_id));
        json_object_set_new(reply, "info", info);
        tr_api_send(api, reply);
        return;
    }
    struct tr_pending *pending = pending_add(api);
    if (!pending)
        tr_api_error(api, TR_API_UNKNOWN, "Too many requests wait for the media workers");
    else if (api->handle->peer)
        tr_media_query(api->gw->services.pc->media, api->handle->peer, pending->cookie);
    else
        tr_admin_answer(api->gw, pending, NULL, api->now);
}
