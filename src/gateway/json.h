/* Hostile JSON: the checks that come before the parser. */
#ifndef TR_GATEWAY_JSON_H
#define TR_GATEWAY_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"

/* Whether arrays and objects nest deeper than max anywhere in the text. Linear; takes any text. */
bool tr_json_too_deep(struct tr_slice text, int max);
/* Takes the next value off the front of *text. *value is NULL when only white space is left.
 * BADMSG: reason says what is wrong; *text is then used up. */
TR_MUST_USE enum tr_err tr_json_next(struct tr_slice *text, json_t **value, const char **reason);
bool tr_json_blank(struct tr_slice text);

#endif
