/* Sends messages over mutual TLS: tls-sender PORT IDENTITY PROTOCOL CONNECTIONS MESSAGES HOSTS BYTES.
 * PROTOCOL: counted (RFC 5425) or relp. One thread a connection; MESSAGES and HOSTS are those of all connections together, host names go round.
 * Each message is of RFC 5424, BYTES long, and carries its number. With relp it ends when all are acknowledged. Prints the seconds taken.
 * PROTOCOL idle: the connections are opened and say nothing until standard input ends; prints a line when all are open.
 * MESSAGES 0: handshakes alone, HOSTS of them, one after the other on each connection's thread; prints the seconds taken. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WRITE_BYTES 65536
#define WINDOW 1024

static int port, is_relp, connections, hosts, bytes;
static long messages;
static SSL_CTX *context;
static SSL **dialled;

static void fail(const char *what) {
  perror(what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static SSL *dial(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SSL *ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  if (SSL_connect(ssl) != 1) fail("handshake");
  return ssl;
}

static void hang_up(SSL *ssl) {
  int fd = SSL_get_fd(ssl);
  char rest[4096];
  SSL_shutdown(ssl);
  shutdown(fd, SHUT_WR);
  while (read(fd, rest, sizeof rest) > 0)
    ;
  close(fd);
  SSL_free(ssl);
}

static void write_all(SSL *ssl, const char *from, long length) {
  if (length > 0 && SSL_write(ssl, from, length) != length) fail("write");
}

/* Waits for answers until fewer than `most` frames are without one. */
static long answered(SSL *ssl, long open, long most) {
  static __thread char answers[65536];
  while (open > most) {
    int got = SSL_read(ssl, answers, sizeof answers);
    if (got <= 0) fail("read");
    for (int at = 0; at < got; at++) open -= answers[at] == '\n';
  }
  return open;
}

static void *run(void *argument) {
  long self = (long)argument;
  if (messages == 0) {
    for (long done = self; done < hosts; done += connections) hang_up(dial());
    return NULL;
  }
  SSL *ssl = dialled[self];
  char *buffer = malloc(WRITE_BYTES + bytes + 512), *text = malloc(bytes + 512);
  memset(text, 'x', bytes + 512);
  long used = 0, open = 0, frame = 1;
  if (is_relp) {
    const char *offers = "\nrelp_version=0\nrelp_software=bench\ncommands=syslog";
    used = sprintf(buffer, "1 open %zu %s\n", strlen(offers), offers);
    write_all(ssl, buffer, used);
    used = 0;
    if (SSL_read(ssl, buffer, WRITE_BYTES) <= 0) fail("open");
  }
  time_t second = 0;
  char stamp[64] = "";
  for (long number = self; number < messages; number += connections) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
      struct tm utc;
      second = now.tv_sec;
      gmtime_r(&second, &utc);
      strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    int head = sprintf(text, "<13>1 %s.%06ldZ host%05ld.example.com bench %d - - %010ld ", stamp, now.tv_nsec / 1000, number / connections % (hosts / connections) * connections + self, 1000, number);
    text[head] = 'x';
    if (is_relp)
      used += sprintf(buffer + used, "%ld syslog %d ", ++frame, bytes);
    else
      used += sprintf(buffer + used, "%d ", bytes);
    memcpy(buffer + used, text, bytes);
    used += bytes;
    if (is_relp) buffer[used++] = '\n', open++;
    if (used >= WRITE_BYTES || (is_relp && open >= WINDOW)) {
      write_all(ssl, buffer, used);
      used = 0;
      if (is_relp) open = answered(ssl, open, WINDOW / 2);
    }
  }
  write_all(ssl, buffer, used);
  if (is_relp) answered(ssl, open, 0);
  hang_up(ssl);
  return NULL;
}

static int hold(void) {
  SSL **all = malloc(connections * sizeof *all);
  for (long at = 0; at < connections; at++) all[at] = dial();
  printf("open\n");
  fflush(stdout);
  while (getchar() != EOF)
    ;
  for (long at = 0; at < connections; at++) hang_up(all[at]);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 8) return 64;
  port = atoi(argv[1]);
  is_relp = strcmp(argv[3], "relp") == 0;
  connections = atoi(argv[4]);
  messages = atol(argv[5]);
  hosts = atoi(argv[6]);
  bytes = atoi(argv[7]);
  char file[4096];
  context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  snprintf(file, sizeof file, "%s/ca.pem", argv[2]);
  if (SSL_CTX_load_verify_locations(context, file, NULL) != 1) fail(file);
  snprintf(file, sizeof file, "%s/cert.pem", argv[2]);
  if (SSL_CTX_use_certificate_chain_file(context, file) != 1) fail(file);
  snprintf(file, sizeof file, "%s/key.pem", argv[2]);
  if (SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) != 1) fail(file);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  if (strcmp(argv[3], "idle") == 0) return hold();
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pthread_t *threads = malloc(connections * sizeof *threads);
  dialled = malloc(connections * sizeof *dialled);
  if (messages > 0)
    for (long at = 0; at < connections; at++) dialled[at] = dial();
  for (long at = 0; at < connections; at++) pthread_create(&threads[at], NULL, run, (void *)at);
  for (long at = 0; at < connections; at++) pthread_join(threads[at], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("{\"seconds\":%.6f}\n", end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9);
  return 0;
}
