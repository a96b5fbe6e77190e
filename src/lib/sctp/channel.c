/* The channels of an association. A channel is a pair of streams with one number; DCEP gives it a
 * name (RFC 8832), and resetting both streams ends it (RFC 8831 section 6.7): who gets a reset
 * answers with one, and the number is free when both are done.
 *
 * usrsctp takes one request for resets at a time, for any number of streams; what is asked for
 * meanwhile waits in a bitmap. So does an ACK that found no room to be sent. */
#include <netinet/in.h>
#include <stddef.h>

#include <usrsctp.h>

#include "base/mem.h"
#include "sctp/sctp_impl.h"

static const struct tr_dcep_delivery reliable = { .reliability = TR_DCEP_RELIABLE };

struct channel *sctp_channel(const struct tr_sctp *sctp, uint16_t stream)
{
    if (stream >= TR_SCTP_STREAMS || sctp->slot_of[stream] == SCTP_CHANNEL_NONE)
        return NULL;
    return sctp->channels[sctp->slot_of[stream]];
}

static int free_slot(const struct tr_sctp *sctp)
{
    for (int i = 0; i < TR_SCTP_CHANNELS_MAX; i++) {
        if (!sctp->channels[i])
            return i;
    }
    return -1;
}

/* LIMIT; NOMEM. label and protocol are copied. */
static enum tr_err add_channel(struct tr_sctp *sctp, const struct tr_sctp_channel *facts,
                               struct tr_slice label, struct tr_slice protocol,
                               struct channel **out)
{
    int slot = free_slot(sctp);
    if (slot < 0 || facts->id >= TR_SCTP_STREAMS)
        return TR_ERR_LIMIT;
    struct channel *c = tr_alloc(sizeof *c + label.n + protocol.n + 2);
    if (!c)
        return TR_ERR_NOMEM;
    c->facts = *facts;
    c->facts.label = c->names;
    c->facts.protocol = c->names + label.n + 1;
    if (label.n > 0)
        memcpy(c->names, label.p, label.n);
    if (protocol.n > 0)
        memcpy(c->names + label.n + 1, protocol.p, protocol.n);
    sctp->channels[slot] = c;
    sctp->slot_of[facts->id] = (uint8_t)slot;
    *out = c;
    return TR_OK;
}

static void free_channel(struct tr_sctp *sctp, struct channel *c)
{
    if (c == sctp->told)
        sctp->told = NULL;
    sctp->closed_count -= c->tell_closed;
    sctp->acks_owed -= c->ack_owed;
    sctp->channels[sctp->slot_of[c->facts.id]] = NULL;
    sctp->slot_of[c->facts.id] = SCTP_CHANNEL_NONE;
    tr_free(c);
}

static void release(struct tr_sctp *sctp, struct channel *c)
{
    if (c->in_reset && c->out_reset && !c->tell_closed && c != sctp->told)
        free_channel(sctp, c);
}

void sctp_channels_free(struct tr_sctp *sctp)
{
    for (int i = 0; i < TR_SCTP_CHANNELS_MAX; i++)
        tr_free(sctp->channels[i]);
}

/* --- closing --- */

static void want_reset(struct tr_sctp *sctp, uint16_t stream)
{
    if (stream >= TR_SCTP_STREAMS)
        return;
    sctp->resets[stream / 8] |= (uint8_t)(1u << stream % 8);
    sctp->resets_wanted = true;
    sctp_ready(sctp);
}

static void request_resets(struct tr_sctp *sctp)
{
    enum { LIST_AT = offsetof(struct sctp_reset_streams, srs_stream_list) };
    _Alignas(struct sctp_reset_streams) uint8_t bytes[LIST_AT + 2 * TR_SCTP_STREAMS] = { 0 };
    struct sctp_reset_streams *request = (struct sctp_reset_streams *)bytes;
    uint16_t count = 0;
    for (unsigned i = 0; i < TR_SCTP_STREAMS; i++) {
        if (sctp->resets[i / 8] & 1u << i % 8 && i < sctp->streams_out)
            request->srs_stream_list[count++] = (uint16_t)i;
    }
    request->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request->srs_number_streams = count;
    if (count > 0 && usrsctp_setsockopt(sctp->socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, request,
                                        (socklen_t)(LIST_AT + 2u * count)) != 0)
        return; /* another one is under way, or there is no room: its end is an event */
    memset(sctp->resets, 0, sizeof sctp->resets);
    sctp->resets_wanted = false;
    sctp->resetting = count > 0;
}

