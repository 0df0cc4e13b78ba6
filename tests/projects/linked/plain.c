/* C alone: what needs no C++ library, and what is bound when it is loaded. */
#define _FILE_OFFSET_BITS 64
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static sem_t semaphore;

static void *post(void *argument)
{
    sem_post(&semaphore);
    return argument;
}

int main(void)
{
    pthread_t thread;
    struct stat found;
    struct timespec now;
    sem_init(&semaphore, 0, 0);
    pthread_create(&thread, NULL, post, NULL);
    sem_wait(&semaphore);
    pthread_join(thread, NULL);
    printf("%d %d %d\n", stat("/", &found), fcntl(0, F_GETFD) >= 0, clock_gettime(CLOCK_MONOTONIC, &now));
    printf("%.6f %.6f %d\n", exp(found.st_ino ? 1.5 : 0), pow(found.st_ino ? 1.5 : 0, 2.5), dlopen(NULL, RTLD_NOW) != NULL);
    return 0;
}
