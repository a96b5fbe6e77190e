/* What goes out to one peer. A message goes straight to SCTP when nothing waits before it. Else it
 * waits in one queue for all channels, in order: as a reference, because in a room the same message
 * waits for many.
 *
 * A channel is found, or opened, when the first message for it is sent; until then it is only a
 * name (an outlet). So a message may wait for a peer that is not up yet. */
#include "base/assert.h"
#include "base/mem.h"
#include "media/data_hub.h"

/* --- messages --- */

struct hub_message *message_create(struct hub *hub, bool binary, const char *prefix,
                                   struct tr_slice bytes)
{
    size_t head = prefix ? strlen(prefix) : 0;
    size_t n = head + bytes.n;
    if (n > TR_DATA_MESSAGE_MAX || hub->message_bytes + n > HUB_MESSAGE_BYTES_MAX)
        return NULL;
    struct hub_message *m = tr_alloc(sizeof *m + n);
    if (!m)
        return NULL;
    *m = (struct hub_message){ .refs = 1, .binary = binary, .len = n };
    if (head > 0)
        memcpy(m->bytes, prefix, head);
    if (bytes.n > 0)
        memcpy(m->bytes + head, bytes.p, bytes.n);
    hub->message_bytes += n;
    return m;
}

void message_unref(struct hub *hub, struct hub_message *message)
{
    if (!message || --message->refs > 0)
        return;
    hub->message_bytes -= message->len;
    tr_free(message);
}

/* --- outlets --- */

bool key_eq(const struct hub_key *a, const struct hub_key *b)
{
    return a->stream == b->stream && tr_dcep_delivery_eq(a->delivery, b->delivery) &&
           strcmp(a->label, b->label) == 0 && strcmp(a->protocol, b->protocol) == 0;
}

static struct hub_outlet *find_outlet(const struct hub_peer *p, const struct hub_key *key)
{
    struct hub_outlet *o = p->outlets;
    while (o && !key_eq(&o->key, key))
        o = o->next;
    return o;
}

static struct hub_outlet *add_outlet(struct hub_peer *p, const struct hub_key *key)
{
    size_t label = strlen(key->label) + 1, protocol = strlen(key->protocol) + 1;
    if (p->outlets_count == TR_DATA_CHANNELS_MAX)
        return NULL;
    struct hub_outlet *o = tr_alloc(sizeof *o + label + protocol);
    if (!o)
        return NULL;
    o->key = *key;
    o->key.label = memcpy(o->names, key->label, label);
    o->key.protocol = memcpy(o->names + label, key->protocol, protocol);
    o->channel = -1;
    o->next = p->outlets;
    p->outlets = o;
    p->outlets_count++;
    return o;
}

static void remove_outlet(struct hub_peer *p, struct hub_outlet *outlet)
{
    TR_ASSERT(outlet->waiting == 0);
    struct hub_outlet **at = &p->outlets;
    while (*at != outlet)
        at = &(*at)->next;
    *at = outlet->next;
    p->outlets_count--;
    tr_free(outlet);
}

static void drop(struct hub_peer *p, uint64_t messages)
{
    p->hub->counters.drops[TR_DROP_DATA_SLOW] += messages;
}

static struct hub_item *take_item(struct hub_peer *p, struct hub_item **at)
{
    struct hub_item *item = *at;
    *at = item->next;
    if (p->tail == &item->next)
        p->tail = at;
    p->queue_bytes -= item->message->len + HUB_ITEM_BYTES;
    item->outlet->waiting--;
    return item;
}

static void free_item(struct hub_peer *p, struct hub_item *item)
{
    message_unref(p->hub, item->message);
    tr_free(item);
}

/* With all that waits for it. */
static void give_up_outlet(struct hub_peer *p, struct hub_outlet *outlet)
{
    drop(p, outlet->waiting);
    for (struct hub_item **at = &p->head; *at && outlet->waiting > 0;) {
        if ((*at)->outlet == outlet)
            free_item(p, take_item(p, at));
        else
            at = &(*at)->next;
    }
    remove_outlet(p, outlet);
}

static void close_outlet(struct hub_peer *p, struct hub_outlet *outlet)
{
    if (outlet->channel >= 0 && p->sctp)
        tr_sctp_close_channel(p->sctp, (uint16_t)outlet->channel);
    give_up_outlet(p, outlet);
}

void queue_channel_closed(struct hub_peer *p, uint16_t channel)
{
    struct hub_outlet *o = p->outlets;
    while (o) {
        struct hub_outlet *next = o->next;
        if (o->channel == channel)
            give_up_outlet(p, o);
        o = next;
    }
}

void queue_sweep(struct hub_peer *p)
{
    struct hub_outlet *o = p->outlets;
    while (o) {
        struct hub_outlet *next = o->next;
        o->closing = !o->control && !hub_is_spoken_on(p, &o->key);
        if (o->closing && !o->opened && o->waiting == 0)
            remove_outlet(p, o); /* the client's own channel stays */
        else if (o->closing && o->waiting == 0)
            close_outlet(p, o);
        o = next;
    }
}

/* --- finding the channel --- */

