/* The rows of the configuration; see config.h. Shared by its reader and its writer. */
#ifndef TR_CONFIG_KEYS_H
#define TR_CONFIG_KEYS_H

#include "server/config.h"

enum tr_config_type {
    TR_CONFIG_TEXT,
    TR_CONFIG_INT,
    TR_CONFIG_BOOL,
    TR_CONFIG_ENUM,
    TR_CONFIG_LIST
};

struct tr_config_key {
    const char *path; /* "http.port"; sections are in one piece, in the order of the file */
    enum tr_config_type type;
    size_t offset;       /* in struct tr_config */
    const char *initial; /* as text; a list's items are separated by commas */
    int64_t min, max;    /* INT */
    const char *choices; /* ENUM, and each item of a LIST: names separated by '|'; NULL: any */
    bool (*check)(const char *value, const char **why); /* of a text or an item that is not empty */
    const char *doc;
};

struct tr_config_section {
    const char *path;
    const char *doc;
};

extern const struct tr_config_key tr_config_keys[]; /* path NULL ends it */
extern const struct tr_config_section tr_config_sections[];

/* Sets the value of a key from text; NULL, or what is wrong (static or in why_buffer). */
const char *tr_config_set(struct tr_config *config, const struct tr_config_key *key,
                          const char *text, char why_buffer[256]);
/* Appends to a list; the same result. */
const char *tr_config_append(struct tr_config *config, const struct tr_config_key *key,
                             const char *text, char why_buffer[256]);
void tr_config_clear(struct tr_config *config, const struct tr_config_key *key); /* to empty */
const struct tr_config_key *tr_config_find(const char *path);
bool tr_config_is_section(const char *path);
void tr_config_problem(struct tr_config_problems *problems, const char *file, int line,
                       const char *key, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Reads YAML text into config (config_yaml.c). NOMEM or OK; problems are told. */
TR_MUST_USE enum tr_err tr_config_yaml(struct tr_config *config, const char *name, const char *text,
                                       size_t size, struct tr_config_problems *problems);

#endif
