/* One association: a one-to-one socket of usrsctp, bound and connected to an address that stands
 * for the DTLS connection. Packets that usrsctp sends gather in a list until they are polled. What
 * it has received stays in its buffer until it is polled, so that the window it offers to the peer
 * closes when the owner holds back.
 *
 * A message comes whole as a rule; usrsctp gives it in parts when it is longer than the partial
 * delivery point, and then they are put together here. */
#include <errno.h>
#include <netinet/in.h>

#include <usrsctp.h>

#include "base/assert.h"
#include "base/mem.h"
#include "sctp/filter.h"
#include "sctp/sctp_impl.h"

enum {
    PARTIAL_FIRST = 32 * 1024,
    RTO_INITIAL_MS = 1000,
    RTO_MIN_MS = 400, /* above the 200 ms that a peer may delay an acknowledgement */
    RTO_MAX_MS = 10000,
    INIT_TRIES = 8,
    COMMON_HEADER = 12 /* which usrsctp does not count as a part of the path's MTU */
};

static void sctp_check(const struct tr_sctp *sctp)
{
    TR_ASSERT(sctp->packets_count <= TR_SCTP_PACKETS_MAX);
    TR_ASSERT(sctp->partial_bytes <= sctp->partial_size);
    TR_ASSERT(sctp->partial_size <= TR_SCTP_MESSAGE_MAX);
    TR_ASSERT(sctp->closed_count >= 0 && sctp->acks_owed >= 0);
}

void sctp_fail(struct tr_sctp *sctp, const char *reason)
{
    if (sctp->down)
        return;
    sctp->down = true;
    sctp->reason = reason;
    sctp_ready(sctp);
}

/* --- life --- */

static struct sockaddr_conn address_of(const struct tr_sctp *sctp, uint16_t port)
{
    return (struct sockaddr_conn){ .sconn_family = AF_CONN,
                                   .sconn_port = htons(port),
                                   .sconn_addr = (void *)(uintptr_t)sctp->id };
}

static bool set(struct tr_sctp *sctp, int level, int option, const void *value, size_t n)
{
    return usrsctp_setsockopt(sctp->socket, level, option, value, (socklen_t)n) == 0;
}

static bool set_events(struct tr_sctp *sctp)
{
    static const uint16_t types[] = { SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT,
                                      SCTP_STREAM_RESET_EVENT, SCTP_PARTIAL_DELIVERY_EVENT };
    struct sctp_event event = { .se_assoc_id = SCTP_ALL_ASSOC, .se_on = 1 };
    for (size_t i = 0; i < TR_ARRAY_LEN(types); i++) {
        event.se_type = types[i];
        if (!set(sctp, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event))
            return false;
    }
    return true;
}

static bool set_options(struct tr_sctp *sctp)
{
    const struct linger abort_at_close = { .l_onoff = 1, .l_linger = 0 };
    const int on = 1, off = 0, buffer = TR_SCTP_BUFFER_BYTES;
    const uint32_t whole = TR_SCTP_MESSAGE_MAX;
    const struct sctp_assoc_value resets = { .assoc_id = SCTP_ALL_ASSOC,
                                             .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ };
    const struct sctp_initmsg init = { .sinit_num_ostreams = TR_SCTP_STREAMS,
                                       .sinit_max_instreams = TR_SCTP_STREAMS,
                                       .sinit_max_attempts = INIT_TRIES };
    const struct sctp_rtoinfo rto = { .srto_initial = RTO_INITIAL_MS,
                                      .srto_min = RTO_MIN_MS,
                                      .srto_max = RTO_MAX_MS };
    return usrsctp_set_non_blocking(sctp->socket, 1) == 0 &&
           set(sctp, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof abort_at_close) &&
           set(sctp, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) &&
           set(sctp, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer) &&
           set(sctp, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on) &&
           set(sctp, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on) &&
           set(sctp, IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, &off, sizeof off) &&
           set(sctp, IPPROTO_SCTP, SCTP_PARTIAL_DELIVERY_POINT, &whole, sizeof whole) &&
           set(sctp, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &resets, sizeof resets) &&
           set(sctp, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init) &&
           set(sctp, IPPROTO_SCTP, SCTP_RTOINFO, &rto, sizeof rto) && set_events(sctp);
}

