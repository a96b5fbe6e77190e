/* Goal: STUN messages are read, checked and written as RFC 8489 says, and no broken one is
 * accepted. Method: the vectors of RFC 5769, every truncation and every flipped bit of them, tables
 * of broken attributes, and messages written here and read back. */
#include "stun/stun.h"

#include "unit.h"

/* RFC 5769 2.1 to 2.4 */
static const uint8_t request[] =
    "\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x10STUN test client"
    "\x00\x24\x00\x04\x6e\x00\x01\xff"
    "\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36"
    "\x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20"
    "\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71"
    "\xa2"
    "\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
static const uint8_t response4[] =
    "\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x0btest vector "
    "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"
    "\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7"
    "\xd7"
    "\x80\x28\x00\x04\xc0\x7d\x4c\x96";
static const uint8_t response6[] =
    "\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x0btest vector "
    "\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9"
    "\xd9"
    "\x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed"
    "\x41"
    "\x80\x28\x00\x04\xc8\xfb\x0b\x4c";
static const uint8_t long_term[] =
    "\x00\x01\x00\x60\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e"
    "\x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00"
    "\x00"
    "\x00\x15\x00\x1c"
    "f//499k954d6OL34oL9FSTvy64sA"
    "\x00\x14\x00\x0b"
    "example.org\x00"
    "\x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96"
    "\x66";

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";
static const uint8_t txid[TR_STUN_TXID] = "abcdefghijkl";

static struct tr_slice vector(const uint8_t *p, size_t size)
{
    return tr_slice(p, size - 1); /* without the literal's NUL */
}
#define VECTOR(v) vector(v, sizeof(v))

TEST(stun_rfc5769_request)
{
    struct tr_stun m;
    CHECK_INT(tr_stun_parse(&m, VECTOR(request), TR_STUN_FOR_ICE), TR_OK);
    CHECK_INT(m.cls, TR_STUN_REQUEST);
    CHECK_INT(m.method, TR_STUN_BINDING);
    CHECK(tr_slice_eq_str(m.software, "STUN test client"));
    CHECK(tr_slice_eq_str(m.username, "evtj:h6vY"));
    CHECK_INT(m.priority, 0x6e0001ff);
    CHECK(m.has & TR_STUN_HAS_CONTROLLED);
    CHECK(m.tie_breaker == 0x932ff9b151263b36);
    CHECK(m.has & TR_STUN_HAS_FINGERPRINT);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str(password)), TR_OK);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str("VOkJxbRl1RmTxUk/WvJxBs")), TR_ERR_AUTH);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str("")), TR_ERR_AUTH);
}

static void check_response(struct tr_slice pkt, const char *addr)
{
    struct tr_stun m;
    struct tr_addr want;
    CHECK_INT(tr_addr_parse(&want, addr), TR_OK);
    CHECK_INT(tr_stun_parse(&m, pkt, TR_STUN_FOR_ICE), TR_OK);
    CHECK_INT(m.cls, TR_STUN_SUCCESS);
    CHECK(tr_slice_eq_str(m.software, "test vector"));
    CHECK(m.has & TR_STUN_HAS_XOR_MAPPED);
    CHECK(tr_addr_eq(&m.xor_mapped, &want));
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str(password)), TR_OK);
}

TEST(stun_rfc5769_responses)
{
    check_response(VECTOR(response4), "192.0.2.1:32853");
    check_response(VECTOR(response6), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

TEST(stun_rfc5769_long_term)
{
    struct tr_stun m;
    uint8_t key[TR_STUN_KEY_MAX];
    CHECK_INT(tr_stun_parse(&m, VECTOR(long_term), TR_STUN_FOR_TURN), TR_OK);
    CHECK(tr_slice_eq_str(m.realm, "example.org"));
    CHECK(tr_slice_eq_str(m.nonce, "f//499k954d6OL34oL9FSTvy64sA"));
    size_t n = tr_stun_long_term_key(m.username, m.realm, tr_slice_str("TheMatrIX"), false, key);
    CHECK_INT(n, TR_STUN_MD5);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice(key, n)), TR_OK);
    key[3] ^= 1;
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice(key, n)), TR_ERR_AUTH);
}

TEST(stun_long_term_key_sha256)
{
    /* sha256("user:realm:pass"), computed with sha256sum */
    static const uint8_t want[] =
        "\x07\xe9\x34\x11\x7a\xbd\x40\x83\x6e\x7c\x63\x29\xb5\x47\x31\xb2"
        "\xb2\xd2\xa5\xf9\xa7\x1f\x54\x49\x22\xd7\x5e\x07\x30\xd8\x25\x1b";
    uint8_t key[TR_STUN_KEY_MAX];
    size_t n = tr_stun_long_term_key(tr_slice_str("user"), tr_slice_str("realm"),
                                     tr_slice_str("pass"), true, key);
    CHECK(tr_slice_eq(tr_slice(key, n), VECTOR(want)));
}

