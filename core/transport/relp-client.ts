import type { TLSSocket } from 'node:tls'
import { StateMachine } from '../base/state.ts'
import { ReceiveBuffer } from './receive-buffer.ts'
import {
  COME_AGAIN,
  nextRelpFrame,
  nextTxnr,
  type RelpOffers,
  readOffers,
  readResponse,
  relpFrame,
  relpHeader,
  TXNR_LIMIT,
  writeOffers,
} from './relp.ts'

const RESPONSE_LIMIT_BYTES = 8192
/** How long our close_notify may take to leave after an orderly end. */
const LEAVE_LIMIT_MS = 1000

export interface RelpClientEvents {
  /** The peer has answered `open`; `send` may be called. */
  onReady(offers: RelpOffers): void
  /** The frames are acknowledged in the order sent; one call for each. */
  onAcknowledged(): void
  /** The session is over; every frame without acknowledgement has to be sent again elsewhere. `isAgain`: the relay is well, and wants a new connection. */
  onClosed(reason: string, isAgain: boolean): void
}

type State = 'opening' | 'ready' | 'closing' | 'closed'
const NEXT = { opening: ['ready', 'closed'], ready: ['closing', 'closed'], closing: ['closed'], closed: [] } as const

/** The client's side of one RELP connection, over a socket that has been admitted. */
export class RelpClientSession {
  readonly #socket: TLSSocket
  readonly #events: RelpClientEvents
  readonly #received = new ReceiveBuffer()
  readonly #state = new StateMachine<State>('RELP session', NEXT, 'opening')
  #txnr: number
  /** The oldest transaction that waits for its response. */
  #expected: number
  #closing: number | undefined

  /** @param lastTxnr last transaction that has been used, 1 with `open`; another one for a session as it is after a long time */
  constructor(socket: TLSSocket, offers: ReadonlyMap<string, string>, events: RelpClientEvents, lastTxnr = 1) {
    this.#socket = socket
    this.#events = events
    this.#txnr = lastTxnr
    this.#expected = nextTxnr(lastTxnr)
    socket.on('data', (chunk: Buffer) => {
      if (!this.#state.is('closed')) this.#received.deliver(chunk, (bytes, from, to) => this.#readFrames(bytes, from, to))
    })
    socket.on('error', (error) => this.#end(error.message))
    socket.on('close', () => this.#end('the relay closed the connection'))
    socket.write(relpFrame(1, 'open', writeOffers(['syslog', 'batch'], offers)))
  }

  get isReady(): boolean {
    return this.#state.is('ready')
  }

  /**
   * Sends one frame whose data stands at `bytes[start..end]`, without copying it: the header is written before it and LF behind it,
   * so at least 48 bytes of room before `start` and 1 behind `end` are needed. `bytes` belongs to the session until `sent` is called.
   */
  send(command: string, bytes: Buffer, start: number, end: number, sent: () => void): void {
    this.#txnr = nextTxnr(this.#txnr)
    const header = relpHeader(this.#txnr, command, end - start)
    const from = start - header.length
    bytes.write(header, from, 'latin1')
    bytes[end] = 0x0a
    this.#socket.write(bytes.subarray(from, end + 1), sent)
    // librelp counts on to a tenth digit that it cannot frame; a new connection starts from 1 again.
    if (this.#txnr >= TXNR_LIMIT - 1) this.close()
  }

  /** Ends the session in order: the responses to what was sent still arrive before the one to `close`. */
  close(): void {
    if (this.#state.is('opening')) this.#end('closed before it was open')
    if (!this.#state.is('ready')) return
    this.#state.to('closing')
    this.#txnr = nextTxnr(this.#txnr)
    this.#closing = this.#txnr
    this.#socket.write(relpFrame(this.#txnr, 'close', ''))
  }

  destroy(reason: string): void {
    this.#end(reason)
  }

  #end(reason: string, isAgain = false, isOrderly = isAgain): void {
    if (this.#state.is('closed')) return
    this.#state.to('closed')
    const socket = this.#socket
    if (isOrderly && socket.writable) {
      const limit = setTimeout(() => socket.destroy(), LEAVE_LIMIT_MS)
      socket.end(() => {
        clearTimeout(limit)
        socket.destroy()
      })
    } else socket.destroy()
    this.#events.onClosed(reason, isAgain)
  }

  #readFrames(bytes: Buffer, from: number, to: number): { used: number; need: number } {
    // The rest of a delivery in which the session ended.
    if (this.#state.is('closed')) return { used: to - from, need: 0 }
    let at = from
    while (at < to) {
      const frame = nextRelpFrame(bytes, at, to, () => RESPONSE_LIMIT_BYTES)
      if (frame.kind === 'need-more') return { used: at - from, need: frame.bytes }
      if (frame.kind === 'malformed') this.#end(`the relay does not speak RELP: ${frame.reason}`)
      else this.#onFrame(frame.txnr, frame.command, bytes.toString('utf8', frame.start, frame.end))
      if (frame.kind === 'malformed' || this.#state.is('closed')) return { used: to - from, need: 0 }
      at = frame.next
    }
    return { used: to - from, need: 0 }
  }

  #onFrame(txnr: number, command: string, data: string): void {
    if (command === 'serverclose') {
      const refused = /^refused=([a-z-]{1,40})$/.exec(data)
      if (data === COME_AGAIN) this.#end('the relay asks for a new connection', true)
      else if (refused !== null) this.#end(`the relay refuses our certificate: ${refused[1]}`)
      else this.#end('the relay is closing', false, true)
      return
    }
    if (command !== 'rsp') {
      this.#end(`the relay sent the command "${command}"`)
      return
    }
    const response = readResponse(data)
    if (response === undefined) this.#end('the relay sent a response without a code')
    else if (txnr === 1 && this.#state.is('opening')) this.#onOpened(response.code, response.text, response.rest)
    else if (txnr === this.#closing) this.#end('closed', false, true)
    else if (txnr !== this.#expected) this.#end(`the relay answered transaction ${txnr}, the next in order is ${this.#expected}`)
    else if (data === '') this.#end('the relay answered a frame without a code')
    else if (response.code !== 200) this.#end(`the relay refused a frame: ${response.code} ${response.text}`)
    else {
      this.#expected = nextTxnr(this.#expected)
      this.#events.onAcknowledged()
    }
  }

  #onOpened(code: number, text: string, rest: string): void {
    const offers = readOffers(rest)
    if (code !== 200) this.#end(`the relay refused to open: ${code} ${text}`)
    else if (offers.version === undefined) this.#end('the relay opened without relp_version')
    else {
      this.#state.to('ready')
      this.#events.onReady(offers)
    }
  }
}
