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
/** How long what the system had taken before the receiver closed may take to leave. */
const LEAVE_LIMIT_MS = 1000

interface Parcel {
  readonly buffer: Buffer
  readonly bytes: number
  readonly messages: number
}

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
  /** Filled, and not given to the socket: it has one write at a time, so that nothing goes out behind the receiver's close_notify. */
  readonly #queue: Parcel[] = []
  #isWriting = false
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
      if (!this.#isFinished) this.#leave()
    })
    socket.on('finish', () => {
      this.#isFinished = true
    })
    socket.on('close', (hadError: boolean) => {
      if (hadError || !this.#isFinished || this.#isWriting) this.#fail('the receiver closed the connection')
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
    const buffer = this.#parcel
    if (buffer === undefined || this.#isOver) return
    this.#queue.push({ buffer, bytes: this.#filled, messages: this.#messages })
    this.#parcel = undefined
    this.#filled = 0
    this.#messages = 0
    this.#write()
  }

  close(): void {
    if (this.#isOver || this.#closingMs !== undefined) return
    this.flush()
    this.#closingMs = this.#clock.monotonicMs()
    this.#write()
  }

  destroy(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    this.#socket.destroy()
  }

  get #waiting(): number {
    return this.#queue.length + (this.#isWriting ? 1 : 0)
  }

  #write(): void {
    if (this.#isWriting || this.#isOver) return
    const parcel = this.#queue.shift()
    if (parcel === undefined) {
      // Over TLS with close_notify first, which RFC 5425 section 4.4 demands of the sender.
      if (this.#closingMs !== undefined) this.#socket.end()
      return
    }
    this.#isWriting = true
    this.#progressMs = this.#clock.monotonicMs()
    const { buffer, bytes, messages } = parcel
    this.#socket.write(buffer.subarray(0, bytes), (error) => {
      if (this.#isOver || error) return
      this.#isWriting = false
      if (buffer.length === PARCEL_BYTES) this.#free.push(buffer)
      this.#progressMs = this.#clock.monotonicMs()
      this.#tail.hand(messages, bytes)
      this.#write()
      this.#events.onRoom()
    })
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

  /** The receiver has closed its side: it is answered in kind, and sent no more. Whether it has read what it was sent nobody knows. */
  #leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    const socket = this.#socket
    const limit = setTimeout(() => socket.destroy(), LEAVE_LIMIT_MS)
    socket.end(() => {
      clearTimeout(limit)
      socket.destroy()
    })
    this.#events.onFailed('the receiver closed the connection', '')
  }

  #fail(sentence: string): void {
    if (this.#isOver) return
    this.destroy()
    this.#events.onFailed(sentence, '')
  }
}
