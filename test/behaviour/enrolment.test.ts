// Enrolment, renewal and revocation lists, between real processes over real TLS. Each refusal shows its message, and nothing is issued by it.

import { createHash, X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as tls from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { revoke } from '../../pki/revocation.ts'
import { rotateIssuer, rotateRoot } from '../../pki/rotation.ts'
import { makeCsr } from '../support/csr.ts'
import { certificatesOf, Enrolment, EST, hostOf, type Reply } from '../support/enrolment.ts'
import { DAY_MS, makeLeaf, makeRoot } from '../unit/pki/made.ts'

const NAME = 'web01.example.com'

/** The reply refuses, says why and what to do, and no certificate was issued meanwhile. */
async function refuses(t: ExecutionContext, est: Enrolment, ask: () => Promise<Reply>, status: number, text: RegExp): Promise<Reply> {
  const before = est.acts('issue').length
  const reply = await ask()
  t.is(reply.status, status, reply.text)
  t.regex(reply.text, text)
  t.regex(reply.text, /^.+\n {2}.+\n$/, 'one sentence and one remedy')
  t.is(est.acts('issue').length, before, 'a certificate was issued')
  return reply
}

function isRevoked(list: Buffer, certificate: X509Certificate): boolean {
  return list.includes(Buffer.from(certificate.serialNumber, 'hex'))
}

test('a host enrols with an invitation, and renews with its certificate alone', async (t) => {
  const est = await Enrolment.start(t)
  const csr = await makeCsr(NAME)
  const first = await est.enrol(await est.invite(NAME), csr)
  t.is(first.status, 200, first.text)
  t.is(first.headers['content-type'], 'application/pkcs7-mime; smime-type=certs-only')
  t.is(first.headers['content-transfer-encoding'], 'base64')
  const [leaf, issuer, ...rest] = certificatesOf(first)
  t.is(rest.length, 0)
  t.true(leaf!.checkIssued(issuer!) && leaf!.verify(issuer!.publicKey))
  t.truthy(leaf!.checkHost(NAME))
  t.regex(await est.server.event('enrolled'), new RegExp(`${NAME} from=127\\.0\\.0\\.1:\\d+ serial=${leaf!.serialNumber}$`))

  const next = await makeCsr(NAME)
  const renewed = await est.renew(hostOf(first, csr), next)
  t.is(renewed.status, 200, renewed.text)
  const host = hostOf(renewed, next)
  t.not(host.leaf.serialNumber, leaf!.serialNumber)
  t.is(host.leaf.subjectAltName, leaf!.subjectAltName)
  t.regex(await est.server.event('renewed'), new RegExp(`${NAME} from=127\\.0\\.0\\.1:\\d+ serial=${host.leaf.serialNumber}$`))
  t.is((await est.renew(host, await makeCsr(NAME))).status, 200)
  t.false(est.server.said.includes('BEGIN'), 'no key and no certificate in the log')
})

test('the bundle holds root and issuer, and the attributes ask for P-256', async (t) => {
  const est = await Enrolment.start(t)
  const bundle = await est.ask(`${EST}/cacerts`)
  t.is(bundle.headers['content-type'], 'application/pkcs7-mime; smime-type=certs-only')
  const [root, issuer] = certificatesOf(bundle)
  t.true(root!.raw.equals(new X509Certificate(est.ca).raw))
  t.true(issuer!.checkIssued(root!))
  const attributes = await est.ask(`${EST}/csrattrs`)
  t.is(attributes.headers['content-type'], 'application/csrattrs')
  t.regex(Buffer.from(attributes.text, 'base64').toString('hex'), /06082a8648ce3d030107.*06082a8648ce3d040302$/)
})

test('a body with line breaks, as openssl writes it, enrols as well', async (t) => {
  const est = await Enrolment.start(t)
  const { der } = await makeCsr(NAME)
  const lines = `${der.toString('base64').replace(/.{64}/g, '$&\r\n')}\r\n`
  const headers = { 'Content-Type': 'application/pkcs10; charset=us-ascii', 'Content-Transfer-Encoding': 'base64' }
  t.is((await est.enrol(await est.invite(NAME), lines, headers)).status, 200)
})

test('a secret that was never given, or was given for another name, enrols nobody', async (t) => {
  const est = await Enrolment.start(t)
  const invitation = await est.invite(NAME)
  const csr = await makeCsr(NAME)
  const secret = 'A'.repeat(invitation.secret.length)
  const reply = await refuses(t, est, () => est.enrol({ name: NAME, secret }, csr), 401, /secret/i)
  t.truthy(reply.headers['www-authenticate'])
  t.false(reply.text.includes(secret))
  await refuses(t, est, () => est.enrol({ name: 'web02.example.com', secret: invitation.secret }, csr), 403, /invitation is for web01/)
  t.false(est.server.said.includes(secret) || est.server.said.includes(invitation.secret), 'a secret in the log')
  t.is((await est.enrol(invitation, csr)).status, 200, 'the invitation is as good as before')
})

test('a spent invitation gives the same key the same certificate, and another key nothing', async (t) => {
  const est = await Enrolment.start(t)
  const invitation = await est.invite(NAME)
  const csr = await makeCsr(NAME)
  const first = await est.enrol(invitation, csr)
  const again = await est.enrol(invitation, await makeCsr(NAME, csr.key))
  t.is(again.status, 200, again.text)
  t.deepEqual(certificatesOf(again)[0]!.raw, certificatesOf(first)[0]!.raw)
  t.is(est.acts('issue').filter((act) => act['name'] === NAME).length, 1)
  await refuses(t, est, async () => est.enrol(invitation, await makeCsr(NAME)), 403, /127\.0\.0\.1/)
})

test('an expired invitation enrols nobody, not even with the key it was used with', async (t) => {
  const est = await Enrolment.start(t)
  const unused = await est.invite(NAME, { ttlMs: 3_600_000 })
  const used = await est.invite('web02.example.com', { ttlMs: 3_600_000 })
  const csr = await makeCsr('web02.example.com')
  t.is((await est.enrol(used, csr)).status, 200)
  est.jump(3_700_000)
  await refuses(t, est, async () => est.enrol(unused, await makeCsr(NAME)), 403, /expired/)
  await refuses(t, est, () => est.enrol(used, csr), 403, /expired/)
})

test('thirty wrong secrets from an address in a row, and it has to wait; renewals do not', async (t) => {
  const est = await Enrolment.start(t)
  const host = await est.host()
  const csr = await makeCsr('web02.example.com')
  const invitation = await est.invite('web02.example.com')
  const wrong = { name: 'web02.example.com', secret: 'A'.repeat(27) }
  let reply = await est.enrol(wrong, csr)
  // Some time passes meanwhile, and brings a new attempt every two seconds.
  for (let i = 1; i < 100 && reply.status === 401; i++) reply = await est.enrol(wrong, csr)
  t.is(reply.status, 429, reply.text)
  t.regex(reply.headers['retry-after'] ?? '', /^[12]$/)
  t.is((await est.renew(host, await makeCsr(NAME))).status, 200)
  t.true(est.acts('refuse').length < 10, 'the journal does not fill with them')
  let right = await est.enrol(invitation, csr)
  const deadline = performance.now() + 60_000
  while (right.status === 429 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, Number(right.headers['retry-after']) * 1000))
    right = await est.enrol(invitation, csr)
  }
  t.is(right.status, 200, right.text)
})

