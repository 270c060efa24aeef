import type { Readable } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'
import { BATCH_TARGET_BYTES } from '../spool/constants.ts'
import { BatchBuilder, type PayloadReceiver } from './batch-builder.ts'
import type { Intake } from './intake.ts'
import { LineSplitter } from './line-splitter.ts'
import { MessageCompleter } from './message-completer.ts'
import type { Source } from './unix-datagram.ts'

const WAIT_MS = 200

export interface StdinOptions {
  readonly hostname: string
  readonly limitBytes: number
}

/** Standard input, a message in each line. Whoever writes there waits while the spool is nearly full. */
export class StdinSource implements Source {
  readonly name = 'stdin'
  readonly #stream: Readable
  readonly #builder: BatchBuilder
  readonly #lines: LineSplitter
  #timer: NodeJS.Timeout | undefined

  /** @param onEnd called once all has been stored, when the input ends */
  constructor(
    options: StdinOptions,
    stream: Readable,
    receiver: PayloadReceiver,
    intake: Pick<Intake, 'hasRoom'>,
    metrics: Metrics,
    clock: Clock,
    onEnd: () => void,
  ) {
    this.#stream = stream
    this.#builder = new BatchBuilder(receiver, clock)
    const completer = new MessageCompleter(options.hostname, options.limitBytes)
    this.#lines = new LineSplitter(options.limitBytes, (line, isCut) => {
      completer.complete(line, clock.wallUs(), 0, -1, this.#builder)
      metrics.add('messagesUnparsed', completer.takeUnparsed())
      if (isCut) metrics.add('messagesCut', 1)
    })
    const resumeWithRoom = (): void => {
      if (intake.hasRoom(BATCH_TARGET_BYTES)) stream.resume()
      else this.#timer = setTimeout(resumeWithRoom, WAIT_MS)
    }
    stream.on('data', (chunk: Buffer) => {
      this.#lines.push(chunk)
      if (intake.hasRoom(BATCH_TARGET_BYTES)) return
      stream.pause()
      this.#timer = setTimeout(resumeWithRoom, WAIT_MS)
    })
    const end = (): void => {
      this.#finish()
      onEnd()
    }
    stream.once('end', end)
    stream.once('error', end)
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stream.removeAllListeners('data').removeAllListeners('end').destroy()
    this.#finish()
  }

  #finish(): void {
    this.#lines.end()
    this.#builder.flush()
  }
}
