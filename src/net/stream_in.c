/* Reading. Bytes come into one buffer of the set, behind the part of a frame that waited, so that
 * frames lie in one piece there; what is left over in the end is copied to where the next part
 * waits. Frames borrow from that buffer, and stay good whatever becomes of the connection.
 *
 * One that is not proven is read only as far as it may go. A joined one is read only as far as the
 * other can take it and the meter lets pass: what is too fast waits in the kernel, which tells the
 * sender. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/stream_int.h"

bool conn_keep(struct tr_streams *set, struct conn *c, struct tr_slice bytes)
{
    TR_ASSERT(!c->part);
    if (bytes.n == 0)
        return true;
    c->part = tr_alloc(bytes.n);
    if (!c->part) {
        conn_fail(set, c, TR_STREAM_NO_MEMORY);
        return false;
    }
    memcpy(c->part, bytes.p, bytes.n);
    c->part_n = (uint32_t)bytes.n;
    return true;
}

static size_t take_part(struct tr_streams *set, struct conn *c)
{
    size_t n = c->part_n;
    if (n > 0)
        memcpy(set->in, c->part, n);
    tr_free(c->part);
    c->part = NULL;
    c->part_n = 0;
    c->part_whole = false;
    return n;
}

/* --- frames --- */

static bool to_other(struct tr_streams *set, struct conn *c, struct tr_slice *bytes)
{
    struct conn *other = conn_of(set, c->joined);
    if (!other) {
        conn_fail(set, c, TR_STREAM_JOINED);
        return false;
    }
    size_t n = conn_splice(set, other, *bytes);
    if (c->state == CONN_DEAD || other->state == CONN_DEAD)
        return false;
    if (n > 0 && set->conf.meter)
        set->conf.meter->passed(set->arg, c->pair, c->forth, n);
    *bytes = tr_slice(bytes->p + n, bytes->n - n);
    other->last_in = set->now; /* neither is idle */
    c->held = bytes->n > 0 || conn_room(set, other) == 0;
    return true;
}

/* As conn_tell, for the first frame of set->rest. AGAIN: it is not whole. */
static enum tr_err next_frame(struct tr_streams *set, struct conn *c)
{
    struct tr_slice frame = { NULL, 0 };
    size_t need;
    set->rest_again = set->rest;
    enum tr_err err = tr_frame_next(c->framing, c->frame_max, &set->rest, &frame, &need);
    if (err == TR_ERR_AGAIN)
        return err;
    if (err != TR_OK) {
        conn_fail(set, c, err == TR_ERR_LIMIT ? TR_STREAM_OVERSIZED : TR_STREAM_MALFORMED);
        return TR_ERR_CLOSED;
    }
    set->counters.frames_in++;
    c->frame_begun = 0;
    if (frame.n == 0) /* RFC 4571 allows it, and it says nothing */
        return TR_OK;
    return conn_tell(set, c, TR_STREAM_FRAME, frame) ? TR_OK : TR_ERR_CLOSED;
}

/* Handles what is in `bytes` of set->in. false: as conn_tell. */
static bool feed(struct tr_streams *set, struct conn *c, struct tr_slice bytes)
{
    enum tr_err err = TR_OK;
    set->rest = bytes;
    while (err == TR_OK && set->rest.n > 0 && !c->paused && !c->joined)
        err = next_frame(set, c);
    struct tr_slice left = set->rest;
    set->rest = set->rest_again = tr_slice(NULL, 0);
    if (err != TR_OK && err != TR_ERR_AGAIN)
        return false;
    if (c->joined && !to_other(set, c, &left))
        return false;
    c->part_whole = err == TR_OK;
    if (left.n == 0)
        c->frame_begun = 0;
    else if (err == TR_ERR_AGAIN && !c->frame_begun)
        c->frame_begun = set->now;
    if (!conn_keep(set, c, left))
        return false;
    if (c->frame_begun)
        conn_arm(set, c);
    return true;
}

/* --- bytes --- */

