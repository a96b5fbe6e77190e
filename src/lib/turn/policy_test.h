/* Addresses, and whether a relay may send there by default; for test_turn_policy.c. */
#ifndef TR_TURN_POLICY_TEST_H
#define TR_TURN_POLICY_TEST_H

#include <stdbool.h>
#include <stddef.h>

struct policy_vector {
    const char *ip;
    bool open;
};

extern const struct policy_vector policy_vectors[];
extern const size_t policy_vectors_count;

#endif
