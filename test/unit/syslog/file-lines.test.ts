import test from 'ava'
import { type Behind, type LineRules, type MultiLine, nextMessage } from '../../../core/syslog/file-lines.ts'

const PREFIX: MultiLine = { kind: 'prefix', prefix: Buffer.from('[T') }

/** The messages of the text, and `+N` for N bytes that are held back. */
function split(text: string, multiLine: MultiLine, behind: Behind, limitBytes = 20): string[] {
  const bytes = Buffer.from(text)
  const rules: LineRules = { limitBytes, multiLine }
  const found: string[] = []
  let at = 0
  let isCut = false
  for (;;) {
    const result = nextMessage(bytes, at, bytes.length, isCut, behind, rules)
    if (result.kind === 'need-more') break
    if (result.kind === 'message') found.push(bytes.toString('utf8', result.from, result.to))
    at = result.next
    isCut = result.isCut
  }
  return at === bytes.length ? found : [...found, `+${bytes.length - at}`]
}

const NONE: MultiLine = { kind: 'none' }
for (const [what, text, multiLine, behind, wanted] of [
  ['takes whole lines and holds back the rest', 'a\nbc\r\n\n\r\nd', NONE, 'growing', ['a', 'bc', '+1']],
  ['holds back a line without its end while the file may grow', 'a\nd', NONE, 'quiet', ['a', '+1']],
  ['takes the rest of a file that has ended', 'a\nd', NONE, 'ended', ['a', 'd']],
  ['passes over zeros before a line', '\0\0\0a\n\0\0', NONE, 'growing', ['a']],
  ['takes a line of the limit whole', `${'x'.repeat(20)}\nb\n`, NONE, 'growing', ['x'.repeat(20), 'b']],
  ['cuts a longer line and drops its rest', `${'x'.repeat(21)}yz\nb\n`, NONE, 'growing', ['x'.repeat(20), 'b']],
  ['cuts a line that has not ended yet', 'x'.repeat(30), NONE, 'growing', ['x'.repeat(20)]],
  ['never cuts within a character', `${'x'.repeat(19)}üb\n`, NONE, 'growing', ['x'.repeat(19)]],
  ['joins indented lines', 'a\n b\n\tc\nd\n', { kind: 'indented' }, 'growing', ['a\n b\n\tc', '+2']],
  ['takes the last message when it is quiet', 'a\n b\nd\n', { kind: 'indented' }, 'quiet', ['a\n b', 'd']],
  ['waits for the end of a continuing line', 'a\n b', { kind: 'indented' }, 'quiet', ['+4']],
  ['takes a continuing line that the end of the file ends', 'a\n b', { kind: 'indented' }, 'ended', ['a\n b']],
  ['begins messages with a digit', '1 a\nb\n2 c\n', { kind: 'digit' }, 'quiet', ['1 a\nb', '2 c']],
  ['begins messages with a prefix', '[T1]\nx\n[\n[T2]\n', PREFIX, 'quiet', ['[T1]\nx\n[', '[T2]']],
  ['does not judge by half a prefix', '[T1]\n[', PREFIX, 'growing', ['+6']],
  [
    'ends a message of many lines with the last that fits',
    'a2345678\n 234567\n 234567\nb\n',
    { kind: 'indented' },
    'quiet',
    ['a2345678\n 234567', ' 234567', 'b'],
  ],
] as const) {
  test(`nextMessage() ${what}`, (t) => {
    t.deepEqual(split(text, multiLine, behind), [...wanted])
  })
}
