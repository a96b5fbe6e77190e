/* Goal: what a client says on its channels reaches whom it is routed to, on the right channel,
 * whole and in order, whoever is up first; who is slow costs the others nothing, or holds the
 * sender back, as the route says; channels that the relay opened end with those that they stand
 * for.
 * Method: the hub, and clients that are associations of the same stack; virtual time, a wire that
 * can be slowed. */
#include <stdlib.h>

#include "base/mem.h"
#include "media/data_hub.h"
#include "sctp/sctp_clock.h"
#include "unit.h"

enum { CLIENTS = 4, WIRE = 8192, PACKETS_A_TURN = 100000, HEARD = 16 };

struct client {
    tr_id id;
    struct tr_sctp *sctp;
    bool mute;  /* its packets do not reach the server: it acknowledges nothing */
    int budget; /* packets that it may still get; -1: any number */
    int messages, unordered, opened, closed;
    uint64_t bytes;
    uint32_t next;
    char label[TR_DATA_NAME_MAX + 1], text[256]; /* of the last message */
    bool binary;
    uint16_t channel;
    struct tr_dcep_delivery delivery;
    char opened_label[TR_DATA_NAME_MAX + 1];
};

struct packet {
    tr_id to; /* of a client */
    size_t n;
    uint8_t bytes[TR_SCTP_PACKET_MAX];
};

static struct {
    struct hub hub;
    struct client clients[CLIENTS];
    tr_usec now;
    struct packet *wire;
    int first, count;
    int events[3]; /* DATA_OPEN, MESSAGE, CLOSED */
    char said[64]; /* the text of the last event */
} w;

static const struct tr_dcep_delivery reliable = { .reliability = TR_DCEP_RELIABLE };

static struct client *client_of(tr_id id)
{
    return &w.clients[id - 1];
}

static void on_send(void *arg, tr_id peer, int worker, struct tr_slice packet)
{
    (void)arg;
    CHECK_INT(worker, 7);
    if (w.count == WIRE)
        return;
    struct packet *p = &w.wire[(w.first + w.count++) % WIRE];
    p->to = peer;
    p->n = packet.n;
    memcpy(p->bytes, packet.p, packet.n);
}

static void on_tell(void *arg, const struct tr_media_event *event)
{
    (void)arg;
    w.events[event->kind - TR_MEDIA_DATA_OPEN]++;
    snprintf(w.said, sizeof w.said, "%s", event->data->bytes);
    tr_free(event->data);
}

static void hear(struct client *c, const struct tr_sctp_out *out)
{
    c->messages++;
    c->bytes += out->data.n;
    c->binary = out->binary;
    c->channel = out->channel->id;
    c->delivery = out->channel->delivery;
    snprintf(c->label, sizeof c->label, "%s", out->channel->label);
    snprintf(c->text, sizeof c->text, "%.*s", (int)out->data.n, (const char *)out->data.p);
    if (out->data.n >= 4 && out->binary) {
        uint32_t number = tr_get32(out->data.p);
        c->unordered += number != c->next;
        c->next = number + 1;
    }
}

static void listen_to(struct client *c)
{
    struct tr_sctp_out out;
    for (tr_sctp_poll(c->sctp, &out); out.kind != TR_SCTP_NONE; tr_sctp_poll(c->sctp, &out)) {
        if (out.kind == TR_SCTP_SEND && !c->mute) {
            uint8_t copy[TR_SCTP_PACKET_MAX];
            memcpy(copy, out.data.p, out.data.n);
            hub_packet(&w.hub, w.now, c->id, tr_slice(copy, out.data.n));
        } else if (out.kind == TR_SCTP_MESSAGE) {
            hear(c, &out);
        } else if (out.kind == TR_SCTP_OPEN) {
            c->opened++;
            snprintf(c->opened_label, sizeof c->opened_label, "%s", out.channel->label);
        } else if (out.kind == TR_SCTP_CLOSED) {
            c->closed++;
        }
    }
}

static void take_packet(void)
{
    struct packet *p = &w.wire[w.first];
    struct client *c = client_of(p->to);
    w.first = (w.first + 1) % WIRE;
    w.count--;
    if (!c->sctp || c->budget == 0)
        return;
    c->budget -= c->budget > 0;
    (void)!tr_sctp_input(c->sctp, w.now, tr_slice(p->bytes, p->n));
}

