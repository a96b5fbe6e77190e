/* Goal: a server that keeps nothing of a client before its address is proven, and a handshake after
 * that which no loss stops. Method: a server of one path and our own client over a simulated
 * network; ClientHellos changed byte by byte. */
#include "dtls/listen.h"
#include "dtls_test.h"

struct server {
    struct id id;
    struct tr_dtls_cookies cookies;
    struct tr_path path;
    struct end end;
    unsigned answers, accepts;
};

struct link {
    struct server server;
    struct id id;
    struct end client;
    tr_usec now;
    struct tr_rng rng;
    unsigned loss_pct, dup_pct;
    size_t count;
    struct flying *flying;
};

static void link_init(struct link *l, uint64_t seed)
{
    *l = (struct link){ .now = 1000 * TR_SECOND, .rng = tr_rng_seeded(seed) };
    l->flying = calloc(FLYING_MAX, sizeof(*l->flying));
    l->server.id = id_create();
    l->id = id_create();
    l->server.path = (struct tr_path){ .local = tr_addr_v4(192, 0, 2, 1, 5349),
                                       .remote = tr_addr_v4(203, 0, 113, 7, 4711) };
    tr_rng_fill(&l->rng, l->server.cookies.key, sizeof(l->server.cookies.key));
    l->client.dtls = tr_dtls_create(
        &(struct tr_dtls_conf){ .ctx = l->id.ctx, .role = TR_DTLS_CLIENT, .anybody = true });
}

static void link_deinit(struct link *l)
{
    tr_dtls_destroy(l->server.end.dtls);
    tr_dtls_destroy(l->client.dtls);
    id_destroy(&l->server.id);
    id_destroy(&l->id);
    free(l->flying);
}

static void put(struct link *l, struct end *to, struct tr_slice data)
{
    unsigned copies = tr_rng_below(&l->rng, 100) < l->dup_pct ? 2 : 1;
    if (tr_rng_below(&l->rng, 100) < l->loss_pct)
        return;
    for (; copies > 0 && l->count < FLYING_MAX; copies--) {
        struct flying *f = &l->flying[l->count++];
        *f = (struct flying){ .at = l->now + 10 * TR_MSEC + (tr_usec)tr_rng_below(&l->rng, 20000),
                              .n = data.n,
                              .to = to };
        memcpy(f->p, data.p, data.n);
    }
}

static void poll(struct link *l, struct end *from, struct end *to)
{
    struct tr_dtls_out out;
    while (from->dtls && (tr_dtls_poll(from->dtls, &out), out.kind != TR_DTLS_NONE)) {
        if (out.kind == TR_DTLS_SEND)
            put(l, to, out.data);
        from->connected |= out.kind == TR_DTLS_CONNECTED;
        if (out.kind == TR_DTLS_CLOSED)
            from->reason = out.reason;
        if (out.kind == TR_DTLS_DATA && CHECK(from->data_n + out.data.n <= sizeof(from->data))) {
            memcpy(from->data + from->data_n, out.data.p, out.data.n);
            from->data_n += out.data.n;
        }
    }
}

/* As listen.h says to. */
static void server_input(struct link *l, struct tr_slice datagram)
{
    struct server *s = &l->server;
    uint8_t bytes[TR_DTLS_VERIFY_MAX];
    struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
    if (s->end.dtls && tr_dtls_hello_is(s->end.dtls, datagram)) {
        (void)!tr_dtls_input(s->end.dtls, l->now, datagram);
        return;
    }
    switch (tr_dtls_hello(&s->cookies, l->now, &s->path, datagram, &answer)) {
    case TR_DTLS_HELLO_NONE:
    case TR_DTLS_HELLO_FRAGMENT: break;
    case TR_DTLS_HELLO_STALE:
    case TR_DTLS_HELLO_ANSWER:
        s->answers++;
        CHECK(tr_wr_len(&answer) < datagram.n);
        put(l, &l->client, tr_wr_slice(&answer));
        break;
    case TR_DTLS_HELLO_PROVEN:
        s->accepts++;
        tr_dtls_destroy(s->end.dtls);
        s->end = (struct end){ .dtls = tr_dtls_accept(s->id.ctx, l->now, datagram) };
        CHECK(s->end.dtls != NULL);
        break;
    }
}

