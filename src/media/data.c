/* Data channels, the part of the control thread. */
#include "media/data.h"

enum tr_err tr_media_data_open(struct tr_media *media, tr_id peer, const struct tr_data_conf *conf)
{
    (void)media, (void)peer, (void)conf;
    return TR_OK;
}

tr_id tr_media_data_route(struct tr_media *media, tr_id from, tr_id to,
                          const struct tr_data_route_conf *conf)
{
    (void)media, (void)from, (void)to, (void)conf;
    return 0;
}

void tr_media_data_route_pause(struct tr_media *media, tr_id route, bool paused)
{
    (void)media, (void)route, (void)paused;
}

void tr_media_data_route_remove(struct tr_media *media, tr_id route)
{
    (void)media, (void)route;
}

enum tr_err tr_media_data_send(struct tr_media *media, tr_id peer,
                               const struct tr_data_message *message)
{
    (void)media, (void)peer, (void)message;
    return TR_ERR_NOTFOUND;
}

void tr_media_data_listen(struct tr_media *media, tr_id peer, bool on)
{
    (void)media, (void)peer, (void)on;
}
