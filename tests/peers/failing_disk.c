/*
 * A disk that fails on request: loaded with LD_PRELOAD, it answers calls that concern files whose path holds a
 * given text with an error, as a broken or full disk would. The file named by FAILING_DISK says what is wrong at this
 * moment, one order a line:
 *
 *   write ENOSPC /path   writes (and keeping room) fail for files whose path begins like this
 *   sync EIO /path       syncs fail
 *   half EIO /path       a write takes half of its bytes, the next one fails
 *   cut EIO /path        a file cannot be made shorter
 *   free 1000000 /path   so many bytes are free there
 *
 * An empty or missing file: all is well.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static int error_of(const char *name)
{
    if (strcmp(name, "ENOSPC") == 0) return ENOSPC;
    if (strcmp(name, "EROFS") == 0) return EROFS;
    if (strcmp(name, "ENODEV") == 0) return ENODEV;
    return EIO;
}

/* The word that `order` has for `path`; empty: none. */
static int ordered(const char *order, const char *path, char word[32])
{
    static int (*real_open)(const char *, int, ...);
    static ssize_t (*real_read)(int, void *, size_t);
    static int (*real_close)(int);
    char text[4096], *line, *rest;
    const char *orders = getenv("FAILING_DISK");
    ssize_t size;
    int fd;

    if (!real_open) {
        *(void **)&real_open = dlsym(RTLD_NEXT, "open");
        *(void **)&real_read = dlsym(RTLD_NEXT, "read");
        *(void **)&real_close = dlsym(RTLD_NEXT, "close");
    }
    if (!orders || (fd = real_open(orders, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    size = real_read(fd, text, sizeof text - 1);
    real_close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char what[32], where[2048];
        if (sscanf(line, "%31s %31s %2047s", what, word, where) == 3 && strcmp(what, order) == 0 &&
            strncmp(path, where, strlen(where)) == 0)
            return 1;
    }
    return 0;
}

static int path_of(int fd, char path[4096])
{
    char link[64];
    ssize_t size;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, 4095);
    if (size <= 0 || path[0] != '/')
        return 0;
    path[size] = '\0';
    return strstr(path, ".xdf") != NULL;
}

static int fails(const char *order, int fd)
{
    char path[4096], word[32];
    int keep = errno, answer = 0;
    if (path_of(fd, path) && ordered(order, path, word))
        answer = error_of(word);
    errno = keep;
    return answer;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    static ssize_t (*real)(int, const void *, size_t);
    static int was_half;
    int error;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (fd > 2 && (error = fails("write", fd)) != 0) {
        errno = error;
        return -1;
    }
    if (fd > 2 && (error = fails("half", fd)) != 0) {
        was_half = !was_half;
        if (was_half && count > 1)
            return real(fd, bytes, count / 2);
        errno = error;
        return -1;
    }
    return real(fd, bytes, count);
}

/* What other recorders' libraries write with. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    int error;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "writev");
    if (fd > 2 && ((error = fails("write", fd)) != 0 || (error = fails("half", fd)) != 0)) {
        errno = error;
        return -1;
    }
    return real(fd, parts, count);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
    static int (*real)(int, int, off64_t, off64_t);
    int error;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fallocate64");
    if ((error = fails("write", fd)) != 0) {
        errno = error;
        return -1;
    }
    return real(fd, mode, offset, len);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    return fallocate64(fd, mode, offset, len);
}

int ftruncate64(int fd, off64_t length)
{
    static int (*real)(int, off64_t);
    int error;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ftruncate64");
    if ((error = fails("cut", fd)) != 0) {
        errno = error;
        return -1;
    }
    return real(fd, length);
}

int fdatasync(int fd)
{
    static int (*real)(int);
    int error;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    if ((error = fails("sync", fd)) != 0) {
        errno = error;
        return -1;
    }
    return real(fd);
}

int statvfs64(const char *path, struct statvfs64 *answer)
{
    static int (*real)(const char *, struct statvfs64 *);
    char word[32];
    int result;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "statvfs64");
    result = real(path, answer);
    if (result == 0 && ordered("free", path, word))
        answer->f_bavail = (fsblkcnt64_t)(strtoull(word, NULL, 10) / answer->f_frsize);
    return result;
}

int statvfs(const char *path, struct statvfs *answer)
{
    return statvfs64(path, (struct statvfs64 *)answer);
}