void sctp_channel_shut(struct tr_sctp *sctp, struct channel *c, bool tell)
{
    if (c->state == CHANNEL_CLOSING)
        return;
    c->state = CHANNEL_CLOSING;
    c->tell_closed = tell;
    sctp->closed_count += tell;
    sctp->acks_owed -= c->ack_owed;
    c->ack_owed = false;
    want_reset(sctp, c->facts.id);
}

void tr_sctp_close_channel(struct tr_sctp *sctp, uint16_t channel)
{
    struct channel *c = sctp_channel(sctp, channel);
    if (c)
        sctp_channel_shut(sctp, c, false);
}

static void on_reset(struct tr_sctp *sctp, uint16_t stream, bool incoming, bool outgoing)
{
    struct channel *c = sctp_channel(sctp, stream);
    if (!c || (outgoing && !incoming && c->state != CHANNEL_CLOSING))
        return;
    if (incoming) {
        sctp_channel_shut(sctp, c, true);
        c->in_reset = true;
    }
    c->out_reset |= outgoing;
    release(sctp, c);
}

/* A list without entries means all streams. */
void sctp_reset_event(struct tr_sctp *sctp, const struct sctp_stream_reset_event *event)
{
    const unsigned failed = SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED;
    bool incoming = (event->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN) != 0;
    bool outgoing = (event->strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN) != 0;
    if (outgoing)
        sctp->resetting = false;
    if (event->strreset_flags &
        failed) { /* there is no other way to close it: count it as closed */
        incoming = false;
        outgoing = true;
    }
    size_t n = event->strreset_length - sizeof *event;
    const uint16_t *list = event->strreset_stream_list;
    for (size_t i = 0; i < n / sizeof *list; i++)
        on_reset(sctp, list[i], incoming, outgoing);
    for (unsigned i = 0; n == 0 && i < TR_SCTP_STREAMS; i++)
        on_reset(sctp, (uint16_t)i, incoming, outgoing);
}

bool sctp_poll_closed(struct tr_sctp *sctp, struct tr_sctp_out *out)
{
    for (int i = 0; sctp->closed_count > 0 && i < TR_SCTP_CHANNELS_MAX; i++) {
        struct channel *c = sctp->channels[i];
        if (!c || !c->tell_closed)
            continue;
        c->tell_closed = false;
        sctp->closed_count--;
        sctp->told = c;
        *out = (struct tr_sctp_out){ .kind = TR_SCTP_CLOSED, .channel = &c->facts };
        return true;
    }
    return false;
}

void sctp_forget_told(struct tr_sctp *sctp)
{
    struct channel *c = sctp->told;
    sctp->told = NULL;
    if (c)
        release(sctp, c);
}

/* --- opening --- */

static void acknowledge(struct tr_sctp *sctp, struct channel *c)
{
    uint8_t bytes[1];
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    tr_dcep_write(&w, &(struct tr_dcep){ .type = TR_DCEP_ACK });
    enum tr_err err = sctp_write(sctp, c->facts.id, TR_PPID_DCEP, reliable, tr_wr_slice(&w));
    bool owed = err == TR_ERR_AGAIN;
    sctp->acks_owed += owed - c->ack_owed;
    c->ack_owed = owed;
    if (err == TR_ERR_NOTFOUND) /* the peer has no such stream of its own */
        sctp_channel_shut(sctp, c, true);
}

void sctp_channels_flush(struct tr_sctp *sctp)
{
    for (int i = 0; sctp->acks_owed > 0 && !sctp->blocked && i < TR_SCTP_CHANNELS_MAX; i++) {
        if (sctp->channels[i] && sctp->channels[i]->ack_owed)
            acknowledge(sctp, sctp->channels[i]);
    }
    if (sctp->resets_wanted && !sctp->resetting && sctp->up)
        request_resets(sctp);
}

static void refuse(struct tr_sctp *sctp, uint16_t stream)
{
    sctp->stats.refused_channels++;
    want_reset(sctp, stream);
}

static bool on_open(struct tr_sctp *sctp, uint16_t stream, const struct tr_dcep *m,
                    struct tr_sctp_out *out)
{
    struct tr_sctp_channel facts = { .id = stream,
                                     .delivery = m->delivery,
                                     .priority = m->priority };
    struct channel *c = sctp_channel(sctp, stream);
    if (c && c->in_reset) { /* the peer knows already that our half was reset: it may begin anew */
        free_channel(sctp, c);
        c = NULL;
    }
    if (c) {
        sctp->stats.refused_channels++;
        sctp_channel_shut(sctp, c, true);
        return false;
    }
    if (add_channel(sctp, &facts, m->label, m->protocol, &c) != TR_OK) {
        refuse(sctp, stream);
        return false;
    }
    acknowledge(sctp, c);
    if (c->state != CHANNEL_OPEN)
        return false;
    *out = (struct tr_sctp_out){ .kind = TR_SCTP_OPEN, .channel = &c->facts };
    return true;
}

