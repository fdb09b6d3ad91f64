/* Preloaded into a recorder: notes each write to a file NAME.xdf, and each sync of it, in the file that the
 * environment's CRASH_SYNCS names. See crash_sync.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, CUT = 3 };

struct note {
    double begin_s, end_s;
    int64_t kind, at, bytes;
};

static int notes = -1;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("CRASH_SYNCS");
    if (path) notes = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* Asked each time: a descriptor may be another file's the next time. */
static int is_recording(int fd) {
    char link[32] = "/proc/self/fd/", path[4096];
    char digits[12];
    int n = 0, at = 14;
    if (notes < 0 || fd < 3 || fd == notes) return 0;
    for (int left = fd; left; left /= 10) digits[n++] = '0' + left % 10;
    while (n) link[at++] = digits[--n];
    ssize_t length = readlink(link, path, sizeof path);
    return length > 4 && memcmp(path + length - 4, ".xdf", 4) == 0;
}

static void note(double begin_s, int64_t kind, int64_t at, int64_t bytes) {
    struct note one = {begin_s, now_s(), kind, at, bytes};
    /* Not through write() above. */
    syscall(SYS_write, notes, &one, sizeof one);
}

#define NEXT(type, name, ...)                                                                   \
    static type (*next)(__VA_ARGS__);                                                           \
    if (!next) next = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static void wrote(int fd, double begin_s, ssize_t bytes) {
    if (bytes > 0) note(begin_s, WRITE, lseek(fd, 0, SEEK_CUR) - bytes, bytes);
}

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    if (!is_recording(fd)) return next(fd, data, size);
    double begin_s = now_s();
    ssize_t bytes = next(fd, data, size);
    wrote(fd, begin_s, bytes);
    return bytes;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(ssize_t, "writev", int, const struct iovec *, int);
    if (!is_recording(fd)) return next(fd, parts, count);
    double begin_s = now_s();
    ssize_t bytes = next(fd, parts, count);
    wrote(fd, begin_s, bytes);
    return bytes;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    NEXT(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    if (!is_recording(fd)) return next(fd, data, size, at);
    double begin_s = now_s();
    ssize_t bytes = next(fd, data, size, at);
    if (bytes > 0) note(begin_s, WRITE, at, bytes);
    return bytes;
}

int ftruncate64(int fd, off64_t length) {
    NEXT(int, "ftruncate64", int, off64_t);
    if (!is_recording(fd)) return next(fd, length);
    double begin_s = now_s();
    int result = next(fd, length);
    if (result == 0) note(begin_s, CUT, length, 0);
    return result;
}

int fdatasync(int fd) {
    NEXT(int, "fdatasync", int);
    if (!is_recording(fd)) return next(fd);
    double begin_s = now_s();
    int result = next(fd);
    if (result == 0) note(begin_s, SYNC, 0, 0);
    return result;
}

int fsync(int fd) {
    NEXT(int, "fsync", int);
    if (!is_recording(fd)) return next(fd);
    double begin_s = now_s();
    int result = next(fd);
    if (result == 0) note(begin_s, SYNC, 0, 0);
    return result;
}
