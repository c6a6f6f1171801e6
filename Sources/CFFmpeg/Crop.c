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
    uint32_t weightFirst, weightLast, weightSum;
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
        t->weightSum = t->weightFirst + t->weightLast + (t->count > 2 ? (uint32_t)(t->count - 2) * WEIGHT_ONE : 0);
        if (t->weightSum == 0) *t = (tap){0};
    }
}

static void add_row(uint16_t *restrict sum, const uint8_t *restrict row, int count) {
    for (int x = 0; x < count; x++) sum[x] += row[x];
}

// Weighted sum of rows of 8-bit samples. Rows of weight one are summed in 16 bits (at most 257 fit), then carried.
static void sum_rows_8(const adreact_plane *plane, const tap *t, int from, int count, uint16_t *restrict narrow, uint64_t *restrict sum) {
    const uint8_t *first = plane->base + t->first * plane->strideBytes + from;
    const uint8_t *last = first + (t->count - 1) * plane->strideBytes;
    uint32_t weightFirst = t->weightFirst, weightLast = t->weightLast;
    uint32_t *restrict compact = (uint32_t *)(narrow + count + (count & 1));
    for (int x = 0; x < count; x++) compact[x] = first[x] * weightFirst + (t->count > 1 ? last[x] * weightLast : 0);
    int rows = t->count - 2;
    const uint8_t *row = first + plane->strideBytes;
    int carried = 0;
    while (rows > 0) {
        int batch = rows < 256 ? rows : 256;
        memset(narrow, 0, sizeof(uint16_t) * (size_t)count);
        for (int y = 0; y < batch; y++, row += plane->strideBytes) add_row(narrow, row, count);
        rows -= batch;
        if (carried + batch <= 16384) for (int x = 0; x < count; x++) compact[x] += (uint32_t)narrow[x] * WEIGHT_ONE;
        carried += batch;
    }
    for (int x = 0; x < count; x++) sum[x] = compact[x];
}

static void sum_rows_16(const adreact_plane *plane, const tap *t, int from, int count, uint64_t *restrict sum) {
    memset(sum, 0, sizeof(uint64_t) * (size_t)count);
    for (int i = 0; i < t->count; i++) {
        const uint16_t *row = (const uint16_t *)(plane->base + (t->first + i) * plane->strideBytes) + from;
        uint64_t weight = i == 0 ? t->weightFirst : i == t->count - 1 ? t->weightLast : WEIGHT_ONE;
        for (int x = 0; x < count; x++) sum[x] += row[x] * weight;
    }
}

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
    uint64_t *sum = malloc(sizeof(uint64_t) * (size_t)count);
    uint16_t *narrow = plane->isWide ? NULL : malloc((sizeof(uint16_t) + sizeof(uint32_t)) * ((size_t)count + 2));
    if (!sum || (!plane->isWide && !narrow)) {
        free(sum);
        free(narrow);
        return AVERROR(ENOMEM);
    }
    for (int iy = 0; iy < ny; iy++) {
        if (!ty[iy].count) continue;
        if (plane->isWide) sum_rows_16(plane, &ty[iy], from, count, sum);
        else sum_rows_8(plane, &ty[iy], from, count, narrow, sum);
        for (int c = 0; c < plane->componentCount; c++) {
            float *out = values[plane->component[c]] + (size_t)iy * (size_t)nx;
            int step = plane->step;
            for (int ix = 0; ix < nx; ix++) {
                const tap *t = &tx[ix];
                if (!t->count) continue;
                const uint64_t *s = sum + (t->first * step + plane->offset[c] - from);
                uint64_t inner = 0;
                for (int i = 1; i < t->count - 1; i++) inner += s[i * step];
                uint64_t total = inner * WEIGHT_ONE + s[0] * t->weightFirst;
                if (t->count > 1) total += s[(t->count - 1) * step] * t->weightLast;
                out[ix] = (float)((double)total / ((double)t->weightSum * ty[iy].weightSum));
            }
        }
    }
    free(sum);
    free(narrow);
    return 0;
}

static uint8_t to_byte(float value) {
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255.5f : value + 0.5f);
}

static void write_pixel(const adreact_picture *picture, float *const values[3], size_t i, float share, uint8_t *rgb) {
    for (int k = 0; k < 3; k++) {
        const float *row = picture->matrix[k];
        float value = row[0] * values[0][i] + row[1] * values[1][i] + row[2] * values[2][i] + picture->bias[k];
        value = value < 0 ? 0 : value > 255 ? 255 : value;
        rgb[k] = to_byte(value * share);
    }
}

