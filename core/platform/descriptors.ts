// What Node does not say or do of an open descriptor.

import { LoghopError } from '../base/errors.ts'
import { unixAddress } from './datagram-socket.ts'
import { lastErrno, libc } from './libc.ts'

const IS_LINUX = process.platform === 'linux'
// <fcntl.h>, <sys/ioctl.h>, <sys/socket.h>, <termios.h> of each system.
const F_SETFL = 4
const O_NONBLOCK = IS_LINUX ? 0o4000 : 0x4
const O_CLOEXEC = IS_LINUX ? 0o2000000 : 0x100000
const SOCK_NONBLOCK = IS_LINUX ? 0o4000 : 0x20000000
const SOCK_CLOEXEC = IS_LINUX ? 0o2000000 : 0x10000000
const FIONREAD = IS_LINUX ? 0x541b : 0x4004667f
const UNREAD_BY_PEER = IS_LINUX ? 0x5411 : 0x40046677
const SOL_SOCKET = IS_LINUX ? 1 : 0xffff
const SO_ERROR = IS_LINUX ? 4 : 0x1007
const TCOFLUSH = IS_LINUX ? 1 : 2
const MSG_DONTWAIT = IS_LINUX ? 0x40 : 0x80
const MSG_NOSIGNAL = IS_LINUX ? 0x4000 : 0x20000
const AF_UNIX = 1
// <poll.h>, the same everywhere.
const POLLFD_BYTES = 8
const POLLERR = 0x8
const POLLHUP = 0x10

const POLLIN = 1

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2

function failure(what: string, errno: string): Error {
  return Object.assign(new Error(`Cannot ${what}: ${errno}`), { code: errno })
}

/** A pipe whose two ends no child inherits by itself; its write end never blocks. @throws the errno */
export function openPipe(): { readEnd: number; writeEnd: number } {
  const ends: number[] = [-1, -1]
  if (libc.pipe2(ends, O_CLOEXEC) !== 0) throw failure('make a pipe', lastErrno())
  const [readEnd, writeEnd] = ends as [number, number]
  libc.fcntl(writeEnd, F_SETFL, 'int', O_NONBLOCK)
  return { readEnd, writeEnd }
}

function asked(fd: number, request: number): number {
  const answer = Buffer.alloc(4)
  return libc.ioctl(fd, request, 'void *', answer) === 0 ? answer.readInt32LE() : 0
}

/** Bytes in the pipe that its reader has not read, asked at the write end. FreeBSD does not know there: 0. */
export function unreadInPipe(fd: number): number {
  return asked(fd, FIONREAD)
}

/** Whether nobody has the read end of the pipe open, asked at its write end. */
export function isWithoutReader(fd: number): boolean {
  const asked = Buffer.alloc(POLLFD_BYTES)
  asked.writeInt32LE(fd)
  // Linux answers with POLLERR, the BSDs with POLLHUP.
  return libc.poll(asked, 1, 0) === 1 && (asked.readInt16LE(6) & (POLLERR | POLLHUP)) !== 0
}

/** At least the bytes that the peer of a stream socket has not read; 0 when it has read everything. @throws the error that the connection has */
export function unreadByPeer(fd: number): number {
  const bytes = asked(fd, UNREAD_BY_PEER)
  // In this order: what a peer that closed had not read is dropped, and then none is unread.
  const error = Buffer.alloc(4)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(4)
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, error, length) === 0 && error.readInt32LE() !== 0)
    throw failure('go on writing, the peer closed the connection with messages unread', 'ECONNRESET')
  return bytes
}

/** Drops what a terminal has not shown, so that closing it does not wait for it. */
export function dropOutput(fd: number): void {
  libc.tcflush(fd, TCOFLUSH)
}

/**
 * A socket connected to a local one, never blocking.
 * @param type SOCK_STREAM or SOCK_DGRAM
 * @throws {LoghopError} a path over the system's limit; or the errno
 */
export function connectUnix(path: string, type: number): number {
  const address = unixAddress(path)
  const fd = libc.socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) as number
  if (fd < 0) throw failure('make a socket', lastErrno())
  if (libc.connect(fd, address, address.length) === 0) return fd
  const errno = lastErrno()
  libc.close(fd)
  if (errno === 'ECONNREFUSED' || errno === 'ENOENT' || errno === 'EPROTOTYPE') {
    const found = errno === 'EPROTOTYPE' ? 'it is of the other type (datagram or stream)' : 'nobody listens there'
    const remedy = errno === 'EPROTOTYPE' ? 'Name it under the other one of unix and unix-stream' : 'Start the program that listens there'
    throw new LoghopError('SOCKET', `Cannot connect to ${path}: ${found}`, remedy)
  }
  throw failure(`connect to ${path}`, errno)
}

/** Sends a datagram on a connected socket. @returns undefined, or the errno; EAGAIN and ENOBUFS: later */
export function sendOn(fd: number, bytes: Uint8Array): string | undefined {
  return (libc.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL) as number) >= 0 ? undefined : lastErrno()
}

/** Blocks the thread until one of the two can be read, or its other end is gone; or a signal came. */
export function waitReadable(first: number, second: number): void {
  // struct pollfd: int fd; short events; short revents.
  const descriptors = Buffer.alloc(16)
  descriptors.writeInt32LE(first, 0)
  descriptors.writeInt16LE(POLLIN, 4)
  descriptors.writeInt32LE(second, 8)
  descriptors.writeInt16LE(POLLIN, 12)
  libc.poll(descriptors, 2, -1)
}

export function closeDescriptor(fd: number): void {
  libc.close(fd)
}
