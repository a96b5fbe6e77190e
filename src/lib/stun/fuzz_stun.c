/* Any bytes: parsing must end, report only what lies inside the packet, and agree with itself. The
 * message is then written anew from what was read; that must parse again. */
#include "stun/stun.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_inside(const struct tr_stun *m, struct tr_slice s)
{
    TR_ASSERT(s.n == 0 || (s.p >= m->raw.p && s.p + s.n <= m->raw.p + m->trusted_end));
}

static void rewrite(const struct tr_stun *m)
{
    static uint8_t buf[70000];
    struct tr_stun again;
    struct tr_slice value, key = tr_slice_str("key");
    uint16_t at = 0, type;
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, m->cls, m->method, m->txid);
    while (tr_stun_next(m, &at, &type, &value)) {
        check_inside(m, value);
        tr_stun_put(&w, type, value);
    }
    tr_stun_put_integrity(&w, key, true);
    tr_stun_put_fingerprint(&w);
    struct tr_slice out = tr_stun_end(&w);
    enum tr_err err = tr_stun_parse(&again, out, TR_STUN_FOR_ICE);
    if (w.bad || err != TR_OK)
        return; /* two attributes more than allowed, or too long */
    TR_ASSERT(tr_stun_check_integrity(&again, key) == TR_OK);
    TR_ASSERT(again.method == m->method && again.cls == m->cls);
    TR_ASSERT(tr_slice_eq(again.username, m->username) && again.priority == m->priority);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tr_stun m;
    if (n < 1)
        return 0;
    enum tr_stun_usage usage = data[0] & 1 ? TR_STUN_FOR_TURN : TR_STUN_FOR_ICE;
    struct tr_slice pkt = tr_slice(data + 1, n - 1);
    enum tr_err err = tr_stun_parse(&m, pkt, usage);
    TR_ASSERT((err == TR_ERR_IGNORED) == !tr_stun_is(pkt));
    if (err != TR_OK)
        return 0;
    check_inside(&m, m.username);
    check_inside(&m, m.nonce);
    check_inside(&m, m.reason);
    (void)!tr_stun_check_integrity(&m, tr_slice_str("VOkJxbRl1RmTxUk/WvJxBt"));
    if (usage == TR_STUN_FOR_ICE)
        rewrite(&m);
    return 0;
}
