// A piece of a picture as RGB. Upright pieces go through a separable filter on whole numbers, so that the result does
// not depend on the order of sums; turned pieces are shrunk by a whole factor and then interpolated.
#include "Picture.h"
#include <errno.h>
#include <libavutil/error.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_ONE = 1024 };

// The source samples that make one output sample along one axis: `count` from `first`, all with weight one but for
// the first and the last.
typedef struct {
    int first, count;
    uint32_t weightFirst, weightLast;
    double perWeight;  // 1 / sum of weights
    float share;  // of the output sample that lies inside the picture
} tap;

static uint32_t to_weight(double coverage) {
    return (uint32_t)lrint(coverage * WEIGHT_ONE);
}

// Output sample i covers [scale i + start, scale (i + 1) + start) of `size` source samples.
static void make_taps(tap *taps, int count, double scale, double start, int size) {
    double width = fabs(scale);
    for (int i = 0; i < count; i++) {
        double a = scale * i + start, b = scale * (i + 1) + start;
        double low = fmin(a, b), high = fmax(a, b);
        tap *t = &taps[i];
        *t = (tap){0};
        if (width >= 1) {  // shrinking: the covered area
            double from = fmax(low, 0), to = fmin(high, size);
            if (!(to - from > 1e-6)) continue;
            t->first = (int)from;
            int end = (int)ceil(to);
            if (end - to > 1 - 1e-6 && end - 1 > t->first) end--;  // a rounding error is not a sample
            t->count = end - t->first;
            t->weightFirst = to_weight(fmin(t->first + 1, to) - from);
            t->weightLast = t->count > 1 ? to_weight(fmin(to, end) - (end - 1)) : 0;
            t->share = (float)fmin(1, (to - from) / width);
        } else {  // growing: the two neighbours of the centre
            double centre = (low + high) / 2;
            if (!(centre >= 0 && centre < size)) continue;
            double position = fmin(fmax(centre - 0.5, 0), size - 1);
            t->first = (int)position;
            t->count = t->first + 1 < size ? 2 : 1;
            t->weightLast = t->count == 2 ? to_weight(position - t->first) : 0;
            t->weightFirst = WEIGHT_ONE - t->weightLast;
            t->share = 1;
        }
        double weightSum = (double)t->weightFirst + t->weightLast + (t->count > 2 ? (double)(t->count - 2) * WEIGHT_ONE : 0);
        if (weightSum == 0) *t = (tap){0};
        else t->perWeight = 1 / weightSum;
    }
}

// Not inlined: the compiler vectorises them best on their own.
#define ALONE __attribute__((noinline))

ALONE static void add_rows(uint16_t *restrict sum, const uint8_t *restrict row, ptrdiff_t stride, int rows, int count) {
    int y = 0;
    for (; y + 4 <= rows; y += 4, row += 4 * stride) {
        const uint8_t *a = row, *b = a + stride, *c = b + stride, *d = c + stride;
        for (int x = 0; x < count; x++) sum[x] += (uint16_t)(a[x] + b[x]) + (uint16_t)(c[x] + d[x]);
    }
    for (; y < rows; y++, row += stride) for (int x = 0; x < count; x++) sum[x] += row[x];
}

ALONE static void add_weighted_row(uint32_t *restrict sum, const uint8_t *restrict row, uint16_t weight, int count) {
    for (int x = 0; x < count; x++) sum[x] += (uint32_t)row[x] * weight;
}

ALONE static void add_whole_rows(uint32_t *restrict sum, const uint16_t *restrict rows, int count) {
    for (int x = 0; x < count; x++) sum[x] += (uint32_t)rows[x] * WEIGHT_ONE;
}

