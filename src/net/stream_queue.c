/* One buffer and one array, both used from the front to the back: what is left moves to the front
 * when there is no more room behind it, before the buffer is made larger. The owner bounds it. */
#include "net/stream_queue.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void stream_queue_deinit(struct stream_queue *q)
{
    tr_free(q->bytes);
    tr_free(q->notes);
    *q = (struct stream_queue){ 0 };
}

static void to_front(struct stream_queue *q)
{
    uint32_t n = stream_queue_n(q);
    if (q->head > 0 && n > 0)
        memmove(q->bytes, q->bytes + q->head, n);
    q->head = 0;
    q->tail = n;
}

static bool room_for_bytes(struct stream_queue *q, uint32_t n)
{
    if (q->size - q->tail >= n)
        return true;
    to_front(q);
    if (q->size - q->tail >= n)
        return true;
    uint32_t size = q->size ? q->size : STREAM_QUEUE_FIRST;
    while (size - q->tail < n)
        size *= 2;
    uint8_t *bytes = tr_realloc(q->bytes, size);
    if (!bytes)
        return false;
    q->bytes = bytes;
    q->size = size;
    return true;
}

static bool room_for_note(struct stream_queue *q)
{
    if (q->notes_tail < q->notes_size)
        return true;
    if (q->notes_head > q->notes_size / 2) {
        q->notes_tail -= q->notes_head;
        memmove(q->notes, q->notes + q->notes_head, q->notes_tail * sizeof *q->notes);
        q->notes_head = 0;
        return true;
    }
    uint32_t size = q->notes_size ? q->notes_size * 2 : STREAM_NOTES_FIRST;
    struct stream_note *notes = tr_realloc(q->notes, size * sizeof *notes);
    if (!notes)
        return false;
    q->notes = notes;
    q->notes_size = size;
    return true;
}

uint8_t *stream_queue_reserve(struct stream_queue *q, uint32_t n)
{
    return room_for_note(q) && room_for_bytes(q, n) ? q->bytes + q->tail : NULL;
}

void stream_queue_commit(struct stream_queue *q, uint32_t n, uint32_t now_ms, bool keep)
{
    TR_ASSERT(q->size - q->tail >= n && n > 0);
    q->tail += n;
    q->notes[q->notes_tail++] = (struct stream_note){ .n = n, .ms = now_ms, .keep = keep };
}

void stream_queue_consume(struct stream_queue *q, uint32_t n)
{
    TR_ASSERT(n <= stream_queue_n(q));
    q->head += n;
    q->locked = q->locked > n ? q->locked - n : 0;
    while (n > 0 && n >= q->notes[q->notes_head].n)
        n -= q->notes[q->notes_head++].n;
    if (n > 0) {
        struct stream_note *begun = &q->notes[q->notes_head];
        begun->n -= n;
        if (q->locked < begun->n)
            q->locked = begun->n;
    }
    if (q->head == q->tail) {
        TR_ASSERT(q->notes_head == q->notes_tail);
        q->head = q->tail = q->notes_head = q->notes_tail = 0;
    }
}

/* The first frame that can still be left out, and where it begins. */
static uint32_t first_free(const struct stream_queue *q, uint32_t *at)
{
    uint32_t i = q->notes_head;
    *at = q->head;
    while (i < q->notes_tail && *at - q->head < q->locked)
        *at += q->notes[i++].n;
    return i;
}

uint32_t stream_queue_drop(struct stream_queue *q, uint32_t now_ms, uint32_t age_ms, uint32_t most,
                           uint32_t *old)
{
    uint32_t dropped = 0, from, left = stream_queue_n(q);
    uint32_t kept = first_free(q, &from), to = from;
    *old = 0;
    /* They came in order: when the first one may stay, all may. */
    uint32_t i = kept;
    while (i < q->notes_tail && q->notes[i].keep)
        i++;
    if (i == q->notes_tail || (left <= most && now_ms - q->notes[i].ms <= age_ms))
        return 0;
    for (i = kept; i < q->notes_tail; i++) {
        struct stream_note note = q->notes[i];
        bool late = now_ms - note.ms > age_ms;
        if (!note.keep && (late || left > most)) {
            dropped++;
            *old += late;
            left -= note.n;
        } else {
            if (to != from)
                memmove(q->bytes + to, q->bytes + from, note.n);
            q->notes[kept++] = note;
            to += note.n;
        }
        from += note.n;
    }
    q->tail = to;
    q->notes_tail = kept;
    if (q->head == q->tail)
        q->head = q->tail = q->notes_head = q->notes_tail = 0;
    return dropped;
}
