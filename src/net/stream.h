/* Byte streams over TCP, plain or TLS, of one thread: listeners and connections behind one
 * descriptor. Frames come out whole (base/frame.h); what is written goes out in one piece a turn.
 *
 * Drive: tr_streams_fd becomes readable or tr_streams_next_timeout passes -> tr_streams_run, which
 * calls the handler; at the end of the turn tr_streams_flush. The handler may call everything but
 * run and close. Other workers listen at the same ports and the kernel spreads the clients over
 * them (SO_REUSEPORT); a connection can be handed over to another thread's set.
 *
 * Cost of an idle connection: about 400 bytes of ours, and with TLS what OpenSSL keeps (14 KiB, its
 * buffers released). A buffer for input exists while a part of a frame waits, one for
 * output while the kernel takes no more. Drop policy: see tr_stream_write; the rest is ended and
 * counted by its cause. Where too many are unproven, or in their handshake, the oldest of those has
 * to go: an honest one is done after a few round trips. */
#ifndef TR_STREAM_H
#define TR_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/frame.h"
#include "base/idtab.h"
#include "base/slice.h"
#include "base/time.h"
#include "net/stream_conf.h"

struct tr_tls;
struct tr_streams;
struct tr_stream_moved; /* a connection between two threads */

enum {
    TR_STREAM_FRAME_MAX = 65535 + 20, /* longest frame of any kind */
    TR_STREAM_LISTENERS_MAX = 4096,
};

enum tr_stream_kind {
    TR_STREAM_ACCEPTED,  /* of a listener, ready to be used: with TLS, after its handshake */
    TR_STREAM_CONNECTED, /* the answer to dial, likewise */
    TR_STREAM_FRAME,     /* data: one frame; RAW: some bytes */
    TR_STREAM_WRITABLE,  /* a write got AGAIN; now there is room */
    TR_STREAM_CLOSED, /* reason; the id is void. Not told of what the owner ended or detached, nor
                          * of what was never ACCEPTED */
};

struct tr_stream_event {
    enum tr_stream_kind kind;
    tr_id id;
    uint64_t tag;        /* of the listener or dial */
    void *user;          /* tr_stream_set_user */
    struct tr_path path; /* proto TCP at both ends */
    bool tls;
    struct tr_slice data; /* valid during the call */
    enum tr_stream_reason reason;
};

typedef void tr_stream_h(void *arg, const struct tr_stream_event *event);

/* IO, NOMEM. */
TR_MUST_USE enum tr_err tr_streams_open(struct tr_streams **set, const struct tr_streams_conf *conf,
                                        tr_stream_h *handler, void *arg);
void tr_streams_close(struct tr_streams *set); /* ends all without a word; NULL is fine */
int tr_streams_fd(const struct tr_streams *set);
/* Reads what came, fires what is due. true: there may be more at once. */
bool tr_streams_run(struct tr_streams *set, tr_usec now);
void tr_streams_flush(struct tr_streams *set, tr_usec now);
tr_usec tr_streams_next_timeout(const struct tr_streams *set); /* absolute */
const struct tr_streams_counters *tr_streams_counters(const struct tr_streams *set);

struct tr_stream_conf {
    enum tr_framing framing;
    struct tr_tls *tls; /* NULL: plain; borrowed as long as the listener lives */
    uint32_t frame_max; /* 0: TR_STREAM_FRAME_MAX */
    tr_usec idle_us;    /* without a byte read; 0: 660 s */
    bool paused;        /* nothing is read until tr_stream_pause(false) or tr_stream_join */
    bool proven;        /* needs no tr_stream_proven */
    uint64_t tag;
};

/* at.port 0: a free one; *at is where it is. Shared: SO_REUSEPORT with who opened it likewise. IO
 * (errno), LIMIT, NOMEM. The listener's id is of another kind than those of connections. */
TR_MUST_USE enum tr_err tr_streams_listen(struct tr_streams *set, struct tr_addr *at, bool shared,
                                          const struct tr_stream_conf *conf, tr_id *listener);
void tr_streams_unlisten(struct tr_streams *set, tr_id listener); /* connections stay */

/* Connects from an address (any, port 0: the system's choice; also where one listens) within
 * timeout_us; the connection is proven. server_name: for TLS, may be NULL. Answer: CONNECTED, or
 * CLOSED. IO (errno), LIMIT, NOMEM. */
TR_MUST_USE enum tr_err tr_streams_dial(struct tr_streams *set, tr_usec now,
                                        const struct tr_addr *from, const struct tr_addr *to,
                                        const struct tr_stream_conf *conf, const char *server_name,
                                        tr_usec timeout_us, tr_id *id);

/* --- connections; a stale id is nothing to them --- */

tr_id tr_streams_find(const struct tr_streams *set, const struct tr_path *path); /* 0: none */
void tr_stream_set_user(struct tr_streams *set, tr_id id, void *user);
void tr_stream_proven(struct tr_streams *set, tr_id id);

enum tr_stream_worth {
    TR_STREAM_MEDIA, /* whole frames are dropped, oldest first, when too much or too old waits */
    TR_STREAM_KEEP,  /* never dropped: when only such wait and there is no room, it is CONGESTED */
};

/* Queues head and data as one frame, in the connection's framing. RAW has no worth: AGAIN: not
 * taken, there is no room, WRITABLE will come. CLOSED: no such connection. LIMIT: cannot be framed,
 * or dropped at once. NOMEM. */
TR_MUST_USE enum tr_err tr_stream_write(struct tr_streams *set, tr_usec now, tr_id id,
                                        struct tr_slice head, struct tr_slice data,
                                        enum tr_stream_worth worth);
/* linger: what is queued is written first, for some seconds at most. */
void tr_stream_end(struct tr_streams *set, tr_usec now, tr_id id, bool linger);
void tr_stream_pause(struct tr_streams *set, tr_id id, bool paused);
/* From the next byte on; what was read behind the frame that is being handled is read so, too. */
void tr_stream_set_framing(struct tr_streams *set, tr_id id, enum tr_framing framing);
/* Both turn RAW; what comes from one is written to the other, no faster than that takes it nor than
 * the meter lets pass (`pair` is its word for them), with no more FRAMEs. When one ends, the other
 * does after what is queued for it. NOTFOUND. */
TR_MUST_USE enum tr_err tr_stream_join(struct tr_streams *set, tr_usec now, tr_id a, tr_id b,
                                       uint64_t pair);

/* Takes the connection out of the set: socket, TLS, input that is not handled yet, output that
 * waits. again: the frame that is being handled will be handled once more where it is adopted.
 * NULL: no such connection, or memory is out and it ends. */
struct tr_stream_moved *tr_stream_detach(struct tr_streams *set, tr_id id, bool again);
/* Takes what was detached in any thread; its frames come in the next run, with no ACCEPTED. LIMIT,
 * NOMEM, IO: it is closed. */
TR_MUST_USE enum tr_err tr_stream_adopt(struct tr_streams *set, tr_usec now,
                                        struct tr_stream_moved *moved, void *user, tr_id *id);
void tr_stream_moved_destroy(struct tr_stream_moved *moved); /* closes it; NULL is fine */

#endif
