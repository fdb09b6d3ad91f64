/*
 * lockstep_plugin.h - the contract between Lockstep and a source plugin.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A source plugin is a shared library that exports one function,
 * lks_plugin_entry(). Lockstep loads it, asks it for its table of functions,
 * and drives it through create -> start -> stop -> destroy. Between start and
 * stop the plugin calls the host from any thread: it adds clocks and streams,
 * pushes samples and clock exchanges, and says what it lost.
 *
 * Words used below
 *   [control]     called by Lockstep; calls for one instance never overlap, but
 *                 may come from different threads
 *   [any thread]  may be called by the plugin from any of its threads, also
 *                 from several at once; never blocks on disk or network, copies
 *                 all it keeps, and returns within microseconds
 *   recorder time seconds of the monotonic clock of this machine
 *                 (CLOCK_MONOTONIC on Linux; the same as LSL's local_clock())
 *   device time   seconds of one clock of the device, whatever its origin
 *
 * Rules
 *   - Nothing that belongs to a language runtime crosses this boundary: no
 *     exceptions, no panics, no allocator. Memory is freed by the side that
 *     made it. Strings are UTF-8 with a length and need no terminator. Texts that
 *     people read (log lines, reasons, names of events, messages of config_error)
 *     are taken as well as they can be read and cut at 4 KiB; all others (names,
 *     labels, XML, JSON) are refused when they are not UTF-8. Values of string
 *     samples ought to be UTF-8, and are recorded byte for byte, whatever they are.
 *   - The library is never unloaded, so static data may live for ever.
 *   - Every struct passed by pointer starts with its own size. A later minor
 *     version only appends members, and zero or NULL in them means "not given".
 *     The reader takes what both sides know; it refuses a struct only when it is
 *     smaller than in version 1.0 of this header. A struct that carries no
 *     struct_size (lks_str, lks_channel, lks_exchange: they are passed in
 *     arrays) never changes within a major version.
 *   - Pointers to structs and arrays are aligned as their type needs. One that is
 *     NULL or not aligned is LKS_EINVAL.
 *   - In create a plugin may call now, log, config_error and get_extension of
 *     the host. Everything else answers LKS_ESTATE until start and after stop.
 *   - Members and parameters named *_s are in seconds, *_hz in hertz.
 *   - Time stamps of one stream may not go back, and calls about one stream may
 *     not overlap. (A stamp that goes back is recorded as it is, counted, and
 *     reported.)
 */
#ifndef LOCKSTEP_PLUGIN_H
#define LOCKSTEP_PLUGIN_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define LKS_EXPORT __declspec(dllexport)
#else
#define LKS_EXPORT __attribute__((visibility("default")))
#endif

/* A different major version is refused. A larger minor version only appends. */
#define LKS_ABI_MAJOR 1u
#define LKS_ABI_MINOR 3u

/* What a call answers. Negative: nothing was done. */
typedef int32_t lks_status;
#define LKS_OK 0            /* done */
#define LKS_AGAIN 1         /* the queue is full; the host counted the loss. Go on, do not retry in a loop */
#define LKS_EINVAL (-1)     /* an argument is wrong; the host logged which and counted the loss */
#define LKS_ECONFIG (-2)    /* the options are wrong (from create) */
#define LKS_EIO (-3)        /* the device or the network failed */
#define LKS_EPANIC (-4)     /* the plugin failed in a way it did not foresee */
#define LKS_ESTATE (-5)     /* not now: the source is stopped, or was never started */
#define LKS_ENOMEM (-6)     /* a limit of the host was reached (streams, clocks, sizes) */

/* Channel formats, numbered as in LSL. */
#define LKS_FLOAT32 1u
#define LKS_DOUBLE64 2u
#define LKS_STRING 3u
#define LKS_INT32 4u
#define LKS_INT16 5u
#define LKS_INT8 6u
#define LKS_INT64 7u

