import { X509Certificate } from 'node:crypto'
import test from 'ava'
import {
  type Admission,
  type AdmissionPolicy,
  admitClient as admitClientBy,
  admitServer as admitServerBy,
  type PresentedCertificate,
} from '../../../core/transport/admission.ts'
import { certificateFacts } from '../../../core/transport/certificate.ts'
import { NONE_REVOKED, type RevocationCheck } from '../../../core/transport/tls-policy.ts'
import type { LeafRequest } from '../../../pki/x509.ts'
import { DAY_MS, type Leaf, makeIssuer, makeLeaf, makeRoot, makeSelfSigned, NOW, presentClient, presentServer } from '../pki/made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
const otherRoot = await makeRoot('Other Root')
const caPem = root.certificatePem
const ANY: AdmissionPolicy = { names: ['*'], pins: [] }
const NOBODY: AdmissionPolicy = { names: [], pins: [] }

const EXPIRED = { notBefore: new Date(NOW - 9 * DAY_MS), notAfter: new Date(NOW - DAY_MS) }
const FUTURE = { notBefore: new Date(NOW + DAY_MS), notAfter: new Date(NOW + 9 * DAY_MS) }
const RELAY: Partial<LeafRequest> = {
  dnsNames: ['relay.example.com', '*.wild.example.com'],
  addresses: ['192.0.2.7', '2001:db8::7'],
  uris: ['urn:loghop:role:relay'],
  usages: ['clientAuth', 'serverAuth'],
}

function admitClient(presented: PresentedCertificate, policy: AdmissionPolicy, nowMs: number, revoked = NONE_REVOKED): Admission {
  return admitClientBy(presented, policy, nowMs, revoked)
}

function admitServer(
  presented: PresentedCertificate,
  expected: { host: string; pin?: string },
  nowMs: number,
  revoked: RevocationCheck = NONE_REVOKED,
): Admission {
  return admitServerBy(presented, expected, nowMs, revoked)
}

function pinsOf(leaf: Leaf): AdmissionPolicy {
  return { names: [], pins: [certificateFacts(leaf.certificate).certificateSha256] }
}

function keyPinOf(leaf: Leaf): string {
  return certificateFacts(leaf.certificate).publicKeySha256
}

function outcome(admission: Admission): string {
  return admission.kind === 'admitted' ? `admitted ${admission.name}` : admission.check
}

async function client(differing: Partial<LeafRequest> = {}, signer = issuer): Promise<[Leaf, PresentedCertificate]> {
  const leaf = await makeLeaf(signer, differing)
  return [leaf, await presentClient(leaf, caPem, signer === issuer ? issuer.certificatePem : '')]
}

test('admitClient() admits a client of our authority by pattern, exact name, or pin of either kind', async (t) => {
  const [leaf, presented] = await client()
  t.true(presented.authorized)
  for (const policy of [ANY, { names: ['*.example.com'], pins: [] }, { names: ['WEB01.example.com'], pins: [] }, pinsOf(leaf)]) {
    t.is(outcome(admitClient(presented, policy, NOW)), 'admitted web01.example.com')
  }
  t.is(outcome(admitClient(presented, { names: [], pins: [keyPinOf(leaf)] }, NOW)), 'admitted web01.example.com')
})

test('admitClient() names a client by the first dNSName that the policy permits', async (t) => {
  const [, presented] = await client({ dnsNames: ['a.other.example', '*.example.com', 'b.example.com', 'c.example.com'] })
  t.is(outcome(admitClient(presented, { names: ['c.example.com', '*.example.com'], pins: [] }, NOW)), 'admitted b.example.com')
})

for (const [what, differing, check] of [
  ['expired', EXPIRED, 'expired'],
  ['not yet valid', FUTURE, 'not-yet-valid'],
  ['for servers only', { usages: ['serverAuth'] }, 'purpose'],
  ['without subjectAltName', { dnsNames: [], uris: [] }, 'name'],
  ['named by a wildcard only', { dnsNames: ['*.example.com'] }, 'name'],
  ['named by an address only', { dnsNames: [], addresses: ['192.0.2.1'] }, 'name'],
  ['named by a path', { dnsNames: ['../../etc'] }, 'name'],
  ['with a forged second name', { dnsNames: ['evil, DNS:web01.example.com'] }, 'name'],
  ['with a NUL in its name', { dnsNames: ['web01.example.com\0.evil'] }, 'name'],
] as [string, Partial<LeafRequest>, string][]) {
  test(`admitClient() refuses a certificate that is ${what}, pinned or not`, async (t) => {
    const [leaf, presented] = await client(differing)
    t.is(outcome(admitClient(presented, ANY, NOW)), check)
    t.is(outcome(admitClient(presented, { names: ['*'], pins: pinsOf(leaf).pins }, NOW)), check)
  })
}

