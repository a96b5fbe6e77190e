/* A request of the Janus API or the Admin API on its way through the core, and the tables of verbs.
 * Nothing outside src/gateway includes this. */
#ifndef TR_GATEWAY_API_H
#define TR_GATEWAY_API_H

#include "gateway/core.h"
#include "gateway/request.h"

enum tr_api_level { TR_LEVEL_NONE = 1, TR_LEVEL_SESSION = 2, TR_LEVEL_HANDLE = 4 };

struct tr_api { /* one request on its way */
    struct tr_gateway *gw;
    struct tr_client *client;
    tr_usec now;
    json_t *request;
    const char *transaction; /* NULL until it is known */
    uint64_t session_id, handle_id;
    struct tr_session *session; /* NULL at lower levels */
    struct tr_handle *handle;
};

struct tr_verb {
    const char *name; /* NULL ends a table */
    unsigned levels;  /* enum tr_api_level, a set */
    bool open;        /* needs no secret */
    const struct tr_field *fields;
    void (*handle)(struct tr_api *api);
};

extern const struct tr_verb tr_api_verbs[];
extern const struct tr_verb tr_admin_verbs[];

/* {"janus":kind,"session_id"?,"transaction"?}; the caller adds to it. May be NULL (memory). */
json_t *tr_api_reply(const struct tr_api *api, const char *kind);
void tr_api_send(const struct tr_api *api, json_t *reply); /* takes reply */
/* "success" with a key, whose value (a new reference) is taken; key NULL: none. */
void tr_api_success(const struct tr_api *api, const char *key, json_t *value);
void tr_api_error(const struct tr_api *api, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
json_t *tr_gateway_info(const struct tr_gateway *gw, const struct tr_api *api); /* info.c */
void tr_api_message(struct tr_api *api);       /* message.c: the verb "message" */
void tr_admin_handle_info(struct tr_api *api); /* admin_info.c */

#endif
