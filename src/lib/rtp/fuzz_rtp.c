/* Header, extensions, padding and retransmission of one packet; then a block built from what the
 * packet says, which must read back. */
#include <stdlib.h>

#include "base/assert.h"
#include "rtp/ext.h"
#include "rtp/rtp.h"
#include "rtp/rtx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_extensions(const struct tr_rtp *h)
{
    struct tr_ext_map map;
    struct tr_ext_vals v;
    for (unsigned i = 0; i < TR_EXT_COUNT; i++)
        map.id[i] = (uint8_t)(i + 1);
    tr_ext_read(&v, &map, h->ext_profile, h->ext);
    struct tr_ext_block b;
    struct tr_ext_block_conf conf = { .map = &map,
                                      .want = v.present & ~(1u << TR_EXT_DEPENDENCY_DESCRIPTOR),
                                      .mid = v.mid,
                                      .rid = v.rid,
                                      .rrid = v.rrid };
    if (tr_ext_block_build(&b, &conf) != TR_OK || b.len == 0)
        return;
    struct tr_ext_vals back;
    tr_ext_read(&back, &map, tr_get16(b.bytes), tr_slice(b.bytes + 4, b.len - 4u));
    TR_ASSERT(back.present == conf.want);
    TR_ASSERT(!tr_ext_has(&v, TR_EXT_MID) || tr_slice_eq(back.mid, v.mid));
}

static void unwrap(struct tr_slice s)
{
    uint8_t *copy = malloc(s.n + 1);
    struct tr_rtp h;
    if (!copy)
        return;
    memcpy(copy, s.p, s.n);
    struct tr_buf b = { copy, s.n };
    if (tr_rtx_unwrap(&b, 96, 1) == TR_OK) {
        TR_ASSERT(b.n < s.n && b.p == copy + 2);
        TR_ASSERT(tr_rtp_parse(&h, tr_slice(b.p, b.n)) == TR_OK);
        TR_ASSERT(h.ssrc == 1 && h.pt == 96 && !h.padding);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_slice pkt = tr_slice(data, size);
    struct tr_rtp h;
    if (size == 0)
        return 0;
    (void)tr_demux(pkt);
    if (tr_rtp_parse(&h, pkt) != TR_OK)
        return 0;
    TR_ASSERT(h.hdr_len <= size);
    for (unsigned i = 0; i < h.csrc_count; i++)
        (void)tr_rtp_csrc(pkt, i);
    struct tr_slice payload = tr_slice(data + h.hdr_len, size - h.hdr_len);
    if (tr_rtp_strip_padding(&payload) == TR_OK)
        TR_ASSERT(payload.n < size - h.hdr_len);
    read_extensions(&h);
    unwrap(pkt);
    return 0;
}
