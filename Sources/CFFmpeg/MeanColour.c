// The mean colour over polygons. R, G and B are linear in the stored components, so sums of components suffice.
#include "Picture.h"
#include <errno.h>
#include <libavutil/error.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double sums[3];
    int64_t pixelCount;
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
            if (!plane->isWide && plane->step == 1 && plane->shiftX <= 1) {
                const uint8_t *row = plane->base + (y >> plane->shiftY) * plane->strideBytes;
                int shift = plane->shiftX, first = (from + shift) >> shift, end = to >> shift;
                uint32_t whole = 0;  // 2^24 samples of 255 fit
                for (int i = first; i < end; i++) whole += row[i];
                sum = (uint64_t)whole << shift;
                // Samples of which one pixel of two is in the span.
                if (first << shift > from) sum += row[first - 1];
                if (end << shift < to) sum += row[end];
            } else {
                for (int x = from; x < to; x++) sum += sample_at(plane, c, x, y);
            }
            t->sums[plane->component[c]] += (double)sum;
        }
    }
    t->pixelCount += to - from;
}

// The first pixel whose centre is at or right of a position.
static int first_pixel(double position, int width) {
    double x = ceil(position - 0.5);
    return x <= 0 ? 0 : x >= width ? width : (int)x;
}

int adreact_measure_colour(
    const adreact_picture *picture, const double *points, const int *counts, int polygonCount, adreact_mean_colour *result) {
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
            add_span(picture, y, from, to, &t);
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
    *result = (adreact_mean_colour){colour[0], colour[1], colour[2], t.pixelCount};
    return 0;
}
