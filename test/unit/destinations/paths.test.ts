import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import test from 'ava'
import type { Clock } from '../../../core/base/clock.ts'
import { FileCache } from '../../../core/destinations/file-cache.ts'
import { openBelow } from '../../../core/destinations/open-below.ts'
import { hostComponent, pathTemplate } from '../../../core/destinations/path-template.ts'
import { Replay } from '../../../core/destinations/replay.ts'

const MODES = { file: 0o640, directory: 0o750 }

function inDirectory(use: (directory: string) => void): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-paths-'))
  try {
    use(directory)
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

test('a template has a fixed base and one component for each part below it', (t) => {
  for (const [template, base, below] of [
    ['/var/log/loghop/$HOST/messages', '/var/log/loghop', ['web01', 'messages']],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the macro's other spelling
    ['/var/log/${HOST}.log', '/var/log', ['web01.log']],
    ['/var/log/all.log', '/var/log', ['all.log']],
    ['/a//b/./c/../$HOST/$HOST-x', '/a/b', ['web01', 'web01-x']],
    ['/$HOST', '/', ['web01']],
  ] as const) {
    const read = pathTemplate(template)
    t.is(read.base, base, template)
    t.deepEqual(read.components('web01'), [...below], template)
  }
})

test('a name that is not plainly one becomes a hash, another for each', (t) => {
  const hostile = [
    '',
    '.',
    '..',
    '../../etc/passwd',
    '/etc',
    'a/b',
    'a\0b',
    '-rf',
    '*',
    'a\nb',
    '\u001b[2J',
    'WEB01',
    'web01.',
    '$HOST',
    '$&',
    'x'.repeat(254),
    '．．',
  ]
  const components = hostile.map(hostComponent)
  for (const component of components) t.regex(component, /^h-[0-9a-f]{16}$/)
  t.is(new Set(components).size, hostile.length)
  for (const name of ['web01', 'web01.example.com', '_x', '10.0.0.1', 'x'.repeat(253)]) t.is(hostComponent(name), name)
})

test('a file is made with its directories and modes, whatever the umask, and found again', (t) => {
  inDirectory((directory) => {
    const umask = process.umask(0o777)
    try {
      const base = path.join(directory, 'base')
      process.umask(0o022)
      const made = openBelow(base, ['a', 'b', 'messages'], MODES)
      fs.writeSync(made.fd, 'one\n')
      const again = openBelow(base, ['a', 'b', 'messages'], MODES)
      fs.writeSync(again.fd, 'two\n')
      t.is(made.file, path.join(base, 'a/b/messages'))
      t.is(fs.readFileSync(made.file, 'utf8'), 'one\ntwo\n')
      t.is(fs.statSync(made.file).mode & 0o777, 0o640)
      t.is(fs.statSync(path.join(base, 'a')).mode & 0o777, 0o750)
      fs.closeSync(made.fd)
      fs.closeSync(again.fd)
    } finally {
      process.umask(umask)
    }
  })
})

test('no link is followed below the base, and only plain files with one name are written to', (t) => {
  inDirectory((directory) => {
    const outside = path.join(directory, 'outside')
    fs.mkdirSync(outside)
    fs.writeFileSync(path.join(outside, 'messages'), 'mine')
    const base = path.join(directory, 'base')
    const place = (...parts: string[]): string => path.join(base, ...parts)
    fs.mkdirSync(place('hard'), { recursive: true })
    for (const host of ['file', 'pipe', 'folder']) fs.mkdirSync(place(host))
    fs.symlinkSync(outside, place('linked'))
    fs.symlinkSync(path.join(outside, 'messages'), place('file', 'messages'))
    fs.symlinkSync(path.join(outside, 'new'), place('dangling'))
    fs.linkSync(path.join(outside, 'messages'), place('hard', 'messages'))
    fs.mkdirSync(place('folder', 'messages'))
    fs.writeFileSync(place('plain'), '')
    const before = fs.readdirSync('/proc/self/fd').length
    for (const host of ['linked', 'file', 'dangling', 'hard', 'folder', 'plain'])
      t.throws(() => openBelow(base, [host, 'messages'], MODES), { code: 'FILE_REFUSED' }, host)
    t.is(fs.readdirSync('/proc/self/fd').length, before, 'no descriptor is left open')
    t.deepEqual(fs.readdirSync(outside), ['messages'])
    t.is(fs.readFileSync(path.join(outside, 'messages'), 'utf8'), 'mine')
  })
})

test('the base itself may be reached through a link', (t) => {
  inDirectory((directory) => {
    fs.mkdirSync(path.join(directory, 'real'))
    fs.symlinkSync(path.join(directory, 'real'), path.join(directory, 'base'))
    const { fd } = openBelow(path.join(directory, 'base'), ['a', 'messages'], MODES)
    fs.closeSync(fd)
    t.true(fs.existsSync(path.join(directory, 'real/a/messages')))
  })
})

function cacheIn(directory: string, limit: number): { cache: FileCache; pass(ms: number): void } {
  let nowMs = 0
  const clock: Clock = { wallUs: () => 0, monotonicMs: () => nowMs }
  return {
    cache: new FileCache(pathTemplate(`${directory}/$HOST/messages`), MODES, limit, clock),
    pass: (ms) => {
      nowMs += ms
    },
  }
}

test('of open files the one that was used least recently is closed first', (t) => {
  inDirectory((directory) => {
    const { cache } = cacheIn(directory, 3)
    for (const host of ['a', 'b', 'c']) cache.get(host)
    const a = cache.get('a')
    cache.get('d')
    t.deepEqual(
      [...cache.open].map((file) => file.host),
      ['c', 'a', 'd'],
    )
    t.is(cache.get('a'), a)
    t.is(cache.count, 3)
    cache.closeAll()
    t.is(cache.count, 0)
  })
})

test('a file that was moved away is noticed at the next write after a while, one that was cut has its size', (t) => {
  inDirectory((directory) => {
    const { cache, pass } = cacheIn(directory, 3)
    const first = cache.get('a')
    fs.writeSync(first.fd, 'x'.repeat(100))
    first.size += 100
    fs.truncateSync(first.file, 10)
    cache.recheck('a')
    t.is(first.size, 100, 'not looked at yet')
    pass(600)
    cache.recheck('a')
    t.is(first.size, 10)
    fs.renameSync(first.file, `${first.file}.1`)
    pass(600)
    cache.recheck('a')
    const second = cache.get('a')
    t.not(second.inode, first.inode)
    t.is(second.size, 0)
    cache.closeAll()
  })
})

// Replay: what a process before has left behind the checkpoint, held against what would be written again.

interface Replayed {
  /** How much of each piece stood there already. */
  readonly already: number[]
  readonly content: string
  readonly foreign: string[]
}

function replay(standing: string, remembered: number, pieces: readonly string[]): Replayed {
  let result: Replayed | undefined
  inDirectory((directory) => {
    const { cache } = cacheIn(directory, 3)
    fs.mkdirSync(path.join(directory, 'a'))
    fs.writeFileSync(path.join(directory, 'a/messages'), standing)
    const file = cache.get('a')
    const kept: string[] = []
    const one = new Replay(file, { host: 'a', device: file.device, inode: file.inode, size: remembered }, (_file, _bytes, place) =>
      kept.push(fs.readFileSync(place, 'utf8')),
    )
    const already: number[] = []
    for (const piece of pieces) {
      const bytes = Buffer.from(piece)
      const there = one.isDone ? 0 : one.alreadyWritten(bytes, 0, bytes.length)
      already.push(there)
      fs.writeSync(file.fd, bytes, there)
    }
    one.finish()
    result = { already, content: fs.readFileSync(file.file, 'utf8'), foreign: kept }
    cache.closeAll()
  })
  return result!
}

for (const [what, standing, remembered, pieces, already, content, foreign] of [
  ['nothing was written', 'old\n', 4, ['a\n', 'b\n'], [0, 0], 'old\na\nb\n', []],
  ['all was written', 'old\na\nb\n', 4, ['a\n', 'b\n'], [2, 2], 'old\na\nb\n', []],
  ['a line was torn', 'old\naaa\nbb', 4, ['aaa\nbbbb\n', 'c\n'], [6, 0], 'old\naaa\nbbbb\nc\n', []],
  ['more was written than is looked at yet', 'old\na\nb\nc\n', 4, ['a\n', 'b\n'], [2, 2], 'old\na\nb\n', ['c\n']],
  ['another wrote behind ours', 'old\na\nforeign\n', 4, ['a\nb\n', 'c\n'], [2, 0], 'old\na\nb\nc\n', ['foreign\n']],
  ['another wrote before ours', 'old\nforeign\na\n', 4, ['a\nb\n'], [0], 'old\na\nb\n', ['foreign\na\n']],
  ['zeros came with the power cut', `old\na\n${'\0'.repeat(9)}`, 4, ['a\nb\n'], [2], 'old\na\nb\n', []],
  ['the file was cut to nothing', '', 4, ['a\n'], [0], 'a\n', []],
  ['the file was cut and written to again', 'a\n', 4, ['a\nb\n'], [2], 'a\nb\n', []],
] as const)
  test(`replay: ${what}`, (t) =>
    void t.deepEqual(replay(standing, remembered, pieces), { already: [...already], content, foreign: [...foreign] }))

test('replay: long output is compared piece by piece, wherever it is torn', (t) => {
  const line = `${'0123456789'.repeat(1000)}\n`
  const pieces = Array.from({ length: 20 }, () => line)
  for (const written of [0, 1, 10_001, 65_535, 65_536, 65_537, 131_072, 199_999, 200_020]) {
    const { content, foreign } = replay(`old\n${pieces.join('').slice(0, written)}`, 4, pieces)
    t.is(content, `old\n${pieces.join('')}`, `${written} bytes were written`)
    t.deepEqual(foreign, [])
  }
})
