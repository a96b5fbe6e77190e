/* A whole life of an agent from bytes. The first byte chooses lite or full and the role; then each
 * step is one operation byte with its arguments: time passing, API calls, raw packets, well-signed
 * checks with chosen attributes, and answers to the agent's own checks. The agent's assertions are
 * the oracle, with what is checked here: polling ends, events match (VALID before INVALID, SELECTED
 * only on a valid path), timeouts make progress. */
#include "ice/ice.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/rng.h"
#include "ice/cand.h"
#include "ice/stats.h"
#include "stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define UFRAG "fuzzlocal"
#define PWD "fuzzpasswordfuzzpassword"
#define REMOTE_PWD "remotepasswordremotepass"

enum { PATHS = 64, ASKED = 8, STEPS = 200 };

struct world {
    struct tr_ice *ice;
    struct tr_rd in;
    tr_usec now;
    struct tr_path valid[PATHS];
    int valid_count;
    struct { /* requests of the agent that may be answered */
        struct tr_path path;
        uint8_t txid[TR_STUN_TXID];
    } asked[ASKED];
    unsigned asked_count;
};

static int find_valid(const struct world *w, const struct tr_path *path)
{
    for (int i = 0; i < w->valid_count; i++)
        if (tr_path_eq(&w->valid[i], path))
            return i;
    return -1;
}

static void on_send(struct world *w, const struct tr_ice_out *out)
{
    struct tr_stun m;
    TR_ASSERT(tr_stun_parse(&m, out->data, TR_STUN_FOR_ICE) == TR_OK);
    if (m.cls != TR_STUN_REQUEST)
        return;
    unsigned at = w->asked_count++ % ASKED;
    w->asked[at].path = out->path;
    memcpy(w->asked[at].txid, m.txid, TR_STUN_TXID);
}

static void drain(struct world *w)
{
    struct tr_ice_out out;
    int i, events = 0;
    for (tr_ice_poll(w->ice, &out); out.kind != TR_ICE_NONE; tr_ice_poll(w->ice, &out)) {
        TR_ASSERT(++events < 100);
        i = find_valid(w, &out.path);
        switch (out.kind) {
        case TR_ICE_SEND: on_send(w, &out); break;
        case TR_ICE_VALID:
            TR_ASSERT(i < 0 && w->valid_count < PATHS);
            w->valid[w->valid_count++] = out.path;
            break;
        case TR_ICE_SELECTED: TR_ASSERT(i >= 0); break;
        case TR_ICE_INVALID:
            TR_ASSERT(i >= 0);
            w->valid[i] = w->valid[--w->valid_count];
            break;
        case TR_ICE_FAILED: TR_ASSERT(w->valid_count == 0); break;
        case TR_ICE_NONE: break;
        }
    }
    TR_ASSERT(w->valid_count <= TR_ICE_PATH_MAX);
}

static struct tr_path take_path(struct world *w)
{
    unsigned v = tr_rd_u8(&w->in);
    return (struct tr_path){ .local = tr_addr_v4(10, 0, 0, (uint8_t)(1 + (v >> 6)), 5000),
                             .remote = tr_addr_v4(192, 0, 2, 1, (uint16_t)(1 + (v & 63))) };
}

static void feed(struct world *w, struct tr_path path, struct tr_slice pkt)
{
    enum tr_err err = tr_ice_input(w->ice, w->now, path, pkt);
    TR_ASSERT(err != TR_ERR_AGAIN && err != TR_ERR_INVAL && err != TR_ERR_NOMEM);
}

