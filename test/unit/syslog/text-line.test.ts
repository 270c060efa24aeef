import test from 'ava'
import fc from 'fast-check'
import { LINE_EXTRA_BYTES, LINE_GROWTH, TextLineFormatter } from '../../../core/syslog/text-line.ts'
import { lineOf } from '../../support/completed.ts'

const HEAD = '<13>1 2026-11-23T02:50:00.123456+00:00 claimed app 42 ID - '
const SHOWN = '2026-11-23T02:50:00.123456+00:00 web01/claimed app[42]: '

/** What a reader does to have the text again. */
function unescaped(line: Buffer): Buffer {
  return Buffer.from(
    line.toString('latin1').replace(/#([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    'latin1',
  )
}

function textOf(text: Buffer, shift = 0): Buffer {
  const line = lineOf(Buffer.concat([Buffer.from(HEAD), text]), 'web01', shift)
  if (line.toString('latin1', 0, SHOWN.length) !== SHOWN) throw new Error(line.toString('latin1'))
  return line.subarray(SHOWN.length, -1)
}

for (const [what, text, expected] of [
  ['printable ASCII', 'a Z 0 ~ " \\ [x]', 'a Z 0 ~ " \\ [x]'],
  ['tab', 'a\tb', 'a#011b'],
  ['line feed and carriage return', 'a\nb\r\nc', 'a#012b#015#012c'],
  ['NUL', 'a\0b', 'a#000b'],
  ['escape and DEL', '\u001b]52;c;x\u0007 \u007f', '#033]52;c;x#007 #177'],
  ['UTF-8', 'Grüße, 日本, 🎉', 'Grüße, 日本, 🎉'],
  ['C1 in UTF-8', 'a\u009bb\u0085c', 'a#302#233b#302#205c'],
  ['line and paragraph separators', '\u2028\u2029', '#342#200#250#342#200#251'],
  ['bidirectional overrides and isolates', '\u202a\u202e\u2066\u2069', '#342#200#252#342#200#256#342#201#246#342#201#251'],
  ['a number sign', '# #1 #12 #x33 issue #42.', '# #1 #12 #x33 issue #42.'],
  ['a number sign that looks like an escape', '#033 ##012 #777', '#043033 ##043012 #043777'],
  ['a number sign that looks so only to its end', 'a #01', 'a #01'],
  ['nothing', '', ''],
] as const)
  test(`${what} is written so that it can be restored`, (t) => {
    t.is(textOf(Buffer.from(text)).toString(), expected)
    t.is(unescaped(textOf(Buffer.from(text))).toString(), text)
  })

for (const [what, bytes, expected] of [
  ['a byte that is no UTF-8', [0x61, 0xff, 0x62], 'a#377b'],
  ['a C1 byte', [0x9b, 0x41], '#233A'],
  ['an overlong slash', [0xc0, 0xaf], '#300#257'],
  ['an overlong escape', [0xe0, 0x80, 0x9b], '#340#200#233'],
  ['a surrogate', [0xed, 0xa0, 0x80], '#355#240#200'],
  ['a code over the last', [0xf4, 0x90, 0x80, 0x80], '#364#220#200#200'],
  ['a sequence that is cut', [0xe6, 0x97], '#346#227'],
  ['a lead byte before ASCII', [0xe6, 0x41, 0xa5], '#346A#245'],
] as const)
  test(`${what} is written byte for byte`, (t) => {
    t.is(textOf(Buffer.from(bytes)).toString('latin1'), expected)
    t.deepEqual(unescaped(textOf(Buffer.from(bytes))), Buffer.from(bytes))
  })

for (const [what, message, line] of [
  ['no PROCID', '<13>1 2026-11-23T02:50:00Z h app - - - text', '2026-11-23T02:50:00Z web01/h app: text'],
  ['no APP-NAME', '<13>1 2026-11-23T02:50:00Z h - - - - text', '2026-11-23T02:50:00Z web01/h -: text'],
  ['no text', '<13>1 2026-11-23T02:50:00Z h app 1 - -', '2026-11-23T02:50:00Z web01/h app[1]: '],
  ['structured data', '<13>1 2026-11-23T02:50:00Z h app 1 - [a@1 b="]\\" x"][c] text', '2026-11-23T02:50:00Z web01/h app[1]: text'],
  ['no time', '<13>1 - h app 1 - - text', '- web01/h app[1]: text'],
  ['no header', 'just text', '- web01 just text'],
  ['version 2', '<13>2 - h app 1 - - text', '- web01 <13>2 - h app 1 - - text'],
  ['structured data that does not end', '<13>1 - h app 1 - [a text', '- web01 <13>1 - h app 1 - [a text'],
  ['a control character in a field', '<13>1 - h a\u001bpp 1 - - text', '- web01 <13>1 - h a#033pp 1 - - text'],
  ['the name of the origin', '<13>1 - WEB01 app - - - x', '- web01 app: x'],
  ['no HOSTNAME', '<13>1 - - app - - - x', '- web01 app: x'],
  ['a HOSTNAME that only begins like the origin', '<13>1 - web0 app - - - x', '- web01/web0 app: x'],
  ['a HOSTNAME that the origin begins like', '<13>1 - web01.example.com app - - - x', '- web01/web01.example.com app: x'],
  ['a forged second line', '<13>1 - h app - - - x\n2026 web02 sshd: root', '- web01/h app: x#0122026 web02 sshd: root'],
  ['nothing at all', '', '- web01 '],
] as const)
  test(`the line of a message with ${what}`, (t) => void t.is(lineOf(Buffer.from(message), 'web01').toString(), `${line}\n`))

for (const [origin, claimed, shown] of [
  ['web01.example.com', 'web01', 'web01.example.com'],
  ['web01.example.com', 'WEB01', 'web01.example.com'],
  ['web01.example.com', 'web01.example', 'web01.example.com'],
  ['web01.example.com', 'Web01.Example.COM', 'web01.example.com'],
  ['web01.example.com', 'web01.example.com.', 'web01.example.com'],
  ['Web01.example.com', 'web01', 'Web01.example.com'],
  ['web01.example.com', 'web0', 'web01.example.com/web0'],
  ['web01.example.com', 'web01.', 'web01.example.com'],
  ['web01.example.com', 'web01..', 'web01.example.com/web01..'],
  ['web01.example.com', 'web01.other.com', 'web01.example.com/web01.other.com'],
  ['web01.example.com', '.', 'web01.example.com/.'],
  ['_unverified/web01.example.com', 'db01', '_unverified/web01.example.com/db01'],
] as const)
  test(`the line of ${origin} that calls itself ${claimed} ${shown === origin ? 'shows its name alone' : `shows ${shown}`}`, (t) => {
    t.is(lineOf(Buffer.from(`<13>1 - ${claimed} app - - - x`), origin).toString(), `- ${shown} app: x\n`)
  })

const anyText = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)),
  fc
    .array(fc.constantFrom('#', '0', '1', '7', '8', '3', '\n', 'é', '\u2028', 'abcd', '\u001b'), { maxLength: 60 })
    .map((parts) => Buffer.from(parts.join(''))),
)

