/* The check of an object against the fields of a row: required ones are there, and what is there
 * has the right type. The words of the reasons are those that Janus clients show to people. */
#include "gateway/request.h"

#include <stdio.h>

static const char *const type_names[] = {
    [TR_FIELD_STRING] = "a string",         [TR_FIELD_INT] = "an integer",
    [TR_FIELD_UINT] = "a positive integer", [TR_FIELD_BOOL] = "a boolean",
    [TR_FIELD_OBJECT] = "an object",        [TR_FIELD_ARRAY] = "an array",
};

static bool has_type(const json_t *value, enum tr_field_type type)
{
    switch (type) {
    case TR_FIELD_STRING: return json_is_string(value);
    case TR_FIELD_INT: return json_is_integer(value);
    case TR_FIELD_UINT: return json_is_integer(value) && json_integer_value(value) >= 0;
    case TR_FIELD_BOOL: return json_is_boolean(value);
    case TR_FIELD_OBJECT: return json_is_object(value);
    case TR_FIELD_ARRAY: return json_is_array(value);
    }
    return false;
}

enum tr_schema_result tr_schema_check(const json_t *object, const struct tr_field *fields,
                                      char reason[TR_REASON_MAX])
{
    for (const struct tr_field *f = fields; f && f->name; f++) {
        const json_t *value = json_object_get(object, f->name);
        if (!value || json_is_null(value)) {
            if (!f->required)
                continue;
            snprintf(reason, TR_REASON_MAX, "Missing mandatory element (%s)", f->name);
            return TR_SCHEMA_MISSING;
        }
        if (!has_type(value, f->type)) {
            snprintf(reason, TR_REASON_MAX, "Invalid element type (%s should be %s)", f->name,
                     type_names[f->type]);
            return TR_SCHEMA_TYPE;
        }
    }
    return TR_SCHEMA_OK;
}
