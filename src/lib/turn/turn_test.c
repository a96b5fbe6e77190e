/* The rig keeps what the server says: counts and the last event of each kind, the last message
 * parsed. It answers OPEN and DIAL at once unless told to hold, and asserts what an owner relies
 * on: the quota is given back, `user` is what it handed in. */
#include "turn/turn_test.h"

#include "base/assert.h"
#include "turn/auth.h"
#include "turn/policy.h"

const struct tr_turn_conf rig_plain = { .relay_v4 = true };

static const struct tr_turn_user users[] = { { RIG_USER, "secret" }, { RIG_OTHER_USER, "other" } };

static enum tr_err take(void *arg, struct tr_slice credential, const struct tr_addr *client,
                        void **share)
{
    struct rig *rig = arg;
    TR_ASSERT(credential.n > 0 && client->port != 0);
    if ((uint32_t)rig->shares >= rig->shares_max)
        return TR_ERR_LIMIT;
    *share = rig;
    rig->shares++;
    return TR_OK;
}

static void give(void *arg, void *share)
{
    struct rig *rig = arg;
    TR_ASSERT(share == rig && rig->shares > 0);
    rig->shares--;
}

static uint32_t draw(void *arg, void *share, tr_usec now, uint32_t bytes)
{
    struct rig *rig = arg;
    TR_ASSERT(share == rig && now >= 0);
    rig->draws++;
    uint32_t got = bytes < rig->draw ? bytes : rig->draw;
    rig->draw -= got;
    return got;
}

enum tr_err rig_open(struct rig *rig, const struct tr_turn_conf *conf)
{
    struct tr_turn_auth_conf auth = {
        .realm = RIG_REALM, .secrets = { "rig" }, .users = users, .users_count = 2
    };
    struct tr_turn_policy_conf policy = { .issued_private = true,
                                          .media = { tr_addr_v4(192, 0, 2, 1, 10000) },
                                          .media_count = 1,
                                          .own = { tr_addr_v4(192, 0, 2, 1, 0) },
                                          .own_count = 1 };
    struct tr_turn_conf c = *conf;
    const char *bad;
    *rig = (struct rig){ .rng = tr_rng_seeded(7),
                         .now = TR_SECOND,
                         .user = RIG_USER,
                         .next_port = 50000,
                         .fail_v6 = -1,
                         .shares_max = UINT32_MAX,
                         .draw = UINT32_MAX };
    rig->auth = tr_turn_auth_create(&auth, &rig->rng);
    enum tr_err err = tr_turn_policy_create(&rig->policy, &policy, &bad);
    c.auth = rig->auth;
    c.policy = rig->policy;
    c.rng = &rig->rng;
    c.quota = (struct tr_turn_quota){ .arg = rig, .take = take, .give = give, .draw = draw };
    if (c.allocations_max == 0)
        c.allocations_max = 100;
    rig->turn = rig->auth && err == TR_OK ? tr_turn_create(&c, rig->now) : NULL;
    if (rig->turn)
        return TR_OK;
    rig_close(rig);
    return TR_ERR_NOMEM;
}

void rig_close(struct rig *rig)
{
    tr_turn_destroy(rig->turn);
    tr_turn_auth_destroy(rig->auth);
    tr_turn_policy_destroy(rig->policy);
    TR_ASSERT(rig->shares == 0);
}

struct tr_path rig_flow(unsigned i)
{
    return (struct tr_path){ .local = tr_addr_v4(192, 0, 2, 1, 3478),
                             .remote = tr_addr_v4(198, 51, (uint8_t)(i >> 14), 7,
                                                  (uint16_t)(1024 + (i & 0x3fff))) };
}

struct tr_path rig_tcp(unsigned i)
{
    struct tr_path flow = rig_flow(i);
    flow.local.proto = flow.remote.proto = TR_PROTO_TCP;
    return flow;
}

struct tr_addr rig_peer(unsigned i)
{
    return tr_addr_v4(8, 8, (uint8_t)(i >> 8), (uint8_t)i, (uint16_t)(5000 + i));
}

struct tr_addr rig_peer_v6(unsigned i)
{
    struct tr_addr a = { .port = (uint16_t)(5000 + i) };
    a.ip[0] = 0x26;
    a.ip[15] = (uint8_t)i;
    return a;
}

