/* The rig of the tests of net/stream: one set whose events are written down, time that only moves
 * when the test says so, and real sockets on loopback. */
#ifndef TR_STREAM_TEST_H
#define TR_STREAM_TEST_H

#include "net/stream.h"
#include "net/stream_quota.h"
#include "net/tls.h"
#include "unit.h"

struct tr_dtls_cert;

enum { RIG_BYTES = 1 << 20, HELLO = 9 /* of `hello` without its padding */ };

extern const uint8_t hello[12]; /* ChannelData */

struct rig {
    struct tr_streams *set;
    struct tr_stream_quota *quota; /* NULL: the set's own, or another rig's */
    struct tr_addr at;             /* of the listener */
    tr_id listener;
    tr_usec now;
    unsigned accepted, connected, frames, closed, writable;
    unsigned reasons[TR_STREAM_REASON_COUNT];
    tr_id last;          /* of the last ACCEPTED or CONNECTED */
    struct tr_path path; /* likewise */
    bool tls;            /* likewise */
    uint8_t *got;        /* frames, one behind the other; RIG_BYTES */
    size_t got_n;
    bool echo;   /* frames are written back */
    bool proves; /* the first frame proves */
    void (*on_event)(struct rig *rig, const struct tr_stream_event *event); /* may be NULL */
    void *arg;
    void *meter; /* for conf.meter, whose arg is the rig */
};

/* conf NULL: all defaults. A listener on 127.0.0.1 with this framing. */
void rig_init(struct rig *rig, const struct tr_streams_conf *conf, enum tr_framing framing,
              struct tr_tls *tls);
/* In these bounds. */
void rig_init_bounded(struct rig *rig, const struct tr_stream_bounds *bounds,
                      enum tr_framing framing, struct tr_tls *tls);
/* Another set of the same node: the same quota, the same port. It goes first. */
void rig_init_beside(struct rig *rig, const struct rig *first, enum tr_framing framing);
void rig_deinit(struct rig *rig);
void rig_listen(struct rig *rig, const struct tr_stream_conf *conf);
/* Runs and flushes once, after waiting a moment for something to come. */
void rig_turn(struct rig *rig);
/* Turns until *count is at least n; false: it does not come to be. */
bool rig_until(struct rig *rig, const unsigned *count, unsigned n);
bool rig_until_bytes(struct rig *rig, size_t n);
void rig_pass(struct rig *rig, tr_usec us); /* time, and what is due then */
tr_id rig_dial(struct rig *rig, const struct tr_addr *to, enum tr_framing framing,
               struct tr_tls *tls);

const struct tr_streams_counters *counters(const struct rig *rig);

int client_socket(const struct tr_addr *to, int receive_bytes); /* connected; 0: default buffer */
int client_accepted(struct rig *rig, int receive_bytes); /* the same, and the rig has accepted it */
void client_send(int fd, const void *p, size_t n);
/* Reads n bytes while the rig turns. false: they do not come. */
bool client_read(struct rig *rig, int fd, void *p, size_t n);
bool client_sees_end(struct rig *rig, int fd);
struct tr_tls *server_tls(struct tr_dtls_cert **cert, const char *alpn);

#endif