static void feed_check(struct world *w)
{
    uint8_t buf[300], txid[TR_STUN_TXID] = { 1 };
    char username[64];
    struct tr_path path = take_path(w);
    unsigned flags = tr_rd_u8(&w->in);
    struct tr_wr m = tr_wr(buf, sizeof buf), u = tr_wr(username, sizeof username);
    tr_wr_fmt(&u, "%s:peer", flags & 1 ? UFRAG : tr_ice_ufrag(w->ice));
    tr_stun_begin(&m, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put(&m, TR_STUN_USERNAME, tr_wr_slice(&u));
    if (!(flags & 2))
        tr_stun_put_u32(&m, TR_STUN_PRIORITY, tr_rd_u32(&w->in));
    if (flags & 4)
        tr_stun_put(&m, TR_STUN_USE_CANDIDATE, tr_slice(NULL, 0));
    tr_stun_put_u64(&m, flags & 8 ? TR_STUN_ICE_CONTROLLED : TR_STUN_ICE_CONTROLLING,
                    tr_rd_u64(&w->in));
    if (flags & 16)
        tr_stun_put_u32(&m, 0x7abc, 0);
    if (!(flags & 32))
        tr_stun_put_integrity(&m, tr_slice_str(flags & 1 ? PWD : tr_ice_pwd(w->ice)),
                              (flags & 64) != 0);
    feed(w, path, tr_stun_end(&m));
}

static void feed_answer(struct world *w)
{
    uint8_t buf[200];
    unsigned v = tr_rd_u8(&w->in);
    unsigned at = v % ASKED;
    struct tr_wr m = tr_wr(buf, sizeof buf);
    struct tr_path path = w->asked[at].path;
    bool error = (v & 8) != 0;
    tr_stun_begin(&m, error ? TR_STUN_ERROR : TR_STUN_SUCCESS, TR_STUN_BINDING, w->asked[at].txid);
    if (error)
        tr_stun_put_error(&m, v & 16 ? TR_STUN_ROLE_CONFLICT : TR_STUN_BAD_REQUEST);
    else
        tr_stun_put_addr(&m, TR_STUN_XOR_MAPPED_ADDRESS, &path.local, true);
    if (v & 32)
        path.remote.port++;
    if (!(v & 64))
        tr_stun_put_integrity(&m, tr_slice_str(REMOTE_PWD), (v & 128) != 0);
    feed(w, path, tr_stun_end(&m));
}

static void feed_raw(struct world *w)
{
    struct tr_path path = take_path(w);
    size_t n = tr_rd_u8(&w->in), left = tr_rd_left(&w->in);
    feed(w, path, tr_rd_take(&w->in, n < left ? n : left));
}

static void pass_time(struct world *w, tr_usec us)
{
    tr_usec end = w->now + us;
    int stuck = 0;
    while (tr_ice_next_timeout(w->ice) <= end) {
        tr_usec at = tr_ice_next_timeout(w->ice);
        stuck = at > w->now ? 0 : stuck + 1;
        TR_ASSERT(stuck < 300); /* at one instant: at most some for each pair */
        w->now = at > w->now ? at : w->now;
        tr_ice_timeout(w->ice, w->now);
        drain(w);
    }
    w->now = end;
}

static void add_cand(struct world *w, bool local)
{
    struct tr_path path = take_path(w);
    unsigned kind = tr_rd_u8(&w->in);
    struct tr_addr *a = local ? &path.local : &path.remote;
    struct tr_ice_cand c = tr_ice_cand_make((enum tr_ice_cand_type)(kind & 3), a,
                                            kind & 4 ? a : NULL, (uint16_t)(kind << 8));
    if (local)
        (void)!tr_ice_add_local(w->ice, w->now, &c);
    else
        (void)!tr_ice_add_remote(w->ice, w->now, &c);
}

static void read_all(const struct world *w)
{
    struct tr_ice_stats s;
    struct tr_ice_pair_stats p;
    uint32_t i = 0;
    tr_ice_stats(w->ice, &s);
    while (tr_ice_pair_stats(w->ice, i, &p))
        i++;
    TR_ASSERT(i == s.pairs && s.sends_dropped == 0);
}

static void operate(struct world *w)
{
    switch (tr_rd_u8(&w->in) % 12) {
    case 0: feed_raw(w); break;
    case 1:
    case 2: feed_check(w); break;
    case 3:
    case 4: feed_answer(w); break;
    case 5: pass_time(w, tr_rd_u8(&w->in) * TR_MSEC); break;
    case 6: pass_time(w, tr_rd_u8(&w->in) * TR_SECOND / 4); break;
    case 7: add_cand(w, true); break;
    case 8: add_cand(w, false); break;
    case 9:
        (void)!tr_ice_set_remote(w->ice, w->now, "peer", REMOTE_PWD, tr_rd_u8(&w->in) & 1);
        break;
    case 10:
        if (tr_rd_u8(&w->in) & 1)
            (void)!tr_ice_restart(w->ice, w->now, NULL, NULL);
        else
            (void)!tr_ice_restart(w->ice, w->now, UFRAG, PWD);
        break;
    case 11: (void)!tr_ice_nominate(w->ice, w->now, take_path(w)); break;
    }
    drain(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tr_rng rng = tr_rng_seeded(1);
    struct tr_arena *arena = tr_arena_create(1 << 20);
    struct world w = { .in = tr_rd(tr_slice(data, n)), .now = 1 };
    unsigned kind = tr_rd_u8(&w.in);
    struct tr_ice_conf conf = { .lite = kind & 1, .ufrag = UFRAG, .pwd = PWD, .rng = &rng };
    conf.role = kind & 2 ? TR_ICE_CONTROLLING : TR_ICE_CONTROLLED;
    w.ice = arena ? tr_ice_create(arena, &conf) : NULL;
    for (int i = 0; w.ice && i < STEPS && tr_rd_left(&w.in) > 0; i++)
        operate(&w);
    if (w.ice) {
        read_all(&w);
        pass_time(&w, 70 * TR_SECOND);
    }
    tr_ice_destroy(w.ice);
    tr_arena_destroy(arena);
    return 0;
}
