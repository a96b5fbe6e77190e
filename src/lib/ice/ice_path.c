/* Valid paths and the selection.
 *
 * A path is a 4-tuple from which an authenticated packet came. It lives as long as such packets
 * keep coming, each at most consent_us after the last. For a lite agent this is consent too (RFC
 * 7675 lets the one who sends checks judge; an agent that sends none can only see that they stop).
 * Changes are noted in the slots and handed out by poll, so that no event can get lost for want of
 * a queue; a slot that dies stays until its INVALID was handed out.
 *
 * Nomination. Peers differ: RFC 8445 nominates one pair once; older agents put USE-CANDIDATE in
 * every check ("aggressive") and mean the pair of the highest priority; browsers move a call to
 * another pair by putting it in the checks of that pair. So a nominated path replaces the selected
 * one when its priority is no lower, or when the peer has stopped nominating the selected one: its
 * last check came without USE-CANDIDATE, or none came with it for ICE_RENOMINATE. A lite agent has
 * the new path proven first (ice_proof.c).
 *
 * A NAT that forgets a client in mid-call gives it another port, of which the client knows nothing:
 * it goes on checking the pair that it has, and one that nominates once (Firefox) does not do so
 * again. So to a lite agent a path that began when the selected one had fallen silent is nominated
 * by whatever check. */
#include "ice/ice_int.h"

#include "base/assert.h"

struct ice_path *tr_ice_path_find(struct tr_ice *ice, const struct tr_path *path)
{
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        if (ice->path[i].slot != ICE_FREE && tr_path_eq(&ice->path[i].path, path))
            return &ice->path[i];
    return NULL;
}

bool tr_ice_path_room(const struct tr_ice *ice, const struct tr_path *path)
{
    bool room = false;
    for (int i = 0; i < ICE_PATH_SLOTS; i++) {
        if (ice->path[i].slot == ICE_FREE)
            room = true;
        else if (tr_path_eq(&ice->path[i].path, path))
            return true;
    }
    return room;
}

static bool is_selected(const struct tr_ice *ice, const struct ice_path *p)
{
    return ice->selected >= 0 && p == &ice->path[ice->selected];
}

static void forget(struct tr_ice *ice, struct ice_path *p)
{
    TR_ASSERT(p->slot == ICE_LIVE);
    p->slot = p->announced ? ICE_DYING : ICE_FREE;
    ice->report_paths = true;
    if (ice->proof.path == p - ice->path)
        tr_ice_proof_end(ice);
    if (is_selected(ice, p)) {
        ice->selected = -1;
        ice->report_selected = false;
    }
    if (ice->full)
        tr_ice_full_on_path_lost(ice, &p->path);
}

void tr_ice_path_forget_all(struct tr_ice *ice)
{
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        if (ice->path[i].slot == ICE_LIVE)
            forget(ice, &ice->path[i]);
}

/* Keeps the number of live paths at the maximum: the longest silent one goes. */
static void make_room(struct tr_ice *ice)
{
    struct ice_path *oldest = NULL;
    int live = 0;
    for (int i = 0; i < ICE_PATH_SLOTS; i++) {
        struct ice_path *p = &ice->path[i];
        if (p->slot != ICE_LIVE)
            continue;
        live++;
        if (!is_selected(ice, p) && (!oldest || p->seen_us < oldest->seen_us))
            oldest = p;
    }
    if (live < TR_ICE_PATH_MAX)
        return;
    ice->stats.paths_dropped++;
    forget(ice, oldest);
}

static struct ice_path *new_path(struct tr_ice *ice, const struct tr_path *path)
{
    struct ice_path *p = NULL;
    for (int i = 0; i < ICE_PATH_SLOTS && !p; i++)
        if (ice->path[i].slot == ICE_FREE)
            p = &ice->path[i];
    TR_ASSERT(p);
    make_room(ice);
    *p = (struct ice_path){ .slot = ICE_LIVE, .path = *path, .gen = ice->cur };
    ice->report_paths = true;
    ice->paths_ever += ice->paths_ever < 2;
    return p;
}

struct ice_path *tr_ice_path_touch(struct tr_ice *ice, const struct tr_path *path, uint8_t gen,
                                   uint32_t remote_priority)
{
    struct ice_path *p = tr_ice_path_find(ice, path);
    bool fresh = !p || p->slot == ICE_DYING;
    if (!p) {
        p = new_path(ice, path);
    } else if (fresh) { /* back before its INVALID was handed out */
        make_room(ice);
        *p = (struct ice_path){ .slot = ICE_LIVE, .announced = true, .path = *path };
    }
    if (fresh)
        p->since_us = ice->now;
    if (fresh || gen == ice->cur)
        p->gen = gen;
    if (!p->remote_priority)
        p->remote_priority = remote_priority;
    uint32_t remote = tr_ice_remote_priority(ice, &path->remote, p->remote_priority);
    uint32_t local = tr_ice_local_priority(ice, &path->local);
    bool controlling = ice->role == TR_ICE_CONTROLLING;
    p->priority = tr_ice_pair_priority(controlling ? local : remote, controlling ? remote : local);
    p->seen_us = ice->now;
    return p;
}

static bool may_replace(const struct tr_ice *ice, const struct ice_path *p)
{
    if (ice->selected < 0)
        return true;
    const struct ice_path *old = &ice->path[ice->selected];
    if (p == old)
        return p->gen != ice->selected_gen && p->gen == ice->cur;
    if (p->gen != ice->selected_gen)
        return p->gen == ice->cur;
    return p->priority >= old->priority || !old->nominated || old->plain_since ||
           ice->now - old->nominated_us > ICE_RENOMINATE;
}

