/* Goal: talking is told once when it starts and once when it stops, by whole rows of packets. */
#include "media/talk.h"
#include "unit.h"

static tr_usec now = TR_SECOND;

static bool packet(struct tr_talk *talk, uint8_t level)
{
    now += 20 * TR_MSEC;
    return tr_talk_packet(talk, now, level);
}

TEST(rows_decide)
{
    struct tr_talk t = { .conf = { .packets = 10, .level = 25 } };
    for (int i = 0; i < 9; i++)
        CHECK(!packet(&t, 5));
    CHECK(packet(&t, 5) && t.on);
    CHECK_INT(t.mean, 5);
    for (int i = 0; i < 35; i++) /* one loud packet a row is silence, but the row must be full */
        CHECK(packet(&t, i % 10 ? 127 : 0) == (i == 9));
    CHECK(!t.on);
    CHECK_INT(t.mean, 114);
}

TEST(at_the_threshold_is_silence)
{
    struct tr_talk t = { .conf = { .packets = 1, .level = 25 } };
    CHECK(!packet(&t, 25));
    CHECK(packet(&t, 24));
    CHECK(!packet(&t, 0));
    now += TR_TALK_CHANGE_US;
    CHECK(packet(&t, 25));
}

TEST(off_says_nothing)
{
    struct tr_talk t = { 0 };
    for (int i = 0; i < 1000; i++)
        CHECK(!packet(&t, 0));
}

/* Thousands of packets a second, loud and silent in turn: who listens is not told of each. */
TEST(changes_have_a_pace)
{
    struct tr_talk t = { .conf = { .packets = 1, .level = 25 } };
    int told = 0;
    for (int i = 0; i < 20000; i++)
        told += tr_talk_packet(&t, now += 100, i % 2 ? 127 : 0);
    CHECK(told > 2 && told <= 2 * TR_SECOND / TR_TALK_CHANGE_US);
}
