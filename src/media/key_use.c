/* A set of hashes: a key that is not in use any more is not kept to be stolen. */
#include "media/key_use.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/slice.h"

enum { HASH_BYTES = 16 }; /* of SHA-256: who could make two uses collide could reuse keys as well */

struct use {
    uint8_t bytes[HASH_BYTES];
};

static enum tr_err hash(const struct tr_srtp_keys *keys, uint32_t ssrc, struct use *use)
{
    uint8_t text[sizeof keys->key + sizeof keys->salt + 4], digest[EVP_MAX_MD_SIZE];
    struct tr_wr w = tr_wr(text, sizeof text);
    tr_wr_bytes(&w, keys->key, sizeof keys->key);
    tr_wr_bytes(&w, keys->salt, sizeof keys->salt);
    tr_wr_u32(&w, ssrc);
    bool ok = EVP_Digest(text, sizeof text, digest, NULL, EVP_sha256(), NULL) == 1;
    if (ok)
        memcpy(use->bytes, digest, HASH_BYTES);
    OPENSSL_cleanse(text, sizeof text);
    return ok ? TR_OK : TR_ERR_NOMEM;
}

enum tr_err key_use_take(struct key_uses *uses, uint64_t seed, const struct tr_srtp_keys *keys,
                         uint32_t ssrc)
{
    struct use use;
    enum tr_err err = hash(keys, ssrc, &use);
    if (!uses->taken)
        uses->taken = tr_map_create(KEY_USES_MAX, seed);
    if (!uses->taken)
        return TR_ERR_NOMEM;
    return err == TR_OK ? tr_map_add(uses->taken, tr_slice(use.bytes, HASH_BYTES), uses) : err;
}

void key_use_return(struct key_uses *uses, const struct tr_srtp_keys *keys, uint32_t ssrc)
{
    struct use use;
    if (uses->taken && hash(keys, ssrc, &use) == TR_OK)
        tr_map_remove(uses->taken, tr_slice(use.bytes, HASH_BYTES));
}

void key_uses_deinit(struct key_uses *uses)
{
    tr_map_destroy(uses->taken);
    uses->taken = NULL;
}
