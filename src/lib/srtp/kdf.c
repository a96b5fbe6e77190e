/* The pseudo-random function of RFC 3711 section 4.3.3: AES in counter mode under the master
 * key, starting at (master_salt XOR label) * 2^16. The AEAD profiles have a salt of 96 bits that
 * stands on the left of those 112 bits (RFC 7714 section 11). Runs four times a peer, so plainly
 * on EVP. */
#include "srtp/kdf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

static bool derive_one(EVP_CIPHER_CTX *ctx, const struct tr_srtp_keys *master, size_t salt_len,
                       unsigned label, uint8_t *out, size_t n)
{
    static const uint8_t zeros[TR_SRTP_KEY_MAX];
    uint8_t iv[16] = { 0 };
    int len = 0;

    memcpy(iv, master->salt, salt_len);
    iv[7] ^= (uint8_t)label; /* label || 48 bits of r = 0, right-aligned with the salt */
    return EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, out, &len, zeros, (int)n) == 1 && len == (int)n;
}

enum tr_err srtp_derive(struct srtp_session_keys *out, enum tr_srtp_profile profile,
                        const struct tr_srtp_keys *master, enum srtp_label first)
{
    size_t key_len = tr_srtp_key_len(profile), salt_len = tr_srtp_salt_len(profile);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok;

    memset(out, 0, sizeof(*out));
    ok = ctx &&
         EVP_EncryptInit_ex2(ctx, key_len == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr(),
                             master->key, NULL, NULL) == 1 &&
         derive_one(ctx, master, salt_len, first, out->key, key_len) &&
         derive_one(ctx, master, salt_len, first + 1u, out->auth, sizeof(out->auth)) &&
         derive_one(ctx, master, salt_len, first + 2u, out->salt, salt_len);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        OPENSSL_cleanse(out, sizeof(*out));
    return ok ? TR_OK : TR_ERR_NOMEM;
}