// x depends on one output axis only, y on the other.
static int crop_upright(const adreact_picture *picture, const double m[6], int isSwapped, int outputWidth, int outputHeight, float *values[3], uint8_t *rgb) {
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
        for (int row = 0; row < outputHeight; row++) {
            for (int column = 0; column < outputWidth; column++, rgb += 3) {
                int ix = isSwapped ? row : column, iy = isSwapped ? column : row;
                write_pixel(picture, values, (size_t)iy * (size_t)nx + (size_t)ix, shareX[ix].share * shareY[iy].share, rgb);
            }
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
    out->values = malloc(sizeof(float) * (size_t)out->width * (size_t)out->height);
    if (!out->values) return AVERROR(ENOMEM);
    for (int y = 0; y < out->height; y++) {
        int top = (y0 + y) * factor, bottom = top + factor < plane->height ? top + factor : plane->height;
        for (int x = 0; x < out->width; x++) {
            int left = (x0 + x) * factor, right = left + factor < plane->width ? left + factor : plane->width;
            uint64_t sum = 0;
            for (int sy = top; sy < bottom; sy++) {
                const uint8_t *row = plane->base + sy * plane->strideBytes;
                for (int sx = left; sx < right; sx++) {
                    int i = sx * plane->step + plane->offset[c];
                    sum += plane->isWide ? ((const uint16_t *)row)[i] : row[i];
                }
            }
            out->values[(size_t)y * (size_t)out->width + (size_t)x] = (float)sum / (float)((bottom - top) * (right - left));
        }
    }
    return 0;
}

static float interpolate(const shrunk *s, float x, float y) {
    x = x / s->factor - 0.5f - s->x0;
    y = y / s->factor - 0.5f - s->y0;
    x = x < 0 ? 0 : x > s->width - 1 ? s->width - 1 : x;
    y = y < 0 ? 0 : y > s->height - 1 ? s->height - 1 : y;
    int ix = (int)x, iy = (int)y;
    int right = ix + 1 < s->width ? 1 : 0, below = iy + 1 < s->height ? s->width : 0;
    float fx = x - ix, fy = y - iy;
    const float *v = s->values + (size_t)iy * (size_t)s->width + (size_t)ix;
    return (v[0] * (1 - fx) + v[right] * fx) * (1 - fy) + (v[below] * (1 - fx) + v[below + right] * fx) * fy;
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
    for (int p = 0; p < picture->planeCount; p++) {
        const adreact_plane *plane = &picture->planes[p];
        double fx = 1.0 / (1 << plane->shiftX), fy = 1.0 / (1 << plane->shiftY);
        double smaller = fmin(across, down) * fmin(fx, fy), larger = fmax(across, down) * fmax(fx, fy);
        int factor = (int)fmin(fmax(floor(smaller + 1e-9), 1), 4096);
        int samples = (int)fmin(fmax(ceil(larger / factor - 0.05), 1), 16);  // along each side of an output pixel
        double planeBox[4] = {box[0] * fx, box[1] * fy, box[2] * fx, box[3] * fy};
        for (int c = 0; c < plane->componentCount; c++) {
            shrunk part;
            int result = shrink(plane, c, planeBox, factor, &part);
            if (result < 0) return result;
            float *out = values[plane->component[c]];
            for (int row = 0; row < outputHeight; row++) {
                for (int column = 0; column < outputWidth; column++) {
                    float sum = 0;
                    int inside = 0;
                    for (int s = 0; part.values && s < samples * samples; s++) {
                        double u = column + (s % samples + 0.5) / samples, v = row + (s / samples + 0.5) / samples;
                        double x = m[0] * u + m[1] * v + m[2], y = m[3] * u + m[4] * v + m[5];
                        if (!(x >= 0 && x < picture->width && y >= 0 && y < picture->height)) continue;
                        sum += interpolate(&part, (float)(x * fx), (float)(y * fy));
                        inside++;
                    }
                    size_t i = (size_t)row * (size_t)outputWidth + (size_t)column;
                    out[i] = inside ? sum / inside : 0;
                    if (p == 0 && c == 0) share[i] = (float)inside / (samples * samples);
                }
            }
            free(part.values);
        }
    }
    size_t count = (size_t)outputWidth * (size_t)outputHeight;
    for (size_t i = 0; i < count; i++) write_pixel(picture, values, i, share[i], rgb + 3 * i);
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
        result = crop_upright(picture, m, 0, outputWidth, outputHeight, values, rgb);
    else if (fabs(m[0]) < straight && fabs(m[4]) < straight)
        result = crop_upright(picture, m, 1, outputWidth, outputHeight, values, rgb);
    else result = crop_turned(picture, m, outputWidth, outputHeight, values, scratch + 3 * count, rgb);
    free(scratch);
    return result;
}
