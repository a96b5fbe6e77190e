/* The reader of whole journals: maps each segment read-only, sorts them by (epoch, number) of the
 * header (name for those whose header is damaged), and walks them with tr_scan. Mapping instead of
 * reading lets the renderer keep an index of slices over hours of media without copies.
 *
 * Another epoch may be another machine with another monotonic clock: its times are moved onto the
 * first epoch's by the wall clock of the headers. */
#include "record/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct file {
    void *map; /* NULL: empty file */
    size_t size;
    unsigned name_number; /* from the file's name, 0 when it has none */
    struct tr_segment head;
    bool has_head;
    tr_usec back_us; /* taken from recv_us */
};

struct tr_reader {
    struct file *files;
    uint32_t count;
    uint32_t size;
    uint32_t at; /* the file that is scanned */
    bool scanning;
    struct tr_scan scan;
    struct tr_reader_stats stats;
};

static enum tr_err map_file(struct file *f, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    enum tr_err err = TR_ERR_IO;
    if (fd < 0)
        return err;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        f->size = (size_t)st.st_size;
        if (f->size)
            f->map = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (f->map == MAP_FAILED)
            f->map = NULL;
        else
            err = TR_OK;
    }
    close(fd);
    return err;
}

static enum tr_err add_file(struct tr_reader *r, const char *path)
{
    if (r->count == TR_READER_SEGMENTS_MAX)
        return TR_ERR_LIMIT;
    if (r->count == r->size) {
        uint32_t size = r->size ? r->size * 2 : 16;
        struct file *files = tr_realloc(r->files, size * sizeof(*files));
        if (!files)
            return TR_ERR_NOMEM;
        r->files = files;
        r->size = size;
    }
    struct file *f = &r->files[r->count];
    memset(f, 0, sizeof(*f));
    const char *name = strrchr(path, '/');
    if (!tr_journal_segment(name ? name + 1 : path, &f->name_number))
        f->name_number = 0;
    enum tr_err err = map_file(f, path);
    if (err)
        return err;
    struct tr_scan scan;
    tr_scan_init(&scan, tr_slice(f->map, f->size));
    f->head = scan.segment;
    f->has_head = scan.has_header;
    r->count++;
    return TR_OK;
}

static enum tr_err add_dir(struct tr_reader *r, const char *path)
{
    DIR *d = opendir(path);
    enum tr_err err = d ? TR_OK : TR_ERR_IO;
    for (struct dirent *e; d && !err && (e = readdir(d));) {
        uint32_t number;
        char full[TR_JOURNAL_PATH_MAX + 300];
        if (!tr_journal_segment(e->d_name, &number))
            continue;
        snprintf(full, sizeof(full), "%s/%s", path, e->d_name);
        err = add_file(r, full);
    }
    if (d)
        closedir(d);
    return err;
}

static int by_order(const void *a, const void *b)
{
    const struct file *x = a, *y = b;
    uint64_t ex = x->head.epoch, ey = y->head.epoch;
    uint32_t nx = x->has_head ? x->head.number : x->name_number;
    uint32_t ny = y->has_head ? y->head.number : y->name_number;
    if (x->has_head && y->has_head && ex != ey)
        return ex < ey ? -1 : 1;
    return (nx > ny) - (nx < ny);
}

/* Wraps instead of overflowing: the numbers come from files. */
static int64_t sub64(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* One call, and which numbers are missing in between. */
static enum tr_err check_order(struct tr_reader *r)
{
    const struct file *prev = NULL, *first = NULL;
    for (uint32_t i = 0; i < r->count; i++) {
        struct file *f = &r->files[i];
        if (!f->has_head)
            continue;
        first = first ? first : f;
        if (f->head.epoch != first->head.epoch)
            f->back_us = sub64(sub64(f->head.mono0_us, first->head.mono0_us),
                               sub64(f->head.wall0_us, first->head.wall0_us));
        if (prev && memcmp(prev->head.call, f->head.call, sizeof(f->head.call)) != 0)
            return TR_ERR_PROTO;
        if (prev && prev->head.epoch == f->head.epoch && f->head.number > prev->head.number + 1)
            r->stats.missing += f->head.number - prev->head.number - 1;
        r->stats.e2ee |= (f->head.flags & TR_JOURNAL_E2EE) != 0;
        prev = f;
    }
    return TR_OK;
}

enum tr_err tr_reader_open(struct tr_reader **out, const char *const *paths, uint32_t count)
{
    struct tr_reader *r = tr_alloc(sizeof(*r));
    if (!r)
        return TR_ERR_NOMEM;
    enum tr_err err = TR_OK;
    for (uint32_t i = 0; i < count && !err; i++) {
        struct stat st;
        if (strlen(paths[i]) >= TR_JOURNAL_PATH_MAX)
            err = TR_ERR_LIMIT;
        else if (stat(paths[i], &st) != 0)
            err = errno == ENOENT || errno == ENOTDIR ? TR_ERR_NOTFOUND : TR_ERR_IO;
        else
            err = S_ISDIR(st.st_mode) ? add_dir(r, paths[i]) : add_file(r, paths[i]);
    }
    if (!err && r->count == 0)
        err = TR_ERR_NOTFOUND;
    if (!err) {
        qsort(r->files, r->count, sizeof(*r->files), by_order);
        r->stats.segments = r->count;
        err = check_order(r);
    }
    if (err) {
        tr_reader_close(r);
        return err;
    }
    *out = r;
    return TR_OK;
}

void tr_reader_close(struct tr_reader *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->files[i].map)
            munmap(r->files[i].map, r->files[i].size);
    }
    tr_free(r->files);
    tr_free(r);
}

bool tr_reader_next(struct tr_reader *r, struct tr_record *rec)
{
    while (r->at < r->count) {
        if (!r->scanning) {
            tr_scan_init(&r->scan, tr_slice(r->files[r->at].map, r->files[r->at].size));
            r->scanning = true;
        }
        if (tr_scan_next(&r->scan, rec)) {
            rec->recv_us = sub64(rec->recv_us, r->files[r->at].back_us);
            return true;
        }
        r->stats.records += r->scan.records;
        r->stats.holes += r->scan.holes;
        r->stats.hole_bytes += r->scan.hole_bytes;
        r->stats.closed = r->scan.closed;
        r->scanning = false;
        r->at++;
    }
    return false;
}

void tr_reader_rewind(struct tr_reader *r)
{
    r->at = 0;
    r->scanning = false;
    r->stats.records = r->stats.holes = r->stats.hole_bytes = 0;
    r->stats.closed = false;
}

struct tr_reader_stats tr_reader_stats(const struct tr_reader *r)
{
    return r->stats;
}

bool tr_reader_segment(const struct tr_reader *r, struct tr_segment *segment)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (r->files[i].has_head) {
            *segment = r->files[i].head;
            return true;
        }
    }
    return false;
}
