import { LoghopError } from '../base/errors.ts'
import { unixAddress } from './datagram-socket.ts'
import { lastErrno, libc } from './libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2

/** Sends one message to a local datagram socket, as syslog(3) does. @throws {LoghopError} nobody listens there */
export function sendDatagram(path: string, message: string): void {
  const address = unixAddress(path)
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0) as number
  try {
    const bytes = Buffer.from(message)
    const isSent = libc.connect(fd, address, address.length) === 0 && (libc.send(fd, bytes, bytes.length, 0) as number) >= 0
    if (!isSent) throw new LoghopError('SOCKET', `Cannot send to ${path}: ${lastErrno()}`, 'Start the agent that listens there')
  } finally {
    libc.close(fd)
  }
}
