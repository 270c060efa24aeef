import type { Clock } from '../../base/clock.ts'
import { LoghopError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { RelayAddress } from '../../transport/tls-connector.ts'
import type { Outlet, OutletEvents } from '../outlet.ts'
import type { Link } from './link.ts'
import { LinkOpener, type LinkTerms } from './link-opener.ts'
import { GUARANTEES } from './protocols.ts'

export interface LinkOutletOptions extends LinkTerms {
  /** The first that answers, the next on failure. */
  readonly receivers: readonly RelayAddress[]
}

/** A receiver that is no Loghop relay, for what a rule chooses. */
export class LinkOutlet implements Outlet {
  readonly kind = 'forward'
  readonly guarantee: string
  readonly retryLimitMs = 30_000
  readonly #options: LinkOutletOptions
  readonly #log: Log
  readonly #opener: LinkOpener
  #index = 0
  #link: Link | undefined
  #end: (() => void) | undefined
  #done = 0
  #onEnded: (() => void) | undefined

  constructor(options: LinkOutletOptions, log: Log, metrics: Metrics, clock: Clock) {
    this.#options = options
    this.guarantee = GUARANTEES[options.protocol]
    this.#log = log
    this.#opener = new LinkOpener(options, metrics, clock)
  }

  get name(): string {
    const { host, port } = this.#options.receivers[this.#index]!
    return `${host}:${port}`
  }

  open(events: OutletEvents): void {
    const { protocol, receivers } = this.#options
    const { name } = this
    this.#done = 0
    const fail = (sentence: string, remedy: string): void => {
      this.#index = (this.#index + 1) % receivers.length
      events.onFailed(new LoghopError('RECEIVER', sentence, remedy))
    }
    this.#end = this.#opener.open(receivers[this.#index]!, {
      onReady: (link, fields) => {
        this.#link = link
        this.#log.info('relay-connected', `Connected to ${name}: ${this.guarantee}`, { relay: name, protocol, ...fields })
        events.onChange()
      },
      onRoom: () => events.onChange(),
      onDone: (messages) => {
        this.#done += messages
        events.onChange()
      },
      onClosed: () => {
        if (this.#onEnded === undefined) fail(`${name} has closed the connection`, 'It is tried again by itself')
        else this.#onEnded()
      },
      onFailed: (sentence, remedy) => {
        this.#onEnded?.()
        fail(sentence, remedy)
      },
    })
  }

  add(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#link?.hasRoom !== true) return false
    this.#link.add(bytes as Buffer, start, end)
    return true
  }

  flush(): void {
    this.#link?.flush()
  }

  done(): number {
    return this.#done
  }

  status(): Record<string, string> {
    const isConnecting = this.#end !== undefined && this.#link === undefined
    return { relay: this.name, protocol: this.#options.protocol, ...(isConnecting ? { state: 'connecting' } : {}) }
  }

  renew(): void {
    const { protocol } = this.#options
    if (protocol === 'relp' || protocol === 'syslog-tls') this.#link?.close()
  }

  async end(deadline: AbortSignal): Promise<void> {
    const link = this.#link
    if (link === undefined) return
    await new Promise<void>((resolve) => {
      this.#onEnded = resolve
      deadline.addEventListener('abort', () => resolve(), { once: true })
      link.close()
    })
  }

  close(): void {
    this.#end?.()
    this.#end = undefined
    this.#link = undefined
    this.#onEnded = undefined
  }
}
