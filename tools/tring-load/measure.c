/* Percentiles, and the reading of /proc. There, CPU time is told in ticks of 10 ms, which is coarse
 * for a server that does little. The sum is taken from the process's own clock; the ticks say how
 * it is shared between user and system. */
#include "tring-load/measure.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"

void hist_add(struct hist *h, tr_usec us)
{
    tr_usec bucket = us < 0 ? 0 : us / HIST_STEP_US;
    h->buckets[bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1]++;
    h->count++;
    if (us > h->max)
        h->max = us;
}

tr_usec hist_percentile(const struct hist *h, double share)
{
    uint64_t wanted = (uint64_t)((double)h->count * share), seen = 0;
    for (int i = 0; i < HIST_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > wanted)
            return i + 1 < HIST_BUCKETS ? (tr_usec)(i + 1) * HIST_STEP_US : h->max;
    }
    return h->max;
}

json_t *hist_json(const struct hist *h)
{
    if (h->count == 0)
        return json_null();
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "p50", (json_int_t)hist_percentile(h, 0.5), "p90",
                     (json_int_t)hist_percentile(h, 0.9), "p99",
                     (json_int_t)hist_percentile(h, 0.99), "p999",
                     (json_int_t)hist_percentile(h, 0.999), "max", (json_int_t)h->max);
}

static int by_value(const void *a, const void *b)
{
    tr_usec x = *(const tr_usec *)a, y = *(const tr_usec *)b;
    return x < y ? -1 : x > y;
}

static double ms_at(const struct times *t, int count, double share)
{
    int i = (int)(share * count);
    return (double)t->us[i < count ? i : count - 1] / 1000;
}

json_t *times_json(struct times *t)
{
    int reached = 0;
    qsort(t->us, (size_t)t->count, sizeof *t->us, by_value);
    while (reached < t->count && t->us[reached] != TR_NEVER)
        reached++;
    if (reached == 0)
        return json_null();
    return json_pack("{s:f,s:f,s:f,s:f}", "p50", ms_at(t, reached, 0.5), "p90",
                     ms_at(t, reached, 0.9), "p99", ms_at(t, reached, 0.99), "max",
                     ms_at(t, reached, 1));
}

/* --- processes and the machine --- */

static bool read_text(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(text, 1, size - 1, f);
    text[n] = '\0';
    fclose(f);
    return n > 0;
}

/* "pid (name) state ..." where the name may hold anything: look for its last parenthesis. */
static bool read_stat(struct process *p, pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_text(path, text, sizeof text))
        return false;
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close)
        return false;
    snprintf(p->name, sizeof p->name, "%.*s", (int)(close - open - 1), open + 1);
    char *field = close + 2; /* the third */
    for (int i = 3; i < 14 && field; i++) {
        field = strchr(field, ' ');
        field += field != NULL;
    }
    if (!field)
        return false;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    p->user_s = (double)strtoull(field, &field, 10) / ticks;
    p->system_s = (double)strtoull(field, NULL, 10) / ticks;
    p->cpu_s = p->user_s + p->system_s;
    int64_t us = tr_clock_cpu_us(pid);
    if (us >= 0)
        p->cpu_s = (double)us / TR_SECOND;
    return true;
}

static long long field_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static void read_threads(struct process *p, pid_t pid)
{
    char path[400], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)pid, e->d_name);
        if (!read_text(path, text, sizeof text))
            continue;
        p->voluntary += (uint64_t)field_of(text, "\nvoluntary_ctxt_switches:");
        p->involuntary += (uint64_t)field_of(text, "\nnonvoluntary_ctxt_switches:");
    }
    if (dir)
        closedir(dir);
}

void process_read(struct process *p, pid_t pid)
{
    char path[64], text[4096];
    *p = (struct process){ 0 };
    if (pid <= 0 || !read_stat(p, pid))
        return;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (read_text(path, text, sizeof text))
        p->rss_kib = (long)field_of(text, "\nVmRSS:");
    read_threads(p, pid);
    p->known = true;
}

/* "cpu user nice system idle iowait irq softirq steal ..." in ticks. */
double machine_busy_s(void)
{
    enum { FIELDS = 8, IDLE = 3, IOWAIT = 4 };
    char text[1024], *at = text + strlen("cpu");
    uint64_t busy = 0;
    if (!read_text("/proc/stat", text, sizeof text) || strncmp(text, "cpu ", 4) != 0)
        return -1;
    for (int i = 0; i < FIELDS; i++) {
        uint64_t ticks = strtoull(at, &at, 10);
        busy += i == IDLE || i == IOWAIT ? 0 : ticks;
    }
    return (double)busy / (double)sysconf(_SC_CLK_TCK);
}
