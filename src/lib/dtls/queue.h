/* A queue of byte strings in one buffer that grows up to a maximum. Inside of lib/dtls. */
#ifndef TR_DTLS_QUEUE_H
#define TR_DTLS_QUEUE_H

#include "base/err.h"
#include "base/slice.h"

struct dtls_queue { /* zeroed means: empty */
    uint8_t *p;
    size_t head; /* of the first entry */
    size_t last; /* start of the last entry, while there is one */
    size_t tail; /* end of it */
    size_t size;
};

/* LIMIT: TR_DTLS_QUEUE_BYTES_MAX reached; NOMEM. */
TR_MUST_USE enum tr_err dtls_queue_push(struct dtls_queue *queue, struct tr_slice entry);
/* Appends to the last entry if it then has at most `most` bytes; else IGNORED. LIMIT, NOMEM. */
TR_MUST_USE enum tr_err dtls_queue_extend(struct dtls_queue *queue, struct tr_slice more,
                                          size_t most);
bool dtls_queue_pop(struct dtls_queue *queue,
                    struct tr_slice *entry);      /* valid until a push or trim */
void dtls_queue_trim(struct dtls_queue *queue);   /* frees an empty queue's memory */
void dtls_queue_deinit(struct dtls_queue *queue); /* also empties */

#endif
