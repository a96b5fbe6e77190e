/* One buffer holds the datagrams as they came; each flow has a chain through them. A message is a
 * part of a chain with one size: an iovec for each datagram, or one for several that lie side by
 * side. The flows are found by a small hash table that is emptied with each flush. */
#include "net/gather.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "net/burst.h"
#include "net/sockaddr.h"

enum {
    BYTES_MAX = 1 << 20,
    SLOTS = 1024, /* a power of two, well above TR_GATHER_FLOWS */
    MESSAGES = 64,
    NONE = 0xffff,
};

struct datagram {
    uint32_t at;
    uint16_t len;
    uint16_t next; /* of the flow; NONE: the last */
};

struct flow {
    struct tr_addr to;
    int fd;
    bool df;
    uint16_t first, last;
};

struct message {
    struct sockaddr_storage to;
    _Alignas(8) uint8_t control[TR_BURST_CONTROL];
};

struct tr_gather {
    bool gso;
    uint64_t seed;
    struct tr_udp_counters counters;
    uint32_t used;
    int datagrams_count, flows_count;
    uint16_t latest; /* flow of the last put */
    uint16_t slots[SLOTS];
    struct datagram datagrams[TR_GATHER_DATAGRAMS];
    struct flow flows[TR_GATHER_FLOWS];
    struct message messages[MESSAGES];
    struct mmsghdr hdrs[MESSAGES];
    struct iovec iovs[TR_GATHER_DATAGRAMS];
    int messages_count, iovs_count;
    uint8_t bytes[BYTES_MAX];
};

struct tr_gather *tr_gather_create(bool gso, uint64_t seed)
{
    struct tr_gather *g = tr_alloc(sizeof *g);
    if (!g)
        return NULL;
    g->gso = gso;
    g->seed = seed;
    memset(g->slots, 0xff, sizeof g->slots);
    return g;
}

void tr_gather_destroy(struct tr_gather *g)
{
    tr_free(g);
}

const struct tr_udp_counters *tr_gather_counters(const struct tr_gather *g)
{
    return &g->counters;
}

/* --- collecting --- */

static bool is_flow(const struct flow *f, int fd, const struct tr_addr *to, bool df)
{
    return f->fd == fd && f->df == df && tr_addr_eq(&f->to, to);
}

/* The flow, made when it is new; there is room for it. */
static uint16_t flow_of(struct tr_gather *g, int fd, const struct tr_addr *to, bool df)
{
    if (g->flows_count > 0 && is_flow(&g->flows[g->latest], fd, to, df))
        return g->latest;
    uint64_t slot = tr_addr_hash(to, g->seed ^ (uint64_t)fd << 1 ^ df) & (SLOTS - 1);
    while (g->slots[slot] != NONE && !is_flow(&g->flows[g->slots[slot]], fd, to, df))
        slot = (slot + 1) & (SLOTS - 1);
    if (g->slots[slot] == NONE) {
        g->slots[slot] = (uint16_t)g->flows_count;
        g->flows[g->flows_count++] =
            (struct flow){ .to = *to, .fd = fd, .df = df, .first = NONE, .last = NONE };
    }
    g->latest = g->slots[slot];
    return g->latest;
}

static void copy_parts(uint8_t *p, const struct tr_gather_out *out)
{
    if (out->head.n > 0)
        memcpy(p, out->head.p, out->head.n);
    if (out->data.n > 0)
        memcpy(p + out->head.n, out->data.p, out->data.n);
    memset(p + out->head.n + out->data.n, 0, out->pad);
}