// Weighted sum of rows of 8-bit samples. Rows of weight one are summed in 16 bits (at most 257 fit), then carried over;
// 32 bits hold 16384 rows.
static void sum_rows_8(const adreact_plane *plane, const tap *t, int from, int count, uint16_t *restrict narrow, uint32_t *restrict sum) {
    ptrdiff_t stride = plane->strideBytes;
    const uint8_t *first = plane->base + t->first * stride + from;
    const uint8_t *last = first + (t->count - 1) * stride;
    const uint8_t *whole = first;
    int rows = t->count;
    memset(sum, 0, sizeof(uint32_t) * (size_t)count);
    if (t->weightFirst != WEIGHT_ONE || t->count == 1) {
        add_weighted_row(sum, first, (uint16_t)t->weightFirst, count);
        whole += stride;
        rows--;
    }
    if (t->count > 1 && t->weightLast != WEIGHT_ONE) {
        add_weighted_row(sum, last, (uint16_t)t->weightLast, count);
        rows--;
    }
    const int most = 16384, batchRows = 256;
    if (rows > most) rows = most;
    for (int done = 0; done < rows; done += batchRows) {
        int batch = rows - done < batchRows ? rows - done : batchRows;
        memset(narrow, 0, sizeof(uint16_t) * (size_t)count);
        add_rows(narrow, whole + done * stride, stride, batch, count);
        add_whole_rows(sum, narrow, count);
    }
}

static void sum_rows_16(const adreact_plane *plane, const tap *t, int from, int count, uint64_t *restrict sum) {
    memset(sum, 0, sizeof(uint64_t) * (size_t)count);
    for (int i = 0; i < t->count; i++) {
        const uint16_t *row = (const uint16_t *)(plane->base + (t->first + i) * plane->strideBytes) + from;
        uint64_t weight = i == 0 ? t->weightFirst : i == t->count - 1 ? t->weightLast : WEIGHT_ONE;
        for (int x = 0; x < count; x++) sum[x] += row[x] * weight;
    }
}

#define SUM_COLUMNS(name, type)                                                                                \
    static void name(const type *sum, int skip, int step, const tap *tx, int nx, double perRow, float *out) {  \
        for (int ix = 0; ix < nx; ix++) {                                                                      \
            const tap *t = &tx[ix];                                                                            \
            if (!t->count) continue;                                                                           \
            const type *s = sum + (t->first * step + skip);                                                    \
            uint64_t total = (uint64_t)s[0] * t->weightFirst;                                                  \
            if (t->count > 1) total += (uint64_t)s[(t->count - 1) * step] * t->weightLast;                     \
            uint64_t inner = 0;                                                                                \
            for (int i = 1; i < t->count - 1; i++) inner += s[i * step];                                       \
            out[ix] = (float)((double)(int64_t)(total + inner * WEIGHT_ONE) * (t->perWeight * perRow));         \
        }                                                                                                      \
    }
SUM_COLUMNS(sum_columns_32, uint32_t)
SUM_COLUMNS(sum_columns_64, uint64_t)

// Fills values[component][iy * nx + ix] with sample means, for nx by ny outputs along the plane's own axes.
static int resample_upright(const adreact_plane *plane, const tap *tx, int nx, const tap *ty, int ny, float *values[3]) {
    int low = plane->width, high = 0;
    for (int i = 0; i < nx; i++) {
        if (!tx[i].count) continue;
        if (tx[i].first < low) low = tx[i].first;
        if (tx[i].first + tx[i].count > high) high = tx[i].first + tx[i].count;
    }
    for (int c = 0; c < plane->componentCount; c++)
        memset(values[plane->component[c]], 0, sizeof(float) * (size_t)nx * (size_t)ny);
    if (high <= low) return 0;
    int from = low * plane->step;
    int count = (high - 1) * plane->step + plane->step - from;
    if (plane->step > 1) {  // up to the last component's sample, not beyond the row
        int reach = 0;
        for (int c = 0; c < plane->componentCount; c++) if (plane->offset[c] > reach) reach = plane->offset[c];
        count = (high - 1) * plane->step + reach + 1 - from;
    }
    size_t sumBytes = plane->isWide ? sizeof(uint64_t) : sizeof(uint32_t);
    void *sum = malloc((sumBytes + sizeof(uint16_t)) * (size_t)count);
    if (!sum) return AVERROR(ENOMEM);
    uint16_t *narrow = (uint16_t *)((uint8_t *)sum + sumBytes * (size_t)count);
    for (int iy = 0; iy < ny; iy++) {
        if (!ty[iy].count) continue;
        if (plane->isWide) sum_rows_16(plane, &ty[iy], from, count, sum);
        else sum_rows_8(plane, &ty[iy], from, count, narrow, sum);
        for (int c = 0; c < plane->componentCount; c++) {
            float *out = values[plane->component[c]] + (size_t)iy * (size_t)nx;
            int skip = plane->offset[c] - from;
            if (plane->isWide) sum_columns_64(sum, skip, plane->step, tx, nx, ty[iy].perWeight, out);
            else sum_columns_32(sum, skip, plane->step, tx, nx, ty[iy].perWeight, out);
        }
    }
    free(sum);
    return 0;
}