test('admitClient() refuses another authority, a withheld intermediate and a self-signed certificate', async (t) => {
  const [, foreign] = await client({}, otherRoot)
  const leaf = await makeLeaf(issuer)
  for (const presented of [
    foreign,
    await presentClient(leaf, caPem),
    await presentClient(await makeSelfSigned('web01.example.com'), caPem),
  ]) {
    t.false(presented.authorized)
    t.is(outcome(admitClient(presented, ANY, NOW)), 'untrusted')
  }
})

test('admitClient() refuses a client without a certificate', async (t) => {
  t.is(outcome(admitClient(await presentClient(undefined, caPem), ANY, NOW)), 'no-certificate')
})

test('admitClient() lets the pin of a certificate, not that of a key, stand in for an authority', async (t) => {
  const [leaf, presented] = await client({}, otherRoot)
  t.is(outcome(admitClient(presented, pinsOf(leaf), NOW)), 'admitted web01.example.com')
  t.is(outcome(admitClient(presented, { names: ['*'], pins: [keyPinOf(leaf)] }, NOW)), 'pin')
  t.is(outcome(admitClient(presented, pinsOf(await makeLeaf(issuer)), NOW)), 'untrusted')
})

test('admitClient() admits a pinned self-signed certificate', async (t) => {
  const leaf = await makeSelfSigned('web01.example.com')
  const presented = await presentClient(leaf, caPem)
  t.is(presented.authorizationError, 'DEPTH_ZERO_SELF_SIGNED_CERT')
  t.is(outcome(admitClient(presented, pinsOf(leaf), NOW)), 'admitted web01.example.com')
})

test('admitClient() and admitServer() refuse a revoked certificate, pinned or not, and ask with the chain that was presented', async (t) => {
  const asked: string[] = []
  const revokedFor = (serial: string): RevocationCheck => {
    return (certificate) => {
      asked.push(certificate.serialNumber)
      const above = certificate.issuerCertificate?.serialNumber
      return [certificate.serialNumber, above].includes(serial) ? new Date(NOW - DAY_MS) : undefined
    }
  }
  const [leaf, presented] = await client()
  const { serialNumber } = leaf.certificate
  for (const policy of [ANY, pinsOf(leaf)]) {
    const refused = admitClient(presented, policy, NOW, revokedFor(serialNumber))
    t.is(outcome(refused), 'revoked')
    t.regex(
      refused.kind === 'refused' ? refused.sentence : '',
      new RegExp(`serial ${serialNumber}.* was revoked on ${new Date(NOW - DAY_MS).toISOString().slice(0, 10)}`),
    )
    t.is(outcome(admitClient(presented, policy, NOW, revokedFor(new X509Certificate(issuer.certificatePem).serialNumber))), 'revoked')
    t.is(outcome(admitClient(presented, policy, NOW, revokedFor('00'))), 'admitted web01.example.com')
  }
  const relay = await makeLeaf(issuer, RELAY)
  const server = await presentServer(relay, caPem, issuer.certificatePem)
  t.is(outcome(admitServer(server, { host: 'relay.example.com' }, NOW, revokedFor(relay.certificate.serialNumber))), 'revoked')
  const pin = keyPinOf(relay)
  t.is(outcome(admitServer(server, { host: 'relay.example.com', pin }, NOW, revokedFor(relay.certificate.serialNumber))), 'revoked')
  t.is(new Set(asked).size, 2)
})

test('admitClient() refuses a pinned certificate whose dates or usage a chain error hides', async (t) => {
  for (const [differing, check] of [
    [EXPIRED, 'expired'],
    [FUTURE, 'not-yet-valid'],
    [{ usages: ['serverAuth'] }, 'purpose'],
  ] as [Partial<LeafRequest>, string][]) {
    const [leaf, presented] = await client(differing, otherRoot)
    t.is(outcome(admitClient(presented, pinsOf(leaf), NOW)), check)
    const hidden = { ...presented, authorizationError: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }
    t.is(outcome(admitClient(hidden, pinsOf(leaf), NOW)), check)
  }
})

test('admitClient() admits nobody unless OpenSSL said yes, or a pin mends a chain error', async (t) => {
  const [leaf, presented] = await client()
  const policy = { names: ['*'], pins: pinsOf(leaf).pins }
  for (const [code, check] of [
    ['CERT_REVOKED', 'revoked'],
    ['CERT_HAS_EXPIRED', 'expired'],
    ['CERT_NOT_YET_VALID', 'not-yet-valid'],
    ['INVALID_PURPOSE', 'purpose'],
    ['CERT_SIGNATURE_FAILURE', 'untrusted'],
    ['constructor', 'untrusted'],
    [undefined, 'untrusted'],
  ] as const) {
    t.is(outcome(admitClient({ ...presented, authorized: false, authorizationError: code }, policy, NOW)), check, code)
  }
  t.is(outcome(admitClient({ ...presented, authorized: 1 as unknown as boolean }, ANY, NOW)), 'untrusted')
})

