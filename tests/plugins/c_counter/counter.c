/*
 * A whole source plugin in C: counts upwards in a thread of its own, stamped by
 * a clock that runs 100 s ahead of the recorder's, and answers for that clock.
 *
 *   cc -shared -fPIC -I plugin-api/include counter.c -o liblockstep_plugin_counter.so -lpthread
 *
 * For the tests: built with -DABI_MAJOR=2 it claims to be of another ABI, with -DPLUGIN_ID and
 * -DOPTIONS_SCHEMA=NULL it stands in for another plugin, whatever that one's options.
 */
#define _POSIX_C_SOURCE 200809L
#include "lockstep_plugin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#ifndef ABI_MAJOR
#define ABI_MAJOR LKS_ABI_MAJOR
#endif

#ifndef PLUGIN_ID
#define PLUGIN_ID "counter"
#endif

#ifndef OPTIONS_SCHEMA
#define OPTIONS_SCHEMA options_schema
#endif

#define AHEAD_S 100.0

struct counter {
    const lks_host *host;
    lks_stream_id numbers, words;
    lks_clock_id clock;
    pthread_t thread;
    atomic_int stopping;
};

static const char *options_schema(void)
{
    return "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
           "\"step\":{\"type\":\"integer\",\"default\":1,\"description\":\"Not used; shows how options look.\"}}}";
}

static void *run(void *arg)
{
    struct counter *c = arg;
    const lks_host *h = c->host;
    const struct timespec pause = {0, 5000000};
    int64_t n = 0;
    while (!atomic_load(&c->stopping)) {
        double stamp = h->now(h->ctx) + AHEAD_S;
        const int64_t values[2] = {n, INT64_MIN + n};
        lks_chunk chunk = lks_chunk_init();
        chunk.stream = c->numbers;
        chunk.sample_count = 1;
        chunk.timestamps_s = &stamp;
        chunk.data = values;
        chunk.data_bytes = sizeof values;
        h->push_chunk(h->ctx, &chunk);
        if (n % 10 == 0) {
            const lks_str word = LKS_STR("tick \xc3\xa9");
            lks_exchange exchange;
            chunk.stream = c->words;
            chunk.data = &word;
            chunk.data_bytes = sizeof word;
            h->push_chunk(h->ctx, &chunk);
            exchange.t0_s = h->now(h->ctx);
            exchange.t1_s = exchange.t2_s = h->now(h->ctx) + AHEAD_S;
            exchange.t3_s = h->now(h->ctx);
            h->push_exchanges(h->ctx, c->clock, &exchange, 1);
        }
        n++;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static lks_status create(const lks_host *host, lks_str options_json, void **self)
{
    struct counter *c = calloc(1, sizeof *c);
    (void)options_json;
    if (c == NULL)
        return LKS_ENOMEM;
    c->host = host;
    *self = c;
    return LKS_OK;
}

static lks_status start(void *self)
{
    struct counter *c = self;
    const lks_host *h = c->host;
    const lks_channel channels[2] = {
        {LKS_STR("up"), LKS_STR("counts"), LKS_STR("")},
        {LKS_STR("low"), LKS_STR(""), LKS_STR("")},
    };
    lks_clock_info clock = lks_clock_info_init();
    lks_stream_info info = lks_stream_info_init();
    clock.domain = LKS_DOMAIN_DEVICE;
    clock.stamp = LKS_STAMP_EXACT;
    clock.name = LKS_STR("c-clock");
    if (h->add_clock(h->ctx, &clock, &c->clock) != LKS_OK)
        return LKS_EIO;
    info.format = LKS_INT64;
    info.channel_count = 2;
    info.clock = c->clock;
    info.nominal_rate_hz = 200.0;
    info.name = LKS_STR("c-numbers");
    info.type = LKS_STR("Counts");
    info.desc_xml = LKS_STR("<made_in language=\"C\">99</made_in>");
    info.channels = channels;
    if (h->add_stream(h->ctx, &info, &c->numbers) != LKS_OK)
        return LKS_EIO;
    info.format = LKS_STRING;
    info.channel_count = 1;
    info.nominal_rate_hz = 0.0;
    info.name = LKS_STR("c-words");
    info.channels = NULL;
    if (h->add_stream(h->ctx, &info, &c->words) != LKS_OK)
        return LKS_EIO;
    h->set_state(h->ctx, LKS_WHOLE_SOURCE, LKS_STATE_STREAMING, LKS_STR("counting in C"));
    return pthread_create(&c->thread, NULL, run, c) == 0 ? LKS_OK : LKS_EIO;
}

static lks_status stop(void *self)
{
    struct counter *c = self;
    atomic_store(&c->stopping, 1);
    pthread_join(c->thread, NULL);
    return LKS_OK;
}

static void destroy(void *self)
{
    free(self);
}

static const lks_plugin table = {
    sizeof(lks_plugin), ABI_MAJOR, LKS_ABI_MINOR, 0,
    PLUGIN_ID, "0.1.0", "Counts upwards, written in C",
    OPTIONS_SCHEMA, create, start, stop, destroy, NULL,
};

LKS_EXPORT const lks_plugin *lks_plugin_entry(uint32_t host_abi_major, uint32_t host_abi_minor)
{
    (void)host_abi_major;
    (void)host_abi_minor;
    return &table;
}
