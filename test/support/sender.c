/* Sends numbered messages to a local datagram socket, as syslog(3) does, and tries again while nobody listens.
 * sender SOCKET NAME COUNT BYTES PER_SECOND STOP_FILE: ends after COUNT messages, or when STOP_FILE appears.
 * Prints how many it has sent and how many of them took more than one try. The same as sender.ts, which needs no compiler. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void rest(long nanoseconds) {
  struct timespec t = {nanoseconds / 1000000000L, nanoseconds % 1000000000L};
  nanosleep(&t, NULL);
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 7) return 64;
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  long count = atol(argv[3]), rate = atol(argv[5]), retried = 0, sent = 0;
  int bytes = atoi(argv[4]), fd = -1;
  char *message = malloc(bytes + 256);
  memset(message, 'x', bytes + 256);
  long long start = now();
  for (long i = 1; i <= count; i++) {
    if (i % 64 == 0 && access(argv[6], F_OK) == 0) break;
    if (rate > 0) {
      long long early = start + i * 1000000000LL / rate - now();
      if (early > 0) rest(early);
    }
    int used = sprintf(message, "<13>%s: %ld ", argv[2], i);
    message[used] = 'x';
    int tries = 0;
    while (fd < 0 || send(fd, message, bytes, 0) < 0) {
      if (fd >= 0 && (errno == EINTR || errno == ENOBUFS)) continue;
      if (fd >= 0) close(fd);
      fd = socket(AF_UNIX, SOCK_DGRAM, 0);
      if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) continue;
      close(fd);
      fd = -1;
      if (errno != ECONNREFUSED && errno != ENOENT) {
        perror("connect");
        return 1;
      }
      if (++tries == 1) retried++;
      rest(1000000);
      if (now() - start > 150 * 1000000000LL) return 1;
    }
    sent = i;
  }
  printf("{\"sent\":%ld,\"retried\":%ld}\n", sent, retried);
  return 0;
}
