import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { spkiDigest } from '../../../core/identity/bundle.ts'
import { loadIdentity } from '../../../core/identity/identity.ts'
import { readRevocationList } from '../../../pki/crl.ts'
import { inventoryOf } from '../../../pki/inventory.ts'
import { issue } from '../../../pki/issue.ts'
import { reset, revoke } from '../../../pki/revocation.ts'
import { retire, rotateIssuer, rotateRoot, rotationStatus } from '../../../pki/rotation.ts'
import { DAY_MS, presentClient } from './made.ts'
import { FROM, HOST, MadeAuthority, makeRequest } from './requests.ts'

function listed(made: MadeAuthority): { issuer: number; serials: string[]; number: number }[] {
  return made.authority.revocationLists().map(({ issuer, der }) => {
    const { serials, number } = readRevocationList(der)
    return { issuer, serials: [...serials], number }
  })
}

const missing = (made: MadeAuthority) => rotationStatus(made.authority.view()).missing.map(({ name, lacks }) => `${name}: ${lacks.join()}`)

test('a new issuer signs what comes next, and the old one keeps its list', async (t) => {
  const made = await MadeAuthority.make(t)
  const { certificate, chain } = await made.join()
  await made.authority.act((session) => rotateIssuer(session, undefined))
  const answer = await made.authority.renew({ certificate, csr: await makeRequest(), from: FROM })
  if (answer.kind === 'refused') return t.fail(answer.sentence)
  t.not(answer.chain[1]!.toString('hex'), chain[1]!.toString('hex'))
  t.true(new X509Certificate(answer.chain[0]!).verify(new X509Certificate(answer.chain[1]!).publicKey))
  t.deepEqual(
    listed(made).map(({ issuer }) => issuer),
    [2, 1],
  )
  await made.authority.act((session) => revoke(session, HOST, 'superseded'))
  t.deepEqual(
    listed(made).map(({ serials }) => serials.length),
    [1, 1],
  )
})