TEST(stun_long_term_key_of_rfc) /* RFC 8489 9.2.2 */
{
    static const uint8_t want[] =
        "\x84\x93\xfb\xc5\x3b\xa5\x82\xfb\x4c\x04\x4c\x45\x6b\xdc\x40\xeb";
    uint8_t key[TR_STUN_KEY_MAX];
    size_t n = tr_stun_long_term_key(tr_slice_str("user"), tr_slice_str("realm"),
                                     tr_slice_str("pass"), false, key);
    CHECK(tr_slice_eq(tr_slice(key, n), VECTOR(want)));
}

TEST(stun_every_truncation_and_flip_is_refused)
{
    const struct tr_slice vectors[] = { VECTOR(request), VECTOR(response4), VECTOR(response6) };
    for (int v = 0; v < 3; v++) {
        struct tr_stun m;
        uint8_t copy[256];
        for (size_t n = 0; n < vectors[v].n; n++) {
            enum tr_err err = tr_stun_parse(&m, tr_slice(vectors[v].p, n), TR_STUN_FOR_ICE);
            CHECK_INT(err, n < TR_STUN_HEADER ? TR_ERR_IGNORED : TR_ERR_BADMSG);
        }
        for (size_t bit = 0; bit < 8 * vectors[v].n; bit++) {
            memcpy(copy, vectors[v].p, vectors[v].n);
            copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum tr_err err = tr_stun_parse(&m, tr_slice(copy, vectors[v].n), TR_STUN_FOR_ICE);
            CHECK(err != TR_OK || !(m.has & TR_STUN_HAS_FINGERPRINT)); /* its type was hit */
        }
    }
}

TEST(stun_integrity_covers_every_bit)
{
    struct tr_stun m;
    uint8_t copy[sizeof request];
    size_t n = sizeof request - 1 - 8; /* without FINGERPRINT */
    for (size_t bit = 0; bit < 8 * n; bit++) {
        memcpy(copy, request, n);
        tr_put16(copy + 2, (uint16_t)(n - TR_STUN_HEADER));
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(tr_stun_parse(&m, tr_slice(copy, n), TR_STUN_FOR_ICE) != TR_OK ||
              tr_stun_check_integrity(&m, tr_slice_str(password)) != TR_OK);
    }
}

TEST(stun_classifies_by_header)
{
    uint8_t copy[sizeof request];
    memcpy(copy, request, sizeof copy);
    CHECK(tr_stun_is(tr_slice(copy, sizeof copy - 1)));
    CHECK(!tr_stun_is(tr_slice(copy, 19)));
    CHECK(!tr_stun_is(tr_slice(NULL, 0)));
    copy[0] = 0x80; /* RTP */
    CHECK(!tr_stun_is(tr_slice(copy, sizeof copy - 1)));
    copy[0] = 22; /* DTLS */
    CHECK(!tr_stun_is(tr_slice(copy, sizeof copy - 1)));
}

/* One attribute in a Binding request without integrity. */
static enum tr_err parse_one(struct tr_stun *m, uint8_t *buf, uint16_t type, size_t n)
{
    static const uint8_t zero[1024];
    struct tr_wr w = tr_wr(buf, 1200);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put(&w, type, tr_slice(zero, n));
    return tr_stun_parse(m, tr_stun_end(&w), TR_STUN_FOR_ICE);
}

