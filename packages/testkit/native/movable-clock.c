// Loaded before a program's own libraries: moves the time of day that it sees by as many ms as the file
// SLUICE_CLOCK_FILE holds (8 bytes, native order), also while it runs. The monotonic clock stays right.
// The system is asked without libc's own function: finding that one would call malloc, and jemalloc asks
// for the time while it starts.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_ms;

__attribute__((constructor)) static void map_offset(void) {
  const char *path = getenv("SLUICE_CLOCK_FILE");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) offset_ms = mapped;
  close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int status = (int)syscall(SYS_clock_gettime, clock, at);
  if (status != 0 || !offset_ms) return status;
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return status;
  int64_t moved = *offset_ms;
  int64_t ns = at->tv_nsec + moved % 1000 * 1000000;
  at->tv_sec += moved / 1000 + (ns < 0 ? -1 : ns / 1000000000);
  at->tv_nsec = (ns + 1000000000) % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
