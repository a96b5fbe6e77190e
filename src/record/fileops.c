/* The system's calls behind tr_file_ops: each retries EINTR and turns -1 into a negated errno. */
#include "record/fileops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int result(int r)
{
    return r < 0 ? -errno : r;
}

static int sys_mkdir(const struct tr_file_ops *ops, const char *path)
{
    int r = result(mkdir(path, 0750));
    return r == -EEXIST ? 0 : r;
}

static int sys_create(const struct tr_file_ops *ops, const char *path)
{
    return result(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
}

static ssize_t sys_write(const struct tr_file_ops *ops, int fd, const void *p, size_t n)
{
    for (;;) {
        ssize_t r = write(fd, p, n);
        if (r >= 0)
            return r;
        if (errno != EINTR)
            return -errno;
    }
}

static int sys_reserve(const struct tr_file_ops *ops, int fd, int64_t off, int64_t n)
{
    return result(fallocate(fd, FALLOC_FL_KEEP_SIZE, off, n));
}

static int sys_truncate(const struct tr_file_ops *ops, int fd, int64_t size)
{
    return result(ftruncate(fd, size));
}

static int sys_sync(const struct tr_file_ops *ops, int fd)
{
    return result(fdatasync(fd));
}

static int sys_close(const struct tr_file_ops *ops, int fd)
{
    return result(close(fd));
}

static int sys_rename(const struct tr_file_ops *ops, const char *from, const char *to)
{
    return result(rename(from, to));
}

static int sys_sync_dir(const struct tr_file_ops *ops, const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = result(fsync(fd));
    close(fd);
    return r;
}

const struct tr_file_ops tr_file_ops_system = {
    .mkdir = sys_mkdir,
    .create = sys_create,
    .write = sys_write,
    .reserve = sys_reserve,
    .truncate = sys_truncate,
    .sync = sys_sync,
    .close = sys_close,
    .rename = sys_rename,
    .sync_dir = sys_sync_dir,
};
