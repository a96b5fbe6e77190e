/* Requests: who asks is proven first, then each method has its function.
 *
 * What leaves before proof must not be worth forging a request for (reflection). Over UDP such an
 * answer has to pass the throttle, has no reason phrase and no SOFTWARE, and is at most twice as
 * long on the wire as what it answers. One exception: the first Allocate of a real client is so
 * short (28 bytes, 56 on the wire) that the 401 with realm, nonce and algorithms must be longer:
 * about 90 bytes with a realm of a few letters, 2.1 times on the wire (3.2 without the headers of
 * IP and UDP). It is sent, and bounded by the throttle alone: a kilobyte a second for a victim.
 * A header without REQUESTED-TRANSPORT is no such Allocate and gets nothing. A TCP client has
 * proven its address by its handshake, one with an allocation by its nonce: they are not throttled,
 * so that many behind one address can renew their nonces at once. */
#include "base/assert.h"
#include "turn/binding.h"
#include "turn/policy.h"
#include "turn/throttle.h"
#include "turn/turn_int.h"

enum { HEADERS_V4 = 28, HEADERS_V6 = 48, REFLECT_MAX = 2 };

static enum tr_err on_create_permission(struct turn_req *q);
static enum tr_err on_channel_bind(struct turn_req *q);

static enum tr_err (*handler(uint16_t method))(struct turn_req *q)
{
    switch (method) {
    case TR_TURN_ALLOCATE: return turn_on_allocate;
    case TR_TURN_REFRESH: return turn_on_refresh;
    case TR_TURN_CREATE_PERMISSION: return on_create_permission;
    case TR_TURN_CHANNEL_BIND: return on_channel_bind;
    case TR_TURN_CONNECT: return turn_on_connect;
    case TR_TURN_CONNECTION_BIND: return turn_on_connection_bind;
    default: return NULL;
    }
}

struct turn_cred turn_req_cred(const struct turn_req *q)
{
    struct turn_cred c = { .key_n = q->who.key_n, .sha256 = q->who.sha256 };
    memcpy(c.key, q->who.key, sizeof c.key);
    memcpy(c.user_hash, q->who.user_hash, sizeof c.user_hash);
    return c;
}

bool turn_req_owns(const struct turn_req *q, const struct turn_cred *cred)
{
    return memcmp(q->who.user_hash, cred->user_hash, sizeof cred->user_hash) == 0;
}

static void begin(struct turn_req *q, struct turn_answer *a, enum tr_stun_class cls)
{
    turn_answer_begin(a, q->t, q->flow, cls, q->m->method, q->m->txid);
}

void turn_accept_begin(struct turn_req *q, struct turn_answer *a)
{
    begin(q, a, TR_STUN_SUCCESS);
}

void turn_accept_end(struct turn_req *q, struct turn_answer *a)
{
    struct turn_cred cred = turn_req_cred(q);
    turn_answer_end(a, &cred, (q->m->has & TR_STUN_HAS_FINGERPRINT) != 0);
}

enum tr_err turn_refuse(struct turn_req *q, enum tr_stun_code code, enum tr_turn_refusal why)
{
    struct turn_answer a;
    begin(q, &a, TR_STUN_ERROR);
    tr_stun_put_error(&a.w, code);
    if (code == TR_STUN_UNKNOWN_ATTRIBUTE)
        tr_stun_put_unknown(&a.w, q->m->unknown, q->m->unknown_count);
    turn_accept_end(q, &a);
    return turn_refused(q->t, why, TR_ERR_PROTO);
}

/* -- Before proof --------------------------------------------------------------------------------
 */

static bool throttled(struct tr_turn *t, tr_usec now, const struct tr_path *flow)
{
    return flow->remote.proto == TR_PROTO_UDP && t->conf.throttle && !turn_flow_find(t, flow) &&
           !tr_throttle_allow(t->conf.throttle, now, &flow->remote);
}

static bool reflects(const struct tr_path *flow, const struct tr_stun *m, size_t answer)
{
    size_t headers = tr_addr_is_v4(&flow->remote) ? HEADERS_V4 : HEADERS_V6;
    struct tr_slice transport;
    if (flow->remote.proto != TR_PROTO_UDP)
        return false;
    if (m->method == TR_TURN_ALLOCATE && tr_stun_find(m, TR_TURN_REQUESTED_TRANSPORT, &transport))
        return false;
    return answer + headers > REFLECT_MAX * (m->raw.n + headers);
}

