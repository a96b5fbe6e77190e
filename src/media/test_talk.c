/* Goal: talking is told once when it starts and once when it stops, by whole rows of packets. */
#include "media/talk.h"
#include "unit.h"

TEST(rows_decide)
{
    struct tr_talk t = { .conf = { .packets = 10, .level = 25 } };
    for (int i = 0; i < 9; i++)
        CHECK(!tr_talk_packet(&t, 5));
    CHECK(tr_talk_packet(&t, 5) && t.on);
    CHECK_INT(t.mean, 5);
    for (int i = 0; i < 35; i++) /* one loud packet a row is silence, but the row must be full */
        CHECK(tr_talk_packet(&t, i % 10 ? 127 : 0) == (i == 9));
    CHECK(!t.on);
    CHECK_INT(t.mean, 114);
}

TEST(at_the_threshold_is_silence)
{
    struct tr_talk t = { .conf = { .packets = 1, .level = 25 } };
    CHECK(!tr_talk_packet(&t, 25));
    CHECK(tr_talk_packet(&t, 24));
    CHECK(!tr_talk_packet(&t, 0));
    CHECK(tr_talk_packet(&t, 25));
}

TEST(off_says_nothing)
{
    struct tr_talk t = { 0 };
    for (int i = 0; i < 1000; i++)
        CHECK(!tr_talk_packet(&t, 0));
}
