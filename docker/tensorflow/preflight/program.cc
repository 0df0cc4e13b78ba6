// What TensorFlow uses of a compiler and its library: threads, thread-local storage, atomics, the C++11 library.
#include <dlfcn.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

thread_local int local = 1;

int main() {
  std::atomic<long> sum{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&sum, i] { sum += local + i; });
  for (auto& thread : threads) thread.join();
  std::vector<float> values(4099);
  std::mt19937 random(1);
  for (auto& value : values) value = std::uniform_real_distribution<float>(0.f, 1.f)(random);
  float total = 0.f;
  for (float value : values) total += std::exp(-value) * value;
  std::unordered_map<int, std::unique_ptr<float>> map;
  map[1].reset(new float(total));
  const bool right = sum == 10 && *map[1] > 0.f && dlopen(nullptr, RTLD_NOW) != nullptr;
  std::printf("a C++ program runs: %s, gcc %s\n", right ? "right" : "wrong", __VERSION__);
  return right ? 0 : 1;
}
