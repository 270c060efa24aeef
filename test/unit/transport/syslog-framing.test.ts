import test from 'ava'
import { COUNT_LIMIT_BYTES, SyslogDeframer, type SyslogFraming } from '../../../core/transport/syslog-framing.ts'

interface Read {
  readonly got: string[]
  readonly broken: string | undefined
  readonly isCut: boolean
  readonly heldBytes: number
}

function read(framing: SyslogFraming, chunks: readonly (string | Buffer)[], limitBytes = 100): Read {
  const got: string[] = []
  let heldBytes = 0
  const deframer = new SyslogDeframer(framing, limitBytes, {
    onMessage: (bytes, start, end, isCut) => got.push(`${bytes.toString('latin1', start, end)}${isCut ? '~' : ''}`),
  })
  let broken: string | undefined
  for (const chunk of chunks) {
    broken = deframer.deliver(Buffer.from(chunk))
    heldBytes = Math.max(heldBytes, deframer.heldBytes)
    if (broken !== undefined) break
  }
  return { got, broken, isCut: broken === undefined && deframer.end(), heldBytes }
}

/** However the bytes are cut, the same is read. */
function readAtEveryCut(
  t: { deepEqual(actual: unknown, expected: unknown, message: string): void },
  framing: SyslogFraming,
  text: string,
): Read {
  const whole = read(framing, [text])
  for (let cut = 1; cut < text.length; cut++) {
    const { got, broken, isCut } = read(framing, [text.slice(0, cut), text.slice(cut)])
    t.deepEqual({ got, broken, isCut }, { got: whole.got, broken: whole.broken, isCut: whole.isCut }, `cut at ${cut}`)
  }
  const single = read(framing, [...text])
  t.deepEqual([single.got, single.broken], [whole.got, whole.broken], 'byte by byte')
  return whole
}

test('octet counting: frames are told by their length alone, line feeds and digits within them included', (t) => {
  t.deepEqual(readAtEveryCut(t, 'octet-counted', '5 <1>ab9 <1>a\n5 xy3 <2>').got, ['<1>ab', '<1>a\n5 xy', '<2>'])
})

test('octet counting: a stray line feed, CR LF or NUL behind a frame is passed over (RFC 6587 section 3.4.3)', (t) => {
  t.deepEqual(readAtEveryCut(t, 'octet-counted', '3 <1>\n3 <2>\r\n3 <3>\0').got, ['<1>', '<2>', '<3>'])
})

test('octet counting: a line feed or NUL that is counted too is no part of the message', (t) => {
  t.deepEqual(readAtEveryCut(t, 'octet-counted', '4 <1>\n4 <2>\x001 \n3 <3>').got, ['<1>', '<2>', '<3>'])
})

test('octet counting: a message at the limit is whole, one byte more is cut off at its end and the next one is read', (t) => {
  t.deepEqual(read('octet-counted', [`100 ${'x'.repeat(100)}3 <1>`]).got, ['x'.repeat(100), '<1>'])
  t.deepEqual(readAtEveryCut(t, 'octet-counted', `101 ${'x'.repeat(101)}3 <1>`).got, [`${'x'.repeat(100)}~`, '<1>'])
})

for (const [text, reason] of [
  ['4294967296 x', /MSG-LEN has over 9 digits/],
  ['9999999999', /MSG-LEN has over 9 digits/],
  [`${COUNT_LIMIT_BYTES + 1} x`, /MSG-LEN 16777217 is over 16777216/],
  ['0 x', /MSG-LEN begins with 0/],
  ['03 <1>', /MSG-LEN begins with 0/],
  ['3 <1>x', /does not begin with its length/],
  ['-3 <1>', /does not begin with its length/],
  ['3x<1>', /MSG-LEN is not a number/],
  ['3\n<1>', /MSG-LEN is not a number/],
] as const) {
  test(`octet counting: "${text}" is refused before anything of it is held`, (t) => {
    const { broken, heldBytes } = readAtEveryCut(t, 'octet-counted', text)
    t.regex(broken ?? '', reason)
    t.is(heldBytes, 0)
  })
}

test('octet counting: the largest length that is followed holds no more than the limit', (t) => {
  const piece = 'x'.repeat(1 << 20)
  const { got, heldBytes, broken } = read('octet-counted', [`${COUNT_LIMIT_BYTES} `, ...Array<string>(16).fill(piece), '3 <1>'])
  t.deepEqual(got, [`${'x'.repeat(100)}~`, '<1>'])
  t.true(heldBytes <= 101)
  t.is(broken, undefined)
})

test('octet counting: memory grows with what has come, not with what was announced', (t) => {
  const { heldBytes } = read('octet-counted', ['65536 ', 'abc'], 65_536)
  t.is(heldBytes, 3)
})

test('octet counting: a connection that ends within a frame says so, and the part is no message', (t) => {
  t.deepEqual(read('octet-counted', ['3 <1>5 <2>']), { got: ['<1>'], broken: undefined, isCut: true, heldBytes: 3 })
  t.true(read('octet-counted', ['3 <1>5']).isCut)
  t.false(read('octet-counted', ['3 <1>\n']).isCut)
})

test('lines: LF, CR LF and NUL end a message, empty lines are none, the last one needs no end (RFC 6587 section 3.4.2)', (t) => {
  t.deepEqual(readAtEveryCut(t, 'lines', '<1>a\n<2>b\r\n\n\0<3>c\0\r\n5 x\n<4>d').got, ['<1>a', '<2>b', '<3>c', '5 x', '<4>d'])
})

test('lines: a message at the limit is whole, also before CR LF; one byte more is cut off, and the rest of the line dropped', (t) => {
  const full = 'x'.repeat(100)
  t.deepEqual(readAtEveryCut(t, 'lines', `${full}\n${full}\r\n<1>\n`).got, [full, full, '<1>'])
  t.deepEqual(readAtEveryCut(t, 'lines', `${full}y\n<1>\n`).got, [`${full}~`, '<1>'])
  t.deepEqual(readAtEveryCut(t, 'lines', `${full}${full}yy\n<1>\n`).got, [`${full}~`, '<1>'])
})

test('lines: one without end holds no more than the limit', (t) => {
  const { got, heldBytes } = read('lines', Array<string>(100).fill('x'.repeat(64)))
  t.deepEqual(got, [`${'x'.repeat(100)}~`])
  t.true(heldBytes <= 101)
})