static void settle(void)
{
    for (int i = 0; i < PACKETS_A_TURN; i++) {
        for (int k = 0; k < CLIENTS; k++) {
            if (w.clients[k].sctp)
                listen_to(&w.clients[k]);
        }
        if (w.count == 0)
            return;
        take_packet();
    }
}

static void run(tr_usec us)
{
    tr_usec end = w.now + us;
    settle();
    while (w.now < end) {
        sctp_clock_now = w.now = tr_usec_min(end, hub_next_timeout(&w.hub));
        hub_timeout(&w.hub, w.now);
        settle();
    }
}

static bool open_world(void)
{
    struct hub_conf conf = { .seed = 1, .send = on_send, .tell = on_tell };
    memset(&w, 0, sizeof w);
    sctp_clock_now = w.now = TR_SECOND;
    w.wire = tr_alloc(WIRE * sizeof *w.wire);
    return CHECK(w.wire && hub_init(&w.hub, &conf) == TR_OK);
}

static void close_world(void)
{
    for (int i = 0; i < CLIENTS; i++)
        tr_sctp_destroy(w.clients[i].sctp);
    hub_deinit(&w.hub);
    tr_free(w.wire);
}

/* The stack is the hub's, so the hub begins. */
static struct client *join(int i)
{
    struct client *c = &w.clients[i];
    struct tr_data_conf conf = { .port = 5000 };
    c->id = (tr_id)i + 1;
    c->budget = -1;
    hub_open(&w.hub, w.now, c->id, &conf);
    hub_up(&w.hub, w.now, c->id, 7, false);
    struct tr_sctp_conf mine = { .local_port = 5000, .remote_port = 5000, .even = true };
    c->sctp = tr_sctp_create(w.hub.stack, w.now, &mine);
    CHECK(c->sctp != NULL);
    settle();
    return c;
}

static void leave(struct client *c)
{
    tr_sctp_destroy(c->sctp);
    c->sctp = NULL;
    hub_gone(&w.hub, w.now, c->id);
    settle();
}

static uint16_t open_channel(struct client *c, const char *label, struct tr_dcep_delivery delivery)
{
    const struct tr_sctp_channel *channel = NULL;
    struct tr_sctp_open open = {
        .label = label, .protocol = "", .delivery = delivery, .stream = -1
    };
    CHECK_INT(tr_sctp_open(c->sctp, &open, &channel), TR_OK);
    settle();
    return channel ? channel->id : 0;
}

static void say(struct client *c, uint16_t channel, const char *text)
{
    CHECK_INT(tr_sctp_send(c->sctp, channel, false, tr_slice_str(text)), TR_OK);
    settle();
}

/* As many numbered messages as there is room for, up to `end`. */
static uint32_t pour(struct client *c, uint16_t channel, uint32_t from, uint32_t end, size_t size)
{
    static uint8_t bytes[TR_SCTP_MESSAGE_MAX];
    for (; from < end; from++) {
        tr_put32(bytes, from);
        if (tr_sctp_send(c->sctp, channel, true, tr_slice(bytes, size)) != TR_OK)
            break;
    }
    return from;
}

static void route(tr_id id, const struct client *from, const struct client *to,
                  const struct tr_data_route_conf *conf)
{
    hub_route(&w.hub, id, from->id, to->id, conf);
}

static const struct tr_data_route_conf plain = { 0 };
static const struct tr_data_route_conf patient = { .patient = true };

