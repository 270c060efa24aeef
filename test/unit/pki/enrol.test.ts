import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import * as x509 from '@peculiar/x509'
import test, { type ExecutionContext } from 'ava'
import { certificateFacts } from '../../../core/transport/certificate.ts'
import { readRevocationList } from '../../../pki/crl.ts'
import { reset, revoke } from '../../../pki/revocation.ts'
import type { EnrolAnswer } from '../../../pki/service.ts'
import { DAY_MS } from './made.ts'
import { FROM, HOST, MadeAuthority, makeKeys, makeRequest, P256, SERVER } from './requests.ts'

function leafOf(answer: EnrolAnswer): X509Certificate {
  if (answer.kind === 'refused') throw new Error(answer.sentence)
  return new X509Certificate(answer.chain[0]!)
}

/** Checks that it was refused so, that the sentence says why, and that no certificate exists for it. */
function refused(
  t: ExecutionContext,
  made: MadeAuthority,
  issuedBefore: number,
  answer: EnrolAnswer,
  status: number,
  sentence: RegExp,
): void {
  if (answer.kind !== 'refused') throw new Error('A certificate was issued')
  t.is(answer.status, status as 400)
  t.regex(answer.sentence, sentence)
  t.notRegex(answer.sentence + answer.remedy, /[\u0000-\u001f]/)
  t.is(made.issued, issuedBefore)
}

test('enrol() issues what the invitation says, with the chain behind it', async (t) => {
  const made = await MadeAuthority.make(t)
  await made.authority.recordAddress(SERVER)
  const order = {
    name: 'relay.example.com',
    role: 'relay',
    san: ['192.0.2.7', 'r2.example.com'],
    speaksFor: ['*.site1.example.com'],
    days: 10,
  }
  const token = await made.invite(order)
  t.like(token, { server: SERVER, name: 'relay.example.com', role: 'relay' })
  const csr = await makeRequest({ subject: [{ CN: ['relay.example.com'] }] })
  const answer = await made.authority.enrol({ name: 'Relay.example.com', secret: token.secret, csr, from: FROM })
  const facts = certificateFacts(leafOf(answer))
  t.like(facts, { role: 'relay', commonName: 'relay.example.com' })
  t.deepEqual(
    [facts.names, facts.addresses, facts.speaksFor],
    [['relay.example.com', 'r2.example.com'], ['192.0.2.7'], ['*.site1.example.com']],
  )
  t.is(Math.round((facts.validTo.getTime() - made.nowMs) / DAY_MS), 10)
  t.true(leafOf(answer).infoAccess === undefined)
  const [leaf, issuer] = (answer.kind === 'issued' ? answer.chain : []).map((der) => new X509Certificate(der))
  t.true(leaf!.checkIssued(issuer!) && leaf!.verify(issuer!.publicKey))
  const points = new x509.X509Certificate(leaf!.raw).getExtension(x509.CRLDistributionPointsExtension)!
  t.regex(Buffer.from(points.value).toString('latin1'), /https:\/\/ca\.example\.com:8443\/crl\/1/)
  const root = new X509Certificate(made.authority.bundle()[0]!)
  t.true(issuer!.verify(root.publicKey))
})

test('enrol() answers the same key with the same certificate, also after the uses are spent', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite()
  const keys = await makeKeys()
  const first = await made.authority.enrol({ name: HOST, secret, csr: await makeRequest({ keys }), from: FROM })
  made.nowMs += 60_000
  const second = await made.authority.enrol({ name: HOST, secret, csr: await makeRequest({ keys }), from: '192.0.2.9:1' })
  t.deepEqual(second, first)
  t.is(made.issued, 1)
})

test('enrol() refuses another key once the uses are spent, and says when and from where it was used', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite()
  await made.authority.enrol({ name: HOST, secret, csr: await makeRequest(), from: FROM })
  const answer = await made.authority.enrol({ name: HOST, secret, csr: await makeRequest(), from: '192.0.2.66:1' })
  refused(t, made, 1, answer, 403, /was used on 20\S+Z by web01\.example\.com@192\.0\.2\.1:4711, with another key/)
})

