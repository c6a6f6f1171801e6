#include "Input.h"
#include <errno.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void stay_quiet(void *source, int level, const char *format, va_list arguments) {
    (void)source; (void)level; (void)format; (void)arguments;
}

void adreact_configure_ffmpeg(size_t maximumAllocationBytes) {
    av_log_set_callback(stay_quiet);
    av_max_alloc(maximumAllocationBytes);
}

struct adreact_interruption {
    atomic_int isRaised;
    atomic_int timedOut;
    atomic_llong deadlineNanoseconds;  // 0: none
};

static long long monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

adreact_interruption *adreact_interruption_create(void) {
    return calloc(1, sizeof(adreact_interruption));
}

void adreact_interruption_free(adreact_interruption *interruption) {
    free(interruption);
}

void adreact_interruption_raise(adreact_interruption *interruption) {
    atomic_store(&interruption->isRaised, 1);
}

int adreact_interruption_is_raised(const adreact_interruption *interruption) {
    return atomic_load(&interruption->isRaised);
}

void adreact_interruption_set_timeout(adreact_interruption *interruption, double seconds) {
    atomic_store(&interruption->timedOut, 0);
    atomic_store(
        &interruption->deadlineNanoseconds, seconds > 0 ? monotonic_nanoseconds() + (long long)(seconds * 1e9) : 0);
}

int adreact_interruption_timed_out(const adreact_interruption *interruption) {
    return atomic_load(&interruption->timedOut);
}

static int should_give_up(void *opaque) {
    adreact_interruption *interruption = opaque;
    if (atomic_load(&interruption->isRaised)) return 1;
    long long deadline = atomic_load(&interruption->deadlineNanoseconds);
    if (deadline == 0 || monotonic_nanoseconds() < deadline) return 0;
    atomic_store(&interruption->timedOut, 1);
    return 1;
}

void adreact_interruption_attach(adreact_interruption *interruption, AVFormatContext *context) {
    context->interrupt_callback.callback = should_give_up;
    context->interrupt_callback.opaque = interruption;
}

typedef struct {
    int descriptor;
    adreact_interruption *interruption;
} descriptor_source;

// FFmpeg's own pipe protocol blocks in read(2), where no flag can reach it.
static int read_descriptor(void *opaque, uint8_t *buffer, int size) {
    descriptor_source *source = opaque;
    const int pollMilliseconds = 100;
    for (;;) {
        if (should_give_up(source->interruption)) return AVERROR_EXIT;
        struct pollfd waiting = {.fd = source->descriptor, .events = POLLIN};
        int ready = poll(&waiting, 1, pollMilliseconds);
        if (ready < 0 && errno != EINTR) return AVERROR(errno);
        if (ready <= 0) continue;
        ssize_t count = read(source->descriptor, buffer, (size_t)size);
        if (count > 0) return (int)count;
        if (count == 0) return AVERROR_EOF;
        if (errno != EINTR && errno != EAGAIN) return AVERROR(errno);
    }
}

static int64_t seek_descriptor(void *opaque, int64_t offset, int whence) {
    descriptor_source *source = opaque;
    if (whence == AVSEEK_SIZE) {
        struct stat status;
        return fstat(source->descriptor, &status) == 0 ? status.st_size : AVERROR(errno);
    }
    off_t position = lseek(source->descriptor, offset, whence & ~AVSEEK_FORCE);
    return position < 0 ? AVERROR(errno) : position;
}

AVIOContext *adreact_descriptor_io_create(int descriptor, adreact_interruption *interruption) {
    const int bufferBytes = 65536;
    descriptor_source *source = malloc(sizeof(*source));
    uint8_t *buffer = av_malloc(bufferBytes);
    struct stat status;
    int isFile = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    AVIOContext *io = NULL;
    if (source && buffer) {
        *source = (descriptor_source){descriptor, interruption};
        io = avio_alloc_context(buffer, bufferBytes, 0, source, read_descriptor, NULL, isFile ? seek_descriptor : NULL);
    }
    if (!io) {
        free(source);
        av_free(buffer);
    }
    return io;
}

void adreact_descriptor_io_free(AVIOContext *io) {
    if (!io) return;
    free(io->opaque);
    av_freep(&io->buffer);
    avio_context_free(&io);
}
