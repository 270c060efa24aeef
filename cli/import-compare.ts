// An old log, line by line through both readings: what the old file says, and what the rules made of it do.

import * as fs from 'node:fs'
import { LoghopError } from '../core/base/errors.ts'
import { printable } from '../core/base/printable.ts'
import type { RuleOptions } from '../core/destinations/rule-options.ts'
import { compileRule, RuleList } from '../core/pipeline/rules.ts'
import { messageContext } from '../core/syslog/message-fields.ts'
import { FACILITIES, PRI_LIMIT, SEVERITIES } from '../core/syslog/priority.ts'
import type { Dialect } from '../core/syslog/selector-names.ts'
import type { ConfEntry } from './import-conf.ts'
import { ruleName } from './import-yaml.ts'
import { type PlainMessage, plainLines, readPlain } from './plain-reading.ts'

const LOG_LIMIT_BYTES = 256 << 20
const LISTED_PRIORITIES = 4

export interface OldFile {
  readonly file: string
  readonly text: string
}

export interface Comparison {
  readonly lines: number
  /** Each line that would land elsewhere, told for a person. */
  readonly differences: readonly string[]
}

type Heard = Omit<PlainMessage, 'facility' | 'severity'> & { readonly pri: number | undefined }

/**
 * Compares the two. A line that bears no PRI, as those of files never do, is tried with each of the 192.
 * @param rules as the new file's loader gives them
 */
export function compareReadings(
  log: string,
  files: readonly OldFile[],
  entries: readonly ConfEntry[],
  rules: readonly RuleOptions[],
  dialect: Dialect,
): Comparison {
  const old = files.map(({ file, text }) => ({ file, lines: readPlain(text, dialect) }))
  const list = new RuleList(rules.map((rule, at) => compileRule(rule, at + 1, [at])))
  const names = rules.map((rule, at) => rule.name ?? `rule ${at + 1}`)
  const order = new Map(entries.map((entry, at) => [ruleName(entry), at]))
  const lines = log.split('\n').filter((line) => line !== '')
  const differences: string[] = []
  for (const [at, line] of lines.entries()) {
    const heard = hear(line)
    const bad: string[] = []
    const priorities = heard.pri === undefined ? Array.from({ length: PRI_LIMIT + 1 }, (_, pri) => pri) : [heard.pri]
    for (const pri of priorities) {
      const message = { ...heard, facility: pri >>> 3, severity: pri & 7 }
      // Included files are read apart: a `stop` in one is not known in the others, and would be told as a difference.
      const before = old
        .flatMap(({ file, lines: own }) => plainLines(own, message).map((number) => ruleName({ file, line: number })))
        .toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
      const bytes = Buffer.from(canonical(message))
      const context = messageContext({ host: heard.host })
      const count = list.route(bytes, 0, bytes.length, context)
      const after = [...list.hits.subarray(0, count)].map((one) => names[one]!)
      if (before.join() !== after.join()) {
        const shown = (found: readonly string[]): string => (found.length === 0 ? 'none' : found.join(', '))
        bad.push(`${FACILITIES[pri >>> 3]}.${SEVERITIES[pri & 7]} was taken by ${shown(before)}, is taken by ${shown(after)}`)
      }
    }
    if (bad.length > 0) {
      const more = bad.length > LISTED_PRIORITIES ? `; and ${bad.length - LISTED_PRIORITIES} more` : ''
      differences.push(`line ${at + 1}: ${bad.slice(0, LISTED_PRIORITIES).join('; ')}${more}: ${printable(line, 200)}`)
    }
  }
  return { lines: lines.length, differences }
}

/** @throws {LoghopError} */
export function readLog(file: string): string {
  try {
    const { size } = fs.statSync(file)
    if (size <= LOG_LIMIT_BYTES) return fs.readFileSync(file, 'utf8')
  } catch (cause) {
    throw new LoghopError('IMPORT', `Cannot read the log ${file}: ${(cause as Error).message}`, 'Name a file that this user may read', {
      cause,
    })
  }
  throw new LoghopError(
    'IMPORT',
    `Cannot compare ${file}: it has over ${LOG_LIMIT_BYTES} bytes`,
    'Compare a part of it, such as its last day',
  )
}

/** A line of a log in the traditional form, in that of RFC 3339, or with a PRI before either. */
function hear(line: string): Heard {
  const match = /^(?:<(\d{1,3})>(?:1 )?)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) (\S+) (.*)$/s.exec(line)
  const pri = match?.[1] === undefined || Number(match[1]) > PRI_LIMIT ? undefined : Number(match[1])
  if (match === null) return { pri, host: '', program: '', pid: '', text: line }
  const [, , host = '', rest = ''] = match
  const rfc5424 = /^(\S+) (\S+) (\S+) (-|\[.*?\]) ?(.*)$/s.exec(rest)
  if (/^<\d+>1 /.test(line) && rfc5424 !== null) {
    const [, app = '', pid = '', , , text = ''] = rfc5424
    return { pri, host, program: app === '-' ? '' : app, pid: pid === '-' ? '' : pid, text }
  }
  const tagged = /^([^\s:[\]]{1,48})(?:\[([^\]\s]{1,128})\])?: ?(.*)$/s.exec(rest)
  if (tagged === null) return { pri, host, program: '', pid: '', text: rest }
  return { pri, host, program: tagged[1]!, pid: tagged[2] ?? '', text: tagged[3]! }
}

function canonical({ facility, severity, host, program, pid, text }: PlainMessage): string {
  const field = (value: string): string => (/^[!-~]+$/.test(value) ? value : '-')
  return `<${facility * 8 + severity}>1 2026-01-01T00:00:00Z ${field(host)} ${field(program)} ${field(pid)} - - ${text}`
}
