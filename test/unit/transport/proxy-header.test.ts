import test from 'ava'
import { PROXY_LIMIT_BYTES, type ProxyHeader, readProxyHeader } from '../../../core/transport/proxy-header.ts'

const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

function version2(command: number, family: number, addresses: Buffer): Buffer {
  const head = Buffer.from([0x20 | command, family, 0, 0])
  head.writeUInt16BE(addresses.length, 2)
  return Buffer.concat([V2, head, addresses])
}

const IPV4 = Buffer.from([192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0x19, 0x72])
const IPV6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.alloc(16),
  Buffer.from([0x1f, 0x90, 0x19, 0x72]),
])

for (const [name, header, source] of [
  ['version 1, IPv4', Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 8080 6514\r\n'), '192.0.2.7 8080'],
  ['version 1, IPv6', Buffer.from('PROXY TCP6 2001:db8::7 ::1 8080 6514\r\n'), '2001:db8::7 8080'],
  ['version 1, IPv6 in another spelling', Buffer.from('PROXY TCP6 2001:DB8:0:0::0007 ::1 8080 6514\r\n'), '2001:db8::7 8080'],
  ['version 1, unknown', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['version 1, unknown with a rest', Buffer.from('PROXY UNKNOWN ff:: ::1 1 2\r\n'), undefined],
  ['version 2, IPv4', version2(1, 0x11, IPV4), '192.0.2.7 8080'],
  ['version 2, IPv6', version2(1, 0x21, IPV6), '2001:db8::7 8080'],
  ['version 2, IPv4 with additions', version2(1, 0x11, Buffer.concat([IPV4, Buffer.alloc(100)])), '192.0.2.7 8080'],
  ['version 2, local', version2(0, 0, Buffer.alloc(0)), undefined],
] as const) {
  test(`PROXY header, ${name}: read at every cut, and what follows is left alone`, (t) => {
    const expected: ProxyHeader = {
      kind: 'header',
      bytes: header.length,
      source: source === undefined ? undefined : { address: source.split(' ')[0]!, port: Number(source.split(' ')[1]) },
    }
    for (let cut = 0; cut < header.length; cut++) t.is(readProxyHeader(header.subarray(0, cut)).kind, 'need-more', `cut at ${cut}`)
    t.deepEqual(readProxyHeader(header), expected)
    t.deepEqual(readProxyHeader(Buffer.concat([header, Buffer.from('<13>x\n')])), expected)
  })
}

for (const [header, reason] of [
  [Buffer.from('<13>no header\n'), /does not begin with a PROXY header/],
  [Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 8080\r\n'), /not of the form/],
  [Buffer.from('PROXY TCP4 ::1 10.0.0.1 8080 1\r\n'), /not of the form/],
  [Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 65536 1\r\n'), /not of the form/],
  [Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`), /over 107 bytes/],
  [Buffer.concat([V2, Buffer.from([0x31, 0x11, 0, 0])]), /version 3/],
  [Buffer.concat([V2, Buffer.from([0x22, 0x11, 0, 0])]), /command 2/],
  [Buffer.concat([V2, Buffer.from([0x21, 0x11, 0xff, 0xff])]), /65535 bytes, at most 2048/],
  [version2(1, 0x11, IPV4.subarray(0, 11)), /too short/],
] as const) {
  test(`PROXY header: ${JSON.stringify(header.toString('latin1').slice(0, 40))} is malformed`, (t) => {
    const read = readProxyHeader(header)
    t.regex(read.kind === 'malformed' ? read.reason : read.kind, reason)
    t.true(header.length <= PROXY_LIMIT_BYTES)
  })
}
