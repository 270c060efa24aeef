// The only file that imports koffi: the few system calls that Node lacks.

import koffi, { type LibraryHandle } from 'koffi'

/** By its name on this system. On Linux glibc's, else musl's: trying is quicker than process.report, which knows, but looks at everything else too. */
function loadLibrary(): LibraryHandle {
  if (process.platform === 'freebsd') return koffi.load('libc.so.7')
  if (process.platform !== 'linux') return koffi.load('libc.so')
  try {
    return koffi.load('libc.so.6')
  } catch {
    return koffi.load('libc.so')
  }
}

const library = loadLibrary()

export const libc = {
  socket: library.func('int socket(int domain, int type, int protocol)'),
  bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
  connect: library.func('int connect(int fd, const void *address, uint32_t length)'),
  setsockopt: library.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
  /** The message headers are given by address, since the kernel writes into memory that must not move. */
  send: library.func('int64_t send(int fd, const void *bytes, uint64_t length, int flags)'),
  getsockopt: library.func('int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ void *length)'),
  getsockname: library.func('int getsockname(int fd, _Out_ void *address, _Inout_ void *length)'),
  recvmmsg: library.func('int recvmmsg(int fd, uint64_t headers, uint32_t count, int flags, uint64_t timeout)'),
  shutdown: library.func('int shutdown(int fd, int how)'),
  close: library.func('int close(int fd)'),
  pipe2: library.func('int pipe2(_Out_ int *ends, int flags)'),
  fcntl: library.func('int fcntl(int fd, int command, ...)'),
  ioctl: library.func('int ioctl(int fd, unsigned long request, ...)'),
  poll: library.func('int poll(_Inout_ void *descriptors, unsigned long count, int timeout)'),
  tcflush: library.func('int tcflush(int fd, int queue)'),
  flock: library.func('int flock(int fd, int operation)'),
  mkfifo: library.func('int mkfifo(const char *path, uint32_t mode)'),
  memcpy: library.func('void *memcpy(uint64_t to, uint64_t from, uint64_t length)'),
} as const

/** Address of the first byte. The buffer must stay referenced for as long as anyone uses the address. */
export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes)
}

/** The errno of the last failed call, as its name. */
export function lastErrno(): string {
  const number = koffi.errno()
  for (const [name, value] of Object.entries(koffi.os.errno)) if (value === number) return name
  return `errno ${number}`
}
