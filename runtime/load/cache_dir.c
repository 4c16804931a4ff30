#include "cache_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Environment variables count only for a process that runs with its user's own rights. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && value[0] ? value : NULL;
}

/* The place by the rules of the XDG base directories, where a relative path is to be ignored. NULL
 * with *nomem false: none is named. */
static char *place(const char *wanted, bool *nomem)
{
    const char *base = wanted, *below = "";
    *nomem = false;
    if (!base)
        base = environment("PARARNNC_CACHE_DIR");
    if (!base) {
        base = environment("XDG_CACHE_HOME");
        below = "/pararnnc";
        if (base && base[0] != '/')
            base = NULL;
    }
    if (!base) {
        base = environment("HOME");
        below = "/.cache/pararnnc";
    }
    if (!base)
        return NULL;
    size_t size = strlen(base) + strlen(below) + 1;
    char *path = malloc(size);
    *nomem = !path;
    if (path)
        snprintf(path, size, "%s%s", base, below);
    return path;
}

/* mkdir -p; what cannot be made shows when the directory is opened. */
static void make_with_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    (void)mkdir(path, 0700);
}

int cache_dir_open(const char *wanted, char **path, char *reason, size_t reason_size)
{
    bool nomem;
    struct stat info;

    *path = place(wanted, &nomem);
    if (!*path) {
        snprintf(reason, reason_size, "none of PARARNNC_CACHE_DIR, XDG_CACHE_HOME and HOME is set");
        errno = nomem ? ENOMEM : ENOENT;
        return -1;
    }
    if (strcmp(*path, "none") == 0) {
        snprintf(reason, reason_size, "PARARNNC_CACHE_DIR is 'none'");
        free(*path);
        *path = NULL;
        errno = ENOENT;
        return -1;
    }
    if ((*path)[0] != '/') {
        snprintf(reason, reason_size, "'%s' is a relative path, an absolute one is needed", *path);
        return -1;
    }
    for (size_t end = strlen(*path); end > 1 && (*path)[end - 1] == '/'; end--)
        (*path)[end - 1] = 0; /* "link/" would be followed in spite of O_NOFOLLOW */
    make_with_parents(*path);
    int dir;
    do
        dir = open(*path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    while (dir < 0 && errno == EINTR);
    if (dir < 0) {
        bool is_link = lstat(*path, &info) == 0 && S_ISLNK(info.st_mode);
        errno = is_link ? ELOOP : errno;
        snprintf(
            reason, reason_size, "'%s' %s%s", *path,
            is_link ? "is a symbolic link" : "cannot be opened: ", is_link ? "" : strerror(errno));
        return -1;
    }
    if (fstat(dir, &info) != 0)
        snprintf(reason, reason_size, "'%s' cannot be examined: %s", *path, strerror(errno));
    else if (info.st_uid != geteuid())
        snprintf(reason, reason_size, "'%s' belongs to user %lu, not to user %lu", *path,
                 (unsigned long)info.st_uid, (unsigned long)geteuid());
    else if (info.st_mode & (S_IWGRP | S_IWOTH))
        snprintf(reason, reason_size, "'%s' is writable by others (mode %04o, needed 0700)", *path,
                 (unsigned)(info.st_mode & 07777));
    else
        return dir;
    close(dir);
    return -1;
}

bool cache_dir_scratch(const char *parent, char *path, size_t size)
{
    int length = snprintf(path, size, "%s/scratch-XXXXXX", parent);
    return length > 0 && (size_t)length < size && mkdtemp(path) != NULL;
}

void cache_dir_remove(int dir, const char *name)
{
    int inside = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = inside < 0 ? NULL : fdopendir(inside);
    if (stream) {
        for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                (void)unlinkat(dirfd(stream), entry->d_name, 0);
        closedir(stream);
    } else if (inside >= 0) {
        close(inside);
    }
    (void)unlinkat(dir, name, AT_REMOVEDIR);
}
