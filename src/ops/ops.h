/* What operators see: the PeerConnections of now, measured every few seconds, and a summary of each
 * one that is over. Serves it under /api/v1 of the Admin port (doc/api/operators.md).
 *
 *   observer of the gateway: opened -> watched; closing -> asked a last time -> summary in SQL
 *   timeout: the next peers are asked (tr_media_query); media_event: their answers
 *
 * Control thread. It asks no more than TR_OPS_ASK_PER_S peers a second: with more than five times
 * as many of them the samples lie further apart. Beyond TR_OPS_WATCHED_MAX nobody new is watched. A
 * database that fails costs the summaries, never a call. */
#ifndef TR_OPS_H
#define TR_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct tr_gateway;
struct tr_handle;
struct tr_media;
struct tr_media_event;
struct tr_ops;
struct tr_rng;
struct tr_routes;
struct tr_sql;
struct tr_web;

enum {
    TR_OPS_WATCHED_MAX = 16384,
    TR_OPS_SAMPLES_MAX = 120, /* of one peer, some 76 bytes each; the oldest makes room */
    TR_OPS_ASK_PER_S = 1000,
    TR_OPS_FINISHED_MAX = 4096, /* summaries that wait to be written; more are lost and counted */
    TR_OPS_VIEWS_MAX = 64       /* requests that wait for a media worker; more get 503 */
};
#define TR_OPS_SAMPLE_US (5 * TR_SECOND)

struct tr_ops_conf {       /* all borrowed */
    struct tr_gateway *gw; /* its observer is taken */
    struct tr_media *media;
    struct tr_sql *db;
    struct tr_rng *rng;
    struct tr_web *web;       /* for answers that come later */
    struct tr_routes *routes; /* of the Admin port */
    tr_usec (*clock)(void);
    int64_t (*unix_us)(void);
    const char *version;
    uint32_t keep_days; /* summaries; 0: 30 */
    uint32_t keep_max;  /* 0: 10000 */
};

TR_MUST_USE enum tr_err tr_ops_create(struct tr_ops **ops, const struct tr_ops_conf *conf);
/* Writes the summaries that wait. After the gateway's end. NULL is fine. */
void tr_ops_destroy(struct tr_ops *ops);
tr_usec tr_ops_next_timeout(const struct tr_ops *ops); /* absolute; TR_NEVER */
void tr_ops_timeout(struct tr_ops *ops, tr_usec now);
/* Takes a STATS event that answers a question of ours; false: it is somebody else's. */
bool tr_ops_media_event(struct tr_ops *ops, tr_usec now, const struct tr_media_event *event);
/* The handle's PeerConnection belongs to this call of the table of calls. ops NULL is fine. */
void tr_ops_call(struct tr_ops *ops, const struct tr_handle *handle, const char *call);

#endif
