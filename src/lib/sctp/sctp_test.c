/* See sctp_test.h. */
#include "sctp/sctp_test.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sctp/sctp_clock.h"

uint32_t sum_of(const uint8_t *p, size_t n)
{
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 16777619u;
    return sum;
}

static struct heard *note(struct side *s, const struct tr_sctp_out *out)
{
    struct heard *h = &s->heard[s->heard_count % HEARD_MAX];
    s->heard_count++;
    *h = (struct heard){ .kind = out->kind, .binary = out->binary, .len = out->data.n };
    if (out->channel) {
        h->channel = out->channel->id;
        h->delivery = out->channel->delivery;
        h->negotiated = out->channel->negotiated;
        snprintf(h->label, sizeof h->label, "%s", out->channel->label);
    }
    if (out->kind == TR_SCTP_MESSAGE)
        h->sum = sum_of(out->data.p, out->data.n);
    return h;
}

static void side_send(struct world *w, struct side *s, struct tr_slice packet)
{
    memcpy(s->last_packet, packet.p, packet.n);
    s->last_packet_len = packet.n;
    if (s->cut || !s->other || w->count == WIRE_MAX)
        return;
    struct wire_packet *p = &w->wire[(w->first + w->count++) % WIRE_MAX];
    p->to = s->other;
    p->n = packet.n;
    memcpy(p->bytes, packet.p, packet.n);
}

static void side_message(struct side *s, struct tr_slice message)
{
    s->messages++;
    s->message_bytes += message.n;
    if (message.n < 4)
        return;
    uint32_t number = tr_get32(message.p);
    s->messages_unordered += number != s->next_number;
    s->next_number = number + 1;
}

void listen_to(struct world *w, struct side *s)
{
    struct tr_sctp_out out;
    for (tr_sctp_poll(s->sctp, &out); out.kind != TR_SCTP_NONE; tr_sctp_poll(s->sctp, &out)) {
        if (out.kind == TR_SCTP_SEND)
            side_send(w, s, out.data);
        else if (out.kind == TR_SCTP_UP)
            s->up = true;
        else
            note(s, &out);
        if (out.kind == TR_SCTP_MESSAGE)
            side_message(s, out.data);
        if (out.kind == TR_SCTP_WRITABLE)
            s->writable = true;
        if (out.kind == TR_SCTP_DOWN)
            s->down = out.reason;
    }
}

void settle(struct world *w)
{
    struct tr_sctp *s;
    for (;;) {
        while ((s = tr_sctp_stack_next(w->stack)))
            listen_to(w, tr_sctp_user(s));
        if (w->count == 0)
            return;
        struct wire_packet *p = &w->wire[w->first];
        w->first = (w->first + 1) % WIRE_MAX;
        w->count--;
        if (p->to->sctp)
            (void)!tr_sctp_input(p->to->sctp, w->now, tr_slice(p->bytes, p->n));
    }
}

void run(struct world *w, tr_usec us)
{
    tr_usec end = w->now + us;
    settle(w);
    while (w->now < end) {
        sctp_clock_now = w->now = tr_usec_min(end, tr_sctp_stack_next_timeout(w->stack));
        tr_sctp_stack_timeout(w->stack, w->now);
        settle(w);
    }
}

struct tr_sctp *side_open(struct world *w, struct side *s, bool even)
{
    struct tr_sctp_conf conf = { .local_port = 5000, .remote_port = 5000, .even = even, .user = s };
    s->sctp = tr_sctp_create(w->stack, w->now, &conf);
    return s->sctp;
}

bool world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    sctp_clock_now = w->now = TR_SECOND;
    w->a.other = &w->b;
    w->b.other = &w->a;
    w->wire = tr_alloc(WIRE_MAX * sizeof *w->wire);
    w->stack = w->wire ? tr_sctp_stack_create(w->now) : NULL;
    return w->stack && side_open(w, &w->a, true) && side_open(w, &w->b, false);
}

void world_close(struct world *w)
{
    tr_sctp_destroy(w->a.sctp);
    tr_sctp_destroy(w->b.sctp);
    tr_sctp_stack_destroy(w->stack);
    tr_free(w->wire);
}

struct heard *last_of(struct side *s, enum tr_sctp_kind kind)
{
    for (int i = s->heard_count - 1; i >= 0 && i >= s->heard_count - HEARD_MAX; i--) {
        if (s->heard[i % HEARD_MAX].kind == kind)
            return &s->heard[i % HEARD_MAX];
    }
    return NULL;
}

int count_of(const struct side *s, enum tr_sctp_kind kind)
{
    int n = 0;
    for (int i = 0; i < s->heard_count && i < HEARD_MAX; i++)
        n += s->heard[i].kind == kind;
    return n;
}

int open_channel(struct side *s, const char *label, struct tr_dcep_delivery delivery)
{
    const struct tr_sctp_channel *channel;
    struct tr_sctp_open open = {
        .label = label, .protocol = "p", .delivery = delivery, .priority = 256, .stream = -1
    };
    return tr_sctp_open(s->sctp, &open, &channel) == TR_OK ? channel->id : -1;
}
