/* The table behind tr_err_str; the compiler checks that no code is missing. */
#include "base/err.h"

const char *tr_err_str(enum tr_err err)
{
    switch (err) {
    case TR_OK: return "ok";
    case TR_ERR_INVAL: return "invalid argument";
    case TR_ERR_NOMEM: return "out of memory";
    case TR_ERR_LIMIT: return "limit reached";
    case TR_ERR_IGNORED: return "ignored";
    case TR_ERR_AGAIN: return "try again";
    case TR_ERR_BADMSG: return "bad message";
    case TR_ERR_PROTO: return "protocol error";
    case TR_ERR_AUTH: return "not authenticated";
    case TR_ERR_NOTFOUND: return "not found";
    case TR_ERR_EXISTS: return "already exists";
    case TR_ERR_UNSUPPORTED: return "not supported";
    case TR_ERR_CLOSED: return "closed";
    case TR_ERR_IO: return "input/output error";
    case TR_ERR_COUNT: break;
    }
    return "unknown error";
}
