/* What is kept of a PeerConnection that is over: its facts and figures, and a series with at most
 * SERIES_MAX of its samples, so that a row stays small however long the call was. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "ice/cand.h"
#include "ops/ops_int.h"

enum { SERIES_MAX = 60 };

/* --- the series --- */

/* Of several samples that become one: the worst of the gauges, the sum of the counts. */
static void merge(struct ops_sample *to, const struct ops_sample *s)
{
    to->at_ms = s->at_ms;
    for (int i = 0; i < OPS_METRICS; i++) {
        if (to->v[i] == OPS_UNKNOWN)
            to->v[i] = s->v[i];
        else if (s->v[i] == OPS_UNKNOWN)
            continue;
        else if (i >= OPS_GAUGES)
            to->v[i] += s->v[i];
        else if (s->v[i] > to->v[i])
            to->v[i] = s->v[i];
    }
}

json_t *ops_series_json(const struct ops_watched *w, int most)
{
    json_t *columns[OPS_METRICS], *at = json_array(), *o = json_object();
    int step = (w->count + most - 1) / most;
    for (int m = 0; m < OPS_METRICS; m++)
        columns[m] = json_array();
    for (int i = 0; i < w->count; i += step) {
        struct ops_sample sample = *ops_ring_get(w, i);
        for (int k = i + 1; k < i + step && k < w->count; k++)
            merge(&sample, ops_ring_get(w, k));
        json_array_append_new(at, json_integer(sample.at_ms));
        for (int m = 0; m < OPS_METRICS; m++)
            json_array_append_new(
                columns[m], sample.v[m] == OPS_UNKNOWN ? json_null() : json_integer(sample.v[m]));
    }
    json_object_set_new(o, "at_ms", at);
    for (int m = 0; m < OPS_METRICS; m++)
        json_object_set_new(o, ops_metric_names[m], columns[m]);
    return o;
}

/* --- the facts --- */

const char *ops_candidate_type(const json_t *lines, const struct tr_addr *addr)
{
    size_t i;
    const json_t *line;
    json_array_foreach(lines, i, line)
    {
        struct tr_ice_cand cand;
        struct tr_slice text = tr_slice(json_string_value(line), json_string_length(line));
        if (tr_ice_cand_parse(&cand, text) == TR_OK && cand.addr.port == addr->port &&
            tr_addr_ip_eq(&cand.addr, addr))
            return tr_ice_cand_type_str(cand.type);
    }
    return tr_ice_cand_type_str(TR_ICE_PRFLX);
}

static json_t *path_json(const struct ops_watched *w)
{
    static const char *const protocols[] = {
        [TR_PROTO_UDP] = "udp", [TR_PROTO_TCP] = "tcp", [TR_PROTO_RELAY] = "relay"
    };
    char local[TR_ADDR_STR_MAX], remote[TR_ADDR_STR_MAX];
    if (!w->path.known)
        return json_null();
    bool relayed = w->path.remote.proto == TR_PROTO_RELAY;
    return json_pack(
        "{s:s, s:s, s:s, s:s}", "type",
        relayed ? "relay" : ops_candidate_type(w->candidates, &w->path.remote), "protocol",
        w->path.remote.proto <= TR_PROTO_RELAY ? protocols[w->path.remote.proto] : "?", "local",
        tr_addr_str(&w->path.local, local), "remote", tr_addr_str(&w->path.remote, remote));
}

static json_t *summary_json(const struct ops_watched *w)
{
    json_t *o = json_pack(
        "{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "session_id",
        (json_int_t)w->session, "handle_id", (json_int_t)w->handle, "role", w->who.role, "peer",
        w->who.peer, "opaque_id", w->opaque_id, "client", w->client, "codecs", w->codecs,
        "dtls_cipher", w->cipher, "path", path_json(w), "ice_switches", (json_int_t)w->ice_switches,
        "ice_restarts", (json_int_t)w->ice_restarts, "layer_changes", (json_int_t)w->layer_changes,
        "video_silent_s", (json_int_t)(w->video_silent * (TR_OPS_SAMPLE_US / TR_SECOND)), "metrics",
        ops_means_json(w->means), "totals", ops_totals_json(&w->totals));
    json_object_set_new(o, "srtp_profile",
                        w->srtp_profile ? json_string(w->srtp_profile) : json_null());
    return o;
}

static char *dump(json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

static void fill_row(const struct tr_ops *ops, const struct ops_watched *w,
                     struct tr_connection *row)
{
    tr_call_id_make(ops->conf.rng, row->id);
    tr_utf8_copy(row->plugin, sizeof row->plugin, w->plugin);
    tr_utf8_copy(row->call, sizeof row->call, w->call);
    tr_utf8_copy(row->room, sizeof row->room, w->who.room);
    tr_utf8_copy(row->who, sizeof row->who, w->who.user);
    tr_utf8_copy(row->reason, sizeof row->reason, w->reason);
    row->started_us = w->started_us;
    row->up_us = w->up_us;
    row->ended_us = w->ended_us;
}

struct ops_finished *ops_finish(const struct tr_ops *ops, const struct ops_watched *w)
{
    char *summary = dump(summary_json(w));
    char *series = dump(ops_series_json(w, SERIES_MAX));
    struct ops_finished *f = NULL;
    if (summary && series) {
        size_t n = strlen(summary) + 1, m = strlen(series) + 1;
        f = tr_alloc(sizeof *f + n + m);
        if (f) {
            memcpy(f->text, summary, n);
            memcpy(f->text + n, series, m);
            f->row.summary = f->text;
            f->row.series = f->text + n;
            fill_row(ops, w, &f->row);
        }
    }
    free(summary); /* tidy: allow free - jansson hands out malloc memory */
    free(series);  /* tidy: allow free - likewise */
    return f;
}
