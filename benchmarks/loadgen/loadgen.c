/* A load generator that costs next to nothing, and the floors of the machine it runs on.
 *
 * It knows nothing of any protocol but its framing: a 32-bit big-endian size before each request
 * and each response. The requests are made beforehand and come in a file, frame after frame; each
 * connection sends them in turn, over and over, with at most `window` of them unanswered.
 *
 *   loadgen frames HOST PORT FILE CONNECTIONS WINDOW SECONDS
 *   loadgen loopback CHUNK SECONDS        bytes through a loopback TCP connection, two processes
 *   loadgen append FILE CHUNK BYTES       write(2) at the end of a file
 *   loadgen sendfile FILE CHUNK SECONDS   from a cached file to a loopback TCP connection
 *
 * Each prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH_BYTES (4 << 20)
#define LATENCIES_MAX (1 << 22)
#define WINDOW_MAX 4096

static char scratch[SCRATCH_BYTES];

static void fail(const char *what) { perror(what); exit(1); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double cpu_of(int who) {
  struct rusage use;
  getrusage(who, &use);
  return use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* --- requests and responses ------------------------------------------------------------------ */

struct frame { size_t start, size; };

struct connection {
  int fd;
  size_t next_frame, sent_of_frame;      /* what to send next, and how much of it is gone */
  size_t unanswered;
  uint32_t size_bytes; unsigned char size[4]; /* of the response's size prefix, so far */
  uint64_t body_left;
  double sent_at[WINDOW_MAX]; size_t oldest, newest;
};

static char *requests;
static struct frame *frames;
static size_t frames_count;
static uint64_t responses, bytes_in, bytes_out;
static float *latencies;
static size_t latencies_count;

static void load_frames(const char *path) {
  FILE *file = fopen(path, "rb");
  struct stat info;
  if (!file || fstat(fileno(file), &info)) fail(path);
  requests = malloc(info.st_size);
  if (fread(requests, 1, info.st_size, file) != (size_t)info.st_size) fail(path);
  fclose(file);
  for (size_t at = 0; at + 4 <= (size_t)info.st_size;) {
    uint32_t size;
    memcpy(&size, requests + at, 4);
    frames = realloc(frames, (frames_count + 1) * sizeof *frames);
    frames[frames_count++] = (struct frame){at, 4 + ntohl(size)};
    at += 4 + ntohl(size);
  }
  if (!frames_count) { fprintf(stderr, "no frames in %s\n", path); exit(1); }
}

static int dial(const char *host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) { fprintf(stderr, "HOST is an IPv4 address\n"); exit(2); }
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

/* Send while the window and the socket have room; whole runs of small frames in one write. */
static void send_some(struct connection *c, size_t window) {
  while (c->unanswered < window || c->sent_of_frame) {
    size_t gathered = 0, count = 0, frame = c->next_frame, skip = c->sent_of_frame;
    while (c->unanswered + count < window || (count == 0 && skip)) {
      size_t left = frames[frame].size - skip;
      if (gathered && gathered + left > 256 * 1024) break;
      if (left > SCRATCH_BYTES) { fprintf(stderr, "a frame is too large\n"); exit(2); }
      memcpy(scratch + gathered, requests + frames[frame].start + skip, left);
      gathered += left;
      if (++count, ++frame == frames_count) frame = 0;
      if (skip) skip = 0;
    }
    ssize_t sent = write(c->fd, scratch, gathered);
    if (sent < 0) { if (errno == EAGAIN) return; fail("write"); }
    bytes_out += sent;
    double at = now();
    for (size_t left = sent; left;) {
      size_t of_frame = frames[c->next_frame].size - c->sent_of_frame;
      if (c->sent_of_frame == 0) {
        c->unanswered++;
        c->sent_at[c->newest++ % WINDOW_MAX] = at;
      }
      if (left < of_frame) { c->sent_of_frame += left; break; }
      left -= of_frame;
      c->sent_of_frame = 0;
      if (++c->next_frame == frames_count) c->next_frame = 0;
    }
    if ((size_t)sent < gathered) return;
  }
}

static void answered(struct connection *c) {
  responses++;
  c->unanswered--;
  double took = now() - c->sent_at[c->oldest++ % WINDOW_MAX];
  if (latencies_count < LATENCIES_MAX) latencies[latencies_count++] = took;
}

