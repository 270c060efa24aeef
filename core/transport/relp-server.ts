import type { Socket } from 'node:net'
import { StateMachine } from '../base/state.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import { COME_AGAIN, nextRelpFrame, OFFER_HOPS, readOffers, relpFrame, writeOffers } from './relp.ts'
import type { ServerSession } from './syslog-server.ts'

const OPEN_LIMIT_BYTES = 4096
const TEXT_LIMIT = 80
const CLOSE_LIMIT_MS = 5000
/** Acknowledgements that may wait for a peer to read them. */
const UNREAD_LIMIT_BYTES = 256 << 10

/** What arrives on a session. `bytes` is only valid during the call. */
export interface RelpReceiver {
  readonly syslogLimitBytes: number
  /** 0 where batches are not taken: then they are not offered. */
  readonly batchLimitBytes: number
  /** Records back to back. A reason refuses the frame and closes the connection: what cannot be stored is never acknowledged. */
  onBatch(bytes: Buffer, start: number, end: number): string | undefined
  onSyslog(bytes: Buffer, start: number, end: number): string | undefined
  /** All frames of one delivery have been read: resolves when what they brought is durable. */
  onDelivered(): Promise<void>
  /** The session is over; the reason is for the log, undefined for an orderly close. */
  onClosed(reason: string | undefined): void
}

type State = 'waiting' | 'ready' | 'closing' | 'closed'
const NEXT = { waiting: ['ready', 'closing', 'closed'], ready: ['closing', 'closed'], closing: ['closed'], closed: [] } as const

/**
 * The server's side of one RELP connection. A frame is acknowledged when the receiver's `onDelivered` has resolved, in the order received.
 * A peer that breaks the protocol is cut off at once, as the specification demands.
 */
export class RelpServerSession implements ServerSession {
  readonly isAcknowledged = true
  frameSinceMs: number | undefined
  lastMs: number
  readonly #socket: Socket
  readonly #receiver: RelpReceiver
  readonly #offers: ReadonlyMap<string, string>
  readonly #received = new ReceiveBuffer()
  readonly #state = new StateMachine<State>('RELP session', NEXT, 'waiting')
  #pending: number[] = []
  #refusal: string | undefined
  /** The peer has said `close`: it need not wait for our answer. */
  #isLeaving = false
  #speaksBatch = false
  /** The peer is about to be sent to a new connection: what comes from here on comes again there. */
  #isPassing = false

