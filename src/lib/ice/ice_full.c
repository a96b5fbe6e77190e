/* Pairs and checks of a full agent.
 *
 * One checklist. Every Ta at most one new check starts: first those that the peer's checks
 * triggered, in their order; then the waiting pair of the highest priority; then a frozen one whose
 * foundation has nothing under way. After the selection only triggered checks go on.
 *
 * A check is sent again after RTO, doubling up to 1.6 s, seven times in all, and fails 3.2 s after
 * the last. RFC 8489 lets the doubling run up to 16 s; with checks on many pairs that only delays
 * the detection of a pair that works after the first packets were lost. For the same reason a
 * failed pair is tried again after a while as long as none is selected and setup_us is not over:
 * candidates trickle, firewalls open late, and a lite peer never triggers a second try.
 *
 * Controlling: regular nomination. The best pair that succeeded is nominated at once when no better
 * one is under way, or ICE_SETTLE (and a round trip) after the first success.
 *
 * Consent (RFC 7675): on the selected pair a check every 4 to 6 s, never repeated; only their
 * answers count. During a restart this goes on with the old credentials. */
#include "ice/ice_int.h"
#include "ice/ice_pair.h"

#include "base/assert.h"

#define FOR_EACH_PAIR(ice, p)                                                                      \
    for (struct ice_pair *p = (ice)->full->pair; p < (ice)->full->pair + (ice)->full->top; p++)    \
        if (p->used)

static bool is_active(const struct ice_pair *p)
{
    return p->state == TR_ICE_PAIR_WAITING || p->state == TR_ICE_PAIR_IN_PROGRESS;
}

static bool same_foundation(const struct ice_pair *a, const struct ice_pair *b)
{
    return a->local.foundation == b->local.foundation &&
           a->remote.foundation == b->remote.foundation;
}

static struct ice_pair *find_pair(struct tr_ice *ice, const struct tr_path *path, uint8_t gen)
{
    FOR_EACH_PAIR(ice, p)
    if (p->gen == gen && tr_path_eq(&p->path, path))
        return p;
    return NULL;
}

static struct ice_pair *selected_pair(struct tr_ice *ice)
{
    if (ice->selected < 0)
        return NULL;
    return find_pair(ice, &ice->path[ice->selected].path, ice->selected_gen);
}

static bool is_done(const struct tr_ice *ice) /* a pair of this generation is selected */
{
    return ice->selected >= 0 && ice->selected_gen == ice->cur;
}

static void set_priority(const struct tr_ice *ice, struct ice_pair *p)
{
    bool controlling = ice->role == TR_ICE_CONTROLLING;
    uint32_t local = p->local.priority, remote = p->remote.priority;
    p->priority = tr_ice_pair_priority(controlling ? local : remote, controlling ? remote : local);
}

void tr_ice_full_init(struct tr_ice *ice)
{
    struct ice_full *full = ice->full;
    ice->tie_breaker = tr_rng_u64(ice->rng);
    full->first_valid_us = TR_NEVER;
}

/* ---- forming pairs ---- */

static struct ice_pair *free_slot(struct tr_ice *ice)
{
    struct ice_full *full = ice->full;
    for (int i = 0; i < full->top; i++)
        if (!full->pair[i].used)
            return &full->pair[i];
    return full->top < TR_ICE_PAIR_MAX ? &full->pair[full->top++] : NULL;
}

/* The worst pair that is neither proven nor under way, if it is worse than this priority. */
static struct ice_pair *evict(struct tr_ice *ice, uint64_t priority)
{
    struct ice_pair *worst = NULL;
    FOR_EACH_PAIR(ice, p)
    {
        bool idle = p->state != TR_ICE_PAIR_SUCCEEDED && p->state != TR_ICE_PAIR_IN_PROGRESS;
        if (idle && !p->triggered && p->priority < priority &&
            (!worst || p->priority < worst->priority))
            worst = p;
    }
    ice->stats.pairs_dropped++;
    return worst;
}

