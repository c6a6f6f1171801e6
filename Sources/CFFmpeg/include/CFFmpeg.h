// FFmpeg for Swift, plus the macros and inline functions that Swift cannot import, and the inner loops over pixels
// and samples.
#pragma once
#include <libavcodec/avcodec.h>
#include <libavcodec/vorbis_parser.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

#include "Input.h"
#include "Picture.h"
#include "Samples.h"
