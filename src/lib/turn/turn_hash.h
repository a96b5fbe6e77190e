/* Inside of the TURN server: the keyed hash of an address. Two multiplications, because each packet
 * pays for it; who cannot see the key cannot aim at a place in the table. */
#ifndef TR_TURN_HASH_H
#define TR_TURN_HASH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t turn_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static inline uint64_t turn_hash(const uint8_t ip[16], uint64_t more, uint64_t key)
{
    uint64_t hi, lo;
    memcpy(&hi, ip, 8);
    memcpy(&lo, ip + 8, 8);
    uint64_t h = turn_mix(hi ^ key, lo ^ 0x9e3779b97f4a7c15ull);
    return turn_mix(h ^ more, key ^ 0xd6e8feb86659fd93ull);
}

#endif
