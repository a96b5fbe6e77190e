/* tring-render: a call's journal becomes a WebM file that plays everywhere; or is a file whole?
 *
 *   tring-render [-o OUT.webm] [--layout side-by-side|grid] [--height 480] [--fps 25]
 *                [--audio mix|split] [--threads N] [--progress-fd N] [--json] JOURNAL...
 *     (libvpx's threads wait for each other by spinning: more than one only helps an idle machine)
 *   tring-render --mjr DIR JOURNAL...      a .mjr file of each track, for Janus' tools
 *   tring-render --verify FILE [--expect-ms N] [--json]
 *
 * Exit: 0 done; 1 failed, may work another time (disk full); 2 wrong usage; 3 never will (no
 * journal, encrypted, nothing recorded). */
#include <getopt.h>
#include <libavutil/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "record/render/compose.h"
#include "record/render/limits.h"
#include "record/mjr.h"
#include "record/reader.h"
#include "record/render/verify.h"

enum exit_code { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_NEVER };
enum { BAR_WIDTH = 40 };

struct args {
    struct rn_options opt;
    const char *verify;
    const char *mjr; /* only make .mjr files, in this folder */
    long expect_ms;
    bool json, quiet;
    int progress_fd; /* -1: none */
    bool tty;
};

static void usage(FILE *f)
{
    fputs("usage: tring-render [-o OUT.webm] [--height 480] [--fps 25] [--audio mix|split]\n"
          "                    [--layout side-by-side|grid] [--threads N] [--progress-fd N]\n"
          "                    [--json] [-q] JOURNAL_DIR_OR_FILE...\n"
          "       tring-render --mjr DIR JOURNAL_DIR_OR_FILE...\n"
          "       tring-render --verify FILE [--expect-ms N] [--json]\n",
          f);
}

static void show_progress(void *user, double percent)
{
    const struct args *a = user;
    if (a->progress_fd >= 0)
        dprintf(a->progress_fd, "progress %.1f\n", percent);
    if (a->quiet)
        return;
    if (!a->tty) {
        fprintf(stderr, "%.1f %%\n", percent);
        return;
    }
    int full = (int)(percent * BAR_WIDTH / 100);
    fprintf(stderr, "\r[%.*s%*s] %5.1f %%%s", full, "########################################",
            BAR_WIDTH - full, "", percent, percent >= 100 ? "\n" : "");
}

static bool number(const char *text, long min, long max, long *out)
{
    char *end;
    *out = strtol(text, &end, 10);
    return *text && !*end && *out >= min && *out <= max;
}

/* One option; false: its value is wrong. */
static bool option(struct args *a, int c, const char *value)
{
    long n = 0;
    bool ok = true;
    switch (c) {
    case 'o': a->opt.out = value; break;
    case 'l': return strcmp(value, "side-by-side") == 0 || strcmp(value, "grid") == 0;
    case 'H':
        ok = number(value, RN_HEIGHT_MIN, RN_HEIGHT_MAX, &n);
        a->opt.height = (int)n;
        break;
    case 'f':
        ok = number(value, 1, RN_FPS_MAX, &n);
        a->opt.fps = (int)n;
        break;
    case 'a':
        a->opt.audio = strcmp(value, "split") == 0 ? RN_AUDIO_SPLIT : RN_AUDIO_MIX;
        return strcmp(value, "split") == 0 || strcmp(value, "mix") == 0;
    case 't':
        ok = number(value, 1, 16, &n);
        a->opt.threads = (int)n;
        break;
    case 'p':
        ok = number(value, 0, 255, &n);
        a->progress_fd = (int)n;
        break;
    case 'm': a->mjr = value; break;
    case 'v': a->verify = value; break;
    case 'e': ok = number(value, 0, 1L << 40, &a->expect_ms); break;
    case 'j': a->json = true; break;
    case 'q': a->quiet = true; break;
    default: return false;
    }
    return ok;
}

