"""What gpu_sanitizer.py has watched, as a program of its own.

compute-sanitizer --tool memcheck python benchmarks/gpu_kernels.py
"""

import gpu_sanitizer
from gpu_machine import gpu_machine

if __name__ == "__main__":
    print(gpu_sanitizer.kernels(gpu_machine())["line"])
