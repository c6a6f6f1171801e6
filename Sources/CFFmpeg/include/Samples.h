// Samples of sound.
#pragma once
#include <libavutil/frame.h>

/// Writes the mean of a frame's channels, as float, -1 to 1: `frame->nb_samples` values. Values that are not numbers
/// become 0. Returns 0, or AVERROR(ENOSYS) for a sample format that it does not know.
int adreact_average_channels(const AVFrame *frame, float *mono);
