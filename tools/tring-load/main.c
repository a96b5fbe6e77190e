/* tring-load: see options.c for what it takes, report.c for what it prints. */
#include <stdio.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "tring-load/load.h"

/* Media over UDP and TCP, WebSocket or two of HTTP; the rest. */
enum { FILES_A_CLIENT = 3 + TCP_STREAMS_MAX + 1, FILES_BESIDE = 64 };

/* Where the system grants less, clients fail for want of sockets. */
static void set_file_limit(const struct load_options *o)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)o->clients * FILES_A_CLIENT + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
        return;
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct load *l = tr_alloc(sizeof *l);
    if (!l)
        return 2;
    enum load_parsed parsed = load_options_parse(&l->options, argc, argv);
    if (parsed == LOAD_HELP)
        load_options_help();
    if (parsed != LOAD_RUN) {
        tr_free(l);
        return parsed == LOAD_HELP ? 0 : 2;
    }
    set_file_limit(&l->options);
    bool ran = load_run(l);
    if (ran) {
        json_t *report = load_report(l);
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        puts("");
        json_decref(report);
    } else {
        fputs("tring-load: out of memory or descriptors\n", stderr);
    }
    int status = ran && l->with_media == l->options.clients ? 0 : 1;
    load_deinit(l);
    tr_free(l);
    return status;
}
