/* Values in and out of struct tr_config by its rows, and the order in which they are taken:
 * defaults, file, environment; then the rules between keys. */
#include "server/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/config_keys.h"

static void *field(struct tr_config *config, const struct tr_config_key *key)
{
    return (char *)config + key->offset;
}

const struct tr_config_key *tr_config_find(const char *path)
{
    for (const struct tr_config_key *key = tr_config_keys; key->path; key++)
        if (strcmp(key->path, path) == 0)
            return key;
    return NULL;
}

bool tr_config_is_section(const char *path)
{
    for (const struct tr_config_section *s = tr_config_sections; s->path; s++)
        if (strcmp(s->path, path) == 0)
            return true;
    return false;
}

void tr_config_problem(struct tr_config_problems *problems, const char *file, int line,
                       const char *key, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (problems->count++ >= TR_CONFIG_ERRORS_MAX || !problems->tell)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    problems->tell(problems->arg, file, line, key, text);
}

void tr_config_tell_file(void *arg, const char *file, int line, const char *key, const char *text)
{
    if (line > 0)
        fprintf(arg, "%s:%d: %s: %s\n", file, line, key, text);
    else
        fprintf(arg, "%s: %s: %s\n", *file ? file : "environment", key, text);
}

/* --- one value --- */

static const char *set_text(char **to, const char *text)
{
    char *copy = tr_strdup(text);
    if (!copy)
        return "memory is out";
    tr_free(*to);
    *to = copy;
    return NULL;
}

static const char *set_int(int64_t *to, const struct tr_config_key *key, const char *text,
                           char why[256])
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || !(isdigit((unsigned char)*text) || *text == '-'))
        return "is not a whole number";
    if (value < key->min || value > key->max) {
        if (key->max == INT64_MAX)
            snprintf(why, 256, "must be at least %" PRId64, key->min);
        else
            snprintf(why, 256, "must be between %" PRId64 " and %" PRId64, key->min, key->max);
        return why;
    }
    *to = value;
    return NULL;
}

static const char *set_bool(bool *to, const char *text)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return "must be true or false";
    *to = text[0] == 't';
    return NULL;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices; *p;) {
        size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, text, n) == 0)
            return true;
        p += len + (p[len] == '|');
    }
    return false;
}

/* The next character of UTF-8 (RFC 3629); false: it is none. */
static bool next_char(const unsigned char **p, uint32_t *c)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    int more = **p < 0x80 ? 0 : (**p & 0xe0) == 0xc0 ? 1 : (**p & 0xf0) == 0xe0 ? 2 : 3;
    if (more == 3 && (**p & 0xf8) != 0xf0)
        return false;
    *c = more ? **p & (0x3fu >> more) : **p;
    for (int i = 0; i < more; i++) {
        if ((*++*p & 0xc0) != 0x80)
            return false;
        *c = *c << 6 | (**p & 0x3f);
    }
    ++*p;
    return *c >= least[more] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
}

/* Characters that YAML cannot hold, or takes for the end of a line. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           c == 0xfffe || c == 0xffff;
}

/* What every text must be, as a value or an item of a list. */
static const char *check_text(const struct tr_config_key *key, const char *text, char why[256])
{
    const char *reason = NULL;
    if (strlen(text) > TR_CONFIG_TEXT_MAX)
        return "is too long";
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        uint32_t c;
        if (!next_char(&p, &c))
            return "is not UTF-8 text";
        if (is_control(c))
            return "has control characters";
    }
    if (key->choices && !is_choice(key->choices, text)) {
        snprintf(why, 256, "must be one of %s", key->choices);
        return why;
    }
    if (*text && key->check && !key->check(text, &reason)) {
        snprintf(why, 256, "\"%.60s\" %s", text, reason);
        return why;
    }
    return NULL;
}