static enum tr_turn_refusal count_as(enum tr_turn_proof proof)
{
    switch (proof) {
    case TR_TURN_PROOF_NONE: return TR_TURN_REFUSED_NO_CREDENTIAL;
    case TR_TURN_PROOF_STALE: return TR_TURN_REFUSED_NONCE;
    case TR_TURN_PROOF_WRONG: return TR_TURN_REFUSED_CREDENTIAL;
    case TR_TURN_PROOF_BAD:
    case TR_TURN_PROOF_OK: break;
    }
    return TR_TURN_REFUSED_MALFORMED;
}

static void put_bare_code(struct tr_wr *w, unsigned code)
{
    uint8_t v[4] = { 0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100) };
    tr_stun_put(w, TR_STUN_ERROR_CODE, tr_slice(v, sizeof v));
}

static enum tr_err on_unproven(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                               const struct tr_stun *m, enum tr_turn_proof proof)
{
    bool fingerprint = (m->has & TR_STUN_HAS_FINGERPRINT) != 0;
    struct turn_answer a;
    if (throttled(t, now, flow))
        return turn_refused(t, TR_TURN_REFUSED_THROTTLED, TR_ERR_AUTH);
    turn_answer_begin(&a, t, flow, TR_STUN_ERROR, m->method, m->txid);
    put_bare_code(&a.w, proof == TR_TURN_PROOF_BAD     ? TR_STUN_BAD_REQUEST
                        : proof == TR_TURN_PROOF_STALE ? TR_STUN_STALE_NONCE
                                                       : TR_STUN_UNAUTHENTICATED);
    if (proof != TR_TURN_PROOF_BAD)
        tr_turn_auth_challenge(t->conf.auth, now, flow, &a.w);
    if (reflects(flow, m, tr_wr_len(&a.w) + (fingerprint ? 8 : 0)))
        return turn_refused(t, TR_TURN_REFUSED_THROTTLED, TR_ERR_AUTH);
    turn_answer_end(&a, NULL, fingerprint);
    return turn_refused(t, count_as(proof), TR_ERR_AUTH);
}

static enum tr_err on_binding(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                              const struct tr_stun *m)
{
    struct turn_answer a;
    if (throttled(t, now, flow))
        return turn_refused(t, TR_TURN_REFUSED_THROTTLED, TR_ERR_AUTH);
    turn_answer_begin(&a, t, flow, TR_STUN_REQUEST, 0, NULL);
    if (!a.send)
        return TR_ERR_LIMIT;
    enum tr_err err = tr_binding_answer(&t->conf.binding, flow, m, &a.w, &a.send->flow);
    if (err != TR_OK)
        return turn_refused(t, TR_TURN_REFUSED_MALFORMED, TR_ERR_BADMSG);
    t->counters.bindings++;
    turn_answer_queue(&a);
    return TR_OK;
}

enum tr_err turn_on_request(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                            const struct tr_stun *m)
{
    struct turn_req q = { .t = t, .now = now, .flow = flow, .m = m };
    enum tr_err (*handle)(struct turn_req *) = handler(m->method);
    if (m->method == TR_STUN_BINDING)
        return on_binding(t, now, flow, m);
    if (!handle)
        return turn_refused(t, TR_TURN_REFUSED_MALFORMED, TR_ERR_UNSUPPORTED);
    bool fresh = m->method == TR_TURN_ALLOCATE;
    enum tr_turn_proof proof = tr_turn_auth_check(t->conf.auth, now, flow, m, fresh, &q.who);
    if (proof != TR_TURN_PROOF_OK)
        return on_unproven(t, now, flow, m, proof);
    q.alloc = turn_flow_find(t, flow);
    if (m->unknown_count > 0)
        return turn_refuse(&q, TR_STUN_UNKNOWN_ATTRIBUTE, TR_TURN_REFUSED_MALFORMED);
    if (q.alloc && !fresh && !turn_req_owns(&q, &q.alloc->cred))
        return turn_refuse(&q, TR_TURN_WRONG_CREDENTIALS, TR_TURN_REFUSED_CREDENTIAL);
    return handle(&q);
}

/* -- Permissions and channels --------------------------------------------------------------------
 */

enum tr_err turn_req_peer(struct turn_req *q, struct tr_slice value, bool with_port,
                          struct tr_addr *peer, bool *own)
{
    if (tr_stun_read_addr(q->m, value, true, peer) != TR_OK || (with_port && peer->port == 0))
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    if (!turn_alloc_relay(q->alloc, !tr_addr_is_v4(peer)))
        return turn_refuse(q, TR_TURN_PEER_FAMILY_MISMATCH, TR_TURN_REFUSED_FAMILY);
    peer->proto = q->alloc->tcp ? TR_PROTO_TCP : TR_PROTO_UDP;
    if (!with_port)
        peer->port = 0;
    enum tr_turn_verdict verdict = tr_turn_policy_judge(q->t->conf.policy, peer, q->alloc->issued);
    if (verdict == TR_TURN_PEER_DENIED)
        return turn_refuse(q, TR_TURN_FORBIDDEN, TR_TURN_REFUSED_PEER);
    *own = verdict == TR_TURN_PEER_OWN;
    return TR_OK;
}

