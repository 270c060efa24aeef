// A spool with messages, and outlets that follow it.

import * as fs from 'node:fs'
import * as path from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { type Clock, systemClock } from '../../../core/base/clock.ts'
import { createLog, type LogEvent } from '../../../core/base/log.ts'
import { Metrics } from '../../../core/base/metrics.ts'
import { type OpenedSpool, openSpool } from '../../../core/daemon/open-spool.ts'
import type { Outlet } from '../../../core/destinations/outlet.ts'
import { OutletDestination } from '../../../core/destinations/outlet-destination.ts'
import type { Selects } from '../../../core/destinations/selects.ts'
import { SharedRecords } from '../../../core/destinations/shared-records.ts'
import { temporaryDirectory } from '../../support/chain.ts'
import { eventually } from '../../support/eventually.ts'
import { payloadOf } from '../../support/hostile-peer.ts'

export const ORIGIN = 'web01.example.com'

/** `count` different messages with the text `number N`. */
export function messagesOf(count: number, from = 0, pri = 13): string[] {
  return Array.from({ length: count }, (_, index) => `<${pri}>1 2026-01-01T00:00:00Z web01 app - - - number ${from + index}`)
}

/** The lines that they become. */
export function linesOf(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `2026-01-01T00:00:00Z ${ORIGIN} app: number ${from + index}`)
}

export class OutletWorld {
  readonly directory: string
  readonly metrics = new Metrics()
  readonly events: LogEvent[] = []
  readonly log = createLog('debug', 'text', () => undefined)
  readonly names: readonly string[]
  readonly #started: OutletDestination[] = []
  #isOpen = false
  opened!: OpenedSpool
  records!: SharedRecords
  #attachments = new Map<string, ReturnType<OpenedSpool['spool']['attach']>>()

  readonly clock: Clock

  /** @param names of the cursors, attached before anything is stored */
  constructor(t: ExecutionContext, names: readonly string[] = ['test'], clock = systemClock) {
    this.clock = clock
    this.directory = temporaryDirectory(t)
    this.names = names
    this.log.onEvent((event) => this.events.push(event))
    this.open()
    t.teardown(async () => {
      for (const one of this.#started) if (one.status()['state'] !== 'stopped') await one.stop(AbortSignal.abort())
      await this.closeSpool()
      for (const one of this.#started) one.close()
    })
  }

  async closeSpool(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    await this.opened.close()
  }

  open(): void {
    this.#isOpen = true
    this.opened = openSpool({ directory: path.join(this.directory, 'spool'), limitBytes: 1 << 30 }, this.log, this.metrics, this.clock)
    this.records = new SharedRecords('loghost', this.log, this.metrics)
    this.#attachments = new Map(this.names.map((name) => [name, this.opened.spool.attach(name, true)]))
  }

  async store(messages: readonly (string | Buffer)[], isCompressed = false): Promise<void> {
    const plain = payloadOf(messages)
    const payload = isCompressed ? zstdCompressSync(plain) : plain
    const bytes = Buffer.concat([Buffer.alloc(384), payload])
    this.opened.spool.appendBatch(bytes, 384, bytes.length, {
      origin: ORIGIN,
      count: messages.length,
      plainBytes: plain.length,
      codec: isCompressed ? 1 : 0,
      receivedUs: this.clock.wallUs(),
    })
    await this.opened.spool.commit()
  }

  start(outlet: Outlet, selects?: Selects, name = this.names[0]!): OutletDestination {
    const attachment = this.#attachments.get(name)!
    const one = new OutletDestination(outlet, selects, this.records, this.opened.spool, attachment, this.log, this.metrics, systemClock)
    this.#started.push(one)
    one.start()
    return one
  }

  file(name: string): string {
    return path.join(this.directory, name)
  }

  told(event: string): readonly string[] {
    return this.events.filter((one) => one.event === event).map(({ text }) => text)
  }
}

export async function drained(destination: OutletDestination): Promise<void> {
  await eventually(
    'the cursor at the end',
    () => destination.status()['lag_bytes'] === 0,
    () => JSON.stringify(destination.status()),
  )
}

/** Whole lines of a file, none when it is not there yet. */
export function linesIn(file: string): string[] {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}
