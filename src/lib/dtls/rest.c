/* The keys are derived once more from what the handshake agreed on, as OpenSSL did it:
 * key_block = PRF(master secret, "key expansion", server random + client random).
 *
 * The counters of what was sent so far are OpenSSL's own. It is asked for a close_notify, whose
 * header and nonce tell where they stand; that record stays here, so its number is free, but its
 * nonce is used up. */
#include "dtls/rest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/assert.h"
#include "dtls/filter.h"

enum { RANDOM = 32, MASTER = 48, AAD = 13, WINDOW = 64, EPOCH = 1 };

static const struct suite {
    uint16_t id;
    const EVP_CIPHER *(*cipher)(void);
    size_t key_len;
    const char *digest;
} suites[] = {
    /* RFC 5289, RFC 5288 */
    { 0xc02b, EVP_aes_128_gcm, 16, "SHA256" },
    { 0xc02c, EVP_aes_256_gcm, 32, "SHA384" },
    { 0xc02f, EVP_aes_128_gcm, 16, "SHA256" },
    { 0xc030, EVP_aes_256_gcm, 32, "SHA384" },
};

static const struct suite *suite_of(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    uint16_t id = cipher ? SSL_CIPHER_get_protocol_id(cipher) : 0;
    for (size_t i = 0; i < TR_ARRAY_LEN(suites); i++) {
        if (suites[i].id == id && SSL_version(ssl) == DTLS1_2_VERSION)
            return &suites[i];
    }
    return NULL;
}

