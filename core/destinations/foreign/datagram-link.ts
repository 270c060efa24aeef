import type { Socket } from 'node:dgram'
import type { Clock } from '../../base/clock.ts'
import { errnoOf } from '../../base/errors.ts'
import type { Link, LinkEvents } from './link.ts'
import { Tail } from './tail.ts'

/** The longest payload of a UDP datagram over IPv4, RFC 768 and RFC 791. */
export const DATAGRAM_LIMIT_BYTES = 65_507
// Ours: nothing tells a sender that the receiver's buffer is full, and the usual one holds a few hundred datagrams.
const BURST_MESSAGES = 64
const PAUSE_MS = 1
const TICK_MS = 100

/** One message, one datagram (RFC 5426), in short bursts; nothing is ever answered, but a closed port is told by ICMP. */
export class DatagramLink implements Link {
  readonly #socket: Socket
  readonly #events: LinkEvents
  readonly #onCut: () => void
  readonly #limitBytes: number
  readonly #onTooLong: () => void
  readonly #tail: Tail
  readonly #timer: NodeJS.Timeout
  #pause: NodeJS.Timeout | undefined
  #burst = 0
  #waiting = 0
  #isClosing = false
  #isOver = false

  /**
   * @param limitBytes longer messages are cut to it, and `onCut` called
   * @param onTooLong this system does not send datagrams of that limit; the link has failed
   */
  constructor(socket: Socket, clock: Clock, limitBytes: number, onCut: () => void, onTooLong: () => void, events: LinkEvents) {
    this.#socket = socket
    this.#events = events
    this.#limitBytes = limitBytes
    this.#onCut = onCut
    this.#onTooLong = onTooLong
    this.#tail = new Tail(clock, (messages) => events.onDone(messages))
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    socket.on('error', (error) => this.#fail(error))
  }

  get hasRoom(): boolean {
    return !this.#isOver && !this.#isClosing && this.#burst < BURST_MESSAGES
  }

  add(bytes: Buffer, start: number, end: number): void {
    const length = Math.min(end - start, this.#limitBytes)
    if (length < end - start) this.#onCut()
    this.#burst++
    this.#waiting++
    this.#socket.send(Buffer.from(bytes.subarray(start, start + length)), (error) => {
      if (this.#isOver) return
      this.#waiting--
      if (error !== null) {
        this.#fail(error)
        return
      }
      this.#tail.hand(1, length)
      if (this.#waiting === 0) this.#rest()
    })
  }

  flush(): void {}

  close(): void {
    this.#isClosing = true
  }

  destroy(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    clearTimeout(this.#pause)
    this.#socket.close()
  }

  #rest(): void {
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined
      this.#burst = this.#waiting
      this.#events.onRoom()
    }, PAUSE_MS)
  }

  #tick(): void {
    this.#tail.settle(false)
    // A refusal comes at once or not at all, so a closing link need not wait out the probation.
    if (this.#isOver || !this.#isClosing || this.#waiting > 0) return
    this.#tail.settleAll()
    this.destroy()
    this.#events.onClosed()
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    this.destroy()
    if (errnoOf(error) === 'EMSGSIZE') this.#onTooLong()
    const isRefused = errnoOf(error) === 'ECONNREFUSED'
    this.#events.onFailed(isRefused ? 'nobody listens on that UDP port' : error.message, isRefused ? 'Start the receiver' : '')
  }
}
