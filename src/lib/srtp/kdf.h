/* SRTP key derivation: RFC 3711 section 4.3 (and RFC 7714 section 11), key derivation rate 0. */
#ifndef TR_SRTP_KDF_H
#define TR_SRTP_KDF_H

#include <stdbool.h>

#include "base/err.h"
#include "srtp/profile.h"

enum srtp_label { /* RFC 3711 section 4.3.1 and 4.3.2 */
                  SRTP_LABEL_RTP_KEY = 0,
                  SRTP_LABEL_RTP_AUTH = 1,
                  SRTP_LABEL_RTP_SALT = 2,
                  SRTP_LABEL_RTCP_KEY = 3,
                  SRTP_LABEL_RTCP_AUTH = 4,
                  SRTP_LABEL_RTCP_SALT = 5
};

enum { SRTP_AUTH_KEY_LEN = 20 };

struct srtp_session_keys { /* of RTP or of RTCP */
    uint8_t key[TR_SRTP_KEY_MAX];
    uint8_t auth[SRTP_AUTH_KEY_LEN];
    uint8_t salt[16]; /* padded with zeros */
};

/* first: SRTP_LABEL_RTP_KEY or SRTP_LABEL_RTCP_KEY. NOMEM. */
TR_MUST_USE enum tr_err srtp_derive(struct srtp_session_keys *out, enum tr_srtp_profile profile,
                                    const struct tr_srtp_keys *master, enum srtp_label first);

#endif