static void receive_some(struct connection *c) {
  for (;;) {
    ssize_t got = read(c->fd, scratch, SCRATCH_BYTES);
    if (got == 0) { fprintf(stderr, "the broker closed the connection\n"); exit(1); }
    if (got < 0) { if (errno == EAGAIN) return; fail("read"); }
    bytes_in += got;
    for (ssize_t at = 0; at < got;) {
      if (c->body_left) {
        uint64_t take = c->body_left < (uint64_t)(got - at) ? c->body_left : (uint64_t)(got - at);
        c->body_left -= take;
        at += take;
        if (!c->body_left) answered(c);
        continue;
      }
      c->size[c->size_bytes++] = scratch[at++];
      if (c->size_bytes == 4) {
        uint32_t size;
        memcpy(&size, c->size, 4);
        c->body_left = ntohl(size);
        c->size_bytes = 0;
      }
    }
    if (got < SCRATCH_BYTES) return;
  }
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void run_frames(char **args) {
  int count = atoi(args[3]), window = atoi(args[4]);
  double seconds = atof(args[5]);
  if (window < 1 || window > WINDOW_MAX) { fprintf(stderr, "WINDOW is 1 to %d\n", WINDOW_MAX); exit(2); }
  load_frames(args[2]);
  latencies = malloc(LATENCIES_MAX * sizeof *latencies);
  struct connection *all = calloc(count, sizeof *all);
  int poll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    all[i].fd = dial(args[0], atoi(args[1]));
    all[i].next_frame = (size_t)i % frames_count;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event)) fail("epoll_ctl");
  }
  double start = now(), end = start + seconds, cpu = cpu_of(RUSAGE_SELF);
  while (now() < end) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll, events, 256, 100);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLIN) receive_some(c);
      send_some(c, window);
    }
  }
  double took = now() - start;
  qsort(latencies, latencies_count, sizeof *latencies, by_value);
  printf("{\"responses\": %llu, \"bytes_in\": %llu, \"bytes_out\": %llu, \"seconds\": %.4f, "
         "\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"own_cpu_seconds\": %.4f}\n",
         (unsigned long long)responses, (unsigned long long)bytes_in, (unsigned long long)bytes_out, took,
         latencies_count ? latencies[latencies_count / 2] * 1e6 : 0,
         latencies_count ? latencies[latencies_count * 99 / 100] * 1e6 : 0,
         latencies_count ? latencies[latencies_count * 999 / 1000] * 1e6 : 0, cpu_of(RUSAGE_SELF) - cpu);
}

/* --- floors ---------------------------------------------------------------------------------- */

static int loopback_pair(int *accepted) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1)) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  *accepted = accept(listener, NULL, NULL);
  close(listener);
  return fd;
}

/* A child that reads everything, so that the parent's CPU time is the sender's alone. */
static pid_t drain(int fd, int other) {
  pid_t child = fork();
  if (child) { close(fd); return child; }
  close(other);
  while (read(fd, scratch, SCRATCH_BYTES) > 0) {}
  _exit(0);
}

static void report_floor(const char *what, long chunk, double bytes, double took, double cpu) {
  printf("{\"floor\": \"%s\", \"chunk\": %ld, \"gb_per_second\": %.3f, \"gb_per_cpu_second\": %.3f}\n",
         what, chunk, bytes / took / 1e9, bytes / (cpu > 0 ? cpu : took) / 1e9);
}

static void run_loopback(char **args) {
  long chunk = atol(args[0]);
  double seconds = atof(args[1]), bytes = 0;
  int reader, writer = loopback_pair(&reader);
  pid_t child = drain(reader, writer);
  double start = now(), cpu = cpu_of(RUSAGE_SELF);
  while (now() < start + seconds) {
    ssize_t sent = write(writer, scratch, chunk);
    if (sent < 0) fail("write");
    bytes += sent;
  }
  report_floor("loopback", chunk, bytes, now() - start, cpu_of(RUSAGE_SELF) - cpu);
  close(writer);
  waitpid(child, NULL, 0);
}

static void run_append(char **args) {
  long chunk = atol(args[1]);
  double total = atof(args[2]), bytes = 0;
  int fd = open(args[0], O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
  if (fd < 0) fail(args[0]);
  double start = now(), cpu = cpu_of(RUSAGE_SELF);
  while (bytes < total) {
    ssize_t wrote = write(fd, scratch, chunk);
    if (wrote < 0) fail("write");
    bytes += wrote;
  }
  report_floor("append", chunk, bytes, now() - start, cpu_of(RUSAGE_SELF) - cpu);
  close(fd);
}

static void run_sendfile(char **args) {
  long chunk = atol(args[1]);
  double seconds = atof(args[2]), bytes = 0;
  int file = open(args[0], O_RDONLY), reader, writer = loopback_pair(&reader);
  struct stat info;
  if (file < 0 || fstat(file, &info)) fail(args[0]);
  pid_t child = drain(reader, writer);
  double start = now(), cpu = cpu_of(RUSAGE_SELF);
  off_t at = 0;
  while (now() < start + seconds) {
    if (at + chunk > info.st_size) at = 0;
    ssize_t sent = sendfile(writer, file, &at, chunk);
    if (sent <= 0) fail("sendfile");
    bytes += sent;
  }
  report_floor("sendfile", chunk, bytes, now() - start, cpu_of(RUSAGE_SELF) - cpu);
  close(writer);
  waitpid(child, NULL, 0);
}

int main(int argc, char **argv) {
  if (argc == 8 && !strcmp(argv[1], "frames")) run_frames(argv + 2);
  else if (argc == 4 && !strcmp(argv[1], "loopback")) run_loopback(argv + 2);
  else if (argc == 5 && !strcmp(argv[1], "append")) run_append(argv + 2);
  else if (argc == 5 && !strcmp(argv[1], "sendfile")) run_sendfile(argv + 2);
  else { fprintf(stderr, "usage: loadgen frames|loopback|append|sendfile ... (see the head of loadgen.c)\n"); return 2; }
  return 0;
}
