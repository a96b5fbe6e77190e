/* Windows of half a second, smoothed by half, so that a key frame does not pass for a layer that
 * has become expensive. The first window of a layer ends with the first update, for a rough figure
 * at once is better than none. */
#include "media/rates.h"

#include <string.h>

#define WINDOW_US (TR_SECOND / 2)
#define FIRST_US (90 * TR_MSEC)

static uint32_t smooth(uint32_t old, uint32_t bytes, tr_usec us, bool fresh)
{
    uint64_t bps = (uint64_t)bytes * 8 * (uint64_t)TR_SECOND / (uint64_t)us;
    if (bps > UINT32_MAX / 16)
        bps = UINT32_MAX / 16; /* sums of layers fit */
    if (bytes == 0)
        return old / 4 > 2000 ? old / 4 : 0; /* silence is believed quickly */
    return old == 0 || fresh ? (uint32_t)bps : (uint32_t)((old + bps) / 2);
}

static void add_up(struct tr_rates *r, bool stacked)
{
    for (int s = 0; s < TR_RATES_SPATIAL; s++) {
        uint32_t sum = 0;
        for (int t = 0; t < TR_RATES_TEMPORAL; t++) {
            sum += r->own[s][t];
            uint32_t below = stacked && s > 0 ? r->bps[s - 1][t] : 0;
            r->bps[s][t] = sum > 0 ? sum + below : 0;
        }
        if (sum > r->peak[s])
            r->peak[s] = sum;
        else
            r->peak[s] -= r->peak[s] / 128;
    }
}

static bool has_new_layer(const struct tr_rates *r)
{
    for (int s = 0; s < TR_RATES_SPATIAL; s++) {
        bool had = r->bps[s][TR_RATES_TEMPORAL - 1] > 0;
        for (int t = 0; t < TR_RATES_TEMPORAL && !had; t++) {
            if (r->bytes[s][t] > 0)
                return true;
        }
    }
    return false;
}

void tr_rates_update(struct tr_rates *r, tr_usec now, bool stacked)
{
    tr_usec us = now - r->since;
    if (us < FIRST_US || (us < WINDOW_US && !has_new_layer(r)))
        return;
    us = us < TR_SECOND ? us : TR_SECOND;
    for (int s = 0; s < TR_RATES_SPATIAL; s++) {
        bool begins = r->bps[s][TR_RATES_TEMPORAL - 1] == 0;
        for (int t = 0; t < TR_RATES_TEMPORAL; t++)
            r->own[s][t] = smooth(r->own[s][t], r->bytes[s][t], us, r->fresh[s]);
        r->fresh[s] = begins;
    }
    memset(r->bytes, 0, sizeof r->bytes);
    r->since = now;
    add_up(r, stacked);
}

uint32_t tr_rates_all(const struct tr_rates *r)
{
    for (int s = TR_RATES_SPATIAL - 1; s >= 0; s--) {
        if (r->bps[s][TR_RATES_TEMPORAL - 1] > 0)
            return r->bps[s][TR_RATES_TEMPORAL - 1];
    }
    return 0;
}
