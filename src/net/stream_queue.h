/* What waits to be written to one stream: bytes in one piece, and where its frames end, so that
 * whole frames can be left out. Inside of src/net. */
#ifndef TR_STREAM_QUEUE_H
#define TR_STREAM_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct stream_note { /* of one frame */
    uint32_t n;      /* bytes of it that are still here */
    uint32_t ms;     /* when it came, the low bits of the time */
    bool keep;
};

struct stream_queue { /* zeroed means: empty */
    uint8_t *bytes;
    uint32_t head, tail, size;
    struct stream_note *notes;
    uint32_t notes_head, notes_tail, notes_size;
    uint32_t locked; /* from the head on, so many must go out: begun, or promised to OpenSSL */
};

enum { STREAM_QUEUE_FIRST = 16384, STREAM_NOTES_FIRST = 32 };

void stream_queue_deinit(struct stream_queue *q);

static inline uint32_t stream_queue_n(const struct stream_queue *q)
{
    return q->tail - q->head;
}

static inline struct tr_slice stream_queue_bytes(const struct stream_queue *q)
{
    return tr_slice(q->bytes ? q->bytes + q->head : NULL, stream_queue_n(q));
}

/* Room behind the tail for one more frame of n bytes; NULL: memory is out. */
uint8_t *stream_queue_reserve(struct stream_queue *q, uint32_t n);
/* The frame that was written there. */
void stream_queue_commit(struct stream_queue *q, uint32_t n, uint32_t now_ms, bool keep);
void stream_queue_consume(struct stream_queue *q, uint32_t n); /* so much was written */
/* Leaves out whole frames that need not be kept, oldest first: as many as have waited longer than
 * age_ms, and until at most `most` bytes are left. Returns how many; *old of them for their age. */
uint32_t stream_queue_drop(struct stream_queue *q, uint32_t now_ms, uint32_t age_ms, uint32_t most,
                           uint32_t *old);

#endif
