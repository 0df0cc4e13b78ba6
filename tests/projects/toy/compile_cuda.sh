#!/bin/bash
# Compiles the toy as an extension with a kernel: twice, with its own name in two folders, to compare the objects.
set -euo pipefail
python=$KILN_VENV/bin/python
toolkit=/kiln/build/cuda
about() { "$python" -c "import sysconfig; print(sysconfig.$1)"; }

cat > toy.cu <<'SOURCE'
#include <Python.h>

__global__ void twice(float *x) { x[threadIdx.x] *= 2; }

// CUDA's own code for what a launch comes to, or the answer where the kernel has run.
static PyObject *answer(PyObject *self, PyObject *none) {
    float host = 21, *device = nullptr;
    cudaError_t error = cudaMalloc(&device, sizeof host);
    if (!error) {
        cudaMemcpy(device, &host, sizeof host, cudaMemcpyHostToDevice);
        twice<<<1, 1>>>(device);
        error = cudaMemcpy(&host, device, sizeof host, cudaMemcpyDeviceToHost);
    }
    return Py_BuildValue("if", (int)error, host);
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "toy", "", -1, methods};
PyMODINIT_FUNC PyInit_toy(void) { return PyModule_Create(&module); }
SOURCE

flags=(-ccbin "$KILN_HOST_COMPILER" -O2 -Xcompiler -fPIC "-I$(about "get_path('include')")")
for arch in $KILN_CUDA_ARCH; do flags+=(-gencode "arch=compute_${arch/./},code=sm_${arch/./}"); done
flags+=(-gencode "arch=compute_${KILN_CUDA_PTX/./},code=compute_${KILN_CUDA_PTX/./}")
for run in first second; do
    CCACHE_RECACHE=1 "$toolkit/bin/nvcc" "${flags[@]}" -c -o toy.o toy.cu
    mv toy.o "$run.o"
done
cmp first.o second.o && echo "twice the same object"
"$toolkit/compiler/cuobjdump" --list-elf --list-ptx first.o

module=/kiln/build/toy$(about "get_config_var('EXT_SUFFIX')")
"$KILN_HOST_COMPILER" -shared -o "$module" first.o "-L$toolkit/lib64" -lcudart
"$python" /kiln/scripts/pack.py "$module" /kiln/out/raw
