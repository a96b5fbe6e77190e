/* One allocation: asked for twice (the first answer is the challenge), refreshed a minute before it
 * ends. For each peer a permission and a channel are asked for at once; data waits for the first of
 * them, goes as a Send indication with the permission alone and over the channel afterwards. As
 * ChannelBind refreshes the permission too, only that is repeated once there is a channel.
 *
 * A transaction keeps its id and no bytes: what it says is written anew each time that it is sent,
 * with the nonce of now. Answers are found by id, so one that comes twice finds nothing. */
#include "turn/client.h"

#include <openssl/crypto.h>

#include "base/assert.h"
#include "base/mem.h"
#include "turn/client_int.h"

enum { TRIES_MAX = 8, STALE_MAX = 3, LIFETIME_S = 600, MARGIN_S = 60 };

#define RTO_FIRST (250 * TR_MSEC)
#define RTO_MAX (8 * TR_SECOND)
#define STREAM_WAIT (30 * TR_SECOND) /* a stream repeats by itself */
#define RENEW (240 * TR_SECOND)      /* a permission lasts 300 s, a channel 600 s */

/* --- create --- */

static void begin(struct tr_turn_client *c, struct tx *tx, uint16_t method)
{
    *tx = (struct tx){ .state = TX_DUE, .method = method, .stale = tx->stale };
    tr_rng_fill(c->rng, tx->txid, sizeof tx->txid);
}

struct tr_turn_client *tr_turn_client_create(const struct tr_turn_client_conf *conf, tr_usec now)
{
    size_t name = strlen(conf->username), password = strlen(conf->password);
    struct tr_turn_client *c = NULL;
    if (name <= TR_STUN_USERNAME_MAX && password < CLIENT_TEXT_MAX)
        c = tr_alloc(sizeof *c);
    if (!c)
        return NULL;
    (void)now;
    c->server = conf->server;
    memcpy(c->username, conf->username, name);
    memcpy(c->password, conf->password, password);
    c->v6 = conf->v6;
    c->may_sha256 = conf->sha256;
    c->lifetime_s = conf->lifetime_s ? conf->lifetime_s : LIFETIME_S;
    c->rng = conf->rng;
    c->refresh_at = TR_NEVER;
    begin(c, &c->allocation, TR_TURN_ALLOCATE);
    return c;
}

static void drop_waiting(struct tr_turn_client *c, const struct client_peer *peer)
{
    for (struct waiting **at = &c->waiting; *at;) {
        struct waiting *w = *at;
        if (peer && w->peer != peer) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        c->waiting_count--;
        tr_free(w);
    }
}

void tr_turn_client_destroy(struct tr_turn_client *client)
{
    if (!client)
        return;
    drop_waiting(client, NULL);
    OPENSSL_cleanse(client, sizeof *client);
    tr_free(client);
}

/* --- transactions --- */

static int tx_count(const struct tr_turn_client *c)
{
    return 1 + 2 * c->peers_count;
}

static struct tx *tx_of(struct tr_turn_client *c, int i, struct client_peer **peer)
{
    *peer = i == 0 ? NULL : &c->peers[(i - 1) / 2];
    return i == 0 ? &c->allocation : i % 2 ? &(*peer)->permission : &(*peer)->channel;
}

static void is_over(struct tr_turn_client *c, int code)
{
    bool told = c->state == CLIENT_CLOSING;
    c->state = CLIENT_OVER;
    c->refresh_at = TR_NEVER;
    drop_waiting(c, NULL);
    for (int i = 0; i < tx_count(c); i++) {
        struct client_peer *peer;
        tx_of(c, i, &peer)->state = TX_IDLE;
    }
    if (!told)
        c->event = (struct tr_turn_client_out){ .kind = TR_TURN_CLIENT_FAILED, .code = code };
}

static void give_up(struct tr_turn_client *c, struct tx *tx, struct client_peer *peer, int code)
{
    tx->state = TX_IDLE;
    if (!peer) {
        is_over(c, code);
        return;
    }
    if (tx == &peer->channel) {
        peer->bound = false; /* the permission alone will do, so that is what to renew */
        peer->renew_at = peer->permitted && peer->renew_at == TR_NEVER ? 0 : peer->renew_at;
    } else {
        peer->permitted = peer->bound; /* which is a permission, too */
    }
    peer->refused = !peer->bound && !peer->permitted && peer->permission.state == TX_IDLE &&
                    peer->channel.state == TX_IDLE;
    if (peer->refused) {
        peer->renew_at = TR_NEVER;
        drop_waiting(c, peer);
    }
}

