/* What poll hands out. Messages wait as short descriptions and are encoded into the agent's one
 * buffer when their turn comes, which keeps an agent small. Events are not queued at all: they are
 * read off the flags in the agent and its paths. */
#include "ice/ice_int.h"

#include "base/assert.h"

void tr_ice_send(struct tr_ice *ice, const struct ice_send *send)
{
    if (ice->send_count == ICE_SENDS_MAX) {
        ice->stats.sends_dropped++;
        return;
    }
    unsigned at = ((unsigned)ice->send_head + ice->send_count) % ICE_SENDS_MAX;
    ice->send[at] = *send;
    ice->send_count++;
}

static void encode_request(const struct tr_ice *ice, const struct ice_send *s, struct tr_wr *w)
{
    const char *remote = ice->remote_cred[s->gen].ufrag, *local = ice->local_cred[s->gen].ufrag;
    char username[TR_ICE_UFRAG_MAX + TR_ICE_LOCAL_UFRAG_MAX + 1];
    struct tr_wr u = tr_wr(username, sizeof username);
    tr_wr_str(&u, remote);
    tr_wr_str(&u, ":");
    tr_wr_str(&u, local);
    tr_stun_begin(w, TR_STUN_REQUEST, TR_STUN_BINDING, s->txid);
    tr_stun_put(w, TR_STUN_USERNAME, tr_wr_slice(&u));
    /*= rfc8445#7.1.1
     *# The PRIORITY attribute MUST be included in a Binding request */
    tr_stun_put_u32(w, TR_STUN_PRIORITY, s->priority);
    bool controlling = ice->role == TR_ICE_CONTROLLING;
    tr_stun_put_u64(w, controlling ? TR_STUN_ICE_CONTROLLING : TR_STUN_ICE_CONTROLLED,
                    ice->tie_breaker);
    if (s->use_candidate && controlling)
        tr_stun_put(w, TR_STUN_USE_CANDIDATE, tr_slice(NULL, 0));
    tr_stun_put_integrity(w, tr_slice_str(ice->remote_cred[s->gen].pwd), false);
}

static void encode_answer(const struct tr_ice *ice, const struct ice_send *s, struct tr_wr *w)
{
    bool ok = s->kind == ICE_SEND_SUCCESS;
    tr_stun_begin(w, ok ? TR_STUN_SUCCESS : TR_STUN_ERROR, TR_STUN_BINDING, s->txid);
    if (ok)
        tr_stun_put_addr(w, TR_STUN_XOR_MAPPED_ADDRESS, &s->path.remote, true);
    else
        tr_stun_put_error(w, (enum tr_stun_code)s->code);
    if (s->unknown_count > 0)
        tr_stun_put_unknown(w, s->unknown, s->unknown_count);
    if (s->auth)
        tr_stun_put_integrity(w, tr_slice_str(ice->local_cred[s->gen].pwd), s->sha256);
}

static struct tr_slice encode(struct tr_ice *ice, const struct ice_send *s)
{
    struct tr_wr w = tr_wr(ice->msg, sizeof ice->msg);
    if (s->kind == ICE_SEND_REQUEST)
        encode_request(ice, s, &w);
    else
        encode_answer(ice, s, &w);
    tr_stun_put_fingerprint(&w);
    struct tr_slice msg = tr_stun_end(&w);
    TR_ASSERT(msg.n > 0);
    return msg;
}

/* Takes the first path in the state that is looked for. */
static bool report_path(struct tr_ice *ice, enum tr_ice_kind kind, struct tr_ice_out *out)
{
    for (int i = 0; i < ICE_PATH_SLOTS; i++) {
        struct ice_path *p = &ice->path[i];
        if (kind == TR_ICE_VALID ? p->slot != ICE_LIVE || p->announced : p->slot != ICE_DYING)
            continue;
        if (kind == TR_ICE_VALID)
            p->announced = true;
        else
            p->slot = ICE_FREE;
        *out = (struct tr_ice_out){ .kind = kind, .path = p->path };
        return true;
    }
    return false;
}

static bool report_event(struct tr_ice *ice, struct tr_ice_out *out)
{
    if (ice->report_paths && report_path(ice, TR_ICE_VALID, out))
        return true;
    if (ice->report_selected) {
        ice->report_selected = false;
        *out =
            (struct tr_ice_out){ .kind = TR_ICE_SELECTED, .path = ice->path[ice->selected].path };
        return true;
    }
    if (ice->report_paths && report_path(ice, TR_ICE_INVALID, out))
        return true;
    ice->report_paths = false;
    if (ice->report_failed) {
        ice->report_failed = false;
        *out = (struct tr_ice_out){ .kind = TR_ICE_FAILED };
        return true;
    }
    return false;
}

void tr_ice_poll(struct tr_ice *ice, struct tr_ice_out *out)
{
    if (ice->send_count > 0) {
        const struct ice_send *s = &ice->send[ice->send_head];
        *out = (struct tr_ice_out){ .kind = TR_ICE_SEND, .path = s->path };
        out->data = encode(ice, s);
        ice->send_head = (uint8_t)((ice->send_head + 1) % ICE_SENDS_MAX);
        ice->send_count--;
    } else if (!report_event(ice, out)) {
        *out = (struct tr_ice_out){ .kind = TR_ICE_NONE };
    }
}
