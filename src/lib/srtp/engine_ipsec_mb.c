/* The fast engine: Intel's multi-buffer library, one manager a thread.
 *
 * GCM goes packet by packet through its direct call. AES-CM and HMAC-SHA1 go in bursts: the cipher
 * of all packets, then the hashes of all packets side by side. How to hash is a choice by batch
 * size, since a wide manager (16 lanes with AVX-512, 8 with AVX2) takes as long for one packet as
 * for all its lanes, while the SHA instructions do two at a time in any batch. Measured with 1200
 * bytes, microseconds a packet: 16 lanes 3.1 / 1.6 / 0.9 / 0.5 / 0.3 for 1 / 2 / 4 / 8 / 16
 * packets; SHA instructions 0.7 for one, 0.43 from two on. So a second manager is kept for the
 * small batches and for the rest of the large ones.
 *
 * The NOCHECK bursts are used with arguments that srtp.c has bounded. */
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "srtp/engine.h"

enum { SHA1_BLOCK = 64, SHA1_LEN = 20, IMB_TAG = 12, KEY_ALIGN = 64 };

struct mb_key {
    struct srtp_key base;
    void *block; /* as allocated: this struct stands at the first multiple of KEY_ALIGN in it */
    union {
        struct gcm_key_data gcm;
        struct {
            _Alignas(16) uint32_t rounds[4 * 15];
            uint8_t ipad[SHA1_LEN];
            uint8_t opad[SHA1_LEN];
        } cm;
    } u;
};

struct mb_engine {
    struct tr_srtp_engine base;
    IMB_MGR *wide;
    IMB_MGR *narrow;   /* NULL: the CPU has no SHA instructions */
    size_t lanes;      /* of wide */
    size_t wide_least; /* a batch of fewer hashes goes to narrow */
    struct gcm_context_data gcm;
    IMB_JOB jobs[SRTP_BATCH];
    uint8_t tags[SRTP_BATCH][SHA1_LEN];
    uint8_t copy[TR_SRTP_PACKET_MAX + SRTP_TRAIL_MAX];
};

static struct mb_key *key_of(struct srtp_key *key)
{
    return TR_CONTAINER_OF(key, struct mb_key, base);
}

static struct mb_engine *engine_of(struct tr_srtp_engine *engine)
{
    return TR_CONTAINER_OF(engine, struct mb_engine, base);
}

static void mb_key_destroy(struct srtp_key *base)
{
    if (!base)
        return;
    void *block = key_of(base)->block;
    OPENSSL_cleanse(key_of(base), sizeof(struct mb_key));
    tr_free(block);
}

static void hmac_block(IMB_MGR *mgr, const uint8_t *auth, uint8_t pad, uint8_t out[SHA1_LEN])
{
    uint8_t block[SHA1_BLOCK];

    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < SRTP_AUTH_KEY_LEN; i++)
        block[i] ^= auth[i];
    IMB_SHA1_ONE_BLOCK(mgr, block, out);
    OPENSSL_cleanse(block, sizeof(block));
}

static struct srtp_key *mb_key_create(struct tr_srtp_engine *engine, enum tr_srtp_profile profile,
                                      enum tr_srtp_dir dir, const struct srtp_session_keys *keys)
{
    IMB_MGR *mgr = engine_of(engine)->wide;
    uint8_t *block = tr_alloc(sizeof(struct mb_key) + KEY_ALIGN);
    uint32_t decrypt[4 * 15];

    if (!block)
        return NULL;
    struct mb_key *key = (void *)(block + (KEY_ALIGN - (uintptr_t)block % KEY_ALIGN));
    key->block = block;
    key->base.profile = profile;
    memcpy(key->base.salt, keys->salt, sizeof(key->base.salt));
    if (profile == TR_SRTP_AEAD_AES_128_GCM) {
        IMB_AES128_GCM_PRE(mgr, keys->key, &key->u.gcm);
    } else if (profile == TR_SRTP_AEAD_AES_256_GCM) {
        IMB_AES256_GCM_PRE(mgr, keys->key, &key->u.gcm);
    } else {
        IMB_AES_KEYEXP_128(mgr, keys->key, key->u.cm.rounds, decrypt);
        OPENSSL_cleanse(decrypt, sizeof(decrypt));
        hmac_block(mgr, keys->auth, 0x36, key->u.cm.ipad);
        hmac_block(mgr, keys->auth, 0x5c, key->u.cm.opad);
    }
    return &key->base;
}

