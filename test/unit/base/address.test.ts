import test from 'ava'
import { formatAddress, isLoopback, parseAddress } from '../../../core/base/address.ts'

for (const [text, host, port] of [
  ['relay.example.com:6514', 'relay.example.com', 6514],
  ['0.0.0.0:6514', '0.0.0.0', 6514],
  ['[::1]:1', '::1', 1],
  ['[2001:db8::1]:65535', '2001:db8::1', 65_535],
  ['log_host:514', 'log_host', 514],
] as const) {
  test(`parseAddress() reads ${text}, and formatAddress() writes it`, (t) => {
    t.deepEqual(parseAddress(text), { kind: 'ok', value: { host, port } })
    t.is(formatAddress({ host, port }), text)
  })
}

for (const [text, reason] of [
  ['relay.example.com', /port is missing/],
  ['relay.example.com:', /port is missing/],
  ['[::1]', /port is missing/],
  ['relay:0', /from 1 to 65535/],
  ['relay:65536', /from 1 to 65535/],
  ['relay:06514', /port is not a number/],
  ['relay:ssl', /port is not a number/],
  [':6514', /host is empty; 0\.0\.0\.0 or \[::\]/],
  ['', /host is empty/],
  ['[]:6514', /host is empty/],
  ['::1', /in brackets/],
  ['2001:db8::1:6514', /in brackets/],
  ['fe80::1%eth0:6514', /in brackets/],
  ['[relay]:6514', /not an IPv6 address/],
  ['a:b:6514', /more than one colon/],
  ['256.1.1.1:6514', /not an IPv4 address/],
  ['127.1:6514', /not an IPv4 address/],
  ['re lay:6514', /not a host name/],
  ['-relay:6514', /not a host name/],
  [`${'a'.repeat(64)}:6514`, /not a host name/],
  [`${'a.'.repeat(127)}b:6514`, /not a host name/],
] as const) {
  test(`parseAddress() refuses "${text.slice(0, 40)}" of ${text.length} characters`, (t) => {
    const result = parseAddress(text)
    t.regex(result.kind === 'malformed' ? result.reason : '', reason)
  })
}

test('parseAddress() takes names at the length limit', (t) => {
  t.is(parseAddress(`${'a'.repeat(63)}:1`).kind, 'ok')
  t.is(parseAddress(`${'a.'.repeat(126)}b:1`).kind, 'ok')
})

test('parseAddress() takes port 0 only where any free port makes sense', (t) => {
  t.deepEqual(parseAddress('127.0.0.1:0', 0), { kind: 'ok', value: { host: '127.0.0.1', port: 0 } })
})

test('isLoopback() knows every spelling of this machine and no other', (t) => {
  for (const host of [
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.9',
    '::ffff:7f00:1',
    'localhost',
    'LOCALHOST',
  ]) {
    t.true(isLoopback(host), host)
  }
  for (const host of [
    '128.0.0.1',
    '126.255.255.255',
    '0.0.0.0',
    '::',
    '::2',
    '::ffff:10.0.0.1',
    '127.1',
    '::1%lo',
    '',
    'localhost.example.com',
    '[::1]',
  ]) {
    t.false(isLoopback(host), host)
  }
})
