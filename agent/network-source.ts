// Programs of this host that log by TCP or UDP, such as those in containers that share its network: taken from loopback alone, for nobody there proves who it is.
// Everything is this host's; the HOSTNAME that a message brings stays in it, as a claim.

import type { Socket } from 'node:net'
import type { Clock } from '../core/base/clock.ts'
import { LoghopError } from '../core/base/errors.ts'
import type { Log } from '../core/base/log.ts'
import type { Metrics } from '../core/base/metrics.ts'
import { BatchBuilder, type PayloadReceiver } from '../core/pipeline/batch-builder.ts'
import { ForeignMessageCompleter } from '../core/pipeline/foreign-message.ts'
import type { Intake } from '../core/pipeline/intake.ts'
import type { Loss } from '../core/pipeline/loss.ts'
import type { Source } from '../core/pipeline/unix-datagram.ts'
import { BATCH_TARGET_BYTES } from '../core/spool/constants.ts'
import type { Spool } from '../core/spool/spool.ts'
import { Acceptor, type PeerAddress } from '../core/transport/acceptor.ts'
import { AddressRules } from '../core/transport/address-rules.ts'
import { type Bind, formatBind, type Place, placesOf } from '../core/transport/bind.ts'
import { type ToldReceiver, ToldSession } from '../core/transport/told-session.ts'
import { UdpSockets } from '../core/transport/udp-sockets.ts'

const CONNECTIONS_LIMIT = 1024
const HEADER_LIMIT_MS = 10_000
const WAIT_MS = 200
/** For connections to end in order. */
const LEAVE_LIMIT_MS = 2000
const LOOK_MS = 10
const NO_RULES = { allow: [], deny: [], proxy: [] }

export interface NetworkOptions {
  readonly binds: readonly Bind[]
  readonly limitBytes: number
  /** HOSTNAME where a message names none. */
  readonly hostname: string
}

export interface NetworkWorld {
  readonly spool: Pick<Spool, 'commit'>
  readonly intake: Pick<Intake, 'hasRoom' | 'storeOrWait'>
  readonly receiver: PayloadReceiver
  readonly loss: Loss
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly activated: (name: string) => readonly number[]
}

async function open(
  kind: 'tcp' | 'udp',
  binds: readonly Bind[],
  world: NetworkWorld,
  listen: (places: Place[]) => Promise<string[]>,
): Promise<string[]> {
  try {
    const places = (await Promise.all(binds.map((bind) => placesOf(bind, world.activated, true)))).flat()
    return await listen(places)
  } catch (error) {
    if (error instanceof LoghopError) throw error
    const sentence = `Cannot listen on ${kind} ${binds.map(formatBind).join(', ')}: ${(error as Error).message}`
    throw new LoghopError('SOCKET', sentence, 'End the program that has this port (ss -lnp shows it), or name another one in sources', {
      cause: error,
    })
  }
}

/** RFC 5426: a datagram is a message. Nobody can be told to wait: where the spool is full the intake sheds and counts, as with the local socket. */
export class UdpSource implements Source {
  #name = 'udp'
  readonly #options: NetworkOptions
  readonly #world: NetworkWorld
  readonly #builder: BatchBuilder
  readonly #completer: ForeignMessageCompleter
  readonly #sockets: UdpSockets

  constructor(options: NetworkOptions, world: NetworkWorld) {
    const { receiver, metrics, clock, loss } = world
    this.#options = options
    this.#world = world
    this.#builder = new BatchBuilder(receiver, clock)
    this.#completer = new ForeignMessageCompleter(options.limitBytes, true, metrics, clock)
    this.#sockets = new UdpSockets({
      onDatagram: (bytes) => this.#take(bytes),
      onOverrun: (datagrams) => loss.count('udp-overrun', datagrams),
    })
  }

  get name(): string {
    return this.#name
  }

  /** @throws {LoghopError} it cannot be bound */
  async start(): Promise<void> {
    const bound = await open('udp', this.#options.binds, this.#world, (places) => this.#sockets.listen(places))
    this.#name = `udp ${bound.join(', ')}`
  }

  /** What the system holds already is read first. */
  async stop(): Promise<void> {
    await this.#sockets.leave()
    this.#builder.flush()
  }

  #take(bytes: Buffer): void {
    if (bytes.length === 0) return
    const { limitBytes, hostname } = this.#options
    if (bytes.length > limitBytes) this.#world.metrics.add('messagesCut', 1)
    this.#builder.add(this.#completer.complete(bytes, 0, bytes.length, hostname))
  }
}

