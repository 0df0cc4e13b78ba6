#include <algorithm>
#include <cmath>

#include "tensorflow/core/op.h"

namespace flow {
namespace {

Vector Softmax(const Vector& input) {
  if (input.empty()) return {};
  const float largest = *std::max_element(input.begin(), input.end());
  Vector output;
  float sum = 0.f;
  for (float value : input) sum += std::exp(value - largest);
  for (float value : input) output.push_back(std::exp(value - largest) / sum);
  return output;
}

REGISTER_OP("softmax", "Positive values whose sum is one.", Softmax);

}  // namespace
}  // namespace flow