/* States of a source, shown to the operator and written into the file. */
#define LKS_STATE_IDLE 0u       /* not started */
#define LKS_STATE_CONNECTING 1u /* looking for the device, or waiting for its first data: as a state of the
                                   source, a recording that requires it does not begin */
#define LKS_STATE_STREAMING 2u  /* data arrive */
#define LKS_STATE_DEGRADED 3u   /* data arrive, but something is wrong: say what in the reason */
#define LKS_STATE_LOST 4u       /* the device is gone; the plugin keeps trying */
#define LKS_STATE_FINISHED 5u   /* no more data will ever come (end of input) */
#define LKS_STATE_FAILED 6u     /* gave up */

/* Levels of log lines. */
#define LKS_LOG_ERROR 1u
#define LKS_LOG_WARN 2u
#define LKS_LOG_INFO 3u
#define LKS_LOG_DEBUG 4u

/* What the numbers of a device clock count from. */
#define LKS_DOMAIN_DEVICE 1u    /* ticks since some start of its own */
#define LKS_DOMAIN_UNIX 2u      /* seconds since 1970-01-01 UTC */
#define LKS_DOMAIN_MONOTONIC 3u /* the monotonic clock of another machine or process */

/* How a reading of a clock relates to the instant it was taken at. */
#define LKS_STAMP_EXACT 1u      /* rounded to the nearest step, or finer than matters */
#define LKS_STAMP_FLOOR 2u      /* the last step that had passed: true time is in [reading, reading + resolution) */

/* Handles, given out by the host, valid for one instance. 0 is none. */
typedef uint32_t lks_stream_id;
typedef uint32_t lks_clock_id;
#define LKS_RECORDER_TIME 0u    /* as a stream's clock: its stamps are recorder time */
#define LKS_WHOLE_SOURCE 0u     /* as a stream: the state, gap or event concerns the source as a whole */
#define LKS_UNKNOWN_COUNT UINT64_MAX /* as a number of lost samples: some, nobody knows how many */

/* Borrowed UTF-8 text, valid for the call. ptr may be NULL when len is 0. */
typedef struct lks_str {
    const char *ptr;
    size_t len;
} lks_str;

/* One channel, as shown in the header under desc/channels. Empty: not stated. */
typedef struct lks_channel {
    lks_str label;
    lks_str unit; /* e.g. "microvolts" */
    lks_str type; /* e.g. "EEG", "PupilDiameter" */
} lks_channel;

/*
 * Known timing of a stream, written as desc/synchronization and never applied
 * to the stamps. All in seconds; NaN: not stated.
 */
typedef struct lks_synchronization {
    uint32_t struct_size;
    uint32_t can_drop_samples; /* 0 no, 1 yes (frame-based sources such as cameras), 2 not stated */
    double offset_mean_s;      /* to be subtracted from the stamps before streams are compared */
    double offset_rms_s;
    double offset_median_s;
    double offset_5_centile_s;
    double offset_95_centile_s;
} lks_synchronization;

/* A clock of the device. Several streams may share one. */
typedef struct lks_clock_info {
    uint32_t struct_size;
    uint32_t domain;      /* LKS_DOMAIN_* */
    uint32_t stamp;       /* LKS_STAMP_*: how t1 and t2 of its exchanges were read */
    uint32_t reserved;    /* 0 */
    double resolution_s;  /* step of those readings; 0: finer than matters */
    lks_str name;         /* unique within the source; names the recorded stream of exchanges */
    /* Since 1.2. */
    double interval_s;    /* how often it is measured, if not as often as the experiment asks; 0: so often.
                             The operator is warned when it was not measured for much longer */
} lks_clock_info;

