// Property filters as rsyslog and FreeBSD's syslogd write them: `:msg, !contains, "error"`.

import { nearest } from '../base/nearest.ts'
import { type Condition, single } from './condition.ts'
import { compileRegex, posixToRe2 } from './linear-regex.ts'
import type { MessageContext, MessageFields } from './message-fields.ts'
import { FACILITIES, SEVERITIES } from './priority.ts'
import type { Dialect } from './selector-names.ts'

type Value = (message: MessageFields, context: MessageContext) => string

const tag: Value = (message) => {
  message.locate()
  const pid = message.field(message.procStart, message.procEnd)
  return `${message.field(message.appStart, message.appEnd)}${pid === '' ? '' : `[${pid}]`}:`
}
const program: Value = (message) => {
  message.locate()
  return message.field(message.appStart, message.appEnd)
}
const host: Value = (_, context) => context.host
const facility: Value = ({ pri }) => FACILITIES[pri >>> 3]!
const severity: Value = ({ pri }) => SEVERITIES[pri & 7]!

/** FreeBSD has the first four. */
const PROPERTIES: Readonly<Record<string, Value>> = {
  msg: (message) => message.text(),
  programname: program,
  hostname: host,
  source: host,
  'app-name': program,
  syslogtag: tag,
  procid: (message) => {
    message.locate()
    return message.field(message.procStart, message.procEnd)
  },
  msgid: (message) => {
    message.locate()
    return message.field(message.idStart, message.idEnd)
  },
  'structured-data': (message) => {
    message.locate()
    return message.string(message.dataStart, message.dataEnd)
  },
  fromhost: (_, context) => context.peer,
  'fromhost-ip': (_, context) => context.sourceIp,
  pri: ({ pri }) => String(pri),
  'pri-text': (message, context) => `${facility(message, context)}.${severity(message, context)}`,
  syslogfacility: ({ pri }) => String(pri >>> 3),
  'syslogfacility-text': facility,
  syslogseverity: ({ pri }) => String(pri & 7),
  'syslogseverity-text': severity,
  syslogpriority: ({ pri }) => String(pri & 7),
  'syslogpriority-text': severity,
}
const FREEBSD_PROPERTIES = ['msg', 'programname', 'hostname', 'source']
const OPERATIONS = ['contains', 'isequal', 'startswith', 'endswith', 'isempty', 'regex', 'ereregex']
const FREEBSD_OPERATIONS = ['contains', 'isequal', 'startswith', 'regex', 'ereregex']

export type PropertyResult = { kind: 'property'; condition: Condition } | { kind: 'malformed'; reason: string }

/**
 * Reads `property, [!]operation, "value"`, with or without the colon before it. On FreeBSD an operation may begin with `icase_`; rsyslog has `contains_i`
 * and `startswith_i`. rsyslog's msg begins with the space behind the tag, and so it does here in Linux's dialect.
 */
export function readProperty(text: string, dialect: Dialect): PropertyResult {
  const match = /^\s*:?\s*([\w-]+)\s*,\s*(!?)\s*(\w+)\s*(?:,\s*"((?:[^"\\]|\\.)*)"\s*)?$/s.exec(text)
  if (match === null) return { kind: 'malformed', reason: 'not of the form property, operation, "value"' }
  const [, written = '', not = '', operationWritten = '', quoted] = match
  const isFreebsd = dialect !== 'linux'
  const name = written.toLowerCase()
  const names = isFreebsd ? FREEBSD_PROPERTIES : Object.keys(PROPERTIES)
  if (!names.includes(name)) return unknown('property', written, names)
  const lower = operationWritten.toLowerCase()
  const isCaseless = isFreebsd ? lower.startsWith('icase_') : /_i$/.test(lower)
  const operation = lower.replace(/^icase_|_i$/, '')
  const operations = isFreebsd ? FREEBSD_OPERATIONS : OPERATIONS
  if (!operations.includes(operation)) return unknown('operation', operationWritten, operations)
  if (operation === 'isempty' ? quoted !== undefined : quoted === undefined)
    return { kind: 'malformed', reason: operation === 'isempty' ? 'a value behind isempty' : 'no value in quotes' }
  // Both take a backslash from before anything, so that an expression needs two where it means one.
  const wanted = (quoted ?? '').replace(/\\(.)/gs, '$1')
  const test = testOf(operation, wanted, isCaseless)
  if ('reason' in test) return { kind: 'malformed', reason: test.reason }
  const value = PROPERTIES[name]!
  const isSpaced = name === 'msg' && !isFreebsd && operation !== 'isempty'
  const isNegated = not === '!'
  const said = `property ${name}, ${not}${lower}${quoted === undefined ? '' : `, ${JSON.stringify(wanted)}`}`
  const condition = single(said, (message, context) => {
    const found = value(message, context)
    return test.test(isSpaced ? ` ${found}` : found) !== isNegated
  })
  return { kind: 'property', condition }
}

function unknown(what: string, word: string, known: readonly string[]): PropertyResult {
  const meant = nearest(word, known)
  const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`
  return { kind: 'malformed', reason: `unknown ${what} ${word}${hint}, the known ones are ${known.join(', ')}` }
}

function testOf(operation: string, wanted: string, isCaseless: boolean): { test: (found: string) => boolean } | { reason: string } {
  if (operation === 'regex' || operation === 'ereregex') {
    const result = compileRegex(posixToRe2(wanted, operation === 'regex'), isCaseless ? 'i' : '')
    return result.kind === 'regex' ? result.regex : { reason: result.reason }
  }
  const sought = isCaseless ? wanted.toLowerCase() : wanted
  const folded = (found: string): string => (isCaseless ? found.toLowerCase() : found)
  switch (operation) {
    case 'contains':
      return { test: (found) => folded(found).includes(sought) }
    case 'isequal':
      return { test: (found) => folded(found) === sought }
    case 'startswith':
      return { test: (found) => folded(found).startsWith(sought) }
    case 'endswith':
      return { test: (found) => folded(found).endsWith(sought) }
    default:
      return { test: (found) => found === '' }
  }
}
