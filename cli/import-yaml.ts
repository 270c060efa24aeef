// The agent.yaml that does what the old file did.

import * as path from 'node:path'
import { printable } from '../core/base/printable.ts'
import { compileSelector } from '../core/syslog/selector.ts'
import type { Dialect } from '../core/syslog/selector-names.ts'
import { quoted } from './import-action.ts'
import type { ConfEntry, ConfRule } from './import-conf.ts'

const TEXT_LIMIT = 1000

/** @param sources what the platform logs to */
export function agentYaml(entries: readonly ConfEntry[], files: readonly string[], dialect: Dialect): string {
  const socket = dialect === 'freebsd' ? '/var/run/log' : '/dev/log'
  const rules = withoutOuterBlanks(entries).map((entry) => entryYaml(entry, dialect))
  return `${[
    `# What ${files.map((file) => printable(file)).join(', ')} did, read as ${dialect} reads it. Made by loghop import.`,
    'identity: /var/lib/loghop/identity',
    'spool: { directory: /var/lib/loghop/spool, limit: 1GiB }',
    'sources:',
    `  - unix: ${socket}`,
    '  - internal',
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

function entryYaml(entry: ConfEntry, dialect: Dialect): string {
  switch (entry.kind) {
    case 'blank':
      return ''
    case 'comment':
      return `  #${printable(entry.text, TEXT_LIMIT)}`
    case 'include':
      return `  # from ${printable(entry.path)}, which ${ruleName(entry)} includes:`
    case 'not translated':
      return entry.text
        .split('\n')
        .map((text, at) => {
          const why = at === 0 ? `not translated, ${ruleName(entry)}: ${printable(entry.reason, TEXT_LIMIT)}: ` : ''
          return `  # ${why}${printable(text, TEXT_LIMIT)}`
        })
        .join('\n')
    case 'rule':
      return ruleYaml(entry, dialect)
    default:
      return entry satisfies never
  }
}

function ruleYaml(rule: ConfRule, dialect: Dialect): string {
  const keys = [`name: ${quoted(ruleName(rule))}`, `select: ${JSON.stringify(rule.select)}`]
  if (needsDialect(rule, dialect)) keys.push(`dialect: ${dialect}`)
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
function needsDialect(rule: ConfRule, dialect: Dialect): boolean {
  if (dialect === 'linux') return false
  if (rule.property !== undefined) return true
  const here = compileSelector(rule.select, dialect)
  const there = compileSelector(rule.select, 'linux')
  if (here.kind === 'malformed' || there.kind === 'malformed') return true
  // Marks are none of the messages that come from outside, and all that `*` differs in.
  const isMarked = /\bmark\b/i.test(rule.select)
  return (
    here.selector.bits.some((bits, at) => bits !== there.selector.bits[at]) ||
    (isMarked && here.selector.markBits !== there.selector.markBits)
  )
}
