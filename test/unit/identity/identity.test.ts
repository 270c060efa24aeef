import { createPrivateKey } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import { loadIdentity } from '../../../core/identity/identity.ts'
import { identityProblems, requireValidNow } from '../../../core/identity/problems.ts'
import { DAY_MS, makeIssuer, makeLeaf, makeRoot, makeSelfSigned, NOW, temporaryDirectory } from '../pki/made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
const leaf = await makeLeaf(issuer)
const otherKey = (await makeLeaf(issuer)).keyPem
const otherRoot = await makeRoot()
const lockedKey = createPrivateKey(leaf.keyPem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
const chain = leaf.pem + issuer.certificatePem

type Files = Partial<Record<'key.pem' | 'cert.pem' | 'ca.pem' | 'crl.pem', string | undefined>>

function identityOf(t: ExecutionContext, differing: Files = {}): string {
  const directory = temporaryDirectory(t)
  const files: Files = { 'key.pem': leaf.keyPem, 'cert.pem': chain, 'ca.pem': root.certificatePem, ...differing }
  for (const [name, text] of Object.entries(files))
    if (text !== undefined) fs.writeFileSync(path.join(directory, name), text, { mode: 0o600 })
  return directory
}

function faultOf(t: ExecutionContext, directory: string): LoghopError {
  const error = t.throws(() => loadIdentity(directory), { instanceOf: LoghopError })
  const said = JSON.stringify([error.message, error.remedy, error.stack, String(error.cause)])
  for (const line of leaf.keyPem.split('\n').slice(1, -2)) t.false(said.includes(line), 'key material in an error')
  return error
}

test('loadIdentity() reads key, chain, roots, name and role', (t) => {
  const identity = loadIdentity(identityOf(t))
  t.is(identity.name, 'web01.example.com')
  t.is(identity.role, 'agent')
  t.is(identity.key, leaf.keyPem)
  t.is(identity.cert, chain)
  t.is(identity.crl, undefined)
  t.deepEqual(identityProblems(identity, NOW), [])
  t.notThrows(() => requireValidNow(identity, NOW))
})

test('loadIdentity() takes a self-signed certificate, which peers pin', async (t) => {
  const own = await makeSelfSigned('web01.example.com')
  t.is(loadIdentity(identityOf(t, { 'key.pem': own.keyPem, 'cert.pem': own.pem })).name, 'web01.example.com')
})

test('loadIdentity() refuses a missing directory, or a file in its place', (t) => {
  const directory = identityOf(t)
  t.is(faultOf(t, path.join(directory, 'nowhere')).code, 'IDENTITY_DIRECTORY')
  t.regex(faultOf(t, path.join(directory, 'ca.pem')).message, /is no directory/)
})

for (const name of ['key.pem', 'cert.pem', 'ca.pem'] as const) {
  test(`loadIdentity() refuses without ${name}, and names it`, (t) => {
    const error = faultOf(t, identityOf(t, { [name]: undefined }))
    t.is(error.code, 'IDENTITY_FILE')
    t.true(error.message.endsWith(`${name}: the file is missing`))
  })
}

for (const mode of [0o640, 0o604, 0o660, 0o610, 0o644]) {
  test(`loadIdentity() refuses a key of mode ${mode.toString(8)}`, (t) => {
    const directory = identityOf(t)
    fs.chmodSync(path.join(directory, 'key.pem'), mode)
    const error = faultOf(t, directory)
    t.is(error.code, 'IDENTITY_KEY_MODE')
    t.is(error.remedy, `Run: chmod 600 ${path.join(directory, 'key.pem')}`)
  })
}

test.serial('a key that systemd hands over as a credential may look readable for a group, and not for others', (t) => {
  const directory = identityOf(t)
  const key = path.join(directory, 'key.pem')
  process.env['CREDENTIALS_DIRECTORY'] = directory
  t.teardown(() => delete process.env['CREDENTIALS_DIRECTORY'])
  fs.chmodSync(key, 0o440)
  t.notThrows(() => loadIdentity(directory))
  fs.chmodSync(key, 0o444)
  t.is(faultOf(t, directory).code, 'IDENTITY_KEY_MODE')
  process.env['CREDENTIALS_DIRECTORY'] = '/elsewhere'
  fs.chmodSync(key, 0o440)
  t.is(faultOf(t, directory).code, 'IDENTITY_KEY_MODE')
})

const truncatedKey = leaf.keyPem.replace(/\n.{8}/, '\n')
const crlGarbage = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n'

for (const [what, differing, code, message] of [
  ['the key of another certificate', { 'key.pem': otherKey }, 'IDENTITY_PAIR', /not the certificate of the key/],
  ['the chain in the wrong order', { 'cert.pem': issuer.certificatePem + leaf.pem }, 'IDENTITY_PAIR', /is not the first one/],
  ['key and certificate exchanged', { 'key.pem': chain, 'cert.pem': leaf.keyPem }, 'IDENTITY_KEY', /holds a certificate/],
  ['a key beside the certificate', { 'cert.pem': chain + leaf.keyPem }, 'IDENTITY_CERTIFICATE', /holds a private key/],
  ['an empty key', { 'key.pem': '' }, 'IDENTITY_KEY', /no private key/],
  ['a damaged key', { 'key.pem': truncatedKey }, 'IDENTITY_KEY', /cannot be decoded/],
  ['a key with passphrase', { 'key.pem': lockedKey }, 'IDENTITY_KEY', /passphrase/],
  ['an empty certificate', { 'cert.pem': '\n' }, 'IDENTITY_CERTIFICATE', /holds no certificate/],
  ['a damaged certificate', { 'cert.pem': chain.replace(/\n.{8}/, '\n') }, 'IDENTITY_CERTIFICATE', /cannot be decoded/],
  ['a damaged intermediate', { 'cert.pem': leaf.pem + issuer.certificatePem.replace(/\n.{8}/, '\n') }, 'IDENTITY_CERTIFICATE', /decoded/],
  ['an unended certificate', { 'cert.pem': chain.slice(0, -30) }, 'IDENTITY_CERTIFICATE', /decoded/],
  ['an empty ca.pem', { 'ca.pem': '' }, 'IDENTITY_CERTIFICATE', /ca\.pem: it holds no certificate/],
  ['the root of another authority', { 'ca.pem': otherRoot.certificatePem }, 'IDENTITY_CHAIN', /does not lead to a root/],
  ['no intermediate', { 'cert.pem': leaf.pem }, 'IDENTITY_CHAIN', /its last issuer is CN=Test Issuer/],
  ['a revocation list that is none', { 'crl.pem': 'x' }, 'IDENTITY_CRL', /no revocation list/],
  ['a damaged revocation list', { 'crl.pem': crlGarbage }, 'IDENTITY_CRL', /no revocation list/],
] as [string, Files, string, RegExp][]) {
  test(`loadIdentity() refuses ${what}`, (t) => {
    const error = faultOf(t, identityOf(t, differing))
    t.is(error.code, code)
    t.regex(error.message, message)
    t.true(error.remedy.length > 0)
  })
}

test('loadIdentity() refuses a certificate without a host name', async (t) => {
  const nameless = await makeLeaf(issuer, { dnsNames: ['*.example.com'] })
  const files = { 'key.pem': nameless.keyPem, 'cert.pem': nameless.pem + issuer.certificatePem }
  t.is(faultOf(t, identityOf(t, files)).code, 'IDENTITY_NAME')
})

test('identityProblems() tells expired, not yet valid, and soon expiring, of leaf and authorities', (t) => {
  const identity = loadIdentity(identityOf(t))
  const kinds = (nowMs: number) => identityProblems(identity, nowMs).map(({ kind, failing }) => `${kind} ${failing}`)
  t.deepEqual(kinds(NOW - 2 * DAY_MS), Array(3).fill('not-yet-valid true'))
  t.deepEqual(kinds(NOW + 70 * DAY_MS), Array(3).fill('expires-soon false'))
  t.deepEqual(kinds(NOW + 91 * DAY_MS), Array(3).fill('expired true'))
  const error = t.throws(() => requireValidNow(identity, NOW + 91 * DAY_MS), { instanceOf: LoghopError })
  t.regex(error.message, /the certificate of web01\.example\.com expired on 20/)
  t.notThrows(() => requireValidNow(identity, NOW + 70 * DAY_MS))
})
