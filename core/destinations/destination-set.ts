// The destinations of a daemon, and how they become others while it runs: those that stay go on undisturbed, and for each message either the old
// configuration counts at every destination or the new one does.

import { isDeepStrictEqual } from 'node:util'
import { errnoOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { comparePositions, type Position } from '../spool/position.ts'
import type { Spool } from '../spool/spool.ts'
import type { Destination } from './destination.ts'
import type { Selects } from './selects.ts'
import { SwitchedSelects } from './switched-selects.ts'

/** How long one that goes, or is made anew, may take over what came before the change; it lets the rest go, or leaves it to the new one. */
const LEAVE_LIMIT_MS = 3000
const LOOK_MS = 10

/** A destination as the configuration has it. */
export interface Wanted {
  /** Of its cursor. */
  readonly name: string
  readonly label: string
  /** What it is made from besides `selects`: where it is the same, a running one stays. */
  readonly parameters: unknown
  /** Everything when left out. */
  readonly selects: Selects | undefined
  /** Whether it can be made, as far as that can be told without making it. @throws {LoghopError} */
  check?(): void
  /** Attaches it to the spool under the name. */
  make(selects: Selects | undefined): Destination
}

/** What a change does, in numbers. */
export interface Replaced {
  readonly added: number
  readonly removed: number
  readonly renewed: number
}

/** `1 destination added, none removed, 2 made anew`. */
export function replacedText({ added, removed, renewed }: Replaced): string {
  const first = added === 0 ? 'no destination' : added === 1 ? '1 destination' : `${added} destinations`
  return `${first} added, ${removed || 'none'} removed, ${renewed || 'none'} made anew`
}

interface Held {
  wanted: Wanted
  /** Absent in one that takes everything, and so the short way. */
  selects: SwitchedSelects | undefined
  destination: Destination
}

const NOTHING: Selects = { selects: () => false, chosen: () => [] }

export class DestinationSet {
  readonly #spool: Spool
  readonly #log: Log
  #held: Held[]
  #replacing: Promise<unknown> = Promise.resolve()

  /** Makes them all; they do nothing before `start`. @throws {LoghopError} what cannot be made */
  constructor(wanted: readonly Wanted[], spool: Spool, log: Log) {
    this.#spool = spool
    this.#log = log
    this.#held = wanted.map((one) => this.#make(one, one.selects === undefined ? undefined : new SwitchedSelects(one.selects)))
  }

  get all(): readonly Destination[] {
    return this.#held.map(({ destination }) => destination)
  }

  start(): void {
    for (const destination of this.all) destination.start()
  }

  /** Those that can; see Destination. */
  reopen(): void {
    for (const destination of this.all) destination.reopen?.()
  }

  moveWithin(spreadMs: number): void {
    for (const destination of this.all) destination.moveWithin?.(spreadMs)
  }

  recheck(): void {
    for (const destination of this.all) destination.recheck?.()
  }

  /** In order, until all is done or the signal says that time is up. */
  async stop(deadline: AbortSignal): Promise<void> {
    await this.#replacing
    for (const destination of this.all) await destination.stop(deadline)
  }

  /** After the spool's last checkpoint. */
  close(): void {
    for (const destination of this.all) destination.close()
  }

  /**
   * Changes to these from this moment's end of the spool on. Whoever can stay does, and new ones begin there; all that before the first pause. One whose
   * parameters are others is made anew at its own cursor, one that is not wanted any more ends: both are given some time for what is older.
   * @param also changes what belongs to it in the same moment, and cannot fail
   * @throws {LoghopError} one cannot be made; nothing has changed then
   */
  replace(wanted: readonly Wanted[], also: () => void = () => undefined): Promise<Replaced> {
    const next = this.#replacing.then(() => this.#replace(wanted, also))
    this.#replacing = next.catch(() => undefined)
    return next
  }

  async #replace(wanted: readonly Wanted[], also: () => void): Promise<Replaced> {
    for (const one of wanted) one.check?.()
    also()
    const at = this.#spool.end()
    const before = new Map(this.#held.map((held) => [held.wanted.name, held]))
    const pauses: Array<Promise<void>> = []
    const counts = { added: 0, removed: 0, renewed: 0 }
    const after = wanted.map((one): Held => {
      const held = before.get(one.name)
      before.delete(one.name)
      if (held === undefined) {
        counts.added++
        return this.#add(one, at)
      }
      if (isSame(held, one)) {
        held.wanted = one
        held.selects?.switch(one.selects, at, this.#spool.attachment(one.name).acknowledged)
        return held
      }
      counts.renewed++
      pauses.push(this.#renew(held, one, at))
      return held
    })
    for (const held of before.values()) {
      counts.removed++
      held.selects?.switch(NOTHING, at, this.#spool.attachment(held.wanted.name).acknowledged)
      pauses.push(this.#retire(held, at))
    }
    this.#held = [...after, ...before.values()]
    await Promise.all(pauses)
    this.#held = after
    // A crash from here on finds every cursor as far as it has come. What fails is tried again each second.
    await Promise.all(after.map(({ wanted: { name } }) => this.#spool.attachment(name).checkpointNow())).catch(() => undefined)
    return counts
  }

  #make(wanted: Wanted, selects: SwitchedSelects | undefined): Held {
    return { wanted, selects, destination: wanted.make(selects) }
  }

  /** It begins with what comes from now on, unless its cursor is left from an earlier run. */
  #add(wanted: Wanted, at: Position): Held {
    const held = this.#make(wanted, wanted.selects === undefined ? undefined : new SwitchedSelects(wanted.selects))
    const attachment = this.#spool.attachment(wanted.name)
    if (attachment.restored === undefined) {
      attachment.acknowledge(at)
      attachment.follower.seek(at)
    }
    held.destination.start()
    return held
  }

  async #renew(held: Held, wanted: Wanted, at: Position): Promise<void> {
    const older = held.selects ?? new SwitchedSelects(undefined)
    older.switch(wanted.selects, at, this.#spool.attachment(wanted.name).acknowledged)
    // What takes everything, before and after, is left its short way.
    const selects = held.selects === undefined && wanted.selects === undefined ? undefined : older
    if ((await this.#end(held, at, false)) === 'failed') return
    held.wanted = wanted
    held.selects = selects
    held.destination = wanted.make(selects)
    held.destination.start()
  }

  async #retire(held: Held, at: Position): Promise<void> {
    const attachment = this.#spool.attachment(held.wanted.name)
    if ((await this.#end(held, at, true)) === 'behind') {
      const text = `${held.wanted.label} was removed before it had taken all that came before: the rest is not delivered there`
      this.#log.warn('destination-left', text, { cursor: attachment.name })
    }
  }

  /** @returns whether it had come to the place of the change */
  async #end({ wanted, destination }: Held, at: Position, isGone: boolean): Promise<'done' | 'behind' | 'failed'> {
    const attachment = this.#spool.attachment(wanted.name)
    const deadline = AbortSignal.timeout(LEAVE_LIMIT_MS)
    // At the end of a segment it is as well there as at the begin of the next one.
    const isThere = (): boolean => comparePositions(attachment.acknowledged, at) >= 0 || this.#spool.lagBytes(attachment) === 0
    while (!isThere() && !deadline.aborted) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    await destination.stop(deadline)
    try {
      await this.#spool.detach(attachment, isGone)
    } catch (error) {
      if (errnoOf(error) === undefined) throw error
      const text = `Cannot write the cursor of ${wanted.label}: ${(error as Error).message}. It is stopped; restart the program when its disk is well`
      this.#log.error('destination-stuck', text, { cursor: attachment.name })
      return 'failed'
    }
    destination.close()
    return isThere() ? 'done' : 'behind'
  }
}

function isSame({ wanted, selects }: Held, next: Wanted): boolean {
  return (selects === undefined) === (next.selects === undefined) && isDeepStrictEqual(wanted.parameters, next.parameters)
}
