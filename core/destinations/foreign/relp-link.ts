import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../base/clock.ts'
import type { LogFields } from '../../base/log.ts'
import { RelpClientSession } from '../../transport/relp-client.ts'
import type { Link, LinkEvents } from './link.ts'

// Ours: enough for 80,000 messages/s at a round trip of 50 ms; all of it comes twice when the connection breaks.
const WINDOW_MESSAGES = 4096
const WINDOW_BYTES = 2 << 20
/**
 * Once full, the window opens again below this part of it: far enough for a big write, and soon enough to send before all acknowledgements are in. A
 * receiver with Nagle's algorithm holds the next of them until our system confirms the last, 40 ms later or with our next bytes: at a half it was
 * 53,000 messages/s instead of 724,000.
 */
const REFILL = 15 / 16
/** Frames are gathered here and go out in one write. */
const PARCEL_BYTES = 256 << 10
/** Room that RelpClientSession.send wants before and behind the data. */
const HEADROOM = 48
const AROUND_BYTES = HEADROOM + 1
/** A receiver that acknowledges nothing for this long is given up. */
const ACK_LIMIT_MS = 30_000
const TICK_MS = 1000

interface Parcel {
  readonly bytes: Buffer
  filled: number
  /** Frames that the socket still has. */
  held: number
  isDone: boolean
}

/** The command `syslog` of RELP over mutual TLS: each message is acknowledged. */
export class RelpLink implements Link {
  readonly #socket: TLSSocket
  readonly #clock: Clock
  readonly #events: LinkEvents
  readonly #session: RelpClientSession
  readonly #timer: NodeJS.Timeout
  /** Bytes of each message in flight; a ring. */
  readonly #sizes = new Uint32Array(WINDOW_MESSAGES)
  #oldest = 0
  #inFlight = 0
  #inFlightBytes = 0
  /** From when it was full until it opens again. */
  #isFull = false
  #free: Buffer[] = []
  #parcel: Parcel | undefined
  #isCorked = false
  #progressMs: number
  #isOver = false

  constructor(socket: TLSSocket, clock: Clock, fields: LogFields, events: LinkEvents) {
    this.#socket = socket
    this.#clock = clock
    this.#events = events
    this.#progressMs = clock.monotonicMs()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#session = new RelpClientSession(socket, new Map(), {
      onReady: (offers) => {
        if (offers.commands.includes('syslog')) events.onReady(this, { ...fields, software: offers.software })
        else
          this.#fail('the receiver does not take the command syslog', 'Name a RELP receiver that takes messages, such as imrelp of rsyslog')
      },
      onAcknowledged: () => this.#onAcknowledged(),
      onClosed: (reason) => {
        if (reason !== 'closed') this.#fail(reason, '')
        else if (!this.#isOver) {
          this.destroy()
          events.onClosed()
        }
      },
    })
  }

  get hasRoom(): boolean {
    return !this.#isOver && !this.#isFull && this.#session.isReady
  }

  add(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    const parcel = this.#parcelFor(AROUND_BYTES + length)
    const from = parcel.filled + HEADROOM
    bytes.copy(parcel.bytes, from, start, end)
    parcel.filled = from + length + 1
    parcel.held++
    if (this.#inFlight === 0) this.#progressMs = this.#clock.monotonicMs()
    this.#sizes[(this.#oldest + this.#inFlight) % WINDOW_MESSAGES] = length
    this.#inFlight++
    this.#inFlightBytes += length
    this.#isFull = this.#inFlight >= WINDOW_MESSAGES || this.#inFlightBytes >= WINDOW_BYTES
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
    }
    this.#session.send('syslog', parcel.bytes, from, from + length, () => this.#onSent(parcel))
  }

  flush(): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    this.#socket.uncork()
  }

  close(): void {
    this.flush()
    this.#session.close()
  }

  destroy(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    this.#session.destroy('given up')
  }

  #parcelFor(bytes: number): Parcel {
    const current = this.#parcel
    if (current !== undefined && current.filled + bytes <= current.bytes.length) return current
    if (current !== undefined) {
      current.isDone = true
      this.#release(current)
    }
    const buffer = bytes > PARCEL_BYTES ? Buffer.allocUnsafeSlow(bytes) : (this.#free.pop() ?? Buffer.allocUnsafeSlow(PARCEL_BYTES))
    this.#parcel = { bytes: buffer, filled: 0, held: 0, isDone: false }
    return this.#parcel
  }

  #onSent(parcel: Parcel): void {
    parcel.held--
    this.#release(parcel)
  }

  #release(parcel: Parcel): void {
    if (parcel.held > 0) return
    if (parcel.isDone) {
      if (parcel.bytes.length === PARCEL_BYTES) this.#free.push(parcel.bytes)
    } else parcel.filled = 0
  }

  #onAcknowledged(): void {
    if (this.#inFlight === 0) {
      this.#fail('the receiver acknowledged what was never sent', '')
      return
    }
    this.#inFlightBytes -= this.#sizes[this.#oldest]!
    this.#oldest = (this.#oldest + 1) % WINDOW_MESSAGES
    this.#inFlight--
    this.#progressMs = this.#clock.monotonicMs()
    this.#events.onDone(1)
    if (!this.#isFull || this.#inFlight > WINDOW_MESSAGES * REFILL || this.#inFlightBytes > WINDOW_BYTES * REFILL) return
    this.#isFull = false
    this.#events.onRoom()
  }

  #tick(): void {
    const isWaiting = this.#inFlight > 0 || !this.#session.isReady
    if (isWaiting && this.#clock.monotonicMs() - this.#progressMs > ACK_LIMIT_MS) {
      this.#fail(`no acknowledgement within ${ACK_LIMIT_MS / 1000} s`, '')
    }
  }

  #fail(sentence: string, remedy: string): void {
    if (this.#isOver) return
    this.destroy()
    this.#events.onFailed(sentence, remedy)
  }
}