test('a root is replaced without a step at which anyone is cut off, and retired once all have come over', async (t) => {
  const made = await MadeAuthority.make(t)
  const { authority } = made
  const before = await made.join()
  const oldRoot = new X509Certificate(authority.bundle()[0]!)
  await authority.act((session) => issue(session, { name: 'copied.example.com', role: 'agent', out: path.join(made.parent, 'copied') }))
  await t.throwsAsync(
    authority.act((session) => retire(session, false)),
    { message: /there is only one/ },
  )
  await authority.act((session) => rotateRoot(session, undefined))
  await t.throwsAsync(
    authority.act((session) => rotateRoot(session, undefined)),
    { message: /root 1 has not been retired yet/ },
  )
  const [newRoot] = authority.bundle().map((der) => new X509Certificate(der))
  t.is(newRoot!.subject, oldRoot.subject)
  t.deepEqual(missing(made), [`${HOST}: renewal,trust`, 'copied.example.com: renewal,trust'])

  const answer = await authority.renew({ certificate: before.certificate, csr: await makeRequest({ keys: before.keys }), from: FROM })
  if (answer.kind === 'refused') return t.fail(answer.sentence)
  t.is(answer.chain.length, 3)
  const pem = (der: Buffer) => new X509Certificate(der).toString()
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', before.keys.privateKey)).toString('base64')
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`
  const leaf = (der: Buffer) => ({ certificate: new X509Certificate(der), pem: pem(der), keyPem })
  const behind = answer.chain.slice(1).map(pem).join('')
  const oldBehind = before.chain.slice(1).map(pem).join('')
  const both = oldRoot.toString() + newRoot!.toString()
  // What OpenSSL says in a true handshake, for each peer that there may be at this moment.
  for (const ca of [oldRoot.toString(), newRoot!.toString(), both])
    t.true((await presentClient(leaf(answer.chain[0]!), ca, behind)).authorized)
  for (const ca of [oldRoot.toString(), both]) t.true((await presentClient(leaf(before.certificate), ca, oldBehind)).authorized)

  t.deepEqual(missing(made), [`${HOST}: trust`, 'copied.example.com: renewal,trust'])
  await authority.seen(answer.chain[0]!, [spkiDigest(oldRoot), spkiDigest(newRoot!)], FROM)
  await authority.act((session) => issue(session, { name: 'copied.example.com', role: 'agent', out: path.join(made.parent, 'again') }))
  t.deepEqual(missing(made), [])
  const identity = loadIdentity(path.join(made.parent, 'again'))
  t.is(identity.ca.match(/BEGIN/g)!.length, 4)
  await authority.act((session) => retire(session, false))
  t.deepEqual(
    authority.bundle().map((der) => pem(der)),
    [newRoot!.toString(), pem(answer.chain[1]!)],
  )
  t.deepEqual(
    listed(made).map(({ issuer }) => issuer),
    [2],
  )
})

test('retire() names who is missing, and cuts them off only by force; the revoked and the expired are not waited for', async (t) => {
  const made = await MadeAuthority.make(t)
  await made.join('revoked.example.com')
  await made.join('short.example.com', { lifeMs: 10_000 })
  await made.join()
  await made.authority.act((session) => revoke(session, 'revoked.example.com', 'unspecified'))
  await made.authority.act((session) => rotateRoot(session, undefined))
  made.nowMs += 10_000
  const refusal = await t.throwsAsync(
    made.authority.act((session) => retire(session, false)),
    { code: 'PKI_ROTATION' },
  )
  t.regex(refusal!.message, /1 live host is missing\n {4}web01\.example\.com: has to renew and has not shown/)
  t.notRegex(refusal!.message, /revoked|short/)
  const { missing: cutOff, expired } = await made.authority.act((session) => retire(session, true))
  t.deepEqual(expired, ['short.example.com'], 'it could have renewed until now')
  t.deepEqual(
    cutOff.map(({ name }) => name),
    [HOST],
  )
})

test("an encrypted root's key signs with its passphrase alone, and its successor is encrypted too", async (t) => {
  const made = await MadeAuthority.make(t, 'correct horse')
  const rotate = (passphrase?: string) => made.authority.act((session) => rotateRoot(session, passphrase))
  const key = (root: number) => fs.readFileSync(path.join(made.directory, `root-${root}.key.pem`), 'utf8')
  t.true(key(1).includes('ENCRYPTED PRIVATE KEY'))
  await t.throwsAsync(rotate(), { message: /its passphrase is needed/ })
  await t.throwsAsync(rotate('wrong horse'), { message: /the passphrase does not open it/ })
  await rotate('correct horse')
  t.true(key(2).includes('ENCRYPTED PRIVATE KEY'))
  fs.rmSync(path.join(made.directory, 'root-2.key.pem'))
  await t.throwsAsync(
    made.authority.act((session) => rotateIssuer(session, 'correct horse')),
    { message: /root-2\.key\.pem is not here/ },
  )
})

test('the issuer is replaced by itself when a third of its life is left, or a problem says why not', async (t) => {
  for (const passphrase of [undefined, 'correct horse']) {
    const made = await MadeAuthority.make(t, passphrase)
    made.nowMs += 200 * DAY_MS
    await made.authority.refreshRevocationLists()
    t.deepEqual(made.authority.problems(), [])
    t.is(rotationStatus(made.authority.view()).issuer, 1)
    made.nowMs += 50 * DAY_MS
    await made.authority.refreshRevocationLists()
    t.is(rotationStatus(made.authority.view()).issuer, passphrase === undefined ? 2 : 1)
    const sentences = made.authority.problems().map(({ sentence }) => sentence)
    t.regex(sentences.join(), passphrase === undefined ? /^$/ : /^The issuing certificate expires on \S+, and no new one .* encrypted$/)
  }
})

test('lists are made anew each hour and at each revocation, their numbers rise, and a stale one is a problem', async (t) => {
  const made = await MadeAuthority.make(t)
  const [first] = listed(made)
  made.nowMs += 3_599_000
  await made.authority.refreshRevocationLists()
  t.deepEqual(listed(made), [first!])
  made.nowMs += 1000
  await made.authority.refreshRevocationLists()
  t.true(listed(made)[0]!.number > first!.number)
  await made.join()
  const { serials } = await made.authority.act((session) => revoke(session, HOST, 'keyCompromise'))
  const third = listed(made)[0]!
  t.deepEqual(third.serials, [...serials])
  t.is(third.number, first!.number + 3601)
  // The clock was set back.
  made.nowMs -= DAY_MS
  await made.authority.refreshRevocationLists()
  t.is(listed(made)[0]!.number, third.number + 1)
  made.nowMs += 5 * DAY_MS
  t.regex(made.authority.problems()[0]!.sentence, /revocation list of issuer 1 has not been made anew for days/)
  fs.rmSync(path.join(made.directory, 'issuer-1.crl'))
  t.regex(made.authority.problems()[0]!.sentence, /There is no revocation list of issuer 1/)
})

test('revoke() by serial takes what was renewed from it along, and leaves what was not', async (t) => {
  const made = await MadeAuthority.make(t)
  const first = await made.join()
  const second = await made.join()
  const answer = await made.authority.renew({ certificate: first.certificate, csr: await makeRequest(), from: FROM })
  if (answer.kind === 'refused') return t.fail(answer.sentence)
  const serialOf = (der: Buffer) => new X509Certificate(der).serialNumber
  const revoked = await made.authority.act((session) =>
    revoke(session, serialOf(first.certificate).toLowerCase().slice(0, 12), 'keyCompromise'),
  )
  t.deepEqual(revoked.serials, [serialOf(first.certificate), serialOf(answer.chain[0]!)])
  t.deepEqual(revoked.left, [serialOf(second.certificate)])
  for (const unknown of ['web99.example.com', 'ABCDEF01', '']) {
    await t.throwsAsync(
      made.authority.act((session) => revoke(session, unknown, 'unspecified')),
      { code: 'PKI_UNKNOWN' },
    )
  }
  await t.throwsAsync(
    made.authority.act((session) => reset(session, 'web99.example.com')),
    { code: 'PKI_UNKNOWN' },
  )
})

test('the inventory shows each state that a host can be in', async (t) => {
  const made = await MadeAuthority.make(t)
  const stateOf = () => inventoryOf(made.authority.view()).find(({ name }) => name === HOST)?.state
  await made.invite()
  t.is(stateOf(), 'invited')
  await made.join(HOST, { lifeMs: 60_000 })
  t.is(stateOf(), 'valid')
  made.nowMs += 55_000
  t.is(stateOf(), 'overdue')
  made.nowMs += 10_000
  t.is(stateOf(), 'grace')
  await made.authority.act((session) => revoke(session, HOST, 'unspecified'))
  t.is(stateOf(), 'revoked')
  await made.authority.act((session) => reset(session, HOST))
  t.is(stateOf(), 'reset')
  await made.join(HOST, { lifeMs: 60_000 })
  made.nowMs += 31 * DAY_MS
  t.is(stateOf(), 'expired')
})

test('seen() is kept once a day, or when the roots change; strangers and the revoked are passed over', async (t) => {
  const made = await MadeAuthority.make(t)
  const { certificate } = await made.join()
  const lines = () => made.authority.journalLines
  const root = spkiDigest(new X509Certificate(made.authority.bundle()[0]!))
  const before = lines()
  for (let i = 0; i < 3; i++) await made.authority.seen(certificate, [root, 'not a digest'], FROM)
  t.is(lines(), before + 1)
  t.deepEqual(made.authority.state.hosts.get(HOST)!.seen!.roots, [root])
  await made.authority.seen(certificate, [root, 'a'.repeat(64)], FROM)
  t.is(lines(), before + 2)
  made.nowMs += DAY_MS
  await made.authority.seen(certificate, [root, 'a'.repeat(64)], FROM)
  t.is(lines(), before + 3)
  await made.authority.seen(Buffer.from('stranger'), [root], FROM)
  await made.authority.act((session) => revoke(session, HOST, 'unspecified'))
  await made.authority.seen(certificate, [root], FROM)
  t.is(lines(), before + 4)
})

test('serverIdentity() makes one that loads, keeps it while it does, and makes another when it does not', async (t) => {
  const made = await MadeAuthority.make(t)
  const serial = async (...names: string[]) => loadIdentity(await made.authority.serverIdentity(names)).facts.serial
  const first = await serial('ca.example.com', '192.0.2.1')
  const identity = loadIdentity(path.join(made.directory, 'server'))
  t.deepEqual([identity.name, identity.facts.addresses, identity.role], ['ca.example.com', ['192.0.2.1'], undefined])
  t.is(await serial('ca.example.com', '192.0.2.1'), first)
  const second = await serial('192.0.2.1')
  t.not(second, first)
  t.is(loadIdentity(path.join(made.directory, 'server')).name, 'loghop-authority')
  made.nowMs += 21 * DAY_MS
  const third = await serial('192.0.2.1')
  t.not(third, second)
  await made.authority.act((session) => rotateRoot(session, undefined))
  t.not(await serial('192.0.2.1'), third)
  // A joining host finds both roots in the chain.
  t.is(loadIdentity(path.join(made.directory, 'server')).cert.match(/BEGIN/g)!.length, 5)
})

test('recordAddress() takes what can be dialled; anything else is a problem', async (t) => {
  const made = await MadeAuthority.make(t)
  await made.authority.recordAddress('nonsense')
  t.regex(made.authority.problems()[0]!.sentence, /nonsense/)
  const before = made.authority.journalLines
  await made.authority.recordAddress('ca.example.com:1')
  await made.authority.recordAddress('ca.example.com:1')
  t.is(made.authority.journalLines, before + 1)
  t.deepEqual(made.authority.problems(), [])
  await made.authority.act((session) => issue(session, { name: HOST, role: 'agent', out: path.join(made.parent, 'out') }))
  t.is(fs.readFileSync(path.join(made.parent, 'out', 'authority'), 'utf8'), 'ca.example.com:1\n')
})
