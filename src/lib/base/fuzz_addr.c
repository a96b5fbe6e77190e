/* Whatever text parses as an address prints as text that parses to the same address. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[256], printed[TR_ADDR_STR_MAX];
    struct tr_addr a, b;
    if (n >= sizeof text)
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    if (tr_addr_parse(&a, text) == TR_OK) {
        TR_ASSERT(tr_addr_parse(&b, tr_addr_str(&a, printed)) == TR_OK);
        TR_ASSERT(tr_addr_eq(&a, &b));
    }
    if (tr_addr_parse_ip(&a, text, 1) == TR_OK) {
        TR_ASSERT(tr_addr_parse_ip(&b, tr_addr_ip_str(&a, printed), 1) == TR_OK);
        TR_ASSERT(tr_addr_eq(&a, &b));
    }
    return 0;
}
