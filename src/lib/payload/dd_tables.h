/* For tests: scalability structures in the notation of the specification's examples (A.10). */
#ifndef TR_DD_TABLES_H
#define TR_DD_TABLES_H

#include "payload/dd_test.h"

static const struct ddt_structure ddt_l1t3 __attribute__((unused)) = {
    .id_offset = 5,
    .chains = 1,
    .protected_by = "000",
    .t = { { 0, 0, "SSS", { 0 }, { 0 } },
           { 0, 0, "SSS", { 4 }, { 4 } },
           { 0, 1, "-DS", { 2 }, { 2 } },
           { 0, 2, "--D", { 1 }, { 1 } },
           { 0, 2, "--D", { 1 }, { 3 } } },
};

/* A.10.2.2, decode targets from the best to the lowest */
static const struct ddt_structure ddt_l3t3 __attribute__((unused)) = {
    .id_offset = 60,
    .chains = 3,
    .protected_by = "222111000",
    .width = 1280,
    .height = 720,
    .t = { { 0, 0, "SSSSSSSSS", { 0 }, { 0, 0, 0 } },
           { 0, 0, "RRRRRRSSS", { 12 }, { 12, 11, 10 } },
           { 0, 1, "RR-RR-SD-", { 6 }, { 6, 5, 4 } },
           { 0, 2, "R--R--D--", { 3 }, { 3, 2, 1 } },
           { 0, 2, "R--R--D--", { 3 }, { 9, 8, 7 } },
           { 1, 0, "SSSSSS---", { 1 }, { 1, 1, 1 } },
           { 1, 0, "RRRSSS---", { 12, 1 }, { 1, 1, 1 } },
           { 1, 1, "RR-SD----", { 6, 1 }, { 7, 6, 5 } },
           { 1, 2, "R--D-----", { 3, 1 }, { 4, 3, 2 } },
           { 1, 2, "R--D-----", { 3, 1 }, { 10, 9, 8 } },
           { 2, 0, "SSS------", { 1 }, { 2, 1, 1 } },
           { 2, 0, "SSS------", { 12, 1 }, { 2, 1, 1 } },
           { 2, 1, "SD-------", { 6, 1 }, { 8, 7, 6 } },
           { 2, 2, "D--------", { 3, 1 }, { 5, 4, 3 } },
           { 2, 2, "D--------", { 3, 1 }, { 11, 10, 9 } } },
};

/* L2T2_KEY: after the key frame the layers do not refer to each other */
static const struct ddt_structure ddt_l2t2_key __attribute__((unused)) = {
    .id_offset = 0,
    .chains = 2,
    .protected_by = "0011",
    .t = { { 0, 0, "SSSS", { 0 }, { 0, 0 } },
           { 0, 0, "SS--", { 4 }, { 4, 3 } },
           { 0, 1, "-D--", { 2 }, { 2, 1 } },
           { 1, 0, "--SS", { 1 }, { 1, 1 } },
           { 1, 0, "--SS", { 4 }, { 1, 4 } },
           { 1, 1, "---D", { 2 }, { 3, 2 } } },
};

#endif