test('of two that enrol at once with one use, one wins', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite()
  const requests = await Promise.all([makeRequest(), makeRequest(), makeRequest()])
  const answers = await Promise.all(requests.map((csr) => made.authority.enrol({ name: HOST, secret, csr, from: FROM })))
  t.deepEqual(answers.map(({ kind }) => kind).sort(), ['issued', 'refused', 'refused'])
  t.is(made.issued, 1)
})

test('enrol() with several uses and a pattern lets each host in once, and none in the place of another', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite({ name: '*.example.com', uses: 2 })
  const ask = async (name: string, csr: Buffer) => made.authority.enrol({ name, secret, csr, from: FROM })
  t.is((await ask('web01.example.com', await makeRequest())).kind, 'issued')
  refused(
    t,
    made,
    1,
    await ask('web01.example.com', await makeRequest()),
    403,
    /has a certificate, and an invitation for \*\.example\.com replaces none/,
  )
  refused(t, made, 1, await ask('web01.other.com', await makeRequest()), 403, /the invitation is for \*\.example\.com/)
  t.is((await ask('web02.example.com', await makeRequest())).kind, 'issued')
  refused(t, made, 2, await ask('web03.example.com', await makeRequest()), 403, /was used/)
})

test('an invitation for a pattern gives nobody the name of a relay, of its alias, of the authority, or of a host that may come back', async (t) => {
  const made = await MadeAuthority.make(t)
  await made.authority.serverIdentity(['ca.example.com', 'enrol.example.com'])
  await made.join('relay.example.com', { role: 'relay', san: ['logs.example.com'] })
  await made.join('web01.example.com', { lifeMs: 20_000 })
  made.nowMs += 29 * DAY_MS
  const { secret } = await made.invite({ name: '*.example.com', uses: 9, role: 'relay', ttlMs: 3 * DAY_MS })
  const ask = async (name: string) => made.authority.enrol({ name, secret, csr: await makeRequest(), from: FROM })
  for (const name of ['ca', 'enrol', 'relay', 'logs', 'web01']) {
    refused(t, made, 3, await ask(`${name}.example.com`), 403, /and an invitation for \*\.example\.com replaces none/)
  }
  made.nowMs += 2 * DAY_MS
  t.is((await ask('web01.example.com')).kind, 'issued', 'it cannot renew any more: it is gone')
})

test('enrol() with --rsa issues one certificate for each kind of key', async (t) => {
  const made = await MadeAuthority.make(t)
  const rsa = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }
  const { secret } = await made.invite({ rsa: true })
  const ask = async (algorithm: object) => made.authority.enrol({ name: HOST, secret, csr: await makeRequest({ algorithm }), from: FROM })
  t.is(leafOf(await ask(rsa)).publicKey.asymmetricKeyType, 'rsa')
  t.is(leafOf(await ask(P256)).publicKey.asymmetricKeyType, 'ec')
  refused(t, made, 2, await ask(rsa), 403, /was used/)
  refused(t, made, 2, await ask(P256), 403, /was used/)
})

test('enrol() refuses names and secrets that are not those of an open invitation', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite()
  const csr = await makeRequest()
  const ask = (name: string, word = secret) => made.authority.enrol({ name, secret: word, csr, from: FROM })
  for (const name of ['', '*.example.com', 'a b', 'web01\n', '10.0.0.1', 'x'.repeat(300)])
    refused(t, made, 0, await ask(name), 400, /it is no host name/)
  for (const word of ['', 'x', secret.slice(1), `${secret}x`, 'x'.repeat(100_000)]) {
    refused(t, made, 0, await ask(HOST, word), 401, /not that of any invitation/)
  }
  refused(t, made, 0, await ask('web02.example.com'), 403, /the invitation is for web01/)
  made.nowMs += 3_600_001
  refused(t, made, 0, await ask(HOST), 403, /the invitation expired on/)
})

test('a secret stands in the journal as a digest only', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite()
  await made.authority.enrol({ name: HOST, secret: `${secret}x`, csr: await makeRequest(), from: FROM })
  const [invitation] = made.authority.state.invitations.values()
  t.false(JSON.stringify(invitation).includes(secret))
  t.regex(invitation!.secret, /^[0-9a-f]{64}$/)
})

