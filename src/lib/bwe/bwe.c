/* The parts joined: history, feedback, and when to probe.
 *
 *   feedback -> each packet's fate -> delay, rate, loss, probe -> AIMD -> min(delay, loss) = target
 *
 * The history needs no search: the number that feedback names is the place in the ring, if it is
 * not further back than the ring is long. A packet that was reported as arrived is not taken
 * again, so a client cannot make itself look faster by repeating itself.
 *
 * Probes. A forwarder cannot find out by sending more of the same: its layers come in steps. So
 * when more could be used than the target allows, some 40 ms of padding at twice the target are
 * sent, and again as long as they arrive. One that fails is not repeated for three seconds; what it
 * costs is a queue of less than that cluster. Two are made at the very start.
 *
 * Without transport-cc. REMB is an upper bound, but it never is far above what the client gets; so
 * while it is well above, it bounds nothing, and the target creeps up. */
#include "bwe/bwe.h"

#include <string.h>

#include "base/mem.h"
#include "bwe/bwe_int.h"
#include "rtp/rtp.h"

enum fate { WAITING, LOST, ARRIVED };
enum { INITIAL_PROBES = 2 };

#define COVER_US (400 * TR_MSEC)       /* that the history must reach back, and a round trip */
#define PROBE_AGAIN_US (3 * TR_SECOND) /* after one that failed */
#define PROBE_AFTER_US (2 * TR_SECOND) /* after a decrease */
#define PROBE_QUIET_US (3 * TR_SECOND) /* without overuse, while all of the target is used */
#define PROBE_NEXT_US (50 * TR_MSEC)   /* after one that did not */
#define SETTLE_US (600 * TR_MSEC)      /* by then the probes of the start have told */
#define SILENT_US (1500 * TR_MSEC)     /* a client that says nothing by then never will */
#define MOMENT_US (130 * TR_MSEC)
#define RTT_START (100 * TR_MSEC)
#define RTT_MAX (5 * TR_SECOND)

static const double START_BPS = 300000, MAX_BPS = 100e6;
static const uint32_t BEFORE_BPS = 1000000; /* until there is something to go by */
static const double INITIAL_TIMES[INITIAL_PROBES] = { 6, 3 }; /* the last one first */
static const double PROBE_TIMES = 2, PROBE_NEXT_TIMES = 3;    /* after one that arrived */
static const double GOOD = 0.7;                               /* of the probe's rate arrived */
static const double HEADROOM = 1.4; /* over what is wanted: a client on the way up need not wait */
static const double IDLE = 0.8; /* what is sent, of the target: there is room that is not used */
static const double LOSSY = 0.1;
static const double FALLEN = 0.5, FORGET = 0.999; /* a feedback */
static const double KEPT_UP = 0.7;                /* of what is sent arrives meanwhile */
static const double REMB_FAR = 1.25; /* so many times what is sent: the client knows no limit */
static const double REMB_GROWTH = 0.08;

struct tr_bwe {
    struct tr_bwe_history *h;
    int64_t first; /* packet of this path: what is said of those before is not heard */
    struct tr_bwe_conf conf;
    struct bwe_delay delay;
    struct bwe_aimd aimd;
    struct bwe_loss loss;
    struct bwe_probe probe;
    struct bwe_rate acked, sent;
    uint64_t sent_seen; /* of h.bytes: is in `sent` */
    int64_t reference;  /* of the newest feedback, unwrapped; 64 ms units */
    int32_t reference_seen;
    tr_usec known_at;   /* first word of the client; 0: none */
    tr_usec started_at; /* first time that something was wanted; 0: not yet */
    bool settled;       /* the target is no longer a guess */
    tr_usec rtt;
    tr_usec over_since; /* 0: no overuse */
    uint32_t want;
    double high;     /* target in better times, slowly forgotten */
    double send_bps; /* without transport-cc, as told */
    double remb;     /* 0: none */
    tr_usec remb_grown;
    uint32_t feedbacks, ignored;
    bool forgotten; /* feedback came on a packet that was not in the ring any more */
};

