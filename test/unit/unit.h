/* The unit runner. A test file defines tests and ends; linking it with unit.c gives a program that
 * runs all of them and prints 'N passed, N failed'.
 *
 *   TEST(name) { CHECK(cond); ... }               a plain test
 *   TEST_OOM(name) { ... return TR_OK; }          runs again and again with allocation 0, 1, 2 ...
 *                                                 failing until it passes; NOMEM is the only error
 *                                                 it may return meanwhile
 *   FOR_EACH_SEED(seed, n) { ... }                n runs with seed 0..n-1, or with seed=N only;
 *                                                 TR_UNIT_SEEDS=P in the environment: the first P
 *                                                 per cent of them, for builds that are slow
 *
 * A failed CHECK prints file, line, expression and seed, marks the test failed and goes on. After
 * each test the bytes in use of base/mem must be what they were before.
 * Arguments of the program: a substring of test names, seed=N, -l (list). */
#ifndef TR_UNIT_H
#define TR_UNIT_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

struct unit_test {
    const char *name;
    void (*run)(void);
    enum tr_err (*run_oom)(void);
    struct unit_test *next;
};

void unit_register(struct unit_test *test);
bool unit_check(bool ok, const char *expr, const char *file, int line);
void unit_note(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* shown when the test fails */
uint64_t unit_seed_first(void);
uint64_t unit_seed_end(uint64_t n);
void unit_seed_set(uint64_t seed);

#define TEST(id)                                                                                   \
    static void test_##id(void);                                                                   \
    static struct unit_test unit_##id = { .name = #id, .run = test_##id };                         \
    __attribute__((constructor)) static void unit_register_##id(void)                              \
    {                                                                                              \
        unit_register(&unit_##id);                                                                 \
    }                                                                                              \
    static void test_##id(void)

#define TEST_OOM(id)                                                                               \
    static enum tr_err test_##id(void);                                                            \
    static struct unit_test unit_##id = { .name = #id, .run_oom = test_##id };                     \
    __attribute__((constructor)) static void unit_register_##id(void)                              \
    {                                                                                              \
        unit_register(&unit_##id);                                                                 \
    }                                                                                              \
    static enum tr_err test_##id(void)

#define CHECK(expr) unit_check((expr), #expr, __FILE__, __LINE__)
#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        intmax_t unit_got = (intmax_t)(got), unit_want = (intmax_t)(want);                         \
        if (!unit_check(unit_got == unit_want, #got " == " #want, __FILE__, __LINE__))             \
            unit_note("    got %" PRIdMAX ", want %" PRIdMAX, unit_got, unit_want);                \
    } while (0)
#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        const char *unit_got = (got), *unit_want = (want);                                         \
        if (!unit_check(unit_got && strcmp(unit_got, unit_want) == 0, #got " == " #want, __FILE__, \
                        __LINE__))                                                                 \
            unit_note("    got \"%s\", want \"%s\"", unit_got ? unit_got : "(null)", unit_want);   \
    } while (0)

#define FOR_EACH_SEED(seed, n)                                                                     \
    for (uint64_t seed = unit_seed_first();                                                        \
         seed < unit_seed_end(n) && (unit_seed_set(seed), true); seed++)

#endif
