/* What the files of src/ops share. ops.c: watching; summary.c: what is kept of it; api.c: the
 * endpoints. Nobody else includes this. */
#ifndef TR_OPS_INT_H
#define TR_OPS_INT_H

#include <sys/queue.h>

#include "base/map.h"
#include "gateway/gateway.h"
#include "gateway/inspect.h"
#include "gateway/transport/routes.h"
#include "ops/ops.h"
#include "ops/sample.h"
#include "store/connections.h"

/* Cookies of our questions to the media engine; the gateway's own count up from 0. */
#define OPS_COOKIE (1ull << 62)
enum { OPS_COOKIE_SAMPLE, OPS_COOKIE_LAST, OPS_COOKIE_VIEW }; /* VIEW and above: one a request */

enum ops_queue { OPS_NEW, OPS_STEADY, OPS_CLOSING, OPS_QUEUES };

struct ops_who { /* what a plugin says of a handle */
    char user[TR_CONNECTION_TEXT_MAX], peer[TR_CONNECTION_TEXT_MAX];
    char room[TR_CONNECTION_TEXT_MAX], role[32];
};

struct ops_path { /* the selected pair */
    struct tr_addr local, remote;
    bool known;
};

struct ops_watched { /* a PeerConnection */
    tr_id peer;
    uint64_t session, handle;
    char plugin[64], opaque_id[TR_CONNECTION_TEXT_MAX], client[TR_ADDR_STR_MAX];
    char call[TR_CALL_ID_MAX];
    struct ops_who who;
    int64_t started_us, up_us, ended_us; /* Unix; 0: not yet */
    char reason[TR_CONNECTION_TEXT_MAX];
    json_t *candidates; /* of the client, once it is closing */
    enum ops_queue queue;
    tr_usec due; /* its next question; CLOSING: when it is no longer waited for */
    TAILQ_ENTRY(ops_watched) link;
    /* measured */
    struct ops_totals totals;
    struct ops_mean means[OPS_GAUGES];
    struct ops_path path;
    char codecs[128];
    char cipher[40];
    const char *ice_state, *srtp_profile; /* static texts; NULL: not known */
    uint32_t ice_switches, ice_restarts, layer_changes, video_silent;
    int8_t layer;               /* that it was last sent; -1: none */
    struct ops_sample *ring;    /* grows up to TR_OPS_SAMPLES_MAX */
    uint16_t size, count, head; /* head: the oldest */
};

struct ops_finished { /* waits to be written */
    struct tr_connection row;
    STAILQ_ENTRY(ops_finished) link;
    char text[]; /* summary, series */
};

struct ops_view { /* a request that waits for a media worker */
    uint64_t cookie, session, handle;
    tr_id http;
    tr_usec deadline;
    TAILQ_ENTRY(ops_view) link;
};

TAILQ_HEAD(ops_queue_head, ops_watched);

struct tr_ops {
    struct tr_ops_conf conf;
    char *version;
    struct tr_map *by_peer;
    struct ops_queue_head queues[OPS_QUEUES];
    STAILQ_HEAD(, ops_finished) finished;
    TAILQ_HEAD(, ops_view) views;
    uint32_t finished_count, views_count;
    uint64_t next_view;
    tr_usec asked; /* when peers were last asked */
    tr_usec write_due, prune_due;
    tr_usec started;
    struct {
        uint64_t samples, unwatched, written, lost; /* lost: summaries that were not written */
    } counters;
};

/* ops.c */
struct ops_watched *ops_find(const struct tr_ops *ops, tr_id peer);        /* NULL: not watched */
const struct ops_sample *ops_ring_get(const struct ops_watched *w, int i); /* 0: the oldest */
void ops_who_read(struct ops_who *who, const json_t *query);

/* summary.c */
/* {"interval_ms","at_ms":[...],"rtt_us":[...],...}, at most `most` samples. New reference. */
json_t *ops_series_json(const struct ops_watched *w, int most);
/* NULL when memory is out. */
struct ops_finished *ops_finish(const struct tr_ops *ops, const struct ops_watched *w);
/* What kind of candidate of the client the address is: "host", "srflx", "relay"; "prflx" when it
 * named none such. */
const char *ops_candidate_type(const json_t *lines, const struct tr_addr *addr);

/* api.c */
TR_MUST_USE enum tr_err ops_routes(struct tr_ops *ops);
/* Answers and frees it. stats NULL: no answer came. */
void ops_view_answer(struct tr_ops *ops, struct ops_view *view,
                     const struct tr_media_peer_stats *stats, tr_usec now);

#endif