static tr_usec next_timeout(const struct link *l)
{
    tr_usec server = l->server.end.dtls ? tr_dtls_next_timeout(l->server.end.dtls) : TR_NEVER;
    return tr_usec_min(server, tr_dtls_next_timeout(l->client.dtls));
}

static void fire(struct link *l)
{
    tr_dtls_timeout(l->client.dtls, l->now);
    if (l->server.end.dtls)
        tr_dtls_timeout(l->server.end.dtls, l->now);
}

static void deliver(struct link *l, size_t i)
{
    struct flying f = l->flying[i];
    memmove(&l->flying[i], &l->flying[i + 1], (--l->count - i) * sizeof(f));
    if (f.to == &l->client)
        (void)!tr_dtls_input(l->client.dtls, l->now, tr_slice(f.p, f.n));
    else
        server_input(l, tr_slice(f.p, f.n));
}

static void run(struct link *l, tr_usec span)
{
    tr_usec until = l->now + span;
    for (;;) {
        poll(l, &l->server.end, &l->client);
        poll(l, &l->client, &l->server.end);
        tr_usec next = next_timeout(l);
        size_t first = l->count;
        for (size_t i = 0; i < l->count; i++) {
            if (l->flying[i].at <= next) {
                next = l->flying[i].at;
                first = i;
            }
        }
        if (next > until)
            break;
        l->now = next > l->now ? next : l->now;
        if (first < l->count)
            deliver(l, first);
        else
            fire(l);
    }
    l->now = until;
}

TEST(a_client_is_asked_for_its_cookie_and_served)
{
    struct link l;
    link_init(&l, 1);
    tr_dtls_start(l.client.dtls, l.now);
    run(&l, TR_SECOND);
    CHECK(l.client.connected && l.server.end.connected);
    CHECK_INT(l.server.answers, 1);
    CHECK_INT(l.server.accepts, 1);
    CHECK_INT(tr_dtls_stats(l.server.end.dtls)->retransmits, 0);
    CHECK_INT(tr_dtls_stats(l.client.dtls)->retransmits, 0);
    uint8_t big[1500];
    memset(big, 7, sizeof(big));
    CHECK_INT(tr_dtls_send(l.client.dtls, tr_slice(big, sizeof(big))), TR_OK);
    run(&l, TR_SECOND);
    CHECK_INT(l.server.end.data_n, sizeof(big));
    CHECK_INT(tr_dtls_send(l.server.end.dtls, tr_slice(big, sizeof(big))), TR_OK); /* at rest */
    run(&l, TR_SECOND);
    CHECK_INT(l.client.data_n, sizeof(big));
    CHECK(memcmp(l.client.data, big, sizeof(big)) == 0);
    CHECK_INT(tr_dtls_send(l.client.dtls, tr_slice(big, TR_DTLS_ANYBODY_MAX + 1)), TR_ERR_LIMIT);
    CHECK_INT(tr_dtls_send(l.client.dtls, tr_slice(big, 100)), TR_OK);
    run(&l, TR_SECOND);
    CHECK_INT(l.server.end.data_n, sizeof(big) + 100);
    tr_dtls_close(l.client.dtls);
    run(&l, TR_SECOND);
    CHECK_INT(l.server.end.reason, TR_DTLS_REASON_ALERT);
    link_deinit(&l);
}

TEST(loss_and_repetition_do_not_stop_it)
{
    FOR_EACH_SEED (seed, 60) {
        struct link l;
        link_init(&l, seed);
        l.loss_pct = 20;
        l.dup_pct = 20;
        tr_dtls_start(l.client.dtls, l.now);
        run(&l, 14 * TR_SECOND);
        CHECK(l.client.connected && l.server.end.connected);
        l.loss_pct = 0;
        CHECK_INT(tr_dtls_send(l.client.dtls, tr_slice("hello", 5)), TR_OK);
        run(&l, TR_SECOND);
        CHECK(l.server.end.data_n >= 5);
        link_deinit(&l);
    }
}

