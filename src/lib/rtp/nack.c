/* The list is a sorted array: gaps are appended at its end, since only packets newer than all
 * before make one; repairs take entries out, most of them near the front. It is nearly always
 * short, so moving its tail is cheaper than links would be.
 *
 * A gap is not yet a loss: packets overtake each other. It becomes one after a short time, or
 * sooner when two more packets came without filling it. `next` is the earliest moment at which poll
 * has anything to do; it may be early (poll then finds nothing and sets it right), never late. */
#include "rtp/nack.h"

#include <string.h>

void tr_nack_init(struct tr_nack *n)
{
    n->count = 0;
    n->arrivals = 0;
    n->next = TR_NEVER;
    n->keyframe_needed = false;
    n->requested = 0;
    n->given_up = 0;
}

static void remove_range(struct tr_nack *n, uint32_t at, uint32_t count)
{
    memmove(&n->entries[at], &n->entries[at + count],
            (n->count - at - count) * sizeof(n->entries[0]));
    n->count -= count;
    if (n->count == 0)
        n->next = TR_NEVER;
}

static void give_up(struct tr_nack *n, uint64_t count)
{
    n->given_up += count;
    n->keyframe_needed = n->keyframe_needed || count > 0;
}

void tr_nack_gap(struct tr_nack *n, tr_usec now, int64_t first, int64_t end)
{
    if (end <= first)
        return;
    if (end - first > TR_NACK_MAX) { /* the far end of a gap that the list cannot hold */
        give_up(n, (uint64_t)(end - first - TR_NACK_MAX));
        first = end - TR_NACK_MAX;
    }
    uint32_t add = (uint32_t)(end - first);
    if (n->count + add > TR_NACK_MAX) {
        uint32_t over = n->count + add - TR_NACK_MAX;
        give_up(n, over);
        remove_range(n, 0, over);
    }
    for (int64_t seq = first; seq < end; seq++) {
        n->entries[n->count++] = (struct tr_nack_entry){
            .seq = seq, .found = now, .next = now + TR_NACK_REORDER_US, .arrival = n->arrivals
        };
    }
    n->next = tr_usec_min(n->next, now + TR_NACK_REORDER_US);
}

/* Index of the first entry that was not asked for. Gaps are found in order and asked for in order,
 * so these entries are the tail of the list. */
static uint32_t first_untried(const struct tr_nack *n)
{
    uint32_t lo = 0, hi = n->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (n->entries[mid].tries > 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Index of the first entry at or after seq. */
static uint32_t find(const struct tr_nack *n, int64_t seq)
{
    uint32_t lo = 0, hi = n->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (n->entries[mid].seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Packets came after the gap and it is still there: it is a loss now. */
static bool overtaken(const struct tr_nack *n, const struct tr_nack_entry *e)
{
    return e->tries == 0 && n->arrivals - e->arrival >= TR_NACK_REORDER;
}

bool tr_nack_arrived(struct tr_nack *n, tr_usec now, int64_t seq)
{
    n->arrivals++;
    if (n->count == 0)
        return false;
    uint32_t at = find(n, seq);
    bool missing = at < n->count && n->entries[at].seq == seq;
    if (missing)
        remove_range(n, at, 1);
    uint32_t untried = first_untried(n);
    if (untried < n->count && overtaken(n, &n->entries[untried]))
        n->next = tr_usec_min(n->next, now);
    return missing;
}

void tr_nack_forget_before(struct tr_nack *n, int64_t seq)
{
    uint32_t at = find(n, seq);
    if (at > 0)
        remove_range(n, 0, at);
}

static bool is_hopeless(const struct tr_nack_entry *e, tr_usec now)
{
    return now - e->found >= TR_NACK_AGE_MAX_US || (e->tries == TR_NACK_TRIES && now >= e->next);
}

unsigned tr_nack_poll(struct tr_nack *n, tr_usec now, tr_usec rtt, uint16_t *out, unsigned max)
{
    if (now < n->next)
        return 0;
    tr_usec retry = rtt > TR_NACK_RETRY_MIN_US ? rtt : TR_NACK_RETRY_MIN_US;
    unsigned asked = 0;
    uint32_t kept = 0;
    n->next = TR_NEVER;
    for (uint32_t i = 0; i < n->count; i++) {
        struct tr_nack_entry *e = &n->entries[i];
        if (is_hopeless(e, now)) {
            give_up(n, 1);
            continue;
        }
        if (e->tries < TR_NACK_TRIES && (now >= e->next || overtaken(n, e))) {
            if (asked < max) {
                out[asked++] = (uint16_t)e->seq;
                e->tries++;
                e->next = now + retry;
            } else {
                e->next = now; /* in the next call */
            }
        }
        n->next = tr_usec_min(n->next, tr_usec_min(e->next, e->found + TR_NACK_AGE_MAX_US));
        n->entries[kept++] = *e;
    }
    n->count = kept;
    n->requested += asked;
    return asked;
}
