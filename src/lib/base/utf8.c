/* The table of RFC 3629 section 4, row by row: what the first byte allows the second to be; all
 * further ones are 80..BF. */
#include "base/utf8.h"

#include "base/assert.h"

static const struct {
    uint8_t first, last; /* range of the first byte */
    uint8_t more;        /* bytes that follow */
    uint8_t low, high;   /* range of the second byte */
} rows[] = {
    { 0x00, 0x7f, 0, 0x00, 0x00 }, { 0xc2, 0xdf, 1, 0x80, 0xbf }, { 0xe0, 0xe0, 2, 0xa0, 0xbf },
    { 0xe1, 0xec, 2, 0x80, 0xbf }, { 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf },
    { 0xf0, 0xf0, 3, 0x90, 0xbf }, { 0xf1, 0xf3, 3, 0x80, 0xbf }, { 0xf4, 0xf4, 3, 0x80, 0x8f },
};

/* The length of the character at p, of n > 0 bytes; 0: it is none. */
static size_t character(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < TR_ARRAY_LEN(rows); i++) {
        if (p[0] < rows[i].first || p[0] > rows[i].last)
            continue;
        size_t length = 1u + rows[i].more;
        if (length > n || (length > 1 && (p[1] < rows[i].low || p[1] > rows[i].high)))
            return 0;
        for (size_t k = 2; k < length; k++) {
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        }
        return length;
    }
    return 0;
}

bool tr_utf8_valid(struct tr_slice text)
{
    for (size_t i = 0; i < text.n;) {
        size_t length = character(text.p + i, text.n - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}
