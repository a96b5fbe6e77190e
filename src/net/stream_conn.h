/* One connection, as the files of net/stream see it (stream_int.h). */
#ifndef TR_STREAM_CONN_H
#define TR_STREAM_CONN_H

#include <openssl/ssl.h>

#include "base/heap.h"
#include "net/stream.h"
#include "net/stream_queue.h"
#include "net/stream_quota.h"

enum conn_state {
    CONN_DIALING,
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_LINGER, /* writes what is queued, then waits for the other side's end */
    CONN_DEAD,
};

/* The crowds stand in the order in which they came: stream_quota.h bounds them. */
enum conn_list {
    LIST_DIRTY,
    LIST_MORE,
    LIST_DEAD,
    LIST_CROWDS,
    LIST_COUNT = LIST_CROWDS + STREAM_CROWDS
};

struct conn_link { /* of a list; both NULL: in none */
    struct conn *prev, *next;
};

struct conn {
    tr_id id;
    struct tr_path path;
    int fd;
    uint32_t events; /* that epoll watches */
    SSL *ssl;
    void *user;
    uint64_t tag;
    struct conn *hash_next;
    struct conn_link links[LIST_COUNT];
    bool listed[LIST_COUNT];
    struct tr_heap_node timer; /* never later than what is due; see stream_timer.c */
    tr_usec since;             /* of the state */
    tr_usec last_in;
    tr_usec frame_begun;   /* 0: no part of a frame waits */
    tr_usec blocked_since; /* 0: the kernel takes what is written */
    tr_usec idle_us, dial_us;
    tr_usec rests_until; /* not read before, for the meter lets nothing pass; 0: it is read */
    tr_id joined;        /* 0: to none */
    uint64_t pair;       /* the meter's word for the two */
    uint8_t *part;       /* input that waits */
    uint32_t part_n;
    uint32_t frame_max;
    uint32_t unproven_bytes; /* read so far */
    struct stream_queue out;
    enum conn_state state;
    enum tr_framing framing;
    enum tr_stream_reason reason;
    struct tr_stream_quota *quota; /* that it is counted in; NULL: in none */
    bool told;                     /* the owner knows the id */
    bool client;                   /* was dialed */
    bool proven;
    bool forth;      /* the first of the pair */
    bool paused;     /* by the owner */
    bool held;       /* because what it is joined to is full */
    bool part_whole; /* the part may hold whole frames: was not looked at yet */
    bool wants_room; /* a write got AGAIN */
    bool read_wants_write, write_wants_read; /* OpenSSL's */
    bool shut;                               /* LINGER: our side is closed */
};

#endif
