/* OpenSSL's generator is seeded by the kernel and keeps state per thread; a draw costs no more than
 * a getpid, by which it notices a fork. That it fails means that the process cannot make secrets at
 * all, so it ends. */
#include "net/random.h"

#include <openssl/rand.h>

#include "base/assert.h"

static void system_fill(struct tr_rng *rng, void *out, size_t n)
{
    (void)rng;
    int ok = RAND_bytes(out, (int)n);
    TR_ASSERT(ok == 1);
}

struct tr_rng tr_random_system(void)
{
    return (struct tr_rng){ .fill = system_fill };
}
