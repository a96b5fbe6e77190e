/* A client of our relay whose peer is our own media port. What it sends goes to its peer inside of
 * the process, as if it had come to the media port from the relayed address; what the peer sends
 * there gets the relay's head and goes to the client. No relayed socket, no second trip through the
 * kernel.
 *
 * The client calls our media address as it has learnt it, which may be a public one that a router
 * maps. Of those that stand for one address of ours the last one that it used counts. */
#include <string.h>

#include "media/msg.h"
#include "media/relay_int.h"
#include "media/worker_in.h"

/* Which of the media addresses is meant; -1: none. */
static int media_address(const struct tr_media *media, const struct tr_addr *peer)
{
    const struct tr_media_conf *conf = &media->conf;
    for (int i = 0; i < conf->bind_count; i++) {
        if (tr_addr_ip_eq(&conf->bind[i], peer) || tr_addr_ip_eq(&conf->known[i], peer))
            return i;
    }
    return -1;
}

void relay_own_in(struct rport *p, const struct tr_addr *peer, struct tr_slice data)
{
    struct worker *w = p->relay->worker;
    int i = media_address(w->media, peer);
    if (i < 0) {
        w->counters.drops[TR_DROP_UNKNOWN_ADDR]++;
        return;
    }
    struct tr_path path = { .local = w->media->conf.bind[i], .remote = p->relayed };
    path.local.port = w->media->port;
    path.local.proto = path.remote.proto = TR_PROTO_RELAY;
    p->own[i] = *peer;
    worker_datagram(w, &path, data);
}

/* The relayed address, and how its client calls ours; NULL: there is none any more. */
static struct rport *find(struct relay *r, const struct tr_path *path, const struct tr_addr **peer)
{
    struct rport *p = r ? relay_port_find(r, &path->remote) : NULL;
    int i = p ? media_address(r->worker->media, &path->local) : -1;
    if (i < 0)
        return NULL;
    *peer = &p->own[i];
    return p;
}

static void deliver(struct worker *w, const struct tr_path *path, struct tr_slice bytes,
                    size_t segment)
{
    const struct tr_addr *peer;
    struct rport *p = find(w->relay, path, &peer);
    while (p && bytes.n > 0) {
        size_t n = bytes.n < segment ? bytes.n : segment;
        relay_deliver(p, peer, tr_slice(bytes.p, n));
        bytes = tr_slice(bytes.p + n, bytes.n - n);
    }
    if (!p)
        w->counters.drops[TR_DROP_SEND]++;
}

/* --- the allocation lives on another worker --- */

static void pass_out(struct worker *w, int to, const struct tr_path *path, struct tr_slice bytes,
                     size_t segment)
{
    while (bytes.n > 0) {
        struct msg m = { .kind = MSG_RELAY_OUT, .worker = w->index };
        m.u.relay.path = *path;
        while (bytes.n > 0 && m.u.relay.count < MSG_RELAY_MAX) {
            size_t n = bytes.n < segment ? bytes.n : segment;
            struct tr_pkt *pkt = worker_pkt_of(w, tr_slice(bytes.p, n));
            if (pkt)
                m.u.relay.pkts[m.u.relay.count++] = pkt;
            bytes = tr_slice(bytes.p + n, bytes.n - n);
        }
        if (m.u.relay.count > 0)
            worker_send(w, to, &m, false);
    }
}

void relay_own_passed(struct relay *r, const struct msg *m)
{
    for (int i = 0; i < m->u.relay.count; i++) {
        struct tr_pkt *pkt = m->u.relay.pkts[i];
        deliver(r->worker, &m->u.relay.path, tr_pkt_slice(pkt), pkt->len);
        tr_pkt_unref(&pkt);
    }
}

void relay_out(struct worker *w, const struct tr_path *path, struct tr_slice datagrams,
               uint16_t segment)
{
    int home = relay_port_worker(w->media, path->remote.port);
    if (home >= 0 && home != w->index)
        pass_out(w, home, path, datagrams, segment);
    else
        deliver(w, path, datagrams, segment);
}
