import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { cached } from '../../../pki/est-answer.ts'
import { readBasic } from '../../../pki/est-basic.ts'
import { decodeBody, encodeBody } from '../../../pki/est-body.ts'
import { limitedAddress, Rates } from '../../../pki/est-rate.ts'
import { certsOnly } from '../../../pki/pkcs7.ts'
import { serverNames } from '../../../pki/serve.ts'
import { makeIssuer, makeRoot } from './made.ts'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

test('a body may hold line breaks, blanks and tabs anywhere, and nothing else that is no base64', (t) => {
  const der = Buffer.from('30820102deadbeef00ff', 'hex')
  const text = der.toString('base64')
  for (const spelling of [text, `${text}\n`, `${text.slice(0, 5)}\r\n\t ${text.slice(5)}\r\n`, `\n\n${text}`]) {
    t.deepEqual(decodeBody(spelling), der, JSON.stringify(spelling))
  }
  for (const wrong of [
    '',
    ' \n',
    'MII',
    'MIIB=',
    '====',
    'MI-_',
    'MIIB*',
    `-----BEGIN X-----\n${text}`,
    `${text}\0`,
    `${text}=`,
    'MIIB====',
  ]) {
    t.is(decodeBody(wrong), undefined, JSON.stringify(wrong))
  }
  t.is(encodeBody(Buffer.alloc(300)).toString(), 'A'.repeat(400))
})

test('HTTP Basic is read with a name and a secret, both there; the secret may hold colons', (t) => {
  t.deepEqual(readBasic(basic('web01.example.com:s3cret')), { name: 'web01.example.com', secret: 's3cret' })
  t.deepEqual(readBasic(basic('web01:a:b:').replace('Basic', 'bAsIc')), { name: 'web01', secret: 'a:b:' })
  for (const wrong of [
    undefined,
    '',
    'Basic',
    'Basic ',
    'Basic !!!!',
    'Bearer abc',
    basic(':secret'),
    basic('name:'),
    basic('name'),
    basic(`n:${'s'.repeat(2000)}`),
    `${basic('a:b')}, ${basic('c:d')}`,
  ]) {
    t.is(readBasic(wrong), undefined, wrong)
  }
})

test('certificates stand in PKCS#7 octet for octet, in their order', async (t) => {
  const root = await makeRoot()
  const issuer = await makeIssuer(root)
  const certificates = [issuer, root].map(({ certificatePem }) => new X509Certificate(certificatePem).raw)
  const der = certsOnly(certificates)
  const start = der.indexOf(certificates[0]!)
  t.true(start > 0)
  t.is(der.indexOf(certificates[1]!), start + certificates[0]!.length)
  // The lengths that enclose them are right to the octet: SignedData ends with one empty set.
  t.is(der.readUInt16BE(2), der.length - 4)
  t.is(der.subarray(-2).toString('hex'), '3100')
  t.is(certsOnly([]).toString('hex'), '302506092a864886f70d010702a01830160201013100300b06092a864886f70d010701a0003100')
})

test('an address gets its burst at once, and then so much as time brings', (t) => {
  let nowMs = 0
  const rates = new Rates({ perSecond: 0.5, burst: 3 }, { monotonicMs: () => nowMs, wallUs: () => 0 })
  t.deepEqual(
    [1, 2, 3, 4].map(() => rates.take('192.0.2.1')),
    [true, true, true, false],
  )
  t.is(rates.waitSeconds('192.0.2.1'), 2)
  t.is(rates.waitSeconds('192.0.2.2'), 0, 'another address is not touched')
  nowMs = 1999
  t.false(rates.take('192.0.2.1'))
  nowMs = 2000
  t.true(rates.take('192.0.2.1'))
  t.false(rates.take('192.0.2.1'))
  nowMs = 1_000_000
  t.deepEqual(
    [1, 2, 3, 4].map(() => rates.take('192.0.2.1')),
    [true, true, true, false],
  )
})

test('addresses that are limited are bounded, the quietest is forgotten first', (t) => {
  const rates = new Rates({ perSecond: 1, burst: 1 }, { monotonicMs: () => 0, wallUs: () => 0 })
  for (let i = 0; i < 20_000; i++) rates.take(`192.0.${i >> 8}.${i & 255}`)
  t.is(rates.size, 10_000)
  t.false(rates.take('192.0.78.31'))
  t.true(rates.take('192.0.0.0'))
})

test('an IPv6 host is limited by its /64, an IPv4 one by itself in both spellings', (t) => {
  t.is(limitedAddress('192.0.2.7'), '192.0.2.7')
  t.is(limitedAddress('::ffff:192.0.2.7'), '192.0.2.7')
  t.is(limitedAddress('2001:db8:0:1::7'), limitedAddress('2001:db8::1:ffff:1:2:3'))
  t.not(limitedAddress('2001:db8:0:1::7'), limitedAddress('2001:db8:0:2::7'))
  t.is(limitedAddress('::1'), '0:0:0:0::/64')
  t.is(limitedAddress('fe80::1%eth0'), 'fe80:0:0:0::/64')
  t.is(limitedAddress('2001:db8::'), '2001:db8:0:0::/64')
})

test('what the client has already is not sent again', (t) => {
  const body = Buffer.from('list')
  const first = cached('application/pkix-crl', body, undefined)
  const tag = first.headers['ETag']!
  t.is(first.status, 200)
  for (const known of [tag, `"other", ${tag}`, `W/${tag}`, '*']) t.is(cached('application/pkix-crl', body, known).status, 304, known)
  for (const other of ['', '"other"', tag.slice(1)]) t.is(cached('application/pkix-crl', body, other).status, 200, other)
  t.is(cached('application/pkix-crl', Buffer.from('list 2'), tag).status, 200)
})

test('the server is named by --name and by the address it listens on, and needs one', (t) => {
  t.deepEqual(serverNames({ listen: { host: '192.0.2.7', port: 1 }, names: ['ca.example.com'] }), ['ca.example.com', '192.0.2.7'])
  t.deepEqual(serverNames({ listen: { host: '0.0.0.0', port: 1 }, names: ['ca.example.com'] }), ['ca.example.com'])
  t.throws(() => serverNames({ listen: { host: '::', port: 8443 }, names: [] }), { code: 'USAGE', message: /\[::\]:8443/ })
})
