/* The relay of a worker: its TURN server, the sockets of that, and the short way between a client
 * of the relay and a peer of our own. Inside of src/media only; of one worker. */
#ifndef TR_MEDIA_RELAY_H
#define TR_MEDIA_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/time.h"

struct msg;
struct relay;
struct tr_media;
struct worker;

/* Opens w->relay when TURN is configured. */
TR_MUST_USE enum tr_err relay_open(struct worker *w, uint16_t port);
void relay_close(struct worker *w);
uint16_t relay_port(const struct worker *w);
/* The parts of a turn; nothing where there is no relay. */
bool relay_read(struct worker *w, uint32_t ready); /* true: not all is read dry */
void relay_timers(struct worker *w);
void relay_flush(struct worker *w);
void relay_tick(struct worker *w); /* publishes counters */
tr_usec relay_next_timeout(const struct worker *w);
void relay_message(struct worker *w, const struct msg *m);

/* Datagrams for a client of the relay, of one of our own peers: path->remote is a relayed address
 * of ours (TR_PROTO_RELAY), path->local the media port. They lie one after the other, each of
 * `segment` bytes and the last one maybe shorter. Copied at once. */
void relay_out(struct worker *w, const struct tr_path *path, struct tr_slice datagrams,
               uint16_t segment);

#endif
