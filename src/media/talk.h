/* Whether somebody talks, by the level that each packet of audio carries (RFC 6464): the mean of so
 * many packets in a row is compared with a threshold. A pure machine; zeroed: off. */
#ifndef TR_TALK_H
#define TR_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "media/media.h"

#define TR_TALK_CHANGE_US (TR_SECOND / 5)

struct tr_talk {
    struct tr_talk_conf conf;
    uint32_t sum; /* of the levels since the last comparison */
    uint16_t count;
    uint8_t mean; /* of the last full row, -dBov */
    bool on;
    tr_usec changed_us;
};

/* True when somebody has started or stopped to talk, which is at most every TR_TALK_CHANGE_US: all
 * in the room are told. level: -dBov, 0 loudest, 127 silence. */
bool tr_talk_packet(struct tr_talk *talk, tr_usec now, uint8_t level);

#endif
