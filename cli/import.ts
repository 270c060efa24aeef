import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { type Command, Option } from 'commander'
import { loadConfiguration } from '../core/base/configuration.ts'
import { LoghopError } from '../core/base/errors.ts'
import { printable } from '../core/base/printable.ts'
import { type RuleOptions, rulesDocument } from '../core/destinations/rule-options.ts'
import { DIALECTS, type Dialect } from '../core/syslog/selector-names.ts'
import { EXIT_FAILED } from './daemon-commands.ts'
import { compareReadings, type OldFile, readLog } from './import-compare.ts'
import { type ConfEntry, guessDialect, readConf } from './import-conf.ts'
import { agentYaml } from './import-yaml.ts'

const FILE_LIMIT_BYTES = 1 << 20
const INCLUDE_DEPTH_MAX = 8
const FILES_MAX = 256

interface ImportFlags {
  readonly out?: string
  readonly dialect?: Dialect
  readonly compare?: string
}

export function registerImport(program: Command): void {
  program
    .command('import')
    .description('make an agent.yaml that does what a syslog.conf does')
    .argument('<file...>', 'syslog.conf, rsyslog.conf, or a directory such as /etc/syslog.d')
    .option('-o, --out <file>', 'write it there, which must not exist; else to stdout')
    .addOption(new Option('--dialect <system>', 'whose syslog.conf it is; told from its text where that can be').choices(DIALECTS))
    .option(
      '--compare <log>',
      'send each line of an old log through both and list those that would land elsewhere; exit 1 when there are any',
    )
    .action((files: string[], flags: ImportFlags) => importFiles(files, flags))
}

/** @throws {LoghopError} a file that cannot be read or written */
function importFiles(names: readonly string[], flags: ImportFlags): void {
  const tell = (text: string): void => void process.stderr.write(`loghop: ${text}\n`)
  const first = names.flatMap(filesOf)
  const dialect = flags.dialect ?? dialectOf(first.map(readText).join('\n'), tell)
  const read: OldFile[] = []
  const entries = names.flatMap((name) => filesOf(name).flatMap((file) => readAll(file, dialect, read, 0)))
  const yaml = agentYaml(
    entries,
    read.map(({ file }) => file),
    dialect,
  )
  if (flags.out === undefined) process.stdout.write(yaml)
  else writeNew(flags.out, yaml)
  const left = entries.filter((entry) => entry.kind === 'not translated')
  for (const { file, line, reason, text } of left)
    tell(`${file}:${line}: not translated: ${printable(reason)}: ${printable(text.split('\n')[0]!, 100)}`)
  const rules = entries.filter((entry) => entry.kind === 'rule')
  for (const { file, line, remarks } of rules) for (const remark of remarks) tell(`${file}:${line}: ${printable(remark)}`)
  tell(`${rules.length} rules made, ${left.length === 0 ? 'all lines translated' : `${left.length} lines not translated`}`)
  if (flags.compare === undefined) return
  const { lines, differences } = compareReadings(readLog(flags.compare), read, entries, rulesOf(yaml), dialect)
  for (const difference of differences) tell(difference)
  tell(`${lines} lines compared, ${differences.length === 0 ? 'all land where they did' : `${differences.length} would land elsewhere`}`)
  if (differences.length > 0) process.exitCode = EXIT_FAILED
}

function dialectOf(text: string, tell: (text: string) => void): Dialect {
  const guessed = guessDialect(text)
  if (guessed !== undefined) return guessed
  const dialect = process.platform === 'freebsd' || process.platform === 'openbsd' ? process.platform : 'linux'
  tell(`read as ${dialect} reads it, since nothing in it tells; --dialect says otherwise`)
  return dialect
}

/** A file, or those of a directory that end in .conf, in the order of their names. */
function filesOf(name: string): string[] {
  try {
    if (!fs.statSync(name).isDirectory()) return [name]
    return fs
      .readdirSync(name)
      .filter((entry) => entry.endsWith('.conf') && !entry.startsWith('.'))
      .toSorted()
      .map((entry) => path.join(name, entry))
  } catch (cause) {
    throw unreadable(name, cause)
  }
}

function readText(file: string): string {
  try {
    if (fs.statSync(file).size <= FILE_LIMIT_BYTES) return fs.readFileSync(file, 'utf8')
  } catch (cause) {
    throw unreadable(file, cause)
  }
  throw new LoghopError('IMPORT', `Cannot import ${file}: it has over ${FILE_LIMIT_BYTES} bytes`, 'Check that this is the right file')
}

function unreadable(file: string, cause: unknown): LoghopError {
  return new LoghopError('IMPORT', `Cannot read ${file}: ${(cause as Error).message}`, 'Name a file that this user may read', { cause })
}

/** A file with all that it includes, in the place of the line that does. */
function readAll(file: string, dialect: Dialect, read: OldFile[], depth: number): ConfEntry[] {
  const text = readText(file)
  read.push({ file, text })
  return readConf(text, file, dialect).flatMap((entry): ConfEntry[] => {
    if (entry.kind !== 'include') return [entry]
    const refused = (reason: string): ConfEntry[] => [
      { kind: 'not translated', file, line: entry.line, text: `include ${entry.path}`, reason },
    ]
    if (depth >= INCLUDE_DEPTH_MAX || read.length >= FILES_MAX) return refused(`over ${INCLUDE_DEPTH_MAX} deep or ${FILES_MAX} files`)
    const found = included(path.resolve(path.dirname(file), entry.path))
    if (found === undefined) return refused('there is no such file')
    return [
      entry,
      ...found.filter((one) => !read.some((other) => other.file === one)).flatMap((one) => readAll(one, dialect, read, depth + 1)),
    ]
  })
}

/** The files that an include line names: one, those of a directory, or with `*` in the last component. */
function included(name: string): string[] | undefined {
  if (!path.basename(name).includes('*')) return fs.existsSync(name) ? filesOf(name) : undefined
  const pattern = new RegExp(
    `^${path
      .basename(name)
      .replace(/[.\\^$+(){}[\]|?]/g, '\\$&')
      .replaceAll('*', '.*')}$`,
  )
  const directory = path.dirname(name)
  if (!fs.existsSync(directory)) return []
  return fs
    .readdirSync(directory)
    .filter((entry) => pattern.test(entry) && !entry.startsWith('.'))
    .toSorted()
    .map((entry) => path.join(directory, entry))
}

function writeNew(file: string, text: string): void {
  try {
    fs.writeFileSync(file, text, { flag: 'wx', mode: 0o640 })
  } catch (cause) {
    throw new LoghopError(
      'IMPORT',
      `Cannot write ${file}: ${(cause as Error).message}`,
      'Name a new file in a directory that this user may write to',
      {
        cause,
      },
    )
  }
}

/** The rules as the daemon would read them. */
function rulesOf(yaml: string): readonly RuleOptions[] {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-import-'))
  try {
    const file = path.join(directory, 'agent.yaml')
    fs.writeFileSync(file, yaml)
    return loadConfiguration(file, rulesDocument).rules
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}