static void open_relay(struct rig *rig, const struct tr_turn_out *out)
{
    struct tr_addr a = tr_addr_v4(192, 0, 2, 1, 0);
    rig->open_now++;
    rig->reserved_now += out->port == TR_TURN_PORT_PAIR;
    if (out->v6)
        a = rig_peer_v6(200);
    rig->next_port = (uint16_t)(rig->next_port + 2); /* even */
    a.port = out->port == TR_TURN_PORT_RESERVED ? out->reserved : rig->next_port;
    enum tr_err err = rig->fail_v6 == (int)out->v6 ? TR_ERR_LIMIT : rig->open_err;
    if (err != TR_OK) {
        rig->open_now--;
        rig->reserved_now -= out->port == TR_TURN_PORT_PAIR;
    }
    tr_turn_opened(rig->turn, rig->now, out->relay, err, &a, rig);
}

static struct rig_conn *conn_of(struct rig *rig, tr_id id)
{
    for (int i = 0; i < RIG_CONNS; i++)
        if (rig->conns[i].id == id)
            return &rig->conns[i];
    return NULL;
}

static void add_conn(struct rig *rig, tr_id id, bool dialing)
{
    struct rig_conn *c = conn_of(rig, 0);
    TR_ASSERT(c && !conn_of(rig, id));
    *c = (struct rig_conn){ id, dialing };
}

static void remove_conn(struct rig *rig, tr_id id)
{
    struct rig_conn *c = conn_of(rig, id);
    TR_ASSERT(id != 0 && c);
    c->id = 0;
}

int rig_conns(const struct rig *rig)
{
    int n = 0;
    for (int i = 0; i < RIG_CONNS; i++)
        n += rig->conns[i].id != 0;
    return n;
}

void rig_connected(struct rig *rig, tr_id connection, enum tr_err err)
{
    struct rig_conn *c = connection ? conn_of(rig, connection) : NULL;
    if (c && c->dialing) {
        c->dialing = false;
        if (err != TR_OK)
            c->id = 0;
    }
    tr_turn_connected(rig->turn, rig->now, connection, err);
}

void rig_hangup(struct rig *rig, tr_id connection)
{
    if (connection && conn_of(rig, connection))
        remove_conn(rig, connection);
    tr_turn_hangup(rig->turn, rig->now, connection);
}

enum tr_err rig_incoming(struct rig *rig, tr_id relay, const struct tr_addr *peer,
                         tr_id *connection)
{
    enum tr_err err = tr_turn_incoming(rig->turn, rig->now, relay, peer, connection);
    if (err == TR_OK)
        add_conn(rig, *connection, false);
    return err;
}

void rig_answer_held(struct rig *rig)
{
    rig_poll(rig); /* an owner knows what was closed */
    struct tr_turn_out out = rig->last[TR_TURN_OPEN];
    if (rig->held == 0)
        return;
    rig->held = 0;
    open_relay(rig, &out);
}

static void on_event(struct rig *rig, const struct tr_turn_out *out)
{
    rig->seen[out->kind]++;
    rig->last[out->kind] = *out;
    switch (out->kind) {
    case TR_TURN_MESSAGE:
        memcpy(rig->answer, out->data.p, out->data.n);
        TR_ASSERT(tr_stun_parse(&rig->m, tr_slice(rig->answer, out->data.n), TR_STUN_FOR_TURN) ==
                  TR_OK);
        break;
    case TR_TURN_OPEN:
        TR_ASSERT(!out->user);
        rig->reserved_now -= out->port == TR_TURN_PORT_RESERVED;
        rig->held = rig->hold ? out->relay : 0;
        if (!rig->hold)
            open_relay(rig, out);
        break;
    case TR_TURN_CLOSE:
        rig->held = rig->held == out->relay ? 0 : rig->held;
        TR_ASSERT(!out->user || out->user == rig);
        rig->open_now -= out->user == rig;
        break;
    case TR_TURN_UNRESERVE: rig->reserved_now--; break;
    case TR_TURN_DIAL:
        add_conn(rig, out->connection, true);
        if (!rig->hold)
            rig_connected(rig, out->connection, rig->open_err);
        break;
    case TR_TURN_UNDIAL: remove_conn(rig, out->connection); break;
    case TR_TURN_MOVED:
    case TR_TURN_JOIN:
    case TR_TURN_NONE: break;
    }
}

void rig_poll(struct rig *rig)
{
    struct tr_turn_out out;
    for (tr_turn_poll(rig->turn, &out); out.kind != TR_TURN_NONE; tr_turn_poll(rig->turn, &out))
        on_event(rig, &out);
}

