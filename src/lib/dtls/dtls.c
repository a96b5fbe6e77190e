/* One association. Each record of a datagram passes the filter (filter.c) and goes to OpenSSL by
 * itself, so that what the filter expects can follow OpenSSL's state from record to record. What
 * OpenSSL writes and reads lands in two queues that poll empties; closing frees OpenSSL's memory at
 * once and leaves only the queues.
 *
 * A ClientHello that OpenSSL cannot stand proves nothing about the peer, whose own may still come:
 * a server then starts over with a fresh SSL, a few times. */
#include "dtls/dtls.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/assert.h"
#include "base/mem.h"
#include "dtls/internal.h"

static const enum tr_srtp_profile default_profiles[TR_SRTP_PROFILES] = {
    TR_SRTP_AEAD_AES_128_GCM, TR_SRTP_AEAD_AES_256_GCM, TR_SRTP_AES128_CM_SHA1_80
};

static const char *profile_name(enum tr_srtp_profile profile) /* OpenSSL's names */
{
    switch (profile) {
    case TR_SRTP_AES128_CM_SHA1_80: return "SRTP_AES128_CM_SHA1_80";
    case TR_SRTP_AEAD_AES_128_GCM: return "SRTP_AEAD_AES_128_GCM";
    case TR_SRTP_AEAD_AES_256_GCM: return "SRTP_AEAD_AES_256_GCM";
    case TR_SRTP_AES128_CM_SHA1_32: /* not offered */
    case TR_SRTP_NONE: break;
    }
    return NULL;
}

static bool offer_profiles(SSL *ssl, const enum tr_srtp_profile profiles[TR_SRTP_PROFILES])
{
    char list[96];
    struct tr_wr wr = tr_wr(list, sizeof(list));

    for (size_t i = 0; i < TR_SRTP_PROFILES && profiles[i] != TR_SRTP_NONE; i++) {
        const char *name = profile_name(profiles[i]);
        if (!name)
            return false;
        if (i > 0)
            tr_wr_u8(&wr, ':');
        tr_wr_str(&wr, name);
    }
    tr_wr_u8(&wr, 0);
    return !wr.bad && SSL_set_tlsext_use_srtp(ssl, list) == 0; /* 0 is success */
}

static bool for_anybody(SSL *ssl)
{
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    return SSL_set_max_send_fragment(ssl, TR_DTLS_DATAGRAM_MAX) == 1;
}

static size_t data_max(const struct tr_dtls *dtls)
{
    return dtls->anybody ? TR_DTLS_ANYBODY_MAX : TR_DTLS_DATA_MAX;
}

/* A fresh SSL at the start of its handshake. */
static enum tr_err ssl_start(struct tr_dtls *dtls)
{
    SSL *ssl = SSL_new(dtls->ctx->ssl_ctx);
    BIO *bio = BIO_new(dtls->ctx->bio_method);

    SSL_free(dtls->ssl);
    dtls->ssl = NULL;
    dtls->next_timeout = NULL;
    bool ready =
        ssl && bio && (dtls->anybody ? for_anybody(ssl) : offer_profiles(ssl, dtls->profiles));
    if (!ready) {
        BIO_free(bio);
        SSL_free(ssl);
        return TR_ERR_NOMEM;
    }
    BIO_set_data(bio, dtls);
    SSL_set_bio(ssl, bio, bio); /* takes the reference */
    SSL_set_app_data(ssl, dtls);
    DTLS_set_link_mtu(ssl, TR_DTLS_MTU);
    DTLS_set_timer_cb(ssl, dtls_timer_cb);
    if (dtls->role == TR_DTLS_SERVER)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    dtls->ssl = ssl;
    return TR_OK;
}

struct tr_dtls *tr_dtls_create(const struct tr_dtls_conf *conf)
{
    struct tr_dtls *dtls;

    if (!conf->anybody && (conf->remote.len == 0 || conf->remote.len > TR_DTLS_DIGEST_MAX))
        return NULL;
    dtls = tr_alloc(sizeof(*dtls));
    if (!dtls)
        return NULL;
    dtls->ctx = tr_dtls_ctx_ref(conf->ctx);
    dtls->role = conf->role;
    dtls->anybody = conf->anybody;
    dtls->remote = conf->remote;
    dtls->give_up_at = TR_NEVER;
    dtls->retransmit_at = TR_NEVER;
    memcpy(dtls->profiles, conf->profiles[0] ? conf->profiles : default_profiles,
           sizeof(dtls->profiles));
    dtls_filter_init(&dtls->filter, conf->role);
    if (ssl_start(dtls) != TR_OK) {
        tr_dtls_destroy(dtls);
        return NULL;
    }
    return dtls;
}

