// syslog.conf, read line by line: what each one chooses and where that goes, in the words of the file, or why it cannot be said.

import { MARK_MAX_MS, MARK_MIN_MS } from '../core/pipeline/mark-source.ts'
import { readNames } from '../core/syslog/name-test.ts'
import { readProperty } from '../core/syslog/property.ts'
import { compileSelector, faultText } from '../core/syslog/selector.ts'
import type { Dialect } from '../core/syslog/selector-names.ts'
import { type Action, readAction } from './import-action.ts'

/** One line of the file, or several that belong together. */
export interface ConfLine {
  readonly file: string
  /** From 1; the first of several. */
  readonly line: number
}

export interface ConfRule extends ConfLine {
  readonly kind: 'rule'
  readonly select: string
  readonly program: string | undefined
  readonly host: string | undefined
  readonly property: string | undefined
  readonly action: Action
  stop: boolean
  /** What the person should know of the translation. */
  readonly remarks: readonly string[]
}

export type ConfEntry =
  | ConfRule
  | (ConfLine & { readonly kind: 'comment'; readonly text: string })
  | (ConfLine & { readonly kind: 'blank' })
  | (ConfLine & { readonly kind: 'include'; readonly path: string })
  /** That marks are written; how often, where it says so. */
  | (ConfLine & { readonly kind: 'mark'; readonly text: string; readonly everyMs: number | undefined })
  | (ConfLine & { readonly kind: 'not translated'; readonly text: string; readonly reason: string })

/** Of rsyslog's own language; a block of it may take several lines. */
const RAINERSCRIPT =
  /^(module|input|action|template|global|ruleset|main_queue|parser|timezone|lookup_table|dyn_stats|property|constant|include)\s*\(|^(if|else|foreach|set|unset|reset|call|call_indirect|continue)\b|^[{}]/
/** rsyslog's module of marks. */
const MARK_MODULE = /^(?:\$ModLoad\s+(?:\S*\/)?immark(?:\.so)?|module\s*\(\s*load="(?:\S*\/)?immark(?:\.so)?"[^)]*\))\s*$/i
const MARK_PERIOD = /^\$MarkMessagePeriod\s+(\d{1,9})\s*$|\binterval="(\d{1,9})"/i
const INCLUDE_CALL = /^include\s*\(\s*file\s*=\s*"([^"]+)"[^)]*\)\s*$/
const RSYSLOG_FORMATS: Readonly<Record<string, string>> = {
  RSYSLOG_TraditionalFileFormat: 'bsd',
  RSYSLOG_FileFormat: 'rfc3339',
  RSYSLOG_SyslogProtocol23Format: 'rfc5424',
  RFC3164: 'bsd',
  RFC5424: 'rfc5424',
}
const EVERYONE = '*'

