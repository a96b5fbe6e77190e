/* One server a folder: two that share a database or a spool of recordings would take up each
 * other's calls as left behind by a crash. The lock is the kernel's, so it ends with the process,
 * however that ends. */
#ifndef TR_STORE_LOCK_H
#define TR_STORE_LOCK_H

#include "base/err.h"

/* Locks the file folder/name, which is made when it is not there. EXISTS: another process has it;
 * IO: the file cannot be made. Where the file system knows no locks: OK, and *fd is -1. */
TR_MUST_USE enum tr_err tr_folder_lock(const char *folder, const char *name, int *fd);
void tr_folder_unlock(int fd); /* -1 is fine */

#endif
