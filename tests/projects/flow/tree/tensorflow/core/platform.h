#ifndef TENSORFLOW_CORE_PLATFORM_H_
#define TENSORFLOW_CORE_PLATFORM_H_

namespace flow {

// The kernel's number of the calling thread.
long ThreadId();

}  // namespace flow

#endif  // TENSORFLOW_CORE_PLATFORM_H_