// Colours of one row of output: value i of each component lies at i * stride. Black has the rest of the share.
static void write_row(const adreact_picture *picture, float *const values[3], size_t start, size_t stride, const float *share, int count, uint8_t *restrict rgb) {
    const float *a = values[0] + start, *b = values[1] + start, *c = values[2] + start;
    for (int k = 0; k < 3; k++) {
        float fa = picture->matrix[k][0], fb = picture->matrix[k][1], fc = picture->matrix[k][2], bias = picture->bias[k];
        for (int i = 0; i < count; i++) {
            size_t at = (size_t)i * stride;
            float value = fa * a[at] + fb * b[at] + fc * c[at] + bias;
            value = value > 0 ? value : 0;
            value = value < 255 ? value : 255;
            rgb[3 * i + k] = (uint8_t)(int)(value * share[i] + 0.5f);
        }
    }
}

// x depends on one output axis only, y on the other.
static int crop_upright(const adreact_picture *picture, const double m[6], int isSwapped, int outputWidth, int outputHeight, float *values[3], float *share, uint8_t *rgb) {
    int nx = isSwapped ? outputHeight : outputWidth, ny = isSwapped ? outputWidth : outputHeight;
    double scaleX = isSwapped ? m[1] : m[0], scaleY = isSwapped ? m[3] : m[4];
    tap *taps = malloc(sizeof(tap) * 2 * ((size_t)nx + (size_t)ny));
    if (!taps) return AVERROR(ENOMEM);
    tap *shareX = taps + nx + ny, *shareY = shareX + nx;
    int result = 0;
    for (int p = 0; p < picture->planeCount && result == 0; p++) {
        const adreact_plane *plane = &picture->planes[p];
        double fx = 1.0 / (1 << plane->shiftX), fy = 1.0 / (1 << plane->shiftY);
        make_taps(taps, nx, scaleX * fx, m[2] * fx, plane->width);
        make_taps(taps + nx, ny, scaleY * fy, m[5] * fy, plane->height);
        if (p == 0) memcpy(shareX, taps, sizeof(tap) * ((size_t)nx + (size_t)ny));
        result = resample_upright(plane, taps, nx, taps + nx, ny, values);
    }
    if (result == 0) {
        const tap *along = isSwapped ? shareY : shareX, *across = isSwapped ? shareX : shareY;
        size_t rowStep = isSwapped ? 1 : (size_t)nx, columnStep = isSwapped ? (size_t)nx : 1;
        for (int row = 0; row < outputHeight; row++, rgb += 3 * (size_t)outputWidth) {
            for (int i = 0; i < outputWidth; i++) share[i] = along[i].share * across[row].share;
            write_row(picture, values, (size_t)row * rowStep, columnStep, share, outputWidth, rgb);
        }
    }
    free(taps);
    return result;
}

// The part of a plane around a turned area, averaged over squares of `factor` samples.
typedef struct {
    float *values;
    int x0, y0, width, height, factor;  // origin and size in squares
} shrunk;

