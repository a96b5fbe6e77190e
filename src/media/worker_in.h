/* How datagrams get in: whose an address is, and the one way of media to its source, whoever has
 * judged it. */
#ifndef TR_WORKER_IN_H
#define TR_WORKER_IN_H

#include "media/worker.h"

/* A packet of our pool with a copy of these bytes; NULL: there is none, which is counted. */
struct tr_pkt *worker_pkt_of(struct worker *w, struct tr_slice bytes);
/* What has arrived at the media port, or by a stream, or as if it had. false: it is nobody's, and
 * no check that is authenticated. */
bool worker_datagram(struct worker *w, const struct tr_path *path, struct tr_slice datagram);
struct wpeer *worker_addr_peer(struct worker *w, const struct tr_path *path); /* here; or NULL */
void worker_datagram_in(void *arg, const struct tr_path *path, struct tr_slice datagram);
void worker_datagram_passed(struct worker *w, const struct msg *m); /* by another worker */
/* Whose datagrams come from path.remote: `here`, or a peer of another worker. */
void worker_addr_add(struct worker *w, const struct tr_path *path, tr_id peer, struct wpeer *here,
                     int worker);
void worker_addr_remove(struct worker *w, const struct tr_path *path, tr_id peer);

/* --- media: into the worker's spare packet first, so that what is dropped costs none --- */

/* To be filled with the media of one datagram; NULL: there is none, which is counted. */
static inline struct tr_pkt *worker_spare(struct worker *w)
{
    if (!w->spare)
        w->spare = tr_pkt_alloc(w->pool);
    if (!w->spare)
        w->counters.drops[TR_DROP_NO_BUFFER]++;
    return w->spare;
}

/* The spare packet is filled, from so many bytes: to its source, or to nobody. */
static inline void worker_media_in(struct worker *w, struct source *to, struct rate *rate,
                                   size_t bytes)
{
    if (!rate_take(rate, w->now, bytes)) {
        w->counters.drops[TR_DROP_RATE]++;
        return;
    }
    struct tr_pkt *pkt = w->spare;
    w->spare = NULL;
    w->counters.rtp_in++;
    if (to)
        source_packet(to, pkt);
    else
        tr_pkt_unref(&pkt);
}

#endif