test('what is no certificate request, or asks for more than the invitation allows, is refused', async (t) => {
  const est = await Enrolment.start(t)
  const invitation = await est.invite(NAME)
  const { der } = await makeCsr(NAME)
  await refuses(t, est, () => est.enrol(invitation, der.subarray(0, -9).toString('base64')), 400, /./)
  await refuses(t, est, () => est.enrol(invitation, Buffer.from('30030201ff', 'hex').toString('base64')), 400, /./)
  const broken = Buffer.from(der)
  broken[broken.length - 3]! ^= 1
  await refuses(t, est, () => est.enrol(invitation, broken.toString('base64')), 400, /signature/i)
  await refuses(t, est, async () => est.enrol(invitation, await makeCsr('other.example.com')), 403, /./)
  t.is((await est.enrol(invitation, await makeCsr(NAME))).status, 200, 'the invitation is as good as before')
})

test('renewal is for a certificate of this authority whose key the peer holds', async (t) => {
  const est = await Enrolment.start(t)
  await est.host()
  await refuses(t, est, async () => est.renew(undefined, await makeCsr(NAME)), 403, /client certificate/)
  const stranger = await makeLeaf(await makeRoot('Test Logs Issuer'))
  await refuses(t, est, async () => est.renew({ key: stranger.keyPem, cert: stranger.pem }, await makeCsr(NAME)), 403, /./)
})

