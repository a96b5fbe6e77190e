/* The configuration as a file that documents itself. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "server/config_keys.h"

enum { WIDTH = 96 };

static void print_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/* A comment, broken at words. */
static void print_comment(FILE *out, int indent, const char *text)
{
    int column = WIDTH;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column + 1 + n >= WIDTH) {
            if (column != WIDTH)
                fputc('\n', out);
            column = fprintf(out, "%*s#", indent, "");
        }
        column += fprintf(out, " %.*s", n, text);
        text += n + (text[n] == ' ');
    }
    fputc('\n', out);
}

static void print_list(FILE *out, const struct tr_config_list *list)
{
    fputc('[', out);
    for (int i = 0; i < list->count; i++) {
        fputs(i ? ", " : "", out);
        print_quoted(out, list->items[i]);
    }
    fputc(']', out);
}

static void print_value(FILE *out, const struct tr_config *config, const struct tr_config_key *key)
{
    const void *at = (const char *)config + key->offset;
    switch (key->type) {
    case TR_CONFIG_INT: fprintf(out, "%" PRId64, *(const int64_t *)at); break;
    case TR_CONFIG_BOOL: fputs(*(const bool *)at ? "true" : "false", out); break;
    case TR_CONFIG_ENUM: fputs(*(char *const *)at, out); break;
    case TR_CONFIG_TEXT: print_quoted(out, *(char *const *)at); break;
    case TR_CONFIG_LIST: print_list(out, at); break;
    }
}

static void print_key(FILE *out, const struct tr_config *config, const struct tr_config_key *key)
{
    const char *name = strrchr(key->path, '.') + 1;
    int indent = strchr(key->path, '.') + 1 == name ? 2 : 4;
    char facts[512];

    if (key->type == TR_CONFIG_INT && key->max != INT64_MAX)
        snprintf(facts, sizeof(facts), "%s (%" PRId64 " to %" PRId64 ")", key->doc, key->min,
                 key->max);
    else if (key->choices)
        snprintf(facts, sizeof(facts), "%s (%s)", key->doc, key->choices);
    else
        snprintf(facts, sizeof(facts), "%s", key->doc);
    print_comment(out, indent, facts);
    fprintf(out, "%*s%s: ", indent, "", name);
    print_value(out, config, key);
    fputc('\n', out);
}

static bool belongs(const struct tr_config_key *key, const char *section)
{
    size_t n = strlen(section);
    return strncmp(key->path, section, n) == 0 && key->path[n] == '.' &&
           !strchr(key->path + n + 1, '.');
}

void tr_config_print(FILE *out, const struct tr_config *config)
{
    struct tr_config defaults = { 0 };
    struct tr_config_problems problems = { 0 };

    if (!config && tr_config_load(&defaults, NULL, true, NULL, &problems) != TR_OK) {
        tr_config_deinit(&defaults);
        return;
    }
    fputs("# Tring's configuration. Every key can be left out; it then has the value shown by\n"
          "# `tring --print-config`. The environment overrides the file: http.port is\n"
          "# TRING_HTTP_PORT; items of lists are separated by commas there.\n",
          out);
    for (const struct tr_config_section *s = tr_config_sections; s->path; s++) {
        const char *dot = strchr(s->path, '.');
        fputc('\n', out);
        print_comment(out, dot ? 2 : 0, s->doc);
        fprintf(out, "%s%s:\n", dot ? "  " : "", dot ? dot + 1 : s->path);
        for (const struct tr_config_key *key = tr_config_keys; key->path; key++)
            if (belongs(key, s->path))
                print_key(out, config ? config : &defaults, key);
    }
    tr_config_deinit(&defaults);
}
