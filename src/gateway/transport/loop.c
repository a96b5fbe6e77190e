/* The library's part for libuv is a plugin of its own, which knows three things badly, for which
 * this file makes up:
 *   - it hands out bytes that it has read already (of a TLS record, of a second request) once after
 *     a socket was ready, and then waits although there may be more: so each turn asks;
 *   - it closes handles a turn later, and only then their connections: so the end takes turns, too;
 *   - it looks at the library's timers after a socket was ready, and when the one is due that was
 *     next then: whoever sets one from outside wakes the loop. */
#include "gateway/transport/loop.h"

#include <libwebsockets.h>
#include <uv.h>

#include "base/mem.h"

enum { END_TURNS_MAX = 1000 };

struct tr_web_loop {
    uv_loop_t uv;
    uv_timer_t alarm; /* ends a wait */
    void *foreign[1];
};

struct tr_web_loop *tr_web_loop_create(void)
{
    struct tr_web_loop *loop = tr_alloc(sizeof(*loop));
    if (!loop)
        return NULL;
    if (uv_loop_init(&loop->uv) != 0) {
        tr_free(loop);
        return NULL;
    }
    uv_timer_init(&loop->uv, &loop->alarm);
    loop->foreign[0] = &loop->uv;
    return loop;
}

/* Handles are gone a turn after they were closed. */
static void run_out(struct tr_web_loop *loop)
{
    for (int i = 0; i < END_TURNS_MAX && uv_loop_alive(&loop->uv); i++)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
}

void tr_web_loop_destroy(struct tr_web_loop *loop)
{
    if (!loop)
        return;
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    run_out(loop);
    uv_loop_close(&loop->uv);
    tr_free(loop);
}

void **tr_web_loop_foreign(struct tr_web_loop *loop)
{
    return loop->foreign;
}

/* What is due is done behind the turn. */
static void on_alarm(uv_timer_t *alarm)
{
}

void tr_web_loop_turn(struct tr_web_loop *loop, struct lws_context *context, tr_usec wait_us)
{
    if (!lws_service_adjust_timeout(context, 1, 0))
        lws_cancel_service(context);
    if (wait_us == TR_NEVER) {
        uv_timer_stop(&loop->alarm);
    } else {
        uv_update_time(&loop->uv);
        uv_timer_start(&loop->alarm, on_alarm, (uint64_t)(wait_us + 999) / 1000, 0);
    }
    uv_run(&loop->uv, wait_us == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
}

void tr_web_loop_end(struct tr_web_loop *loop, struct lws_context **context)
{
    uv_timer_stop(&loop->alarm);
    for (int i = 0; i < 2 && *context; i++) { /* the first starts it, the second frees */
        lws_context_destroy(*context);
        run_out(loop);
    }
}
