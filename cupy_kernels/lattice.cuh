// The integer Gaussian on the pixel grid: inverse CDF of 32-bit words, refined to 64 bits where the
// 32 do not decide. Bit for bit the noise of engine/noise, whose NoiseTable it reads.
#ifndef SMOOTHCERT_LATTICE_CUH
#define SMOOTHCERT_LATTICE_CUH

#include "philox.cuh"

namespace smoothcert {

// A NoiseTable in device memory.
struct NoiseTable {
  const unsigned int* __restrict__ entries;           // [2^guide_bits]
  const int* __restrict__ first;                      // [2^guide_bits]
  const unsigned long long* __restrict__ thresholds;  // [num_thresholds], ascending
  unsigned int guide_bits;
  unsigned int num_thresholds;

  SMOOTHCERT_DEVICE unsigned int low_bits() const { return 32 - guide_bits; }
  SMOOTHCERT_DEVICE unsigned int low_mask() const { return (1u << low_bits()) - 1; }
};

// What distinguishes one noisy image from every other: all Philox words but the pixel's.
struct Stream {
  unsigned int sample;
  unsigned int image_id;
  unsigned int purpose;
  unsigned int key_0;
  unsigned int key_1;

  SMOOTHCERT_DEVICE PhiloxWords words(unsigned int block) const {
    return philox4x32_10(block, sample, image_id, purpose, key_0, key_1);
  }

  SMOOTHCERT_DEVICE PhiloxWords refinement(unsigned int block) const {
    return philox4x32_10(block, sample, image_id, purpose + 128, key_0, key_1);
  }
};

// The guide gives entries with flipped low bits: adding a word's low bits to a flipped entry
// carries into the rank exactly where the word lies above the bucket's threshold, and leaves all
// ones where it equals the threshold.
struct GlobalGuide {
  const unsigned int* __restrict__ entries;
  unsigned int low_mask;

  static SMOOTHCERT_DEVICE GlobalGuide of(const NoiseTable& table) {
    return {table.entries, table.low_mask()};
  }

  SMOOTHCERT_DEVICE unsigned int flipped(unsigned int bucket) const {
    return entries[bucket] ^ low_mask;
  }
};

// A copy in the block's dynamic shared memory of 4 << guide_bits bytes: buckets are random, which
// costs a cache line each in global memory and a few bank conflicts here.
struct SharedGuide {
  const unsigned int* entries;

  // For all threads of a block together.
  static SMOOTHCERT_DEVICE SharedGuide of(const NoiseTable& table) {
    extern __shared__ unsigned int smoothcert_shared[];
    const unsigned int low_mask = table.low_mask();
    for (unsigned int i = threadIdx.x; i < 1u << table.guide_bits; i += blockDim.x) {
      smoothcert_shared[i] = table.entries[i] ^ low_mask;
    }
    __syncthreads();
    return {smoothcert_shared};
  }

  SMOOTHCERT_DEVICE unsigned int flipped(unsigned int bucket) const { return entries[bucket]; }
};

// The number of 64-bit thresholds <= U, where `word` is U's high half and the low half is drawn
// only if a threshold shares the high one.
SMOOTHCERT_DEVICE unsigned int exact_rank(const NoiseTable& table, const Stream& stream,
                                          unsigned int pixel, unsigned int word) {
  const unsigned int bucket = word >> table.low_bits();
  unsigned int rank = table.first[bucket];
  unsigned int end = bucket + 1 < 1u << table.guide_bits ? table.first[bucket + 1]
                                                         : table.num_thresholds;
  const unsigned int bucket_end = end;
  const unsigned long long high = static_cast<unsigned long long>(word) << 32;
  while (rank < end) {
    const unsigned int middle = (rank + end) / 2;
    if (table.thresholds[middle] < high) {
      rank = middle + 1;
    } else {
      end = middle;
    }
  }
  if (rank < bucket_end && table.thresholds[rank] >> 32 == word) {
    const PhiloxWords refinement = stream.refinement(pixel / 4);
    unsigned int low = refinement.word[0];
#pragma unroll
    for (unsigned int lane = 1; lane < 4; ++lane) {
      if (pixel % 4 == lane) low = refinement.word[lane];
    }
    while (rank < bucket_end && table.thresholds[rank] <= (high | low)) ++rank;
  }
  return rank;
}

// The words of the eight pixels from `pixel` on.
SMOOTHCERT_DEVICE void eight_words(const Stream& stream, unsigned int pixel,
                                   unsigned int (&words)[8]) {
  const PhiloxWords blocks[2] = {stream.words(pixel / 4), stream.words(pixel / 4 + 1)};
#pragma unroll
  for (int i = 0; i < 8; ++i) words[i] = blocks[i / 4].word[i % 4];
  if (pixel % 4 == 0) return;
  // Eight pixels that start inside a block end in a third one: shift by one and by two words, so
  // that every index is known at compile time and the words stay in registers.
  const PhiloxWords third = stream.words(pixel / 4 + 2);
  unsigned int tail[3] = {third.word[0], third.word[1], third.word[2]};
  if (pixel & 1) {
#pragma unroll
    for (int i = 0; i < 7; ++i) words[i] = words[i + 1];
    words[7] = tail[0];
    tail[0] = tail[1];
    tail[1] = tail[2];
  }
  if (pixel & 2) {
#pragma unroll
    for (int i = 0; i < 6; ++i) words[i] = words[i + 2];
    words[6] = tail[0];
    words[7] = tail[1];
  }
}

// The ranks N + J of the eight pixels from `pixel` on.
template <class Guide>
SMOOTHCERT_DEVICE void eight_ranks(const NoiseTable& table, const Guide& guide,
                                   const Stream& stream, unsigned int pixel,
                                   unsigned int (&ranks)[8]) {
  unsigned int words[8];
  eight_words(stream, pixel, words);
  const unsigned int low_mask = table.low_mask();
  const unsigned int several = (1u << table.guide_bits) - 1;
  // Two running maxima tell whether any of the eight is undecided, for two operations a pixel.
  unsigned int sums[8], largest_low = 0, largest = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    sums[i] = guide.flipped(words[i] >> table.low_bits()) + (words[i] & low_mask);
    ranks[i] = sums[i] >> table.low_bits();
    const unsigned int low = sums[i] << table.guide_bits;
    largest_low = low > largest_low ? low : largest_low;
    largest = sums[i] > largest ? sums[i] : largest;
  }
  if (largest_low != low_mask << table.guide_bits && largest >> table.low_bits() != several) return;
  unsigned int undecided = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    undecided |= ((sums[i] & low_mask) == low_mask || ranks[i] == several) ? 1u << i : 0u;
  }
  // One undecided pixel a turn, so that a warp's lanes refine different pixels together.
  while (undecided) {
    const unsigned int i = __ffs(undecided) - 1;
    undecided &= undecided - 1;
    unsigned int word = words[0];
#pragma unroll
    for (unsigned int j = 1; j < 8; ++j) word = i == j ? words[j] : word;
    const unsigned int rank = exact_rank(table, stream, pixel + i, word);
#pragma unroll
    for (unsigned int j = 0; j < 8; ++j) ranks[j] = i == j ? rank : ranks[j];
  }
}

}  // namespace smoothcert

#endif
