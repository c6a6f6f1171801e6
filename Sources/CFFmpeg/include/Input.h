// Opening and reading inputs: constants behind macros, interruption, and reading from a descriptor.
#pragma once
#include <libavformat/avformat.h>

static const int ADREACT_ERROR_EOF = AVERROR_EOF;
static const int ADREACT_ERROR_EXIT = AVERROR_EXIT;
static const int ADREACT_ERROR_INVALID_DATA = AVERROR_INVALIDDATA;
static const int ADREACT_ERROR_STREAM_NOT_FOUND = AVERROR_STREAM_NOT_FOUND;
static const int ADREACT_ERROR_DEMUXER_NOT_FOUND = AVERROR_DEMUXER_NOT_FOUND;
static const int ADREACT_ERROR_PROTOCOL_NOT_FOUND = AVERROR_PROTOCOL_NOT_FOUND;
static const int ADREACT_ERROR_TRY_AGAIN = AVERROR(EAGAIN);
static const int ADREACT_ERROR_TIMED_OUT = AVERROR(ETIMEDOUT);
static const int64_t ADREACT_NO_PTS = AV_NOPTS_VALUE;

/// Makes FFmpeg keep its messages to itself, and refuse single allocations above `maximumAllocationBytes`.
void adreact_configure_ffmpeg(size_t maximumAllocationBytes);

/// A flag that another thread may raise, and a deadline, both looked at by FFmpeg during blocking operations.
typedef struct adreact_interruption adreact_interruption;
adreact_interruption *adreact_interruption_create(void);
void adreact_interruption_free(adreact_interruption *interruption);
void adreact_interruption_raise(adreact_interruption *interruption);
int adreact_interruption_is_raised(const adreact_interruption *interruption);
/// From now on, operations that last longer than this are given up. 0: no limit.
void adreact_interruption_set_timeout(adreact_interruption *interruption, double seconds);
/// Whether the last operation was given up because of the limit.
int adreact_interruption_timed_out(const adreact_interruption *interruption);
/// While the source being opened listens at a TCP port, the limit above holds; once somebody has come, `answerSeconds`.
void adreact_interruption_set_listening(adreact_interruption *interruption, int port, double answerSeconds);
/// After opening has failed, on that thread: whether somebody had come.
int adreact_interruption_somebody_came(const adreact_interruption *interruption);
void adreact_interruption_attach(adreact_interruption *interruption, AVFormatContext *context);

/// Reads from an open descriptor (a pipe, a terminal, a redirected file), giving up soon after the flag is raised.
/// Seeks if the descriptor is a regular file. NULL: out of memory. Neither closes `descriptor`.
AVIOContext *adreact_descriptor_io_create(int descriptor, adreact_interruption *interruption);
void adreact_descriptor_io_free(AVIOContext *io);
