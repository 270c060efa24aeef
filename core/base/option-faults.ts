import type { z } from 'zod'
import { nearest } from './nearest.ts'
import { type OptionNotes, optionNotes } from './option-notes.ts'
import { mustHide, shownValue } from './shown.ts'

type Path = readonly PropertyKey[]
type Schema = z.core.$ZodType
type Issue = z.core.$ZodIssue
/** The text of a scalar as written, or undefined. */
type SourceOf = (path: Path) => string | undefined

export interface OptionFault {
  readonly path: Path
  /** An unknown key is pointed at itself, any other fault by its value. */
  readonly at: 'key' | 'value'
  /** `found X, allowed Y` */
  readonly text: string
}

/**
 * Turns zod's issues into texts for the person who wrote the file: what stands there, what may stand there, and for an unknown key
 * the nearest known one. A key that is missing because it was misspelt is one fault, not two.
 */
export function optionFaults(error: z.core.$ZodError, schema: Schema, value: unknown, sourceOf: SourceOf): OptionFault[] {
  return faultsOf(error.issues, schema, value, [], sourceOf)
}

function faultsOf(issues: readonly Issue[], schema: Schema, value: unknown, base: Path, sourceOf: SourceOf): OptionFault[] {
  const faults: OptionFault[] = []
  const explained = new Set<string>()
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue
    const mapping = meantBy(schemaAt(schema, issue.path, value), valueAt(value, issue.path))
    for (const key of issue.keys) {
      faults.push({ path: [...base, ...issue.path, key], at: 'key', text: textOfUnknown(key, mapping) })
      // A key of another version stands for any that it would have made unnecessary here.
      const meant = unavailable(key, mapping) === undefined ? [nearest(key, keysOf(mapping))] : keysOf(mapping)
      for (const name of meant) if (name !== undefined) explained.add(keyOf([...issue.path, name]))
    }
  }
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') continue
    // A rule over a whole mapping counts once its parts are right.
    const isOuter = (other: Issue): boolean =>
      (other.path.length > issue.path.length || other.code !== 'custom') && isWithin(other.path, issue.path)
    if (issue.code === 'custom' && issues.some(isOuter)) continue
    const found = valueAt(value, issue.path)
    if (found === undefined && explained.has(keyOf(issue.path))) continue
    const expected = schemaAt(schema, issue.path, value)
    const path = [...base, ...issue.path]
    const branch = issue.code === 'invalid_union' && expected !== undefined ? branchOf(issue.errors, expected, found) : undefined
    if (branch !== undefined) faults.push(...faultsOf(branch.issues, branch.schema, found, path, sourceOf))
    else faults.push({ path, at: 'value', text: textOf(issue, expected, found, path, sourceOf) })
  }
  return faults
}

function textOf(issue: Issue, schema: Schema | undefined, value: unknown, path: Path, sourceOf: SourceOf): string {
  const reason = issue.code === 'custom' && value !== undefined && !mustHide(value, path) ? ` (${issue.message})` : ''
  return `found ${shownValue(value, path, sourceOf(path))}${reason}, allowed ${schema === undefined ? 'something else' : allowedBy(schema)}`
}

function textOfUnknown(key: string, mapping: Schema | undefined): string {
  const hint = unavailable(key, mapping)
  if (hint !== undefined) return `not available in this version; ${hint}`
  const known = keysOf(mapping)
  const meant = nearest(key, known)
  return `found an unknown key${meant === undefined ? '' : ` (did you mean "${meant}"?)`}, allowed ${known.join(', ')}`
}

function unavailable(key: string, mapping: Schema | undefined): string | undefined {
  const table = mapping === undefined ? undefined : noteOf(mapping, 'unavailable')
  return table !== undefined && Object.hasOwn(table, key) ? table[key] : undefined
}

/**
 * The branch of a union that the value was probably meant for: of its type, and for mappings with a key that the branch requires.
 * Undefined when none stands out; then the whole union is named.
 */
function branchOf(errors: readonly Issue[][], union: Schema, value: unknown): { schema: Schema; issues: readonly Issue[] } | undefined {
  const def = definition(bare(union))
  if (def.type !== 'union') return undefined
  const fitting = def.options
    .map((schema, at) => ({ schema, issues: errors[at] ?? [], score: requiredKeysIn(schema, value) }))
    .filter(({ issues }) => issues.length > 0 && !issues.some(isWrongFromTheStart))
    .sort((a, b) => b.score - a.score || a.issues.length - b.issues.length)
  const [best, next] = fitting
  return next !== undefined && best?.score === 0 ? undefined : best
}

