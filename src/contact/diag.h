/* The reports of /diag: a browser hands one in and gets a short code for it; an admin reads it by
 * that code. Control thread.
 *
 *   POST /api/v1/diag-reports        main port, anybody: application/json, at most
 *                                    TR_REPORT_BODY_MAX; one address may send one in
 *                                    TR_DIAG_INTERVAL_US
 *   GET  /api/v1/diag-reports[/CODE] Admin port, with Authorization: Bearer <admin secret>
 *
 * How long and how many are kept: store/reports.h. Of the sender's address only its network is. */
#ifndef TR_DIAG_H
#define TR_DIAG_H

#include <stdint.h>

#include "base/err.h"
#include "base/time.h"

struct tr_diag;
struct tr_gateway;
struct tr_rng;
struct tr_routes;
struct tr_sql;

enum {
    TR_DIAG_BURST = 6,      /* reports of one address at once */
    TR_DIAG_ALL_BURST = 60, /* of all addresses together; then one in TR_DIAG_ALL_INTERVAL_US */
    TR_DIAG_SOURCES_MAX = 10000, /* addresses that are remembered */
};
#define TR_DIAG_INTERVAL_US (20 * TR_SECOND)
#define TR_DIAG_ALL_INTERVAL_US TR_SECOND

struct tr_diag_conf {
    struct tr_gateway *gw; /* knows the Admin secret; borrowed, as are the next four */
    struct tr_sql *db;
    struct tr_rng *rng;
    struct tr_routes *routes;
    struct tr_routes *admin_routes;
    int64_t (*unix_us)(void);
};

struct tr_diag_counters {
    uint64_t kept, refused_rate, refused_bad, failed;
};

/* Makes or updates its table and adds its routes. */
TR_MUST_USE enum tr_err tr_diag_create(struct tr_diag **diag, const struct tr_diag_conf *conf);
void tr_diag_destroy(struct tr_diag *diag); /* NULL is fine */
void tr_diag_counters(const struct tr_diag *diag, struct tr_diag_counters *out);

#endif
