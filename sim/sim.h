/* A network in virtual time: endpoints with addresses, links that lose, repeat, delay and queue
 * datagrams, NATs, and timers; everything random comes from one seed, so that a run replays
 * exactly. Between addresses of proto TCP datagrams are messages of a stream: delayed, never lost.
 *
 * Drive: create endpoints and timers, then sim_run. Handlers are called from within sim_run, with
 * sim_now standing still; they may send, set timers, add and remove endpoints.
 * One thread. Datagrams in flight are bounded by SIM_FLIGHTS_MAX; more are dropped and counted. */
#ifndef TR_SIM_H
#define TR_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/heap.h"
#include "base/rng.h"
#include "base/slice.h"
#include "base/time.h"

enum { SIM_FLIGHTS_MAX = 16384, SIM_DATAGRAM_MAX = 2048, SIM_OVERHEAD = 28 /* IP and UDP */ };

#define SIM_START TR_SECOND /* sim_now at first */

struct sim;
struct sim_endpoint;
struct sim_nat;

struct sim_link { /* one direction; zeroed: perfect */
    unsigned loss_ppm;
    unsigned duplicate_ppm;
    unsigned reorder_ppm; /* so many get reorder_us on top and are overtaken */
    tr_usec reorder_us;
    tr_usec delay_us;
    tr_usec jitter_us;    /* uniform on top of the delay; does not reorder */
    uint32_t rate_bps;    /* of a bottleneck; 0: none */
    uint32_t queue_bytes; /* before it; the tail is dropped; 0: 64 KiB */
};

struct sim_timer { /* zeroed with fire and arg set; embedded by its owner */
    struct tr_heap_node node;
    void (*fire)(void *arg);
    void *arg;
};

struct sim_stats {
    uint64_t sent, delivered;
    uint64_t lost, queue_full, nobody; /* of sent: link loss, bottleneck, no such address */
    uint64_t blocked;                  /* of sent: by a NAT */
    uint64_t bytes;
    uint64_t trace; /* hash of all that was sent and when: equal for equal runs */
};

struct sim *sim_create(uint64_t seed); /* NULL when memory is out */
void sim_destroy(struct sim *sim);     /* endpoints too; timers are their owners'; NULL is fine */
tr_usec sim_now(const struct sim *sim);
struct tr_rng *sim_rng(struct sim *sim);
const struct sim_stats *sim_stats(const struct sim *sim);
/* Runs all that happens within the next us microseconds. */
void sim_run(struct sim *sim, tr_usec us);
tr_usec sim_next(const struct sim *sim); /* when something happens next; TR_NEVER: not by itself */
/* TR_NEVER stops it; a time that has passed fires in this run, after what was due before. */
void sim_timer_set(struct sim *sim, struct sim_timer *timer, tr_usec at);

/* path: as the receiver sees it. */
typedef void (*sim_receive)(void *arg, const struct tr_path *path, struct tr_slice datagram);

/* An address may be used by one endpoint. NULL when memory is out. */
struct sim_endpoint *sim_endpoint_create(struct sim *sim, struct tr_addr addr, sim_receive receive,
                                         void *arg);
void sim_endpoint_destroy(struct sim_endpoint *endpoint); /* NULL is fine */
/* Its access: `up` for what it sends, `down` for what it gets; both sides' links apply in turn. */
void sim_endpoint_links(struct sim_endpoint *endpoint, const struct sim_link *up,
                        const struct sim_link *down);
/* The endpoint is in the network behind this NAT (nat.h), before it sends anything. */
void sim_endpoint_behind(struct sim_endpoint *endpoint, struct sim_nat *nat);
/* A simple NAT between the endpoint and the rest: others see `outside` (which may change in a
 * call), the endpoint goes on calling itself by its own address. Filters nothing. */
void sim_endpoint_nat(struct sim_endpoint *endpoint, struct tr_addr outside);
/* From the endpoint to `to`. */
void sim_send(struct sim_endpoint *endpoint, const struct tr_addr *to, struct tr_slice datagram);

/* OpenSSL's randomness from a seed (process wide, all threads), so that handshakes replay too. */
void sim_seed_openssl(uint64_t seed);

#endif
