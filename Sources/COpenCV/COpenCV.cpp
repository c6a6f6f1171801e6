#include "COpenCV.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <new>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/objdetect.hpp>

struct adreact_cascade {
    cv::CascadeClassifier classifier;
};

adreact_cascade *adreact_cascade_load(const char *path) {
    try {
        // OpenCV would print a line of its own for a missing file.
        if (!std::ifstream(path).good()) return nullptr;
        auto cascade = std::make_unique<adreact_cascade>();
        if (!cascade->classifier.load(path)) return nullptr;
        // OpenCV's threads would compete with the node's own.
        cv::setNumThreads(1);
        return cascade.release();
    } catch (...) {
        return nullptr;
    }
}

void adreact_cascade_free(adreact_cascade *cascade) { delete cascade; }

int32_t adreact_cascade_detect(
    adreact_cascade *cascade, const uint8_t *pixels, int32_t width, int32_t height, double scale_factor,
    int32_t neighbour_count, adreact_box *boxes, int32_t capacity) {
    if (pixels == nullptr || width <= 0 || height <= 0 || capacity < 0) return -1;
    try {
        // OpenCV only reads it.
        const cv::Mat picture(height, width, CV_8UC1, const_cast<uint8_t *>(pixels));
        std::vector<cv::Rect> found;
        cascade->classifier.detectMultiScale(picture, found, scale_factor, neighbour_count);
        const auto count = std::min(static_cast<size_t>(capacity), found.size());
        for (size_t i = 0; i < count; ++i) boxes[i] = {found[i].x, found[i].y, found[i].width, found[i].height};
        return static_cast<int32_t>(count);
    } catch (...) {
        return -1;
    }
}
