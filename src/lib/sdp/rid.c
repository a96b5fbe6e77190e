/* a=rid (RFC 8851) and a=simulcast (RFC 8853). The lists are kept flat: one entry a rid, in order,
 * each with the number of the stream that it is an alternative of. */
#include <string.h>

#include "sdp/parse_int.h"

static bool rid_ok(const char *rid)
{
    return tr_sdp_length_ok(rid, 1, TR_SDP_RID_LEN_MAX) && tr_sdp_all_of(rid, "-_");
}

enum tr_err tr_sdp_attr_rid(struct tr_sdp_parse *ps, char *value)
{
    struct tr_sdp_media *m = ps->media;
    char *rid = tr_sdp_word(&value, ' ');
    char *dir = rid ? tr_sdp_word(&value, ' ') : NULL;
    bool send = dir && !strcmp(dir, "send");
    if (!dir || !rid_ok(rid) || (!send && strcmp(dir, "recv") != 0))
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "The SDP has a malformed a=rid");
    if (m->rid_count == TR_SDP_RID_MAX)
        return tr_sdp_fail(ps, TR_ERR_LIMIT, "An m-line of the SDP has too many rids");
    m->rids = tr_sdp_grow(ps->arena, m->rids, m->rid_count, sizeof *m->rids);
    if (!m->rids)
        return TR_ERR_NOMEM;
    m->rids[m->rid_count++] =
        (struct tr_sdp_rid){ .rid = rid, .dir = send ? TR_SDP_SEND : TR_SDP_RECV };
    return TR_OK;
}

static enum tr_err layer_add(struct tr_sdp_parse *ps, struct tr_sdp_layer **list, uint8_t *count,
                             char *rid, uint8_t stream)
{
    bool paused = *rid == '~';
    rid += paused;
    if (!rid_ok(rid))
        return tr_sdp_fail(ps, TR_ERR_BADMSG, "The SDP has a malformed a=simulcast");
    if (*count == TR_SDP_LAYER_MAX)
        return tr_sdp_fail(ps, TR_ERR_LIMIT, "An m-line of the SDP has too many simulcast layers");
    *list = tr_sdp_grow(ps->arena, *list, *count, sizeof **list);
    if (!*list)
        return TR_ERR_NOMEM;
    (*list)[(*count)++] = (struct tr_sdp_layer){ .rid = rid, .stream = stream, .paused = paused };
    return TR_OK;
}

/* "h;~m,q;l": streams by ';', alternatives of one by ','. */
static enum tr_err layers(struct tr_sdp_parse *ps, struct tr_sdp_layer **list, uint8_t *count,
                          char *text)
{
    uint8_t stream = 0;
    if (!strncmp(text, "rid=", 4)) /* an early draft's spelling, still sent by old browsers */
        text += 4;
    for (char *alternatives; (alternatives = tr_sdp_word(&text, ';')); stream++) {
        for (char *rid; (rid = tr_sdp_word(&alternatives, ','));) {
            enum tr_err err = layer_add(ps, list, count, rid, stream);
            if (err)
                return err;
        }
    }
    return TR_OK;
}

enum tr_err tr_sdp_attr_simulcast(struct tr_sdp_parse *ps, char *value)
{
    struct tr_sdp_media *m = ps->media;
    if (m->send_count || m->recv_count)
        return TR_OK;
    for (char *dir; (dir = tr_sdp_word(&value, ' '));) {
        char *list = tr_sdp_word(&value, ' ');
        bool send = !strcmp(dir, "send");
        if (!list || (!send && strcmp(dir, "recv") != 0) || (send ? m->send_count : m->recv_count))
            return tr_sdp_fail(ps, TR_ERR_BADMSG, "The SDP has a malformed a=simulcast");
        enum tr_err err = send ? layers(ps, &m->send, &m->send_count, list)
                               : layers(ps, &m->recv, &m->recv_count, list);
        if (err)
            return err;
    }
    return TR_OK;
}
