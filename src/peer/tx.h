/* Media out of a peer: a run of packets for one m-line is formed in a batch, and batches are
 * protected whole. Nothing here allocates. One thread, that of the peer's owner. */
#ifndef TR_PEER_TX_H
#define TR_PEER_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/pkt.h"
#include "base/slice.h"
#include "base/time.h"
#include "srtp/srtp.h"

struct tr_peer;

enum {
    TR_PEER_RUN_MAX = 32,      /* packets of one send */
    TR_TX_BATCH_MAX = 64,      /* packets of one batch */
    TR_PEER_PACKET_MAX = 1500, /* an RTP packet as sent, with tag */
};

struct tr_tx_item { /* one packet to be sent on a track */
    struct tr_pkt *pkt;
    int64_t ext_seq; /* as the client sees it, unwrapped from 0..32767 on: also the SRTP index */
    uint32_t ts;     /* as the client sees it */
    uint16_t picture_id; /* VP8, VP9: stored into the copy when rewrite is set */
    uint16_t frame_off;  /* dependency descriptor: added to its frame number */
    uint32_t mask;       /* ... its active decode targets, when `masked` */
    bool masked;
    uint8_t tl0picidx;
    bool rewrite;
    bool marker;
    bool resend; /* by RTX; the same packet again where RTX was not negotiated */
};

struct tr_tx_msg { /* one message for the kernel: len bytes at p, cut every `segment` bytes */
    const struct tr_path *path;
    uint8_t *p;
    uint32_t len;
    uint16_t segment;
    uint16_t count;
};

/* Packets on their way out, of one peer or many, which are protected together: SHA-1 is several
 * times cheaper that way. One engine, one thread. About 10 KiB. */
struct tr_tx_batch {
    struct tr_buf out; /* where packets are formed: the owner's, set while the batch is empty */
    size_t used;
    int jobs_count, groups_count;
    struct tr_srtp_job jobs[TR_TX_BATCH_MAX];
    struct tr_tx_group { /* jobs of one message */
        struct tr_peer *peer;
        int jobs;
    } groups[TR_TX_BATCH_MAX];
};

bool tr_peer_can_send(const struct tr_peer *peer, int mline); /* up, and the track is sent */
/* Whether a sink can take packets that are sent again. */
bool tr_peer_takes_nacks(const struct tr_peer *peer, int mline);
/* Whether the batch can take n <= TR_PEER_RUN_MAX packets more. */
static inline bool tr_tx_batch_has_room(const struct tr_tx_batch *batch, int n)
{
    return batch->jobs_count + n <= TR_TX_BATCH_MAX &&
           batch->out.n - batch->used >= (size_t)n * TR_PEER_PACKET_MAX;
}
/* Forms n items in a batch that has room for them; the packets are borrowed, and the peer may not
 * change, until the batch is sealed. Returns the bytes to be sent; packets that cannot be formed
 * are left out. */
size_t tr_peer_send(struct tr_peer *peer, tr_usec now, int mline, const struct tr_tx_item *items,
                    int n, struct tr_tx_batch *batch);
/* Asks the memory for what tr_peer_send reads; near 3, then 2, then 1: each needs what the one
 * before got. Where many sinks take a packet each, waiting for memory is most of the work. */
void tr_peer_send_prefetch(const struct tr_peer *peer, int mline, int near);
/* Protects what is in the batch, hands each message to `emit`, and empties the batch. */
void tr_tx_batch_seal(struct tr_tx_batch *batch, struct tr_srtp_engine *engine,
                      void (*emit)(void *arg, const struct tr_tx_msg *msg), void *arg);
/* Both for one peer alone: items into out (room: TR_PEER_PACKET_MAX each), msgs has room for n.
 * Returns how many messages. */
int tr_peer_send_run(struct tr_peer *peer, tr_usec now, int mline, const struct tr_tx_item *items,
                     int n, struct tr_buf out, struct tr_tx_msg *msgs);

#endif