static bool can_pair(const struct ice_cand *local, const struct ice_cand *remote)
{
    if (local->addr.proto != remote->addr.proto ||
        tr_addr_is_v4(&local->addr) != tr_addr_is_v4(&remote->addr))
        return false;
    return local->addr.proto != TR_PROTO_TCP ||
           (local->tcptype == TR_ICE_TCP_ACTIVE && remote->tcptype == TR_ICE_TCP_PASSIVE);
}

static struct ice_pair *add_pair(struct tr_ice *ice, const struct ice_cand *local,
                                 const struct ice_cand *remote)
{
    struct tr_path path = { .local = local->addr, .remote = remote->addr };
    if (!can_pair(local, remote) || ice->failed)
        return NULL;
    struct ice_pair *p = find_pair(ice, &path, ice->cur);
    if (p) { /* redundant, or a peer-reflexive candidate that is signalled now */
        p->remote = *remote;
        set_priority(ice, p);
        return p;
    }
    struct ice_pair fresh = { .used = true, .path = path, .gen = ice->cur };
    fresh.local = *local;
    fresh.remote = *remote;
    fresh.seen_us = TR_NEVER;
    fresh.state = TR_ICE_PAIR_WAITING;
    set_priority(ice, &fresh);
    FOR_EACH_PAIR(ice, other)
    if (other->gen == ice->cur && is_active(other) && same_foundation(other, &fresh))
        fresh.state = TR_ICE_PAIR_FROZEN;
    p = free_slot(ice);
    if (!p)
        p = evict(ice, fresh.priority);
    if (p)
        *p = fresh;
    return p;
}

void tr_ice_full_pair_local(struct tr_ice *ice, const struct ice_cand *local)
{
    for (int i = 0; i < ice->remote_count; i++)
        add_pair(ice, local, &ice->remote[i]);
}

void tr_ice_full_pair_remote(struct tr_ice *ice, const struct ice_cand *remote)
{
    for (int i = 0; i < ice->local_count; i++)
        add_pair(ice, &ice->local[i], remote);
}

/* ---- checks ---- */

static void trigger(struct tr_ice *ice, struct ice_pair *p)
{
    if (!p->triggered)
        p->triggered = ++ice->full->trigger_seq;
}

/* The answer may still come and counts; nothing is sent again. */
static void cancel(struct ice_pair *p)
{
    if (!p->txn.live)
        return;
    p->txn.live = false;
    p->has_previous = true;
    memcpy(p->previous, p->txn.id, sizeof p->previous);
}

static void fail_pair(struct tr_ice *ice, struct ice_pair *p)
{
    p->txn.live = p->has_previous = false;
    p->nominating = p->forced = p->nominate_on_success = false;
    p->triggered = 0;
    if (p != selected_pair(ice)) /* whose fate consent decides */
        p->state = TR_ICE_PAIR_FAILED;
}

static void transmit(struct tr_ice *ice, struct ice_pair *p)
{
    struct ice_txn *t = &p->txn;
    struct ice_send s = { .kind = ICE_SEND_REQUEST, .gen = p->gen, .path = p->path };
    /*= rfc8445#7.1.1
     *# set to the value computed by the algorithm in Section 5.1.2 for the local candidate, but
     *# with the candidate type preference of peer-reflexive candidates */
    s.priority = tr_ice_priority(TR_ICE_PRFLX, (uint16_t)(p->local.priority >> 8), 1);
    /* As browsers do; so the call follows when a NAT on the way has given us another address. */
    s.use_candidate = t->what == ICE_NOMINATE || (t->what == ICE_CONSENT && p->nominated);
    memcpy(s.txid, t->id, sizeof s.txid);
    t->sends++;
    tr_usec wait = tr_usec_min(t->rto_us << (t->sends - 1), ICE_RTO_MAX);
    if (wait < t->rto_us)
        wait = t->rto_us;
    t->next_us = ice->now + (t->sends < ICE_TRIES ? wait : 2 * ICE_RTO_MAX);
    if (t->what == ICE_CONSENT)
        t->next_us = TR_NEVER;
    ice->stats.checks_sent++;
    tr_ice_send(ice, &s);
}

