/* The SRTP protection profiles (RFC 5764, RFC 7714) and their sizes. DTLS negotiates all but
 * AES128_CM_SHA1_32, which is for keys given by others (SDES, RTP forwarders). */
#ifndef TR_SRTP_PROFILE_H
#define TR_SRTP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tr_srtp_profile { /* the values of the IANA registry "DTLS-SRTP Protection Profiles" */
                       TR_SRTP_NONE = 0,
                       TR_SRTP_AES128_CM_SHA1_80 = 0x0001,
                       TR_SRTP_AES128_CM_SHA1_32 = 0x0002,
                       TR_SRTP_AEAD_AES_128_GCM = 0x0007,
                       TR_SRTP_AEAD_AES_256_GCM = 0x0008
};

enum {
    TR_SRTP_PROFILES = 3, /* how many DTLS may offer */
    TR_SRTP_KEY_MAX = 32,
    TR_SRTP_SALT_MAX = 14,
    TR_SRTP_TAG_MAX = 16,
    TR_SRTP_OVERHEAD_MAX = 16, /* bytes that protection adds to an RTP packet */
    TR_SRTCP_OVERHEAD_MAX = 20 /* and to an RTCP packet */
};

struct tr_srtp_keys { /* one direction's master key and salt */
    uint8_t key[TR_SRTP_KEY_MAX];
    uint8_t salt[TR_SRTP_SALT_MAX];
};

static inline bool tr_srtp_is_gcm(enum tr_srtp_profile profile)
{
    return profile == TR_SRTP_AEAD_AES_128_GCM || profile == TR_SRTP_AEAD_AES_256_GCM;
}

static inline size_t tr_srtp_key_len(enum tr_srtp_profile profile)
{
    return profile == TR_SRTP_AEAD_AES_256_GCM ? 32 : 16;
}

static inline size_t tr_srtp_salt_len(enum tr_srtp_profile profile)
{
    return tr_srtp_is_gcm(profile) ? 12 : 14;
}

static inline size_t
tr_srtp_overhead(enum tr_srtp_profile profile) /* the tag, behind the payload */
{
    if (tr_srtp_is_gcm(profile))
        return 16;
    return profile == TR_SRTP_AES128_CM_SHA1_32 ? 4 : 10;
}

static inline size_t tr_srtcp_overhead(enum tr_srtp_profile profile) /* tag, E bit and index */
{
    return (tr_srtp_is_gcm(profile) ? 16 : 10) + 4; /* 80 bits for SRTCP in any case */
}

#endif
