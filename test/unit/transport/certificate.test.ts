import test from 'ava'
import { parseAlternativeNames } from '../../../core/transport/alternative-names.ts'
import { certificateFacts, describeCertificate } from '../../../core/transport/certificate.ts'
import { makeLeaf, makeRoot } from '../pki/made.ts'

const root = await makeRoot()

test('certificateFacts() reads names, addresses, role and speaks-for', async (t) => {
  const { certificate } = await makeLeaf(root, {
    dnsNames: ['Relay.Example.com', 'r2.example.com'],
    addresses: ['192.0.2.7', '2001:db8::7'],
    uris: ['urn:loghop:role:relay', 'urn:loghop:speaks-for:*.Site1.example.com', 'urn:loghop:speaks-for:*x', 'https://example.com/'],
  })
  const facts = certificateFacts(certificate)
  t.deepEqual(facts.names, ['relay.example.com', 'r2.example.com'])
  t.deepEqual(facts.addresses, ['192.0.2.7', '2001:db8::7'])
  t.is(facts.role, 'relay')
  t.deepEqual(facts.speaksFor, ['*.site1.example.com'])
  t.is(facts.commonName, 'web01.example.com')
  t.is(facts.issuer, 'CN=Test Root')
  t.is(facts.certificateSha256, `sha-256:${certificate.fingerprint256}`)
  t.regex(facts.publicKeySha256, /^spki-sha256:[0-9a-f]{64}$/)
})

for (const [dnsName, why] of [
  ['evil.example, DNS:web01.example.com', 'a comma'],
  ['evil.example", DNS:"web01.example.com', 'a quote'],
  ['evil.example\\", DNS:web01.example.com', 'a backslash'],
  ['web01.example.com\0.evil.example', 'a NUL'],
  ['evil.example\nDNS:web01.example.com', 'a line end'],
] as const) {
  test(`certificateFacts() keeps one SAN with ${why} one name`, async (t) => {
    const { certificate } = await makeLeaf(root, { dnsNames: [dnsName] })
    const facts = certificateFacts(certificate)
    t.is(facts.names.length, 1)
    t.not(facts.names[0], 'web01.example.com')
  })
}

test('certificateFacts() does not take a role or an address from inside another entry', async (t) => {
  const { certificate } = await makeLeaf(root, {
    dnsNames: ['evil.example, URI:urn:loghop:role:relay, IP Address:192.0.2.1'],
    uris: ['https://x/, URI:urn:loghop:role:relay', 'https://x/", DNS:"web01.example.com'],
  })
  const facts = certificateFacts(certificate)
  t.is(facts.role, undefined)
  t.deepEqual(facts.addresses, [])
  t.is(facts.names.length, 1)
})

test('certificateFacts() takes two roles, or an unknown one, for an agent', async (t) => {
  for (const uris of [['urn:loghop:role:relay', 'urn:loghop:role:agent'], ['urn:loghop:role:admin'], ['urn:loghop:role:']]) {
    t.is(certificateFacts((await makeLeaf(root, { uris })).certificate).role, 'agent')
  }
})

test('describeCertificate() is one line, with control characters escaped', async (t) => {
  const { certificate } = await makeLeaf(root, { commonName: 'a\u001b[31m\nb\u202e' })
  const line = describeCertificate(certificateFacts(certificate))
  t.notRegex(line, /[\u0000-\u001f\u007f-\u009f\u202e]/)
  t.regex(line, /issued by CN=Test Root, valid 20.*Z to 20.*Z, sha-256:[0-9A-F:]{95}$/)
})

test('parseAlternativeNames() believes no part of a text that does not read as a list', (t) => {
  for (const text of ['DNS', 'DNS:a,DNS:b', 'DNS:"a', 'DNS:"a"b', 'DNS:a"b', 'DNS:a, ', ', DNS:a', 'DNS:"\\x41"']) {
    t.is(parseAlternativeNames(text), undefined, text)
  }
})
