/* Goal: associations come up, carry messages of every kind and size, open and close channels from
 * either side again and again, and hold to their limits against a peer that does not.
 * Method: two associations of the stack joined by a wire (sctp_test.h), virtual time. */
#include <stdlib.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "sctp/sctp_test.h"
#include "unit.h"

static struct world w;
static const struct tr_dcep_delivery reliable = { .reliability = TR_DCEP_RELIABLE };

static bool bring_up(void)
{
    if (!CHECK(world_open(&w)))
        return false;
    settle(&w);
    return CHECK(w.a.up && w.b.up);
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(seed * 31u + i * 7u + (i >> 8));
}

TEST(two_sides_come_up)
{
    if (bring_up()) {
        CHECK(!w.a.down && !w.b.down);
        run(&w, 60 * TR_SECOND);
        CHECK(!w.a.down && !w.b.down);
    }
    world_close(&w);
}

TEST(a_stack_can_be_made_again)
{
    for (int i = 0; i < 20; i++) {
        bring_up();
        CHECK(tr_sctp_stack_create(0) == NULL); /* a second one */
        world_close(&w);
    }
}

TEST(a_channel_of_each_kind_is_told_to_the_peer)
{
    static const struct tr_dcep_delivery kinds[] = {
        { false, TR_DCEP_RELIABLE, 0 },    { true, TR_DCEP_RELIABLE, 0 },
        { false, TR_DCEP_RETRANSMITS, 3 }, { true, TR_DCEP_RETRANSMITS, 0 },
        { false, TR_DCEP_LIFETIME, 250 },  { true, TR_DCEP_LIFETIME, 1000 },
    };
    if (bring_up()) {
        for (int i = 0; i < 6; i++) {
            int a = open_channel(&w.a, "from a", kinds[i]);
            int b = open_channel(&w.b, "from b", kinds[i]);
            CHECK_INT(a, 2 * i); /* the DTLS client has the even ones */
            CHECK_INT(b, 2 * i + 1);
            CHECK_INT(tr_sctp_send(w.a.sctp, (uint16_t)a, false, tr_slice_str("hello")), TR_OK);
            settle(&w);
            const struct heard *h = last_of(&w.b, TR_SCTP_OPEN);
            CHECK(h && h->channel == a && tr_dcep_delivery_eq(h->delivery, kinds[i]));
            CHECK_STR(h ? h->label : NULL, "from a");
            h = last_of(&w.a, TR_SCTP_OPEN);
            CHECK(h && h->channel == b && tr_dcep_delivery_eq(h->delivery, kinds[i]));
            h = last_of(&w.b, TR_SCTP_MESSAGE);
            CHECK(h && h->channel == a && h->len == 5);
        }
        CHECK_INT(w.a.heard_count, 6);
        CHECK_INT(w.b.heard_count, 12);
    }
    world_close(&w);
}

TEST(messages_are_text_or_binary_and_may_be_empty)
{
    if (bring_up()) {
        int c = open_channel(&w.a, "x", reliable);
        for (int i = 0; i < 4; i++) {
            struct tr_slice text = i < 2 ? tr_slice(NULL, 0) : tr_slice_str("\xc3\xa4");
            CHECK_INT(tr_sctp_send(w.a.sctp, (uint16_t)c, i % 2, text), TR_OK);
            settle(&w);
            const struct heard *h = last_of(&w.b, TR_SCTP_MESSAGE);
            CHECK(h && h->binary == i % 2 && h->len == text.n);
        }
        CHECK_INT(w.b.messages, 4);
    }
    world_close(&w);
}