TEST(a_client_that_starts_over_replaces_itself)
{
    struct link l;
    link_init(&l, 3);
    tr_dtls_start(l.client.dtls, l.now);
    run(&l, TR_SECOND);
    CHECK(l.server.end.connected);
    tr_dtls_destroy(l.client.dtls); /* without a word */
    l.client = (struct end){ .dtls = tr_dtls_create(&(struct tr_dtls_conf){
                                 .ctx = l.id.ctx, .role = TR_DTLS_CLIENT, .anybody = true }) };
    tr_dtls_start(l.client.dtls, l.now);
    run(&l, TR_SECOND);
    CHECK(l.client.connected && l.server.end.connected);
    CHECK_INT(l.server.accepts, 2);
    link_deinit(&l);
}

/* --- the exchange by itself --- */

static const struct tr_dtls_cookies cookies = { { 1, 2, 3 } };

struct first { /* a client's first datagrams */
    struct id id;
    struct tr_dtls *client;
    struct tr_path path;
    uint8_t hello[TR_DTLS_DATAGRAM_MAX];
    size_t n;
};

static void take_hello(struct first *f)
{
    struct tr_dtls_out out;
    tr_dtls_poll(f->client, &out);
    CHECK_INT(out.kind, TR_DTLS_SEND);
    f->n = out.data.n;
    memcpy(f->hello, out.data.p, f->n);
}

static enum tr_dtls_greeting greet(const struct first *f, tr_usec now, struct tr_wr *answer)
{
    return tr_dtls_hello(&cookies, now, &f->path, tr_slice(f->hello, f->n), answer);
}

static void first_init(struct first *f, tr_usec now)
{
    *f = (struct first){ .id = id_create() };
    f->path = (struct tr_path){ .local = tr_addr_v4(192, 0, 2, 1, 5349),
                                .remote = tr_addr_v4(203, 0, 113, 7, 4711) };
    f->client = tr_dtls_create(
        &(struct tr_dtls_conf){ .ctx = f->id.ctx, .role = TR_DTLS_CLIENT, .anybody = true });
    tr_dtls_start(f->client, now);
    take_hello(f);
}

/* Its ClientHello with the cookie. */
static void second(struct first *f, tr_usec now)
{
    uint8_t bytes[TR_DTLS_VERIFY_MAX];
    struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
    CHECK_INT(greet(f, now, &answer), TR_DTLS_HELLO_ANSWER);
    CHECK_INT(tr_dtls_input(f->client, now, tr_wr_slice(&answer)), TR_OK);
    take_hello(f);
}

static void first_deinit(struct first *f)
{
    tr_dtls_destroy(f->client);
    id_destroy(&f->id);
}

TEST(a_cookie_is_of_one_path_and_time)
{
    struct first f;
    uint8_t bytes[TR_DTLS_VERIFY_MAX];
    struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
    tr_usec now = 600 * TR_SECOND;
    first_init(&f, now);
    second(&f, now);
    CHECK_INT(greet(&f, now, &answer), TR_DTLS_HELLO_PROVEN);
    CHECK_INT(greet(&f, now + 119 * TR_SECOND, &answer), TR_DTLS_HELLO_PROVEN);
    CHECK_INT(greet(&f, now + 120 * TR_SECOND, &answer), TR_DTLS_HELLO_STALE);
    answer = tr_wr(bytes, sizeof(bytes));
    f.path.remote.port++;
    CHECK_INT(greet(&f, now, &answer), TR_DTLS_HELLO_STALE);
    answer = tr_wr(bytes, sizeof(bytes));
    f.path.remote = tr_addr_v4(203, 0, 113, 8, 4711);
    CHECK_INT(greet(&f, now, &answer), TR_DTLS_HELLO_STALE);
    first_deinit(&f);
}

