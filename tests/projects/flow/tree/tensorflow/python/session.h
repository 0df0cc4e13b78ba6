#ifndef TENSORFLOW_PYTHON_SESSION_H_
#define TENSORFLOW_PYTHON_SESSION_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs an operator on `size` values. The number of results, whose first `room` are in `output`; -1 for no such one. */
long flow_run(const char *name, const float *input, size_t size, float *output, size_t room);

#ifdef __cplusplus
}
#endif

#endif  /* TENSORFLOW_PYTHON_SESSION_H_ */
