/* Shared by the files of net/stream. A connection that ends is struck from all tables and its
 * socket closed at once (conn_fail); its memory goes at the end of a run, when the owner has been
 * told (conn_reap), so that nothing is freed under a function that works on it. */
#ifndef TR_STREAM_INT_H
#define TR_STREAM_INT_H

#include "net/stream_conn.h"

enum {
    STREAM_SPARES = 32,
    STREAM_READ_BYTES = 65536, /* of one connection in one turn */
    STREAM_IN_BYTES = STREAM_READ_BYTES + TR_STREAM_FRAME_MAX + TR_FRAME_HEAD_MAX,
};

struct listener {
    tr_id id;
    int fd;
    struct tr_addr at;
    struct tr_stream_conf conf;
    struct tr_heap_node timer; /* set: accepting rests until then */
};

struct tr_streams {
    struct tr_streams_conf conf;
    struct tr_streams_counters counters;
    tr_stream_h *handler;
    void *arg;
    int epoll;
    tr_usec now;
    struct tr_idtab *conns, *listeners;
    struct tr_stream_quota *quota, *own_quota; /* own: NULL where it is shared */
    struct conn **buckets;                     /* by path */
    uint32_t buckets_mask;
    struct {
        struct conn *first, *last;
    } lists[LIST_COUNT];
    struct tr_heap timers, listener_timers;
    struct stream_queue spares[STREAM_SPARES]; /* buffers for output, empty */
    int spares_n;
    bool running;
    struct conn *current;             /* whose frames are being handled */
    struct tr_slice rest, rest_again; /* its input behind the frame, and from the frame on */
    uint8_t *in;                      /* STREAM_IN_BYTES */
};

/* --- tables (stream.c) --- */
void conn_list_add(struct tr_streams *set, struct conn *c, enum conn_list list);
void conn_list_remove(struct tr_streams *set, struct conn *c, enum conn_list list);
struct conn *conn_of(const struct tr_streams *set,
                     tr_id id); /* alive, and not ended by the owner */
struct conn *conn_create(const struct tr_stream_conf *conf, int fd, const struct tr_path *path);
/* Gives it an id and a place in all tables. LIMIT, NOMEM, IO; then it is still the caller's. */
TR_MUST_USE enum tr_err conn_enter(struct tr_streams *set, struct conn *c);
void conn_leave(struct tr_streams *set, struct conn *c); /* all tables, not its memory */
void conn_free(struct conn *c);                          /* NULL is fine; closes its socket */
TR_MUST_USE enum tr_err conn_count(struct tr_streams *set, struct conn *c); /* in the quota */
void conn_uncount(struct conn *c);                                          /* if it is */
/* It is one of that crowd, for which this set's oldest may have to go. LIMIT: there is none. */
TR_MUST_USE enum tr_err conn_crowd(struct tr_streams *set, struct conn *c, enum stream_crowd crowd);
void conn_uncrowd(struct tr_streams *set, struct conn *c, enum stream_crowd crowd);
void conn_uncrowd_all(struct tr_streams *set, struct conn *c);
void conn_watch(struct tr_streams *set, struct conn *c); /* epoll follows the state */
/* false: the connection is gone, or belongs to another set now. */
bool conn_tell(struct tr_streams *set, struct conn *c, enum tr_stream_kind kind,
               struct tr_slice data);
void conn_fail(struct tr_streams *set, struct conn *c, enum tr_stream_reason reason);
void conn_linger(struct tr_streams *set, struct conn *c, enum tr_stream_reason reason);
void conn_reap(struct tr_streams *set);

/* --- stream_open.c --- */
void conn_dialed(struct tr_streams *set, struct conn *c);
void conn_handshake(struct tr_streams *set, struct conn *c);
void listener_accept(struct tr_streams *set, tr_id id);
void listener_due(struct tr_streams *set, struct listener *l);

/* --- stream_in.c --- */
void conn_read(struct tr_streams *set, struct conn *c);
bool conn_keep(struct tr_streams *set, struct conn *c, struct tr_slice bytes); /* as its part */

/* --- stream_out.c --- */
void conn_flush(struct tr_streams *set, struct conn *c);
/* Writes, and tells who waits for room. false: as conn_tell. */
bool conn_writable(struct tr_streams *set, struct conn *c);
/* Of these bytes, as many as there is room for. */
size_t conn_splice(struct tr_streams *set, struct conn *to, struct tr_slice bytes);
void conn_out_deinit(struct tr_streams *set, struct conn *c);
uint32_t conn_room(const struct tr_streams *set, const struct conn *c);

/* --- stream_timer.c --- */
void conn_arm(struct tr_streams *set, struct conn *c); /* after a change of what is due */
void conn_due(struct tr_streams *set, struct conn *c);
void conn_rest(struct tr_streams *set, struct conn *c); /* it is not read for a while */

#endif
