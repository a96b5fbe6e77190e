/* flock() on a file of its own: a lock on the database would be SQLite's matter, and one on the
 * folder itself does not work over NFS. The file stays; removing it could let two in. */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

enum tr_err tr_folder_lock(const char *folder, const char *name, int *fd)
{
    *fd = -1;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return TR_ERR_IO;
    int file = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    close(dir);
    if (file < 0)
        return TR_ERR_IO;
    if (flock(file, LOCK_EX | LOCK_NB) == 0) {
        *fd = file;
        return TR_OK;
    }
    enum tr_err err = errno == EWOULDBLOCK ? TR_ERR_EXISTS : TR_OK;
    close(file);
    return err;
}

void tr_folder_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}
