/* Lets the calls by which a process writes files fail: preloaded into it, for files whose path has SCUPPER_FAULT_PATH in it.
 * The call with the number SCUPPER_FAULT_NTH fails as SCUPPER_FAULT_KIND says: "error" (as a broken disk), "full" (that one and
 * all later ones), "short" (half of it is written), "kill" (half of it is written, and the process ends). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

enum fault { NONE, ERROR, FULL, SHORT, KILL };

static enum fault fault_of(int fd) {
    const char *path = getenv("SCUPPER_FAULT_PATH"), *nth = getenv("SCUPPER_FAULT_NTH"), *kind = getenv("SCUPPER_FAULT_KIND");
    char link[64], target[4096];
    if (!path || !nth || !kind)
        return NONE;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        return NONE;
    target[length] = 0;
    if (!strstr(target, path))
        return NONE;
    long call = atomic_fetch_add(&calls, 1) + 1, number = atol(nth);
    if (!strcmp(kind, "full") && call >= number)
        return FULL;
    if (call != number)
        return NONE;
    return !strcmp(kind, "short") ? SHORT : !strcmp(kind, "kill") ? KILL : ERROR;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

#define WRITES(name, offset_type)                                                                                  \
    ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) {                                    \
        ssize_t (*real)(int, const void *, size_t, offset_type) = next(#name);                                     \
        switch (fault_of(fd)) {                                                                                    \
        case NONE: break;                                                                                          \
        case SHORT: return real(fd, bytes, count > 1 ? count / 2 : count, offset);                                 \
        case KILL: real(fd, bytes, count / 2, offset); raise(SIGKILL); break;                                      \
        case FULL: errno = ENOSPC; return -1;                                                                      \
        default: errno = EIO; return -1;                                                                           \
        }                                                                                                          \
        return real(fd, bytes, count, offset);                                                                     \
    }

#define CHANGES(name, parameters, ...)                                                                             \
    int name parameters {                                                                                          \
        int(*real) parameters = next(#name);                                                                       \
        switch (fault_of(fd)) {                                                                                    \
        case NONE: break;                                                                                          \
        case KILL: raise(SIGKILL); break;                                                                          \
        case FULL: errno = ENOSPC; return -1;                                                                      \
        default: errno = EIO; return -1;                                                                           \
        }                                                                                                          \
        return real(__VA_ARGS__);                                                                                  \
    }

WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)
CHANGES(fsync, (int fd), fd)
CHANGES(fdatasync, (int fd), fd)
CHANGES(ftruncate, (int fd, off_t length), fd, length)
CHANGES(ftruncate64, (int fd, off64_t length), fd, length)

ssize_t write(int fd, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t) = next("write");
    switch (fault_of(fd)) {
    case NONE: break;
    case SHORT: return real(fd, bytes, count > 1 ? count / 2 : count);
    case KILL: real(fd, bytes, count / 2); raise(SIGKILL); break;
    case FULL: errno = ENOSPC; return -1;
    default: errno = EIO; return -1;
    }
    return real(fd, bytes, count);
}
