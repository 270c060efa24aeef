// The rules, in order, over one message after another. Hot: bench/micro/rules.ts. What depends on the PRI alone is worked out for each of the 192 when the
// rules are made, so that a message costs one look-up however many rules there are; only rules with further tests are walked.

import { allOf, type Condition, hostCondition, programCondition } from '../syslog/condition.ts'
import { compileFilter, type FilterOptions } from '../syslog/filter.ts'
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

export class RuleList {
  readonly rules: readonly Rule[]
  /** The destinations of the last message, in the order of the rules, each once; only the first `route()` of them count. */
  hits: Uint16Array
  /** Per PRI the destinations, where they depend on nothing else. */
  readonly #fixed: Array<Uint16Array | undefined> = []
  /** Per PRI the rules to walk, where they do not. */
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
    for (let pri = 0; pri <= PRI_LIMIT; pri++) {
      const walk: Rule[] = []
      for (const rule of rules) {
        if (!selectsPri(rule.bits, pri)) continue
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
    const packed = readPri(bytes, start, end)
    const pri = packed === -1 ? PRI_DEFAULT : packed >>> 3
    const fixed = this.#fixed[pri]
    if (fixed !== undefined) {
      this.hits = fixed
      return fixed.length
    }
    return this.#walk(pri, bytes, start, end, context)
  }

  /**
   * Where a mark of the daemon itself goes, which has a facility of its own. Rules with further tests take none.
   * @returns as route() does
   */
  routeMark(severity: number): number {
    const chosen = new Set<number>()
    for (const rule of this.rules) {
      if (((rule.markBits >>> severity) & 1) === 0 || rule.condition !== undefined) continue
      for (const destination of rule.destinations) chosen.add(destination)
      if (rule.stop) break
    }
    this.hits = Uint16Array.from(chosen)
    return chosen.size
  }

  #walk(pri: number, bytes: Uint8Array, start: number, end: number, context: MessageContext): number {
    const message = this.#message
    const hits = this.#walked
    const seen = this.#seen
    const walk = this.#walks[pri]!
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