TEST(an_echo_on_the_same_channel_with_a_prefix_before_texts)
{
    struct tr_data_route_conf conf = { .patient = true, .prefix = "you said: " };
    if (open_world()) {
        struct client *a = join(0);
        route(1, a, a, &conf);
        uint16_t c = open_channel(a, "x", reliable);
        say(a, c, "hello");
        CHECK_STR(a->text, "you said: hello");
        CHECK_INT(a->channel, c);
        say(a, c, "");
        CHECK_STR(a->text, "you said: ");
        CHECK_INT(tr_sctp_send(a->sctp, c, true, tr_slice("\1\2\3", 3)), TR_OK);
        CHECK_INT(tr_sctp_send(a->sctp, c, true, tr_slice(NULL, 0)), TR_OK);
        settle();
        CHECK_INT(a->messages, 4);
        CHECK(a->binary && a->text[0] == '\0');
        CHECK_INT(a->opened, 0);
        CHECK_INT((int)w.hub.counters.data_in, 4);
        CHECK_INT((int)w.hub.counters.data_out, 4);
    }
    close_world();
}

TEST(a_text_as_long_as_texts_may_be_goes_without_the_prefix)
{
    struct tr_data_route_conf conf = { .patient = true, .prefix = "you said: " };
    char *text = calloc(1, TR_DATA_MESSAGE_MAX);
    if (open_world()) {
        struct client *a = join(0);
        memset(text, 'x', TR_DATA_MESSAGE_MAX);
        route(1, a, a, &conf);
        uint16_t c = open_channel(a, "x", reliable);
        CHECK_INT(tr_sctp_send(a->sctp, c, false, tr_slice(text, TR_DATA_MESSAGE_MAX)), TR_OK);
        run(2 * TR_SECOND);
        CHECK_INT((int)a->bytes, TR_DATA_MESSAGE_MAX);
    }
    close_world();
    free(text);
}

TEST(a_call_opens_channels_of_the_same_kind_and_uses_those_there_are)
{
    static const struct tr_dcep_delivery lossy = { true, TR_DCEP_RETRANSMITS, 2 };
    if (open_world()) {
        struct client *a = join(0), *b = join(1);
        route(1, a, b, &patient);
        route(2, b, a, &patient);
        uint16_t x = open_channel(a, "x", lossy);
        CHECK_INT(b->opened, 0); /* not before something is said */
        say(a, x, "one");
        CHECK_INT(b->opened, 1);
        CHECK_STR(b->label, "x");
        CHECK(tr_dcep_delivery_eq(b->delivery, lossy));
        say(b, b->channel, "two"); /* the same way back */
        CHECK_STR(a->text, "two");
        CHECK_INT(a->channel, x);
        CHECK_INT(a->opened, 0);
        /* both have opened one under the same name, as janus.js does, with other wishes */
        uint16_t ja = open_channel(a, "JanusDataChannel", reliable);
        uint16_t jb = open_channel(b, "JanusDataChannel", lossy);
        say(a, ja, "three");
        CHECK_INT(b->channel, jb);
        CHECK_INT(b->opened, 1);
        say(b, jb, "four");
        CHECK_INT(a->channel, ja);
    }
    close_world();
}

TEST(what_is_said_before_the_other_is_up_waits)
{
    if (open_world()) {
        struct client *a = join(0), *b = &w.clients[1];
        struct tr_data_conf conf = { .port = 5000 };
        hub_route(&w.hub, 1, 1, 2, &patient);
        hub_open(&w.hub, w.now, 2, &conf);
        uint16_t c = open_channel(a, "x", reliable);
        for (int i = 0; i < 10; i++)
            say(a, c, "early");
        join(1);
        CHECK_INT(b->messages, 10);
        CHECK_STR(b->label, "x");
    }
    close_world();
}

TEST(who_has_no_channels_gets_nothing)
{
    if (open_world()) {
        struct client *a = join(0);
        hub_route(&w.hub, 1, 1, 2, &patient);
        uint16_t c = open_channel(a, "x", reliable);
        say(a, c, "hello");
        CHECK_INT((int)w.hub.counters.drops[TR_DROP_DATA_UNWANTED], 1);
        CHECK_INT((int)w.hub.message_bytes, 0);
    }
    close_world();
}