/** RFC 6587, in lines or counted, and RELP, told apart by the first bytes. Whoever sends waits while the spool is nearly full. */
export class TcpSource implements Source {
  #name = 'tcp'
  readonly #options: NetworkOptions
  readonly #world: NetworkWorld
  readonly #builder: BatchBuilder
  readonly #completer: ForeignMessageCompleter
  readonly #sessions = new Set<ToldSession>()
  #acceptor: Acceptor | undefined
  #timer: NodeJS.Timeout | undefined
  /** Whether the sender of what is being read learns what was stored: then all of it is stored, or it is told that it was not. */
  #isAcknowledged = false
  #failure = ''

  constructor(options: NetworkOptions, world: NetworkWorld) {
    const { receiver, metrics, clock, intake } = world
    this.#options = options
    this.#world = world
    this.#builder = new BatchBuilder((bytes, start, end, count, receivedUs) => {
      if (!this.#isAcknowledged) receiver(bytes, start, end, count, receivedUs)
      else if (this.#failure === '') {
        const result = intake.storeOrWait(bytes, start, end, count, receivedUs, () => undefined)
        if (result !== 'stored') this.#failure = result
      }
    }, clock)
    this.#completer = new ForeignMessageCompleter(options.limitBytes, false, metrics, clock)
  }

  get name(): string {
    return this.#name
  }

  /** @throws {LoghopError} it cannot be bound */
  async start(): Promise<void> {
    const bound = await open('tcp', this.#options.binds, this.#world, (places) => {
      this.#acceptor = new Acceptor(
        {
          places,
          isLocalOnly: true,
          rules: new AddressRules(NO_RULES),
          connectionsLimit: CONNECTIONS_LIMIT,
          addressLimit: CONNECTIONS_LIMIT,
          headerLimitMs: HEADER_LIMIT_MS,
          unixMode: 0o600,
          userOf: () => undefined,
          userLimit: CONNECTIONS_LIMIT,
        },
        {
          onConnection: (socket, peer) => this.#onConnection(socket, peer),
          onTurnedAway: ({ sentence, remedy }, peer) => this.#refuse(peer, sentence, remedy),
        },
      )
      return this.#acceptor.listen()
    })
    this.#name = `tcp ${bound.join(', ')}`
  }

  /** What was written before is read, then each connection ends in order. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#acceptor?.close(false)
    await new Promise((resolve) => setImmediate(resolve))
    for (const session of this.#sessions) session.retire()
    this.#builder.flush()
    const deadline = performance.now() + LEAVE_LIMIT_MS
    while (this.#sessions.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    this.#acceptor?.close(true)
  }

  #onConnection(socket: Socket, peer: PeerAddress): void {
    const receiver: ToldReceiver = {
      syslogLimitBytes: this.#options.limitBytes,
      batchLimitBytes: 0,
      onBatch: () => 'batch: taken by relays alone',
      onSyslog: (bytes, start, end) => {
        this.#isAcknowledged = session.isAcknowledged
        this.#builder.add(this.#completer.complete(bytes, start, end, this.#options.hostname))
        return undefined
      },
      onCut: () => this.#world.metrics.add('messagesCut', 1),
      onDelivered: () => this.#delivered(),
      onClosed: () => this.#sessions.delete(session),
      onForeign: (looksLike, remedy) => {
        this.#sessions.delete(session)
        this.#refuse(peer.text, `it does not speak syslog or RELP: it looks like ${looksLike}`, remedy)
      },
      onTold: () => undefined,
    }
    const session = new ToldSession(socket, receiver)
    this.#sessions.add(session)
    if (this.#timer !== undefined) session.pause()
  }

  /** Called in the very turn that has read the messages, so they are of one connection. Rejects when its sender may not take them for stored. */
  async #delivered(): Promise<void> {
    this.#builder.flush()
    this.#waitForRoom()
    const failure = this.#failure
    this.#failure = ''
    if (failure !== '') throw new Error(failure === 'full' ? 'the spool is full' : `cannot store: ${failure}`)
    await this.#world.spool.commit()
  }

  #waitForRoom(): void {
    if (this.#timer !== undefined || this.#world.intake.hasRoom(BATCH_TARGET_BYTES)) return
    for (const session of this.#sessions) session.pause()
    const look = (): void => {
      this.#timer = undefined
      if (!this.#world.intake.hasRoom(BATCH_TARGET_BYTES)) this.#timer = setTimeout(look, WAIT_MS)
      else for (const session of this.#sessions) session.resume()
    }
    this.#timer = setTimeout(look, WAIT_MS)
  }

  #refuse(peer: string, sentence: string, remedy: string): void {
    this.#world.log.warn('source-refused', `A connection of ${peer} to ${this.#name} is refused: ${sentence}. ${remedy}`, { peer })
  }
}