test('any bytes at any place: one line, no control byte, no C1, restorable, and the same wherever it stands', (t) => {
  fc.assert(
    fc.property(anyText, fc.nat(7), (text, shift) => {
      const line = textOf(text, shift)
      t.false(line.some((byte) => byte < 0x20 || byte === 0x7f))
      const shown = line.toString()
      t.false(
        /[\u0080-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]/.test(
          shown.replace(/\ufffd/g, text.includes(Buffer.from('\ufffd')) ? '' : '\ufffd'),
        ),
      )
      t.deepEqual(unescaped(line), text)
      t.deepEqual(line, textOf(text, 0))
    }),
    { numRuns: 2000 },
  )
})

test('the fast way for plain text gives what the slow one does, at every alignment and length', (t) => {
  const slow = (text: Buffer): string =>
    text.toString('latin1').replace(/[^ -~]|#(?=[0-7]{3})/g, (character) => `#${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
  for (let shift = 0; shift < 8; shift++) {
    for (let length = 0; length < 24; length++) {
      const plain = Buffer.alloc(length, 'a')
      t.is(textOf(plain, shift).toString('latin1'), slow(plain))
      for (let at = 0; at < length; at++) {
        for (const byte of [0x00, 0x1f, 0x20, 0x23, 0x7e, 0x7f, 0x80, 0xff]) {
          const text = Buffer.from(plain)
          text[at] = byte
          t.is(textOf(text, shift).toString('latin1'), slow(text), `${byte} at ${at} of ${length}, shifted by ${shift}`)
        }
      }
    }
  }
})

test('many messages in one memory give the same lines as each in its own', (t) => {
  fc.assert(
    fc.property(fc.array(anyText, { minLength: 1, maxLength: 12 }), (texts) => {
      const messages = texts.map((text) => Buffer.concat([Buffer.from(HEAD), text]))
      const input = 8 + messages.reduce((sum, message) => sum + 4 + message.length, 0)
      const room = messages.reduce((sum, message) => sum + message.length * LINE_GROWTH + LINE_EXTRA_BYTES, 0)
      const memory = new Uint8Array(new ArrayBuffer(Math.ceil((input + room) / 4) * 4))
      const formatter = new TextLineFormatter(memory)
      formatter.setOrigin('web01')
      let at = 8
      const places = messages.map((message) => {
        memory.set(message, at)
        at += message.length + 4
        return [at - message.length - 4, at - 4] as const
      })
      formatter.newInput(input)
      let out = input
      for (const [index, [start, end]] of places.entries()) {
        const next = formatter.format(start, end, out)
        t.deepEqual(Buffer.from(memory.subarray(out, next)), lineOf(messages[index]!, 'web01'))
        out = next
      }
    }),
    { numRuns: 300 },
  )
})

test('what stands behind a message in the memory has no part in its line', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyText,
        fc.integer({ min: 0, max: HEAD.length }).map((cut) => Buffer.from(HEAD.slice(0, cut))),
      ),
      (message) => {
        const lines = [0x20, 0x3e, 0x31, 0x2d, 0x23].map((filler) => lineOf(message, 'web01', 0, filler).toString('latin1'))
        t.is(new Set(lines).size, 1)
      },
    ),
    { numRuns: 500 },
  )
})
