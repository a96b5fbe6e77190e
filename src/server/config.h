/* The configuration of the server: one documented YAML file, overridden by the environment.
 *
 * Every key is a row of one table (config_keys.c): path, type, default, bounds, text. Reading,
 * --print-config, --check-config and TRING_* variables all come from it. Unknown keys, duplicates
 * and bad values are errors that name file, line and key; all of them are told. */
#ifndef TR_CONFIG_H
#define TR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum {
    TR_CONFIG_LIST_MAX = 16,
    TR_CONFIG_TEXT_MAX = 1024, /* bytes of one value */
    TR_CONFIG_FILE_MAX = 256 * 1024,
    TR_CONFIG_ERRORS_MAX = 32 /* further ones are counted only */
};

struct tr_config_list {
    int count;
    char *items[TR_CONFIG_LIST_MAX];
};

struct tr_config { /* texts are never NULL; "" is "not set" */
    struct {
        char *name;
        char *data_dir;
        char *log_level; /* error, warn, info, debug */
    } server;
    struct {
        char *listen; /* "" all addresses */
        int64_t port, ws_port;
        char *base_path;
        char *allow_origin;
        bool enforce_cors;
        int64_t body_max, connections_max;
        int64_t tls_port, tls_ws_port;
        char *tls_cert, *tls_key;
        struct tr_config_list trusted_proxies;
    } http;
    struct {
        char *listen;
        int64_t port;
        char *base_path;
        char *secret; /* "": made at the first start and kept in data_dir */
    } admin;
    struct {
        char *secret;
        bool token_auth;
        char *token_auth_secret;
        int64_t session_timeout, reclaim_session_timeout, candidates_timeout; /* seconds */
        bool opaqueid_in_api, hide_dependencies;
        int64_t sessions_max, handles_per_session_max, events_max;
        int64_t rate_per_second, rate_burst;
    } api;
    struct {
        int64_t port, tcp_port;     /* tcp_port -1: as port; 0: none */
        struct tr_config_list bind; /* empty: all addresses of this machine */
        struct tr_config_list nat_1_1_mapping;
        bool keep_private_host;
        char *stun_server; /* "host:port" */
        int64_t workers;   /* 0: one for each core but one */
        int64_t consent;   /* seconds */
        struct tr_config_list srtp_profiles;
        int64_t packets_max;
        bool gso;
        int64_t coalesce; /* microseconds */
    } media;
    struct {
        bool enabled;
        struct tr_config_list bind; /* empty: as media.bind */
        int64_t port, other_port, tls_port;
        struct tr_config_list tls_ports;
        char *tls_cert, *tls_key;
        char *host, *realm;
        struct tr_config_list users, secrets;
        char *peers; /* own, public */
        struct tr_config_list allow_peers, deny_peers;
        int64_t min_port, max_port;
        int64_t allocations_max, allocations_per_address, allocations_per_credential;
        int64_t allocation_bps, allocation_pps, credential_bps, node_bps;
        int64_t unproven_per_second;
        int64_t lifetime, lifetime_max, credential_life; /* seconds */
        bool mobility;
    } turn;
    struct {
        char *admin_key, *mjr_dir, *demo_secret;
        bool lock_rtp_forward, string_ids, demo_room;
        struct tr_config_list rooms; /* JSON */
        int64_t rooms_max, participants_max;
    } videoroom;
    struct {
        bool calls;             /* record every call of the support desk */
        char *dir;              /* "": data_dir/recordings */
        int64_t keep_originals; /* hours */
        int64_t disk_min_free;  /* bytes */
        struct {
            char *path; /* "": tring-render beside tring */
            int64_t nice, threads, fps, height;
        } render;
    } recording;
    struct {
        char *root;
        char *agent_key;
    } web;
    struct {
        int64_t keep_days, keep_max; /* summaries of connections */
    } ops;
};

/* Where the problems go: one call each. file "" and line 0: from the environment. */
struct tr_config_problems {
    void (*tell)(void *arg, const char *file, int line, const char *key, const char *text);
    void *arg;
    int count;
};

/* Fills *config: defaults, then the file (NULL or absent when `optional`), then `env` ("NAME=value"
 * strings, NULL at the end; NULL: none).
 * BADMSG: problems were told; NOMEM. *config is to be deinited in every case. */
TR_MUST_USE enum tr_err tr_config_load(struct tr_config *config, const char *path, bool optional,
                                       char *const *env, struct tr_config_problems *problems);
/* The same from text in memory; name is the file name for messages. */
TR_MUST_USE enum tr_err tr_config_parse(struct tr_config *config, const char *name,
                                        const char *text, size_t size, char *const *env,
                                        struct tr_config_problems *problems);
void tr_config_deinit(struct tr_config *config);
/* All keys with their texts as YAML that reads back to the same. NULL: the defaults. */
void tr_config_print(FILE *out, const struct tr_config *config);
/* A `tell` that writes "file:line: key: text" to a FILE * (arg). */
void tr_config_tell_file(void *arg, const char *file, int line, const char *key, const char *text);

#endif
