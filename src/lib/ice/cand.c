/* Candidates. The parser walks the line token by token; the fixed part must be there, extensions
 * come as name and value pairs, of which unknown ones are passed over (RFC 8839 5.1). */
#include "ice/cand.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX = 1024, PORT_MAX = 65535, COMPONENT_MAX = 256, TCP_OTHER_PREF_MAX = 8191 };

static const char *const type_names[] = { "host", "srflx", "prflx", "relay" };
static const char *const tcptype_names[] = { "", "active", "passive", "so" };

const char *tr_ice_cand_type_str(enum tr_ice_cand_type type)
{
    return type_names[type];
}

uint32_t tr_ice_priority(enum tr_ice_cand_type type, uint16_t local_pref, unsigned component)
{
    /*= rfc8445#5.1.2.2
     *# The RECOMMENDED values for type preferences are 126 for host candidates, 110 for
     *# peer-reflexive candidates, 100 for server-reflexive candidates, and 0 for relayed
     *# candidates. */
    static const uint32_t preference[] = { 126, 100, 110, 0 };
    return preference[type] << 24 | (uint32_t)local_pref << 8 | (256 - component);
}

uint64_t tr_ice_pair_priority(uint32_t g, uint32_t d)
{
    uint64_t low = g < d ? g : d, high = g < d ? d : g;
    return (low << 32) + 2 * high + (g > d);
}

void tr_ice_foundation(enum tr_ice_cand_type type, const struct tr_addr *base,
                       enum tr_ice_proto proto, const struct tr_addr *server,
                       char out[TR_ICE_FOUNDATION_MAX + 1])
{
    /* The port is no part of it (RFC 8445 5.1.1.3). Two addresses with one hash would only be
     * frozen together, so 32 bits do. */
    struct tr_addr ip = *base;
    ip.port = 0;
    uint64_t hash = tr_addr_hash(&ip, (uint64_t)type << 8 | (uint64_t)proto);
    if (server) {
        ip = *server;
        ip.port = 0;
        hash ^= tr_addr_hash(&ip, ~hash);
    }
    snprintf(out, TR_ICE_FOUNDATION_MAX + 1, "%u", (unsigned)(uint32_t)(hash ^ hash >> 32));
}

struct tr_ice_cand tr_ice_cand_make(enum tr_ice_cand_type type, const struct tr_addr *addr,
                                    const struct tr_addr *rel, uint16_t local_pref)
{
    struct tr_ice_cand cand = { .type = type, .addr = *addr, .component = 1 };
    const struct tr_addr *base = rel && type != TR_ICE_RELAY ? rel : addr;
    cand.priority = tr_ice_priority(type, local_pref, 1);
    if (rel)
        cand.rel = *rel;
    tr_ice_foundation(type, base, TR_ICE_UDP, NULL, cand.foundation);
    return cand;
}

struct tr_ice_cand tr_ice_cand_make_tcp(enum tr_ice_cand_type type, enum tr_ice_tcptype tcptype,
                                        const struct tr_addr *addr, const struct tr_addr *rel,
                                        uint16_t other_pref)
{
    /* RFC 6544 4.2: the direction goes before the address. Browsers prefer types in this order, and
     * take TCP for the last resort before a relay. */
    static const uint32_t preference[] = { 90, 70, 80, 0 };
    static const uint32_t direction[] = { 0, 6, 4, 2 };
    struct tr_ice_cand cand = tr_ice_cand_make(type, addr, rel, 0);
    const struct tr_addr *base = rel && type != TR_ICE_RELAY ? rel : addr;
    cand.proto = TR_ICE_TCP;
    cand.tcptype = tcptype;
    cand.addr.proto = TR_PROTO_TCP;
    cand.priority = preference[type] << 24 |
                    (direction[tcptype] << 13 | (other_pref & TCP_OTHER_PREF_MAX)) << 8 | 255;
    tr_ice_foundation(type, base, TR_ICE_TCP, NULL, cand.foundation);
    return cand;
}

/* ---- parsing ---- */

static struct tr_slice token(struct tr_slice *line)
{
    while (line->n > 0 && *line->p == ' ')
        *line = tr_slice(line->p + 1, line->n - 1);
    size_t n = 0;
    while (n < line->n && line->p[n] != ' ')
        n++;
    struct tr_slice out = tr_slice(line->p, n);
    *line = tr_slice(line->p + n, line->n - n);
    return out;
}

static char lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_word(struct tr_slice s, const char *word)
{
    size_t i = 0;
    while (i < s.n && word[i] && lower(s.p[i]) == word[i])
        i++;
    return i == s.n && !word[i];
}

static bool is_alnum(uint8_t c)
{
    char l = lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9');
}

static bool take_number(struct tr_slice *line, uint64_t max, uint64_t *out)
{
    struct tr_slice s = token(line);
    uint64_t v = 0;
    if (s.n == 0 || s.n > 10)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return v <= max;
}

