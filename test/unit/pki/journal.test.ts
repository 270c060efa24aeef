import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { type Files, nodeFiles } from '../../../core/base/files.ts'
import type { Act } from '../../../pki/acts.ts'
import { Journal } from '../../../pki/journal.ts'
import { temporaryDirectory } from './made.ts'

function act(address: string): Act {
  return { at: '2026-11-25T00:00:00.000Z', by: 'test', act: 'server', address }
}

interface Opened {
  readonly journal: Journal
  readonly seen: string[]
}

function open(directory: string, files: Files = nodeFiles): Opened {
  const seen: string[] = []
  const onAct = (one: Act): void => {
    seen.push(one.act === 'server' ? one.address : one.act)
  }
  return { journal: new Journal(directory, files, onAct, () => seen.splice(0)), seen }
}

function write(directory: string, ...addresses: string[]): Buffer {
  fs.writeFileSync(path.join(directory, 'journal'), '')
  const { journal } = open(directory)
  journal.readAndMend()
  for (const address of addresses) journal.append(act(address))
  return fs.readFileSync(path.join(directory, 'journal'))
}

test('a journal reads what was appended, also by others since the last look', (t) => {
  const directory = temporaryDirectory(t)
  write(directory, 'a:1', 'b:1')
  const [one, other] = [open(directory), open(directory)]
  one.journal.readAndMend()
  other.journal.readAndMend()
  one.journal.append(act('c:1'))
  other.journal.readAndMend()
  other.journal.append(act('d:1'))
  one.journal.read()
  t.deepEqual(one.seen, ['a:1', 'b:1', 'c:1', 'd:1'])
  t.deepEqual(other.seen, one.seen)
})

test('a last line that is cut anywhere is cut off by the next act, and overlooked by readers', (t) => {
  const directory = temporaryDirectory(t)
  const file = path.join(directory, 'journal')
  const whole = write(directory, 'a:1', 'b:1')
  const start = whole.indexOf(10) + 1
  for (let cut = start; cut < whole.length; cut++) {
    fs.writeFileSync(file, whole.subarray(0, cut))
    const reader = open(directory)
    reader.journal.read()
    t.deepEqual(reader.seen, ['a:1'])
    t.is(fs.statSync(file).size, cut)
    const writer = open(directory)
    writer.journal.readAndMend()
    writer.journal.append(act('c:1'))
    const after = open(directory)
    after.journal.read()
    t.deepEqual(after.seen, ['a:1', 'c:1'])
  }
})

test('a last line of which a power cut left zeros is cut off', (t) => {
  const directory = temporaryDirectory(t)
  const whole = write(directory, 'a:1', 'b:1')
  whole.fill(0, whole.indexOf(10) + 1, whole.length - 1)
  fs.writeFileSync(path.join(directory, 'journal'), whole)
  const { journal, seen } = open(directory)
  journal.readAndMend()
  journal.append(act('c:1'))
  t.deepEqual(seen, ['a:1', 'c:1'])
})

test('a flipped bit, anywhere, is found, and nothing is cut off for it', (t) => {
  const directory = temporaryDirectory(t)
  const file = path.join(directory, 'journal')
  const whole = write(directory, 'a:1', 'b:1')
  for (let at = 0; at < whole.length; at++) {
    const flipped = Buffer.from(whole)
    flipped[at] = flipped[at]! ^ (1 << (at % 7))
    fs.writeFileSync(file, flipped)
    t.throws(() => open(directory).journal.readAndMend(), { code: 'PKI_JOURNAL' }, `byte ${at}`)
    t.true(fs.readFileSync(file).equals(flipped))
  }
})

test('a removed, exchanged or repeated line is found', (t) => {
  const directory = temporaryDirectory(t)
  const lines = write(directory, 'a:1', 'b:1', 'c:1').toString().split('\n').slice(0, -1)
  for (const order of [
    [1, 2],
    [0, 2],
    [1, 0, 2],
    [0, 0, 1, 2],
    [0, 1, 2, 2],
  ]) {
    fs.writeFileSync(path.join(directory, 'journal'), order.map((index) => `${lines[index]}\n`).join(''))
    t.throws(() => open(directory).journal.read(), { code: 'PKI_JOURNAL' }, order.join())
  }
})

test('a full disk, at whatever byte, leaves the journal as it was', (t) => {
  const directory = temporaryDirectory(t)
  const whole = write(directory, 'a:1')
  for (let room = 0; room < 200; room += 13) {
    let left = room
    const full: Files = {
      ...nodeFiles,
      write: (fd, bytes, offset, length, position) => {
        if (left === 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        const count = Math.min(length, left)
        left -= count
        return nodeFiles.write(fd, bytes, offset, count, position)
      },
    }
    const { journal, seen } = open(directory, full)
    journal.readAndMend()
    t.throws(() => journal.append(act('x'.repeat(200))), { code: 'PKI_WRITE', message: /ENOSPC; nothing was done/ })
    t.deepEqual(seen, ['a:1'])
    t.true(fs.readFileSync(path.join(directory, 'journal')).equals(whole))
  }
})

test('an act whose sync failed does not count, whether or not it can be taken away', (t) => {
  const directory = temporaryDirectory(t)
  const whole = write(directory, 'a:1')
  for (const truncate of [nodeFiles.truncate, () => undefined]) {
    let isFailing = true
    const broken: Files = {
      ...nodeFiles,
      truncate,
      sync: (fd) => {
        if (isFailing) throw Object.assign(new Error('broken'), { code: 'EIO' })
        nodeFiles.sync(fd)
      },
    }
    const { journal, seen } = open(directory, broken)
    journal.readAndMend()
    t.throws(() => journal.append(act('b:1')), { code: 'PKI_WRITE' })
    t.deepEqual(seen, ['a:1'])
    isFailing = false
    if (truncate === nodeFiles.truncate) t.true(fs.readFileSync(journal.file).equals(whole))
  }
})

test('a journal that was put back from a backup is read from its first line', (t) => {
  const directory = temporaryDirectory(t)
  const file = path.join(directory, 'journal')
  const short = write(directory, 'a:1')
  write(directory, 'a:1', 'b:1', 'c:1')
  const { journal, seen } = open(directory)
  journal.read()
  t.deepEqual(seen, ['a:1', 'b:1', 'c:1'])
  fs.writeFileSync(file, short)
  journal.readAndMend()
  journal.append(act('d:1'))
  t.deepEqual(seen, ['a:1', 'd:1'])
})
