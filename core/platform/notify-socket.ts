// The datagrams of sd_notify(3), to whoever supervises us.

import { errnoOf } from '../base/errors.ts'
import { closeDescriptor, connectUnix, SOCK_DGRAM, sendOn } from './descriptors.ts'

const AGAIN_MS = 100
// Ours: the supervisor has not read for long, and what is newer says more.
const WAITING_LIMIT = 64
const LATER: readonly string[] = ['EAGAIN', 'EWOULDBLOCK', 'ENOBUFS', 'ENOMEM', 'EINTR']

/** Sends in order and never waits: what the supervisor's queue does not take goes a little later. */
export class NotifySocket {
  readonly #path: string
  readonly #onTrouble: (reason: string) => void
  readonly #waiting: string[] = []
  #timer: NodeJS.Timeout | undefined

  /** @param address as in NOTIFY_SOCKET: an absolute path, or `@` and an abstract name */
  constructor(address: string, onTrouble: (reason: string) => void) {
    this.#path = address.startsWith('@') ? `\0${address.slice(1)}` : address
    this.#onTrouble = onTrouble
  }

  /** @param assignments such as `READY=1`, which go as one datagram */
  send(...assignments: readonly string[]): void {
    if (this.#waiting.length >= WAITING_LIMIT) this.#waiting.shift()
    this.#waiting.push(assignments.join('\n'))
    this.#flush()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    while (this.#waiting.length > 0) {
      const reason = this.#sendOne(this.#waiting[0]!)
      if (reason !== undefined && LATER.includes(reason)) {
        this.#timer = setTimeout(() => this.#flush(), AGAIN_MS).unref()
        return
      }
      this.#waiting.shift()
      if (reason !== undefined) this.#onTrouble(reason)
    }
  }

  /** A socket for each: the supervisor may have made its own anew. */
  #sendOne(text: string): string | undefined {
    try {
      const fd = connectUnix(this.#path, SOCK_DGRAM)
      const errno = sendOn(fd, Buffer.from(text))
      closeDescriptor(fd)
      return errno
    } catch (error) {
      return errnoOf(error) ?? (error as Error).message
    }
  }
}