void rig_wait(struct rig *rig, tr_usec us)
{
    tr_usec end = rig->now + us;
    for (tr_usec at; (at = tr_turn_next_timeout(rig->turn)) <= end;) {
        rig->now = at > rig->now ? at : rig->now;
        tr_turn_timeout(rig->turn, rig->now);
        rig_poll(rig);
    }
    rig_poll(rig);
    rig->now = end;
}

void rig_begin(struct rig_msg *msg, struct rig *rig, uint16_t method)
{
    uint8_t txid[TR_STUN_TXID];
    tr_rng_fill(&rig->rng, txid, sizeof txid);
    msg->w = tr_wr(msg->bytes, sizeof msg->bytes);
    tr_stun_begin(&msg->w, TR_STUN_REQUEST, method, txid);
}

int rig_send(struct rig *rig, const struct tr_path *flow, struct tr_slice msg)
{
    struct tr_turn_data out;
    rig_poll(rig);
    int before = rig->seen[TR_TURN_MESSAGE];
    (void)!tr_turn_input(rig->turn, rig->now, flow, msg, &out);
    rig_poll(rig);
    if (rig->seen[TR_TURN_MESSAGE] == before || rig->m.cls == TR_STUN_INDICATION)
        return RIG_NO_ANSWER;
    TR_ASSERT(tr_path_eq(&rig->last[TR_TURN_MESSAGE].flow, flow));
    return rig->m.cls == TR_STUN_ERROR ? rig->m.error_code : 0;
}

static void fetch_nonce(struct rig *rig, const struct tr_path *flow)
{
    struct rig_msg msg;
    if (rig->nonce_n > 0 && tr_path_eq(flow, &rig->nonce_flow) &&
        rig->now - rig->nonce_at < 300 * TR_SECOND)
        return;
    rig_begin(&msg, rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    if (rig_send(rig, flow, tr_stun_end(&msg.w)) != TR_STUN_UNAUTHENTICATED)
        return;
    memcpy(rig->nonce, rig->m.nonce.p, rig->m.nonce.n);
    rig->nonce_n = rig->m.nonce.n;
    rig->nonce_flow = *flow;
    rig->nonce_at = rig->now;
}

struct tr_slice rig_sign(struct rig *rig, const struct tr_path *flow, struct rig_msg *msg)
{
    static const uint8_t offered[8] = { 0, 2, 0, 0, 0, 1, 0, 0 }, chosen[4] = { 0, 2, 0, 0 };
    const struct tr_turn_user given = { rig->name, rig->password };
    const struct tr_turn_user *user = rig->name ? &given : &users[strcmp(rig->user, RIG_USER) != 0];
    uint8_t key[TR_STUN_KEY_MAX];
    fetch_nonce(rig, flow);
    size_t n = tr_stun_long_term_key(tr_slice_str(user->name), tr_slice_str(RIG_REALM),
                                     tr_slice_str(user->password), rig->sha256, key);
    tr_stun_put(&msg->w, TR_STUN_USERNAME, tr_slice_str(user->name));
    tr_stun_put(&msg->w, TR_STUN_REALM, tr_slice_str(RIG_REALM));
    tr_stun_put(&msg->w, TR_STUN_NONCE, tr_slice(rig->nonce, rig->nonce_n));
    if (rig->sha256) {
        tr_stun_put(&msg->w, TR_STUN_PASSWORD_ALGORITHMS, tr_slice(offered, sizeof offered));
        tr_stun_put(&msg->w, TR_STUN_PASSWORD_ALGORITHM, tr_slice(chosen, sizeof chosen));
    }
    tr_stun_put_integrity(&msg->w, tr_slice(key, n), rig->sha256);
    if (rig->fingerprint)
        tr_stun_put_fingerprint(&msg->w);
    return tr_stun_end(&msg->w);
}

int rig_ask(struct rig *rig, const struct tr_path *flow, struct rig_msg *msg)
{
    rig->sent = rig_sign(rig, flow, msg);
    return rig_send(rig, flow, rig->sent);
}

void rig_put_transport(struct rig_msg *msg, unsigned protocol)
{
    tr_stun_put_u32(&msg->w, TR_TURN_REQUESTED_TRANSPORT, protocol << 24);
}

void rig_put_byte(struct rig_msg *msg, uint16_t type, uint8_t v, size_t n)
{
    uint8_t value[4] = { v };
    tr_stun_put(&msg->w, type, tr_slice(value, n));
}

static int allocate(struct rig *rig, const struct tr_path *flow, unsigned protocol)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, protocol);
    return rig_ask(rig, flow, &msg);
}

