/* The agent as a whole. Two generations of credentials can be in force: the current one, and after
 * a restart the old one until a path of the current one is selected. Each path and pair knows its
 * generation by the index of its credentials.
 *
 * Every entry point runs between tr_ice_enter and tr_ice_leave; the latter works out the next
 * timeout and asserts the invariants, so that next_timeout is a plain read. */
#include "ice/ice.h"

#include <openssl/crypto.h>

#include "base/arena.h"
#include "base/assert.h"
#include "ice/ice_int.h"
#include "ice/ice_pair.h"

enum { UFRAG_RANDOM = 16, PWD_RANDOM = 24, UFRAG_MIN = 4, PWD_MIN = 22 };

/* ---- entry points' frame ---- */

static void ice_check(const struct tr_ice *ice)
{
    int live = 0;
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        live += ice->path[i].slot == ICE_LIVE;
    TR_ASSERT(live <= TR_ICE_PATH_MAX);
    TR_ASSERT(!ice->failed || live == 0);
    TR_ASSERT(ice->selected < 0 || ice->path[ice->selected].slot == ICE_LIVE);
    TR_ASSERT(!ice->report_selected || ice->selected >= 0);
    TR_ASSERT(ice->selected < 0 || ice->selected_gen == ice->cur || ice->has_old);
    TR_ASSERT(ice->send_count <= ICE_SENDS_MAX);
    TR_ASSERT(ice->lite == !ice->full);
    TR_ASSERT(ice->proof.path < 0 || (ice->lite && ice->path[ice->proof.path].slot == ICE_LIVE));
    if (ice->full)
        tr_ice_full_check(ice);
    else
        TR_ASSERT(ice->role == TR_ICE_CONTROLLED);
}

void tr_ice_enter(struct tr_ice *ice, tr_usec now)
{
    TR_ASSERT(now >= ice->now);
    ice->now = now;
}

void tr_ice_leave(struct tr_ice *ice)
{
    ice->next_us = TR_NEVER;
    if (!ice->failed) {
        ice->next_us = tr_usec_min(tr_ice_path_deadline(ice), ice->proof.next_us);
        if (ice->full)
            ice->next_us = tr_usec_min(ice->next_us, tr_ice_full_deadline(ice));
    }
    ice_check(ice);
}

void tr_ice_timeout(struct tr_ice *ice, tr_usec now)
{
    tr_ice_enter(ice, now);
    if (!ice->failed)
        tr_ice_path_expire(ice);
    if (!ice->failed)
        tr_ice_proof_timeout(ice);
    if (!ice->failed && ice->full)
        tr_ice_full_timeout(ice);
    tr_ice_leave(ice);
}

tr_usec tr_ice_next_timeout(const struct tr_ice *ice)
{
    return ice->next_us;
}

/* ---- credentials ---- */

