// The right side of a line of syslog.conf: where the messages go. The signs before it mean different things to different syslogds.

import type { Dialect } from '../core/syslog/selector-names.ts'

/** What becomes of it in YAML, and for whom. */
export interface Action {
  /** As it stands in the old file, the same for the same place. */
  readonly text: string
  /** The value of `to`, written as flow YAML. */
  readonly yaml: string
  /** Lines have a form only in some destinations. */
  readonly format: string | undefined
}

export type ActionResult =
  | { readonly action: Action; readonly isLast: boolean; readonly remarks: readonly string[] }
  | { readonly reason: string }

const SYSLOG_PORT = 514
const USERS = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?(\s*,\s*[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?)*$/
const PROTOCOLS: Readonly<Record<string, string>> = { udp: 'udp', tcp: 'tcp', tls: 'syslog-tls' }
const PLAIN_REMARK = 'it leaves this host without encryption; relays: carries everything safely'

/** @param format of files that name none */
export function readAction(text: string, dialect: Dialect, format: string): ActionResult {
  const done = (yaml: string, isFormatted: boolean, remarks: string[] = [], isLast = false): ActionResult => ({
    action: { text, yaml, format: isFormatted ? format : undefined },
    isLast,
    remarks,
  })
  const path = /^-?(\/\S*)$/.exec(text)?.[1]
  if (path !== undefined) {
    if (path.endsWith('/') || path.split('/').includes('..')) return { reason: 'a path that no file of ours may have' }
    const isUnsynced = text.startsWith('-')
    // A sign that we would read as a macro stands for itself.
    return done(quoted((isUnsynced ? '-' : '') + path.replaceAll('$', '$$$$')), true)
  }
  if (text === '*' || text === ':omusrmsg:*') return done('"*"', false)
  if (text.startsWith('|')) return piped(text.slice(1).trim(), dialect, done)
  if (text.startsWith('@')) return forwarded(text, dialect, done)
  if (dialect === 'linux') {
    if (text === '~' || text === 'stop') return done('{ discard: true }', false, [], true)
    if (text.startsWith('?')) return { reason: 'a file named by a template; write it as to: with macros such as $HOST' }
    if (text.startsWith('^')) return { reason: 'a program started for each message; write program:, which reads them from its input' }
    if (text.startsWith(':omusrmsg:')) return readAction(text.slice(':omusrmsg:'.length), dialect, format)
    if (/^:\w+:/.test(text)) return { reason: `an output module of rsyslog, ${text.split(':')[1]}` }
    if (/^(action|call|if|set)\b/.test(text)) return { reason: "rsyslog's own language, RainerScript" }
  }
  if (dialect === 'openbsd' && text.startsWith(':'))
    return { reason: 'a buffer in memory, which syslogc(8) reads; there is none such here' }
  if (USERS.test(text)) return done(quoted(text.replace(/\s/g, '')), false)
  return { reason: `an action that is not known: ${text}` }
}

type Done = (yaml: string, isFormatted: boolean, remarks?: string[]) => ActionResult

/** A named pipe on Linux, a program on the BSDs. */
function piped(text: string, dialect: Dialect, done: Done): ActionResult {
  if (text === '') return { reason: 'nothing behind the bar' }
  if (dialect !== 'linux') return done(`{ program: ${quoted(text)} }`, true)
  if (!text.startsWith('/')) return { reason: 'a pipe whose path is not absolute' }
  return done(`{ pipe: ${quoted(text)} }`, true)
}

function forwarded(text: string, dialect: Dialect, done: Done): ActionResult {
  const url = dialect === 'openbsd' ? /^@(udp|tcp|tls)[46]?:\/\/(.+)$/.exec(text) : null
  const isTcp = dialect === 'linux' && text.startsWith('@@')
  const protocol = url !== null ? PROTOCOLS[url[1]!]! : isTcp ? 'tcp' : 'udp'
  const rest = (url?.[2] ?? text.slice(isTcp ? 2 : 1)).replace(/^\([^)]*\)/, '').trim()
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\w+))?$/.exec(rest)
  if (match === null) return { reason: `no address: ${rest}` }
  const port = match[2] ?? (protocol === 'syslog-tls' ? '6514' : String(SYSLOG_PORT))
  if (!/^\d{1,5}$/.test(port) && port !== 'syslog') return { reason: `a port by its name: ${port}` }
  const address = `${match[1]}:${port === 'syslog' ? SYSLOG_PORT : port}`
  if (protocol === 'syslog-tls') return done(`{ forward: [ ${quoted(address)} ], protocol: syslog-tls }`, false)
  return done(`{ forward: [ ${quoted(address)} ], protocol: ${protocol}, plaintext: accepted }`, false, [PLAIN_REMARK])
}

/** A text in double quotes, as YAML and JSON both read it; plain where that is clear. */
export function quoted(text: string): string {
  return /^[/A-Za-z][\w/.=+-]*$/.test(text) && !/^(true|false|null|yes|no|on|off)$/i.test(text) ? text : JSON.stringify(text)
}
