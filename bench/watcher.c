/* Reads lines as they appear in a file: watcher FILE COUNT. For each it takes the time between the nanoseconds that the sender wrote
 * into the line and the moment it was read here. Prints the percentiles in milliseconds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  long count = atol(argv[2]), seen = 0;
  double *taken = malloc(count * sizeof *taken);
  int watch = inotify_init1(IN_CLOEXEC), fd = -1;
  static char buffer[1 << 20], events[65536];
  size_t held = 0;
  while ((fd = open(argv[1], O_RDONLY)) < 0) usleep(1000);
  lseek(fd, 0, SEEK_END);
  inotify_add_watch(watch, argv[1], IN_MODIFY);
  fprintf(stderr, "watching\n");
  while (seen < count) {
    ssize_t got = read(fd, buffer + held, sizeof buffer - held);
    if (got <= 0) {
      struct pollfd p = {watch, POLLIN, 0};
      if (poll(&p, 1, 20000) == 0) break;
      if (read(watch, events, sizeof events) < 0) break;
      continue;
    }
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    long long now = t.tv_sec * 1000000000LL + t.tv_nsec;
    char *line = buffer, *end = buffer + held + got, *next;
    while ((next = memchr(line, '\n', end - line)) != NULL) {
      char *text = memchr(line, ']', next - line);
      long number;
      long long sent;
      if (text != NULL) text += text[1] == ':' ? 2 : 1;
      if (text != NULL && sscanf(text, "%ld %lld", &number, &sent) == 2 && seen < count) taken[seen++] = (now - sent) / 1e6;
      line = next + 1;
    }
    held = end - line;
    memmove(buffer, line, held);
  }
  qsort(taken, seen, sizeof *taken, compare);
  if (seen == 0) return 1;
  printf("{\"lines\":%ld,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}\n", seen, taken[seen / 2], taken[seen * 9 / 10], taken[seen * 99 / 100], taken[seen - 1]);
  return 0;
}
