/* Inside of lib/bwe: the parts that bwe.c joins. Each is a pure machine.
 *   rate.c   bytes to bits a second            delay.c  arrival times to over- and underuse
 *   aimd.c   usage to a target                 loss.c   loss to an upper bound
 *   probe.c  clusters of packets at a higher rate, and what came of them */
#ifndef TR_BWE_INT_H
#define TR_BWE_INT_H

#include "bwe/bwe.h"

/* --- rate.c: a sliding window of buckets --- */

enum { BWE_RATE_BUCKETS = 8 };

struct bwe_rate {
    int64_t bucket; /* of the newest */
    tr_usec first, last;
    uint32_t bytes[BWE_RATE_BUCKETS];
    bool started;
};

void bwe_rate_add(struct bwe_rate *r, tr_usec at, uint32_t bytes);
uint32_t bwe_rate_bps(const struct bwe_rate *r); /* 0: not known yet */

/* --- delay.c: from the gaps between packets to the slope of the queueing delay --- */

enum { BWE_TREND_POINTS = 20 };

struct bwe_group { /* packets that left together */
    tr_usec first_sent, last_sent;
    tr_usec first_arrival, last_arrival;
};

struct bwe_delay {
    struct bwe_group now, before;
    uint8_t groups;    /* of now and before: how many are there */
    uint8_t reordered; /* groups in a row that arrived before their elders */
    uint8_t points_count, points_next;
    enum tr_bwe_usage usage;
    uint32_t deltas;
    double delay_ms, smooth_ms; /* queueing delay, up to a constant */
    double threshold, trend;
    tr_usec threshold_at;
    double over_ms; /* how long the trend has been above the threshold */
    uint32_t over_count;
    struct {
        uint32_t at_us;
        float delay_ms;
    } points[BWE_TREND_POINTS];
};

void bwe_delay_init(struct bwe_delay *d);
/* In the order of sending. arrival: on the client's clock. */
void bwe_delay_packet(struct bwe_delay *d, tr_usec sent, tr_usec arrival);

/* --- aimd.c --- */

struct bwe_aimd {
    double target;
    bool increasing; /* else: holding, after a decrease */
    tr_usec changed;
    tr_usec decreased; /* 0: never */
    double capacity;   /* of the link, as seen at overuse; 0: not known */
    double capacity_var;
    uint32_t decreases;
};

struct bwe_facts {
    tr_usec now, rtt;
    double acked, sent; /* bits a second; 0: not known */
    double max;         /* as far as the target may go up */
    bool bounded;       /* no further than what was acked supports */
};

void bwe_aimd_update(struct bwe_aimd *a, enum tr_bwe_usage usage, const struct bwe_facts *f);

/* --- loss.c --- */

struct bwe_loss {
    uint32_t lost, total; /* of the window */
    tr_usec since;
    double fraction; /* smoothed */
    double bound;    /* bits a second; 0: none */
    tr_usec lowered, raised;
};

void bwe_loss_add(struct bwe_loss *l, tr_usec now, uint32_t lost, uint32_t total);
/* Ends the window when it is full. */
void bwe_loss_update(struct bwe_loss *l, const struct bwe_facts *f, double target);

/* --- probe.c --- */

struct bwe_cluster {
    double bps;
    tr_usec started, ended; /* ended 0: going on */
    uint64_t bytes_before;
    int64_t first, end; /* numbers of its packets */
    uint32_t bytes_wanted;
    /* what came of it */
    uint32_t arrived, reported, bytes;
    uint32_t first_bytes, last_bytes; /* of the first that arrived, of the last that was sent */
    tr_usec first_sent, last_sent, first_arrival, last_arrival;
};

struct bwe_probe {
    struct bwe_cluster c;
    uint8_t id;       /* of the cluster that is out; 0: none */
    uint8_t last_id;  /* that was used */
    uint8_t initial;  /* probes of the start that are still to be made */
    tr_usec next_at;  /* not before */
    tr_usec step_at;  /* while padding goes out */
    tr_usec quiet_at; /* its own queue does not count as overuse until then */
    uint32_t sent, good;
    bool last_good;
};

void bwe_probe_start(struct bwe_probe *p, struct tr_bwe_history *h, tr_usec now, double bps);
uint32_t bwe_probe_due(struct bwe_probe *p, struct tr_bwe_history *h, tr_usec now);
void bwe_probe_packet(struct bwe_probe *p, const struct tr_bwe_packet *pkt, tr_usec sent,
                      tr_usec arrival);
/* The result when it is there: bits a second that arrived; 0: nothing, or not yet. */
double bwe_probe_result(struct bwe_probe *p, tr_usec now, tr_usec rtt);

#endif
