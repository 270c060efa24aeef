import test from 'ava'
import { nextRelpFrame, nextTxnr, readOffers, readResponse, relpFrame, writeOffers } from '../../../core/transport/relp.ts'

const LIMIT = 1000
const limitOf = (command: string): number | undefined => (command === 'foreign' ? undefined : LIMIT)

function read(text: string | Buffer): ReturnType<typeof nextRelpFrame> {
  const bytes = Buffer.from(text)
  return nextRelpFrame(bytes, 0, bytes.length, limitOf)
}

// As librelp 1.13 and its rsyslog put them on the wire.
const LIBRELP = [
  ['1 open 92 ', 'relp_version=0\nrelp_software=librelp,1.13.0,http://librelp.adiscon.com\ncommands=syslog,starttl', '\n'],
  ['2 syslog 25 ', '<13>Nov 23 02:50:00 a b: c', '\n'],
  ['3 close 0', '', '\n'],
  ['3 rsp 0', '', '\n'],
  ['0 serverclose 0', '', '\n'],
  ['999999999 rsp 6 ', '200 OK', '\n'],
] as const

for (const [header, text, end] of LIBRELP) {
  test(`librelp's "${header}" is read, and at every byte before its end it needs more`, (t) => {
    const whole = Buffer.from(header.replace(/\d+ $/, `${text.length} `) + text + end)
    const frame = read(whole)
    if (frame.kind !== 'frame') return t.fail(JSON.stringify(frame))
    t.is(whole.toString('latin1', frame.start, frame.end), text)
    t.is(frame.next, whole.length)
    t.is(`${frame.txnr} ${frame.command}`, header.split(' ').slice(0, 2).join(' '))
    for (let length = 0; length < whole.length; length++) {
      const cut = read(whole.subarray(0, length))
      if (cut.kind !== 'need-more') return t.fail(`${length}: ${JSON.stringify(cut)}`)
      t.true(cut.bytes > length && cut.bytes <= whole.length, `${length} bytes: ${cut.bytes} are asked for, the frame has ${whole.length}`)
    }
  })
}

test('data at the limit is taken, one byte more is refused before any of it is there', (t) => {
  t.is(read(relpFrame(1, 'syslog', 'x'.repeat(LIMIT))).kind, 'frame')
  t.deepEqual(read(`1 syslog ${LIMIT} `), { kind: 'need-more', bytes: `1 syslog ${LIMIT} `.length + LIMIT + 1 })
  t.deepEqual(read(`1 syslog ${LIMIT + 1} `), { kind: 'malformed', reason: `DATALEN ${LIMIT + 1} of "syslog" is over ${LIMIT}` })
  t.is(read('1 foreign 5 ').kind, 'malformed')
})

// Hostile counts and headers (T6).
for (const bytes of [
  ...['-1 syslog 3 abc\n', '+5 syslog 3 abc\n', ' 1 syslog 3 abc\n', '\n', 'x', '1\n', '1  syslog 3 abc\n', '1 sys1og 3 abc\n'],
  ...['1 syslog -1 abc\n', '1 syslog +3 abc\n', '1 syslog 0x3 abc\n', '1 syslog 3e1 abc\n', '1 syslog  3 abc\n', '1 syslog\n'],
  ...['1 syslog 1000000000 abc\n', `1 syslog ${10 ** 12} abc\n`, `1 syslog ${'9'.repeat(400)} `, '1 syslog 999999999 abc\n'],
  ...[`${'1'.repeat(10)} syslog 3 abc\n`, `${'0'.repeat(4000)}`, `1 ${'a'.repeat(33)} 3 abc\n`, `1 ${'a'.repeat(4000)}`],
  ...['1 syslog 3 abcd\n', '1 syslog 3\n', '1 syslog 0 \n\n'.slice(0, 11).concat('x'), '\u0000\u0000\u0000\u0000', '\u0080'],
  ...['<13>Nov 23 02:50:00 host app: text\n', 'GET / HTTP/1.1\r\n', '\u0016\u0003\u0001\u0002'],
])
  test(`refused: ${JSON.stringify(bytes.slice(0, 40)).replaceAll(' ', '_')}`, (t) =>
    void t.is(read(Buffer.from(bytes, 'latin1')).kind, 'malformed'))

test('leading zeros are digits, up to nine', (t) => {
  const frame = read('000000007 syslog 000000003 abc\n')
  t.like(frame, { kind: 'frame', txnr: 7, command: 'syslog' })
})

test('transactions count to nine nines and start from 1 again', (t) => {
  t.is(nextTxnr(1), 2)
  t.is(nextTxnr(999_999_998), 999_999_999)
  t.is(nextTxnr(999_999_999), 1)
})

test('offers are read with and without the leading LF, and a flood of them is cut off', (t) => {
  const expected = { version: '0', software: 'librelp,1.13.0,x', commands: ['syslog', 'batch'], other: new Map([['limit', '5']]) }
  const text = 'relp_version=0\nrelp_software=librelp,1.13.0,x\ncommands=syslog,batch\nlimit=5'
  t.deepEqual(readOffers(text), expected)
  t.deepEqual(readOffers(`\n${text}\n`), expected)
  t.deepEqual(readOffers(writeOffers(['syslog'], new Map([['a', 'b']]))).other, new Map([['a', 'b']]))
  t.is(readOffers('relp_software=x').version, undefined)
  t.true(readOffers('x=1\n'.repeat(1_000_000)).other.size <= 16)
  t.is(readOffers(`relp_version=0\ncommands=${'a,'.repeat(1_000_000)}`).commands.length, 64)
  t.is(readOffers('__proto__=1').other.get('__proto__'), '1')
})

test('responses are read; what has no code is none', (t) => {
  t.deepEqual(readResponse('200 OK'), { code: 200, text: 'OK', rest: '' })
  t.deepEqual(readResponse('200 OK\nrelp_version=0\n'), { code: 200, text: 'OK', rest: 'relp_version=0\n' })
  t.deepEqual(readResponse('500 no'), { code: 500, text: 'no', rest: '' })
  t.deepEqual(readResponse('200'), { code: 200, text: '', rest: '' })
  t.deepEqual(readResponse(''), { code: 200, text: '', rest: '' })
  for (const text of ['OK', '20 OK', '2000 OK', '200OK', ' 200 OK', '-200 OK']) t.is(readResponse(text), undefined, text)
})
