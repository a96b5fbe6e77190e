/* Reading an agent's state for the admin API. */
#include "ice/stats.h"

#include "ice/ice_int.h"
#include "ice/ice_pair.h"

static bool is_listed(const struct tr_ice *ice, int i)
{
    return ice->full ? ice->full->pair[i].used : ice->path[i].slot == ICE_LIVE;
}

static int slots(const struct tr_ice *ice)
{
    return ice->full ? (int)TR_ICE_PAIR_MAX : (int)ICE_PATH_SLOTS;
}

static bool is_selected_path(const struct tr_ice *ice, const struct tr_path *path, uint8_t gen)
{
    return ice->selected >= 0 && ice->selected_gen == gen &&
           tr_path_eq(&ice->path[ice->selected].path, path);
}

static enum tr_ice_state state(const struct tr_ice *ice)
{
    if (ice->failed)
        return TR_ICE_STATE_FAILED;
    if (ice->selected >= 0)
        return TR_ICE_CONNECTED;
    return ice->remote_cred[ice->cur].set || ice->stats.checks_answered > 0 ? TR_ICE_CHECKING
                                                                            : TR_ICE_NEW;
}

static void from_pair(const struct tr_ice *ice, const struct ice_pair *p,
                      struct tr_ice_pair_stats *out)
{
    *out = (struct tr_ice_pair_stats){ .path = p->path, .state = p->state };
    out->priority = p->priority;
    out->nominated = p->nominated;
    out->selected = is_selected_path(ice, &p->path, p->gen);
    out->rtt_us = p->rtt_us;
    out->last_seen_us = p->seen_us;
}

static void from_path(const struct tr_ice *ice, const struct ice_path *p,
                      struct tr_ice_pair_stats *out)
{
    *out = (struct tr_ice_pair_stats){ .path = p->path, .state = TR_ICE_PAIR_SUCCEEDED };
    out->priority = p->priority;
    out->nominated = p->nominated;
    out->selected = ice->selected >= 0 && p == &ice->path[ice->selected];
    out->rtt_us = p->rtt_us;
    out->last_seen_us = p->seen_us;
}

bool tr_ice_pair_stats(const struct tr_ice *ice, uint32_t index, struct tr_ice_pair_stats *out)
{
    for (int i = 0; i < slots(ice); i++) {
        if (!is_listed(ice, i) || index-- > 0)
            continue;
        if (ice->full)
            from_pair(ice, &ice->full->pair[i], out);
        else
            from_path(ice, &ice->path[i], out);
        return true;
    }
    return false;
}

void tr_ice_stats(const struct tr_ice *ice, struct tr_ice_stats *out)
{
    *out = ice->stats;
    out->state = state(ice);
    out->role = ice->role;
    for (int i = 0; i < slots(ice); i++) {
        if (!is_listed(ice, i))
            continue;
        out->pairs++;
        if (ice->full && is_selected_path(ice, &ice->full->pair[i].path, ice->full->pair[i].gen))
            out->rtt_us = ice->full->pair[i].rtt_us;
    }
}
