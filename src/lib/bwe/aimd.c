/* Overuse: down to a part of what got through. Else up: by a factor while the capacity of the link
 * is not known, by about a packet a round trip once it is near. Underuse: wait until the queue is
 * gone.
 *
 * What a forwarder sends comes in steps of layers and lies below the target most of the time. A
 * queue that grows then is mostly somebody else's; so the first answer is to fall to what is sent,
 * and only the next to fall below. */
#include "bwe/bwe_int.h"

static const double BACK_OFF = 0.85;
static const double GROWTH = 0.08; /* a second */
static const double PACKET_BITS = 1200 * 8;
static const double SUPPORT = 1.5; /* the target is not above so many times what got through */
static const double SUPPORT_MORE = 10000;
static const double IDLE = 1.2; /* a target so many times what is sent is not put to use */
static const double CAPACITY_STEP = 0.05;

#define BACK_OFF_US (200 * TR_MSEC) /* at most once in so long and a round trip */
#define RESPONSE_US (100 * TR_MSEC)
#define STEP_MAX_US TR_SECOND

/* Mean and variance of what got through at overuse; in units that grow with the rate. */
static void note_capacity(struct bwe_aimd *a, double acked)
{
    double off = acked - a->capacity;
    if (a->capacity <= 0) {
        a->capacity = acked;
        a->capacity_var = 0.1 * acked * 0.1 * acked;
        return;
    }
    if (off * off > 9 * a->capacity_var) { /* another link than we thought */
        a->capacity = acked;
        return;
    }
    a->capacity += CAPACITY_STEP * off;
    a->capacity_var = (1 - CAPACITY_STEP) * a->capacity_var + CAPACITY_STEP * off * off;
    double least = 0.03 * a->capacity * 0.03 * a->capacity;
    if (a->capacity_var < least)
        a->capacity_var = least;
}

static void decrease(struct bwe_aimd *a, const struct bwe_facts *f)
{
    bool again = a->decreased && f->now - a->decreased < BACK_OFF_US + f->rtt;
    bool collapsed = f->acked > 0 && f->acked < 0.5 * a->target;
    a->increasing = false;
    if (again && !collapsed)
        return;
    double acked = f->acked > 0 ? f->acked : a->target;
    bool idle = f->sent > 0 && a->target > IDLE * f->sent && acked > 0.9 * f->sent;
    double to = idle ? acked : BACK_OFF * acked;
    if (!idle)
        note_capacity(a, acked);
    if (to < a->target) /* else an old queue drains: what comes out of it is more than we send */
        a->target = to;
    a->decreased = a->changed = f->now;
    a->decreases++;
}

static void increase(struct bwe_aimd *a, const struct bwe_facts *f)
{
    tr_usec since = tr_usec_min(f->now - a->changed, STEP_MAX_US);
    double seconds = (double)since / TR_SECOND;
    double above = f->acked - a->capacity;
    a->changed = f->now;
    if (!a->increasing) { /* one step of holding first */
        a->increasing = true;
        return;
    }
    double limit = f->bounded && f->acked > 0 ? SUPPORT * f->acked + SUPPORT_MORE : f->max;
    if (limit > f->max)
        limit = f->max;
    if (a->target >= limit)
        return;
    if (a->capacity > 0 && above > 0 && above * above > 9 * a->capacity_var)
        a->capacity = 0; /* more than we thought gets through */
    if (a->capacity > 0)
        a->target += PACKET_BITS * seconds / ((double)(f->rtt + RESPONSE_US) / TR_SECOND);
    else
        a->target += a->target * GROWTH * seconds;
    if (a->target > limit)
        a->target = limit;
}

void bwe_aimd_update(struct bwe_aimd *a, enum tr_bwe_usage usage, const struct bwe_facts *f)
{
    if (usage == TR_BWE_OVERUSE)
        decrease(a, f);
    else if (usage == TR_BWE_NORMAL)
        increase(a, f);
    else
        a->changed = f->now; /* the queue drains */
    if (a->target < TR_BWE_MIN_BPS)
        a->target = TR_BWE_MIN_BPS;
}
