// What the old syslogd did with a message, told from the text of its file each time anew: slow, and written apart from the rules, so that the two can be compared.

import type { Dialect } from '../core/syslog/selector-names.ts'

export interface PlainMessage {
  /** 0 to 23 and 0 to 7. */
  readonly facility: number
  readonly severity: number
  readonly program: string
  readonly pid: string
  readonly host: string
  readonly text: string
}

export interface PlainLine {
  readonly line: number
  readonly takes: (message: PlainMessage) => boolean
  /** Whether no later line of the file sees what this one took. */
  isLast: boolean
}

const FACILITY_NAMES = 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit console clock'.split(' ')
const LEVEL_NAMES = 'emerg alert crit err warning notice info debug'.split(' ')
const LEVEL_ALIASES: Readonly<Record<string, string>> = { panic: 'emerg', error: 'err', warn: 'warning' }

/** Numbers of the lines of this file, as it stands, that take the message. */
export function plainLines(lines: readonly PlainLine[], message: PlainMessage): number[] {
  const taken: number[] = []
  for (const line of lines) {
    if (!line.takes(message)) continue
    taken.push(line.line)
    if (line.isLast) break
  }
  return taken
}

/** Reads one file. What no syslogd of this kind takes for a line of selectors is left out. */
export function readPlain(text: string, dialect: Dialect): PlainLine[] {
  const found: PlainLine[] = []
  let program = ''
  let host = ''
  let property = ''
  let isQuick = false
  let held = ''
  let heldLine = 0
  for (const [at, raw] of text.split('\n').entries()) {
    let line = held + (held === '' ? raw : raw.trimStart())
    const number = held === '' ? at + 1 : heldLine
    held = ''
    if (dialect === 'linux' && line.endsWith('\\') && !line.trimStart().startsWith('#')) {
      held = line.slice(0, -1)
      heldLine = number
      continue
    }
    line = line.trim()
    if (dialect === 'freebsd' && /^#[!:+-]/.test(line)) line = line.slice(1)
    if (line === '' || line.startsWith('#')) continue
    if (dialect !== 'linux' && !line.startsWith(':')) line = line.replace(/(?<!\\)#.*$/, '').trim()
    const sign = line[0]!
    if (sign === '!') {
      isQuick = line.startsWith('!!')
      program = firstWord(line.replace(/^!!?\s*/, ''))
    } else if (sign === '+' || sign === '-') {
      if (sign === '+') isQuick = line.startsWith('++')
      host = (sign === '-' ? '-' : '') + firstWord(line.replace(/^(\+\+?|-)\s*/, ''))
    } else if (sign === ':' && dialect === 'freebsd') property = line.slice(1).trim()
    else {
      const one = readLine(line, dialect, found.at(-1))
      if (one === 'last') {
        const before = found.at(-1)
        if (before !== undefined) before.isLast = true
        continue
      }
      if (one === undefined) continue
      const guards = [program, host, property] as const
      const takes = (message: PlainMessage): boolean =>
        isNamed(guards[0], message.program, false) &&
        isNamed(guards[1], message.host, true) &&
        (guards[2] === '' || guards[2] === '*' || hasProperty(guards[2], message, false)) &&
        one.takes(message)
      found.push({ line: number, takes, isLast: one.isLast || (dialect === 'openbsd' && isQuick) })
    }
  }
  return found
}

function firstWord(text: string): string {
  return text.split(/\s/, 1)[0]!
}

function readLine(
  line: string,
  dialect: Dialect,
  before: PlainLine | undefined,
): { takes: (message: PlainMessage) => boolean; isLast: boolean } | 'last' | undefined {
  if (dialect === 'linux' && line.startsWith('&')) {
    const action = line.slice(1).trim()
    if (action === '~' || action === 'stop') return 'last'
    return before === undefined ? undefined : { takes: before.takes, isLast: false }
  }
  if (dialect === 'linux' && line.startsWith(':')) {
    const end = line.includes('"') ? line.lastIndexOf('"') + 1 : line.indexOf('isempty') + 'isempty'.length
    const filter = line.slice(1, end)
    const isLast = /^(~|stop)$/.test(line.slice(end).trim())
    return { takes: (message) => hasProperty(filter, message, true), isLast }
  }
  if (dialect === 'linux' && (line.startsWith('$') || !/^[\w*,]+\.[!=*\w]/.test(line))) return undefined
  const parts = dialect === 'openbsd' && line.includes('\t') ? line.split(/\t+(.*)/s) : line.split(/\s+(.*)/s)
  const selectors = parts[0]!.replace(/\s+/g, '')
  const action = parts[1]?.trim() ?? ''
  if (action === '' || !selectors.includes('.')) return undefined
  // A comma behind a level begins the next selector.
  const each = [...selectors.matchAll(/([^.;]+)\.([^,;]+)/g)].map(([, names, level]) => ({
    names: names!.replace(/^,/, '').split(','),
    level: level!,
  }))
  return { takes: (message) => isSelected(each, message, dialect), isLast: dialect === 'linux' && /^(~|stop)$/.test(action) }
}

function isSelected(
  selectors: ReadonlyArray<{ readonly names: readonly string[]; readonly level: string }>,
  message: PlainMessage,
  dialect: Dialect,
): boolean {
  let isTaken = false
  for (const { names, level } of selectors) {
    if (!names.some((name) => name === '*' || codeOf(name, dialect) === message.facility)) continue
    const signs = /^[!<=>]*/.exec(level)![0]
    const isNot = signs.startsWith('!')
    const word = level.slice(signs.length).toLowerCase()
    if (dialect === 'linux') {
      if (word === 'none') isTaken = isNot
      else if (isAt(word, signs.includes('=') ? '=' : '>=', message.severity)) isTaken = !isNot
    } else if (word === 'none') isTaken = false
    else {
      const comparison = signs.replace('!', '')
      isTaken = isAt(word, comparison === '' ? '>=' : comparison, message.severity) !== isNot
    }
  }
  return isTaken
}

function codeOf(name: string, dialect: Dialect): number {
  const word = name.toLowerCase()
  if (/^\d+$/.test(word)) return dialect === 'linux' ? Number(word) : Number(word) / 8
  if (word === 'security') return dialect === 'freebsd' ? 13 : 4
  const local = /^local([0-7])$/.exec(word)
  return local === null ? FACILITY_NAMES.indexOf(word) : 16 + Number(local[1])
}

/** Severer is greater, for those who write it. */
function isAt(word: string, comparison: string, severity: number): boolean {
  if (word === '*') return true
  const level = /^[0-7]$/.test(word) ? Number(word) : LEVEL_NAMES.indexOf(LEVEL_ALIASES[word] ?? word)
  if (severity === level) return comparison.includes('=')
  return severity < level ? comparison.includes('>') : comparison.includes('<')
}

function isNamed(block: string, name: string, isHost: boolean): boolean {
  if (block === '' || block === '*') return true
  const isExcluded = block.startsWith('-')
  const names = block
    .replace(/^[-+]/, '')
    .split(',')
    .map((one) => one.trim())
  const same = (one: string): boolean => {
    const pattern = one
      .replace(/[.\\^$+(){}[\]|]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
    return new RegExp(`^${pattern}$`, isHost ? 'is' : 's').test(name)
  }
  return names.some(same) !== isExcluded
}

/** A property filter with the expressions of JavaScript, which agree with POSIX's on all but rare ones. */
function hasProperty(filter: string, message: PlainMessage, isRsyslog: boolean): boolean {
  const match = /^\s*:?\s*([\w-]+)\s*,\s*(!?)\s*(\w+)\s*(?:,\s*"(.*)")?\s*$/s.exec(filter)
  if (match === null) return false
  const name = match[1]!.toLowerCase()
  const operation = match[3]!.toLowerCase()
  const isCaseless = operation.startsWith('icase_') || operation.endsWith('_i')
  const fold = (text: string): string => (isCaseless ? text.toLowerCase() : text)
  const values: Readonly<Record<string, string>> = {
    msg: (isRsyslog ? ' ' : '') + message.text,
    programname: message.program,
    'app-name': message.program,
    hostname: message.host,
    source: message.host,
    syslogtag: `${message.program}${message.pid === '' ? '' : `[${message.pid}]`}:`,
    procid: message.pid,
  }
  const found = fold(values[name] ?? '')
  const written = (match[4] ?? '').replace(/\\(.)/gs, '$1')
  const wanted = fold(written)
  const answers: Readonly<Record<string, () => boolean>> = {
    contains: () => found.includes(wanted),
    isequal: () => found === wanted,
    startswith: () => found.startsWith(wanted),
    endswith: () => found.endsWith(wanted),
    isempty: () => found === '',
    ereregex: () => new RegExp(written, isCaseless ? 'i' : '').test(values[name] ?? ''),
    regex: () =>
      new RegExp(
        written.replace(/\\?[(){}|+?]/g, (one) => (one.length > 1 ? one[1]! : `\\${one}`)),
        isCaseless ? 'i' : '',
      ).test(values[name] ?? ''),
  }
  return (answers[operation.replace(/^icase_|_i$/, '')]?.() ?? false) !== (match[2] === '!')
}
