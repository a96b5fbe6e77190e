/* Eight buckets of 50 ms. The window ends at the newest packet and not at the present: silence is
 * no low rate, it is a question of the layer above. */
#include "bwe/bwe_int.h"

#include <string.h>

#define BUCKET_US (50 * TR_MSEC)
#define LEAST_US (100 * TR_MSEC)

void bwe_rate_add(struct bwe_rate *r, tr_usec at, uint32_t bytes)
{
    int64_t bucket = at / BUCKET_US;
    if (!r->started || bucket - r->bucket >= 2 * BWE_RATE_BUCKETS || at < r->first) {
        *r = (struct bwe_rate){ .started = true, .bucket = bucket, .first = at, .last = at };
        return; /* the first packet only marks where the time begins */
    }
    for (; r->bucket < bucket; r->bucket++)
        r->bytes[(uint64_t)(r->bucket + 1) % BWE_RATE_BUCKETS] = 0;
    if (bucket > r->bucket - BWE_RATE_BUCKETS)
        r->bytes[(uint64_t)bucket % BWE_RATE_BUCKETS] += bytes;
    if (at > r->last)
        r->last = at;
}

uint32_t bwe_rate_bps(const struct bwe_rate *r)
{
    tr_usec begin = (r->bucket - BWE_RATE_BUCKETS + 1) * BUCKET_US;
    tr_usec span = r->last - (r->first > begin ? r->first : begin);
    uint64_t bytes = 0;
    if (!r->started || span < LEAST_US)
        return 0;
    for (int i = 0; i < BWE_RATE_BUCKETS; i++)
        bytes += r->bytes[i];
    uint64_t bps = bytes * 8 * TR_SECOND / (uint64_t)span;
    return bps > UINT32_MAX ? UINT32_MAX : (uint32_t)bps;
}