TEST(stun_attribute_lengths)
{
    static const struct {
        uint16_t type;
        size_t n;
        enum tr_err want;
    } table[] = {
        { TR_STUN_PRIORITY, 4, TR_OK },
        { TR_STUN_PRIORITY, 3, TR_ERR_BADMSG },
        { TR_STUN_PRIORITY, 8, TR_ERR_BADMSG },
        { TR_STUN_USE_CANDIDATE, 0, TR_OK },
        { TR_STUN_USE_CANDIDATE, 4, TR_ERR_BADMSG },
        { TR_STUN_ICE_CONTROLLING, 8, TR_OK },
        { TR_STUN_ICE_CONTROLLED, 4, TR_ERR_BADMSG },
        { TR_STUN_USERNAME, 512, TR_OK },
        { TR_STUN_USERNAME, 513, TR_ERR_BADMSG },
        { TR_STUN_SOFTWARE, 764, TR_ERR_BADMSG },
        { TR_STUN_ERROR_CODE, 4, TR_ERR_BADMSG }, /* class 0 */
        { TR_STUN_ERROR_CODE, 2, TR_ERR_BADMSG },
        { TR_STUN_XOR_MAPPED_ADDRESS, 8, TR_ERR_BADMSG }, /* family 0 */
        { TR_STUN_MESSAGE_INTEGRITY, 20, TR_OK },
        { TR_STUN_MESSAGE_INTEGRITY, 16, TR_ERR_BADMSG },
        { TR_STUN_MESSAGE_INTEGRITY_SHA256, 32, TR_OK },
        { TR_STUN_MESSAGE_INTEGRITY_SHA256, 16, TR_ERR_BADMSG },
        { TR_STUN_FINGERPRINT, 4, TR_ERR_BADMSG }, /* wrong CRC */
        { TR_STUN_FINGERPRINT, 8, TR_ERR_BADMSG },
        { 0x7777, 5, TR_OK },
        { 0xffff, 1000, TR_OK },
    };
    uint8_t buf[1200];
    struct tr_stun m;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!CHECK(parse_one(&m, buf, table[i].type, table[i].n) == table[i].want))
            unit_note("    row %zu", i);
    }
}

TEST(stun_lists_unknown_required_attributes)
{
    uint8_t buf[600];
    struct tr_stun m;
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put_u32(&w, 0x7000, 1);
    tr_stun_put_u32(&w, 0x7000, 2);
    tr_stun_put_u32(&w, 0x9000, 3);
    tr_stun_put_u32(&w, TR_TURN_LIFETIME, 3);
    for (uint16_t i = 0; i < 20; i++)
        tr_stun_put_u32(&w, (uint16_t)(0x7100 + i), 1);
    CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE), TR_OK);
    CHECK_INT(m.unknown_count, TR_STUN_UNKNOWN_MAX);
    CHECK_INT(m.unknown[0], 0x7000);
    CHECK_INT(m.unknown[1], TR_TURN_LIFETIME);
    CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_TURN), TR_OK);
    CHECK_INT(m.unknown[1], 0x7100);
}

TEST(stun_bounds_the_number_of_attributes)
{
    uint8_t buf[1000];
    struct tr_stun m;
    for (int n = TR_STUN_ATTRS_MAX; n <= TR_STUN_ATTRS_MAX + 1; n++) {
        struct tr_wr w = tr_wr(buf, sizeof buf);
        tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
        for (int i = 0; i < n; i++)
            tr_stun_put(&w, 0x9000, tr_slice(NULL, 0));
        CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE),
                  n <= TR_STUN_ATTRS_MAX ? TR_OK : TR_ERR_BADMSG);
    }
}

/*= rfc8489#9
 *= type=test
 *# agents MUST ignore all attributes that follow MESSAGE-INTEGRITY, with the exception of the
 *# MESSAGE-INTEGRITY-SHA256 and FINGERPRINT attributes. */
TEST(stun_trusts_nothing_behind_integrity)
{
    for (int sha256 = 0; sha256 < 2; sha256++) {
        uint8_t buf[300];
        struct tr_stun m;
        struct tr_slice value;
        struct tr_slice key = tr_slice_str(password);
        struct tr_wr w = tr_wr(buf, sizeof buf);
        tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
        tr_stun_put(&w, TR_STUN_USERNAME, tr_slice_str("a:b"));
        tr_stun_put_integrity(&w, key, sha256 != 0);
        tr_stun_put(&w, TR_STUN_USE_CANDIDATE, tr_slice(NULL, 0));
        tr_stun_put_u32(&w, 0x7000, 1);
        tr_stun_put_integrity(&w, key, false); /* behind SHA-256 it must not count */
        tr_stun_put_fingerprint(&w);
        CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE), TR_OK);
        CHECK(!(m.has & TR_STUN_HAS_USE_CANDIDATE));
        CHECK_INT(m.unknown_count, 0);
        CHECK(!tr_stun_find(&m, TR_STUN_USE_CANDIDATE, &value));
        CHECK(tr_stun_find(&m, TR_STUN_USERNAME, &value) && tr_slice_eq_str(value, "a:b"));
        CHECK_INT(!!(m.has & TR_STUN_HAS_MI), !sha256);
        CHECK_INT(tr_stun_check_integrity(&m, key), TR_OK);
        CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str("wrong")), TR_ERR_AUTH);
    }
}

TEST(stun_checks_the_stronger_integrity)
{
    uint8_t buf[300];
    struct tr_stun m;
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_SUCCESS, TR_STUN_BINDING, txid);
    tr_stun_put_integrity(&w, tr_slice_str("weak"), false);
    tr_stun_put_integrity(&w, tr_slice_str("strong"), true);
    CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE), TR_OK);
    CHECK((m.has & TR_STUN_HAS_MI) && (m.has & TR_STUN_HAS_MI256));
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str("strong")), TR_OK);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str("weak")), TR_ERR_AUTH);
}

