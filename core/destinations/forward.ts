// The way to the next relay: follows the spool, sends whole records, moves its cursor when they are acknowledged.

import type { X509Certificate } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { errnoOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { StateMachine } from '../base/state.ts'
import type { Attachment } from '../spool/attachment.ts'
import { inEarlierForm } from '../spool/earlier-form.ts'
import type { Position } from '../spool/position.ts'
import type { Spool } from '../spool/spool.ts'
import { describeCertificate } from '../transport/certificate.ts'
import { OFFER_HOPS } from '../transport/relp.ts'
import { RelpClientSession } from '../transport/relp-client.ts'
import { connectTls, type RelayAddress } from '../transport/tls-connector.ts'
import type { TlsIdentity } from '../transport/tls-policy.ts'
import { Failback } from './failback.ts'
import { RelayChoice } from './relay-choice.ts'
import { RelayTrouble } from './relay-trouble.ts'

// Ours: unacknowledged bytes; 4 MiB is 40 MB/s at a round trip of 100 ms.
const WINDOW_BYTES = 4 << 20
// One frame: two full batches fit, so that big batches go out in big writes.
const FRAME_BYTES = 528 << 10
/** Room that RelpClientSession.send wants before and behind the data. */
const FRAME_HEADROOM = 64
// A peer that is gone with data in flight is not noticed by keepalive.
const ACK_LIMIT_MS = 30_000
// A connection that stood this long was a good one, also when there was nothing to send: the next pause is short again.
const GOOD_CONNECTION_MS = 5000
// A relay may ask for a new connection; from one that is younger than this it is a failure like others, with a pause.
const AGAIN_LIMIT_MS = 500

export interface ForwardOptions {
  readonly relays: readonly RelayAddress[]
  readonly identity: () => TlsIdentity
  /** Spread new connections over the list, instead of the first that answers. */
  readonly balance: boolean
  /** Our own certificate in words, for the lines that explain a refusal. */
  readonly describeIdentity: () => string
  /** Interval of looking for the preferred relay. */
  readonly failbackMs: number
}

interface InFlight {
  readonly position: Position
  readonly bytes: number
  readonly messages: number
  readonly sentMs: number
}

type State = 'idle' | 'connecting' | 'opening' | 'ready' | 'waiting' | 'stopped'
const NEXT = {
  idle: ['connecting', 'stopped'],
  connecting: ['opening', 'waiting', 'stopped'],
  opening: ['ready', 'waiting', 'stopped'],
  ready: ['waiting', 'stopped'],
  waiting: ['connecting', 'stopped'],
  stopped: [],
} as const

export class ForwardDestination {
  readonly #options: ForwardOptions
  readonly #spool: Spool
  readonly #attachment: Attachment
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #choice: RelayChoice
  readonly #trouble: RelayTrouble
  readonly #state = new StateMachine<State>('uplink', NEXT, 'idle')
  readonly #ackTimer: NodeJS.Timeout
  #session: RelpClientSession | undefined
  #giveUp: (() => void) | undefined
  #retry: NodeJS.Timeout | undefined
  #failback: Failback | undefined
  #readyMs: number | undefined
  /** Why no more is sent on this connection: it ends when all that was sent is acknowledged, and the next one is dialled at once. */
  #leaving: 'for-preferred' | 'for-renewal' | undefined
  #peer: X509Certificate | undefined
  #moveTimer: NodeJS.Timeout | undefined
  #inFlight: InFlight[] = []
  #inFlightBytes = 0
  #openedMs = 0
  #free: Buffer[] = []
  /** Whether the relay reads the addresses of hops. */
  #takesAddresses = false
  #isPumping = false
  #drained: (() => void) | undefined
  readonly #unsubscribe: () => void

  constructor(options: ForwardOptions, spool: Spool, attachment: Attachment, log: Log, metrics: Metrics, clock: Clock) {
    this.#options = options
    this.#choice = new RelayChoice(options.relays.length, options.balance)
    this.#spool = spool
    this.#trouble = new RelayTrouble(log, clock)
    this.#attachment = attachment
    this.#log = log
    this.#metrics = metrics
    this.#clock = clock
    this.#ackTimer = setInterval(() => this.#checkAcknowledgement(), ACK_LIMIT_MS / 6)
    this.#ackTimer.unref()
    // A relay's forward is shown only what is synced.
    const ends = [spool.onAppended(() => this.#schedulePump()), spool.onSynced(() => this.#schedulePump())]
    this.#unsubscribe = () => {
      for (const end of ends) end()
    }
  }

  start(): void {
    this.#connect()
  }

  /** Goes over to a new connection, with the identity of now, at a random moment within that time: what is in flight is finished first. */
  moveWithin(spreadMs: number): void {
    clearTimeout(this.#moveTimer)
    this.#moveTimer = setTimeout(() => {
      if (!this.#state.is('ready') || this.#leaving !== undefined) return
      this.#leaving = 'for-renewal'
      this.#leaveWhenDone()
    }, Math.random() * spreadMs)
    this.#moveTimer.unref()
  }

  /** Further certificates are revoked: when the relay's is among them, the connection is cut at once. */
  recheck(): void {
    if (this.#peer === undefined || this.#options.identity().revoked(this.#peer) === undefined) return
    this.#session?.destroy('its certificate is revoked')
  }

  status(): Record<string, string | number> {
    const relay = this.#options.relays[this.#choice.index]!
    return {
      kind: 'forward',
      state: this.#state.current,
      relay: `${relay.host}:${relay.port}`,
      trouble: this.#state.is('ready') ? '' : this.#trouble.sentence,
      in_flight_bytes: this.#inFlightBytes,
      lag_bytes: this.#spool.lagBytes(this.#attachment),
    }
  }

  /** Sends what is there until all is acknowledged or the signal says that time is up, then closes in order. */
  async stop(deadline: AbortSignal): Promise<void> {
    if (this.#state.is('ready') && !deadline.aborted && !this.#isDrained()) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve
        deadline.addEventListener('abort', () => resolve(), { once: true })
        this.#pump()
      })
    }
    this.#state.to('stopped')
    this.#unsubscribe()
    clearInterval(this.#ackTimer)
    clearTimeout(this.#retry)
    clearTimeout(this.#moveTimer)
    this.#failback?.stop()
    this.#giveUp?.()
    this.#session?.close()
    this.#session?.destroy('stopped')
  }

  close(): void {
    this.#free = []
  }

  #isDrained(): boolean {
    return this.#inFlight.length === 0 && this.#spool.lagBytes(this.#attachment) === 0
  }

  #connect(): void {
    this.#state.to('connecting')
    const relay = this.#options.relays[this.#choice.index]!
    const name = `${relay.host}:${relay.port}`
    this.#giveUp = connectTls(relay, this.#options.identity(), {
      onConnected: (socket) => {
        if (!this.#state.is('connecting')) {
          socket.destroy()
          return
        }
        this.#state.to('opening')
        this.#openedMs = this.#clock.monotonicMs()
        this.#peer = socket.getPeerX509Certificate()
        this.#session = new RelpClientSession(socket, new Map(), {
          onReady: (offers) => {
            if (!offers.commands.includes('batch')) {
              this.#fail(`${name} does not take batches (it is ${offers.software ?? 'no Loghop relay'})`, 'Name a Loghop relay in relays')
              return
            }
            this.#takesAddresses = offers.other.get(OFFER_HOPS.name) === OFFER_HOPS.value
            this.#state.to('ready')
            this.#readyMs = this.#clock.monotonicMs()
            this.#log.info('relay-connected', `Connected to ${name}`, {
              relay: name,
              address: `${socket.remoteAddress}`,
              tls: socket.getProtocol() ?? '',
            })
            this.#watchPreferred()
            this.#pump()
          },
          onAcknowledged: () => this.#onAcknowledged(),
          onClosed: (reason, isAgain) => this.#onClosed(name, reason, isAgain),
        })
      },
      onRefused: (refused) => {
        const facts = refused.facts === undefined ? '' : `; it presented ${describeCertificate(refused.facts)}`
        this.#fail(`${name} is not the relay we trust: ${refused.sentence}${facts}`, refused.remedy)
      },
      onFailed: (error) =>
        this.#fail(
          `Cannot reach ${name}: ${error.message}`,
          'Check that the relay runs, its name, its port and the way there; the spool keeps everything meanwhile',
        ),
    })
  }

  #onClosed(name: string, reason: string, isAgain: boolean): void {
    // One that asks again and again is not well, whatever it says.
    const hasStood = this.#readyMs !== undefined && this.#clock.monotonicMs() - this.#readyMs > AGAIN_LIMIT_MS
    if (isAgain && hasStood) this.#leaving ??= 'for-renewal'
    const remedy = reason.includes('refuses our certificate')
      ? `Ours is ${this.#options.describeIdentity()}. See the relay's log for what it wants; then issue this host a certificate that it admits, or list the name or pin in its clients`
      : 'It is tried again by itself'
    this.#fail(`${name}: ${reason}`, remedy)
  }

  #fail(sentence: string, remedy: string): void {
    if (this.#state.is('stopped', 'waiting')) return
    this.#state.to('waiting')
    const session = this.#session
    this.#session = undefined
    session?.destroy('given up')
    this.#peer = undefined
    const leaving = this.#leaving
    this.#leaving = undefined
    if (leaving === undefined) this.#metrics.add('connectionsFailed', 1)
    this.#inFlight = []
    this.#inFlightBytes = 0
    this.#attachment.follower.seek(this.#attachment.acknowledged)
    this.#failback?.stop()
    this.#failback = undefined
    if (this.#readyMs !== undefined && this.#clock.monotonicMs() - this.#readyMs > GOOD_CONNECTION_MS) this.#choice.succeeded()
    this.#readyMs = undefined
    // Leaving in order is no failure of the one that is left.
    const waitMs = leaving === undefined ? this.#choice.failed() : 0
    if (leaving === 'for-preferred') {
      this.#choice.goBack()
      this.#log.info('relay-preferred', 'The preferred relay is up again: going back to it', {})
    } else if (leaving === 'for-renewal') this.#log.info('relay-moved', 'Going over to a new connection, for a renewed certificate', {})
    if (leaving === undefined)
      this.#trouble.tell(sentence, remedy, { retry_ms: Math.round(waitMs), lag_bytes: this.#spool.lagBytes(this.#attachment) })
    else this.#trouble.clear()
    this.#drained?.()
    this.#retry = setTimeout(() => this.#connect(), waitMs)
  }

  #onAcknowledged(): void {
    const frame = this.#inFlight.shift()
    if (frame === undefined) {
      this.#session?.destroy('the relay acknowledged what was never sent')
      return
    }
    this.#inFlightBytes -= frame.bytes
    this.#attachment.acknowledge(frame.position)
    this.#metrics.add('messagesForwarded', frame.messages)
    this.#choice.succeeded()
    this.#trouble.clear()
    this.#pump()
    this.#leaveWhenDone()
    if (this.#drained !== undefined && this.#isDrained()) this.#drained()
  }

  #watchPreferred(): void {
    if (!this.#choice.isFallback) return
    this.#failback = new Failback(this.#options.relays[0]!, this.#options.identity, this.#options.failbackMs, () => {
      this.#leaving = 'for-preferred'
      this.#leaveWhenDone()
    })
  }

  #leaveWhenDone(): void {
    if (this.#leaving !== undefined && this.#inFlight.length === 0) this.#session?.close()
  }

  #checkAcknowledgement(): void {
    const nowMs = this.#clock.monotonicMs()
    const oldest = this.#inFlight[0]
    if (oldest !== undefined && nowMs - oldest.sentMs > ACK_LIMIT_MS) {
      this.#session?.destroy(`no acknowledgement within ${ACK_LIMIT_MS / 1000} s`)
    } else if (this.#state.is('opening') && nowMs - this.#openedMs > ACK_LIMIT_MS) {
      this.#session?.destroy(`connected, but no answer within ${ACK_LIMIT_MS / 1000} s`)
    }
  }

  /** One pump for all that is appended in one turn of the event loop. */
  #schedulePump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    queueMicrotask(() => {
      this.#isPumping = false
      this.#pump()
    })
  }

  #pump(): void {
    try {
      this.#sendChunks()
    } catch (error) {
      // A descriptor or a read that the system refuses now; the spool still has everything.
      if (errnoOf(error) === undefined) throw error
      this.#fail(`Cannot read the spool: ${(error as Error).message}`, 'It is tried again by itself')
    }
  }

  #sendChunks(): void {
    while (this.#state.is('ready') && this.#leaving === undefined && this.#inFlightBytes < WINDOW_BYTES) {
      const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(FRAME_HEADROOM + FRAME_BYTES + 1)
      const chunk = this.#attachment.follower.read(buffer.subarray(0, FRAME_HEADROOM + FRAME_BYTES), FRAME_HEADROOM)
      if (chunk === undefined) {
        this.#free.push(buffer)
        return
      }
      let { bytes, start, end } = chunk
      const earlier = this.#takesAddresses ? undefined : inEarlierForm(bytes, chunk.heads)
      if (earlier !== undefined) {
        bytes = earlier
        start = 0
        end = earlier.length
      }
      if (bytes.buffer !== buffer.buffer) {
        // A record larger than our frames, or written anew: it gets a frame of its own.
        bytes = Buffer.concat([Buffer.alloc(FRAME_HEADROOM), bytes.subarray(start, end), Buffer.alloc(1)])
        end = FRAME_HEADROOM + end - start
        start = FRAME_HEADROOM
        this.#free.push(buffer)
      } else bytes = buffer
      this.#inFlight.push({
        position: chunk.positions.at(-1)!,
        bytes: end - start,
        messages: chunk.messages,
        sentMs: this.#clock.monotonicMs(),
      })
      this.#inFlightBytes += end - start
      this.#session!.send('batch', bytes, start, end, () => {
        if (bytes === buffer && this.#free.length < WINDOW_BYTES / FRAME_BYTES + 1) this.#free.push(buffer)
      })
    }
  }
}
