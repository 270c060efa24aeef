import * as fs from 'node:fs'
import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, Parser, parseDocument, type YAMLParseError } from 'yaml'
import type { z } from 'zod'
import { errnoOf, LoghopError } from './errors.ts'
import { optionFaults } from './option-faults.ts'
import { shownPath } from './shown.ts'

const FILE_MAX_BYTES = 1 << 20
// Deeper than any option stands; the parser recurses, and V8 dies where a regular expression meets the end of the stack.
const DEPTH_MAX = 64
const COLLECTIONS: ReadonlySet<string> = new Set(['block-map', 'block-seq', 'flow-collection'])
const LISTED_MAX = 100
export const EXIT_CONFIGURATION = 78

export interface ConfigurationProblem {
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 code units. */
  readonly column: number
  /** `listeners[0].tls`; empty where the fault is in the YAML itself. */
  readonly path: string
  readonly text: string
}

/** A configuration file that cannot be used, with all that is wrong in it; no problem is listed when the file itself could not be read. */
export class ConfigurationError extends LoghopError {
  readonly file: string
  readonly problems: readonly ConfigurationProblem[]
  readonly exitCode = EXIT_CONFIGURATION

  constructor(sentence: string, remedy: string, file: string, problems: readonly ConfigurationProblem[] = [], cause?: unknown) {
    super('CONFIGURATION', sentence, remedy, { cause })
    this.name = 'ConfigurationError'
    this.file = file
    this.problems = problems
  }
}

type Path = readonly (string | number)[]
interface Position {
  /** Offset of the key; of the item itself in a list. */
  readonly key: number
  readonly value: number
  /** A number as written. */
  readonly source: string | undefined
}
interface OffsetProblem {
  readonly offset: number
  readonly path: Path
  readonly text: string
}

/**
 * Reads a YAML 1.2 file (UTF-8, at most 1 MiB, one document, no anchors or aliases) and checks it. Relative paths in it stay as written.
 * @returns what the schema makes of it, deeply frozen
 * @throws {ConfigurationError} with every problem of the file, none quoting a secret
 */
export function loadConfiguration<T>(file: string, schema: z.ZodType<T>): T {
  const text = readConfiguration(file)
  const lines = new LineCounter()
  const refuse = (problems: readonly OffsetProblem[]): never => {
    throw new ConfigurationError(...listed(file, placed(problems, lines)))
  }
  const deep = tooDeepAt(text, lines)
  if (deep !== undefined) refuse([{ offset: deep, path: [], text: `found more than ${DEPTH_MAX} levels, allowed ${DEPTH_MAX}` }])

  const document = parseDocument(text, {
    version: '1.2',
    stringKeys: true,
    // Ours, in syntaxFaults: the parser's own takes time with the square of the keys.
    uniqueKeys: false,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: 'error',
    lineCounter: lines,
  })
  const syntax = syntaxProblems([...document.errors, ...document.warnings], lines)
  const version = document.directives?.yaml
  if (version?.explicit && version.version !== '1.2') {
    syntax.push({ offset: 0, path: [], text: `found YAML ${version.version}, allowed YAML 1.2, where yes and no are text` })
  }
  if (syntax.length > 0) refuse(syntax)
  if (document.contents === null) {
    throw new ConfigurationError(
      `Cannot use ${file}: it is empty`,
      'Write the options into it; the manual has an example to start from',
      file,
    )
  }

  const positions = new Map<string, Position>()
  const { problems, hasAlias } = walk(document.contents, positions)
  // An alias has no value to check.
  if (hasAlias) refuse(problems)
  const value: unknown = document.toJS()
  const result = schema.safeParse(value)
  if (!result.success) {
    const faults = optionFaults(result.error, schema, value, (path) => positions.get(JSON.stringify(path))?.source)
    for (const { path, at, text } of faults) {
      problems.push({ offset: offsetOf(path as Path, at, positions), path: path as Path, text })
    }
  }
  if (problems.length > 0) refuse(problems)
  return frozen(result.data as T)
}

/** Without waiting: a named pipe is refused rather than waited for. */
function readConfiguration(file: string): string {
  const cannot = (sentence: string, remedy: string, cause?: unknown) =>
    new ConfigurationError(`Cannot read ${file}: ${sentence}`, remedy, file, [], cause)
  let bytes: Buffer
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    try {
      const stat = fs.fstatSync(fd)
      if (stat.isDirectory()) throw cannot('it is a directory', 'Name the file itself, such as agent.yaml in it')
      if (!stat.isFile()) throw cannot('it is not a regular file', 'Write the configuration into a file and name that')
      const room = Buffer.alloc(FILE_MAX_BYTES + 1)
      let length = 0
      for (let got = -1; got !== 0 && length < room.length; length += got) got = fs.readSync(fd, room, length, room.length - length, null)
      bytes = room.subarray(0, length)
    } finally {
      fs.closeSync(fd)
    }
  } catch (error) {
    if (error instanceof ConfigurationError) throw error
    switch (errnoOf(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        throw cannot('there is no such file', 'Check the path given with --config', error)
      case 'EACCES':
      case 'EPERM':
        throw cannot(
          'this user may not read it',
          'Give the user that runs the program permission to read the file and to enter its directory',
          error,
        )
      default:
        throw cannot(error instanceof Error ? error.message : String(error), 'Check the file and the disk it is on', error)
    }
  }
  if (bytes.length > FILE_MAX_BYTES)
    throw cannot(`it has over ${FILE_MAX_BYTES} bytes, at most these are allowed`, 'Check that this is the right file')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw cannot('it is not UTF-8 text', 'Save the file in UTF-8, or check that it is the right file', error)
  }
}