/* --- life --- */

static void begin(struct tr_bwe *b, tr_usec now)
{
    double start = b->conf.start_bps ? b->conf.start_bps : START_BPS;
    bwe_delay_init(&b->delay);
    b->aimd = (struct bwe_aimd){ .target = start, .increasing = true, .changed = now };
    b->probe = (struct bwe_probe){ .initial = INITIAL_PROBES, .step_at = TR_NEVER };
}

struct tr_bwe *tr_bwe_create(const struct tr_bwe_conf *conf, struct tr_bwe_history *history,
                             tr_usec now)
{
    struct tr_bwe *b = tr_alloc(sizeof *b);
    *history = (struct tr_bwe_history){ 0 };
    if (!b)
        return NULL;
    b->conf = *conf;
    b->h = history;
    b->rtt = RTT_START;
    if (conf->transport_cc) {
        b->h->ring = tr_alloc(TR_BWE_HISTORY_MIN * sizeof *b->h->ring);
        b->h->mask = TR_BWE_HISTORY_MIN - 1;
        if (!b->h->ring) {
            tr_free(b);
            return NULL;
        }
    }
    begin(b, now);
    return b;
}

void tr_bwe_moved(struct tr_bwe *b, tr_usec now)
{
    uint8_t last_id = b->probe.last_id; /* its packets may still be told of */
    b->first = b->h->next;
    b->h->cluster = 0;
    b->loss = (struct bwe_loss){ 0 };
    b->acked = b->sent = (struct bwe_rate){ 0 };
    b->sent_seen = b->h->bytes;
    b->known_at = b->over_since = 0;
    b->started_at = b->want ? now : 0;
    b->settled = false;
    b->high = b->remb = 0;
    begin(b, now);
    b->probe.last_id = last_id;
}

void tr_bwe_destroy(struct tr_bwe *b)
{
    if (!b)
        return;
    tr_free(b->h->ring);
    tr_free(b);
}

/* --- the history --- */

/* The packet that feedback calls seq; NULL: never sent, or forgotten. */
static struct tr_bwe_packet *find(struct tr_bwe *b, uint16_t seq)
{
    int64_t newest = b->h->next - 1;
    int64_t full = newest + tr_seq_diff(seq, (uint16_t)newest);
    if (full < b->first || full > newest)
        return NULL;
    if (full + b->h->mask < newest) {
        b->forgotten = true;
        return NULL;
    }
    return &b->h->ring[(uint64_t)full & b->h->mask];
}

static tr_usec sent_at(const struct tr_bwe_packet *pkt, tr_usec now)
{
    return now - (tr_usec)((uint32_t)now - pkt->at_us);
}

/* Twice the ring, when what it holds is too young to be reported on by now. */
static void grow(struct tr_bwe *b, tr_usec now)
{
    uint32_t size = b->h->mask + 1;
    if (size == TR_BWE_HISTORY_MAX || b->h->next < size)
        return;
    const struct tr_bwe_packet *oldest = &b->h->ring[(uint64_t)b->h->next & b->h->mask];
    if (!b->forgotten && now - sent_at(oldest, now) >= COVER_US + b->rtt)
        return;
    struct tr_bwe_packet *ring = tr_realloc(b->h->ring, 2 * size * sizeof *ring);
    if (!ring)
        return; /* what is forgotten is ignored */
    b->forgotten = false;
    /* What lay in the old ring by the low bits of its number goes by one bit more. */
    for (int64_t n = b->h->next - size; n < b->h->next; n++) {
        if ((uint64_t)n & size)
            ring[(uint64_t)n & (2 * size - 1)] = ring[(uint64_t)n & b->h->mask];
    }
    b->h->ring = ring;
    b->h->mask = 2 * size - 1;
}

/* --- facts --- */

static double most(const struct tr_bwe *b)
{
    return b->conf.max_bps ? b->conf.max_bps : MAX_BPS;
}

