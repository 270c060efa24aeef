import test from 'ava'
import { KMSG_RECORD_LIMIT_BYTES, readKmsg, tagOf } from '../../../core/syslog/kmsg.ts'

function record(text: string) {
  const result = readKmsg(Buffer.from(text, 'latin1'))
  if (result.kind !== 'record') throw new Error(result.reason)
  const { text: message, fields, ...rest } = result.record
  return { ...rest, text: message.toString('latin1'), fields: Object.fromEntries(fields) }
}

test('readKmsg() reads prefix, text and the lines behind it', (t) => {
  t.deepEqual(record('7,160,424069,-;pci_root PNP0A03:00: host bridge window\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n'), {
    pri: 7,
    sequence: 160,
    sinceBootUs: 424069,
    flag: '-',
    text: 'pci_root PNP0A03:00: host bridge window',
    fields: { SUBSYSTEM: 'acpi', DEVICE: '+acpi:PNP0A03:00' },
  })
})

test('readKmsg() passes over what newer kernels add to the prefix, and takes a semicolon in the text for text', (t) => {
  const { text, flag } = record('6,339,5140900,c,caller=T1;NET: a;b\n')
  t.deepEqual([text, flag], ['NET: a;b', 'c'])
})

test('readKmsg() unescapes bytes, also a backslash and a line feed, and leaves what is no escape', (t) => {
  t.is(record('12,1,2,-;a\\x0ab\\x5cx41 \\xc3\\xbc \\xg0 \\x4\n').text, 'a\nb\\x41 \xc3\xbc \\xg0 \\x4')
})

test('readKmsg() gives what claims a facility over 23 to user, and keeps its severity', (t) => {
  t.is(record('195,1,2,-;x\n').pri, 11)
  t.is(record('191,1,2,-;x\n').pri, 191)
})

for (const text of [
  '',
  '6',
  '6,1,2,-',
  ';',
  '6,1;x',
  '6,1,2;x',
  '6,1,2,;x',
  'a,1,2,-;x',
  '6,,2,-;x',
  '-6,1,2,-;x',
  `6,${'9'.repeat(20)},2,-;x`,
]) {
  test(`readKmsg() refuses ${JSON.stringify(text)}`, (t) => {
    t.is(readKmsg(Buffer.from(text)).kind, 'malformed')
  })
}

test('readKmsg() refuses a record over the limit', (t) => {
  t.is(readKmsg(Buffer.from(`6,1,2,-;${'x'.repeat(KMSG_RECORD_LIMIT_BYTES - 8)}`)).kind, 'record')
  t.is(readKmsg(Buffer.from(`6,1,2,-;${'x'.repeat(KMSG_RECORD_LIMIT_BYTES - 7)}`)).kind, 'malformed')
})

test('tagOf() finds name and pid', (t) => {
  t.deepEqual(tagOf('systemd[1]: Started'), { program: 'systemd', procid: '1', rest: 12 })
  t.deepEqual(tagOf('app: text'), { program: 'app', procid: '', rest: 5 })
  for (const text of ['no tag', ': x', 'a[b]: x', `${'x'.repeat(49)}: y`]) t.is(tagOf(text), undefined, text)
})
