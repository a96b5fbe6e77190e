/* Bad networks between clients and one server, as a machine without I/O: what the simulator does to
 * datagrams in virtual time (sim/sim.h), here to real ones in real time.
 *
 * A flow is one client address; it has a link of its own each way, so that clients do not disturb
 * each other. All flows have the same conditions, which may change while they run.
 * Drive: from_client, from_server, control in any order; run when next() has come. One thread. */
#ifndef TR_IMPAIR_H
#define TR_IMPAIR_H

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

enum { IMPAIR_FLOWS_MAX = 30, IMPAIR_REPLY_MAX = 256 };

struct impair;

struct impair_out { /* called from within run; datagram is valid during the call */
    void (*to_server)(void *arg, unsigned flow, struct tr_slice datagram);
    void (*to_client)(void *arg, const struct tr_addr *client, struct tr_slice datagram);
    void *arg;
};

struct impair *impair_create(uint64_t seed, tr_usec now, const struct impair_out *out);
void impair_destroy(struct impair *impair); /* NULL is fine */

/* LIMIT: one client too many. INVAL: longer than SIM_DATAGRAM_MAX. Both are dropped and counted. */
enum tr_err impair_from_client(struct impair *impair, tr_usec now, const struct tr_addr *client,
                               struct tr_slice datagram);
enum tr_err impair_from_server(struct impair *impair, tr_usec now, unsigned flow,
                               struct tr_slice datagram);
void impair_run(struct impair *impair, tr_usec now);
tr_usec impair_next(const struct impair *impair); /* absolute; TR_NEVER: nothing is under way */

/* One line of text:
 *   up|down|both [KEY VALUE]...   sets what is named, leaves the rest: rate_kbps, queue_bytes,
 *                                 delay_ms, jitter_ms, loss_percent; up: from client to server
 *   clear                         a perfect network again, both ways
 *   stats                         what happened so far
 * reply: one line of JSON for stats, "ok", or "error: ..." (BADMSG: nothing was changed). */
enum tr_err impair_control(struct impair *impair, tr_usec now, const char *line,
                           char reply[IMPAIR_REPLY_MAX]);

#endif
