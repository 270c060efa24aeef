// Every example of docs/rules.md is so.

import test from 'ava'
import { readConf } from '../../../cli/import-conf.ts'
import { agentYaml } from '../../../cli/import-yaml.ts'
import { rulesDocument } from '../../../core/destinations/rule-options.ts'
import { compileRule } from '../../../core/pipeline/rules.ts'
import { lineFormat } from '../../../core/syslog/line-format.ts'
import { MACRO_NAMES } from '../../../core/syslog/macro-values.ts'
import { MessageFields, messageContext } from '../../../core/syslog/message-fields.ts'
import { SEVERITIES } from '../../../core/syslog/priority.ts'
import { compileSelector } from '../../../core/syslog/selector.ts'
import { DIALECTS, type Dialect, FACILITY_WORDS } from '../../../core/syslog/selector-names.ts'
import { load } from '../../support/configuration.ts'
import { codeIn, Manual } from '../../support/manual.ts'

const MANUAL = new Manual('rules.md')

/** `emerg..crit, info`. */
function shown(bits: number): string {
  const parts: string[] = []
  for (let level = 0; level < 8; level++) {
    if (((bits >>> level) & 1) === 0) continue
    const first = level
    while (level < 7 && ((bits >>> (level + 1)) & 1) === 1) level++
    parts.push(first === level ? SEVERITIES[level]! : `${SEVERITIES[first]}..${SEVERITIES[level]}`)
  }
  return parts.length === 0 ? 'nothing' : parts.join(', ')
}

test('the rules of the manual are read and compiled', (t) => {
  const examples = MANUAL.blocks('yaml')
  t.is(examples.length, 6)
  for (const example of examples)
    for (const [at, rule] of load(example, rulesDocument).rules.entries()) t.notThrows(() => compileRule(rule, at + 1, [0]))
})

test('each selector of the manual chooses what the table says, in each dialect', (t) => {
  const table = MANUAL.rows('| selector | linux | freebsd | openbsd |')
  t.is(table.length, 10)
  for (const [selector, ...expected] of table)
    for (const [at, dialect] of DIALECTS.entries()) {
      const result = compileSelector(selector!.replaceAll('`', ''), dialect)
      t.is(result.kind === 'selector' ? shown(result.selector.bits[2]!) : 'refused', expected[at] ?? '', `${selector} ${dialect}`)
    }
})

test('the manual names every facility and every macro', (t) => {
  for (const word of FACILITY_WORDS) if (!/^local[1-6]$/.test(word)) t.regex(MANUAL.text, new RegExp(`\\b${word}\\b`), word)
  const macros = MANUAL.rows('| macro | stands for |').join(' ')
  for (const name of MACRO_NAMES) t.regex(macros, new RegExp(`\\b${name}\\b`), name)
})

const MESSAGE = Buffer.from(/^The message `(<86>1 .*)` from/m.exec(MANUAL.text)![1]!)

function line(format: string): string {
  const result = lineFormat(format, () => 0)
  if (result.kind === 'malformed') throw new Error(result.reason)
  const fields = new MessageFields()
  fields.begin(MESSAGE, 0, MESSAGE.length)
  const target = Buffer.alloc(4096)
  const context = messageContext({ host: 'web01.example.com', sourceIp: '192.0.2.1', receivedUs: Date.UTC(2026, 10, 23, 2, 50, 1) * 1000 })
  return target.toString('utf8', 0, result.format.write(fields, context, target, 0) - 1)
}

test('the formats give the lines of the manual', (t) => {
  const table = MANUAL.rows('| format | line |')
  t.is(table.length, 4)
  for (const [format, expected] of table) t.is(`\`${line(/`([^`]+)`/.exec(format!)![1]!)}\``, expected!)
  t.deepEqual(JSON.parse(line('json')), JSON.parse(MANUAL.blocks('json')[0]!))
})

test('every destination of the manual is taken', (t) => {
  const table = MANUAL.rows('| `to` | goes to |')
  t.is(table.length, 12)
  for (const [written] of table)
    for (const to of codeIn(written!))
      t.notThrows(() => load(`rules: [ { to: ${to.startsWith('{') ? to : JSON.stringify(to)} } ]`, rulesDocument), to)
})

for (const dialect of ['freebsd', 'linux'] satisfies Dialect[])
  test(`the syslog.conf of ${dialect} in the manual becomes the rules behind it`, (t) => {
    const conf = MANUAL.blocks(`syslog.conf ${dialect}`)[0]!
    const made = agentYaml(readConf(conf, '/etc/syslog.conf', dialect), ['/etc/syslog.conf'], dialect)
    const from = MANUAL.text.indexOf(conf)
    const expected = /^```yaml\n([\s\S]*?)^```$/m.exec(MANUAL.text.slice(from))![1]!
    t.is(made.slice(made.indexOf('rules:')), expected)
  })