static int shrink(const adreact_plane *plane, int c, const double box[4], int factor, shrunk *out) {
    int limitX = (plane->width + factor - 1) / factor, limitY = (plane->height + factor - 1) / factor;
    double f = factor;
    int x0 = (int)fmin(fmax(floor(box[0] / f) - 1, 0), limitX), x1 = (int)fmin(fmax(ceil(box[2] / f) + 1, 0), limitX);
    int y0 = (int)fmin(fmax(floor(box[1] / f) - 1, 0), limitY), y1 = (int)fmin(fmax(ceil(box[3] / f) + 1, 0), limitY);
    *out = (shrunk){NULL, x0, y0, x1 - x0, y1 - y0, factor};
    if (out->width <= 0 || out->height <= 0) return 0;
    int left = x0 * factor, right = x1 * factor < plane->width ? x1 * factor : plane->width;
    out->values = malloc(sizeof(float) * (size_t)out->width * (size_t)out->height);
    uint32_t *sum = malloc(sizeof(uint32_t) * (size_t)(right - left));
    if (!out->values || !sum) {
        free(out->values);
        free(sum);
        return AVERROR(ENOMEM);
    }
    for (int y = 0; y < out->height; y++) {
        int top = (y0 + y) * factor, bottom = top + factor < plane->height ? top + factor : plane->height;
        memset(sum, 0, sizeof(uint32_t) * (size_t)(right - left));
        for (int sy = top; sy < bottom; sy++) {
            const uint8_t *row = plane->base + sy * plane->strideBytes;
            int at = left * plane->step + plane->offset[c], step = plane->step, count = right - left;
            if (plane->isWide) for (int x = 0; x < count; x++) sum[x] += ((const uint16_t *)row)[at + x * step];
            else if (step == 1) for (int x = 0; x < count; x++) sum[x] += row[at + x];
            else for (int x = 0; x < count; x++) sum[x] += row[at + x * step];
        }
        float *values = out->values + (size_t)y * (size_t)out->width;
        for (int x = 0; x < out->width; x++) {
            int from = x * factor, to = from + factor < right - left ? from + factor : right - left;
            uint64_t total = 0;
            for (int i = from; i < to; i++) total += sum[i];
            values[x] = (float)total / ((float)(bottom - top) * (float)(to - from));
        }
    }
    free(sum);
    return 0;
}

// At a position in squares.
static inline float interpolate(const shrunk *s, float x, float y) {
    float lastX = (float)(s->width - 1), lastY = (float)(s->height - 1);
    x = x > 0 ? x : 0;
    y = y > 0 ? y : 0;
    x = x < lastX ? x : lastX;
    y = y < lastY ? y : lastY;
    int ix = (int)x, iy = (int)y;
    int right = ix + 1 < s->width ? 1 : 0, below = iy + 1 < s->height ? s->width : 0;
    float fx = x - (float)ix, fy = y - (float)iy;
    const float *v = s->values + (size_t)iy * (size_t)s->width + (size_t)ix;
    float upper = v[0] + (v[right] - v[0]) * fx, lower = v[below] + (v[below + right] - v[below]) * fx;
    return upper + (lower - upper) * fy;
}

// Squares from one output sample to the next, at most: interpolation reaches over two, so that up to here every source
// sample counts about equally.
static const double WIDEST_STEP = 1.34;