bool tr_ice_path_takes_over(const struct tr_ice *ice, const struct ice_path *p)
{
    const struct ice_path *old = ice->selected >= 0 ? &ice->path[ice->selected] : NULL;
    return old && p != old && p->gen == ice->selected_gen &&
           p->since_us - old->seen_us >= ICE_SILENT;
}

static void move_to(struct tr_ice *ice, struct ice_path *p)
{
    if (tr_ice_proof_needed(ice, p))
        tr_ice_proof_begin(ice, p);
    else
        tr_ice_path_select(ice, p);
}

void tr_ice_path_nominate(struct tr_ice *ice, struct ice_path *p)
{
    p->nominated = true;
    p->plain_since = false;
    p->nominated_us = ice->now;
    if (may_replace(ice, p))
        move_to(ice, p);
}

/* Between its nomination and its proof the peer may have nominated another one. */
void tr_ice_path_proven(struct tr_ice *ice, struct ice_path *p)
{
    if (p->nominated && may_replace(ice, p))
        tr_ice_path_select(ice, p);
}

/* The restart is done: what only the old credentials have proved is over. */
static void end_old_generation(struct tr_ice *ice)
{
    uint8_t old = ice->cur ^ 1;
    ice->has_old = false;
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        if (ice->path[i].slot == ICE_LIVE && ice->path[i].gen == old)
            forget(ice, &ice->path[i]);
    if (ice->full)
        tr_ice_full_drop_generation(ice, old);
}

void tr_ice_path_select(struct tr_ice *ice, struct ice_path *p)
{
    TR_ASSERT(p->slot == ICE_LIVE);
    if (ice->selected >= 0 && ice->selected_gen == p->gen)
        ice->stats.switches++;
    ice->selected = (int8_t)(p - ice->path);
    ice->selected_gen = p->gen;
    ice->report_selected = true;
    ice->setup_deadline_us = TR_NEVER;
    tr_ice_proof_end(ice);
    if (ice->full)
        tr_ice_full_on_selected(ice, p);
    if (p->gen == ice->cur && ice->has_old)
        end_old_generation(ice);
}

void tr_ice_fail(struct tr_ice *ice)
{
    TR_ASSERT(!ice->failed);
    tr_ice_path_forget_all(ice);
    if (ice->full) {
        tr_ice_full_drop_generation(ice, 0);
        tr_ice_full_drop_generation(ice, 1);
    }
    ice->setup_deadline_us = TR_NEVER;
    ice->has_old = false;
    ice->failed = ice->report_failed = true;
}

/* A lite agent whose selected path fell silent goes on with another path that was nominated. */
static struct ice_path *best_nominated(struct tr_ice *ice)
{
    struct ice_path *best = NULL;
    for (int i = 0; i < ICE_PATH_SLOTS; i++) {
        struct ice_path *p = &ice->path[i];
        if (p->slot == ICE_LIVE && p->nominated && (!best || p->seen_us > best->seen_us))
            best = p;
    }
    return best;
}

static bool any_live(const struct tr_ice *ice)
{
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        if (ice->path[i].slot == ICE_LIVE)
            return true;
    return false;
}

/* When a path ends by silence. A full agent judges its selected pair by the answers to its own
 * checks instead. */
static tr_usec expiry(const struct tr_ice *ice, const struct ice_path *p)
{
    return ice->full && is_selected(ice, p) ? TR_NEVER : p->seen_us + ice->consent_us;
}

static void after_loss(struct tr_ice *ice, bool lost_selected)
{
    struct ice_path *next = lost_selected ? best_nominated(ice) : NULL;
    if (next)
        move_to(ice, next);
    else if (lost_selected || (!ice->full && !any_live(ice)))
        tr_ice_fail(ice);
}

void tr_ice_path_expire(struct tr_ice *ice)
{
    bool had_selected = ice->selected >= 0, lost = false;
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        if (ice->path[i].slot == ICE_LIVE && ice->now >= expiry(ice, &ice->path[i])) {
            forget(ice, &ice->path[i]);
            lost = true;
        }
    if (lost)
        after_loss(ice, had_selected && ice->selected < 0);
    if (ice->now < ice->setup_deadline_us)
        return;
    ice->setup_deadline_us = TR_NEVER;
    /* A lite agent with live paths goes on waiting for the nomination. */
    if (!ice->failed && ice->selected < 0 && (ice->full || !any_live(ice)))
        tr_ice_fail(ice);
}

void tr_ice_path_gone(struct tr_ice *ice, tr_usec now, const struct tr_path *path)
{
    tr_ice_enter(ice, now);
    struct ice_path *p = tr_ice_path_find(ice, path);
    bool had_selected = ice->selected >= 0;
    if (p && p->slot == ICE_LIVE) {
        forget(ice, p);
        struct ice_path *next = best_nominated(ice);
        if (ice->full)
            after_loss(ice, had_selected && ice->selected < 0);
        else if (ice->selected < 0 && next)
            move_to(ice, next);
        else if (ice->selected < 0)
            ice->setup_deadline_us = now + ice->consent_us; /* clients connect again */
    }
    tr_ice_leave(ice);
}

tr_usec tr_ice_path_deadline(const struct tr_ice *ice)
{
    tr_usec next = ice->setup_deadline_us;
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        if (ice->path[i].slot == ICE_LIVE)
            next = tr_usec_min(next, expiry(ice, &ice->path[i]));
    return next;
}
