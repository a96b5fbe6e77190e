/* A ring of slots, each with a turn counter (after Vyukov's bounded queue): a writer claims a slot
 * by moving `tail`, fills it, and publishes it by setting the slot's turn; the reader waits for
 * the turn. So a slow writer delays the messages behind its own, and nothing else.
 *
 * Sleeping: the reader sets `asleep`, then looks at the ring once more; a writer publishes, then
 * looks at `asleep`. All four accesses are sequentially consistent, so one sees the other. (Fences
 * would say the same, but the thread sanitizer does not know them.) */
#include "net/mailbox.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

enum { SLOT_HEADER = 16, CACHE_LINE = 64 };

struct tr_mailbox {
    uint32_t mask;
    size_t message_bytes;
    size_t slot_bytes;
    uint8_t *slots; /* each: _Atomic uint32_t turn, then the message */
    int fd;
    void (*wake)(void *arg);
    void *wake_arg;
    uint8_t apart_1[CACHE_LINE]; /* writers and reader do not share a line */
    _Atomic uint32_t tail;       /* writers */
    uint8_t apart_2[CACHE_LINE];
    uint32_t head; /* reader */
    _Atomic bool asleep;
};

static _Atomic uint32_t *turn_of(struct tr_mailbox *box, uint32_t i)
{
    return (_Atomic uint32_t *)(void *)(box->slots + (i & box->mask) * box->slot_bytes);
}

static void *message_of(struct tr_mailbox *box, uint32_t i)
{
    return box->slots + (i & box->mask) * box->slot_bytes + SLOT_HEADER;
}

struct tr_mailbox *tr_mailbox_create(uint32_t slots, size_t message_bytes, void (*wake)(void *arg),
                                     void *arg)
{
    TR_ASSERT(slots > 1 && (slots & (slots - 1)) == 0);
    struct tr_mailbox *box = tr_alloc(sizeof *box);
    if (!box)
        return NULL;
    box->mask = slots - 1;
    box->message_bytes = message_bytes;
    box->slot_bytes = SLOT_HEADER + ((message_bytes + 15) & ~(size_t)15);
    box->wake = wake;
    box->wake_arg = arg;
    box->slots = tr_alloc(slots * box->slot_bytes);
    box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!box->slots || box->fd < 0) {
        tr_mailbox_destroy(box);
        return NULL;
    }
    atomic_init(&box->asleep, true); /* the first message wakes a reader that has not looked yet */
    for (uint32_t i = 0; i < slots; i++)
        atomic_init(turn_of(box, i), i);
    return box;
}

void tr_mailbox_destroy(struct tr_mailbox *box)
{
    if (!box)
        return;
    if (box->fd >= 0)
        close(box->fd);
    tr_free(box->slots);
    tr_free(box);
}

static void wake_reader(struct tr_mailbox *box)
{
    if (!atomic_load(&box->asleep))
        return;
    if (!atomic_exchange(&box->asleep, false))
        return;
    if (box->wake) {
        box->wake(box->wake_arg);
        return;
    }
    uint64_t one = 1;
    ssize_t n = write(box->fd, &one, sizeof one);
    (void)n; /* a full counter means that it is readable already */
}

enum tr_err tr_mailbox_post(struct tr_mailbox *box, const void *message)
{
    uint32_t i = atomic_load_explicit(&box->tail, memory_order_relaxed);
    for (;;) {
        uint32_t turn = atomic_load_explicit(turn_of(box, i), memory_order_acquire);
        int32_t ahead = (int32_t)(turn - i);
        if (ahead < 0)
            return TR_ERR_AGAIN;
        if (ahead > 0) {
            i = atomic_load_explicit(&box->tail, memory_order_relaxed);
            continue;
        }
        if (atomic_compare_exchange_weak_explicit(&box->tail, &i, i + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            break;
    }
    memcpy(message_of(box, i), message, box->message_bytes);
    atomic_store(turn_of(box, i), i + 1); /* see above: before the look at `asleep` */
    wake_reader(box);
    return TR_OK;
}

bool tr_mailbox_take(struct tr_mailbox *box, void *message)
{
    _Atomic uint32_t *turn = turn_of(box, box->head);
    if (atomic_load_explicit(turn, memory_order_acquire) != box->head + 1)
        return false;
    memcpy(message, message_of(box, box->head), box->message_bytes);
    atomic_store_explicit(turn, box->head + box->mask + 1, memory_order_release);
    box->head++;
    return true;
}

int tr_mailbox_fd(const struct tr_mailbox *box)
{
    return box->fd;
}

bool tr_mailbox_sleep(struct tr_mailbox *box)
{
    atomic_store(&box->asleep, true);
    if (atomic_load(turn_of(box, box->head)) != box->head + 1)
        return true;
    atomic_store(&box->asleep, false);
    return false;
}

void tr_mailbox_awake(struct tr_mailbox *box)
{
    atomic_store(&box->asleep, false);
    uint64_t count;
    ssize_t n = read(box->fd, &count, sizeof count);
    (void)n; /* EAGAIN: another descriptor woke us */
}

void tr_mailbox_awake_by_other(struct tr_mailbox *box)
{
    atomic_store(&box->asleep, false); /* a writer that was about to write ends the next wait */
}

struct tr_outbox_item {
    struct tr_outbox_item *next;
    _Alignas(16) uint8_t message[];
};

void tr_outbox_init(struct tr_outbox *out, struct tr_mailbox *to)
{
    *out = (struct tr_outbox){ .to = to };
    out->tail = &out->head;
}

static void drop_head(struct tr_outbox *out)
{
    struct tr_outbox_item *item = out->head;
    out->head = item->next;
    if (!out->head)
        out->tail = &out->head;
    out->waiting--;
    tr_free(item);
}

uint32_t tr_outbox_deinit(struct tr_outbox *out)
{
    uint32_t lost = out->waiting;
    while (out->head)
        drop_head(out);
    return lost;
}

bool tr_outbox_flush(struct tr_outbox *out)
{
    while (out->head && tr_mailbox_post(out->to, out->head->message) == TR_OK)
        drop_head(out);
    return !out->head;
}

enum tr_err tr_outbox_post(struct tr_outbox *out, const void *message)
{
    if (tr_outbox_flush(out) && tr_mailbox_post(out->to, message) == TR_OK)
        return TR_OK;
    if (out->waiting >= TR_OUTBOX_MAX)
        return TR_ERR_LIMIT;
    struct tr_outbox_item *item = tr_alloc(sizeof *item + out->to->message_bytes);
    if (!item)
        return TR_ERR_NOMEM;
    memcpy(item->message, message, out->to->message_bytes);
    *out->tail = item;
    out->tail = &item->next;
    out->waiting++;
    return TR_OK;
}
