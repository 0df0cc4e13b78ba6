#include <Python.h>

#include "tensorflow/python/session.h"

enum { ROOM = 4096 };

static PyObject *run(PyObject *self, PyObject *args) {
  const char *name;
  PyObject *given;
  if (!PyArg_ParseTuple(args, "sO", &name, &given)) return NULL;
  PyObject *values = PySequence_Fast(given, "a sequence of numbers is wanted");
  if (values == NULL) return NULL;
  float input[ROOM], output[ROOM];
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(values);
  for (Py_ssize_t i = 0; i < size && i < ROOM; ++i) {
    input[i] = (float)PyFloat_AsDouble(PySequence_Fast_GET_ITEM(values, i));
  }
  Py_DECREF(values);
  if (PyErr_Occurred()) return NULL;
  const long count = size > ROOM ? ROOM + 1 : flow_run(name, input, size, output, ROOM);
  if (count < 0) return PyErr_Format(PyExc_KeyError, "there is no operator %s", name);
  if (count > ROOM) return PyErr_Format(PyExc_ValueError, "more than %d values", ROOM);
  PyObject *result = PyList_New(count);
  for (long i = 0; result != NULL && i < count; ++i) {
    PyList_SET_ITEM(result, i, PyFloat_FromDouble(output[i]));
  }
  return result;
}

static PyMethodDef methods[] = {{"run", run, METH_VARARGS, "The results of an operator."}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_flow", "Operators.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__flow(void) { return PyModule_Create(&module); }
