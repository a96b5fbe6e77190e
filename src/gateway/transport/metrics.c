/* See metrics.h. Label values come from our own tables; they are escaped all the same. */
#include "gateway/transport/metrics.h"

void tr_metrics_family(struct tr_metrics *m, const char *name, const char *type, const char *help)
{
    tr_wr_fmt(&m->w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void tr_metrics_sample(struct tr_metrics *m, const char *name, const char *label, const char *value,
                       double number)
{
    tr_wr_str(&m->w, name);
    if (label) {
        tr_wr_fmt(&m->w, "{%s=\"", label);
        for (; *value; value++) {
            if (*value == '"' || *value == '\\')
                tr_wr_u8(&m->w, '\\');
            if (*value == '\n')
                tr_wr_str(&m->w, "\\n");
            else
                tr_wr_u8(&m->w, (uint8_t)*value);
        }
        tr_wr_str(&m->w, "\"}");
    }
    tr_wr_fmt(&m->w, " %.17g\n", number);
}

void tr_metrics_one(struct tr_metrics *m, const char *name, const char *type, const char *help,
                    double number)
{
    tr_metrics_family(m, name, type, help);
    tr_metrics_sample(m, name, NULL, NULL, number);
}
