// The layers of the design, read from the import lines themselves.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'

const ROOT = path.join(import.meta.dirname, '..')
const LINES_LIMIT = 500

/** A folder imports itself and folders of lower rank. */
const RANKS: Readonly<Record<string, number>> = {
  'core/base': 0,
  'core/platform': 1,
  'core/syslog': 1,
  'core/transport': 1,
  'core/spool': 1,
  'core/identity': 2,
  'core/pipeline': 2,
  'core/destinations': 3,
  'core/daemon': 3,
  agent: 4,
  relay: 4,
  pki: 4,
  cli: 5,
}

/** Where each package is at home: the only files that may name it. */
const HOMES: Readonly<Record<string, RegExp>> = {
  koffi: /^core\/platform\//,
  re2js: /^core\/syslog\/linear-regex\.ts$/,
  pino: /^core\/base\/log\.ts$/,
  yaml: /^core\/base\/configuration\.ts$/,
  selfsigned: /^core\/identity\/self-signed\.ts$/,
  'node-forge': /^pki\/pkcs(7|12)\.ts$/,
  '@peculiar/x509': /^(pki\/(x509|csr|crl)|core\/identity\/csr)\.ts$/,
  'reflect-metadata': /^(pki\/(x509|csr|crl)|core\/identity\/csr)\.ts$/,
  zod: /^(core\/base\/|core\/destinations\/(options|expire-options|files-options|limit-options|repeated-option|rule-options|rule-to|rules-option|select-option)\.ts$|core\/pipeline\/choice-options\.ts$|core\/transport\/(pin-option|bind-options|framing-option)\.ts$|agent\/(source-)?options\.ts$|relay\/(listener-)?options\.ts$|cli\/)/,
  commander: /^cli\//,
}

/** What pure code may not touch: the world comes in as arguments or not at all. */
const PURE = /^core\/(syslog\/|spool\/(batch|constants|position|scan|streams)\.ts|transport\/(relp|receive-buffer)\.ts)/
const WORLD_MODULES = /^node:(fs|net|tls|dgram|http|https|child_process|worker_threads|timers|perf_hooks|os|process)/
const WORLD_CALLS = /\bDate\.now\(|\bnew Date\(\)|\bperformance\.|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|\bprocess\./

interface Import {
  readonly file: string
  readonly line: number
  readonly from: string
  readonly isType: boolean
}

function sourceFiles(): string[] {
  return ['agent', 'relay', 'pki', 'core', 'cli'].flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|js)$/.test(name))
      .map((name) => path.posix.join(folder, name)),
  )
}

function folderOf(file: string): string {
  return file.split('/', file.startsWith('core/') ? 2 : 1).join('/')
}

