/* From one set to another, and two of one set made one. What is handed over is the connection
 * itself, struck from all tables; frames that its set has read but not handled go with it. */
#include <string.h>
#include <sys/epoll.h>

#include "base/assert.h"
#include "net/stream_int.h"

struct tr_stream_moved {
    struct conn conn;
};

struct tr_stream_moved *tr_stream_detach(struct tr_streams *set, tr_id id, bool again)
{
    struct conn *c = conn_of(set, id);
    if (!c || c->state != CONN_OPEN)
        return NULL;
    bool handled_now = set->current == c && set->rest_again.n > 0;
    if (handled_now && !conn_keep(set, c, again ? set->rest_again : set->rest))
        return NULL;
    epoll_ctl(set->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    conn_leave(set, c);
    if (set->own_quota)
        conn_uncount(c);
    tr_idtab_remove(set->conns, c->id);
    c->joined = 0;
    c->held = false;
    c->part_whole = true;
    set->counters.detached++;
    return TR_CONTAINER_OF(c, struct tr_stream_moved, conn);
}

enum tr_err tr_stream_adopt(struct tr_streams *set, tr_usec now, struct tr_stream_moved *moved,
                            void *user, tr_id *id)
{
    struct conn *c = &moved->conn;
    set->now = now > set->now ? now : set->now;
    c->user = user;
    TR_ASSERT(!c->quota || c->quota == set->quota);
    enum tr_err err = c->quota ? TR_OK : conn_count(set, c);
    if (err == TR_OK && !c->proven)
        err = conn_crowd(set, c, STREAM_UNPROVEN);
    tr_usec blocked_since = c->blocked_since;
    if (err == TR_OK)
        err = conn_enter(set, c);
    if (err != TR_OK) {
        conn_uncrowd_all(set, c);
        conn_free(c);
        return err;
    }
    if (stream_queue_n(&c->out) > 0 && !blocked_since)
        conn_list_add(set, c, LIST_DIRTY);
    conn_list_add(set, c, LIST_MORE);
    set->counters.adopted++;
    *id = c->id;
    return TR_OK;
}

void tr_stream_moved_destroy(struct tr_stream_moved *moved)
{
    if (moved)
        conn_free(&moved->conn);
}

static void turn_raw(struct tr_streams *set, struct conn *c, tr_id other, uint64_t pair)
{
    c->framing = TR_FRAMING_RAW;
    c->joined = other;
    c->pair = pair;
    c->paused = false;
    c->proven = true;
    conn_uncrowd(set, c, STREAM_UNPROVEN);
    c->part_whole = c->part_n > 0;
    c->frame_begun = 0;
    c->last_in = set->now;
    conn_list_add(set, c, LIST_MORE);
    conn_watch(set, c);
}

enum tr_err tr_stream_join(struct tr_streams *set, tr_usec now, tr_id a_id, tr_id b_id,
                           uint64_t pair)
{
    struct conn *a = conn_of(set, a_id), *b = conn_of(set, b_id);
    set->now = now > set->now ? now : set->now;
    if (!a || !b || a == b || a->state != CONN_OPEN || b->state != CONN_OPEN || a->joined ||
        b->joined)
        return TR_ERR_NOTFOUND;
    turn_raw(set, a, b->id, pair);
    turn_raw(set, b, a->id, pair);
    a->forth = true;
    return TR_OK;
}
