/* What stands in front of OpenSSL: looks at each record's clear parts and lets in only what this
 * role can use now. Inside of lib/dtls. */
#ifndef TR_DTLS_FILTER_H
#define TR_DTLS_FILTER_H

#include "base/slice.h"
#include "base/time.h"
#include "dtls/dtls.h"

enum { DTLS_RECORD_HEADER = 13 };

enum dtls_type { /* RFC 5246 section 6.2.1, RFC 6520, RFC 9146 */
                 DTLS_CHANGE_CIPHER_SPEC = 20,
                 DTLS_ALERT = 21,
                 DTLS_HANDSHAKE = 22,
                 DTLS_APPLICATION_DATA = 23,
                 DTLS_HEARTBEAT = 24,
                 DTLS_CID = 25
};

enum dtls_alert { ALERT_WARNING = 1, ALERT_FATAL = 2, ALERT_CLOSE_NOTIFY = 0 };

struct dtls_filter {
    enum tr_dtls_role role;
    unsigned epoch;        /* that the peer's next record may have; kept current by the owner */
    bool connected;        /* likewise */
    unsigned resends_left; /* answers that a repeated Finished may still cause; likewise */
    size_t handshake_bytes;
    unsigned tokens; /* records other than data that may come in after the handshake */
    tr_usec refilled_us;
    struct tr_dtls_stats stats;
};

void dtls_filter_init(struct dtls_filter *filter, enum tr_dtls_role role);
/* Takes the first record off the datagram. False: nothing is left, or what is left is not one. */
bool dtls_record_next(struct dtls_filter *filter, struct tr_slice *datagram,
                      struct tr_slice *record);
/* May OpenSSL see it? Counts either way. */
bool dtls_filter_record(struct dtls_filter *filter, tr_usec now, struct tr_slice record);

static inline bool dtls_filter_spent(const struct dtls_filter *filter)
{
    return filter->handshake_bytes > TR_DTLS_HANDSHAKE_BYTES_MAX;
}

#endif
