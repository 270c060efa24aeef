import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import { type Files, nodeFiles } from '../../../core/base/files.ts'
import { loadIdentity } from '../../../core/identity/identity.ts'
import { admitClient, admitServer } from '../../../core/transport/admission.ts'
import { NONE_REVOKED } from '../../../core/transport/tls-policy.ts'
import { Authority } from '../../../pki/authority.ts'
import { initAuthority } from '../../../pki/init.ts'
import { issue, issueIdentity } from '../../../pki/issue.ts'
import type { Issued } from '../../../pki/state.ts'
import { DAY_MS, NOW, presentClient, presentServer, temporaryDirectory } from './made.ts'

async function authority(t: ExecutionContext): Promise<{ parent: string; directory: string; out: string }> {
  const parent = temporaryDirectory(t)
  const directory = path.join(parent, 'ca')
  await initAuthority({ directory, name: 'Example Logs' }, NOW)
  return { parent, directory, out: path.join(parent, 'identity') }
}

function modeOf(...file: string[]): string {
  return (fs.statSync(path.join(...file)).mode & 0o777).toString(8)
}

function inventory(directory: string): Issued[] {
  return [...Authority.open(directory, { by: 'test' }).state.certificates.values()]
}

function throwErrno(code: string): never {
  throw Object.assign(new Error(code), { code })
}

async function refused(t: ExecutionContext, work: () => Promise<unknown>, code: string): Promise<LoghopError> {
  const error = await t.throwsAsync(work, { instanceOf: LoghopError })
  t.is(error.code, code)
  return error
}

test('initAuthority() makes root and issuer, with keys that only the owner reads', async (t) => {
  const { parent, directory } = await authority(t)
  t.deepEqual(fs.readdirSync(directory).sort(), [
    'issuer-1.crl',
    'issuer-1.key.pem',
    'issuer-1.pem',
    'journal',
    'lock',
    'root-1.key.pem',
    'root-1.pem',
  ])
  t.is(modeOf(directory), '700')
  t.is(modeOf(directory, 'root-1.key.pem'), '600')
  t.is(modeOf(directory, 'issuer-1.key.pem'), '600')
  t.deepEqual(fs.readdirSync(parent), ['ca'])
  const issuer = new X509Certificate(fs.readFileSync(path.join(directory, 'issuer-1.pem')))
  const root = new X509Certificate(fs.readFileSync(path.join(directory, 'root-1.pem')))
  t.true(root.ca && issuer.ca && issuer.checkIssued(root) && issuer.verify(root.publicKey))
  t.is(root.subject, 'CN=Example Logs Root')
  t.true(issuer.validToDate < root.validToDate)
})

test('initAuthority() and issueIdentity() overwrite nothing', async (t) => {
  const { parent, directory, out } = await authority(t)
  const before = fs.readFileSync(path.join(directory, 'root-1.key.pem'), 'utf8')
  await refused(t, () => initAuthority({ directory, name: 'Other' }, NOW), 'PKI_EXISTS')
  t.is(fs.readFileSync(path.join(directory, 'root-1.key.pem'), 'utf8'), before)
  const order = { name: 'web01.example.com', role: 'agent', directory, out }
  await issueIdentity(order, NOW)
  const key = fs.readFileSync(path.join(out, 'key.pem'), 'utf8')
  await refused(t, () => issueIdentity(order, NOW), 'PKI_EXISTS')
  await refused(t, () => issueIdentity({ ...order, out: directory }, NOW), 'PKI_EXISTS')
  fs.writeFileSync(path.join(parent, 'file'), '')
  await refused(t, () => issueIdentity({ ...order, out: path.join(parent, 'file') }, NOW), 'PKI_EXISTS')
  t.is(fs.readFileSync(path.join(out, 'key.pem'), 'utf8'), key)
  t.is(inventory(directory).length, 1)
  t.deepEqual(fs.readdirSync(parent).sort(), ['ca', 'file', 'identity'])
})

