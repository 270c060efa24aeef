// A spool with messages, and a destination that follows it to a receiver.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { type Clock, systemClock } from '../../../core/base/clock.ts'
import { createLog, type LogEvent } from '../../../core/base/log.ts'
import { Metrics } from '../../../core/base/metrics.ts'
import { type OpenedSpool, openSpool } from '../../../core/daemon/open-spool.ts'
import {
  type ForeignChoice,
  ForeignForwardDestination,
  type ForeignForwardOptions,
} from '../../../core/destinations/foreign/foreign-forward.ts'
import type { ForeignProtocol } from '../../../core/destinations/foreign/protocols.ts'
import type { Attachment } from '../../../core/spool/attachment.ts'
import { readRecord } from '../../../core/spool/batch.ts'
import { NONE_REVOKED, type TlsIdentity } from '../../../core/transport/tls-policy.ts'
import { temporaryDirectory } from '../../support/chain.ts'
import { eventually } from '../../support/eventually.ts'
import { craftRecord, payloadOf } from '../../support/hostile-peer.ts'

const NO_IDENTITY: TlsIdentity = { key: '', cert: '', ca: '', revoked: NONE_REVOKED }

export function identityIn(directory: string): TlsIdentity {
  const read = (name: string) => fs.readFileSync(path.join(directory, name), 'utf8')
  return { key: read('key.pem'), cert: read('cert.pem'), ca: read('ca.pem'), revoked: NONE_REVOKED }
}

/** `count` different messages, whole RFC 5424. */
export function messagesOf(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `<13>1 2026-01-01T00:00:00Z web01 app - - - number ${from + index}`)
}

/** A clock that can be put forward, and stopped: then nothing grows old, however slow the machine is. */
export class JumpingClock implements Clock {
  aheadMs = 0
  #stoppedMs: number | undefined

  stop(): void {
    this.#stoppedMs = this.monotonicMs()
  }

  /** Puts a stopped one forward. */
  pass(ms: number): void {
    this.#stoppedMs! += ms
  }

  wallUs(): number {
    return systemClock.wallUs()
  }

  monotonicMs(): number {
    return this.#stoppedMs ?? systemClock.monotonicMs() + this.aheadMs
  }
}

type Options = Partial<ForeignForwardOptions> & { readonly ports: readonly number[]; readonly chosen?: ForeignChoice }

export class World {
  readonly clock = new JumpingClock()
  readonly metrics = new Metrics()
  readonly events: LogEvent[] = []
  readonly #log = createLog('debug', 'text', () => undefined)
  readonly #directory: string
  #opened!: OpenedSpool
  #attachment!: Attachment

  constructor(t: ExecutionContext) {
    this.#directory = path.join(temporaryDirectory(t), 'spool')
    this.#log.onEvent((event) => this.events.push(event))
    this.#open()
    t.teardown(() => this.#opened.close())
  }

  /** One batch of new messages, durable on return. */
  async store(messages: readonly (string | Buffer)[], isCompressed = false): Promise<void> {
    const plain = payloadOf(messages)
    const payload = isCompressed ? zstdCompressSync(plain) : plain
    const bytes = Buffer.concat([Buffer.alloc(384), payload])
    this.#opened.spool.appendBatch(bytes, 384, bytes.length, {
      origin: 'web01.example.com',
      count: messages.length,
      plainBytes: plain.length,
      codec: isCompressed ? 1 : 0,
      receivedUs: systemClock.wallUs(),
    })
    await this.#opened.spool.commit()
  }

  /** A batch of a stream of elsewhere, of which only what is new is kept; its checksums are right, whatever its payload is. */
  async storeReceived(crafted: Parameters<typeof craftRecord>[0]): Promise<void> {
    const bytes = craftRecord(crafted)
    const result = readRecord(bytes, 0, bytes.length)
    if (result.kind !== 'record') throw new Error('no record')
    this.#opened.spool.appendReceived(bytes, result.head, [])
    await this.#opened.spool.commit()
  }

  start(t: ExecutionContext, protocol: ForeignProtocol, { ports, chosen, ...options }: Options): ForeignForwardDestination {
    const destination = new ForeignForwardDestination(
      {
        protocol,
        receivers: ports.map((port) => ({ host: '127.0.0.1', port })),
        balance: false,
        mayLeaveHost: false,
        failbackMs: 60_000,
        identity: () => NO_IDENTITY,
        describeIdentity: () => 'a certificate of the test',
        ...options,
      },
      this.#opened.spool,
      this.#attachment,
      this.#log,
      this.metrics,
      this.clock,
      chosen,
    )
    t.teardown(async () => {
      if (destination.status()['state'] !== 'stopped') await destination.stop(AbortSignal.abort())
    })
    destination.start()
    return destination
  }

  /** Closes the spool as a stopping daemon does and opens it again. */
  async reopen(): Promise<void> {
    await this.#opened.close()
    this.#open()
  }

  told(event: string): readonly string[] {
    return this.events.filter((one) => one.event === event).map(({ text }) => text)
  }

  #open(): void {
    this.#opened = openSpool({ directory: this.#directory, limitBytes: 1 << 30 }, this.#log, this.metrics, this.clock)
    // Before anything is stored: what no destination waits for is freed within a second.
    this.#attachment = this.#opened.spool.attach('foreign', true)
  }
}

export async function drained(destination: ForeignForwardDestination): Promise<void> {
  await eventually(
    'the cursor at the end',
    () => destination.status()['lag_bytes'] === 0,
    () => JSON.stringify(destination.status()),
  )
}