test('a revoked host renews no more, at once, and its certificate is on the list', async (t) => {
  const est = await Enrolment.start(t)
  const host = await est.host()
  const other = await est.host('web02.example.com')
  const before = await est.ask('/crl')
  t.is(before.headers['content-type'], 'application/pkix-crl')
  t.false(isRevoked(before.body, host.leaf))
  const known = { headers: { 'If-None-Match': before.headers.etag! } }
  const unchanged = await est.ask('/crl', known)
  t.is(unchanged.status, 304)
  t.is(unchanged.body.length, 0)

  await est.act((session) => revoke(session, NAME, 'key-compromise'))
  const after = await est.ask('/crl', known)
  t.is(after.status, 200, 'another process has changed it')
  t.true(isRevoked(after.body, host.leaf))
  t.false(isRevoked(after.body, other.leaf))
  t.deepEqual((await est.ask('/crl/1')).body, after.body)
  const pem = (await est.ask('/crl.pem')).text
  t.true(pem.startsWith('-----BEGIN X509 CRL-----\n'))
  t.notThrows(() => tls.createSecureContext({ crl: pem }))
  await refuses(t, est, async () => est.renew(host, await makeCsr(NAME)), 403, /revoked/)
  t.is((await est.renew(other, await makeCsr('web02.example.com'))).status, 200)
})

test('an expired certificate renews within the grace of 30 days, and not beyond it', async (t) => {
  const est = await Enrolment.start(t)
  const host = await est.host()
  est.jump(35 * DAY_MS)
  const late = await makeCsr(NAME)
  const renewed = await est.renew(host, late)
  t.is(renewed.status, 200, renewed.text)
  t.true(hostOf(renewed, late).leaf.validToDate.getTime() > Date.now() + 60 * DAY_MS)
  est.jump(65 * DAY_MS)
  await refuses(t, est, async () => est.renew(host, await makeCsr(NAME)), 403, /expired/)
})

test('what roots a host trusts is noted from any request that shows its certificate', async (t) => {
  const est = await Enrolment.start(t)
  const host = await est.host()
  const root = new X509Certificate(est.ca)
  const digest = createHash('sha256')
    .update(root.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
  const seen = () => est.acts('seen').filter((act) => act['name'] === NAME)
  await est.ask(`${EST}/cacerts`, { headers: { 'Loghop-Roots': digest } })
  await est.ask(`${EST}/cacerts`, { as: host, headers: { 'Loghop-Roots': `${digest},../../etc` } })
  t.is(seen().length, 0)
  await est.ask(`${EST}/cacerts`, { as: host, headers: { 'Loghop-Roots': digest.toUpperCase() } })
  t.deepEqual(seen()[0]?.['roots'], [digest])
  await est.ask('/crl', { as: host, headers: { 'Loghop-Roots': digest } })
  t.is(seen().length, 1, 'what has not changed is not written again')
  const other = 'ab'.repeat(32)
  await est.renew(host, await makeCsr(NAME), { 'Loghop-Roots': `${digest}, ${other}` })
  t.deepEqual(new Set(seen().at(-1)?.['roots'] as string[]), new Set([digest, other]))
})

test('many hosts at once, from one address as behind a site relay, each get their own', async (t) => {
  const est = await Enrolment.start(t)
  const names = Array.from({ length: 20 }, (_, i) => `host${i}.example.com`)
  const { secret } = await est.invite('*.example.com', { uses: 20 })
  const replies = await Promise.all(names.map(async (name) => est.enrol({ name, secret }, await makeCsr(name))))
  for (const [i, reply] of replies.entries()) t.truthy(certificatesOf(reply)[0]?.checkHost(names[i]!), reply.text)
  t.is(new Set(est.acts('issue').map((act) => act['serial'])).size, est.acts('issue').length)
})

test('after kill -9 the server comes back with the same identity and all it had issued', async (t) => {
  const est = await Enrolment.start(t)
  const host = await est.host()
  const own = (): string => fs.readFileSync(`${est.authority}/server/cert.pem`, 'utf8')
  const before = own()
  await est.server.end('SIGKILL')
  await est.serve()
  t.is(own(), before)
  t.is((await est.renew(host, await makeCsr(NAME))).status, 200)
})

test('the authority rotates its issuer in another process: new certificates come from it, and so does that of the server', async (t) => {
  const est = await Enrolment.start(t)
  const host = await est.host()
  await est.act((session) => rotateIssuer(session, undefined))
  const csr = await makeCsr(NAME)
  const renewed = await est.renew(host, csr)
  t.is(renewed.status, 200, renewed.text)
  t.not(hostOf(renewed, csr).leaf.issuer + hostOf(renewed, csr).cert, host.leaf.issuer + host.cert)
  t.is((await est.ask('/crl/2')).status, 200)
  t.is((await est.ask('/crl/1')).status, 200)
  t.is(((await est.ask('/crl.pem')).text.match(/BEGIN X509 CRL/g) ?? []).length >= 2, true)
})
