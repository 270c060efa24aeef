// The agent.yaml that does what the old file did.

import * as path from 'node:path'
import { printable } from '../core/base/printable.ts'
import { formatDuration } from '../core/base/quantities.ts'
import { MARK_EVERY_MS } from '../core/pipeline/mark-source.ts'
import { compileSelector } from '../core/syslog/selector.ts'
import type { Dialect } from '../core/syslog/selector-names.ts'
import { quoted } from './import-action.ts'
import type { ConfEntry, ConfRule } from './import-conf.ts'

const TEXT_LIMIT = 1000

/** @param sources what the platform logs to */
export function agentYaml(entries: readonly ConfEntry[], files: readonly string[], dialect: Dialect): string {
  const socket = dialect === 'freebsd' ? '/var/run/log' : '/dev/log'
  const markEveryMs = marksEveryMs(entries, dialect)
  const rules = withoutOuterBlanks(entries).map((entry) => entryYaml(entry, dialect, markEveryMs !== undefined))
  return `${[
    `# What ${files.map((file) => printable(file)).join(', ')} did, read as ${dialect} reads it. Made by loghop import.`,
    'identity: /var/lib/loghop/identity',
    'spool: { directory: /var/lib/loghop/spool, limit: 1GiB }',
    'sources:',
    `  - unix: ${socket}`,
    '  - internal',
    ...(markEveryMs === undefined ? [] : [`  - mark: ${formatDuration(markEveryMs)}`]),
    'relays: [ relay.example.com:6514 ]  # put yours here',
    entries.some(({ kind }) => kind === 'rule') ? 'rules:' : 'rules: []',
    ...rules,
  ].join('\n')}\n`
}

function withoutOuterBlanks(entries: readonly ConfEntry[]): readonly ConfEntry[] {
  const first = entries.findIndex(({ kind }) => kind !== 'blank')
  const last = entries.findLastIndex(({ kind }) => kind !== 'blank')
  return first === -1 ? [] : entries.slice(first, last + 1)
}

/** What a rule is called: where it stood. */
export function ruleName(entry: { readonly file: string; readonly line: number }): string {
  return `${path.basename(entry.file)}:${entry.line}`
}

/** How often the old syslogd is to be taken to have written marks: where its file speaks of them; undefined where it does not. */
function marksEveryMs(entries: readonly ConfEntry[], dialect: Dialect): number | undefined {
  const settings = entries.filter((entry) => entry.kind === 'mark')
  const isWanted = settings.length > 0 || entries.some((entry) => entry.kind === 'rule' && namesMarks(entry, dialect))
  return isWanted ? (settings.findLast(({ everyMs }) => everyMs !== undefined)?.everyMs ?? MARK_EVERY_MS) : undefined
}

function namesMarks({ select }: ConfRule, dialect: Dialect): boolean {
  const compiled = compileSelector(select, dialect)
  return /\bmark\b/i.test(select) && compiled.kind === 'selector' && compiled.selector.markBits !== 0
}

function entryYaml(entry: ConfEntry, dialect: Dialect, hasMarks: boolean): string {
  switch (entry.kind) {
    case 'blank':
      return ''
    case 'comment':
      return `  #${printable(entry.text, TEXT_LIMIT)}`
    case 'include':
      return `  # from ${printable(entry.path)}, which ${ruleName(entry)} includes:`
    case 'mark':
      return `  # ${ruleName(entry)}, see mark in sources: ${printable(entry.text, TEXT_LIMIT)}`
    case 'not translated':
      return entry.text
        .split('\n')
        .map((text, at) => {
          const why = at === 0 ? `not translated, ${ruleName(entry)}: ${printable(entry.reason, TEXT_LIMIT)}: ` : ''
          return `  # ${why}${printable(text, TEXT_LIMIT)}`
        })
        .join('\n')
    case 'rule':
      return ruleYaml(entry, dialect, hasMarks)
    default:
      return entry satisfies never
  }
}

function ruleYaml(rule: ConfRule, dialect: Dialect, hasMarks: boolean): string {
  const keys = [`name: ${quoted(ruleName(rule))}`, `select: ${JSON.stringify(rule.select)}`]
  if (needsDialect(rule, dialect, hasMarks)) keys.push(`dialect: ${dialect}`)
  if (rule.program !== undefined) keys.push(`program: ${JSON.stringify(rule.program)}`)
  if (rule.host !== undefined) keys.push(`host: ${JSON.stringify(rule.host)}`)
  if (rule.property !== undefined) keys.push(`when: { property: ${JSON.stringify(rule.property)} }`)
  keys.push(`to: ${rule.action.yaml}`)
  if (rule.action.format !== undefined) keys.push(`format: ${rule.action.format}`)
  if (rule.stop) keys.push('stop: true')
  const remarks = rule.remarks.map((remark) => `  # ${printable(remark, TEXT_LIMIT)}\n`).join('')
  return `${remarks}  - { ${keys.join(', ')} }`
}

/** Whether the words mean something else in Linux's dialect, which rules have where they name none. */
function needsDialect(rule: ConfRule, dialect: Dialect, hasMarks: boolean): boolean {
  if (dialect === 'linux') return false
  if (rule.property !== undefined) return true
  const here = compileSelector(rule.select, dialect)
  const there = compileSelector(rule.select, 'linux')
  if (here.kind === 'malformed' || there.kind === 'malformed') return true
  // `*` differs in the marks alone, which matters where there are any.
  const marksMatter = hasMarks || /\bmark\b/i.test(rule.select)
  return (
    here.selector.bits.some((bits, at) => bits !== there.selector.bits[at]) ||
    (marksMatter && here.selector.markBits !== there.selector.markBits)
  )
}