function isWrongFromTheStart(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
}

function requiredKeysIn(schema: Schema, value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return definition(bare(schema)).type === 'array' ? 2 : 0
  const required = keysOf(schema).filter((key) => !isOptional(schema, key))
  const own = Object.keys(value)
  if (required.some((key) => own.includes(key))) return 2
  return own.some((key) => nearest(key, required) !== undefined) ? 1 : 0
}

function allowedBy(schema: Schema): string {
  const noted = noteOf(schema, 'allowed')
  if (noted !== undefined) return noted
  const inner = bare(schema)
  const def = definition(inner)
  switch (def.type) {
    case 'string':
      return 'text'
    case 'number':
      return 'a number'
    case 'boolean':
      return 'true or false'
    case 'literal':
      return def.values.join(' or ')
    case 'enum':
      return Object.values(def.entries)
        .join(', ')
        .replace(/, (?=[^,]*$)/, ' or ')
    case 'array':
      return `a list of ${allowedBy(def.element)}`
    case 'union':
      return def.options.map(allowedBy).join(', or ')
    case 'object': {
      const keys = keysOf(inner)
      const required = keys.filter((key) => !isOptional(inner, key))
      const optional = keys.filter((key) => isOptional(inner, key))
      return `a mapping with ${[required.join(', '), optional.length === 0 ? '' : `optionally ${optional.join(', ')}`].filter(Boolean).join(', ')}`
    }
    default:
      return 'something else'
  }
}

function noteOf<Name extends 'allowed' | 'unavailable'>(schema: Schema, name: Name): OptionNotes[Name] | undefined {
  for (let at: Schema | undefined = schema; at !== undefined; at = within(at)) {
    const note = optionNotes.get(at as z.ZodType)?.[name]
    if (note !== undefined) return note
  }
  return undefined
}

function schemaAt(schema: Schema, path: Path, value: unknown): Schema | undefined {
  let at: Schema | undefined = schema
  for (const [depth, key] of path.entries()) {
    const outer = meantBy(at, valueAt(value, path.slice(0, depth)))
    const def: z.core.$ZodTypes['_zod']['def'] | undefined = outer === undefined ? undefined : definition(bare(outer))
    if (def?.type === 'object') at = Object.hasOwn(def.shape, key) ? def.shape[String(key)] : undefined
    else if (def?.type === 'array') at = def.element
    else return undefined
  }
  return at
}

/** The branch that a mapping was meant for: zod reports the faults of a union's only viable branch without naming it. */
function meantBy(schema: Schema | undefined, value: unknown): Schema | undefined {
  if (schema === undefined) return undefined
  return branchesOf(schema).toSorted((a, b) => requiredKeysIn(b, value) - requiredKeysIn(a, value))[0]
}

/** Of a union, and of unions within it; anything else is its own only one. */
function branchesOf(schema: Schema): Schema[] {
  const def = definition(bare(schema))
  return def.type === 'union' ? def.options.flatMap(branchesOf) : [schema]
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce((at: unknown, key) => {
    return typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<PropertyKey, unknown>)[key] : undefined
  }, value)
}

function keysOf(schema: Schema | undefined): string[] {
  const def = schema === undefined ? undefined : definition(bare(schema))
  return def?.type === 'object' ? Object.keys(def.shape) : []
}

function isOptional(schema: Schema, key: string): boolean {
  return schemaAt(schema, [key], undefined)?._zod.optin !== undefined
}

function bare(schema: Schema): Schema {
  let at = schema
  for (let inner = within(at); inner !== undefined; inner = within(at)) at = inner
  return at
}

/** What a default, a transformation or the like is wrapped around; a schema that holds itself is made on demand. */
function within(schema: Schema): Schema | undefined {
  const def = definition(schema)
  if (def.type === 'lazy') return (schema as z.core.$ZodLazy)._zod.innerType
  if ('innerType' in def) return def.innerType as Schema
  return def.type === 'pipe' ? def.in : undefined
}

function definition(schema: Schema): z.core.$ZodTypes['_zod']['def'] {
  return schema._zod.def as z.core.$ZodTypes['_zod']['def']
}

function isWithin(path: Path, outer: Path): boolean {
  return outer.every((key, at) => path[at] === key)
}

function keyOf(path: Path): string {
  return JSON.stringify(path)
}
