/* The file: two or three levels of mappings with scalars or lists at their ends. libyaml builds the
 * tree (with the line of every node); this walks it against the table. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "server/config_keys.h"

enum { PATH_MAX_CHARS = 128, PAIRS_MAX = 256 };

struct walk {
    struct tr_config *config;
    const char *name;
    yaml_document_t *doc;
    struct tr_config_problems *problems;
};

static int line_of(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

static const char *scalar(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL; /* a NUL inside */
}

static void take_list(struct walk *w, const struct tr_config_key *key, const yaml_node_t *node)
{
    char why[256];
    tr_config_clear(w->config, key);
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++) {
        const yaml_node_t *item = yaml_document_get_node(w->doc, *i);
        const char *text = item->type == YAML_SCALAR_NODE ? scalar(item) : NULL;
        const char *wrong = text ? tr_config_append(w->config, key, text, why) : "is not a text";
        if (wrong)
            tr_config_problem(w->problems, w->name, line_of(item), key->path, "%s", wrong);
    }
}

static bool is_null(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static void take_value(struct walk *w, const struct tr_config_key *key, const yaml_node_t *node)
{
    char why[256];
    const char *wrong = NULL;

    if (node->type == YAML_SEQUENCE_NODE && key->type == TR_CONFIG_LIST) {
        take_list(w, key, node);
        return;
    }
    if (node->type != YAML_SCALAR_NODE)
        wrong = key->type == TR_CONFIG_LIST ? "must be a list" : "must be a single value";
    else if (is_null(node))
        wrong = "has no value (remove the key for its default, or write \"\")";
    else if (key->type == TR_CONFIG_LIST)
        wrong = "must be a list such as [a, b]";
    else if (!scalar(node))
        wrong = "has control characters";
    else
        wrong = tr_config_set(w->config, key, scalar(node), why);
    if (wrong)
        tr_config_problem(w->problems, w->name, line_of(node), key->path, "%s", wrong);
}

static bool seen_before(const struct walk *w, const yaml_node_t *map, const yaml_node_pair_t *pair)
{
    const yaml_node_t *name = yaml_document_get_node(w->doc, pair->key);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *other = yaml_document_get_node(w->doc, p->key);
        if (other->type == YAML_SCALAR_NODE && strcmp((const char *)other->data.scalar.value,
                                                      (const char *)name->data.scalar.value) == 0)
            return true;
    }
    return false;
}

static void take_map(struct walk *w, const char *path, const yaml_node_t *map);

static void take_pair(struct walk *w, const char *path, const yaml_node_t *map,
                      const yaml_node_pair_t *pair)
{
    const yaml_node_t *name = yaml_document_get_node(w->doc, pair->key);
    const yaml_node_t *value = yaml_document_get_node(w->doc, pair->value);
    char full[PATH_MAX_CHARS];

    if (name->type != YAML_SCALAR_NODE || !scalar(name) || !*scalar(name)) {
        tr_config_problem(w->problems, w->name, line_of(name), *path ? path : "file",
                          "has a key that is not a text");
        return;
    }
    snprintf(full, sizeof(full), "%s%s%s", path, *path ? "." : "", scalar(name));
    const struct tr_config_key *key = tr_config_find(full);
    if (seen_before(w, map, pair))
        tr_config_problem(w->problems, w->name, line_of(name), full, "is there twice");
    else if (key)
        take_value(w, key, value);
    else if (!tr_config_is_section(full))
        tr_config_problem(w->problems, w->name, line_of(name), full, "is not a known key");
    else if (value->type == YAML_MAPPING_NODE)
        take_map(w, full, value);
    else if (value->type != YAML_SCALAR_NODE || !is_null(value))
        tr_config_problem(w->problems, w->name, line_of(value), full, "must have keys below it");
}

static void take_map(struct walk *w, const char *path, const yaml_node_t *map)
{
    int count = 0;
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        if (++count > PAIRS_MAX) {
            tr_config_problem(w->problems, w->name, line_of(map), *path ? path : "file",
                              "has too many keys");
            return;
        }
        take_pair(w, path, map, p);
    }
}

static void take_document(struct walk *w)
{
    const yaml_node_t *root = yaml_document_get_root_node(w->doc);
    if (!root || (root->type == YAML_SCALAR_NODE && is_null(root)))
        return; /* an empty file */
    if (root->type != YAML_MAPPING_NODE)
        tr_config_problem(w->problems, w->name, line_of(root), "file", "must be a mapping of keys");
    else
        take_map(w, "", root);
}

enum tr_err tr_config_yaml(struct tr_config *config, const char *name, const char *text,
                           size_t size, struct tr_config_problems *problems)
{
    yaml_parser_t parser;
    yaml_document_t doc;
    struct walk walk = { .config = config, .name = name, .doc = &doc, .problems = problems };

    if (!yaml_parser_initialize(&parser))
        return TR_ERR_NOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    if (yaml_parser_load(&parser, &doc)) {
        take_document(&walk);
        yaml_document_delete(&doc);
        if (yaml_parser_load(&parser, &doc)) {
            if (yaml_document_get_root_node(&doc))
                tr_config_problem(problems, name, (int)doc.start_mark.line + 1, "file",
                                  "has a second document");
            yaml_document_delete(&doc);
        }
    }
    if (parser.error != YAML_NO_ERROR)
        tr_config_problem(
            problems, name,
            (int)(parser.problem_mark.line ? parser.problem_mark.line : parser.context_mark.line) +
                1,
            "file", "is not YAML: %s", parser.problem ? parser.problem : "?");
    yaml_parser_delete(&parser);
    return TR_OK;
}
