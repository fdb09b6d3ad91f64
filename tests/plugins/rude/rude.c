/*
 * A plugin that breaks the contract, for the tests. Built with -DCHATTER it
 * changes its state as fast as it can; otherwise, after 20 good samples, it
 * pushes five chunks of three samples that cannot be read.
 */
#define _POSIX_C_SOURCE 200809L
#include "lockstep_plugin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static const lks_host *host;
static lks_stream_id stream;
static pthread_t thread;
static atomic_int stopping;

static void *run(void *unused)
{
    const struct timespec pause = {0, 5000000};
    int n;
    (void)unused;
    for (n = 0; !atomic_load(&stopping); n++) {
        double stamp = host->now(host->ctx);
        int32_t value = n;
        lks_chunk chunk = lks_chunk_init();
        chunk.stream = stream;
        chunk.sample_count = 1;
        chunk.timestamps_s = &stamp;
        chunk.data = &value;
        chunk.data_bytes = sizeof value;
        host->push_chunk(host->ctx, &chunk);
#ifdef CHATTER
        for (int i = 0; i < 20000 && !atomic_load(&stopping); i++)
            host->set_state(host->ctx, LKS_WHOLE_SOURCE, LKS_STATE_STREAMING, i % 2 ? LKS_STR("a") : LKS_STR("b"));
#else
        if (n >= 20 && n < 25) {
            chunk.sample_count = 3;
            chunk.timestamps_s = NULL;
            if (host->push_chunk(host->ctx, &chunk) != LKS_EINVAL)
                host->log(host->ctx, LKS_LOG_ERROR, LKS_STR("a chunk without stamps was taken"));
        }
#endif
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static lks_status create(const lks_host *h, lks_str options_json, void **self)
{
    (void)options_json;
    host = h;
    *self = &host;
    return LKS_OK;
}

static lks_status start(void *self)
{
    lks_stream_info info = lks_stream_info_init();
    (void)self;
    info.format = LKS_INT32;
    info.channel_count = 1;
    info.name = LKS_STR("rude");
    if (host->add_stream(host->ctx, &info, &stream) != LKS_OK)
        return LKS_EIO;
    return pthread_create(&thread, NULL, run, NULL) == 0 ? LKS_OK : LKS_EIO;
}

static lks_status stop(void *self)
{
    (void)self;
    atomic_store(&stopping, 1);
    pthread_join(thread, NULL);
    return LKS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static const lks_plugin table = {
    sizeof(lks_plugin), LKS_ABI_MAJOR, LKS_ABI_MINOR, 0, "rude", "0.1.0", "Breaks the contract, for the tests",
    NULL, create, start, stop, destroy, NULL,
};

LKS_EXPORT const lks_plugin *lks_plugin_entry(uint32_t host_abi_major, uint32_t host_abi_minor)
{
    (void)host_abi_major;
    (void)host_abi_minor;
    return &table;
}
