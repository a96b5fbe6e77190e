/* Entries stand one behind the other, each after its length. Space in front is used again when the
 * tail meets the end, so a queue that is drained every turn stays at its first size. */
#include "dtls/queue.h"

#include "base/mem.h"
#include "dtls/dtls.h"

enum { LENGTH = 2, FIRST_SIZE = 2048 };

static enum tr_err make_room(struct dtls_queue *queue, size_t need)
{
    size_t used = queue->tail - queue->head, size = queue->size ? queue->size : FIRST_SIZE;

    if (used + need > TR_DTLS_QUEUE_BYTES_MAX)
        return TR_ERR_LIMIT;
    if (queue->head > 0) {
        memmove(queue->p, queue->p + queue->head, used);
        queue->last -= queue->last > queue->head ? queue->head : queue->last;
        queue->head = 0;
        queue->tail = used;
    }
    while (size < used + need)
        size *= 2;
    if (size == queue->size)
        return TR_OK;
    uint8_t *p = tr_realloc(queue->p, size);
    if (!p)
        return TR_ERR_NOMEM;
    queue->p = p;
    queue->size = size;
    return TR_OK;
}

enum tr_err dtls_queue_push(struct dtls_queue *queue, struct tr_slice entry)
{
    size_t need = LENGTH + entry.n;

    if (entry.n > UINT16_MAX)
        return TR_ERR_LIMIT;
    if (queue->size - queue->tail < need) {
        enum tr_err err = make_room(queue, need);
        if (err)
            return err;
    }
    queue->last = queue->tail;
    tr_put16(queue->p + queue->tail, (uint16_t)entry.n);
    if (entry.n > 0)
        memcpy(queue->p + queue->tail + LENGTH, entry.p, entry.n);
    queue->tail += need;
    return TR_OK;
}

enum tr_err dtls_queue_extend(struct dtls_queue *queue, struct tr_slice more, size_t most)
{
    size_t n = queue->tail - queue->last - LENGTH + more.n;

    if (queue->head == queue->tail || n > most)
        return TR_ERR_IGNORED;
    if (queue->size - queue->tail < more.n) {
        enum tr_err err = make_room(queue, more.n);
        if (err)
            return err;
    }
    tr_put16(queue->p + queue->last, (uint16_t)n);
    memcpy(queue->p + queue->tail, more.p, more.n);
    queue->tail += more.n;
    return TR_OK;
}

bool dtls_queue_pop(struct dtls_queue *queue, struct tr_slice *entry)
{
    if (queue->head == queue->tail)
        return false;
    uint8_t *p = queue->p + queue->head;
    *entry = tr_slice(p + LENGTH, tr_get16(p));
    queue->head += LENGTH + entry->n;
    return true;
}

void dtls_queue_trim(struct dtls_queue *queue)
{
    if (queue->head == queue->tail)
        dtls_queue_deinit(queue);
}

void dtls_queue_deinit(struct dtls_queue *queue)
{
    tr_free(queue->p);
    *queue = (struct dtls_queue){ 0 };
}
