/* The system's generator as a tr_rng; for secrets and ids. Thread safe. */
#ifndef TR_RANDOM_H
#define TR_RANDOM_H

#include "base/rng.h"

struct tr_rng tr_random_system(void);

#endif
