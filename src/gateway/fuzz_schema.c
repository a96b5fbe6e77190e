/* The checks before a handler runs: nesting, one JSON value after the other, fields of a row. */
#include <stdlib.h>
#include <string.h>

#include "gateway/json.h"
#include "gateway/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tr_field fields[] = {
        { "s", TR_FIELD_STRING, true },
        { "i", TR_FIELD_INT, false },
        { "u", TR_FIELD_UINT, false },
        { "b", TR_FIELD_BOOL, false },
        { "o", TR_FIELD_OBJECT, false },
        { "a", TR_FIELD_ARRAY, true },
        { NULL },
    };
    struct tr_slice text = tr_slice(data, size);
    if (tr_json_too_deep(text, 32))
        return 0;
    while (text.n > 0) {
        json_t *value = NULL;
        const char *why = NULL;
        char reason[TR_REASON_MAX] = "";
        size_t before = text.n;
        if (tr_json_next(&text, &value, &why) != TR_OK || !value)
            break;
        if (text.n >= before)
            abort();
        enum tr_schema_result result = tr_schema_check(value, fields, reason);
        if (result == TR_SCHEMA_OK && (!json_is_string(json_object_get(value, "s")) ||
                                       !json_is_array(json_object_get(value, "a"))))
            abort();
        if (result != TR_SCHEMA_OK && !reason[0])
            abort();
        json_decref(value);
    }
    return 0;
}
