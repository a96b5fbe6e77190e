/* Choosing a layer is looking which ones flow; taking it waits for its key frame. */
#include "media/layer.h"

void tr_layer_init(struct tr_layer_choice *c)
{
    *c = (struct tr_layer_choice){ .current = -1, .target = -1 };
}

void tr_layer_update(struct tr_layer_choice *c, tr_usec now, const tr_usec *last_us, int count,
                     int max, tr_usec fallback_us)
{
    int best = -1;
    for (int i = 0; i < count && (i <= max || best < 0); i++) {
        if (last_us[i] != 0 && now - last_us[i] <= fallback_us)
            best = i;
    }
    if (best >= 0) /* else nothing flows: keep what there is, the source may come back */
        c->target = best;
}

bool tr_layer_waits(const struct tr_layer_choice *c)
{
    return c->target >= 0 && c->target != c->current;
}

bool tr_layer_take(struct tr_layer_choice *c, int layer, bool keyframe, bool *switched)
{
    *switched = false;
    if (layer == c->current)
        return true;
    if (layer != c->target || !keyframe)
        return false;
    c->current = layer;
    *switched = true;
    return true;
}
