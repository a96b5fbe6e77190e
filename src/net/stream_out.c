/* Writing. A turn's frames of a connection stand in its queue and go out at the flush, in one call
 * where there is no TLS. What the kernel does not take stays; then frames of media may be left out:
 * those that are too old, and when there is no more room the oldest, down to three quarters, so
 * that not each new frame costs a search. A queue's buffers exist while something is in it; some
 * are kept for the next connections that write, so that turns without congestion allocate nothing.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "net/stream_int.h"

enum { TLS_RECORD = 16384 };

static uint32_t ms_of(tr_usec us)
{
    return (uint32_t)(us / TR_MSEC);
}

/* --- buffers --- */

static void lend_spare(struct tr_streams *set, struct conn *c)
{
    if (c->out.size > 0 || set->spares_n == 0)
        return;
    c->out = set->spares[--set->spares_n];
    set->counters.queued_now += c->out.size;
}

void conn_out_deinit(struct tr_streams *set, struct conn *c)
{
    set->counters.queued_now -= c->out.size;
    if (set->spares_n < STREAM_SPARES && c->out.size == STREAM_QUEUE_FIRST) {
        set->spares[set->spares_n++] = c->out;
        c->out = (struct stream_queue){ 0 };
    }
    stream_queue_deinit(&c->out);
}

/* Room in the connection's buffer; NULL: memory is out, or all queues together are full. */
static uint8_t *reserve(struct tr_streams *set, struct conn *c, uint32_t n)
{
    lend_spare(set, c);
    uint32_t before = c->out.size;
    if (before - c->out.tail < n && set->counters.queued_now + n > set->conf.queues_bytes)
        return NULL;
    uint8_t *p = stream_queue_reserve(&c->out, n);
    set->counters.queued_now += c->out.size - before;
    return p;
}

uint32_t conn_room(const struct tr_streams *set, const struct conn *c)
{
    uint32_t n = stream_queue_n(&c->out), most = set->conf.queue_bytes;
    return n < most ? most - n : 0;
}

/* --- frames in --- */

static void drop(struct tr_streams *set, struct conn *c, uint32_t most)
{
    uint32_t old;
    uint32_t n = stream_queue_drop(&c->out, ms_of(set->now), ms_of(set->conf.queue_us), most, &old);
    set->counters.dropped_old += old;
    set->counters.dropped_full += n - old;
}

/* Of a framed connection, for n more bytes. LIMIT: this one is dropped instead; CLOSED. */
static enum tr_err make_room(struct tr_streams *set, struct conn *c, uint32_t n,
                             enum tr_stream_worth worth)
{
    uint32_t most = set->conf.queue_bytes;
    if (c->blocked_since)
        drop(set, c, most);
    if (conn_room(set, c) >= n)
        return TR_OK;
    drop(set, c, n < most / 4 * 3 ? most / 4 * 3 - n : 0);
    if (conn_room(set, c) >= n)
        return TR_OK;
    if (worth == TR_STREAM_KEEP) {
        conn_fail(set, c, TR_STREAM_CONGESTED);
        return TR_ERR_CLOSED;
    }
    set->counters.dropped_full++;
    return TR_ERR_LIMIT;
}

static void put(uint8_t **p, const void *from, size_t n)
{
    if (n > 0)
        memcpy(*p, from, n);
    *p += n;
}

static void written(struct tr_streams *set, struct conn *c, uint32_t n, bool keep)
{
    stream_queue_commit(&c->out, n, ms_of(set->now), keep);
    if (!c->blocked_since)
        conn_list_add(set, c, LIST_DIRTY);
}

enum tr_err tr_stream_write(struct tr_streams *set, tr_usec now, tr_id id, struct tr_slice head,
                            struct tr_slice data, enum tr_stream_worth worth)
{
    static const uint8_t zeros[TR_FRAME_PAD_MAX];
    struct tr_frame_wrap wrap;
    struct conn *c = conn_of(set, id);
    if (!c)
        return TR_ERR_CLOSED;
    set->now = now > set->now ? now : set->now;
    bool raw = c->framing == TR_FRAMING_RAW;
    if (raw && conn_room(set, c) < head.n + data.n && stream_queue_n(&c->out) > 0) {
        c->wants_room = true;
        return TR_ERR_AGAIN;
    }
    enum tr_err err = tr_frame_wrap(c->framing, head.n + data.n, &wrap);
    size_t n = wrap.head_n + head.n + data.n + wrap.pad;
    if (err == TR_OK && (n == 0 || n > set->conf.queue_bytes))
        err = TR_ERR_LIMIT;
    if (err == TR_OK && !raw)
        err = make_room(set, c, (uint32_t)n, worth);
    if (err != TR_OK)
        return err;
    uint8_t *p = reserve(set, c, (uint32_t)n);
    if (!p)
        return TR_ERR_NOMEM;
    put(&p, wrap.head, wrap.head_n);
    put(&p, head.p, head.n);
    put(&p, data.p, data.n);
    put(&p, zeros, wrap.pad);
    set->counters.frames_out++;
    written(set, c, (uint32_t)n, raw || worth == TR_STREAM_KEEP);
    return TR_OK;
}

