#ifndef MIXING_H_
#define MIXING_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A number that depends on every byte and on their order. */
uint32_t mixing(const unsigned char *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