/* Packets fit a DTLS record of ours, and ICE is what finds out whether the peer lives. */
static bool set_path(struct tr_sctp *sctp, struct sockaddr_conn remote)
{
    struct sctp_paddrparams path = { .spp_pathmtu = TR_SCTP_PACKET_MAX - COMMON_HEADER,
                                     .spp_flags = SPP_PMTUD_DISABLE | SPP_HB_DISABLE };
    memcpy(&path.spp_address, &remote, sizeof remote);
    return set(sctp, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
}

static enum tr_err open_socket(struct tr_sctp *sctp)
{
    void *address = (void *)(uintptr_t)sctp->id;
    struct sockaddr_conn local = address_of(sctp, sctp->conf.local_port);
    struct sockaddr_conn remote = address_of(sctp, sctp->conf.remote_port);
    usrsctp_register_address(address);
    sctp->socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (!sctp->socket)
        return TR_ERR_NOMEM;
    if (!set_options(sctp) || usrsctp_set_upcall(sctp->socket, sctp_on_event, address) != 0)
        return TR_ERR_IO;
    if (usrsctp_bind(sctp->socket, (struct sockaddr *)&local, sizeof local) != 0)
        return TR_ERR_IO;
    if (usrsctp_connect(sctp->socket, (struct sockaddr *)&remote, sizeof remote) != 0 &&
        errno != EINPROGRESS)
        return TR_ERR_IO;
    return set_path(sctp, remote) ? TR_OK : TR_ERR_IO;
}

static void touch(struct tr_sctp_stack *stack, tr_usec now)
{
    if (tr_idtab_count(stack->associations) == 1 && now > stack->ticked + TR_SECOND)
        stack->ticked = now; /* nobody ticked while there was nothing to tick for */
    stack->touched = now;
}

struct tr_sctp *tr_sctp_create(struct tr_sctp_stack *stack, tr_usec now,
                               const struct tr_sctp_conf *conf)
{
    struct tr_sctp *sctp = tr_alloc(sizeof *sctp);
    if (!sctp)
        return NULL;
    sctp->stack = stack;
    sctp->conf = *conf;
    tr_sctp_set_message_max(sctp, conf->message_max);
    sctp->packets_tail = &sctp->packets;
    memset(sctp->slot_of, SCTP_CHANNEL_NONE, sizeof sctp->slot_of);
    sctp->id = tr_idtab_add(stack->associations, sctp);
    if (!sctp->id) {
        tr_free(sctp);
        return NULL;
    }
    touch(stack, now);
    if (open_socket(sctp) != TR_OK) {
        tr_sctp_destroy(sctp);
        return NULL;
    }
    return sctp;
}

static struct sctp_packet *take_packet(struct tr_sctp *sctp)
{
    struct sctp_packet *packet = sctp->packets;
    if (!packet)
        return NULL;
    sctp->packets = packet->next;
    sctp->packets_count--;
    if (!sctp->packets)
        sctp->packets_tail = &sctp->packets;
    return packet;
}

void tr_sctp_destroy(struct tr_sctp *sctp)
{
    struct sctp_packet *packet;
    if (!sctp)
        return;
    void *address = (void *)(uintptr_t)sctp->id;
    tr_idtab_remove(sctp->stack->associations, sctp->id); /* call-backs find nothing any more */
    if (sctp->socket)
        usrsctp_close(sctp->socket);
    usrsctp_deregister_address(address);
    sctp_unready(sctp);
    while ((packet = take_packet(sctp)))
        tr_free(packet);
    tr_free(sctp->polled);
    tr_free(sctp->partial);
    sctp_channels_free(sctp);
    tr_free(sctp);
}

void *tr_sctp_user(const struct tr_sctp *sctp)
{
    return sctp->conf.user;
}

void tr_sctp_set_message_max(struct tr_sctp *sctp, uint32_t bytes)
{
    sctp->conf.message_max =
        bytes == 0 || bytes > TR_SCTP_MESSAGE_MAX ? TR_SCTP_MESSAGE_MAX : bytes;
}

const struct tr_sctp_stats *tr_sctp_stats(const struct tr_sctp *sctp)
{
    return &sctp->stats;
}

/* --- in --- */

enum tr_err tr_sctp_input(struct tr_sctp *sctp, tr_usec now, struct tr_slice packet)
{
    touch(sctp->stack, now);
    if (!sctp_filter_packet(packet, sctp->conf.local_port, sctp->conf.remote_port)) {
        sctp->stats.bad_packets++;
        return TR_ERR_BADMSG;
    }
    sctp->stats.packets_in++;
    usrsctp_conninput((void *)(uintptr_t)sctp->id, packet.p, packet.n, 0);
    sctp_ready(sctp);
    sctp_check(sctp);
    return TR_OK;
}

static void on_change(struct tr_sctp *sctp, const struct sctp_assoc_change *change)
{
    switch (change->sac_state) {
    case SCTP_COMM_UP:
        sctp->up = true;
        sctp->streams_out = change->sac_outbound_streams;
        break;
    case SCTP_RESTART: sctp_fail(sctp, "SCTP restarted by the peer"); break;
    case SCTP_CANT_STR_ASSOC: sctp_fail(sctp, "No SCTP handshake"); break;
    case SCTP_SHUTDOWN_COMP: sctp_fail(sctp, "SCTP closed by the peer"); break;
    default: sctp_fail(sctp, "SCTP connection lost"); break;
    }
}

static void drop_partial(struct tr_sctp *sctp)
{
    tr_free(sctp->partial);
    sctp->partial = NULL;
    sctp->partial_bytes = sctp->partial_size = 0;
}

static void on_notification(struct tr_sctp *sctp, const void *bytes, size_t n)
{
    const union sctp_notification *event = bytes;
    if (n < sizeof event->sn_header || n < event->sn_header.sn_length)
        return;
    switch (event->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE: on_change(sctp, &event->sn_assoc_change); break;
    case SCTP_SHUTDOWN_EVENT: sctp_fail(sctp, "SCTP closed by the peer"); break;
    case SCTP_STREAM_RESET_EVENT: sctp_reset_event(sctp, &event->sn_strreset_event); break;
    case SCTP_PARTIAL_DELIVERY_EVENT: /* the sender gave it up: its beginning is no message */
        drop_partial(sctp);
        sctp->skipping = false;
        break;
    default: break;
    }
}

/* Puts a part behind those before it. LIMIT: the message is too long; NOMEM. */
static enum tr_err add_part(struct tr_sctp *sctp, struct tr_slice part)
{
    size_t need = sctp->partial_bytes + part.n;
    size_t size = sctp->partial_size ? sctp->partial_size : PARTIAL_FIRST;
    if (need > TR_SCTP_MESSAGE_MAX)
        return TR_ERR_LIMIT;
    while (size < need)
        size *= 2;
    if (size != sctp->partial_size) {
        uint8_t *grown = sctp->partial ? tr_realloc(sctp->partial, size) : tr_alloc(size);
        if (!grown)
            return TR_ERR_NOMEM;
        sctp->partial = grown;
        sctp->partial_size = size;
    }
    memcpy(sctp->partial + sctp->partial_bytes, part.p, part.n);
    sctp->partial_bytes = need;
    return TR_OK;
}

/* True: *bytes is a whole message now. One that is too long costs its channel: whoever sends it
 * was told how long messages may be. */
static bool complete(struct tr_sctp *sctp, uint16_t stream, bool last, struct tr_slice *bytes)
{
    if (sctp->skipping) {
        sctp->skipping = !last;
        return false;
    }
    if (last && sctp->partial_bytes == 0)
        return true;
    enum tr_err err = add_part(sctp, *bytes);
    if (err != TR_OK) {
        struct channel *c = sctp_channel(sctp, stream);
        sctp->stats.bad_messages++;
        sctp->skipping = !last;
        drop_partial(sctp);
        if (c)
            sctp_channel_shut(sctp, c, true);
        return false;
    }
    if (!last)
        return false;
    memcpy(sctp->stack->message, sctp->partial, sctp->partial_bytes);
    *bytes = tr_slice(sctp->stack->message, sctp->partial_bytes);
    drop_partial(sctp);
    return true;
}

static bool on_message(struct tr_sctp *sctp, uint16_t stream, uint32_t ppid, struct tr_slice bytes,
                       struct tr_sctp_out *out)
{
    if (ppid == TR_PPID_DCEP)
        return sctp_dcep_input(sctp, stream, bytes, out);
    bool empty = ppid == TR_PPID_TEXT_EMPTY || ppid == TR_PPID_BINARY_EMPTY;
    bool binary = ppid == TR_PPID_BINARY || ppid == TR_PPID_BINARY_EMPTY;
    if (!empty && ppid != TR_PPID_TEXT && ppid != TR_PPID_BINARY) {
        sctp->stats.bad_messages++;
        return false;
    }
    struct channel *c = sctp_channel_of_message(sctp, stream);
    if (!c)
        return false;
    sctp->stats.messages_in++;
    *out = (struct tr_sctp_out){ .kind = TR_SCTP_MESSAGE,
                                 .channel = &c->facts,
                                 .binary = binary,
                                 .data = empty ? tr_slice(NULL, 0) : bytes };
    return true;
}

/* Reads until there is something to tell, or nothing left. */
static bool poll_messages(struct tr_sctp *sctp, struct tr_sctp_out *out)
{
    while (sctp->readable && !sctp->held && !sctp->down && sctp->closed_count == 0) {
        struct sctp_rcvinfo info = { 0 };
        struct sockaddr_conn from;
        socklen_t from_size = sizeof from, info_size = sizeof info;
        unsigned type = 0;
        int flags = 0;
        ssize_t n =
            usrsctp_recvv(sctp->socket, sctp->stack->message, TR_SCTP_MESSAGE_MAX,
                          (struct sockaddr *)&from, &from_size, &info, &info_size, &type, &flags);
        if (n <= 0) {
            sctp->readable = false;
            if (n == 0)
                sctp_fail(sctp, "SCTP closed by the peer");
            break;
        }
        struct tr_slice bytes = tr_slice(sctp->stack->message, (size_t)n);
        bool last = (flags & MSG_EOR) != 0;
        if (flags & MSG_NOTIFICATION)
            on_notification(sctp, bytes.p, bytes.n);
        else if (complete(sctp, info.rcv_sid, last, &bytes) &&
                 on_message(sctp, info.rcv_sid, ntohl(info.rcv_ppid), bytes, out))
            return true;
    }
    return false;
}

/* --- out --- */

static bool poll_packet(struct tr_sctp *sctp, struct tr_sctp_out *out)
{
    tr_free(sctp->polled);
    sctp->polled = take_packet(sctp);
    if (!sctp->polled)
        return false;
    sctp->stats.packets_out++;
    *out = (struct tr_sctp_out){ .kind = TR_SCTP_SEND,
                                 .data = tr_slice(sctp->polled->bytes, sctp->polled->n) };
    return true;
}

/* What is told once, when it has become true. */
static bool poll_once(bool is, bool *told, struct tr_sctp_out *out, enum tr_sctp_kind kind)
{
    if (!is || *told)
        return false;
    *told = true;
    out->kind = kind;
    return true;
}

static bool poll_writable(struct tr_sctp *sctp, struct tr_sctp_out *out)
{
    bool stirred = sctp->stirred;
    sctp->stirred = false;
    sctp->readable |= stirred;
    if (!stirred || !sctp->blocked || !(usrsctp_get_events(sctp->socket) & SCTP_EVENT_WRITE))
        return false;
    sctp->blocked = false;
    out->kind = TR_SCTP_WRITABLE;
    return true;
}

void tr_sctp_poll(struct tr_sctp *sctp, struct tr_sctp_out *out)
{
    *out = (struct tr_sctp_out){ .kind = TR_SCTP_NONE };
    sctp_forget_told(sctp);
    if (!sctp->down)
        sctp_channels_flush(sctp);
    if (poll_packet(sctp, out) || poll_once(sctp->up, &sctp->up_told, out, TR_SCTP_UP) ||
        sctp_poll_closed(sctp, out) || poll_writable(sctp, out) || poll_messages(sctp, out)) {
        sctp_check(sctp);
        return;
    }
    /* Reading may have brought any of these about. */
    if (poll_packet(sctp, out) || poll_once(sctp->up, &sctp->up_told, out, TR_SCTP_UP) ||
        sctp_poll_closed(sctp, out))
        return;
    if (poll_once(sctp->down, &sctp->down_told, out, TR_SCTP_DOWN))
        out->reason = sctp->reason;
    sctp_check(sctp);
}

void tr_sctp_hold(struct tr_sctp *sctp, bool hold)
{
    if (sctp->held && !hold)
        sctp_ready(sctp);
    sctp->held = hold;
}

static struct sctp_prinfo reliability_of(struct tr_dcep_delivery delivery)
{
    static const uint16_t policies[] = { [TR_DCEP_RELIABLE] = SCTP_PR_SCTP_NONE,
                                         [TR_DCEP_RETRANSMITS] = SCTP_PR_SCTP_RTX,
                                         [TR_DCEP_LIFETIME] = SCTP_PR_SCTP_TTL };
    return (struct sctp_prinfo){ .pr_policy = policies[delivery.reliability],
                                 .pr_value = delivery.limit };
}

enum tr_err sctp_write(struct tr_sctp *sctp, uint16_t stream, enum tr_dcep_ppid ppid,
                       struct tr_dcep_delivery delivery, struct tr_slice bytes)
{
    struct sctp_sendv_spa spa = { .sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID };
    if (sctp->down)
        return TR_ERR_CLOSED;
    if (!sctp->up)
        return TR_ERR_AGAIN;
    spa.sendv_sndinfo.snd_sid = stream;
    spa.sendv_sndinfo.snd_flags = SCTP_EOR | (delivery.unordered ? SCTP_UNORDERED : 0);
    spa.sendv_sndinfo.snd_ppid = htonl((uint32_t)ppid);
    spa.sendv_prinfo = reliability_of(delivery);
    ssize_t n =
        usrsctp_sendv(sctp->socket, bytes.p, bytes.n, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0);
    if (n == (ssize_t)bytes.n) {
        sctp_ready(sctp); /* packets may wait now */
        return TR_OK;
    }
    if (n < 0 && (errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM)) {
        sctp->blocked = true;
        return TR_ERR_AGAIN;
    }
    if (n < 0 && errno == EINVAL)
        return TR_ERR_NOTFOUND; /* the peer has not so many streams, or this one is being reset */
    return TR_ERR_CLOSED;
}

enum tr_err tr_sctp_send(struct tr_sctp *sctp, uint16_t channel, bool binary,
                         struct tr_slice message)
{
    static const uint8_t empty = 0;
    struct channel *c = sctp_channel(sctp, channel);
    enum tr_dcep_ppid ppid = binary ? TR_PPID_BINARY : TR_PPID_TEXT;
    if (sctp->down)
        return TR_ERR_CLOSED;
    if (!c || c->state != CHANNEL_OPEN)
        return TR_ERR_NOTFOUND;
    if (message.n > sctp->conf.message_max)
        return TR_ERR_LIMIT;
    if (message.n == 0) {
        ppid = binary ? TR_PPID_BINARY_EMPTY : TR_PPID_TEXT_EMPTY;
        message = tr_slice(&empty, 1);
    }
    struct tr_dcep_delivery delivery = c->facts.delivery;
    delivery.unordered &= !c->unacknowledged;
    enum tr_err err = sctp_write(sctp, channel, ppid, delivery, message);
    if (err == TR_OK)
        sctp->stats.messages_out++;
    sctp_check(sctp);
    return err;
}