TEST(messages_of_all_sizes_arrive_whole)
{
    static const size_t sizes[] = { 1,     1131,  1132,   1133,   1160,   65535,
                                    65536, 65537, 131072, 200000, 262143, TR_SCTP_MESSAGE_MAX };
    uint8_t *big = malloc(TR_SCTP_MESSAGE_MAX + 1);
    if (bring_up()) {
        int c = open_channel(&w.a, "x", reliable);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            fill(big, sizes[i], (unsigned)i);
            CHECK_INT(tr_sctp_send(w.a.sctp, (uint16_t)c, true, tr_slice(big, sizes[i])), TR_OK);
            run(&w, TR_SECOND);
            const struct heard *h = last_of(&w.b, TR_SCTP_MESSAGE);
            CHECK(h && h->len == sizes[i] && h->sum == sum_of(big, sizes[i]));
        }
        CHECK_INT(tr_sctp_send(w.a.sctp, (uint16_t)c, true, tr_slice(big, TR_SCTP_MESSAGE_MAX + 1)),
                  TR_ERR_LIMIT);
        tr_sctp_set_message_max(w.a.sctp, 1000);
        CHECK_INT(tr_sctp_send(w.a.sctp, (uint16_t)c, true, tr_slice(big, 1001)), TR_ERR_LIMIT);
    }
    world_close(&w);
    free(big);
}

static int send_number(struct side *s, int channel, uint32_t number, size_t size)
{
    uint8_t bytes[4096] = { 0 };
    tr_put32(bytes, number);
    return (int)tr_sctp_send(s->sctp, (uint16_t)channel, true, tr_slice(bytes, size));
}

TEST(thousands_of_messages_in_order_both_ways)
{
    enum { COUNT = 20000 };
    if (bring_up()) {
        int c = open_channel(&w.a, "x", reliable);
        settle(&w);
        uint32_t sent[2] = { 0, 0 };
        for (int turn = 0; turn < 10000 && w.b.messages < COUNT; turn++) {
            while (sent[0] < COUNT && send_number(&w.a, c, sent[0], 100) == TR_OK)
                sent[0]++;
            while (sent[1] < COUNT && send_number(&w.b, c, sent[1], 30) == TR_OK)
                sent[1]++;
            run(&w, 10 * TR_MSEC);
        }
        run(&w, TR_SECOND);
        CHECK_INT(w.b.messages, COUNT);
        CHECK_INT(w.a.messages, COUNT);
        CHECK_INT(w.a.messages_unordered + w.b.messages_unordered, 0);
    }
    world_close(&w);
}

TEST(a_full_buffer_says_so_and_when_there_is_room)
{
    uint8_t *big = calloc(1, TR_SCTP_MESSAGE_MAX);
    if (bring_up()) {
        int c = open_channel(&w.a, "x", reliable);
        int sent = 0;
        while (sent < 100 && tr_sctp_send(w.a.sctp, (uint16_t)c, true,
                                          tr_slice(big, TR_SCTP_MESSAGE_MAX / 4)) == TR_OK)
            sent++;
        CHECK(sent >= 4 && (size_t)sent * (TR_SCTP_MESSAGE_MAX / 4) <= 2 * TR_SCTP_BUFFER_BYTES);
        CHECK(!w.a.writable);
        run(&w, TR_SECOND);
        CHECK(w.a.writable);
        CHECK_INT(w.b.messages, sent);
    }
    world_close(&w);
    free(big);
}

TEST(a_receiver_that_holds_stops_the_sender)
{
    if (bring_up()) {
        int c = open_channel(&w.a, "x", reliable);
        settle(&w);
        tr_sctp_hold(w.b.sctp, true);
        uint32_t sent = 0;
        for (int i = 0; i < 300; i++) {
            while (sent < 100000 && send_number(&w.a, c, sent, 1000) == TR_OK)
                sent++;
            run(&w, 10 * TR_MSEC);
        }
        CHECK_INT(w.b.messages, 0);
        CHECK(sent * 1000u <= 3 * TR_SCTP_BUFFER_BYTES); /* both buffers are full */
        CHECK(sent * 1000u > TR_SCTP_BUFFER_BYTES);
        tr_sctp_hold(w.b.sctp, false);
        run(&w, 60 * TR_SECOND);
        CHECK_INT(w.b.messages, sent);
        CHECK_INT(w.b.messages_unordered, 0);
    }
    world_close(&w);
}

