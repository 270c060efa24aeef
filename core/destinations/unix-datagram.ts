import { LoghopError } from '../base/errors.ts'
import type { Metrics } from '../base/metrics.ts'
import { closeDescriptor, connectUnix, SOCK_DGRAM, sendOn } from '../platform/descriptors.ts'
import type { MessageContext } from '../syslog/message-fields.ts'
import type { LineMaker } from './line-maker.ts'
import type { Outlet, OutletEvents } from './outlet.ts'

const POLL_FIRST_MS = 1
const POLL_LIMIT_MS = 100
/** What is left of a message that the system does not send in one piece. */
const CUT_BYTES = 8192

/** One datagram for each message, to a local socket. */
export class UnixDatagramOutlet implements Outlet {
  readonly kind = 'unix'
  readonly name: string
  readonly guarantee = 'at most once from the moment it is in the receiver’s queue; very long messages are cut'
  readonly retryLimitMs = 5000
  readonly #format: LineMaker
  readonly #metrics: Metrics
  #fd = -1
  #events: OutletEvents | undefined
  #done = 0
  #pollMs = POLL_FIRST_MS
  #timer: NodeJS.Timeout | undefined

  constructor(path: string, format: LineMaker, metrics: Metrics) {
    this.name = path
    this.#format = format
    this.#metrics = metrics
  }

  open(events: OutletEvents): void {
    this.#fd = connectUnix(this.name, SOCK_DGRAM)
    this.#events = events
    this.#done = 0
  }

  add(bytes: Uint8Array, start: number, end: number, context: MessageContext): boolean {
    const format = this.#format
    format.make(bytes, start, end, context)
    // A line feed ends nothing here.
    const last = format.end - (format.bytes[format.end - 1] === 0x0a ? 1 : 0)
    const message = format.bytes.subarray(format.start, last)
    let errno = sendOn(this.#fd, message)
    if (errno === 'EMSGSIZE' && message.length > CUT_BYTES) {
      this.#metrics.add('messagesCut', 1)
      errno = sendOn(this.#fd, message.subarray(0, CUT_BYTES))
    }
    if (errno === 'EAGAIN' || errno === 'EWOULDBLOCK' || errno === 'ENOBUFS' || errno === 'ENOMEM' || errno === 'EINTR') {
      this.#wait()
      return false
    }
    if (errno !== undefined)
      throw new LoghopError('SOCKET', `Cannot send to ${this.name}: ${errno}`, 'Start the program that listens there again')
    this.#done++
    this.#pollMs = POLL_FIRST_MS
    return true
  }

  flush(): void {
    // Each has gone by itself.
  }

  done(): number {
    return this.#done
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#fd !== -1) closeDescriptor(this.#fd)
    this.#fd = -1
  }

  /** The receiver's queue is full. */
  #wait(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#pollMs = Math.min(POLL_LIMIT_MS, this.#pollMs * 2)
      this.#events?.onChange()
    }, this.#pollMs)
  }
}