/* What became of a read that gave nothing. false: the connection has ended. */
static bool nothing_read(struct tr_streams *set, struct conn *c, ssize_t n)
{
    if (!c->ssl) {
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return true;
        conn_fail(set, c, n == 0 ? TR_STREAM_REMOTE : TR_STREAM_ERROR);
        return false;
    }
    int why = SSL_get_error(c->ssl, (int)n);
    c->read_wants_write = why == SSL_ERROR_WANT_WRITE;
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        conn_watch(set, c);
        return c->state != CONN_DEAD;
    }
    conn_fail(set, c,
              why == SSL_ERROR_ZERO_RETURN ? TR_STREAM_REMOTE
              : why == SSL_ERROR_SYSCALL   ? TR_STREAM_ERROR
                                           : TR_STREAM_TLS);
    return false;
}

static ssize_t receive(struct tr_streams *set, struct conn *c, uint8_t *to, size_t most)
{
    set->counters.reads++;
    if (!c->ssl)
        return recv(c->fd, to, most, 0);
    ERR_clear_error();
    return SSL_read(c->ssl, to, (int)most);
}

/* Of one that is joined. */
static size_t joined_allowance(struct tr_streams *set, struct conn *c, size_t budget)
{
    const struct tr_stream_meter *meter = set->conf.meter;
    const struct conn *other = conn_of(set, c->joined);
    uint32_t room = other ? conn_room(set, other) : 0;
    c->held = room == 0;
    size_t most = budget < room ? budget : room;
    if (most == 0 || !meter)
        return most;
    most = meter->room(set->arg, c->pair, c->forth, most);
    if (most == 0)
        conn_rest(set, c);
    return most;
}

/* How much may be read into set->in now; 0: the connection has ended, or must wait. */
static size_t allowance(struct tr_streams *set, struct conn *c, size_t budget)
{
    if (c->paused || c->held || c->rests_until)
        return 0;
    if (c->joined)
        return joined_allowance(set, c, budget);
    if (c->proven)
        return budget;
    if (c->unproven_bytes >= set->conf.proof_bytes) {
        conn_fail(set, c, TR_STREAM_UNPROVEN);
        return 0;
    }
    size_t left = set->conf.proof_bytes - c->unproven_bytes;
    return budget < left ? budget : left;
}

/* One read. false: stop reading; the connection may be gone. *more: without having reached its end.
 */
static bool read_once(struct tr_streams *set, struct conn *c, size_t *budget, bool *more)
{
    size_t most = allowance(set, c, *budget);
    *more = false;
    if (most == 0)
        return false;
    size_t part = take_part(set, c);
    ssize_t n = receive(set, c, set->in + part, most);
    if (n <= 0) {
        if (nothing_read(set, c, n))
            conn_keep(set, c, tr_slice(set->in, part));
        return false;
    }
    set->counters.bytes_in += (uint64_t)n;
    c->last_in = set->now;
    if (!c->proven)
        c->unproven_bytes += (uint32_t)n;
    *budget -= (size_t)n;
    bool dry = c->ssl ? !SSL_has_pending(c->ssl) : (size_t)n < most;
    if (!feed(set, c, tr_slice(set->in, part + (size_t)n)))
        return false;
    *more = !dry && !c->paused && !c->held;
    return *more && *budget > 0;
}

/* What comes after our end is of no use to anybody. */
static void discard(struct tr_streams *set, struct conn *c)
{
    for (int i = 0; i < 8; i++) {
        ssize_t n = recv(c->fd, set->in, STREAM_READ_BYTES, 0);
        if (n > 0)
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            conn_fail(set, c, TR_STREAM_REMOTE);
        return;
    }
}

void conn_read(struct tr_streams *set, struct conn *c)
{
    size_t budget = STREAM_READ_BYTES;
    bool more = false;
    if (c->state == CONN_LINGER && c->shut)
        discard(set, c);
    if (c->state != CONN_OPEN)
        return;
    if (c->write_wants_read)
        conn_list_add(set, c, LIST_DIRTY);
    if (c->part_whole && !c->paused && !feed(set, c, tr_slice(set->in, take_part(set, c))))
        return;
    tr_id id = c->id;
    while (read_once(set, c, &budget, &more))
        continue;
    c = conn_of(set, id); /* the handler may have ended it, or sent it away */
    if (!c || c->state != CONN_OPEN)
        return;
    if (more)
        conn_list_add(set, c, LIST_MORE);
    conn_watch(set, c);
}
