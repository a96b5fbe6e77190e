/* Data, both ways: one lookup of the flow or relay, one of the peer, the buckets, and the head. No
 * memory is taken and nothing queued. */
#include "base/assert.h"
#include "turn/policy.h"
#include "turn/turn_int.h"

enum {
    /* RFC 8656 has channels to 0x4fff, RFC 5766 had them to 0x7fff: its clients are served. */
    CHANNEL_FIRST_BYTE = TURN_FIRST_CHANNEL >> 8,
    CHANNEL_BITS = 0xc0,
    ATTR_V4 = 12,
    ATTR_V6 = 24,
    ICMP_SIZE = 8,
    ICMP_CODE_BITS = 9,
};

static bool is_channel_data(struct tr_slice msg)
{
    return msg.n >= TR_TURN_CHANNEL_HEAD && (msg.p[0] & CHANNEL_BITS) == CHANNEL_FIRST_BYTE;
}

/* Data of a client for a peer that it may send to. */
static enum tr_err pass_to_peer(struct tr_turn *t, tr_usec now, struct turn_alloc *a,
                                const struct tr_path *flow, const struct tr_addr *peer,
                                struct tr_slice data, struct tr_turn_data *out)
{
    struct turn_relay *r = turn_alloc_relay(a, !tr_addr_is_v4(peer));
    if (!r)
        return turn_refused(t, TR_TURN_REFUSED_NO_PERMISSION, TR_ERR_AUTH);
    if (!turn_rate_pass(&a->rate, t->bound, &t->conf, a->share, now, TURN_TO_PEER,
                        (uint32_t)data.n))
        return turn_refused(t, TR_TURN_REFUSED_RATE, TR_ERR_LIMIT);
    if (a->flows > 1)
        turn_flow_confirm(t, a, flow);
    t->counters.packets_to_peers++;
    t->counters.bytes_to_peers += data.n;
    out->relay = r->id;
    out->user = r->user;
    out->peer = *peer;
    out->data = data;
    return TR_OK;
}

static enum tr_err on_channel_data(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                                   struct tr_slice msg, struct tr_turn_data *out)
{
    size_t n = tr_get16(msg.p + 2);
    if (msg.n < TR_TURN_CHANNEL_HEAD + n)
        return turn_refused(t, TR_TURN_REFUSED_MALFORMED, TR_ERR_BADMSG);
    struct turn_alloc *a = turn_flow_find(t, flow);
    if (!a)
        return turn_refused(t, TR_TURN_REFUSED_UNKNOWN_FLOW, TR_ERR_NOTFOUND);
    const struct turn_chan *c = turn_chan_by_number(a->peers, tr_get16(msg.p));
    if (!c || c->expires <= now)
        return turn_refused(t, TR_TURN_REFUSED_UNKNOWN_CHANNEL, TR_ERR_NOTFOUND);
    if (c->until <= now)
        return turn_refused(t, TR_TURN_REFUSED_NO_PERMISSION, TR_ERR_AUTH);
    out->own = c->own;
    return pass_to_peer(t, now, a, flow, &c->peer, tr_slice(msg.p + TR_TURN_CHANNEL_HEAD, n), out);
}

static enum tr_err on_send(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                           const struct tr_stun *m, struct tr_turn_data *out)
{
    struct tr_slice value, data;
    struct tr_addr peer;
    struct turn_alloc *a = turn_flow_find(t, flow);
    if (!a)
        return turn_refused(t, TR_TURN_REFUSED_UNKNOWN_FLOW, TR_ERR_NOTFOUND);
    if (m->unknown_count > 0 || a->tcp || !tr_stun_find(m, TR_TURN_DATA_ATTR, &data) ||
        !tr_stun_find(m, TR_TURN_XOR_PEER_ADDRESS, &value) ||
        tr_stun_read_addr(m, value, true, &peer) != TR_OK || peer.port == 0)
        return turn_refused(t, TR_TURN_REFUSED_MALFORMED, TR_ERR_BADMSG);
    peer.proto = TR_PROTO_UDP;
    if (!turn_perm_holds(a->peers, now, &peer))
        return turn_refused(t, TR_TURN_REFUSED_NO_PERMISSION, TR_ERR_AUTH);
    /* A permission is for an address; of our own addresses only the media port may be sent to. */
    enum tr_turn_verdict verdict = tr_turn_policy_judge(t->conf.policy, &peer, a->issued);
    if (verdict == TR_TURN_PEER_DENIED)
        return turn_refused(t, TR_TURN_REFUSED_PEER, TR_ERR_AUTH);
    out->own = verdict == TR_TURN_PEER_OWN;
    out->dont_fragment = tr_stun_find(m, TR_TURN_DONT_FRAGMENT, &value);
    return pass_to_peer(t, now, a, flow, &peer, data, out);
}

static enum tr_err on_message(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                              struct tr_slice msg, struct tr_turn_data *out)
{
    struct tr_stun m;
    bool send = tr_get16(msg.p) == (TR_TURN_SEND | TR_STUN_INDICATION << 4);
    if ((!send && msg.n > TR_TURN_MESSAGE_MAX) || tr_stun_parse(&m, msg, TR_STUN_FOR_TURN) != TR_OK)
        return turn_refused(t, TR_TURN_REFUSED_MALFORMED, TR_ERR_BADMSG);
    if (send)
        return on_send(t, now, flow, &m, out);
    if (m.cls == TR_STUN_REQUEST)
        return turn_on_request(t, now, flow, &m);
    return m.cls == TR_STUN_INDICATION && m.method == TR_STUN_BINDING /* a keepalive */
               ? TR_OK
               : turn_refused(t, TR_TURN_REFUSED_MALFORMED, TR_ERR_PROTO);
}