TEST(a_room_hears_everybody_by_label)
{
    struct tr_data_route_conf as_a = { .label = "17" }, as_b = { .label = "18" };
    if (open_world()) {
        struct client *a = join(0), *b = join(1), *s = join(2);
        route(1, a, s, &as_a);
        route(2, b, s, &as_b);
        say(a, open_channel(a, "JanusDataChannel", reliable), "from a");
        CHECK_STR(s->label, "17");
        CHECK_STR(s->text, "from a");
        say(b, open_channel(b, "JanusDataChannel", reliable), "from b");
        CHECK_STR(s->label, "18");
        CHECK_INT(s->opened, 2);
        hub_route_pause(&w.hub, w.now, 1, true);
        say(a, 0, "unheard");
        CHECK_INT(s->messages, 2);
        hub_route_pause(&w.hub, w.now, 1, false);
        say(a, 0, "heard");
        CHECK_STR(s->label, "17");
        leave(b);
        run(TR_SECOND);
        CHECK_INT(s->closed, 1); /* b's channel at s has gone with b */
    }
    close_world();
}

TEST(channels_end_with_those_that_they_stand_for)
{
    if (open_world()) {
        struct client *a = join(0), *b = join(1);
        route(1, a, b, &patient);
        route(2, b, a, &patient);
        for (int i = 0; i < 300; i++) { /* more than there may be at once */
            char label[16];
            snprintf(label, sizeof label, "file %d", i);
            uint16_t c = open_channel(a, label, reliable);
            say(a, c, "content");
            CHECK_STR(b->label, label);
            tr_sctp_close_channel(a->sctp, c);
            run(300 * TR_MSEC); /* acknowledgements may take 200 */
            CHECK_INT(b->closed, i + 1);
        }
        CHECK_INT(b->messages, 300);
        /* one that the client has opened itself is the client's to close */
        uint16_t mine = open_channel(b, "mine", reliable);
        uint16_t c = open_channel(a, "mine", reliable);
        say(a, c, "x");
        CHECK_INT(b->channel, mine);
        tr_sctp_close_channel(a->sctp, c);
        run(TR_SECOND);
        CHECK_INT(b->closed, 300);
    }
    close_world();
}

TEST(a_channel_that_pages_negotiated_goes_by_its_number)
{
    const struct tr_sctp_channel *channel;
    struct tr_sctp_open open = { .label = "", .protocol = "", .stream = 42 };
    if (open_world()) {
        struct client *a = join(0), *b = join(1);
        route(1, a, b, &patient);
        route(2, b, a, &patient);
        CHECK_INT(tr_sctp_open(a->sctp, &open, &channel), TR_OK);
        CHECK_INT(tr_sctp_open(b->sctp, &open, &channel), TR_OK);
        say(a, 42, "a");
        say(b, 42, "b");
        CHECK(b->channel == 42 && b->opened == 0 && strcmp(b->text, "a") == 0);
        CHECK(a->channel == 42 && a->opened == 0 && strcmp(a->text, "b") == 0);
    }
    close_world();
}

TEST(a_patient_route_holds_the_sender_and_loses_nothing)
{
    enum { COUNT = 4000, SIZE = 4000 };
    if (open_world()) {
        struct client *a = join(0), *b = join(1);
        route(1, a, b, &patient);
        uint16_t c = open_channel(a, "x", reliable);
        uint32_t sent = 0, most = 0;
        for (int i = 0; sent < COUNT || b->messages < COUNT; i++) {
            sent = pour(a, c, sent, COUNT, SIZE);
            b->budget = i < 300 ? 3 : -1; /* a slow link at first */
            run(10 * TR_MSEC);
            uint32_t waiting = sent - (uint32_t)b->messages;
            most = waiting > most ? waiting : most;
            if (!CHECK(i < 20000))
                break;
        }
        CHECK_INT(b->messages, COUNT);
        CHECK_INT(b->unordered, 0);
        CHECK_INT((int)w.hub.counters.drops[TR_DROP_DATA_SLOW], 0);
        /* both stacks' buffers, and what a patient receiver may have waiting */
        CHECK(most * SIZE < 4 * TR_SCTP_BUFFER_BYTES + 2 * HUB_PATIENCE_BYTES);
        CHECK_INT((int)w.hub.message_bytes, 0);
    }
    close_world();
}

