// The way to a receiver that is no Loghop relay: follows what is durable in the spool and sends message by message, as the protocol allows.
// Each is sent as it stands in the spool, HOSTNAME and all.

import type { Clock } from '../../base/clock.ts'
import { errnoOf } from '../../base/errors.ts'
import type { Log, LogFields } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { StateMachine } from '../../base/state.ts'
import type { Attachment, CursorDocument } from '../../spool/attachment.ts'
import type { RecordHead } from '../../spool/batch.ts'
import type { Chunk } from '../../spool/follower.ts'
import type { Position } from '../../spool/position.ts'
import type { Spool } from '../../spool/spool.ts'
import type { RelayAddress } from '../../transport/tls-connector.ts'
import { Failback } from '../failback.ts'
import { RelayChoice } from '../relay-choice.ts'
import { RelayTrouble } from '../relay-trouble.ts'
import type { Selects } from '../selects.ts'
import type { RecordContext } from '../shared-records.ts'
import type { Link } from './link.ts'
import { LinkOpener, type LinkTerms } from './link-opener.ts'
import { PassedOver } from './passed-over.ts'
import { GUARANTEES } from './protocols.ts'
import { RecordMessages } from './record-messages.ts'

const CHUNK_BYTES = 528 << 10
/** Messages that are passed over in one turn of the event loop before others have theirs. */
const PASSED_PER_TURN = 16_384

export interface ForeignForwardOptions extends LinkTerms {
  readonly receivers: readonly RelayAddress[]
  /** Spread new connections over the list, instead of the first that answers. */
  readonly balance: boolean
  /** Interval of looking for the preferred receiver. */
  readonly failbackMs: number
}

/** What chooses where not everything is sent. */
export interface ForeignChoice {
  readonly selects: Selects
  readonly contextOf: (bytes: Buffer, head: RecordHead, end: Position) => RecordContext
}

/** A record that is done in part: where it starts and how many messages of its window are done. */
interface PartDone {
  readonly segment: number
  readonly offset: number
  readonly messages: number
}

interface Sending {
  /** Offset of the record in its segment. */
  readonly start: number
  readonly end: Position
  readonly take: number
  left: number
}

type State = 'idle' | 'connecting' | 'ready' | 'waiting' | 'stopped'
const NEXT = {
  idle: ['connecting', 'stopped'],
  connecting: ['ready', 'waiting', 'stopped'],
  ready: ['waiting', 'stopped'],
  waiting: ['connecting', 'stopped'],
  stopped: [],
} as const

export class ForeignForwardDestination {
  readonly #options: ForeignForwardOptions
  readonly #spool: Spool
  readonly #attachment: Attachment
  readonly #log: Log
  readonly #metrics: Metrics
  readonly #choice: RelayChoice
  readonly #opener: LinkOpener
  readonly #chosen: ForeignChoice | undefined
  readonly #passed = new PassedOver()
  #context: RecordContext | undefined
  readonly #trouble: RelayTrouble
  readonly #state = new StateMachine<State>('forward destination', NEXT, 'idle')
  #endLink: (() => void) | undefined
  #link: Link | undefined
  #retry: NodeJS.Timeout | undefined
  #failback: Failback | undefined
  /** Going back to the preferred receiver when this connection has ended in order. */
  #isLeaving = false
  #moveTimer: NodeJS.Timeout | undefined
  #onEnded: (() => void) | undefined
  #input = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  #chunk: Chunk | undefined
  /** Index of the chunk's record that is opened next. */
  #record = 0
  readonly #messages = new RecordMessages()
  /** Records that are sent at least in part and not done, oldest first. */
  #sending: Sending[] = []
  #partial: PartDone | undefined
  #isScheduled = false
  readonly #unsubscribe: () => void

  /** @param chosen everything when left out */
  constructor(
    options: ForeignForwardOptions,
    spool: Spool,
    attachment: Attachment,
    log: Log,
    metrics: Metrics,
    clock: Clock,
    chosen?: ForeignChoice,
  ) {
    this.#options = options
    this.#chosen = chosen
    this.#opener = new LinkOpener(options, metrics, clock)
    this.#choice = new RelayChoice(options.receivers.length, options.balance)
    this.#trouble = new RelayTrouble(log, clock)
    this.#spool = spool
    this.#attachment = attachment
    this.#log = log
    this.#metrics = metrics
    this.#partial = partialOf(attachment.restored)
    attachment.checkpointFrom(() => {
      const position = attachment.acknowledged
      return this.#partial === undefined ? { position } : { position, extra: { partial: this.#partial } }
    })
    this.#unsubscribe = spool.onSynced(() => this.#schedulePump())
  }

