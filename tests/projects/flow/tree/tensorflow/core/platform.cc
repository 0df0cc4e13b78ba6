#include "tensorflow/core/platform.h"

#include <sys/syscall.h>
#include <unistd.h>

static long sys_gettid(void) { return syscall(__NR_gettid); }

namespace flow {

long ThreadId() { return sys_gettid(); }

}  // namespace flow
