/* Packet indices: the 48-bit index of a 16-bit sequence number (RFC 3711 section 3.3.1, appendix A)
 * and the replay window (section 3.3.2), a ring of bits addressed by index. Inside of lib/srtp. */
#ifndef TR_SRTP_WINDOW_H
#define TR_SRTP_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* top: highest index seen. A sequence number that would lie before index 0 is taken as of the first
 * 2^16 packets: no packet with a lower index exists. */
static inline uint64_t srtp_index_estimate(uint64_t top, uint16_t seq)
{
    int16_t ahead = (int16_t)(uint16_t)(seq - (uint16_t)top);

    if (ahead < 0 && top < (uint64_t) - (int64_t)ahead)
        return seq;
    return top + (uint64_t)(int64_t)ahead;
}

/* Seen, or too old to tell. bits: how many the ring has, a multiple of 64. */
static inline bool srtp_window_seen(const uint64_t *ring, uint64_t bits, uint64_t top,
                                    uint64_t index)
{
    uint64_t bit = index % bits;

    if (index > top)
        return false;
    return top - index >= bits || (ring[bit / 64] >> (bit % 64) & 1) != 0;
}

/* Marks index and moves top if it is ahead; an index older than the window changes nothing. */
static inline void srtp_window_mark(uint64_t *ring, uint64_t bits, uint64_t *top, uint64_t index)
{
    uint64_t bit = index % bits;

    if (index > *top) {
        if (index - *top >= bits)
            memset(ring, 0, (size_t)(bits / 8));
        else
            for (uint64_t i = *top + 1; i < index; i++)
                ring[i % bits / 64] &= ~(UINT64_C(1) << (i % 64));
        *top = index;
    } else if (*top - index >= bits) {
        return;
    }
    ring[bit / 64] |= UINT64_C(1) << (bit % 64);
}

#endif