/* A stream of samples. */
typedef struct lks_stream_info {
    uint32_t struct_size;
    uint32_t format;         /* LKS_FLOAT32 ... */
    uint32_t channel_count;  /* at least 1 */
    lks_clock_id clock;      /* which clock stamps it; LKS_RECORDER_TIME: the recorder's */
    double nominal_rate_hz;  /* 0: irregular */
    lks_str name;            /* as the file has it; also unique within the source, unless label is given */
    lks_str type;            /* content type, e.g. "EEG", "Gaze", "Markers" */
    lks_str source_id;       /* identifies the device across restarts; may be empty */
    lks_str desc_xml;        /* XML elements to stand inside desc; may be empty. Must be well formed */
    const lks_channel *channels;  /* channel_count of them, or NULL */
    const lks_synchronization *synchronization; /* or NULL */
    /* Since 1.1. */
    uint32_t may_be_silent;  /* 1: it may send nothing for long, as event markers do: the recording begins
                                without a sample of it, and its silence is no alarm; only that a regular
                                rate has stopped is a warning */
    uint32_t reserved1;      /* 0 */
    lks_str label;           /* what the operator sees, and what events call it; unique within the source.
                                Empty: the name. For streams that share a name */
    /*
     * The header the stream came with, for streams of another recording system: the XML elements inside
     * its <info>, <name>..</name><type>..</type> and so on, with its <desc>. The file's header is made of
     * these elements, in their order and with their values as they are; what the recorder has to say
     * stands in one element <lockstep> at the end of <desc>. Must be well formed, must agree with
     * name, channel_count, format and nominal_rate_hz, and takes the place of type, source_id, desc_xml,
     * channels and synchronization: the last three must not be given beside it. Empty: the header is made
     * from the other members.
     */
    lks_str origin_xml;
} lks_stream_info;

/* Samples of one stream, oldest first. */
typedef struct lks_chunk {
    uint32_t struct_size;
    lks_stream_id stream;
    uint32_t sample_count;
    uint32_t reserved;            /* 0 */
    const double *timestamps_s;   /* [sample_count], in the stream's own clock, finite */
    const void *data;             /* sample-major [sample_count][channel_count]: numbers of the stream's
                                     format in native byte order, aligned or not, or aligned lks_str
                                     for LKS_STRING */
    size_t data_bytes;            /* of data; checked against the counts */
} lks_chunk;

/*
 * One exchange with a device clock: t0 when the question left (recorder time),
 * t1 when the device received it and t2 when its answer left (device time), t3
 * when the answer arrived (recorder time). A device that takes one stamp gives
 * t1 = t2. Give the stamps as they were read: the host does the arithmetic.
 */
typedef struct lks_exchange {
    double t0_s;
    double t1_s;
    double t2_s;
    double t3_s;
} lks_exchange;

/*
 * What the host offers. The table and ctx stay valid for the life of the
 * process; after stop() has returned every call that has an answer gives
 * LKS_ESTATE. So it does in create, where only now, log, config_error and
 * get_extension may be called.
 */
