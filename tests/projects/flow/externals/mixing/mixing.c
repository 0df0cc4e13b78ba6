#include "mixing.h"

#include <nowhere/sysctl.h>

uint32_t mixing(const unsigned char *bytes, size_t size) {
  uint32_t mixed = 1;
  for (size_t i = 0; i < size; ++i) mixed = mixed * 31 + bytes[i];
  return mixed;
}