static void start_txn(struct tr_ice *ice, struct ice_pair *p, enum ice_what what)
{
    int active = 0;
    FOR_EACH_PAIR(ice, other)
    active += other->gen == p->gen && is_active(other);
    cancel(p);
    p->txn = (struct ice_txn){ .live = true, .what = what, .role = ice->role };
    p->txn.sent_us = ice->now;
    /* The formula of RFC 8445 14.3 less its factor N, which would be quadratic.
     *= rfc8445#14.3
     *# Agents MUST NOT use an RTO value smaller than 500 ms. */
    p->txn.rto_us = active * ICE_TA > ICE_RTO ? active * ICE_TA : ICE_RTO;
    tr_rng_fill(ice->rng, p->txn.id, sizeof p->txn.id);
    transmit(ice, p);
}

static void start_check(struct tr_ice *ice, struct ice_pair *p)
{
    p->triggered = 0;
    if (p->state != TR_ICE_PAIR_SUCCEEDED)
        p->state = TR_ICE_PAIR_IN_PROGRESS;
    start_txn(ice, p, p->nominating ? ICE_NOMINATE : ICE_CHECK);
    ice->full->next_check_us = ice->now + ICE_TA;
}

static struct ice_pair *first_triggered(struct tr_ice *ice)
{
    struct ice_pair *first = NULL;
    FOR_EACH_PAIR(ice, p)
    if (p->triggered && p->gen == ice->cur && (!first || p->triggered < first->triggered))
        first = p;
    return first;
}

static struct ice_pair *best_in_state(struct tr_ice *ice, enum tr_ice_pair_state state)
{
    struct ice_pair *best = NULL;
    FOR_EACH_PAIR(ice, p)
    if (p->state == state && p->gen == ice->cur && (!best || p->priority > best->priority))
        best = p;
    return best;
}

/* Called when nothing waits, so only pairs in progress hold a foundation back. */
static struct ice_pair *best_thawed(struct tr_ice *ice)
{
    struct ice_pair *best = NULL;
    FOR_EACH_PAIR(ice, p)
    {
        bool held = p->state != TR_ICE_PAIR_FROZEN || p->gen != ice->cur;
        FOR_EACH_PAIR(ice, other)
        held = held || (other->gen == p->gen && is_active(other) && same_foundation(other, p));
        if (!held && (!best || p->priority > best->priority))
            best = p;
    }
    return best;
}

/* When a failed pair may be tried again; TR_NEVER: it may not. */
static tr_usec retry_at(const struct tr_ice *ice, const struct ice_pair *p)
{
    bool failed = p->state == TR_ICE_PAIR_FAILED && p->gen == ice->cur;
    return failed && !is_done(ice) && ice->remote_cred[ice->cur].set ? p->txn.sent_us + ICE_RETRY
                                                                     : TR_NEVER;
}

static struct ice_pair *best_retry(struct tr_ice *ice)
{
    struct ice_pair *best = NULL;
    FOR_EACH_PAIR(ice, p)
    if (ice->now >= retry_at(ice, p) && (!best || p->priority > best->priority))
        best = p;
    return best;
}

static struct ice_pair *next_check(struct tr_ice *ice)
{
    if (!ice->remote_cred[ice->cur].set)
        return NULL;
    struct ice_pair *p = first_triggered(ice);
    if (!p && !is_done(ice))
        p = best_in_state(ice, TR_ICE_PAIR_WAITING);
    if (!p && !is_done(ice))
        p = best_thawed(ice);
    return p ? p : best_retry(ice);
}

/* ---- nomination by the controlling agent ---- */

static struct ice_pair *to_nominate(struct tr_ice *ice)
{
    struct ice_pair *best = NULL;
    if (ice->role != TR_ICE_CONTROLLING)
        return NULL;
    FOR_EACH_PAIR(ice, p)
    {
        if (p->gen != ice->cur)
            continue;
        if (p->nominating)
            return NULL; /* one at a time */
        if (p->state != TR_ICE_PAIR_SUCCEEDED || (is_done(ice) && !p->forced))
            continue;
        if (!best || p->forced || (!best->forced && p->priority > best->priority))
            best = p;
    }
    return best;
}

