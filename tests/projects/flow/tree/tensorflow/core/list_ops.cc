#include <cstdio>

#include "tensorflow/core/op.h"

int main() {
  for (const auto& op : flow::Ops()) std::printf("%s\t%s\n", op.name.c_str(), op.doc.c_str());
}
