// Noisy images, normalised, in the network's input type: inputs = a_c * (u + N) + b_c.
//
// One thread makes eight neighbouring pixels at a time (of every channel, where channels are last)
// and steps over the grid, so that any grid covers any batch.
#include "lattice.cuh"
#include "rows.cuh"
#include "scalars.cuh"

namespace smoothcert {

struct Batch {
  const unsigned char* __restrict__ images;    // [slots, channels * plane], CHW order
  const unsigned int* __restrict__ image_ids;  // [slots]
  const Row* __restrict__ rows;                // [num_rows]
  unsigned int num_rows;
  unsigned int channels;
  unsigned int plane;               // height * width
  const float* __restrict__ scale;  // [channels]: a
  const float* __restrict__ shift;  // [channels]: b
};

// Eight pixels of an image in two registers.
struct alignas(8) EightBytes {
  unsigned int half[2];

  SMOOTHCERT_DEVICE unsigned int byte(int i) const { return half[i / 4] >> 8 * (i % 4) & 0xFF; }
};

// `valid` of the eight bytes at `from`; what lies beyond is not read.
SMOOTHCERT_DEVICE EightBytes load_eight(const unsigned char* from, unsigned int valid) {
  if (valid >= 8 && reinterpret_cast<unsigned long long>(from) % 8 == 0) {
    return *reinterpret_cast<const EightBytes*>(from);
  }
  EightBytes bytes = {{0, 0}};
#pragma unroll
  for (unsigned int i = 0; i < 8; ++i) {
    if (i < valid) bytes.half[i / 4] |= static_cast<unsigned int>(from[i]) << 8 * (i % 4);
  }
  return bytes;
}

// The first `valid` of kCount values to `to`, in 16-byte stores where alignment allows.
template <class Input, int kCount>
SMOOTHCERT_DEVICE void store_run(const float (&values)[kCount], unsigned int valid,
                                 typename Input::Element* to) {
  constexpr int kPerStore = 4 * Input::kPerWord;
  static_assert(kCount % kPerStore == 0, "a run is whole 16-byte stores");
  struct alignas(16) Quad {
    unsigned int word[4];
  };
  if (valid >= kCount && reinterpret_cast<unsigned long long>(to) % 16 == 0) {
#pragma unroll
    for (int i = 0; i < kCount; i += kPerStore) {
      Quad quad;
#pragma unroll
      for (int j = 0; j < 4; ++j) quad.word[j] = Input::word(values + i + j * Input::kPerWord);
      *reinterpret_cast<Quad*>(to + i) = quad;
    }
  } else {
#pragma unroll
    for (unsigned int i = 0; i < kCount; ++i) {
      if (i < valid) to[i] = Input::of(values[i]);
    }
  }
}

// scale * noisy + shift, each operation rounded: never fused, so that every machine agrees.
// `noisy` + 0x4B400000 is the float 1.5 * 2^23 + noisy, which makes the conversion one exact
// subtraction, cheaper than an instruction of the conversion unit.
SMOOTHCERT_DEVICE float affine(int noisy, float scale, float shift) {
  const float value = __fadd_rn(__uint_as_float(0x4B400000u + noisy), -12582912.0f);
  return __fadd_rn(__fmul_rn(scale, value), shift);
}

// u + N of the eight pixels from `pixel` on, of which `valid` are wanted.
template <class Guide>
SMOOTHCERT_DEVICE void eight_noisy(const NoiseTable& table, const Guide& guide,
                                   const Stream& stream, const unsigned char* image,
                                   unsigned int pixel, unsigned int valid, int (&noisy)[8]) {
  const EightBytes bytes = load_eight(image + pixel, valid);
  unsigned int ranks[8];
  eight_ranks(table, guide, stream, pixel, ranks);
  const int half_width = table.num_thresholds / 2;
#pragma unroll
  for (int i = 0; i < 8; ++i) noisy[i] = static_cast<int>(bytes.byte(i) + ranks[i]) - half_width;
}

// Channels first: a row is channels * plane pixels in counter order.
struct Nchw {
  static SMOOTHCERT_DEVICE unsigned int pixels(const Batch& batch) {
    return batch.channels * batch.plane;
  }

  static SMOOTHCERT_DEVICE unsigned long long row_length(const Batch& batch) {
    return pixels(batch);
  }

  template <class Input, class Guide>
  static SMOOTHCERT_DEVICE void eight(const Batch& batch, const NoiseTable& table,
                                      const Guide& guide, const Stream& stream,
                                      const unsigned char* image, unsigned int pixel,
                                      typename Input::Element* row) {
    const unsigned int valid = pixels(batch) - pixel;
    int noisy[8];
    eight_noisy(table, guide, stream, image, pixel, valid, noisy);
    unsigned int channel = 0, inside = pixel;
    while (inside >= batch.plane) {
      inside -= batch.plane;
      ++channel;
    }
    float values[8], scale = batch.scale[channel], shift = batch.shift[channel];
    if (batch.plane - inside >= 8) {
#pragma unroll
      for (int i = 0; i < 8; ++i) values[i] = affine(noisy[i], scale, shift);
    } else {
#pragma unroll
      for (unsigned int i = 0; i < 8; ++i, ++inside) {
        if (inside == batch.plane && i < valid) {
          inside = 0;
          ++channel;
          scale = batch.scale[channel];
          shift = batch.shift[channel];
        }
        values[i] = affine(noisy[i], scale, shift);
      }
    }
    store_run<Input>(values, valid, row + pixel);
  }
};

// Channels last: plane positions of kPadded elements, of which kChannels are the image's and the
// others zero.
template <int kChannels, int kPadded>
struct Nhwc {
  static SMOOTHCERT_DEVICE unsigned int pixels(const Batch& batch) { return batch.plane; }