TEST(either_side_closes_and_numbers_are_used_again)
{
    if (bring_up()) {
        for (int i = 0; i < 50; i++) {
            int c = open_channel(&w.a, "again", reliable);
            CHECK_INT(c, 0);
            CHECK_INT(send_number(&w.a, c, 0, 8), TR_OK);
            settle(&w);
            struct side *who = i % 2 ? &w.a : &w.b, *other = who->other;
            other->heard_count = who->heard_count = 0;
            CHECK_INT(send_number(who, c, 0, 8), TR_OK); /* is still delivered */
            tr_sctp_close_channel(who->sctp, (uint16_t)c);
            CHECK_INT(send_number(who, c, 0, 8), TR_ERR_NOTFOUND);
            run(&w, TR_SECOND);
            CHECK_INT(count_of(other, TR_SCTP_MESSAGE), 1);
            CHECK_INT(count_of(other, TR_SCTP_CLOSED), 1);
            CHECK_INT(count_of(who, TR_SCTP_CLOSED), 0);
            CHECK_STR(last_of(other, TR_SCTP_CLOSED) ? last_of(other, TR_SCTP_CLOSED)->label : "",
                      "again");
        }
    }
    world_close(&w);
}

TEST(many_channels_close_at_once)
{
    enum { COUNT = 60 };
    if (bring_up()) {
        for (int i = 0; i < COUNT; i++)
            CHECK(open_channel(i % 2 ? &w.a : &w.b, "x", reliable) >= 0);
        settle(&w);
        for (uint16_t i = 0; i < COUNT; i++) { /* some meet halfway */
            tr_sctp_close_channel(w.a.sctp, i);
            if (i % 3 == 0)
                tr_sctp_close_channel(w.b.sctp, i);
            if (i % 7 == 0)
                settle(&w);
        }
        run(&w, 3 * TR_SECOND);
        CHECK_INT(open_channel(&w.a, "x", reliable), 0);
        CHECK_INT(open_channel(&w.b, "x", reliable), 1);
    }
    world_close(&w);
}

TEST(channels_over_the_limit_are_closed)
{
    enum { MORE = TR_SCTP_CHANNELS_MAX };
    if (bring_up()) {
        int opened[MORE];
        for (int i = 0; i < MORE; i++)
            opened[i] = open_channel(&w.a, "x", reliable);
        CHECK(opened[MORE - 1] >= 0);
        CHECK_INT(open_channel(&w.a, "x", reliable), -1);
        settle(&w);
        CHECK_INT(open_channel(&w.b, "y", reliable), -1);
        /* a's table has room again before b's has: now b is asked for too much */
        CHECK_INT(tr_sctp_stats(w.b.sctp)->refused_channels, 0);
        CHECK(!w.a.down && !w.b.down);
    }
    world_close(&w);
}

TEST(a_channel_negotiated_by_other_means)
{
    const struct tr_sctp_channel *channel;
    struct tr_sctp_open open = { .label = "", .protocol = "", .stream = 700 };
    if (bring_up()) {
        CHECK_INT(tr_sctp_open(w.a.sctp, &open, &channel), TR_OK);
        CHECK_INT(tr_sctp_open(w.a.sctp, &open, &channel), TR_ERR_EXISTS);
        CHECK_INT(tr_sctp_send(w.a.sctp, 700, false, tr_slice_str("hi")), TR_OK);
        settle(&w);
        const struct heard *h = last_of(&w.b, TR_SCTP_MESSAGE);
        CHECK(h && h->channel == 700 && h->negotiated);
        CHECK_INT(tr_sctp_send(w.b.sctp, 700, false, tr_slice_str("ho")), TR_OK);
        settle(&w);
        CHECK_INT(w.a.messages, 1);
        open.stream = TR_SCTP_STREAMS;
        CHECK_INT(tr_sctp_open(w.a.sctp, &open, &channel), TR_ERR_LIMIT);
    }
    world_close(&w);
}

