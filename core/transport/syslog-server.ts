import type { Socket } from 'node:net'
import { SyslogDeframer, type SyslogFraming } from './syslog-framing.ts'

/** After our own end a peer has so long to see it and to end as well; what it has sent until then is taken. */
const CLOSE_LIMIT_MS = 1000

/** Why a session is over whose last message is not whole. */
export const WITHIN_FRAME = 'the connection ended within a frame'

/** What arrives on a connection of plain frames. `bytes` is only valid during the call. */
export interface SyslogReceiver {
  readonly syslogLimitBytes: number
  /** A reason refuses the message and closes the connection. */
  onSyslog(bytes: Buffer, start: number, end: number): string | undefined
  /** A message was over the limit: its end is missing. */
  onCut(): void
  /** All messages of one delivery have been read. Rejects when they could not be stored. */
  onDelivered(): Promise<void>
  /** The session is over; the reason is for the log, undefined for an orderly close. */
  onClosed(reason: string | undefined): void
}

/** What a connection's session can be told, whatever it speaks. */
export interface ServerSession {
  /** Whether the peer learns what has been stored, and so sends the rest again elsewhere when it is cut off. */
  readonly isAcknowledged: boolean
  /** Monotonic time at which the frame under way began, undefined between frames. */
  readonly frameSinceMs: number | undefined
  /** Bytes held of the frame under way. */
  readonly heldBytes: number
  /** Monotonic time of the last delivery. */
  readonly lastMs: number
  pause(): void
  resume(): void
  /** Whether it is a Loghop: one that recognises what comes twice, and that can be sent to a new connection. */
  readonly speaksBatch: boolean
  /** Closes in order. */
  close(): void
  /** Closes in order, once what has been taken is acknowledged: nothing of it comes again. */
  retire(): void
  /** Has a Loghop connect again; nothing for others. */
  comeAgain(): void
  /** Cuts a peer whose certificate is refused from now on. @param check as in an Admission, such as `revoked` */
  cut(check: string): void
  /** Cuts it off. */
  abort(reason: string): void
}

/** The server's side of RFC 5425, or of RFC 6587 on a plain stream: these protocols have no acknowledgement. */
export class SyslogServerSession implements ServerSession {
  readonly isAcknowledged = false
  readonly speaksBatch = false
  frameSinceMs: number | undefined
  lastMs: number
  readonly #socket: Socket
  readonly #receiver: SyslogReceiver
  readonly #deframer: SyslogDeframer
  #refusal: string | undefined
  #isEnded = false
  #isClosing = false

  /** @param first what has been read of the connection already */
  constructor(socket: Socket, framing: SyslogFraming, receiver: SyslogReceiver, first: Buffer) {
    this.#socket = socket
    this.#receiver = receiver
    this.#deframer = new SyslogDeframer(framing, receiver.syslogLimitBytes, {
      onMessage: (bytes, start, end, isCut) => {
        if (this.#refusal !== undefined) return
        if (isCut) receiver.onCut()
        this.#refusal = receiver.onSyslog(bytes, start, end)
      },
    })
    this.lastMs = performance.now()
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('error', (error) => this.#end(this.#isClosing ? undefined : error.message))
    socket.on('end', () => this.#onEnd())
    socket.on('close', () => this.#onEnd())
    if (first.length > 0) this.#onData(first)
  }

  get heldBytes(): number {
    return this.#deframer.heldBytes
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** close_notify, or FIN; what the peer has sent before it sees that is still taken. */
  close(): void {
    if (this.#isEnded || this.#isClosing) return
    this.#isClosing = true
    this.#socket.resume()
    this.#socket.end()
    setTimeout(() => this.#onEnd(), CLOSE_LIMIT_MS)
  }

  retire(): void {
    this.close()
  }

  comeAgain(): void {
    // It would send again what it has sent already, or lose what is on its way.
  }

  cut(check: string): void {
    this.#end(`its certificate is ${check}`)
  }

  abort(reason: string): void {
    this.#end(reason)
  }

  #onData(chunk: Buffer): void {
    if (this.#isEnded) return
    this.lastMs = performance.now()
    let broken: string | undefined
    try {
      broken = this.#deframer.deliver(chunk)
    } catch (error) {
      // Whatever one peer has sent ends that peer's session alone.
      broken = `cannot take what it sent: ${(error as Error).message}`
    }
    if (!this.#deframer.isWithin) this.frameSinceMs = undefined
    else this.frameSinceMs ??= this.lastMs
    this.#receiver.onDelivered().catch((error: Error) => this.#end(error.message))
    if (broken !== undefined) this.#end(`not syslog as we know it: ${broken}`)
    else if (this.#refusal !== undefined) this.#end(this.#refusal)
  }

  #onEnd(): void {
    if (this.#isEnded) return
    const isCut = this.#deframer.end()
    this.#receiver.onDelivered().catch((error: Error) => this.#end(error.message))
    this.#end(this.#refusal ?? (isCut ? WITHIN_FRAME : undefined))
  }

  /** An orderly end answers with ours, close_notify included; anything else is cut. */
  #end(reason: string | undefined): void {
    if (this.#isEnded) return
    this.#isEnded = true
    if (reason === undefined && this.#socket.writable) {
      this.#socket.end()
      setTimeout(() => this.#socket.destroy(), CLOSE_LIMIT_MS).unref()
    } else this.#socket.destroy()
    this.#receiver.onClosed(reason)
  }
}
