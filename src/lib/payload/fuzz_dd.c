/* A stream of descriptors (a length byte before each) over one state; each that is sound must come
 * back as it was with another mask. */
#include "base/assert.h"
#include "payload/dd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mask_again(const struct tr_dd *d, const struct tr_dd_structure *before,
                       struct tr_slice ext, int64_t seq)
{
    struct tr_dd_structure st = *before;
    uint8_t out[TR_DD_BYTES_MAX];
    struct tr_dd back;
    uint32_t mask = 0x5a5a5a5a & (UINT32_MAX >> (32 - d->targets));
    size_t n = tr_dd_put_masked(out, sizeof out, d, ext, mask);
    if (n == 0)
        return;
    TR_ASSERT(n == tr_dd_masked_len(d));
    TR_ASSERT(tr_dd_parse(&back, &st, tr_slice(out, n), seq) == TR_OK);
    TR_ASSERT(back.has_mask && back.active == mask);
    TR_ASSERT(back.dtis == d->dtis && back.refs == d->refs && back.frame == d->frame);
    TR_ASSERT(back.targets == d->targets && back.has_structure == d->has_structure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_dd_structure st = { 0 };
    int64_t seq = 0;
    while (size > 1) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;
        struct tr_slice ext = tr_slice(data + 1, n);
        struct tr_dd_structure before = st;
        struct tr_dd d;
        if (tr_dd_parse(&d, &st, ext, seq) == TR_OK) {
            TR_ASSERT(d.targets > 0 && d.targets <= TR_DD_TARGETS_MAX && d.bits <= n * 8);
            TR_ASSERT(d.spatial < TR_DD_SPATIAL_MAX && d.temporal < TR_DD_TEMPORAL_MAX);
            mask_again(&d, &before, ext, seq);
        } else {
            TR_ASSERT(memcmp(&st, &before, sizeof st) == 0);
        }
        seq += n % 3;
        data += n + 1;
        size -= n + 1;
    }
    return 0;
}