typedef struct lks_host {
    uint32_t struct_size;
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t reserved;
    void *ctx; /* pass it back as the first argument of each call */

    /* [any thread] Recorder time in seconds. */
    double (*now)(void *ctx);

    /* [any thread] Declare a device clock; its handle goes to *out. */
    lks_status (*add_clock)(void *ctx, const lks_clock_info *info, lks_clock_id *out);

    /* [any thread] Declare a stream; its handle goes to *out. From start() on, at any time. */
    lks_status (*add_stream)(void *ctx, const lks_stream_info *info, lks_stream_id *out);

    /* [any thread] Record samples. LKS_AGAIN: dropped and counted. Calls for one stream must not overlap. */
    lks_status (*push_chunk)(void *ctx, const lks_chunk *chunk);

    /*
     * [any thread] Record the exchanges of one burst. All of them are kept; the
     * one with the lowest round-trip time becomes the clock offset of every
     * stream of this clock. Give only exchanges that were really measured.
     */
    lks_status (*push_exchanges)(void *ctx, lks_clock_id clock, const lks_exchange *exchanges, size_t count);

    /* [any thread] The device clock restarted or jumped: what follows is on another time line. */
    lks_status (*clock_reset)(void *ctx, lks_clock_id clock, lks_str reason);

    /*
     * [any thread] lost_samples of this stream never reached the plugin, or could not be read.
     * LKS_UNKNOWN_COUNT: some, number unknown; 0: a break without loss. Any other number above
     * 2^62 is LKS_EINVAL: it is a mistake, not a count.
     */
    lks_status (*report_gap)(void *ctx, lks_stream_id stream, uint64_t lost_samples, lks_str reason);

    /* [any thread] State of a stream, or of the source (LKS_WHOLE_SOURCE). The reason is shown as it is. */
    lks_status (*set_state)(void *ctx, lks_stream_id stream, uint32_t state, lks_str reason);

    /* [any thread] Write an event into the recording: a name and a JSON value (may be empty). */
    lks_status (*event)(void *ctx, lks_stream_id stream, lks_str name, lks_str json);

    /*
     * [any thread] A line for the log. When create, start or stop fails, the error lines logged in it
     * are shown as the reason; a line alone makes nothing fail.
     */
    void (*log)(void *ctx, uint32_t level, lks_str text);

    /*
     * [control, from create] An option is wrong: path is a JSON pointer into the options
     * ("/fields/2/type"). The operator sees the message at that place of the configuration.
     */
    void (*config_error)(void *ctx, lks_str path, lks_str message);

    /* [any thread] A named extension, or NULL when the host has none of that name. */
    const void *(*get_extension)(void *ctx, const char *name);
} lks_host;

/* Extension "lockstep.probe-settings/1": what the experiment asks of clock exchanges. */
#define LKS_EXT_PROBE_SETTINGS "lockstep.probe-settings/1"
typedef struct lks_probe_settings {
    uint32_t struct_size;
    uint32_t probes_per_burst;
    double interval_s; /* between bursts */
} lks_probe_settings;

/* Extension "lockstep.source-info/1": what the experiment calls this source. */
#define LKS_EXT_SOURCE_INFO "lockstep.source-info/1"
typedef struct lks_source_info {
    uint32_t struct_size;
    uint32_t reserved;
    lks_str name; /* valid as long as the host table */
} lks_source_info;

/*
 * Extension "lockstep.side-files/1": files beside the recording, for what is no stream of samples, such as video.
 * The host names them after the recording and the source, keeps the disk writing them, counts what finds no room,
 * and says in the recording which there are. What was appended when stands in a stream of the plugin's.
 */
#define LKS_EXT_SIDE_FILES "lockstep.side-files/1"
typedef uint32_t lks_side_file_id;
typedef struct lks_side_file {
    uint32_t struct_size;
    lks_side_file_id id;
    lks_str file_name; /* without its folder, which is that of the recording; valid as long as the host table */
} lks_side_file;
typedef struct lks_side_files {
    uint32_t struct_size;
    uint32_t reserved;

    /*
     * [any thread] Make a file, from start() on. what: what it holds, [A-Za-z0-9_-]+, as "scene"; suffix: likewise,
     * as "h264". Nothing is ever overwritten: where such a file exists, a number is added to the name.
     * *out: struct_size as its caller sets it, the rest written by the host. LKS_EIO: it cannot be made; the host
     * logged why.
     */
    lks_status (*create)(void *ctx, lks_str what, lks_str suffix, lks_side_file *out);

    /*
     * [any thread] Append bytes, all of them or none; the host copies them. *offset (may be NULL) is where the first
     * of them comes to stand. LKS_AGAIN: there was no room, the host counted the loss, and nothing was appended.
     */
    lks_status (*append)(void *ctx, lks_side_file_id file, const void *bytes, size_t count, uint64_t *offset);
} lks_side_files;

/*
 * Extension of the plugin "lockstep.vendor-code/1", since 1.3: any pointer that is not NULL says that the plugin calls
 * a vendor's library, of which nobody else can say what it does. Unless the experiment says otherwise, such a plugin
 * runs in a process of its own.
 */
#define LKS_EXT_VENDOR_CODE "lockstep.vendor-code/1"

