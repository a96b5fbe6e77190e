/* Any file and any environment either give a configuration or problems that can be shown; what was
 * taken is within its bounds and survives --print-config.
 * Input: the text of the file; after a NUL, entries of the environment with a NUL between them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "server/config_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 8 };

static void told(void *arg, const char *file, int line, const char *key, const char *text)
{
    TR_ASSERT(*key && *text && line >= 0);
    *(int *)arg += 1;
}

static void check_values(const struct tr_config *config)
{
    for (const struct tr_config_key *key = tr_config_keys; key->path; key++) {
        const void *at = (const char *)config + key->offset;
        const struct tr_config_list *list = at;
        if (key->type == TR_CONFIG_INT)
            TR_ASSERT(*(const int64_t *)at >= key->min && *(const int64_t *)at <= key->max);
        else if (key->type == TR_CONFIG_LIST)
            TR_ASSERT(list->count >= 0 && list->count <= TR_CONFIG_LIST_MAX);
        else if (key->type != TR_CONFIG_BOOL)
            TR_ASSERT(strlen(*(char *const *)at) <= TR_CONFIG_TEXT_MAX);
    }
}

static char *print(const struct tr_config *config, size_t *n)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, n);
    TR_ASSERT(out);
    tr_config_print(out, config);
    fclose(out);
    return text;
}

static void check_print(const struct tr_config *config)
{
    struct tr_config again;
    struct tr_config_problems problems = { 0 };
    size_t n, m;
    char *first = print(config, &n);
    TR_ASSERT(tr_config_parse(&again, "printed", first, n, NULL, &problems) == TR_OK);
    char *second = print(&again, &m);
    TR_ASSERT(n == m && memcmp(first, second, n) == 0);
    tr_config_deinit(&again);
    free(first);  /* tidy: allow free - stdio hands out malloc memory */
    free(second); /* tidy: allow free - stdio hands out malloc memory */
}

/* Cuts the copy at its NULs; the number of the entries. */
static void split(char *text, size_t n, char *env[ENTRIES_MAX + 1])
{
    int count = 0;
    for (char *end = text + n; text < end && count < ENTRIES_MAX; text += strlen(text) + 1)
        env[count++] = text;
    env[count] = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tr_config config;
    char *env[ENTRIES_MAX + 1] = { NULL };
    int count = 0;
    struct tr_config_problems problems = { .tell = told, .arg = &count };
    size_t before = tr_mem_in_use();
    char *copy = tr_alloc(size + 1);
    if (size)
        memcpy(copy, data, size);
    size_t text = strlen(copy);
    if (text < size)
        split(copy + text + 1, size - text - 1, env);
    enum tr_err err = tr_config_parse(&config, "fuzz", copy, text, env, &problems);
    TR_ASSERT((err == TR_OK) == (problems.count == 0));
    TR_ASSERT(count ==
              (problems.count < TR_CONFIG_ERRORS_MAX ? problems.count : TR_CONFIG_ERRORS_MAX));
    check_values(&config);
    if (err == TR_OK)
        check_print(&config);
    tr_config_deinit(&config);
    tr_free(copy);
    TR_ASSERT(tr_mem_in_use() == before);
    return 0;
}
