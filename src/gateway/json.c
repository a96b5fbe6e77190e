/* jansson recurses into nested values up to a depth of its own (2048) that costs more stack and
 * memory than a request deserves. So the nesting is counted first, in one pass over the bytes that
 * knows strings and nothing else. */
#include "gateway/json.h"

bool tr_json_too_deep(struct tr_slice text, int max)
{
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

bool tr_json_blank(struct tr_slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!strchr(" \t\r\n", text.p[i]) || text.p[i] == 0)
            return false;
    return true;
}

enum tr_err tr_json_next(struct tr_slice *text, json_t **value, const char **reason)
{
    *value = NULL;
    if (tr_json_blank(*text)) {
        *text = tr_slice(NULL, 0);
        return TR_OK;
    }
    json_error_t error;
    *value = json_loadb((const char *)text->p, text->n, JSON_DISABLE_EOF_CHECK, &error);
    size_t used = error.position > 0 ? (size_t)error.position : 0;
    if (!*value || used == 0 || used > text->n) {
        json_decref(*value);
        *value = NULL;
        *text = tr_slice(NULL, 0);
        *reason = "JSON error: the text does not parse";
        return TR_ERR_BADMSG;
    }
    *text = tr_slice(text->p + used, text->n - used);
    return TR_OK;
}