/* What the plugin offers: a table that lives for ever. Members may be NULL where said. */
typedef struct lks_plugin {
    uint32_t struct_size;
    uint32_t abi_major; /* LKS_ABI_MAJOR of the header it was built with */
    uint32_t abi_minor; /* LKS_ABI_MINOR */
    uint32_t reserved;
    const char *id;          /* as named in configurations: [a-z0-9_-]+; the library's file name has it
                                too, with _ for -: liblockstep_plugin_ID.so */
    const char *version;     /* of the plugin */
    const char *description; /* one sentence */

    /*
     * [any thread] JSON Schema of the options (an object), with descriptions and
     * defaults; a string that lives for ever. NULL: the plugin takes any options.
     */
    const char *(*options_schema)(void);

    /*
     * [control] Make an instance from its options, a JSON object. Only parses and
     * checks: no I/O, no threads; of the host it may call now, log, config_error and
     * get_extension. On success *self is the instance (any non-NULL pointer).
     */
    lks_status (*create)(const lks_host *host, lks_str options_json, void **self);

    /* [control] Begin. Returns promptly; may start threads and add streams. Called at most once. */
    lks_status (*start)(void *self);

    /*
     * [control] End: last samples pushed, threads joined. Returns within half a second.
     * No host call may follow its return. Called once after a successful start.
     */
    lks_status (*stop)(void *self);

    /* [control] Free the instance. Called exactly once, after stop, a failed start, or a create never started. */
    void (*destroy)(void *self);

    /* [any thread] A named extension of the plugin, or NULL. The member itself may be NULL. */
    const void *(*get_extension)(const char *name);
} lks_plugin;

/*
 * The one exported function. Returns the plugin's table, or NULL when it cannot
 * serve a host of this version. Called before anything else, at least once.
 * Lockstep looks for lks_plugin_entry, then for lks_plugin_entry_<file stem>.
 */
LKS_EXPORT const lks_plugin *lks_plugin_entry(uint32_t host_abi_major, uint32_t host_abi_minor);

/*
 * Helpers. The texts they make are borrowed: they last as long as what they
 * point to.
 */

static inline lks_str lks_str_make(const char *ptr, size_t len)
{
    lks_str text;
    text.ptr = ptr;
    text.len = len;
    return text;
}

/* A string literal, without its terminator. */
#define LKS_STR(literal) lks_str_make("" literal "", sizeof(literal) - 1u)

/* A terminated string; NULL is the empty text. */
static inline lks_str lks_str_of(const char *text)
{
    return lks_str_make(text, text != NULL ? strlen(text) : 0);
}

/* Structs with their size set and everything else zero, to be filled in. */

static inline lks_clock_info lks_clock_info_init(void)
{
    lks_clock_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = (uint32_t)sizeof info;
    return info;
}

static inline lks_stream_info lks_stream_info_init(void)
{
    lks_stream_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = (uint32_t)sizeof info;
    return info;
}

static inline lks_side_file lks_side_file_init(void)
{
    lks_side_file file;
    memset(&file, 0, sizeof file);
    file.struct_size = (uint32_t)sizeof file;
    return file;
}

static inline lks_chunk lks_chunk_init(void)
{
    lks_chunk chunk;
    memset(&chunk, 0, sizeof chunk);
    chunk.struct_size = (uint32_t)sizeof chunk;
    return chunk;
}

/* The same, but every member "not stated". */
static inline lks_synchronization lks_synchronization_init(void)
{
    lks_synchronization timing;
    memset(&timing, 0, sizeof timing);
    timing.struct_size = (uint32_t)sizeof timing;
    timing.can_drop_samples = 2;
    timing.offset_mean_s = (double)NAN;
    timing.offset_rms_s = (double)NAN;
    timing.offset_median_s = (double)NAN;
    timing.offset_5_centile_s = (double)NAN;
    timing.offset_95_centile_s = (double)NAN;
    return timing;
}

#ifdef __cplusplus
}
#endif

#endif /* LOCKSTEP_PLUGIN_H */
