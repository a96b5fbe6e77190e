/* The command line of `tring`. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/log.h"
#include "net/signals.h"
#include "server/alone.h"
#include "server/config.h"
#include "server/server.h"
#include "server/version.h"

enum {
    EXIT_USAGE = 2,
    EXE_MAX = 1024,
    FILES_BESIDE = 8192 /* open files beside connections: journals, media, database, pages */
};

extern char **environ;

struct options {
    const char *config;
    const char *data;
    bool print_config, check_config;
    bool relay; /* `tring turn` */
};

static void usage(FILE *out)
{
    fputs(
        "Usage: tring [turn] [OPTION]...\n"
        "WebRTC calls on your own server. With turn: its STUN and TURN relay alone.\n"
        "\n"
        "  --config FILE    the configuration (default: tring.yaml here or /etc/tring/tring.yaml,\n"
        "                   if there is one)\n"
        "  --data DIR       folder for database and recordings (server.data_dir)\n"
        "  --check-config   say what is wrong with the configuration, and end\n"
        "  --print-config   print every key with its default or present value, and end\n"
        "  --version, --help\n"
        "\n"
        "Each key can be set by the environment as well: http.port by TRING_HTTP_PORT.\n",
        out);
}

/* The value of an option; ends the program when there is none. */
static const char *value_of(int argc, char **argv, int *i)
{
    if (*i + 1 < argc)
        return argv[++*i];
    fprintf(stderr, "tring: %s needs a value\n", argv[*i]);
    exit(EXIT_USAGE);
}

static struct options parse(int argc, char **argv)
{
    struct options o = { 0 };
    for (int i = 1; i < argc; i++) {
        if (i == 1 && strcmp(argv[i], "turn") == 0)
            o.relay = true;
        else if (strcmp(argv[i], "--config") == 0)
            o.config = value_of(argc, argv, &i);
        else if (strcmp(argv[i], "--data") == 0)
            o.data = value_of(argc, argv, &i);
        else if (strcmp(argv[i], "--check-config") == 0)
            o.check_config = true;
        else if (strcmp(argv[i], "--print-config") == 0)
            o.print_config = true;
        else if (strcmp(argv[i], "--version") == 0) {
            puts("tring " TRING_VERSION);
            exit(EXIT_SUCCESS);
        } else if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            exit(EXIT_SUCCESS);
        } else {
            fprintf(stderr, "tring: unknown option %s\n", argv[i]);
            usage(stderr);
            exit(EXIT_USAGE);
        }
    }
    return o;
}

static const char *config_file(const struct options *o)
{
    static const char *const places[] = { "tring.yaml", "/etc/tring/tring.yaml" };
    if (o->config)
        return o->config;
    for (size_t i = 0; i < 2; i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return NULL;
}

static enum tr_err load(const struct options *o, struct tr_config *config)
{
    struct tr_config_problems problems = { .tell = tr_config_tell_file, .arg = stderr };
    /* The option is one more override, so it takes the way of the others. */
    if (o->data)
        setenv("TRING_SERVER_DATA_DIR", o->data, 1);
    return tr_config_load(config, config_file(o), false, environ, &problems);
}

static void exe_dir(char out[EXE_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, EXE_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
    else
        memcpy(out, ".", 2);
}

static void asked_to_stop(void *arg, int count)
{
    if (count > 1)
        _exit(EXIT_FAILURE); /* asked twice: now */
    tr_server_stop(arg);
}

static void asked_to_look(void *arg)
{
    tr_server_look(arg);
}

/* As many open files as the configuration asks for: with the usual 1024, a thousand idle
 * connections would leave none for a recording. Not more either, as the web library makes a table
 * of them. Where the system gives less, connections get half of it. */
static void set_file_limit(struct tr_config *config)
{
    struct rlimit limit;
    int64_t *connections = &config->http.connections_max;
    rlim_t need = (rlim_t)*connections + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == need)
        return;
    if (*connections > (int64_t)(limit.rlim_cur / 2))
        *connections = (int64_t)(limit.rlim_cur / 2);
    tr_log(
        TR_LOG_WARN, "server",
        "only %llu files may be open, so %lld connections at most; raise LimitNOFILE or ulimit -n",
        (unsigned long long)limit.rlim_cur, (long long)*connections);
}

static int run(struct tr_config *config, bool alone)
{
    struct tr_server *server;
    struct tr_signals *signals;
    const char *why = "";
    char exe[EXE_MAX];
    enum tr_log_level level = TR_LOG_INFO;
    if (tr_log_parse_level(config->server.log_level, &level))
        tr_log_set_level(level);
    set_file_limit(config);
    if (alone)
        return tr_relay_alone(config);
    exe_dir(exe);
    tr_signals_block();
    if (tr_server_create(&server, config, exe, &why) != TR_OK) {
        fprintf(stderr, "tring: %s\n", why);
        return EXIT_FAILURE;
    }
    const struct tr_signals_conf on_signals = { asked_to_stop, asked_to_look, server };
    if (tr_signals_start(&signals, &on_signals) != TR_OK) {
        tr_server_destroy(server);
        return EXIT_FAILURE;
    }
    printf("Tring " TRING_VERSION " is ready: http://localhost:%d/  (Ctrl-C ends it)\n",
           tr_server_port(server));
    fflush(stdout);
    tr_server_run(server);
    tr_signals_stop(signals);
    tr_server_destroy(server);
    puts("Tring has ended.");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct tr_config config;
    int status = EXIT_USAGE;
    if (load(&o, &config) == TR_OK) {
        if (o.print_config)
            tr_config_print(stdout, &config);
        status = o.print_config || o.check_config ? EXIT_SUCCESS : run(&config, o.relay);
    }
    tr_config_deinit(&config);
    return status;
}
