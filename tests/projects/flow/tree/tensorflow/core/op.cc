#include "tensorflow/core/op.h"

#include <algorithm>

namespace flow {
namespace {

std::vector<Op>& Registry() {
  static auto* registry = new std::vector<Op>;
  return *registry;
}

}  // namespace

std::vector<Op> Ops() {
  std::vector<Op> ops = Registry();
  std::sort(ops.begin(), ops.end(), [](const Op& a, const Op& b) { return a.name < b.name; });
  return ops;
}

bool Register(const Op& op) {
  Registry().push_back(op);
  return true;
}

}  // namespace flow