static bool same_channel(const void *arg, const struct tr_sctp_channel *c)
{
    const struct hub_key *key = arg;
    if (key->stream >= 0 || c->negotiated)
        return c->negotiated && c->id == key->stream;
    return strcmp(c->label, key->label) == 0 && strcmp(c->protocol, key->protocol) == 0 &&
           tr_dcep_delivery_eq(c->delivery, key->delivery);
}

static bool same_name(const void *arg, const struct tr_sctp_channel *c)
{
    const struct hub_key *key = arg;
    return key->stream < 0 && !c->negotiated && !c->ours && strcmp(c->label, key->label) == 0 &&
           strcmp(c->protocol, key->protocol) == 0;
}

/* The channel that is the same in all; else one that the client opened under that name, whatever
 * its reliability; else a new one. */
static enum tr_err connect_outlet(struct hub_peer *p, struct hub_outlet *o)
{
    const struct tr_sctp_channel *c = tr_sctp_find(p->sctp, same_channel, &o->key);
    if (!c)
        c = tr_sctp_find(p->sctp, same_name, &o->key);
    if (!c) {
        struct tr_sctp_open open = { .label = o->key.label,
                                     .protocol = o->key.protocol,
                                     .delivery = o->key.delivery,
                                     .stream = o->key.stream };
        enum tr_err err = tr_sctp_open(p->sctp, &open, &c);
        if (err != TR_OK)
            return err;
        o->opened = true;
    }
    o->channel = c->id;
    return TR_OK;
}

/* AGAIN: no room. Anything else: it is done with. */
static enum tr_err send_on(struct hub_peer *p, struct hub_outlet *o, bool binary,
                           struct tr_slice bytes)
{
    enum tr_err err = TR_ERR_AGAIN;
    if (!p->sctp || p->blocked)
        return err;
    err = o->channel < 0 ? connect_outlet(p, o) : TR_OK;
    if (err == TR_OK)
        err = tr_sctp_send(p->sctp, (uint16_t)o->channel, binary, bytes);
    if (err == TR_ERR_AGAIN) {
        p->blocked = true;
        return err;
    }
    if (err == TR_OK)
        p->hub->counters.data_out++;
    else
        drop(p, 1);
    return err;
}

/* --- the queue --- */

void queue_init(struct hub_peer *p)
{
    p->tail = &p->head;
}

void queue_free(struct hub_peer *p)
{
    while (p->head)
        free_item(p, take_item(p, &p->head));
    while (p->outlets)
        remove_outlet(p, p->outlets);
    p->blocked = false;
}

bool queue_is_full(const struct hub_peer *p)
{
    return p->queue_bytes >= HUB_PATIENCE_BYTES;
}

void queue_flush(struct hub_peer *p)
{
    while (p->head && p->sctp && !p->blocked) {
        struct hub_item *item = p->head;
        struct hub_outlet *o = item->outlet;
        struct tr_slice bytes = tr_slice(item->message->bytes, item->message->len);
        if (item->expires <= p->hub->now)
            drop(p, 1);
        else if (send_on(p, o, item->message->binary, bytes) == TR_ERR_AGAIN)
            return;
        free_item(p, take_item(p, &p->head));
        if (o->closing && o->waiting == 0)
            close_outlet(p, o);
    }
}

static enum tr_err enqueue(struct hub_peer *p, struct hub_outlet *o, struct hub_message *message)
{
    struct hub_item *item = tr_alloc(sizeof *item);
    if (!item)
        return TR_ERR_NOMEM;
    item->message = message;
    message->refs++;
    item->outlet = o;
    item->expires = o->key.delivery.reliability == TR_DCEP_LIFETIME
                        ? p->hub->now + o->key.delivery.limit * TR_MSEC
                        : TR_NEVER;
    o->waiting++;
    p->queue_bytes += message->len + HUB_ITEM_BYTES;
    *p->tail = item;
    p->tail = &item->next;
    return TR_OK;
}

/* No room now: it waits, where it may. A reliable channel that would lose it ends instead. */
static void keep(struct hub_peer *p, struct hub_outlet *o, bool patient, bool binary,
                 struct tr_slice bytes, struct hub_message **shared)
{
    bool reliable = o->key.delivery.reliability == TR_DCEP_RELIABLE;
    bool fits = p->queue_bytes + bytes.n + HUB_ITEM_BYTES <= TR_DATA_QUEUE_MAX;
    if (fits && (reliable || patient)) {
        if (!*shared)
            *shared = message_create(p->hub, binary, NULL, bytes);
        if (*shared && enqueue(p, o, *shared) == TR_OK)
            return;
    }
    drop(p, 1);
    if (reliable)
        close_outlet(p, o);
}

void queue_put(struct hub_peer *p, const struct hub_key *key, bool control, bool patient,
               bool binary, struct tr_slice bytes, struct hub_message **shared)
{
    struct hub_outlet *o = find_outlet(p, key);
    if (!o)
        o = add_outlet(p, key);
    if (!o) {
        drop(p, 1);
        return;
    }
    o->control |= control;
    o->closing = false;
    if (p->head || send_on(p, o, binary, bytes) == TR_ERR_AGAIN)
        keep(p, o, patient, binary, bytes, shared);
}