static void ask_for(struct tr_turn_client *c, struct client_peer *peer)
{
    begin(c, &peer->permission, TR_TURN_CREATE_PERMISSION);
    begin(c, &peer->channel, TR_TURN_CHANNEL_BIND);
}

/* --- answers --- */

static uint32_t read_lifetime(const struct tr_turn_client *c, const struct tr_stun *m)
{
    struct tr_slice value;
    bool there = tr_stun_find(m, TR_TURN_LIFETIME, &value) && value.n == 4;
    return there ? tr_get32(value.p) : c->lifetime_s;
}

static void set_refresh(struct tr_turn_client *c, tr_usec now, uint32_t lifetime_s)
{
    uint32_t early = lifetime_s > 2 * MARGIN_S ? MARGIN_S : lifetime_s / 2;
    c->refresh_at = now + (lifetime_s - early) * TR_SECOND;
}

static void allocated(struct tr_turn_client *c, tr_usec now, const struct tr_stun *m)
{
    struct tr_slice value;
    struct tr_turn_client_out event = { .kind = TR_TURN_CLIENT_ALLOCATED, .mapped = m->xor_mapped };
    if (!tr_stun_find(m, TR_TURN_XOR_RELAYED_ADDRESS, &value) ||
        tr_stun_read_addr(m, value, true, &event.relayed) != TR_OK) {
        is_over(c, 0);
        return;
    }
    c->state = CLIENT_READY;
    c->event = event;
    set_refresh(c, now, read_lifetime(c, m));
    for (int i = 0; i < c->peers_count; i++)
        ask_for(c, &c->peers[i]);
}

static void on_success(struct tr_turn_client *c, tr_usec now, struct tx *tx,
                       struct client_peer *peer, const struct tr_stun *m)
{
    tx->state = TX_IDLE;
    tx->stale = 0;
    if (tx->method == TR_TURN_ALLOCATE && c->state == CLIENT_ALLOCATING) {
        allocated(c, now, m);
    } else if (tx->method == TR_TURN_REFRESH && c->state == CLIENT_CLOSING) {
        is_over(c, 0);
    } else if (tx->method == TR_TURN_REFRESH) {
        set_refresh(c, now, read_lifetime(c, m));
    } else if (peer) {
        peer->permitted = true;
        peer->bound = peer->bound || tx == &peer->channel;
        peer->renew_at = now + RENEW;
    }
}

static enum tr_err on_error(struct tr_turn_client *c, struct tx *tx, struct client_peer *peer,
                            const struct tr_stun *m)
{
    bool first = m->error_code == TR_STUN_UNAUTHENTICATED && c->cred.key_n == 0;
    bool stale = m->error_code == TR_STUN_STALE_NONCE && c->cred.key_n != 0;
    if (!first && !(stale && ++tx->stale <= STALE_MAX)) {
        give_up(c, tx, peer, m->error_code);
        return TR_OK;
    }
    enum tr_err err = client_challenged(c, m);
    if (err == TR_OK)
        begin(c, tx, tx->method);
    return err; /* else it goes on asking: the true answer may yet come */
}

static enum tr_err on_answer(struct tr_turn_client *c, tr_usec now, const struct tr_stun *m)
{
    for (int i = 0; i < tx_count(c); i++) {
        struct client_peer *peer;
        struct tx *tx = tx_of(c, i, &peer);
        if (tx->state == TX_IDLE || tx->method != m->method ||
            memcmp(tx->txid, m->txid, sizeof tx->txid) != 0)
            continue;
        if (!client_believes(c, m))
            return TR_ERR_AUTH;
        if (m->cls == TR_STUN_ERROR)
            return on_error(c, tx, peer, m);
        on_success(c, now, tx, peer, m);
        return TR_OK;
    }
    return TR_ERR_IGNORED;
}

/* --- data --- */

static void got_data(struct tr_turn_client *c, const struct tr_addr *peer, struct tr_slice data)
{
    c->event =
        (struct tr_turn_client_out){ .kind = TR_TURN_CLIENT_DATA, .peer = *peer, .data = data };
}

