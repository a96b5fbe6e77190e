/* Inside of src/lib/sctp: the state of the stack and of one association, shared by its files.
 *   stack.c    usrsctp's life, timers and call-backs; which association has something to say
 *   sctp.c     one association: packets, messages, its end
 *   channel.c  its channels: DCEP, closing by stream reset */
#ifndef TR_SCTP_IMPL_H
#define TR_SCTP_IMPL_H

#include "base/idtab.h"
#include "sctp/sctp.h"

struct socket;
struct sctp_stream_reset_event;

enum { SCTP_CHANNEL_NONE = 0xff };

struct sctp_packet { /* waits to be polled */
    struct sctp_packet *next;
    size_t n;
    uint8_t bytes[];
};

enum channel_state {
    CHANNEL_OPEN,
    CHANNEL_CLOSING /* both directions of its stream have to be reset before it may be used again */
};

struct channel {
    struct tr_sctp_channel facts;
    enum channel_state state;
    bool unacknowledged; /* our OPEN: nothing may overtake it */
    bool ack_owed;       /* for the peer's OPEN; there was no room yet */
    bool in_reset, out_reset;
    bool tell_closed;
    char names[]; /* label and protocol, each with its NUL */
};

struct tr_sctp {
    struct tr_sctp_stack *stack;
    struct tr_sctp_conf conf;
    tr_id id; /* in the stack's table: the address that usrsctp knows the association by */
    struct socket *socket;
    bool up, up_told;
    bool down, down_told;
    const char *reason;
    bool stirred; /* usrsctp says that something changed: see what can be read or written */
    bool readable, held;
    bool blocked; /* a send was refused */

    struct tr_sctp *next_ready;
    bool is_ready;
    struct sctp_packet *packets, **packets_tail;
    int packets_count;
    struct sctp_packet *polled; /* valid until the next poll */

    uint8_t *partial; /* the beginning of a message that comes in parts */
    size_t partial_bytes, partial_size;
    bool skipping; /* the rest of one that is too long */

    struct channel *channels[TR_SCTP_CHANNELS_MAX];
    uint8_t slot_of[TR_SCTP_STREAMS];    /* SCTP_CHANNEL_NONE: none */
    struct channel *told;                /* is valid until the next poll */
    int closed_count;                    /* channels with tell_closed */
    int acks_owed;                       /* channels with ack_owed */
    uint16_t streams_out;                /* that the peer lets us use */
    uint8_t resets[TR_SCTP_STREAMS / 8]; /* streams that wait for a request of ours */
    bool resets_wanted;
    bool resetting; /* a request is under way: one at a time */
    struct tr_sctp_stats stats;
};

struct tr_sctp_stack {
    struct tr_idtab *associations;
    tr_usec ticked;  /* usrsctp's timers have run up to here */
    tr_usec touched; /* when something was last sent or received */
    struct tr_sctp *ready, **ready_tail;
    uint8_t *message; /* of TR_SCTP_MESSAGE_MAX bytes: what was read last */
};

/* stack.c */
void sctp_ready(struct tr_sctp *sctp);
void sctp_unready(struct tr_sctp *sctp);
/* usrsctp's call-back: there may be something to read, or room to send. */
void sctp_on_event(struct socket *socket, void *address, int flags);

/* sctp.c */
void sctp_fail(struct tr_sctp *sctp, const char *reason);
/* One message to usrsctp. As tr_sctp_send. */
enum tr_err sctp_write(struct tr_sctp *sctp, uint16_t stream, enum tr_dcep_ppid ppid,
                       struct tr_dcep_delivery delivery, struct tr_slice bytes);

/* channel.c */
struct channel *sctp_channel(const struct tr_sctp *sctp, uint16_t stream); /* NULL: none */
/* A DCEP message; true: out tells of a channel that was opened. */
bool sctp_dcep_input(struct tr_sctp *sctp, uint16_t stream, struct tr_slice message,
                     struct tr_sctp_out *out);
/* The open channel of a message that came on a stream; made for it where there is none. NULL: the
 * message belongs nowhere. */
struct channel *sctp_channel_of_message(struct tr_sctp *sctp, uint16_t stream);
void sctp_reset_event(struct tr_sctp *sctp, const struct sctp_stream_reset_event *event);
/* Closes it by resetting our half of the stream; tell: CLOSED will be polled. */
void sctp_channel_shut(struct tr_sctp *sctp, struct channel *c, bool tell);
void sctp_channels_flush(struct tr_sctp *sctp); /* sends what had no room before */
bool sctp_poll_closed(struct tr_sctp *sctp, struct tr_sctp_out *out);
void sctp_forget_told(struct tr_sctp *sctp);
void sctp_channels_free(struct tr_sctp *sctp);

#endif
