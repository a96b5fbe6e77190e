/* RFC 3550 appendix A with two differences. There is no probation: SRTP has authenticated the
 * packet, so one is proof enough. And sequence numbers are kept unwrapped in 64 bits, which
 * replaces the cycle count; the report cuts them to 32.
 *
 * A jump far ahead, or back behind the history, is dropped once: if the packet after it is next in
 * sequence, the sender restarted and everything begins anew from there (A.1's bad_seq).
 *
 * Retransmissions fill gaps, but do not count as received: a receiver report says what the path
 * lost, and repair must not hide that from the sender's bandwidth estimate. */
#include "rtp/recv.h"

#include "base/assert.h"
#include "rtp/rtp.h"

enum { NO_SUSPECT = -1, JITTER_JUMP_S = 5 };

void tr_rtp_recv_init(struct tr_rtp_recv *r, uint32_t clock, struct tr_nack *nack)
{
    TR_ASSERT(clock > 0);
    *r = (struct tr_rtp_recv){ .clock = clock, .nack = nack, .suspect = NO_SUSPECT };
    if (nack)
        tr_nack_init(nack);
}

static bool seen(const struct tr_rtp_recv *r, int64_t seq)
{
    uint64_t i = (uint64_t)seq % TR_RECV_HISTORY;
    return r->seen[i / 64] >> (i % 64) & 1;
}

static void set_seen(struct tr_rtp_recv *r, int64_t seq, bool on)
{
    uint64_t i = (uint64_t)seq % TR_RECV_HISTORY;
    uint64_t bit = 1ull << (i % 64);
    r->seen[i / 64] = on ? r->seen[i / 64] | bit : r->seen[i / 64] & ~bit;
}

static void begin(struct tr_rtp_recv *r, uint16_t seq)
{
    r->started = true;
    r->base = r->max = seq;
    r->suspect = NO_SUSPECT;
    r->period_received = 0;
    r->expected_prior = r->received_prior = 0;
    r->have_transit = false;
    memset(r->seen, 0, sizeof(r->seen));
    set_seen(r, seq, true);
    if (r->nack)
        tr_nack_forget_before(r->nack, INT64_MAX);
}

/* A.8, in 1/16 ticks. Transit is on the RTP clock's circle; the difference of two is small. */
static void update_jitter(struct tr_rtp_recv *r, tr_usec now, uint32_t ts)
{
    uint64_t ticks = (uint64_t)(now / TR_SECOND) * r->clock +
                     (uint64_t)(now % TR_SECOND) * r->clock / (uint64_t)TR_SECOND;
    uint32_t transit = (uint32_t)ticks - ts;
    int64_t d = (int32_t)(transit - r->transit);
    bool had = r->have_transit;
    r->transit = transit;
    r->have_transit = true;
    d = d < 0 ? -d : d;
    if (!had || d > (int64_t)JITTER_JUMP_S * r->clock)
        return; /* a jump of the media clock is no jitter */
    r->jitter_q4 = (uint32_t)(r->jitter_q4 + (uint32_t)d - ((r->jitter_q4 + 8) >> 4));
}

static void count_arrival(struct tr_rtp_recv *r, tr_usec now, uint32_t ts, bool is_rtx)
{
    if (is_rtx)
        return;
    r->stats.received++;
    r->period_received++;
    update_jitter(r, now, ts);
}

/* Forward by diff > 0: what lies between is missing as of now. */
static void advance(struct tr_rtp_recv *r, tr_usec now, int64_t seq)
{
    int64_t gap = seq - r->max - 1;
    if (gap >= TR_RECV_HISTORY) {
        memset(r->seen, 0, sizeof(r->seen));
    } else {
        for (int64_t s = r->max + 1; s < seq; s++)
            set_seen(r, s, false);
    }
    set_seen(r, seq, true);
    if (r->nack) {
        (void)tr_nack_arrived(r->nack, now, seq);
        tr_nack_gap(r->nack, now, r->max + 1, seq);
    }
    r->max = seq;
}

static enum tr_recv_kind fill(struct tr_rtp_recv *r, tr_usec now, int64_t seq, bool is_rtx)
{
    if (seen(r, seq)) {
        r->stats.duplicate++;
        return TR_RECV_DUP;
    }
    set_seen(r, seq, true);
    bool missing = r->nack && tr_nack_arrived(r->nack, now, seq);
    if (is_rtx && (missing || !r->nack))
        r->stats.repaired++;
    if (seq < r->base && !is_rtx)
        r->base = seq; /* the first packet that came was not the first that was sent */
    return TR_RECV_FILL;
}