static struct bwe_facts facts(const struct tr_bwe *b, tr_usec now)
{
    struct bwe_facts f = {
        .now = now,
        .rtt = b->rtt,
        .acked = bwe_rate_bps(&b->acked),
        .sent = b->h->ring ? bwe_rate_bps(&b->sent) : b->send_bps,
        .max = most(b),
        .bounded = b->conf.can_probe,
    };
    if (!f.bounded && b->want && f.max > HEADROOM * b->want)
        f.max = HEADROOM * b->want;
    return f;
}

static double target(const struct tr_bwe *b)
{
    double bps = b->aimd.target;
    if (!b->h->ring)
        bps = b->remb > 0 ? b->remb : MAX_BPS;
    if (b->loss.bound > 0 && b->loss.bound < bps)
        bps = b->loss.bound;
    if (bps > most(b))
        bps = most(b);
    return bps > TR_BWE_MIN_BPS ? bps : TR_BWE_MIN_BPS;
}

uint32_t tr_bwe_target(const struct tr_bwe *b)
{
    return (uint32_t)target(b);
}

uint32_t tr_bwe_bound(const struct tr_bwe *b, tr_usec now, bool *sure)
{
    uint32_t bps = tr_bwe_target(b);
    *sure = b->settled;
    if (b->settled)
        return bps;
    if (!b->known_at && b->started_at && now - b->started_at > SILENT_US)
        return 0;
    return bps > BEFORE_BPS ? bps : BEFORE_BPS;
}

/* The target is good once the probes of the start are over, or a queue or loss cut them short. */
static void settle(struct tr_bwe *b, tr_usec now)
{
    const struct bwe_probe *p = &b->probe;
    bool probed = p->initial == 0 && !p->id;
    if (b->known_at && (probed || !b->conf.can_probe || b->aimd.decreases > 0 ||
                        b->loss.bound > 0 || now - b->known_at > SETTLE_US))
        b->settled = true;
}

/* --- probes --- */

/* Far below what it was, and quiet since: the link may be back. */
static bool has_fallen(const struct tr_bwe *b, tr_usec now)
{
    return b->aimd.target < FALLEN * b->high && now - b->aimd.decreased >= PROBE_QUIET_US;
}

static void plan_probe(struct tr_bwe *b, tr_usec now)
{
    struct bwe_probe *p = &b->probe;
    double at = target(b), want = HEADROOM * b->want;
    if (!b->h->ring || !b->conf.can_probe || !b->known_at || p->id || now < p->next_at ||
        want <= at * 1.05 || b->delay.usage == TR_BWE_OVERUSE || b->loss.fraction > LOSSY)
        return;
    double bps = (p->last_good ? PROBE_NEXT_TIMES : PROBE_TIMES) * at;
    if (p->initial > 0) {
        double first = (b->conf.start_bps ? b->conf.start_bps : START_BPS);
        bps = INITIAL_TIMES[--p->initial] * first;
    } else if (facts(b, now).sent > IDLE * at && !has_fallen(b, now)) {
        return; /* more of the same will tell */
    }
    bwe_probe_start(p, b->h, now, bps < want ? bps : want);
}

static void end_probe(struct tr_bwe *b, tr_usec now)
{
    struct bwe_probe *p = &b->probe;
    bool was_out = p->id != 0;
    double bps = bwe_probe_result(p, now, b->rtt);
    if (bps > most(b))
        bps = most(b);
    if (!was_out || p->id)
        return;
    bool good = bps > GOOD * p->c.bps;
    p->last_good = good;
    if (good) {
        p->good++;
    } else {
        p->initial = 0;
    }
    p->next_at = now + (good ? PROBE_NEXT_US : PROBE_AGAIN_US);
    if (bps > b->aimd.target) {
        b->aimd.target = bps;
        b->aimd.changed = now;
        b->aimd.capacity = 0;
    }
    if (bps > b->loss.bound)
        b->loss.bound = 0;
}

/* --- feedback --- */

