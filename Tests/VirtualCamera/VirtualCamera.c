// The part of Video4Linux that libavdevice uses, answered by this library instead of a driver: nothing of the program
// under test, or of FFmpeg, is replaced. One camera, opened once at a time, read with blocking calls.
#define _GNU_SOURCE
#include "VirtualCamera.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    WIDTH = 320, HEIGHT = 240, PICTURE_BYTES = WIDTH * HEIGHT * 2, MOST_BUFFERS = 32,
    BUFFER_BYTES = (PICTURE_BYTES + 4095) / 4096 * 4096  // whole pages, which alone can be mapped
};
static const char *const DEVICE = "/dev/video99";

// The memory that the program maps; its descriptor is the camera's.
static int camera = -1;
static int source = -1;
// Buffers that wait to be filled, in the order in which they were given.
static unsigned waiting[MOST_BUFFERS], given, filled;

static int open_camera(void) {
    source = open(getenv("VIRTUAL_CAMERA"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (source < 0) return -1;
    given = filled = 0;
    camera = memfd_create("virtual-camera", MFD_CLOEXEC);
    if (camera >= 0 && ftruncate(camera, (off_t)BUFFER_BYTES * MOST_BUFFERS) < 0) return -1;
    return camera;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    if (!strcmp(path, DEVICE)) return open_camera();
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    return next(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return open64(path, flags, mode);
}

int access(const char *path, int mode) {
    if (!strcmp(path, DEVICE)) return 0;
    int (*next)(const char *, int) = dlsym(RTLD_NEXT, "access");
    return next(path, mode);
}

// A whole picture, waiting for it; 0 where the writer has gone, or did not come within 30 s.
static int read_picture(unsigned char *picture) {
    static int has_begun, waits;
    for (size_t have = 0; have < PICTURE_BYTES;) {
        ssize_t count = read(source, picture + have, PICTURE_BYTES - have);
        if (count == 0) {
            if (has_begun || ++waits > 30000) return 0;
            nanosleep(&(struct timespec){0, 1000000}, NULL);  // the writer has not opened the pipe yet
            continue;
        }
        if (count > 0) {
            has_begun = 1;
            have += (size_t)count;
        } else if (errno == EAGAIN) {
            nanosleep(&(struct timespec){0, 1000000}, NULL);
        } else if (errno != EINTR) {
            return 0;
        }
    }
    return 1;
}

static int fill(struct v4l2_buffer *buffer) {
    static unsigned char picture[PICTURE_BYTES];
    if (filled == given) return EAGAIN;
    if (!read_picture(picture)) return ENODEV;  // as after unplugging
    unsigned index = waiting[filled++ % MOST_BUFFERS];
    if (pwrite(camera, picture, PICTURE_BYTES, (off_t)index * BUFFER_BYTES) != PICTURE_BYTES) return EIO;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    buffer->index = index;
    buffer->bytesused = buffer->length = PICTURE_BYTES;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->timestamp.tv_sec = now.tv_sec;
    buffer->timestamp.tv_usec = now.tv_nsec / 1000;
    return 0;
}

static int answer(unsigned request, void *argument) {
    switch (request) {
    case (unsigned)VIDIOC_QUERYCAP:
        ((struct v4l2_capability *)argument)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    case (unsigned)VIDIOC_ENUMINPUT: return ((struct v4l2_input *)argument)->index ? EINVAL : 0;
    case (unsigned)VIDIOC_G_INPUT: *(int *)argument = 0; return 0;
    case (unsigned)VIDIOC_S_INPUT: case (unsigned)VIDIOC_STREAMON: case (unsigned)VIDIOC_STREAMOFF: return 0;
    case (unsigned)VIDIOC_ENUM_FMT:
        ((struct v4l2_fmtdesc *)argument)->pixelformat = V4L2_PIX_FMT_YUYV;
        return ((struct v4l2_fmtdesc *)argument)->index ? EINVAL : 0;
    case (unsigned)VIDIOC_G_FMT: case (unsigned)VIDIOC_S_FMT: case (unsigned)VIDIOC_TRY_FMT:
        ((struct v4l2_format *)argument)->fmt.pix = (struct v4l2_pix_format){
            .width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_YUYV, .field = V4L2_FIELD_NONE,
            .bytesperline = WIDTH * 2, .sizeimage = PICTURE_BYTES};
        return 0;
    case (unsigned)VIDIOC_G_PARM: case (unsigned)VIDIOC_S_PARM:
        ((struct v4l2_streamparm *)argument)->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        ((struct v4l2_streamparm *)argument)->parm.capture.timeperframe = (struct v4l2_fract){1, 30};
        return 0;
    case (unsigned)VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *buffers = argument;
        if (buffers->count > MOST_BUFFERS) buffers->count = MOST_BUFFERS;
        return 0;
    }
    case (unsigned)VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        buffer->length = PICTURE_BYTES;
        buffer->m.offset = buffer->index * BUFFER_BYTES;
        return 0;
    }
    case (unsigned)VIDIOC_QBUF: waiting[given++ % MOST_BUFFERS] = ((struct v4l2_buffer *)argument)->index; return 0;
    case (unsigned)VIDIOC_DQBUF: return fill(argument);
    default: return ENOTTY;
    }
}

int ioctl(int descriptor, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (camera < 0 || descriptor != camera) {
        int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
        return next(descriptor, request, argument);
    }
    errno = answer((unsigned)request, argument);
    return errno ? -1 : 0;
}

int close(int descriptor) {
    if (camera >= 0 && descriptor == camera) {
        int opened = source;
        camera = source = -1;
        close(opened);
    }
    int (*next)(int) = dlsym(RTLD_NEXT, "close");
    return next(descriptor);
}
