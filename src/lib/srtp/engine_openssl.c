/* The engine that runs everywhere. A key is an EVP context with the key schedule in it, made once;
 * a packet sets the IV only. HMAC is spelled out over EVP's SHA-1, with the padded keys kept as
 * blocks: EVP_MAC would copy (and allocate) its inner and outer state for each packet. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "srtp/engine.h"

enum { SHA1_BLOCK = 64, SHA1_LEN = 20 };

struct openssl_key {
    struct srtp_key base;
    bool encrypt;
    EVP_CIPHER_CTX *cipher;
    uint8_t ipad[SHA1_BLOCK];
    uint8_t opad[SHA1_BLOCK];
};

struct openssl_engine {
    struct tr_srtp_engine base;
    EVP_MD_CTX *sha1;
};

static struct openssl_key *key_of(struct srtp_key *key)
{
    return TR_CONTAINER_OF(key, struct openssl_key, base);
}

static struct openssl_engine *engine_of(struct tr_srtp_engine *engine)
{
    return TR_CONTAINER_OF(engine, struct openssl_engine, base);
}

static void openssl_key_destroy(struct srtp_key *base)
{
    if (!base)
        return;
    struct openssl_key *key = key_of(base);
    EVP_CIPHER_CTX_free(key->cipher); /* cleanses the key schedule */
    OPENSSL_cleanse(key, sizeof(*key));
    tr_free(key);
}

static const EVP_CIPHER *cipher_of(enum tr_srtp_profile profile)
{
    if (!tr_srtp_is_gcm(profile))
        return EVP_aes_128_ctr();
    return profile == TR_SRTP_AEAD_AES_256_GCM ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
}

static struct srtp_key *openssl_key_create(struct tr_srtp_engine *engine,
                                           enum tr_srtp_profile profile, enum tr_srtp_dir dir,
                                           const struct srtp_session_keys *keys)
{
    struct openssl_key *key = tr_alloc(sizeof(*key));

    if (!key)
        return NULL;
    key->base.profile = profile;
    memcpy(key->base.salt, keys->salt, sizeof(key->base.salt));
    key->encrypt = dir == TR_SRTP_OUT;
    memset(key->ipad, 0x36, SHA1_BLOCK);
    memset(key->opad, 0x5c, SHA1_BLOCK);
    for (size_t i = 0; i < SRTP_AUTH_KEY_LEN; i++) {
        key->ipad[i] ^= keys->auth[i];
        key->opad[i] ^= keys->auth[i];
    }
    key->cipher = EVP_CIPHER_CTX_new();
    if (!key->cipher || EVP_CipherInit_ex2(key->cipher, cipher_of(profile), keys->key, NULL,
                                           key->encrypt, NULL) != 1) {
        openssl_key_destroy(&key->base);
        return NULL;
    }
    return &key->base;
}

static void hmac_sha1(EVP_MD_CTX *ctx, const struct openssl_key *key, const struct srtp_op *op,
                      uint8_t out[SHA1_LEN])
{
    bool ok = EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 &&
              EVP_DigestUpdate(ctx, key->ipad, SHA1_BLOCK) == 1 &&
              EVP_DigestUpdate(ctx, op->aad, op->aad_len) == 1 &&
              EVP_DigestUpdate(ctx, op->trail, op->trail_len) == 1 &&
              EVP_DigestFinal_ex(ctx, out, NULL) == 1 && EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 &&
              EVP_DigestUpdate(ctx, key->opad, SHA1_BLOCK) == 1 &&
              EVP_DigestUpdate(ctx, out, SHA1_LEN) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    TR_ASSERT(ok); /* SHA-1 over memory has no way to fail once its context is set up */
}

static void ctr(struct openssl_key *key, struct srtp_op *op)
{
    int len;
    bool ok = EVP_CipherInit_ex2(key->cipher, NULL, NULL, op->iv, -1, NULL) == 1 &&
              EVP_CipherUpdate(key->cipher, op->dst, &len, op->src, (int)op->n) == 1;
    TR_ASSERT(ok);
}

static bool gcm_text(struct openssl_key *key, struct srtp_op *op)
{
    int len;

    return EVP_CipherInit_ex2(key->cipher, NULL, NULL, op->iv, -1, NULL) == 1 &&
           EVP_CipherUpdate(key->cipher, NULL, &len, op->aad, (int)op->aad_len) == 1 &&
           (op->n == 0 || EVP_CipherUpdate(key->cipher, op->dst, &len, op->src, (int)op->n) == 1);
}

static void gcm_seal(struct openssl_key *key, struct srtp_op *op)
{
    uint8_t none[16];
    int len;
    bool ok =
        gcm_text(key, op) && EVP_CipherFinal_ex(key->cipher, none, &len) == 1 &&
        EVP_CIPHER_CTX_ctrl(key->cipher, EVP_CTRL_AEAD_GET_TAG, TR_SRTP_TAG_MAX, op->tag) == 1;
    TR_ASSERT(ok);
}

static bool gcm_open(struct openssl_key *key, struct srtp_op *op)
{
    uint8_t none[16];
    int len;

    return gcm_text(key, op) &&
           EVP_CIPHER_CTX_ctrl(key->cipher, EVP_CTRL_AEAD_SET_TAG, TR_SRTP_TAG_MAX,
                               (void *)(uintptr_t)op->expect) == 1 &&
           EVP_CipherFinal_ex(key->cipher, none, &len) == 1;
}

static void openssl_seal(struct tr_srtp_engine *engine, struct srtp_op *ops, size_t n)
{
    uint8_t tag[SHA1_LEN];

    for (size_t i = 0; i < n; i++) {
        struct openssl_key *key = key_of(ops[i].key);
        TR_ASSERT(key->encrypt);
        if (tr_srtp_is_gcm(key->base.profile)) {
            gcm_seal(key, &ops[i]);
            continue;
        }
        ctr(key, &ops[i]);
        hmac_sha1(engine_of(engine)->sha1, key, &ops[i], tag);
        memcpy(ops[i].tag, tag, tr_srtp_overhead(key->base.profile));
    }
}

static bool openssl_open(struct tr_srtp_engine *engine, struct srtp_op *op)
{
    struct openssl_key *key = key_of(op->key);
    uint8_t tag[SHA1_LEN];

    TR_ASSERT(!key->encrypt);
    if (tr_srtp_is_gcm(key->base.profile))
        return gcm_open(key, op);
    hmac_sha1(engine_of(engine)->sha1, key, op, tag);
    if (CRYPTO_memcmp(tag, op->expect, tr_srtp_overhead(key->base.profile)) != 0)
        return false;
    ctr(key, op);
    return true;
}

static void openssl_destroy(struct tr_srtp_engine *base)
{
    struct openssl_engine *engine = engine_of(base);

    EVP_MD_CTX_free(engine->sha1);
    tr_free(engine);
}

struct tr_srtp_engine *srtp_engine_openssl(void)
{
    struct openssl_engine *engine = tr_alloc(sizeof(*engine));

    if (!engine)
        return NULL;
    engine->base.name = "openssl";
    engine->base.key_create = openssl_key_create;
    engine->base.key_destroy = openssl_key_destroy;
    engine->base.seal = openssl_seal;
    engine->base.open = openssl_open;
    engine->base.destroy = openssl_destroy;
    engine->sha1 = EVP_MD_CTX_new();
    if (!engine->sha1 || EVP_DigestInit_ex2(engine->sha1, EVP_sha1(), NULL) != 1) {
        openssl_destroy(&engine->base);
        return NULL;
    }
    return &engine->base;
}
