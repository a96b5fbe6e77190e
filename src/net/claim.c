/* One map under one mutex. The HMAC is computed with the lock released, on a copy of the password;
 * so between look-up and take-over the entry may change, and the second look decides. */
#include "net/claim.h"

#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct claim {
    int owner;
    void *peer;
    char pwd[TR_CLAIM_PWD_MAX + 1];
};

struct tr_claims {
    pthread_mutex_t lock;
    struct tr_map *map;
};

struct tr_claims *tr_claims_create(uint32_t max, uint64_t seed)
{
    struct tr_claims *claims = tr_alloc(sizeof *claims);
    if (!claims)
        return NULL;
    pthread_mutex_init(&claims->lock, NULL);
    claims->map = tr_map_create(max, seed);
    if (!claims->map) {
        tr_claims_destroy(claims);
        return NULL;
    }
    return claims;
}

void tr_claims_destroy(struct tr_claims *claims)
{
    if (!claims)
        return;
    uint32_t cursor = 0;
    struct tr_slice key;
    void *value;
    while (claims->map && tr_map_next(claims->map, &cursor, &key, &value))
        tr_free(value);
    tr_map_destroy(claims->map);
    pthread_mutex_destroy(&claims->lock);
    tr_free(claims);
}

enum tr_err tr_claims_add(struct tr_claims *claims, struct tr_slice ufrag, const char *pwd,
                          int owner, void *peer)
{
    if (strlen(pwd) > TR_CLAIM_PWD_MAX)
        return TR_ERR_INVAL;
    struct claim *claim = tr_alloc(sizeof *claim);
    if (!claim)
        return TR_ERR_NOMEM;
    claim->owner = owner;
    claim->peer = peer;
    memcpy(claim->pwd, pwd, strlen(pwd) + 1);
    pthread_mutex_lock(&claims->lock);
    enum tr_err err = tr_map_add(claims->map, ufrag, claim);
    pthread_mutex_unlock(&claims->lock);
    if (err != TR_OK)
        tr_free(claim);
    return err;
}

static bool copy_password(struct tr_claims *claims, struct tr_slice ufrag,
                          char pwd[TR_CLAIM_PWD_MAX + 1])
{
    pthread_mutex_lock(&claims->lock);
    const struct claim *claim = tr_map_get(claims->map, ufrag);
    if (claim)
        memcpy(pwd, claim->pwd, sizeof claim->pwd);
    pthread_mutex_unlock(&claims->lock);
    return claim != NULL;
}

enum tr_err tr_claims_take(struct tr_claims *claims, struct tr_slice ufrag, int worker,
                           bool (*proof)(void *arg, const char *pwd), void *arg,
                           struct tr_claim_result *result)
{
    char pwd[TR_CLAIM_PWD_MAX + 1];
    *result = (struct tr_claim_result){ .owner = TR_CLAIM_NOBODY };
    if (!copy_password(claims, ufrag, pwd))
        return TR_ERR_NOTFOUND;
    if (!proof(arg, pwd))
        return TR_ERR_AUTH;
    pthread_mutex_lock(&claims->lock);
    struct claim *claim = tr_map_get(claims->map, ufrag);
    bool same = claim && strcmp(claim->pwd, pwd) == 0;
    if (same && claim->owner == TR_CLAIM_NOBODY) {
        claim->owner = worker;
        result->peer = claim->peer;
        claim->peer = NULL;
    }
    if (same)
        result->owner = claim->owner;
    pthread_mutex_unlock(&claims->lock);
    return same ? TR_OK : TR_ERR_NOTFOUND;
}

void *tr_claims_remove(struct tr_claims *claims, struct tr_slice ufrag)
{
    pthread_mutex_lock(&claims->lock);
    struct claim *claim = tr_map_remove(claims->map, ufrag);
    pthread_mutex_unlock(&claims->lock);
    void *peer = claim && claim->owner == TR_CLAIM_NOBODY ? claim->peer : NULL;
    tr_free(claim);
    return peer;
}
