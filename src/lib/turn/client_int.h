/* Inside the TURN client: its state, shared by client.c (what happens) and client_msg.c (what is
 * said). */
#ifndef TR_TURN_CLIENT_INT_H
#define TR_TURN_CLIENT_INT_H

#include "base/rng.h"
#include "stun/stun.h"
#include "turn/client.h"

enum {
    CLIENT_TEXT_MAX = 256, /* realm, nonce, password */
    CLIENT_OFFER_MAX = 32, /* PASSWORD-ALGORITHMS */
    CLIENT_WAIT_MAX = 8,   /* packets until there is a permission */
    CLIENT_FIRST_CHANNEL = 0x4000,
    CLIENT_HEAD = 64, /* around the data of a Send indication */
};

enum client_state { CLIENT_ALLOCATING, CLIENT_READY, CLIENT_CLOSING, CLIENT_OVER };
enum tx_state { TX_IDLE, TX_DUE, TX_SENT };

struct tx {     /* a transaction */
    tr_usec at; /* SENT: when it is sent again, or given up */
    uint16_t method;
    uint8_t state, tries, stale;
    uint8_t txid[TR_STUN_TXID];
};

struct client_peer {
    struct tr_addr addr;
    struct tx permission, channel;
    tr_usec renew_at; /* permission, and channel when bound */
    bool permitted, bound, refused;
};

struct waiting {
    struct waiting *next;
    struct client_peer *peer;
    size_t n;
    uint8_t data[];
};

struct credential { /* what the server has asked for */
    char realm[CLIENT_TEXT_MAX], nonce[CLIENT_TEXT_MAX];
    uint8_t offered[CLIENT_OFFER_MAX], key[TR_STUN_KEY_MAX], hash[TR_STUN_SHA256];
    uint16_t realm_n, nonce_n, offered_n, key_n; /* key_n 0: nothing yet */
    bool modern; /* PASSWORD-ALGORITHMS and MESSAGE-INTEGRITY-SHA256 */
    bool sha256, anonymous;
};

struct tr_turn_client {
    struct tr_path server;
    char username[TR_STUN_USERNAME_MAX + 1], password[CLIENT_TEXT_MAX];
    bool v6, may_sha256;
    uint32_t lifetime_s;
    struct tr_rng *rng;

    enum client_state state;
    struct credential cred;
    struct tx allocation; /* Allocate, Refresh */
    tr_usec refresh_at;
    struct client_peer peers[TR_TURN_CLIENT_PEERS_MAX];
    int peers_count;
    struct waiting *waiting;
    int waiting_count;

    struct tr_turn_client_out event; /* NONE: none */
    size_t send_n;                   /* of buf, to be sent; 0: nothing */
    uint8_t buf[TR_TURN_CLIENT_DATA_MAX + CLIENT_HEAD];
};

/* Takes realm, nonce and algorithms of a 401 or 438. AUTH: it is talking us down, or cannot be
 * used; nothing has changed. */
TR_MUST_USE enum tr_err client_challenged(struct tr_turn_client *c, const struct tr_stun *m);
/* Whether an answer to a request of ours can be believed. */
bool client_believes(const struct tr_turn_client *c, const struct tr_stun *m);
/* Write into buf and set send_n. */
void client_write_request(struct tr_turn_client *c, const struct tx *tx,
                          const struct client_peer *peer);
void client_write_data(struct tr_turn_client *c, const struct client_peer *peer,
                       struct tr_slice data);

#endif
