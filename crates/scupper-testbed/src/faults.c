/* Stands between a program and the system where it writes to files, and has one of these calls go wrong.
 *
 * SCUPPER_FAULT_FILE   the files: those in whose names this stands first, but for memory that is shared through a file ("-shm")
 * SCUPPER_FAULT_AT     which of the calls, from 1 on
 * SCUPPER_FAULT_KIND   what becomes of it: see fault()
 * SCUPPER_FAULT_MET    a file that is made when it comes to that
 * SCUPPER_FAULT_UNTIL  if it is set: all later calls go wrong as well, until there is a file of that name
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum when { NEVER, BEFORE, HALFWAY, AFTER };

/* What a call comes to: how much of it is done, and then the error, the death, or neither. */
struct fault {
    enum when when;
    int error;
    int kills;
};

static const struct {
    const char *name;
    struct fault fault;
} KINDS[] = {
    {"failed", {BEFORE, EIO, 0}},           {"failed-halfway", {HALFWAY, EIO, 0}}, {"failed-after", {AFTER, EIO, 0}},
    {"full", {BEFORE, ENOSPC, 0}},          {"short", {HALFWAY, 0, 0}},            {"killed-before", {BEFORE, 0, 1}},
    {"killed-halfway", {HALFWAY, 0, 1}},    {"killed-after", {AFTER, 0, 1}},
};

static atomic_long calls;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

static int is_meant(int file) {
    char link[64], path[4096];
    const char *wanted = setting("SCUPPER_FAULT_FILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || *wanted == '\0') return 0;
    path[length] = '\0';
    const char *name = strrchr(path, '/');
    if (name == NULL || strncmp(name + 1, wanted, strlen(wanted)) != 0) return 0;
    return strstr(name, "-shm") == NULL;
}

/* What is to become of a call on this file. */
static struct fault fault(int file) {
    static const struct fault none = {NEVER, 0, 0};
    int before = errno;
    struct fault found = none;
    if (is_meant(file)) {
        long call = atomic_fetch_add(&calls, 1) + 1, at = atol(setting("SCUPPER_FAULT_AT"));
        const char *until = setting("SCUPPER_FAULT_UNTIL");
        int lasts = *until != '\0' && call > at && access(until, F_OK) != 0;
        if (call == at || lasts) {
            for (size_t kind = 0; kind < sizeof KINDS / sizeof *KINDS; kind++)
                if (strcmp(KINDS[kind].name, setting("SCUPPER_FAULT_KIND")) == 0) found = KINDS[kind].fault;
            int met = open(setting("SCUPPER_FAULT_MET"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
            if (met >= 0) close(met);
        }
    }
    errno = before;
    return found;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* How many of these bytes are to be written, and -1 for all, as ever. */
static ssize_t bytes_of(struct fault fault, size_t bytes) {
    switch (fault.when) {
    case BEFORE: return 0;
    case HALFWAY: return (ssize_t)(bytes / 2);
    case AFTER: return (ssize_t)bytes;
    default: return -1;
    }
}

/* What the caller is told, once so much was written. */
static ssize_t told(struct fault fault, ssize_t written) {
    if (fault.kills) die();
    if (fault.error == 0) return written;
    errno = fault.error;
    return -1;
}

#define NEXT(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

#define WRITES(name, offset)                                                                                           \
    ssize_t name(int file, const void *buffer, size_t bytes, offset at) {                                              \
        struct fault met = fault(file);                                                                                \
        ssize_t part = bytes_of(met, bytes);                                                                           \
        if (part < 0) return NEXT(name)(file, buffer, bytes, at);                                                      \
        return told(met, part == 0 ? 0 : NEXT(name)(file, buffer, (size_t)part, at));                                  \
    }

WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)

ssize_t write(int file, const void *buffer, size_t bytes) {
    struct fault met = fault(file);
    ssize_t part = bytes_of(met, bytes);
    if (part < 0) return NEXT(write)(file, buffer, bytes);
    return told(met, part == 0 ? 0 : NEXT(write)(file, buffer, (size_t)part));
}

/* A call that is done or not: half of it is not. It needs no room on the disk. */
#define WHOLE(name, parameters, arguments)                                                                             \
    int name parameters {                                                                                              \
        struct fault met = fault(file);                                                                                \
        int is_well = met.when == NEVER || met.error == ENOSPC || (met.error == 0 && !met.kills);                      \
        int result = is_well || met.when == AFTER ? NEXT(name) arguments : 0;                                          \
        return is_well ? result : (int)told(met, result);                                                              \
    }

WHOLE(fsync, (int file), (file))
WHOLE(fdatasync, (int file), (file))
WHOLE(ftruncate, (int file, off_t length), (file, length))
WHOLE(ftruncate64, (int file, off64_t length), (file, length))
