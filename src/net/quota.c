/* Whoever holds allocations has an entry in one table, keyed by the digest of its kind and name, so
 * that long names cost no more than short ones. The entry goes with the last allocation. */
#include "net/quota.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

enum { HOLDERS_MAX = 1 << 21, KIND_CREDENTIAL = 'c', KIND_ADDRESS = 'a' };

struct bucket {
    int64_t left; /* bytes */
    tr_usec at;   /* 0: not used yet, so full */
};

struct holder {
    uint8_t key[SHA256_DIGEST_LENGTH];
    uint32_t count;
    struct bucket bytes;
};

struct share {
    struct holder *credential, *address;
};

struct tr_quota {
    pthread_mutex_t lock;
    struct tr_quota_conf conf;
    struct tr_map *holders;
    uint32_t count;
    struct bucket bytes;
};

struct tr_quota *tr_quota_create(const struct tr_quota_conf *conf)
{
    struct tr_quota *q = tr_alloc(sizeof *q);
    if (!q)
        return NULL;
    q->conf = *conf;
    q->holders = tr_map_create(HOLDERS_MAX, conf->seed);
    if (!q->holders) {
        tr_free(q);
        return NULL;
    }
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

void tr_quota_destroy(struct tr_quota *q)
{
    if (!q)
        return;
    TR_ASSERT(q->count == 0);
    pthread_mutex_destroy(&q->lock);
    tr_map_destroy(q->holders);
    tr_free(q);
}

static void digest(uint8_t kind, struct tr_slice name, uint8_t out[SHA256_DIGEST_LENGTH])
{
    uint8_t said[513] = { kind };
    size_t n = name.n < sizeof said - 1 ? name.n : sizeof said - 1;
    if (n > 0)
        memcpy(said + 1, name.p, n);
    SHA256(said, n + 1, out);
}

/* The entry with one more; LIMIT: it has as many as it may. */
static enum tr_err hold(struct tr_quota *q, uint8_t kind, struct tr_slice name, uint32_t max,
                        struct holder **out)
{
    uint8_t key[SHA256_DIGEST_LENGTH];
    digest(kind, name, key);
    struct holder *h = tr_map_get(q->holders, tr_slice(key, sizeof key));
    if (!h) {
        h = tr_alloc(sizeof *h);
        if (!h)
            return TR_ERR_NOMEM;
        memcpy(h->key, key, sizeof key);
        enum tr_err err = tr_map_add(q->holders, tr_slice(key, sizeof key), h);
        if (err != TR_OK) {
            tr_free(h);
            return err;
        }
    }
    if (max > 0 && h->count >= max)
        return TR_ERR_LIMIT;
    h->count++;
    *out = h;
    return TR_OK;
}

static void release(struct tr_quota *q, struct holder *h)
{
    if (!h || --h->count > 0)
        return;
    tr_map_remove(q->holders, tr_slice(h->key, sizeof h->key));
    tr_free(h);
}

enum tr_err tr_quota_take(void *quota, struct tr_slice credential, const struct tr_addr *client,
                          void **out)
{
    struct tr_quota *q = quota;
    struct share *s = tr_alloc(sizeof *s);
    size_t n = tr_addr_is_v4(client) ? 16 : 8;
    enum tr_err err = s ? TR_OK : TR_ERR_NOMEM;
    pthread_mutex_lock(&q->lock);
    if (err == TR_OK && q->conf.total > 0 && q->count >= q->conf.total)
        err = TR_ERR_LIMIT;
    if (err == TR_OK)
        err = hold(q, KIND_CREDENTIAL, credential, q->conf.per_credential, &s->credential);
    if (err == TR_OK)
        err = hold(q, KIND_ADDRESS, tr_slice(client->ip, n), q->conf.per_address, &s->address);
    if (err == TR_OK)
        q->count++;
    else if (s)
        release(q, s->credential);
    pthread_mutex_unlock(&q->lock);
    if (err != TR_OK) {
        tr_free(s);
        return err;
    }
    *out = s;
    return TR_OK;
}

void tr_quota_give(void *quota, void *share)
{
    struct tr_quota *q = quota;
    struct share *s = share;
    if (!s)
        return;
    pthread_mutex_lock(&q->lock);
    release(q, s->credential);
    release(q, s->address);
    q->count--;
    pthread_mutex_unlock(&q->lock);
    tr_free(s);
}

/* Fills the bucket by time, a second's worth at most, and says what is in it. */
static int64_t fill(struct bucket *b, tr_usec now, uint64_t bps)
{
    int64_t max = (int64_t)(bps / 8);
    tr_usec since = b->at ? tr_usec_min(now > b->at ? now - b->at : 0, TR_SECOND) : TR_SECOND;
    b->left += (int64_t)((double)max * (double)since / (double)TR_SECOND);
    if (b->left > max)
        b->left = max;
    b->at = now > b->at ? now : b->at; /* threads' clocks differ by a turn */
    return b->left;
}

uint32_t tr_quota_draw(void *quota, void *share, tr_usec now, uint32_t bytes)
{
    struct tr_quota *q = quota;
    struct share *s = share;
    int64_t n = bytes;
    if (q->conf.credential_bps == 0 && q->conf.node_bps == 0)
        return bytes;
    pthread_mutex_lock(&q->lock);
    if (q->conf.credential_bps > 0) {
        int64_t left = fill(&s->credential->bytes, now, q->conf.credential_bps);
        n = left < n ? left : n;
    }
    if (q->conf.node_bps > 0) {
        int64_t left = fill(&q->bytes, now, q->conf.node_bps);
        n = left < n ? left : n;
    }
    n = n < 0 ? 0 : n;
    s->credential->bytes.left -= q->conf.credential_bps > 0 ? n : 0;
    q->bytes.left -= q->conf.node_bps > 0 ? n : 0;
    pthread_mutex_unlock(&q->lock);
    return (uint32_t)n;
}