/** Offset of the first value below DEPTH_MAX levels, or undefined. Fills `lines` up to there. */
function tooDeepAt(text: string, lines: LineCounter): number | undefined {
  const parser = new Parser()
  let deep: number | undefined
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > DEPTH_MAX && parser.stack.filter(({ type }) => COLLECTIONS.has(type)).length > DEPTH_MAX) {
      deep = parser.offset - lexeme.length
      break
    }
  }
  if (deep === undefined) return undefined
  lines.addNewLine(0)
  for (let at = text.indexOf('\n'); at !== -1 && at < deep; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1)
  return deep
}

// Our own words: the parser's quote the file, which may hold a secret.
const SYNTAX: Partial<Record<YAMLParseError['code'], string>> = {
  TAB_AS_INDENT: 'found a tab, allowed spaces for indentation',
  BAD_INDENT: 'found text indented too little for what it stands in, allowed deeper indentation or a closing bracket before it',
  MISSING_CHAR: 'found no closing quote or bracket, comma, or colon with a space after the key',
  BLOCK_AS_IMPLICIT_KEY: 'found a second "key:" in one value, allowed one per line at equal indentation; quote text that holds ": "',
  MULTILINE_IMPLICIT_KEY: 'found text that belongs to no key, allowed "key: value" with equal indentation for the keys of one mapping',
  BAD_SCALAR_START: 'found text that begins with a reserved character, allowed the same text in quotes',
  UNEXPECTED_TOKEN: 'found something that cannot stand here, allowed text in quotes if it holds any of : [ ] { } , # & * ! | > %',
  BAD_DQ_ESCAPE: 'found an unknown escape after a backslash, allowed \'...\' instead of "..." where a backslash is meant',
  BAD_ALIAS: 'found an alias, allowed plain values; put text that begins with * or & in quotes',
  MULTIPLE_DOCS: 'found a second document after "---", allowed one',
  NON_STRING_KEY: 'found a key that is not text, allowed text; put values that begin with { or [ in quotes',
  TAG_RESOLVE_FAILED: 'found a tag, allowed plain values; put text that begins with ! in quotes',
  KEY_OVER_1024_CHARS: 'found a key of over 1024 characters, allowed short ones',
}

/** One for each line, since one slip makes the parser stumble several times. */
function syntaxProblems(errors: readonly { code: YAMLParseError['code']; pos: [number, number] }[], lines: LineCounter): OffsetProblem[] {
  const first = new Map<number, OffsetProblem>()
  for (const { code, pos } of errors) {
    const { line } = lines.linePos(pos[0])
    if (!first.has(line))
      first.set(line, { offset: pos[0], path: [], text: SYNTAX[code] ?? `found something that is not YAML 1.2 (${code})` })
  }
  return [...first.values()]
}

/** Notes where every key and value stands; finds what YAML permits and we do not: equal keys, anchors and aliases. */
function walk(root: Node, positions: Map<string, Position>): { problems: OffsetProblem[]; hasAlias: boolean } {
  const problems: OffsetProblem[] = []
  let hasAlias = false
  const visit = (node: unknown, path: Path, keyOffset: number | undefined): void => {
    const offset = (node as Node | null)?.range?.[0] ?? keyOffset ?? 0
    const isEmpty = isScalar(node) && (node.value === null || node.source === '')
    positions.set(JSON.stringify(path), {
      key: keyOffset ?? offset,
      value: isEmpty ? (keyOffset ?? offset) : offset,
      source: isScalar(node) && typeof node.value === 'number' ? node.source : undefined,
    })
    if (isAlias(node) || ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined)) {
      hasAlias ||= isAlias(node)
      problems.push({ offset, path, text: 'found an anchor or alias, allowed plain values; put text that begins with & or * in quotes' })
    }
    if (isSeq(node)) for (const [at, item] of node.items.entries()) visit(item, [...path, at], undefined)
    if (!isMap(node)) return
    const seen = new Map<string, number>()
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : ''
      const at = (key as Node).range?.[0] ?? offset
      const earlier = seen.get(name)
      if (earlier !== undefined) problems.push({ offset: at, path: [...path, name], text: `found the key a second time, allowed once` })
      seen.set(name, at)
      visit(value, [...path, name], at)
    }
  }
  visit(root, [], undefined)
  return { problems, hasAlias }
}

/** Where a fault is shown: at the value or key; for what is missing, at the mapping that lacks it. */
function offsetOf(path: Path, at: 'key' | 'value', positions: ReadonlyMap<string, Position>): number {
  for (let length = path.length; length >= 0; length--) {
    const position = positions.get(JSON.stringify(path.slice(0, length)))
    if (position !== undefined) return length === path.length ? position[at] : position.value
  }
  return 0
}

function placed(problems: readonly OffsetProblem[], lines: LineCounter): ConfigurationProblem[] {
  return problems
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, path, text }) => {
      const { line, col } = lines.linePos(offset)
      return { line: Math.max(line, 1), column: Math.max(col, 1), path: shownPath(path), text }
    })
}

function listed(file: string, problems: ConfigurationProblem[]): ConstructorParameters<typeof ConfigurationError> {
  const texts = problems.slice(0, LISTED_MAX).map(({ line, column, path, text }) => {
    return `\n  ${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${text}`
  })
  if (problems.length > LISTED_MAX) texts.push(`\n  and ${problems.length - LISTED_MAX} more`)
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  return [`Cannot use ${file}: ${count}${texts.join('')}`, `Correct ${problems.length === 1 ? 'it' : 'them'} and try again`, file, problems]
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}