TEST(no_byte_of_it_can_be_another)
{
    struct first f;
    tr_usec now = 600 * TR_SECOND;
    unsigned proven = 0;
    first_init(&f, now);
    second(&f, now);
    for (size_t i = 0; i < f.n; i++) {
        uint8_t bytes[TR_DTLS_VERIFY_MAX];
        struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
        f.hello[i] ^= 0x40;
        /* The number of the record says nothing about the client; the lower version is as good. */
        bool free = i >= 5 && i < 11;
        if (greet(&f, now, &answer) == TR_DTLS_HELLO_PROVEN && !free)
            proven++;
        f.hello[i] ^= 0x40;
    }
    CHECK_INT(proven, 0);
    first_deinit(&f);
}

TEST(what_is_cut_is_nothing)
{
    struct first f;
    uint8_t bytes[TR_DTLS_VERIFY_MAX];
    first_init(&f, TR_SECOND);
    size_t whole = f.n;
    for (f.n = 0; f.n < whole; f.n++) {
        struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
        CHECK_INT(greet(&f, TR_SECOND, &answer), TR_DTLS_HELLO_NONE);
        CHECK(tr_dtls_accept(f.id.ctx, TR_SECOND, tr_slice(f.hello, f.n)) == NULL);
    }
    first_deinit(&f);
}

TEST(a_piece_is_told_from_garbage)
{
    struct first f;
    uint8_t bytes[TR_DTLS_VERIFY_MAX];
    struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
    first_init(&f, TR_SECOND);
    f.hello[24]--; /* the length of the fragment */
    CHECK_INT(greet(&f, TR_SECOND, &answer), TR_DTLS_HELLO_FRAGMENT);
    f.hello[24]++;
    f.hello[21] = 1; /* where it begins */
    CHECK_INT(greet(&f, TR_SECOND, &answer), TR_DTLS_HELLO_FRAGMENT);
    f.hello[0] = 23; /* application data */
    CHECK_INT(greet(&f, TR_SECOND, &answer), TR_DTLS_HELLO_NONE);
    first_deinit(&f);
}

TEST_OOM(accepting_without_memory)
{
    struct first f;
    enum tr_err err = TR_ERR_NOMEM;
    f = (struct first){ .id = id_create() };
    f.client = f.id.ctx ? tr_dtls_create(&(struct tr_dtls_conf){
                              .ctx = f.id.ctx, .role = TR_DTLS_CLIENT, .anybody = true })
                        : NULL;
    if (f.client) {
        struct tr_dtls_out out;
        tr_dtls_start(f.client, TR_SECOND);
        tr_dtls_poll(f.client, &out);
        uint8_t bytes[TR_DTLS_VERIFY_MAX];
        struct tr_wr answer = tr_wr(bytes, sizeof(bytes));
        if (out.kind == TR_DTLS_SEND &&
            tr_dtls_hello(&cookies, TR_SECOND, &f.path, out.data, &answer) ==
                TR_DTLS_HELLO_ANSWER &&
            tr_dtls_input(f.client, TR_SECOND, tr_wr_slice(&answer)) == TR_OK)
            tr_dtls_poll(f.client, &out);
        struct tr_dtls *server =
            out.kind == TR_DTLS_SEND ? tr_dtls_accept(f.id.ctx, TR_SECOND, out.data) : NULL;
        err = server ? TR_OK : TR_ERR_NOMEM;
        tr_dtls_destroy(server);
    }
    tr_dtls_destroy(f.client);
    id_destroy(&f.id);
    return err;
}

/* What the owner does when its certificate is renewed. */
TEST(an_association_outlives_its_context)
{
    struct link l;
    link_init(&l, 3);
    tr_dtls_start(l.client.dtls, l.now);
    run(&l, TR_SECOND);
    CHECK(l.client.connected && l.server.end.connected);
    id_destroy(&l.server.id);
    l.server.id = id_create();
    CHECK(tr_dtls_send(l.server.end.dtls, tr_slice_str("still here")) == TR_OK);
    CHECK(tr_dtls_send(l.client.dtls, tr_slice_str("so am I")) == TR_OK);
    run(&l, TR_SECOND);
    CHECK_INT(l.client.data_n, 10);
    CHECK_INT(l.server.end.data_n, 7);
    link_deinit(&l);
}
