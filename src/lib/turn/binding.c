/* A Binding request is answered with the address that it came from. RFC 5780 adds from where the
 * answer was sent and where else it could have been; a client may ask for such another place, or to
 * be answered at another port of its own.
 *
 * Who asks has proven nothing, so the answer must not be worth forging a request for: on the wire
 * it is at most twice as long, and what would go beyond that is left out, the least needed first
 * (PADDING, RESPONSE-ORIGIN, OTHER-ADDRESS). There is no SOFTWARE. */
#include "turn/binding.h"

#include "stun/stun.h"

enum {
    CHANGE_IP = 4,
    CHANGE_PORT = 2,
    HEADERS_V4 = 28,
    HEADERS_V6 = 48,
    ADDR_ATTR_V4 = 12,
    ADDR_ATTR_V6 = 24,
    FINGERPRINT = 8,
};

struct query { /* RFC 5780 7.2 */
    uint32_t change;
    uint16_t response_port, padding;
    bool has_port, has_padding, bad;
};

static void read_query(const struct tr_stun *m, struct query *q)
{
    uint16_t at = 0, type;
    struct tr_slice value;
    *q = (struct query){ 0 };
    while (tr_stun_next(m, &at, &type, &value)) {
        if (type == TR_STUN_CHANGE_REQUEST) {
            q->bad |= value.n != 4;
            q->change = value.n == 4 ? tr_get32(value.p) & (CHANGE_IP | CHANGE_PORT) : 0;
        } else if (type == TR_STUN_RESPONSE_PORT) {
            q->bad |= value.n != 4;
            q->has_port = true;
            q->response_port = value.n == 4 ? tr_get16(value.p) : 0;
        } else if (type == TR_STUN_PADDING) {
            q->has_padding = true;
            q->padding = (uint16_t)value.n;
        }
    }
    q->bad |= q->has_padding && q->has_port;
}

/* Our address with another IP, another port, or both; of four sockets. */
static struct tr_addr change(const struct tr_binding_conf *conf, const struct tr_addr *local,
                             uint32_t what)
{
    struct tr_addr r = *local;
    bool other_ip = tr_addr_ip_eq(local, &conf->other),
         other_port = local->port == conf->other.port;
    if (what & CHANGE_IP)
        memcpy(r.ip, other_ip ? conf->main.ip : conf->other.ip, sizeof r.ip);
    if (what & CHANGE_PORT)
        r.port = other_port ? conf->main.port : conf->other.port;
    return r;
}

/* One of the four as clients know it. */
static struct tr_addr as_known(const struct tr_binding_conf *conf, const struct tr_addr *local)
{
    bool other = tr_addr_ip_eq(local, &conf->other);
    const struct tr_addr *known = other ? &conf->other_known : &conf->main_known;
    struct tr_addr r = tr_addr_is_any(known) ? *local : *known;
    r.port = local->port;
    return r;
}

static bool is_one_of_them(const struct tr_binding_conf *conf, const struct tr_addr *local)
{
    return tr_addr_ip_eq(local, &conf->main) || tr_addr_ip_eq(local, &conf->other);
}

static size_t addr_attr(const struct tr_addr *a)
{
    return tr_addr_is_v4(a) ? ADDR_ATTR_V4 : ADDR_ATTR_V6;
}

/* How long the answer may be. */
static size_t size_max(const struct tr_path *path, const struct tr_stun *m)
{
    size_t headers = tr_addr_is_v4(&path->remote) ? HEADERS_V4 : HEADERS_V6;
    return 2 * (m->raw.n + headers) - headers;
}

static void put_discovery(const struct tr_binding_conf *conf, const struct tr_path *path,
                          const struct tr_addr *from, const struct query *q, size_t max,
                          struct tr_wr *w)
{
    struct tr_addr other = change(conf, &path->local, CHANGE_IP | CHANGE_PORT);
    struct tr_addr origin = as_known(conf, from);
    other = as_known(conf, &other);
    if (tr_wr_len(w) + addr_attr(&other) <= max)
        tr_stun_put_addr(w, TR_STUN_OTHER_ADDRESS, &other, false);
    if (tr_wr_len(w) + addr_attr(&origin) <= max)
        tr_stun_put_addr(w, TR_STUN_RESPONSE_ORIGIN, &origin, false);
    if (!q->has_padding || tr_wr_len(w) + TR_STUN_ATTR_HEADER >= max)
        return;
    static const uint8_t zeros[1500];
    size_t n = max - tr_wr_len(w) - TR_STUN_ATTR_HEADER;
    size_t room = (size_t)(w->end - w->p), rest = TR_STUN_ATTR_HEADER + FINGERPRINT;
    n = q->padding < n ? q->padding : n;
    n = n < sizeof zeros ? n : sizeof zeros;
    if (room < rest)
        return;
    n = n < room - rest ? n : room - rest; /* the caller's buffer may be shorter */
    tr_stun_put(w, TR_STUN_PADDING, tr_slice(zeros, n & ~(size_t)3));
}

static void put_refusal(const struct tr_stun *m, const uint16_t *unknown, size_t n, struct tr_wr *w)
{
    tr_stun_begin(w, TR_STUN_ERROR, TR_STUN_BINDING, m->txid);
    tr_stun_put_error(w, n > 0 ? TR_STUN_UNKNOWN_ATTRIBUTE : TR_STUN_BAD_REQUEST);
    if (n > 0)
        tr_stun_put_unknown(w, unknown, n);
}

static void put_answer(const struct tr_binding_conf *conf, const struct tr_path *path,
                       const struct tr_stun *m, struct tr_wr *w, struct tr_path *out)
{
    static const uint16_t change_request[] = { TR_STUN_CHANGE_REQUEST };
    bool discovery = conf->other.port != 0 && path->remote.proto == TR_PROTO_UDP &&
                     is_one_of_them(conf, &path->local);
    bool fingerprint = (m->has & TR_STUN_HAS_FINGERPRINT) != 0;
    struct query q;
    read_query(m, &q);
    if (m->unknown_count > 0) {
        put_refusal(m, m->unknown, m->unknown_count, w);
    } else if (q.bad) {
        put_refusal(m, NULL, 0, w);
    } else if (q.change && !discovery) {
        put_refusal(m, change_request, 1, w);
    } else {
        tr_stun_begin(w, TR_STUN_SUCCESS, TR_STUN_BINDING, m->txid);
        tr_stun_put_addr(w, TR_STUN_XOR_MAPPED_ADDRESS, &path->remote, true);
        if (discovery) {
            out->local = change(conf, &path->local, q.change);
            out->remote.port = q.has_port ? q.response_port : path->remote.port;
            put_discovery(conf, path, &out->local, &q,
                          size_max(path, m) - (fingerprint ? FINGERPRINT : 0), w);
        }
    }
    if (fingerprint)
        tr_stun_put_fingerprint(w);
}

enum tr_err tr_binding_answer(const struct tr_binding_conf *conf, const struct tr_path *path,
                              const struct tr_stun *request, struct tr_wr *answer,
                              struct tr_path *out)
{
    if (request->cls != TR_STUN_REQUEST || request->method != TR_STUN_BINDING)
        return TR_ERR_IGNORED;
    *out = *path;
    put_answer(conf, path, request, answer, out);
    return tr_stun_end(answer).n > 0 ? TR_OK : TR_ERR_LIMIT;
}