void tr_config_clear(struct tr_config *config, const struct tr_config_key *key)
{
    struct tr_config_list *list = field(config, key);
    if (key->type != TR_CONFIG_LIST)
        return;
    for (int i = 0; i < list->count; i++)
        tr_free(list->items[i]);
    *list = (struct tr_config_list){ 0 };
}

const char *tr_config_append(struct tr_config *config, const struct tr_config_key *key,
                             const char *text, char why[256])
{
    struct tr_config_list *list = field(config, key);
    const char *wrong = *text ? check_text(key, text, why) : "has an empty item";
    if (wrong)
        return wrong;
    if (list->count == TR_CONFIG_LIST_MAX) {
        snprintf(why, 256, "has more than %d items", TR_CONFIG_LIST_MAX);
        return why;
    }
    wrong = set_text(&list->items[list->count], text);
    list->count += !wrong;
    return wrong;
}

/* Items separated by commas, with white space around them. */
static const char *set_list(struct tr_config *config, const struct tr_config_key *key,
                            const char *text, char why[256])
{
    tr_config_clear(config, key);
    while (*text) {
        char item[TR_CONFIG_TEXT_MAX + 1];
        size_t n = strcspn(text, ","), skip = strspn(text, " ");
        size_t len = n > skip ? n - skip : 0;
        while (len > 0 && text[skip + len - 1] == ' ')
            len--;
        if (len >= sizeof(item))
            return "is too long";
        memcpy(item, text + skip, len);
        item[len] = 0;
        const char *wrong = tr_config_append(config, key, item, why);
        if (wrong)
            return wrong;
        text += n + (text[n] == ',');
    }
    return NULL;
}

const char *tr_config_set(struct tr_config *config, const struct tr_config_key *key,
                          const char *text, char why[256])
{
    const char *wrong = NULL;
    switch (key->type) {
    case TR_CONFIG_INT: return set_int(field(config, key), key, text, why);
    case TR_CONFIG_BOOL: return set_bool(field(config, key), text);
    case TR_CONFIG_LIST: return set_list(config, key, text, why);
    case TR_CONFIG_TEXT:
    case TR_CONFIG_ENUM: wrong = check_text(key, text, why); break;
    }
    return wrong ? wrong : set_text(field(config, key), text);
}

/* --- the whole --- */

static enum tr_err set_defaults(struct tr_config *config)
{
    char why[256];
    *config = (struct tr_config){ 0 };
    for (const struct tr_config_key *key = tr_config_keys; key->path; key++)
        if (tr_config_set(config, key, key->initial, why))
            return TR_ERR_NOMEM; /* a test reads all defaults, so it is not the text */
    return TR_OK;
}

/* "http.port" -> "TRING_HTTP_PORT" */
static void env_name(char out[128], const char *path)
{
    int n = snprintf(out, 128, "TRING_%s", path);
    for (int i = 6; i < n && i < 127; i++)
        out[i] = path[i - 6] == '.' ? '_' : (char)toupper((unsigned char)path[i - 6]);
}

static const struct tr_config_key *key_of_env(const char *entry, size_t n)
{
    char name[128];
    for (const struct tr_config_key *key = tr_config_keys; key->path; key++) {
        env_name(name, key->path);
        if (strlen(name) == n && memcmp(name, entry, n) == 0)
            return key;
    }
    return NULL;
}

/* A name that begins as those of a section do is taken for a slip of the pen. */
static bool looks_like_ours(const char *entry, size_t n)
{
    char name[128];
    for (const struct tr_config_section *s = tr_config_sections; s->path; s++) {
        env_name(name, s->path);
        size_t len = strlen(name);
        if (n > len && entry[len] == '_' && memcmp(entry, name, len) == 0)
            return true;
    }
    return false;
}

