/* The directory of the cache: where it is, and whether it may be trusted. */
#ifndef PRNN_CACHE_DIR_H
#define PRNN_CACHE_DIR_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Open the directory of the cache, and make it (0700) with its parents where it is missing.
 *
 * It must be a directory of this user, not writable by anybody else, and not a symbolic link.
 * Everything later works relative to the descriptor, so that a directory exchanged afterwards is
 * never used.
 *
 * @param      wanted NULL: $PARARNNC_CACHE_DIR, else $XDG_CACHE_HOME/pararnnc, else
 *                    $HOME/.cache/pararnnc; "none": no cache
 * @param[out] path   malloc'd, or NULL: no place is named
 *
 * @return the descriptor, or -1 with the reason in 'reason'; with *path NULL and errno ENOMEM,
 * memory has ended
 */
int cache_dir_open(const char *wanted, char **path, char *reason, size_t reason_size);

/* Make a new directory (0700) 'parent'/scratch-XXXXXX; its name in 'path'. */
bool cache_dir_scratch(const char *parent, char *path, size_t size);

/* Remove the directory 'name' below 'dir' (AT_FDCWD for an absolute name), and the files in it. It
 * has no directories in it: compilers make none. */
void cache_dir_remove(int dir, const char *name);

#endif