/* ice-char only; false when it is empty or does not fit. */
static bool copy_ice_chars(struct tr_slice s, char *out, size_t max)
{
    if (s.n == 0 || s.n > max)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
            return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static bool is_host_name(struct tr_slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_')
            return false;
    return s.n > 0;
}

static enum tr_err take_addr(struct tr_slice s, uint16_t port, struct tr_addr *out)
{
    char text[TR_ADDR_STR_MAX];
    if (s.n > 0 && s.n < sizeof text) {
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
        if (!memchr(text, '\0', s.n) && tr_addr_parse_ip(out, text, port) == TR_OK)
            return TR_OK;
    }
    return is_host_name(s) ? TR_ERR_UNSUPPORTED : TR_ERR_BADMSG;
}

static enum tr_err take_proto(struct tr_slice s, enum tr_ice_proto *out)
{
    *out = is_word(s, "tcp") ? TR_ICE_TCP : TR_ICE_UDP;
    if (is_word(s, "udp") || is_word(s, "tcp"))
        return TR_OK;
    return is_host_name(s) ? TR_ERR_UNSUPPORTED : TR_ERR_BADMSG;
}

static enum tr_err take_type(struct tr_slice *line, enum tr_ice_cand_type *out)
{
    if (!is_word(token(line), "typ"))
        return TR_ERR_BADMSG;
    struct tr_slice s = token(line);
    for (unsigned i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (is_word(s, type_names[i])) {
            *out = (enum tr_ice_cand_type)i;
            return TR_OK;
        }
    return is_host_name(s) ? TR_ERR_UNSUPPORTED : TR_ERR_BADMSG;
}

static bool take_tcptype(struct tr_slice s, enum tr_ice_tcptype *out)
{
    for (unsigned i = 1; i < sizeof tcptype_names / sizeof *tcptype_names; i++)
        if (is_word(s, tcptype_names[i])) {
            *out = (enum tr_ice_tcptype)i;
            return true;
        }
    return false;
}

static bool take_extension(struct tr_ice_cand *cand, struct tr_slice name, struct tr_slice *line)
{
    uint64_t port;
    if (is_word(name, "rport")) {
        bool ok = take_number(line, PORT_MAX, &port);
        cand->rel.port = ok ? (uint16_t)port : 0;
        return ok;
    }
    struct tr_slice value = token(line);
    if (is_word(name, "raddr")) /* a name hides the address on purpose: as if it were absent */
        return take_addr(value, cand->rel.port, &cand->rel) != TR_ERR_BADMSG;
    if (is_word(name, "tcptype"))
        return take_tcptype(value, &cand->tcptype);
    if (is_word(name, "ufrag") && !copy_ice_chars(value, cand->ufrag, TR_ICE_CAND_UFRAG_MAX))
        cand->ufrag[0] = '\0';
    return true;
}

static struct tr_slice without_prefix(struct tr_slice line, const char *prefix)
{
    size_t n = strlen(prefix);
    if (line.n >= n && is_word(tr_slice(line.p, n), prefix))
        return tr_slice(line.p + n, line.n - n);
    return line;
}

static enum tr_err first_err(enum tr_err a, enum tr_err b)
{
    return a != TR_OK ? a : b;
}

/* BADMSG outranks UNSUPPORTED: the whole line is looked at first. */
enum tr_err tr_ice_cand_parse(struct tr_ice_cand *out, struct tr_slice line)
{
    struct tr_ice_cand cand = { 0 };
    uint64_t component, priority, port;
    if (line.n > LINE_MAX)
        return TR_ERR_BADMSG;
    while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n'))
        line.n--;
    line = without_prefix(line, "a=");
    struct tr_slice rest = without_prefix(line, "candidate:");
    if (rest.n == line.n || !copy_ice_chars(token(&rest), cand.foundation, TR_ICE_FOUNDATION_MAX) ||
        !take_number(&rest, COMPONENT_MAX, &component) || component == 0)
        return TR_ERR_BADMSG;
    enum tr_err proto_err = take_proto(token(&rest), &cand.proto);
    if (!take_number(&rest, UINT32_MAX, &priority))
        return TR_ERR_BADMSG;
    struct tr_slice addr = token(&rest);
    if (!take_number(&rest, PORT_MAX, &port))
        return TR_ERR_BADMSG;
    enum tr_err addr_err = take_addr(addr, (uint16_t)port, &cand.addr);
    enum tr_err type_err = take_type(&rest, &cand.type);
    if (proto_err == TR_ERR_BADMSG || addr_err == TR_ERR_BADMSG || type_err == TR_ERR_BADMSG)
        return TR_ERR_BADMSG;
    for (struct tr_slice name = token(&rest); name.n > 0; name = token(&rest))
        if (!take_extension(&cand, name, &rest))
            return TR_ERR_BADMSG;
    cand.addr.proto = cand.proto == TR_ICE_TCP ? TR_PROTO_TCP : TR_PROTO_UDP;
    cand.component = (uint16_t)component;
    cand.priority = (uint32_t)priority;
    enum tr_err err = first_err(proto_err, first_err(addr_err, type_err));
    if (err == TR_OK)
        *out = cand;
    return err;
}

/* ---- printing ---- */

static bool has_rel(const struct tr_ice_cand *cand)
{
    static const struct tr_addr none;
    return cand->type != TR_ICE_HOST && !tr_addr_eq(&cand->rel, &none);
}

const char *tr_ice_cand_print(const struct tr_ice_cand *cand, char out[TR_ICE_CAND_LINE_MAX])
{
    char ip[TR_ADDR_STR_MAX];
    struct tr_wr w = tr_wr(out, TR_ICE_CAND_LINE_MAX - 1);
    tr_wr_fmt(&w, "candidate:%s %u %s %u %s %u typ %s", cand->foundation, cand->component,
              cand->proto == TR_ICE_TCP ? "tcp" : "udp", (unsigned)cand->priority,
              tr_addr_ip_str(&cand->addr, ip), cand->addr.port, type_names[cand->type]);
    if (has_rel(cand))
        tr_wr_fmt(&w, " raddr %s rport %u", tr_addr_ip_str(&cand->rel, ip), cand->rel.port);
    if (cand->proto == TR_ICE_TCP && cand->tcptype != TR_ICE_TCP_NONE)
        tr_wr_fmt(&w, " tcptype %s", tcptype_names[cand->tcptype]);
    if (cand->ufrag[0])
        tr_wr_fmt(&w, " ufrag %s", cand->ufrag);
    out[tr_wr_len(&w)] = '\0';
    return out;
}
