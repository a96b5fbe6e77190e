/* The scanner and the META parser on arbitrary bytes: terminates, stays inside, counts add up. */
#include <stdlib.h>

#include "record/meta.h"
#include "record/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_scan scan;
    struct tr_record rec;
    uint64_t sum = 0;
    tr_scan_init(&scan, tr_slice(data, size));
    while (tr_scan_next(&scan, &rec)) {
        struct tr_meta meta;
        uint32_t ssrc, rtp;
        tr_ntp ntp;
        int64_t wall;
        uint64_t last;
        if (rec.payload.p < data || rec.payload.p + rec.payload.n > data + size)
            abort();
        sum += rec.payload.n + TR_JOURNAL_RECORD;
        if (rec.type == TR_JOURNAL_META)
            (void)!tr_meta_decode(&meta, rec.payload);
        tr_record_sr(&rec, &ssrc, &ntp, &rtp);
        tr_record_clock(&rec, &wall);
        tr_record_loss(&rec, &last);
    }
    if (sum + scan.hole_bytes > size)
        abort();
    struct tr_meta meta;
    (void)!tr_meta_decode(&meta, tr_slice(data, size));
    return 0;
}
