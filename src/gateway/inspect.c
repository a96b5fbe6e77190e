/* See inspect.h. Wrong Admin secrets are counted by source address: a few may be tried at once,
 * then one a second. What comes meanwhile is refused unread, or the limit would be none. */
#include "gateway/inspect.h"

#include <string.h>

#include "gateway/core.h"

void tr_gateway_observe(struct tr_gateway *gw, const struct tr_gateway_observer *observer)
{
    gw->observer = observer ? *observer : (struct tr_gateway_observer){ 0 };
}

void tr_handle_facts(const struct tr_handle *handle, struct tr_handle_facts *out)
{
    const struct tr_session *s = handle->session;
    *out = (struct tr_handle_facts){
        .session = s->id,
        .handle = handle->id,
        .plugin = handle->plugin->ops->package,
        .opaque_id = handle->opaque_id,
        .transport = s->transport,
        .created = handle->created,
        .up = handle->up,
        .peer = handle->peer,
    };
    if (s->client)
        out->client = s->client->addr;
}

json_t *tr_handle_query(struct tr_handle *handle)
{
    struct tr_plugin *plugin = handle->plugin;
    json_t *specific = plugin->ops->query ? plugin->ops->query(plugin, handle) : NULL;
    return specific ? specific : json_object();
}

void tr_gateway_each_handle(struct tr_gateway *gw,
                            bool (*each)(void *arg, struct tr_handle *handle), void *arg)
{
    for (const struct tr_session *s = TAILQ_FIRST(&gw->sessions); s; s = TAILQ_NEXT(s, of_gateway))
        for (struct tr_handle *h = TAILQ_FIRST(&s->handles); h; h = TAILQ_NEXT(h, of_session))
            if (!each(arg, h))
                return;
}

enum tr_err tr_gateway_admin_check(struct tr_gateway *gw, const struct tr_addr *from,
                                   const char *secret, tr_usec now)
{
    const char *right = gw->conf.admin_secret;

    if (tr_ratelimit_spent(gw->wrong_secrets, from, now)) {
        gw->counters.auth_failures++;
        return TR_ERR_LIMIT;
    }
    if (*right && secret && tr_secret_equal(right, secret))
        return TR_OK;
    gw->counters.auth_failures++;
    if (secret)
        (void)tr_ratelimit_take(gw->wrong_secrets, from, now);
    return TR_ERR_AUTH;
}
