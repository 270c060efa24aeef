// `when` of a rule: what a message must be beside its selector. Compiled once; what is not used costs nothing.

import { type Network, parseNetwork } from '../base/networks.ts'
import {
  allOf,
  anyOf,
  type Condition,
  hostCondition,
  matchCondition,
  notOf,
  programCondition,
  regexCondition,
  sourceAddressCondition,
  structuredDataCondition,
  tableCondition,
} from './condition.ts'
import { readFacilityList, readLevels } from './levels.ts'
import { readRegex } from './linear-regex.ts'
import { readNames } from './name-test.ts'
import { readProperty } from './property.ts'
import type { Dialect } from './selector-names.ts'

export const FILTER_DEPTH_MAX = 16

type Texts = string | readonly string[]

/** As it stands in the configuration. All that is named must hold; of a list one. */
export interface FilterOptions {
  readonly program?: Texts | undefined
  readonly host?: Texts | undefined
  readonly peer?: Texts | undefined
  /** Addresses and networks, for `$SOURCEIP`. */
  readonly source_address?: Texts | undefined
  readonly facility?: Texts | undefined
  readonly level?: Texts | undefined
  /** Text that MSG has in it. */
  readonly match?: Texts | undefined
  /** `/regex/` over MSG. */
  readonly message?: string | undefined
  readonly structured_data?: { readonly id: string; readonly name?: string | undefined; readonly value?: string | undefined } | undefined
  /** `msg, contains, "text"`, in the dialect of the rule. */
  readonly property?: Texts | undefined
  readonly all?: readonly FilterOptions[] | undefined
  readonly any?: readonly FilterOptions[] | undefined
  readonly not?: FilterOptions | undefined
}

export interface FilterFault {
  readonly path: readonly (string | number)[]
  readonly reason: string
}

export interface Filter {
  /** What must hold; undefined when that is nothing beside the table. */
  readonly condition: Condition | undefined
  /** The facilities and levels it can be true for, a bit each; the whole answer as far as `facility` and `level` of the outermost go. */
  readonly bits: Uint8Array | undefined
}

export type FilterResult = { kind: 'filter'; filter: Filter } | { kind: 'malformed'; faults: readonly FilterFault[] }

export function compileFilter(options: FilterOptions, dialect: Dialect = 'linux'): FilterResult {
  const faults: FilterFault[] = []
  const bits = tableOf(options, [], faults)
  const conditions = conditionsOf(options, dialect, [], faults)
  if (faults.length > 0) return { kind: 'malformed', faults }
  return { kind: 'filter', filter: { bits, condition: conditions.length === 0 ? undefined : allOf(conditions) } }
}

type Path = FilterFault['path']

/** All but facility and level, which are the table's. */
function conditionsOf(options: FilterOptions, dialect: Dialect, path: Path, faults: FilterFault[]): Condition[] {
  const conditions: Condition[] = []
  if (path.length > FILTER_DEPTH_MAX * 2) {
    faults.push({ path, reason: `over ${FILTER_DEPTH_MAX} levels deep` })
    return conditions
  }
  const refuse = (key: string, reason: string): void => void faults.push({ path: [...path, key], reason })
  const names = (key: 'program' | 'host' | 'peer'): void => {
    const written = options[key]
    if (written === undefined) return
    const result = readNames(listed(written).join(','), key !== 'program')
    if (result.kind === 'malformed') refuse(key, result.reason)
    else if (result.names !== undefined)
      conditions.push(key === 'program' ? programCondition(result.names) : hostCondition(result.names, key))
  }
  names('program')
  names('host')
  names('peer')
  if (options.source_address !== undefined) {
    const texts = listed(options.source_address)
    const networks = texts.map(parseNetwork)
    if (networks.includes(undefined)) refuse('source_address', 'neither an address nor a network')
    else conditions.push(sourceAddressCondition(networks as Network[], texts.join(',')))
  }
  if (options.structured_data !== undefined) {
    const { id, name, value } = options.structured_data
    if (value !== undefined && name === undefined) refuse('structured_data', 'a value without the name of its parameter')
    else conditions.push(structuredDataCondition(id, name, value))
  }
  if (options.match !== undefined) {
    const texts = listed(options.match)
    if (texts.length === 0 || texts.includes('')) refuse('match', 'an empty text, which is in every message')
    else conditions.push(matchCondition(texts))
  }
  if (options.message !== undefined) {
    const result = readRegex(options.message)
    if (result.kind === 'malformed') refuse('message', result.reason)
    else conditions.push(regexCondition(result.regex))
  }
  if (options.property !== undefined) {
    const parts: Condition[] = []
    for (const text of listed(options.property)) {
      const result = readProperty(text, dialect)
      if (result.kind === 'malformed') refuse('property', result.reason)
      else parts.push(result.condition)
    }
    if (parts.length > 0) conditions.push(allOf(parts))
  }
  const whole = (part: FilterOptions, at: Path): Condition => {
    const table = tableOf(part, at, faults)
    const parts = conditionsOf(part, dialect, at, faults)
    if (table !== undefined) parts.unshift(tableCondition(tableText(part), table))
    if (parts.length === 0 && faults.length === 0) faults.push({ path: at, reason: 'an empty mapping, which tests nothing' })
    return allOf(parts)
  }
  for (const key of ['all', 'any'] as const) {
    const parts = options[key]
    if (parts === undefined) continue
    if (parts.length === 0) {
      refuse(key, 'an empty list')
      continue
    }
    const made = parts.map((part, at) => whole(part, [...path, key, at]))
    conditions.push(key === 'all' ? allOf(made) : anyOf(made))
  }
  if (options.not !== undefined) conditions.push(notOf(whole(options.not, [...path, 'not'])))
  return conditions
}

function tableOf(options: FilterOptions, path: Path, faults: FilterFault[]): Uint8Array | undefined {
  if (options.facility === undefined && options.level === undefined) return undefined
  const levels = readLevels(options.level === undefined ? '*' : listed(options.level).join(','))
  const facilities = readFacilityList(options.facility === undefined ? '*' : listed(options.facility).join(','))
  if (levels.kind === 'malformed') faults.push({ path: [...path, 'level'], reason: levels.reason })
  if (facilities.kind === 'malformed') faults.push({ path: [...path, 'facility'], reason: facilities.reason })
  if (levels.kind === 'malformed' || facilities.kind === 'malformed') return undefined
  return Uint8Array.from({ length: 24 }, (_, code) => ((facilities.bits >>> code) & 1 ? levels.bits : 0))
}

function tableText({ facility, level }: FilterOptions): string {
  const words = []
  if (facility !== undefined) words.push(`facility ${listed(facility).join(',')}`)
  if (level !== undefined) words.push(`level ${listed(level).join(',')}`)
  return words.join(' and ')
}

function listed(texts: Texts): readonly string[] {
  return typeof texts === 'string' ? [texts] : texts
}