static enum tr_recv_kind judge_jump(struct tr_rtp_recv *r, tr_usec now, uint16_t seq, uint32_t ts,
                                    enum tr_recv_kind kind, bool is_rtx)
{
    if (!is_rtx && r->suspect == (int32_t)seq) {
        begin(r, seq);
        r->stats.restarts++;
        if (r->nack)
            r->nack->keyframe_needed = true; /* the packet that was suspected is gone */
        count_arrival(r, now, ts, false);
        return TR_RECV_RESTART;
    }
    if (!is_rtx)
        r->suspect = (uint16_t)(seq + 1);
    r->stats.dropped++;
    return kind;
}

enum tr_recv_kind tr_rtp_recv_packet(struct tr_rtp_recv *r, tr_usec now, uint16_t seq, uint32_t ts,
                                     bool is_rtx)
{
    if (!r->started) {
        begin(r, seq);
        count_arrival(r, now, ts, is_rtx);
        return TR_RECV_NEW;
    }
    int32_t diff = tr_seq_diff(seq, (uint16_t)r->max);
    if (diff > TR_RECV_DROPOUT_MAX)
        return judge_jump(r, now, seq, ts, TR_RECV_SUSPECT, is_rtx);
    if (diff <= -TR_RECV_HISTORY)
        return judge_jump(r, now, seq, ts, TR_RECV_OLD, is_rtx);
    enum tr_recv_kind kind = TR_RECV_NEW;
    if (diff > 0)
        advance(r, now, r->max + diff);
    else
        kind = fill(r, now, r->max + diff, is_rtx);
    if (kind == TR_RECV_DUP)
        return kind;
    r->suspect = NO_SUSPECT;
    count_arrival(r, now, ts, is_rtx);
    return kind;
}

unsigned tr_rtp_recv_nacks(struct tr_rtp_recv *r, tr_usec now, tr_usec rtt, uint16_t *out,
                           unsigned max)
{
    return r->nack ? tr_nack_poll(r->nack, now, rtt, out, max) : 0;
}

tr_usec tr_rtp_recv_next_timeout(const struct tr_rtp_recv *r)
{
    return r->nack ? r->nack->next : TR_NEVER;
}

bool tr_rtp_recv_take_keyframe_needed(struct tr_rtp_recv *r)
{
    if (!r->nack || !r->nack->keyframe_needed)
        return false;
    r->nack->keyframe_needed = false;
    return true;
}

void tr_rtp_recv_keyframe(struct tr_rtp_recv *r, uint16_t seq)
{
    if (r->nack && r->started)
        tr_nack_forget_before(r->nack, r->max + tr_seq_diff(seq, (uint16_t)r->max));
}

uint64_t tr_rtp_recv_expected(const struct tr_rtp_recv *r)
{
    return r->started ? (uint64_t)(r->max - r->base + 1) : 0;
}

int64_t tr_rtp_recv_lost(const struct tr_rtp_recv *r)
{
    return (int64_t)tr_rtp_recv_expected(r) - (int64_t)r->period_received;
}

uint32_t tr_rtp_recv_jitter(const struct tr_rtp_recv *r)
{
    return r->jitter_q4 >> 4;
}

static uint8_t take_fraction(struct tr_rtp_recv *r)
{
    uint64_t expected = tr_rtp_recv_expected(r);
    int64_t interval = (int64_t)(expected - r->expected_prior);
    int64_t lost = interval - (int64_t)(r->period_received - r->received_prior);
    r->expected_prior = expected;
    r->received_prior = r->period_received;
    if (interval <= 0 || lost <= 0)
        return 0;
    int64_t fraction = lost * 256 / interval;
    return (uint8_t)(fraction < 255 ? fraction : 255);
}

bool tr_rtp_recv_report(struct tr_rtp_recv *r, tr_usec now, uint32_t ssrc, const struct tr_sr *sr,
                        struct tr_rtcp_block *out)
{
    if (!r->started)
        return false;
    int64_t lost = tr_rtp_recv_lost(r);
    lost = lost > 0x7fffff ? 0x7fffff : lost < -0x800000 ? -0x800000 : lost;
    *out = (struct tr_rtcp_block){
        .ssrc = ssrc,
        .fraction = take_fraction(r),
        .lost = (int32_t)lost,
        .ext_seq = (uint32_t)r->max,
        .jitter = tr_rtp_recv_jitter(r),
    };
    if (sr)
        tr_sr_lsr(sr, now, &out->lsr, &out->dlsr);
    return true;
}
