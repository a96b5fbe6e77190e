/* The way of a datagram: known address -> its peer; unknown address -> only an authenticated STUN
 * check is let in, and says whose the address is. */
#include "media/worker_in.h"

#include <string.h>

#include "base/mem.h"
#include "ice/ice.h"
#include "media/path_key.h"
#include "media/tcp.h"
#include "peer/rtp_meta.h"
#include "rtp/rtp.h"
#include "stun/stun.h"
#include "turn/binding.h"
#include "turn/throttle.h"

enum {
    CHECKS_A_SECOND = 200,   /* of one peer; a browser paces 20 */
    REPORTS_A_SECOND = 1000, /* its RTCP: 64 streams, feedback 20 times a second and more */
    BINDING_BYTES = 256,
};

#define ADDR_QUIET_US (5 * TR_SECOND) /* clients that live say something more often */

/* --- whose an address is --- */

struct addr_entry {
    tr_id peer;
    struct wpeer *here; /* NULL: lives on `worker` */
    int worker;
    struct rate rate; /* that may be passed on there: nobody has looked at it yet */
    tr_usec heard;
};

void worker_addr_add(struct worker *w, const struct tr_path *path, tr_id peer, struct wpeer *here,
                     int worker)
{
    struct path_key key = path_key_by_remote(path);
    struct tr_slice k = path_key_slice(&key);
    struct addr_entry *e = tr_map_get(w->addrs, k);
    if (!e) {
        e = tr_alloc(sizeof *e);
        if (!e || tr_map_add(w->addrs, k, e) != TR_OK) {
            tr_free(e);
            return; /* its datagrams count as unknown; ICE will fail and say so */
        }
    }
    *e = (struct addr_entry){ .peer = peer, .here = here, .worker = worker, .heard = w->now };
    rate_init(&e->rate, 0, w->now);
}

void worker_addr_remove(struct worker *w, const struct tr_path *path, tr_id peer)
{
    struct path_key key = path_key_by_remote(path);
    struct tr_slice k = path_key_slice(&key);
    struct addr_entry *e = tr_map_get(w->addrs, k);
    /* The address may be another peer's by now. */
    if (e && e->peer == peer)
        tr_free(tr_map_remove(w->addrs, k));
}

struct wpeer *worker_addr_peer(struct worker *w, const struct tr_path *path)
{
    struct path_key key = path_key_by_remote(path);
    const struct addr_entry *e = tr_map_get(w->addrs, path_key_slice(&key));
    return e ? e->here : NULL;
}

/* --- what a peer sends --- */

static void rtp_in(struct worker *w, struct wpeer *p, struct tr_slice datagram)
{
    int mline;
    struct tr_pkt *pkt = worker_spare(w);
    if (pkt && tr_peer_rtp(p->peer, w->now, datagram, pkt, &mline) == TR_OK)
        worker_media_in(w, mline < p->tracks_count ? p->sources[mline] : NULL, &p->rate,
                        datagram.n);
}

/* Whether a client may have so much to say besides media. */
static bool is_flood(struct worker *w, struct wpeer *p, enum tr_demux kind)
{
    bool flood = (kind == TR_DEMUX_STUN && !rate_count_take(&p->stun, w->now, CHECKS_A_SECOND)) ||
                 (kind == TR_DEMUX_RTCP && !rate_count_take(&p->rtcp, w->now, REPORTS_A_SECOND));
    w->counters.drops[TR_DROP_FLOOD] += flood;
    return flood;
}

static void peer_in(struct worker *w, struct wpeer *p, const struct tr_path *path,
                    struct tr_slice datagram)
{
    enum tr_demux kind = tr_demux(datagram);
    if (kind == TR_DEMUX_RTP)
        rtp_in(w, p, datagram);
    else if (is_flood(w, p, kind))
        return;
    else
        tr_peer_input(p->peer, w->now, *path, datagram);
    wpeer_touch(p);
    if (kind == TR_DEMUX_STUN)
        wpeer_speak(p); /* a new path must be known before the next datagram of the batch */
}

struct tr_pkt *worker_pkt_of(struct worker *w, struct tr_slice bytes)
{
    struct tr_pkt *pkt = bytes.n <= TR_PKT_DATA_MAX ? tr_pkt_alloc(w->pool) : NULL;
    if (!pkt) {
        w->counters.drops[TR_DROP_NO_BUFFER]++;
        return NULL;
    }
    memcpy(tr_pkt_data(pkt), bytes.p, bytes.n);
    pkt->len = (uint16_t)bytes.n;
    return pkt;
}

/* To the worker where the peer lives; the copy is in a packet of our pool. */
static void pass_on(struct worker *w, int to, tr_id peer, const struct tr_path *path,
                    struct tr_slice datagram)
{
    struct tr_pkt *pkt = worker_pkt_of(w, datagram);
    if (!pkt)
        return;
    struct msg m = { .kind = MSG_DATAGRAM, .worker = w->index, .peer = peer };
    m.u.datagram.path = *path;
    m.u.datagram.pkt = pkt;
    worker_send(w, to, &m, false);
}

