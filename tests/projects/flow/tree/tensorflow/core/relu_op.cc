#include "tensorflow/core/op.h"

namespace flow {
namespace {

Vector Relu(const Vector& input) {
  Vector output = input;
  for (auto& value : output) value = value > 0.f ? value : 0.f;
  return output;
}

REGISTER_OP("relu", "What is positive of each value.", Relu);

}  // namespace
}  // namespace flow
