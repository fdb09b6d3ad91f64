/*
 * A plugin that ends its process, or makes it useless, for the tests: after COUNT good samples it does what the
 * option "fault" says. It counts 0, 1, 2 ... in one int32 channel, each sample with a stamp of its own.
 */
#define _GNU_SOURCE
#include "lockstep_plugin.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COUNT 50

static const lks_host *host;
static lks_stream_id stream;
static pthread_t thread;
static atomic_int stopping;
static char fault[64];

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int is(const char *name)
{
    return strcmp(fault, name) == 0;
}

static void crash(void)
{
    volatile int *nowhere = NULL;
    *nowhere = 1;
}

static lks_status push(int32_t value)
{
    double stamp = host->now(host->ctx);
    lks_chunk chunk = lks_chunk_init();
    chunk.stream = stream;
    chunk.sample_count = 1;
    chunk.timestamps_s = &stamp;
    chunk.data = &value;
    chunk.data_bytes = sizeof value;
    return host->push_chunk(host->ctx, &chunk);
}

/* Push large chunks as fast as it can, and say how fast that was. */
static void flood(void)
{
    enum { SAMPLES = 1 << 16 };
    double *stamps = calloc(SAMPLES, sizeof *stamps);
    int32_t *values = calloc(SAMPLES, sizeof *values);
    lks_chunk chunk = lks_chunk_init();
    int n = 0;
    chunk.stream = stream;
    chunk.sample_count = SAMPLES;
    chunk.timestamps_s = stamps;
    chunk.data = values;
    chunk.data_bytes = SAMPLES * sizeof *values;
    while (stamps != NULL && values != NULL && n < 2000 && !atomic_load(&stopping)) {
        for (int i = 0; i < SAMPLES; i++)
            stamps[i] = host->now(host->ctx);
        host->push_chunk(host->ctx, &chunk);
        n++;
    }
    free(stamps);
    free(values);
}

static void strike(void)
{
    if (is("segfault"))
        crash();
    if (is("abort"))
        abort();
    if (is("exit"))
        exit(3);
    if (is("kill"))
        raise(SIGKILL);
    if (is("freeze"))
        raise(SIGSTOP);
    if (is("loop"))
        for (volatile unsigned n = 0;; n++)
            ;
    if (is("allocate"))
        for (;;) {
            char *more = malloc(1 << 20);
            if (more == NULL)
                crash();
            memset(more, 1, 1 << 20);
        }
    if (is("leak"))
        for (;;) {
            char *more = malloc(1 << 20);
            if (more != NULL)
                memset(more, 1, 1 << 20);
            pause_ms(5);
        }
    if (is("close"))
        for (int fd = 3; fd < 64; fd++)
            close(fd);
    if (is("print"))
        for (long n = 0; !atomic_load(&stopping); n++) {
            printf("line %ld of a library that talks\n", n);
            if (n % 50 == 0)
                fflush(stdout);
        }
    if (is("print-once")) {
        printf("a torn frame? no: a line\n");
        fflush(stdout);
        fprintf(stderr, "and one on standard error\n");
    }
    if (is("flood"))
        flood();
}

static void *run(void *unused)
{
    int32_t n;
    (void)unused;
    for (n = 0; !atomic_load(&stopping); n++) {
        push(n);
        if (n + 1 == COUNT)
            strike();
        if (n + 1 >= COUNT)
            pause_ms(2);
    }
    return NULL;
}

static void *idle(void *unused)
{
    (void)unused;
    return NULL;
}

static lks_status create(const lks_host *h, lks_str options_json, void **self)
{
    char options[256] = {0};
    const char *at;
    host = h;
    memcpy(options, options_json.ptr, options_json.len < 255 ? options_json.len : 255);
    at = strstr(options, "\"fault\":\"");
    if (at != NULL)
        sscanf(at + 9, "%63[^\"]", fault);
    if (is("create"))
        crash();
    *self = &host;
    return LKS_OK;
}

static lks_status start(void *self)
{
    lks_stream_info info = lks_stream_info_init();
    (void)self;
    if (is("start"))
        crash();
    if (is("hang-in-start"))
        for (;;)
            pause_ms(1000);
    info.format = LKS_INT32;
    info.channel_count = 1;
    info.name = LKS_STR("crash");
    if (host->add_stream(host->ctx, &info, &stream) != LKS_OK)
        return LKS_EIO;
    return pthread_create(&thread, NULL, is("nothing") ? idle : run, NULL) == 0 ? LKS_OK : LKS_EIO;
}

static lks_status stop(void *self)
{
    (void)self;
    if (is("sleep-in-stop"))
        for (;;)
            pause_ms(1000);
    if (is("crash-in-stop"))
        crash();
    atomic_store(&stopping, 1);
    pthread_join(thread, NULL);
    return LKS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static const lks_plugin table = {
    sizeof(lks_plugin), LKS_ABI_MAJOR, LKS_ABI_MINOR, 0, "crash", "0.1.0", "Ends its process, for the tests",
    NULL, create, start, stop, destroy, NULL,
};

#ifdef CRASH_WHEN_LOADED
__attribute__((constructor)) static void loaded(void)
{
    crash();
}
#endif

LKS_EXPORT const lks_plugin *lks_plugin_entry(uint32_t host_abi_major, uint32_t host_abi_minor)
{
    (void)host_abi_major;
    (void)host_abi_minor;
    return &table;
}
