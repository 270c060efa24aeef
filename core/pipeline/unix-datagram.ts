import * as fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Metrics } from '../base/metrics.ts'
import { askForSenders, bindDatagramSocket, closeSocket, refuseFurther } from '../platform/datagram-socket.ts'
import { openPipe } from '../platform/descriptors.ts'
import { addressOf } from '../platform/libc.ts'
import { BATCH_HEADROOM_BYTES } from '../spool/constants.ts'
import type { PayloadReceiver } from './batch-builder.ts'
import {
  CONTROL_BYTES,
  COUNT,
  CUT,
  FREE,
  FULL,
  MICROS,
  PAYLOAD_BYTES,
  SECOND,
  SLOTS,
  STATE,
  STOP_WORD,
  slotBytes,
  slotWord,
  UNPARSED,
} from './datagram-slots.ts'

export interface UnixDatagramOptions {
  readonly path: string
  readonly mode: number
  /** Longest message in bytes; what is longer is cut at its end. */
  readonly limitBytes: number
  readonly hostname: string
  /** The bound socket, when the service manager has opened it and keeps it. */
  readonly passedFd?: number | undefined
}

/** A source that stops in order: it takes what had reached it, then no more. */
export interface Source {
  readonly name: string
  stop(): Promise<void>
}

/** The local socket of syslog(3) and logger(1): a thread of its own receives and completes, this side stores. */
export class UnixDatagramSource implements Source {
  readonly name: string
  readonly #fd: number
  readonly #path: string
  readonly #worker: Worker
  readonly #words: Int32Array
  readonly #slots: Buffer[] = []
  readonly #receiver: PayloadReceiver
  readonly #metrics: Metrics
  readonly #finished: Promise<void>
  /** For a socket that others keep: closing the write end wakes the thread, and what is queued stays for who comes next. */
  readonly #waker: { readEnd: number; writeEnd: number } | undefined
  #next = 0

  /** @throws {LoghopError} the socket cannot be bound, or says nothing of its senders */
  constructor(options: UnixDatagramOptions, receiver: PayloadReceiver, metrics: Metrics, onFailure: (error: Error) => void) {
    this.name = `unix ${options.path}`
    this.#path = options.path
    this.#receiver = receiver
    this.#metrics = metrics
    if (options.passedFd === undefined) this.#fd = bindDatagramSocket(options.path, options.mode)
    else {
      this.#fd = options.passedFd
      askForSenders(this.#fd, options.path)
      this.#waker = openPipe()
    }
    const control = new SharedArrayBuffer(CONTROL_BYTES)
    this.#words = new Int32Array(control)
    const bytes = slotBytes(options.limitBytes)
    for (let slot = 0; slot < SLOTS; slot++) this.#slots.push(Buffer.from(new ArrayBuffer(bytes)))
    this.#worker = new Worker(new URL('./datagram-worker.ts', import.meta.url), {
      workerData: {
        fd: this.#fd,
        wakeFd: this.#waker?.readEnd ?? -1,
        limitBytes: options.limitBytes,
        hostname: options.hostname,
        control,
        payloads: this.#slots.map((slot) => addressOf(slot) + BigInt(BATCH_HEADROOM_BYTES)),
      },
    })
    this.#finished = new Promise((resolve) => {
      this.#worker.on('message', (slot: number) => {
        this.#drain()
        if (slot === -1) resolve()
      })
      this.#worker.on('error', (error: Error) => {
        onFailure(error)
        resolve()
      })
    })
  }

  async stop(): Promise<void> {
    const waker = this.#waker
    if (waker === undefined && fs.lstatSync(this.#path, { throwIfNoEntry: false })?.isSocket()) fs.unlinkSync(this.#path)
    Atomics.store(this.#words, STOP_WORD, 1)
    if (waker === undefined) refuseFurther(this.#fd)
    else closeSocket(waker.writeEnd)
    await this.#finished
    await this.#worker.terminate()
    closeSocket(this.#fd)
    if (waker !== undefined) closeSocket(waker.readEnd)
  }

  #drain(): void {
    const words = this.#words
    for (;;) {
      const word = slotWord(this.#next)
      if (Atomics.load(words, word + STATE) !== FULL) return
      const bytes = this.#slots[this.#next]!
      if (words[word + CUT]! > 0) this.#metrics.add('messagesCut', words[word + CUT]!)
      if (words[word + UNPARSED]! > 0) this.#metrics.add('messagesUnparsed', words[word + UNPARSED]!)
      const receivedUs = words[word + SECOND]! * 1_000_000 + words[word + MICROS]!
      this.#receiver(bytes, BATCH_HEADROOM_BYTES, BATCH_HEADROOM_BYTES + words[word + PAYLOAD_BYTES]!, words[word + COUNT]!, receivedUs)
      Atomics.store(words, word + STATE, FREE)
      Atomics.notify(words, word + STATE)
      this.#next = (this.#next + 1) % SLOTS
    }
  }
}