static enum tr_err mismatch(struct turn_req *q)
{
    return turn_refuse(q, TR_TURN_ALLOCATION_MISMATCH, TR_TURN_REFUSED_MALFORMED);
}

static bool in_list(const struct tr_addr *list, uint32_t n, const struct tr_addr *a)
{
    for (uint32_t i = 0; i < n; i++)
        if (tr_addr_ip_eq(&list[i], a))
            return true;
    return false;
}

/* Room for the peers that are new, if the allocation may have so many more. */
static enum tr_err make_room(struct turn_req *q, const struct tr_addr *peer, uint32_t n,
                             uint32_t chans)
{
    const struct tr_turn_conf *conf = &q->t->conf;
    struct turn_alloc *a = q->alloc;
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < n; i++)
        fresh += !turn_perm_holds(a->peers, q->now, &peer[i]);
    if (turn_peers_reserve(&a->peers, q->now, q->t->flows.key, fresh, conf->permissions_max, chans,
                           conf->channels_max) != TR_OK)
        return turn_refuse(q, TR_TURN_INSUFFICIENT_CAPACITY, TR_TURN_REFUSED_CAPACITY);
    if (!turn_rate_take(&a->rate, q->t->bound, q->now, TURN_BOUND_PEERS, fresh))
        return turn_refuse(q, TR_TURN_INSUFFICIENT_CAPACITY, TR_TURN_REFUSED_RATE);
    return TR_OK;
}

static enum tr_err on_create_permission(struct turn_req *q)
{
    struct tr_addr peer[TR_STUN_ATTRS_MAX], p;
    uint32_t n = 0;
    uint16_t at = 0, type;
    struct tr_slice value;
    struct turn_answer ans;
    bool own;
    enum tr_err err;
    if (!q->alloc || !q->alloc->up)
        return mismatch(q);
    while (tr_stun_next(q->m, &at, &type, &value)) {
        if (type != TR_TURN_XOR_PEER_ADDRESS)
            continue;
        err = turn_req_peer(q, value, false, &p, &own);
        if (err != TR_OK)
            return err;
        if (!in_list(peer, n, &p))
            peer[n++] = p;
    }
    if (n == 0)
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    err = make_room(q, peer, n, 0);
    if (err != TR_OK)
        return err;
    turn_flow_confirm(q->t, q->alloc, q->flow);
    for (uint32_t i = 0; i < n; i++)
        turn_perm_put(q->alloc->peers, q->now, &peer[i]);
    turn_peers_link(q->alloc->peers);
    q->t->counters.permissions += n;
    turn_accept_begin(q, &ans);
    turn_accept_end(q, &ans);
    return TR_OK;
}

static bool holds(const struct turn_chan *c, tr_usec now)
{
    return c && c->expires > now;
}

static enum tr_err on_channel_bind(struct turn_req *q)
{
    struct tr_slice number, value;
    struct tr_addr peer;
    struct turn_answer ans;
    bool own;
    if (!q->alloc || !q->alloc->up)
        return mismatch(q);
    if (q->alloc->tcp || !tr_stun_find(q->m, TR_TURN_CHANNEL_NUMBER, &number) || number.n != 4 ||
        !tr_stun_find(q->m, TR_TURN_XOR_PEER_ADDRESS, &value))
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    uint16_t wanted = tr_get16(number.p);
    if (wanted < TURN_FIRST_CHANNEL || wanted > TURN_LAST_CHANNEL)
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    enum tr_err err = turn_req_peer(q, value, true, &peer, &own);
    if (err != TR_OK)
        return err;
    const struct turn_chan *by_peer = turn_chan_by_peer(q->alloc->peers, &peer);
    const struct turn_chan *by_number = turn_chan_by_number(q->alloc->peers, wanted);
    bool bound = holds(by_peer, q->now) && by_peer == by_number;
    if (!bound && (holds(by_peer, q->now) || holds(by_number, q->now)))
        return turn_refuse(q, TR_STUN_BAD_REQUEST, TR_TURN_REFUSED_MALFORMED);
    err = make_room(q, &peer, 1, !bound);
    if (err != TR_OK)
        return err;
    turn_flow_confirm(q->t, q->alloc, q->flow);
    turn_perm_put(q->alloc->peers, q->now, &peer);
    turn_chan_put(q->alloc->peers, q->now, &peer, wanted, own);
    turn_peers_link(q->alloc->peers);
    q->t->counters.channels++;
    turn_accept_begin(q, &ans);
    turn_accept_end(q, &ans);
    return TR_OK;
}
