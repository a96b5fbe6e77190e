/* Goal: frames come out of a stream whole and in order however its bytes arrive, and what is none
 * is told apart as early as can be. Method: tables; every split of a stream into two; byte by byte.
 */
#include "base/frame.h"
#include "unit.h"

static const uint8_t stun[] = { 0x00, 0x01, 0x00, 0x04, 0x21, 0x12, 0xa4, 0x42, 1,  2, 3, 4,
                                5,    6,    7,    8,    9,    10,   11,   12,   80, 0, 0, 0 };
static const uint8_t channel[] = { 0x40, 0x01, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0, 0, 0 };

static size_t put(uint8_t *to, size_t at, const uint8_t *p, size_t n)
{
    memcpy(to + at, p, n);
    return at + n;
}

/* Reads all frames of in; each one's bytes must be at `want` one behind the other. */
static void read_all(enum tr_framing framing, struct tr_slice *in, struct tr_slice *want)
{
    struct tr_slice frame;
    size_t need = 0;
    enum tr_err err;
    while ((err = tr_frame_next(framing, 65555, in, &frame, &need)) == TR_OK) {
        if (!CHECK(frame.n <= want->n && memcmp(frame.p, want->p, frame.n) == 0))
            return;
        *want = tr_slice(want->p + frame.n, want->n - frame.n);
    }
    CHECK_INT(err, TR_ERR_AGAIN);
    CHECK(need > in->n);
}

static void split_everywhere(enum tr_framing framing, struct tr_slice bytes, struct tr_slice frames)
{
    for (size_t at = 0; at <= bytes.n; at++) {
        struct tr_slice in = tr_slice(bytes.p, at), want = frames;
        read_all(framing, &in, &want);
        in = tr_slice(in.p, (size_t)(bytes.p + bytes.n - in.p));
        read_all(framing, &in, &want);
        CHECK_INT(in.n, 0);
        CHECK_INT(want.n, 0);
    }
}

TEST(turn_frames_at_every_split)
{
    uint8_t bytes[256], frames[256];
    size_t n = 0, m = 0;
    for (int i = 0; i < 3; i++) {
        n = put(bytes, n, stun, sizeof stun);
        n = put(bytes, n, channel, sizeof channel);
        m = put(frames, m, stun, sizeof stun);
        m = put(frames, m, channel, 9); /* without padding */
    }
    split_everywhere(TR_FRAMING_TURN, tr_slice(bytes, n), tr_slice(frames, m));
}

TEST(rfc4571_frames_at_every_split)
{
    static const uint8_t bytes[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd', 0, 2, 'e', 'f' };
    split_everywhere(TR_FRAMING_RFC4571, tr_slice(bytes, sizeof bytes), tr_slice("abcdef", 6));
}

TEST(raw_is_all_there_is)
{
    struct tr_slice in = tr_slice_str("anything"), frame;
    size_t need;
    CHECK_INT(tr_frame_next(TR_FRAMING_RAW, 1, &in, &frame, &need), TR_OK);
    CHECK(tr_slice_eq_str(frame, "anything"));
    CHECK_INT(tr_frame_next(TR_FRAMING_RAW, 1, &in, &frame, &need), TR_ERR_AGAIN);
}

static enum tr_err first(enum tr_framing framing, size_t max, const void *p, size_t n)
{
    struct tr_slice in = tr_slice(p, n), frame;
    size_t need;
    return tr_frame_next(framing, max, &in, &frame, &need);
}

TEST(what_is_no_frame)
{
    const struct {
        enum tr_framing framing;
        size_t max;
        const char *bytes;
        size_t n;
        enum tr_err err;
    } rows[] = {
        { TR_FRAMING_TURN, 2000, "\x16\x03\x01\x02\x00\x01\x00\x01", 8, TR_ERR_BADMSG }, /* TLS */
        { TR_FRAMING_TURN, 2000, "GET / HTTP/1.1\r\n", 16, TR_ERR_LIMIT },
        { TR_FRAMING_TURN, 2000, "\x80", 1, TR_ERR_BADMSG },
        { TR_FRAMING_TURN, 2000, "\xff", 1, TR_ERR_BADMSG },
        { TR_FRAMING_TURN, 2000, "\x00\x01\x00\x03", 4, TR_ERR_BADMSG }, /* length % 4 */
        { TR_FRAMING_TURN, 2000, "\x00\x01\x00\x08\x21\x12\xa4\x43", 8, TR_ERR_BADMSG },
        { TR_FRAMING_TURN, 2000, "\x00\x01\x00\x08\x21\x12\xa4\x42", 8, TR_ERR_AGAIN },
        { TR_FRAMING_TURN, 27, "\x00\x01\x00\x08\x21\x12\xa4\x42", 8, TR_ERR_LIMIT },
        { TR_FRAMING_TURN, 28, "\x00\x01\x00\x08\x21\x12\xa4\x42", 8, TR_ERR_AGAIN },
        { TR_FRAMING_TURN, 12, "\x40\x00\x00\x09", 4, TR_ERR_LIMIT },
        { TR_FRAMING_TURN, 13, "\x40\x00\x00\x09", 4, TR_ERR_AGAIN },
        { TR_FRAMING_RFC4571, 100, "\x00\x65", 2, TR_ERR_LIMIT },
        { TR_FRAMING_RFC4571, 100, "\x00\x64", 2, TR_ERR_AGAIN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!CHECK(first(rows[i].framing, rows[i].max, rows[i].bytes, rows[i].n) == rows[i].err))
            unit_note("    row %zu", i);
    }
}

TEST(wrapping_is_what_is_taken_off)
{
    struct tr_frame_wrap wrap;
    CHECK_INT(tr_frame_wrap(TR_FRAMING_TURN, 9, &wrap), TR_OK);
    CHECK_INT(wrap.head_n, 0);
    CHECK_INT(wrap.pad, 3);
    CHECK_INT(tr_frame_wrap(TR_FRAMING_TURN, 24, &wrap), TR_OK);
    CHECK_INT(wrap.pad, 0);
    CHECK_INT(tr_frame_wrap(TR_FRAMING_TURN, 3, &wrap), TR_ERR_LIMIT);
    CHECK_INT(tr_frame_wrap(TR_FRAMING_RFC4571, 0x1234, &wrap), TR_OK);
    CHECK_INT(wrap.head_n, 2);
    CHECK_INT(tr_get16(wrap.head), 0x1234);
    CHECK_INT(wrap.pad, 0);
    CHECK_INT(tr_frame_wrap(TR_FRAMING_RFC4571, 65536, &wrap), TR_ERR_LIMIT);
    CHECK_INT(tr_frame_wrap(TR_FRAMING_RAW, 1 << 20, &wrap), TR_OK);
    CHECK_INT(wrap.head_n + wrap.pad, 0);
}
