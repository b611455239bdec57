// Votes: the class of every row's logits.
#include "rows.cuh"
#include "scalars.cuh"

namespace smoothcert {

// One warp a row, stepping over the grid. The largest logit's class, the lowest of equals; -1,
// which is no vote, where any logit is not finite or the row is padding.
template <class Logit>
SMOOTHCERT_DEVICE void vote(const typename Logit::Element* __restrict__ logits,
                            const Row* __restrict__ rows, unsigned int num_rows,
                            unsigned int num_classes, int* __restrict__ classes) {
  const unsigned int lane = threadIdx.x % 32;
  const unsigned int warps = gridDim.x * blockDim.x / 32;
  for (unsigned int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32; row < num_rows;
       row += warps) {
    const int slot = rows[row].slot;
    const typename Logit::Element* from =
        logits + static_cast<unsigned long long>(row) * num_classes;
    float best = -3.402823466e38f;  // the lowest float: a lane without a class loses or ties
    unsigned int winner = num_classes;
    bool finite = true;
#pragma unroll 4
    for (unsigned int k = lane; k < num_classes; k += 32) {
      const float logit = Logit::value(from[k]);
      finite = finite && fabsf(logit) <= 3.402823466e38f;
      if (logit > best || winner == num_classes) {
        best = logit;
        winner = k;
      }
    }
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      const float other = __shfl_xor_sync(0xFFFFFFFFu, best, distance);
      const unsigned int rival = __shfl_xor_sync(0xFFFFFFFFu, winner, distance);
      if (other > best || (other == best && rival < winner)) {
        best = other;
        winner = rival;
      }
    }
    const bool votes = __all_sync(0xFFFFFFFFu, finite) && slot >= 0;
    if (lane == 0) classes[row] = votes ? static_cast<int>(winner) : -1;
  }
}

}  // namespace smoothcert

// One kernel: VOTE(its name, Logit). The loader appends the ones it wants.
#define VOTE(name, Logit)                                                                       \
  extern "C" __global__ void __launch_bounds__(512)                                             \
      name(const smoothcert::Logit::Element *__restrict__ logits,                               \
           const smoothcert::Row *__restrict__ rows, unsigned int num_rows,                     \
           unsigned int num_classes, int *__restrict__ classes) {                               \
    smoothcert::vote<smoothcert::Logit>(logits, rows, num_rows, num_classes, classes);          \
  }