static void sample_turned(const adreact_picture *picture, const adreact_plane *plane, const double m[6], const shrunk *part, int samples, int isInside, int outputWidth, int outputHeight, float *out, float *share) {
    double fx = 1.0 / (1 << plane->shiftX) / part->factor, fy = 1.0 / (1 << plane->shiftY) / part->factor;
    double ox = -0.5 - part->x0, oy = -0.5 - part->y0;
    int perPixel = samples * samples;
    for (int row = 0; row < outputHeight; row++) {
        for (int column = 0; column < outputWidth; column++, out++) {
            float sum = 0;
            int inside = 0;
            for (int s = 0; part->values && s < perPixel; s++) {
                double u = column + 0.5, v = row + 0.5;
                if (samples > 1) {
                    u = column + (s % samples + 0.5) / samples;
                    v = row + (s / samples + 0.5) / samples;
                }
                double x = m[0] * u + m[1] * v + m[2], y = m[3] * u + m[4] * v + m[5];
                if (!isInside && !(x >= 0 && x < picture->width && y >= 0 && y < picture->height)) continue;
                sum += interpolate(part, (float)(x * fx + ox), (float)(y * fy + oy));
                inside++;
            }
            *out = inside == perPixel ? sum / (float)perPixel : inside ? sum / (float)inside : 0;
            if (share) *share++ = (float)inside / (float)perPixel;
        }
    }
}

static int crop_turned(const adreact_picture *picture, const double m[6], int outputWidth, int outputHeight, float *values[3], float *share, uint8_t *rgb) {
    double across = hypot(m[0], m[3]), down = hypot(m[1], m[4]);
    double box[4] = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (int corner = 0; corner < 4; corner++) {
        double column = corner & 1 ? outputWidth : 0, row = corner & 2 ? outputHeight : 0;
        double x = m[0] * column + m[1] * row + m[2], y = m[3] * column + m[4] * row + m[5];
        box[0] = fmin(box[0], x); box[1] = fmin(box[1], y);
        box[2] = fmax(box[2], x); box[3] = fmax(box[3], y);
    }
    int isInside = box[0] >= 0 && box[1] >= 0 && box[2] < picture->width && box[3] < picture->height;
    for (int p = 0; p < picture->planeCount; p++) {
        const adreact_plane *plane = &picture->planes[p];
        double fx = 1.0 / (1 << plane->shiftX), fy = 1.0 / (1 << plane->shiftY);
        double smaller = fmin(across, down) * fmin(fx, fy), larger = fmax(across, down) * fmax(fx, fy);
        int factor = (int)fmin(fmax(ceil(smaller / WIDEST_STEP), 1), 4096);
        int samples = (int)fmin(fmax(ceil(larger / factor / WIDEST_STEP), 1), 16);  // along each side of an output pixel
        double planeBox[4] = {box[0] * fx, box[1] * fy, box[2] * fx, box[3] * fy};
        for (int c = 0; c < plane->componentCount; c++) {
            shrunk part;
            int result = shrink(plane, c, planeBox, factor, &part);
            if (result < 0) return result;
            sample_turned(
                picture, plane, m, &part, samples, isInside, outputWidth, outputHeight, values[plane->component[c]],
                p == 0 && c == 0 ? share : NULL);
            free(part.values);
        }
    }
    for (int row = 0; row < outputHeight; row++) {
        size_t start = (size_t)row * (size_t)outputWidth;
        write_row(picture, values, start, 1, share + start, outputWidth, rgb + 3 * start);
    }
    return 0;
}

int adreact_crop(const adreact_picture *picture, const double m[6], int outputWidth, int outputHeight, uint8_t *rgb) {
    size_t count = (size_t)outputWidth * (size_t)outputHeight;
    float *scratch = calloc(count * 4, sizeof(float));
    if (!scratch) return AVERROR(ENOMEM);
    float *values[3] = {scratch, scratch + count, scratch + 2 * count};
    // Turned by less than this, the corners move by less than a thousandth of a pixel.
    double straight = 1e-3 / (outputWidth + outputHeight);
    int result;
    if (fabs(m[1]) < straight && fabs(m[3]) < straight)
        result = crop_upright(picture, m, 0, outputWidth, outputHeight, values, scratch + 3 * count, rgb);
    else if (fabs(m[0]) < straight && fabs(m[4]) < straight)
        result = crop_upright(picture, m, 1, outputWidth, outputHeight, values, scratch + 3 * count, rgb);
    else result = crop_turned(picture, m, outputWidth, outputHeight, values, scratch + 3 * count, rgb);
    free(scratch);
    return result;
}