/** The format of files where the file says nothing: rsyslog's own, or that of every other syslogd. */
export function defaultFormat(text: string): string {
  const named = /^\s*\$ActionFileDefaultTemplate\s+(\w+)/m.exec(text)?.[1]
  if (named !== undefined) return RSYSLOG_FORMATS[named] ?? 'bsd'
  return /^\s*(\$[A-Z]\w+|module\s*\(|\$IncludeConfig)/m.test(text) ? 'rfc3339' : 'bsd'
}

/** Whose file it is, by what only one of them knows; undefined where nothing tells. */
export function guessDialect(text: string): Dialect | undefined {
  if (/^\s*(\$[A-Z]\w+\s|module\s*\()|\s@@|:omusrmsg:|^\s*&\s/m.test(text)) return 'linux'
  if (/^\s*(!!|\+\+)|\s@(udp|tcp|tls)[46]?:\/\//m.test(text)) return 'openbsd'
  if (/^#?[!+-][\w*@-]|^include\s+\/|^[^#\s]*\.!?[<>]=?/m.test(text)) return 'freebsd'
  return undefined
}

/** Reads the whole text of one file. Blocks of programs, hosts and properties hold to its end. */
export function readConf(text: string, file: string, dialect: Dialect): ConfEntry[] {
  const entries: ConfEntry[] = []
  const block: Block = { program: undefined, host: undefined, property: undefined, isQuick: false }
  const format = defaultFormat(text)
  for (const { line, text: written } of logicalLines(text, dialect)) {
    const place = { file, line }
    const trimmed = written.trim()
    const refuse = (reason: string): void => void entries.push({ ...place, kind: 'not translated', text: trimmed, reason })
    if (trimmed === '') {
      entries.push({ ...place, kind: 'blank' })
      continue
    }
    const isMarked = dialect === 'freebsd' && /^#[!+:-]/.test(trimmed)
    if (trimmed.startsWith('#') && !isMarked) {
      entries.push({ ...place, kind: 'comment', text: trimmed.slice(1) })
      continue
    }
    const bare = isMarked ? trimmed.slice(1) : trimmed
    // A property filter may have the sign of comments in its value.
    const content = dialect === 'linux' || bare.startsWith(':') ? bare : withoutComment(bare).trim()
    const include = INCLUDE_CALL.exec(content)?.[1] ?? /^(?:\$IncludeConfig|include)\s+(\S+)$/.exec(content)?.[1]
    if (include !== undefined) {
      entries.push({ ...place, kind: 'include', path: include })
      continue
    }
    const isPeriod = /^\$MarkMessagePeriod\b/i.test(content)
    if (dialect === 'linux' && (isPeriod || MARK_MODULE.test(content))) {
      const written = MARK_PERIOD.exec(content)
      const everyMs = written === null ? undefined : Number(written[1] ?? written[2]) * 1000
      if (everyMs === undefined ? isPeriod : everyMs < MARK_MIN_MS || everyMs > MARK_MAX_MS) refuse('no interval that marks can have here')
      else entries.push({ ...place, kind: 'mark', text: trimmed, everyMs })
      continue
    }
    if (dialect === 'linux' && content.startsWith('$')) {
      refuse(`a setting of rsyslog itself; ${settingHint(content)}`)
      continue
    }
    if (RAINERSCRIPT.test(content)) {
      refuse("rsyslog's own language, RainerScript; write it as a rule with when:")
      continue
    }
    if (isBlockLine(content, dialect)) {
      const reason = readBlock(content, dialect, block)
      if (reason !== undefined) refuse(reason)
      continue
    }
    const reason = readRule(content, place, dialect, format, block, entries)
    if (reason !== undefined) refuse(reason)
  }
  return entries
}

interface Block {
  program: string | undefined
  host: string | undefined
  property: string | undefined
  /** OpenBSD's `!!` and `++`: what a line of the block takes, no later one sees. */
  isQuick: boolean
}

/** Lines, joined where one goes on in the next: by a backslash on Linux, within the brackets of RainerScript. */
function logicalLines(text: string, dialect: Dialect): Array<{ line: number; text: string }> {
  const found: Array<{ line: number; text: string }> = []
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1
    let whole = lines[at]!
    if (dialect === 'linux' && !whole.trimStart().startsWith('#')) {
      while (whole.endsWith('\\') && at + 1 < lines.length) whole = whole.slice(0, -1) + lines[++at]!.trimStart()
      if (RAINERSCRIPT.test(whole.trim())) while (openBrackets(whole) > 0 && at + 1 < lines.length) whole += `\n${lines[++at]}`
    }
    found.push({ line, text: whole })
  }
  return found
}

function openBrackets(text: string): number {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|#.*/g, '')
  return (bare.match(/[({]/g)?.length ?? 0) - (bare.match(/[)}]/g)?.length ?? 0)
}

/** Without what stands behind a `#`, which `\#` stands for itself. */
function withoutComment(text: string): string {
  return text.replace(/(?<=.)(?<!\\)#.*$/, '').replaceAll('\\#', '#')
}

function isBlockLine(content: string, dialect: Dialect): boolean {
  if (content.startsWith(':')) return dialect === 'freebsd'
  // `-` begins no selector, and `+` and `!` neither.
  return /^[!+-]/.test(content)
}

function readBlock(content: string, dialect: Dialect, block: Block): string | undefined {
  if (content.startsWith(':')) {
    const rest = content.slice(1).trim()
    if (rest === '' || rest === EVERYONE) block.property = undefined
    else {
      const result = readProperty(rest, dialect)
      if (result.kind === 'malformed') return closed(block, 'property', result.reason)
      block.property = rest
    }
    return undefined
  }
  const isProgram = content.startsWith('!')
  const isDoubled = dialect === 'openbsd' && /^(!!|\+\+)/.test(content)
  // What stands behind the names is not read.
  const rest = content
    .slice(isDoubled ? 2 : 1)
    .trim()
    .split(/\s/, 1)[0]!
  const key = isProgram ? 'program' : 'host'
  if (dialect === 'openbsd') block.isQuick = isDoubled
  if (rest === '' || rest === EVERYONE) {
    block[key] = undefined
    return undefined
  }
  const written = content.startsWith('-') ? `-${rest}` : rest
  const result = readNames(written, !isProgram)
  if (result.kind === 'malformed') return closed(block, key, result.reason)
  block[key] = written.replace(/^\+/, '')
  return undefined
}

/** A block that cannot be read must not make its lines take more than they did: it is closed to all. */
function closed(block: Block, key: 'program' | 'host' | 'property', reason: string): string {
  block[key] = NOBODY
  return `${reason}; the lines of this block are left out`
}

const NOBODY = '\0'

function readRule(
  content: string,
  place: ConfLine,
  dialect: Dialect,
  format: string,
  block: Block,
  entries: ConfEntry[],
): string | undefined {
  if ([block.program, block.host, block.property].includes(NOBODY)) return 'it belongs to a block that could not be read'
  const before = entries.findLast((entry) => entry.kind === 'rule')
  let select: string
  let property = block.property
  let actionText: string
  if (dialect === 'linux' && content.startsWith('&')) {
    if (before === undefined || before.file !== place.file) return 'there is no rule before it'
    actionText = content.slice(1).trim()
    if (actionText === 'stop' || actionText === '~') {
      before.stop = true
      return undefined
    }
    select = before.select
    property = before.property
  } else if (dialect === 'linux' && content.startsWith(':')) {
    const match = /^:((?:[^"\s]|\s(?=[^"]*"))*?[^"]*"(?:[^"\\]|\\.)*"|\s*[\w-]+\s*,\s*!?\s*isempty)\s*(.+)$/s.exec(content)
    if (match === null) return 'not of the form :property, operation, "value" action'
    select = '*.*'
    property = match[1]!.trim()
    actionText = match[2]!
    const result = readProperty(property, dialect)
    if (result.kind === 'malformed') return result.reason
  } else {
    // The BSDs allow spaces behind the commas and semicolons of the selectors, where a tab separates these from the action.
    const match = (content.includes('\t') && dialect === 'openbsd' ? /^([^\t]+)\t+(.+)$/s : /^(\S+)\s+(.+)$/s).exec(content)
    if (match === null) return 'no action behind the selectors'
    select = match[1]!.trim()
    actionText = match[2]!.trim()
  }
  const compiled = compileSelector(select, dialect)
  if (compiled.kind === 'malformed') return `selector: ${compiled.faults.map(faultText).join('; ')}`
  const remarks = [...compiled.selector.remarks]
  const template = dialect === 'linux' ? /^(.*?);\s*([\w-]+)\s*$/s.exec(actionText) : null
  let own = format
  if (template !== null) {
    actionText = template[1]!.trim()
    const known = RSYSLOG_FORMATS[template[2]!]
    if (known === undefined) remarks.push(`the template ${template[2]} is not translated; write it as format:`)
    else own = known
  }
  const result = readAction(actionText, dialect, own)
  if ('reason' in result) return result.reason
  remarks.push(...result.remarks)
  const shortNames = block.host?.split(',').filter((name) => !/[.*?@]/.test(name)) ?? []
  if (shortNames.length > 0)
    remarks.push(`hosts are compared by their whole names; add the domain to ${shortNames.join(', ')} where they have one`)
  entries.push({
    ...place,
    kind: 'rule',
    select,
    program: block.program,
    host: block.host,
    property,
    action: result.action,
    stop: block.isQuick || result.isLast,
    remarks,
  })
  return undefined
}

function settingHint(content: string): string {
  const name = /^\$(\w+)/.exec(content)?.[1] ?? ''
  if (/^ModLoad$|^Input|^UDPServer|^IMUX/i.test(name)) return 'sources: says what is read'
  if (/^(File|Dir)(Owner|Group|CreateMode)|^Umask$|^PrivDrop/i.test(name))
    return 'files of rules are 0640 and belong to the user of the agent'
  return 'look whether an option of the agent does the same'
}
