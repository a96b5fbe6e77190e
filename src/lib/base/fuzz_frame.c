/* The framers: the first byte names one, the second the longest frame, the rest is a stream. It
 * must come out the same in one piece and byte by byte, and each frame wrapped again must be what
 * was there. */
#include <stdlib.h>

#include "base/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t frames, bytes, read;
    enum tr_err err;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_wrap(enum tr_framing framing, struct tr_slice frame, const uint8_t *from,
                       size_t whole)
{
    struct tr_frame_wrap wrap;
    check(tr_frame_wrap(framing, frame.n, &wrap) == TR_OK);
    check(wrap.head_n + frame.n + wrap.pad == whole);
    check(memcmp(from, wrap.head, wrap.head_n) == 0);
    check(frame.p == from + wrap.head_n);
}

/* step 0: all at once. */
static struct seen read_all(enum tr_framing framing, size_t max, struct tr_slice all, size_t step)
{
    struct seen seen = { .err = TR_ERR_AGAIN };
    struct tr_slice in = tr_slice(all.p, step ? 0 : all.n);
    for (;;) {
        struct tr_slice frame = { NULL, 0 };
        const uint8_t *from = in.p;
        size_t need = 0, had = in.n;
        seen.err = tr_frame_next(framing, max, &in, &frame, &need);
        if (seen.err == TR_OK) {
            check(frame.p >= from && frame.p + frame.n <= from + had && frame.n <= max);
            check(in.n < had);
            check_wrap(framing, frame, from, had - in.n);
            seen.frames++;
            seen.bytes += frame.n;
            seen.read = (size_t)(in.p - all.p);
        } else if (seen.err == TR_ERR_AGAIN) {
            check(need > in.n);
            if (in.p + in.n == all.p + all.n)
                return seen;
            in.n += step;
        } else {
            return seen;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum tr_framing framing = data[0] & 1 ? TR_FRAMING_TURN : TR_FRAMING_RFC4571;
    size_t max = (size_t)data[1] * 8;
    struct tr_slice all = tr_slice(data + 2, size - 2);
    struct seen once = read_all(framing, max, all, 0), slow = read_all(framing, max, all, 1);
    check(once.frames == slow.frames && once.bytes == slow.bytes && once.read == slow.read &&
          once.err == slow.err);
    return 0;
}
