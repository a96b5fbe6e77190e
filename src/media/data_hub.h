/* Data channels of all peers, and what relays between them: the state of the data thread
 * (data_thread.h), without its mailboxes and clock, so that tests run it in virtual time. Inside of
 * src/media only. data.h says what a relay does; data_hub.c: peers, routes, what comes in;
 * data_queue.c: what goes out to one peer.
 *
 * One thread. The owner's functions are called from within, and must not call back. */
#ifndef TR_DATA_HUB_H
#define TR_DATA_HUB_H

#include "base/map.h"
#include "media/data.h"
#include "media/event.h"
#include "peer/stats.h"
#include "sctp/sctp.h"

enum {
    HUB_PATIENCE_BYTES = 256 * 1024,   /* that may wait before a patient route holds the sender */
    HUB_MESSAGE_BYTES_MAX = 256 << 20, /* of all messages that wait, for anybody */
    HUB_ITEM_BYTES = 128               /* what a message costs beside its bytes */
};

struct hub_conf {
    uint64_t seed; /* of hash tables */
    /* A packet of an association, to be sent by the worker where the peer lives. */
    void (*send)(void *arg, tr_id peer, int worker, struct tr_slice packet);
    void (*tell)(void *arg, const struct tr_media_event *event); /* takes event->data */
    void *arg;
};

struct hub_message { /* shared by all receivers that it waits for */
    uint32_t refs;
    bool binary;
    size_t len;
    uint8_t bytes[];
};

/* What a receiver's channel is found by. Strings are borrowed or the outlet's own. */
struct hub_key {
    const char *label, *protocol;
    struct tr_dcep_delivery delivery;
    int stream; /* of a channel negotiated by other means; else -1 */
};

/* A channel towards a client that somebody speaks on. */
struct hub_outlet {
    struct hub_outlet *next;
    struct hub_key key;
    int channel;  /* -1: none yet */
    bool opened;  /* by us */
    bool control; /* control speaks on it */
    bool closing; /* nobody speaks on it any more; closed when its last message has gone */
    uint32_t waiting;
    char names[];
};

struct hub_item {
    struct hub_item *next;
    struct hub_message *message;
    struct hub_outlet *outlet;
    tr_usec expires; /* TR_NEVER: reliable */
};

struct hub_route {
    tr_id id;
    struct hub_peer *from, *to;
    bool paused, patient;
    char *label, *prefix; /* NULL: none */
    struct hub_route *next_of_from, *next_of_to;
};

struct hub_peer {
    struct hub *hub;
    tr_id id;
    struct tr_data_conf conf; /* port 0: not negotiated */
    bool up, even, listen;
    bool failed; /* its association has ended, the peer lives on */
    int worker;
    struct tr_sctp *sctp; /* NULL: not up, or over */
    struct hub_route *speaks_to, *hears;
    struct hub_outlet *outlets;
    int outlets_count;
    struct hub_item *head, **tail;
    size_t queue_bytes;
    bool blocked; /* usrsctp has no room */
};

struct hub {
    struct hub_conf conf;
    struct tr_sctp_stack *stack; /* made with the first association */
    struct tr_map *peers;        /* id -> hub_peer */
    struct tr_map *routes;       /* id -> hub_route */
    size_t message_bytes;
    tr_usec now;
    struct tr_media_counters counters;
};

/* What control says; see data.h. Strings are copied. */
TR_MUST_USE enum tr_err hub_init(struct hub *hub, const struct hub_conf *conf);
void hub_deinit(struct hub *hub);
void hub_open(struct hub *hub, tr_usec now, tr_id peer, const struct tr_data_conf *conf);
/* DTLS is done; even: we are its client. */
void hub_up(struct hub *hub, tr_usec now, tr_id peer, int worker, bool even);
void hub_gone(struct hub *hub, tr_usec now, tr_id peer);
void hub_listen(struct hub *hub, tr_id peer, bool on);
void hub_route(struct hub *hub, tr_id route, tr_id from, tr_id to,
               const struct tr_data_route_conf *conf);
void hub_route_pause(struct hub *hub, tr_usec now, tr_id route, bool paused);
void hub_route_remove(struct hub *hub, tr_usec now, tr_id route);
void hub_say(struct hub *hub, tr_usec now, tr_id peer, const struct tr_data_message *message);

/* A packet of the peer's client. */
void hub_packet(struct hub *hub, tr_usec now, tr_id peer, struct tr_slice packet);
void hub_timeout(struct hub *hub, tr_usec now);
tr_usec hub_next_timeout(const struct hub *hub);

/* --- data_queue.c --- */

void queue_init(struct hub_peer *p);
void queue_free(struct hub_peer *p);
/* Sends it now, or keeps it until there is room. *shared: the message as one that can wait, made
 * when first needed, NULL at first; the caller lets go of it. */
void queue_put(struct hub_peer *p, const struct hub_key *key, bool control, bool patient,
               bool binary, struct tr_slice bytes, struct hub_message **shared);
void queue_flush(struct hub_peer *p);         /* there is room, or the peer is up */
bool queue_is_full(const struct hub_peer *p); /* a patient sender should wait */
/* The client has closed the channel. */
void queue_channel_closed(struct hub_peer *p, uint16_t channel);
/* Closes the channels that we opened and that nobody speaks on any more. */
void queue_sweep(struct hub_peer *p);
struct hub_message *message_create(struct hub *hub, bool binary, const char *prefix,
                                   struct tr_slice bytes); /* NULL: no room */
void message_unref(struct hub *hub, struct hub_message *message);
bool key_eq(const struct hub_key *a, const struct hub_key *b);

/* data_hub.c: whether anybody speaks on it to p. */
bool hub_is_spoken_on(const struct hub_peer *p, const struct hub_key *key);

#endif
