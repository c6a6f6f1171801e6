#include "Input.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
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
    // While a socket of this process listens at the port, the deadline is put off. On the opening thread only:
    int listeningPort;  // 0: none
    int wasListening, somebodyCame;
    double answerSeconds;
    long long lastLookNanoseconds;
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

// libavformat says nothing of a sender that has come, but it closes the socket that it was listening on.
static int listens_at(int port) {
    const int mostDescriptors = 4096;
    for (int descriptor = 0; descriptor < mostDescriptors; descriptor++) {
        int listens = 0;
        socklen_t size = sizeof listens;
        if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens) continue;
        struct sockaddr_storage address = {0};
        size = sizeof address;
        if (getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) continue;
        // The port lies at the same place in both.
        if (address.ss_family != AF_INET && address.ss_family != AF_INET6) continue;
        if (ntohs(((struct sockaddr_in *)&address)->sin_port) == port) return 1;
    }
    return 0;
}

void adreact_interruption_set_listening(adreact_interruption *interruption, int port, double answerSeconds) {
    interruption->listeningPort = port;
    interruption->wasListening = interruption->somebodyCame = 0;
    interruption->answerSeconds = answerSeconds;
    interruption->lastLookNanoseconds = 0;
}

int adreact_interruption_somebody_came(const adreact_interruption *interruption) {
    // Nothing else ends listening early: whoever came may have gone before the next look.
    return interruption->somebodyCame || (interruption->wasListening && !atomic_load(&interruption->timedOut));
}

static void look_for_sender(adreact_interruption *interruption) {
    const long long lookNanoseconds = 200000000;
    long long now = monotonic_nanoseconds();
    if (now - interruption->lastLookNanoseconds < lookNanoseconds) return;
    interruption->lastLookNanoseconds = now;
    if (listens_at(interruption->listeningPort)) interruption->wasListening = 1;
    else if (interruption->wasListening) {
        interruption->somebodyCame = 1;
        interruption->listeningPort = 0;
        adreact_interruption_set_timeout(interruption, interruption->answerSeconds);
    }
}

static int should_give_up(void *opaque) {
    adreact_interruption *interruption = opaque;
    if (atomic_load(&interruption->isRaised)) return 1;
    if (interruption->listeningPort) look_for_sender(interruption);
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