/** Static imports, re-exports and dynamic imports of a literal, with the file resolved where it is one of ours. */
function importsOf(file: string, text: string): Import[] {
  const pattern =
    /(?:^|\n)\s*(import|export)\s+(type\s)?(?:[^'"()]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|new URL\('([^']+\.ts)'/g
  return [...text.matchAll(pattern)].map((match) => {
    const named = match[3] ?? match[4] ?? match[5]!
    const from = named.startsWith('.') ? path.posix.normalize(path.posix.join(path.posix.dirname(file), named)) : named
    const line = text.slice(0, match.index).split('\n').length + (match[0].startsWith('\n') ? 1 : 0)
    return { file, line, from, isType: match[2] !== undefined }
  })
}

const FILES = sourceFiles().map((file) => ({ file, text: fs.readFileSync(path.join(ROOT, file), 'utf8') }))
const IMPORTS = FILES.flatMap(({ file, text }) => importsOf(file, text))

function ofOurs(one: Import): boolean {
  return /^(agent|relay|pki|core|cli)\//.test(one.from)
}

function show(one: Import): string {
  return `${one.file}:${one.line} imports ${one.from}`
}

test('the imports are found: static, type, side effect, dynamic and worker', (t) => {
  const text = [
    "import 'reflect-metadata'",
    "import type { A } from '../core/a.ts'",
    'import {\n  b,\n  c,\n} from "x"',
    "import {\n  d,\n} from './d.ts'",
    "export { e } from './e.ts'",
    "  const { f } = await import('./f.ts')",
    "new Worker(new URL('./g.ts', import.meta.url))",
  ].join('\n')
  const found = importsOf('agent/x.ts', text).map((one) => `${one.line} ${one.from}`)
  t.deepEqual(found, ['1 reflect-metadata', '2 core/a.ts', '7 agent/d.ts', '10 agent/e.ts', '11 agent/f.ts', '12 agent/g.ts'])
  t.true(IMPORTS.length > 300, `${IMPORTS.length} imports were found in the sources`)
})

test('every folder of sources has a rank', (t) => {
  t.deepEqual(
    [...new Set(FILES.map(({ file }) => folderOf(file)))].filter((folder) => RANKS[folder] === undefined),
    [],
  )
})

test('a folder imports itself and folders of lower rank', (t) => {
  const upward = IMPORTS.filter(ofOurs).filter((one) => {
    const from = folderOf(one.file)
    const to = folderOf(one.from)
    return from !== to && !(RANKS[to]! < RANKS[from]!)
  })
  t.deepEqual(upward.map(show), [])
})

test('no source imports a file that is not there, or one outside the sources', (t) => {
  const known = new Set(FILES.map(({ file }) => file))
  t.deepEqual(IMPORTS.filter((one) => one.from.includes('/') && one.from.endsWith('.ts') && !known.has(one.from)).map(show), [])
})

test('no daemon imports the certificate authority', (t) => {
  t.deepEqual(IMPORTS.filter((one) => one.from.startsWith('pki/') && /^(core|agent|relay)\//.test(one.file)).map(show), [])
})

test('each package has one home', (t) => {
  const packages = IMPORTS.filter((one) => !ofOurs(one) && !one.from.startsWith('node:') && !/^[./]/.test(one.from))
  t.deepEqual(packages.filter((one) => HOMES[one.from]?.test(one.file) !== true).map(show), [])
})

test('outside of option files zod is a type only', (t) => {
  const options =
    /^(core\/base\/(option-kinds|option-notes|daemon-options|quantities)\.ts|core\/destinations\/(options|expire-options|files-options|limit-options|repeated-option|rule-options|rule-to|rules-option|select-option)\.ts|core\/pipeline\/choice-options\.ts|core\/transport\/(bind-options|framing-option)\.ts|agent\/(source-)?options\.ts|relay\/(listener-)?options\.ts)$/
  t.deepEqual(IMPORTS.filter((one) => one.from === 'zod' && !one.isType && !options.test(one.file)).map(show), [])
})

test('message formats, batches and framing know no clock, file, socket or process', (t) => {
  const pure = FILES.filter(({ file }) => PURE.test(file))
  t.true(pure.length >= 11, `${pure.length} pure files were found`)
  const worldly = IMPORTS.filter((one) => PURE.test(one.file) && WORLD_MODULES.test(one.from)).map(show)
  const calls = pure.flatMap(({ file, text }) => (WORLD_CALLS.exec(text) === null ? [] : [`${file} calls ${WORLD_CALLS.exec(text)![0]}`]))
  t.deepEqual([...worldly, ...calls], [])
})

test('the spool knows no syslog, and transport knows no message', (t) => {
  const crossing = IMPORTS.filter(
    (one) =>
      (one.file.startsWith('core/spool/') && one.from.startsWith('core/syslog/')) ||
      (one.file.startsWith('core/transport/') && /^core\/(syslog|spool)\//.test(one.from)),
  )
  t.deepEqual(crossing.map(show), [])
})

test(`no source file is over ${LINES_LIMIT} lines`, (t) => {
  t.deepEqual(
    FILES.filter(({ text }) => text.split('\n').length > LINES_LIMIT).map(({ file }) => file),
    [],
  )
})

test('no package is loaded by import() itself: in the bundles it would come without its names', (t) => {
  const direct = FILES.flatMap(({ file, text }) =>
    [...text.matchAll(/\bimport\(\s*'(?!\.|node:)([^']+)'/g)].map((match) => `${file} imports ${match[1]}`),
  )
  t.deepEqual(direct, [])
})
