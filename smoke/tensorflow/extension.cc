// An op as a user writes one: its attribute, its tensors and its errors have std::string in their names, so that it loads
// only where the wheel has the C++ ABI that it was compiled for.
#include <string>

#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/errors.h"

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

REGISTER_OP("KilnGreet")
    .Attr("greeting: string = 'hello'")
    .Input("names: string")
    .Output("greeted: string")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* context) {
      context->set_output(0, context->input(0));
      return tensorflow::Status::OK();
    });

class Greet : public OpKernel {
 public:
  explicit Greet(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("greeting", &greeting_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& names = context->input(0);
    Tensor* greeted = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, names.shape(), &greeted));
    auto in = names.flat<std::string>();
    auto out = greeted->flat<std::string>();
    for (int number = 0; number < in.size(); ++number) {
      OP_REQUIRES(context, !in(number).empty(),
                  tensorflow::errors::InvalidArgument("name ", number, " is empty: nobody to say ", greeting_, " to"));
      out(number) = greeting_ + ", " + in(number);
    }
  }

 private:
  std::string greeting_;
};

REGISTER_KERNEL_BUILDER(Name("KilnGreet").Device(tensorflow::DEVICE_CPU), Greet);