size_t conn_splice(struct tr_streams *set, struct conn *to, struct tr_slice bytes)
{
    uint32_t room = conn_room(set, to);
    size_t n = bytes.n < room ? bytes.n : room;
    uint8_t *p = n > 0 ? reserve(set, to, (uint32_t)n) : NULL;
    if (!p)
        return 0;
    memcpy(p, bytes.p, n);
    written(set, to, (uint32_t)n, true);
    return n;
}

/* --- bytes out --- */

static void blocked(struct tr_streams *set, struct conn *c)
{
    if (!c->blocked_since)
        c->blocked_since = set->now;
    conn_arm(set, c);
    conn_watch(set, c);
}

/* true: go on. */
static bool write_plain(struct tr_streams *set, struct conn *c)
{
    struct tr_slice bytes = stream_queue_bytes(&c->out);
    ssize_t n = send(c->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
    set->counters.writes++;
    if (n > 0) {
        set->counters.bytes_out += (uint64_t)n;
        stream_queue_consume(&c->out, (uint32_t)n);
        return true;
    }
    if (errno == EINTR)
        return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
        blocked(set, c);
    else
        conn_fail(set, c, TR_STREAM_ERROR);
    return false;
}

/* What SSL_write was once asked to write, it must be asked for again. A frame is a record of its
 * own: there are clients (turnutils_uclient) that take what one read gives for one message. */
static bool write_tls(struct tr_streams *set, struct conn *c)
{
    struct tr_slice bytes = stream_queue_bytes(&c->out);
    uint32_t frame = c->out.notes[c->out.notes_head].n;
    uint32_t most = frame < TLS_RECORD ? frame : TLS_RECORD;
    ERR_clear_error();
    int n = SSL_write(c->ssl, bytes.p, (int)most);
    set->counters.writes++;
    c->write_wants_read = false;
    if (n > 0) {
        set->counters.bytes_out += (uint64_t)n;
        stream_queue_consume(&c->out, (uint32_t)n);
        return true;
    }
    int why = SSL_get_error(c->ssl, n);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        c->write_wants_read = why == SSL_ERROR_WANT_READ;
        c->out.locked = most;
        blocked(set, c);
    } else {
        conn_fail(set, c, why == SSL_ERROR_SSL ? TR_STREAM_TLS : TR_STREAM_ERROR);
    }
    return false;
}

/* All is out: says so to the other side, whose end is waited for: closing at once could take from
 * it what it has not read yet. */
static void shut(struct tr_streams *set, struct conn *c)
{
    if (c->shut)
        return;
    c->shut = true;
    if (c->ssl) {
        ERR_clear_error();
        SSL_shutdown(c->ssl);
    }
    shutdown(c->fd, SHUT_WR);
    conn_watch(set, c);
}

static void resume_other(struct tr_streams *set, struct conn *c)
{
    struct conn *other = conn_of(set, c->joined);
    if (!other || !other->held || conn_room(set, c) < set->conf.queue_bytes / 2)
        return;
    other->held = false;
    conn_list_add(set, other, LIST_MORE);
    conn_watch(set, other);
}

void conn_flush(struct tr_streams *set, struct conn *c)
{
    if (c->state != CONN_OPEN && c->state != CONN_LINGER)
        return;
    if (c->blocked_since)
        drop(set, c, UINT32_MAX);
    uint32_t before = stream_queue_n(&c->out);
    while (stream_queue_n(&c->out) > 0 && (c->ssl ? write_tls(set, c) : write_plain(set, c)))
        continue;
    if (c->state == CONN_DEAD)
        return;
    uint32_t left = stream_queue_n(&c->out);
    if (left == 0) {
        c->blocked_since = 0;
        conn_out_deinit(set, c);
        if (c->state == CONN_LINGER)
            shut(set, c);
    } else if (left < before) {
        c->blocked_since = set->now; /* it goes on */
    }
    if (c->wants_room)
        conn_list_add(set, c, LIST_MORE);
    resume_other(set, c);
    conn_watch(set, c);
}

bool conn_writable(struct tr_streams *set, struct conn *c)
{
    conn_flush(set, c);
    if (c->state == CONN_DEAD)
        return false;
    if (c->state != CONN_OPEN || !c->wants_room || conn_room(set, c) < set->conf.queue_bytes / 2)
        return true;
    c->wants_room = false;
    conn_list_remove(set, c, LIST_MORE);
    return conn_tell(set, c, TR_STREAM_WRITABLE, tr_slice(NULL, 0));
}

void tr_streams_flush(struct tr_streams *set, tr_usec now)
{
    struct conn *c;
    set->now = now > set->now ? now : set->now;
    while ((c = set->lists[LIST_DIRTY].first)) {
        conn_list_remove(set, c, LIST_DIRTY);
        conn_flush(set, c);
    }
}