  /** @param first what has been read of the connection already */
  constructor(socket: Socket, receiver: RelpReceiver, offers: ReadonlyMap<string, string>, first: Buffer = Buffer.alloc(0)) {
    this.#socket = socket
    this.#receiver = receiver
    this.#offers = offers
    this.lastMs = performance.now()
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('error', (error) => this.#end(this.#isLeaving || this.#state.is('closing') ? undefined : error.message))
    socket.on('close', () => this.#end(this.#received.held > 0 ? 'the connection ended within a frame' : undefined))
    if (first.length > 0) this.#onData(first)
  }

  get heldBytes(): number {
    return this.#received.held
  }

  /** Stops or goes on reading, so that the peer's window closes while nothing can be stored. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Whether it is a Loghop: one that recognises what comes twice, and that knows `again`. */
  get speaksBatch(): boolean {
    return this.#speaksBatch
  }

  /** Has the peer connect again, for instance because our certificate is a new one: acknowledges what has been taken, then tells it and closes. */
  comeAgain(): void {
    if (this.#state.is('ready')) this.#pass(COME_AGAIN)
  }

  retire(): void {
    if (this.#state.is('ready')) this.#pass('')
    else this.close()
  }

  /** What comes from here on is not taken, and so not acknowledged: the peer has to send it elsewhere. */
  #pass(hint: string): void {
    if (this.#isPassing) return
    this.#isPassing = true
    this.#receiver.onDelivered().then(
      () => this.close(hint),
      (error: Error) => this.#end(error.message),
    )
  }

  /** Tells the peer to go elsewhere and closes; what is durable but not acknowledged comes again and is recognised. */
  close(hint = ''): void {
    if (this.#state.is('closing', 'closed')) return
    this.#state.to('closing')
    this.#endSocket(relpFrame(0, 'serverclose', hint))
  }

  /** Cuts a peer whose certificate is refused from now on. @param check as in an Admission, such as `revoked` */
  cut(check: string): void {
    this.#refusal = `its certificate is ${check}`
    this.close(`refused=${check}`)
  }

  abort(reason: string): void {
    this.#end(reason)
  }

  /** A peer that never closes its side must not keep ours. */
  #endSocket(last: Buffer): void {
    this.#socket.end(last)
    setTimeout(() => this.#end(undefined), CLOSE_LIMIT_MS).unref()
  }

  #end(reason: string | undefined): void {
    if (this.#state.is('closed')) return
    this.#state.to('closed')
    this.#socket.destroy()
    this.#receiver.onClosed(reason ?? this.#refusal)
  }

  #onData(chunk: Buffer): void {
    if (!this.#state.is('waiting', 'ready') || this.#isPassing) return
    this.lastMs = performance.now()
    try {
      this.#received.deliver(chunk, (bytes, from, to) => this.#readFrames(bytes, from, to))
    } catch (error) {
      // Whatever one peer has sent ends that peer's session alone; nothing of this delivery is acknowledged.
      this.#end(`cannot take what it sent: ${(error as Error).message}`)
      return
    }
    if (this.#received.held === 0) this.frameSinceMs = undefined
    else this.frameSinceMs ??= this.lastMs
    if (this.#pending.length === 0) return
    const acknowledged = this.#pending
    this.#pending = []
    this.#receiver.onDelivered().then(
      () => this.#acknowledge(acknowledged),
      (error: Error) => this.#end(error.message),
    )
  }

  #acknowledge(transactions: readonly number[]): void {
    if (!this.#state.is('ready') || !this.#socket.writable) return
    if (this.#socket.writableLength > UNREAD_LIMIT_BYTES) {
      this.#end('it does not read its acknowledgements')
      return
    }
    let frames = ''
    for (const txnr of transactions) frames += `${txnr} rsp 6 200 OK\n`
    this.#socket.write(frames, 'latin1')
  }

  #limitOf(command: string): number | undefined {
    if (command === 'batch') return this.#receiver.batchLimitBytes
    if (command === 'syslog') return this.#receiver.syslogLimitBytes
    return command === 'open' || command === 'close' ? OPEN_LIMIT_BYTES : undefined
  }

  #readFrames(bytes: Buffer, from: number, to: number): { used: number; need: number } {
    // The rest of a delivery in which the session ended.
    if (!this.#state.is('waiting', 'ready')) return { used: to - from, need: 0 }
    let at = from
    while (at < to) {
      const frame = nextRelpFrame(bytes, at, to, (command) => this.#limitOf(command))
      if (frame.kind === 'need-more') return { used: at - from, need: frame.bytes }
      if (frame.kind === 'malformed') {
        this.#end(`not RELP as we know it: ${frame.reason}`)
        return { used: to - from, need: 0 }
      }
      this.#onFrame(frame.txnr, frame.command, bytes, frame.start, frame.end)
      if (!this.#state.is('waiting', 'ready')) return { used: to - from, need: 0 }
      at = frame.next
    }
    return { used: to - from, need: 0 }
  }

  #onFrame(txnr: number, command: string, bytes: Buffer, start: number, end: number): void {
    if (command === 'open') this.#onOpen(txnr, bytes.toString('latin1', start, end))
    else if (command === 'close' && this.#state.is('waiting') && end > start) {
      const refused = /^refused=([a-z-]{1,40})$/.exec(bytes.toString('latin1', start, end))
      this.#end(refused === null ? 'closed before open' : `it refuses our certificate: ${refused[1]}`)
    } else if (command === 'close') {
      // What came before is acknowledged first, in order; then the empty response that librelp expects.
      const pending = this.#pending
      this.#pending = []
      this.#isLeaving = true
      this.#receiver.onDelivered().then(
        () => {
          this.#acknowledge(pending)
          if (!this.#state.is('ready', 'waiting')) return
          this.#state.to('closing')
          this.#endSocket(Buffer.from(`${txnr} rsp 0\n0 serverclose 0\n`, 'latin1'))
        },
        (error: Error) => this.#end(error.message),
      )
    } else if (!this.#state.is('ready')) this.#refuse(txnr, 'command disabled before open')
    else if (command === 'batch' || command === 'syslog') {
      const refused = command === 'batch' ? this.#receiver.onBatch(bytes, start, end) : this.#receiver.onSyslog(bytes, start, end)
      if (refused === undefined) this.#pending.push(txnr)
      else this.#refuse(txnr, refused)
    } else this.#end(`command "${command}" is not known`)
  }

  #onOpen(txnr: number, data: string): void {
    if (!this.#state.is('waiting')) {
      this.#refuse(txnr, 'protocol error: connection already open')
      return
    }
    const asked = readOffers(data)
    if (asked.version === undefined) {
      this.#refuse(txnr, 'open without relp_version')
      return
    }
    const known = this.#receiver.batchLimitBytes > 0 ? ['syslog', 'batch'] : ['syslog']
    const commands = known.filter((command) => asked.commands.includes(command))
    this.#state.to('ready')
    this.#speaksBatch = asked.commands.includes('batch')
    const offers = commands.includes('batch') ? new Map([...this.#offers, [OFFER_HOPS.name, OFFER_HOPS.value]]) : this.#offers
    this.#socket.write(relpFrame(txnr, 'rsp', `200 OK\n${writeOffers(commands, offers)}\n`))
  }

  /** A librelp client throws a message away on any response but 200, so a refusal is always the end of the connection too. */
  #refuse(txnr: number, reason: string): void {
    this.#socket.write(relpFrame(txnr, 'rsp', `500 ${reason.slice(0, TEXT_LIMIT)}`))
    this.#refusal = reason
    this.close()
  }
}