static void rest_free(struct tr_dtls *dtls)
{
    if (dtls->rest)
        OPENSSL_cleanse(dtls->rest, sizeof(*dtls->rest));
    tr_free(dtls->rest);
    dtls->rest = NULL;
}

void tr_dtls_destroy(struct tr_dtls *dtls)
{
    if (!dtls)
        return;
    SSL_free(dtls->ssl);
    dtls_queue_deinit(&dtls->out);
    dtls_queue_deinit(&dtls->data);
    rest_free(dtls);
    tr_dtls_ctx_destroy(dtls->ctx);
    OPENSSL_cleanse(dtls, sizeof(*dtls));
    tr_free(dtls);
}

static void check(const struct tr_dtls *dtls)
{
    TR_ASSERT((!dtls->ssl && !dtls->rest) == (dtls->state == DTLS_CLOSED));
    TR_ASSERT(!dtls->rest || (!dtls->ssl && dtls->state == DTLS_CONNECTED));
    TR_ASSERT(dtls->retransmit_at == TR_NEVER || dtls->state == DTLS_HANDSHAKING);
    TR_ASSERT(dtls->give_up_at == TR_NEVER || dtls->state == DTLS_HANDSHAKING);
    TR_ASSERT(dtls->incoming.n == 0);
}

static void enter_time(struct tr_dtls *dtls, tr_usec now)
{
    TR_ASSERT(now >= dtls->now);
    dtls->now = now;
    dtls->packing = false;
}

static void closed(struct tr_dtls *dtls, enum tr_dtls_reason reason)
{
    SSL_free(dtls->ssl);
    dtls->ssl = NULL;
    rest_free(dtls);
    dtls->state = DTLS_CLOSED;
    dtls->give_up_at = TR_NEVER;
    dtls->retransmit_at = TR_NEVER;
    dtls->reason = reason;
    dtls->tell_closed = true;
    dtls->incoming = tr_slice(NULL, 0);
}

/*= rfc5764#4.2: client key, server key, client salt, server salt */
static bool export_keys(struct tr_dtls *dtls)
{
    static const char label[] = "EXTRACTOR-dtls_srtp";
    size_t key_len = tr_srtp_key_len(dtls->profile), salt_len = tr_srtp_salt_len(dtls->profile);
    uint8_t raw[2 * (TR_SRTP_KEY_MAX + TR_SRTP_SALT_MAX)];
    struct tr_rd rd = tr_rd(tr_slice(raw, 2 * (key_len + salt_len)));

    if (SSL_export_keying_material(dtls->ssl, raw, 2 * (key_len + salt_len), label,
                                   sizeof(label) - 1, NULL, 0, 0) != 1)
        return false;
    memcpy(dtls->client.key, tr_rd_take(&rd, key_len).p, key_len);
    memcpy(dtls->server.key, tr_rd_take(&rd, key_len).p, key_len);
    memcpy(dtls->client.salt, tr_rd_take(&rd, salt_len).p, salt_len);
    memcpy(dtls->server.salt, tr_rd_take(&rd, salt_len).p, salt_len);
    OPENSSL_cleanse(raw, sizeof(raw));
    return true;
}

/* false: closed. */
static bool take_profile(struct tr_dtls *dtls)
{
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(dtls->ssl);

    if (!profile) {
        SSL_shutdown(dtls->ssl);
        closed(dtls, TR_DTLS_REASON_PROFILE);
        return false;
    }
    dtls->profile = (enum tr_srtp_profile)profile->id;
    if (!export_keys(dtls)) {
        closed(dtls, TR_DTLS_REASON_ERROR);
        return false;
    }
    return true;
}

static void connected(struct tr_dtls *dtls)
{
    if (!dtls->anybody && !take_profile(dtls))
        return;
    dtls->state = DTLS_CONNECTED;
    dtls->filter.connected = true;
    dtls->give_up_at = TR_NEVER;
    dtls->tell_connected = true;
}

