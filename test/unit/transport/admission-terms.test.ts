// The terms of a listener beside names and pins: issuers, the common name, addresses.

import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { type Admission, admitClient, type PresentedCertificate } from '../../../core/transport/admission.ts'
import { certificateFacts } from '../../../core/transport/certificate.ts'
import { matchesOrigin, normaliseName, reverseName } from '../../../core/transport/names.ts'
import { NONE_REVOKED } from '../../../core/transport/tls-policy.ts'
import type { LeafRequest } from '../../../pki/x509.ts'
import { makeIssuer, makeLeaf, makeRoot, NOW, presentClient } from '../pki/made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
const otherRoot = await makeRoot('Other Root')
const roots = [root, otherRoot].map(({ certificatePem }) => new X509Certificate(certificatePem))
const bundle = root.certificatePem + otherRoot.certificatePem

async function client(differing: Partial<LeafRequest> = {}, signer = issuer): Promise<PresentedCertificate> {
  return { ...(await presentClient(await makeLeaf(signer, differing), bundle, signer === issuer ? issuer.certificatePem : '')), roots }
}

function outcome(admission: Admission): string {
  return admission.kind === 'admitted' ? `admitted ${admission.name}` : admission.check
}

function pinOf(pem: string): string {
  return certificateFacts(new X509Certificate(pem)).certificateSha256
}

test('issuers limits whose names are believed: root or issuer, by certificate or key', async (t) => {
  const names = ['*']
  const [ours, theirs] = [await client(), await client({}, otherRoot)]
  t.true(ours.authorized && theirs.authorized)
  for (const pem of [root.certificatePem, issuer.certificatePem]) {
    t.is(outcome(admitClient(ours, { names, pins: [], issuers: [pinOf(pem)] }, NOW, NONE_REVOKED)), 'admitted web01.example.com')
    t.is(outcome(admitClient(theirs, { names, pins: [], issuers: [pinOf(pem)] }, NOW, NONE_REVOKED)), 'issuer')
  }
  const key = certificateFacts(new X509Certificate(otherRoot.certificatePem)).publicKeySha256
  t.is(outcome(admitClient(theirs, { names, pins: [], issuers: [key] }, NOW, NONE_REVOKED)), 'admitted web01.example.com')
  t.is(outcome(admitClient(theirs, { names, pins: [], issuers: [] }, NOW, NONE_REVOKED)), 'admitted web01.example.com')
})

test('a pinned authority that a peer merely sends along does not vouch for it', async (t) => {
  const leaf = await makeLeaf(otherRoot, {})
  const presented = { ...(await presentClient(leaf, bundle, issuer.certificatePem + root.certificatePem)), roots }
  t.is(outcome(admitClient(presented, { names: ['*'], pins: [], issuers: [pinOf(root.certificatePem)] }, NOW, NONE_REVOKED)), 'issuer')
})

test('the common name counts only when it is asked for, and only where there is no dNSName (RFC 5425 section 5.2)', async (t) => {
  const bare = await client({ commonName: 'Box7.example.com', dnsNames: [], uris: [] })
  const policy = { names: ['box7.example.com'], pins: [] }
  t.is(outcome(admitClient(bare, policy, NOW, NONE_REVOKED)), 'name')
  t.is(outcome(admitClient(bare, { ...policy, commonName: true }, NOW, NONE_REVOKED)), 'admitted box7.example.com')
  const both = await client({ commonName: 'box7.example.com', dnsNames: ['web01.example.com'] })
  t.is(outcome(admitClient(both, { ...policy, commonName: true }, NOW, NONE_REVOKED)), 'not-permitted')
})

test('a listed address admits; a certificate with nothing else has the name of its reverse look-up', async (t) => {
  const policy = { names: ['192.0.2.9'], pins: [] }
  t.is(
    outcome(admitClient(await client({ dnsNames: [], addresses: ['192.0.2.9'], uris: [] }), policy, NOW, NONE_REVOKED)),
    'admitted 9.2.0.192.in-addr.arpa',
  )
  t.is(outcome(admitClient(await client({ addresses: ['192.0.2.9'] }), policy, NOW, NONE_REVOKED)), 'admitted web01.example.com')
  t.is(outcome(admitClient(await client({ dnsNames: [], addresses: ['192.0.2.8'], uris: [] }), policy, NOW, NONE_REVOKED)), 'name')
})

test('reverseName() is a host name for every address', (t) => {
  t.is(reverseName('192.0.2.7'), '7.2.0.192.in-addr.arpa')
  const expected = `7${'.0'.repeat(23)}.8.b.d.0.1.0.0.2.ip6.arpa`
  t.is(reverseName('2001:db8::7'), expected)
  t.is(normaliseName(expected), expected)
  t.is(normaliseName(reverseName('::')), reverseName('::'))
})

test('matchesOrigin() takes what a pattern stands for, also where it is kept apart, and nothing else', (t) => {
  const patterns = ['*.site1.example.com']
  t.true(matchesOrigin(patterns, 'a.site1.example.com'))
  t.true(matchesOrigin(patterns, '_unverified/a.site1.example.com'))
  for (const origin of [
    'A.site1.example.com',
    '_unverified/',
    '_unverified/../a',
    '_unverified/_unverified/a.site1.example.com',
    '192.0.2.1',
    'b.example.com',
  ])
    t.false(matchesOrigin([...patterns], origin), origin)
  t.false(matchesOrigin(['*'], '192.0.2.1'))
})
