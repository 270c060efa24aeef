import type { Socket } from 'node:net'
import { FIRST_BYTES_LIMIT, readFirstBytes } from './first-bytes.ts'
import { type RelpReceiver, RelpServerSession } from './relp-server.ts'
import { type ServerSession, type SyslogReceiver, SyslogServerSession, WITHIN_FRAME } from './syslog-server.ts'

export type Spoken = 'nothing yet' | 'RELP' | 'syslog, octet counting' | 'syslog, lines'

export interface ToldReceiver extends RelpReceiver, SyslogReceiver {
  /** It speaks something that is not taken here; the connection is cut off, and `onClosed` does not come. */
  onForeign(looksLike: string, remedy: string): void
  /** What it speaks is known, and its first bytes have been taken. */
  onTold(): void
}

/** A connection whose first bytes tell what it speaks: until then nothing else is read of it, and then the session of that protocol has it. */
export class ToldSession implements ServerSession {
  spoken: Spoken = 'nothing yet'
  readonly #socket: Socket
  readonly #receiver: ToldReceiver
  readonly #connectedMs = performance.now()
  #session: ServerSession | undefined
  #held: Buffer = Buffer.alloc(0)
  #sinceMs: number | undefined
  #isOver = false

  constructor(socket: Socket, receiver: ToldReceiver) {
    this.#socket = socket
    this.#receiver = receiver
    socket.on('data', this.#onData)
    socket.on('error', this.#onError)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
    socket.resume()
  }

  get isAcknowledged(): boolean {
    // Told before the session is there: its first messages come while it is made.
    return this.spoken === 'nothing yet' || this.spoken === 'RELP'
  }

  get frameSinceMs(): number | undefined {
    return this.#session === undefined ? this.#sinceMs : this.#session.frameSinceMs
  }

  get heldBytes(): number {
    return this.#session?.heldBytes ?? this.#held.length
  }

  get lastMs(): number {
    return this.#session?.lastMs ?? this.#sinceMs ?? this.#connectedMs
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  close(): void {
    if (this.#session !== undefined) this.#session.close()
    else if (!this.#isOver) {
      this.#over()
      this.#socket.end(() => this.#socket.destroy())
      this.#receiver.onClosed(undefined)
    }
  }

  get speaksBatch(): boolean {
    return this.#session?.speaksBatch ?? false
  }

  retire(): void {
    if (this.#session !== undefined) this.#session.retire()
    else this.close()
  }

  comeAgain(): void {
    this.#session?.comeAgain()
  }

  cut(check: string): void {
    if (this.#session !== undefined) this.#session.cut(check)
    else this.#finish(`its certificate is ${check}`)
  }

  abort(reason: string): void {
    if (this.#session !== undefined) this.#session.abort(reason)
    else this.#finish(reason)
  }

  readonly #onData = (chunk: Buffer): void => {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    this.#sinceMs ??= performance.now()
    const first = readFirstBytes(bytes, 0, bytes.length)
    if (first.kind === 'need-more') {
      // At most FIRST_BYTES_LIMIT: more would have told.
      this.#held = Buffer.from(bytes)
      return
    }
    this.#over()
    if (first.kind === 'foreign') {
      this.#socket.destroy()
      this.#receiver.onForeign(first.looksLike, first.remedy)
    } else this.#begin(first.kind, bytes)
  }

  readonly #onError = (error: Error): void => this.#finish(error.message)

  /** So few bytes, and then the end: lines, unless they count. */
  readonly #onEnd = (): void => {
    if (this.#held.length === 0 || this.#held.length >= FIRST_BYTES_LIMIT) this.#finish(undefined)
    else if (/^\d+ ?/.test(this.#held.toString('latin1'))) this.#finish(WITHIN_FRAME)
    else {
      this.#over()
      this.#begin('lines', this.#held)
      this.#socket.emit('end')
    }
  }

  #begin(kind: 'relp' | 'octet-counted' | 'lines', bytes: Buffer): void {
    this.spoken = kind === 'relp' ? 'RELP' : kind === 'lines' ? 'syslog, lines' : 'syslog, octet counting'
    this.#session =
      kind === 'relp'
        ? new RelpServerSession(this.#socket, this.#receiver, new Map(), bytes)
        : new SyslogServerSession(this.#socket, kind, this.#receiver, bytes)
    this.#receiver.onTold()
  }

  #over(): void {
    this.#isOver = true
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    this.#socket.off('error', this.#onError)
    // Between two sessions, and after the last one, an error must not end the program.
    this.#socket.on('error', () => undefined)
  }

  #finish(reason: string | undefined): void {
    if (this.#isOver) return
    this.#over()
    if (reason === undefined && this.#socket.writable) this.#socket.end(() => this.#socket.destroy())
    else this.#socket.destroy()
    this.#receiver.onClosed(reason)
  }
}