TEST(a_peer_that_is_gone_is_reported)
{
    if (bring_up()) {
        int c = open_channel(&w.a, "x", reliable);
        settle(&w);
        w.b.cut = true;
        CHECK_INT(send_number(&w.a, c, 0, 8), TR_OK);
        run(&w, 300 * TR_SECOND);
        CHECK_STR(w.a.down, "SCTP connection lost");
        CHECK_INT(send_number(&w.a, c, 0, 8), TR_ERR_CLOSED);
    }
    world_close(&w);
}

TEST(nobody_answers_the_handshake)
{
    if (CHECK(world_open(&w))) {
        w.a.cut = w.b.cut = true;
        CHECK_INT(open_channel(&w.a, "x", reliable), -1);
        run(&w, 600 * TR_SECOND);
        CHECK_STR(w.a.down, "No SCTP handshake");
    }
    world_close(&w);
}

TEST(a_peer_that_begins_anew_ends_the_association)
{
    if (bring_up()) {
        tr_sctp_destroy(w.b.sctp);
        CHECK(side_open(&w, &w.b, false) != NULL);
        run(&w, 10 * TR_SECOND);
        CHECK(w.a.down != NULL);
    }
    world_close(&w);
}

/* One association for each DTLS connection, whatever the peer sends. */
TEST(a_flood_of_handshakes_changes_nothing)
{
    uint8_t init[] = { 0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,    20,
                       0,    0,    0,    1,    0, 1, 0, 0, 4, 0, 4, 0, 0, 0, 0x30, 0x39 };
    if (bring_up()) {
        int c = open_channel(&w.a, "x", reliable);
        settle(&w);
        for (unsigned i = 0; i < 10000; i++) {
            tr_put32(init + 16, i + 1);
            tr_put32(init + 8, 0);
            (void)!tr_sctp_input(w.a.sctp, w.now, tr_slice(init, sizeof init));
            w.a.cut = true; /* b knows nothing of what a answers */
            settle(&w);
            w.a.cut = false;
        }
        CHECK_INT(send_number(&w.a, c, 0, 8), TR_OK);
        run(&w, 20 * TR_SECOND);
        CHECK_INT(w.b.messages, 1);
        CHECK(!w.a.down && !w.b.down);
    }
    world_close(&w);
}

TEST(rubbish_is_counted_and_dropped)
{
    uint8_t bytes[300];
    struct tr_rng rng = tr_rng_seeded(7);
    if (bring_up()) {
        for (int i = 0; i < 2000; i++) {
            size_t n = (size_t)tr_rng_below(&rng, sizeof bytes);
            tr_rng_fill(&rng, bytes, sizeof bytes);
            CHECK_INT(tr_sctp_input(w.a.sctp, w.now, tr_slice(bytes, n)), TR_ERR_BADMSG);
        }
        CHECK_INT(tr_sctp_stats(w.a.sctp)->bad_packets, 2000);
        int c = open_channel(&w.a, "x", reliable);
        CHECK_INT(send_number(&w.a, c, 0, 8), TR_OK);
        settle(&w);
        CHECK_INT(w.b.messages, 1);
    }
    world_close(&w);
}

TEST_OOM(memory_may_run_out_anywhere)
{
    enum tr_err err = TR_ERR_NOMEM;
    if (world_open(&w)) {
        settle(&w);
        int c = w.a.up && w.b.up ? open_channel(&w.a, "x", reliable) : -1;
        if (c >= 0 && send_number(&w.a, c, 0, 3000) == TR_OK)
            settle(&w);
        if (w.b.messages == 1)
            err = TR_OK;
    }
    world_close(&w);
    return err;
}

TEST(utf8)
{
    CHECK(tr_utf8_valid(tr_slice(NULL, 0)));
    CHECK(tr_utf8_valid(tr_slice_str("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
    static const char *const bad[] = { "\x80",
                                       "\xc3",
                                       "\xc0\xaf",
                                       "\xe0\x80\xaf",
                                       "\xed\xa0\x80",
                                       "\xf4\x90\x80\x80",
                                       "\xf8\x88\x80\x80\x80",
                                       "\xe2\x82" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!tr_utf8_valid(tr_slice_str(bad[i])));
}
