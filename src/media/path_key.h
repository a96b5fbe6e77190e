/* A path as the key of a tr_map: what tells one path from another, byte for byte, no padding. */
#ifndef TR_MEDIA_PATH_KEY_H
#define TR_MEDIA_PATH_KEY_H

#include <string.h>

#include "base/addr.h"
#include "base/slice.h"

struct path_key {
    uint8_t remote[16], local[16];
    uint16_t remote_port, local_port;
    uint32_t protos;
};
_Static_assert(sizeof(struct path_key) == 40, "padding would tell paths apart that are the same");

/* For those who are told apart by remote's protocol alone: over a stream and through our own relay
 * local's follows from it, and a path that does not say so is the same. */
static inline struct path_key path_key_by_remote(const struct tr_path *path)
{
    struct path_key key = { .remote_port = path->remote.port,
                            .local_port = path->local.port,
                            .protos = path->remote.proto };
    memcpy(key.remote, path->remote.ip, sizeof key.remote);
    memcpy(key.local, path->local.ip, sizeof key.local);
    return key;
}

static inline struct path_key path_key(const struct tr_path *path)
{
    struct path_key key = path_key_by_remote(path);
    key.protos |= (uint32_t)path->local.proto << 16;
    return key;
}

static inline struct tr_slice path_key_slice(const struct path_key *key)
{
    return tr_slice(key, sizeof *key);
}

#endif