void tr_gather_put(struct tr_gather *g, const struct tr_gather_out *out)
{
    size_t len = out->head.n + out->data.n + out->pad;
    if (len > TR_GATHER_DATAGRAM_MAX) {
        g->counters.send_dropped++;
        return;
    }
    if (g->datagrams_count == TR_GATHER_DATAGRAMS || g->flows_count == TR_GATHER_FLOWS ||
        BYTES_MAX - g->used < len)
        tr_gather_flush(g);
    struct flow *f = &g->flows[flow_of(g, out->fd, &out->to, out->df)];
    uint16_t i = (uint16_t)g->datagrams_count++;
    g->datagrams[i] = (struct datagram){ .at = g->used, .len = (uint16_t)len, .next = NONE };
    copy_parts(g->bytes + g->used, out);
    g->used += (uint32_t)len;
    if (f->first == NONE)
        f->first = i;
    else
        g->datagrams[f->last].next = i;
    f->last = i;
}

/* --- sending --- */

/* A bit of the socket, so it holds for all messages that share the call. Routers never cut IPv6;
 * there it keeps this machine from doing so. */
static void set_df(int fd, const struct tr_addr *to, bool on)
{
    int v4 = on ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
    int v6 = on ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT;
    if (tr_addr_is_v4(to))
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4);
    else
        setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6);
}

static void send_messages(struct tr_gather *g, const struct flow *f)
{
    if (g->messages_count == 0)
        return;
    if (f->df)
        set_df(f->fd, &f->to, true);
    tr_burst_send(f->fd, g->hdrs, g->messages_count, &g->counters, &g->gso);
    if (f->df)
        set_df(f->fd, &f->to, false);
    g->messages_count = g->iovs_count = 0;
}

/* Whether datagram d can follow in a message of `count` datagrams and `bytes`, of this size. */
static bool can_follow(const struct tr_gather *g, const struct datagram *d, size_t size, int count,
                       size_t bytes)
{
    return g->gso && size > 0 && d->len <= size && d->len > 0 && count < TR_UDP_SEGMENTS_MAX &&
           bytes + d->len <= TR_BURST_BYTES_MAX;
}

/* Forms one message of the flow's datagrams from i on; returns the first that is not in it. */
static uint16_t add_message(struct tr_gather *g, const struct flow *f, uint16_t i)
{
    struct message *m = &g->messages[g->messages_count];
    struct msghdr *hdr = &g->hdrs[g->messages_count++].msg_hdr;
    struct iovec *iov = &g->iovs[g->iovs_count];
    size_t size = g->datagrams[i].len, bytes = 0;
    int count = 0, parts = 0;
    uint32_t end = 0;
    do {
        const struct datagram *d = &g->datagrams[i];
        if (parts > 0 && d->at == end)
            iov[parts - 1].iov_len += d->len;
        else
            iov[parts++] = (struct iovec){ g->bytes + d->at, d->len };
        end = d->at + d->len;
        bytes += d->len;
        count++;
        i = d->next;
        if (d->len < size)
            break; /* only the last one may be shorter */
    } while (i != NONE && can_follow(g, &g->datagrams[i], size, count, bytes));
    g->iovs_count += parts;
    *hdr = (struct msghdr){ .msg_name = &m->to,
                            .msg_namelen = tr_sockaddr_put(&m->to, &f->to),
                            .msg_iov = iov,
                            .msg_iovlen = (size_t)parts };
    if (count > 1)
        tr_burst_segment(hdr, m->control, (uint16_t)size);
    return i;
}

void tr_gather_flush(struct tr_gather *g)
{
    const struct flow *before = NULL;
    if (g->datagrams_count == 0)
        return;
    for (int k = 0; k < g->flows_count; k++) {
        const struct flow *f = &g->flows[k];
        if (before && (before->fd != f->fd || before->df != f->df))
            send_messages(g, before);
        for (uint16_t i = f->first; i != NONE;) {
            if (g->messages_count == MESSAGES)
                send_messages(g, f);
            i = add_message(g, f, i);
        }
        before = f;
    }
    send_messages(g, before);
    memset(g->slots, 0xff, sizeof g->slots);
    g->used = 0;
    g->datagrams_count = g->flows_count = 0;
}
