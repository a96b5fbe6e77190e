/* What the tests of SCTP share: two associations of the one stack, joined by a wire without loss,
 * in virtual time. What they say is written down. */
#ifndef TR_SCTP_TEST_H
#define TR_SCTP_TEST_H

#include "sctp/sctp.h"

enum { HEARD_MAX = 64, WIRE_MAX = 4096, LABEL_SIZE = 256 };

struct heard {
    enum tr_sctp_kind kind;
    uint16_t channel;
    bool binary;
    size_t len;
    uint32_t sum; /* of the message's bytes */
    char label[LABEL_SIZE];
    struct tr_dcep_delivery delivery;
    bool negotiated;
};

struct side {
    struct tr_sctp *sctp;
    struct side *other;
    struct heard heard[HEARD_MAX]; /* all but SEND and UP */
    int heard_count;
    int messages, messages_unordered;
    uint64_t message_bytes;
    uint32_t next_number; /* of messages that begin with one: what is expected next */
    bool up;
    bool cut; /* packets of this side are lost */
    const char *down;
    bool writable;
    uint8_t last_packet[2048];
    size_t last_packet_len;
};

struct wire_packet {
    struct side *to;
    size_t n;
    uint8_t bytes[TR_SCTP_PACKET_MAX];
};

struct world {
    struct tr_sctp_stack *stack;
    tr_usec now;
    struct side a, b; /* a is the DTLS client */
    struct wire_packet *wire;
    int first, count;
};

uint32_t sum_of(const uint8_t *p, size_t n);
void listen_to(struct world *w, struct side *s);
/* Lets both talk until the wire is silent; no time passes. */
void settle(struct world *w);
void run(struct world *w, tr_usec us);
struct tr_sctp *side_open(struct world *w, struct side *s, bool even);
/* False: memory is out, close what there is. */
bool world_open(struct world *w);
void world_close(struct world *w);
struct heard *last_of(struct side *s, enum tr_sctp_kind kind);
int count_of(const struct side *s, enum tr_sctp_kind kind);
/* The channel's id, or -1. */
int open_channel(struct side *s, const char *label, struct tr_dcep_delivery delivery);

#endif
