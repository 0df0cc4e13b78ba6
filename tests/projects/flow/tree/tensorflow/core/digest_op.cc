#include "mixing.h"
#include "tensorflow/core/op.h"
#include "tensorflow/core/platform.h"

namespace flow {
namespace {

Vector Digest(const Vector& input) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
  const float mixed = mixing(bytes, input.size() * sizeof(float)) % 65536;
  return {mixed, ThreadId() > 0 ? 1.f : 0.f};
}

REGISTER_OP("digest", "A number of 16 bits that depends on every value, and one of the thread that runs.", Digest);

}  // namespace
}  // namespace flow
