#include "Samples.h"
#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/samplefmt.h>
#include <math.h>

// One loop for each type: `scale` brings a sample to -1...1 after subtracting `zero`.
#define AVERAGE(type, zero, scale)                                                        \
    for (int i = 0; i < count; i++) {                                                     \
        double sum = 0;                                                                   \
        for (int c = 0; c < channels; c++) {                                              \
            const type *samples = (const type *)frame->extended_data[planar ? c : 0];     \
            sum += ((double)samples[planar ? i : (size_t)i * channels + c] - (zero)) * (scale); \
        }                                                                                 \
        float mean = (float)(sum / channels);                                             \
        mono[i] = isfinite(mean) ? mean : 0;                                              \
    }

int adreact_average_channels(const AVFrame *frame, float *mono) {
    int channels = frame->ch_layout.nb_channels, count = frame->nb_samples;
    int planar = av_sample_fmt_is_planar(frame->format);
    if (channels < 1 || !frame->extended_data) return AVERROR(ENOSYS);
    switch (av_get_packed_sample_fmt(frame->format)) {
    case AV_SAMPLE_FMT_U8: AVERAGE(uint8_t, 128, 1.0 / 128) break;
    case AV_SAMPLE_FMT_S16: AVERAGE(int16_t, 0, 1.0 / 32768) break;
    case AV_SAMPLE_FMT_S32: AVERAGE(int32_t, 0, 1.0 / 2147483648.0) break;
    case AV_SAMPLE_FMT_S64: AVERAGE(int64_t, 0, 1.0 / 9223372036854775808.0) break;
    case AV_SAMPLE_FMT_FLT: AVERAGE(float, 0, 1.0) break;
    case AV_SAMPLE_FMT_DBL: AVERAGE(double, 0, 1.0) break;
    default: return AVERROR(ENOSYS);
    }
    return 0;
}