static enum tr_err on_indication(struct tr_turn_client *c, const struct tr_stun *m)
{
    struct tr_slice from, data;
    struct tr_addr peer;
    if (m->method != TR_TURN_DATA || c->state != CLIENT_READY)
        return TR_ERR_IGNORED;
    if (!tr_stun_find(m, TR_TURN_XOR_PEER_ADDRESS, &from) ||
        tr_stun_read_addr(m, from, true, &peer) != TR_OK)
        return TR_ERR_BADMSG;
    if (tr_stun_find(m, TR_TURN_DATA_ATTR, &data)) /* else it tells of ICMP */
        got_data(c, &peer, data);
    return TR_OK;
}

static enum tr_err on_channel(struct tr_turn_client *c, struct tr_slice msg)
{
    struct tr_rd r = tr_rd(msg);
    int i = tr_rd_u16(&r) - CLIENT_FIRST_CHANNEL;
    size_t n = tr_rd_u16(&r);
    struct tr_slice data = tr_rd_take(&r, n);
    if (r.bad)
        return TR_ERR_BADMSG;
    /* The server may have bound it though none of its answers came through. */
    if (c->state != CLIENT_READY || i < 0 || i >= c->peers_count)
        return TR_ERR_IGNORED;
    got_data(c, &c->peers[i].addr, data);
    return TR_OK;
}

enum tr_err tr_turn_client_input(struct tr_turn_client *client, tr_usec now, struct tr_slice msg)
{
    struct tr_stun m;
    client->event.kind = TR_TURN_CLIENT_NONE; /* what it borrowed may be gone */
    if (msg.n >= 4 && msg.p[0] >= 0x40 && msg.p[0] < 0x50)
        return on_channel(client, msg);
    enum tr_err err = tr_stun_parse(&m, msg, TR_STUN_FOR_TURN);
    if (err != TR_OK)
        return err;
    switch (m.cls) {
    case TR_STUN_INDICATION: return on_indication(client, &m);
    case TR_STUN_SUCCESS:
    case TR_STUN_ERROR: return on_answer(client, now, &m);
    case TR_STUN_REQUEST: break;
    }
    return TR_ERR_IGNORED;
}

static struct client_peer *find_peer(struct tr_turn_client *c, const struct tr_addr *addr)
{
    for (int i = 0; i < c->peers_count; i++)
        if (tr_addr_eq(&c->peers[i].addr, addr))
            return &c->peers[i];
    if (c->peers_count == TR_TURN_CLIENT_PEERS_MAX)
        return NULL;
    struct client_peer *peer = &c->peers[c->peers_count++];
    *peer = (struct client_peer){ .addr = *addr, .renew_at = TR_NEVER };
    if (c->state == CLIENT_READY)
        ask_for(c, peer);
    return peer;
}

static enum tr_err keep_waiting(struct tr_turn_client *c, struct client_peer *peer,
                                struct tr_slice data)
{
    if (c->waiting_count == CLIENT_WAIT_MAX)
        return TR_ERR_LIMIT;
    struct waiting *w = tr_alloc(sizeof *w + data.n + 1), **at = &c->waiting;
    if (!w)
        return TR_ERR_NOMEM;
    w->peer = peer;
    w->n = data.n;
    if (data.n > 0)
        memcpy(w->data, data.p, data.n);
    while (*at)
        at = &(*at)->next;
    *at = w;
    c->waiting_count++;
    return TR_OK;
}

enum tr_err tr_turn_client_send(struct tr_turn_client *client, tr_usec now,
                                const struct tr_addr *peer, struct tr_slice data)
{
    (void)now;
    if (client->state == CLIENT_CLOSING || client->state == CLIENT_OVER)
        return TR_ERR_CLOSED;
    if (data.n > TR_TURN_CLIENT_DATA_MAX || client->send_n > 0)
        return TR_ERR_LIMIT;
    struct client_peer *p = find_peer(client, peer);
    if (!p)
        return TR_ERR_LIMIT;
    if (p->refused)
        return TR_ERR_CLOSED;
    if (!p->permitted)
        return keep_waiting(client, p, data);
    client_write_data(client, p, data);
    return TR_OK;
}