static tr_usec unwrap_reference(struct tr_bwe *b, const struct tr_twcc_fb *fb)
{
    int32_t diff = (int32_t)((uint32_t)(fb->reference - b->reference_seen) << 8) >> 8;
    b->reference = b->feedbacks ? b->reference + diff : (1 << 24) + fb->reference;
    b->reference_seen = fb->reference;
    return (b->reference - fb->reference) * 64 * TR_MSEC; /* to be added to an item's time */
}

static void packet_arrived(struct tr_bwe *b, tr_usec now, struct tr_bwe_packet *pkt,
                           tr_usec arrival)
{
    tr_usec sent = sent_at(pkt, now);
    bool late = pkt->state == LOST;
    pkt->state = ARRIVED;
    bwe_rate_add(&b->acked, arrival, pkt->bytes);
    bwe_probe_packet(&b->probe, pkt, sent, arrival);
    bwe_loss_add(&b->loss, now, 0, late ? 0 : 1);
    if (late)
        return;
    /* A probe makes a queue on purpose, which says nothing about what is sent otherwise. */
    if (!pkt->cluster)
        bwe_delay_packet(&b->delay, sent, arrival);
}

static void read_item(struct tr_bwe *b, tr_usec now, const struct tr_twcc_item *item,
                      tr_usec offset)
{
    struct tr_bwe_packet *pkt = find(b, item->seq);
    if (!pkt || pkt->state == ARRIVED || (pkt->state == LOST && !item->received)) {
        b->ignored++;
        return;
    }
    if (pkt->state == WAITING && pkt->cluster && pkt->cluster == b->probe.id)
        b->probe.c.reported++;
    if (item->received) {
        packet_arrived(b, now, pkt, item->at_us + offset);
        return;
    }
    pkt->state = LOST;
    bwe_loss_add(&b->loss, now, 1, 1);
}

/* Round trip: the newest packet of a feedback waited least for it. */
static void measure_rtt(struct tr_bwe *b, tr_usec rtt)
{
    if (rtt <= RTT_MAX)
        b->rtt = (7 * b->rtt + rtt) / 8;
}

static void count_sent(struct tr_bwe *b, tr_usec now)
{
    uint64_t bytes = b->h->bytes - b->sent_seen;
    b->sent_seen = b->h->bytes;
    bwe_rate_add(&b->sent, now, bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes);
}

/* A key frame fills the queue for a moment, for nothing paces it. It is gone after another moment,
 * when the link takes about what it is sent; one that is far too slow is believed at once. */
static bool may_pass(const struct tr_bwe *b, const struct bwe_facts *f)
{
    return f->acked > KEPT_UP * f->sent && f->now - b->over_since < MOMENT_US;
}

static void update(struct tr_bwe *b, tr_usec now)
{
    struct bwe_facts f = facts(b, now);
    enum tr_bwe_usage usage = b->delay.usage;
    uint32_t before = b->aimd.decreases;
    if (usage != TR_BWE_OVERUSE)
        b->over_since = 0;
    else if (!b->over_since)
        b->over_since = now;
    if (usage == TR_BWE_OVERUSE && (now < b->probe.quiet_at || may_pass(b, &f)))
        usage = TR_BWE_NORMAL;
    bwe_aimd_update(&b->aimd, usage, &f);
    bwe_loss_update(&b->loss, &f, target(b));
    if (b->aimd.decreases != before && b->probe.next_at < now + PROBE_AFTER_US)
        b->probe.next_at = now + PROBE_AFTER_US;
    b->high = b->aimd.target > b->high ? b->aimd.target : b->high * FORGET;
    end_probe(b, now);
    plan_probe(b, now);
    settle(b, now);
}