const extension = {
  san: (...names: x509.JsonGeneralNames) => new x509.SubjectAlternativeNameExtension(names),
  usage: (...usages: x509.ExtendedKeyUsage[]) => new x509.ExtendedKeyUsageExtension(usages),
}

const ASKS: [string, { subject?: x509.JsonName; extensions?: x509.Extension[] }, RegExp][] = [
  ['another common name', { subject: [{ CN: ['root.example.com'] }] }, /the common name "root\.example\.com"/],
  ['another name', { extensions: [extension.san({ type: 'dns', value: 'web02.example.com' })] }, /the name "web02\.example\.com"/],
  ['an address', { extensions: [extension.san({ type: 'ip', value: '192.0.2.7' })] }, /the address "192\.0\.2\.7"/],
  ['another role', { extensions: [extension.san({ type: 'url', value: 'urn:loghop:role:relay' })] }, /the URI "urn:loghop:role:relay"/],
  [
    'a mail address',
    { extensions: [extension.san({ type: 'email', value: 'a@example.com' })] },
    /a subject alternative name of the kind email/,
  ],
  ['to be a server', { extensions: [extension.usage(x509.ExtendedKeyUsage.serverAuth)] }, /the usage "serverAuth"/],
  ['to be an authority', { extensions: [new x509.BasicConstraintsExtension(true, 0, true)] }, /to be an authority itself/],
  [
    'to sign certificates',
    { extensions: [new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)] },
    /a key usage besides digitalSignature/,
  ],
  ['an unknown extension', { extensions: [new x509.Extension('1.2.3.4', false, Buffer.from('0500', 'hex'))] }, /the extension 1\.2\.3\.4/],
]

for (const [what, options, sentence] of ASKS) {
  test(`enrol() and renew() refuse a request for ${what}`, async (t) => {
    const made = await MadeAuthority.make(t)
    const { secret } = await made.invite()
    refused(t, made, 0, await made.authority.enrol({ name: HOST, secret, csr: await makeRequest(options), from: FROM }), 403, sentence)
    const { certificate } = await made.join('web07.example.com')
    const answer = await made.authority.renew({ certificate, csr: await makeRequest(options), from: FROM })
    refused(t, made, 1, answer, 403, sentence)
  })
}

test('a request may ask for what is allowed', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite({ san: ['192.0.2.7'] })
  const extensions = [
    extension.san(
      { type: 'dns', value: 'WEB01.example.com' },
      { type: 'ip', value: '192.0.2.7' },
      { type: 'url', value: 'urn:loghop:role:agent' },
    ),
    extension.usage(x509.ExtendedKeyUsage.clientAuth),
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
  ]
  const csr = await makeRequest({ subject: [{ C: ['CH'] }, { CN: ['Web01.Example.com'] }], extensions })
  t.is((await made.authority.enrol({ name: HOST, secret, csr, from: FROM })).kind, 'issued')
})

test('enrol() refuses requests that are damaged, unsigned, over-long, or of weak keys', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite()
  const ask = (csr: Buffer) => made.authority.enrol({ name: HOST, secret, csr, from: FROM })
  const good = await makeRequest({ subject: [{ CN: [HOST] }] })
  const tampered = Buffer.from(good)
  tampered[tampered.indexOf(Buffer.from(HOST))] = 0x57
  const rsa = (modulusLength: number, hash = 'SHA-256') => ({
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash,
  })
  const control: x509.JsonName = [{ CN: [HOST] }, { O: [{ utf8String: 'a\u0007b' }] as unknown as string[] }]
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /it is no PKCS#10 request in DER/],
    [Buffer.from('hello'), /it is no PKCS#10 request in DER/],
    [good.subarray(0, -1), /it is no PKCS#10 request in DER/],
    [Buffer.concat([good, Buffer.from([0])]), /something stands behind it/],
    [Buffer.from('3003020101', 'hex'), /it cannot be decoded/],
    [Buffer.alloc(20_000, 0x30), /it has 20000 bytes, 16384 is the limit/],
    [tampered, /its signature is not by its key/],
    [await makeRequest({ algorithm: rsa(1024) }), /its RSA key has 1024 bits, 2048 is the least/],
    [await makeRequest({ algorithm: rsa(2048, 'SHA-1') }), /it is signed with SHA-1/],
    [await makeRequest({ algorithm: { ...P256, namedCurve: 'P-521' } }), /on the curve secp521r1, P-256 and P-384 are accepted/],
    [await makeRequest({ subject: control }), /control characters: "a\\u0007b"/],
    [await makeRequest({ subject: [{ CN: ['x'.repeat(254)] }] }), /has 254 characters, 253 is the limit/],
  ]
  for (const [csr, sentence] of cases) refused(t, made, 0, await ask(csr), 400, sentence)
  for (let cut = 1; cut < good.length; cut += 7) t.is((await ask(good.subarray(0, cut))).kind, 'refused')
  t.is((await ask(await makeRequest({ algorithm: { ...P256, namedCurve: 'P-384' } }))).kind, 'issued')
})

