/* Data channels as control sees them (RFC 8831, 8832): what a client says on its channels is
 * relayed to other clients, and control may listen and speak as well. A part of media.h: control
 * thread only, nothing blocks, and messages do not come up here unless control listens.
 *
 * A peer has channels once its m=application line is negotiated (tr_media_data_open) and it is up;
 * what is wired before that waits. Channels go by name: what comes in on a channel goes out on the
 * receiver's channel with the same label, protocol and reliability, which is opened when there is
 * none (up to TR_DATA_CHANNELS_MAX). A channel without a name (negotiated by the pages, RFC 8832
 * section 4) goes by its stream number.
 *
 * When a receiver is slower than the sender: a patient route holds the sender back, so that nothing
 * is lost and its own `bufferedAmount` grows. Any other route leaves the receiver behind once
 * TR_DATA_QUEUE_MAX bytes wait for it: messages of unreliable channels are dropped, a reliable
 * channel is closed, because it cannot lose a message and go on. Both are counted. */
#ifndef TR_MEDIA_DATA_H
#define TR_MEDIA_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/idtab.h"

struct tr_media;

enum tr_data_limits {
    TR_DATA_MESSAGE_MAX = 256 * 1024, /* bytes; what a=max-message-size says */
    TR_DATA_QUEUE_MAX = 4 << 20,      /* bytes that wait for one receiver */
    TR_DATA_CHANNELS_MAX = 128,       /* of one peer */
    TR_DATA_NAME_MAX = 255,           /* bytes of a label and of a protocol */
    TR_DATA_PREFIX_MAX = 63,
    TR_DATA_ROUTES_MAX = 1 << 18
};

struct tr_data_conf {     /* as negotiated: struct tr_sdp_media_params has both */
    uint16_t port;        /* a=sctp-port of the client */
    uint32_t message_max; /* a=max-message-size of the client; 0: as ours */
};

/* The peer's m=application holds. Again: only message_max is taken. NOTFOUND, NOMEM. */
TR_MUST_USE enum tr_err tr_media_data_open(struct tr_media *media, tr_id peer,
                                           const struct tr_data_conf *conf);

struct tr_data_route_conf { /* copied */
    bool paused;
    bool patient;       /* the sender waits for this receiver; for calls of two */
    const char *label;  /* instead of the sender's, with an empty protocol; NULL: the sender's */
    const char *prefix; /* put before texts; NULL: none */
};

/* What the client of `from` says on any channel goes to the client of `to`, which may be the same.
 * A pair has one route: a second one takes its place. It goes with either peer.
 * 0: the limit is reached, memory is out, a peer is unknown, or a text is too long. */
tr_id tr_media_data_route(struct tr_media *media, tr_id from, tr_id to,
                          const struct tr_data_route_conf *conf);
void tr_media_data_route_pause(struct tr_media *media, tr_id route, bool paused);
void tr_media_data_route_remove(struct tr_media *media, tr_id route); /* stale is fine */

struct tr_data_message {
    const char *label;    /* NULL: "JanusDataChannel", as in janus.js */
    const char *protocol; /* NULL: none */
    bool binary;
    const void *bytes;
    size_t len;
};

/* Says something to the peer's client, on a reliable channel. NOTFOUND: no such peer, or no data
 * channels; LIMIT: too long; NOMEM. What is said before the peer is up waits. */
TR_MUST_USE enum tr_err tr_media_data_send(struct tr_media *media, tr_id peer,
                                           const struct tr_data_message *message);
/* TR_MEDIA_DATA_* events of this peer come from now on, or no longer. */
void tr_media_data_listen(struct tr_media *media, tr_id peer, bool on);

struct tr_data_event { /* one block, yours to tr_free; the text lies behind it */
    const char *label;
    const char *protocol;
    bool binary;       /* DATA_MESSAGE */
    const char *bytes; /* DATA_MESSAGE; followed by a NUL */
    size_t len;
};

#endif
