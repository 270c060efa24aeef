import * as fs from 'node:fs'
import { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { errnoOf } from '../base/errors.ts'
import type { Metrics } from '../base/metrics.ts'
import { openNamedPipe } from '../platform/named-pipe.ts'
import { BatchBuilder, type PayloadReceiver } from './batch-builder.ts'
import { LineSplitter } from './line-splitter.ts'
import { MessageCompleter } from './message-completer.ts'
import type { Source, UnixDatagramOptions } from './unix-datagram.ts'

const PIPE_LIMIT_BYTES = 1 << 20

/** A named pipe, a message in each line. Its writers never wait for long: what the spool has no room for is dropped by its policy, as with the socket. */
export class PipeSource implements Source {
  readonly name: string
  readonly #socket: Socket
  readonly #spare: number
  readonly #lines: LineSplitter
  readonly #builder: BatchBuilder

  /** @throws {LoghopError} the pipe cannot be made or opened */
  constructor(options: UnixDatagramOptions, receiver: PayloadReceiver, metrics: Metrics, clock: Clock, onFailure: (error: Error) => void) {
    this.name = `pipe ${options.path}`
    this.#builder = new BatchBuilder(receiver, clock)
    const completer = new MessageCompleter(options.hostname, options.limitBytes)
    this.#lines = new LineSplitter(options.limitBytes, (line, isCut) => {
      // Who has written it the kernel does not tell.
      completer.complete(line, clock.wallUs(), 0, -1, this.#builder)
      metrics.add('messagesUnparsed', completer.takeUnparsed())
      if (isCut) metrics.add('messagesCut', 1)
    })
    // The one is closed with the socket; what is left in the pipe then is read through the other.
    this.#spare = openNamedPipe(options.path, options.mode)
    this.#socket = new Socket({ fd: openNamedPipe(options.path, options.mode), readable: true, writable: false })
    this.#socket.on('data', (chunk: Buffer) => this.#lines.push(chunk))
    this.#socket.on('error', onFailure)
  }

  async stop(): Promise<void> {
    // Paused first: what the stream holds comes as data before.
    this.#socket.pause()
    await new Promise((resolve) => setImmediate(resolve))
    for (let rest = this.#socket.read() as Buffer | null; rest !== null; rest = this.#socket.read()) this.#lines.push(rest)
    this.#socket.removeAllListeners('data').destroy()
    const bytes = Buffer.alloc(65_536)
    try {
      // As much as a pipe holds: whoever writes on and on does not keep us.
      for (let left = PIPE_LIMIT_BYTES; left > 0; ) {
        const length = fs.readSync(this.#spare, bytes, 0, bytes.length, null)
        this.#lines.push(bytes.subarray(0, length))
        left -= Math.max(1, length)
      }
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error
    } finally {
      fs.closeSync(this.#spare)
    }
    this.#lines.end()
    this.#builder.flush()
  }
}
