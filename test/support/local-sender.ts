import { unixAddress } from '../../core/platform/datagram-socket.ts'
import { lastErrno, libc } from '../../core/platform/libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2

/** Sends datagrams of any bytes, also none. @returns the errno of the first that failed */
export function sendDatagrams(socket: string, datagrams: readonly (string | Buffer)[]): string | undefined {
  const address = unixAddress(socket)
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0) as number
  try {
    if (libc.connect(fd, address, address.length) !== 0) return lastErrno()
    for (const datagram of datagrams) {
      const bytes = Buffer.from(datagram)
      if ((libc.send(fd, bytes, bytes.length, 0) as number) < 0) return lastErrno()
    }
    return undefined
  } finally {
    libc.close(fd)
  }
}
