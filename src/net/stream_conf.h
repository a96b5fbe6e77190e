/* Bounds and counters of a set of streams (stream.h), and the causes that end a connection. */
#ifndef TR_STREAM_CONF_H
#define TR_STREAM_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

struct tr_stream_quota;

enum tr_stream_reason {
    TR_STREAM_REMOTE,    /* the other side has closed it */
    TR_STREAM_ERROR,     /* reset, unreachable, or a dial that was refused */
    TR_STREAM_TLS,       /* the handshake or a record is bad */
    TR_STREAM_MALFORMED, /* not of the framing */
    TR_STREAM_OVERSIZED, /* a frame above its maximum */
    TR_STREAM_UNPROVEN,  /* not proven in time, or more bytes than one unproven may send */
    TR_STREAM_SLOW,      /* TLS handshake, dial, or a frame begun and never ended */
    TR_STREAM_IDLE,
    TR_STREAM_CONGESTED, /* takes nothing, and what waits may not be dropped */
    TR_STREAM_JOINED,    /* its other half is gone */
    TR_STREAM_NO_ROOM,   /* of stream_quota.h; or it was the oldest that held one */
    TR_STREAM_NO_MEMORY,
    TR_STREAM_REASON_COUNT
};

const char *tr_stream_reason_name(enum tr_stream_reason reason); /* "remote" ... */

/* How fast a joined pair may be, with the arg of the handler. pair: as of tr_stream_join; forth:
 * from its first one to the second. */
struct tr_stream_meter {
    /* How many of n bytes may be read now; 0: none is for some milliseconds. */
    size_t (*room)(void *arg, uint64_t pair, bool forth, size_t n);
    void (*passed)(void *arg, uint64_t pair, bool forth, size_t n); /* so many were */
};

struct tr_streams_conf { /* 0: the default in brackets; all of this one set */
    /* Borrowed; shared by all sets between which connections move. NULL: its own. */
    struct tr_stream_quota *quota;
    const struct tr_stream_meter *meter; /* borrowed; NULL: no bound */
    tr_usec handshake_us;                /* 10 s */
    tr_usec proof_us;                    /* from ACCEPTED to tr_stream_proven: 10 s */
    uint32_t proof_bytes;                /* that one unproven may send: 4096 */
    tr_usec frame_us;                    /* for the rest of a frame once begun: 10 s */
    uint32_t queue_bytes;                /* waiting to be written, of a connection: 256 KiB */
    tr_usec queue_us;                    /* how old media in there may get: 500 ms */
    uint64_t queues_bytes;               /* of all connections: 256 MiB */
    uint64_t seed;                       /* of hash tables; random */
};

struct tr_streams_counters {
    uint64_t accepted, dialed, adopted, detached, handshakes;
    uint64_t frames_in, bytes_in, frames_out, bytes_out; /* bytes without TLS */
    uint64_t reads, writes;                              /* calls into kernel or OpenSSL */
    uint64_t dropped_full, dropped_old;                  /* frames of media */
    uint64_t accept_failed;                              /* descriptors or memory are out */
    uint64_t ended[TR_STREAM_REASON_COUNT];              /* also those never ACCEPTED */
    uint64_t connections_now, handshakes_now;
    uint64_t queued_now; /* bytes */
};

#endif
