/* Messages of the Data Channel Establishment Protocol (RFC 8832) and the numbers that data channels
 * use on top of SCTP (RFC 8831 section 8). Pure functions. */
#ifndef TR_DCEP_H
#define TR_DCEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tr_dcep_ppid { /* payload protocol identifiers */
                    TR_PPID_DCEP = 50,
                    TR_PPID_TEXT = 51,
                    TR_PPID_BINARY = 53,
                    TR_PPID_TEXT_EMPTY =
                        56, /* one byte that stands for none: SCTP has no empty messages */
                    TR_PPID_BINARY_EMPTY = 57
};

enum tr_dcep_limits {
    TR_DCEP_NAME_MAX = 255, /* bytes of a label and of a protocol: ours, the RFC has 65535 */
    TR_DCEP_OPEN_MAX = 12 + 2 * TR_DCEP_NAME_MAX
};

enum tr_dcep_type { TR_DCEP_ACK = 2, TR_DCEP_OPEN = 3 };
enum tr_dcep_reliability { TR_DCEP_RELIABLE, TR_DCEP_RETRANSMITS, TR_DCEP_LIFETIME };

struct tr_dcep_delivery {
    bool unordered;
    enum tr_dcep_reliability reliability;
    uint32_t limit; /* retransmissions, or milliseconds; 0 for reliable ones */
};

static inline bool tr_dcep_delivery_eq(struct tr_dcep_delivery a, struct tr_dcep_delivery b)
{
    return a.unordered == b.unordered && a.reliability == b.reliability && a.limit == b.limit;
}

struct tr_dcep { /* slices borrow from what was parsed */
    enum tr_dcep_type type;
    struct tr_dcep_delivery delivery; /* OPEN, as what follows */
    uint16_t priority;
    struct tr_slice label, protocol;
};

/* BADMSG: no DCEP message, an unknown channel type, a name that is no UTF-8 or has a NUL.
 * LIMIT: a name is too long. */
TR_MUST_USE enum tr_err tr_dcep_parse(struct tr_dcep *out, struct tr_slice message);
void tr_dcep_write(struct tr_wr *w, const struct tr_dcep *message);

#endif
