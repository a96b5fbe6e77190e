/* Any line: parsing ends; what parses prints, and reads back the same. */
#include "ice/cand.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tr_ice_cand a, b;
    char one[TR_ICE_CAND_LINE_MAX], two[TR_ICE_CAND_LINE_MAX];
    if (tr_ice_cand_parse(&a, tr_slice(data, n)) != TR_OK)
        return 0;
    tr_ice_cand_print(&a, one);
    TR_ASSERT(tr_ice_cand_parse(&b, tr_slice_str(one)) == TR_OK);
    TR_ASSERT(strcmp(one, tr_ice_cand_print(&b, two)) == 0);
    return 0;
}
