/* When to repeat a flight is decided here, by the caller's time. OpenSSL has a timer of its own
 * that reads the system's clock: it starts it with a flight, stops it when the answer is
 * complete, and repeats the flight only if it finds it expired.
 *
 * Up to 3.1, OpenSSL tells its read BIO about the timer by a pointer to where it keeps the
 * expiry time (BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT). The callback asks for an hour, so that OpenSSL
 * never acts by itself; when our timer fires, the expiry time is set to 1970 and OpenSSL is
 * asked to handle it.
 *
 * From 3.2 on the pointer is to a copy. There the callback asks for our own interval: with real
 * time both timers expire together, give or take a few milliseconds, but simulated time does not
 * repeat flights. */
#include <openssl/crypto.h>

#include "dtls/internal.h"

enum { HOUR_US = 3600000000u };

#define NOT_YET (5 * TR_MSEC) /* OpenSSL's clock is behind ours */

bool dtls_timer_is_shared(void)
{
    return OpenSSL_version_num() < 0x30200000ul;
}

unsigned dtls_timer_cb(SSL *ssl, unsigned duration_us)
{
    struct tr_dtls *dtls = SSL_get_app_data(ssl);

    if (dtls_timer_is_shared())
        return HOUR_US;
    return (unsigned)(duration_us == 0 ? TR_DTLS_RETRANSMIT_FIRST : dtls->interval);
}

void dtls_timer_update(struct tr_dtls *dtls, uint64_t before)
{
    struct timeval left;

    if (dtls->state != DTLS_HANDSHAKING || DTLSv1_get_timeout(dtls->ssl, &left) != 1) {
        dtls->retransmit_at = TR_NEVER;
    } else if (dtls->written != before || dtls->retransmit_at == TR_NEVER) {
        dtls->interval = TR_DTLS_RETRANSMIT_FIRST;
        dtls->retransmit_at = dtls->now + dtls->interval;
    }
}

enum tr_err dtls_timer_fire(struct tr_dtls *dtls)
{
    tr_usec next = tr_usec_min(2 * dtls->interval, TR_DTLS_RETRANSMIT_MAX);
    tr_usec last = dtls->interval;
    long done;

    dtls->interval = next; /* the callback may ask for it */
    if (dtls->next_timeout)
        *dtls->next_timeout = (struct timeval){ .tv_sec = 1 };
    done = DTLSv1_handle_timeout(dtls->ssl);
    if (done < 0)
        return TR_ERR_IO;
    if (done == 0) {
        dtls->interval = last;
        dtls->retransmit_at = dtls->now + NOT_YET;
        return TR_OK;
    }
    dtls->retransmit_at = dtls->now + next;
    dtls->filter.stats.retransmits++;
    return TR_OK;
}
