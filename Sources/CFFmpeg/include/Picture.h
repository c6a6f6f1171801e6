// Reading pictures where they lie: pieces as RGB, and mean colours.
#pragma once
#include <libavutil/frame.h>
#include <stdint.h>

/// Samples that lie interleaved in one plane and share one resolution.
typedef struct {
    const uint8_t *base;
    ptrdiff_t strideBytes;
    int isWide;          // samples of 16 bits instead of 8
    int step;            // samples from one pixel to its right neighbour
    int width, height;   // pixels of this plane
    int shiftX, shiftY;  // log2 of its subsampling
    int componentCount;
    int component[3];    // which of the picture's three components
    int offset[3];       // in samples, from the pixel's first
} adreact_plane;

/// A picture as it is stored (not turned upright). red, green, blue (0-255) = matrix * components + bias.
typedef struct {
    adreact_plane planes[3];
    int planeCount;
    int width, height;
    float matrix[3][3];
    float bias[3];
} adreact_picture;

/// Describes a decoded frame. Returns 0, or AVERROR(ENOSYS) for a pixel format that needs conversion first.
/// The picture borrows the frame's memory.
int adreact_picture_of_frame(const AVFrame *frame, adreact_picture *picture);
/// Describes `width` x `height` pixels of interleaved 8-bit RGB without padding. Borrows the memory.
void adreact_picture_of_rgb(const uint8_t *pixels, int width, int height, adreact_picture *picture);

/// Reads an area as RGB. The stored position of the output position (column, row) is
/// (m[0] column + m[1] row + m[2], m[3] column + m[4] row + m[5]); pixel i of either covers [i, i + 1).
/// Averages over the covered area when shrinking, interpolates when growing; black outside the picture.
/// Returns 0 or AVERROR(ENOMEM).
int adreact_crop(const adreact_picture *picture, const double m[6], int outputWidth, int outputHeight, uint8_t *rgb);

typedef struct {
    double red, green, blue;  // 0-255
    int64_t pixelCount;
} adreact_mean_colour;

/// The mean colour over the pixels whose centre is inside polygons (all edges together, even-odd rule).
/// `points`: x and y in turn, stored positions; `counts`: points of each polygon.
/// Returns 0 or AVERROR(ENOMEM).
int adreact_measure_colour(
    const adreact_picture *picture, const double *points, const int *counts, int polygonCount, adreact_mean_colour *result);
