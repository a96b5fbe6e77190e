/* Goal: the counted heap counts, zeroes and fails on demand; the generator is uniform in its bounds
 * and the same for the same seed. Method: direct calls. */
#include "unit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"

TEST(mem_counts_what_is_in_use)
{
    size_t before = tr_mem_in_use();
    char *p = tr_alloc(100);
    CHECK(p && p[0] == 0 && p[99] == 0 && (uintptr_t)p % 16 == 0);
    CHECK_INT(tr_mem_in_use() - before, 100);
    char *s = tr_strdup("abc");
    CHECK_STR(s, "abc");
    CHECK_INT(tr_mem_in_use() - before, 104);
    tr_free(p);
    tr_free(s);
    tr_free(NULL);
    CHECK_INT(tr_mem_in_use(), before);
}

TEST(mem_realloc_keeps_and_zeroes)
{
    char *p = tr_realloc(NULL, 4);
    memcpy(p, "wxyz", 4);
    p = tr_realloc(p, 8);
    CHECK(memcmp(p, "wxyz\0\0\0\0", 8) == 0);
    p = tr_realloc(p, 2);
    CHECK(memcmp(p, "wx", 2) == 0);
    tr_mem_fail_after(0);
    CHECK(tr_realloc(p, 100) == NULL);
    tr_mem_fail_after(UINT64_MAX);
    CHECK(memcmp(p, "wx", 2) == 0);
    tr_free(p);
}

TEST(mem_fails_on_demand)
{
    uint64_t allocs = tr_mem_allocs();
    tr_mem_fail_after(1);
    char *p = tr_alloc(1);
    CHECK(p != NULL);
    CHECK(tr_alloc(1) == NULL);
    CHECK(tr_strdup("x") == NULL);
    tr_mem_fail_after(UINT64_MAX);
    CHECK_INT(tr_mem_allocs() - allocs, 3);
    tr_free(p);
}

TEST(mem_refuses_a_size_that_wraps)
{
    volatile size_t n = SIZE_MAX - 3;
    CHECK(tr_alloc(n) == NULL);
}

TEST(rng_stays_below)
{
    static const uint64_t bounds[] = { 1, 2, 3, 7, 1000, 1ull << 32, (1ull << 63) + 1, UINT64_MAX };
    struct tr_rng rng = tr_rng_seeded(1);
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        for (int i = 0; i < 1000; i++)
            CHECK(tr_rng_below(&rng, bounds[b]) < bounds[b]);
    }
}

TEST(rng_is_even)
{
    int counts[6] = { 0 };
    struct tr_rng rng = tr_rng_seeded(2);
    for (int i = 0; i < 60000; i++)
        counts[tr_rng_below(&rng, 6)]++;
    for (int i = 0; i < 6; i++)
        CHECK(counts[i] > 9600 && counts[i] < 10400); /* more than four sigma either way */
}

TEST(rng_replays_from_its_seed)
{
    uint8_t a[37], b[37];
    struct tr_rng x = tr_rng_seeded(3), y = tr_rng_seeded(3), z = tr_rng_seeded(4);
    tr_rng_fill(&x, a, sizeof a);
    tr_rng_fill(&y, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    tr_rng_fill(&z, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

TEST(rng_ice_chars)
{
    char text[65];
    struct tr_rng rng = tr_rng_seeded(5);
    tr_rng_ice_chars(&rng, text, 64);
    CHECK_INT(strlen(text), 64);
    CHECK_INT(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"), 64);
    tr_rng_ice_chars(&rng, text, 0);
    CHECK_STR(text, "");
}

TEST(err_every_code_has_a_name)
{
    for (int a = 0; a < TR_ERR_COUNT; a++) {
        CHECK(strcmp(tr_err_str((enum tr_err)a), "unknown error") != 0);
        for (int b = 0; b < a; b++)
            CHECK(strcmp(tr_err_str((enum tr_err)a), tr_err_str((enum tr_err)b)) != 0);
    }
    CHECK_STR(tr_err_str(TR_ERR_COUNT), "unknown error");
    CHECK_STR(tr_err_str((enum tr_err) - 1), "unknown error");
}
