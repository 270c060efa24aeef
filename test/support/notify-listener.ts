// A service manager's end of sd_notify(3).

import * as fs from 'node:fs'
import type { ExecutionContext } from 'ava'
import { unixAddress } from '../../core/platform/datagram-socket.ts'
import { lastErrno, libc } from '../../core/platform/libc.ts'
import { eventually } from './eventually.ts'

const AF_UNIX = 1
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000
const DATAGRAM_LIMIT_BYTES = 64 << 10

/** A bound local datagram socket that is closed after the test. @param path or a NUL and an abstract name */
export function boundSocket(t: ExecutionContext, path: string): number {
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0) as number
  t.teardown(() => fs.closeSync(fd))
  const address = unixAddress(path)
  if (libc.bind(fd, address, address.length) !== 0) throw new Error(`Cannot bind ${path}: ${lastErrno()}`)
  return fd
}

export class NotifyListener {
  /** Every datagram, in order. */
  readonly received: string[] = []
  readonly #fd: number

  /** @param address as in NOTIFY_SOCKET */
  constructor(t: ExecutionContext, address: string) {
    this.#fd = boundSocket(t, address.replace(/^@/, '\0'))
  }

  /** Number of datagrams so far. */
  get mark(): number {
    this.#read()
    return this.received.length
  }

  /** Resolves with the first datagram from `from` on that has the assignment, such as `READY=1`. */
  waitFor(assignment: RegExp, from = 0): Promise<string> {
    return eventually(
      `a datagram with ${assignment}`,
      () => {
        this.#read()
        return this.received.slice(from).find((datagram) => assignment.test(datagram))
      },
      () => `There were: ${JSON.stringify(this.received.slice(from))}`,
    )
  }

  #read(): void {
    const bytes = Buffer.alloc(DATAGRAM_LIMIT_BYTES)
    for (;;) {
      try {
        this.received.push(bytes.toString('utf8', 0, fs.readSync(this.#fd, bytes)))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return
        throw error
      }
    }
  }
}