/* When this pair may be nominated: at once, or after waiting for better ones. */
static tr_usec nominate_at(struct tr_ice *ice, const struct ice_pair *best)
{
    if (best->forced)
        return ice->now;
    FOR_EACH_PAIR(ice, p)
    if (p->gen == ice->cur && p->priority > best->priority &&
        (is_active(p) || p->state == TR_ICE_PAIR_FROZEN))
        return ice->full->first_valid_us + ICE_SETTLE + best->rtt_us;
    return ice->now;
}

static void nominate(struct tr_ice *ice)
{
    struct ice_pair *p = to_nominate(ice);
    if (!p || ice->now < nominate_at(ice, p))
        return;
    p->nominating = true;
    p->forced = false;
    trigger(ice, p);
}

enum tr_err tr_ice_nominate(struct tr_ice *ice, tr_usec now, struct tr_path path)
{
    if (!ice->full || ice->role != TR_ICE_CONTROLLING)
        return TR_ERR_INVAL;
    tr_ice_enter(ice, now);
    struct ice_pair *p = find_pair(ice, &path, ice->cur);
    if (p && p != selected_pair(ice)) {
        FOR_EACH_PAIR(ice, other)
        other->forced = other->nominating = false;
        p->forced = true;
        if (p->state != TR_ICE_PAIR_SUCCEEDED)
            trigger(ice, p);
    }
    tr_ice_leave(ice);
    return p ? TR_OK : TR_ERR_NOTFOUND;
}

/* ---- roles ---- */

void tr_ice_full_switch_role(struct tr_ice *ice)
{
    bool controlling = ice->role == TR_ICE_CONTROLLING;
    ice->role = controlling ? TR_ICE_CONTROLLED : TR_ICE_CONTROLLING;
    FOR_EACH_PAIR(ice, p)
    {
        p->nominating = p->forced = p->nominate_on_success = false;
        set_priority(ice, p);
    }
}

enum tr_err tr_ice_full_role_conflict(struct tr_ice *ice, const struct tr_stun *m)
{
    bool controlling = ice->role == TR_ICE_CONTROLLING;
    bool conflict = m->has & (controlling ? TR_STUN_HAS_CONTROLLING : TR_STUN_HAS_CONTROLLED);
    if (!conflict)
        return TR_OK;
    /*= rfc8445#7.3.1.1
     *# If the agent's tiebreaker value is larger than or equal to the contents of the
     *# ICE-CONTROLLING attribute, the agent generates a Binding error response and includes an
     *# ERROR-CODE attribute with a value of 487 (Role Conflict) but retains its role. */
    bool larger = ice->tie_breaker >= m->tie_breaker;
    if (controlling == larger)
        return TR_ERR_PROTO;
    tr_ice_full_switch_role(ice);
    return TR_OK;
}

/* ---- the peer's checks ---- */

/* Pairs of addresses that a check came from and that have not answered ours; of late. */
static int learnt_in_vain(struct tr_ice *ice)
{
    int count = 0;
    FOR_EACH_PAIR(ice, p)
    count += p->learnt && p->gen == ice->cur && p->seen_us == TR_NEVER &&
             (is_active(p) || ice->now - p->txn.sent_us < ICE_RETRY);
    return count;
}

/* Two NATs that map each destination to another port, and let everybody in, make each check come
 * from a new address, whose triggered check comes from a new one again, without end. Triggered
 * checks go first, so they would starve all others: a few are enough at a time. */
