#include "tensorflow/python/session.h"

#include <algorithm>

#include "tensorflow/core/op.h"

long flow_run(const char* name, const float* input, size_t size, float* output, size_t room) {
  for (const auto& op : flow::Ops()) {
    if (op.name != name) continue;
    const flow::Vector result = op.kernel(flow::Vector(input, input + size));
    std::copy_n(result.begin(), std::min(room, result.size()), output);
    return static_cast<long>(result.size());
  }
  return -1;
}
