/* What the control thread waits with. The library's own loop asks poll(2) about every connection in
 * each turn; this one is libuv's epoll, into which the library puts its sockets, so that a turn
 * costs what is ready and not what is open.
 *
 *   create -> lws_create_context on tr_web_loop_foreign -> turn ... -> tr_web_loop_end -> destroy
 *
 * One thread. */
#ifndef TR_TRANSPORT_LOOP_H
#define TR_TRANSPORT_LOOP_H

#include "base/time.h"

struct lws_context;
struct tr_web_loop;

/* NULL: out of memory or descriptors. */
struct tr_web_loop *tr_web_loop_create(void);
void tr_web_loop_destroy(struct tr_web_loop *loop); /* NULL is fine; the context has ended */
/* For foreign_loops of the context, whose options have LWS_SERVER_OPTION_LIBUV. */
void **tr_web_loop_foreign(struct tr_web_loop *loop);
/* Waits at most so long (0: only looks; TR_NEVER: no limit) for sockets, timers of the library or a
 * wake-up (lws_cancel_service, any thread), and handles what there is, once. Timers of the library
 * that were set outside of its callbacks are known to the loop after the next wake-up only. */
void tr_web_loop_turn(struct tr_web_loop *loop, struct lws_context *context, tr_usec wait_us);
/* Closes all connections and frees the context, in which *context is set to NULL (it must be the
 * pcontext that it was made with). */
void tr_web_loop_end(struct tr_web_loop *loop, struct lws_context **context);

#endif
