/* A cluster is some 40 ms of packets at a rate above the target: what is sent anyway, and padding
 * to fill up. The rate at which it arrives is what the link can do, or at least what it was given.
 */
#include "bwe/bwe_int.h"

enum { PACKETS_MIN = 6, BYTES_MIN = PACKETS_MIN * 240 };

#define CLUSTER_US (40 * TR_MSEC)
#define CLUSTER_MAX_US (200 * TR_MSEC)
#define STEP_US (5 * TR_MSEC)
#define RESULT_US TR_SECOND /* and a round trip */
#define QUIET_US (300 * TR_MSEC)

static const double ARRIVED = 0.8;   /* of the packets, or there is no result */
static const double SATURATED = 0.9; /* arrived so much slower: the link is at its end */
static const double BELOW = 0.95;
static const double ABOVE = 1.5; /* a burst of media within tells no more than that */

void bwe_probe_start(struct bwe_probe *p, struct tr_bwe_history *h, tr_usec now, double bps)
{
    uint32_t bytes = (uint32_t)(bps / 8 * CLUSTER_US / TR_SECOND);
    p->c = (struct bwe_cluster){ .bps = bps,
                                 .started = now,
                                 .bytes_before = h->bytes,
                                 .first = h->next,
                                 .bytes_wanted = bytes > BYTES_MIN ? bytes : BYTES_MIN };
    p->last_id = p->last_id == UINT8_MAX ? 1 : (uint8_t)(p->last_id + 1);
    p->id = h->cluster = p->last_id;
    p->step_at = now;
    p->quiet_at = TR_NEVER;
    p->sent++;
}

static void end(struct bwe_probe *p, struct tr_bwe_history *h, tr_usec now)
{
    p->c.ended = now;
    p->c.end = h->next;
    p->step_at = TR_NEVER;
    h->cluster = 0;
}

uint32_t bwe_probe_due(struct bwe_probe *p, struct tr_bwe_history *h, tr_usec now)
{
    if (!p->id || p->c.ended || now < p->step_at)
        return 0;
    uint64_t sent = h->bytes - p->c.bytes_before;
    tr_usec since = now - p->c.started;
    bool enough = sent >= p->c.bytes_wanted && h->next - p->c.first >= PACKETS_MIN;
    if (enough || since > CLUSTER_MAX_US) {
        end(p, h, now);
        return 0;
    }
    double due = p->c.bps / 8 * (double)(since + STEP_US) / TR_SECOND - (double)sent;
    if (due >= 1)
        return (uint32_t)due;
    p->step_at = now + STEP_US;
    return 0;
}

void bwe_probe_packet(struct bwe_probe *p, const struct tr_bwe_packet *pkt, tr_usec sent,
                      tr_usec arrival)
{
    struct bwe_cluster *c = &p->c;
    if (!p->id || pkt->cluster != p->id)
        return;
    if (c->arrived++ == 0) {
        c->first_sent = c->last_sent = sent;
        c->first_arrival = c->last_arrival = arrival;
        c->first_bytes = pkt->bytes;
    }
    if (sent >= c->last_sent) {
        c->last_sent = sent;
        c->last_bytes = pkt->bytes;
    }
    if (arrival > c->last_arrival)
        c->last_arrival = arrival;
    c->bytes += pkt->bytes;
}

static double measure(const struct bwe_cluster *c)
{
    tr_usec sending = c->last_sent - c->first_sent, arriving = c->last_arrival - c->first_arrival;
    if (c->arrived < ARRIVED * (double)(c->end - c->first) || c->arrived < PACKETS_MIN - 1 ||
        sending <= 0 || arriving <= 0 || arriving > TR_SECOND)
        return 0;
    double out = (double)(c->bytes - c->last_bytes) * 8 * TR_SECOND / (double)sending;
    double in = (double)(c->bytes - c->first_bytes) * 8 * TR_SECOND / (double)arriving;
    double got = in < SATURATED * out ? BELOW * in : in < out ? in : out;
    return got < ABOVE * c->bps ? got : ABOVE * c->bps;
}

double bwe_probe_result(struct bwe_probe *p, tr_usec now, tr_usec rtt)
{
    bool all = p->c.reported >= p->c.end - p->c.first;
    if (!p->id || !p->c.ended || (!all && now < p->c.ended + RESULT_US + rtt))
        return 0;
    p->id = 0;
    p->quiet_at = now + QUIET_US;
    return measure(&p->c);
}