static bool parse(struct args *a, int argc, char **argv)
{
    static const struct option longs[] = {
        { "output", required_argument, NULL, 'o' },
        { "layout", required_argument, NULL, 'l' },
        { "height", required_argument, NULL, 'H' },
        { "fps", required_argument, NULL, 'f' },
        { "audio", required_argument, NULL, 'a' },
        { "threads", required_argument, NULL, 't' },
        { "mjr", required_argument, NULL, 'm' },
        { "verify", required_argument, NULL, 'v' },
        { "progress-fd", required_argument, NULL, 'p' },
        { "expect-ms", required_argument, NULL, 'e' },
        { "json", no_argument, NULL, 'j' },
        { "quiet", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c;
    while ((c = getopt_long(argc, argv, "o:qh", longs, NULL)) >= 0) {
        if (c == 'h') {
            usage(stdout);
            exit(EXIT_DONE);
        }
        if (!option(a, c, optarg))
            return false;
    }
    return a->verify ? optind == argc : optind < argc;
}

static int64_t cpu_ms(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static int verify(const struct args *a)
{
    struct rn_verify v;
    char reason[160];
    enum tr_err err = rn_verify(a->verify, a->expect_ms, &v, reason, sizeof(reason));
    if (a->json)
        printf("{\"ok\":%s,\"video_ms\":%lld,\"audio_ms\":%lld,\"video_frames\":%llu,"
               "\"audio_frames\":%llu,\"width\":%d,\"height\":%d}\n",
               err ? "false" : "true", (long long)v.video_ms, (long long)v.audio_ms,
               (unsigned long long)v.video_frames, (unsigned long long)v.audio_frames, v.width,
               v.height);
    if (err)
        fprintf(stderr, "tring-render: %s: %s\n", a->verify, reason);
    return err ? EXIT_FAILED : EXIT_DONE;
}

/* They come beside the product: it is made whatever becomes of them, and the journal is kept. */
static enum tr_err write_mjr(const struct args *a, const char *const *paths, uint32_t count)
{
    struct tr_reader *reader = NULL;
    const char *failed = NULL;
    uint32_t files = 0;
    enum tr_err err = tr_reader_open(&reader, paths, count);
    if (err == TR_OK)
        err = tr_mjr_export(reader, a->mjr, &files, &failed);
    tr_reader_close(reader);
    if (err != TR_OK)
        fprintf(stderr, "tring-render: %s: %s\n", failed ? failed : paths[0], tr_err_str(err));
    else if (a->mjr && !a->quiet)
        fprintf(stderr, "%u files in %s\n", files, a->mjr);
    return err;
}

static int render(struct args *a, const char *const *paths, uint32_t count)
{
    static struct tr_manifest m;
    struct rn_call *call = NULL;
    char reason[160];
    enum tr_err err = rn_load(&call, paths, count);
    if (err) {
        fprintf(stderr, "tring-render: %s: %s\n", paths[0], tr_err_str(err));
        return err == TR_ERR_NOMEM || err == TR_ERR_IO ? EXIT_FAILED : EXIT_NEVER;
    }
    write_mjr(a, paths, count);
    rn_limits_cpu(call->end_us - call->start_us);
    err = rn_compose(call, &a->opt, &m, reason, sizeof(reason));
    rn_call_free(call);
    if (err) {
        fprintf(stderr, "tring-render: %s: %s %s\n", a->opt.out, tr_err_str(err), reason);
        return EXIT_FAILED;
    }
    m.cpu_ms = cpu_ms();
    char *line = a->json ? tr_manifest_encode(&m) : NULL;
    if (line)
        puts(line);
    free(line); /* tidy: allow free - jansson hands out malloc memory */
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct args a = { .opt = { .out = "call.webm", .height = 480, .fps = 25, .threads = 1 },
                      .expect_ms = -1,
                      .progress_fd = -1,
                      .tty = isatty(STDERR_FILENO) };
    a.opt.progress = show_progress;
    a.opt.user = &a;
    if (!parse(&a, argc, argv)) {
        usage(stderr);
        return EXIT_USAGE;
    }
    rn_limits_start();
    av_log_set_level(AV_LOG_QUIET); /* damaged media is expected, and counted */
    if (a.verify)
        return verify(&a);
    if (a.mjr)
        return write_mjr(&a, (const char *const *)argv + optind, (uint32_t)(argc - optind)) == TR_OK
                   ? EXIT_DONE
                   : EXIT_FAILED;
    return render(&a, (const char *const *)argv + optind, (uint32_t)(argc - optind));
}
