import { z } from 'zod'
import { optionNotes } from './option-notes.ts'

export type Quantity = { kind: 'ok'; value: number } | { kind: 'malformed'; reason: string }

export interface QuantityLimits {
  /** What the option is for, a phrase; limits and default are appended to it in the description. */
  readonly sense?: string
  readonly min: number
  readonly max: number
  /** Without one the option is required. */
  readonly fallback?: number
}

/** From the largest to the smallest, so that formatting takes the first that divides. */
type Units = readonly (readonly [name: string, factor: number])[]

const BINARY_UNITS: Units = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
]
const SIZE_UNITS: Units = [['TB', 1e12], ['GB', 1e9], ['MB', 1e6], ['kB', 1e3], ...BINARY_UNITS]
const DURATION_UNITS: Units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
  ['ms', 1],
]

/** Reads `1GiB`, `500 MB` or `4096` as bytes. Units in any case; one letter (`10M`) is refused, as it says 1000 to some and 1024 to others. */
export function parseSize(text: string): Quantity {
  return parseQuantity(text, SIZE_UNITS, 1)
}

/** Reads `30s`, `2 min`, `500ms`, `1h` or `30d` as milliseconds. A number without a unit is refused. */
export function parseDuration(text: string): Quantity {
  return parseQuantity(text, DURATION_UNITS, undefined)
}

/** Bytes as people write them, and as parseSize reads them: `64KiB`, `1GiB`, `1000B`. */
export function formatSize(bytes: number): string {
  return format(bytes, BINARY_UNITS)
}

/** Milliseconds as people write them, and as parseDuration reads them: `10s`, `1500ms`. */
export function formatDuration(milliseconds: number): string {
  return format(milliseconds, DURATION_UNITS)
}

/** An option in bytes, from text such as `1GiB` or from a whole number; limits are inclusive. */
export function sizeOption(limits: QuantityLimits): z.ZodType<number> {
  return quantityOption(z.union([z.string(), z.number()]), limits, 'a size such as', formatSize, parseSize)
}

/** An option in milliseconds, from text such as `10s`; limits are inclusive. */
export function durationOption(limits: QuantityLimits): z.ZodType<number> {
  return quantityOption(z.string(), limits, 'a duration such as', formatDuration, parseDuration)
}

function quantityOption(
  input: z.ZodType<string | number>,
  limits: QuantityLimits,
  example: string,
  formatted: (value: number) => string,
  parsed: (text: string) => Quantity,
): z.ZodType<number> {
  const { sense, min, max, fallback } = limits
  const range = `from ${formatted(min)} to ${formatted(max)}`
  const quantity = input.transform((written, context) => {
    const result = parsed(String(written))
    const reason = result.kind === 'malformed' ? result.reason : outside(result.value, min, max)
    if (result.kind === 'ok' && reason === undefined) return result.value
    context.addIssue({ code: 'custom', message: reason ?? '' })
    return z.NEVER
  })
  const noted = quantity.register(optionNotes, { allowed: `${example} ${formatted(fallback ?? min)}, ${range}` })
  const described = `${sense === undefined ? '' : `${sense}: `}${example} ${formatted(fallback ?? min)}, ${range}`
  if (fallback === undefined) return noted.describe(`${described}; required`)
  return noted.default(fallback).describe(`${described}; default ${formatted(fallback)}`)
}

function outside(value: number, min: number, max: number): string | undefined {
  if (value < min) return 'too small'
  return value > max ? 'too large' : undefined
}

function parseQuantity(text: string, units: Units, bareFactor: number | undefined): Quantity {
  const names = units.map(([name]) => name).join(', ')
  const match = /^(\d{1,16})[ \t]*([A-Za-z]*)$/.exec(text.trim())
  if (match === null) return { kind: 'malformed', reason: `not a whole number followed by one of ${names}` }
  const [, digits = '', unit = ''] = match
  const factor = unit === '' ? bareFactor : units.find(([name]) => name.toLowerCase() === unit.toLowerCase())?.[1]
  if (factor === undefined) return { kind: 'malformed', reason: unit === '' ? `no unit, one of ${names}` : unknownUnit(unit, units, names) }
  const value = Number(digits) * factor
  return Number.isSafeInteger(value) ? { kind: 'ok', value } : { kind: 'malformed', reason: `over ${Number.MAX_SAFE_INTEGER}` }
}

function unknownUnit(unit: string, units: Units, names: string): string {
  const meant = units.map(([name]) => name).filter((name) => name.length > 1 && name.toLowerCase().startsWith(unit.toLowerCase()))
  return meant.length > 1 ? `unit "${unit}" could be ${meant.join(' or ')}` : `unit "${unit}" is none of ${names}`
}

function format(value: number, units: Units): string {
  const [name, factor] = units.find(([, size]) => value >= size && value % size === 0) ?? units[units.length - 1]!
  return `${value / factor}${name}`
}
