/* Clients of the relay that say what the test writes: tunnels without a TURN client of their own
 * (tunnel_open_raw), and requests by hand. */
#ifndef TR_MEDIA_TEST_RELAY_ASK_H
#define TR_MEDIA_TEST_RELAY_ASK_H

#include "media/test_relay_rig.h"
#include "stun/stun.h"

enum { ATTR_MAX = 64, RESERVE_NEXT = 0x80 /* of EVEN-PORT */ };

struct request { /* one attribute besides what is always there */
    uint16_t method, attr;
    uint8_t value[ATTR_MAX];
    size_t value_n;
    bool mobile, tcp; /* of an Allocate */
};

struct request request_of(uint16_t method, uint16_t attr, struct tr_slice value);
/* challenge: the 401 whose realm and nonce are used; NULL: none yet */
struct tr_slice write_request(struct tr_wr *w, const struct request *q, uint8_t first,
                              const struct tr_stun *challenge);
/* The code of the answer; 0: success. *m borrows from t. */
int ask(struct tunnel *t, const struct request *q, struct tr_stun *m);
/* The relayed port; 0: refused. found: the attribute that is wanted besides; 0: none. */
uint16_t allocate(struct tunnel *t, const struct request *q, uint16_t found, struct request *next);
/* One that is heard by another worker than these two (-1: none), with no allocation. */
struct tunnel *tunnel_beside(struct net *net, bool dtls, int worker, int other);
void check_data(struct tunnel *t); /* to a peer and back */

#endif