test('admitClient() refuses when the clock is unreadable', async (t) => {
  const [, presented] = await client()
  t.is(outcome(admitClient(presented, ANY, Number.NaN)), 'not-yet-valid')
})

test('admitClient() refuses a name that is not listed, and says what it found and what it wants', async (t) => {
  const [, presented] = await client()
  const admission = admitClient(presented, { names: ['*.site1.example.com'], pins: [] }, NOW)
  t.like(admission, { check: 'not-permitted', sentence: 'certificate names "web01.example.com", this listener admits *.site1.example.com' })
  t.is(outcome(admitClient(presented, NOBODY, NOW)), 'not-permitted')
  t.is(outcome(admitClient(presented, { names: [], pins: ['garbage'] }, NOW)), 'pin')
  t.is(outcome(admitClient(presented, { names: ['*1.example.com', '**'], pins: ['garbage'] }, NOW)), 'not-permitted')
})

test('admitClient() writes sentences of one line, whatever a certificate holds', async (t) => {
  const dnsNames = ['a\n2026 sshd: accepted', 'b\u001b[2J', ...Array.from({ length: 50 }, (_, i) => `${i} ${'x'.repeat(999)}`)]
  const [, presented] = await client({ dnsNames })
  const admission = admitClient(presented, ANY, NOW)
  t.true(admission.kind === 'refused')
  if (admission.kind === 'refused') {
    t.notRegex(admission.sentence, /[\u0000-\u001f]/)
    t.true(admission.sentence.length < 2500)
  }
})

async function relay(differing: Partial<LeafRequest> = {}, signer = issuer): Promise<[Leaf, PresentedCertificate]> {
  const leaf = await makeLeaf(signer, { ...RELAY, ...differing })
  return [leaf, await presentServer(leaf, caPem, issuer.certificatePem)]
}

test('admitServer() admits the relay that was dialled, by name, wildcard or address', async (t) => {
  const [leaf, presented] = await relay()
  for (const host of ['relay.example.com', 'RELAY.example.com', 'a.wild.example.com', '192.0.2.7', '2001:DB8:0::7']) {
    t.is(admitServer(presented, { host }, NOW).kind, 'admitted', host)
  }
  t.is(outcome(admitServer(presented, { host: 'RELAY.example.com', pin: keyPinOf(leaf) }, NOW)), 'admitted relay.example.com')
})

test('admitServer() refuses another name, a deeper one, the common name, and what is no name', async (t) => {
  const [, presented] = await relay()
  for (const host of [
    'other.example.com',
    'a.b.wild.example.com',
    'wild.example.com',
    'web01.example.com',
    '.example.com',
    '*.wild.example.com',
    '',
    '192.0.2.8',
  ]) {
    t.is(outcome(admitServer(presented, { host }, NOW)), 'name', host)
  }
})

for (const [what, differing, check] of [
  ['expired', EXPIRED, 'expired'],
  ['not yet valid', FUTURE, 'not-yet-valid'],
  ['for clients only', { usages: ['clientAuth'] }, 'purpose'],
  ["an agent's", { uris: ['urn:loghop:role:agent'] }, 'purpose'],
] as [string, Partial<LeafRequest>, string][]) {
  test(`admitServer() refuses a certificate that is ${what}, pinned or not`, async (t) => {
    const [leaf, presented] = await relay(differing)
    t.is(outcome(admitServer(presented, { host: 'relay.example.com' }, NOW)), check)
    t.is(outcome(admitServer(presented, { host: 'relay.example.com', pin: keyPinOf(leaf) }, NOW)), check)
  })
}

test('admitServer() accepts a relay of another authority by pin only, and a relay of ours with another pin never', async (t) => {
  const [leaf, foreign] = await relay({}, otherRoot)
  const [, ours] = await relay()
  const host = 'relay.example.com'
  t.is(outcome(admitServer(foreign, { host }, NOW)), 'untrusted')
  t.is(outcome(admitServer(foreign, { host, pin: keyPinOf(leaf) }, NOW)), 'admitted relay.example.com')
  t.is(outcome(admitServer(ours, { host, pin: keyPinOf(leaf) }, NOW)), 'pin')
  t.is(outcome(admitServer(ours, { host, pin: 'garbage' }, NOW)), 'pin')
  t.is(outcome(admitServer({ ...ours, authorized: false, authorizationError: 'CERT_REVOKED' }, { host }, NOW)), 'revoked')
  t.is(outcome(admitServer({ certificate: undefined, authorized: true, authorizationError: undefined }, { host }, NOW)), 'no-certificate')
})

test('admitServer() takes a certificate that says nothing of roles', async (t) => {
  const [, presented] = await relay({ uris: [] })
  t.is(admitServer(presented, { host: 'relay.example.com' }, NOW).kind, 'admitted')
})