test('issueIdentity() lets one of two at the same place win', async (t) => {
  const { parent, directory, out } = await authority(t)
  const order = { name: 'web01.example.com', role: 'agent', directory, out }
  const results = await Promise.allSettled([issueIdentity(order, NOW), issueIdentity(order, NOW)])
  t.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.notThrows(() => loadIdentity(out))
  t.deepEqual(fs.readdirSync(parent).sort(), ['ca', 'identity'])
})

test('issueIdentity() makes an identity that loads, and that admission believes', async (t) => {
  const { directory, parent } = await authority(t)
  const agentOut = path.join(parent, 'agent')
  const relayOut = path.join(parent, 'relay')
  await issueIdentity({ name: 'Web01.site1.example.com', role: 'agent', directory, out: agentOut }, NOW)
  const order = { name: 'relay.example.com', role: 'relay', san: ['192.0.2.7', '2001:DB8::7', 'r2.example.com', 'relay.example.com'] }
  await issueIdentity({ ...order, speaksFor: ['*.Site1.example.com'], directory, out: relayOut }, NOW)
  const agent = loadIdentity(agentOut)
  const relay = loadIdentity(relayOut)
  t.is(modeOf(relayOut), '700')
  t.is(modeOf(relayOut, 'key.pem'), '600')
  t.is(agent.name, 'web01.site1.example.com')
  t.deepEqual(relay.facts.names, ['relay.example.com', 'r2.example.com'])
  t.deepEqual(relay.facts.addresses, ['192.0.2.7', '2001:db8::7'])
  t.deepEqual(relay.facts.speaksFor, ['*.site1.example.com'])
  const pem = (name: string) => fs.readFileSync(path.join(directory, name), 'utf8')
  t.is(relay.ca, pem('root-1.pem') + pem('issuer-1.pem'))
  t.is(relay.cert.slice(relay.cert.indexOf('-----BEGIN', 1)), pem('issuer-1.pem'))
  const leafOf = ({ key, cert }: typeof agent) => ({ certificate: new X509Certificate(cert), pem: cert, keyPem: key })

  const policy = { names: ['*.site1.example.com'], pins: [] }
  t.like(admitClient(await presentClient(leafOf(agent), relay.ca), policy, NOW, NONE_REVOKED), {
    kind: 'admitted',
    name: 'web01.site1.example.com',
  })
  t.like(admitClient(await presentClient(leafOf(relay), relay.ca), policy, NOW, NONE_REVOKED), { check: 'not-permitted' })
  t.is(admitServer(await presentServer(leafOf(relay), agent.ca), { host: '2001:db8::7' }, NOW, NONE_REVOKED).kind, 'admitted')
  t.like(admitServer(await presentServer(leafOf(agent), agent.ca), { host: agent.name }, NOW, NONE_REVOKED), { check: 'purpose' })
})

test('issueIdentity() records each certificate, and makes none that it cannot record', async (t) => {
  const { parent, directory, out } = await authority(t)
  const { facts } = await issueIdentity({ name: 'web01.example.com', role: 'agent', directory, out }, NOW)
  t.like(inventory(directory)[0], {
    serial: facts.serial,
    name: 'web01.example.com',
    role: 'agent',
    via: 'command',
    spki: facts.publicKeySha256.slice('spki-sha256:'.length),
  })
  t.regex(facts.serial, /^[4-7][0-9A-F]{39}$/)
  const full: Files = { ...nodeFiles, write: () => throwErrno('ENOSPC') }
  const other = Authority.open(directory, { by: 'test', files: full })
  const order = { name: 'web02.example.com', role: 'agent', out: path.join(parent, 'second') }
  await refused(t, () => other.act((session) => issue(session, order)), 'PKI_WRITE')
  t.is(inventory(directory).length, 1)
  t.deepEqual(fs.readdirSync(parent).sort(), ['ca', 'identity'])
})

