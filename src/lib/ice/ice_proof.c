/* Proof of a new path by a lite agent, before media moves there.
 *
 * A check with the right password tells who sent it, not where he is: whoever has a call of his own
 * can send one in another's name, nominate it, and have his media delivered to a victim. So a path
 * that is nominated while there is another one to send on gets a Binding request of ours first (RFC
 * 8445's triggered check), with the peer's own password; only an answer that is signed with it, on
 * that path, moves media. Until then media stays where it is. An error answer proves as much, if it
 * is signed; an answer that is not signed proves nothing, because any STUN server gives one.
 *
 * The first path of all is taken on trust, so that setting up a call costs no round trip more:
 * nothing but DTLS flows there until the handshake is over, and that needs somebody who reads the
 * answers. Streams and our own relay have proven the address by themselves.
 *
 * A peer may move with new credentials (an ICE restart) that reach us later, or not at all, because
 * his signalling went down with his network. He cannot answer us with a signature then, and says
 * 401. That is taken for an answer if his check was of such credentials and his old path is silent:
 * a victim would have to speak STUN on that very port, and the liar to give up his own path.
 *
 * What a liar can have sent to a victim is bounded: one proof at a time, a new one no sooner than
 * ICE_TA after the last, each a request about as long as his own and sent ICE_PROOF_TRIES times.
 * A proof holds for as long as consent would. */
#include "ice/ice_int.h"

#include "base/assert.h"

enum { ICE_PROOF_TRIES = 5 };

void tr_ice_proof_init(struct tr_ice *ice)
{
    ice->proof = (struct ice_proof){ .path = -1, .next_us = TR_NEVER, .started_us = INT64_MIN / 2 };
}

void tr_ice_proof_end(struct tr_ice *ice)
{
    ice->proof.path = -1;
    ice->proof.next_us = TR_NEVER;
}

bool tr_ice_proof_needed(const struct tr_ice *ice, const struct ice_path *p)
{
    if (ice->full || p->path.remote.proto != TR_PROTO_UDP)
        return false;
    if (ice->selected < 0 && ice->paths_ever == 1)
        return false;
    if (ice->selected >= 0 && p == &ice->path[ice->selected])
        return false; /* a restart that stays where it is */
    return !p->proven || ice->now - p->proven_us >= ice->consent_us;
}

static void ask(struct tr_ice *ice)
{
    struct ice_proof *proof = &ice->proof;
    const struct ice_path *p = &ice->path[proof->path];
    struct ice_send s = { .kind = ICE_SEND_REQUEST, .gen = p->gen, .path = p->path };
    s.priority = tr_ice_priority(TR_ICE_PRFLX, UINT16_MAX, 1);
    memcpy(s.txid, proof->id, sizeof s.txid);
    tr_usec wait = tr_usec_min(ICE_RTO << proof->sends, ICE_RTO_MAX);
    proof->sends++;
    proof->next_us = ice->now + wait;
    ice->stats.checks_sent++;
    tr_ice_send(ice, &s);
}

/* A check may come before the description that has the peer's password: then the proof waits. */
void tr_ice_proof_go_on(struct tr_ice *ice)
{
    if (ice->proof.path >= 0 && ice->proof.sends == 0 &&
        ice->remote_cred[ice->path[ice->proof.path].gen].set)
        ask(ice);
}

void tr_ice_proof_begin(struct tr_ice *ice, const struct ice_path *p)
{
    struct ice_proof *proof = &ice->proof;
    TR_ASSERT(p->slot == ICE_LIVE);
    if (proof->path == p - ice->path || ice->now - proof->started_us < ICE_TA)
        return; /* under way; or too soon, and the peer's next check asks again */
    *proof = (struct ice_proof){ .path = (int8_t)(p - ice->path),
                                 .started_us = ice->now,
                                 .next_us = TR_NEVER };
    tr_rng_fill(ice->rng, proof->id, sizeof proof->id);
    if (!ice->tie_breaker) /* most agents never need one */
        ice->tie_breaker = tr_rng_u64(ice->rng);
    ice->stats.proofs_begun++;
    tr_ice_proof_go_on(ice);
}

void tr_ice_proof_timeout(struct tr_ice *ice)
{
    if (ice->now < ice->proof.next_us)
        return;
    if (ice->proof.sends < ICE_PROOF_TRIES) {
        ask(ice);
        return;
    }
    ice->stats.proofs_failed++;
    tr_ice_proof_end(ice);
}

/* See above. */
static bool is_refused_by_renewed(const struct tr_ice *ice, const struct ice_path *p,
                                  const struct tr_stun *m)
{
    return p->renewed && m->cls == TR_STUN_ERROR && m->error_code == TR_STUN_UNAUTHENTICATED &&
           (ice->selected < 0 || ice->now - ice->path[ice->selected].seen_us >= ICE_SILENT);
}

enum tr_err tr_ice_proof_on_response(struct tr_ice *ice, const struct tr_path *path,
                                     const struct tr_stun *m)
{
    struct ice_proof *proof = &ice->proof;
    struct ice_path *p = proof->path >= 0 ? &ice->path[proof->path] : NULL;
    if (!p || proof->sends == 0 || memcmp(proof->id, m->txid, sizeof proof->id) != 0 ||
        !tr_path_eq(&p->path, path)) {
        ice->stats.rejected_response++;
        return TR_ERR_IGNORED;
    }
    if (tr_stun_check_integrity(m, tr_slice_str(ice->remote_cred[p->gen].pwd)) != TR_OK &&
        !is_refused_by_renewed(ice, p, m)) {
        ice->stats.rejected_response++;
        return TR_ERR_AUTH;
    }
    ice->stats.responses_received++;
    if (proof->sends == 1)
        p->rtt_us = ice->now - proof->started_us;
    p->proven = true;
    p->proven_us = ice->now;
    tr_ice_proof_end(ice);
    tr_ice_path_proven(ice, p);
    return TR_OK;
}
