// What lies where in a picture, and how its numbers become colours.
#include "Picture.h"
#include <errno.h>
#include <libavutil/error.h>
#include <libavutil/pixdesc.h>
#include <string.h>

static void set_identity(adreact_picture *picture, float scale) {
    memset(picture->matrix, 0, sizeof(picture->matrix));
    memset(picture->bias, 0, sizeof(picture->bias));
    for (int i = 0; i < 3; i++) picture->matrix[i][i] = scale;
}

// Y'CbCr to R'G'B', Rec. ITU-T H.273 section 8.3; code values of `depth` bits.
static void set_yuv(adreact_picture *picture, const AVFrame *frame, int isGray, int depth, float sampleScale) {
    double kr, kb;
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709: kr = 0.2126; kb = 0.0722; break;
    case AVCOL_SPC_BT470BG: case AVCOL_SPC_SMPTE170M: kr = 0.299; kb = 0.114; break;
    case AVCOL_SPC_FCC: kr = 0.30; kb = 0.11; break;
    case AVCOL_SPC_SMPTE240M: kr = 0.212; kb = 0.087; break;
    case AVCOL_SPC_BT2020_NCL: case AVCOL_SPC_BT2020_CL: kr = 0.2627; kb = 0.0593; break;
    default:  // unspecified: what encoders assume for these sizes
        if (frame->height >= 720) { kr = 0.2126; kb = 0.0722; } else { kr = 0.299; kb = 0.114; }
    }
    int isFull = frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P ||
        frame->format == AV_PIX_FMT_YUVJ422P || frame->format == AV_PIX_FMT_YUVJ444P ||
        frame->format == AV_PIX_FMT_YUVJ440P || frame->format == AV_PIX_FMT_YUVJ411P ||
        (isGray && frame->color_range == AVCOL_RANGE_UNSPECIFIED);
    double unit = (double)(1 << depth) / 256;  // one 8-bit code value
    double top = (double)(1 << depth) - 1;
    double yScale = (isFull ? 255 / top : 255 / (219 * unit)) * sampleScale;
    double cScale = (isFull ? 255 / top : 255 / (224 * unit)) * sampleScale;
    double yZero = (isFull ? 0 : 16 * unit) / sampleScale, cZero = 128 * unit / sampleScale;
    double fromCr[3] = {2 * (1 - kr), -2 * (1 - kr) * kr / (1 - kr - kb), 0};
    double fromCb[3] = {0, -2 * (1 - kb) * kb / (1 - kr - kb), 2 * (1 - kb)};
    for (int i = 0; i < 3; i++) {
        double cb = isGray ? 0 : fromCb[i] * cScale, cr = isGray ? 0 : fromCr[i] * cScale;
        picture->matrix[i][0] = (float)yScale;
        picture->matrix[i][1] = (float)cb;
        picture->matrix[i][2] = (float)cr;
        picture->bias[i] = (float)(-yScale * yZero - (cb + cr) * cZero);
    }
}

static void add_component(adreact_picture *picture, const AVFrame *frame, const AVPixFmtDescriptor *descriptor, int c) {
    const AVComponentDescriptor *d = &descriptor->comp[c];
    int isChroma = (c == 1 || c == 2) && !(descriptor->flags & AV_PIX_FMT_FLAG_RGB);
    int shiftX = isChroma ? descriptor->log2_chroma_w : 0, shiftY = isChroma ? descriptor->log2_chroma_h : 0;
    int isWide = d->depth > 8, sampleBytes = isWide ? 2 : 1;
    const uint8_t *base = frame->data[d->plane];
    for (int i = 0; i < picture->planeCount; i++) {  // joins its plane, if it has the same resolution
        adreact_plane *plane = &picture->planes[i];
        if (plane->base != base || plane->step != d->step / sampleBytes || plane->shiftX != shiftX) continue;
        plane->component[plane->componentCount] = c;
        plane->offset[plane->componentCount++] = d->offset / sampleBytes;
        return;
    }
    picture->planes[picture->planeCount++] = (adreact_plane){
        .base = base, .strideBytes = frame->linesize[d->plane], .isWide = isWide, .step = d->step / sampleBytes,
        .width = -((-frame->width) >> shiftX), .height = -((-frame->height) >> shiftY),
        .shiftX = shiftX, .shiftY = shiftY,
        .componentCount = 1, .component = {c}, .offset = {d->offset / sampleBytes}};
}

int adreact_picture_of_frame(const AVFrame *frame, adreact_picture *picture) {
    const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(frame->format);
    const uint64_t indirect = AV_PIX_FMT_FLAG_BE | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
        AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT;
    if (!descriptor || (descriptor->flags & indirect)) return AVERROR(ENOSYS);
    int isGray = descriptor->nb_components < 3, components = isGray ? 1 : 3;
    int isRGB = !!(descriptor->flags & AV_PIX_FMT_FLAG_RGB);
    // Y'CgCo, XYZ and the like have no matrix here.
    if (!isRGB && (frame->colorspace == AVCOL_SPC_YCGCO || frame->colorspace == AVCOL_SPC_RGB)) return AVERROR(ENOSYS);
    if (strncmp(descriptor->name, "xyz", 3) == 0) return AVERROR(ENOSYS);
    int depth = descriptor->comp[0].depth, shift = descriptor->comp[0].shift;
    for (int c = 0; c < components; c++) {
        const AVComponentDescriptor *d = &descriptor->comp[c];
        int sampleBytes = d->depth > 8 ? 2 : 1;
        if (d->depth != depth || d->shift != shift || depth < 8 || depth > 16) return AVERROR(ENOSYS);
        if (!frame->data[d->plane] || d->step % sampleBytes || d->offset % sampleBytes) return AVERROR(ENOSYS);
        if (depth == 8 && shift != 0) return AVERROR(ENOSYS);
        if ((uintptr_t)frame->data[d->plane] % sampleBytes || frame->linesize[d->plane] % sampleBytes) return AVERROR(ENOSYS);
    }
    memset(picture, 0, sizeof(*picture));
    picture->width = frame->width;
    picture->height = frame->height;
    float sampleScale = 1.0f / (1 << shift);
    for (int c = 0; c < components; c++) add_component(picture, frame, descriptor, c);
    if (isRGB) set_identity(picture, 255.0f / ((1 << depth) - 1) * sampleScale);
    else set_yuv(picture, frame, isGray, depth, sampleScale);
    return 0;
}

void adreact_picture_of_rgb(const uint8_t *pixels, int width, int height, adreact_picture *picture) {
    memset(picture, 0, sizeof(*picture));
    picture->width = width;
    picture->height = height;
    picture->planeCount = 1;
    picture->planes[0] = (adreact_plane){
        .base = pixels, .strideBytes = (ptrdiff_t)width * 3, .step = 3, .width = width, .height = height,
        .componentCount = 3, .component = {0, 1, 2}, .offset = {0, 1, 2}};
    set_identity(picture, 1);
}
