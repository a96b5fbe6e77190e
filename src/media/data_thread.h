/* The data thread: it owns SCTP and all data channels (data_hub.h), because usrsctp keeps state for
 * the whole process and workers take no locks. Inside of src/media only.
 *
 *   worker --packet out of DTLS--> data thread --packet for DTLS--> worker     (may be lost)
 *   control --what is wired, what is said--> data thread --events--> control   (may not)
 *
 * Packets cross as references; each side allocates from its own pool. Control starts the thread
 * with the first peer that has channels. */
#ifndef TR_DATA_THREAD_H
#define TR_DATA_THREAD_H

#include "base/pkt.h"
#include "media/data.h"
#include "peer/stats.h"

struct data_thread;
struct tr_media;

enum data_msg_kind {
    /* control -> data thread */
    DATA_STOP,
    DATA_OPEN,
    DATA_UP,
    DATA_GONE,
    DATA_LISTEN,
    DATA_ROUTE, /* route: allocated */
    DATA_ROUTE_PAUSE,
    DATA_ROUTE_REMOVE,
    DATA_SAY, /* say: allocated */
    /* worker -> data thread */
    DATA_PACKET /* pkt; may be lost */
};

struct data_msg_route { /* the texts lie behind it */
    tr_id from, to;
    struct tr_data_route_conf conf;
};

struct data_msg {
    enum data_msg_kind kind;
    tr_id id; /* of the peer, or the route */
    union {
        struct tr_data_conf open;
        struct {
            int worker;
            bool even;
        } up;
        bool on; /* LISTEN, ROUTE_PAUSE */
        struct data_msg_route *route;
        struct tr_data_message *say;
        struct tr_pkt *pkt;
    } u;
};

/* NULL: memory, descriptors or threads are out. */
struct data_thread *data_thread_create(struct tr_media *media);
/* Control: what must not be lost. NOMEM, LIMIT: what the message owns is the caller's again. */
TR_MUST_USE enum tr_err data_thread_order(struct data_thread *t, const struct data_msg *m);
bool data_thread_flush(struct data_thread *t); /* control; true: nothing waits any more */
/* Worker: a packet of a peer's client. AGAIN: the thread does not keep up; pkt is the caller's. */
TR_MUST_USE enum tr_err data_thread_packet(struct data_thread *t, tr_id peer, struct tr_pkt *pkt);
/* Control has taken an event. */
void data_thread_taken(struct data_thread *t, const struct tr_data_event *data);
/* The end, in three steps around those of the workers: the thread; associations and what lies in
 * queues (before the workers' pools end); memory (after their inboxes are empty). NULL is fine. */
void data_thread_stop(struct data_thread *t);
void data_thread_drain(struct data_thread *t);
void data_thread_destroy(struct data_thread *t);
void data_thread_counters(const struct data_thread *t, struct tr_media_counters *sum); /* adds */

#endif
