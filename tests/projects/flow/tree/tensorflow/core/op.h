#ifndef TENSORFLOW_CORE_OP_H_
#define TENSORFLOW_CORE_OP_H_

#include <string>
#include <vector>

namespace flow {

using Vector = std::vector<float>;

struct Op {
  std::string name;
  std::string doc;
  Vector (*kernel)(const Vector&);
};

// Every operator that is linked in, by name.
std::vector<Op> Ops();

bool Register(const Op& op);

}  // namespace flow

#define REGISTER_OP(name, doc, kernel) static const bool kernel##_registered = ::flow::Register({name, doc, kernel})

#endif  // TENSORFLOW_CORE_OP_H_
