import type { Socket } from 'node:net'
import type { Clock } from '../../base/clock.ts'
import type { Frames } from './frames.ts'
import type { Link, LinkEvents } from './link.ts'
import { Tail } from './tail.ts'

/** One write. */
const PARCEL_BYTES = 256 << 10
/** Writes that the system has not taken yet; while there are so many, the next one fills. */
const WINDOW_PARCELS = 4
const TICK_MS = 100
/** A receiver that reads nothing for this long is given up. Long: what the systems hold of it is sent twice. */
const STALL_LIMIT_MS = 120_000
/** How long the receiver may take to close its side. */
const CLOSE_LIMIT_MS = 3000

/** Frames over TLS (RFC 5425) or over plain TCP (RFC 6587); the receiver answers nothing. */
export class StreamLink implements Link {
  readonly #socket: Socket
  readonly #frames: Frames
  readonly #clock: Clock
  readonly #events: LinkEvents
  readonly #tail: Tail
  readonly #timer: NodeJS.Timeout
  #free: Buffer[] = []
  #parcel: Buffer | undefined
  #filled = 0
  #messages = 0
  #waiting = 0
  #progressMs: number
  #closingMs: number | undefined
  #isFinished = false
  #isOver = false

  constructor(socket: Socket, frames: Frames, clock: Clock, events: LinkEvents) {
    this.#socket = socket
    this.#frames = frames
    this.#clock = clock
    this.#events = events
    this.#tail = new Tail(clock, (messages) => events.onDone(messages))
    this.#progressMs = clock.monotonicMs()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    socket.on('error', (error) => this.#fail(error.message))
    // A syslog receiver has nothing to say, but only who reads hears that it closes.
    socket.resume()
    socket.on('end', () => {
      if (!this.#isFinished) this.#fail('the receiver closed the connection')
    })
    socket.on('finish', () => {
      this.#isFinished = true
    })
    socket.on('close', (hadError: boolean) => {
      if (hadError || !this.#isFinished || this.#waiting > 0) this.#fail('the receiver closed the connection')
      else {
        this.#tail.settleAll()
        this.#end()
      }
    })
  }

  get hasRoom(): boolean {
    return !this.#isOver && this.#closingMs === undefined && this.#waiting < WINDOW_PARCELS
  }

  add(bytes: Buffer, start: number, end: number): void {
    const frameBytes = this.#frames.measure(bytes, start, end)
    if (this.#parcel !== undefined && this.#filled + frameBytes > this.#parcel.length) this.flush()
    this.#parcel ??=
      frameBytes > PARCEL_BYTES ? Buffer.allocUnsafeSlow(frameBytes) : (this.#free.pop() ?? Buffer.allocUnsafeSlow(PARCEL_BYTES))
    this.#filled = this.#frames.write(this.#parcel, this.#filled, bytes, start, end)
    this.#messages++
  }

  flush(): void {
    const parcel = this.#parcel
    if (parcel === undefined || this.#isOver) return
    const bytes = this.#filled
    const messages = this.#messages
    this.#parcel = undefined
    this.#filled = 0
    this.#messages = 0
    if (this.#waiting === 0) this.#progressMs = this.#clock.monotonicMs()
    this.#waiting++
    this.#socket.write(parcel.subarray(0, bytes), (error) => {
      if (this.#isOver || error) return
      if (parcel.length === PARCEL_BYTES) this.#free.push(parcel)
      this.#waiting--
      this.#progressMs = this.#clock.monotonicMs()
      this.#tail.hand(messages, bytes)
      this.#events.onRoom()
    })
  }

  close(): void {
    if (this.#isOver || this.#closingMs !== undefined) return
    this.flush()
    this.#closingMs = this.#clock.monotonicMs()
    // Over TLS with close_notify first, which RFC 5425 section 4.4 demands of the sender.
    this.#socket.end()
  }

  destroy(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    this.#socket.destroy()
  }

  #tick(): void {
    const isWaiting = this.#waiting > 0
    this.#tail.settle(isWaiting)
    if (this.#isOver) return
    const nowMs = this.#clock.monotonicMs()
    if (isWaiting && nowMs - this.#progressMs > STALL_LIMIT_MS) {
      this.#fail(`the receiver has read nothing for ${STALL_LIMIT_MS / 1000} s`)
    } else if (this.#closingMs !== undefined && nowMs - this.#closingMs > CLOSE_LIMIT_MS && this.#isFinished && this.#tail.isEmpty) {
      this.#end()
    }
  }

  #end(): void {
    if (this.#isOver) return
    this.destroy()
    this.#events.onClosed()
  }

  #fail(sentence: string): void {
    if (this.#isOver) return
    this.destroy()
    this.#events.onFailed(sentence, '')
  }
}