static struct ice_pair *learn_pair(struct tr_ice *ice, const struct tr_path *path,
                                   uint32_t priority)
{
    for (int i = 0; i < ice->local_count; i++) {
        if (!tr_addr_eq(&ice->local[i].addr, &path->local))
            continue;
        struct ice_cand remote = { .addr = path->remote, .priority = priority };
        /* RFC 8445 7.3.1.3: a foundation unlike all others; so it is never held back. */
        remote.foundation = tr_rng_u32(ice->rng);
        if (learnt_in_vain(ice) >= ICE_LEARNT_MAX)
            return NULL;
        struct ice_pair *p = add_pair(ice, &ice->local[i], &remote);
        if (p)
            p->learnt = true;
        return p;
    }
    return NULL;
}

/*= rfc8445#7.3.1.4
 *# the agent MUST enqueue the pair in the triggered checklist associated with the checklist */
static void trigger_by_peer(struct tr_ice *ice, struct ice_pair *p)
{
    if (p->state == TR_ICE_PAIR_SUCCEEDED)
        return;
    if (p->state == TR_ICE_PAIR_IN_PROGRESS)
        cancel(p);
    p->state = TR_ICE_PAIR_WAITING;
    trigger(ice, p);
}

void tr_ice_full_on_request(struct tr_ice *ice, const struct tr_stun *m, struct ice_path *path,
                            uint8_t gen)
{
    if (gen != ice->cur)
        return; /* before the restart: answered, no more */
    struct ice_pair *p = find_pair(ice, &path->path, gen);
    if (!p)
        p = learn_pair(ice, &path->path, m->priority);
    if (!p)
        return;
    if ((m->has & TR_STUN_HAS_USE_CANDIDATE) && ice->role == TR_ICE_CONTROLLED) {
        /*= rfc8445#7.3.1.5
         *# once the check is sent and if it generates a successful response, and generates a valid
         *# pair, the agent sets the nominated flag of the pair to true */
        p->nominate_on_success = p->state != TR_ICE_PAIR_SUCCEEDED;
        p->nominated = !p->nominate_on_success;
        if (p->nominated)
            tr_ice_path_nominate(ice, path);
    }
    trigger_by_peer(ice, p);
}

/* ---- answers to our checks ---- */

static struct ice_pair *find_txn(struct tr_ice *ice, const uint8_t *id, bool *previous)
{
    FOR_EACH_PAIR(ice, p)
    {
        *previous = false;
        if (p->txn.live && memcmp(p->txn.id, id, TR_STUN_TXID) == 0)
            return p;
        *previous = true;
        if (p->has_previous && memcmp(p->previous, id, TR_STUN_TXID) == 0)
            return p;
    }
    return NULL;
}

static void on_role_conflict(struct tr_ice *ice, struct ice_pair *p)
{
    /*= rfc8445#7.2.5.1
     *# the agent MUST switch to the controlling role */
    if (p->txn.role == ice->role)
        tr_ice_full_switch_role(ice);
    /*= rfc8445#7.2.5.1
     *# The agent MUST change the tiebreaker value. */
    ice->tie_breaker = tr_rng_u64(ice->rng);
    p->txn.live = false;
    if (p->state != TR_ICE_PAIR_SUCCEEDED)
        p->state = TR_ICE_PAIR_WAITING;
    trigger(ice, p);
}

static void on_error(struct tr_ice *ice, struct ice_pair *p, bool previous, uint16_t code)
{
    if (previous) {
        p->has_previous = false;
        return;
    }
    if (p->txn.what == ICE_CONSENT)
        p->txn.live = false; /* no consent; what matters is that none comes for consent_us */
    else if (code == TR_STUN_ROLE_CONFLICT)
        on_role_conflict(ice, p);
    else
        fail_pair(ice, p);
}

static void note_rtt(struct tr_ice *ice, struct ice_pair *p)
{
    if (p->txn.sends != 1)
        return; /* which of them was answered? */
    tr_usec sample = ice->now - p->txn.sent_us;
    p->rtt_us = p->rtt_us ? (7 * p->rtt_us + sample) / 8 : sample;
}

static void unfreeze(struct tr_ice *ice, const struct ice_pair *done)
{
    FOR_EACH_PAIR(ice, p)
    if (p->state == TR_ICE_PAIR_FROZEN && p->gen == done->gen && same_foundation(p, done))
        p->state = TR_ICE_PAIR_WAITING;
}

