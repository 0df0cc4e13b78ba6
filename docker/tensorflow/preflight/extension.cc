// A Python extension that uses NumPy as TensorFlow's bfloat16 does: with its own loop in a ufunc.
#include <Python.h>

#include "numpy/arrayobject.h"
#include "numpy/ufuncobject.h"

namespace {

// NumPy 1.19 made the counts in the type of a loop constant. TensorFlow's own extension has one form or the other.
#ifdef CONSTANT_COUNTS
using Count = const npy_intp;
#else
using Count = npy_intp;
#endif
using Loop = void (*)(char**, Count*, Count*, void*);

void Twice(char** args, Count* dimensions, Count* steps, void*) {
  for (npy_intp i = 0; i < *dimensions; ++i)
    *reinterpret_cast<float*>(args[1] + i * steps[1]) = 2.f * *reinterpret_cast<float*>(args[0] + i * steps[0]);
}

PyUFuncGenericFunction loops[] = {static_cast<Loop>(Twice)};
void* data[] = {nullptr};
char types[] = {NPY_FLOAT, NPY_FLOAT};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "extension", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_extension() {
  import_array();
  import_ufunc();
  PyObject* module = PyModule_Create(&definition);
  if (module == nullptr) return nullptr;
  PyObject* twice = PyUFunc_FromFuncAndData(loops, data, types, 1, 1, 1, PyUFunc_None, "twice", "", 0);
  if (twice == nullptr || PyModule_AddObject(module, "twice", twice) < 0) return nullptr;
  return module;
}