TEST(in_a_room_the_slow_are_left_behind)
{
    enum { COUNT = 4000, SIZE = 4000 };
    if (open_world()) {
        struct client *a = join(0), *b = join(1), *slow = join(2);
        route(1, a, b, &plain);
        route(2, a, slow, &plain);
        uint16_t c = open_channel(a, "x", reliable);
        say(a, c, "first");
        slow->mute = true; /* and hears nothing */
        slow->budget = 0;
        b->messages = 0;
        uint32_t sent = 0;
        for (int i = 0; b->messages < COUNT && CHECK(i < 5000); i++) {
            sent = pour(a, c, sent, COUNT, SIZE);
            run(10 * TR_MSEC);
        }
        CHECK_INT(b->messages, COUNT);
        CHECK_INT(b->unordered, 0);
        CHECK(w.hub.message_bytes <= TR_DATA_QUEUE_MAX);
        CHECK(w.hub.counters.drops[TR_DROP_DATA_SLOW] > 0);
        slow->mute = false;
        slow->budget = -1;
        run(60 * TR_SECOND);
        CHECK(slow->closed >= 1); /* it is told that it has lost something */
        say(a, c, "again");
        CHECK_STR(slow->text, "again");
    }
    close_world();
}

TEST(control_listens_and_speaks)
{
    struct tr_data_message message = { .bytes = "from control", .len = 12 };
    if (open_world()) {
        hub_listen(&w.hub, 1, true);
        struct client *a = join(0);
        hub_say(&w.hub, w.now, 1, &message);
        settle();
        CHECK_STR(a->label, "JanusDataChannel");
        CHECK_STR(a->text, "from control");
        uint16_t c = open_channel(a, "x", reliable);
        say(a, c, "to control");
        CHECK_STR(w.said, "to control");
        tr_sctp_close_channel(a->sctp, c);
        run(TR_SECOND);
        CHECK_INT(w.events[0], 1);
        CHECK_INT(w.events[1], 1);
        CHECK_INT(w.events[2], 1);
        CHECK_INT(a->closed, 0); /* control's channel stays */
        hub_listen(&w.hub, 1, false);
        say(a, open_channel(a, "y", reliable), "unheard");
        CHECK_INT(w.events[1], 1);
    }
    close_world();
}

TEST(a_call_whose_one_side_is_lost_goes_on_for_the_other)
{
    if (open_world()) {
        struct client *a = join(0), *b = join(1);
        route(1, a, b, &patient);
        uint16_t c = open_channel(a, "x", reliable);
        say(a, c, "hello");
        b->mute = true;
        uint32_t sent = 0;
        for (int i = 0; i < 300; i++) {
            sent = pour(a, c, sent, 1000000, 4000);
            run(10 * TR_MSEC);
        }
        uint32_t stuck = sent;
        CHECK(stuck * 4000u < 4 * TR_SCTP_BUFFER_BYTES);
        run(200 * TR_SECOND); /* the association of b times out */
        for (int i = 0; i < 100; i++) {
            sent = pour(a, c, sent, 1000000, 4000);
            run(10 * TR_MSEC);
        }
        CHECK(sent > stuck + 1000);
        CHECK_INT((int)w.hub.message_bytes, 0);
    }
    close_world();
}

TEST_OOM(memory_may_run_out_anywhere)
{
    struct hub_conf conf = { .seed = 1, .send = on_send, .tell = on_tell };
    struct tr_data_conf open = { .port = 5000 };
    struct tr_data_route_conf named = { .label = "n", .prefix = "p" };
    struct tr_data_message message = { .bytes = "x", .len = 1 };
    struct hub hub;
    memset(&w, 0, sizeof w);
    enum tr_err err = hub_init(&hub, &conf);
    if (err == TR_OK) {
        w.wire = tr_alloc(WIRE * sizeof *w.wire);
        hub_open(&hub, 1, 1, &open);
        hub_route(&hub, 5, 1, 2, &named);
        hub_say(&hub, 1, 1, &message);
        hub_up(&hub, 1, 1, 7, false);
        const struct hub_peer *p = tr_map_get(hub.peers, tr_slice(&(tr_id){ 1 }, sizeof(tr_id)));
        bool all = w.wire && p && p->sctp && p->speaks_to && p->head && w.count > 0;
        err = all ? TR_OK : TR_ERR_NOMEM;
        tr_free(w.wire);
    }
    hub_deinit(&hub);
    return err;
}
