/* SCTP over DTLS with data channels (RFC 8261, 8831, 8832) as state machines over usrsctp.
 *
 * usrsctp keeps state for the whole process, so there is one stack, and it and its associations
 * are used by one thread. Its timers run by tr_sctp_stack_timeout and nothing else; but it reads
 * the clock itself to measure round trips, and draws its own random numbers.
 *
 * Drive: one of create, input, open, send, close_channel, hold, stack_timeout
 *        -> while tr_sctp_stack_next: tr_sctp_poll until TR_SCTP_NONE
 *        -> sleep to tr_sctp_stack_next_timeout.
 *
 * There is one association for each DTLS connection; both sides begin it. What a hostile peer can
 * make us keep is bounded by the limits below; what it sends passes a filter of our own before
 * usrsctp sees it (filter.h). */
#ifndef TR_SCTP_H
#define TR_SCTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"
#include "sctp/dcep.h"

enum tr_sctp_limits {
    TR_SCTP_MESSAGE_MAX = 256 * 1024,  /* bytes, each way */
    TR_SCTP_BUFFER_BYTES = 512 * 1024, /* of an association, each way: sent or received, and not
                                          acknowledged or polled */
    TR_SCTP_PACKET_MAX = 1160,         /* bytes of a packet sent: what a DTLS record carries */
    TR_SCTP_PACKETS_MAX = 512,         /* that wait to be polled; further ones are lost */
    TR_SCTP_STREAMS = 1024,            /* ids 0 to 1023 */
    TR_SCTP_CHANNELS_MAX = 128,        /* at once; further ones are closed */
    TR_SCTP_ASSOCIATIONS_MAX = 1 << 16
};

enum tr_sctp_kind {
    TR_SCTP_NONE,
    TR_SCTP_SEND,     /* data: a packet for the peer */
    TR_SCTP_UP,       /* channels can be opened */
    TR_SCTP_OPEN,     /* channel: the peer opened one */
    TR_SCTP_MESSAGE,  /* channel, binary, data */
    TR_SCTP_CLOSED,   /* channel: the peer closed it, or a limit did; its facts are valid still */
    TR_SCTP_WRITABLE, /* after AGAIN of tr_sctp_send: there is room */
    TR_SCTP_DOWN      /* reason; once. Nothing but destroy makes sense afterwards */
};

struct tr_sctp_stack;
struct tr_sctp;

struct tr_sctp_channel {
    uint16_t id;     /* stream number */
    bool negotiated; /* by other means than DCEP: there is no label */
    bool ours;       /* opened on this side */
    struct tr_dcep_delivery delivery;
    uint16_t priority;
    const char *label, *protocol; /* never NULL */
};

struct tr_sctp_conf {
    uint16_t local_port, remote_port; /* a=sctp-port of either side */
    bool even;                        /* this side is the DTLS client: it opens even stream ids */
    uint32_t message_max;             /* that the peer takes; 0: TR_SCTP_MESSAGE_MAX */
    void *user;                       /* the owner's, for tr_sctp_user */
};

struct tr_sctp_out { /* valid until the next poll or destroy on the same stack */
    enum tr_sctp_kind kind;
    struct tr_slice data;
    bool binary;
    const struct tr_sctp_channel *channel;
    const char *reason; /* static text */
};

struct tr_sctp_stats {
    uint64_t packets_in, packets_out;
    uint64_t messages_in, messages_out;
    uint64_t bad_packets;      /* refused by the filter */
    uint64_t lost_packets;     /* nobody polled them */
    uint64_t bad_messages;     /* too long, of an unknown kind, or broken DCEP */
    uint64_t refused_channels; /* over the limit, or twice on a stream */
};

/* NULL: there is one already, or memory is out. */
struct tr_sctp_stack *tr_sctp_stack_create(tr_usec now);
/* Its associations must be gone. NULL is fine. */
void tr_sctp_stack_destroy(struct tr_sctp_stack *stack);
void tr_sctp_stack_timeout(struct tr_sctp_stack *stack, tr_usec now);
/* Absolute; TR_NEVER while there is no association. */
tr_usec tr_sctp_stack_next_timeout(const struct tr_sctp_stack *stack);
/* An association that may have something to say, taken off the list of such; NULL: none. */
struct tr_sctp *tr_sctp_stack_next(struct tr_sctp_stack *stack);

/* NULL: a limit is reached or memory is out. The handshake begins at once. */
struct tr_sctp *tr_sctp_create(struct tr_sctp_stack *stack, tr_usec now,
                               const struct tr_sctp_conf *conf);
void tr_sctp_destroy(struct tr_sctp *sctp); /* says nothing to the peer; NULL is fine */
void *tr_sctp_user(const struct tr_sctp *sctp);
void tr_sctp_set_message_max(struct tr_sctp *sctp, uint32_t bytes);
/* One packet out of DTLS. BADMSG: dropped and counted. */
TR_MUST_USE enum tr_err tr_sctp_input(struct tr_sctp *sctp, tr_usec now, struct tr_slice packet);
void tr_sctp_poll(struct tr_sctp *sctp, struct tr_sctp_out *out);
/* While held no message is polled: once TR_SCTP_BUFFER_BYTES wait the peer may send no more. */
void tr_sctp_hold(struct tr_sctp *sctp, bool hold);

struct tr_sctp_open {
    const char *label, *protocol;
    struct tr_dcep_delivery delivery;
    uint16_t priority;
    int stream; /* negotiated by other means: its number; else -1 */
};

/* Messages may follow at once. AGAIN: not up, or no room to tell the peer; LIMIT: no stream or
 * channel is left, or a name is too long; EXISTS: that stream is in use; CLOSED; NOMEM. */
TR_MUST_USE enum tr_err tr_sctp_open(struct tr_sctp *sctp, const struct tr_sctp_open *open,
                                     const struct tr_sctp_channel **channel);
/* AGAIN: no room now, WRITABLE will say when. LIMIT: longer than the peer takes. NOTFOUND: no such
 * channel, or it is being closed. CLOSED: the association has ended. */
TR_MUST_USE enum tr_err tr_sctp_send(struct tr_sctp *sctp, uint16_t channel, bool binary,
                                     struct tr_slice message);
/* What was sent before is still delivered. No CLOSED follows. Unknown is fine. */
void tr_sctp_close_channel(struct tr_sctp *sctp, uint16_t channel);
/* The first open channel that `matches` says true of; NULL: none. */
const struct tr_sctp_channel *tr_sctp_find(const struct tr_sctp *sctp,
                                           bool (*matches)(const void *arg,
                                                           const struct tr_sctp_channel *channel),
                                           const void *arg);
const struct tr_sctp_stats *tr_sctp_stats(const struct tr_sctp *sctp);

#endif
