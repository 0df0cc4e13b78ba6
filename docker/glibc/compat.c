/* What headers and libstdc++.a of a newer glibc expect, in the words of glibc 2.17. All of it is hidden: each library has
   its own. A name that glibc has at the chosen version is taken from there, because the linker sees that one first. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#pragma GCC visibility push(hidden)

/* 2.32. Never true: the counters of std::shared_ptr are always atomic. */
char __libc_single_threaded = 0;

/* Functions since 2.33; before, inline functions around these. */
#define STAT_VERSION 1
#define NODE_VERSION 0
#pragma GCC visibility push(default)
int __xstat(int, const char *, struct stat *);
int __fxstat(int, int, struct stat *);
int __lxstat(int, const char *, struct stat *);
int __fxstatat(int, int, const char *, struct stat *, int);
int __xmknod(int, const char *, mode_t, dev_t *);
int __xmknodat(int, int, const char *, mode_t, dev_t *);
#pragma GCC visibility pop

int stat(const char *path, struct stat *result) { return __xstat(STAT_VERSION, path, result); }
int fstat(int file, struct stat *result) { return __fxstat(STAT_VERSION, file, result); }
int lstat(const char *path, struct stat *result) { return __lxstat(STAT_VERSION, path, result); }
int fstatat(int folder, const char *path, struct stat *result, int flags)
{
    return __fxstatat(STAT_VERSION, folder, path, result, flags);
}
int stat64(const char *path, struct stat64 *result) { return stat(path, (struct stat *)result); }
int fstat64(int file, struct stat64 *result) { return fstat(file, (struct stat *)result); }
int lstat64(const char *path, struct stat64 *result) { return lstat(path, (struct stat *)result); }
int fstatat64(int folder, const char *path, struct stat64 *result, int flags)
{
    return fstatat(folder, path, (struct stat *)result, flags);
}
int mknod(const char *path, mode_t mode, dev_t device) { return __xmknod(NODE_VERSION, path, mode, &device); }
int mknodat(int folder, const char *path, mode_t mode, dev_t device)
{
    return __xmknodat(NODE_VERSION, folder, path, mode, &device);
}

/* 2.28: what fcntl is called with _FILE_OFFSET_BITS=64; on this architecture the same. */
int fcntl64(int file, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl(file, command, argument);
}

/* 2.25 and 2.36, for std::random_device. */
int getentropy(void *buffer, size_t size)
{
    if (size > 256) {
        errno = EIO;
        return -1;
    }
    for (size_t done = 0; done < size;) {
        long got = syscall(SYS_getrandom, (char *)buffer + done, size - done, 0);
        if (got < 0 && errno == ENOSYS) { /* Linux before 3.17 */
            int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
            if (file < 0)
                return -1;
            got = read(file, (char *)buffer + done, size - done);
            int reason = errno;
            close(file);
            errno = reason;
        }
        if (got < 0 && errno != EINTR)
            return -1;
        done += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

uint32_t arc4random(void)
{
    uint32_t value;
    if (getentropy(&value, sizeof value))
        __builtin_trap();
    return value;
}

/* 2.30: waits with a deadline on another clock than the one of the thing waited for, which is CLOCK_REALTIME. */
enum { SECOND = 1000000000 };

static struct timespec on_realtime(clockid_t clock, const struct timespec *deadline)
{
    struct timespec now, other;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(clock, &other);
    now.tv_sec += deadline->tv_sec - other.tv_sec;
    now.tv_nsec += deadline->tv_nsec - other.tv_nsec;
    if (now.tv_nsec < 0) {
        now.tv_nsec += SECOND;
        now.tv_sec--;
    } else if (now.tv_nsec >= SECOND) {
        now.tv_nsec -= SECOND;
        now.tv_sec++;
    }
    if (now.tv_sec < 0)
        now.tv_sec = now.tv_nsec = 0;
    return now;
}

static int is_over(clockid_t clock, const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/* The time of day may be set while a wait lasts: it is over when its own clock says so. */
#define UNTIL_OVER(wait, timed_out)                             \
    for (;;) {                                                  \
        struct timespec until = on_realtime(clock, deadline);   \
        int result = wait;                                      \
        if (!(timed_out) || is_over(clock, deadline))           \
            return result;                                      \
    }

int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline)
{
    UNTIL_OVER(pthread_cond_timedwait(cond, mutex, &until), result == ETIMEDOUT)
}

int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline)
{
    UNTIL_OVER(pthread_mutex_timedlock(mutex, &until), result == ETIMEDOUT)
}

int pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *deadline)
{
    UNTIL_OVER(pthread_rwlock_timedrdlock(lock, &until), result == ETIMEDOUT)
}

int pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *deadline)
{
    UNTIL_OVER(pthread_rwlock_timedwrlock(lock, &until), result == ETIMEDOUT)
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline)
{
    UNTIL_OVER(sem_timedwait(semaphore, &until), result && errno == ETIMEDOUT)
}
