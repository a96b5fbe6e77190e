/* The Admin secret of a server that was given none. */
#ifndef TR_GATEWAY_SECRET_H
#define TR_GATEWAY_SECRET_H

#include "base/err.h"

struct tr_rng;

/* A secret of 32 random characters, made once and kept in the file `name` of a folder with mode
 * 0600; read when it is there. Used for the Admin secret. The caller frees it with tr_free. */
TR_MUST_USE enum tr_err tr_gateway_secret_file(const char *folder, const char *name,
                                               struct tr_rng *rng, char **secret);

#endif
