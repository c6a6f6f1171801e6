// The mean colour over polygons. R, G and B are linear in the stored components, so sums of components suffice.
#include "Picture.h"
#include <errno.h>
#include <libavutil/error.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double sums[3];
    int64_t pixelCount, coveredCount;
} tally;

static int compare_positions(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint32_t sample_at(const adreact_plane *plane, int c, int x, int y) {
    const uint8_t *row = plane->base + (y >> plane->shiftY) * plane->strideBytes;
    int i = (x >> plane->shiftX) * plane->step + plane->offset[c];
    return plane->isWide ? ((const uint16_t *)row)[i] : row[i];
}

static void add_span(const adreact_picture *picture, int y, int from, int to, tally *t) {
    for (int p = 0; p < picture->planeCount; p++) {
        const adreact_plane *plane = &picture->planes[p];
        for (int c = 0; c < plane->componentCount; c++) {
            uint64_t sum = 0;
            if (!plane->isWide && plane->step == 1 && plane->shiftX == 0) {
                const uint8_t *row = plane->base + (y >> plane->shiftY) * plane->strideBytes;
                uint32_t part = 0;  // 2^24 pixels of 255 fit
                for (int x = from; x < to; x++) part += row[x];
                sum = part;
            } else {
                for (int x = from; x < to; x++) sum += sample_at(plane, c, x, y);
            }
            t->sums[plane->component[c]] += (double)sum;
        }
    }
    t->pixelCount += to - from;
    t->coveredCount += to - from;
}

static void add_span_within(const adreact_picture *picture, const adreact_chroma_limits *limits, int y, int from, int to, tally *t) {
    t->coveredCount += to - from;
    for (int x = from; x < to; x++) {
        double v[3] = {0, 0, 0};
        for (int p = 0; p < picture->planeCount; p++) {
            const adreact_plane *plane = &picture->planes[p];
            for (int c = 0; c < plane->componentCount; c++) v[plane->component[c]] = sample_at(plane, c, x, y);
        }
        double cb = v[1] * picture->codeScale, cr = v[2] * picture->codeScale;
        if (picture->isRGB) {  // BT.601, full range
            double r = v[0] * picture->codeScale, g = v[1] * picture->codeScale, b = v[2] * picture->codeScale;
            cb = 128 - 0.168736 * r - 0.331264 * g + 0.5 * b;
            cr = 128 + 0.5 * r - 0.418688 * g - 0.081312 * b;
        }
        if (cb < limits->minimumCb || cb > limits->maximumCb || cr < limits->minimumCr || cr > limits->maximumCr) continue;
        for (int k = 0; k < 3; k++) t->sums[k] += v[k];
        t->pixelCount++;
    }
}

// The first pixel whose centre is at or right of a position.
static int first_pixel(double position, int width) {
    double x = ceil(position - 0.5);
    return x <= 0 ? 0 : x >= width ? width : (int)x;
}

int adreact_measure_colour(
    const adreact_picture *picture, const double *points, const int *counts, int polygonCount,
    const adreact_chroma_limits *limits, adreact_mean_colour *result) {
    size_t edgeCount = 0;
    for (int i = 0; i < polygonCount; i++) edgeCount += (size_t)counts[i];
    double *crossings = malloc(sizeof(double) * (edgeCount + 1));
    if (!crossings) return AVERROR(ENOMEM);
    double top = INFINITY, bottom = -INFINITY;
    for (size_t i = 0; i < edgeCount; i++) {
        top = fmin(top, points[2 * i + 1]);
        bottom = fmax(bottom, points[2 * i + 1]);
    }
    tally t = {0};
    int end = edgeCount ? first_pixel(bottom, picture->height) : 0;
    for (int y = edgeCount ? first_pixel(top, picture->height) : 0; y < end; y++) {
        double centre = y + 0.5;
        size_t found = 0;
        const double *polygon = points;
        for (int i = 0; i < polygonCount; polygon += 2 * (size_t)counts[i], i++) {
            for (int k = 0; k < counts[i]; k++) {
                const double *a = polygon + 2 * (size_t)k, *b = polygon + 2 * (size_t)((k + 1) % counts[i]);
                if ((a[1] <= centre) == (b[1] <= centre)) continue;
                crossings[found++] = a[0] + (b[0] - a[0]) * (centre - a[1]) / (b[1] - a[1]);
            }
        }
        qsort(crossings, found, sizeof(double), compare_positions);
        for (size_t i = 0; i + 1 < found; i += 2) {
            int from = first_pixel(crossings[i], picture->width), to = first_pixel(crossings[i + 1], picture->width);
            if (from >= to) continue;
            if (limits && (picture->planeCount > 1 || picture->isRGB)) add_span_within(picture, limits, y, from, to, &t);
            else add_span(picture, y, from, to, &t);
        }
    }
    free(crossings);
    double mean[3] = {0, 0, 0}, colour[3];
    if (t.pixelCount) for (int k = 0; k < 3; k++) mean[k] = t.sums[k] / (double)t.pixelCount;
    for (int k = 0; k < 3; k++) {
        const float *row = picture->matrix[k];
        double value = (double)row[0] * mean[0] + (double)row[1] * mean[1] + (double)row[2] * mean[2] + (double)picture->bias[k];
        colour[k] = t.pixelCount ? fmin(fmax(value, 0), 255) : 0;
    }
    *result = (adreact_mean_colour){colour[0], colour[1], colour[2], t.pixelCount, t.coveredCount};
    return 0;
}