static void handshake_failed(struct tr_dtls *dtls, uint64_t written_before)
{
    bool first_flight = dtls->role == TR_DTLS_SERVER && written_before == 0 && !dtls->anybody;

    if (first_flight && dtls->restarts < TR_DTLS_RESTARTS_MAX) {
        dtls->restarts++;
        dtls->written = 0;
        dtls_queue_deinit(&dtls->out); /* its alert */
        if (ssl_start(dtls) == TR_OK)
            return;
    }
    closed(dtls, dtls->fingerprint_bad ? TR_DTLS_REASON_FINGERPRINT : TR_DTLS_REASON_ERROR);
}

static void handshake(struct tr_dtls *dtls)
{
    uint64_t before = dtls->written;
    int done;

    ERR_clear_error();
    done = SSL_do_handshake(dtls->ssl);
    if (done == 1) {
        connected(dtls);
    } else {
        int error = SSL_get_error(dtls->ssl, done);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            handshake_failed(dtls, before);
    }
    dtls_timer_update(dtls, before);
}

/* After the handshake OpenSSL's record buffers, 18 KiB, exist only while records are in work: with
 * DTLS, SSL_MODE_RELEASE_BUFFERS does nothing. */
static bool buffers_begin(struct tr_dtls *dtls)
{
    return SSL_alloc_buffers(dtls->ssl) == 1;
}

static void buffers_end(struct tr_dtls *dtls)
{
    if (dtls->state == DTLS_CONNECTED && dtls->ssl)
        SSL_free_buffers(dtls->ssl);
}

/* --- without OpenSSL (rest.h) --- */

void tr_dtls_rest(struct tr_dtls *dtls)
{
    uint8_t last[64];

    if (dtls->state != DTLS_CONNECTED || dtls->rest || dtls->keeps_ssl)
        return;
    dtls->keeps_ssl = true; /* unless all goes well */
    dtls->rest = tr_alloc(sizeof(*dtls->rest));
    if (!dtls->rest || !buffers_begin(dtls)) {
        rest_free(dtls);
        return;
    }
    ERR_clear_error();
    dtls->capture = (struct tr_buf){ last, sizeof(last) };
    dtls->captured = 0;
    SSL_shutdown(dtls->ssl);
    dtls->capture = (struct tr_buf){ 0 };
    enum tr_err err =
        dtls_rest_init(dtls->rest, dtls->ssl, dtls->role, tr_slice(last, dtls->captured));
    if (err != TR_OK) { /* back: the SSL may still write, but for its flag it is as it was */
        rest_free(dtls);
        SSL_set_shutdown(dtls->ssl, 0);
        buffers_end(dtls);
        return;
    }
    SSL_free(dtls->ssl);
    dtls->ssl = NULL;
    dtls->next_timeout = NULL;
}

static enum tr_err rest_send(struct tr_dtls *dtls, uint8_t type, struct tr_slice text)
{
    uint8_t record[TR_DTLS_DATAGRAM_MAX];
    size_t n = dtls_rest_seal(dtls->rest, type, text, (struct tr_buf){ record, sizeof(record) });

    if (n == 0)
        return TR_ERR_NOMEM;
    enum tr_err err = dtls_queue_push(&dtls->out, tr_slice(record, n));
    if (err != TR_OK)
        dtls->filter.stats.queue_full++;
    return err;
}

static void rest_close_notify(struct tr_dtls *dtls)
{
    static const uint8_t close_notify[] = { ALERT_WARNING, ALERT_CLOSE_NOTIFY };
    (void)!rest_send(dtls, DTLS_ALERT, tr_slice(close_notify, sizeof(close_notify)));
}

static void rest_record(struct tr_dtls *dtls, struct tr_slice record)
{
    uint8_t text[TR_DTLS_DATAGRAM_MAX], type = record.p[0];
    size_t n;

    if (type != DTLS_APPLICATION_DATA && type != DTLS_ALERT) {
        dtls->filter.stats.unexpected++;
        return;
    }
    if (dtls_rest_open(dtls->rest, record, (struct tr_buf){ text, sizeof(text) }, &n) != TR_OK) {
        dtls->filter.stats.malformed++;
        return;
    }
    if (type == DTLS_APPLICATION_DATA) {
        if (n > 0 && dtls_queue_push(&dtls->data, tr_slice(text, n)) != TR_OK)
            dtls->filter.stats.queue_full++;
    } else if (n == 2 && (text[0] == ALERT_FATAL || text[1] == ALERT_CLOSE_NOTIFY)) {
        if (text[1] == ALERT_CLOSE_NOTIFY)
            rest_close_notify(dtls);
        closed(dtls, TR_DTLS_REASON_ALERT);
    }
}