  static SMOOTHCERT_DEVICE unsigned long long row_length(const Batch& batch) {
    return static_cast<unsigned long long>(batch.plane) * kPadded;
  }

  template <class Input, class Guide>
  static SMOOTHCERT_DEVICE void eight(const Batch& batch, const NoiseTable& table,
                                      const Guide& guide, const Stream& stream,
                                      const unsigned char* image, unsigned int position,
                                      typename Input::Element* row) {
    const unsigned int valid = batch.plane - position < 8 ? batch.plane - position : 8;
    float values[8 * kPadded];
#pragma unroll
    for (int i = 0; i < 8 * kPadded; ++i) values[i] = 0.0f;
#pragma unroll
    for (int channel = 0; channel < kChannels; ++channel) {
      int noisy[8];
      eight_noisy(table, guide, stream, image, channel * batch.plane + position, valid, noisy);
      const float scale = batch.scale[channel], shift = batch.shift[channel];
#pragma unroll
      for (int i = 0; i < 8; ++i) values[i * kPadded + channel] = affine(noisy[i], scale, shift);
    }
    store_run<Input>(values, valid * kPadded,
                     row + static_cast<unsigned long long>(position) * kPadded);
  }
};

using Nhwc3 = Nhwc<3, 3>;
using Nhwc3Pad4 = Nhwc<3, 4>;
using Nhwc3Pad8 = Nhwc<3, 8>;
using Nhwc1Pad4 = Nhwc<1, 4>;
using Nhwc1Pad8 = Nhwc<1, 8>;

template <class Layout, class Input, class Guide>
SMOOTHCERT_DEVICE void add_noise(const Batch& batch, const NoiseTable& table, const Guide& guide,
                                 unsigned long long seed, void* inputs) {
  const unsigned int pixels = Layout::pixels(batch);
  const unsigned int groups = (pixels + 7) / 8;  // per row
  const unsigned int thread = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned int threads = gridDim.x * blockDim.x;
  // The only divisions: (row, group) then moves on by the grid's (rows, groups).
  unsigned int row = thread / groups, group = thread % groups;
  const unsigned int row_step = threads / groups, group_step = threads % groups;
  while (row < batch.num_rows) {
    const Row what = batch.rows[row];
    if (what.slot >= 0) {
      const Stream stream = {what.sample, batch.image_ids[what.slot], what.purpose,
                             static_cast<unsigned int>(seed),
                             static_cast<unsigned int>(seed >> 32)};
      const unsigned long long image = static_cast<unsigned long long>(batch.channels) *
                                       batch.plane * static_cast<unsigned int>(what.slot);
      Layout::template eight<Input>(
          batch, table, guide, stream, batch.images + image, 8 * group,
          static_cast<typename Input::Element*>(inputs) + row * Layout::row_length(batch));
    }
    group += group_step;
    row += row_step;
    if (group >= groups) {
      group -= groups;
      ++row;
    }
  }
}

}  // namespace smoothcert

// One kernel: NOISE_ADD(its name, Layout, Input, Guide). The loader appends the ones it wants, since
// a program uses one of many and each takes a while to compile. The bound of one block a
// multiprocessor keeps the compiler from spilling registers to fit two.
#define NOISE_ADD(name, Layout, Input, Guide)                                                   \
  extern "C" __global__ void __launch_bounds__(512, 1) name(                                    \
      const unsigned char *__restrict__ images, const unsigned int *__restrict__ image_ids,     \
      const smoothcert::Row *__restrict__ rows, unsigned int num_rows, unsigned int channels,   \
      unsigned int plane, const float *__restrict__ scale, const float *__restrict__ shift,     \
      unsigned long long seed, const unsigned int *__restrict__ entries,                        \
      const int *__restrict__ first, const unsigned long long *__restrict__ thresholds,         \
      unsigned int guide_bits, unsigned int num_thresholds, void *__restrict__ inputs) {        \
    const smoothcert::NoiseTable table = {entries, first, thresholds, guide_bits,               \
                                          num_thresholds};                                      \
    const smoothcert::Batch batch = {images,   image_ids, rows,  num_rows,                      \
                                     channels, plane,     scale, shift};                        \
    smoothcert::add_noise<smoothcert::Layout, smoothcert::Input>(                               \
        batch, table, smoothcert::Guide::of(table), seed, inputs);                              \
  }
