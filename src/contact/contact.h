/* The support desk, first part: the log of calls between customers and agents, their recordings,
 * and the HTTP API under /api that the agent page reads. Control thread.
 *
 * Who may read: one that brings the agent key (Authorization: Bearer); where there is no key, a
 * client on loopback that asks for this machine by its own name and that no proxy stands in front
 * of. Recordings are also served to whoever has a signed link
 * (POST /api/calls/<id>/recording-link), which lasts TR_CONTACT_LINK_US. */
#ifndef TR_CONTACT_H
#define TR_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "plugin/videocall.h"

struct tr_contact;
struct tr_gateway;
struct tr_ops;
struct tr_recorder;
struct tr_rng;
struct tr_routes;
struct tr_sql;

#define TR_CONTACT_LINK_US (3600 * TR_SECOND)

struct tr_contact_conf {
    struct tr_gateway *gw; /* for /api/status; borrowed, as are the next four */
    struct tr_sql *db;
    struct tr_recorder *recorder; /* NULL: nothing is recorded */
    struct tr_rng *rng;
    struct tr_routes *routes;
    struct tr_ops *ops; /* is told which connections a call has; NULL: nobody is */
    int64_t (*unix_us)(void);
    bool record_calls;
    const char *agent_key; /* NULL, "": loopback only */
    const char *version;
};

/* Adds its routes. The observer is for tr_videocall_create. */
TR_MUST_USE enum tr_err tr_contact_create(struct tr_contact **contact,
                                          const struct tr_contact_conf *conf);
void tr_contact_destroy(struct tr_contact *contact); /* NULL is fine */
const struct tr_call_observer *tr_contact_observer(const struct tr_contact *contact);

#endif