static bool are_ice_chars(const char *s, size_t min, size_t max)
{
    size_t n = 0;
    for (; s[n]; n++) {
        bool letter = (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z');
        bool other = (s[n] >= '0' && s[n] <= '9') || s[n] == '+' || s[n] == '/';
        if (n >= max || (!letter && !other))
            return false;
    }
    return n >= min;
}

static bool are_local_creds(const char *ufrag, const char *pwd)
{
    if (!ufrag && !pwd)
        return true;
    return ufrag && pwd && are_ice_chars(ufrag, UFRAG_MIN, TR_ICE_LOCAL_UFRAG_MAX) &&
           are_ice_chars(pwd, PWD_MIN, TR_ICE_LOCAL_PWD_MAX);
}

static void set_local_creds(struct tr_ice *ice, const char *ufrag, const char *pwd)
{
    struct ice_local_cred *c = &ice->local_cred[ice->cur];
    memset(c, 0, sizeof *c);
    if (ufrag) {
        memcpy(c->ufrag, ufrag, strlen(ufrag));
        memcpy(c->pwd, pwd, strlen(pwd));
    } else {
        tr_rng_ice_chars(ice->rng, c->ufrag, UFRAG_RANDOM);
        tr_rng_ice_chars(ice->rng, c->pwd, PWD_RANDOM);
    }
}

const char *tr_ice_ufrag(const struct tr_ice *ice)
{
    return ice->local_cred[ice->cur].ufrag;
}

const char *tr_ice_pwd(const struct tr_ice *ice)
{
    return ice->local_cred[ice->cur].pwd;
}

static enum tr_err set_remote(struct tr_ice *ice, const char *ufrag, const char *pwd,
                              bool peer_lite)
{
    struct ice_remote_cred *c = &ice->remote_cred[ice->cur];
    if (!are_ice_chars(ufrag, UFRAG_MIN, TR_ICE_UFRAG_MAX) ||
        !are_ice_chars(pwd, PWD_MIN, TR_ICE_PWD_MAX))
        return TR_ERR_INVAL;
    if (c->set)
        return strcmp(c->ufrag, ufrag) == 0 && strcmp(c->pwd, pwd) == 0 ? TR_OK : TR_ERR_EXISTS;
    memcpy(c->ufrag, ufrag, strlen(ufrag) + 1);
    memcpy(c->pwd, pwd, strlen(pwd) + 1);
    c->set = true;
    /*= rfc8445#6.1.1
     *# The full agent MUST take the controlling role, and the lite agent MUST take the controlled
     *# role. */
    if (peer_lite && ice->full && ice->role == TR_ICE_CONTROLLED)
        tr_ice_full_switch_role(ice);
    if (ice->selected < 0 && !ice->failed)
        ice->setup_deadline_us = ice->now + ice->setup_us;
    tr_ice_proof_go_on(ice);
    return TR_OK;
}

enum tr_err tr_ice_set_remote(struct tr_ice *ice, tr_usec now, const char *ufrag, const char *pwd,
                              bool peer_lite)
{
    tr_ice_enter(ice, now);
    enum tr_err err = set_remote(ice, ufrag, pwd, peer_lite);
    tr_ice_leave(ice);
    return err;
}

/* ---- creation and restart ---- */

struct tr_ice *tr_ice_create(struct tr_arena *arena, const struct tr_ice_conf *conf)
{
    if (!are_local_creds(conf->ufrag, conf->pwd))
        return NULL;
    struct tr_ice *ice = tr_arena_alloc(arena, sizeof *ice);
    if (!ice)
        return NULL;
    if (!conf->lite) {
        ice->full = tr_arena_alloc(arena, sizeof *ice->full);
        if (!ice->full)
            return NULL; /* the arena frees the rest with its owner */
    }
    ice->lite = conf->lite;
    ice->role = conf->lite ? TR_ICE_CONTROLLED : conf->role;
    ice->rng = conf->rng;
    ice->now = INT64_MIN;
    ice->selected = -1;
    ice->consent_us = conf->consent_us ? conf->consent_us : ICE_EXPIRY;
    ice->setup_us = conf->setup_us ? conf->setup_us : ICE_EXPIRY;
    ice->setup_deadline_us = TR_NEVER;
    tr_ice_proof_init(ice);
    set_local_creds(ice, conf->ufrag, conf->pwd);
    if (ice->full)
        tr_ice_full_init(ice);
    tr_ice_leave(ice);
    return ice;
}

void tr_ice_destroy(struct tr_ice *ice)
{
    if (!ice)
        return;
    OPENSSL_cleanse(ice->local_cred, sizeof ice->local_cred);
    OPENSSL_cleanse(ice->remote_cred, sizeof ice->remote_cred);
}

/* Credentials move to a free slot; when the selected path still hangs on the old ones (a restart
 * during a restart), the unfinished generation is the one that goes. */
static void turn_generation(struct tr_ice *ice)
{
    bool unfinished = ice->selected >= 0 && ice->selected_gen != ice->cur;
    ice->has_old = !ice->failed;
    if (!unfinished)
        ice->cur ^= 1;
    memset(&ice->remote_cred[ice->cur], 0, sizeof ice->remote_cred[0]);
    for (int i = 0; i < ICE_PATH_SLOTS; i++)
        ice->path[i].gen = ice->cur ^ 1;
    tr_ice_proof_end(ice); /* whatever it was for is to be nominated anew */
}

enum tr_err tr_ice_restart(struct tr_ice *ice, tr_usec now, const char *ufrag, const char *pwd)
{
    if (!are_local_creds(ufrag, pwd))
        return TR_ERR_INVAL;
    tr_ice_enter(ice, now);
    turn_generation(ice);
    /*= rfc8445#9
     *# To restart ICE, an agent MUST change both the password and the username fragment for the
     *# data stream(s) being restarted. */
    set_local_creds(ice, ufrag, pwd);
    ice->failed = ice->report_failed = false;
    ice->setup_deadline_us = TR_NEVER;
    ice->remote_count = 0;
    ice->stats.restarts++;
    if (ice->full)
        tr_ice_full_restart(ice);
    tr_ice_leave(ice);
    return TR_OK;
}

/* ---- candidates ---- */

static uint32_t hash_text(const char *s) /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return h;
}