static void gcm_seal(struct mb_engine *engine, struct srtp_op *op)
{
    struct gcm_key_data *key = &key_of(op->key)->u.gcm;

    if (op->key->profile == TR_SRTP_AEAD_AES_128_GCM)
        IMB_AES128_GCM_ENC(engine->wide, key, &engine->gcm, op->dst, op->src, op->n, op->iv,
                           op->aad, op->aad_len, op->tag, TR_SRTP_TAG_MAX);
    else
        IMB_AES256_GCM_ENC(engine->wide, key, &engine->gcm, op->dst, op->src, op->n, op->iv,
                           op->aad, op->aad_len, op->tag, TR_SRTP_TAG_MAX);
}

static bool gcm_open(struct mb_engine *engine, struct srtp_op *op)
{
    struct gcm_key_data *key = &key_of(op->key)->u.gcm;
    uint8_t tag[TR_SRTP_TAG_MAX];

    if (op->key->profile == TR_SRTP_AEAD_AES_128_GCM)
        IMB_AES128_GCM_DEC(engine->wide, key, &engine->gcm, op->dst, op->src, op->n, op->iv,
                           op->aad, op->aad_len, tag, TR_SRTP_TAG_MAX);
    else
        IMB_AES256_GCM_DEC(engine->wide, key, &engine->gcm, op->dst, op->src, op->n, op->iv,
                           op->aad, op->aad_len, tag, TR_SRTP_TAG_MAX);
    return CRYPTO_memcmp(tag, op->expect, TR_SRTP_TAG_MAX) == 0;
}

static void cipher_burst(struct mb_engine *engine, struct srtp_op *const *ops, size_t n)
{
    uint32_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (ops[i]->n == 0)
            continue; /* the burst does not take empty texts */
        IMB_JOB *job = &engine->jobs[count++];
        job->enc_keys = key_of(ops[i]->key)->u.cm.rounds;
        job->key_len_in_bytes = 16;
        job->src = ops[i]->src;
        job->dst = ops[i]->dst;
        job->cipher_start_src_offset_in_bytes = 0;
        job->msg_len_to_cipher_in_bytes = ops[i]->n;
        job->iv = ops[i]->iv;
        job->iv_len_in_bytes = 16;
        job->cipher_mode = IMB_CIPHER_CNTR;
        job->cipher_direction = IMB_DIR_ENCRYPT;
    }
    if (count > 0) {
        uint32_t done = IMB_SUBMIT_CIPHER_BURST_NOCHECK(engine->wide, engine->jobs, count,
                                                        IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, 16);
        TR_ASSERT(done == count);
    }
}

static void hash_burst(struct mb_engine *engine, IMB_MGR *mgr, struct srtp_op *const *ops,
                       size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        struct mb_key *key = key_of(ops[i]->key);
        IMB_JOB *job = &engine->jobs[i];
        job->src = ops[i]->aad;
        job->hash_start_src_offset_in_bytes = 0;
        job->msg_len_to_hash_in_bytes = ops[i]->aad_len;
        job->hash_alg = IMB_AUTH_HMAC_SHA_1;
        job->auth_tag_output = engine->tags[i];
        job->auth_tag_output_len_in_bytes = IMB_TAG;
        job->u.HMAC._hashed_auth_key_xor_ipad = key->u.cm.ipad;
        job->u.HMAC._hashed_auth_key_xor_opad = key->u.cm.opad;
    }
    uint32_t done =
        IMB_SUBMIT_HASH_BURST_NOCHECK(mgr, &engine->jobs[first], (uint32_t)n, IMB_AUTH_HMAC_SHA_1);
    TR_ASSERT(done == n);
}

