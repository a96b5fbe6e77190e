/* What a media worker answered about a peer, in the layout that tools for the Admin API read; what
 * they do not know of stands beside it under names of its own. */
#include "gateway/core.h"

static const char *proto_name(const struct tr_addr *addr)
{
    switch ((enum tr_proto)addr->proto) {
    case TR_PROTO_UDP: return "udp";
    case TR_PROTO_TCP: return "tcp";
    case TR_PROTO_RELAY:
    case TR_PROTO_DTLS: break;
    }
    return "relay";
}

static json_t *pair_text(const struct tr_stats_pair *pair)
{
    char local[TR_ADDR_STR_MAX], remote[TR_ADDR_STR_MAX];
    return json_sprintf("%s [host,%s] <-> %s [prflx,%s]", tr_addr_str(&pair->local, local),
                        proto_name(&pair->local), tr_addr_str(&pair->remote, remote),
                        proto_name(&pair->remote));
}

static json_t *pair_object(const struct tr_stats_pair *pair)
{
    char local[TR_ADDR_STR_MAX], remote[TR_ADDR_STR_MAX];
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I}", "local",
                          tr_addr_str(&pair->local, local), "remote",
                          tr_addr_str(&pair->remote, remote), "protocol", proto_name(&pair->remote),
                          "state", pair->state ? pair->state : "succeeded", "selected",
                          pair->selected, "nominated", pair->nominated, "rtt-us",
                          (json_int_t)pair->rtt_us, "last-heard", (json_int_t)pair->last_check_us);
    /* As text: a script would keep 53 of its 64 bits. */
    json_object_set_new(o, "priority", json_sprintf("%llu", (unsigned long long)pair->priority));
    return o;
}

static void add_counts(json_t *ice, const struct tr_media_peer_stats *st)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "checks", st->ice_checks },
        { "checks-refused", st->ice_refused },
        { "checks-malformed", st->ice_malformed },
        { "checks-unauthenticated", st->ice_unauthenticated },
        { "paths-dropped", st->ice_paths_dropped },
        { "restarts", st->ice_restarts },
        { "switches", st->ice_switches },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        json_object_set_new(ice, rows[i].name, json_integer((json_int_t)rows[i].value));
}

static json_t *ice_object(const struct tr_media_peer_stats *st)
{
    json_t *pairs = json_array(), *checklist = json_array(), *ice = json_object();

    json_object_set_new(ice, "stream_id", json_integer(1));
    json_object_set_new(ice, "component_id", json_integer(1));
    json_object_set_new(ice, "state", json_string(st->ice_state ? st->ice_state : "new"));
    for (int i = 0; i < st->pairs_count; i++) {
        json_array_append_new(pairs, pair_text(&st->pairs[i]));
        json_array_append_new(checklist, pair_object(&st->pairs[i]));
        if (st->pairs[i].selected)
            json_object_set_new(ice, "selected-pair", pair_text(&st->pairs[i]));
    }
    json_object_set_new(ice, "pairs", pairs);
    json_object_set_new(ice, "checklist", checklist);
    json_object_set_new(ice, "role", json_string(st->ice_role ? st->ice_role : "controlled"));
    add_counts(ice, st);
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
    json_object_set_new(dtls, "version", json_string("DTLS 1.2")); /* the only one */
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
    json_object_set_new(layer, "firs", json_integer(l->firs));
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
    json_object_set_new(out, "firs", json_integer(t->out_firs));
    json_object_set_new(out, "sending", json_boolean(t->sending));
    return out;
}

/* What the m-line is sent; null when nothing is routed there. */
static json_t *route_object(const struct tr_gateway *gw, const struct tr_stats_route *r)
{
    if (!r->routed)
        return json_null();
    const struct tr_handle *from = tr_handle_by_peer(gw, r->source_peer);
    json_t *route = json_pack(
        "{s:b, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "paused", r->paused, "layers",
        r->simulcast ? "simulcast"
        : r->svc     ? "svc"
                     : "none",
        "layer", r->layer, "layer-target", r->layer_target, "layer-max", r->layer_max,
        "layer-bound", r->layer_bound, "temporal", r->temporal, "temporal-max", r->temporal_max,
        "temporal-bound", r->temporal_bound, "from-mindex", r->source_mline);
    if (from)
        json_object_set_new(route, "from",
                            json_pack("{s:I, s:I}", "session_id", (json_int_t)from->session->id,
                                      "handle_id", (json_int_t)from->id));
    return route;
}

static json_t *track_object(const struct tr_gateway *gw, const struct tr_stats_track *t, int mindex)
{
    json_t *in = json_array(), *track = json_object();

    json_object_set_new(track, "mid", json_string(t->mid));
    json_object_set_new(track, "mindex", json_integer(mindex));
    json_object_set_new(track, "type", json_string(t->video ? "video" : "audio"));
    json_object_set_new(track, "codecs",
                        json_pack("{s:s, s:i, s:i, s:I}", "codec", t->codec, "pt", t->pt, "rtx-pt",
                                  t->rtx_pt, "clock-rate", (json_int_t)t->clock_rate));
    json_object_set_new(track, "route", route_object(gw, &t->route));
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
    json_t *bwe = json_pack("{s:I, s:I, s:b}", "remb", (json_int_t)st->remb_bps, "remb-sent",
                            (json_int_t)st->remb_sent_bps, "transport-cc-sent", st->twcc_sent);
    if (b->known)
        json_object_update_new(
            bwe, json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I}", "transport-cc",
                           b->transport_cc, "estimate", (json_int_t)b->estimate_bps, "by-delay",
                           (json_int_t)b->delay_bps, "by-loss", (json_int_t)b->loss_bps, "received",
                           (json_int_t)b->acked_bps, "sent", (json_int_t)b->sent_bps, "loss",
                           b->loss_ppm / 1e6, "overuses", (json_int_t)b->overuses, "probes",
                           (json_int_t)b->probes, "probes-good", (json_int_t)b->probes_good));
    return bwe;
}

json_t *tr_admin_webrtc(const struct tr_gateway *gw, const struct tr_media_peer_stats *st)
{
    json_t *media = json_object();
    for (int i = 0; i < st->tracks_count && i < TR_STATS_TRACKS_MAX; i++) {
        const struct tr_stats_track *t = &st->tracks[i];
        if (t->used)
            json_object_set_new(media, t->mid[0] ? t->mid : "?", track_object(gw, t, i));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "ice", ice_object(st), "dtls", dtls_object(st), "bwe",
                     bwe_object(st), "media", media);
}