static void conclude(struct tr_ice *ice, struct ice_pair *p, struct ice_path *path, bool nominated)
{
    if (nominated && p->nominating && ice->role == TR_ICE_CONTROLLING) {
        p->nominating = false;
        p->nominated = path->nominated = true;
        path->nominated_us = ice->now;
        tr_ice_path_select(ice, path);
    } else if (p->nominate_on_success && ice->role == TR_ICE_CONTROLLED) {
        p->nominate_on_success = false;
        p->nominated = true;
        tr_ice_path_nominate(ice, path);
    }
}

static void on_success(struct tr_ice *ice, struct ice_pair *p, bool previous)
{
    bool nominated = !previous && p->txn.what == ICE_NOMINATE;
    if (previous) {
        p->has_previous = false;
    } else {
        note_rtt(ice, p);
        p->txn.live = false;
    }
    if (p->state != TR_ICE_PAIR_SUCCEEDED) {
        if (p->triggered && !p->nominating)
            p->triggered = 0;
        if (p->txn.live && p->txn.what == ICE_CHECK)
            cancel(p);
        p->state = TR_ICE_PAIR_SUCCEEDED;
        unfreeze(ice, p);
    }
    p->seen_us = ice->now;
    struct ice_path *path = tr_ice_path_touch(ice, &p->path, p->gen, p->remote.priority);
    if (p == selected_pair(ice))
        ice->full->consent_us = ice->now;
    if (p->gen != ice->cur)
        return;
    if (ice->full->first_valid_us == TR_NEVER)
        ice->full->first_valid_us = ice->now;
    conclude(ice, p, path, nominated);
}

enum tr_err tr_ice_full_on_response(struct tr_ice *ice, const struct tr_path *path,
                                    const struct tr_stun *m)
{
    bool previous;
    struct ice_pair *p = find_txn(ice, m->txid, &previous);
    if (!p) {
        ice->stats.rejected_response++;
        return TR_ERR_IGNORED;
    }
    struct tr_slice key = tr_slice_str(ice->remote_cred[p->gen].pwd);
    if (tr_stun_check_integrity(m, key) != TR_OK) {
        ice->stats.rejected_response++;
        return TR_ERR_AUTH;
    }
    ice->stats.responses_received++;
    if (!tr_path_eq(path, &p->path)) {
        /*= rfc8445#7.2.5.2.1
         *# If the addresses are not symmetric, the agent MUST set the candidate pair state to
         *# Failed. */
        ice->stats.rejected_response++;
        fail_pair(ice, p);
        return TR_ERR_PROTO;
    }
    if (m->cls == TR_STUN_ERROR)
        on_error(ice, p, previous, m->error_code);
    else
        on_success(ice, p, previous);
    return TR_OK;
}

/* ---- life of the agent ---- */

static void plan_consent(struct tr_ice *ice)
{
    /*= rfc7675#5.1
     *# To prevent synchronization of consent checks, each interval MUST be randomized from between
     *# 0.8 and 1.2 times the basic period. */
    tr_usec spread = (tr_usec)tr_rng_below(ice->rng, (uint64_t)(ICE_CONSENT_INTERVAL * 4 / 10));
    ice->full->next_consent_us = ice->now + ICE_CONSENT_INTERVAL * 8 / 10 + spread;
}

void tr_ice_full_on_selected(struct tr_ice *ice, const struct ice_path *path)
{
    ice->full->consent_us = ice->now;
    plan_consent(ice);
    if (path->gen != ice->cur)
        return;
    /*= rfc8445#8.1.2
     *# the ICE agent MUST remove all candidate pairs for the same component from the checklist and
     *# from the triggered-check queue */
    FOR_EACH_PAIR(ice, p)
    {
        if (p->gen != ice->cur || tr_path_eq(&p->path, &path->path))
            continue;
        p->triggered = 0;
        cancel(p);
        if (p->state == TR_ICE_PAIR_IN_PROGRESS)
            p->state = TR_ICE_PAIR_WAITING; /* starts only when the peer triggers it */
    }
}

