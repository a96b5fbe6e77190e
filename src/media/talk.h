/* Whether somebody talks, by the level that each packet of audio carries (RFC 6464): the mean of so
 * many packets in a row is compared with a threshold. A pure machine; zeroed: off. */
#ifndef TR_TALK_H
#define TR_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "media/media.h"

struct tr_talk {
    struct tr_talk_conf conf;
    uint32_t sum; /* of the levels since the last comparison */
    uint16_t count;
    uint8_t mean; /* of the last full row, -dBov */
    bool on;
};

/* True when somebody has started or stopped to talk. level: -dBov, 0 loudest, 127 silence. */
bool tr_talk_packet(struct tr_talk *talk, uint8_t level);

#endif
