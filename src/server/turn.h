/* The `turn` section at work: what the relay of the media engine is given, and the ICE servers that
 * clients of this server are told of. Control thread. */
#ifndef TR_SERVER_TURN_H
#define TR_SERVER_TURN_H

#include <stdbool.h>

#include "base/err.h"

struct tr_certs;
struct tr_config;
struct tr_http_request;
struct tr_media;
struct tr_media_conf;
struct tr_metrics;
struct tr_rng;
struct tr_turn_service;

/* Fills conf->turn, for tr_media_create; the rest of conf is set already. certs: tells it of a new
 * certificate as long as both live. alone: there is no media.
 * *service NULL: TURN is off. On error *why says what to do about it (static). */
TR_MUST_USE enum tr_err tr_turn_service_create(struct tr_turn_service **service,
                                               const struct tr_config *config, struct tr_rng *rng,
                                               struct tr_certs *certs, bool alone,
                                               struct tr_media_conf *conf, const char **why);
void tr_turn_service_destroy(struct tr_turn_service *service); /* after the engine; NULL is fine */
void tr_turn_service_media(struct tr_turn_service *service, struct tr_media *media);
/* GET /api/v1/ice-servers; arg: the service, or NULL: there is none. */
void tr_turn_service_ice_servers(void *arg, const struct tr_http_request *request);
void tr_turn_service_metrics(const struct tr_turn_service *service, struct tr_metrics *m);

#endif