TEST(stun_first_of_repeated_attributes_counts)
{
    uint8_t buf[200];
    struct tr_stun m;
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put_u32(&w, TR_STUN_PRIORITY, 7);
    tr_stun_put_u32(&w, TR_STUN_PRIORITY, 8);
    CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE), TR_OK);
    CHECK_INT(m.priority, 7);
}

TEST(stun_writes_what_it_reads)
{
    static const char *const addrs[] = { "192.0.2.7:1", "[2001:db8::7]:65535" };
    for (int i = 0; i < 2; i++) {
        uint8_t buf[400];
        struct tr_stun m;
        struct tr_addr addr;
        const uint16_t unknown[] = { 1, 2, 3 };
        struct tr_wr w = tr_wr(buf, sizeof buf);
        CHECK_INT(tr_addr_parse(&addr, addrs[i]), TR_OK);
        tr_stun_begin(&w, TR_STUN_ERROR, TR_TURN_CONNECTION_ATTEMPT, txid);
        tr_stun_put_addr(&w, TR_STUN_XOR_MAPPED_ADDRESS, &addr, true);
        tr_stun_put_addr(&w, TR_STUN_MAPPED_ADDRESS, &addr, false);
        tr_stun_put_error(&w, TR_STUN_ROLE_CONFLICT);
        tr_stun_put_unknown(&w, unknown, 3);
        tr_stun_put_u64(&w, TR_STUN_ICE_CONTROLLING, 0x0102030405060708);
        tr_stun_put(&w, TR_STUN_NONCE, tr_slice_str("12345"));
        tr_stun_put_fingerprint(&w);
        CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE), TR_OK);
        CHECK_INT(m.cls, TR_STUN_ERROR);
        CHECK_INT(m.method, TR_TURN_CONNECTION_ATTEMPT);
        CHECK(memcmp(m.txid, txid, sizeof txid) == 0);
        CHECK(tr_addr_eq(&m.xor_mapped, &addr) && tr_addr_eq(&m.mapped, &addr));
        CHECK_INT(m.error_code, 487);
        CHECK(tr_slice_eq_str(m.reason, "Role Conflict"));
        CHECK(m.tie_breaker == 0x0102030405060708);
        CHECK(tr_slice_eq_str(m.nonce, "12345"));
        CHECK_INT(tr_stun_check_integrity(&m, tr_slice_str("x")), TR_ERR_NOTFOUND);
    }
}

TEST(stun_all_methods_and_classes_survive)
{
    for (unsigned method = 0; method <= 0xff; method++)
        for (unsigned cls = 0; cls < 4; cls++) {
            uint8_t buf[TR_STUN_HEADER];
            struct tr_stun m;
            struct tr_wr w = tr_wr(buf, sizeof buf);
            tr_stun_begin(&w, (enum tr_stun_class)cls, (uint16_t)method, txid);
            CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE), TR_OK);
            CHECK(m.method == method && m.cls == cls);
        }
}

TEST(stun_writer_errors_stick)
{
    uint8_t buf[128];
    for (size_t room = 0; room < 92; room++) {
        struct tr_wr w = tr_wr(buf, room);
        tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
        tr_stun_put_u32(&w, TR_STUN_PRIORITY, 7);
        tr_stun_put_addr(&w, TR_STUN_XOR_MAPPED_ADDRESS, &(struct tr_addr){ .port = 1 }, true);
        tr_stun_put_integrity(&w, tr_slice_str(password), false);
        tr_stun_put_fingerprint(&w);
        CHECK(w.bad == (room < 20 + 8 + 24 + 24 + 8));
        CHECK((tr_stun_end(&w).n == 0) == w.bad);
    }
}

TEST(stun_hmac_takes_long_keys)
{
    uint8_t buf[200], key[100];
    struct tr_stun m;
    memset(key, 0xaa, sizeof key);
    struct tr_wr w = tr_wr(buf, sizeof buf);
    tr_stun_begin(&w, TR_STUN_REQUEST, TR_STUN_BINDING, txid);
    tr_stun_put_integrity(&w, tr_slice(key, sizeof key), true);
    CHECK_INT(tr_stun_parse(&m, tr_stun_end(&w), TR_STUN_FOR_ICE), TR_OK);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice(key, sizeof key)), TR_OK);
    CHECK_INT(tr_stun_check_integrity(&m, tr_slice(key, 64)), TR_ERR_AUTH);
}
