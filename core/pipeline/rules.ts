// The rules, in order, over one message after another. Hot: bench/micro/rules.ts. What depends on the PRI alone is worked out for each of the 192 when the
// rules are made, so that a message costs one look-up however many rules there are; only rules with further tests are walked.

import { allOf, type Condition, hostCondition, programCondition } from '../syslog/condition.ts'
import { compileFilter, type FilterOptions } from '../syslog/filter.ts'
import { isMark, MARK_PRI } from '../syslog/mark.ts'
import { type MessageContext, MessageFields } from '../syslog/message-fields.ts'
import { readNames } from '../syslog/name-test.ts'
import { PRI_DEFAULT, PRI_LIMIT, readPri } from '../syslog/priority.ts'
import { compileSelector, selectsPri } from '../syslog/selector.ts'
import type { Dialect } from '../syslog/selector-names.ts'

/** What chooses, of a rule as the configuration has it. */
export interface RuleWords {
  readonly name?: string | undefined
  readonly select?: string | undefined
  readonly dialect?: Dialect | undefined
  readonly program?: string | readonly string[] | undefined
  readonly host?: string | readonly string[] | undefined
  readonly when?: FilterOptions | undefined
  readonly stop?: boolean | undefined
}

export interface Rule {
  readonly name: string
  readonly words: RuleWords
  /** A bit per facility and severity: where it is not set, the rule never matches. */
  readonly bits: Uint8Array
  /** The same for marks. */
  readonly markBits: number
  /** What must hold besides. */
  readonly condition: Condition | undefined
  readonly stop: boolean
  /** Numbers of the destinations, which the caller gives. */
  readonly destinations: readonly number[]
}

/**
 * Compiles one rule.
 * @param number from 1, for its name when it has none
 * @throws {RangeError} faults that the configuration's schema has found before
 */
export function compileRule(words: RuleWords, number: number, destinations: readonly number[]): Rule {
  const dialect = words.dialect ?? 'linux'
  const selector = compileSelector(words.select ?? '*.*', dialect)
  const filter = compileFilter(words.when ?? {}, dialect)
  if (selector.kind === 'malformed' || filter.kind === 'malformed')
    throw new RangeError(`Cannot compile rule ${number}: its selector or filter is malformed`)
  const conditions: Condition[] = []
  for (const key of ['program', 'host'] as const) {
    const written = words[key]
    if (written === undefined) continue
    const result = readNames(typeof written === 'string' ? written : written.join(','), key === 'host')
    if (result.kind === 'malformed') throw new RangeError(`Cannot compile rule ${number}: ${key} has ${result.reason}`)
    if (result.names !== undefined) conditions.push(key === 'host' ? hostCondition(result.names) : programCondition(result.names))
  }
  const { condition } = filter.filter
  if (condition !== undefined) conditions.push(...(condition.how === 'all' ? condition.parts : [condition]))
  const { bits, markBits } = selector.selector
  const table = filter.filter.bits
  return {
    name: words.name ?? `rule ${number}`,
    words,
    bits: table === undefined ? bits : bits.map((value, facility) => value & table[facility]!),
    markBits: table === undefined ? markBits : 0,
    condition: conditions.length === 0 ? undefined : allOf(conditions),
    stop: words.stop === true,
    destinations,
  }
}

/** Beside those of the 192 PRIs the row of the marks, which have a facility of their own: core/syslog/mark.ts. */
const MARK_ROW = PRI_LIMIT + 1

/** By what selectors choose the message at `start..end`: its PRI, or MARK_ROW. Hot. */
function rowOf(bytes: Uint8Array, start: number, end: number): number {
  const packed = readPri(bytes, start, end)
  const pri = packed === -1 ? PRI_DEFAULT : packed >>> 3
  return pri === MARK_PRI && isMark(bytes, start, end) ? MARK_ROW : pri
}

function selectsRow({ bits, markBits }: Pick<Rule, 'bits' | 'markBits'>, row: number): boolean {
  return row === MARK_ROW ? ((markBits >>> (MARK_PRI & 7)) & 1) === 1 : selectsPri(bits, row)
}

/** Whether the rule's selector chooses the message; its condition is not asked. Hot. */
export function selectorChooses(rule: Pick<Rule, 'bits' | 'markBits'>, bytes: Uint8Array, start: number, end: number): boolean {
  return selectsRow(rule, rowOf(bytes, start, end))
}

export class RuleList {
  readonly rules: readonly Rule[]
  /** The destinations of the last message, in the order of the rules, each once; only the first `route()` of them count. */
  hits: Uint16Array
  /** Per PRI, and for marks, the destinations where they depend on nothing else. */
  readonly #fixed: Array<Uint16Array | undefined> = []
  /** The same way the rules to walk, where they do. */
  readonly #walks: Rule[][] = []
  readonly #walked: Uint16Array
  readonly #seen: Uint32Array
  #round = 0
  readonly #message = new MessageFields()

  constructor(rules: readonly Rule[]) {
    this.rules = rules
    const count = 1 + rules.reduce((highest, { destinations }) => Math.max(highest, ...destinations), -1)
    this.#walked = new Uint16Array(count)
    this.#seen = new Uint32Array(count)
    this.hits = this.#walked
    for (let row = 0; row <= MARK_ROW; row++) {
      const walk: Rule[] = []
      for (const rule of rules) {
        if (!selectsRow(rule, row)) continue
        walk.push(rule)
        // What follows an unconditional stop is never reached.
        if (rule.stop && rule.condition === undefined) break
      }
      this.#walks.push(walk)
      const isFixed = walk.every((rule) => rule.condition === undefined)
      this.#fixed.push(isFixed ? Uint16Array.from(new Set(walk.flatMap(({ destinations }) => [...destinations]))) : undefined)
    }
  }

  /** Where the message at `start..end` goes. @returns how many of `hits` count; they hold until the next call */
  route(bytes: Uint8Array, start: number, end: number, context: MessageContext): number {
    const row = rowOf(bytes, start, end)
    const fixed = this.#fixed[row]
    if (fixed !== undefined) {
      this.hits = fixed
      return fixed.length
    }
    return this.#walk(row, bytes, start, end, context)
  }

  #walk(row: number, bytes: Uint8Array, start: number, end: number, context: MessageContext): number {
    const message = this.#message
    const hits = this.#walked
    const seen = this.#seen
    const walk = this.#walks[row]!
    this.#round = (this.#round + 1) >>> 0
    if (this.#round === 0) {
      seen.fill(0)
      this.#round = 1
    }
    message.begin(bytes, start, end)
    let count = 0
    for (let index = 0; index < walk.length; index++) {
      const rule = walk[index]!
      if (rule.condition !== undefined && !rule.condition.holds(message, context)) continue
      const { destinations } = rule
      for (let at = 0; at < destinations.length; at++) {
        const destination = destinations[at]!
        if (seen[destination] === this.#round) continue
        seen[destination] = this.#round
        hits[count++] = destination
      }
      if (rule.stop) break
    }
    this.hits = hits
    return count
  }
}