enum tr_err tr_turn_input(struct tr_turn *t, tr_usec now, const struct tr_path *flow,
                          struct tr_slice msg, struct tr_turn_data *out)
{
    *out = (struct tr_turn_data){ 0 };
    if (is_channel_data(msg))
        return on_channel_data(t, now, flow, msg, out);
    if (!tr_stun_is(msg))
        return turn_refused(t, TR_TURN_REFUSED_MALFORMED, TR_ERR_IGNORED);
    enum tr_err err = on_message(t, now, flow, msg, out);
    turn_check(t);
    return err;
}

static void put_channel_head(const struct turn_chan *c, size_t n, struct tr_turn_frame *frame)
{
    tr_put16(frame->head, c->number);
    tr_put16(frame->head + 2, (uint16_t)n);
    frame->head_n = TR_TURN_CHANNEL_HEAD;
    /* RFC 8656 12.5: over a stream the length is a multiple of four. */
    frame->pad = frame->flow.remote.proto == TR_PROTO_UDP ? 0 : -n & 3;
}

static void put_data_head(struct tr_turn *t, const struct tr_addr *peer, size_t n,
                          struct tr_turn_frame *frame)
{
    uint8_t txid[TR_STUN_TXID];
    struct tr_wr w = tr_wr(frame->head, sizeof frame->head);
    tr_rng_fill(&t->txids, txid, sizeof txid);
    tr_stun_begin(&w, TR_STUN_INDICATION, TR_TURN_DATA, txid);
    tr_stun_put_addr(&w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    tr_wr_u16(&w, TR_TURN_DATA_ATTR);
    tr_wr_u16(&w, (uint16_t)n);
    frame->head_n = (uint8_t)tr_wr_len(&w);
    frame->pad = -n & 3;
    tr_put16(frame->head + 2, (uint16_t)(frame->head_n - TR_STUN_HEADER + n + frame->pad));
}

enum tr_err tr_turn_deliver(struct tr_turn *t, tr_usec now, tr_id relay, const struct tr_addr *peer,
                            size_t n, struct tr_turn_frame *frame)
{
    struct turn_relay *r = tr_idtab_get(t->relays, relay);
    if (!r || r->state != TURN_RELAY_UP || r->alloc->flows == 0 || r->alloc->tcp)
        return TR_ERR_NOTFOUND;
    struct turn_alloc *a = r->alloc;
    const struct turn_chan *c = turn_chan_by_peer(a->peers, peer);
    bool channel = c && c->until > now;
    if (!channel && !turn_perm_holds(a->peers, now, peer))
        return turn_refused(t, TR_TURN_REFUSED_NO_PERMISSION, TR_ERR_AUTH);
    if (n > UINT16_MAX - TR_TURN_HEAD_MAX ||
        !turn_rate_pass(&a->rate, t->bound, &t->conf, a->share, now, TURN_TO_CLIENT, (uint32_t)n))
        return turn_refused(t, TR_TURN_REFUSED_RATE, TR_ERR_LIMIT);
    t->counters.packets_to_clients++;
    t->counters.bytes_to_clients += n;
    frame->flow = a->flow[0];
    if (channel)
        put_channel_head(c, n, frame);
    else
        put_data_head(t, peer, n, frame);
    return TR_OK;
}

/* RFC 8656 11.5: unreachable, time exceeded; for IPv6 also too big. */
static bool worth_telling(bool v6, uint8_t type)
{
    return v6 ? type >= 1 && type <= 3 : type == 3 || type == 11;
}

void tr_turn_icmp(struct tr_turn *t, tr_usec now, tr_id relay, const struct tr_addr *peer,
                  uint8_t type, uint8_t code, uint32_t data)
{
    struct turn_relay *r = tr_idtab_get(t->relays, relay);
    struct turn_answer ans;
    uint8_t v[ICMP_SIZE] = { 0 };
    if (!r || r->state != TURN_RELAY_UP || r->alloc->flows == 0 || r->alloc->tcp ||
        !worth_telling(r->v6, type))
        return;
    struct turn_alloc *a = r->alloc;
    if (!turn_perm_holds(a->peers, now, peer)) {
        turn_refused(t, TR_TURN_REFUSED_NO_PERMISSION, TR_OK);
        return;
    }
    if (!turn_rate_pass(&a->rate, t->bound, &t->conf, a->share, now, TURN_TO_CLIENT, 0)) {
        turn_refused(t, TR_TURN_REFUSED_RATE, TR_OK);
        return;
    }
    tr_put16(v + 2, (uint16_t)(type << ICMP_CODE_BITS | code));
    tr_put32(v + 4, data);
    turn_indicate_begin(&ans, t, &a->flow[0], TR_TURN_DATA);
    tr_stun_put_addr(&ans.w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    tr_stun_put(&ans.w, TR_TURN_ICMP, tr_slice(v, sizeof v));
    turn_answer_end(&ans, NULL, false);
}

void tr_turn_flow_gone(struct tr_turn *t, tr_usec now, const struct tr_path *flow)
{
    (void)now;
    struct turn_alloc *a = turn_flow_find(t, flow);
    if (!a)
        return;
    if (a->flows > 1 || (a->mobile && a->up)) {
        turn_flow_remove(t, a, !tr_path_eq(&a->flow[0], flow));
        turn_flows_changed(t, a);
    } else {
        turn_alloc_close(t, a);
    }
    turn_check(t);
}