  start(): void {
    this.#connect()
  }

  /** Goes over to a new connection at a random moment within that time, after what is in flight; it shows and checks certificates anew. Without TLS there is no need. */
  moveWithin(spreadMs: number): void {
    const { protocol } = this.#options
    if (protocol !== 'relp' && protocol !== 'syslog-tls') return
    clearTimeout(this.#moveTimer)
    this.#moveTimer = setTimeout(() => this.#link?.close(), Math.random() * spreadMs)
    this.#moveTimer.unref()
  }

  /** Further certificates are revoked: the receiver's is checked by a new handshake. */
  recheck(): void {
    this.moveWithin(0)
  }

  status(): Record<string, string | number> {
    const receiver = this.#options.receivers[this.#choice.index]!
    return {
      kind: 'forward',
      protocol: this.#options.protocol,
      guarantee: GUARANTEES[this.#options.protocol],
      state: this.#state.current,
      relay: `${receiver.host}:${receiver.port}`,
      trouble: this.#state.is('ready') ? '' : this.#trouble.sentence,
      lag_bytes: this.#spool.lagBytes(this.#attachment),
    }
  }

  /** Sends what is there and closes in order, until that is done or the signal says that time is up. */
  async stop(deadline: AbortSignal): Promise<void> {
    if (this.#state.is('ready') && !deadline.aborted) {
      await new Promise<void>((resolve) => {
        this.#onEnded = resolve
        deadline.addEventListener('abort', () => resolve(), { once: true })
        this.#pump()
      })
    }
    this.#state.to('stopped')
    this.#unsubscribe()
    clearTimeout(this.#retry)
    clearTimeout(this.#moveTimer)
    this.#dropLink()
  }

  close(): void {
    this.#chunk = undefined
    this.#input = Buffer.alloc(0)
  }

  #connect(): void {
    this.#state.to('connecting')
    const receiver = this.#options.receivers[this.#choice.index]!
    const name = `${receiver.host}:${receiver.port}`
    this.#endLink = this.#opener.open(receiver, {
      onReady: (link, fields) => this.#onReady(link, name, fields),
      onRoom: () => this.#schedulePump(),
      onDone: (messages) => this.#onDone(messages),
      onClosed: () => this.#onClosed(),
      onFailed: (sentence, remedy) => this.#fail(sentence, remedy),
    })
  }

  #onReady(link: Link, name: string, fields: LogFields): void {
    this.#state.to('ready')
    this.#link = link
    const { protocol } = this.#options
    this.#log.info('relay-connected', `Connected to ${name}: ${GUARANTEES[protocol]}`, { relay: name, protocol, ...fields })
    this.#watchPreferred()
    this.#schedulePump()
  }