test('a key is bound to one name, and a revoked one to none', async (t) => {
  const made = await MadeAuthority.make(t)
  const { keys, certificate } = await made.join()
  const other = await made.invite({ name: 'web02.example.com' })
  const csr = await makeRequest({ keys })
  refused(
    t,
    made,
    1,
    await made.authority.enrol({ name: other.name, secret: other.secret, csr, from: FROM }),
    403,
    /its key belongs to web01/,
  )
  await made.authority.act((session) => revoke(session, HOST, 'keyCompromise'))
  refused(t, made, 1, await made.authority.renew({ certificate, csr: await makeRequest(), from: FROM }), 403, /it was revoked on/)
  await t.throwsAsync(made.invite(), { code: 'PKI_BANNED' })
  await made.authority.act((session) => reset(session, HOST))
  const again = await made.invite()
  refused(t, made, 1, await made.authority.enrol({ name: HOST, secret: again.secret, csr, from: FROM }), 403, /its key was revoked on/)
  refused(t, made, 1, await made.authority.renew({ certificate, csr: await makeRequest(), from: FROM }), 403, /it was revoked on/)
  t.is((await made.authority.enrol({ name: HOST, secret: again.secret, csr: await makeRequest(), from: FROM })).kind, 'issued')
})

test('a revoked name is refused with an invitation that was open, for ever', async (t) => {
  const made = await MadeAuthority.make(t)
  await made.join()
  const { secret } = await made.invite()
  await made.authority.act((session) => revoke(session, HOST, 'unspecified'))
  const ask = async () => made.authority.enrol({ name: HOST, secret, csr: await makeRequest(), from: FROM })
  refused(t, made, 1, await ask(), 403, /it was revoked/)
  await made.authority.act((session) => reset(session, HOST))
  refused(t, made, 1, await ask(), 403, /it was revoked after it had been invited/)
})

test('an invitation for a pattern can be withdrawn, and its hosts stay', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite({ name: '*.example.com', uses: 9 })
  const ask = async (name: string) => made.authority.enrol({ name, secret, csr: await makeRequest(), from: FROM })
  t.is((await ask('web01.example.com')).kind, 'issued')
  const revoked = await made.authority.act((session) => revoke(session, '*.Example.com', 'unspecified'))
  t.like(revoked, { name: '*.example.com', kind: 'pattern', serials: [] })
  refused(t, made, 1, await ask('web02.example.com'), 403, /the invitation for \*\.example\.com was revoked/)
  t.true([...made.authority.state.certificates.values()].every((issued) => issued.revoked === undefined))
  await t.throwsAsync(made.invite({ name: '*.example.com', uses: 9 }), { code: 'PKI_BANNED' })
  await made.authority.act((session) => reset(session, '*.example.com'))
  t.truthy(await made.invite({ name: '*.example.com', uses: 9 }))
})

test('the certificate of the authority itself can be revoked: it gets another key, and no host is banned', async (t) => {
  const made = await MadeAuthority.make(t)
  await made.join('ca.example.com')
  const folder = await made.authority.serverIdentity(['ca.example.com'])
  const before = new X509Certificate(fs.readFileSync(path.join(folder, 'cert.pem')))
  const revoked = await made.authority.act((session) => revoke(session, before.serialNumber, 'keyCompromise'))
  t.like(revoked, { name: 'ca.example.com', kind: 'server', serials: [before.serialNumber], left: [] })
  t.is(made.authority.state.hosts.get('ca.example.com')!.banned, undefined)
  t.true(readRevocationList(made.authority.revocationLists()[0]!.der).serials.has(before.serialNumber))
  const after = new X509Certificate(fs.readFileSync(path.join(await made.authority.serverIdentity(['ca.example.com']), 'cert.pem')))
  t.not(after.serialNumber, before.serialNumber)
  t.not(after.publicKey.export({ type: 'spki', format: 'pem' }), before.publicKey.export({ type: 'spki', format: 'pem' }))
})

