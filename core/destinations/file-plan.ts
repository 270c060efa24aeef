// Which messages go to which file, where a selector chooses among them or the path depends on more than the host. The answer is one of the messages and
// their batch alone, so that after a crash it is the same.

import type { Position } from '../spool/position.ts'
import type { MacroSource } from '../syslog/macro-values.ts'
import { MacroReader } from '../syslog/macro-values.ts'
import { type MessageContext, MessageFields } from '../syslog/message-fields.ts'
import type { MinutesAt } from '../syslog/moment.ts'
import { checkedPath, checkedTemplate, type MacroPath } from '../syslog/path-value.ts'
import type { PathTemplate } from './path-template.ts'
import type { Selects } from './selects.ts'
import { chosenOf, type Planned, type Shaper } from './shaper.ts'
import type { SharedRecord } from './shared-records.ts'

/** Files that the messages of one record may go to; those of further ones go to OVERFLOW, or a sender could use up what is open. */
const FILES_PER_RECORD = 12
const OVERFLOW = '_overflow/messages'

export interface FilePlan {
  /** By the path below the base. */
  readonly byFile: Map<string, Planned[]>
  /** Records that are planned, from the first on. */
  readonly taken: number
  readonly messages: number
}

/** What all messages of a record have the same. */
const RECORD_MACROS: ReadonlySet<string> = new Set(['HOST', 'PEER', 'VIA', 'SOURCEIP'])

/** What is written next: the messages by file, and where they end. */
export interface Work {
  readonly keys: ReadonlyMap<string, unknown>
  readonly end: Position
  readonly messages: number
  readonly records: number
  write(key: string): void
}

export class FilePlanner implements PathTemplate {
  readonly base: string
  readonly #path: MacroPath
  readonly #selects: Selects | undefined
  /** Whether the path is the same for all messages of a record. */
  readonly #isByRecord: boolean
  readonly #fields = new MessageFields()
  readonly #macros: MacroReader

  readonly #shaper: Shaper | undefined

  /**
   * @param template a path that the configuration has checked
   * @param shaper chooses instead of `selects` where it is given
   */
  constructor(template: string, selects: Selects | undefined, minutesAt: MinutesAt, shaper?: Shaper) {
    const read = checkedTemplate(template)
    this.#path = checkedPath(read)
    this.base = this.#path.base
    this.#selects = selects
    this.#shaper = shaper
    this.#isByRecord = read.pieces.every((piece) => 'literal' in piece || RECORD_MACROS.has(piece.name))
    this.#macros = new MacroReader(minutesAt)
  }

  components(key: string): string[] {
    return key.split('/')
  }

  /** @param limit files at most, at least FILES_PER_RECORD */
  plan(records: readonly SharedRecord[], limit: number): FilePlan {
    const byFile = new Map<string, Planned[]>()
    let taken = 0
    let messages = 0
    for (const record of records) {
      const own = this.#planRecord(record)
      let added = 0
      for (const key of own.keys()) if (!byFile.has(key)) added++
      if (taken > 0 && byFile.size + added > limit) break
      for (const [key, planned] of own) {
        for (const part of planned) messages += part.messages.length
        const before = byFile.get(key)
        if (before === undefined) byFile.set(key, planned)
        else before.push(...planned)
      }
      taken++
    }
    return { byFile, taken, messages }
  }

  #planRecord(record: SharedRecord): Map<string, Planned[]> {
    const own = new Map<string, Planned[]>()
    const parts = this.#shaper?.shape(record) ?? [{ record, messages: chosenOf(record, this.#selects) }]
    for (const part of parts) this.#planPart(part, own)
    return own
  }

  #planPart({ record, messages }: Planned, own: Map<string, Planned[]>): void {
    const { bytes, places, context } = record
    const byKey = new Map<string, number[]>()
    let key: string | undefined
    for (const index of messages) {
      if (key === undefined || !this.#isByRecord) {
        context.sequence = context.firstSequence + index
        this.#fields.begin(bytes, places[index * 2]!, places[index * 2 + 1]!)
        key = this.#keyOf(this.#macros.read(this.#fields, context))
        if (!own.has(key) && own.size >= FILES_PER_RECORD - 1) key = OVERFLOW
      }
      const planned = byKey.get(key)
      if (planned !== undefined) {
        planned.push(index)
        continue
      }
      const first = [index]
      byKey.set(key, first)
      const before = own.get(key)
      if (before === undefined) own.set(key, [{ record, messages: first }])
      else before.push({ record, messages: first })
    }
  }

  #keyOf(source: MacroSource): string {
    return this.#path.components(source).join('/')
  }
}

/** What only a message that has come tells. */
const UNKNOWN = /\$\{?(UNIQID|SOURCEIP|PEER|VIA)\b\}?/g

/** The file that one message would go to, for people: what is not known of it stays a macro. */
export function shownFile(template: string, message: Uint8Array, context: MessageContext, minutesAt: MinutesAt): string {
  const shown = template.replace(UNKNOWN, (macro, name) => (name === 'SOURCEIP' && context.sourceIp !== '' ? macro : `$$${name}`))
  const { base, components } = checkedPath(checkedTemplate(shown))
  const fields = new MessageFields()
  fields.begin(message, 0, message.length)
  return [base === '/' ? '' : base, ...components(new MacroReader(minutesAt).read(fields, context))].join('/')
}
