// As much of CUDA C++ as the kernels use, on one CPU thread.
//
// A block's threads are fibers. Each runs until it ends or reaches a collective (a barrier or a
// warp's exchange) and then lets the others catch up, so that results never depend on timing.
#pragma once

#include <ucontext.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#define __global__
#define __shared__
#define __launch_bounds__(...)

struct Dimension {
  unsigned int x;
};

inline Dimension gridDim, blockDim, blockIdx, threadIdx;

namespace host {

constexpr unsigned int kMaxThreads = 1024;
constexpr std::size_t kStackBytes = 64 * 1024;
constexpr std::size_t kMaxSharedWords = 64 * 1024;

// What a warp's lanes exchange. Two buffers in turn: a lane that is one exchange ahead must not
// overwrite what another has yet to read. The turn tells lanes in different exchanges apart.
struct Exchange {
  unsigned int turn[2][32];
  unsigned int word[2][32];
};

struct Fiber {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(kStackBytes);
  bool live = false;
  unsigned int turn = 0;
};

inline ucontext_t scheduler;
inline std::vector<Fiber> fibers(kMaxThreads);
inline Exchange exchanges[kMaxThreads / 32];
inline unsigned int arrived, generation, live_threads;
inline const char* fault;  // what the kernel did that a device does not define
inline void (*body)(void**);
inline void** body_arguments;

inline void pause() { swapcontext(&fibers[threadIdx.x].context, &scheduler); }

inline void run_body() {
  body(body_arguments);
  fibers[threadIdx.x].live = false;
}

// Every lane's word of this exchange, seen from the calling lane.
inline const unsigned int* exchange(unsigned int mask, unsigned int word) {
  if (mask != 0xFFFFFFFFu) fault = "an exchange of part of a warp";
  const unsigned int me = threadIdx.x, turn = ++fibers[me].turn;
  Exchange& warp = exchanges[me / 32];
  warp.turn[turn % 2][me % 32] = turn;
  warp.word[turn % 2][me % 32] = word;
  pause();
  for (unsigned int lane = 0; lane < 32; ++lane) {
    if (warp.turn[turn % 2][lane] != turn) fault = "an exchange that some lanes do not take part in";
  }
  return warp.word[turn % 2];
}

// One launch; returns the fault found, or null. `shared` is the block's dynamic shared memory.
inline const char* launch(void (*kernel)(void**), void** arguments, unsigned int blocks,
                          unsigned int threads, unsigned int* shared, std::size_t shared_bytes) {
  if (threads == 0 || threads > kMaxThreads || blocks == 0) return "a launch of impossible size";
  if (shared_bytes > 4 * kMaxSharedWords) return "too much shared memory";
  fault = nullptr;
  body = kernel;
  body_arguments = arguments;
  gridDim.x = blocks;
  blockDim.x = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
    std::memset(shared, 0xA5, 4 * kMaxSharedWords);
    std::memset(exchanges, 0, sizeof exchanges);
    arrived = generation = 0;
    live_threads = threads;
    for (unsigned int i = 0; i < threads; ++i) {
      Fiber& fiber = fibers[i];
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.data();
      fiber.context.uc_stack.ss_size = fiber.stack.size();
      fiber.context.uc_link = &scheduler;
      makecontext(&fiber.context, run_body, 0);
      fiber.live = true;
      fiber.turn = 0;
    }
    while (live_threads > 0) {
      for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x) {
        if (!fibers[threadIdx.x].live) continue;
        swapcontext(&scheduler, &fibers[threadIdx.x].context);
        if (!fibers[threadIdx.x].live) --live_threads;
      }
    }
    for (std::size_t i = (shared_bytes + 3) / 4; i < kMaxSharedWords; ++i) {
      if (shared[i] != 0xA5A5A5A5u) fault = "a write beyond the block's shared memory";
    }
  }
  return fault;
}

// A kernel's parameters from an array of pointers to them, as cuLaunchKernel takes them.
template <class... Parameters, std::size_t... index>
void call(void (*kernel)(Parameters...), void** arguments, std::index_sequence<index...>) {
  kernel(*static_cast<std::remove_reference_t<Parameters>*>(arguments[index])...);
}

template <class... Parameters>
void call(void (*kernel)(Parameters...), void** arguments) {
  call(kernel, arguments, std::index_sequence_for<Parameters...>{});
}

// Whether arguments of these sizes are the kernel's parameters.
template <class... Parameters>
bool fits(void (*)(Parameters...), const std::size_t* sizes, std::size_t count) {
  const std::size_t expected[] = {sizeof(Parameters)...};
  return count == sizeof...(Parameters) && std::memcmp(sizes, expected, sizeof expected) == 0;
}

}  // namespace host

inline void __syncthreads() {
  const unsigned int mine = host::generation;
  if (++host::arrived == blockDim.x) {
    host::arrived = 0;
    ++host::generation;
  }
  while (host::generation == mine) {
    if (host::live_threads < blockDim.x) {
      host::fault = "a barrier that some threads never reach";
      return;
    }
    host::pause();
  }
}

template <class Word>
Word __shfl_xor_sync(unsigned int mask, Word word, int lane_mask) {
  static_assert(sizeof(Word) == 4);
  const unsigned int* words = host::exchange(mask, std::bit_cast<unsigned int>(word));
  return std::bit_cast<Word>(words[threadIdx.x % 32 ^ lane_mask]);
}

inline int __all_sync(unsigned int mask, int predicate) {
  const unsigned int* words = host::exchange(mask, predicate != 0);
  int all = 1;
  for (int lane = 0; lane < 32; ++lane) all &= words[lane];
  return all;
}

inline int atomicAdd(int* to, int value) {
  const int before = *to;
  *to += value;
  return before;
}

inline int __ffs(int word) { return __builtin_ffs(word); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline unsigned int __float_as_uint(float x) { return std::bit_cast<unsigned int>(x); }
inline float __uint_as_float(unsigned int bits) { return std::bit_cast<float>(bits); }

inline unsigned short host_float16_of(float x) {
  return std::bit_cast<unsigned short>(static_cast<_Float16>(x));
}
inline float host_float16_value(unsigned short bits) {
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}