int rig_allocate(struct rig *rig, const struct tr_path *flow)
{
    return allocate(rig, flow, 17);
}

int rig_allocate_tcp(struct rig *rig, const struct tr_path *flow)
{
    return allocate(rig, flow, 6);
}

int rig_allocate_with(struct rig *rig, const struct tr_path *flow, uint16_t type,
                      struct tr_slice value)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_ALLOCATE);
    rig_put_transport(&msg, 17);
    tr_stun_put(&msg.w, type, value);
    return rig_ask(rig, flow, &msg);
}

static int about(struct rig *rig, const struct tr_path *flow, uint16_t method,
                 const struct tr_addr *peer)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, method);
    tr_stun_put_addr(&msg.w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    return rig_ask(rig, flow, &msg);
}

int rig_permit(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer)
{
    return about(rig, flow, TR_TURN_CREATE_PERMISSION, peer);
}

int rig_bind(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer,
             uint16_t number)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_CHANNEL_BIND);
    tr_stun_put_u32(&msg.w, TR_TURN_CHANNEL_NUMBER, (uint32_t)number << 16);
    tr_stun_put_addr(&msg.w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    return rig_ask(rig, flow, &msg);
}

int rig_connect(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer)
{
    return about(rig, flow, TR_TURN_CONNECT, peer);
}

int rig_connection_bind(struct rig *rig, const struct tr_path *flow, uint32_t number)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_CONNECTION_BIND);
    tr_stun_put_u32(&msg.w, TR_TURN_CONNECTION_ID, number);
    return rig_ask(rig, flow, &msg);
}

bool rig_keep_ticket(const struct rig *rig, struct rig_ticket *ticket)
{
    struct tr_slice value;
    if (!tr_stun_find(&rig->m, TR_TURN_MOBILITY_TICKET, &value) || value.n > sizeof ticket->p)
        return false;
    memcpy(ticket->p, value.p, value.n);
    ticket->n = value.n;
    return true;
}

int rig_move(struct rig *rig, const struct tr_path *flow, const struct rig_ticket *ticket)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_REFRESH);
    tr_stun_put(&msg.w, TR_TURN_MOBILITY_TICKET, tr_slice(ticket->p, ticket->n));
    return rig_ask(rig, flow, &msg);
}

int rig_refresh(struct rig *rig, const struct tr_path *flow, uint32_t lifetime_s)
{
    struct rig_msg msg;
    rig_begin(&msg, rig, TR_TURN_REFRESH);
    tr_stun_put_u32(&msg.w, TR_TURN_LIFETIME, lifetime_s);
    return rig_ask(rig, flow, &msg);
}

enum tr_err rig_channel_data(struct rig *rig, const struct tr_path *flow, uint16_t number,
                             struct tr_turn_data *out)
{
    struct tr_wr w = tr_wr(rig->data.bytes, sizeof rig->data.bytes);
    tr_wr_u16(&w, number);
    tr_wr_u16(&w, 5);
    tr_wr_str(&w, "hello");
    return tr_turn_input(rig->turn, rig->now, flow, tr_wr_slice(&w), out);
}

enum tr_err rig_send_data(struct rig *rig, const struct tr_path *flow, const struct tr_addr *peer,
                          struct tr_turn_data *out)
{
    static const uint8_t txid[TR_STUN_TXID] = "send";
    struct tr_wr w = tr_wr(rig->data.bytes, sizeof rig->data.bytes);
    tr_stun_begin(&w, TR_STUN_INDICATION, TR_TURN_SEND, txid);
    tr_stun_put_addr(&w, TR_TURN_XOR_PEER_ADDRESS, peer, true);
    tr_stun_put(&w, TR_TURN_DATA_ATTR, tr_slice_str("hello"));
    return tr_turn_input(rig->turn, rig->now, flow, tr_stun_end(&w), out);
}

uint32_t rig_u32(const struct rig *rig, uint16_t type)
{
    struct tr_slice value;
    return tr_stun_find(&rig->m, type, &value) && value.n == 4 ? tr_get32(value.p) : UINT32_MAX;
}

uint64_t rig_refused(const struct rig *rig, enum tr_turn_refusal why)
{
    return tr_turn_counters(rig->turn)->refused[why];
}