/* Whole multiples of the lanes on the wide manager, the rest wherever it is cheaper. */
static void hash_all(struct mb_engine *engine, struct srtp_op *const *ops, size_t n)
{
    size_t rest = n % engine->lanes;
    size_t wide = rest < engine->wide_least ? n - rest : n;

    if (!engine->narrow)
        wide = n;
    if (wide > 0)
        hash_burst(engine, engine->wide, ops, 0, wide);
    if (wide < n)
        hash_burst(engine, engine->narrow, ops, wide, n - wide);
}

static void mb_seal(struct tr_srtp_engine *base, struct srtp_op *ops, size_t n)
{
    struct mb_engine *engine = engine_of(base);
    struct srtp_op *cm[SRTP_BATCH];
    size_t count = 0;

    TR_ASSERT(n <= SRTP_BATCH);
    for (size_t i = 0; i < n; i++) {
        if (tr_srtp_is_gcm(ops[i].key->profile))
            gcm_seal(engine, &ops[i]);
        else
            cm[count++] = &ops[i];
    }
    if (count == 0)
        return;
    cipher_burst(engine, cm, count);
    hash_all(engine, cm, count);
    for (size_t i = 0; i < count; i++) /* only now: a tag lies where its hash input ended */
        memcpy(cm[i]->tag, engine->tags[i], tr_srtp_overhead(cm[i]->key->profile));
}

static bool mb_open(struct tr_srtp_engine *base, struct srtp_op *op)
{
    struct mb_engine *engine = engine_of(base);
    struct srtp_op *cm = op;

    if (tr_srtp_is_gcm(op->key->profile))
        return gcm_open(engine, op);
    if (op->trail_len > 0) { /* the hash wants one piece, and the packet is not ours to write to */
        TR_ASSERT(op->aad_len <= TR_SRTP_PACKET_MAX);
        memcpy(engine->copy, op->aad, op->aad_len);
        memcpy(engine->copy + op->aad_len, op->trail, op->trail_len);
        op->aad = engine->copy;
        op->aad_len += op->trail_len;
    }
    hash_all(engine, &cm, 1);
    if (CRYPTO_memcmp(engine->tags[0], op->expect, tr_srtp_overhead(op->key->profile)) != 0)
        return false;
    cipher_burst(engine, &cm, 1);
    return true;
}

static void mb_destroy(struct tr_srtp_engine *base)
{
    struct mb_engine *engine = engine_of(base);

    if (engine->wide)
        free_mb_mgr(engine->wide);
    if (engine->narrow)
        free_mb_mgr(engine->narrow);
    tr_free(engine);
}

/* NULL: no memory, no AES instructions (the library would emulate them), or its self-test
 * failed. */
static IMB_MGR *manager(bool narrow)
{
    const uint64_t need =
        IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | (narrow ? IMB_FEATURE_SHANI : 0);
    IMB_MGR *mgr = alloc_mb_mgr(0);

    if (!mgr)
        return NULL;
    if ((mgr->features & need) == need) {
        if (narrow)
            init_mb_mgr_sse(mgr);
        else
            init_mb_mgr_auto(mgr, NULL);
        bool tested = !(mgr->features & IMB_FEATURE_SELF_TEST) ||
                      (mgr->features & IMB_FEATURE_SELF_TEST_PASS);
        if (imb_get_errno(mgr) == 0 && tested)
            return mgr;
    }
    free_mb_mgr(mgr);
    return NULL;
}

struct tr_srtp_engine *srtp_engine_ipsec_mb(void)
{
    struct mb_engine *engine = tr_alloc(sizeof(*engine));

    if (!engine)
        return NULL;
    engine->base.name = "ipsec-mb";
    engine->base.key_create = mb_key_create;
    engine->base.key_destroy = mb_key_destroy;
    engine->base.seal = mb_seal;
    engine->base.open = mb_open;
    engine->base.destroy = mb_destroy;
    engine->wide = manager(false);
    if (!engine->wide) {
        mb_destroy(&engine->base);
        return NULL;
    }
    engine->narrow = manager(true);
    bool avx512 = (engine->wide->features & IMB_FEATURE_AVX512_SKX) == IMB_FEATURE_AVX512_SKX;
    engine->lanes = avx512 ? 16 : 8;
    engine->wide_least = engine->lanes / 2 + 1;
    return &engine->base;
}
