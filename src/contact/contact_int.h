/* What the log of calls (contact.c) and its HTTP API (api.c) share. Inside of src/contact. */
#ifndef TR_CONTACT_INT_H
#define TR_CONTACT_INT_H

#include <stdint.h>

#include "contact/contact.h"
#include "gateway/transport/routes.h"

struct tr_map;

struct tr_contact {
    struct tr_contact_conf conf; /* texts point to the two below */
    char *agent_key;
    char *version;
    struct tr_map *calls; /* of now, by the plugin's number */
    struct tr_call_observer observer;
    uint8_t link_key[32]; /* signs links to recordings; another one after each start */
    int64_t started_us;
};

/* Adds the rows of /api. */
TR_MUST_USE enum tr_err tr_contact_routes(struct tr_contact *c);
/* May this request read what the agents may? */
bool tr_contact_allowed(const struct tr_contact *c, const struct tr_http_request *request);

#endif
