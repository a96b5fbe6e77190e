/* TR_ASSERT checks our own invariants and stays on in release builds. It must never be reachable
 * from input: what a peer sends is judged by enum tr_err, not by an assertion. */
#ifndef TR_ASSERT_H
#define TR_ASSERT_H

_Noreturn void tr_assert_fail(const char *expr, const char *file, int line);

#define TR_ASSERT(expr)                                                                            \
    do {                                                                                           \
        if (__builtin_expect(!(expr), 0))                                                          \
            tr_assert_fail(#expr, __FILE__, __LINE__);                                             \
    } while (0)

#define TR_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TR_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
