/* A tap: where packets leave the engine, e.g. to the recorder. The callbacks run on media workers:
 * they must not block, allocate without bound, or touch a disk; they take references to packets and
 * hand them on. Packets are immutable; their meta is a struct tr_rtp_meta (peer/rtp_meta.h). */
#ifndef TR_TAP_H
#define TR_TAP_H

#include <stdint.h>

#include "base/pkt.h"
#include "base/time.h"

struct tr_tap_sr { /* a sender report of the source, as received */
    uint32_t ssrc;
    tr_ntp ntp;
    uint32_t rtp_ts;
    tr_usec recv_us;
};

struct tr_tap {
    /* a run of packets of one track, in arrival order */
    void (*packets)(void *arg, uint16_t track, struct tr_pkt *const *pkts, int count);
    void (*sender_report)(void *arg, uint16_t track, const struct tr_tap_sr *sr);
    /* no worker calls any more; from any thread */
    void (*closed)(void *arg);
    void *arg;
};

#endif
