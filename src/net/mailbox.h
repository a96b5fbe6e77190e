/* Mailbox: a bounded queue of fixed-size messages from any thread to one, with a wake-up.
 *
 * The reader takes messages until there are none, says that it goes to sleep (tr_mailbox_sleep),
 * and waits on tr_mailbox_fd among its other descriptors. A writer makes a system call only when
 * the reader sleeps. Drop policy: a full mailbox refuses (AGAIN); what may be lost is counted by
 * the writer, what may not goes through an outbox, which keeps it until there is room. */
#ifndef TR_MAILBOX_H
#define TR_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tr_mailbox;

/* slots: a power of two. wake: called by a writer instead of writing to the descriptor, for a
 * reader that sleeps in a loop of its own; may be NULL. NULL when memory or descriptors are out. */
struct tr_mailbox *tr_mailbox_create(uint32_t slots, size_t message_bytes, void (*wake)(void *arg),
                                     void *arg);
void tr_mailbox_destroy(struct tr_mailbox *box); /* NULL is fine; drain first what owns memory */
/* Copies message_bytes. AGAIN: full. Any thread. */
TR_MUST_USE enum tr_err tr_mailbox_post(struct tr_mailbox *box, const void *message);
/* false: empty. Reader only. */
bool tr_mailbox_take(struct tr_mailbox *box, void *message);
int tr_mailbox_fd(const struct tr_mailbox *box); /* readable when the reader should wake */
/* Reader only: true: asleep from now on; false: a message came meanwhile, take it first. */
bool tr_mailbox_sleep(struct tr_mailbox *box);
void tr_mailbox_awake(struct tr_mailbox *box); /* after waiting */
/* The same when tr_mailbox_fd is known not to be readable: saves a system call. */
void tr_mailbox_awake_by_other(struct tr_mailbox *box);

/* Outbox: messages of one writer that must not be lost, in order. One thread. So many that the
 * maximum is reached wait only for a reader that has stopped for good. */
enum { TR_OUTBOX_MAX = 1 << 18 };

struct tr_outbox_item;

struct tr_outbox {
    struct tr_mailbox *to;
    struct tr_outbox_item *head;
    struct tr_outbox_item **tail;
    uint32_t waiting;
};

void tr_outbox_init(struct tr_outbox *out, struct tr_mailbox *to);
/* Frees what waits; returns how many messages were lost by it. */
uint32_t tr_outbox_deinit(struct tr_outbox *out);
/* Posts, or keeps for later. NOMEM, LIMIT: lost. */
TR_MUST_USE enum tr_err tr_outbox_post(struct tr_outbox *out, const void *message);
bool tr_outbox_flush(struct tr_outbox *out); /* true: nothing waits any more */

#endif
