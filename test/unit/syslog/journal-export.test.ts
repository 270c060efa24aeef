import test from 'ava'
import { JournalExportDecoder } from '../../../core/syslog/journal-export.ts'

const LIMITS = new Map([
  ['MESSAGE', 10],
  ['_PID', 4096],
  ['__CURSOR', 4096],
])

function binary(name: string, bytes: Buffer): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')])
}

/** All entries as `NAME=value` lists, or the reason; fed in pieces of that length. */
function decode(bytes: Buffer, piece: number): string[] {
  const decoder = new JournalExportDecoder(LIMITS)
  const found: string[] = []
  for (let at = 0; at < bytes.length; at += piece) {
    decoder.push(bytes.subarray(at, at + piece))
    for (let result = decoder.next(); result.kind !== 'need-more'; result = decoder.next()) {
      if (result.kind === 'malformed') return [...found, result.reason]
      found.push([...result.entry].map(([name, one]) => `${name}=${one.bytes.toString('latin1')}${one.isCut ? ' (cut)' : ''}`).join(' '))
    }
  }
  return found
}

const STREAM = Buffer.concat([
  Buffer.from('__CURSOR=s=1;i=2\n_PID=7\nOTHER=x\nMESSAGE=ten bytes.\n\n'),
  Buffer.from('__CURSOR=c2\n'),
  binary('MESSAGE', Buffer.from('a\n\n\0=\xff', 'latin1')),
  binary('OTHER', Buffer.from('\n\n\n')),
  Buffer.from('\n\n__CURSOR=c3\nMESSAGE=\nMESSAGE=second\n'),
  binary('_PID', Buffer.alloc(0)),
  Buffer.from('\n__CURSOR=c4\nMESSAGE=eleven byte\n'),
  binary('MESSAGE', Buffer.from('again')),
  Buffer.from('\n'),
])
const WANTED = [
  '__CURSOR=s=1;i=2 _PID=7 MESSAGE=ten bytes.',
  '__CURSOR=c2 MESSAGE=a\n\n\0=\xff',
  '__CURSOR=c3 MESSAGE= _PID=',
  '__CURSOR=c4 MESSAGE=eleven byt (cut)',
]

test('JournalExportDecoder gives the same entries however the stream is cut', (t) => {
  for (let piece = 1; piece <= STREAM.length; piece++) t.deepEqual(decode(STREAM, piece), WANTED, `pieces of ${piece}`)
})

test('JournalExportDecoder passes over a long field without holding it', (t) => {
  const decoder = new JournalExportDecoder(LIMITS)
  const head = Buffer.alloc(16, 'MESSAGE\n')
  head.writeBigUInt64LE(1n << 30n, 8)
  decoder.push(head)
  t.is(decoder.next().kind, 'need-more')
  const chunk = Buffer.alloc(1 << 20)
  const before = process.memoryUsage().arrayBuffers
  for (let mebibyte = 0; mebibyte < 1024; mebibyte++) {
    decoder.push(chunk)
    t.is(decoder.next().kind, 'need-more')
  }
  t.true(process.memoryUsage().arrayBuffers - before < 16 << 20)
  decoder.push(Buffer.from('\n\n'))
  const result = decoder.next()
  t.true(result.kind === 'entry' && result.entry.get('MESSAGE')!.bytes.length === 10)
})

for (const [what, bytes, reason] of [
  ['a field without a name', Buffer.from('=x\n'), /without a name/],
  ['a name without an end', Buffer.from('x'.repeat(65)), /over 64 bytes/],
  ['a length beyond all', Buffer.concat([Buffer.from('A\n'), Buffer.alloc(8, 0xff)]), /a field of/],
  ['a field that goes on behind its length', Buffer.from('A\n\x01\0\0\0\0\0\0\0xx'), /no line feed/],
] as const) {
  test(`JournalExportDecoder refuses ${what}`, (t) => {
    t.regex(decode(bytes, bytes.length).at(-1)!, reason)
  })
}
