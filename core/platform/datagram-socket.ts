import * as fs from 'node:fs'
import { LoghopError } from '../base/errors.ts'
import { lastErrno, libc } from './libc.ts'

// <sys/socket.h> and <sys/un.h> of each system.
const AF_UNIX = 1
const SOCK_DGRAM = 2
const LINUX = { SOL_SOCKET: 1, SO_RCVBUF: 8, SO_PASSCRED: 16, SO_TIMESTAMP: 29, SOCK_CLOEXEC: 0o2000000 }
const FREEBSD = {
  SOL_SOCKET: 0xffff,
  SO_RCVBUF: 0x1002,
  SO_TIMESTAMP: 0x0400,
  SOL_LOCAL: 0,
  LOCAL_CREDS_PERSISTENT: 3,
  SOCK_CLOEXEC: 0x10000000,
}
const SHUT_RD = 0

const PATH_LIMIT_BYTES = process.platform === 'linux' ? 107 : 103
const RECEIVE_BUFFER_BYTES = 8 << 20

/**
 * struct sockaddr_un.
 * @param path on Linux also a NUL and an abstract name, whose length counts
 * @throws {LoghopError} path over the system's limit
 */
export function unixAddress(path: string): Buffer {
  const name = Buffer.from(path)
  if (name.length === 0 || name.length > PATH_LIMIT_BYTES) {
    throw new LoghopError(
      'SOCKET',
      `Cannot use the socket ${path}: its path has ${name.length} bytes, 1 to ${PATH_LIMIT_BYTES} fit`,
      'Choose a shorter path',
    )
  }
  const address = Buffer.alloc(path.startsWith('\0') ? 2 + name.length : PATH_LIMIT_BYTES + 3)
  if (process.platform === 'linux') address.writeUInt16LE(AF_UNIX, 0)
  else {
    address[0] = name.length + 2
    address[1] = AF_UNIX
  }
  name.copy(address, 2)
  return address
}

function setOption(fd: number, level: number, name: number, value: number): boolean {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return libc.setsockopt(fd, level, name, bytes, 4) === 0
}

/** Whether some process listens at the socket, of whichever type. */
export function isSocketLive(path: string): boolean {
  const address = unixAddress(path)
  for (const type of [SOCK_DGRAM, 1]) {
    const fd = libc.socket(AF_UNIX, type, 0) as number
    if (fd < 0) continue
    const isConnected = libc.connect(fd, address, address.length) === 0
    libc.close(fd)
    if (isConnected) return true
  }
  return false
}

/**
 * Makes the path free for a socket: a stale socket file is removed.
 * @throws {LoghopError} a live socket, or something that is no socket, stands there; nothing is removed
 */
export function clearSocketPath(path: string): void {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (stat.isSymbolicLink()) {
    throw new LoghopError(
      'SOCKET',
      `Cannot take over ${path}: it is a symbolic link to ${fs.readlinkSync(path)}, a socket or nothing is wanted`,
      "On a host with systemd that is journald's: name another path, such as /run/loghop/log, or remove the link if you know what made it",
    )
  }
  if (!stat.isSocket()) {
    throw new LoghopError('SOCKET', `Cannot take over ${path}: it is not a socket`, 'Name another path in sources, or move the file away')
  }
  if (isSocketLive(path)) {
    throw new LoghopError(
      'SOCKET',
      `Cannot take over ${path}: another process listens on it`,
      `Stop that daemon first ("ss -xlp | grep ${path}" or "fuser ${path}" names it), or name another path in sources`,
    )
  }
  fs.unlinkSync(path)
}

/**
 * Binds a datagram socket that passes on who sent each message and when.
 * @param mode permissions of the socket file
 * @throws {LoghopError} the path is taken, too long, or not writable
 */
export function bindDatagramSocket(path: string, mode: number): number {
  clearSocketPath(path)
  const os = process.platform === 'linux' ? LINUX : FREEBSD
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | os.SOCK_CLOEXEC, 0) as number
  if (fd < 0) throw new LoghopError('SOCKET', `Cannot make a socket: ${lastErrno()}`, 'Raise the limit of open files (ulimit -n)')
  // The umask is the process's, not the thread's: set for this one call, since chmod behind bind leaves a moment.
  const umask = process.umask(0o777 & ~mode)
  const address = unixAddress(path)
  const failed = libc.bind(fd, address, address.length) !== 0
  const errno = failed ? lastErrno() : ''
  process.umask(umask)
  if (failed) {
    libc.close(fd)
    const remedy =
      errno === 'ENOENT' ? 'Make its directory first' : 'Run the agent as a user that may write there, or name another path in sources'
    throw new LoghopError('SOCKET', `Cannot bind the socket ${path}: ${errno}`, remedy)
  }
  try {
    askForSenders(fd, path)
  } catch (error) {
    libc.close(fd)
    throw error
  }
  return fd
}

/** Has the kernel say of each message who sent it and when. @throws {LoghopError} it cannot */
export function askForSenders(fd: number, path: string): void {
  const os = process.platform === 'linux' ? LINUX : FREEBSD
  setOption(fd, os.SOL_SOCKET, os.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
  setOption(fd, os.SOL_SOCKET, os.SO_TIMESTAMP, 1)
  const passes =
    process.platform === 'linux'
      ? setOption(fd, LINUX.SOL_SOCKET, LINUX.SO_PASSCRED, 1)
      : setOption(fd, FREEBSD.SOL_LOCAL, FREEBSD.LOCAL_CREDS_PERSISTENT, 1)
  if (passes) return
  const sentence = `Cannot ask for senders' credentials on ${path}: ${lastErrno()}`
  throw new LoghopError('SOCKET', sentence, 'Update the kernel: Linux or FreeBSD 13 and newer have this')
}

/** Lets no sender in any more; what is queued can still be received. A blocked receive returns. */
export function refuseFurther(fd: number): void {
  libc.shutdown(fd, SHUT_RD)
}

export function closeSocket(fd: number): void {
  libc.close(fd)
}
