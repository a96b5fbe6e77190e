/* Clients that are heard by another worker than the one that their allocation lives on (its home).
 * The kernel keeps a path on one worker; which one, nobody chooses. A client comes to a foreign
 * home by what it names: the ticket of a move, the token of a reserved port.
 *
 * The home knows of each relayed port by which flows its client is heard, two while it moves, and
 * where; each of those workers knows the home, once for each port, and passes on what it hears. So
 * three workers may have a part in a move: the home, the one that hears the old flow, and the one
 * that hears the new one. All three go on until the client has spoken by the new flow.
 *
 * No datagram comes too early for that: what the home answers to a client that is heard elsewhere
 * leaves there, behind the news of whose client it is. A DTLS association does not move at all: its
 * keys stay with the worker that its path comes to, and what is inside of it is passed on. */
#include "base/mem.h"
#include "media/msg.h"
#include "media/path_key.h"
#include "media/relay_int.h"

enum { AWAY_MAX = 1 << 16 };

struct away { /* a flow that we hear */
    int home;
    uint32_t ports; /* of its client */
};

/* --- the worker that hears it --- */

enum tr_err relay_away_init(struct relay *r)
{
    r->away = tr_map_create(AWAY_MAX, tr_rng_u64(&r->worker->rng));
    return r->away ? TR_OK : TR_ERR_NOMEM;
}

void relay_away_deinit(struct relay *r)
{
    uint32_t cursor = 0;
    struct tr_slice key;
    void *away;
    while (r->away && tr_map_next(r->away, &cursor, &key, &away))
        tr_free(away);
    tr_map_destroy(r->away);
}

static struct away *find(const struct relay *r, const struct path_key *key)
{
    return tr_map_count(r->away) > 0 ? tr_map_get(r->away, path_key_slice(key)) : NULL;
}

static void forget(struct relay *r, const struct path_key *key)
{
    tr_free(tr_map_remove(r->away, path_key_slice(key)));
}

/* Without room its data counts as that of nobody, and its client notices. */
static void add(struct relay *r, const struct tr_path *flow, int home)
{
    struct path_key key = path_key(flow);
    struct away *a = find(r, &key);
    if (!a) {
        a = tr_alloc(sizeof *a);
        if (!a || tr_map_add(r->away, path_key_slice(&key), a) != TR_OK) {
            tr_free(a);
            return;
        }
    }
    a->ports = a->home == home ? a->ports + 1 : 1;
    a->home = home;
}

static void subtract(struct relay *r, const struct tr_path *flow, int home)
{
    struct path_key key = path_key(flow);
    struct away *a = find(r, &key);
    if (a && a->home == home && --a->ports == 0) /* by now it may have another home */
        forget(r, &key);
}

int relay_home_of(struct relay *r, const struct tr_path *flow, struct tr_slice msg)
{
    int here = r->worker->index, workers = r->worker->media->workers_count;
    if (workers == 1)
        return here;
    struct path_key key = path_key(flow);
    const struct away *a = find(r, &key);
    if (a)
        return a->home;
    bool stun = msg.n > 0 && msg.p[0] < 4;
    int home = stun ? tr_turn_home(r->turn, r->worker->now, flow, msg) : -1;
    return home >= 0 && home < workers ? home : here;
}

static void tell(struct relay *r, int to, enum msg_kind kind, const struct tr_path *flow)
{
    struct msg m = { .kind = kind, .worker = r->worker->index, .u.path = *flow };
    worker_send(r->worker, to, &m, true);
}

static void flow_gone_here(struct relay *r, const struct tr_path *flow)
{
    tr_turn_flow_gone(r->turn, r->worker->now, flow);
    relay_poll(r);
}

void relay_flow_gone(struct relay *r, const struct tr_path *flow)
{
    struct path_key key = path_key(flow);
    const struct away *a = find(r, &key);
    if (a) {
        tell(r, a->home, MSG_RELAY_FLOW_GONE, flow);
        forget(r, &key);
    }
    flow_gone_here(r, flow);
}

static void added(struct relay *r, const struct tr_path *flow, int home)
{
    if (relay_dtls_proven(r, flow) || flow->remote.proto != TR_PROTO_DTLS)
        add(r, flow, home);
    else /* it has ended meanwhile */
        tell(r, home, MSG_RELAY_FLOW_GONE, flow);
}

void relay_away_message(struct relay *r, const struct msg *m)
{
    switch ((int)m->kind) {
    case MSG_RELAY_FLOW_ADD: added(r, &m->u.path, m->worker); break;
    case MSG_RELAY_FLOW_REMOVE: subtract(r, &m->u.path, m->worker); break;
    case MSG_RELAY_FLOW_GONE: flow_gone_here(r, &m->u.path); break;
    default: break;
    }
}

/* --- its home --- */

static const struct rflow *flow_of(const struct rport *p, const struct tr_path *path)
{
    for (int i = 0; i < p->flows; i++) {
        if (tr_path_eq(&p->flow[i].path, path))
            return &p->flow[i];
    }
    return NULL;
}

int relay_hears(const struct rport *p, const struct tr_path *path)
{
    const struct rflow *f = flow_of(p, path);
    return f ? f->worker : p->relay->worker->index;
}

static void came(struct relay *r, const struct rflow *f)
{
    if (f->worker != r->worker->index)
        tell(r, f->worker, MSG_RELAY_FLOW_ADD, &f->path);
    relay_stream_proven(r, &f->path);
    relay_dtls_proven(r, &f->path);
}

static void left(struct relay *r, const struct rflow *f)
{
    if (f->worker != r->worker->index)
        tell(r, f->worker, MSG_RELAY_FLOW_REMOVE, &f->path);
}

static bool is_among(const struct tr_path *path, const struct tr_path *paths, int n)
{
    for (int i = 0; i < n; i++) {
        if (tr_path_eq(path, &paths[i]))
            return true;
    }
    return false;
}

void relay_client_flows(struct rport *p, const struct tr_path *paths, int n)
{
    struct relay *r = p->relay;
    struct rflow flows[RELAY_FLOWS];
    for (int i = 0; i < n; i++) {
        const struct rflow *known = flow_of(p, &paths[i]);
        flows[i] = known ? *known : (struct rflow){ .path = paths[i], .worker = r->arrival };
        if (!known)
            came(r, &flows[i]);
    }
    for (int i = 0; i < p->flows; i++) {
        if (!is_among(&p->flow[i].path, paths, n))
            left(r, &p->flow[i]);
    }
    memcpy(p->flow, flows, (size_t)n * sizeof *flows);
    p->flows = n;
}
