/* Reading: one iterator for both forms; the lookup from id to extension is a walk over ten bytes,
 * which costs less than a table of 256 that would have to be in the cache for each source.
 *
 * Building: the block is laid out once per sink. All that varies per packet has a fixed size, so
 * that its place does not move; the texts (MID, RID) are constant for the sink. */
#include "rtp/ext.h"

enum { ONE_BYTE_PROFILE = 0xbede, TWO_BYTE_PROFILE = 0x1000, TWO_BYTE_MASK = 0xfff0 };
enum { ONE_BYTE_ID_MAX = 14, ONE_BYTE_LEN_MAX = 16, ONE_BYTE_STOP = 15, BLOCK_HDR = 4 };

static const char *const uris[TR_EXT_COUNT] = {
    [TR_EXT_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
    [TR_EXT_RID] = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    [TR_EXT_RRID] = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    [TR_EXT_ABS_SEND_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    [TR_EXT_TRANSPORT_CC] =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    [TR_EXT_AUDIO_LEVEL] = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    [TR_EXT_VIDEO_ORIENTATION] = "urn:3gpp:video-orientation",
    [TR_EXT_PLAYOUT_DELAY] = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    [TR_EXT_DEPENDENCY_DESCRIPTOR] =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    [TR_EXT_ABS_CAPTURE_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
};

/* Sizes of the values in a block; 0: a text, or of varying size. */
static const uint8_t sizes[TR_EXT_COUNT] = {
    [TR_EXT_ABS_SEND_TIME] = 3,     [TR_EXT_TRANSPORT_CC] = 2,  [TR_EXT_AUDIO_LEVEL] = 1,
    [TR_EXT_VIDEO_ORIENTATION] = 1, [TR_EXT_PLAYOUT_DELAY] = 3, [TR_EXT_ABS_CAPTURE_TIME] = 8,
};

const char *tr_ext_uri(enum tr_ext ext)
{
    return uris[ext];
}

enum tr_ext tr_ext_from_uri(struct tr_slice uri)
{
    unsigned i = 0;
    while (i < TR_EXT_COUNT && !tr_slice_eq_str(uri, uris[i]))
        i++;
    return (enum tr_ext)i;
}

void tr_ext_iter_init(struct tr_ext_iter *it, uint16_t profile, struct tr_slice data)
{
    *it = (struct tr_ext_iter){ .two_byte = (profile & TWO_BYTE_MASK) == TWO_BYTE_PROFILE };
    if (it->two_byte || profile == ONE_BYTE_PROFILE)
        it->rd = tr_rd(data);
}

bool tr_ext_next(struct tr_ext_iter *it, uint8_t *id, struct tr_slice *value)
{
    while (!it->rd.bad && tr_rd_left(&it->rd) > 0) {
        uint8_t b = tr_rd_u8(&it->rd);
        if (b == 0)
            continue; /* padding */
        if (!it->two_byte && (b >> 4 == ONE_BYTE_STOP || b >> 4 == 0)) {
            it->rd.p = it->rd.end; /* RFC 8285 section 4.2: ignore this and all behind it */
            return false;
        }
        *id = it->two_byte ? b : b >> 4;
        size_t n = it->two_byte ? tr_rd_u8(&it->rd) : (b & 0x0fu) + 1u;
        *value = tr_rd_take(&it->rd, n);
        return !it->rd.bad;
    }
    return false;
}

static enum tr_ext lookup(const struct tr_ext_map *map, uint8_t id)
{
    unsigned i = 0;
    if (id == 0)
        return TR_EXT_COUNT;
    while (i < TR_EXT_COUNT && map->id[i] != id)
        i++;
    return (enum tr_ext)i;
}

/* Fixed sizes are a least size: the two-byte form may carry bytes that a later version appended. */
static bool size_is_right(enum tr_ext ext, size_t n)
{
    if (ext == TR_EXT_ABS_CAPTURE_TIME)
        return n == 8 || n == 16;
    return sizes[ext] ? n >= sizes[ext] : n > 0;
}

static void read_capture_time(struct tr_ext_vals *out, struct tr_slice v)
{
    out->capture_ntp = tr_get64(v.p);
    out->has_capture_offset = v.n == 16;
    out->capture_offset = v.n == 16 ? (int64_t)tr_get64(v.p + 8) : 0;
}

static uint32_t get24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)tr_get16(p + 1);
}

static void read_value(struct tr_ext_vals *out, enum tr_ext ext, struct tr_slice v)
{
    switch (ext) {
    case TR_EXT_MID: out->mid = v; break;
    case TR_EXT_RID: out->rid = v; break;
    case TR_EXT_RRID: out->rrid = v; break;
    case TR_EXT_ABS_SEND_TIME: out->abs_send_time = get24(v.p); break;
    case TR_EXT_TRANSPORT_CC: out->transport_seq = tr_get16(v.p); break;
    case TR_EXT_AUDIO_LEVEL:
        out->voice = (v.p[0] & 0x80) != 0;
        out->audio_level = v.p[0] & 0x7f;
        break;
    case TR_EXT_VIDEO_ORIENTATION: out->orientation = v.p[0]; break;
    case TR_EXT_PLAYOUT_DELAY:
        out->playout_min = (uint16_t)(get24(v.p) >> 12);
        out->playout_max = get24(v.p) & 0xfff;
        break;
    case TR_EXT_DEPENDENCY_DESCRIPTOR: out->dependency = v; break;
    case TR_EXT_ABS_CAPTURE_TIME: read_capture_time(out, v); break;
    case TR_EXT_COUNT: break;
    }
}

void tr_ext_read(struct tr_ext_vals *out, const struct tr_ext_map *map, uint16_t profile,
                 struct tr_slice data)
{
    struct tr_ext_iter it;
    struct tr_slice value;
    uint8_t id;
    *out = (struct tr_ext_vals){ 0 };
    tr_ext_iter_init(&it, profile, data);
    while (tr_ext_next(&it, &id, &value)) {
        enum tr_ext ext = lookup(map, id);
        if (ext == TR_EXT_COUNT || !size_is_right(ext, value.n))
            continue;
        read_value(out, ext, value);
        out->present |= 1u << ext;
    }
}

static struct tr_slice text_of(const struct tr_ext_block_conf *conf, enum tr_ext ext)
{
    switch ((int)ext) {
    case TR_EXT_MID: return conf->mid;
    case TR_EXT_RID: return conf->rid;
    case TR_EXT_RRID: return conf->rrid;
    default: return tr_slice(NULL, 0);
    }
}

static bool is_wanted(const struct tr_ext_block_conf *conf, enum tr_ext ext)
{
    return (conf->want >> ext & 1) && conf->map->id[ext] != 0;
}

/* Bytes of the value in the block; 0: not in it. */
static size_t size_in_block(const struct tr_ext_block_conf *conf, enum tr_ext ext)
{
    if (!is_wanted(conf, ext))
        return 0;
    return sizes[ext] ? sizes[ext] : text_of(conf, ext).n;
}

static void put_element(struct tr_ext_block *out, struct tr_wr *w, bool two_byte, enum tr_ext ext,
                        const struct tr_ext_block_conf *conf, size_t n)
{
    if (two_byte) {
        tr_wr_u8(w, conf->map->id[ext]);
        tr_wr_u8(w, (uint8_t)n);
    } else {
        tr_wr_u8(w, (uint8_t)(conf->map->id[ext] << 4 | (n - 1)));
    }
    out->at[ext] = (uint8_t)tr_wr_len(w);
    if (sizes[ext])
        tr_wr_zero(w, n);
    else
        tr_wr_bytes(w, text_of(conf, ext).p, n);
}

enum tr_err tr_ext_block_build(struct tr_ext_block *out, const struct tr_ext_block_conf *conf)
{
    bool two_byte = is_wanted(conf, TR_EXT_DEPENDENCY_DESCRIPTOR);
    bool any = two_byte;
    *out = (struct tr_ext_block){ 0 };
    if (conf->want >> TR_EXT_COUNT)
        return TR_ERR_INVAL;
    if (two_byte)
        out->dd_id = conf->map->id[TR_EXT_DEPENDENCY_DESCRIPTOR];
    for (unsigned i = 0; i < TR_EXT_COUNT; i++) {
        size_t n = size_in_block(conf, (enum tr_ext)i);
        if (n > TR_EXT_NAME_MAX)
            return TR_ERR_LIMIT;
        any = any || n > 0;
        if (n > ONE_BYTE_LEN_MAX || (n > 0 && conf->map->id[i] > ONE_BYTE_ID_MAX))
            two_byte = true;
    }
    if (!any)
        return TR_OK;
    struct tr_wr w = tr_wr(out->bytes, sizeof(out->bytes));
    tr_wr_u16(&w, two_byte ? TWO_BYTE_PROFILE : ONE_BYTE_PROFILE);
    tr_wr_u16(&w, 0);
    for (unsigned i = 0; i < TR_EXT_COUNT; i++) {
        size_t n = size_in_block(conf, (enum tr_ext)i);
        if (n > 0)
            put_element(out, &w, two_byte, (enum tr_ext)i, conf, n);
    }
    out->tail = (uint8_t)tr_wr_len(&w);
    tr_wr_zero(&w, (4 - tr_wr_len(&w) % 4) % 4);
    if (w.bad) {
        *out = (struct tr_ext_block){ 0 };
        return TR_ERR_LIMIT;
    }
    out->len = (uint8_t)tr_wr_len(&w);
    tr_put16(out->bytes + 2, (uint16_t)((out->len - BLOCK_HDR) / 4));
    if (out->at[TR_EXT_AUDIO_LEVEL])
        tr_ext_put_audio_level(out->bytes + out->at[TR_EXT_AUDIO_LEVEL], false, 127);
    return TR_OK;
}

uint8_t *tr_ext_put_descriptor(uint8_t *p, const struct tr_ext_block *b, size_t n)
{
    size_t size = tr_ext_block_size(b, n);
    tr_put16(p + 2, (uint16_t)((size - BLOCK_HDR) / 4));
    p[b->tail] = b->dd_id;
    p[b->tail + 1] = (uint8_t)n;
    uint8_t *at = p + b->tail + 2;
    memset(at + n, 0, size - b->tail - 2u - n);
    return at;
}

void tr_ext_put_abs_send_time(uint8_t *p, tr_usec now)
{
    uint64_t in_64s = (uint64_t)now % (64u * (uint64_t)TR_SECOND);
    tr_put24(p, (uint32_t)((in_64s << 18) / (uint64_t)TR_SECOND));
}
