/* Token buckets in micro-units, so that a microsecond times the rate is what flows in and nothing
 * is lost to rounding. All buckets of an allocation are filled at once, when the time has moved:
 * packets of one batch find them full already.
 *
 * What the credential and the node may relay is shared with other threads and so costs more to ask
 * for; it is drawn in chunks. A quota that had nothing is not asked again for some milliseconds, so
 * a flood costs no draw for each packet. */
#include "turn/turn_rate.h"

#include "turn/turn_conf.h"

enum {
    MICRO = 1000000,
    BURSTS_A_SECOND = 4, /* a bucket holds a quarter of a second */
    BURST_BYTES_MIN = 65536,
    BURST_PACKETS_MIN = 64,
    CHUNK = 32768,
    PEERS_A_SECOND = 50,
    FILL_MAX_US = 1000000,
};

#define DRY_US (10 * TR_MSEC)

static struct turn_bound bound_of(int64_t rate, int64_t least)
{
    int64_t burst = rate / BURSTS_A_SECOND;
    return (struct turn_bound){ rate, (burst > least ? burst : least) * MICRO };
}

void turn_rate_conf(const struct tr_turn_conf *conf, struct turn_bound bound[TURN_BOUNDS])
{
    int64_t peers = conf->peers_a_second ? conf->peers_a_second : PEERS_A_SECOND;
    for (int way = 0; way < 2; way++) {
        bound[TURN_BOUND_BYTES + way] = bound_of(conf->allocation_bps / 8, BURST_BYTES_MIN);
        bound[TURN_BOUND_PACKETS + way] = bound_of(conf->allocation_pps, BURST_PACKETS_MIN);
    }
    bound[TURN_BOUND_PEERS] = bound_of(peers, peers);
}

void turn_rate_init(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS], tr_usec now)
{
    *rate = (struct turn_rate){ .at = now };
    for (int i = 0; i < TURN_BOUNDS; i++)
        rate->room[i] = bound[i].burst;
}

static void fill(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS], tr_usec now)
{
    if (now <= rate->at)
        return;
    int64_t us = now - rate->at < FILL_MAX_US ? now - rate->at : FILL_MAX_US;
    for (int i = 0; i < TURN_BOUNDS; i++) {
        int64_t room = rate->room[i] + us * bound[i].rate;
        rate->room[i] = room < bound[i].burst ? room : bound[i].burst;
    }
    rate->at = now;
}

static bool has(const struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS], int which,
                uint32_t n)
{
    return bound[which].rate == 0 || rate->room[which] >= (int64_t)n * MICRO;
}

static void take(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS], int which,
                 uint32_t n)
{
    if (bound[which].rate != 0)
        rate->room[which] -= (int64_t)n * MICRO;
}

bool turn_rate_take(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS], tr_usec now,
                    int which, uint32_t n)
{
    fill(rate, bound, now);
    if (!has(rate, bound, which, n))
        return false;
    take(rate, bound, which, n);
    return true;
}

/* Makes the chunk hold n bytes if the quota lets it. */
static bool draw(struct turn_rate *rate, const struct tr_turn_conf *conf, void *share, tr_usec now,
                 uint32_t n)
{
    if (!conf->quota.draw || rate->chunk >= n)
        return true;
    if (now < rate->dry_until)
        return false;
    uint32_t want = n > CHUNK ? n : CHUNK,
             got = conf->quota.draw(conf->quota.arg, share, now, want);
    rate->chunk += got < want ? got : want;
    if (rate->chunk < n)
        rate->dry_until = now + DRY_US;
    return rate->chunk >= n;
}

bool turn_rate_pass(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS],
                    const struct tr_turn_conf *conf, void *share, tr_usec now, enum turn_way way,
                    uint32_t n)
{
    fill(rate, bound, now);
    if (!has(rate, bound, TURN_BOUND_BYTES + (int)way, n) ||
        !has(rate, bound, TURN_BOUND_PACKETS + (int)way, 1) || !draw(rate, conf, share, now, n))
        return false;
    turn_rate_passed(rate, bound, conf, way, n);
    return true;
}

uint32_t turn_rate_room(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS],
                        const struct tr_turn_conf *conf, void *share, tr_usec now,
                        enum turn_way way, uint32_t n)
{
    int which = TURN_BOUND_BYTES + (int)way;
    fill(rate, bound, now);
    if (!has(rate, bound, TURN_BOUND_PACKETS + (int)way, 1))
        return 0;
    if (!has(rate, bound, which, n))
        n = rate->room[which] > 0 ? (uint32_t)(rate->room[which] / MICRO) : 0;
    return draw(rate, conf, share, now, n) ? n : rate->chunk;
}

void turn_rate_passed(struct turn_rate *rate, const struct turn_bound bound[TURN_BOUNDS],
                      const struct tr_turn_conf *conf, enum turn_way way, uint32_t n)
{
    take(rate, bound, TURN_BOUND_PACKETS + (int)way, 1);
    take(rate, bound, TURN_BOUND_BYTES + (int)way, n);
    if (conf->quota.draw)
        rate->chunk -= n < rate->chunk ? n : rate->chunk;
}
