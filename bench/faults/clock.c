/* Loaded before everything else into a process (LD_PRELOAD), adds to its wall clock the nanoseconds that stand at the
 * beginning of the file FAULTS_CLOCK. The file is mapped, so a step is seen at the next reading. Other clocks, and all
 * waiting, which the kernel and the C library do by themselves, stay true. See clock.py. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000L

static const volatile int64_t none, *ahead_ns = &none;
static int (*true_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("FAULTS_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
        if (page != MAP_FAILED)
            ahead_ns = page;
        close(file);
    }
    true_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = true_clock ? true_clock(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_nsec + *ahead_ns % SECOND_NS;
        now->tv_sec += *ahead_ns / SECOND_NS + (ns >= SECOND_NS) - (ns < 0);
        now->tv_nsec = ns + (ns < 0 ? SECOND_NS : ns >= SECOND_NS ? -SECOND_NS : 0);
    }
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise))
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *also)
{
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise))
        return (time_t)-1;
    if (also)
        *also = precise.tv_sec;
    return precise.tv_sec;
}