static void take_env(struct tr_config *config, char *const *env,
                     struct tr_config_problems *problems)
{
    for (; env && *env; env++) {
        const char *equals = strchr(*env, '=');
        if (!equals || strncmp(*env, "TRING_", 6) != 0)
            continue;
        size_t n = (size_t)(equals - *env);
        char name[128], why[256];
        snprintf(name, sizeof(name), "%.*s", (int)n, *env);
        const struct tr_config_key *key = key_of_env(*env, n);
        const char *wrong = NULL;
        if (key)
            wrong = tr_config_set(config, key, equals + 1, why);
        else if (looks_like_ours(*env, n))
            wrong = "is not the name of a key";
        if (wrong)
            tr_config_problem(problems, "", 0, name, "%s", wrong);
    }
}

static void check_turn(const struct tr_config *config, const char *name,
                       struct tr_config_problems *problems)
{
    if (!*config->turn.tls_cert != !*config->turn.tls_key)
        tr_config_problem(problems, name, 0, "turn.tls_cert",
                          "needs turn.tls_key as well, and the other way round");
    if (config->turn.lifetime > config->turn.lifetime_max)
        tr_config_problem(problems, name, 0, "turn.lifetime", "is more than turn.lifetime_max");
    if (config->turn.max_port <= config->turn.min_port)
        tr_config_problem(problems, name, 0, "turn.max_port", "is not above turn.min_port");
}

static void check_rules(const struct tr_config *config, const char *name,
                        struct tr_config_problems *problems)
{
    if (!*config->http.tls_cert != !*config->http.tls_key)
        tr_config_problem(problems, name, 0, "http.tls_cert",
                          "needs http.tls_key as well, and the other way round");
    if (config->http.port != 0 && config->http.port == config->http.ws_port)
        tr_config_problem(problems, name, 0, "http.ws_port", "is the same as http.port");
    if (config->media.srtp_profiles.count == 0)
        tr_config_problem(problems, name, 0, "media.srtp_profiles", "must not be empty");
    check_turn(config, name, problems);
}

enum tr_err tr_config_parse(struct tr_config *config, const char *name, const char *text,
                            size_t size, char *const *env, struct tr_config_problems *problems)
{
    enum tr_err err = set_defaults(config);
    problems->count = 0;
    if (err == TR_OK && text)
        err = tr_config_yaml(config, name, text, size, problems);
    if (err != TR_OK)
        return err;
    take_env(config, env, problems);
    check_rules(config, name, problems);
    return problems->count > 0 ? TR_ERR_BADMSG : TR_OK;
}

enum tr_err tr_config_load(struct tr_config *config, const char *path, bool optional,
                           char *const *env, struct tr_config_problems *problems)
{
    *config = (struct tr_config){ 0 };
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file && (!path || (optional && errno == ENOENT)))
        return tr_config_parse(config, path ? path : "", NULL, 0, env, problems);
    char *text = tr_alloc(TR_CONFIG_FILE_MAX + 1);
    size_t n = file && text ? fread(text, 1, TR_CONFIG_FILE_MAX + 1, file) : 0;
    enum tr_err err = text ? TR_ERR_BADMSG : TR_ERR_NOMEM;
    if (!file || ferror(file)) {
        tr_config_problem(problems, path, 0, "file", "cannot be read: %s", strerrordesc_np(errno));
    } else if (n > TR_CONFIG_FILE_MAX) {
        tr_config_problem(problems, path, 0, "file", "is larger than %d bytes", TR_CONFIG_FILE_MAX);
    } else if (text) {
        err = tr_config_parse(config, path, text, n, env, problems);
    }
    if (file)
        fclose(file);
    tr_free(text);
    return err;
}

void tr_config_deinit(struct tr_config *config)
{
    for (const struct tr_config_key *key = tr_config_keys; key->path; key++) {
        tr_config_clear(config, key);
        if (key->type == TR_CONFIG_TEXT || key->type == TR_CONFIG_ENUM) {
            char **text = field(config, key);
            tr_free(*text);
            *text = NULL;
        }
    }
}
