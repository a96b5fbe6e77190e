/* OpenSSL draws from the system's randomness by itself. A generator of our own in its place makes
 * handshakes (randoms, keys, signatures and so the length of messages) repeat from run to run. The
 * interface for that is marked as deprecated but has no successor as short. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>

#include "sim/sim.h"

static struct tr_rng rng;

static int fill(unsigned char *out, int n)
{
    if (n > 0)
        tr_rng_fill(&rng, out, (size_t)n);
    return 1;
}

static int ready(void)
{
    return 1;
}

void sim_seed_openssl(uint64_t seed)
{
    static const RAND_METHOD method = { .bytes = fill, .pseudorand = fill, .status = ready };
    rng = tr_rng_seeded(seed);
    RAND_set_rand_method(&method);
}
