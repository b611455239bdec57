// The number types of a network's input and logits: float32, float16, bfloat16.
//
// Half-precision values are bare bits and single PTX instructions, so that no CUDA header is needed
// at run time.
#ifndef SMOOTHCERT_SCALARS_CUH
#define SMOOTHCERT_SCALARS_CUH

#include "philox.cuh"

namespace smoothcert {

// Each type: `Element` in memory; `of`, rounding to nearest even; `value`, exact; `word`, the 32
// bits of kPerWord neighbouring elements.
struct Float32 {
  using Element = float;
  static constexpr int kPerWord = 1;

  static SMOOTHCERT_DEVICE Element of(float x) { return x; }
  static SMOOTHCERT_DEVICE float value(Element x) { return x; }
  static SMOOTHCERT_DEVICE unsigned int word(const float* x) { return __float_as_uint(x[0]); }
};

struct Float16 {
  using Element = unsigned short;
  static constexpr int kPerWord = 2;

  static SMOOTHCERT_DEVICE Element of(float x) {
#if defined(__CUDACC__)
    Element bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
#else
    return host_float16_of(x);
#endif
  }

  static SMOOTHCERT_DEVICE float value(Element bits) {
#if defined(__CUDACC__)
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
#else
    return host_float16_value(bits);
#endif
  }

  static SMOOTHCERT_DEVICE unsigned int word(const float* x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned int pair;  // the first operand is the upper half
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(x[1]), "f"(x[0]));
    return pair;
#else
    return of(x[0]) | static_cast<unsigned int>(of(x[1])) << 16;
#endif
  }
};

struct Bfloat16 {
  using Element = unsigned short;
  static constexpr int kPerWord = 2;

  // In integers: before compute capability 8.0 there is no instruction. Not for NaN.
  static SMOOTHCERT_DEVICE Element of(float x) {
    const unsigned int bits = __float_as_uint(x);
    return static_cast<Element>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  }

  static SMOOTHCERT_DEVICE float value(Element bits) {
    return __uint_as_float(static_cast<unsigned int>(bits) << 16);
  }

  static SMOOTHCERT_DEVICE unsigned int word(const float* x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned int pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(x[1]), "f"(x[0]));
    return pair;
#else
    return of(x[0]) | static_cast<unsigned int>(of(x[1])) << 16;
#endif
  }
};

}  // namespace smoothcert

#endif