  #watchPreferred(): void {
    const { receivers, identity, protocol, failbackMs } = this.#options
    if (!this.#choice.isFallback || (protocol !== 'relp' && protocol !== 'syslog-tls')) return
    this.#failback = new Failback(
      receivers[0]!,
      identity,
      failbackMs,
      () => {
        this.#isLeaving = true
        this.#link?.close()
      },
      protocol === 'relp',
    )
  }

  #dropLink(): void {
    this.#failback?.stop()
    this.#failback = undefined
    this.#endLink?.()
    this.#endLink = undefined
    this.#link = undefined
    this.#messages.clear()
    this.#passed.clear()
    this.#chunk = undefined
    this.#sending = []
    this.#attachment.follower.seek(this.#attachment.acknowledged)
  }

  /** The link has ended in order: because we stop, or leave for the preferred receiver, or RELP has used up its numbers. */
  #onClosed(): void {
    if (this.#onEnded !== undefined) {
      this.#onEnded()
      return
    }
    this.#state.to('waiting')
    this.#dropLink()
    if (this.#isLeaving) {
      this.#log.info('relay-preferred', 'The preferred relay is up again: going back to it', {})
      this.#choice.goBack()
      this.#isLeaving = false
    }
    this.#connect()
  }

  #fail(sentence: string, remedy: string): void {
    if (this.#state.is('stopped', 'waiting')) return
    this.#state.to('waiting')
    this.#dropLink()
    this.#isLeaving = false
    this.#metrics.add('connectionsFailed', 1)
    const waitMs = this.#choice.failed()
    this.#trouble.tell(sentence, remedy, { retry_ms: Math.round(waitMs), lag_bytes: this.#spool.lagBytes(this.#attachment) })
    this.#onEnded?.()
    this.#retry = setTimeout(() => this.#connect(), waitMs)
  }

  #onDone(messages: number): void {
    this.#metrics.add('messagesForwarded', messages)
    this.#choice.succeeded()
    this.#trouble.clear()
    for (let left = this.#chosen === undefined ? messages : this.#passed.done(messages); left > 0; ) {
      const oldest = this.#sending[0]
      if (oldest === undefined) throw new Error(`Cannot account for ${left} messages: they were never sent`)
      const done = Math.min(left, oldest.left)
      oldest.left -= done
      left -= done
      if (oldest.left > 0) {
        this.#partial = { segment: oldest.end.segment, offset: oldest.start, messages: oldest.take - oldest.left }
      } else this.#settle()
    }
  }

  /** Moves the cursor over the records that are done. */
  #settle(): void {
    for (let oldest = this.#sending[0]; oldest?.left === 0; oldest = this.#sending[0]) {
      this.#sending.shift()
      this.#attachment.acknowledge(oldest.end)
      this.#partial = undefined
    }
  }

  /** One pump for all that happens in one turn of the event loop. */
  #schedulePump(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    const link = this.#link
    if (link === undefined) return
    try {
      for (let passed = 0; link.hasRoom; ) {
        if (!this.#messages.next()) {
          this.#endRecord()
          if (this.#openRecord()) continue
          if (this.#onEnded !== undefined) link.close()
          break
        }
        if (!this.#isChosen()) {
          if (++passed < PASSED_PER_TURN) continue
          setImmediate(() => this.#pump())
          break
        }
        link.add(this.#messages.bytes, this.#messages.start, this.#messages.end)
      }
      link.flush()
    } catch (error) {
      // A descriptor or a read that the system refuses now; the spool still has everything.
      if (errnoOf(error) === undefined) throw error
      this.#fail(`Cannot read the spool: ${(error as Error).message}`, 'It is tried again by itself')
    }
  }

  /** Whether the message is sent; what is not is counted here. */
  #isChosen(): boolean {
    const chosen = this.#chosen
    if (chosen === undefined) return true
    const { bytes, start, end, left } = this.#messages
    const context = this.#context!
    context.sequence = context.firstSequence + context.count - 1 - left
    const isChosen = chosen.selects.selects(bytes, start, end, context)
    if (isChosen) this.#passed.send()
    else this.#passed.pass()
    return isChosen
  }

  /** What was passed over behind the last one that was sent waits for that, or for nothing. */
  #endRecord(): void {
    const last = this.#sending.at(-1)
    if (this.#chosen === undefined || last === undefined) return
    last.left -= this.#passed.end(last.left)
    this.#settle()
  }

  /** Goes to the next record that has messages. @returns false when all that is durable was sent */
  #openRecord(): boolean {
    for (;;) {
      if (this.#chunk === undefined || this.#record >= this.#chunk.heads.length) {
        this.#chunk = this.#attachment.follower.read(this.#input, 0)
        this.#record = 0
        if (this.#chunk === undefined) return false
      }
      const head = this.#chunk.heads[this.#record]!
      const end = this.#chunk.positions[this.#record]!
      this.#record++
      const start = end.offset - (head.end - head.start)
      const isPartial = this.#partial?.segment === end.segment && this.#partial.offset === start
      const done = isPartial ? Math.min(this.#partial!.messages, head.take) : 0
      const fault = this.#messages.open(this.#chunk.bytes, head, done)
      this.#context = this.#chosen?.contextOf(this.#chunk.bytes, head, end)
      this.#sending.push({ start, end, take: head.take, left: fault === undefined ? head.take - done : 0 })
      if (fault === undefined && done < head.take) return true
      if (fault !== undefined) {
        this.#metrics.add('recordsQuarantined', 1)
        const text = `${head.take} messages of ${head.origin} cannot be read from the spool and are not forwarded: ${fault}`
        this.#log.error('record-unreadable', text, { stream: head.stream, first: head.first + head.skip, messages: head.take })
      }
      this.#settle()
    }
  }
}

/** From the cursor file; a position that is not that of a record's start is never met, and so without effect. */
function partialOf(restored: CursorDocument | undefined): PartDone | undefined {
  const partial = (restored?.extra as { partial?: PartDone } | undefined)?.partial
  const isWhole = [partial?.segment, partial?.offset, partial?.messages].every((value) => Number.isSafeInteger(value) && value! >= 0)
  return isWhole ? partial : undefined
}