bool sctp_dcep_input(struct tr_sctp *sctp, uint16_t stream, struct tr_slice message,
                     struct tr_sctp_out *out)
{
    struct tr_dcep m;
    enum tr_err err = tr_dcep_parse(&m, message);
    if (err != TR_OK) {
        sctp->stats.bad_messages++;
        if (err == TR_ERR_LIMIT)
            refuse(sctp, stream);
        return false;
    }
    if (m.type == TR_DCEP_OPEN)
        return on_open(sctp, stream, &m, out);
    struct channel *c = sctp_channel(sctp, stream);
    if (c)
        c->unacknowledged = false;
    return false;
}

struct channel *sctp_channel_of_message(struct tr_sctp *sctp, uint16_t stream)
{
    struct tr_sctp_channel facts = { .id = stream, .negotiated = true, .delivery = reliable };
    struct channel *c = sctp_channel(sctp, stream);
    if (!c && add_channel(sctp, &facts, tr_slice(NULL, 0), tr_slice(NULL, 0), &c) != TR_OK) {
        refuse(sctp, stream);
        return NULL;
    }
    /* Any message of the peer says that it has our OPEN (RFC 8832 section 6). */
    c->unacknowledged = false;
    return c->state == CHANNEL_OPEN ? c : NULL;
}

/* RFC 8832 section 6: the DTLS client takes even numbers, the server odd ones. */
static int free_stream(const struct tr_sctp *sctp)
{
    for (int i = sctp->conf.even ? 0 : 1; i < TR_SCTP_STREAMS && i < sctp->streams_out; i += 2) {
        if (sctp->slot_of[i] == SCTP_CHANNEL_NONE)
            return i;
    }
    return -1;
}

static enum tr_err announce(struct tr_sctp *sctp, uint16_t stream, const struct tr_sctp_open *open)
{
    uint8_t bytes[TR_DCEP_OPEN_MAX];
    struct tr_wr w = tr_wr(bytes, sizeof bytes);
    tr_dcep_write(&w, &(struct tr_dcep){ .type = TR_DCEP_OPEN,
                                         .delivery = open->delivery,
                                         .priority = open->priority,
                                         .label = tr_slice_str(open->label),
                                         .protocol = tr_slice_str(open->protocol) });
    return w.bad ? TR_ERR_LIMIT : sctp_write(sctp, stream, TR_PPID_DCEP, reliable, tr_wr_slice(&w));
}

enum tr_err tr_sctp_open(struct tr_sctp *sctp, const struct tr_sctp_open *open,
                         const struct tr_sctp_channel **channel)
{
    struct channel *c;
    if (sctp->down)
        return TR_ERR_CLOSED;
    if (!sctp->up)
        return TR_ERR_AGAIN;
    bool negotiated = open->stream >= 0;
    int stream = negotiated ? open->stream : free_stream(sctp);
    if (stream < 0 || stream >= sctp->streams_out)
        return TR_ERR_LIMIT;
    if (strlen(open->label) > TR_DCEP_NAME_MAX || strlen(open->protocol) > TR_DCEP_NAME_MAX)
        return TR_ERR_LIMIT;
    if (sctp_channel(sctp, (uint16_t)stream))
        return TR_ERR_EXISTS;
    struct tr_sctp_channel facts = { .id = (uint16_t)stream,
                                     .negotiated = negotiated,
                                     .ours = true,
                                     .delivery = open->delivery,
                                     .priority = open->priority };
    enum tr_err err =
        add_channel(sctp, &facts, tr_slice_str(open->label), tr_slice_str(open->protocol), &c);
    if (err != TR_OK)
        return err;
    err = negotiated ? TR_OK : announce(sctp, (uint16_t)stream, open);
    if (err != TR_OK) {
        free_channel(sctp, c);
        return err;
    }
    c->unacknowledged = !negotiated;
    *channel = &c->facts;
    return TR_OK;
}

const struct tr_sctp_channel *tr_sctp_find(const struct tr_sctp *sctp,
                                           bool (*matches)(const void *arg,
                                                           const struct tr_sctp_channel *channel),
                                           const void *arg)
{
    for (int i = 0; i < TR_SCTP_CHANNELS_MAX; i++) {
        const struct channel *c = sctp->channels[i];
        if (c && c->state == CHANNEL_OPEN && matches(arg, &c->facts))
            return &c->facts;
    }
    return NULL;
}
