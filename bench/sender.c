/* Sends messages to a local datagram socket: sender SOCKET COUNT BYTES [PER_SECOND], or the lines of a file: sender SOCKET COUNT @FILE.
 * Each carries its number and, in nanoseconds since 1970, when it was sent. Prints the seconds taken, and how long send(2) took in milliseconds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  FILE *lines = argv[3][0] == '@' ? fopen(argv[3] + 1, "r") : NULL;
  static char line[65536];
  long count = atol(argv[2]);
  int bytes = atoi(argv[3]);
  long rate = argc > 4 ? atol(argv[4]) : 0;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    perror("connect");
    return 1;
  }
  char *message = malloc(lines != NULL ? sizeof line : bytes + 256);
  memset(message, 'x', lines != NULL ? 1 : bytes + 256);
  long long start = now(CLOCK_MONOTONIC);
  float *taken = malloc(count * sizeof *taken);
  time_t second = 0;
  char stamp[32] = "";
  for (long i = 1; i <= count; i++) {
    if (rate > 0) {
      long long due = start + i * 1000000000LL / rate;
      struct timespec t = {due / 1000000000LL, due % 1000000000LL};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    }
    long long sent = now(CLOCK_REALTIME);
    if (sent / 1000000000LL != second) {
      second = sent / 1000000000LL;
      struct tm local;
      localtime_r(&second, &local);
      strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &local);
    }
    if (lines != NULL) {
      if (fgets(line, sizeof line, lines) == NULL) break;
      line[strcspn(line, "\n")] = 0;
      char *text = strchr(line, '>');
      if (text == NULL) continue;
      *text++ = 0;
      bytes = snprintf(message, sizeof line, "%s>%s %s", line, stamp, text);
    } else {
      int used = sprintf(message, "<13>%s bench[%d]: %010ld %lld ", stamp, getpid(), i, sent);
      message[used] = 'x';
    }
    long long before = now(CLOCK_MONOTONIC);
    while (send(fd, message, bytes, 0) < 0) {
      if (errno == EINTR || errno == ENOBUFS) continue;
      if (errno != ECONNREFUSED && errno != ENOTCONN && errno != EDESTADDRREQ) {
        perror("send");
        return 1;
      }
      /* The program that reads it was killed: until there is another one. */
      usleep(1000);
      connect(fd, (struct sockaddr *)&address, sizeof address);
    }
    taken[i - 1] = (now(CLOCK_MONOTONIC) - before) / 1e6;
  }
  double seconds = (now(CLOCK_MONOTONIC) - start) / 1e9;
  qsort(taken, count, sizeof *taken, compare);
  printf("{\"seconds\":%.6f,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f}\n", seconds, taken[count / 2], taken[count * 99 / 100], taken[count - 1]);
  return 0;
}