static void read_data(struct tr_dtls *dtls)
{
    uint8_t data[TR_DTLS_DATAGRAM_MAX];
    uint64_t before = dtls->written;
    int n, error;

    ERR_clear_error();
    while ((n = SSL_read(dtls->ssl, data, sizeof(data))) > 0) {
        dtls->heard = true;
        if (dtls_queue_push(&dtls->data, tr_slice(data, (size_t)n)) != TR_OK)
            dtls->filter.stats.queue_full++;
    }
    if (dtls->written != before && dtls->filter.resends_left > 0)
        dtls->filter.resends_left--;
    error = SSL_get_error(dtls->ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return;
    if (error == SSL_ERROR_ZERO_RETURN)
        SSL_shutdown(dtls->ssl); /* answers close_notify */
    closed(dtls,
           error == SSL_ERROR_ZERO_RETURN || (SSL_get_shutdown(dtls->ssl) & SSL_RECEIVED_SHUTDOWN)
               ? TR_DTLS_REASON_ALERT
               : TR_DTLS_REASON_ERROR);
}

/* The epoch that the peer's next record must have: 1 once its ChangeCipherSpec was read. */
static unsigned read_epoch(const struct tr_dtls *dtls)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(dtls->ssl);

    if (dtls->role == TR_DTLS_SERVER)
        return state == TLS_ST_SR_CHANGE || state == TLS_ST_SR_FINISHED ||
               state == TLS_ST_SW_CHANGE || state == TLS_ST_SW_FINISHED || state == TLS_ST_OK;
    return state == TLS_ST_CR_CHANGE || state == TLS_ST_CR_FINISHED || state == TLS_ST_OK;
}

void tr_dtls_start(struct tr_dtls *dtls, tr_usec now)
{
    enter_time(dtls, now);
    if (dtls->state != DTLS_IDLE)
        return;
    dtls->state = DTLS_HANDSHAKING;
    dtls->give_up_at = now + TR_DTLS_HANDSHAKE_TIMEOUT;
    if (dtls->role == TR_DTLS_CLIENT)
        handshake(dtls);
    check(dtls);
}

static void input_record(struct tr_dtls *dtls, struct tr_slice record)
{
    dtls->incoming = record;
    if (dtls->state == DTLS_HANDSHAKING)
        handshake(dtls);
    else
        read_data(dtls);
    dtls->incoming = tr_slice(NULL, 0);
    if (dtls->ssl)
        dtls->filter.epoch = read_epoch(dtls);
}

enum tr_err tr_dtls_input(struct tr_dtls *dtls, tr_usec now, struct tr_slice datagram)
{
    uint64_t before = dtls->filter.stats.accepted;
    struct tr_slice record;
    unsigned records = 0;

    enter_time(dtls, now);
    if (dtls->state == DTLS_IDLE || dtls->state == DTLS_CLOSED)
        return TR_ERR_IGNORED;
    /*= rfc7983#7: DTLS starts with 20..63 */
    if (datagram.n == 0 || datagram.p[0] < 20 || datagram.p[0] > 63)
        return TR_ERR_IGNORED;
    if (datagram.n > TR_DTLS_DATAGRAM_MAX) {
        dtls->filter.stats.malformed++;
        return TR_ERR_BADMSG;
    }
    while (dtls->state != DTLS_CLOSED && dtls_record_next(&dtls->filter, &datagram, &record)) {
        if (++records > TR_DTLS_RECORDS_MAX) {
            dtls->filter.stats.limited++;
            break;
        }
        bool passes = dtls_filter_record(&dtls->filter, now, record);
        if (passes && dtls->rest)
            rest_record(dtls, record);
        else if (passes && buffers_begin(dtls))
            input_record(dtls, record);
        else if (dtls->state == DTLS_HANDSHAKING && dtls_filter_spent(&dtls->filter))
            closed(dtls, TR_DTLS_REASON_LIMIT);
    }
    buffers_end(dtls);
    if (dtls->anybody && dtls->heard) /* data is the proof that the peer is connected */
        tr_dtls_rest(dtls);
    check(dtls);
    return dtls->filter.stats.accepted != before ? TR_OK : TR_ERR_BADMSG;
}

