/* Goal: hosts and networks get what is written and no more, a flood of strangers takes nothing from
 * those who are known, and the table stays as small as it was made.
 * Method: tables of sources, virtual time, a seeded flood. */
#include "turn/throttle.h"

#include "base/rng.h"
#include "unit.h"

#define NOW (100 * TR_SECOND)

static int count(struct tr_throttle *t, tr_usec now, struct tr_addr source, int asks)
{
    int n = 0;
    for (int i = 0; i < asks; i++)
        n += tr_throttle_allow(t, now, &source);
    return n;
}

static struct tr_addr v6(uint8_t network, uint8_t subnet, uint8_t host)
{
    return (struct tr_addr){ .ip = { 0x20, 0x01, 0, 1, 0, network, 0, subnet, [15] = host } };
}

TEST(a_host_gets_its_share)
{
    struct tr_throttle *t = tr_throttle_create(1024, 10, 1);
    CHECK_INT(count(t, NOW, tr_addr_v4(192, 0, 2, 1, 1000), 50), 10);
    CHECK_INT(count(t, NOW, tr_addr_v4(192, 0, 2, 1, 2000), 50), 0); /* another port is the same */
    CHECK_INT(count(t, NOW + 100 * TR_MSEC, tr_addr_v4(192, 0, 2, 1, 1000), 50), 1);
    CHECK_INT(count(t, NOW + 400 * TR_MSEC, tr_addr_v4(192, 0, 2, 1, 1000), 50), 3);
    CHECK_INT(count(t, NOW + 99 * TR_SECOND, tr_addr_v4(192, 0, 2, 1, 1000), 50), 10);
    tr_throttle_destroy(t);
}

TEST(a_network_gets_ten_times_as_much)
{
    struct tr_throttle *t = tr_throttle_create(4096, 10, 1);
    int a = 0, b = 0;
    for (uint8_t i = 0; i < 100; i++) {
        a += count(t, NOW, tr_addr_v4(192, 0, 2, i, 1), 4);
        b += count(t, NOW, v6(1, i, 1), 4);
    }
    CHECK_INT(a, 100);
    CHECK_INT(b, 100);
    CHECK_INT(count(t, NOW, tr_addr_v4(192, 0, 3, 1, 1), 50), 10);
    CHECK_INT(count(t, NOW, v6(2, 1, 1), 50), 10);
    CHECK_INT(count(t, NOW, v6(2, 1, 2), 50), 0); /* the same /64 is one host */
    tr_throttle_destroy(t);
}

/* What was refused has cost nothing. */
TEST(a_greedy_host_does_not_starve_its_network)
{
    struct tr_throttle *t = tr_throttle_create(4096, 10, 1);
    CHECK_INT(count(t, NOW, tr_addr_v4(192, 0, 2, 1, 1), 5000), 10);
    CHECK_INT(count(t, NOW, tr_addr_v4(192, 0, 2, 2, 1), 10), 10);
    tr_throttle_destroy(t);
}

TEST(a_flood_of_strangers_is_bounded_and_spares_the_known)
{
    FOR_EACH_SEED (seed, 20) {
        struct tr_rng rng = tr_rng_seeded(seed);
        struct tr_throttle *t = tr_throttle_create(1024, 10, seed);
        struct tr_addr known = tr_addr_v4(198, 51, 100, 1, 1);
        int answered = 0, refused_known = 0;
        CHECK(tr_throttle_allow(t, NOW, &known));
        for (int ms = 0; ms < 1000; ms++) {
            for (int i = 0; i < 100; i++) {
                struct tr_addr a = tr_addr_v4(10, 0, 0, 0, 1);
                tr_rng_fill(&rng, a.ip + 13, 3);
                answered += tr_throttle_allow(t, NOW + ms * TR_MSEC, &a);
            }
            if (ms % 99 == 98) /* often enough not to be idle, and less than 10 a second */
                refused_known += !tr_throttle_allow(t, NOW + ms * TR_MSEC, &known);
        }
        CHECK(answered > 1000 && answered <= 1024 * 11);
        CHECK_INT(refused_known, 0);
        tr_throttle_destroy(t);
    }
}

TEST(zero_is_no_bound)
{
    struct tr_throttle *t = tr_throttle_create(16, 0, 1);
    CHECK_INT(count(t, NOW, tr_addr_v4(192, 0, 2, 1, 1), 1000), 1000);
    tr_throttle_destroy(t);
    tr_throttle_destroy(NULL);
}

TEST_OOM(throttle_create)
{
    struct tr_throttle *t = tr_throttle_create(5, 1, 1);
    tr_throttle_destroy(t);
    return t ? TR_OK : TR_ERR_NOMEM;
}
