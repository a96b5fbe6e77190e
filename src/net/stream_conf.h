/* Bounds and counters of a set of streams (stream.h), and the causes that end a connection. */
#ifndef TR_STREAM_CONF_H
#define TR_STREAM_CONF_H

#include <stdint.h>

#include "base/time.h"

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
    TR_STREAM_NO_ROOM,   /* connections, of one address or network, or handshakes at once */
    TR_STREAM_NO_MEMORY,
    TR_STREAM_REASON_COUNT
};

const char *tr_stream_reason_name(enum tr_stream_reason reason); /* "remote" ... */

struct tr_streams_conf {      /* 0: the default in brackets; all of this one set */
    uint32_t connections_max; /* 16384 */
    uint32_t address_max;     /* from one address (IPv6: /64): 512 */
    uint32_t network_max;     /* from one /24 (IPv6: /56): 2048 */
    uint32_t handshakes_max;  /* TLS handshakes at once: 256 */
    tr_usec handshake_us;     /* 10 s */
    tr_usec proof_us;         /* from ACCEPTED to tr_stream_proven: 10 s */
    uint32_t proof_bytes;     /* that one unproven may send: 4096 */
    tr_usec frame_us;         /* for the rest of a frame once begun: 10 s */
    uint32_t queue_bytes;     /* waiting to be written, of a connection: 256 KiB */
    tr_usec queue_us;         /* how old media in there may get: 500 ms */
    uint64_t queues_bytes;    /* of all connections: 256 MiB */
    uint64_t seed;            /* of hash tables; random */
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