static bool prf(const char *digest, struct tr_slice secret, struct tr_slice seed, struct tr_buf out)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)secret.p,
                                          secret.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)(uintptr_t)seed.p, seed.n),
        OSSL_PARAM_construct_end(),
    };
    bool ok = ctx && EVP_KDF_derive(ctx, out.p, out.n, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

/*= rfc5246#6.3: client key, server key, client IV, server IV; AEAD has no MAC keys */
static bool derive(SSL *ssl, const struct suite *suite, struct dtls_half *client,
                   struct dtls_half *server)
{
    static const char label[] = "key expansion";
    uint8_t master[MASTER], seed[sizeof(label) - 1 + 2 * RANDOM];
    uint8_t block[2 * (DTLS_KEY_MAX + DTLS_SALT)];
    size_t n = 2 * (suite->key_len + DTLS_SALT);

    memcpy(seed, label, sizeof(label) - 1);
    SSL_get_server_random(ssl, seed + sizeof(label) - 1, RANDOM);
    SSL_get_client_random(ssl, seed + sizeof(label) - 1 + RANDOM, RANDOM);
    size_t secret = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
    bool ok = secret == MASTER && prf(suite->digest, tr_slice(master, secret),
                                      tr_slice(seed, sizeof(seed)), (struct tr_buf){ block, n });
    if (ok) {
        struct tr_rd rd = tr_rd(tr_slice(block, n));
        memcpy(client->key, tr_rd_take(&rd, suite->key_len).p, suite->key_len);
        memcpy(server->key, tr_rd_take(&rd, suite->key_len).p, suite->key_len);
        memcpy(client->salt, tr_rd_take(&rd, DTLS_SALT).p, DTLS_SALT);
        memcpy(server->salt, tr_rd_take(&rd, DTLS_SALT).p, DTLS_SALT);
    }
    OPENSSL_cleanse(master, sizeof(master));
    OPENSSL_cleanse(block, sizeof(block));
    return ok;
}

enum tr_err dtls_rest_init(struct dtls_rest *rest, SSL *ssl, enum tr_dtls_role role,
                           struct tr_slice close_notify)
{
    const struct suite *suite = suite_of(ssl);
    bool server = role == TR_DTLS_SERVER;

    *rest = (struct dtls_rest){ 0 };
    if (!suite || close_notify.n < DTLS_RECORD_HEADER + DTLS_NONCE)
        return TR_ERR_UNSUPPORTED;
    if (!derive(ssl, suite, server ? &rest->read : &rest->write,
                server ? &rest->write : &rest->read))
        return TR_ERR_NOMEM;
    rest->cipher = suite->cipher();
    rest->name = SSL_get_cipher_name(ssl);
    rest->write_seq = tr_get64(close_notify.p + 3) & 0xffffffffffff;
    rest->write_nonce = tr_get64(close_notify.p + DTLS_RECORD_HEADER) + 1;
    return TR_OK;
}

/*= rfc6347#4.1.2.1: epoch and sequence number || type || version || length of the text */
static void put_aad(uint8_t aad[AAD], const uint8_t *header, size_t n)
{
    memcpy(aad, header + 3, 8);
    memcpy(aad + 8, header, 3);
    tr_put16(aad + 11, (uint16_t)n);
}

static EVP_CIPHER_CTX *begin(const struct dtls_rest *rest, const struct dtls_half *half,
                             const uint8_t *nonce, bool encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t iv[DTLS_SALT + DTLS_NONCE];

    memcpy(iv, half->salt, DTLS_SALT);
    memcpy(iv + DTLS_SALT, nonce, DTLS_NONCE);
    if (ctx && EVP_CipherInit_ex(ctx, rest->cipher, NULL, half->key, iv, encrypt) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

size_t dtls_rest_seal(struct dtls_rest *rest, uint8_t type, struct tr_slice text, struct tr_buf out)
{
    uint8_t aad[AAD], *nonce = out.p + DTLS_RECORD_HEADER, *body = nonce + DTLS_NONCE;
    size_t total = DTLS_RECORD_HEADER + DTLS_NONCE + text.n + DTLS_TAG;
    int n;

    if (total > out.n)
        return 0;
    out.p[0] = type;
    tr_put16(out.p + 1, DTLS1_2_VERSION);
    tr_put64(out.p + 3, (uint64_t)EPOCH << 48 | rest->write_seq);
    tr_put16(out.p + 11, (uint16_t)(total - DTLS_RECORD_HEADER));
    tr_put64(nonce, rest->write_nonce);
    put_aad(aad, out.p, text.n);
    EVP_CIPHER_CTX *ctx = begin(rest, &rest->write, nonce, true);
    bool ok = ctx && EVP_EncryptUpdate(ctx, NULL, &n, aad, AAD) == 1 &&
              EVP_EncryptUpdate(ctx, body, &n, text.p, (int)text.n) == 1 &&
              EVP_EncryptFinal_ex(ctx, body + n, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, DTLS_TAG, body + text.n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    rest->write_seq++; /* whatever became of it: a nonce is used once */
    rest->write_nonce++;
    return ok ? total : 0;
}

/*= rfc6347#4.1.2.6: a window behind the newest record */
static bool is_seen(const struct dtls_rest *rest, uint64_t seq)
{
    if (seq >= rest->read_top)
        return false;
    uint64_t age = rest->read_top - 1 - seq;
    return age >= WINDOW || (rest->read_seen >> age & 1);
}

static void mark_seen(struct dtls_rest *rest, uint64_t seq)
{
    if (seq >= rest->read_top) {
        uint64_t step = seq + 1 - rest->read_top;
        rest->read_seen = step < WINDOW ? rest->read_seen << step : 0;
        rest->read_top = seq + 1;
    }
    rest->read_seen |= UINT64_C(1) << (rest->read_top - 1 - seq);
}

enum tr_err dtls_rest_open(struct dtls_rest *rest, struct tr_slice record, struct tr_buf out,
                           size_t *text_len)
{
    const uint8_t *nonce = record.p + DTLS_RECORD_HEADER, *body = nonce + DTLS_NONCE;
    uint8_t aad[AAD], tag[DTLS_TAG];
    int n;

    if (record.n < DTLS_RECORD_HEADER + DTLS_NONCE + DTLS_TAG || tr_get16(record.p + 3) != EPOCH)
        return TR_ERR_BADMSG;
    size_t len = record.n - DTLS_RECORD_HEADER - DTLS_NONCE - DTLS_TAG;
    uint64_t seq = tr_get64(record.p + 3) & 0xffffffffffff;
    if (len > out.n)
        return TR_ERR_LIMIT;
    if (is_seen(rest, seq))
        return TR_ERR_EXISTS;
    put_aad(aad, record.p, len);
    memcpy(tag, body + len, DTLS_TAG);
    EVP_CIPHER_CTX *ctx = begin(rest, &rest->read, nonce, false);
    bool ok = ctx && EVP_DecryptUpdate(ctx, NULL, &n, aad, AAD) == 1 &&
              EVP_DecryptUpdate(ctx, out.p, &n, body, (int)len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, DTLS_TAG, tag) == 1 &&
              EVP_DecryptFinal_ex(ctx, out.p + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return TR_ERR_AUTH;
    mark_seen(rest, seq);
    *text_len = len;
    return TR_OK;
}
