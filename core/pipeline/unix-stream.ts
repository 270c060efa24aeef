import * as fs from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { LoghopError } from '../base/errors.ts'
import type { Metrics } from '../base/metrics.ts'
import { clearSocketPath } from '../platform/datagram-socket.ts'
import { type PeerCredentials, peerCredentials } from '../platform/peer-credentials.ts'
import { BatchBuilder, type PayloadReceiver } from './batch-builder.ts'
import { MessageCompleter } from './message-completer.ts'
import type { Source, UnixDatagramOptions } from './unix-datagram.ts'

const CONNECTIONS_LIMIT = 1024

/** A stream socket for senders that use SOCK_STREAM: messages end in NUL or LF, or with the connection. */
export class UnixStreamSource implements Source {
  readonly name: string
  readonly #options: UnixDatagramOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #builder: BatchBuilder
  readonly #completer: MessageCompleter
  readonly #metrics: Metrics
  readonly #clock: Clock

  constructor(options: UnixDatagramOptions, receiver: PayloadReceiver, metrics: Metrics, clock: Clock) {
    this.name = `unix-stream ${options.path}`
    this.#options = options
    this.#metrics = metrics
    this.#clock = clock
    this.#builder = new BatchBuilder(receiver, clock)
    this.#completer = new MessageCompleter(options.hostname, options.limitBytes)
    this.#server = createServer((socket) => this.#onConnection(socket))
    this.#server.maxConnections = CONNECTIONS_LIMIT
  }

  /** @throws {LoghopError} the socket cannot be bound */
  async start(): Promise<void> {
    clearSocketPath(this.#options.path)
    const umask = process.umask(0o777 & ~this.#options.mode)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject)
        this.#server.listen(this.#options.path, () => {
          this.#server.off('error', reject)
          resolve()
        })
      })
    } catch (error) {
      throw new LoghopError(
        'SOCKET',
        `Cannot bind the socket ${this.#options.path}: ${(error as Error).message}`,
        'Make its directory, run the agent as a user that may write there, or name another path in sources',
        { cause: error },
      )
    } finally {
      process.umask(umask)
    }
    fs.chmodSync(this.#options.path, this.#options.mode)
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    // What a sender had written before is read; then its connection is ended from here.
    await new Promise((resolve) => setImmediate(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
    this.#builder.flush()
  }

  #onConnection(socket: Socket): void {
    const credentials = peerCredentials(socket)
    const { limitBytes } = this.#options
    this.#sockets.add(socket)
    let held = Buffer.alloc(0)
    let isOver = false
    const take = (message: Buffer): void => {
      if (message.length > 0 || !isOver) this.#take(message, credentials)
    }
    socket.on('data', (chunk: Buffer) => {
      let from = 0
      for (;;) {
        const end = frameEnd(chunk, from)
        const piece = chunk.subarray(from, end === -1 ? chunk.length : end)
        if (!isOver && held.length + piece.length > limitBytes) {
          // Cut at the end: the first part is the message, the rest up to its end is dropped.
          this.#metrics.add('messagesCut', 1)
          take(Buffer.concat([held, piece]).subarray(0, limitBytes))
          held = Buffer.alloc(0)
          isOver = true
        }
        if (end === -1) {
          if (!isOver) held = Buffer.concat([held, piece])
          return
        }
        if (!isOver && held.length + piece.length > 0) take(held.length === 0 ? piece : Buffer.concat([held, piece]))
        held = Buffer.alloc(0)
        isOver = false
        from = end + 1
      }
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (!isOver && held.length > 0) take(held)
    })
  }

  #take(message: Buffer, credentials: PeerCredentials): void {
    this.#completer.complete(message, this.#clock.wallUs(), credentials.pid, credentials.uid, this.#builder)
    this.#metrics.add('messagesUnparsed', this.#completer.takeUnparsed())
  }
}

/** Place of the next NUL or LF, or -1. */
function frameEnd(chunk: Buffer, from: number): number {
  const nul = chunk.indexOf(0, from)
  const lf = chunk.indexOf(0x0a, from)
  return nul === -1 ? lf : lf === -1 ? nul : Math.min(nul, lf)
}
