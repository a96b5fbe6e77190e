/* The system calls of the journal, behind a table so that tests can inject ENOSPC, EIO and short
 * writes at any call. Every function returns a value >= 0, or a negated errno. */
#ifndef TR_RECORD_FILEOPS_H
#define TR_RECORD_FILEOPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tr_file_ops {
    int (*mkdir)(const struct tr_file_ops *ops, const char *path);  /* existing is fine */
    int (*create)(const struct tr_file_ops *ops, const char *path); /* the fd; must not exist yet */
    ssize_t (*write)(const struct tr_file_ops *ops, int fd, const void *p, size_t n);
    int (*reserve)(const struct tr_file_ops *ops, int fd, int64_t off,
                   int64_t n); /* keeps the size */
    int (*truncate)(const struct tr_file_ops *ops, int fd, int64_t size);
    int (*sync)(const struct tr_file_ops *ops, int fd); /* data only */
    int (*close)(const struct tr_file_ops *ops, int fd);
    int (*rename)(const struct tr_file_ops *ops, const char *from, const char *to);
    int (*sync_dir)(const struct tr_file_ops *ops, const char *dir);
};

extern const struct tr_file_ops tr_file_ops_system;

#endif
