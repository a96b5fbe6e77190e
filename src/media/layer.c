/* Choosing a layer is looking which ones flow; taking it waits for its key frame. */
#include "media/layer.h"

void tr_layer_init(struct tr_layer_choice *c)
{
    *c = (struct tr_layer_choice){ .current = -1, .target = -1 };
    tr_svc_want(&c->svc, TR_SVC_ALL, TR_SVC_ALL);
}

void tr_layer_limit_temporal(struct tr_layer_choice *c, int max)
{
    tr_svc_want(&c->svc, c->svc.want_spatial, max);
}

void tr_layer_update(struct tr_layer_choice *c, tr_usec now, const tr_usec *last_us, int count,
                     int max, tr_usec fallback_us)
{
    int best = -1;
    for (int i = 0; i < count && (i <= max || best < 0); i++) {
        if (last_us[i] != 0 && now - last_us[i] <= fallback_us)
            best = i;
    }
    tr_svc_want(&c->svc, count == 1 && max < TR_LAYER_MAX ? max : TR_SVC_ALL, c->svc.want_temporal);
    if (best >= 0) /* else nothing flows: keep what there is, the source may come back */
        c->target = best;
}

bool tr_layer_waits(const struct tr_layer_choice *c)
{
    return c->target >= 0 && (c->target != c->current || tr_svc_needs_keyframe(&c->svc));
}

bool tr_layer_take(struct tr_layer_choice *c, const struct tr_rtp_meta *m,
                   const struct tr_rtp_dd *dd, bool starts, struct tr_layer_out *out)
{
    *out = (struct tr_layer_out){ .switched = m->layer != c->current };
    if (out->switched) {
        if (m->layer != c->target || !starts)
            return false;
        c->current = m->layer;
        tr_svc_begin(&c->svc);
    }
    return tr_svc_take(&c->svc, m, dd, &out->svc);
}