void tr_bwe_feedback(struct tr_bwe *b, tr_usec now, const struct tr_twcc_fb *fb,
                     const struct tr_twcc_item *items)
{
    tr_usec rtt = -1; /* of the newest packet that is news */
    if (!b->h->ring)
        return;
    tr_usec offset = unwrap_reference(b, fb);
    for (uint32_t i = 0; i < fb->count; i++) {
        const struct tr_bwe_packet *pkt = items[i].received ? find(b, items[i].seq) : NULL;
        if (pkt && pkt->state == WAITING)
            rtt = now - sent_at(pkt, now);
        read_item(b, now, &items[i], offset);
    }
    b->feedbacks++;
    grow(b, now); /* the ring may move: no packet of it is at hand any more */
    if (rtt < 0)
        return;
    if (!b->known_at)
        b->known_at = now;
    measure_rtt(b, rtt);
    count_sent(b, now);
    update(b, now);
}

/* --- without transport-cc --- */

static void follow_remb(struct tr_bwe *b, tr_usec now, double bps)
{
    double seconds = (double)tr_usec_min(now - b->remb_grown, TR_SECOND) / TR_SECOND;
    b->remb_grown = now;
    if (b->remb <= 0 || bps < REMB_FAR * b->send_bps || bps > b->remb) {
        b->remb = bps;
        return;
    }
    double limit = HEADROOM * b->want;
    double grown = b->remb * (1 + REMB_GROWTH * seconds);
    if (b->remb < limit)
        b->remb = grown < limit ? grown : limit;
}

void tr_bwe_remb(struct tr_bwe *b, tr_usec now, uint64_t bps)
{
    double most = facts(b, now).max;
    if (b->h->ring)
        return;
    b->known_at = b->known_at ? b->known_at : now;
    b->settled = true;
    follow_remb(b, now, (double)bps < most ? (double)bps : most);
}

void tr_bwe_report(struct tr_bwe *b, tr_usec now, uint32_t lost, uint32_t expected)
{
    struct bwe_facts f = facts(b, now);
    if (b->h->ring || lost > expected)
        return;
    bwe_loss_add(&b->loss, now, lost, expected);
    bwe_loss_update(&b->loss, &f, target(b));
}

void tr_bwe_send_rate(struct tr_bwe *b, uint32_t bps)
{
    b->send_bps = bps;
}

void tr_bwe_rtt(struct tr_bwe *b, tr_usec rtt)
{
    if (!b->h->ring && rtt >= 0 && rtt <= RTT_MAX)
        b->rtt = rtt;
}

/* --- driving --- */

void tr_bwe_want(struct tr_bwe *b, tr_usec now, uint32_t bps)
{
    b->want = bps;
    if (bps > 0 && !b->started_at)
        b->started_at = now;
    end_probe(b, now); /* one whose last packets nobody reports on */
    plan_probe(b, now);
    settle(b, now);
}

tr_usec tr_bwe_next_timeout(const struct tr_bwe *b)
{
    return b->probe.id && !b->probe.c.ended ? b->probe.step_at : TR_NEVER;
}

void tr_bwe_timeout(struct tr_bwe *b, tr_usec now)
{
    end_probe(b, now);
}

uint32_t tr_bwe_probe(struct tr_bwe *b, tr_usec now)
{
    return b->h->ring ? bwe_probe_due(&b->probe, b->h, now) : 0;
}

void tr_bwe_stats(const struct tr_bwe *b, struct tr_bwe_stats *out)
{
    struct bwe_facts f = facts(b, 0);
    *out = (struct tr_bwe_stats){
        .known = b->known_at != 0,
        .target_bps = tr_bwe_target(b),
        .delay_bps = (uint32_t)(b->h->ring ? b->aimd.target : b->remb),
        .loss_bps = (uint32_t)b->loss.bound,
        .acked_bps = (uint32_t)f.acked,
        .sent_bps = (uint32_t)f.sent,
        .loss_ppm = (uint32_t)(b->loss.fraction * 1e6),
        .rtt_us = b->rtt,
        .usage = b->delay.usage,
        .feedbacks = b->feedbacks,
        .overuses = b->aimd.decreases,
        .probes = b->probe.sent,
        .probes_good = b->probe.good,
        .ignored = b->ignored,
    };
}