static const struct ice_cand *find_cand(const struct ice_cand *list, int n,
                                        const struct tr_addr *addr)
{
    for (int i = 0; i < n; i++)
        if (tr_addr_eq(&list[i].addr, addr))
            return &list[i];
    return NULL;
}

uint32_t tr_ice_remote_priority(const struct tr_ice *ice, const struct tr_addr *addr,
                                uint32_t fallback)
{
    const struct ice_cand *c = find_cand(ice->remote, ice->remote_count, addr);
    return c ? c->priority : fallback;
}

uint32_t tr_ice_local_priority(const struct tr_ice *ice, const struct tr_addr *addr)
{
    const struct ice_cand *c = find_cand(ice->local, ice->local_count, addr);
    if (c)
        return c->priority;
    if (addr->proto != TR_PROTO_TCP)
        return tr_ice_priority(TR_ICE_HOST, UINT16_MAX, 1);
    return tr_ice_cand_make_tcp(TR_ICE_HOST, TR_ICE_TCP_PASSIVE, addr, NULL, UINT16_MAX).priority;
}

static enum tr_err add_cand(struct ice_cand *list, uint8_t *count, int max,
                            const struct tr_ice_cand *cand, const struct tr_addr *addr)
{
    bool tcp = cand->proto == TR_ICE_TCP;
    if (cand->component != 1 || addr->port == 0 || tr_addr_is_any(addr) ||
        tcp != (addr->proto == TR_PROTO_TCP) || tcp != (cand->tcptype != TR_ICE_TCP_NONE))
        return TR_ERR_UNSUPPORTED;
    if (find_cand(list, *count, addr))
        return TR_ERR_EXISTS;
    if (*count == max)
        return TR_ERR_LIMIT;
    list[(*count)++] = (struct ice_cand){ .addr = *addr,
                                          .priority = cand->priority,
                                          .foundation = hash_text(cand->foundation),
                                          .tcptype = (uint8_t)cand->tcptype };
    return TR_OK;
}

enum tr_err tr_ice_add_local(struct tr_ice *ice, tr_usec now, const struct tr_ice_cand *cand)
{
    bool behind_nat = cand->type == TR_ICE_SRFLX || cand->type == TR_ICE_PRFLX;
    const struct tr_addr *base = behind_nat ? &cand->rel : &cand->addr;
    tr_ice_enter(ice, now);
    enum tr_err err = add_cand(ice->local, &ice->local_count, TR_ICE_LOCAL_MAX, cand, base);
    if (err == TR_OK && ice->full)
        tr_ice_full_pair_local(ice, &ice->local[ice->local_count - 1]);
    tr_ice_leave(ice);
    return err;
}

enum tr_err tr_ice_add_remote(struct tr_ice *ice, tr_usec now, const struct tr_ice_cand *cand)
{
    tr_ice_enter(ice, now);
    enum tr_err err =
        add_cand(ice->remote, &ice->remote_count, TR_ICE_REMOTE_MAX, cand, &cand->addr);
    if (err == TR_OK && ice->full)
        tr_ice_full_pair_remote(ice, &ice->remote[ice->remote_count - 1]);
    tr_ice_leave(ice);
    return err;
}

/* ---- reading ---- */

bool tr_ice_selected(const struct tr_ice *ice, struct tr_path *path)
{
    if (ice->selected < 0)
        return false;
    *path = ice->path[ice->selected].path;
    return true;
}

enum tr_ice_role tr_ice_role(const struct tr_ice *ice)
{
    return ice->role;
}
