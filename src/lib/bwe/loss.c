/* Loss as a bound: above a tenth it comes down, below a fiftieth it goes up and away, and in
 * between it holds, for loss of a few percent is the radio's and not the queue's. Windows have
 * enough packets for a fraction to mean something, and are smoothed; only a loss that nobody can
 * call random acts at once. */
#include "bwe/bwe_int.h"

enum { WINDOW_PACKETS = 50, WINDOW_PACKETS_MIN = 20 };

#define WINDOW_US (300 * TR_MSEC)
#define WINDOW_MAX_US TR_SECOND
#define HOLD_US (300 * TR_MSEC)

static const double LOW = 0.02, HIGH = 0.10, HEAVY = 0.30;
static const double SMOOTHING = 0.7;
static const double GROWTH = 0.08; /* a second, at low loss */
static const double GROWTH_BETWEEN =
    0.02; /* ... and at some: or a bad moment would bind for ever */

void bwe_loss_add(struct bwe_loss *l, tr_usec now, uint32_t lost, uint32_t total)
{
    if (l->total == 0)
        l->since = now;
    l->lost += lost;
    l->total += total;
}

static void lower(struct bwe_loss *l, const struct bwe_facts *f, double target, double fraction)
{
    if (l->lowered && f->now - l->lowered < HOLD_US + f->rtt)
        return;
    double from = l->bound > 0 && l->bound < target ? l->bound : target;
    if (f->sent > 0 && f->sent < from)
        from = f->sent; /* what nobody sent has not been lost */
    l->bound = from * (1 - 0.5 * fraction);
    l->lowered = l->raised = f->now;
}

static void raise(struct bwe_loss *l, const struct bwe_facts *f, double target)
{
    double seconds = (double)tr_usec_min(f->now - l->raised, TR_SECOND) / TR_SECOND;
    l->raised = f->now;
    if (l->bound <= 0)
        return;
    l->bound += l->bound * (l->fraction < LOW ? GROWTH : GROWTH_BETWEEN) * seconds;
    if (l->bound > 2 * target || (l->fraction < LOW && l->bound > target))
        l->bound = 0;
}

void bwe_loss_update(struct bwe_loss *l, const struct bwe_facts *f, double target)
{
    tr_usec age = f->now - l->since;
    bool full = l->total >= WINDOW_PACKETS && age >= WINDOW_US;
    bool late = l->total >= WINDOW_PACKETS_MIN && age >= WINDOW_MAX_US;
    double part = l->total ? (double)l->lost / l->total : 0;
    bool heavy = l->total >= WINDOW_PACKETS_MIN && part > HEAVY;
    if (!full && !late && !heavy)
        return;
    l->fraction = heavy ? part : SMOOTHING * l->fraction + (1 - SMOOTHING) * part;
    l->lost = l->total = 0;
    if (l->fraction > HIGH && part > HIGH)
        lower(l, f, target, l->fraction);
    else if (l->fraction <= HIGH)
        raise(l, f, target);
}
