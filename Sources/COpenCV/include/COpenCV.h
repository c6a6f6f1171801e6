/// A C face of the one OpenCV class that AdReact uses: cv::CascadeClassifier. No C++ exception crosses it.
#ifndef ADREACT_COPENCV_H
#define ADREACT_COPENCV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adreact_cascade adreact_cascade;

typedef struct {
    int32_t x, y, width, height;
} adreact_box;

/// NULL if the file is missing or no cascade.
adreact_cascade *_Nullable adreact_cascade_load(const char *_Nonnull path);
void adreact_cascade_free(adreact_cascade *_Nullable cascade);

/// Searches a grey picture of width x height bytes without padding.
/// Returns how many boxes were written to `boxes` (at most `capacity`), or -1 if OpenCV failed.
int32_t adreact_cascade_detect(
    adreact_cascade *_Nonnull cascade, const uint8_t *_Nullable pixels, int32_t width, int32_t height, double scale_factor,
    int32_t neighbour_count, adreact_box *_Nonnull boxes, int32_t capacity);

#ifdef __cplusplus
}
#endif
#endif
