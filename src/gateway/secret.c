/* The Admin secret of a server that was given none: made once, kept in a file that only its owner
 * reads. The file is made whole under another name first, so that a crash leaves no half secret. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gateway/secret.h"

enum { SECRET_CHARS = 32, SECRET_FILE_MAX = 256 };

/* The first line of an existing file. NOTFOUND; BADMSG: empty or too long. */
static enum tr_err read_secret(int dir, const char *name, char **secret)
{
    char text[SECRET_FILE_MAX + 1];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return errno == ENOENT ? TR_ERR_NOTFOUND : TR_ERR_IO;
    ssize_t n = read(fd, text, SECRET_FILE_MAX);
    close(fd);
    if (n < 0)
        return TR_ERR_IO;
    text[n] = 0;
    text[strcspn(text, "\r\n")] = 0;
    if (!text[0] || n == SECRET_FILE_MAX)
        return TR_ERR_BADMSG;
    *secret = tr_strdup(text);
    explicit_bzero(text, sizeof(text));
    return *secret ? TR_OK : TR_ERR_NOMEM;
}

static enum tr_err write_secret(int dir, const char *name, const char *secret)
{
    char part[NAME_MAX + 1];
    if (snprintf(part, sizeof(part), "%s.part", name) >= (int)sizeof(part))
        return TR_ERR_INVAL;
    unlinkat(dir, part, 0);
    int fd = openat(dir, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return TR_ERR_IO;
    char line[SECRET_CHARS + 2];
    int n = snprintf(line, sizeof(line), "%s\n", secret);
    bool ok = write(fd, line, (size_t)n) == n && fsync(fd) == 0;
    explicit_bzero(line, sizeof(line));
    ok = close(fd) == 0 && ok;
    if (ok && renameat(dir, part, dir, name) == 0)
        return TR_OK;
    unlinkat(dir, part, 0);
    return TR_ERR_IO;
}

enum tr_err tr_gateway_secret_file(const char *folder, const char *name, struct tr_rng *rng,
                                   char **secret)
{
    *secret = NULL;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return TR_ERR_IO;
    enum tr_err err = read_secret(dir, name, secret);
    if (err == TR_ERR_NOTFOUND) {
        char *fresh = tr_alloc(SECRET_CHARS + 1);
        err = TR_ERR_NOMEM;
        if (fresh) {
            tr_rng_ice_chars(rng, fresh, SECRET_CHARS);
            err = write_secret(dir, name, fresh);
        }
        if (err == TR_OK)
            *secret = fresh;
        else
            tr_free(fresh);
    }
    close(dir);
    return err;
}
