/* Requests as tables. A request is a row: its name, the fields that it takes, its handler. The
 * check against the row happens once, here, so that no handler looks at a field whose type is not
 * known, and the same mistake gets the same error everywhere. */
#ifndef TR_REQUEST_H
#define TR_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum tr_field_type {
    TR_FIELD_STRING,
    TR_FIELD_INT,
    TR_FIELD_UINT, /* an integer >= 0 */
    TR_FIELD_BOOL,
    TR_FIELD_OBJECT,
    TR_FIELD_ARRAY,
};

struct tr_field {
    const char *name; /* NULL ends a list */
    enum tr_field_type type;
    bool required;
};

enum tr_schema_result { TR_SCHEMA_OK, TR_SCHEMA_MISSING, TR_SCHEMA_TYPE };

enum { TR_REASON_MAX = 256 };

/* Checks the fields of an object. On MISSING and TYPE reason says what and why in plain words,
 * e.g. "Missing mandatory element (username)", "Invalid element type (bitrate should be a positive
 * integer)". A JSON null counts as absent. Fields that are not in the list are allowed. */
enum tr_schema_result tr_schema_check(const json_t *object, const struct tr_field *fields,
                                      char reason[TR_REASON_MAX]);

#endif