void tr_ice_full_on_path_lost(struct tr_ice *ice, const struct tr_path *path)
{
    FOR_EACH_PAIR(ice, p)
    if (tr_path_eq(&p->path, path) && p->state == TR_ICE_PAIR_SUCCEEDED)
        fail_pair(ice, p);
}

void tr_ice_full_drop_generation(struct tr_ice *ice, uint8_t gen)
{
    FOR_EACH_PAIR(ice, p)
    if (p->gen == gen)
        p->used = false;
}

void tr_ice_full_restart(struct tr_ice *ice)
{
    const struct ice_pair *keep = selected_pair(ice);
    FOR_EACH_PAIR(ice, p)
    if (p != keep)
        p->used = false;
    ice->full->first_valid_us = TR_NEVER;
}

static void consent(struct tr_ice *ice)
{
    struct ice_full *full = ice->full;
    if (ice->selected < 0)
        return;
    /*= rfc7675#5.1
     *# if a valid STUN binding response has not been received from the remote peer's transport
     *# address in 30 seconds, the endpoint MUST cease transmission on that 5-tuple. */
    if (ice->now >= full->consent_us + ice->consent_us) {
        tr_ice_fail(ice);
        return;
    }
    if (ice->now < full->next_consent_us)
        return;
    struct ice_pair *p = selected_pair(ice);
    if (!p->txn.live || p->txn.what == ICE_CONSENT)
        start_txn(ice, p, ICE_CONSENT);
    plan_consent(ice);
}

static void repeat(struct tr_ice *ice)
{
    FOR_EACH_PAIR(ice, p)
    {
        if (!p->txn.live || ice->now < p->txn.next_us)
            continue;
        if (p->txn.sends < ICE_TRIES)
            transmit(ice, p);
        else
            fail_pair(ice, p);
    }
}

void tr_ice_full_timeout(struct tr_ice *ice)
{
    repeat(ice);
    consent(ice);
    if (ice->failed)
        return;
    nominate(ice);
    if (ice->now < ice->full->next_check_us)
        return;
    struct ice_pair *p = next_check(ice);
    if (p)
        start_check(ice, p);
}

tr_usec tr_ice_full_deadline(const struct tr_ice *ice_const)
{
    struct tr_ice *ice = (struct tr_ice *)ice_const; /* only read: the searches serve both */
    tr_usec next = TR_NEVER;
    FOR_EACH_PAIR(ice, p)
    if (p->txn.live)
        next = tr_usec_min(next, p->txn.next_us);
    if (ice->selected >= 0) {
        next = tr_usec_min(next, ice->full->next_consent_us);
        next = tr_usec_min(next, ice->full->consent_us + ice->consent_us);
    }
    struct ice_pair *best = to_nominate(ice);
    if (best)
        next = tr_usec_min(next, nominate_at(ice, best));
    if (next_check(ice))
        next = tr_usec_min(next, ice->full->next_check_us);
    return next;
}

void tr_ice_full_check(const struct tr_ice *ice_const)
{
    struct tr_ice *ice = (struct tr_ice *)ice_const;
    int nominating = 0;
    FOR_EACH_PAIR(ice, p)
    {
        TR_ASSERT(!ice->failed);
        TR_ASSERT(p->gen == ice->cur || p == selected_pair(ice));
        TR_ASSERT(p->state != TR_ICE_PAIR_IN_PROGRESS || p->txn.live);
        TR_ASSERT(!p->nominating || ice->role == TR_ICE_CONTROLLING);
        nominating += p->nominating;
    }
    TR_ASSERT(nominating <= 1);
    const struct ice_pair *selected = selected_pair(ice);
    TR_ASSERT((ice->selected >= 0) == (selected != NULL));
    TR_ASSERT(!selected || selected->state == TR_ICE_PAIR_SUCCEEDED);
}