void tr_turn_client_close(struct tr_turn_client *client, tr_usec now)
{
    (void)now;
    if (client->state == CLIENT_CLOSING || client->state == CLIENT_OVER)
        return;
    bool nothing_made = client->cred.key_n == 0;
    client->state = CLIENT_CLOSING;
    if (nothing_made) {
        is_over(client, 0);
        return;
    }
    for (int i = 0; i < client->peers_count; i++)
        client->peers[i].permission.state = client->peers[i].channel.state = TX_IDLE;
    drop_waiting(client, NULL);
    client->refresh_at = TR_NEVER;
    begin(client, &client->allocation, TR_TURN_REFRESH);
}

/* --- time --- */

static tr_usec wait_us(const struct tr_turn_client *c, const struct tx *tx)
{
    if (c->server.remote.proto == TR_PROTO_TCP)
        return STREAM_WAIT;
    return tr_usec_min(RTO_FIRST << (tx->tries - 1), RTO_MAX);
}

static void run_tx(struct tr_turn_client *c, tr_usec now, struct tx *tx, struct client_peer *peer)
{
    if (tx->state != TX_SENT || tx->at > now)
        return;
    if (tx->tries == TRIES_MAX || c->server.remote.proto == TR_PROTO_TCP)
        give_up(c, tx, peer, 0);
    else
        tx->state = TX_DUE;
}

void tr_turn_client_timeout(struct tr_turn_client *client, tr_usec now)
{
    for (int i = 0; i < tx_count(client); i++) {
        struct client_peer *peer;
        struct tx *tx = tx_of(client, i, &peer);
        run_tx(client, now, tx, peer);
    }
    if (client->state != CLIENT_READY)
        return;
    if (client->refresh_at <= now && client->allocation.state == TX_IDLE) {
        client->refresh_at = TR_NEVER;
        begin(client, &client->allocation, TR_TURN_REFRESH);
    }
    for (int i = 0; i < client->peers_count; i++) {
        struct client_peer *peer = &client->peers[i];
        if (peer->renew_at > now)
            continue;
        peer->renew_at = TR_NEVER;
        if (peer->bound)
            begin(client, &peer->channel, TR_TURN_CHANNEL_BIND);
        else
            begin(client, &peer->permission, TR_TURN_CREATE_PERMISSION);
    }
}

tr_usec tr_turn_client_next_timeout(const struct tr_turn_client *client)
{
    tr_usec next = client->refresh_at;
    if (client->state == CLIENT_OVER)
        return TR_NEVER;
    if (client->allocation.state == TX_SENT)
        next = tr_usec_min(next, client->allocation.at);
    for (int i = 0; i < client->peers_count; i++) {
        const struct client_peer *p = &client->peers[i];
        if (client->state == CLIENT_READY)
            next = tr_usec_min(next, p->renew_at);
        if (p->permission.state == TX_SENT)
            next = tr_usec_min(next, p->permission.at);
        if (p->channel.state == TX_SENT)
            next = tr_usec_min(next, p->channel.at);
    }
    return next;
}

/* --- out --- */

static void write_due(struct tr_turn_client *c, tr_usec now)
{
    for (int i = 0; i < tx_count(c); i++) {
        struct client_peer *peer;
        struct tx *tx = tx_of(c, i, &peer);
        if (tx->state != TX_DUE)
            continue;
        tx->state = TX_SENT;
        tx->tries++;
        tx->at = now + wait_us(c, tx);
        client_write_request(c, tx, peer);
        return;
    }
}

static void write_waiting(struct tr_turn_client *c)
{
    for (struct waiting **at = &c->waiting; *at; at = &(*at)->next) {
        struct waiting *w = *at;
        if (!w->peer->permitted)
            continue;
        client_write_data(c, w->peer, tr_slice(w->data, w->n));
        *at = w->next;
        c->waiting_count--;
        tr_free(w);
        return;
    }
}

void tr_turn_client_poll(struct tr_turn_client *client, tr_usec now, struct tr_turn_client_out *out)
{
    *out = client->event;
    client->event.kind = TR_TURN_CLIENT_NONE;
    if (out->kind != TR_TURN_CLIENT_NONE)
        return;
    if (client->send_n == 0)
        write_due(client, now);
    if (client->send_n == 0)
        write_waiting(client);
    if (client->send_n == 0)
        return;
    *out = (struct tr_turn_client_out){ .kind = TR_TURN_CLIENT_SEND,
                                        .data = tr_slice(client->buf, client->send_n) };
    client->send_n = 0;
}