test('issueIdentity() keeps a name of more than 64 characters out of the common name only', async (t) => {
  const { directory, out } = await authority(t)
  const name = `${'a'.repeat(60)}.example.com`
  const { facts } = await issueIdentity({ name, role: 'agent', directory, out }, NOW)
  t.is(facts.commonName, undefined)
  t.is(loadIdentity(out).name, name)
})

test('issueIdentity() lets no certificate outlive its issuer', async (t) => {
  const { directory, out, parent } = await authority(t)
  const issuer = new X509Certificate(fs.readFileSync(path.join(directory, 'issuer-1.pem')))
  const order = { name: 'web01.example.com', role: 'agent', directory }
  const later = NOW + 340 * DAY_MS
  const { facts } = await issueIdentity({ ...order, days: 60, out }, later)
  t.deepEqual(facts.validTo, issuer.validToDate)
  const short = await issueIdentity({ ...order, days: 30, out: path.join(parent, 'short') }, NOW)
  t.is(Math.round((short.facts.validTo.getTime() - NOW) / DAY_MS), 30)
  t.true(short.facts.validFrom.getTime() < NOW - 4 * 60_000)
  await refused(t, () => issueIdentity({ ...order, out: path.join(parent, 'late') }, NOW + 365 * DAY_MS), 'PKI_ISSUER_EXPIRED')
})

test('issueIdentity() refuses what no certificate may say, and leaves nothing behind', async (t) => {
  const { parent, directory, out } = await authority(t)
  const order = { name: 'web01.example.com', role: 'agent', directory, out }
  const names = ['', '10.0.0.1', '::1', '*.example.com', 'a b', 'a,DNS:b', '../x', 'a\n', `${'a.'.repeat(126)}aa`].map((name) => ({
    ...order,
    name,
  }))
  const others = [
    { ...order, role: 'root' },
    { ...order, san: ['*.example.com'] },
    { ...order, san: ['fe80::1%eth0'] },
    { ...order, speaksFor: ['*x'] },
    ...[0, -1, 1.5, 398, Number.NaN].map((days) => ({ ...order, days })),
    ...[0, 9000, 10_500, 398 * DAY_MS].map((lifeMs) => ({ ...order, lifeMs })),
    { ...order, days: 1, lifeMs: DAY_MS },
    { ...order, speaksFor: Array.from({ length: 101 }, (_, i) => `h${i}.example.com`) },
  ]
  for (const wrong of [...names, ...others]) {
    const error = await refused(t, () => issueIdentity(wrong, NOW), 'USAGE')
    t.notRegex(error.message, /[\u0000-\u001f]/)
  }
  for (const name of ['', ' ', 'x'.repeat(53), 'a\nb']) await refused(t, () => initAuthority({ directory: out, name }, NOW), 'USAGE')
  t.deepEqual(fs.readdirSync(parent), ['ca'])
  t.is(inventory(directory).length, 0)
})

test('issueIdentity() refuses an authority that is missing, broken, or readable by others', async (t) => {
  const { parent, directory, out } = await authority(t)
  const order = { name: 'web01.example.com', role: 'agent', directory, out }
  await refused(t, () => issueIdentity({ ...order, directory: path.join(parent, 'none') }, NOW), 'PKI_READ')
  fs.rmSync(path.join(directory, 'root-1.key.pem'))
  t.is((await issueIdentity(order, NOW)).name, 'web01.example.com')
  const again = { ...order, out: path.join(parent, 'again') }
  fs.chmodSync(path.join(directory, 'issuer-1.key.pem'), 0o640)
  await refused(t, () => issueIdentity(again, NOW), 'PKI_KEY_MODE')
  fs.chmodSync(path.join(directory, 'issuer-1.key.pem'), 0o600)
  fs.copyFileSync(path.join(out, 'key.pem'), path.join(directory, 'issuer-1.key.pem'))
  await refused(t, () => issueIdentity(again, NOW), 'PKI_BROKEN')
})
