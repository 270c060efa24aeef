import { type Address, formatAddress } from '../core/base/address.ts'
import { LoghopError } from '../core/base/errors.ts'
import type { Log } from '../core/base/log.ts'
import { PlaceKeys, type Prepared, prepared } from '../core/daemon/prepared.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { Passthrough } from './passthrough.ts'

interface Held {
  readonly key: string
  readonly passthrough: Passthrough
  /** Text of what is bound. */
  readonly bound: string
}

export interface PassthroughOptions {
  readonly listen: Address
  readonly to: Address
}

/** All ways through to an authority, which may change while they run. */
export class Passthroughs {
  readonly #log: Log
  readonly #guard: RepeatGuard
  #held: readonly Held[] = []
  #isClosed = false

  constructor(log: Log, guard: RepeatGuard) {
    this.#log = log
    this.#guard = guard
  }

  /** Texts of what is bound. */
  get bound(): string[] {
    return this.#held.map(({ bound }) => bound)
  }

  /** Binds what is new in these. Whoever is passed at a place that stays is passed on; new connections go where it leads then. @throws {LoghopError} LISTEN */
  async prepare(options: readonly PassthroughOptions[]): Promise<Prepared<void>> {
    const before = new Map(this.#held.map((held) => [held.key, held]))
    const made: Held[] = []
    const wanted: Array<readonly [Held, Address]> = []
    const keys = new PlaceKeys()
    const close = (): void => {
      for (const { passthrough } of made) passthrough.close()
    }
    try {
      for (const { listen, to } of options) {
        const key = keys.next(formatAddress(listen))
        const held = before.get(key)
        before.delete(key)
        if (held === undefined) made.push(await this.#open(key, listen, to))
        wanted.push([held ?? made.at(-1)!, to])
      }
    } catch (error) {
      close()
      throw error
    }
    return prepared<void>({
      isOver: () => this.#isClosed,
      nothing: undefined,
      undo: close,
      commit: () => {
        for (const [{ passthrough }, to] of wanted) passthrough.leadTo(to)
        for (const { passthrough } of before.values()) passthrough.close()
        this.#held = wanted.map(([held]) => held)
      },
    })
  }

  close(): void {
    this.#isClosed = true
    for (const { passthrough } of this.#held) passthrough.close()
  }

  async #open(key: string, listen: Address, to: Address): Promise<Held> {
    const passthrough = new Passthrough(to, this.#log, this.#guard)
    try {
      const port = await passthrough.listen(listen)
      return { key, passthrough, bound: formatAddress({ host: listen.host, port }) }
    } catch (error) {
      throw new LoghopError(
        'LISTEN',
        `Cannot listen on ${formatAddress(listen)}: ${(error as Error).message}`,
        'Stop what has that port ("ss -ltnp" names it), or choose an address and port of this host',
        { cause: error },
      )
    }
  }
}