test('renew() issues the same once more for a new key, within the grace also after the end', async (t) => {
  const made = await MadeAuthority.make(t)
  const { certificate } = await made.join(HOST, { san: ['192.0.2.7'], lifeMs: 20_000 })
  made.nowMs += 14_000
  const keys = await makeKeys()
  const renewed = leafOf(await made.authority.renew({ certificate, csr: await makeRequest({ keys }), from: FROM }))
  const before = certificateFacts(new X509Certificate(certificate))
  const after = certificateFacts(renewed)
  t.deepEqual([after.names, after.addresses, after.role], [before.names, before.addresses, before.role])
  t.is(after.validTo.getTime() - after.validFrom.getTime(), before.validTo.getTime() - before.validFrom.getTime())
  t.true(after.validTo > before.validTo)
  t.is(made.authority.state.certificates.get(renewed.serialNumber)!.via, `renewal ${before.serial}`)
  made.nowMs = before.validTo.getTime() + 30 * DAY_MS - 1
  t.is((await made.authority.renew({ certificate, csr: await makeRequest(), from: FROM })).kind, 'issued')
  made.nowMs += 1
  refused(t, made, 3, await made.authority.renew({ certificate, csr: await makeRequest(), from: FROM }), 403, /30 days of grace are over/)
})

test('renew() knows only the very certificates that this authority issued to hosts', async (t) => {
  const made = await MadeAuthority.make(t)
  const other = await MadeAuthority.make(t)
  const { certificate } = await other.join()
  const ask = async (der: Buffer) => made.authority.renew({ certificate: der, csr: await makeRequest(), from: FROM })
  refused(t, made, 0, await ask(certificate), 403, /none that this authority has issued/)
  refused(t, made, 0, await ask(Buffer.alloc(0)), 403, /none that this authority has issued/)
  await made.authority.serverIdentity(['localhost'])
  const [server] = made.authority.state.certificates.values()
  refused(t, made, 1, await ask(Buffer.from(server!.certificate, 'base64')), 403, /none that this authority has issued/)
})

test('the same cause of refusal is one line a minute in the journal', async (t) => {
  const made = await MadeAuthority.make(t)
  const csr = await makeRequest()
  const lines = () => made.authority.journalLines
  const before = lines()
  for (let i = 0; i < 20; i++) await made.authority.enrol({ name: `web${i}.example.com`, secret: `guess ${i}`, csr, from: FROM })
  t.is(lines(), before + 1)
  made.nowMs += 60_000
  await made.authority.enrol({ name: HOST, secret: 'guess', csr, from: FROM })
  t.is(lines(), before + 2)
})

test('no host can fill the journal: renewals, refusals and what it trusts are bounded', async (t) => {
  const made = await MadeAuthority.make(t)
  const { certificate } = await made.join()
  const renew = async () => made.authority.renew({ certificate, csr: await makeRequest(), from: FROM })
  for (let i = 0; i < 59; i++) t.is((await renew()).kind, 'issued')
  const answer = await renew()
  refused(t, made, 60, answer, 429, /it got 60 within the life of one/)
  t.true(answer.kind === 'refused' && answer.retryAfterSeconds! >= 3600)
  const lines = () => made.authority.journalLines
  let before = lines()
  for (let i = 0; i < 100; i++) await made.authority.seen(certificate, [i.toString(16).padStart(64, '0')], FROM)
  t.is(lines(), before + 20)
  const { secret } = await made.invite({ name: 'web02.example.com' })
  const csr = await makeRequest()
  before = lines()
  for (let i = 0; i < 300; i++) await made.authority.enrol({ name: `guess${i}.example.com`, secret, csr, from: FROM })
  t.true(lines() - before <= 210, `${lines() - before} lines`)
  made.nowMs += 30 * DAY_MS
  t.is((await renew()).kind, 'issued', 'a life later all is well again')
})