/* --- what a stranger sends --- */

static bool proves(void *arg, const char *pwd)
{
    return tr_ice_check_auth(*(const struct tr_slice *)arg, tr_slice_str(pwd)) == TR_OK;
}

/* Anybody may ask which address he is seen by. Answered without state, over UDP. */
static void answer_binding(struct worker *w, const struct tr_path *path, struct tr_slice datagram)
{
    static const struct tr_binding_conf conf = { 0 };
    uint8_t buf[BINDING_BYTES];
    struct tr_wr answer = tr_wr(buf, sizeof buf);
    struct tr_path out;
    struct tr_stun m;
    if (path->remote.proto != TR_PROTO_UDP ||
        tr_stun_parse(&m, datagram, TR_STUN_FOR_TURN) != TR_OK || (m.has & TR_STUN_HAS_USERNAME) ||
        !tr_throttle_allow(w->throttle, w->now, &path->remote) ||
        tr_binding_answer(&conf, path, &m, &answer, &out) != TR_OK)
        w->counters.drops[TR_DROP_STUN_BAD]++;
    else
        tr_udp_send(w->udp, &out, tr_wr_slice(&answer));
}

/* A check from an address that is nobody's yet; whether it is one. */
static bool stranger(struct worker *w, const struct tr_path *path, struct tr_slice datagram)
{
    struct tr_slice ufrag;
    struct tr_claim_result claim;
    if (tr_demux(datagram) != TR_DEMUX_STUN) {
        w->counters.drops[TR_DROP_UNKNOWN_ADDR]++;
        return false;
    }
    if (tr_ice_peek_ufrag(datagram, &ufrag) != TR_OK) {
        answer_binding(w, path, datagram);
        return false;
    }
    enum tr_err err = tr_claims_take(w->media->claims, ufrag, w->index, proves, &datagram, &claim);
    if (err != TR_OK) {
        w->counters.drops[err == TR_ERR_AUTH ? TR_DROP_STUN_AUTH : TR_DROP_STUN_UNKNOWN_UFRAG]++;
        return false;
    }
    if (claim.peer)
        wpeer_adopt(w, claim.peer);
    if (claim.owner != w->index) {
        if (path->remote.proto == TR_PROTO_TCP)
            tcp_hand_over(w, path, claim.owner);
        else
            pass_on(w, claim.owner, 0, path, datagram);
        return true;
    }
    struct wpeer *p = wpeer_of_ufrag(w, ufrag);
    if (p)
        peer_in(w, p, path, datagram);
    return p != NULL;
}

/* A silent address may have another client by now: one that crashed and came back, or that a NAT
 * gave the port to. One in use is never given away, or whoever can forge it could cut off a call
 * with a check for a peer of his own. */
static bool is_given_away(const struct addr_entry *e, struct worker *w, struct tr_slice datagram)
{
    struct tr_slice ufrag;
    if (w->now - e->heard < ADDR_QUIET_US || tr_ice_peek_ufrag(datagram, &ufrag) != TR_OK)
        return false;
    return !e->here || wpeer_of_ufrag(w, ufrag) != e->here;
}

bool worker_datagram(struct worker *w, const struct tr_path *path, struct tr_slice datagram)
{
    struct path_key key = path_key_by_remote(path);
    struct addr_entry *e = tr_map_get(w->addrs, path_key_slice(&key));
    w->arrival_worker = w->index;
    if (!e || (path->remote.proto != TR_PROTO_TCP && is_given_away(e, w, datagram)))
        return stranger(w, path, datagram);
    e->heard = w->now;
    if (e->here)
        peer_in(w, e->here, path, datagram);
    else if (rate_take(&e->rate, w->now, datagram.n))
        pass_on(w, e->worker, e->peer, path, datagram);
    else
        w->counters.drops[TR_DROP_RATE]++;
    return true;
}

void worker_datagram_in(void *arg, const struct tr_path *path, struct tr_slice datagram)
{
    (void)worker_datagram(arg, path, datagram);
}

void worker_datagram_passed(struct worker *w, const struct msg *m)
{
    struct tr_pkt *pkt = m->u.datagram.pkt;
    struct tr_slice datagram = tr_pkt_slice(pkt), ufrag;
    struct path_key key = path_key_by_remote(&m->u.datagram.path);
    struct addr_entry *e = tr_map_get(w->addrs, path_key_slice(&key));
    struct wpeer *p = e ? e->here : wpeer_find(w, m->peer);
    if (!p && tr_ice_peek_ufrag(datagram, &ufrag) == TR_OK)
        p = wpeer_of_ufrag(w, ufrag);
    w->arrival_worker = m->worker;
    if (p)
        peer_in(w, p, &m->u.datagram.path, datagram);
    else
        w->counters.drops[TR_DROP_UNKNOWN_ADDR]++;
    tr_pkt_unref(&pkt);
}