void tr_dtls_timeout(struct tr_dtls *dtls, tr_usec now)
{
    enter_time(dtls, now);
    if (now >= dtls->give_up_at) {
        closed(dtls, TR_DTLS_REASON_TIMEOUT);
    } else if (now >= dtls->retransmit_at) {
        ERR_clear_error();
        if (dtls_timer_fire(dtls) != TR_OK)
            closed(dtls, TR_DTLS_REASON_TIMEOUT);
    }
    check(dtls);
}

tr_usec tr_dtls_next_timeout(const struct tr_dtls *dtls)
{
    return tr_usec_min(dtls->give_up_at, dtls->retransmit_at);
}

static void poll_keys(struct tr_dtls *dtls, struct tr_dtls_out *out)
{
    out->kind = TR_DTLS_CONNECTED;
    out->profile = dtls->profile;
    out->client = dtls->client;
    out->server = dtls->server;
    OPENSSL_cleanse(&dtls->client, sizeof(dtls->client));
    OPENSSL_cleanse(&dtls->server, sizeof(dtls->server));
    dtls->tell_connected = false;
}

void tr_dtls_poll(struct tr_dtls *dtls, struct tr_dtls_out *out)
{
    *out = (struct tr_dtls_out){ .kind = TR_DTLS_NONE };
    if (dtls_queue_pop(&dtls->out, &out->data)) {
        out->kind = TR_DTLS_SEND;
    } else if (dtls->tell_connected) {
        poll_keys(dtls, out);
    } else if (dtls_queue_pop(&dtls->data, &out->data)) {
        out->kind = TR_DTLS_DATA;
    } else if (dtls->tell_closed) {
        out->kind = TR_DTLS_CLOSED;
        out->reason = dtls->reason;
        dtls->tell_closed = false;
    } else {
        dtls_queue_trim(&dtls->out);
        dtls_queue_trim(&dtls->data);
    }
}

enum tr_err tr_dtls_send(struct tr_dtls *dtls, struct tr_slice data)
{
    if (dtls->state == DTLS_CLOSED)
        return TR_ERR_CLOSED;
    if (dtls->state != DTLS_CONNECTED)
        return TR_ERR_AGAIN;
    if (data.n == 0 || data.n > data_max(dtls))
        return TR_ERR_LIMIT;
    uint64_t full = dtls->filter.stats.queue_full;
    dtls->packing = false;
    if (dtls->rest)
        return rest_send(dtls, DTLS_APPLICATION_DATA, data);
    ERR_clear_error();
    if (!buffers_begin(dtls))
        return TR_ERR_NOMEM;
    int n = SSL_write(dtls->ssl, data.p, (int)data.n);
    buffers_end(dtls);
    if (n != (int)data.n)
        return TR_ERR_IO;
    return dtls->filter.stats.queue_full == full ? TR_OK : TR_ERR_LIMIT;
}

void tr_dtls_close(struct tr_dtls *dtls)
{
    if (dtls->state == DTLS_CLOSED)
        return;
    dtls->packing = false;
    ERR_clear_error();
    if (dtls->rest)
        rest_close_notify(dtls);
    else if (dtls->state == DTLS_CONNECTED && buffers_begin(dtls))
        SSL_shutdown(dtls->ssl);
    closed(dtls, TR_DTLS_REASON_LOCAL);
    check(dtls);
}

bool tr_dtls_is_connected(const struct tr_dtls *dtls)
{
    return dtls->state == DTLS_CONNECTED;
}

const char *tr_dtls_cipher(const struct tr_dtls *dtls)
{
    if (dtls->rest)
        return dtls->rest->name;
    return dtls->state == DTLS_CONNECTED ? SSL_get_cipher_name(dtls->ssl) : "";
}

const struct tr_dtls_stats *tr_dtls_stats(const struct tr_dtls *dtls)
{
    return &dtls->filter.stats;
}
